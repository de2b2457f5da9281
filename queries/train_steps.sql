-- What happened in each step of a training run?
--
-- :run_id  the run
--
-- loss is NULL where it was no number, and nonfinite says what it was. num_positions are output positions with a loss,
-- num_tokens all that went through the model.
SELECT
    ts.run_id,
    ts.step,
    ts.epoch,
    ts.loss,
    ts.nonfinite,
    ts.gradient_norm,
    ts.learning_rate,
    (
        SELECT count(*)
        FROM train_step_examples AS tse
        WHERE tse.run_id = ts.run_id AND tse.step = ts.step
    ) AS num_examples,
    ts.num_positions,
    ts.num_tokens,
    ts.step_ns,
    ts.num_tokens * 1e9 / nullif(ts.step_ns, 0) AS tokens_per_second,
    strftime('%Y-%m-%dT%H:%M:%SZ', ts.ended_at_ms / 1000, 'unixepoch') AS ended_at
FROM train_steps AS ts
WHERE ts.run_id = :run_id
ORDER BY ts.step;
