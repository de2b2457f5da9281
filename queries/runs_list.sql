-- Which runs are there, newest first, and how did they go?
--
-- :limit            how many to show; -1 for all [default: -1]
-- :in_trash         1 for the runs in the trash, 0 for all others [default: 0]
-- :crashed_run_ids  the running ones whose process is known to be gone, as a JSON list; NULL: go by their silence
--                   (view run_states) [default: null]
--
-- Speeds are those of the summaries, which a run has once it has ended. Of training runs alone: num_steps done, train_loss
-- of the last, and best_expected_acceptance, the highest of their held-out figures after step 0
-- (view train_evaluations). checkpoint_id is the adapter that a run used or, where it trained, went on from.
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
    r.num_generations,
    r.num_planned_generations,
    r.num_prompts,
    (SELECT m.path FROM run_models AS m WHERE m.run_id = r.id AND m.role = 'target') AS target,
    (SELECT m.path FROM run_models AS m WHERE m.run_id = r.id AND m.role = 'draft') AS draft,
    r.checkpoint_id,
    target_only.avg_tokens_per_second AS target_tokens_per_second,
    spec_base.avg_tokens_per_second / target_only.avg_tokens_per_second AS spec_base_speedup,
    spec_lora.avg_tokens_per_second / target_only.avg_tokens_per_second AS spec_lora_speedup,
    CASE r.kind WHEN 'train' THEN (SELECT max(ts.step) FROM train_steps AS ts WHERE ts.run_id = r.id) END AS num_steps,
    CASE r.kind
        WHEN 'train' THEN (SELECT ts.loss FROM train_steps AS ts WHERE ts.run_id = r.id ORDER BY ts.step DESC LIMIT 1)
    END AS train_loss,
    CASE r.kind WHEN 'train' THEN coalesce(
        (SELECT max(es.expected_acceptance) FROM train_evaluation_summaries AS es WHERE es.run_id = r.id AND es.step > 0),
        (
            SELECT max(v.expected_acceptance)
            FROM (
                SELECT sum(ee.expected_acceptance) / sum(ee.num_positions) AS expected_acceptance
                FROM example_evaluations AS ee
                WHERE ee.run_id = r.id AND ee.step > 0
                GROUP BY ee.step
            ) AS v
        )
    ) END AS best_expected_acceptance,
    strftime('%Y-%m-%dT%H:%M:%SZ', r.deleted_at_ms / 1000, 'unixepoch') AS deleted_at,
    r.uid
FROM runs AS r
JOIN run_states AS s ON s.run_id = r.id
LEFT JOIN mode_summaries AS target_only ON target_only.run_id = r.id AND target_only.mode = 'target_only'
LEFT JOIN mode_summaries AS spec_base ON spec_base.run_id = r.id AND spec_base.mode = 'spec_base'
LEFT JOIN mode_summaries AS spec_lora ON spec_lora.run_id = r.id AND spec_lora.mode = 'spec_lora'
WHERE (r.deleted_at_ms IS NOT NULL) = :in_trash
ORDER BY r.id DESC
LIMIT :limit;
