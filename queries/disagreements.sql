-- Which tokens did a run's draft propose most often where the target chose others?
--
-- :run_id  the run
-- :limit   how many pairs of tokens to show, the most frequent first; -1 for all [default: 20]
--
-- Probabilities are raw, softmax(logits): the draft's of its own proposal, the target's of its own choice. Tokens are ids of
-- the run's tokenizer, whose texts no table has; example_prompt is the first prompt, by its index, whose answer has the pair,
-- and num_prompts says how many have.
SELECT
    c.draft_token,
    c.target_token,
    c.num_disagreements,
    c.avg_draft_probability,
    c.avg_target_probability,
    c.num_prompts,
    p.text AS example_prompt
FROM (
    SELECT
        d.draft_token,
        d.target_token,
        count(*) AS num_disagreements,
        avg(d.draft_probability) AS avg_draft_probability,
        avg(d.target_probability) AS avg_target_probability,
        count(DISTINCT g.prompt_index) AS num_prompts,
        min(g.prompt_index) AS first_prompt_index
    FROM generations AS g
    JOIN disagreements AS d ON d.generation_id = g.id
    WHERE g.run_id = :run_id AND g.is_warmup = 0
    GROUP BY d.draft_token, d.target_token
    ORDER BY num_disagreements DESC, d.draft_token, d.target_token
    LIMIT :limit
) AS c
JOIN run_prompts AS rp ON rp.run_id = :run_id AND rp.prompt_index = c.first_prompt_index
JOIN prompts AS p ON p.id = rp.prompt_id
ORDER BY c.num_disagreements DESC, c.draft_token, c.target_token;
