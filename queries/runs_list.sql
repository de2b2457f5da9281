-- Which runs are there, newest first, and how did they go?
--
-- :limit            how many to show; -1 for all [default: -1]
-- :crashed_run_ids  the running ones whose process is known to be gone, as a JSON list; NULL: go by their silence
--                   (view run_states) [default: null]
--
-- Speeds are those of the summaries, which a run has once it has ended. Of training runs alone: num_steps done, train_loss
-- of the last, and best_expected_acceptance, the highest of their held-out figures (view train_evaluations).
SELECT
    r.id AS run_id,
    r.name,
    r.kind,
    CASE
        WHEN r.status <> 'running' OR :crashed_run_ids IS NULL THEN s.state
        WHEN r.id IN (SELECT value FROM json_each(:crashed_run_ids)) THEN 'crashed'
        ELSE 'running'
    END AS state,
    strftime('%Y-%m-%dT%H:%M:%SZ', r.started_at_ms / 1000, 'unixepoch') AS started_at,
    (r.ended_at_ms - r.started_at_ms) / 1e3 AS duration,
    (SELECT count(*) FROM generations AS g WHERE g.run_id = r.id) AS num_generations,
    r.num_planned_generations,
    (SELECT count(*) FROM run_prompts AS p WHERE p.run_id = r.id) AS num_prompts,
    (SELECT m.path FROM run_models AS m WHERE m.run_id = r.id AND m.role = 'target') AS target,
    (SELECT m.path FROM run_models AS m WHERE m.run_id = r.id AND m.role = 'draft') AS draft,
    target_only.avg_tokens_per_second AS target_tokens_per_second,
    spec_base.avg_tokens_per_second / target_only.avg_tokens_per_second AS spec_base_speedup,
    spec_lora.avg_tokens_per_second / target_only.avg_tokens_per_second AS spec_lora_speedup,
    (SELECT max(ts.step) FROM train_steps AS ts WHERE ts.run_id = r.id) AS num_steps,
    (SELECT ts.loss FROM train_steps AS ts WHERE ts.run_id = r.id ORDER BY ts.step DESC LIMIT 1) AS train_loss,
    (
        SELECT max(v.expected_acceptance)
        FROM (
            SELECT sum(ee.expected_acceptance) / sum(ee.num_positions) AS expected_acceptance
            FROM example_evaluations AS ee
            WHERE ee.run_id = r.id
            GROUP BY ee.step
        ) AS v
    ) AS best_expected_acceptance,
    r.uid
FROM runs AS r
JOIN run_states AS s ON s.run_id = r.id
LEFT JOIN mode_summaries AS target_only ON target_only.run_id = r.id AND target_only.mode = 'target_only'
LEFT JOIN mode_summaries AS spec_base ON spec_base.run_id = r.id AND spec_base.mode = 'spec_base'
LEFT JOIN mode_summaries AS spec_lora ON spec_lora.run_id = r.id AND spec_lora.mode = 'spec_lora'
WHERE r.deleted_at_ms IS NULL
ORDER BY r.id DESC
LIMIT :limit;
