-- How much did a run collect, and how much of it is worth learning from?
--
-- :run_id                the run
-- :acceptance_threshold  an answer whose acceptance rate is below this is a failure of the draft [default: 0.7]
-- :confidence            a disagreement counts as confident where the draft's probability was at least this [default: 0.9]
--
-- num_failures and num_matched add up to num_answers: one in which nothing was drafted counts as matched. num_errors are
-- generations that gave no answer. The same answer to the same prompt is one example.
SELECT
    count(*) - count(a.error) AS num_answers,
    count(a.error) AS num_errors,
    count(DISTINCT a.example_id) AS num_examples,
    count(CASE WHEN a.acceptance_rate < :acceptance_threshold THEN 1 END) AS num_failures,
    count(
        CASE WHEN a.error IS NULL AND coalesce(a.acceptance_rate >= :acceptance_threshold, 1) THEN 1 END
    ) AS num_matched,
    coalesce(sum(a.num_disagreements), 0) AS num_disagreements,
    coalesce(sum(a.num_confident_disagreements), 0) AS num_confident_disagreements
FROM (
    SELECT
        g.error,
        1.0 * g.num_accepted / nullif(g.num_drafted, 0) AS acceptance_rate,
        (SELECT ge.example_id FROM generation_examples AS ge WHERE ge.generation_id = g.id) AS example_id,
        (SELECT count(*) FROM disagreements AS d WHERE d.generation_id = g.id) AS num_disagreements,
        (
            SELECT count(*)
            FROM disagreements AS d
            WHERE d.generation_id = g.id AND d.draft_probability >= :confidence
        ) AS num_confident_disagreements
    FROM generations AS g
    WHERE g.run_id = :run_id AND g.is_warmup = 0
) AS a;
