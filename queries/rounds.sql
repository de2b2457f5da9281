-- What did the draft propose, and the target accept, in each round of a run?
--
-- :run_id  the run
SELECT
    g.run_id,
    r.generation_id,
    g.prompt_index,
    g.mode,
    g.iteration,
    g.is_warmup,
    r.round,
    r.num_drafted,
    r.num_accepted,
    r.num_emitted,
    r.draft_ns,
    r.verify_ns
FROM generations AS g
JOIN rounds AS r ON r.generation_id = g.id
WHERE g.run_id = :run_id
ORDER BY g.exec_order, r.generation_id, r.round;
