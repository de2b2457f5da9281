-- Where did the time of each mode of a run go: to the prompt, to drafting, to verifying, or to the rest?
--
-- :run_id  the run
--
-- Seconds summed over the mode's generations, warm-ups and failures left out. rest is what is in no round: sampling, decoding
-- of text, and all decoding of modes without a draft. draft_seconds_per_token over verify_seconds_per_round says how cheap the
-- draft is.
SELECT
    t.mode,
    t.num_generations,
    t.total_seconds,
    t.prompt_seconds,
    t.draft_seconds,
    t.verify_seconds,
    t.total_seconds - t.prompt_seconds - t.draft_seconds - t.verify_seconds AS rest_seconds,
    t.prompt_seconds / nullif(t.total_seconds, 0) AS prompt_share,
    t.draft_seconds / nullif(t.total_seconds, 0) AS draft_share,
    t.verify_seconds / nullif(t.total_seconds, 0) AS verify_share,
    t.draft_seconds / nullif(t.num_drafted, 0) AS draft_seconds_per_token,
    t.verify_seconds / nullif(t.num_rounds, 0) AS verify_seconds_per_round
FROM (
    SELECT
        g.mode,
        count(*) AS num_generations,
        sum(g.time_to_last_token_ns) / 1e9 AS total_seconds,
        sum(g.time_to_first_token_ns) / 1e9 AS prompt_seconds,
        coalesce(sum(spent.draft_ns), 0) / 1e9 AS draft_seconds,
        coalesce(sum(spent.verify_ns), 0) / 1e9 AS verify_seconds,
        sum(g.num_drafted) AS num_drafted,
        sum(g.num_rounds) AS num_rounds
    FROM generations AS g
    LEFT JOIN (
        SELECT r.generation_id, sum(r.draft_ns) AS draft_ns, sum(r.verify_ns) AS verify_ns
        FROM generations AS of_run
        JOIN rounds AS r ON r.generation_id = of_run.id
        WHERE of_run.run_id = :run_id
        GROUP BY r.generation_id
    ) AS spent ON spent.generation_id = g.id
    WHERE g.run_id = :run_id AND g.is_warmup = 0 AND g.error IS NULL
    GROUP BY g.mode
) AS t
JOIN modes ON modes.mode = t.mode
ORDER BY modes.display_order;
