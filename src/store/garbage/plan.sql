-- Finds out what can go, into tables of this connection alone. gc_bounds has before_ms: only runs that came into the trash
-- at that time or before, and states of training runs that ended by then, are asked for.

CREATE TEMP TABLE gc_asked (run_id INTEGER PRIMARY KEY);
INSERT INTO gc_asked (run_id)
SELECT id FROM runs WHERE deleted_at_ms <= (SELECT before_ms FROM gc_bounds);

-- What of them something else needs: an adapter that a name stands for, or that another run used, judged or went on from
-- (what it has learned from is known from the run that made it), and examples of a training run that can be resumed (how
-- the draft did on them, which decides what a step weighs, is known from the run that collected them).
CREATE TEMP TABLE gc_needs AS
WITH
made AS (
    SELECT DISTINCT tc.run_id, tc.checkpoint_id
    FROM gc_asked AS q
    JOIN train_checkpoints AS tc ON tc.run_id = q.run_id
)
SELECT m.run_id, m.checkpoint_id, a.name AS alias, NULL AS by_run_id
FROM made AS m
JOIN aliases AS a ON a.checkpoint_id = m.checkpoint_id
UNION
SELECT m.run_id, m.checkpoint_id, NULL, r.id
FROM made AS m
JOIN runs AS r ON r.checkpoint_id = m.checkpoint_id
UNION
SELECT m.run_id, m.checkpoint_id, NULL, g.run_id
FROM made AS m
JOIN generations AS g ON g.checkpoint_id = m.checkpoint_id
UNION
SELECT m.run_id, m.checkpoint_id, NULL, pe.run_id
FROM made AS m
JOIN prompt_evaluations AS pe ON pe.checkpoint_id = m.checkpoint_id
UNION
SELECT q.run_id, NULL, NULL, re.run_id
FROM gc_asked AS q
JOIN generations AS g ON g.run_id = q.run_id
JOIN examples AS e ON e.generation_id = g.id
JOIN run_examples AS re ON re.example_id = e.id
JOIN runs AS t ON t.id = re.run_id
WHERE t.status <> 'completed';
DELETE FROM gc_needs WHERE by_run_id = run_id;

-- A run stays if a name needs it, or a run that stays.
CREATE TEMP TABLE gc_kept (run_id INTEGER PRIMARY KEY);
WITH RECURSIVE
kept (run_id) AS (
    SELECT n.run_id
    FROM gc_needs AS n
    WHERE n.alias IS NOT NULL OR n.by_run_id NOT IN (SELECT run_id FROM gc_asked)
    UNION
    SELECT n.run_id
    FROM kept AS k
    JOIN gc_needs AS n ON n.by_run_id = k.run_id
)
INSERT INTO gc_kept (run_id)
SELECT run_id FROM kept;

CREATE TEMP TABLE gc_runs (run_id INTEGER PRIMARY KEY);
INSERT INTO gc_runs (run_id)
SELECT run_id FROM gc_asked EXCEPT SELECT run_id FROM gc_kept;

CREATE TEMP TABLE gc_generations (generation_id INTEGER PRIMARY KEY);
INSERT INTO gc_generations (generation_id)
SELECT id FROM generations WHERE run_id IN (SELECT run_id FROM gc_runs);

-- Adapters that nobody asked for by name, and that no run has any more. Those that were imported stay.
CREATE TEMP TABLE gc_checkpoints (checkpoint_id INTEGER PRIMARY KEY);
INSERT INTO gc_checkpoints (checkpoint_id)
SELECT DISTINCT tc.checkpoint_id
FROM train_checkpoints AS tc
WHERE tc.run_id IN (SELECT run_id FROM gc_runs)
    AND NOT EXISTS (SELECT 1 FROM aliases AS a WHERE a.checkpoint_id = tc.checkpoint_id)
    AND NOT EXISTS (
        SELECT 1
        FROM runs AS r
        WHERE r.checkpoint_id = tc.checkpoint_id AND r.id NOT IN (SELECT run_id FROM gc_runs)
    )
    AND NOT EXISTS (
        SELECT 1
        FROM generations AS g
        WHERE g.checkpoint_id = tc.checkpoint_id AND g.run_id NOT IN (SELECT run_id FROM gc_runs)
    )
    AND NOT EXISTS (
        SELECT 1
        FROM prompt_evaluations AS pe
        WHERE pe.checkpoint_id = tc.checkpoint_id AND pe.run_id NOT IN (SELECT run_id FROM gc_runs)
    )
    AND NOT EXISTS (
        SELECT 1
        FROM train_checkpoints AS other
        WHERE other.checkpoint_id = tc.checkpoint_id AND other.run_id NOT IN (SELECT run_id FROM gc_runs)
    );

