-- Deletes what plan.sql has found; what a run owns goes with it.

-- An example that stays was collected elsewhere, too, or has no place any more.
UPDATE examples
SET generation_id = (
    SELECT min(ge.generation_id)
    FROM generation_examples AS ge
    WHERE ge.example_id = examples.id AND ge.generation_id NOT IN (SELECT generation_id FROM gc_generations)
)
WHERE generation_id IN (SELECT generation_id FROM gc_generations)
    AND id NOT IN (SELECT example_id FROM gc_examples);

UPDATE train_checkpoints
SET state_blob_id = NULL
WHERE (run_id, step) IN (SELECT run_id, step FROM gc_states);

-- Steps and evaluations go before the examples of their runs, of which each looks for those that have it.
DELETE FROM example_evaluations WHERE run_id IN (SELECT run_id FROM gc_runs);
DELETE FROM train_steps WHERE run_id IN (SELECT run_id FROM gc_runs);
DELETE FROM runs WHERE id IN (SELECT run_id FROM gc_runs);
DELETE FROM checkpoints WHERE id IN (SELECT checkpoint_id FROM gc_checkpoints);
DELETE FROM examples WHERE id IN (SELECT example_id FROM gc_examples);
DELETE FROM blobs WHERE id IN (SELECT blob_id FROM gc_blobs);
DELETE FROM prompts WHERE id IN (SELECT prompt_id FROM gc_prompts);
DELETE FROM prompt_sets WHERE id IN (SELECT prompt_set_id FROM gc_prompt_sets);
DELETE FROM models WHERE id IN (SELECT model_id FROM gc_models);
DELETE FROM environments WHERE id IN (SELECT environment_id FROM gc_environments);
