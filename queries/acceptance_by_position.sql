-- How often was the first, second, … token of a proposal accepted, in each speculative mode of a run?
--
-- :run_id  the run
--
-- The view acceptance_by_position for one run, with the run bound inside, where it is found by index.
WITH RECURSIVE
histogram AS (
    SELECT g.run_id, g.mode, r.num_drafted, r.num_accepted, count(*) AS num_rounds
    FROM generations AS g
    JOIN rounds AS r ON r.generation_id = g.id
    WHERE g.run_id = :run_id AND g.is_warmup = 0
    GROUP BY g.run_id, g.mode, r.num_drafted, r.num_accepted
),
spread (run_id, mode, position, num_drafted, num_accepted, num_rounds) AS (
    SELECT run_id, mode, 1, num_drafted, num_accepted, num_rounds
    FROM histogram
    WHERE num_drafted >= 1
    UNION ALL
    SELECT run_id, mode, position + 1, num_drafted, num_accepted, num_rounds
    FROM spread
    WHERE position < num_drafted
)
SELECT
    s.run_id,
    s.mode,
    s.position,
    sum(s.num_rounds) AS num_proposed,
    sum(CASE WHEN s.num_accepted >= s.position THEN s.num_rounds ELSE 0 END) AS num_accepted,
    1.0 * sum(CASE WHEN s.num_accepted >= s.position THEN s.num_rounds ELSE 0 END) / sum(s.num_rounds)
        AS acceptance_rate,
    1.0 * sum(CASE WHEN s.num_accepted >= s.position THEN s.num_rounds ELSE 0 END)
        / nullif(sum(CASE WHEN s.num_accepted >= s.position - 1 THEN s.num_rounds ELSE 0 END), 0)
        AS conditional_acceptance_rate
FROM spread AS s
JOIN modes ON modes.mode = s.mode
GROUP BY s.run_id, s.mode, s.position
ORDER BY modes.display_order, s.position;
