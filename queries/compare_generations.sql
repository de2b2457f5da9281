-- What did each generation of a run give that counts, when did it run, and under which load?
--
-- :run_id  the run
--
-- The view generation_metrics for one run, in the order of execution, with what speclora compare tells of that order. A
-- generation that failed has num_failed 1 and no figures. Runs are compared by the medians over a prompt's iterations.
SELECT
    m.prompt_index,
    m.mode,
    m.iteration,
    g.exec_order,
    g.started_at_ms,
    g.load_average,
    m.error IS NOT NULL AS num_failed,
    m.tokens_per_second,
    m.decode_tokens_per_second,
    m.time_per_output_token,
    m.time_to_first_token,
    m.time_to_last_token,
    m.acceptance_rate,
    m.num_emitted,
    m.num_rounds,
    m.is_lossless,
    g.output_sha256
FROM generation_metrics AS m
JOIN generations AS g ON g.id = m.generation_id
WHERE m.run_id = :run_id
ORDER BY g.exec_order, g.id;
