-- What training needs and leaves: examples, disagreements, steps, evaluations and checkpoints.
--
-- Nothing here is deleted by training. What a run trained on, and when, is in `train_step_examples`, so that a benchmark
-- over prompts that an adapter has seen is found by a query.

---------------------------------------------------------------------------------------------------------------------
-- Examples: what the target said, and what it thought
---------------------------------------------------------------------------------------------------------------------

-- One answer of one target to one prompt. `sha256` hashes the target, the token ids of prompt and output, and the
-- temperature of the probabilities: the same answer again is the same example. `generation_id` is where it was first
-- collected; NULL where that is gone, until the answer is collected again.
--
-- `split_key` is drawn from the prompt's hash, between 0 and 1: a run with `holdout` h trains on no example whose key is
-- below h, so that a prompt is on the same side in every run with the same h.
--
-- `target_blob_id` has the target's probabilities at each output position, softmax(logits / temperature), position after
-- position: `top_k` token ids (u32), likeliest first, as many probabilities (f16), and the mass of all other tokens (f32);
-- little-endian.
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
CREATE INDEX examples_by_prompt ON examples (prompt_id);
CREATE INDEX examples_by_generation ON examples (generation_id) WHERE generation_id IS NOT NULL;
CREATE INDEX examples_by_target ON examples (target_model_id);
CREATE INDEX examples_by_blob ON examples (target_blob_id);

-- Every answer that was collected, with the example that it is: several, where it was collected more than once.
CREATE TABLE generation_examples (
    generation_id INTEGER PRIMARY KEY REFERENCES generations (id) ON DELETE CASCADE,
    example_id    INTEGER NOT NULL REFERENCES examples (id) ON DELETE CASCADE
) STRICT;
CREATE INDEX generation_examples_by_example ON generation_examples (example_id);

-- The first proposal of a round that the target refused. `position` counts output tokens from 0. Probabilities are raw,
-- softmax(logits): the draft's of its own proposal, the target's of its own choice.
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

---------------------------------------------------------------------------------------------------------------------
-- Training
---------------------------------------------------------------------------------------------------------------------

-- The examples of a training run, and what each is for: 'train' is new, 'replay' was matched well already or was trained
-- on before, 'held_out' is never trained on and decides which checkpoint is best.
CREATE TABLE run_examples (
    run_id     INTEGER NOT NULL REFERENCES runs (id) ON DELETE CASCADE,
    example_id INTEGER NOT NULL REFERENCES examples (id) ON DELETE RESTRICT,
    purpose    TEXT    NOT NULL CHECK (purpose IN ('train', 'replay', 'held_out')),
    PRIMARY KEY (run_id, example_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX run_examples_by_example ON run_examples (example_id);

-- One step of the optimiser. A loss that is no number is NULL, and `nonfinite` says what it was; the run stops there.
-- `num_positions` counts output positions that have a loss, `num_tokens` all that went through the model.
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

-- Which examples a step learned from.
CREATE TABLE train_step_examples (
    run_id     INTEGER NOT NULL,
    step       INTEGER NOT NULL,
    example_id INTEGER NOT NULL,
    PRIMARY KEY (run_id, step, example_id),
    FOREIGN KEY (run_id, step) REFERENCES train_steps (run_id, step) ON DELETE CASCADE,
    FOREIGN KEY (run_id, example_id) REFERENCES run_examples (run_id, example_id) ON DELETE CASCADE
) STRICT, WITHOUT ROWID;
CREATE INDEX train_step_examples_by_example ON train_step_examples (run_id, example_id);

-- What the draft with its adapter, after so many steps, makes of a held-out example; step 0 is before the first. The sums
-- are over its output positions: Σ Σ_v min(p, q), positions where both models' likeliest tokens are equal, and the loss.
-- The counts of rounds are those that greedy speculation with the run's `num_draft_tokens` would have had on this output.
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

-- Checkpoints of training. The adapter is in `checkpoints`; `state_blob_id` has the optimiser's state (safetensors), from
-- which `--resume` goes on, and is kept for a run's newest checkpoint alone. Every random choice is a function of the
-- run's seed and the step, so that there is no other state.
CREATE TABLE train_checkpoints (
    run_id        INTEGER NOT NULL REFERENCES runs (id) ON DELETE CASCADE,
    step          INTEGER NOT NULL CHECK (step >= 0),
    checkpoint_id INTEGER NOT NULL REFERENCES checkpoints (id) ON DELETE RESTRICT,
    state_blob_id INTEGER REFERENCES blobs (id) ON DELETE RESTRICT,
    created_at_ms INTEGER NOT NULL,
    PRIMARY KEY (run_id, step)
) STRICT, WITHOUT ROWID;
CREATE INDEX train_checkpoints_by_checkpoint ON train_checkpoints (checkpoint_id);
CREATE INDEX train_checkpoints_by_blob ON train_checkpoints (state_blob_id) WHERE state_blob_id IS NOT NULL;

-- `speclora evaluate`: what a draft makes of the target's output to a prompt of a run; `checkpoint_id` is NULL for the
-- draft as it is. Columns as in `example_evaluations`.
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
CREATE UNIQUE INDEX prompt_evaluations_once
ON prompt_evaluations (run_id, prompt_index, coalesce(checkpoint_id, 0));
CREATE INDEX prompt_evaluations_by_checkpoint ON prompt_evaluations (checkpoint_id) WHERE checkpoint_id IS NOT NULL;

---------------------------------------------------------------------------------------------------------------------
-- Names
---------------------------------------------------------------------------------------------------------------------

-- Each draft has its own `best`, `final` and `latest`: a name stands for one checkpoint of each draft. The names there were
-- go to the draft of their checkpoint.
ALTER TABLE aliases RENAME TO earlier_aliases;
DROP INDEX aliases_by_checkpoint;
CREATE TABLE aliases (
    name           TEXT    NOT NULL CHECK (name <> ''),
    draft_model_id INTEGER NOT NULL REFERENCES models (id) ON DELETE RESTRICT,
    checkpoint_id  INTEGER NOT NULL REFERENCES checkpoints (id) ON DELETE CASCADE,
    set_at_ms      INTEGER NOT NULL,
    PRIMARY KEY (name, draft_model_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX aliases_by_checkpoint ON aliases (checkpoint_id);
INSERT INTO aliases (name, draft_model_id, checkpoint_id, set_at_ms)
SELECT a.name, c.draft_model_id, a.checkpoint_id, a.set_at_ms
FROM earlier_aliases AS a
JOIN checkpoints AS c ON c.id = a.checkpoint_id;
DROP TABLE earlier_aliases;

---------------------------------------------------------------------------------------------------------------------
-- Figures
---------------------------------------------------------------------------------------------------------------------

-- A training run's held-out figures by step: ᾱ = mean of Σ_v min(p, q) over positions, the share of positions where both
-- models' likeliest tokens are equal, the mean loss, and acceptance rate and τ that greedy speculation would have had.
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

-- The same for `speclora evaluate`, by draft.
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

-- A checkpoint, the run that trained it, and every checkpoint that it continues, itself at depth 0. An adapter that was
-- imported has no run. `step` is how far that run had come when the checkpoint was made.
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

PRAGMA user_version = 3;
