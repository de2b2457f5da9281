-- How fast was each generation of a run that counts, in the order in which they ran?
--
-- :run_id  the run
--
-- Speeds that fall or rise within a mode tell of a machine that changed meanwhile. A failed generation has none.
SELECT
    g.exec_order,
    g.mode,
    f.tokens_per_second
FROM generation_metrics AS f
JOIN generations AS g ON g.id = f.generation_id
WHERE f.run_id = :run_id
ORDER BY g.exec_order, g.id;
