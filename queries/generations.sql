-- What happened in each generation of a run, warm-ups and failures included, in the order in which they ran?
--
-- :run_id  the run
--
-- Counts and nanoseconds are as measured; the ratios are those of the view generation_figures. output_tokens is left
-- out: it is bytes.
SELECT
    g.run_id,
    g.id AS generation_id,
    g.environment_id,
    g.exec_order,
    g.prompt_index,
    g.mode,
    g.iteration,
    g.is_warmup,
    g.checkpoint_id,
    g.seed,
    strftime('%Y-%m-%dT%H:%M:%SZ', g.started_at_ms / 1000, 'unixepoch') AS started_at,
    g.load_average,
    g.error,
    g.stop_reason,
    g.num_prompt_tokens,
    g.total_tokens,
    g.num_rounds,
    g.num_drafted,
    g.num_accepted,
    g.num_emitted,
    g.num_target_forwards,
    g.num_draft_forwards,
    g.time_to_first_token_ns,
    g.time_to_last_token_ns,
    f.tokens_per_second,
    f.decode_tokens_per_second,
    f.acceptance_rate,
    f.mean_acceptance_length,
    f.is_lossless,
    g.output_sha256,
    g.output_text
FROM generation_figures AS f
JOIN generations AS g ON g.id = f.generation_id
WHERE f.run_id = :run_id
ORDER BY g.exec_order, g.id;
