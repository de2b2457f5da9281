-- On which machines did runs measure, and how fast was each target there in each mode?
--
-- :target  name or path of the target; NULL for each of them [default: null]
--
-- One row a machine, target and mode, of benches that have ended and are not in the trash, each counted at the machine where
-- it was measured last. Figures are those of the stored summaries (view mode_metrics): the mean, lowest and highest over runs of
-- avg_tokens_per_second, and the mean of avg_acceptance_rate. Prompts differ between runs: leaderboard compares what is alike.
SELECT
    e.hostname,
    e.cpu_model,
    e.num_cpus,
    coalesce(m.name, max(rm.path)) AS target,
    s.mode,
    count(*) AS num_runs,
    sum(s.num_generations) AS num_generations,
    avg(s.avg_tokens_per_second) AS avg_tokens_per_second,
    min(s.avg_tokens_per_second) AS lowest_tokens_per_second,
    max(s.avg_tokens_per_second) AS highest_tokens_per_second,
    avg(s.avg_acceptance_rate) AS avg_acceptance_rate,
    max(r.id) AS newest_run_id,
    strftime('%Y-%m-%dT%H:%M:%SZ', min(r.started_at_ms) / 1000, 'unixepoch') AS first_started_at,
    strftime('%Y-%m-%dT%H:%M:%SZ', max(r.started_at_ms) / 1000, 'unixepoch') AS last_started_at
FROM mode_summaries AS s
JOIN modes ON modes.mode = s.mode
JOIN runs AS r ON r.id = s.run_id
JOIN environments AS e ON e.id = r.environment_id
JOIN run_models AS rm ON rm.run_id = r.id AND rm.role = 'target'
JOIN models AS m ON m.id = rm.model_id
WHERE r.kind = 'bench' AND r.deleted_at_ms IS NULL AND (:target IS NULL OR :target IN (m.name, rm.path))
GROUP BY e.hostname, e.cpu_model, e.num_cpus, m.id, s.mode
ORDER BY e.hostname, e.cpu_model, e.num_cpus, target, m.id, modes.display_order;
