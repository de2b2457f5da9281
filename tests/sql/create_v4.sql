-- A database as speclora 0.1.0 with schema version 4 left it, on tiny random models: a bench of two prompts with a draft
-- vocabulary, examples that were collected, a training run on them, and a bench and an evaluation of its adapter.
PRAGMA foreign_keys=OFF;
BEGIN TRANSACTION;
CREATE TABLE refinery_schema_history(
             version int4 PRIMARY KEY,
             name VARCHAR(255),
             applied_on VARCHAR(255),
             checksum VARCHAR(255));
INSERT INTO refinery_schema_history VALUES(1,'initial','2026-11-30T17:45:05.624091764Z','7141527702572065296');
INSERT INTO refinery_schema_history VALUES(2,'draft_vocabulary','2026-11-30T17:45:05.624103736Z','6482652178335381517');
INSERT INTO refinery_schema_history VALUES(3,'training','2026-11-30T17:45:05.624104958Z','9556326249289033304');
INSERT INTO refinery_schema_history VALUES(4,'tracking','2026-11-30T17:45:05.624107753Z','15077042059237012890');
CREATE TABLE environments (
    id               INTEGER PRIMARY KEY,
    fingerprint      TEXT    NOT NULL UNIQUE CHECK (length(fingerprint) = 64),
    hostname         TEXT,
    os               TEXT,
    kernel           TEXT,
    cpu_model        TEXT,
    num_cpus         INTEGER CHECK (num_cpus >= 1),
    memory_bytes     INTEGER CHECK (memory_bytes >= 1),
    engine           TEXT    NOT NULL,
    speclora_version TEXT    NOT NULL,
    git_commit       TEXT,
    git_dirty        INTEGER CHECK (git_dirty IN (0, 1))
) STRICT;
INSERT INTO environments VALUES(1,'8d71c84226b34277ff7415241055852193af22fbd4c5f795581f3f76c1542cec','fixture','Linux (Debian GNU/Linux 12)','6.1','x',2,25276510208,'cpu-avx2','0.1.0','ca670bc4867950e56c14501c7ea1a6eecf9158af',1);
CREATE TABLE models (
    id               INTEGER PRIMARY KEY,
    sha256           TEXT    NOT NULL UNIQUE CHECK (length(sha256) = 64),
    format           TEXT    NOT NULL CHECK (format IN ('gguf', 'safetensors')),
    family           TEXT    NOT NULL,
    name             TEXT,
    quantization     TEXT    NOT NULL,
    num_parameters   INTEGER NOT NULL CHECK (num_parameters >= 0),
    num_layers       INTEGER NOT NULL CHECK (num_layers >= 0),
    hidden_size      INTEGER NOT NULL CHECK (hidden_size >= 0),
    vocab_size       INTEGER NOT NULL CHECK (vocab_size >= 0),
    context_length   INTEGER NOT NULL CHECK (context_length >= 0),
    tokenizer_sha256 TEXT    NOT NULL CHECK (length(tokenizer_sha256) = 64),
    size_bytes       INTEGER NOT NULL CHECK (size_bytes >= 0)
) STRICT;
INSERT INTO models VALUES(1,'0951b862c1e9fe6e4e2ced01943965d12ef14e91cdce15de065f89e3d881c662','safetensors','llama',NULL,'F32',22688,2,32,128,128,'d7070a2fcaa01abd9f28ec7dcacb0b7b40d6f92d072ed87b508c8329cadb964e',99290);
INSERT INTO models VALUES(2,'947d9ccdf763f9f710fe59409cfc30ba380f76773c3410948e7af13eb0942466','safetensors','llama',NULL,'F32',26784,2,32,128,128,'d7070a2fcaa01abd9f28ec7dcacb0b7b40d6f92d072ed87b508c8329cadb964e',115846);
CREATE TABLE model_files (
    model_id   INTEGER NOT NULL REFERENCES models (id) ON DELETE CASCADE,
    name       TEXT    NOT NULL,
    sha256     TEXT    NOT NULL CHECK (length(sha256) = 64),
    size_bytes INTEGER NOT NULL CHECK (size_bytes >= 0),
    PRIMARY KEY (model_id, name)
) STRICT, WITHOUT ROWID;
INSERT INTO model_files VALUES(1,'config.json','2524165402de9ad999f41140947461b7d9e204a86b085309990dbacfca22ed62',684);
INSERT INTO model_files VALUES(1,'model.safetensors','84673c5b0219b3d383c70b1b03ce9e582a337731e2d2dba3d75752ca1233f011',92776);
INSERT INTO model_files VALUES(1,'tokenizer.json','550393c6ec24327300b5c66263342d54ef81fa03eef9365011a4f3d26025b7f4',4734);
INSERT INTO model_files VALUES(1,'tokenizer_config.json','21de2f778050be3495bd4adcb59f46e06397ea445c7b1a4ecd180ae066172d90',1096);
INSERT INTO model_files VALUES(2,'config.json','cfb5ac37bb703daaf04c68422e7d6fee8e4f1f8080dad0df15aff9a57f7776e1',685);
INSERT INTO model_files VALUES(2,'generation_config.json','d66ea78f026b3fd867da89c6701c915bcc48bce8727169b0d0434100ea7e4f76',83);
INSERT INTO model_files VALUES(2,'model.safetensors','ceba9392e3b215b1ddcdb3c8c3ea4d1dff3e4a1da2fbe4c04b55ff679db750d5',109248);
INSERT INTO model_files VALUES(2,'tokenizer.json','550393c6ec24327300b5c66263342d54ef81fa03eef9365011a4f3d26025b7f4',4734);
INSERT INTO model_files VALUES(2,'tokenizer_config.json','21de2f778050be3495bd4adcb59f46e06397ea445c7b1a4ecd180ae066172d90',1096);
CREATE TABLE file_hashes (
    path       TEXT    PRIMARY KEY,
    size_bytes INTEGER NOT NULL CHECK (size_bytes >= 0),
    mtime_ns   INTEGER NOT NULL,
    sha256     TEXT    NOT NULL CHECK (length(sha256) = 64)
) STRICT, WITHOUT ROWID;
INSERT INTO file_hashes VALUES('/home/ada/speclora/models/llama-tied/config.json',684,1796060705482464134,'2524165402de9ad999f41140947461b7d9e204a86b085309990dbacfca22ed62');
INSERT INTO file_hashes VALUES('/home/ada/speclora/models/llama-tied/model.safetensors',92776,1796060705482936005,'84673c5b0219b3d383c70b1b03ce9e582a337731e2d2dba3d75752ca1233f011');
INSERT INTO file_hashes VALUES('/home/ada/speclora/models/llama-tied/tokenizer.json',4734,1796060705483029850,'550393c6ec24327300b5c66263342d54ef81fa03eef9365011a4f3d26025b7f4');
INSERT INTO file_hashes VALUES('/home/ada/speclora/models/llama-tied/tokenizer_config.json',1096,1796060705483077880,'21de2f778050be3495bd4adcb59f46e06397ea445c7b1a4ecd180ae066172d90');
INSERT INTO file_hashes VALUES('/home/ada/speclora/models/llama-untied/config.json',685,1796060705483299133,'cfb5ac37bb703daaf04c68422e7d6fee8e4f1f8080dad0df15aff9a57f7776e1');
INSERT INTO file_hashes VALUES('/home/ada/speclora/models/llama-untied/generation_config.json',83,1796060705483834984,'d66ea78f026b3fd867da89c6701c915bcc48bce8727169b0d0434100ea7e4f76');
INSERT INTO file_hashes VALUES('/home/ada/speclora/models/llama-untied/model.safetensors',109248,1796060705484116069,'ceba9392e3b215b1ddcdb3c8c3ea4d1dff3e4a1da2fbe4c04b55ff679db750d5');
INSERT INTO file_hashes VALUES('/home/ada/speclora/models/llama-untied/tokenizer.json',4734,1796060705484419165,'550393c6ec24327300b5c66263342d54ef81fa03eef9365011a4f3d26025b7f4');
INSERT INTO file_hashes VALUES('/home/ada/speclora/models/llama-untied/tokenizer_config.json',1096,1796060705484483085,'21de2f778050be3495bd4adcb59f46e06397ea445c7b1a4ecd180ae066172d90');
CREATE TABLE prompts (
    id     INTEGER PRIMARY KEY,
    sha256 TEXT    NOT NULL UNIQUE CHECK (length(sha256) = 64),
    text   TEXT    NOT NULL
) STRICT;
INSERT INTO prompts VALUES(1,'3cecba01356b133b5c310d645a557cecfd5b1951259fa55bf19b7dc94200c9c6','list the files');
INSERT INTO prompts VALUES(2,'3cad3da3dbbe1c106b3219f6c278a565f411cee74f0848956aff65d3df4846a7','say hello');
INSERT INTO prompts VALUES(3,'84b44ef0b8e5494bea9ecdd81184b20396b94b76fe1a99830ba19a95d069c0d6','count to three');
INSERT INTO prompts VALUES(4,'86b21efc8a415ec9ae176df244bc96db7cd6ed27874e588bc61cfb4f7c4a903f','name a colour');
INSERT INTO prompts VALUES(5,'e957fc2aefd2c66920c9a8575d24fdc6a5e30eccf76ca420822c742c9593f87a','write a haiku');
INSERT INTO prompts VALUES(6,'e2e799afb92cb5ac2da8e0d9212fa256f1d447e4f0a0aec291d0b02719980a5c','add two and two');
INSERT INTO prompts VALUES(7,'c8e2c1437abb87b67330d0dddbd1de9a179ca6be207497f14873894c26e7d742','Say hello.');
CREATE TABLE prompt_sets (
    id     INTEGER PRIMARY KEY,
    name   TEXT    NOT NULL,
    sha256 TEXT    NOT NULL CHECK (length(sha256) = 64),
    UNIQUE (sha256, name)
) STRICT;
INSERT INTO prompt_sets VALUES(1,'prompts.txt','a26af3a81514a6b477302c4897483d348e6274c3ebfce1021d4ddfd201b0f550');
INSERT INTO prompt_sets VALUES(2,'p2.txt','6444c7776db6e4713731b829eb468c98744def73cf8a126dd8ebc49e9b1fffdf');
INSERT INTO prompt_sets VALUES(3,'stored examples','cb2e8b00a58668d2398434926b77975969a81d4dbb3e3e315df1e5f301930794');
INSERT INTO prompt_sets VALUES(4,'command line','70ccfa650d228f7f496a70a7874acd03a743b6f1c399d28afceba38dc95cdd6d');
INSERT INTO prompt_sets VALUES(5,'command line','fb0a31781a3b88fe19752ab3cbc62af1472fa38645296e5716d3eab1c51fbabc');
CREATE TABLE modes (
    mode          TEXT    PRIMARY KEY,
    display_order INTEGER NOT NULL UNIQUE,
    meaning       TEXT    NOT NULL
) STRICT, WITHOUT ROWID;
INSERT INTO modes VALUES('control',3,'the target alone once more (A/A): its speedup is the noise of the measurement');
INSERT INTO modes VALUES('spec_base',1,'speculative decoding with the draft as it is');
INSERT INTO modes VALUES('spec_lora',2,'speculative decoding with a LoRA adapter on the draft');
INSERT INTO modes VALUES('target_only',0,'the target alone, one token a pass');
CREATE TABLE blobs (
    id         INTEGER PRIMARY KEY,
    sha256     TEXT    NOT NULL UNIQUE CHECK (length(sha256) = 64),
    size_bytes INTEGER NOT NULL CHECK (size_bytes >= 0)
) STRICT;
INSERT INTO blobs VALUES(1,'13281bb19aa97d2f1cb6fac4dc9164fb7d913f706ae2d8a2987f20e572b611f1',256);
INSERT INTO blobs VALUES(2,'ab40c1930ebae1d22d4d01592911265be341506f1aa72caac4708a201cb07d2d',132);
INSERT INTO blobs VALUES(3,'7522025d04f22ab1ea6e4f54dfaa79d5830b41a58d5db4254c4076e5f0b06243',132);
INSERT INTO blobs VALUES(4,'e6cb59c74857fa7177c89fa594fe41293e1c2f7dffebf6de865783d56835ca83',132);
INSERT INTO blobs VALUES(5,'5a260ea4a11c3579c4b2f29700f2b98660afe844d8ddc5dfb786b3ea402e3134',132);
INSERT INTO blobs VALUES(6,'524d95f582876d6f78479518722194c501083b8f765a9a3444c462b2e3c1c3bd',1040);
INSERT INTO blobs VALUES(7,'58507e6ebb8c8fd231b1f9cfd418378f8c6df52a960e80d26100d297724814b2',1244);
CREATE TABLE blob_chunks (
    id          INTEGER PRIMARY KEY,
    blob_id     INTEGER NOT NULL REFERENCES blobs (id) ON DELETE CASCADE,
    chunk_index INTEGER NOT NULL CHECK (chunk_index >= 0),
    data        BLOB    NOT NULL CHECK (length(data) BETWEEN 1 AND 1048576),
    UNIQUE (blob_id, chunk_index)
) STRICT;
INSERT INTO blob_chunks VALUES(1,1,0,X'0200000000000000010000006e0000000e0000001000000066000000630000006200000013000000120000001400000042000000150000001c0000007300000017000000160000000b000000740000002300000005000000180000001a0000001b00000064000000190000000f000000040000000a0000003f0000005000000003000000430000003d0000003e00000009000000550000002b0000005a0000005f0000001d0000005d0000004b000000400000004100000044000000350000001100000045000000700000005b0000001f0000007b000000540000006d0000002100000046000000240000000d0000004f000000260000005200000048000000');
INSERT INTO blob_chunks VALUES(2,2,0,X'4e000000620000007a00000057323631a5308ee2fc3e070000004e0000007e000000d93225321b2d45a0033f23000000160000001e000000c736d32f5b2d0ca8bd3e33000000180000000f0000004034a633132c5902dd3e35000000420000003c0000007a39422fc72695a4333e350000000c000000680000008a3bfc23f61f329e0b3d');
INSERT INTO blob_chunks VALUES(3,3,0,X'62000000670000006600000053315b30052f537a163f35000000120000002f0000002c3a1329ea267eaa253e350000001700000042000000a63aa12a4526fe06be3d7e0000006e0000002b0000009934c632fa2ee0acc83e7e000000350000002e0000003f39082ec32d9802243e7e000000350000004200000067355b35192e7b086e3e');
INSERT INTO blob_chunks VALUES(4,4,0,X'7a00000032000000450000006034d82dfe2a1ea6143f590000004e0000007a000000c338f7305d30c495e73d3200000007000000720000003a38c52a5528b020c53e490000003d00000043000000f538e72bfc290d2a8b3e35000000740000007d000000e432422f962d1681153f350000000c00000051000000833a3229d926b86ff33d');
INSERT INTO blob_chunks VALUES(5,5,0,X'4e00000047000000600000008231d52ec92e1a791d3f7e00000035000000730000006438023082291ed8903e2e000000090000007e000000f63616327c2e0e088c3e110000006b0000001a000000df383333532817b2073e6a000000650000003c000000763ae728062833c7fa3d600000001200000016000000c9310b30b32d40981a3f');
INSERT INTO blob_chunks VALUES(6,6,0,X'08020000000000007b225f5f6d657461646174615f5f223a7b22666f726d6174223a227074227d2c22626173655f6d6f64656c2e6d6f64656c2e6d6f64656c2e6c61796572732e302e73656c665f6174746e2e715f70726f6a2e6c6f72615f412e776569676874223a7b226474797065223a22463332222c227368617065223a5b312c33325d2c22646174615f6f666673657473223a5b302c3132385d7d2c22626173655f6d6f64656c2e6d6f64656c2e6d6f64656c2e6c61796572732e302e73656c665f6174746e2e715f70726f6a2e6c6f72615f422e776569676874223a7b226474797065223a22463332222c227368617065223a5b33322c315d2c22646174615f6f666673657473223a5b3132382c3235365d7d2c22626173655f6d6f64656c2e6d6f64656c2e6d6f64656c2e6c61796572732e312e73656c665f6174746e2e715f70726f6a2e6c6f72615f412e776569676874223a7b226474797065223a22463332222c227368617065223a5b312c33325d2c22646174615f6f666673657473223a5b3235362c3338345d7d2c22626173655f6d6f64656c2e6d6f64656c2e6d6f64656c2e6c61796572732e312e73656c665f6174746e2e715f70726f6a2e6c6f72615f422e776569676874223a7b226474797065223a22463332222c227368617065223a5b33322c315d2c22646174615f6f666673657473223a5b3338342c3531325d7d7d2020202020207806603dfe62973d8a71a63d206745bc40a42a3bf031903d4894b03c2d3c1fbe9a97dcbdb340093e80dfe73c30758f3cf0d7f6bcca35ee3d4a44ea3d27a41d3e409e04bb1ef6db3d413d113ee251fabd005da1ba15d5093ed17c173edee6c33d80ec74bb70570b3c28e31b3dce1558bd1c8222beb68cbf3d9083e13c9c944e3dc5b7973dc7b797bdc8b797bdaab7973dc8b7973dc4b7973dc7b797bdc8b7973dcab7973dc3b7973dcab7973d3ab7973d54b7973dc7b797bd9bb797bdc7b797bdc5b7973dc8b797bd5db7973dcab7973dc6b7973db5b7973dcab797bdc5b797bdcab797bdcab7973d66b797bdc8b7973da9b797bdcbb797bdcab797bdcbb7973df5cf22bef5bae0bdc974313e885dc8bc88d3603d741d143da8cfc73caf8a0c3ee0d9f33caa9ef23d19a7023efa8cbe3d14860ebe609fd03b5edcce3d82fbb53d834424be27e0153e80c4793c1914263eb347323ec17a293e0a30963d406e6a3b401cba3cae6d803dec91693dc8b57a3d208402bd8e4a87bdd0f303bdbc5d64bdb8b7973db8b7973dc3b7973dc4b7973dc7b7973db4b7973dc5b797bdbfb797bdc5b797bdc4b797bdc8b797bdbeb797bdc5b7973dc9b797bdcab7973dc7b7973dbeb797bdc3b797bdcab7973dc0b7973dc0b7973dc0b797bdc4b7973dc7b797bd69b397bdc8b797bd95b797bdc5b797bdc5b7973d11b7973dc7b7973dc7b7973d');
INSERT INTO blob_chunks VALUES(7,7,0,X'd0000000000000007b2266697273745f6d6f6d656e74223a7b226474797065223a22463332222c227368617065223a5b3132385d2c22646174615f6f666673657473223a5b302c3531325d7d2c227365636f6e645f6d6f6d656e74223a7b226474797065223a22463332222c227368617065223a5b3132385d2c22646174615f6f666673657473223a5b3531322c313032345d7d2c2273746570223a7b226474797065223a22553332222c227368617065223a5b315d2c22646174615f6f666673657473223a5b313032342c313032385d7d7d2020202020000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000056c2babaf4eaf83a5a82213beee497b953e60fbb87d29eba83c9de3abf2e2ebbdf5dbdbbdca38fba26fc94bb29928eb80912aeb80724fb3a9d0c5439a2e4d93a225abfba899f453b0424bbb84163c0bbf05fcdbaa8a8ddb969363c3ba93fbf3ab996b23bd726aabb8bcccc38ede14ebb4bff9539ddedd93b5d30c43bacde1dbc00000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000004d7b01ba97f6fdb9b8b59bbaa2fb9cba8eadfaba1504d4b90221c83af420433ad70ab83a746ca63a3dbb103bdf96333ab4ffb0badf76223b927e9dbb1fde03bbe556333a5b428e3a7fdec7bbd02556ba7bd15fba624b553a5427a2baec65fa3a63941437bca92c3b1c2b3e397082c13a0d7acbbab21c61b82c72edba7c04ebba00000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000009cfd5934649fc134c90723357d321032f56a0135bda61d34c41a9b34ad9e3d35d11e603683f30034f4b90a36d713fe2f30603d30aa18c5346f838c316a5d943436d864340c177435dee15a301054673695ce83349589993294655d35e9986434a2554736f3f13436a8118330d8bf8535329e0c32fc699436548f703612c41b370000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000df90d1322d8dc9325f8817344d051a34df5ec43421788c32b1517a3489f76d33cfb15334561a2d3409eb02350a93493312cd4334e4f62435a7061b36505cd93487034933b6f7fc336bab7936e74e8f332a8b9c33232b8e3384552434b6eec334fcf8092d66533a35a8056231b2086a34ca618134d35b9e2fe02fb034ff99ac3401000000');
CREATE TABLE checkpoints (
    id              INTEGER PRIMARY KEY AUTOINCREMENT,
    uid             TEXT    NOT NULL UNIQUE CHECK (length(uid) = 36),
    draft_model_id  INTEGER NOT NULL REFERENCES models (id) ON DELETE RESTRICT,
    adapter_blob_id INTEGER NOT NULL REFERENCES blobs (id) ON DELETE RESTRICT,
    adapter_config  TEXT    NOT NULL CHECK (json_valid(adapter_config)),
    rank            INTEGER NOT NULL CHECK (rank >= 1),
    alpha           REAL    NOT NULL CHECK (abs(alpha) < 9e999),
    target_modules  TEXT    NOT NULL CHECK (json_valid(target_modules) AND json_type(target_modules) = 'array'),
    source          TEXT    NOT NULL,
    created_at_ms   INTEGER NOT NULL,
    UNIQUE (draft_model_id, adapter_blob_id, adapter_config)
) STRICT;
INSERT INTO checkpoints VALUES(1,'01a22d8f-73fe-72fb-9224-efef773206df',2,6,replace('{\n  "alpha_pattern": {},\n  "base_model_name_or_path": null,\n  "bias": "none",\n  "fan_in_fan_out": false,\n  "inference_mode": true,\n  "init_lora_weights": true,\n  "lora_alpha": 2,\n  "lora_dropout": 0.0,\n  "modules_to_save": null,\n  "peft_type": "LORA",\n  "r": 1,\n  "rank_pattern": {},\n  "target_modules": [\n    "q_proj"\n  ],\n  "task_type": "CAUSAL_LM",\n  "use_dora": false,\n  "use_rslora": false\n}\n','\n',char(10)),1,2.0,'["q_proj"]','run 3, step 1',1796060705790);
CREATE TABLE runs (
    id                      INTEGER PRIMARY KEY AUTOINCREMENT,
    uid                     TEXT    NOT NULL UNIQUE CHECK (length(uid) = 36),
    kind                    TEXT    NOT NULL CHECK (kind <> ''),
    name                    TEXT    CHECK (name <> ''),
    status                  TEXT    NOT NULL CHECK (status IN ('running', 'completed', 'failed', 'interrupted')),
    command_line            TEXT    NOT NULL,
    environment_id          INTEGER NOT NULL REFERENCES environments (id) ON DELETE RESTRICT,
    prompt_set_id           INTEGER NOT NULL REFERENCES prompt_sets (id) ON DELETE RESTRICT,
    checkpoint_id           INTEGER REFERENCES checkpoints (id) ON DELETE RESTRICT,
    num_planned_generations INTEGER NOT NULL CHECK (num_planned_generations >= 0),
    started_at_ms           INTEGER NOT NULL,
    ended_at_ms             INTEGER,
    -- Last sign of life, and who gave it: a process id means something within one boot and one pid namespace alone
    -- (`boot_id` names both), and is given again to others, so that the process's start (in clock ticks after boot)
    -- is kept too. NULL where the system does not tell.
    heartbeat_at_ms         INTEGER NOT NULL,
    pid                     INTEGER NOT NULL,
    boot_id                 TEXT,
    process_start_ticks     INTEGER,
    error                   TEXT,
    deleted_at_ms           INTEGER, num_generations INTEGER NOT NULL DEFAULT 0 CHECK (num_generations >= 0), num_prompts INTEGER NOT NULL DEFAULT 0 CHECK (num_prompts >= 0),
    CHECK ((status = 'running') = (ended_at_ms IS NULL)),
    CHECK ((status = 'failed') = (error IS NOT NULL))
) STRICT;
INSERT INTO runs VALUES(1,'01a22d8f-736f-70be-a078-358433fd6f29','bench','first','completed','speclora bench --target models/llama-tied --draft models/llama-tied -f prompts.txt -m 6 --skip-lora --name first --tag machine=x --note ''as it came'' --draft-vocab 64 -q --db v4.db',1,1,NULL,6,1796060705648,1796060705658,1796060705658,31695,'2a24ae7e-5fa8-4077-a453-26e84fdec586 pid:[4026531836]',379130,NULL,NULL,6,2);
INSERT INTO runs VALUES(2,'01a22d8f-73b7-7700-b2f2-552c6ea6bb1b','collect',NULL,'completed','speclora collect --target models/llama-tied --draft models/llama-untied -f p2.txt -m 6 --target-top-k 3 -q --db v4.db',1,2,NULL,4,1796060705719,1796060705733,1796060705733,31698,'2a24ae7e-5fa8-4077-a453-26e84fdec586 pid:[4026531836]',379148,NULL,NULL,4,4);
INSERT INTO runs VALUES(3,'01a22d8f-73f3-72f8-8159-54918f965281','train',NULL,'completed','speclora train --target models/llama-tied --draft models/llama-untied --rank 1 --target-modules q_proj --epochs 1 --eval-every 1 --batch-size 1 --holdout 0.5 -q --db v4.db',1,3,NULL,0,1796060705779,1796060705794,1796060705794,31701,'2a24ae7e-5fa8-4077-a453-26e84fdec586 pid:[4026531836]',379156,NULL,NULL,0,4);
INSERT INTO runs VALUES(4,'01a22d8f-743e-743f-a6f4-fa0916477c1b','bench',NULL,'completed','speclora bench --target models/llama-tied --draft models/llama-untied -p ''Say hello.'' -m 4 --adapter latest -q --db v4.db',1,4,1,6,1796060705854,1796060705875,1796060705875,31706,'2a24ae7e-5fa8-4077-a453-26e84fdec586 pid:[4026531836]',379162,NULL,NULL,6,1);
INSERT INTO runs VALUES(5,'01a22d8f-7485-71d3-853d-d8be177b1b3f','evaluate',NULL,'completed','speclora evaluate --target models/llama-tied --draft models/llama-untied -p ''list the files'' -m 4 --adapter latest -q --db v4.db',1,5,NULL,1,1796060705926,1796060705944,1796060705944,31709,'2a24ae7e-5fa8-4077-a453-26e84fdec586 pid:[4026531836]',379170,NULL,NULL,1,1);
CREATE TABLE run_settings (
    run_id INTEGER NOT NULL REFERENCES runs (id) ON DELETE CASCADE,
    key    TEXT    NOT NULL,
    value  TEXT    NOT NULL CHECK (json_valid(value)),
    number REAL    AS (CASE WHEN json_type(value) IN ('integer', 'real') THEN CAST(value AS REAL) END),
    origin TEXT    NOT NULL CHECK (origin IN ('default', 'file', 'environment', 'flag')),
    source TEXT,
    PRIMARY KEY (run_id, key)
) STRICT, WITHOUT ROWID;
INSERT INTO run_settings VALUES(1,'adapter','"best"','default',NULL);
INSERT INTO run_settings VALUES(1,'context_length','null','default',NULL);
INSERT INTO run_settings VALUES(1,'db','"v4.db"','flag','--db');
INSERT INTO run_settings VALUES(1,'draft','"models/llama-tied"','flag','--draft');
INSERT INTO run_settings VALUES(1,'draft_quant','null','default',NULL);
INSERT INTO run_settings VALUES(1,'draft_vocab','64','flag','--draft-vocab');
INSERT INTO run_settings VALUES(1,'iterations','1','default',NULL);
INSERT INTO run_settings VALUES(1,'limit','null','default',NULL);
INSERT INTO run_settings VALUES(1,'max_tokens','6','flag','--max-tokens');
INSERT INTO run_settings VALUES(1,'models','"/home/ada/.cache/speclora/models"','default',NULL);
INSERT INTO run_settings VALUES(1,'modes','["target_only","spec_base"]','flag','--skip-lora');
INSERT INTO run_settings VALUES(1,'num_draft_tokens','4','default',NULL);
INSERT INTO run_settings VALUES(1,'raw','false','default',NULL);
INSERT INTO run_settings VALUES(1,'seed','0','default',NULL);
INSERT INTO run_settings VALUES(1,'simd','null','default',NULL);
INSERT INTO run_settings VALUES(1,'system_prompt','null','default',NULL);
INSERT INTO run_settings VALUES(1,'target','"models/llama-tied"','flag','--target');
INSERT INTO run_settings VALUES(1,'temperature','0.0','default',NULL);
INSERT INTO run_settings VALUES(1,'threads','2','default','physical cores');
INSERT INTO run_settings VALUES(1,'top_k','0','default',NULL);
INSERT INTO run_settings VALUES(1,'top_p','1.0','default',NULL);
INSERT INTO run_settings VALUES(1,'warmup','1','default',NULL);
INSERT INTO run_settings VALUES(2,'acceptance_threshold','0.7','default',NULL);
INSERT INTO run_settings VALUES(2,'adapter','"best"','default',NULL);
INSERT INTO run_settings VALUES(2,'context_length','null','default',NULL);
INSERT INTO run_settings VALUES(2,'db','"v4.db"','flag','--db');
INSERT INTO run_settings VALUES(2,'draft','"models/llama-untied"','flag','--draft');
INSERT INTO run_settings VALUES(2,'draft_quant','null','default',NULL);
INSERT INTO run_settings VALUES(2,'draft_vocab','"auto"','default',NULL);
INSERT INTO run_settings VALUES(2,'holdout','0.2','default',NULL);
INSERT INTO run_settings VALUES(2,'iterations','1','default',NULL);
INSERT INTO run_settings VALUES(2,'limit','null','default',NULL);
INSERT INTO run_settings VALUES(2,'max_tokens','6','flag','--max-tokens');
INSERT INTO run_settings VALUES(2,'models','"/home/ada/.cache/speclora/models"','default',NULL);
INSERT INTO run_settings VALUES(2,'modes','["spec_base"]','default','collect');
INSERT INTO run_settings VALUES(2,'num_draft_tokens','4','default',NULL);
INSERT INTO run_settings VALUES(2,'raw','false','default',NULL);
INSERT INTO run_settings VALUES(2,'seed','0','default',NULL);
INSERT INTO run_settings VALUES(2,'simd','null','default',NULL);
INSERT INTO run_settings VALUES(2,'system_prompt','null','default',NULL);
INSERT INTO run_settings VALUES(2,'target','"models/llama-tied"','flag','--target');
INSERT INTO run_settings VALUES(2,'target_top_k','3','flag','--target-top-k');
INSERT INTO run_settings VALUES(2,'temperature','0.0','default',NULL);
INSERT INTO run_settings VALUES(2,'threads','2','default','physical cores');
INSERT INTO run_settings VALUES(2,'top_k','0','default',NULL);
INSERT INTO run_settings VALUES(2,'top_p','1.0','default',NULL);
INSERT INTO run_settings VALUES(2,'warmup','0','default','collect');
INSERT INTO run_settings VALUES(3,'acceptance_threshold','0.7','default',NULL);
INSERT INTO run_settings VALUES(3,'alpha','null','default',NULL);
INSERT INTO run_settings VALUES(3,'batch_size','1','flag','--batch-size');
INSERT INTO run_settings VALUES(3,'db','"v4.db"','flag','--db');
INSERT INTO run_settings VALUES(3,'draft','"models/llama-untied"','flag','--draft');
INSERT INTO run_settings VALUES(3,'draft_quant','null','default',NULL);
INSERT INTO run_settings VALUES(3,'dropout','0.0','default',NULL);
INSERT INTO run_settings VALUES(3,'epochs','1','flag','--epochs');
INSERT INTO run_settings VALUES(3,'eval_every','1','flag','--eval-every');
INSERT INTO run_settings VALUES(3,'gradient_accumulation','1','default',NULL);
INSERT INTO run_settings VALUES(3,'gradient_checkpointing','false','default',NULL);
INSERT INTO run_settings VALUES(3,'holdout','0.5','flag','--holdout');
INSERT INTO run_settings VALUES(3,'learning_rate','0.07408103670980855','default','the draft''s width');
INSERT INTO run_settings VALUES(3,'loss','"forward_kl"','default',NULL);
INSERT INTO run_settings VALUES(3,'max_gradient_norm','1.0','default',NULL);
INSERT INTO run_settings VALUES(3,'models','"/home/ada/.cache/speclora/models"','default',NULL);
INSERT INTO run_settings VALUES(3,'num_draft_tokens','4','default',NULL);
INSERT INTO run_settings VALUES(3,'patience','null','default',NULL);
INSERT INTO run_settings VALUES(3,'rank','1','flag','--rank');
INSERT INTO run_settings VALUES(3,'rejected_weight','1.0','default',NULL);
INSERT INTO run_settings VALUES(3,'replay_ratio','0.25','default',NULL);
INSERT INTO run_settings VALUES(3,'seed','0','default',NULL);
INSERT INTO run_settings VALUES(3,'simd','null','default',NULL);
INSERT INTO run_settings VALUES(3,'target','"models/llama-tied"','flag','--target');
INSERT INTO run_settings VALUES(3,'target_modules','["q_proj"]','flag','--target-modules');
INSERT INTO run_settings VALUES(3,'threads','2','default','physical cores');
INSERT INTO run_settings VALUES(3,'warmup_ratio','0.1','default',NULL);
INSERT INTO run_settings VALUES(3,'weight_decay','0.0','default',NULL);
INSERT INTO run_settings VALUES(4,'adapter','"latest"','flag','--adapter');
INSERT INTO run_settings VALUES(4,'context_length','null','default',NULL);
INSERT INTO run_settings VALUES(4,'db','"v4.db"','flag','--db');
INSERT INTO run_settings VALUES(4,'draft','"models/llama-untied"','flag','--draft');
INSERT INTO run_settings VALUES(4,'draft_quant','null','default',NULL);
INSERT INTO run_settings VALUES(4,'draft_vocab','"auto"','default',NULL);
INSERT INTO run_settings VALUES(4,'iterations','1','default',NULL);
INSERT INTO run_settings VALUES(4,'limit','null','default',NULL);
INSERT INTO run_settings VALUES(4,'max_tokens','4','flag','--max-tokens');
INSERT INTO run_settings VALUES(4,'models','"/home/ada/.cache/speclora/models"','default',NULL);
INSERT INTO run_settings VALUES(4,'modes','["target_only","spec_base","spec_lora"]','default',NULL);
INSERT INTO run_settings VALUES(4,'num_draft_tokens','4','default',NULL);
INSERT INTO run_settings VALUES(4,'raw','false','default',NULL);
INSERT INTO run_settings VALUES(4,'seed','0','default',NULL);
INSERT INTO run_settings VALUES(4,'simd','null','default',NULL);
INSERT INTO run_settings VALUES(4,'system_prompt','null','default',NULL);
INSERT INTO run_settings VALUES(4,'target','"models/llama-tied"','flag','--target');
INSERT INTO run_settings VALUES(4,'temperature','0.0','default',NULL);
INSERT INTO run_settings VALUES(4,'threads','2','default','physical cores');
INSERT INTO run_settings VALUES(4,'top_k','0','default',NULL);
INSERT INTO run_settings VALUES(4,'top_p','1.0','default',NULL);
INSERT INTO run_settings VALUES(4,'warmup','1','default',NULL);
INSERT INTO run_settings VALUES(5,'context_length','null','default',NULL);
INSERT INTO run_settings VALUES(5,'db','"v4.db"','flag','--db');
INSERT INTO run_settings VALUES(5,'draft','"models/llama-untied"','flag','--draft');
INSERT INTO run_settings VALUES(5,'draft_quant','null','default',NULL);
INSERT INTO run_settings VALUES(5,'draft_vocab','"full"','default','evaluate');
INSERT INTO run_settings VALUES(5,'iterations','1','default','evaluate');
INSERT INTO run_settings VALUES(5,'limit','null','default',NULL);
INSERT INTO run_settings VALUES(5,'max_tokens','4','flag','--max-tokens');
INSERT INTO run_settings VALUES(5,'models','"/home/ada/.cache/speclora/models"','default',NULL);
INSERT INTO run_settings VALUES(5,'modes','["spec_base"]','default','evaluate');
INSERT INTO run_settings VALUES(5,'num_draft_tokens','4','default',NULL);
INSERT INTO run_settings VALUES(5,'raw','false','default',NULL);
INSERT INTO run_settings VALUES(5,'seed','0','default',NULL);
INSERT INTO run_settings VALUES(5,'simd','null','default',NULL);
INSERT INTO run_settings VALUES(5,'system_prompt','null','default',NULL);
INSERT INTO run_settings VALUES(5,'target','"models/llama-tied"','flag','--target');
INSERT INTO run_settings VALUES(5,'target_top_k','64','default',NULL);
INSERT INTO run_settings VALUES(5,'temperature','0.0','default','evaluate');
INSERT INTO run_settings VALUES(5,'threads','2','default','physical cores');
INSERT INTO run_settings VALUES(5,'warmup','0','default','evaluate');
CREATE TABLE run_models (
    run_id   INTEGER NOT NULL REFERENCES runs (id) ON DELETE CASCADE,
    role     TEXT    NOT NULL CHECK (role IN ('target', 'draft')),
    model_id INTEGER NOT NULL REFERENCES models (id) ON DELETE RESTRICT,
    path     TEXT    NOT NULL,
    PRIMARY KEY (run_id, role)
) STRICT, WITHOUT ROWID;
INSERT INTO run_models VALUES(1,'draft',1,'/home/ada/speclora/models/llama-tied');
INSERT INTO run_models VALUES(1,'target',1,'/home/ada/speclora/models/llama-tied');
INSERT INTO run_models VALUES(2,'draft',2,'/home/ada/speclora/models/llama-untied');
INSERT INTO run_models VALUES(2,'target',1,'/home/ada/speclora/models/llama-tied');
INSERT INTO run_models VALUES(3,'draft',2,'/home/ada/speclora/models/llama-untied');
INSERT INTO run_models VALUES(3,'target',1,'/home/ada/speclora/models/llama-tied');
INSERT INTO run_models VALUES(4,'draft',2,'/home/ada/speclora/models/llama-untied');
INSERT INTO run_models VALUES(4,'target',1,'/home/ada/speclora/models/llama-tied');
INSERT INTO run_models VALUES(5,'draft',2,'/home/ada/speclora/models/llama-untied');
INSERT INTO run_models VALUES(5,'target',1,'/home/ada/speclora/models/llama-tied');
CREATE TABLE run_prompts (
    run_id       INTEGER NOT NULL REFERENCES runs (id) ON DELETE CASCADE,
    prompt_index INTEGER NOT NULL CHECK (prompt_index >= 0),
    prompt_id    INTEGER NOT NULL REFERENCES prompts (id) ON DELETE RESTRICT,
    external_id  TEXT,
    category     TEXT,
    PRIMARY KEY (run_id, prompt_index)
) STRICT, WITHOUT ROWID;
INSERT INTO run_prompts VALUES(1,0,1,NULL,NULL);
INSERT INTO run_prompts VALUES(1,1,2,NULL,NULL);
INSERT INTO run_prompts VALUES(2,0,3,NULL,NULL);
INSERT INTO run_prompts VALUES(2,1,4,NULL,NULL);
INSERT INTO run_prompts VALUES(2,2,5,NULL,NULL);
INSERT INTO run_prompts VALUES(2,3,6,NULL,NULL);
INSERT INTO run_prompts VALUES(3,0,3,NULL,NULL);
INSERT INTO run_prompts VALUES(3,1,4,NULL,NULL);
INSERT INTO run_prompts VALUES(3,2,5,NULL,NULL);
INSERT INTO run_prompts VALUES(3,3,6,NULL,NULL);
INSERT INTO run_prompts VALUES(4,0,7,NULL,NULL);
INSERT INTO run_prompts VALUES(5,0,1,NULL,NULL);
CREATE TABLE run_tags (
    run_id INTEGER NOT NULL REFERENCES runs (id) ON DELETE CASCADE,
    key    TEXT    NOT NULL CHECK (key <> ''),
    value  TEXT    NOT NULL,
    PRIMARY KEY (run_id, key)
) STRICT, WITHOUT ROWID;
INSERT INTO run_tags VALUES(1,'machine','x');
CREATE TABLE run_notes (
    id            INTEGER PRIMARY KEY,
    run_id        INTEGER NOT NULL REFERENCES runs (id) ON DELETE CASCADE,
    text          TEXT    NOT NULL,
    created_at_ms INTEGER NOT NULL
) STRICT;
INSERT INTO run_notes VALUES(1,1,'as it came',1796060705648);
CREATE TABLE generations (
    id                     INTEGER PRIMARY KEY,
    run_id                 INTEGER NOT NULL REFERENCES runs (id) ON DELETE CASCADE,
    environment_id         INTEGER NOT NULL REFERENCES environments (id) ON DELETE RESTRICT,
    prompt_index           INTEGER NOT NULL,
    mode                   TEXT    NOT NULL REFERENCES modes (mode) ON DELETE RESTRICT,
    iteration              INTEGER NOT NULL CHECK (iteration >= 0),
    is_warmup              INTEGER NOT NULL CHECK (is_warmup IN (0, 1)),
    exec_order             INTEGER NOT NULL CHECK (exec_order >= 0),
    checkpoint_id          INTEGER REFERENCES checkpoints (id) ON DELETE RESTRICT,
    seed                   INTEGER NOT NULL CHECK (seed >= 0),
    started_at_ms          INTEGER NOT NULL,
    load_average           REAL    CHECK (load_average >= 0 AND load_average < 9e999),
    error                  TEXT,
    stop_reason            TEXT    CHECK (stop_reason IN ('stop_token', 'max_tokens', 'context_length')),
    num_prompt_tokens      INTEGER CHECK (num_prompt_tokens >= 0),
    total_tokens           INTEGER CHECK (total_tokens >= 0),
    num_rounds             INTEGER CHECK (num_rounds >= 0),
    num_drafted            INTEGER CHECK (num_drafted >= 0),
    num_accepted           INTEGER CHECK (num_accepted >= 0),
    num_emitted            INTEGER CHECK (num_emitted >= 0),
    num_target_forwards    INTEGER CHECK (num_target_forwards >= 0),
    num_draft_forwards     INTEGER CHECK (num_draft_forwards >= 0),
    time_to_first_token_ns INTEGER CHECK (time_to_first_token_ns >= 0),
    time_to_last_token_ns  INTEGER,
    -- The token ids as little-endian u32, and the hash of these bytes: equal where two outputs are equal to the token.
    output_tokens          BLOB,
    output_sha256          TEXT    CHECK (length(output_sha256) = 64),
    output_text            TEXT,
    -- `--resume` asks which of these exist already.
    UNIQUE (run_id, prompt_index, mode, iteration, is_warmup),
    FOREIGN KEY (run_id, prompt_index) REFERENCES run_prompts (run_id, prompt_index) ON DELETE CASCADE,
    CHECK (mode <> 'spec_lora' OR checkpoint_id IS NOT NULL),
    CHECK (num_accepted <= num_drafted),
    CHECK (num_emitted <= num_accepted + num_rounds),
    CHECK (num_emitted <= total_tokens),
    CHECK (time_to_first_token_ns <= time_to_last_token_ns),
    CHECK (length(output_tokens) = 4 * total_tokens),
    -- Results in full, or an error and none.
    CHECK (
        CASE WHEN error IS NULL
            THEN stop_reason IS NOT NULL
                AND num_prompt_tokens IS NOT NULL AND total_tokens IS NOT NULL
                AND num_rounds IS NOT NULL AND num_drafted IS NOT NULL
                AND num_accepted IS NOT NULL AND num_emitted IS NOT NULL
                AND num_target_forwards IS NOT NULL AND num_draft_forwards IS NOT NULL
                AND time_to_first_token_ns IS NOT NULL AND time_to_last_token_ns IS NOT NULL
                AND output_tokens IS NOT NULL AND output_sha256 IS NOT NULL AND output_text IS NOT NULL
            ELSE coalesce(
                stop_reason, num_prompt_tokens, total_tokens, num_rounds, num_drafted, num_accepted, num_emitted,
                num_target_forwards, num_draft_forwards, time_to_first_token_ns, time_to_last_token_ns,
                output_tokens, output_sha256, output_text
            ) IS NULL
        END
    )
) STRICT;
INSERT INTO generations VALUES(1,1,1,0,'target_only',0,1,0,NULL,8147104208329303767,1796060705648,5.6699999999999999289,NULL,'max_tokens',46,6,0,0,0,0,6,0,3113054,3206598,X'720000007a00000059000000730000006a00000042000000','dedc91bc69c293d710a0dadfb823bddf29f011cc688189b0680c6ac78e429847',replace('namhatw are\n  `','\n',char(10)));
INSERT INTO generations VALUES(2,1,1,0,'spec_base',0,1,1,NULL,8147104208329303767,1796060705652,5.6699999999999999289,NULL,'max_tokens',46,6,4,9,1,5,5,10,858272,1188409,X'720000007a00000059000000730000006a00000042000000','dedc91bc69c293d710a0dadfb823bddf29f011cc688189b0680c6ac78e429847',replace('namhatw are\n  `','\n',char(10)));
INSERT INTO generations VALUES(3,1,1,0,'spec_base',0,0,2,NULL,8147104208329303767,1796060705654,5.6699999999999999289,NULL,'max_tokens',46,6,4,9,1,5,5,10,781750,1117807,X'720000007a00000059000000730000006a00000042000000','dedc91bc69c293d710a0dadfb823bddf29f011cc688189b0680c6ac78e429847',replace('namhatw are\n  `','\n',char(10)));
INSERT INTO generations VALUES(4,1,1,0,'target_only',0,0,3,NULL,8147104208329303767,1796060705655,5.6699999999999999289,NULL,'max_tokens',46,6,0,0,0,0,6,0,875826,968218,X'720000007a00000059000000730000006a00000042000000','dedc91bc69c293d710a0dadfb823bddf29f011cc688189b0680c6ac78e429847',replace('namhatw are\n  `','\n',char(10)));
INSERT INTO generations VALUES(5,1,1,1,'spec_base',0,0,4,NULL,3980143261097177850,1796060705656,5.6699999999999999289,NULL,'max_tokens',45,6,1,4,4,5,2,5,905381,1035935,X'1a0000001a0000001a0000001a000000350000006e000000','006bf79a703f1a1b8c31aaf3b6f2e3fd0eff0a6f669d3003541f45faf8e5d5fd','8888S the');
INSERT INTO generations VALUES(6,1,1,1,'target_only',0,0,5,NULL,3980143261097177850,1796060705657,5.6699999999999999289,NULL,'max_tokens',45,6,0,0,0,0,6,0,415607,508610,X'1a0000001a0000001a0000001a000000350000006e000000','006bf79a703f1a1b8c31aaf3b6f2e3fd0eff0a6f669d3003541f45faf8e5d5fd','8888S the');
INSERT INTO generations VALUES(7,2,1,0,'spec_base',0,0,0,NULL,8147104208329303767,1796060705721,5.6699999999999999289,NULL,'max_tokens',48,6,5,10,0,5,6,11,928575,1410625,X'4e0000000700000023000000330000003500000035000000','8445982852737466899b13a572c67bd98643efd434a51e56d26d60dd3bc95c52','l%AQSS');
INSERT INTO generations VALUES(8,2,1,1,'spec_base',0,0,1,NULL,3980143261097177850,1796060705727,5.6699999999999999289,NULL,'max_tokens',47,6,5,10,0,5,6,11,981202,1445299,X'6200000035000000350000007e0000007e0000007e000000','56d6c5b67f568641ad684d824a7848bd0b212f6db613089924afda1165cf7ca6',replace('\nSSototot','\n',char(10)));
INSERT INTO generations VALUES(9,2,1,2,'spec_base',0,0,2,NULL,243808509735772839,1796060705729,5.6699999999999999289,NULL,'max_tokens',48,6,5,10,0,5,6,11,938002,1357816,X'7a0000005900000032000000490000003500000035000000','3edbed8619aa8e9c4d9b2cfea3691c28f3f6129140e5740007a2b82b6b302c9f','hatwPgSS');
INSERT INTO generations VALUES(10,2,1,3,'spec_base',0,0,3,NULL,8954805688390271222,1796060705731,5.6699999999999999289,NULL,'max_tokens',49,6,5,10,0,5,6,11,922834,1441362,X'4e0000007e0000002e000000110000006a00000060000000','90a60e0c1467d50ee1636cf1b46dc8a835620d30aa46f9d4d49f1ab72d3f5ca8',replace('lotL/\n  ~','\n',char(10)));
INSERT INTO generations VALUES(11,4,1,0,'target_only',0,1,0,NULL,8147104208329303767,1796060705868,5.6699999999999999289,NULL,'max_tokens',46,4,0,0,0,0,4,0,725996,796548,X'35000000350000003500000035000000','21351c07576a5f3b941f7862fed2617f3137119925beff38e502b19ab2b00b42','SSSS');
INSERT INTO generations VALUES(12,4,1,0,'spec_base',0,1,1,NULL,8147104208329303767,1796060705869,5.6699999999999999289,NULL,'max_tokens',46,4,3,3,0,3,4,4,865507,1035985,X'35000000350000003500000035000000','21351c07576a5f3b941f7862fed2617f3137119925beff38e502b19ab2b00b42','SSSS');
INSERT INTO generations VALUES(13,4,1,0,'spec_lora',0,1,2,1,8147104208329303767,1796060705870,5.6699999999999999289,NULL,'max_tokens',46,4,3,3,0,3,4,4,920499,1093923,X'35000000350000003500000035000000','21351c07576a5f3b941f7862fed2617f3137119925beff38e502b19ab2b00b42','SSSS');
INSERT INTO generations VALUES(14,4,1,0,'spec_lora',0,0,3,1,8147104208329303767,1796060705872,5.6699999999999999289,NULL,'max_tokens',46,4,3,3,0,3,4,4,860297,1033610,X'35000000350000003500000035000000','21351c07576a5f3b941f7862fed2617f3137119925beff38e502b19ab2b00b42','SSSS');
INSERT INTO generations VALUES(15,4,1,0,'spec_base',0,0,4,NULL,8147104208329303767,1796060705873,5.6699999999999999289,NULL,'max_tokens',46,4,3,3,0,3,4,4,831783,980341,X'35000000350000003500000035000000','21351c07576a5f3b941f7862fed2617f3137119925beff38e502b19ab2b00b42','SSSS');
INSERT INTO generations VALUES(16,4,1,0,'target_only',0,0,5,NULL,8147104208329303767,1796060705874,5.6699999999999999289,NULL,'max_tokens',46,4,0,0,0,0,4,0,459488,518298,X'35000000350000003500000035000000','21351c07576a5f3b941f7862fed2617f3137119925beff38e502b19ab2b00b42','SSSS');
INSERT INTO generations VALUES(17,5,1,0,'spec_base',0,0,0,NULL,8147104208329303767,1796060705932,5.6699999999999999289,NULL,'max_tokens',46,4,3,3,0,3,4,4,1042807,1238322,X'720000007a0000005900000073000000','6bc6bfe66b1df4ec54ef99954903743fc4c8c699672a29d17ed44a2f23a74172','namhatw are');
CREATE TABLE rounds (
    generation_id INTEGER NOT NULL REFERENCES generations (id) ON DELETE CASCADE,
    round         INTEGER NOT NULL CHECK (round >= 0),
    num_drafted   INTEGER NOT NULL CHECK (num_drafted >= 0),
    num_accepted  INTEGER NOT NULL CHECK (num_accepted BETWEEN 0 AND num_drafted),
    num_emitted   INTEGER NOT NULL CHECK (num_emitted BETWEEN 1 AND num_accepted + 1),
    draft_ns      INTEGER NOT NULL CHECK (draft_ns >= 0),
    verify_ns     INTEGER NOT NULL CHECK (verify_ns >= 0),
    PRIMARY KEY (generation_id, round)
) STRICT, WITHOUT ROWID;
INSERT INTO rounds VALUES(2,0,4,0,1,72947,55854);
INSERT INTO rounds VALUES(2,1,3,0,1,54281,49643);
INSERT INTO rounds VALUES(2,2,2,1,2,38232,39734);
INSERT INTO rounds VALUES(2,3,0,0,1,100,17653);
INSERT INTO rounds VALUES(3,0,4,0,1,74749,58930);
INSERT INTO rounds VALUES(3,1,3,0,1,57307,48200);
INSERT INTO rounds VALUES(3,2,2,1,2,37450,39354);
INSERT INTO rounds VALUES(3,3,0,0,1,100,18855);
INSERT INTO rounds VALUES(5,0,4,4,5,70462,59651);
INSERT INTO rounds VALUES(7,0,4,0,1,106960,62977);
INSERT INTO rounds VALUES(7,1,3,0,1,72846,48541);
INSERT INTO rounds VALUES(7,2,2,0,1,49262,39654);
INSERT INTO rounds VALUES(7,3,1,0,1,24656,31839);
INSERT INTO rounds VALUES(7,4,0,0,1,100,23203);
INSERT INTO rounds VALUES(8,0,4,0,1,100267,57037);
INSERT INTO rounds VALUES(8,1,3,0,1,69800,49172);
INSERT INTO rounds VALUES(8,2,2,0,1,46977,41508);
INSERT INTO rounds VALUES(8,3,1,0,1,25637,29947);
INSERT INTO rounds VALUES(8,4,0,0,1,110,21941);
INSERT INTO rounds VALUES(9,0,4,0,1,90849,59642);
INSERT INTO rounds VALUES(9,1,3,0,1,60573,50775);
INSERT INTO rounds VALUES(9,2,2,0,1,36628,37300);
INSERT INTO rounds VALUES(9,3,1,0,1,19357,27761);
INSERT INTO rounds VALUES(9,4,0,0,1,110,18084);
INSERT INTO rounds VALUES(10,0,4,0,1,104134,58029);
INSERT INTO rounds VALUES(10,1,3,0,1,124061,54272);
INSERT INTO rounds VALUES(10,2,2,0,1,41668,40987);
INSERT INTO rounds VALUES(10,3,1,0,1,20969,33242);
INSERT INTO rounds VALUES(10,4,0,0,1,140,22052);
INSERT INTO rounds VALUES(12,0,2,0,1,53139,41939);
INSERT INTO rounds VALUES(12,1,1,0,1,21791,28823);
INSERT INTO rounds VALUES(12,2,0,0,1,120,22241);
INSERT INTO rounds VALUES(13,0,2,0,1,54923,41868);
INSERT INTO rounds VALUES(13,1,1,0,1,23924,29285);
INSERT INTO rounds VALUES(13,2,0,0,1,301,21470);
INSERT INTO rounds VALUES(14,0,2,0,1,56857,41387);
INSERT INTO rounds VALUES(14,1,1,0,1,23564,28994);
INSERT INTO rounds VALUES(14,2,0,0,1,110,20819);
INSERT INTO rounds VALUES(15,0,2,0,1,40726,39764);
INSERT INTO rounds VALUES(15,1,1,0,1,18805,28554);
INSERT INTO rounds VALUES(15,2,0,0,1,110,19136);
INSERT INTO rounds VALUES(17,0,2,0,1,48941,42449);
INSERT INTO rounds VALUES(17,1,1,0,1,22131,29916);
INSERT INTO rounds VALUES(17,2,0,0,1,120,21130);
CREATE TABLE mode_summaries (
    run_id                       INTEGER NOT NULL REFERENCES runs (id) ON DELETE CASCADE,
    mode                         TEXT    NOT NULL REFERENCES modes (mode) ON DELETE RESTRICT,
    num_prompts                  INTEGER NOT NULL,
    num_generations              INTEGER NOT NULL,
    num_failed                   INTEGER NOT NULL,
    total_tokens                 INTEGER NOT NULL,
    avg_tokens_per_second        REAL,
    min_tokens_per_second        REAL,
    median_tokens_per_second     REAL,
    max_tokens_per_second        REAL,
    avg_decode_tokens_per_second REAL,
    avg_time_to_first_token      REAL,
    avg_time_to_last_token       REAL,
    median_time_to_last_token    REAL,
    avg_acceptance_rate          REAL,
    median_acceptance_rate       REAL,
    acceptance_rate              REAL,
    mean_acceptance_length       REAL,
    num_compared                 INTEGER NOT NULL,
    num_lossless                 INTEGER NOT NULL,
    PRIMARY KEY (run_id, mode)
) STRICT, WITHOUT ROWID;
INSERT INTO mode_summaries VALUES(1,'spec_base',2,2,0,12,5579.7610471151601815,5367.6529132488885807,5579.7610471151601815,5791.8691809814317819,26588.378511396258544,0.00084356550000000006701,0.0010768710000000000781,0.0010768710000000000781,0.55555555555555558022,0.55555555555555558022,0.38461538461538463673,2.0,2,2);
INSERT INTO mode_summaries VALUES(1,'target_only',2,2,0,12,8996.9048082220797364,6196.9515129857118155,8996.9048082220797364,11796.858103458445839,53939.473099728893431,0.00064571650000000001701,0.00073841399999999995408,0.00073841399999999995408,NULL,NULL,NULL,NULL,0,0);
INSERT INTO mode_summaries VALUES(2,'spec_base',4,4,0,24,4246.6035460547136609,4151.3901275791376976,4208.0815900277775652,4418.8608765841618153,10674.673751963664471,0.00094265324999999997902,0.001413775500000000098,0.0014259935000000001359,0.0,0.0,0.0,1.0,0,0);
INSERT INTO mode_summaries VALUES(4,'spec_base',1,1,0,4,4080.2129055094096656,4080.2129055094096656,4080.2129055094096656,4080.2129055094096656,20194.132931245709187,0.00083178300000000000152,0.00098034100000000002489,0.00098034100000000002489,0.0,0.0,0.0,1.0,1,1);
INSERT INTO mode_summaries VALUES(4,'spec_lora',1,1,0,4,3869.9315989589886158,3869.9315989589886158,3869.9315989589886158,3869.9315989589886158,17309.722871336831304,0.00086029699999999999313,0.0010336099999999999107,0.0010336099999999999107,0.0,0.0,0.0,1.0,1,1);
INSERT INTO mode_summaries VALUES(4,'target_only',1,1,0,4,7717.5678856565145908,7717.5678856565145908,7717.5678856565145908,7717.5678856565145908,51011.732698520660051,0.00045948799999999997544,0.00051829800000000004426,0.00051829800000000004426,NULL,NULL,NULL,NULL,0,0);
INSERT INTO mode_summaries VALUES(5,'spec_base',1,1,0,4,3230.1776113159580746,3230.1776113159580746,3230.1776113159580746,3230.1776113159580746,15344.091246195943312,0.0010428069999999999787,0.0012383220000000000338,0.0012383220000000000338,0.0,0.0,0.0,1.0,0,0);
CREATE TABLE run_draft_vocabularies (
    run_id           INTEGER PRIMARY KEY REFERENCES runs (id) ON DELETE CASCADE,
    blob_id          INTEGER NOT NULL REFERENCES blobs (id) ON DELETE RESTRICT,
    num_tokens       INTEGER NOT NULL CHECK (num_tokens >= 1),
    num_special      INTEGER NOT NULL CHECK (num_special >= 0),
    num_from_outputs INTEGER NOT NULL CHECK (num_from_outputs >= 0),
    num_from_list    INTEGER NOT NULL CHECK (num_from_list >= 0),
    num_from_lowest  INTEGER NOT NULL CHECK (num_from_lowest >= 0),
    CHECK (num_special + num_from_outputs + num_from_list + num_from_lowest = num_tokens)
) STRICT;
INSERT INTO run_draft_vocabularies VALUES(1,1,64,3,0,61,0);
CREATE TABLE examples (
    id                INTEGER PRIMARY KEY,
    sha256            TEXT    NOT NULL UNIQUE CHECK (length(sha256) = 64),
    target_model_id   INTEGER NOT NULL REFERENCES models (id) ON DELETE RESTRICT,
    prompt_id         INTEGER NOT NULL REFERENCES prompts (id) ON DELETE RESTRICT,
    generation_id     INTEGER REFERENCES generations (id) ON DELETE SET NULL,
    split_key         REAL    NOT NULL CHECK (split_key >= 0 AND split_key < 1),
    num_prompt_tokens INTEGER NOT NULL CHECK (num_prompt_tokens >= 1),
    num_output_tokens INTEGER NOT NULL CHECK (num_output_tokens >= 1),
    prompt_tokens     BLOB    NOT NULL,
    output_tokens     BLOB    NOT NULL,
    temperature       REAL    NOT NULL CHECK (temperature > 0 AND temperature < 9e999),
    top_k             INTEGER NOT NULL CHECK (top_k >= 1),
    target_blob_id    INTEGER NOT NULL REFERENCES blobs (id) ON DELETE RESTRICT,
    created_at_ms     INTEGER NOT NULL,
    CHECK (length(prompt_tokens) = 4 * num_prompt_tokens),
    CHECK (length(output_tokens) = 4 * num_output_tokens)
) STRICT;
INSERT INTO examples VALUES(1,'f371ed5457e8c777dfd47c9816c4371a44e15a8f4407cd4965d64cda784b658b',1,3,7,0.40992617008019149871,48,6,X'01000000550000005b0000005500000056000000470000004f0000006200000024000000470000006300000044000000540000004b000000470000004800000010000000020000006200000001000000570000005500000047000000540000006200000045000000510000005700000050000000560000006500000051000000650000004a00000069000000470000000200000062000000010000004300000055000000550000007b0000005600000043000000500000005600000062000000',X'4e0000000700000023000000330000003500000035000000',1.0,3,2,1796060705722);
INSERT INTO examples VALUES(2,'65ac1920a9df774eb091673ba2e89ba7b6b2c2b07fb70fcf9d8ae765d097f810',1,4,8,0.63107949907471594386,47,6,X'01000000550000005b0000005500000056000000470000004f0000006200000024000000470000006300000044000000540000004b00000047000000480000001000000002000000620000000100000057000000550000004700000054000000620000007200000047000000660000006300000045000000510000004e0000005100000057000000540000000200000062000000010000004300000055000000550000007b0000005600000043000000500000005600000062000000',X'6200000035000000350000007e0000007e0000007e000000',1.0,3,3,1796060705729);
INSERT INTO examples VALUES(3,'0a8cc1a3b2db8320d84fa6184c8d55d7d262bacc95a18ea8200d9361f0e8e1d8',1,5,9,0.17946697120490873178,48,6,X'01000000550000005b0000005500000056000000470000004f0000006200000024000000470000006300000044000000540000004b00000047000000480000001000000002000000620000000100000057000000550000004700000054000000620000005900000054000000710000004700000066000000630000004a000000430000004b0000004d000000570000000200000062000000010000004300000055000000550000007b0000005600000043000000500000005600000062000000',X'7a0000005900000032000000490000003500000035000000',1.0,3,4,1796060705731);
INSERT INTO examples VALUES(4,'de87313df600afa6f3f1466e73e2f4caa564d80d4cb4ac44946095deb8a810d0',1,6,10,0.042717168092395341183,49,6,X'01000000550000005b0000005500000056000000470000004f0000006200000024000000470000006300000044000000540000004b00000047000000480000001000000002000000620000000100000057000000550000004700000054000000620000004300000046000000460000006500000059000000510000006600000050000000460000006500000059000000510000000200000062000000010000004300000055000000550000007b0000005600000043000000500000005600000062000000',X'4e0000007e0000002e000000110000006a00000060000000',1.0,3,5,1796060705733);
CREATE TABLE generation_examples (
    generation_id INTEGER PRIMARY KEY REFERENCES generations (id) ON DELETE CASCADE,
    example_id    INTEGER NOT NULL REFERENCES examples (id) ON DELETE CASCADE
) STRICT;
INSERT INTO generation_examples VALUES(7,1);
INSERT INTO generation_examples VALUES(8,2);
INSERT INTO generation_examples VALUES(9,3);
INSERT INTO generation_examples VALUES(10,4);
CREATE TABLE disagreements (
    generation_id      INTEGER NOT NULL,
    round              INTEGER NOT NULL,
    position           INTEGER NOT NULL CHECK (position >= 1),
    draft_token        INTEGER NOT NULL CHECK (draft_token >= 0),
    target_token       INTEGER NOT NULL CHECK (target_token >= 0),
    draft_probability  REAL    NOT NULL CHECK (draft_probability BETWEEN 0 AND 1),
    target_probability REAL    NOT NULL CHECK (target_probability BETWEEN 0 AND 1),
    PRIMARY KEY (generation_id, round),
    FOREIGN KEY (generation_id, round) REFERENCES rounds (generation_id, round) ON DELETE CASCADE
) STRICT, WITHOUT ROWID;
INSERT INTO disagreements VALUES(7,0,1,86,7,0.082777760922908782958,0.21404740214347839355);
INSERT INTO disagreements VALUES(7,1,2,116,35,0.043382812291383743286,0.42367532849311828613);
INSERT INTO disagreements VALUES(7,2,3,55,51,0.07008799910545349121,0.26569780707359313964);
INSERT INTO disagreements VALUES(7,3,4,116,53,0.050057638436555862426,0.68469560146331787109);
INSERT INTO disagreements VALUES(8,0,1,94,53,0.069243893027305603027,0.77157169580459594726);
INSERT INTO disagreements VALUES(8,1,2,103,53,0.087787911295890808105,0.8309293985366821289);
INSERT INTO disagreements VALUES(8,2,3,116,126,0.071338698267936706542,0.28732410073280334472);
INSERT INTO disagreements VALUES(8,3,4,53,126,0.12367305904626846313,0.65555727481842041015);
INSERT INTO disagreements VALUES(9,0,1,13,89,0.060731329023838043212,0.59542042016983032226);
INSERT INTO disagreements VALUES(9,1,2,91,50,0.060044176876544952392,0.52823626995086669921);
INSERT INTO disagreements VALUES(9,2,3,67,73,0.0670779496431350708,0.61969906091690063476);
INSERT INTO disagreements VALUES(9,3,4,95,53,0.059397771954536437988,0.21529084444046020507);
INSERT INTO disagreements VALUES(10,0,1,86,126,0.12193556874990463256,0.54884052276611328125);
INSERT INTO disagreements VALUES(10,1,2,10,46,0.11312057822942733764,0.43495380878448486328);
INSERT INTO disagreements VALUES(10,2,3,116,17,0.098876468837261199951,0.60868501663208007812);
INSERT INTO disagreements VALUES(10,3,4,6,106,0.091820865869522094726,0.80782562494277954101);
CREATE TABLE run_examples (
    run_id     INTEGER NOT NULL REFERENCES runs (id) ON DELETE CASCADE,
    example_id INTEGER NOT NULL REFERENCES examples (id) ON DELETE RESTRICT,
    purpose    TEXT    NOT NULL CHECK (purpose IN ('train', 'replay', 'held_out')),
    PRIMARY KEY (run_id, example_id)
) STRICT, WITHOUT ROWID;
INSERT INTO run_examples VALUES(3,1,'held_out');
INSERT INTO run_examples VALUES(3,2,'train');
INSERT INTO run_examples VALUES(3,3,'held_out');
INSERT INTO run_examples VALUES(3,4,'held_out');
CREATE TABLE train_steps (
    run_id        INTEGER NOT NULL REFERENCES runs (id) ON DELETE CASCADE,
    step          INTEGER NOT NULL CHECK (step >= 1),
    epoch         INTEGER NOT NULL CHECK (epoch >= 1),
    loss          REAL    CHECK (abs(loss) < 9e999),
    nonfinite     TEXT    CHECK (nonfinite IN ('nan', 'inf', '-inf')),
    gradient_norm REAL    CHECK (gradient_norm >= 0 AND gradient_norm < 9e999),
    learning_rate REAL    NOT NULL CHECK (learning_rate >= 0 AND learning_rate < 9e999),
    num_positions INTEGER NOT NULL CHECK (num_positions >= 0),
    num_tokens    INTEGER NOT NULL CHECK (num_tokens >= 0),
    step_ns       INTEGER NOT NULL CHECK (step_ns >= 0),
    ended_at_ms   INTEGER NOT NULL,
    PRIMARY KEY (run_id, step),
    CHECK ((loss IS NULL) = (nonfinite IS NOT NULL))
) STRICT, WITHOUT ROWID;
INSERT INTO train_steps VALUES(3,1,1,2.213846995038696086,NULL,0.22503033943079706058,0.074081036709808548157,6,52,1546208,1796060705788);
CREATE TABLE train_step_examples (
    run_id     INTEGER NOT NULL,
    step       INTEGER NOT NULL,
    example_id INTEGER NOT NULL,
    PRIMARY KEY (run_id, step, example_id),
    FOREIGN KEY (run_id, step) REFERENCES train_steps (run_id, step) ON DELETE CASCADE,
    FOREIGN KEY (run_id, example_id) REFERENCES run_examples (run_id, example_id) ON DELETE CASCADE
) STRICT, WITHOUT ROWID;
INSERT INTO train_step_examples VALUES(3,1,2);
CREATE TABLE example_evaluations (
    run_id              INTEGER NOT NULL,
    step                INTEGER NOT NULL CHECK (step >= 0),
    example_id          INTEGER NOT NULL,
    num_positions       INTEGER NOT NULL CHECK (num_positions >= 1),
    expected_acceptance REAL    NOT NULL CHECK (expected_acceptance >= 0 AND expected_acceptance < 9e999),
    num_agreements      INTEGER NOT NULL CHECK (num_agreements BETWEEN 0 AND num_positions),
    loss                REAL    NOT NULL CHECK (abs(loss) < 9e999),
    num_rounds          INTEGER NOT NULL CHECK (num_rounds >= 0),
    num_drafted         INTEGER NOT NULL CHECK (num_drafted >= 0),
    num_accepted        INTEGER NOT NULL CHECK (num_accepted BETWEEN 0 AND num_drafted),
    num_emitted         INTEGER NOT NULL CHECK (num_emitted >= 0),
    PRIMARY KEY (run_id, step, example_id),
    FOREIGN KEY (run_id, example_id) REFERENCES run_examples (run_id, example_id) ON DELETE CASCADE
) STRICT, WITHOUT ROWID;
INSERT INTO example_evaluations VALUES(3,0,1,6,2.1496369076776318252,0,14.146545067895203828,5,14,0,5);
INSERT INTO example_evaluations VALUES(3,0,3,6,2.2794532078260090202,0,15.847743997350335121,5,14,0,5);
INSERT INTO example_evaluations VALUES(3,0,4,6,2.1281014694250188767,0,16.032296046614646911,5,14,0,5);
INSERT INTO example_evaluations VALUES(3,1,1,6,2.1582675012905383482,0,14.089361906051635741,5,14,0,5);
INSERT INTO example_evaluations VALUES(3,1,3,6,2.2807041690102778375,0,15.846397423185408115,5,14,0,5);
INSERT INTO example_evaluations VALUES(3,1,4,6,2.1268499666184652596,0,15.956095479428768157,5,14,0,5);
CREATE TABLE train_checkpoints (
    run_id        INTEGER NOT NULL REFERENCES runs (id) ON DELETE CASCADE,
    step          INTEGER NOT NULL CHECK (step >= 0),
    checkpoint_id INTEGER NOT NULL REFERENCES checkpoints (id) ON DELETE RESTRICT,
    state_blob_id INTEGER REFERENCES blobs (id) ON DELETE RESTRICT,
    created_at_ms INTEGER NOT NULL,
    PRIMARY KEY (run_id, step)
) STRICT, WITHOUT ROWID;
INSERT INTO train_checkpoints VALUES(3,1,1,7,1796060705790);
CREATE TABLE prompt_evaluations (
    id                  INTEGER PRIMARY KEY,
    run_id              INTEGER NOT NULL,
    prompt_index        INTEGER NOT NULL,
    checkpoint_id       INTEGER REFERENCES checkpoints (id) ON DELETE RESTRICT,
    num_positions       INTEGER NOT NULL CHECK (num_positions >= 1),
    expected_acceptance REAL    NOT NULL CHECK (expected_acceptance >= 0 AND expected_acceptance < 9e999),
    num_agreements      INTEGER NOT NULL CHECK (num_agreements BETWEEN 0 AND num_positions),
    num_rounds          INTEGER NOT NULL CHECK (num_rounds >= 0),
    num_drafted         INTEGER NOT NULL CHECK (num_drafted >= 0),
    num_accepted        INTEGER NOT NULL CHECK (num_accepted BETWEEN 0 AND num_drafted),
    num_emitted         INTEGER NOT NULL CHECK (num_emitted >= 0),
    FOREIGN KEY (run_id, prompt_index) REFERENCES run_prompts (run_id, prompt_index) ON DELETE CASCADE
) STRICT;
INSERT INTO prompt_evaluations VALUES(1,5,0,NULL,4,0.63040904459194280207,0,3,6,0,3);
INSERT INTO prompt_evaluations VALUES(2,5,0,1,4,0.62743569497251883149,0,3,6,0,3);
CREATE TABLE aliases (
    name           TEXT    NOT NULL CHECK (name <> ''),
    draft_model_id INTEGER NOT NULL REFERENCES models (id) ON DELETE RESTRICT,
    checkpoint_id  INTEGER NOT NULL REFERENCES checkpoints (id) ON DELETE CASCADE,
    set_at_ms      INTEGER NOT NULL,
    PRIMARY KEY (name, draft_model_id)
) STRICT, WITHOUT ROWID;
INSERT INTO aliases VALUES('final',2,1,1796060705792);
INSERT INTO aliases VALUES('latest',2,1,1796060705790);
CREATE TABLE train_evaluation_summaries (
    run_id                 INTEGER NOT NULL REFERENCES runs (id) ON DELETE CASCADE,
    step                   INTEGER NOT NULL CHECK (step >= 0),
    num_examples           INTEGER NOT NULL CHECK (num_examples >= 1),
    num_positions          INTEGER NOT NULL CHECK (num_positions >= 1),
    expected_acceptance    REAL    NOT NULL,
    top1_agreement         REAL    NOT NULL,
    loss                   REAL    NOT NULL,
    acceptance_rate        REAL,
    mean_acceptance_length REAL,
    PRIMARY KEY (run_id, step)
) STRICT, WITHOUT ROWID;
INSERT INTO train_evaluation_summaries VALUES(3,0,3,18,0.36428842138492556479,0.0,2.55703250621445477,0.0,1.0);
INSERT INTO train_evaluation_summaries VALUES(3,1,3,18,0.36476786871773786424,0.0,2.549547489370322939,0.0,1.0);
DELETE FROM sqlite_sequence;
INSERT INTO sqlite_sequence VALUES('runs',5);
INSERT INTO sqlite_sequence VALUES('checkpoints',1);
CREATE INDEX checkpoints_by_blob ON checkpoints (adapter_blob_id);
CREATE INDEX runs_by_name ON runs (name, id) WHERE name IS NOT NULL;
CREATE INDEX runs_running ON runs (id) WHERE status = 'running';
CREATE INDEX runs_by_checkpoint ON runs (checkpoint_id) WHERE checkpoint_id IS NOT NULL;
CREATE INDEX run_models_by_model ON run_models (model_id);
CREATE INDEX run_prompts_by_prompt ON run_prompts (prompt_id);
CREATE INDEX run_notes_by_run ON run_notes (run_id);
CREATE INDEX generations_by_environment ON generations (environment_id);
CREATE INDEX generations_by_checkpoint ON generations (checkpoint_id) WHERE checkpoint_id IS NOT NULL;
CREATE VIEW run_states AS
SELECT
    id AS run_id,
    CASE
        WHEN status = 'running' AND heartbeat_at_ms < (unixepoch() - 600) * 1000 THEN 'crashed'
        ELSE status
    END AS state
