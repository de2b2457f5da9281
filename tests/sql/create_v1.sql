-- A database as speclora 0.1.0 with schema version 1 left it: a bench of two prompts in three modes on tiny random models.
PRAGMA foreign_keys=OFF;
BEGIN TRANSACTION;
CREATE TABLE refinery_schema_history(
             version int4 PRIMARY KEY,
             name VARCHAR(255),
             applied_on VARCHAR(255),
             checksum VARCHAR(255));
INSERT INTO refinery_schema_history VALUES(1,'initial','2026-11-24T17:37:26.593863439Z','7141527702572065296');
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
INSERT INTO environments VALUES(1,'ad46045343da5e8c375bd76ceaa714cf6d7d04111ceee8f772b28f2775ab3109','fixture','Linux (Debian GNU/Linux 12)','6.1','x',2,25276510208,'cpu-avx512','0.1.0',NULL,NULL);
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
INSERT INTO models VALUES(1,'947d9ccdf763f9f710fe59409cfc30ba380f76773c3410948e7af13eb0942466','safetensors','llama',NULL,'F32',26784,2,32,128,128,'d7070a2fcaa01abd9f28ec7dcacb0b7b40d6f92d072ed87b508c8329cadb964e',115846);
CREATE TABLE model_files (
    model_id   INTEGER NOT NULL REFERENCES models (id) ON DELETE CASCADE,
    name       TEXT    NOT NULL,
    sha256     TEXT    NOT NULL CHECK (length(sha256) = 64),
    size_bytes INTEGER NOT NULL CHECK (size_bytes >= 0),
    PRIMARY KEY (model_id, name)
) STRICT, WITHOUT ROWID;
INSERT INTO model_files VALUES(1,'config.json','cfb5ac37bb703daaf04c68422e7d6fee8e4f1f8080dad0df15aff9a57f7776e1',685);
INSERT INTO model_files VALUES(1,'generation_config.json','d66ea78f026b3fd867da89c6701c915bcc48bce8727169b0d0434100ea7e4f76',83);
INSERT INTO model_files VALUES(1,'model.safetensors','ceba9392e3b215b1ddcdb3c8c3ea4d1dff3e4a1da2fbe4c04b55ff679db750d5',109248);
INSERT INTO model_files VALUES(1,'tokenizer.json','550393c6ec24327300b5c66263342d54ef81fa03eef9365011a4f3d26025b7f4',4734);
INSERT INTO model_files VALUES(1,'tokenizer_config.json','21de2f778050be3495bd4adcb59f46e06397ea445c7b1a4ecd180ae066172d90',1096);
CREATE TABLE file_hashes (
    path       TEXT    PRIMARY KEY,
    size_bytes INTEGER NOT NULL CHECK (size_bytes >= 0),
    mtime_ns   INTEGER NOT NULL,
    sha256     TEXT    NOT NULL CHECK (length(sha256) = 64)
) STRICT, WITHOUT ROWID;
INSERT INTO file_hashes VALUES('/home/ada/speclora/tests/fixtures/models/llama-untied/config.json',685,1795527973786890995,'cfb5ac37bb703daaf04c68422e7d6fee8e4f1f8080dad0df15aff9a57f7776e1');
INSERT INTO file_hashes VALUES('/home/ada/speclora/tests/fixtures/models/llama-untied/generation_config.json',83,1795527973752435448,'d66ea78f026b3fd867da89c6701c915bcc48bce8727169b0d0434100ea7e4f76');
INSERT INTO file_hashes VALUES('/home/ada/speclora/tests/fixtures/models/llama-untied/model.safetensors',109248,1795527973749326855,'ceba9392e3b215b1ddcdb3c8c3ea4d1dff3e4a1da2fbe4c04b55ff679db750d5');
INSERT INTO file_hashes VALUES('/home/ada/speclora/tests/fixtures/models/llama-untied/tokenizer.json',4734,1795527973805326853,'550393c6ec24327300b5c66263342d54ef81fa03eef9365011a4f3d26025b7f4');
INSERT INTO file_hashes VALUES('/home/ada/speclora/tests/fixtures/models/llama-untied/tokenizer_config.json',1096,1795527973811546558,'21de2f778050be3495bd4adcb59f46e06397ea445c7b1a4ecd180ae066172d90');
CREATE TABLE prompts (
    id     INTEGER PRIMARY KEY,
    sha256 TEXT    NOT NULL UNIQUE CHECK (length(sha256) = 64),
    text   TEXT    NOT NULL
) STRICT;
INSERT INTO prompts VALUES(1,'c8e2c1437abb87b67330d0dddbd1de9a179ca6be207497f14873894c26e7d742','Say hello.');
INSERT INTO prompts VALUES(2,'d1962ae51e0982882de118d742e5b565d1b82b86dc15cb24d6b3a6b3cf3a0260','Count to three.');
CREATE TABLE prompt_sets (
    id     INTEGER PRIMARY KEY,
    name   TEXT    NOT NULL,
    sha256 TEXT    NOT NULL CHECK (length(sha256) = 64),
    UNIQUE (sha256, name)
) STRICT;
INSERT INTO prompt_sets VALUES(1,'p.txt','f69f6595134a3e4469b1a4aa1017dfa21769e0f32291742587f7cdff62f9292b');
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
INSERT INTO blobs VALUES(1,'016f4f8a714330ba46454cabf74362c6d4a015dfed3b4b95ee78585ab8f38049',11632);
CREATE TABLE blob_chunks (
    id          INTEGER PRIMARY KEY,
    blob_id     INTEGER NOT NULL REFERENCES blobs (id) ON DELETE CASCADE,
    chunk_index INTEGER NOT NULL CHECK (chunk_index >= 0),
    data        BLOB    NOT NULL CHECK (length(data) BETWEEN 1 AND 1048576),
    UNIQUE (blob_id, chunk_index)
) STRICT;
INSERT INTO blob_chunks VALUES(1,1,0,X'680d0000000000007b225f5f6d657461646174615f5f223a7b22666f726d6174223a227074227d2c22626173655f6d6f64656c2e6d6f64656c2e6d6f64656c2e6c61796572732e302e6d6c702e646f776e5f70726f6a2e6c6f72615f412e776569676874223a7b226474797065223a22463332222c227368617065223a5b322c36345d2c22646174615f6f666673657473223a5b302c3531325d7d2c22626173655f6d6f64656c2e6d6f64656c2e6d6f64656c2e6c61796572732e302e6d6c702e646f776e5f70726f6a2e6c6f72615f422e776569676874223a7b226474797065223a22463332222c227368617065223a5b33322c325d2c22646174615f6f666673657473223a5b3531322c3736385d7d2c22626173655f6d6f64656c2e6d6f64656c2e6d6f64656c2e6c61796572732e302e6d6c702e676174655f70726f6a2e6c6f72615f412e776569676874223a7b226474797065223a22463332222c227368617065223a5b322c33325d2c22646174615f6f666673657473223a5b3736382c313032345d7d2c22626173655f6d6f64656c2e6d6f64656c2e6d6f64656c2e6c61796572732e302e6d6c702e676174655f70726f6a2e6c6f72615f422e776569676874223a7b226474797065223a22463332222c227368617065223a5b36342c325d2c22646174615f6f666673657473223a5b313032342c313533365d7d2c22626173655f6d6f64656c2e6d6f64656c2e6d6f64656c2e6c61796572732e302e6d6c702e75705f70726f6a2e6c6f72615f412e776569676874223a7b226474797065223a22463332222c227368617065223a5b322c33325d2c22646174615f6f666673657473223a5b313533362c313739325d7d2c22626173655f6d6f64656c2e6d6f64656c2e6d6f64656c2e6c61796572732e302e6d6c702e75705f70726f6a2e6c6f72615f422e776569676874223a7b226474797065223a22463332222c227368617065223a5b36342c325d2c22646174615f6f666673657473223a5b313739322c323330345d7d2c22626173655f6d6f64656c2e6d6f64656c2e6d6f64656c2e6c61796572732e302e73656c665f6174746e2e6b5f70726f6a2e6c6f72615f412e776569676874223a7b226474797065223a22463332222c227368617065223a5b322c33325d2c22646174615f6f666673657473223a5b323330342c323536305d7d2c22626173655f6d6f64656c2e6d6f64656c2e6d6f64656c2e6c61796572732e302e73656c665f6174746e2e6b5f70726f6a2e6c6f72615f422e776569676874223a7b226474797065223a22463332222c227368617065223a5b31362c325d2c22646174615f6f666673657473223a5b323536302c323638385d7d2c22626173655f6d6f64656c2e6d6f64656c2e6d6f64656c2e6c61796572732e302e73656c665f6174746e2e6f5f70726f6a2e6c6f72615f412e776569676874223a7b226474797065223a22463332222c227368617065223a5b322c33325d2c22646174615f6f666673657473223a5b323638382c323934345d7d2c22626173655f6d6f64656c2e6d6f64656c2e6d6f64656c2e6c61796572732e302e73656c665f6174746e2e6f5f70726f6a2e6c6f72615f422e776569676874223a7b226474797065223a22463332222c227368617065223a5b33322c325d2c22646174615f6f666673657473223a5b323934342c333230305d7d2c22626173655f6d6f64656c2e6d6f64656c2e6d6f64656c2e6c61796572732e302e73656c665f6174746e2e715f70726f6a2e6c6f72615f412e776569676874223a7b226474797065223a22463332222c227368617065223a5b322c33325d2c22646174615f6f666673657473223a5b333230302c333435365d7d2c22626173655f6d6f64656c2e6d6f64656c2e6d6f64656c2e6c61796572732e302e73656c665f6174746e2e715f70726f6a2e6c6f72615f422e776569676874223a7b226474797065223a22463332222c227368617065223a5b33322c325d2c22646174615f6f666673657473223a5b333435362c333731325d7d2c22626173655f6d6f64656c2e6d6f64656c2e6d6f64656c2e6c61796572732e302e73656c665f6174746e2e765f70726f6a2e6c6f72615f412e776569676874223a7b226474797065223a22463332222c227368617065223a5b322c33325d2c22646174615f6f666673657473223a5b333731322c333936385d7d2c22626173655f6d6f64656c2e6d6f64656c2e6d6f64656c2e6c61796572732e302e73656c665f6174746e2e765f70726f6a2e6c6f72615f422e776569676874223a7b226474797065223a22463332222c227368617065223a5b31362c325d2c22646174615f6f666673657473223a5b333936382c343039365d7d2c22626173655f6d6f64656c2e6d6f64656c2e6d6f64656c2e6c61796572732e312e6d6c702e646f776e5f70726f6a2e6c6f72615f412e776569676874223a7b226474797065223a22463332222c227368617065223a5b322c36345d2c22646174615f6f666673657473223a5b343039362c343630385d7d2c22626173655f6d6f64656c2e6d6f64656c2e6d6f64656c2e6c61796572732e312e6d6c702e646f776e5f70726f6a2e6c6f72615f422e776569676874223a7b226474797065223a22463332222c227368617065223a5b33322c325d2c22646174615f6f666673657473223a5b343630382c343836345d7d2c22626173655f6d6f64656c2e6d6f64656c2e6d6f64656c2e6c61796572732e312e6d6c702e676174655f70726f6a2e6c6f72615f412e776569676874223a7b226474797065223a22463332222c227368617065223a5b322c33325d2c22646174615f6f666673657473223a5b343836342c353132305d7d2c22626173655f6d6f64656c2e6d6f64656c2e6d6f64656c2e6c61796572732e312e6d6c702e676174655f70726f6a2e6c6f72615f422e776569676874223a7b226474797065223a22463332222c227368617065223a5b36342c325d2c22646174615f6f666673657473223a5b353132302c353633325d7d2c22626173655f6d6f64656c2e6d6f64656c2e6d6f64656c2e6c61796572732e312e6d6c702e75705f70726f6a2e6c6f72615f412e776569676874223a7b226474797065223a22463332222c227368617065223a5b322c33325d2c22646174615f6f666673657473223a5b353633322c353838385d7d2c22626173655f6d6f64656c2e6d6f64656c2e6d6f64656c2e6c61796572732e312e6d6c702e75705f70726f6a2e6c6f72615f422e776569676874223a7b226474797065223a22463332222c227368617065223a5b36342c325d2c22646174615f6f666673657473223a5b353838382c363430305d7d2c22626173655f6d6f64656c2e6d6f64656c2e6d6f64656c2e6c61796572732e312e73656c665f6174746e2e6b5f70726f6a2e6c6f72615f412e776569676874223a7b226474797065223a22463332222c227368617065223a5b322c33325d2c22646174615f6f666673657473223a5b363430302c363635365d7d2c22626173655f6d6f64656c2e6d6f64656c2e6d6f64656c2e6c61796572732e312e73656c665f6174746e2e6b5f70726f6a2e6c6f72615f422e776569676874223a7b226474797065223a22463332222c227368617065223a5b31362c325d2c22646174615f6f666673657473223a5b363635362c363738345d7d2c22626173655f6d6f64656c2e6d6f64656c2e6d6f64656c2e6c61796572732e312e73656c665f6174746e2e6f5f70726f6a2e6c6f72615f412e776569676874223a7b226474797065223a22463332222c227368617065223a5b322c33325d2c22646174615f6f666673657473223a5b363738342c373034305d7d2c22626173655f6d6f64656c2e6d6f64656c2e6d6f64656c2e6c61796572732e312e73656c665f6174746e2e6f5f70726f6a2e6c6f72615f422e776569676874223a7b226474797065223a22463332222c227368617065223a5b33322c325d2c22646174615f6f666673657473223a5b373034302c373239365d7d2c22626173655f6d6f64656c2e6d6f64656c2e6d6f64656c2e6c61796572732e312e73656c665f6174746e2e715f70726f6a2e6c6f72615f412e776569676874223a7b226474797065223a22463332222c227368617065223a5b322c33325d2c22646174615f6f666673657473223a5b373239362c373535325d7d2c22626173655f6d6f64656c2e6d6f64656c2e6d6f64656c2e6c61796572732e312e73656c665f6174746e2e715f70726f6a2e6c6f72615f422e776569676874223a7b226474797065223a22463332222c227368617065223a5b33322c325d2c22646174615f6f666673657473223a5b373535322c373830385d7d2c22626173655f6d6f64656c2e6d6f64656c2e6d6f64656c2e6c61796572732e312e73656c665f6174746e2e765f70726f6a2e6c6f72615f412e776569676874223a7b226474797065223a22463332222c227368617065223a5b322c33325d2c22646174615f6f666673657473223a5b373830382c383036345d7d2c22626173655f6d6f64656c2e6d6f64656c2e6d6f64656c2e6c61796572732e312e73656c665f6174746e2e765f70726f6a2e6c6f72615f422e776569676874223a7b226474797065223a22463332222c227368617065223a5b31362c325d2c22646174615f6f666673657473223a5b383036342c383139325d7d7d20202020202020ca44853e385e5b3ca2fa4bbef20fadbdf574dd3d4571ff3e52e17abdeb02373e884daa3e3f000e3ed4bb1e3e6d37c83cf5e7db3d438cf43debea8ebeded8053d78cddb3e7fbbad3d4f0251bc198abc3e31cf9c3d59f929be41cd013e200c723eb427af3e37a61e3e5de623bb3f95a53e3a58423e9331883ee93b80be775aa13cbd3ecd3d87c88b3ea0527dbeb7d0d6bcc5145b3d1f76893effdf10badf17943ed0dcdebdaa0b12be0243c1be8addd53d9793ae3dcff64f3db7d7babe4a49f9bc5b2b5e3e5fb1593d33dce73cc8b80bbe5756803c4addec3c5be81abe4abfa73e2df527bec74abebdcae1cf3e1f14213de8bdc63e8628bf3e45d027bd6d8bc53df22c67bc6906ae3d25986abd16d0013e3d7d20bffe31063f0e9808befd08f03deb13abbdf9e7843e5a03353c963644bd99da31bdb4e68abe407c2abeeef83ebe4209cdbd7a61dcbdfb6c78bb78a7cfbdbd8a3e3e4cdcb93d135c9bbea54675be55c925be0153a83ef51c81bef0bfdebe1774173e5beb813ebbf340be8c330a3efb7f8cbe75281cbc93835bbd37a0143e73559dbd6daaf2bd876215be0a47b8bd3bbcb7bd1539e8bd7059b83c8d9a44be4d28163e97024cbec4204a3d453620bcc0e8393ec39d81bd43a59abe6c4c85bd3f629e3ecbc8363e4002843d94fe143e3019863d6c02303d3320fc3de319bf3ce0f0e5beee40b63d4a35fa3d4f7727bb92f8ec3c2a05fabbcbfed53e5dc0033e8583b73d29b484be7545bd3e00af323ed119133e9a416d3c66923f3d2561fc3d4b9209be697b26bdb708133dfbb3e53c871bf6bd988c0abe16548dbee9a59fbe2f1a523e456fd4bdb834503dcf9352bed055103d7b4202bed57f80bd8fd7803ebf8f7fbea3299a3d9c100abec88bbc3ec7169bbe3fc120be9af32abd22144fbeaebe11bee5cf56be17a3c8bd511b1bbe92cbbb3d0e30443e5a58d03db762c93c67c1a2bd8ed380bef05e8d3e7d3e05bd17b1863ee4a394bd88e381be7b87e33e7bd7de3dbfa98bbe4b33de3d0f7ae23e1b78a6ba1ba0323ec7939abe7bd6b73e750ef6bcebce04be50b3773dbd86cf3c506c66be769340be5b25f13c6788383e6b56843dbc743f3e132ad8bb757cf2bdf03e933edb8c87be81bc3c3e233079bee38727beb587803e6fb18b3e73384a3ef8330ebe177689bd43ac6a3d9bf2733d03157d3cdc3746bd7d20a13dea741dbe7810de3d151c27beb74193bb748d9d3eaa1c6b3d8d904cbec503cd3ea0027b3e8fd5b2be60e9b13eeba129be559def3dbe7605be9193453eb4cc483ed391b93d29fdafbee88f6d3ea5fdb3bd194007bed0a9da3ee32e0ebc530b8d3dc56f6fbe8c3d99becac3363eb73ee4bdf7be1d3e1ddf393effbd383e2555cebde58728bc47ceb0be4c5f0d3d47e754be9323b1bd4fecd13c0b38ba3d274e70be6cf884bed0eb423ecb7e17bee7acd23d6b74cebefbebff3c05dc4f3e2019fc3cb5ad96be4e3a093ed2da703e68b2f73e6fcd2a3ee35bb33debe190bdd83d9a3e879717be51f6193ef71f15bcd00d85bdd800fb3caaa5bebe8714e8bd42c3f53d9fdca3bd92e807bd33ef97be9a516a3dbb89db3d43a581be7f33f5bda357313ef41936bea7fed4bddae98abd3f89403e3be4283ef5f7d6bc3153a03e230944be236e30bebc4c2f3e2f3d333bc201dd3d36c8133efcab1d3d95f2873e38bf83bdd3b1e2bc85358bbd7b30dabc1bc567be002b8fbe7b57f7bd0404ad3dfb5db3be50734f3d67276abef52ee6bd80ef50bbffe368beb3076bbe1b6f0d3d30e118becbd020bb9a4499be07aa563d6508e8be0d44953e8b6a57befc0189bda4b8ae3dc22d63bef22c67beb47731be15f009bed2736dbde0c62f3de8a9b03d8f30e2bb811224be39e8043d43f14ebd1f324a3eaa229fbd2f6fdf3e33ef153eb195373e230df0bcc96627bd8b3d1b3db0b8e33dc9a911be90be883ea7888c3ef761a63d11a080bdc5928fbe939ef03e5375c5bdd8c2d23df1540d3edadc9639836ec5be804ed73d24782b3e63bdfa3e993b0f3d14ef3c3eb7398abba6a9473d2b4861bd0a04d83d31cc14be703029bef0c5873d7d6e563e4225df3c95274cbefb02dbbc712425bcd80cbf3d4cb22f3d0aef19be2f06f23c63878dbdff6007bcd3ac14bc00407bbe0868493ea6769ebee7a82b3e2f10393e8c532d3edf6a193e3316a8beba075abe1839053e9608a03ef801dabd09c01abecdf1bebe6ea704befe16b43e1863623c92b0d6be2094593eba366ebe2ae0db3cdf6cdfbd28dd5e3e0236babce32e65be38343cbe546618be3368ca3dd4e68e3e48bc34be0150cabd8448823e83060abd73ee67bd700cc6bea02ed2bdbabbd13cf7609c3d2e940cbeebe0aebe778851bd3566e03d8bd955be1bb0e03d2bd699bd0e30883d475aaf3e3d2eb53ea80f323ea8416fbd35f097bedf0bbb3ecdb5be3bdb7f5fbd7a3da8bd437137bc977915be4ff6183e32bb743d07bb69be729a4f3ed8f392be4dac603e0376c73cb77d6f3dc882fb3e68cc6bbd8c32b6bdd8e758bb136b9f3e3352563dc8bbf03e9fc98abefffca53d3de7053ee04cb43d7274cebead43143e5f61143ebaba0a3e4458a9bdca2477be35d93abda70ae0bd236efabda6451cbe83fe35be763cc5bda021593d7540153e22ee35bdab8f65be122e503e6b5e30bedf26be3dc255763e9781153e05f1643e38bedbbc747417be1ffa08bef8f29d3dcf7da7bda6c03cbe6054cc3c535d0a3ec43bc8be0f0a02bceeb295bdea8d723ef2f8133ea033d1bdf7b9643ab75916be5720e7bb6bdbedbe1763f83d7071ddbdb03487bd3d20103ce61090be320c353d766ea5bd0c49adbd9c953d3ef1dc9d3d6505803e6bbde23be26beabd3b1d26bd3d80453ea8f5a13d1d30513bdfdd3a3edf272cbed606a53efbcb493ef0d2803d93177f3e528980bdf2edd0bb79160ebeefc733be423d05bd3e8099be9bb612bd7b648a3dd37ac03e8b759e3c1991843d1f2d8c3e53f243beaf2c1c3d42ec933d9dd89bbd237fd73ed466843d92bdbebd6c559dba521ef1bde74b8ebc7bee1d3e131130beb359393ebf7a91be8ab432be564647bd5529fdbd3da4d93ddae166be6094b3bdc729403ead33743e93262e3fc3b9073ec587b53e98fd5ebc48ed533e3d3f4a3ea862f7bd74be843e6490bfbda9e9313e7b72953eaa90f2bd6ab13b3d7cd934be57622e3e2838923d676791bd8963863ec1e438be788b123ea0ae0c3d03acebbc4660b9bdc05264bde3b71fbe0866363ed2785e3ef4a08abd4283073eaed7bbbc7bcf273d7734213dbb4cc4be0d7bff3d9fcd5dbe30a5ef3d1ba46abeef95043d12148abe591e963e65e8a9be47f69abe73136d3e93921e3e9fefd1bdea1ac9be78f31ebb5bfa31bdf01f663d1f940abeefe6cdbef02360bea8b0613e325ad33e39799d3ebb325a3e4bb00e3e988a61be6b29c33e4b5e333d28d1b3be1831853eec9d373c2d64713e788a953eb43115beda4581be4ac4623ec73c583e5ef98e3c1a69c63dd57176bd831b21bd381ca03d7d213dbd6840253e3556b1bd3dd30a3efbdea9bee506cb3d02f28abc27b824bdd30913be12956dbe9d1cae3da771cdbe4a5d99bd8714543eb5b5abba6700bb3d48a0a33e8d0d5e3dbfa275bd4d5bf4bd0b9424be5bca9f3b470d94be9af2cc3e032127be6d6c9e3e5fbe693e7a78b13ee5837ebeda1a18bd7fa46ebe2f1c863d9b70863d87ba80bdb9248a3c55414f3e2b6bb4bd72627c3ea09690be344494bc30e5723eaafed8bd6c27a33de78ba23d7b329d3c5bc604be50fb4e3e78f0b13e20f4b33e530841be45c0f73d87431bbd2f6c54bd8c5a2d3dcf8da4be983aadbdffbe1b3e73b30ebeb871e63bf3f7063fb2ceb33ebae970bd2a3652be68a1883e958d303e28ea0f3fc536ed3e53f24dbe9bb00d3ecff1b9bc40de8dbe6025e1bc7736723c3fa64a3d87286cbec860763d0cb7a5bc0abf133effb513bedbfa5a3d033d09bd5ad3b63a157dbd3d7bf00d3fcf192d3debded03d8b5a6b3e57808cbe7f603d3ee56eab3b2392853c17a861be0f36943efc05a5bee241e93dbb191f3c8ddf33be2f177ebd927ea8becf50fe3edbcf333dd0d1b4be382ee63e03d8c33cffb991be23a3babedde0b83d5b730a3d0f6a503eaf6f8f3e970400be5cf2b43e611c27bea59a3fbe9080c9bd5271093ecf6a8c3d2f6b47ba4f71763dc718083e3a08aa3ef1363abe3a959fbe92cbdf3dc5696c3d8fed0dbeda540fbd974b4d3e828a693e46f9023d8c06813ed7ecc3bd48367a3d6f29e53efed930be00649bbe5fe40d3d05a1713e45f7d9bc286ea0bd4b80603de528bd3c8c2582be6235a6bd5d513e3dfda8afbef7340cbea791f93cfe5728bec5ffbdbd81c8bc3e7fcc37be4b2c173e3d87003e0bc62c3ea37f5f3ef66819bd4bb78b3e75078c3ef763003df1b98b3e008ae5bd208ff3bda42ea93ec96fabbc7330653e91abc1bd629aeebd6d8d00be05abddbd7845c53cc22a593ec3df203ecbe22abd1f851b3e08b6553e7e7ca63a50feb63d1f8ccebdc53f553eeb2b0abedc4ea13d37dcb53c77f812bdb967a4bd9276533e86a394bef798c3bad0b4ddbd1b2ff0bd5738263eb7feabbda2f46fbec835e93c45b75fbd95dca8be5010c83e8524853e073af9be26ac10be0b4b883e2cc12d3e032a74be87f94dbe1ba5a1be5bc634bbb0498c3e5d21aa3eef1595bef0d698be9a2054bebbb6453d5931c5bceb639ebe715019be95e6d2bddbf66ebc454de5bdf87ea6be3d3bb53dedd1f1ba35be003ec571883e2f557bbe39d2aebd0a20df3d5743723b33244e3d3726093d2516c7be28cc983ed3be82bd23c656be0360d63d1100123e9b15293e6c108abd1a99a43e9e1589bca9c9453ed458abbd2e3611be5410013dd7ac023e338c6abe28c1f13ca02409be957f0d3e1869d03e77038e3d04c2853db5124e3e8d48863b3ee096bdc589bf3d5a7e51bdaf95d2be1526a53e730cf83d8863763dce3f29bec2fceebcece60fbe7b3ca0be955b913e3338cebdabf892bd8750c6bd6a27b83dadf1eebddf457ebd5735b4be2a5ef3bd0f6b31be8342ecbdbbd62b3e880f7f3dab13503e734529bf60b04e3eeff8053e7bb7263d6b72d23d710e263d0f02f23da750d6be8732e0bda040c03d0aab93be95783ebdd3eb623d3b202e3ec6c0bd3d552f4c3d0b23adbcad528e3eeb3ce1bec83e183ed8d3513d6c40a63d9d6775bea71992bdf8cbe83baa8e9c3ea363f8ba26dba5be139cb6bc6f79cabae7bfd73de8d53ebdfbcedd3d6e648d3d1bc0c03e1518f43d966146bd950576bd03432f3da7c81abeece9983cb638afbd178523be3ea1133e23fe8c3d12bf033e3658b73d6256d7bda87df13c8ff987bc6ddf6fbe09269ebe63b939be8305a6bddaaecd3d0f47643e464e92beb0a9813e5bc02ebef643afbba77fb6bdbd9c7d3d533b083e5d84ffbe5d48ca3e286b5a3e674becbd430c993e4f12abbe3a987dbd6acabebe7a81943e2009dfbc836ea4bc3e6d313d73182fbdb01a3d3ec829eb3dcd785a3e57fac1be7aafcf3db74131be981e053debbc8cbefbd2b2bef2314d3e8f9998befb4b17be741aa2bd2b4435bdb83cfa3d683038bd57b7d73d621c64bd114a97bd6a76b33e30cb583ec4fc23bec8aecc3d9b5085bef04a973ebfe0483e77a9eabdbf74f8bdc9c887bdcf6b8dbe833064be688cdebd5d26943d1a80683ed34796bdc3f797bcfb36b33dc39e583e20353cbd1339ed3ddb8b17bd51742e3d083ff6bddb10843dc9d8a3be4357abbecd611c3dc5274fbe38fd5cbea25e163e6c670cbb1ac412bc1febbfbd50005cbe661fbcbea30b883ed7e5c43eb823023f69e6aabd1d3d9abef2a639be8560153edad35e3de502813e0198373efa1a59be6790093d8a404a3c920261bef703783df656413e6da4e2bd0ac00f3fe3838e3ac61b41bd5ae852be3c99983db3351fbee7647fbdc4e4983b470067bedac3e33d4ea3213eaff9cb3d036918be0f71403dab71203d0e57bebe29f81bbda797c23dbe05123b8af762be3dd57b3d241cba3d4f0ab1be2a4d303e89b53a3d07130bbe474cbc3efbe1013f572eb7bd3b50d33e273e3d3e0da80d3fc52a283b2f0e3f3e806f6a3ead6df13db9208b3e3e0c3e3d57236c3dfb10acbe986d85be7a5eee3e95d02fbe4e050f3d2d2487bb959ee5be2207573e1e4aa8bc0816ebbd4dfa893ebba4213c63c894bd9ff6353eef80b83d87e2c3bc70ccf8bd5f69933e2b60363dd4d5463ee47d323db8f5053ef8379bbe3083a53d839c78bd7b56793ccfac87bd174c74beb746fb3c906c6ebedcb52b3c1eafc43e30029ebd8ea14bbef3ff6abe17152c3e3362d63d3a71e6bd0a956e3c7ffcc3bda86f3a3e8ab2933d472d82bd847645beaff39abe61a2aebc66d691bd309ddfbdc0c1ecbcaf8ed93e627ff13d4f101ebeff6e1abe75c7403dc906143ee4f28dbe0d1450beda6252be1a78efbda1eab2be573f74be0ba0b43e2f7fb73ef308e73d2d0e7d3d4332713d00ebef3dd367333dc7068a3e661023bc3b6dd23eff49c23d4cb0b8bededd0c3e0346cebd7369ad3dfbcffcbe9288593e20d1593d9b1f8fbdf0dd13bd7c1b98bdc9b081bdb7df83bda4fd0fbebb8eb43be10bc73d67bd2c3ebbe6afbe2cdf9cbd6a1b963d034566be88d650be1788843e476174beeb6c003f0050a9bd378eaabeda70c2bea8117ebe0e1581bd132e993df71320be30ef683c31bc293eb800babd7a365e3ea5cf4c3eb97882be488b873e579335bd2606b2bd8d8b9fbe4951253e027f6ebda48503be4212543e74b88cbefb798ebe3a3d4e3e0840a5bd095146bee3de2f3d474c2e3d99a2bdbeba2916be0f182a3e4b6d59be9d7fea3ea6ed1dbe72ea9abd5fbc5dbea13291bec961a6beada3523ecf85c7bc8d3d1b3ed84278bd5308ddbe567da6bc57c1f7bdf82e35becd38f93c0db56abc1ab6623d942bbf3e17a53c3eef0275bd1b842c3e83849d3e6fcb11bbb897e3bd921d033e96cc473d2788f3be5268323ee95681be46ce143ece4e433dab596c3e028cb6be34d0843e1af4ef3d53623fbe8139403e4f8130be387b1f3e5ad1b2bde828e73e34ef043dcfebea3eb76058bee7bba53e2df113be22ac5c3e9e3d17bcc3bc933e60d3dabdaffda83ccb7ce1bd9ac9ebbda0ebb83e4304b2be07d4afbe030c163eebc7293ea32918bd0a7618be6846043eb558813ecf5705be482e47bcf579173e0c0a29be90adf43d39dfc4beca946e3e0037f63d64ce28bd10b5fa3db340fa3de767ed3e5aa7d63d5d241fbe4a253a3e9033953e55b61a3e956fb83de4c5a0bee2fde63d42c7a6be435197bdc747113eebcc8c3dd314163f803a6cbe393b323e17fb493c23a20d3bcdcf6bbd081fa73dc5b399bebb459a3ea5a4efbe4d23623d77bfc63e4bb8e6bdf9eb8cbd3fcbd13d8a6b48bbeaf270bce6b916be9332d7bd08f694beb0a5bc3ce5826bbedb44273ee382483ee263eb3df812d6bd0da7a23eee2b07bdff7684be9fc5adbe0f025d3e98b3fdbdfd9e7dbedf9e043e0dc483bcb06ece3d7fc60e3e91749cbdab1aa6bd433f213ee3c158be8b6bb13d406c8ebd8f5289be63613fbe7b40b03d211d83be602e8e3d3789843de5ff403e62694a3ef21ebfbdb30e40be8a8d983d824cc1bd151315bd3a2aa03e9d0aca3e614a0a3e606481bea764423efd3cbd3d43870bbd48986f3e5c65b7bdb65103bea0dbdabd77bd7fbc6173313e8ba8dc3ccf8ff0bc2fdbd43eea73febd074361be338abfbe5d0b54bdae93213dd5a1c9be9f5bb4bda078da3d4f05293e468bbf3c27de023e1772cc3d52ecd2bd0cd1483eaf5cb0be5b063e3ea7b3bdbdf0ab5cbe629e3ebd77049fbdcb6d923e5efa803d3d0866be9bf766bd7368e73d67143cbe5f6290bc97d5883d13cabfbd03a07cbde785ef3c54a09cbe7254e93e5ce1273e280d843e89c2303e7ebc203ec6610a3d9b0c4cbdbbd0873e6b27bebdcf693d3ee8cf7a3c9e473a3dab4cd83c6de6d73d3765703ea3e9abbea9e3b93e546bc23dc7861ebd4fcda33ddcacbb3e5b659d3ebd92033e9ac2eebe108f3e3ec75042bc10970bbe7b918dbe6b0d3d3d54dcb9bdb39a88be481fcf3d38e1583e2a1bc33d0809e6bd84c517be5b15713e7bc4fe3dc312fe3db901af3d3a09ac3dfdac7c3c4cab47bccfc7f2be19d7ba3c1b00a63e2ad9a93c60c608be866cc3be88e8c6bcaff1623ed0342fbe7cdac03d88ed2bbe30c653be36918bbd23b2ec3dc9274bbbfbd73ebed756533d97331dbd35e2fb3c1b14873e9877503d16c6923daf60a4be94c918bd7b6c86bdd54fa1beac8b3b3e204633be53818c3c7e0512bf3fa3a5bdce9624bef75d42bdffc021bde7fde13af0019f3e3c49493e2a9a6ebe3740b73d2fdebabc722154bc9579ec3c1a08e9bc6b6ccbbc355103bf101353be1ca9013e5f903c3de5c0433cc786343e093199bc5fefadbc2b86293c371383bdf60e493e2d98713d47471d3ba7cbcc3dcc569cbe4807573d2c36a2be741f85bdcc8b3bbe0b6b08bd7779c0bd620bb9bc78c3f03c0f8419be3cd2a1bde3ac443cf79814beaf3b9fbaab1392beae87163e188295be828aeebd8c6727bd1068dcbdedadd43dfb116a3ec91bcb3ee879c3beb3d1483d4e0d823e556630beef78373d2688153efa7e2d3d9a83713d7f5fdfbc03c5c23d736f853e7fd1333c24af3ebeef4a923ec37223bedb26563e412b813e8819db3ce7f2863ea7b88cbd1a0b2ebe0ffcabbe03ec613e97c6dc3e4529efbd7b1fa53d957cf6bd1027213ec73343be55c2fc3d1513a13ec30cbd3def5910be131e863d208c223e7bca153edf824ebed79bd63d5354603eabf6423cf3023c3eea09a6bcab7a14be652d9f3d0ac0dd3c93fb85be5833a6bd834ccf3cf79e9e3d4c6585bc3454c8bd4a60753dd3f5c6bc2b5752bddfff8ebe4761853c6b618bbbdf0de63b0e1d843e470d94bd9dafefbde4d6073b48fec03dc64c043d57d6d93bf3cd84bec4e53cbd9435813ce577e1bdc8cc4d3d5fa800bd05102abee3bac6beacdf2d3edfb4d1bd4c43a33bc56cb2bc29330cbe3059cfbdc772b83e5017153f68381d3ef89e7abe7203023ed37ee43d0d89663ec44a0b3ed727003d670803bea4503abc918d26be086fb8bee8b320be43fc9cbed58780be7feadf3d79b5013ee5dbd0bd9b9a5f3e7f14df3d22e0333dd76a873e6b065abd0c02363edc5d993e90bd373ec578273d00fc3dbe251144bd24c205bd53e1e53c2defb93d47c300bec7d0813e676387bea7ac49be40b9d13d6809833ebf02763d1d7e34bd8c4a99bbdf16513d130dd33d1577323e05f2a1be6e67a23e7dc6f03d03f814bc8d236ebeab9a77bd226749bcf394323d4cb5223e533166be71a70abe634f01bd0786323c57c099bb3ee100bed05f403ea6dd20be5765d5bd724e33be17884dbd95d68fbd1898513efefb2e3e15260d3ec2e01d3cc1d596bc9e9fc2be790f18be8aadc1bd213437bed59a5abe2f9310be1b5abb3d3e339b3cd08fe5bde0929c3ef34e90beaf8e12be413b24bd3385043e95286c3e106af5bd9a4b313e1b74763ebcb33c3df407c23d39f2263e7cfdb1bd3d34773b63c819bdb739e33ef0053cbe4b9b2dbe8379e8bca232463dc23bf13dc69db43d604bcd3de0036bbe2f0091bec1d9b83e352eb2befff6aabec3f873ba6b93293ded93593e39c5273ebf8a16bebad2f83df339443d7da9503ea1b7013eb93b9d3ee180873e1b6d91bd5860a83ecb096c3ef3a60abe23540f3ee612a3bd727032bc2fefcf3d9ee29e3d891bbcbe7a2a1fbeab05613c924660bc88af473e236ab9bda192b13e9472953d6389383e5d0007bfdb8b353e3749493e57c6c03d9b13553d8f21763d8e8c32be1625c33e97d8933d1df5edbdcf2883bc24a343be97d83b3e3b664abecce98d3d8dbfc43d6a31e93d5e1c303e273149be97eed3bdfb2c83be542c85be7368413e07909a3ee761103eb72abfbc9020a33da090e0bea71ca1bd3882743e72c16a3e7bc9bb3e0a967f3dff15d63d3861d8bd87b6703ee7f5d5bd43d597bdc72e27bee8773cbf9b80473ee5df34bd863689be95e077be5740093e577b703ef078e9bd19c3b7bea3202ebe2182b6bd4df42abdf52b793eb3c73e3bbb6dc6bddd205a3ead7e3abe8fbc083e1639193e772caf3d0e2cc8bc0ca7823e5749253e127d743d222ce93db0ce0fbedb0081be1cb9ac3e22aa60bddb5f8fbdb16bbebc6bb7a73d076aac3dadff3fbeeb283cbe7a2bab3e974d0bbc3b6fb03e1179b53e05dc75bec38d553d277a5c3e8fc4cf3ea3fa4cbe2bbe34bc93ed7abd535cb93d454302bf62b463be5426c0bd7f707a3e1361f2bb57fd19be1f9f4a3cc3253ebeb3421f3e402724be15bc283ee487bebdde7040becf6234bed8a4863d7157073ad54c883edda5afbeaffd23be07d295be07ea0a3db0ae983da00ed3bd0b51b1bc7a96cd3dd3e26dbe798c40bd3a3e8f3e9488933ec8b83bbec68f0ebf73b2b53d4cc6ae3dc850323e331071bc1a89c13d0e0918be5f741e3a5d41033ea26e0b3e582815bd8efb8bbe3b73bbbd489088be4f12a7beb29292beb74f623e9dad0a3ee01e533ebd2ddc3dd08d683ecece1bbeee4fb6befb2e6bba2beb953ef39d0c3dbad397be06e4afbd9bbf443ec55acf3d8adcffbea4971d3dfe9209bea1030f3de259803ca3408fbd9b74fbbad073553df7f7fdbdb8fceb3e6527fb3cffbbdd3ea3471a3ee3fdd9bba3ddc0bce6a509bd28d5e43df1478e3e5ef4393d681765be02306b3dc479b23eeb132e3e0d8b003bc77a2cbcd90448beaa77673ee0802d3daabac63c3a3c013eab784dbe0559f4be727f0a3ec3e725bc9a95723d82fc80be07c3823d2e8986bdc2b8843c10aceb3ceb1661befd7decbcbb95ad3e73ad323e3ea431bdbd043d3e70cd77bd0b9c3abe52fd43bea85d0c3db87de73e4fa8d53eff05083de884b0bc31d5bfbecb820c3f7d9aa1bacda0843d4baf893d4bc8373b508f77bebc5903be734667beb1c3813e7ba7c03df53509be69cc433eb8767a3ddadb103e2636843e4f11a03d5ef6bebd9529813e47948fbe8aaaa8be2796ac3c6718943eab871bbe632d8c3deaa9af3c45ac5d3eb5d251be549603bcabb3adbd529fdf3c808bfdbd451df23ebf87823e6b1bd93dc3aa58be589928bd2bd589bd4c4cc33c9bb6f3bdd259e1bdb357a3be27394fbcc77ce23c3cf738bd27e9d4bd809c8e3dd7c5993dfcd7b23cc70018bea4ee89bc0750aa3eb596ce3d11749cbd1f016fbed7a83e3d7ed4943d093c293e9f0e8abdcb0c173e35fd123e8d984abe4b00e3bca22b583c7ce8acbef7d1653d8ed8043d10675ebed23db2bcbfa3be3c3781d7bd37e16f3cab55013d21bc46be31c044bd3b9987be0244ff3cff312ebe9b52a73ee09cedbe37f4c4bccb30abbeb3d147be537752bdcb06103c0c7e14bf4f8772befbc4b0be22b055bcb3f8923da2bd6bbe224a66be1b41d2be326bf9bda56f78bc');
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
INSERT INTO checkpoints VALUES(1,'01a20ea2-4a43-705c-94ea-7527b263efc8',1,1,replace('{\n  "alora_invocation_tokens": null,\n  "alpha_pattern": {},\n  "arrow_config": null,\n  "auto_mapping": null,\n  "base_model_name_or_path": "../../models/llama-untied",\n  "bias": "none",\n  "corda_config": null,\n  "ensure_weight_tying": false,\n  "eva_config": null,\n  "exclude_modules": null,\n  "fan_in_fan_out": false,\n  "inference_mode": true,\n  "init_lora_weights": true,\n  "kasa_config": null,\n  "layer_replication": null,\n  "layers_pattern": null,\n  "layers_to_transform": null,\n  "loftq_config": {},\n  "lora_alpha": 4,\n  "lora_bias": false,\n  "lora_dropout": 0.0,\n  "lora_ga_config": null,\n  "megatron_config": null,\n  "megatron_core": "megatron.core",\n  "modules_to_save": null,\n  "monteclora_config": null,\n  "peft_type": "LORA",\n  "peft_version": "0.21.2",\n  "qalora_group_size": 16,\n  "r": 2,\n  "rank_pattern": {},\n  "revision": null,\n  "target_modules": [\n    "down_proj",\n    "gate_proj",\n    "k_proj",\n    "o_proj",\n    "q_proj",\n    "up_proj",\n    "v_proj"\n  ],\n  "target_parameters": null,\n  "task_type": "CAUSAL_LM",\n  "trainable_token_indices": null,\n  "use_bdlora": null,\n  "use_dora": false,\n  "use_qalora": false,\n  "use_rslora": true,\n  "velora_config": null\n}\n','\n',char(10)),2,4.0,'["down_proj","gate_proj","k_proj","o_proj","q_proj","up_proj","v_proj"]','/home/ada/speclora/tests/fixtures/adapters/llama-untied-rslora-r2',1795541846595);
CREATE TABLE aliases (
    name          TEXT    PRIMARY KEY CHECK (name <> ''),
    checkpoint_id INTEGER NOT NULL REFERENCES checkpoints (id) ON DELETE CASCADE,
    set_at_ms     INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
INSERT INTO aliases VALUES('best',1,1);
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
INSERT INTO runs VALUES(1,'01a20ea2-4a44-778b-ba52-ca5bd966f4c9','bench','first','completed','speclora bench',1,1,1,9,1795541846596,1795541846599,1795541846599,1,NULL,1547891,NULL,NULL);
CREATE TABLE run_settings (
    run_id INTEGER NOT NULL REFERENCES runs (id) ON DELETE CASCADE,
    key    TEXT    NOT NULL,
    value  TEXT    NOT NULL CHECK (json_valid(value)),
    number REAL    AS (CASE WHEN json_type(value) IN ('integer', 'real') THEN CAST(value AS REAL) END),
    origin TEXT    NOT NULL CHECK (origin IN ('default', 'file', 'environment', 'flag')),
    source TEXT,
    PRIMARY KEY (run_id, key)
) STRICT, WITHOUT ROWID;
INSERT INTO run_settings VALUES(1,'adapter','"/home/ada/speclora/tests/fixtures/adapters/llama-untied-rslora-r2"','flag','--adapter');
INSERT INTO run_settings VALUES(1,'context_length','null','default',NULL);
INSERT INTO run_settings VALUES(1,'db','null','default',NULL);
INSERT INTO run_settings VALUES(1,'draft','"/home/ada/speclora/tests/fixtures/models/llama-untied"','flag','--draft');
INSERT INTO run_settings VALUES(1,'iterations','1','default',NULL);
INSERT INTO run_settings VALUES(1,'limit','null','default',NULL);
INSERT INTO run_settings VALUES(1,'max_tokens','8','flag','--max-tokens');
INSERT INTO run_settings VALUES(1,'models','"/home/ada/.cache/speclora/models"','default',NULL);
INSERT INTO run_settings VALUES(1,'modes','["target_only","spec_base","spec_lora"]','default',NULL);
INSERT INTO run_settings VALUES(1,'num_draft_tokens','4','default',NULL);
INSERT INTO run_settings VALUES(1,'raw','false','default',NULL);
INSERT INTO run_settings VALUES(1,'seed','0','default',NULL);
INSERT INTO run_settings VALUES(1,'system_prompt','null','default',NULL);
INSERT INTO run_settings VALUES(1,'target','"/home/ada/speclora/tests/fixtures/models/llama-untied"','flag','--target');
INSERT INTO run_settings VALUES(1,'temperature','0.0','default',NULL);
INSERT INTO run_settings VALUES(1,'threads','2','default','physical cores');
INSERT INTO run_settings VALUES(1,'top_k','0','default',NULL);
INSERT INTO run_settings VALUES(1,'top_p','1.0','default',NULL);
INSERT INTO run_settings VALUES(1,'warmup','1','default',NULL);
CREATE TABLE run_models (
    run_id   INTEGER NOT NULL REFERENCES runs (id) ON DELETE CASCADE,
    role     TEXT    NOT NULL CHECK (role IN ('target', 'draft')),
    model_id INTEGER NOT NULL REFERENCES models (id) ON DELETE RESTRICT,
    path     TEXT    NOT NULL,
    PRIMARY KEY (run_id, role)
) STRICT, WITHOUT ROWID;
INSERT INTO run_models VALUES(1,'draft',1,'/home/ada/speclora/tests/fixtures/models/llama-untied');
INSERT INTO run_models VALUES(1,'target',1,'/home/ada/speclora/tests/fixtures/models/llama-untied');
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
CREATE TABLE run_tags (
    run_id INTEGER NOT NULL REFERENCES runs (id) ON DELETE CASCADE,
    key    TEXT    NOT NULL CHECK (key <> ''),
    value  TEXT    NOT NULL,
    PRIMARY KEY (run_id, key)
) STRICT, WITHOUT ROWID;
INSERT INTO run_tags VALUES(1,'kind','fixture');
CREATE TABLE run_notes (
    id            INTEGER PRIMARY KEY,
    run_id        INTEGER NOT NULL REFERENCES runs (id) ON DELETE CASCADE,
    text          TEXT    NOT NULL,
    created_at_ms INTEGER NOT NULL
) STRICT;
INSERT INTO run_notes VALUES(1,1,'made by version 1',1795541846596);
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
INSERT INTO generations VALUES(1,1,1,0,'target_only',0,1,0,NULL,8147104208329303767,1795541846596,1.7399999999999999911,NULL,'max_tokens',46,8,0,0,0,0,8,0,150524,182782,X'4300000006000000190000003500000006000000430000003100000033000000','e512611e16b3777a27290d56a110b097ae34cc04613ebed9349a881dadb86bd9','a$7S$aOQ');
INSERT INTO generations VALUES(2,1,1,0,'spec_base',0,1,1,NULL,8147104208329303767,1795541846596,1.7399999999999999911,NULL,'max_tokens',46,8,2,5,5,7,3,6,160008,205747,X'4300000006000000190000003500000006000000430000003100000033000000','e512611e16b3777a27290d56a110b097ae34cc04613ebed9349a881dadb86bd9','a$7S$aOQ');
INSERT INTO generations VALUES(3,1,1,0,'spec_lora',0,1,2,1,8147104208329303767,1795541846597,1.7399999999999999911,NULL,'max_tokens',46,8,6,17,1,7,7,18,166588,350072,X'4300000006000000190000003500000006000000430000003100000033000000','e512611e16b3777a27290d56a110b097ae34cc04613ebed9349a881dadb86bd9','a$7S$aOQ');
INSERT INTO generations VALUES(4,1,1,0,'spec_lora',0,0,3,1,8147104208329303767,1795541846597,1.7399999999999999911,NULL,'max_tokens',46,8,6,17,1,7,7,18,142653,322061,X'4300000006000000190000003500000006000000430000003100000033000000','e512611e16b3777a27290d56a110b097ae34cc04613ebed9349a881dadb86bd9','a$7S$aOQ');
INSERT INTO generations VALUES(5,1,1,0,'spec_base',0,0,4,NULL,8147104208329303767,1795541846597,1.7399999999999999911,NULL,'max_tokens',46,8,2,5,5,7,3,6,128792,170064,X'4300000006000000190000003500000006000000430000003100000033000000','e512611e16b3777a27290d56a110b097ae34cc04613ebed9349a881dadb86bd9','a$7S$aOQ');
INSERT INTO generations VALUES(6,1,1,0,'target_only',0,0,5,NULL,8147104208329303767,1795541846598,1.7399999999999999911,NULL,'max_tokens',46,8,0,0,0,0,8,0,75763,107301,X'4300000006000000190000003500000006000000430000003100000033000000','e512611e16b3777a27290d56a110b097ae34cc04613ebed9349a881dadb86bd9','a$7S$aOQ');
INSERT INTO generations VALUES(7,1,1,1,'spec_lora',0,0,6,1,3980143261097177850,1795541846598,1.7399999999999999911,NULL,'max_tokens',49,8,7,18,0,7,8,19,197435,391415,X'430000000e00000006000000330000001700000037000000060000000a000000','dcb93f8dc3a11f3c00a5824f0836dfe802e678ded7615674d2e2b4eb2ca4b740','a,$Q5U$(');
INSERT INTO generations VALUES(8,1,1,1,'target_only',0,0,7,NULL,3980143261097177850,1795541846598,1.7399999999999999911,NULL,'max_tokens',49,8,0,0,0,0,8,0,83625,115452,X'430000000e00000006000000330000001700000037000000060000000a000000','dcb93f8dc3a11f3c00a5824f0836dfe802e678ded7615674d2e2b4eb2ca4b740','a,$Q5U$(');
INSERT INTO generations VALUES(9,1,1,1,'spec_base',0,0,8,NULL,3980143261097177850,1795541846598,1.7399999999999999911,NULL,'max_tokens',49,8,2,5,5,7,3,6,149353,191176,X'430000000e00000006000000330000001700000037000000060000000a000000','dcb93f8dc3a11f3c00a5824f0836dfe802e678ded7615674d2e2b4eb2ca4b740','a,$Q5U$(');
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
INSERT INTO rounds VALUES(2,0,4,4,5,19219,13450);
INSERT INTO rounds VALUES(2,1,1,1,2,6620,6310);
INSERT INTO rounds VALUES(3,0,4,0,1,30356,10626);
INSERT INTO rounds VALUES(3,1,4,0,1,30866,10385);
INSERT INTO rounds VALUES(3,2,4,0,1,30135,10516);
INSERT INTO rounds VALUES(3,3,3,0,1,23155,9544);
INSERT INTO rounds VALUES(3,4,2,1,2,14822,7932);
INSERT INTO rounds VALUES(3,5,0,0,1,80,4827);
INSERT INTO rounds VALUES(4,0,4,0,1,30345,10226);
INSERT INTO rounds VALUES(4,1,4,0,1,29854,10105);
INSERT INTO rounds VALUES(4,2,4,0,1,29915,10215);
INSERT INTO rounds VALUES(4,3,3,0,1,22434,8843);
INSERT INTO rounds VALUES(4,4,2,1,2,14882,7491);
INSERT INTO rounds VALUES(4,5,0,0,1,60,4797);
INSERT INTO rounds VALUES(5,0,4,4,5,18258,10475);
INSERT INTO rounds VALUES(5,1,1,1,2,6340,6149);
INSERT INTO rounds VALUES(7,0,4,0,1,30085,10546);
INSERT INTO rounds VALUES(7,1,4,0,1,29874,10356);
INSERT INTO rounds VALUES(7,2,4,0,1,29874,10326);
INSERT INTO rounds VALUES(7,3,3,0,1,22443,9084);
INSERT INTO rounds VALUES(7,4,2,0,1,14972,7552);
INSERT INTO rounds VALUES(7,5,1,0,1,7551,6219);
INSERT INTO rounds VALUES(7,6,0,0,1,50,4768);
INSERT INTO rounds VALUES(9,0,4,4,5,18388,10846);
INSERT INTO rounds VALUES(9,1,1,1,2,6299,6230);
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
INSERT INTO mode_summaries VALUES(1,'spec_base',2,2,0,16,44443.685392951250831,41846.256852324557259,44443.685392951250831,47041.113933577944406,168489.26653518929379,0.00013907249999999999365,0.00018061999999999998845,0.00018061999999999998845,1.0,1.0,1.0,3.5,2,2);
INSERT INTO mode_summaries VALUES(1,'spec_lora',2,2,0,16,22639.339812013924528,20438.66484421905261,22639.339812013924528,24840.01477980879281,37551.703308744181413,0.00017004400000000000027,0.00035673799999999999867,0.00035673799999999999867,0.029411764705882352533,0.029411764705882352533,0.028571428571428570536,1.0769230769230768718,2,2);
INSERT INTO mode_summaries VALUES(1,'target_only',2,2,0,16,71924.743696673249359,69292.866299414468812,71924.743696673249359,74556.621093932029906,220946.7565454490832,7.9693999999999999648e-05,0.00011137650000000000674,0.00011137650000000000674,NULL,NULL,NULL,NULL,0,0);
DELETE FROM sqlite_sequence;
INSERT INTO sqlite_sequence VALUES('checkpoints',1);
INSERT INTO sqlite_sequence VALUES('runs',1);
CREATE INDEX checkpoints_by_blob ON checkpoints (adapter_blob_id);
CREATE INDEX aliases_by_checkpoint ON aliases (checkpoint_id);
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
COMMIT;
PRAGMA application_id = 1397771346;
PRAGMA user_version = 1;
