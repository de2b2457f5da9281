-- What lists of runs would have to count or sum up each time, kept where it is read: a list of a thousand runs reads a
-- thousand rows.
--
-- `num_generations` and `num_prompts` follow their tables by triggers, so that they hold whoever writes. What is summed up
-- of held-out examples is written from the view that defines it, with the rows themselves.

---------------------------------------------------------------------------------------------------------------------
-- Counts
---------------------------------------------------------------------------------------------------------------------

-- Rows of `generations` and of `run_prompts` that a run has.
ALTER TABLE runs ADD COLUMN num_generations INTEGER NOT NULL DEFAULT 0 CHECK (num_generations >= 0);
ALTER TABLE runs ADD COLUMN num_prompts INTEGER NOT NULL DEFAULT 0 CHECK (num_prompts >= 0);
UPDATE runs
SET num_generations = (SELECT count(*) FROM generations WHERE generations.run_id = runs.id),
    num_prompts = (SELECT count(*) FROM run_prompts WHERE run_prompts.run_id = runs.id);

CREATE TRIGGER generation_is_counted AFTER INSERT ON generations
BEGIN
    UPDATE runs SET num_generations = num_generations + 1 WHERE id = NEW.run_id;
END;
CREATE TRIGGER deleted_generation_is_not_counted AFTER DELETE ON generations
BEGIN
    UPDATE runs SET num_generations = num_generations - 1 WHERE id = OLD.run_id;
END;
CREATE TRIGGER run_prompt_is_counted AFTER INSERT ON run_prompts
BEGIN
    UPDATE runs SET num_prompts = num_prompts + 1 WHERE id = NEW.run_id;
END;
CREATE TRIGGER deleted_run_prompt_is_not_counted AFTER DELETE ON run_prompts
BEGIN
    UPDATE runs SET num_prompts = num_prompts - 1 WHERE id = OLD.run_id;
END;

---------------------------------------------------------------------------------------------------------------------
-- Held-out figures
---------------------------------------------------------------------------------------------------------------------

-- What `train_evaluations` said of a step when it was evaluated. Written from that view alone; a run that another program
-- wrote may have none.
CREATE TABLE train_evaluation_summaries (
    run_id                 INTEGER NOT NULL REFERENCES runs (id) ON DELETE CASCADE,
    step                   INTEGER NOT NULL CHECK (step >= 0),
    num_examples           INTEGER NOT NULL CHECK (num_examples >= 1),
    num_positions          INTEGER NOT NULL CHECK (num_positions >= 1),
    expected_acceptance    REAL    NOT NULL,
    top1_agreement         REAL    NOT NULL,
    loss                   REAL    NOT NULL,
    acceptance_rate        REAL,
    mean_acceptance_length REAL,
    PRIMARY KEY (run_id, step)
) STRICT, WITHOUT ROWID;

INSERT INTO train_evaluation_summaries (
    run_id, step, num_examples, num_positions, expected_acceptance, top1_agreement, loss, acceptance_rate,
    mean_acceptance_length
)
SELECT
    run_id, step, num_examples, num_positions, expected_acceptance, top1_agreement, loss, acceptance_rate,
    mean_acceptance_length
FROM train_evaluations;

---------------------------------------------------------------------------------------------------------------------
-- The trash
---------------------------------------------------------------------------------------------------------------------

CREATE INDEX runs_in_trash ON runs (deleted_at_ms) WHERE deleted_at_ms IS NOT NULL;

PRAGMA user_version = 4;