FROM runs;
CREATE VIEW generation_figures AS
SELECT
    g.run_id,
    g.mode,
    g.prompt_index,
    g.iteration,
    g.is_warmup,
    g.id AS generation_id,
    g.error,
    g.total_tokens,
    g.num_rounds,
    g.num_drafted,
    g.num_accepted,
    g.num_emitted,
    g.time_to_first_token_ns / 1e9 AS time_to_first_token,
    g.time_to_last_token_ns / 1e9 AS time_to_last_token,
    nullif(g.total_tokens, 0) * 1e9 / nullif(g.time_to_last_token_ns, 0) AS tokens_per_second,
    CASE WHEN g.total_tokens > 1
        THEN (g.total_tokens - 1) * 1e9 / nullif(g.time_to_last_token_ns - g.time_to_first_token_ns, 0)
    END AS decode_tokens_per_second,
    CASE WHEN g.total_tokens > 1
        THEN nullif(g.time_to_last_token_ns - g.time_to_first_token_ns, 0) / 1e9 / (g.total_tokens - 1)
    END AS time_per_output_token,
    1.0 * g.num_accepted / nullif(g.num_drafted, 0) AS acceptance_rate,
    1.0 * g.num_emitted / nullif(g.num_rounds, 0) AS mean_acceptance_length,
    CASE WHEN temperature.number = 0 AND g.mode <> 'target_only'
        THEN g.output_sha256 = target.output_sha256
    END AS is_lossless
