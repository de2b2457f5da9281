-- What is known of a run as a whole?
--
-- :run_id           the run
-- :crashed_run_ids  the running ones whose process is known to be gone, as a JSON list; NULL: go by their silence
--                   (view run_states) [default: null]
--
-- duration is in seconds, from the beginning to the end, with the pause before a --resume. num_steps, train_loss (of the
-- last step) and the numbers of examples are those of training runs. Machine and program are those that measure now, or did
-- last; num_environments says how many took part.
SELECT
    r.id AS run_id,
    r.uid,
    r.name,
    r.kind,
    CASE
        WHEN r.status <> 'running' OR :crashed_run_ids IS NULL THEN s.state
        WHEN r.id IN (SELECT value FROM json_each(:crashed_run_ids)) THEN 'crashed'
        ELSE 'running'
    END AS state,
    r.error,
    r.command_line,
    strftime('%Y-%m-%dT%H:%M:%SZ', r.started_at_ms / 1000, 'unixepoch') AS started_at,
    strftime('%Y-%m-%dT%H:%M:%SZ', r.ended_at_ms / 1000, 'unixepoch') AS ended_at,
    strftime('%Y-%m-%dT%H:%M:%SZ', r.heartbeat_at_ms / 1000, 'unixepoch') AS heartbeat_at,
    (r.ended_at_ms - r.started_at_ms) / 1e3 AS duration,
    r.num_generations,
    (SELECT count(g.error) FROM generations AS g WHERE g.run_id = r.id) AS num_failed,
    r.num_planned_generations,
    r.num_prompts,
    (SELECT max(ts.step) FROM train_steps AS ts WHERE ts.run_id = r.id) AS num_steps,
    (SELECT ts.loss FROM train_steps AS ts WHERE ts.run_id = r.id ORDER BY ts.step DESC LIMIT 1) AS train_loss,
    (SELECT count(*) FROM run_examples AS x WHERE x.run_id = r.id AND x.purpose = 'train') AS num_train_examples,
    (SELECT count(*) FROM run_examples AS x WHERE x.run_id = r.id AND x.purpose = 'replay') AS num_replay_examples,
    (SELECT count(*) FROM run_examples AS x WHERE x.run_id = r.id AND x.purpose = 'held_out') AS num_held_out_examples,
    ps.name AS prompt_set,
    ps.sha256 AS prompt_set_sha256,
    v.num_tokens AS num_draft_vocabulary_tokens,
    v.num_special AS num_special_tokens,
    v.num_from_outputs AS num_tokens_from_outputs,
    v.num_from_list AS num_tokens_from_list,
    v.num_from_lowest AS num_tokens_from_lowest,
    vb.sha256 AS draft_vocabulary_sha256,
    r.checkpoint_id,
    c.source AS adapter_source,
    b.sha256 AS adapter_sha256,
    (
        SELECT json_group_object(t.key, t.value)
        FROM (SELECT key, value FROM run_tags WHERE run_id = r.id ORDER BY key) AS t
    ) AS tags,
    (
        SELECT group_concat(n.text, char(10))
        FROM (SELECT text FROM run_notes WHERE run_id = r.id ORDER BY id) AS n
    ) AS notes,
    (SELECT count(DISTINCT g.environment_id) FROM generations AS g WHERE g.run_id = r.id) AS num_environments,
    e.hostname,
    e.os,
    e.kernel,
    e.cpu_model,
    e.num_cpus,
    e.memory_bytes,
    e.engine,
    e.speclora_version,
    e.git_commit,
    e.git_dirty
FROM runs AS r
JOIN run_states AS s ON s.run_id = r.id
JOIN environments AS e ON e.id = r.environment_id
JOIN prompt_sets AS ps ON ps.id = r.prompt_set_id
LEFT JOIN run_draft_vocabularies AS v ON v.run_id = r.id
LEFT JOIN blobs AS vb ON vb.id = v.blob_id
LEFT JOIN checkpoints AS c ON c.id = r.checkpoint_id
LEFT JOIN blobs AS b ON b.id = c.adapter_blob_id
WHERE r.id = :run_id;
