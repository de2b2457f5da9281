-- A step of training costs less to store, and DuckDB can read every view of an attached file.

---------------------------------------------------------------------------------------------------------------------
-- Steps
---------------------------------------------------------------------------------------------------------------------

-- The examples of a step lie all over an index by example: each commit wrote a page of it for nearly every example. What it
-- was for, how often an example was learned from, is as well counted over the steps of its run.
DROP INDEX train_step_examples_by_example;

---------------------------------------------------------------------------------------------------------------------
-- Views
---------------------------------------------------------------------------------------------------------------------

-- Both say what they said before. DuckDB writes the text of an attached view with aggregates anew for SQLite to answer: of
-- `count(*)` in an expression, and of a recursion beside an aggregate, it made what SQLite does not know.
DROP VIEW prompt_metrics;
CREATE VIEW prompt_metrics AS
SELECT
    run_id,
    mode,
    prompt_index,
    count(CASE WHEN error IS NULL THEN 1 END) AS num_iterations,
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

DROP VIEW checkpoint_lineage;
CREATE VIEW checkpoint_lineage AS
WITH RECURSIVE
trained AS (
    SELECT tc.checkpoint_id, tc.run_id, tc.step, r.checkpoint_id AS parent_checkpoint_id
    FROM train_checkpoints AS tc
    JOIN runs AS r ON r.id = tc.run_id
    WHERE NOT EXISTS (
        SELECT 1
        FROM train_checkpoints AS later
        WHERE later.checkpoint_id = tc.checkpoint_id AND later.run_id = tc.run_id AND later.step > tc.step
    )
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

PRAGMA user_version = 5;
