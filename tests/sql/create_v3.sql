-- A database as speclora 0.1.0 with schema version 3 left it, on tiny random models: a bench of two prompts with a draft
-- vocabulary, examples that were collected, a training run on them, and a bench and an evaluation of its adapter.
PRAGMA foreign_keys=OFF;
BEGIN TRANSACTION;
CREATE TABLE refinery_schema_history(
             version int4 PRIMARY KEY,
             name VARCHAR(255),
             applied_on VARCHAR(255),
             checksum VARCHAR(255));
INSERT INTO refinery_schema_history VALUES(1,'initial','2026-11-25T00:37:24.435188434Z','7141527702572065296');
INSERT INTO refinery_schema_history VALUES(2,'draft_vocabulary','2026-11-25T00:37:24.435196179Z','6482652178335381517');
INSERT INTO refinery_schema_history VALUES(3,'training','2026-11-25T00:37:24.43519714Z','9556326249289033304');
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
INSERT INTO environments VALUES(1,'2886ce5fe6e9a669901124d756a26472d748e82602ebdba6f36d90d697b554de','fixture','Linux (Debian GNU/Linux 12)','6.1','x',2,25276063744,'cpu-avx2','0.1.0','d72e8bc4a40cd63ed020830df3e4b26cd0c764dc',0);
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
INSERT INTO file_hashes VALUES('/home/ada/speclora/models/llama-tied/config.json',684,1795567027548747972,'2524165402de9ad999f41140947461b7d9e204a86b085309990dbacfca22ed62');
INSERT INTO file_hashes VALUES('/home/ada/speclora/models/llama-tied/model.safetensors',92776,1795567027549240696,'84673c5b0219b3d383c70b1b03ce9e582a337731e2d2dba3d75752ca1233f011');
INSERT INTO file_hashes VALUES('/home/ada/speclora/models/llama-tied/tokenizer.json',4734,1795567027549373896,'550393c6ec24327300b5c66263342d54ef81fa03eef9365011a4f3d26025b7f4');
INSERT INTO file_hashes VALUES('/home/ada/speclora/models/llama-tied/tokenizer_config.json',1096,1795567027558682905,'21de2f778050be3495bd4adcb59f46e06397ea445c7b1a4ecd180ae066172d90');
INSERT INTO file_hashes VALUES('/home/ada/speclora/models/llama-untied/config.json',685,1795567027563106877,'cfb5ac37bb703daaf04c68422e7d6fee8e4f1f8080dad0df15aff9a57f7776e1');
INSERT INTO file_hashes VALUES('/home/ada/speclora/models/llama-untied/generation_config.json',83,1795567027563520723,'d66ea78f026b3fd867da89c6701c915bcc48bce8727169b0d0434100ea7e4f76');
INSERT INTO file_hashes VALUES('/home/ada/speclora/models/llama-untied/model.safetensors',109248,1795567027563607096,'ceba9392e3b215b1ddcdb3c8c3ea4d1dff3e4a1da2fbe4c04b55ff679db750d5');
INSERT INTO file_hashes VALUES('/home/ada/speclora/models/llama-untied/tokenizer.json',4734,1795567027563962712,'550393c6ec24327300b5c66263342d54ef81fa03eef9365011a4f3d26025b7f4');
INSERT INTO file_hashes VALUES('/home/ada/speclora/models/llama-untied/tokenizer_config.json',1096,1795567027564133182,'21de2f778050be3495bd4adcb59f46e06397ea445c7b1a4ecd180ae066172d90');
CREATE TABLE prompts (
    id     INTEGER PRIMARY KEY,
    sha256 TEXT    NOT NULL UNIQUE CHECK (length(sha256) = 64),
    text   TEXT    NOT NULL
) STRICT;
INSERT INTO prompts VALUES(1,'c8e2c1437abb87b67330d0dddbd1de9a179ca6be207497f14873894c26e7d742','Say hello.');
INSERT INTO prompts VALUES(2,'d1962ae51e0982882de118d742e5b565d1b82b86dc15cb24d6b3a6b3cf3a0260','Count to three.');
INSERT INTO prompts VALUES(3,'3cecba01356b133b5c310d645a557cecfd5b1951259fa55bf19b7dc94200c9c6','list the files');
INSERT INTO prompts VALUES(4,'8ccc54cc89989e61cedcb6a6f89f656b8930d899a270ff5496e7dfb0e105552c','sort a list');
CREATE TABLE prompt_sets (
    id     INTEGER PRIMARY KEY,
    name   TEXT    NOT NULL,
    sha256 TEXT    NOT NULL CHECK (length(sha256) = 64),
    UNIQUE (sha256, name)
) STRICT;
INSERT INTO prompt_sets VALUES(1,'prompts.txt','f69f6595134a3e4469b1a4aa1017dfa21769e0f32291742587f7cdff62f9292b');
INSERT INTO prompt_sets VALUES(2,'p2.txt','14c596a34a6a6c49c728249c997e467101da3ace0ac58d53ca90f5bfc80b226c');
INSERT INTO prompt_sets VALUES(3,'stored examples','fcbb59058aae024c07f87eef826995d6182b09086a1935e8cec968bf7870cdbe');
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
INSERT INTO blobs VALUES(2,'c6d62b8436fef1506fbd1283b88080d4c9ac8e76067ba818ec39d88985ab1f36',132);
INSERT INTO blobs VALUES(3,'b26a36d48acd1fa11f162c04ef266c528745a1bd72ad270ef155fa14379d0f43',132);
INSERT INTO blobs VALUES(4,'01fc279fa63a606c468192e07baf854d9bf99ecd98caae550d34cab16a0873c1',132);
INSERT INTO blobs VALUES(5,'6cad104f4e94d4862a49a9c0bbf82e6188174da391d6e0c5b82288a5ba432cd1',132);
INSERT INTO blobs VALUES(6,'360fcbe5951eec3e90bf90e85be3bbeaa6ba8da8fd08489aeaf31f235846a77e',1040);
INSERT INTO blobs VALUES(8,'e3e9ccfdc6e1e0223a8b2257090c232e14e59bef4e04b6c0b092b5057df1e1c9',1040);
INSERT INTO blobs VALUES(10,'4e5804b6dec179c697ae527ebe7050e71610a066e8b01bf3bda912281598f815',1040);
INSERT INTO blobs VALUES(11,'21d47a11acbe54f237b69e1a469770c03781d5c6231158417e5edb60819442de',1244);
CREATE TABLE blob_chunks (
    id          INTEGER PRIMARY KEY,
    blob_id     INTEGER NOT NULL REFERENCES blobs (id) ON DELETE CASCADE,
    chunk_index INTEGER NOT NULL CHECK (chunk_index >= 0),
    data        BLOB    NOT NULL CHECK (length(data) BETWEEN 1 AND 1048576),
    UNIQUE (blob_id, chunk_index)
) STRICT;
INSERT INTO blob_chunks VALUES(1,1,0,X'0200000000000000010000006e0000000e0000001000000066000000630000006200000013000000120000001400000042000000150000001c0000007300000017000000160000000b000000740000002300000005000000180000001a0000001b00000064000000190000000f000000040000000a0000003f0000005000000003000000430000003d0000003e00000009000000550000002b0000005a0000005f0000001d0000005d0000004b000000400000004100000044000000350000001100000045000000700000005b0000001f0000007b000000540000006d0000002100000046000000240000000d0000004f000000260000005200000048000000');
INSERT INTO blob_chunks VALUES(2,2,0,X'3500000042000000600000000a39892f7a269362683e350000000c00000042000000883be824452120feee3c35000000510000002d000000673b52242e229cdb3b3d35000000420000002d000000c73785311d2924499a3e6e0000007e00000018000000e734ad31132d48b9df3e5100000078000000080000003638e22cc92c3432a53e');
INSERT INTO blob_chunks VALUES(3,3,0,X'620000007a0000004e0000009a37412f682c5e6eaf3e67000000620000001a000000e132e430172e917c093f53000000590000004e0000005a33b32cff2b1d66223f0900000073000000680000009f39032d50296e9e353e490000007b000000420000001438e02db72c6c29a63e35000000740000007d000000f634d52de42c6cbc053f');
INSERT INTO blob_chunks VALUES(4,4,0,X'7200000023000000350000009134442e282ed642053f7a000000300000004d0000009b360f34ab2c3f60853e590000007a00000037000000c035b6358c2c2ac0593e730000007e000000630000003034843036305e6dee3e6a000000350000003e0000002f39b22f9129d8b5403e42000000470000002d000000e534df30402f3e82db3e');
INSERT INTO blob_chunks VALUES(5,5,0,X'3200000045000000690000007c33d431782f1446ef3e220000002100000049000000d731d0300e304e560a3f590000001a000000530000002439952fc62cce38283e090000000c0000001e000000d8345334a730341b903e42000000350000001a000000ea33e13352319438ae3e0c0000001b0000006700000074341c30112e4631ff3e');
INSERT INTO blob_chunks VALUES(6,6,0,X'08020000000000007b225f5f6d657461646174615f5f223a7b22666f726d6174223a227074227d2c22626173655f6d6f64656c2e6d6f64656c2e6d6f64656c2e6c61796572732e302e73656c665f6174746e2e715f70726f6a2e6c6f72615f412e776569676874223a7b226474797065223a22463332222c227368617065223a5b312c33325d2c22646174615f6f666673657473223a5b302c3132385d7d2c22626173655f6d6f64656c2e6d6f64656c2e6d6f64656c2e6c61796572732e302e73656c665f6174746e2e715f70726f6a2e6c6f72615f422e776569676874223a7b226474797065223a22463332222c227368617065223a5b33322c315d2c22646174615f6f666673657473223a5b3132382c3235365d7d2c22626173655f6d6f64656c2e6d6f64656c2e6d6f64656c2e6c61796572732e312e73656c665f6174746e2e715f70726f6a2e6c6f72615f412e776569676874223a7b226474797065223a22463332222c227368617065223a5b312c33325d2c22646174615f6f666673657473223a5b3235362c3338345d7d2c22626173655f6d6f64656c2e6d6f64656c2e6d6f64656c2e6c61796572732e312e73656c665f6174746e2e715f70726f6a2e6c6f72615f422e776569676874223a7b226474797065223a22463332222c227368617065223a5b33322c315d2c22646174615f6f666673657473223a5b3338342c3531325d7d7d2020202020207806603dfe62973d8a71a63d206745bc40a42a3bf031903d4894b03c2d3c1fbe9a97dcbdb340093e80dfe73c30758f3cf0d7f6bcca35ee3d4a44ea3d27a41d3e409e04bb1ef6db3d413d113ee251fabd005da1ba15d5093ed17c173edee6c33d80ec74bb70570b3c28e31b3dce1558bd1c8222beb68cbf3d9083e13c9c944e3dcab7973dc6b797bdc9b797bdc0b797bdc7b797bdb9b7973dc9b797bdc9b7973dcbb7973dcbb7973dcbb7973dc5b7973dcbb7973dc7b7973dc8b7973dcab797bdc5b797bdc8b797bdc2b7973dcab7973dc7b797bdc7b797bdcbb7973dafb7973dcab797bdbeb797bdc8b7973dcab7973dc8b7973db7b797bdcab7973dcbb7973df5cf22bef5bae0bdc974313e885dc8bc88d3603d741d143da8cfc73caf8a0c3ee0d9f33caa9ef23d19a7023efa8cbe3d14860ebe609fd03b5edcce3d82fbb53d834424be27e0153e80c4793c1914263eb347323ec17a293e0a30963d406e6a3b401cba3cae6d803dec91693dc8b57a3d208402bd8e4a87bdd0f303bdbc5d64bdc8b797bdc8b797bdc4b7973dc4b7973dbab797bdc3b797bdc2b7973dbab7973db7b797bdc9b797bdc9b797bdc5b797bdc1b797bdb5b7973dcbb7973dc7b7973db1b797bdc0b797bdc8b7973d4eb7973d87b797bdc2b797bd71b7973dc7b7973dc3b7973dc3b797bd8db7973dbcb797bdc8b797bda6b7973daeb797bdbbb797bd');
INSERT INTO blob_chunks VALUES(8,8,0,X'08020000000000007b225f5f6d657461646174615f5f223a7b22666f726d6174223a227074227d2c22626173655f6d6f64656c2e6d6f64656c2e6d6f64656c2e6c61796572732e302e73656c665f6174746e2e715f70726f6a2e6c6f72615f412e776569676874223a7b226474797065223a22463332222c227368617065223a5b312c33325d2c22646174615f6f666673657473223a5b302c3132385d7d2c22626173655f6d6f64656c2e6d6f64656c2e6d6f64656c2e6c61796572732e302e73656c665f6174746e2e715f70726f6a2e6c6f72615f422e776569676874223a7b226474797065223a22463332222c227368617065223a5b33322c315d2c22646174615f6f666673657473223a5b3132382c3235365d7d2c22626173655f6d6f64656c2e6d6f64656c2e6d6f64656c2e6c61796572732e312e73656c665f6174746e2e715f70726f6a2e6c6f72615f412e776569676874223a7b226474797065223a22463332222c227368617065223a5b312c33325d2c22646174615f6f666673657473223a5b3235362c3338345d7d2c22626173655f6d6f64656c2e6d6f64656c2e6d6f64656c2e6c61796572732e312e73656c665f6174746e2e715f70726f6a2e6c6f72615f422e776569676874223a7b226474797065223a22463332222c227368617065223a5b33322c315d2c22646174615f6f666673657473223a5b3338342c3531325d7d7d202020202020c0b55a3cf56c053d0e8a233dd0b25abd4d03343dc015ee3cc21da2bc6f9249be5eeb87bde496333e64a48e3da013713d806292bd2871213ec697953dc99be63d260f213d4f51183efecdcd3d327f27be224e243d572b343e14d3413eb1490c3e260a1a3d2e8306bd089ea23d10f33abc5ed84cbe9c1c0a3e085d62bcd2f6bb3d51a7f63d448cfbbdb27afebd26c44fbdb12da4bd82e9f13db43cefbd0264033e5e25f13d9850e43d9209d03ddc55da3d5c09ce3d3c86fd3da4a2f83d704dd3bd5eb100be56982fbd1bc5f23df607ff3d658b02befd7d35bd878a013ee6980e3dcc67c2bd7fbb24bd667d513d72c1fa3db475893d4607f0bd00f2313d9dcd043eb6f3f0bdefb21abee8ca5b3ecbc386bd4ceb5d3cc7ba9e3d579f863d336ac43de2a2913d5ca5233e50fd2c3eaa9c093e4edc38be07450fbd62c4113e0f9e423d91dcf3bdd413d73ddbc9673dc27bf73d79f1073e1449fe3d5ddcea3d03b11abd6433833df204af3c5275c93d3907d23d75ee95bdfff6dbbd18a696bd94136cbc615fe2bd345dddbd644fed3d6dee003e33559ebdcd8becbd1460ea3deeeba03d6f18ffbd5215d0bdb6feb4bd8751e2bd6dcb04beceb43c3dad90d03d9e61cb3da089dabdd08b5dbd305fca3d37b6823d4dff2ebdc2cb04bec1befa3da7d2033eeec4c53de5d9dbbdb84a243dba5d04be6c74dcbd83e7b43d6448afbd7bdd96bd');
INSERT INTO blob_chunks VALUES(10,10,0,X'08020000000000007b225f5f6d657461646174615f5f223a7b22666f726d6174223a227074227d2c22626173655f6d6f64656c2e6d6f64656c2e6d6f64656c2e6c61796572732e302e73656c665f6174746e2e715f70726f6a2e6c6f72615f412e776569676874223a7b226474797065223a22463332222c227368617065223a5b312c33325d2c22646174615f6f666673657473223a5b302c3132385d7d2c22626173655f6d6f64656c2e6d6f64656c2e6d6f64656c2e6c61796572732e302e73656c665f6174746e2e715f70726f6a2e6c6f72615f422e776569676874223a7b226474797065223a22463332222c227368617065223a5b33322c315d2c22646174615f6f666673657473223a5b3132382c3235365d7d2c22626173655f6d6f64656c2e6d6f64656c2e6d6f64656c2e6c61796572732e312e73656c665f6174746e2e715f70726f6a2e6c6f72615f412e776569676874223a7b226474797065223a22463332222c227368617065223a5b312c33325d2c22646174615f6f666673657473223a5b3235362c3338345d7d2c22626173655f6d6f64656c2e6d6f64656c2e6d6f64656c2e6c61796572732e312e73656c665f6174746e2e715f70726f6a2e6c6f72615f422e776569676874223a7b226474797065223a22463332222c227368617065223a5b33322c315d2c22646174615f6f666673657473223a5b3338342c3531325d7d7d202020202020f92e3f3c27761f3d04d4c53cddbb8abd97935e3d62e0ce3c341c12bdffd759bea99754bdc4db3f3e353cae3d2ec2813d508da7bd89d41f3e552a6a3d526bca3d23d5363dce65263e4e1cca3db29b21be2a01433de7c3363e998f483ec2141b3e5701583d075e1ebd5400be3d20e4aab93d8f4bbe785a183ef0c0e5bc5c72c93d0785053ee2540abe9c6606be0f9a19bd2747b2bd086afb3dce4605be79610f3e7564023e0eccf53d99cbde3d8d80d63d9fb0d53d6b2c0a3eb1a70c3ed0b5eebd02f00cbefca509bd15b8033ed7ee0b3ea4d514be0e3023bda7e5103e4b50b83ca433b9bd6214e0bc8b07433da975073efd9f713dbb8cfebd39ae053d937b133e740800be5c0d27bed79e693e9826a7bdc155bd3c38068b3dc9a75d3df1d4db3dd6b6853d709d1a3efedf333e5980173e87e844be33970cbdd911223e06b3433d0cf8e5bd95f8e03d54f9463d19a9013ea661f73df223df3d505bde3dc4c10ebdfd6d903d35ad063c4e20bf3d34f8ef3d081bb6bde4bff9bdf6d9adbdc1276abc7a25e0bd3ad8f1bd34db063ec3130d3ef7aaaabdddb302bedeb0f23d3cb0b33d72130abefcc5e1bd9030bbbd347cfbbd62a617be1670073d50e2dc3d451fd03d001df8bd27ee5cbd570fde3dd29b8d3dc1b54dbdd0c517beaacf0b3e79ec083e9a53e03d5ae4f8bdeddaf13cee0b04be6f33f1bd48d8cd3d5ab9c6bd72637fbd');
INSERT INTO blob_chunks VALUES(11,11,0,X'd0000000000000007b2266697273745f6d6f6d656e74223a7b226474797065223a22463332222c227368617065223a5b3132385d2c22646174615f6f666673657473223a5b302c3531325d7d2c227365636f6e645f6d6f6d656e74223a7b226474797065223a22463332222c227368617065223a5b3132385d2c22646174615f6f666673657473223a5b3531322c313032345d7d2c2273746570223a7b226474797065223a22553332222c227368617065223a5b315d2c22646174615f6f666673657473223a5b313032342c313032385d7d7d202020202040c2433acfa591bbb05d103cd06d3a3c1b2817bc0b8c093a6c9bde3b09824d3c0a2e16b92acd83bc20778fbceee45fbb1ebfe13b8cf7163b96f86d3c64426b3c005de8bbc4b41bbcf42ec43a3f62a8bb21ee0fbcf027e7ba9afd03bca4203bbc260bdfba934c093c34214dbb860d21bcc091e0ba78927dbb7d1f553cc71084bb9e2a76bb8512f03b115ade3bcfe7c8bb2cbec43a5e0b47bbb88b5a3b0ade06bcb0eb29bc07f20cbcb0571dbca870ab39fe93a0bbe084ecbaff861dbcc38a5b3c683a863b2105c1bbca3622bc903ab0bc7507093cf55d2bbb68a202bd0694dc3b99e42ebba5719bbb74d0213b83a7b5bb41be313bb970c23b3520343cfe4c23bcf8e43539c591653a5b613bba0ab12a3a89cc4cba253f9439e421b63a22e81cba0ae4a639b78c4d393bd25ab93a8099baf128e139f0b657b86e500abae004b6b720ec9eb9a9440cbace3ee639fe4cd8b90efef33959148d3a07bf4639de61b7b7762ebcb847c25b3b3b352c39f7fb23baec54d93923f8c83a851eba38405086b698a5b2b9912e3a3bdf300abba6b2b8bac3a2dd39b6b9923a96fdcfb9344c3eba6c5eb63af222173bf67b5f3acb5aca3a6d90263b7330003ba1d461bb1e30c3b93314733ae0fdccb76c6bf9ba30619db81df7763a18cd4a3be00547bb80e7e2ba42d40ebb2e41e33a347b513a90cd07b8ebee073bc3d22bbb4331303a4c8c24bb47933936f5a6e536537c9236f6b11337af1a3937ac8c8e3435de2b365e5212372a9bbc300eb9d3370e5497374c3a0737e8abd036b67bfb372a9a443708917f37eef1d037e65ce036dbb221378d823b37b94ea1370c4be3366715b037ccc712379f283e34611af337c0e44d3523ae38376ea7da370a679135923b44373e07b03680c20536fba1a73642175d3752ed4936c79c32352a42c936bfde6a356b1fe836105889378d7f6e37688ad037dd5ce534bee8c9376f09c5343991aa360d6f6b373377dc35c6dfbd369b056237c2c23838faf44d363dcda036f0c584389e568c36029ea536e474ff35b1bbe53661e794361225d135a3772437d00973370d0ae336dcdb04326a669e33957128335edacb322d6ec8331dac4f320bfa56346cbd243319c133332f9aed319d9d67327d14e033a232a03241dbb933e60e8432bad9ca331013f0321c6338340ca534335a22993381e1b5329693963366be6732ab925830d49d3931f4847435b5d37e32d31fdc32886b27321c0d273432166c30a21b8c32749ab835439d9735967a85345f1f5434b9139433c1a6ff333b780f34c8a3bc337f9e893411ea8535aa3c953568386d34e62a8f3446fea9346c239a363a5ec23484db77337580c634cd3813358a563f310d416d346c87d1345d4a2e3584e5e2354043d434d2b060344d40ab33e6d22134f5861d354c272e35a64b4f337f0b393503000000');
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
INSERT INTO checkpoints VALUES(1,'01a21022-cd7e-73d9-ad30-40277ac2b1ee',2,6,replace('{\n  "alpha_pattern": {},\n  "base_model_name_or_path": null,\n  "bias": "none",\n  "fan_in_fan_out": false,\n  "inference_mode": true,\n  "init_lora_weights": true,\n  "lora_alpha": 2,\n  "lora_dropout": 0.0,\n  "modules_to_save": null,\n  "peft_type": "LORA",\n  "r": 1,\n  "rank_pattern": {},\n  "target_modules": [\n    "q_proj"\n  ],\n  "task_type": "CAUSAL_LM",\n  "use_dora": false,\n  "use_rslora": false\n}\n','\n',char(10)),1,2.0,'["q_proj"]','run 3, step 1',1795567046014);
INSERT INTO checkpoints VALUES(2,'01a21022-cd8c-7459-9c6a-32181aed88b7',2,8,replace('{\n  "alpha_pattern": {},\n  "base_model_name_or_path": null,\n  "bias": "none",\n  "fan_in_fan_out": false,\n  "inference_mode": true,\n  "init_lora_weights": true,\n  "lora_alpha": 2,\n  "lora_dropout": 0.0,\n  "modules_to_save": null,\n  "peft_type": "LORA",\n  "r": 1,\n  "rank_pattern": {},\n  "target_modules": [\n    "q_proj"\n  ],\n  "task_type": "CAUSAL_LM",\n  "use_dora": false,\n  "use_rslora": false\n}\n','\n',char(10)),1,2.0,'["q_proj"]','run 3, step 2',1795567046028);
INSERT INTO checkpoints VALUES(3,'01a21022-cd98-758e-a11d-032ef37228b6',2,10,replace('{\n  "alpha_pattern": {},\n  "base_model_name_or_path": null,\n  "bias": "none",\n  "fan_in_fan_out": false,\n  "inference_mode": true,\n  "init_lora_weights": true,\n  "lora_alpha": 2,\n  "lora_dropout": 0.0,\n  "modules_to_save": null,\n  "peft_type": "LORA",\n  "r": 1,\n  "rank_pattern": {},\n  "target_modules": [\n    "q_proj"\n  ],\n  "task_type": "CAUSAL_LM",\n  "use_dora": false,\n  "use_rslora": false\n}\n','\n',char(10)),1,2.0,'["q_proj"]','run 3, step 3',1795567046040);
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
    deleted_at_ms           INTEGER,
    CHECK ((status = 'running') = (ended_at_ms IS NULL)),
    CHECK ((status = 'failed') = (error IS NOT NULL))
) STRICT;
INSERT INTO runs VALUES(1,'01a21022-c764-7237-9be5-7628fce0e99e','bench','first','completed','speclora bench --target models/llama-tied --draft models/llama-tied -f prompts.txt -m 6 --skip-lora --name first --tag machine=x --note ''as it came'' --draft-vocab 64 -q --db v3.db',1,1,NULL,6,1795567044452,1795567044475,1795567044475,22463,'2aa6d3f4-d3d7-4bf7-a5e7-fd73d9588c37 pid:[4026531836]',554871,NULL,NULL);
INSERT INTO runs VALUES(2,'01a21022-c7e6-725c-8fbd-41119d4fcdbf','collect',NULL,'completed','speclora collect --target models/llama-tied --draft models/llama-untied -f p2.txt -m 6 --target-top-k 3 -q --db v3.db',1,2,NULL,4,1795567044583,1795567044598,1795567044598,22466,'2aa6d3f4-d3d7-4bf7-a5e7-fd73d9588c37 pid:[4026531836]',554898,NULL,NULL);
INSERT INTO runs VALUES(3,'01a21022-cd73-748e-8323-f610ef01a178','train',NULL,'completed','speclora train --target models/llama-tied --draft models/llama-untied --rank 1 --target-modules q_proj --epochs 1 --eval-every 1 --batch-size 1 --holdout 0.5 -q --db v3.db',1,3,NULL,0,1795567046003,1795567046059,1795567046059,22608,'2aa6d3f4-d3d7-4bf7-a5e7-fd73d9588c37 pid:[4026531836]',555042,NULL,NULL);
INSERT INTO runs VALUES(4,'01a21022-cdfa-7679-bd18-4013fdc8fb9f','bench',NULL,'completed','speclora bench --target models/llama-tied --draft models/llama-untied -p ''Say hello.'' -m 4 --adapter latest -q --db v3.db',1,4,3,6,1795567046139,1795567046162,1795567046162,22612,'2aa6d3f4-d3d7-4bf7-a5e7-fd73d9588c37 pid:[4026531836]',555055,NULL,NULL);
INSERT INTO runs VALUES(5,'01a21022-ce82-725c-b6e4-442788610695','evaluate',NULL,'completed','speclora evaluate --target models/llama-tied --draft models/llama-untied -p ''list the files'' -m 4 --adapter latest -q --db v3.db',1,5,NULL,1,1795567046275,1795567046286,1795567046286,22616,'2aa6d3f4-d3d7-4bf7-a5e7-fd73d9588c37 pid:[4026531836]',555067,NULL,NULL);
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
INSERT INTO run_settings VALUES(1,'db','"v3.db"','flag','--db');
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
INSERT INTO run_settings VALUES(2,'db','"v3.db"','flag','--db');
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
INSERT INTO run_settings VALUES(3,'db','"v3.db"','flag','--db');
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
INSERT INTO run_settings VALUES(4,'db','"v3.db"','flag','--db');
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
INSERT INTO run_settings VALUES(5,'db','"v3.db"','flag','--db');
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
INSERT INTO run_prompts VALUES(2,0,1,NULL,NULL);
INSERT INTO run_prompts VALUES(2,1,2,NULL,NULL);
INSERT INTO run_prompts VALUES(2,2,3,NULL,NULL);
INSERT INTO run_prompts VALUES(2,3,4,NULL,NULL);
INSERT INTO run_prompts VALUES(3,0,1,NULL,NULL);
INSERT INTO run_prompts VALUES(3,1,2,NULL,NULL);
INSERT INTO run_prompts VALUES(3,2,3,NULL,NULL);
INSERT INTO run_prompts VALUES(3,3,4,NULL,NULL);
INSERT INTO run_prompts VALUES(4,0,1,NULL,NULL);
INSERT INTO run_prompts VALUES(5,0,3,NULL,NULL);
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
INSERT INTO run_notes VALUES(1,1,'as it came',1795567044453);
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
INSERT INTO generations VALUES(1,1,1,0,'target_only',0,1,0,NULL,8147104208329303767,1795567044453,12.880000000000000782,NULL,'max_tokens',46,6,0,0,0,0,6,0,9394783,9439226,X'350000003500000035000000350000006e00000051000000','017ac872f2e11f1b042c134668d911be7819ff4ce4f1b57de7dc5f5b6cb1dd7d','SSSS theo');
INSERT INTO generations VALUES(2,1,1,0,'spec_base',0,1,1,NULL,8147104208329303767,1795567044463,12.880000000000000782,NULL,'max_tokens',46,6,1,4,4,5,2,5,612489,692098,X'350000003500000035000000350000006e00000051000000','017ac872f2e11f1b042c134668d911be7819ff4ce4f1b57de7dc5f5b6cb1dd7d','SSSS theo');
INSERT INTO generations VALUES(3,1,1,0,'spec_base',0,0,2,NULL,8147104208329303767,1795567044464,12.880000000000000782,NULL,'max_tokens',46,6,1,4,4,5,2,5,507853,576732,X'350000003500000035000000350000006e00000051000000','017ac872f2e11f1b042c134668d911be7819ff4ce4f1b57de7dc5f5b6cb1dd7d','SSSS theo');
INSERT INTO generations VALUES(4,1,1,0,'target_only',0,0,3,NULL,8147104208329303767,1795567044465,12.880000000000000782,NULL,'max_tokens',46,6,0,0,0,0,6,0,261410,295314,X'350000003500000035000000350000006e00000051000000','017ac872f2e11f1b042c134668d911be7819ff4ce4f1b57de7dc5f5b6cb1dd7d','SSSS theo');
INSERT INTO generations VALUES(5,1,1,1,'spec_base',0,0,4,NULL,3980143261097177850,1795567044465,12.880000000000000782,NULL,'max_tokens',49,6,4,9,1,5,5,10,454092,583084,X'620000006700000053000000090000004900000035000000','e502a64e7628c9a71a5543ba974e7ca162a235cafaa1f8abbb9ade64c93cf4e7',replace('\nheq''gS','\n',char(10)));
INSERT INTO generations VALUES(6,1,1,1,'target_only',0,0,5,NULL,3980143261097177850,1795567044466,12.880000000000000782,NULL,'max_tokens',49,6,0,0,0,0,6,0,218149,249979,X'620000006700000053000000090000004900000035000000','e502a64e7628c9a71a5543ba974e7ca162a235cafaa1f8abbb9ade64c93cf4e7',replace('\nheq''gS','\n',char(10)));
INSERT INTO generations VALUES(7,2,1,0,'spec_base',0,0,0,NULL,8147104208329303767,1795567044583,12.880000000000000782,NULL,'max_tokens',46,6,5,10,0,5,6,11,568697,813706,X'350000003500000035000000350000006e00000051000000','017ac872f2e11f1b042c134668d911be7819ff4ce4f1b57de7dc5f5b6cb1dd7d','SSSS theo');
INSERT INTO generations VALUES(8,2,1,1,'spec_base',0,0,1,NULL,3980143261097177850,1795567044585,12.880000000000000782,NULL,'max_tokens',49,6,5,10,0,5,6,11,468729,635642,X'620000006700000053000000090000004900000035000000','e502a64e7628c9a71a5543ba974e7ca162a235cafaa1f8abbb9ade64c93cf4e7',replace('\nheq''gS','\n',char(10)));
INSERT INTO generations VALUES(9,2,1,2,'spec_base',0,0,2,NULL,243808509735772839,1795567044586,12.880000000000000782,NULL,'max_tokens',46,6,5,10,0,5,6,11,8709378,8905636,X'720000007a00000059000000730000006a00000042000000','dedc91bc69c293d710a0dadfb823bddf29f011cc688189b0680c6ac78e429847',replace('namhatw are\n  `','\n',char(10)));
INSERT INTO generations VALUES(10,2,1,3,'spec_base',0,0,3,NULL,8954805688390271222,1795567044595,12.880000000000000782,NULL,'max_tokens',44,6,5,10,0,5,6,11,439073,600897,X'32000000220000005900000009000000420000000c000000','c0eae4112ecc934ed396f7cd2793d4407857afba0e83f88618855dbe54314925','P@w''`*');
INSERT INTO generations VALUES(11,4,1,0,'target_only',0,1,0,NULL,8147104208329303767,1795567046151,12.970000000000000639,NULL,'max_tokens',46,4,0,0,0,0,4,0,387827,406703,X'35000000350000003500000035000000','21351c07576a5f3b941f7862fed2617f3137119925beff38e502b19ab2b00b42','SSSS');
INSERT INTO generations VALUES(12,4,1,0,'spec_base',0,1,1,NULL,8147104208329303767,1795567046151,12.970000000000000639,NULL,'max_tokens',46,4,3,3,0,3,4,4,341671,405721,X'35000000350000003500000035000000','21351c07576a5f3b941f7862fed2617f3137119925beff38e502b19ab2b00b42','SSSS');
INSERT INTO generations VALUES(13,4,1,0,'spec_lora',0,1,2,3,8147104208329303767,1795567046152,12.970000000000000639,NULL,'max_tokens',46,4,3,3,0,3,4,4,451486,510918,X'35000000350000003500000035000000','21351c07576a5f3b941f7862fed2617f3137119925beff38e502b19ab2b00b42','SSSS');
INSERT INTO generations VALUES(14,4,1,0,'spec_lora',0,0,3,3,8147104208329303767,1795567046153,12.970000000000000639,NULL,'max_tokens',46,4,3,3,0,3,4,4,389902,450165,X'35000000350000003500000035000000','21351c07576a5f3b941f7862fed2617f3137119925beff38e502b19ab2b00b42','SSSS');
INSERT INTO generations VALUES(15,4,1,0,'spec_base',0,0,4,NULL,8147104208329303767,1795567046153,12.970000000000000639,NULL,'max_tokens',46,4,3,3,0,3,4,4,314049,363262,X'35000000350000003500000035000000','21351c07576a5f3b941f7862fed2617f3137119925beff38e502b19ab2b00b42','SSSS');
INSERT INTO generations VALUES(16,4,1,0,'target_only',0,0,5,NULL,8147104208329303767,1795567046154,12.970000000000000639,NULL,'max_tokens',46,4,0,0,0,0,4,0,182592,200325,X'35000000350000003500000035000000','21351c07576a5f3b941f7862fed2617f3137119925beff38e502b19ab2b00b42','SSSS');
INSERT INTO generations VALUES(17,5,1,0,'spec_base',0,0,0,NULL,8147104208329303767,1795567046282,12.970000000000000639,NULL,'max_tokens',46,4,3,3,0,3,4,4,725711,844364,X'720000007a0000005900000073000000','6bc6bfe66b1df4ec54ef99954903743fc4c8c699672a29d17ed44a2f23a74172','namhatw are');
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
INSERT INTO rounds VALUES(2,0,4,4,5,47639,31369);
INSERT INTO rounds VALUES(3,0,4,4,5,37520,30898);
INSERT INTO rounds VALUES(5,0,4,0,1,28082,23455);
INSERT INTO rounds VALUES(5,1,3,0,1,21139,18996);
INSERT INTO rounds VALUES(5,2,2,1,2,13936,15239);
INSERT INTO rounds VALUES(5,3,0,0,1,80,6923);
INSERT INTO rounds VALUES(7,0,4,0,1,40717,32931);
INSERT INTO rounds VALUES(7,1,3,0,1,30478,26149);
INSERT INTO rounds VALUES(7,2,2,0,1,44944,20509);
INSERT INTO rounds VALUES(7,3,1,0,1,9878,15419);
INSERT INTO rounds VALUES(7,4,0,0,1,100,9307);
INSERT INTO rounds VALUES(8,0,4,0,1,32201,23945);
INSERT INTO rounds VALUES(8,1,3,0,1,22402,19356);
INSERT INTO rounds VALUES(8,2,2,0,1,15078,15429);
INSERT INTO rounds VALUES(8,3,1,0,1,7674,11712);
INSERT INTO rounds VALUES(8,4,0,0,1,90,7013);
INSERT INTO rounds VALUES(9,0,4,0,1,50425,28293);
INSERT INTO rounds VALUES(9,1,3,0,1,23013,19046);
INSERT INTO rounds VALUES(9,2,2,0,1,16030,15249);
INSERT INTO rounds VALUES(9,3,1,0,1,7674,11592);
INSERT INTO rounds VALUES(9,4,0,0,1,100,7073);
INSERT INTO rounds VALUES(10,0,4,0,1,30206,22693);
INSERT INTO rounds VALUES(10,1,3,0,1,22802,18996);
INSERT INTO rounds VALUES(10,2,2,0,1,15278,14708);
INSERT INTO rounds VALUES(10,3,1,0,1,7735,11301);
INSERT INTO rounds VALUES(10,4,0,0,1,90,6813);
INSERT INTO rounds VALUES(12,0,2,0,1,13706,14627);
INSERT INTO rounds VALUES(12,1,1,0,1,7594,16562);
INSERT INTO rounds VALUES(12,2,0,0,1,110,10690);
INSERT INTO rounds VALUES(13,0,2,0,1,18855,14508);
INSERT INTO rounds VALUES(13,1,1,0,1,7123,10590);
INSERT INTO rounds VALUES(13,2,0,0,1,111,7634);
INSERT INTO rounds VALUES(14,0,2,0,1,16030,13355);
INSERT INTO rounds VALUES(14,1,1,0,1,6692,13005);
INSERT INTO rounds VALUES(14,2,0,0,1,110,10440);
INSERT INTO rounds VALUES(15,0,2,0,1,13966,13145);
INSERT INTO rounds VALUES(15,1,1,0,1,5901,9578);
INSERT INTO rounds VALUES(15,2,0,0,1,71,5921);
INSERT INTO rounds VALUES(17,0,2,0,1,28233,24526);
INSERT INTO rounds VALUES(17,1,1,0,1,9979,14607);
INSERT INTO rounds VALUES(17,2,0,0,1,120,8627);
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
INSERT INTO mode_summaries VALUES(1,'spec_base',2,2,0,12,10346.779097510647261,10290.11257383155862,10346.779097510647261,10403.445621189737721,55676.579632458277047,0.00048097249999999998294,0.00057990800000000007272,0.00057990800000000007272,0.55555555555555558022,0.55555555555555558022,0.38461538461538463673,2.0,2,2);
INSERT INTO mode_summaries VALUES(1,'target_only',2,2,0,12,22159.686643772147363,20317.357118186067964,22159.686643772147363,24002.016169358226761,152279.86781475500902,0.0002397795000000000037,0.00027264650000000003986,0.00027264650000000003986,NULL,NULL,NULL,NULL,0,0);
INSERT INTO mode_summaries VALUES(2,'spec_base',4,4,0,24,6867.9372825862792526,673.73065775425811808,8406.4730778523007754,9985.0723168862550666,26684.393245909071993,0.0025464692499999998578,0.002738970249999999728,0.00072467400000000002126,0.0,0.0,0.0,1.0,0,0);
INSERT INTO mode_summaries VALUES(4,'spec_base',1,1,0,4,11011.336170587619563,11011.336170587619563,11011.336170587619563,11011.336170587619563,60959.502570459022535,0.00031404900000000000133,0.00036326199999999999245,0.00036326199999999999245,0.0,0.0,0.0,1.0,1,1);
INSERT INTO mode_summaries VALUES(4,'spec_lora',1,1,0,4,8885.6308242533286832,8885.6308242533286832,8885.6308242533286832,8885.6308242533286832,49781.789821283375205,0.00038990200000000002199,0.00045016499999999998356,0.00045016499999999998356,0.0,0.0,0.0,1.0,1,1);
INSERT INTO mode_summaries VALUES(4,'target_only',1,1,0,4,19967.552726818918018,19967.552726818918018,19967.552726818918018,19967.552726818918018,169176.11233293858821,0.00018259200000000000278,0.00020032500000000000393,0.00020032500000000000393,NULL,NULL,NULL,NULL,0,0);
INSERT INTO mode_summaries VALUES(5,'spec_base',1,1,0,4,4737.2933947918199918,4737.2933947918199918,4737.2933947918199918,4737.2933947918199918,25283.810775960151658,0.00072571099999999997762,0.00084436400000000000863,0.00084436400000000000863,0.0,0.0,0.0,1.0,0,0);
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
INSERT INTO examples VALUES(1,'1261ea0871e3a4f43f3d13cc794511e6ca3be8e0c3fec3481e1b3b4d4d92abd1',1,1,7,0.91283406686744350544,46,6,X'01000000550000005b0000005500000056000000470000004f0000006200000024000000470000006300000044000000540000004b000000470000004800000010000000020000006200000001000000570000005500000047000000540000006200000035000000430000005b00000063000000670000004e0000004e00000051000000100000000200000062000000010000004300000055000000550000007b0000005600000043000000500000005600000062000000',X'350000003500000035000000350000006e00000051000000',1.0,3,2,1795567044585);
INSERT INTO examples VALUES(2,'bc777f7c58f3173795821446f87b5840dd112d01cdb8475dc53c5cf6c0c329b6',1,2,8,0.91742454402886397524,49,6,X'01000000550000005b0000005500000056000000470000004f0000006200000024000000470000006300000044000000540000004b000000470000004800000010000000020000006200000001000000570000005500000047000000540000006200000025000000510000005700000050000000560000006500000051000000650000004a0000006900000047000000100000000200000062000000010000004300000055000000550000007b0000005600000043000000500000005600000062000000',X'620000006700000053000000090000004900000035000000',1.0,3,3,1795567044586);
INSERT INTO examples VALUES(3,'e81768b9566ff8a41add4d6cd0cb41a6a36e3ee032db97444a12bc0de85e3ce0',1,3,9,0.17991740401001565796,46,6,X'01000000550000005b0000005500000056000000470000004f0000006200000024000000470000006300000044000000540000004b00000047000000480000001000000002000000620000000100000057000000550000004700000054000000620000004e0000007b000000560000006e00000063000000480000004b0000004e000000700000000200000062000000010000004300000055000000550000007b0000005600000043000000500000005600000062000000',X'720000007a00000059000000730000006a00000042000000',1.0,3,4,1795567044595);
INSERT INTO examples VALUES(4,'50b5d3d8302aa89ebfd05ec6bea5a61d40789f11d9775f1346b37a8fa82258d5',1,4,10,0.76196667614280089164,44,6,X'01000000550000005b0000005500000056000000470000004f0000006200000024000000470000006300000044000000540000004b0000004700000048000000100000000200000062000000010000005700000055000000470000005400000062000000550000007d00000056000000660000006c0000007b000000560000000200000062000000010000004300000055000000550000007b0000005600000043000000500000005600000062000000',X'32000000220000005900000009000000420000000c000000',1.0,3,5,1795567044596);
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
INSERT INTO disagreements VALUES(7,0,1,6,53,0.098826520144939422607,0.94136786460876464843);
INSERT INTO disagreements VALUES(7,1,2,6,53,0.083723165094852447509,0.92518603801727294921);
INSERT INTO disagreements VALUES(7,2,3,116,53,0.077099785208702087402,0.48617339134216308593);
INSERT INTO disagreements VALUES(7,3,4,6,110,0.2713756263256072998,0.30633437633514404296);
INSERT INTO disagreements VALUES(8,0,1,67,103,0.11240786314010620117,0.21491543948650360107);
INSERT INTO disagreements VALUES(8,1,2,67,83,0.17085301876068115234,0.22975005209445953369);
INSERT INTO disagreements VALUES(8,2,3,10,9,0.061997704207897186279,0.70284718275070190429);
INSERT INTO disagreements VALUES(8,3,4,79,73,0.067018404603004455566,0.5099735260009765625);
INSERT INTO disagreements VALUES(9,0,1,116,122,0.080516472458839416503,0.41288602352142333984);
INSERT INTO disagreements VALUES(9,1,2,13,89,0.046793013811111450195,0.3594321906566619873);
INSERT INTO disagreements VALUES(9,2,3,111,115,0.060291666537523269653,0.26170814037322998046);
INSERT INTO disagreements VALUES(9,3,4,6,106,0.084497235715389251708,0.6480661630630493164);
INSERT INTO disagreements VALUES(10,0,1,12,34,0.091266997158527374267,0.1825281679630279541);
INSERT INTO disagreements VALUES(10,1,2,109,89,0.080154165625572204589,0.64265143871307373046);
INSERT INTO disagreements VALUES(10,2,3,95,9,0.062478538602590560913,0.30274406075477600097);
INSERT INTO disagreements VALUES(10,3,4,91,66,0.047382678836584091186,0.2472721487283706665);
CREATE TABLE run_examples (
    run_id     INTEGER NOT NULL REFERENCES runs (id) ON DELETE CASCADE,
    example_id INTEGER NOT NULL REFERENCES examples (id) ON DELETE RESTRICT,
    purpose    TEXT    NOT NULL CHECK (purpose IN ('train', 'replay', 'held_out')),
    PRIMARY KEY (run_id, example_id)
) STRICT, WITHOUT ROWID;
INSERT INTO run_examples VALUES(3,1,'train');
INSERT INTO run_examples VALUES(3,2,'train');
INSERT INTO run_examples VALUES(3,3,'held_out');
INSERT INTO run_examples VALUES(3,4,'train');
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
INSERT INTO train_steps VALUES(3,1,1,2.5439879459749086265,NULL,0.35667486745953119742,0.074081036709808548157,6,51,1022658,1795567046014);
INSERT INTO train_steps VALUES(3,2,1,2.1703267744280907436,NULL,0.64139421101568316885,0.055560777532356414587,6,49,498214,1795567046027);
INSERT INTO train_steps VALUES(3,3,1,2.3477251037277291345,NULL,0.40462561723337381325,0.018520259177452143978,6,54,579727,1795567046040);
CREATE TABLE train_step_examples (
    run_id     INTEGER NOT NULL,
    step       INTEGER NOT NULL,
    example_id INTEGER NOT NULL,
    PRIMARY KEY (run_id, step, example_id),
    FOREIGN KEY (run_id, step) REFERENCES train_steps (run_id, step) ON DELETE CASCADE,
    FOREIGN KEY (run_id, example_id) REFERENCES run_examples (run_id, example_id) ON DELETE CASCADE
) STRICT, WITHOUT ROWID;
INSERT INTO train_step_examples VALUES(3,1,1);
INSERT INTO train_step_examples VALUES(3,3,2);
INSERT INTO train_step_examples VALUES(3,2,4);
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
INSERT INTO example_evaluations VALUES(3,0,3,6,2.1819528065680060535,0,16.260082796216011047,5,14,0,5);
INSERT INTO example_evaluations VALUES(3,1,3,6,2.1809139339311514049,0,16.208881936967372894,5,14,0,5);
INSERT INTO example_evaluations VALUES(3,2,3,6,2.1825923807919025421,0,16.069425068795680999,5,14,0,5);
INSERT INTO example_evaluations VALUES(3,3,3,6,2.1825727670511696487,0,16.036790408194065093,5,14,0,5);
CREATE TABLE train_checkpoints (
    run_id        INTEGER NOT NULL REFERENCES runs (id) ON DELETE CASCADE,
    step          INTEGER NOT NULL CHECK (step >= 0),
    checkpoint_id INTEGER NOT NULL REFERENCES checkpoints (id) ON DELETE RESTRICT,
    state_blob_id INTEGER REFERENCES blobs (id) ON DELETE RESTRICT,
    created_at_ms INTEGER NOT NULL,
    PRIMARY KEY (run_id, step)
) STRICT, WITHOUT ROWID;
INSERT INTO train_checkpoints VALUES(3,1,1,NULL,1795567046023);
INSERT INTO train_checkpoints VALUES(3,2,2,NULL,1795567046028);
INSERT INTO train_checkpoints VALUES(3,3,3,11,1795567046040);
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
INSERT INTO prompt_evaluations VALUES(2,5,0,3,4,0.63415446471481118351,0,3,6,0,3);
CREATE TABLE aliases (
    name           TEXT    NOT NULL CHECK (name <> ''),
    draft_model_id INTEGER NOT NULL REFERENCES models (id) ON DELETE RESTRICT,
    checkpoint_id  INTEGER NOT NULL REFERENCES checkpoints (id) ON DELETE CASCADE,
    set_at_ms      INTEGER NOT NULL,
    PRIMARY KEY (name, draft_model_id)
) STRICT, WITHOUT ROWID;
INSERT INTO aliases VALUES('final',2,3,1795567046051);
INSERT INTO aliases VALUES('latest',2,3,1795567046040);
DELETE FROM sqlite_sequence;
INSERT INTO sqlite_sequence VALUES('runs',5);
INSERT INTO sqlite_sequence VALUES('checkpoints',3);
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
COMMIT;
PRAGMA application_id = 1397771346;
PRAGMA user_version = 3;
