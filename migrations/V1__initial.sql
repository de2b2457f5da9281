-- The first schema: what a benchmark needs, from the machine down to the single round of speculation.
--
-- How to read it:
--   * Counts, monotonic nanoseconds, token ids and hashes are stored; ratios are views at the end of this file.
--   * `…_at_ms` is UTC, in milliseconds since 1970-01-01; `…_ns` is a duration; hashes are lower-case hex SHA-256.
--   * NULL means "there is none": never 0, never NaN. What may be NULL says so; the rest is NOT NULL.
--   * Deleting a run takes with it what only it owns (CASCADE); what runs share cannot be deleted under them
--     (RESTRICT).
--
-- Beside the file's history in `refinery_schema_history`, every migration ends by setting `user_version` to its own
-- number, inside its transaction, so that any SQLite program can tell the version.

---------------------------------------------------------------------------------------------------------------------
-- What runs share
---------------------------------------------------------------------------------------------------------------------

-- Machine and program. A thousand runs on one machine share one row: `fingerprint` hashes all other columns.
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

-- A model is its content: `sha256` is the hash of its file, or of its files' hashes. Where it lay is the run's affair.
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

CREATE TABLE model_files (
    model_id   INTEGER NOT NULL REFERENCES models (id) ON DELETE CASCADE,
    name       TEXT    NOT NULL,
    sha256     TEXT    NOT NULL CHECK (length(sha256) = 64),
    size_bytes INTEGER NOT NULL CHECK (size_bytes >= 0),
    PRIMARY KEY (model_id, name)
) STRICT, WITHOUT ROWID;

-- A memo, not a record: hashing gigabytes takes seconds, so a file whose size and time are unchanged is not hashed
-- again.
CREATE TABLE file_hashes (
    path       TEXT    PRIMARY KEY,
    size_bytes INTEGER NOT NULL CHECK (size_bytes >= 0),
    mtime_ns   INTEGER NOT NULL,
    sha256     TEXT    NOT NULL CHECK (length(sha256) = 64)
) STRICT, WITHOUT ROWID;

-- A prompt is its text: the same words in two files are one row, and are compared as one across runs.
CREATE TABLE prompts (
    id     INTEGER PRIMARY KEY,
    sha256 TEXT    NOT NULL UNIQUE CHECK (length(sha256) = 64),
    text   TEXT    NOT NULL
) STRICT;

-- A file of prompts, known by name and content. Which of them a run took, and in which order, is in `run_prompts`.
CREATE TABLE prompt_sets (
    id     INTEGER PRIMARY KEY,
    name   TEXT    NOT NULL,
    sha256 TEXT    NOT NULL CHECK (length(sha256) = 64),
    UNIQUE (sha256, name)
) STRICT;

-- How tokens are generated. A table and not a CHECK, because its order is the order in which modes are shown.
CREATE TABLE modes (
    mode          TEXT    PRIMARY KEY,
    display_order INTEGER NOT NULL UNIQUE,
    meaning       TEXT    NOT NULL
) STRICT, WITHOUT ROWID;

INSERT INTO modes (mode, display_order, meaning)
VALUES ('target_only', 0, 'the target alone, one token a pass'),
       ('spec_base',   1, 'speculative decoding with the draft as it is'),
       ('spec_lora',   2, 'speculative decoding with a LoRA adapter on the draft'),
       ('control',     3, 'the target alone once more (A/A): its speedup is the noise of the measurement');

---------------------------------------------------------------------------------------------------------------------
-- Adapters: bytes, checkpoints, names
---------------------------------------------------------------------------------------------------------------------

-- Bytes by content. In chunks of 1 MiB, because SQLite holds a value in memory as a whole, and limits its size.
CREATE TABLE blobs (
    id         INTEGER PRIMARY KEY,
    sha256     TEXT    NOT NULL UNIQUE CHECK (length(sha256) = 64),
    size_bytes INTEGER NOT NULL CHECK (size_bytes >= 0)
) STRICT;