FROM generations AS g
LEFT JOIN run_settings AS temperature
    ON temperature.run_id = g.run_id AND temperature.key = 'temperature'
LEFT JOIN generations AS target
    ON target.run_id = g.run_id AND target.prompt_index = g.prompt_index AND target.mode = 'target_only'
    AND target.iteration = g.iteration AND target.is_warmup = g.is_warmup;
CREATE VIEW generation_metrics AS
SELECT
    run_id,
    mode,
    prompt_index,
    iteration,
    generation_id,
    error,
    total_tokens,
    num_rounds,
    num_drafted,
    num_accepted,
    num_emitted,
    time_to_first_token,
    time_to_last_token,
    tokens_per_second,
    decode_tokens_per_second,
    time_per_output_token,
    acceptance_rate,
    mean_acceptance_length,
    is_lossless
FROM generation_figures
WHERE is_warmup = 0;
CREATE VIEW prompt_metrics AS
SELECT
    run_id,
    mode,
    prompt_index,
    count(*) - count(error) AS num_iterations,
    count(error) AS num_failed,
    coalesce(sum(total_tokens), 0) AS total_tokens,
    coalesce(sum(num_rounds), 0) AS num_rounds,
    coalesce(sum(num_drafted), 0) AS num_drafted,
    coalesce(sum(num_accepted), 0) AS num_accepted,
    coalesce(sum(num_emitted), 0) AS num_emitted,
    avg(tokens_per_second) AS tokens_per_second,
    avg(decode_tokens_per_second) AS decode_tokens_per_second,
    avg(time_per_output_token) AS time_per_output_token,
    avg(time_to_first_token) AS time_to_first_token,
    avg(time_to_last_token) AS time_to_last_token,
    avg(acceptance_rate) AS acceptance_rate,
    avg(mean_acceptance_length) AS mean_acceptance_length,
    min(is_lossless) AS is_lossless
