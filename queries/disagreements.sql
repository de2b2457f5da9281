-- Which tokens did a run's draft propose most often where the target chose others?
--
-- :run_id  the run
-- :limit   how many pairs of tokens to show, the most frequent first; -1 for all
--
-- Probabilities are raw, softmax(logits): the draft's of its own proposal, the target's of its own choice.
SELECT
    d.draft_token,
    d.target_token,
    count(*) AS num_disagreements,
    avg(d.draft_probability) AS avg_draft_probability,
    avg(d.target_probability) AS avg_target_probability
FROM generations AS g
JOIN disagreements AS d ON d.generation_id = g.id
WHERE g.run_id = :run_id AND g.is_warmup = 0
GROUP BY d.draft_token, d.target_token
ORDER BY num_disagreements DESC, d.draft_token, d.target_token
LIMIT :limit;
