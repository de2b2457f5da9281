-- What does each draft of an evaluation make of the target's output to each prompt?
--
-- :run_id  the run
--
-- The draft as it is comes first: its checkpoint_id is NULL. Counts of rounds are those that greedy speculation would have
-- had; expected_acceptance is the mean over output positions of the sum over tokens of min(p, q).
SELECT
    pe.run_id,
    pe.prompt_index,
    p.text AS prompt,
    pe.checkpoint_id,
    pe.num_positions,
    pe.num_agreements,
    pe.num_rounds,
    pe.num_drafted,
    pe.num_accepted,
    pe.num_emitted,
    pe.expected_acceptance / pe.num_positions AS expected_acceptance,
    1.0 * pe.num_agreements / pe.num_positions AS top1_agreement,
    1.0 * pe.num_accepted / nullif(pe.num_drafted, 0) AS acceptance_rate,
    1.0 * pe.num_emitted / nullif(pe.num_rounds, 0) AS mean_acceptance_length
FROM prompt_evaluations AS pe
JOIN run_prompts AS rp ON rp.run_id = pe.run_id AND rp.prompt_index = pe.prompt_index
JOIN prompts AS p ON p.id = rp.prompt_id
WHERE pe.run_id = :run_id
ORDER BY pe.prompt_index, pe.checkpoint_id NULLS FIRST;