FROM generation_metrics
GROUP BY run_id, mode, prompt_index;
CREATE VIEW mode_metrics AS
SELECT
    run_id,
    mode,
    count(nullif(num_iterations, 0)) AS num_prompts,
    sum(num_iterations + num_failed) AS num_generations,
    sum(num_failed) AS num_failed,
    sum(total_tokens) AS total_tokens,
    avg(tokens_per_second) AS avg_tokens_per_second,
    min(tokens_per_second) AS min_tokens_per_second,
    avg(CASE WHEN speed_rank IN ((num_speeds + 1) / 2, (num_speeds + 2) / 2) THEN tokens_per_second END)
        AS median_tokens_per_second,
    max(tokens_per_second) AS max_tokens_per_second,
    avg(decode_tokens_per_second) AS avg_decode_tokens_per_second,
    avg(time_to_first_token) AS avg_time_to_first_token,
    avg(time_to_last_token) AS avg_time_to_last_token,
    avg(CASE WHEN time_rank IN ((num_times + 1) / 2, (num_times + 2) / 2) THEN time_to_last_token END)
        AS median_time_to_last_token,
    avg(acceptance_rate) AS avg_acceptance_rate,
    avg(
        CASE WHEN acceptance_rank IN ((num_acceptances + 1) / 2, (num_acceptances + 2) / 2) THEN acceptance_rate END
    ) AS median_acceptance_rate,
    1.0 * sum(num_accepted) / nullif(sum(num_drafted), 0) AS acceptance_rate,
    1.0 * sum(num_emitted) / nullif(sum(num_rounds), 0) AS mean_acceptance_length,
    count(is_lossless) AS num_compared,
    coalesce(sum(is_lossless), 0) AS num_lossless
