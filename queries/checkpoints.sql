-- Which adapters are stored, newest first, under which names, and for which draft model?
--
-- :limit  how many to show; -1 for all
SELECT
    c.id AS checkpoint_id,
    (
        SELECT group_concat(a.name, ', ')
        FROM (SELECT name FROM aliases WHERE checkpoint_id = c.id ORDER BY name) AS a
    ) AS aliases,
    c.rank,
    c.alpha,
    c.target_modules,
    c.source,
    strftime('%Y-%m-%dT%H:%M:%SZ', c.created_at_ms / 1000, 'unixepoch') AS created_at,
    b.size_bytes,
    b.sha256 AS adapter_sha256,
    m.name AS draft_model,
    m.sha256 AS draft_model_sha256,
    c.uid
FROM checkpoints AS c
JOIN blobs AS b ON b.id = c.adapter_blob_id
JOIN models AS m ON m.id = c.draft_model_id
ORDER BY c.id DESC
LIMIT :limit;
