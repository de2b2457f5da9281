use rusqlite::params;
use tempfile::TempDir;

use super::*;
use crate::record::{Mode, NewRun};
use crate::store::{RunEnd, sample};

/// Four runs: a bench of two modes in which the draft was fast, one in which it was slow, a run that trained, and a bench
/// that is at work.
fn runs() -> (TempDir, Store) {
    let (folder, mut store) = sample::store();
    for (seconds, threads, tag) in [(1.0, 2.into(), "fast one"), (8.0, serde_json::Value::Null, "2.5")] {
        let run = begin(&mut store, threads, tag);
        for (mode, seconds) in [(Mode::TargetOnly, 4.0), (Mode::SpecBase, seconds)] {
            let rounds: &[_] = if mode == Mode::SpecBase { &[(4, 2), (4, 1)] } else { &[] };
            let generation = sample::generation(sample::slot(0, mode, 0), vec![1; 8], seconds, rounds);
            store.record_generation(run, &generation).unwrap();
        }
        store.finish_run(run, &RunEnd::Completed).unwrap();
    }
    let run = store.begin_training(&sample::train_run(None), &[]).unwrap();
    store.record_train_step(run, &sample::step(4, &[])).unwrap();
    store.finish_run(run, &RunEnd::Interrupted).unwrap();
    begin(&mut store, 1.into(), "10");
    (folder, store)
}

fn begin(store: &mut Store, threads: serde_json::Value, tag: &str) -> RunId {
    let mut new = NewRun { tags: vec![("tag".to_owned(), tag.to_owned())], ..sample::run(1) };
    new.settings.push(sample::setting("threads", threads));
    new.settings.push(sample::setting("loss", "lk_hybrid".into()));
    store.begin_run(&new).unwrap()
}

/// The ids of the runs that a search finds, in its order.
fn ids(store: &Store, search: &RunSearch) -> Vec<i64> {
    let rows = store.list_runs(search).unwrap();
    let id = |row: &Vec<Value>| match row[0] {
        Value::Integer(id) => id,
        ref other => panic!("{other:?}"),
    };
    rows.rows.iter().map(id).collect()
}

fn found(store: &Store, filter: RunFilter) -> Vec<i64> {
    ids(store, &RunSearch { filters: vec![filter], ..RunSearch::default() })
}

#[test]
fn value_compares_as_number_or_text_and_none_fulfils_nothing() {
    use Comparison::{AtLeast, AtMost, Contains, Equal, Greater, Less, NotEqual};

    let (_folder, store) = runs();
    let check = |name: &str, comparison, text: &str, expected: &[i64]| {
        let operand = Operand { text: text.to_owned(), number: text.parse().ok() };
        let filter = RunFilter::Compare(store.run_column(name).unwrap(), comparison, operand);
        assert_eq!(found(&store, filter), expected, "{name} {comparison:?} {text}");
    };
    check("threads", Equal, "2", &[1]);
    check("threads", Equal, "2.0", &[1]);
    check("threads", NotEqual, "2", &[4]);
    check("threads", Less, "2", &[4]);
    check("threads", AtLeast, "1", &[4, 1]);
    check("num_draft_tokens", AtLeast, "4", &[4, 3, 2, 1]);
    check("setting:loss", Equal, "lk_hybrid", &[4, 2, 1]);
    check("loss", Contains, "HYB", &[4, 2, 1]);
    check("loss", NotEqual, "ce", &[4, 2, 1]);
    check("tag:tag", Greater, "2", &[4, 2]);
    check("tag:tag", Equal, "fast one", &[1]);
    check("tag:tag", Contains, "Fast", &[1]);
    check("kind", Equal, "train", &[3]);
    check("kind", Equal, "2", &[]);
    check("train_loss", AtMost, "0.5", &[3]);
    check("spec_base.speedup", Greater, "1", &[1]);
    check("speedup", Greater, "1", &[1]);
    check("spec_base.tokens_per_second", AtMost, "1", &[2]);
    check("target_only.acceptance_rate", AtLeast, "0", &[]);
    check("acceptance_rate", Equal, "0.375", &[2, 1]);
    check("started_at", Greater, "2020", &[4, 3, 2, 1]);
    check("name", Equal, "' OR 1 = 1 --", &[]);
}

#[test]
fn filters_hold_together() {
    let (_folder, store) = runs();
    let kinds = |kinds: &[&str]| RunFilter::Kinds(kinds.iter().map(|&kind| kind.to_owned()).collect());
    let states = |state: &str| RunFilter::States(vec![state.to_owned()]);
    assert_eq!(found(&store, kinds(&["bench"])), [4, 2, 1]);
    assert_eq!(found(&store, kinds(&["train", "collect"])), [3]);
    assert_eq!(found(&store, states("running")), [4]);
    assert_eq!(found(&store, states("interrupted")), [3]);
    let filters = vec![kinds(&["bench"]), states("completed")];
    assert_eq!(ids(&store, &RunSearch { filters, ..RunSearch::default() }), [2, 1]);
    let tag = |value: Option<&str>| RunFilter::Tag("tag".to_owned(), value.map(str::to_owned));
    assert_eq!(found(&store, tag(None)), [4, 2, 1]);
    assert_eq!(found(&store, tag(Some("10"))), [4]);
    let threads = store.run_column("threads").unwrap();
    assert_eq!(found(&store, RunFilter::Has(threads.clone())), [4, 1]);
    assert_eq!(found(&store, RunFilter::Lacks(threads)), [3, 2]);

    let model = |text: &str| RunFilter::Model(Role::Target, text.to_owned());
    let hash = sample::model("target").sha256;
    for text in ["TARGET.gguf", "arge", &hash[..6], &hash] {
        assert_eq!(found(&store, model(text)), [4, 3, 2, 1], "{text}");
    }
    for text in [&hash[1..7], "draft", "%", "_"] {
        assert_eq!(found(&store, model(text)), [] as [i64; 0], "{text}");
    }

    let place = Place::Trash;
    store.connection.execute("UPDATE runs SET deleted_at_ms = 1 WHERE id = 2", []).unwrap();
    assert_eq!(ids(&store, &RunSearch { place, ..RunSearch::default() }), [2]);
    assert_eq!(found(&store, kinds(&["bench"])), [4, 1]);
}