FROM (
    -- Core SQL has no median: it is the mean of the middle one or two by rank.
    SELECT
        run_id,
        mode,
        num_iterations,
        num_failed,
        total_tokens,
        num_rounds,
        num_drafted,
        num_accepted,
        num_emitted,
        tokens_per_second,
        decode_tokens_per_second,
        time_to_first_token,
        time_to_last_token,
        acceptance_rate,
        is_lossless,
        row_number() OVER (PARTITION BY run_id, mode ORDER BY tokens_per_second NULLS LAST) AS speed_rank,
        count(tokens_per_second) OVER (PARTITION BY run_id, mode) AS num_speeds,
        row_number() OVER (PARTITION BY run_id, mode ORDER BY time_to_last_token NULLS LAST) AS time_rank,
        count(time_to_last_token) OVER (PARTITION BY run_id, mode) AS num_times,
        row_number() OVER (PARTITION BY run_id, mode ORDER BY acceptance_rate NULLS LAST) AS acceptance_rank,
        count(acceptance_rate) OVER (PARTITION BY run_id, mode) AS num_acceptances
    FROM prompt_metrics
)
GROUP BY run_id, mode
;
CREATE VIEW acceptance_by_position AS
WITH RECURSIVE
-- Rounds alike are counted before they are spread over their places: K + 1 rows at most for each length drafted.
histogram AS (
    SELECT g.run_id, g.mode, r.num_drafted, r.num_accepted, count(*) AS num_rounds
    FROM generations AS g
    JOIN rounds AS r ON r.generation_id = g.id
    WHERE g.is_warmup = 0
    GROUP BY g.run_id, g.mode, r.num_drafted, r.num_accepted
),
spread (run_id, mode, position, num_drafted, num_accepted, num_rounds) AS (
    SELECT run_id, mode, 1, num_drafted, num_accepted, num_rounds
    FROM histogram
    WHERE num_drafted >= 1
    UNION ALL
    SELECT run_id, mode, position + 1, num_drafted, num_accepted, num_rounds
    FROM spread
    WHERE position < num_drafted
)
SELECT
    run_id,
    mode,
    position,
    sum(num_rounds) AS num_proposed,
    sum(CASE WHEN num_accepted >= position THEN num_rounds ELSE 0 END) AS num_accepted,
    1.0 * sum(CASE WHEN num_accepted >= position THEN num_rounds ELSE 0 END) / sum(num_rounds) AS acceptance_rate,
    1.0 * sum(CASE WHEN num_accepted >= position THEN num_rounds ELSE 0 END)
        / nullif(sum(CASE WHEN num_accepted >= position - 1 THEN num_rounds ELSE 0 END), 0)
        AS conditional_acceptance_rate
