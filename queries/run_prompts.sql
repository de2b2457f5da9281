-- Which prompts did a run take, in the order of their file?
--
-- :run_id  the run
SELECT
    r.prompt_index,
    r.external_id,
    r.category,
    p.sha256,
    p.text
FROM run_prompts AS r
JOIN prompts AS p ON p.id = r.prompt_id
WHERE r.run_id = :run_id
ORDER BY r.prompt_index;
