-- How many tokens of a proposal were accepted, from none to all, in how many rounds of each speculative mode of a run?
--
-- :run_id  the run
--
-- share is of the mode's rounds, warm-ups left out. num_whole of them accepted all that was proposed, nothing included, where
-- the draft had no room to propose. mean_draft_ns and mean_verify_ns are nanoseconds a round.
SELECT
    g.mode,
    r.num_accepted,
    count(*) AS num_rounds,
    1.0 * count(*) / sum(count(*)) OVER (PARTITION BY g.mode) AS share,
    count(CASE WHEN r.num_accepted = r.num_drafted THEN 1 END) AS num_whole,
    sum(r.num_emitted) AS num_emitted,
    avg(r.draft_ns) AS mean_draft_ns,
    avg(r.verify_ns) AS mean_verify_ns
FROM generations AS g
JOIN rounds AS r ON r.generation_id = g.id
JOIN modes ON modes.mode = g.mode
WHERE g.run_id = :run_id AND g.is_warmup = 0
GROUP BY g.mode, modes.display_order, r.num_accepted
ORDER BY modes.display_order, r.num_accepted;
