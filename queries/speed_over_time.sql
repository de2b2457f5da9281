-- How did a mode's speed on a target change from day to day, and from one version of the program to the next?
--
-- :mode    the mode [one of: target_only, spec_base, spec_lora, control] [default: spec_base]
-- :target  name or path of the target; NULL for each of them [default: null]
--
-- One row a day (UTC), machine, target, prompt set, version and commit, of benches that have ended and are not in the trash,
-- the oldest first. Figures are means over these runs of what their summaries say; speedup is over each run's own target_only. A
-- commit with git_dirty 1 had changes that were not committed.
SELECT
    strftime('%Y-%m-%d', r.started_at_ms / 1000, 'unixepoch') AS day,
    e.hostname,
    coalesce(m.name, max(rm.path)) AS target,
    ps.name AS prompt_set,
    e.speclora_version,
    e.git_commit,
    e.git_dirty,
    count(*) AS num_runs,
    avg(s.avg_tokens_per_second) AS avg_tokens_per_second,
    min(s.avg_tokens_per_second) AS lowest_tokens_per_second,
    max(s.avg_tokens_per_second) AS highest_tokens_per_second,
    avg(s.avg_tokens_per_second / baseline.avg_tokens_per_second) AS avg_speedup,
    avg(s.avg_acceptance_rate) AS avg_acceptance_rate,
    max(r.id) AS newest_run_id
FROM mode_summaries AS s
JOIN runs AS r ON r.id = s.run_id
JOIN environments AS e ON e.id = r.environment_id
JOIN prompt_sets AS ps ON ps.id = r.prompt_set_id
JOIN run_models AS rm ON rm.run_id = r.id AND rm.role = 'target'
JOIN models AS m ON m.id = rm.model_id
LEFT JOIN mode_summaries AS baseline ON baseline.run_id = r.id AND baseline.mode = 'target_only'
WHERE s.mode = :mode AND r.kind = 'bench' AND r.deleted_at_ms IS NULL AND (:target IS NULL OR :target IN (m.name, rm.path))
GROUP BY day, e.hostname, m.id, ps.id, e.speclora_version, e.git_commit, e.git_dirty
ORDER BY day, newest_run_id;