FROM spread
GROUP BY run_id, mode, position
;
CREATE INDEX run_draft_vocabularies_by_blob ON run_draft_vocabularies (blob_id);
CREATE INDEX examples_by_prompt ON examples (prompt_id);
CREATE INDEX examples_by_generation ON examples (generation_id) WHERE generation_id IS NOT NULL;
CREATE INDEX examples_by_target ON examples (target_model_id);
CREATE INDEX examples_by_blob ON examples (target_blob_id);
CREATE INDEX generation_examples_by_example ON generation_examples (example_id);
CREATE INDEX run_examples_by_example ON run_examples (example_id);
CREATE INDEX train_step_examples_by_example ON train_step_examples (run_id, example_id);
CREATE INDEX train_checkpoints_by_checkpoint ON train_checkpoints (checkpoint_id);
CREATE INDEX train_checkpoints_by_blob ON train_checkpoints (state_blob_id) WHERE state_blob_id IS NOT NULL;
CREATE UNIQUE INDEX prompt_evaluations_once
ON prompt_evaluations (run_id, prompt_index, coalesce(checkpoint_id, 0));
CREATE INDEX prompt_evaluations_by_checkpoint ON prompt_evaluations (checkpoint_id) WHERE checkpoint_id IS NOT NULL;
CREATE INDEX aliases_by_checkpoint ON aliases (checkpoint_id);
CREATE VIEW train_evaluations AS
SELECT
    run_id,
    step,
    count(*) AS num_examples,
    sum(num_positions) AS num_positions,
    sum(expected_acceptance) / sum(num_positions) AS expected_acceptance,
    1.0 * sum(num_agreements) / sum(num_positions) AS top1_agreement,
    sum(loss) / sum(num_positions) AS loss,
    1.0 * sum(num_accepted) / nullif(sum(num_drafted), 0) AS acceptance_rate,
    1.0 * sum(num_emitted) / nullif(sum(num_rounds), 0) AS mean_acceptance_length
