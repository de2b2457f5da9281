use std::collections::BTreeMap;

use super::*;
use crate::record::NewRun;
use crate::store::{ExampleFilter, RunEnd, sample};

/// Later than anything.
const EVER: i64 = i64::MAX;

/// How many rows each table has.
fn counts(store: &Store) -> BTreeMap<String, i64> {
    let tables: Vec<String> = sample::column(
        store,
        "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%' ORDER BY name",
    );
    tables.into_iter().map(|table| (table.clone(), sample::count(store, &table))).collect()
}

/// A database with benches 1 to 3, one of which is at work, a run 4 that collected, 5 that trained on it, 6 that went on
/// from 5's adapter 2 and made 3, which is best, and 7 that judged 3.
fn filled() -> (tempfile::TempDir, Store) {
    let (folder, mut store) = sample::store();
    sample::fill(&mut store);
    sample::fill_training(&mut store);
    (folder, store)
}

fn trash(store: &mut Store, runs: &[i64]) {
    store.trash_runs(&runs.iter().map(|&run| RunId(run)).collect::<Vec<_>>()).unwrap();
}

fn ids(garbage: &Garbage) -> Vec<i64> {
    garbage.runs.iter().map(|run| run.0).collect()
}

/// Deletes what the dry run says, and nothing else, and checks that the database is sound.
fn collect(store: &mut Store) -> Garbage {
    let before = counts(store);
    let announced = store.garbage(EVER).unwrap();
    assert_eq!(counts(store), before, "a dry run deletes nothing");
    let gone = store.collect_garbage(EVER).unwrap();
    assert_eq!(gone, announced);
    let mut expected = before;
    for DeletedRows { table, num_rows, .. } in &gone.tables {
        *expected.get_mut(*table).unwrap() -= num_rows;
    }
    assert_eq!(counts(store), expected);
    assert_eq!(store.check().unwrap(), Vec::<String>::new());
    sample::check_kept_figures(store);
    let again = store.garbage(EVER).unwrap();
    assert_eq!((again.runs, again.tables, again.num_states), (vec![], vec![], 0), "nothing is left to do");
    gone
}

#[test]
fn empty_trash_has_nothing_but_what_nobody_needs() {
    let (_folder, mut store) = filled();
    let gone = collect(&mut store);
    assert_eq!((ids(&gone), gone.num_states), (vec![], 1), "run 6 is complete, run 5 can go on");
    let tables: Vec<&str> = gone.tables.iter().map(|remains| remains.table).collect();
    assert_eq!(tables, ["blobs", "blob_chunks"]);
    assert!(store.training_state(RunId(5)).unwrap().is_some());
    assert_eq!(store.training_state(RunId(6)).unwrap(), None);
}

#[test]
fn run_goes_with_all_that_is_its_own() {
    let (_folder, mut store) = filled();
    trash(&mut store, &[1, 2]);
    let gone = collect(&mut store);
    assert_eq!(ids(&gone), [1, 2]);
    assert!(gone.kept.is_empty());
    let rows = |table: &str| gone.tables.iter().find(|remains| remains.table == table).map(|r| r.num_rows);
    assert_eq!((rows("runs"), rows("generations")), (Some(2), Some(160)));
    assert_eq!(rows("prompts"), None, "run 3 has them too");
    assert!(gone.tables.iter().all(|remains| remains.bytes > 0), "{:?}", gone.tables);
    assert_eq!(sample::column::<i64>(&store, "SELECT id FROM runs ORDER BY id"), [3, 4, 5, 6, 7]);
}

#[test]
fn adapter_that_something_needs_keeps_the_run_that_made_it() {
    let (_folder, mut store) = filled();
    trash(&mut store, &[5, 6]);
    let gone = collect(&mut store);
    assert_eq!(ids(&gone), [] as [i64; 0]);
    let adapter =
        |run: i64, checkpoint: i64| Need::Adapter { run: RunId(run), checkpoint: CheckpointId(checkpoint) };
    let alias = |name: &str| Need::Alias { name: name.to_owned(), checkpoint: CheckpointId(3) };
    let kept = [(5, vec![adapter(6, 2)]), (6, vec![alias("best"), alias("latest"), adapter(7, 3)])];
    let kept = kept.map(|(run, needs)| KeptRun { run: RunId(run), needs });
    assert_eq!(gone.kept, kept);
    store.load_adapter(CheckpointId(2)).unwrap();
    store.load_adapter(CheckpointId(3)).unwrap();
}

#[test]
fn whole_chain_goes_once_nothing_outside_needs_it() {
    let (_folder, mut store) = filled();
    trash(&mut store, &[4, 5, 6, 7]);
    assert_eq!(ids(&store.garbage(EVER).unwrap()), [7], "names still stand for 6's adapter");
    store.connection.execute("DELETE FROM aliases", []).unwrap();
    let gone = collect(&mut store);
    assert_eq!(ids(&gone), [4, 5, 6, 7]);
    let adapters: Vec<i64> = sample::column(&store, "SELECT id FROM checkpoints");
    assert_eq!(adapters, [1], "what was imported stays");
    for table in ["examples", "run_examples", "train_steps", "disagreements"] {
        assert_eq!(sample::count(&store, table), 0, "{table}");
    }
}

