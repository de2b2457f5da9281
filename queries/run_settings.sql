-- With which settings did a run work, and what decided each?
--
-- :run_id  the run
--
-- value is JSON: text stands in quotes, and null is a setting that is absent.
SELECT
    key,
    value,
    number,
    origin,
    source
FROM run_settings
WHERE run_id = :run_id
ORDER BY key;