#[test]
fn adapter_finds_the_runs_that_made_it_and_had_it() {
    let (_folder, mut store) = sample::store();
    sample::fill_training(&mut store);
    let had = |store: &Store, id| found(store, RunFilter::Adapter(CheckpointId(id)));
    assert_eq!(had(&store, 1), [3, 2], "made by 2, from which 3 went on");
    assert_eq!(had(&store, 2), [4, 3], "made by 3, judged by 4");
    let bench = NewRun { checkpoint_id: Some(CheckpointId(2)), ..sample::run(1) };
    let bench = store.begin_run(&bench).unwrap();
    assert_eq!(had(&store, 2), [bench.0, 4, 3]);
    assert_eq!(had(&store, 9), [] as [i64; 0]);
}

#[test]
fn runs_without_the_value_come_last_either_way() {
    let (_folder, store) = runs();
    let sorted = |name: &str, direction| {
        let order = Some(RunOrder { column: store.run_column(name).unwrap(), direction });
        ids(&store, &RunSearch { order, ..RunSearch::default() })
    };
    assert_eq!(sorted("spec_base.tokens_per_second", Direction::Descending), [1, 2, 4, 3]);
    assert_eq!(sorted("spec_base.tokens_per_second", Direction::Ascending), [2, 1, 4, 3]);
    assert_eq!(sorted("threads", Direction::Ascending), [4, 1, 3, 2]);
    assert_eq!(sorted("tag:tag", Direction::Ascending), [1, 2, 4, 3], "text, and then by number");
    assert_eq!(sorted("kind", Direction::Descending), [3, 4, 2, 1]);
}

#[test]
fn limit_takes_the_first_in_order() {
    let (_folder, store) = runs();
    let search = RunSearch { limit: Some(2), ..RunSearch::default() };
    assert_eq!(ids(&store, &search), [4, 3]);
    let order =
        Some(RunOrder { column: store.run_column("run_id").unwrap(), direction: Direction::Ascending });
    assert_eq!(ids(&store, &RunSearch { order, ..search.clone() }), [1, 2]);
    let filters = vec![RunFilter::Kinds(vec!["bench".to_owned()])];
    assert_eq!(ids(&store, &RunSearch { filters, ..search }), [4, 2]);
}

#[test]
fn columns_stand_beside_those_of_the_query() {
    let (_folder, store) = runs();
    let names = ["setting:loss", "threads", "spec_base.speedup", "tag:tag"];
    let more = names.map(|name| (name.to_owned(), store.run_column(name).unwrap())).to_vec();
    let rows = store.list_runs(&RunSearch { more, ..RunSearch::default() }).unwrap();
    assert_eq!(rows.columns.len(), FACTS.len() + names.len());
    assert_eq!(rows.columns[FACTS.len()..], names);
    let shown = |row: usize| names.map(|name| rows.get(row, name).unwrap().clone());
    let (text, none) = (|text: &str| Value::from(text), Value::Null);
    assert_eq!(shown(3), [text("\"lk_hybrid\""), text("2"), Value::Real(4.0), text("fast one")]);
    assert_eq!(shown(2), [text("\"lk_hybrid\""), text("null"), Value::Real(0.5), text("2.5")]);
    assert_eq!(shown(1), [none.clone(), none.clone(), none.clone(), none]);
}

#[test]
fn bare_figure_is_that_of_the_furthest_mode_and_never_of_the_control() {
    let (_folder, store) = runs();
    let value = |run: i64, name: &str| {
        let more = vec![(name.to_owned(), store.run_column(name).unwrap())];
        let rows = store.list_runs(&RunSearch { more, ..RunSearch::default() }).unwrap();
        let row = rows.rows.iter().position(|row| row[0] == Value::Integer(run)).unwrap();
        rows.get(row, name).unwrap().clone()
    };
    let insert = |mode: &str, acceptance_rate: f64| {
        let sql = "INSERT INTO mode_summaries (run_id, mode, num_prompts, num_generations, num_failed,
                total_tokens, acceptance_rate, num_compared, num_lossless)
            VALUES (1, ?1, 1, 1, 0, 8, ?2, 0, 0)";
        store.connection.execute(sql, params![mode, acceptance_rate]).unwrap();
    };
    insert("control", 0.9);
    assert_eq!(value(1, "acceptance_rate"), Value::Real(0.375));
    insert("spec_lora", 0.8);
    assert_eq!(value(1, "acceptance_rate"), Value::Real(0.8));
    assert_eq!(value(1, "tokens_per_second"), Value::Real(8.0), "that of spec_base: spec_lora has none");
}

#[test]
fn settings_differ_where_runs_that_have_them_disagree() {
    let (_folder, store) = runs();
    let differing = |runs: &[i64]| {
        let runs: Vec<RunId> = runs.iter().map(|&run| RunId(run)).collect();
        store.differing_settings(&runs).unwrap()
    };
    assert_eq!(differing(&[1, 2, 3, 4]), ["threads"]);
    assert_eq!(differing(&[1, 3]), [] as [&str; 0], "run 3 has no threads");
    assert_eq!(differing(&[]), [] as [&str; 0]);
}
