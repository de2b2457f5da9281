-- How did each prompt of a run fare in each mode, its iterations averaged?
--
-- :run_id  the run
--
-- The view prompt_metrics for one run, with what the prompt file says of each prompt.
SELECT
    p.run_id,
    p.prompt_index,
    i.external_id,
    i.category,
    p.mode,
    p.num_iterations,
    p.num_failed,
    p.total_tokens,
    p.num_rounds,
    p.num_drafted,
    p.num_accepted,
    p.num_emitted,
    p.tokens_per_second,
    p.decode_tokens_per_second,
    p.time_per_output_token,
    p.time_to_first_token,
    p.time_to_last_token,
    p.acceptance_rate,
    p.mean_acceptance_length,
    p.is_lossless
FROM prompt_metrics AS p
JOIN modes ON modes.mode = p.mode
JOIN run_prompts AS i ON i.run_id = p.run_id AND i.prompt_index = p.prompt_index
WHERE p.run_id = :run_id
ORDER BY p.prompt_index, modes.display_order;
