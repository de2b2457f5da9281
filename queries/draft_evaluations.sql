-- How well does each draft of an evaluation match the target's outputs?
--
-- :run_id  the run
--
-- The view draft_evaluations for one run, the draft as it is first: its checkpoint_id is NULL. Beside its pooled
-- acceptance_rate, over all tokens: avg_acceptance_rate, the mean over prompts, as a bench has it.
SELECT
    v.run_id,
    v.checkpoint_id,
    (
        SELECT group_concat(a.name, ', ')
        FROM (SELECT name FROM aliases WHERE checkpoint_id = v.checkpoint_id ORDER BY name) AS a
    ) AS aliases,
    c.source,
    v.num_prompts,
    v.num_positions,
    v.expected_acceptance,
    v.top1_agreement,
    (
        SELECT avg(1.0 * pe.num_accepted / nullif(pe.num_drafted, 0))
        FROM prompt_evaluations AS pe
        WHERE pe.run_id = v.run_id AND pe.checkpoint_id IS v.checkpoint_id
    ) AS avg_acceptance_rate,
    v.acceptance_rate,
    v.mean_acceptance_length
FROM draft_evaluations AS v
LEFT JOIN checkpoints AS c ON c.id = v.checkpoint_id
WHERE v.run_id = :run_id
ORDER BY v.checkpoint_id NULLS FIRST;