#[test]
fn examples_that_a_training_run_has_stay_when_their_collector_goes() {
    let (_folder, mut store) = filled();
    // Complete, so that nothing of it has to be resumed.
    store.connection.execute("UPDATE runs SET status = 'completed' WHERE id = 5", []).unwrap();
    trash(&mut store, &[4]);
    let gone = collect(&mut store);
    assert_eq!(ids(&gone), [4]);
    assert_eq!(gone.kept_examples, [(RunId(5), 3), (RunId(6), 1)]);
    assert_eq!(sample::count(&store, "examples WHERE generation_id IS NULL"), 3);
    assert_eq!(store.run_examples(RunId(5)).unwrap().len(), 3);
    assert_eq!(store.examples(&ExampleFilter::default()).unwrap(), [], "no new run learns from them");
    let prompts: Vec<String> = sample::column(&store, "SELECT text FROM prompts ORDER BY id");
    assert!(prompts.contains(&"prompt 0".to_owned()), "what an adapter has seen is still known");
}

#[test]
fn collector_stays_while_training_on_its_examples_can_go_on() {
    let (_folder, mut store) = filled();
    trash(&mut store, &[4]);
    let gone = collect(&mut store);
    assert_eq!(ids(&gone), [] as [i64; 0]);
    assert_eq!(gone.kept, [KeptRun { run: RunId(4), needs: vec![Need::Examples { run: RunId(5) }] }]);
}

#[test]
fn example_that_was_collected_twice_is_found_where_it_is_left() {
    let (_folder, mut store) = filled();
    let again = store.begin_run(&sample::collect_run(1)).unwrap();
    store.record_generation(again, &sample::answer(0)).unwrap();
    store.finish_run(again, &RunEnd::Completed).unwrap();
    store.connection.execute("UPDATE runs SET status = 'completed' WHERE id = 5", []).unwrap();
    trash(&mut store, &[4]);
    collect(&mut store);
    let places: Vec<Option<i64>> = sample::column(
        &store,
        "SELECT g.run_id FROM examples AS e LEFT JOIN generations AS g ON g.id = e.generation_id ORDER BY e.id",
    );
    assert_eq!(places, [Some(again.0), None, None]);
    assert_eq!(store.examples(&ExampleFilter::default()).unwrap().len(), 1);
}

#[test]
fn only_what_has_been_in_the_trash_for_long_enough_goes() {
    let (_folder, mut store) = filled();
    trash(&mut store, &[1, 2]);
    store.connection.execute("UPDATE runs SET deleted_at_ms = 1000 WHERE id = 1", []).unwrap();
    let at = |store: &Store, by_ms| {
        let garbage = store.garbage(by_ms).unwrap();
        (ids(&garbage), garbage.num_too_young)
    };
    assert_eq!(at(&store, 999), (vec![], 2));
    assert_eq!(at(&store, 1000), (vec![1], 1));
    assert_eq!(at(&store, EVER), (vec![1, 2], 0));
}

#[test]
fn shared_rows_go_with_the_last_run_that_has_them() {
    let (_folder, mut store) = sample::store();
    let run = store.begin_run(&NewRun { name: Some("only".to_owned()), ..sample::run(2) }).unwrap();
    store.finish_run(run, &RunEnd::Completed).unwrap();
    trash(&mut store, &[1]);
    collect(&mut store);
    for (table, num_rows) in counts(&store) {
        let is_of_runs = !["modes", "refinery_schema_history"].contains(&table.as_str());
        assert!(num_rows == 0 || !is_of_runs, "{table}");
    }
}

#[test]
fn deletion_that_is_cut_short_deletes_nothing() {
    let (_folder, mut store) = filled();
    trash(&mut store, &[1, 2]);
    let before = counts(&store);
    let path = store.path().to_owned();
    let transaction = store.connection.transaction().unwrap();
    plan(&transaction, EVER).unwrap();
    transaction.execute_batch(include_str!("apply.sql")).unwrap();
    assert_eq!(counts(&Store::open_existing(&path).unwrap()), before, "others see all until it is committed");
    drop(transaction);
    drop(store);
    let mut store = Store::open_existing(&path).unwrap();
    assert_eq!(counts(&store), before);
    collect(&mut store);
}

#[test]
fn file_shrinks_by_what_went() {
    let (_folder, mut store) = sample::store();
    let adapter = sample::adapter(3_000_000);
    store.import_adapter(&adapter, &sample::model("draft")).unwrap();
    store.connection.execute_batch("DELETE FROM checkpoints; DELETE FROM blobs").unwrap();
    let shrunk = store.shrink().unwrap();
    assert!(shrunk >= 3_000_000, "{shrunk}");
    assert_eq!(store.statistics().unwrap().num_free_pages, 0);
    assert_eq!(store.check().unwrap(), Vec::<String>::new());
    assert_eq!(store.shrink().unwrap(), 0);
}
