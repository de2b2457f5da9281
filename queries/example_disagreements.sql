-- Where did a run's draft propose a token that the target refused?
--
-- :run_id  the run
--
-- One row a disagreement. position counts output tokens from 0; probabilities are raw, softmax(logits).
SELECT
    g.run_id,
    d.generation_id,
    ge.example_id,
    g.prompt_index,
    p.text AS prompt,
    d.round,
    d.position,
    d.draft_token,
    d.target_token,
    d.draft_probability,
    d.target_probability
FROM generations AS g
JOIN disagreements AS d ON d.generation_id = g.id
JOIN run_prompts AS rp ON rp.run_id = g.run_id AND rp.prompt_index = g.prompt_index
JOIN prompts AS p ON p.id = rp.prompt_id
LEFT JOIN generation_examples AS ge ON ge.generation_id = g.id
WHERE g.run_id = :run_id AND g.is_warmup = 0
ORDER BY g.exec_order, d.generation_id, d.round;