FROM example_evaluations
GROUP BY run_id, step;
CREATE VIEW draft_evaluations AS
SELECT
    run_id,
    checkpoint_id,
    count(*) AS num_prompts,
    sum(num_positions) AS num_positions,
    sum(expected_acceptance) / sum(num_positions) AS expected_acceptance,
    1.0 * sum(num_agreements) / sum(num_positions) AS top1_agreement,
    1.0 * sum(num_accepted) / nullif(sum(num_drafted), 0) AS acceptance_rate,
    1.0 * sum(num_emitted) / nullif(sum(num_rounds), 0) AS mean_acceptance_length
FROM prompt_evaluations
GROUP BY run_id, checkpoint_id;
CREATE VIEW checkpoint_lineage AS
WITH RECURSIVE
trained AS (
    SELECT tc.checkpoint_id, tc.run_id, max(tc.step) AS step, r.checkpoint_id AS parent_checkpoint_id
    FROM train_checkpoints AS tc
    JOIN runs AS r ON r.id = tc.run_id
    GROUP BY tc.checkpoint_id, tc.run_id
),
lineage (checkpoint_id, ancestor_id, depth) AS (
    SELECT id, id, 0
    FROM checkpoints
    UNION
    SELECT l.checkpoint_id, t.parent_checkpoint_id, l.depth + 1
    FROM lineage AS l
    JOIN trained AS t ON t.checkpoint_id = l.ancestor_id
    WHERE t.parent_checkpoint_id IS NOT NULL AND t.parent_checkpoint_id <> l.ancestor_id AND l.depth < 1000
)
SELECT l.checkpoint_id, l.ancestor_id, l.depth, t.run_id, t.step
FROM lineage AS l
LEFT JOIN trained AS t ON t.checkpoint_id = l.ancestor_id;
CREATE TRIGGER generation_is_counted AFTER INSERT ON generations
BEGIN
    UPDATE runs SET num_generations = num_generations + 1 WHERE id = NEW.run_id;
END;
CREATE TRIGGER deleted_generation_is_not_counted AFTER DELETE ON generations
BEGIN
    UPDATE runs SET num_generations = num_generations - 1 WHERE id = OLD.run_id;
END;
CREATE TRIGGER run_prompt_is_counted AFTER INSERT ON run_prompts
BEGIN
    UPDATE runs SET num_prompts = num_prompts + 1 WHERE id = NEW.run_id;
END;
CREATE TRIGGER deleted_run_prompt_is_not_counted AFTER DELETE ON run_prompts
BEGIN
    UPDATE runs SET num_prompts = num_prompts - 1 WHERE id = OLD.run_id;
END;
CREATE INDEX runs_in_trash ON runs (deleted_at_ms) WHERE deleted_at_ms IS NOT NULL;
COMMIT;
PRAGMA application_id = 1397771346;
PRAGMA user_version = 4;