-- Examples that no run has, and that no generation is.
CREATE TEMP TABLE gc_examples (example_id INTEGER PRIMARY KEY);
INSERT INTO gc_examples (example_id)
SELECT e.id
FROM examples AS e
WHERE NOT EXISTS (
        SELECT 1
        FROM run_examples AS re
        WHERE re.example_id = e.id AND re.run_id NOT IN (SELECT run_id FROM gc_runs)
    )
    AND NOT EXISTS (
        SELECT 1
        FROM generation_examples AS ge
        WHERE ge.example_id = e.id AND ge.generation_id NOT IN (SELECT generation_id FROM gc_generations)
    );

-- States of the optimiser from which nothing can go on: those of runs that are complete.
CREATE TEMP TABLE gc_states (run_id INTEGER, step INTEGER, PRIMARY KEY (run_id, step));
INSERT INTO gc_states (run_id, step)
SELECT tc.run_id, tc.step
FROM train_checkpoints AS tc
JOIN runs AS r ON r.id = tc.run_id
WHERE tc.state_blob_id IS NOT NULL
    AND r.status = 'completed'
    AND r.ended_at_ms <= (SELECT before_ms FROM gc_bounds)
    AND r.id NOT IN (SELECT run_id FROM gc_runs);

CREATE TEMP TABLE gc_blobs (blob_id INTEGER PRIMARY KEY);
INSERT INTO gc_blobs (blob_id)
SELECT b.id
FROM blobs AS b
WHERE NOT EXISTS (
        SELECT 1
        FROM checkpoints AS c
        WHERE c.adapter_blob_id = b.id AND c.id NOT IN (SELECT checkpoint_id FROM gc_checkpoints)
    )
    AND NOT EXISTS (
        SELECT 1
        FROM run_draft_vocabularies AS v
        WHERE v.blob_id = b.id AND v.run_id NOT IN (SELECT run_id FROM gc_runs)
    )
    AND NOT EXISTS (
        SELECT 1
        FROM examples AS e
        WHERE e.target_blob_id = b.id AND e.id NOT IN (SELECT example_id FROM gc_examples)
    )
    AND NOT EXISTS (
        SELECT 1
        FROM train_checkpoints AS tc
        WHERE tc.state_blob_id = b.id
            AND tc.run_id NOT IN (SELECT run_id FROM gc_runs)
            AND NOT EXISTS (SELECT 1 FROM gc_states AS s WHERE s.run_id = tc.run_id AND s.step = tc.step)
    );

-- What runs share, and no run has any more.
CREATE TEMP TABLE gc_prompts (prompt_id INTEGER PRIMARY KEY);
INSERT INTO gc_prompts (prompt_id)
SELECT p.id
FROM prompts AS p
WHERE NOT EXISTS (
        SELECT 1
        FROM run_prompts AS rp
        WHERE rp.prompt_id = p.id AND rp.run_id NOT IN (SELECT run_id FROM gc_runs)
    )
    AND NOT EXISTS (
        SELECT 1
        FROM examples AS e
        WHERE e.prompt_id = p.id AND e.id NOT IN (SELECT example_id FROM gc_examples)
    );

CREATE TEMP TABLE gc_prompt_sets (prompt_set_id INTEGER PRIMARY KEY);
INSERT INTO gc_prompt_sets (prompt_set_id)
SELECT id FROM prompt_sets
EXCEPT
SELECT prompt_set_id FROM runs WHERE id NOT IN (SELECT run_id FROM gc_runs);

CREATE TEMP TABLE gc_models (model_id INTEGER PRIMARY KEY);
INSERT INTO gc_models (model_id)
SELECT id FROM models
EXCEPT
SELECT model_id FROM run_models WHERE run_id NOT IN (SELECT run_id FROM gc_runs)
EXCEPT
SELECT draft_model_id FROM checkpoints WHERE id NOT IN (SELECT checkpoint_id FROM gc_checkpoints)
EXCEPT
SELECT draft_model_id FROM aliases
EXCEPT
SELECT target_model_id FROM examples WHERE id NOT IN (SELECT example_id FROM gc_examples);

CREATE TEMP TABLE gc_environments (environment_id INTEGER PRIMARY KEY);
INSERT INTO gc_environments (environment_id)
SELECT e.id
FROM environments AS e
WHERE NOT EXISTS (
        SELECT 1
        FROM runs AS r
        WHERE r.environment_id = e.id AND r.id NOT IN (SELECT run_id FROM gc_runs)
    )
    AND NOT EXISTS (
        SELECT 1
        FROM generations AS g
        WHERE g.environment_id = e.id AND g.run_id NOT IN (SELECT run_id FROM gc_runs)
    );