CREATE TABLE blob_chunks (
    id          INTEGER PRIMARY KEY,
    blob_id     INTEGER NOT NULL REFERENCES blobs (id) ON DELETE CASCADE,
    chunk_index INTEGER NOT NULL CHECK (chunk_index >= 0),
    data        BLOB    NOT NULL CHECK (length(data) BETWEEN 1 AND 1048576),
    UNIQUE (blob_id, chunk_index)
) STRICT;

-- A LoRA adapter for one draft model. The same weights under another `adapter_config` (its α, say) act differently,
-- so that both are part of the identity.
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
CREATE INDEX checkpoints_by_blob ON checkpoints (adapter_blob_id);

-- Names that people and training move from one checkpoint to the next: `best`, `final`, `latest`, or their own.
CREATE TABLE aliases (
    name          TEXT    PRIMARY KEY CHECK (name <> ''),
    checkpoint_id INTEGER NOT NULL REFERENCES checkpoints (id) ON DELETE CASCADE,
    set_at_ms     INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX aliases_by_checkpoint ON aliases (checkpoint_id);

---------------------------------------------------------------------------------------------------------------------
-- Runs
---------------------------------------------------------------------------------------------------------------------

-- One execution of a command that measures. `id` is what people type and is never given twice; `uid` holds across
-- databases. `kind` is the command's name; which there are is the program's affair, so that a new one needs no new table.
-- A run whose process died stays 'running': see the view `run_states`. `environment_id` is where it is measured now, or
-- was last: one that is taken up again may go on elsewhere, and each generation keeps its own.
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
CREATE INDEX runs_by_name ON runs (name, id) WHERE name IS NOT NULL;
CREATE INDEX runs_running ON runs (id) WHERE status = 'running';
CREATE INDEX runs_by_checkpoint ON runs (checkpoint_id) WHERE checkpoint_id IS NOT NULL;

-- The resolved settings, each with the layer that decided it. `value` is JSON, so that 4, "4" and null stay apart;
-- `number` is its number, for comparing and sorting.
CREATE TABLE run_settings (
    run_id INTEGER NOT NULL REFERENCES runs (id) ON DELETE CASCADE,
    key    TEXT    NOT NULL,
    value  TEXT    NOT NULL CHECK (json_valid(value)),
    number REAL    AS (CASE WHEN json_type(value) IN ('integer', 'real') THEN CAST(value AS REAL) END),
    origin TEXT    NOT NULL CHECK (origin IN ('default', 'file', 'environment', 'flag')),
    source TEXT,
    PRIMARY KEY (run_id, key)
) STRICT, WITHOUT ROWID;

CREATE TABLE run_models (
    run_id   INTEGER NOT NULL REFERENCES runs (id) ON DELETE CASCADE,
    role     TEXT    NOT NULL CHECK (role IN ('target', 'draft')),
    model_id INTEGER NOT NULL REFERENCES models (id) ON DELETE RESTRICT,
    path     TEXT    NOT NULL,
    PRIMARY KEY (run_id, role)
) STRICT, WITHOUT ROWID;
CREATE INDEX run_models_by_model ON run_models (model_id);

-- The prompts of a run. `prompt_index` is the place in the prompt file's order, from 0.
CREATE TABLE run_prompts (
    run_id       INTEGER NOT NULL REFERENCES runs (id) ON DELETE CASCADE,
    prompt_index INTEGER NOT NULL CHECK (prompt_index >= 0),
    prompt_id    INTEGER NOT NULL REFERENCES prompts (id) ON DELETE RESTRICT,
    external_id  TEXT,
    category     TEXT,
    PRIMARY KEY (run_id, prompt_index)
) STRICT, WITHOUT ROWID;
CREATE INDEX run_prompts_by_prompt ON run_prompts (prompt_id);

CREATE TABLE run_tags (
    run_id INTEGER NOT NULL REFERENCES runs (id) ON DELETE CASCADE,
    key    TEXT    NOT NULL CHECK (key <> ''),
    value  TEXT    NOT NULL,
    PRIMARY KEY (run_id, key)
) STRICT, WITHOUT ROWID;

CREATE TABLE run_notes (
    id            INTEGER PRIMARY KEY,
    run_id        INTEGER NOT NULL REFERENCES runs (id) ON DELETE CASCADE,
    text          TEXT    NOT NULL,
    created_at_ms INTEGER NOT NULL
) STRICT;
CREATE INDEX run_notes_by_run ON run_notes (run_id);

---------------------------------------------------------------------------------------------------------------------
-- Measurements
---------------------------------------------------------------------------------------------------------------------

-- One prompt, one mode, one iteration. A failure is a row too: it has an `error` and no results. The counts of rounds,
-- drafted, accepted and emitted tokens are the sums over `rounds`, kept here so that no summary has to read those.
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
CREATE INDEX generations_by_environment ON generations (environment_id);
CREATE INDEX generations_by_checkpoint ON generations (checkpoint_id) WHERE checkpoint_id IS NOT NULL;

-- One round of speculation: what the draft proposed, how much of it the target accepted, what entered the output (the
-- accepted tokens and one of the target's own). The first token of an output is the prompt pass's, in no round.
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

-- What `mode_metrics` said when the run ended, kept so that lists of runs cost nothing. Written from that view alone.
-- Another version of SQLite may add up the view's means in another order, and so differ from these in the last bit.
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

---------------------------------------------------------------------------------------------------------------------
-- Views: what the numbers mean. Core SQL alone, so that any SQLite program can read them.
---------------------------------------------------------------------------------------------------------------------

-- How each run stands. 'crashed': stored as running, but silent for ten minutes. SQL cannot ask for a process; speclora
-- does, and so knows of a crash at once where the run was on this machine.
CREATE VIEW run_states AS
SELECT
    id AS run_id,
    CASE
        WHEN status = 'running' AND heartbeat_at_ms < (unixepoch() - 600) * 1000 THEN 'crashed'
        ELSE status
    END AS state
FROM runs;

-- One row per generation, warm-ups included: for lists of what ran. What is averaged comes from the next view.
--   total_tokens              tokens emitted, the stop token included
--   time_to_first_token       seconds from the request to the first token: templating, tokenising, prompt pass
--   time_to_last_token        seconds from the request to the last token
--   tokens_per_second         total_tokens / time_to_last_token: end to end
--   decode_tokens_per_second  (total_tokens - 1) / (time_to_last_token - time_to_first_token)
--   time_per_output_token     its inverse, in seconds
--   acceptance_rate           accepted / drafted tokens
--   mean_acceptance_length    emitted tokens / rounds
--   is_lossless               whether the token ids equal those of target_only for this prompt and iteration; only
--                             where the run is greedy (temperature 0), since only there they must
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

-- One row per generation that counts. A failed one is there with its error, and without figures, so that no average
-- takes it in.
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

-- One row per run, mode and prompt: the means over its iterations, and the sums of its counts.
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

-- One row per run and mode: unweighted means over prompts, so that a long answer counts no more than a short one.
--   num_prompts      prompts with a result, not prompts x iterations
--   num_generations  generations, failed ones included; num_failed of them failed
--   acceptance_rate, mean_acceptance_length   pooled: over all tokens and rounds of the mode
--   num_compared     prompts that could be compared to target_only; num_lossless of them were equal to the token
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
GROUP BY run_id, mode;

-- One row per run, mode and place in the draft's proposal, from 1.
--   num_proposed, num_accepted   rounds that proposed a token at this place; rounds that accepted it
--   acceptance_rate              num_accepted / num_proposed
--   conditional_acceptance_rate  the same over the rounds that had accepted all places before: a_i of the predicted
--                                speedup
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
GROUP BY run_id, mode, position;

PRAGMA user_version = 1;
