-- Which outputs of a greedy run are not the target's own?
--
-- :run_id  the run
--
-- One row a generation whose token ids differ from those of target_only for its prompt and iteration; none in a run that is
-- lossless. A run that samples has no row either: only greedy outputs must be equal (view generation_figures).
SELECT
    f.prompt_index,
    p.text AS prompt,
    f.mode,
    f.iteration,
    f.is_warmup,
    f.generation_id,
    target.id AS target_generation_id,
    f.total_tokens,
    target.total_tokens AS target_total_tokens,
    g.output_text,
    target.output_text AS target_output_text
FROM generation_figures AS f
JOIN generations AS g ON g.id = f.generation_id
JOIN generations AS target
    ON target.run_id = f.run_id AND target.prompt_index = f.prompt_index AND target.mode = 'target_only'
    AND target.iteration = f.iteration AND target.is_warmup = f.is_warmup
JOIN run_prompts AS rp ON rp.run_id = f.run_id AND rp.prompt_index = f.prompt_index
JOIN prompts AS p ON p.id = rp.prompt_id
JOIN modes ON modes.mode = f.mode
WHERE f.run_id = :run_id AND f.is_lossless = 0
ORDER BY f.prompt_index, modes.display_order, f.iteration, f.is_warmup;
