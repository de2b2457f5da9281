-- How did loss and held-out figures go, step by step, in a training run?
--
-- :run_id  the run
--
-- Steps of the optimiser and evaluations side by side: step 0 is before the first. NULL where a step has no evaluation, or an
-- evaluation no step.
--   smoothed_loss                           mean of loss over this step and the nine before it
--   training_seconds, num_trained_tokens    time and tokens of all steps so far; evaluations are not in them
--   held_out_loss, expected_acceptance, acceptance_rate, mean_acceptance_length   view train_evaluations
WITH
trained AS (
    SELECT
        step,
        epoch,
        loss,
        avg(loss) OVER (ORDER BY step ROWS BETWEEN 9 PRECEDING AND CURRENT ROW) AS smoothed_loss,
        gradient_norm,
        learning_rate,
        sum(step_ns) OVER (ORDER BY step) / 1e9 AS training_seconds,
        sum(num_tokens) OVER (ORDER BY step) AS num_trained_tokens
    FROM train_steps
    WHERE run_id = :run_id
),
steps (step) AS (
    SELECT step FROM trained
    UNION
    SELECT step FROM example_evaluations WHERE run_id = :run_id
)
SELECT
    :run_id AS run_id,
    s.step,
    t.epoch,
    t.loss,
    t.smoothed_loss,
    t.gradient_norm,
    t.learning_rate,
    t.training_seconds,
    t.num_trained_tokens,
    v.loss AS held_out_loss,
    v.expected_acceptance,
    v.acceptance_rate,
    v.mean_acceptance_length,
    tc.checkpoint_id
FROM steps AS s
LEFT JOIN trained AS t ON t.step = s.step
LEFT JOIN train_evaluations AS v ON v.run_id = :run_id AND v.step = s.step
LEFT JOIN train_checkpoints AS tc ON tc.run_id = :run_id AND tc.step = s.step
ORDER BY s.step;
