//! Runs and generations made up for the store's tests.

mod training;

use rusqlite::Row;
use rusqlite::types::FromSql;
use tempfile::TempDir;

use super::Store;
use crate::hash::sha256_hex;
use crate::record::{
    AdapterRecord, CheckpointId, Completion, Decoded, Environment, Generation, Mode, ModelFile, ModelInfo,
    NewRun, Origin, Prompt, PromptSource, Role, Round, RunKind, RunModel, Setting, Slot, StopReason,
};

pub(super) use training::{
    answer, collect, collect_run, evaluation, fill_training, observed, optimizer, record_checkpoint, step,
    train_run, trained_adapter, training,
};

/// Opens a new database in a folder of its own, which goes when the test ends.
pub(super) fn store() -> (TempDir, Store) {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(folder.path().join("speclora.db")).unwrap();
    (folder, store)
}

/// An error's message with those of its causes, as the program shows it; none says again what another has said.
pub(super) fn message(error: super::Error) -> String {
    let error = anyhow::Error::from(error);
    let parts: Vec<String> = error.chain().map(ToString::to_string).collect();
    for (i, part) in parts.iter().enumerate() {
        let others = parts.iter().enumerate().filter(|(j, _)| *j != i);
        others.for_each(|(_, other)| assert!(!other.contains(part.as_str()), "{other:?} repeats {part:?}"));
    }
    format!("{error:#}")
}

/// Returns the one value that a statement gives.
pub(super) fn value<T: FromSql>(store: &Store, sql: &str) -> T {
    store.connection.query_row(sql, [], |row| row.get(0)).unwrap()
}

/// Returns the one row that a statement gives.
pub(super) fn row<T: for<'row> TryFrom<&'row Row<'row>, Error = rusqlite::Error>>(
    store: &Store,
    sql: &str,
) -> T {
    store.connection.query_row(sql, [], |row| T::try_from(row)).unwrap()
}

/// Returns the first column of what a statement gives.
pub(super) fn column<T: FromSql>(store: &Store, sql: &str) -> Vec<T> {
    let mut statement = store.connection.prepare(sql).unwrap();
    statement.query_map([], |row| row.get(0)).unwrap().map(|value| value.unwrap()).collect()
}

/// Returns how many rows a table has.
pub(super) fn count(store: &Store, table: &str) -> i64 {
    value(store, &format!("SELECT count(*) FROM {table}"))
}

/// Checks that what is kept for lists of runs is what there is.
#[track_caller]
pub(super) fn check_kept_figures(store: &Store) {
    let wrong = "runs AS r
        WHERE num_generations <> (SELECT count(*) FROM generations AS g WHERE g.run_id = r.id)
            OR num_prompts <> (SELECT count(*) FROM run_prompts AS p WHERE p.run_id = r.id)";
    assert_eq!(count(store, wrong), 0);
    let [kept, computed] = ["train_evaluation_summaries", "train_evaluations"].map(|name| {
        let sql = format!("SELECT json_array(t.run_id, t.step, t.num_examples, t.num_positions, t.expected_acceptance,
            t.top1_agreement, t.loss, t.acceptance_rate, t.mean_acceptance_length) FROM {name} AS t ORDER BY 1");
        column::<String>(store, &sql)
    });
    assert_eq!(kept, computed);
}

/// A greedy run over prompts `prompt 0`, `prompt 1`, …
pub(super) fn run(num_prompts: u32) -> NewRun {
    let prompts = (0..num_prompts).map(|index| Prompt {
        text: format!("prompt {index}"),
        external_id: Some(format!("p{index}")),
        category: (index % 2 == 0).then(|| "code".to_owned()),
    });
    NewRun {
        kind: RunKind::Bench,
        name: None,
        note: None,
        tags: vec![],
        command_line: "speclora bench".to_owned(),
        settings: vec![setting("num_draft_tokens", 4.into()), setting("temperature", 0.0.into())],
        environment: environment(),
        models: vec![
            RunModel { role: Role::Target, path: "/models/target.gguf".to_owned(), info: model("target") },
            RunModel { role: Role::Draft, path: "/models/draft.gguf".to_owned(), info: model("draft") },
        ],
        checkpoint_id: None,
        draft_vocabulary: None,
        prompt_source: PromptSource { name: "prompts.txt".to_owned(), sha256: sha256_hex(b"prompts") },
        prompts: prompts.collect(),
        num_planned_generations: 3 * num_prompts,
    }
}

pub(super) fn setting(key: &str, value: serde_json::Value) -> Setting {
    Setting { key: key.to_owned(), value, origin: Origin::Default, source: None }
}

pub(super) fn environment() -> Environment {
    Environment {
        hostname: Some("box".to_owned()),
        os: Some("Debian 12".to_owned()),
        kernel: None,
        cpu_model: Some("A CPU".to_owned()),
        num_cpus: Some(2),
        memory_bytes: Some(8 << 30),
        engine: "candle-cpu 0.11.1".to_owned(),
        speclora_version: "0.1.0".to_owned(),
        git_commit: None,
        git_dirty: Some(true),
    }
}

pub(super) fn model(name: &str) -> ModelInfo {
    ModelInfo {
        sha256: sha256_hex(name.as_bytes()),
        format: "gguf".to_owned(),
        family: "qwen2".to_owned(),
        name: Some(name.to_owned()),
        quantization: "Q4_K".to_owned(),
        num_parameters: 494_032_768,
        num_layers: 24,
        hidden_size: 896,
        vocab_size: 151_936,
        context_length: 32_768,
        tokenizer_sha256: sha256_hex(b"tokenizer"),
        size_bytes: 400_000_000,
        files: vec![ModelFile {
            name: format!("{name}.gguf"),
            sha256: sha256_hex(b"file"),
            size_bytes: 400_000_000,
        }],
    }
}

pub(super) fn adapter(num_bytes: usize) -> AdapterRecord {
    let weights: Vec<u8> = (0..num_bytes).map(|i| (i % 251) as u8).collect();
    AdapterRecord {
        sha256: sha256_hex(&weights),
        rank: 8,
        alpha: 16.0,
        target_modules: vec!["q_proj".to_owned(), "v_proj".to_owned()],
        config_json: r#"{"peft_type": "LORA"}"#.to_owned(),
        weights,
        source: "/adapters/mine".to_owned(),
    }
}

pub(super) fn slot(prompt_index: u32, mode: Mode, iteration: u32) -> Slot {
    Slot { prompt_index, mode, iteration, exec_order: 0, is_warmup: false }
}

/// A generation of `tokens` that took `seconds`, the first token a tenth of them, in rounds of (drafted, accepted).
pub(super) fn generation(slot: Slot, tokens: Vec<u32>, seconds: f64, rounds: &[(u32, u32)]) -> Generation {
    let time_to_last_token_ns = (seconds * 1e9) as u64;
    let round = |&(num_drafted, num_accepted): &(u32, u32)| Round {
        num_drafted,
        num_accepted,
        num_emitted: num_accepted + 1,
        draft_ns: 1000,
        verify_ns: 3000,
    };
    let decoded = Decoded {
        tokens,
        rounds: rounds.iter().map(round).collect(),
        stop_reason: StopReason::MaxTokens,
        num_prompt_tokens: 10,
        num_target_forwards: 1 + rounds.len() as u32,
        num_draft_forwards: rounds.iter().map(|&(num_drafted, _)| num_drafted).sum(),
        time_to_first_token_ns: time_to_last_token_ns / 10,
        time_to_last_token_ns,
    };
    Generation {
        outcome: Ok(Completion { decoded, text: "words".to_owned(), observations: None }),
        ..failure(slot, "")
    }
}

/// A generation that failed.
pub(super) fn failure(slot: Slot, error: &str) -> Generation {
    Generation {
        slot,
        checkpoint_id: (slot.mode == Mode::SpecLora).then_some(CheckpointId(1)),
        seed: i64::MAX as u64,
        started_at_ms: 1_700_000_000_000,
        load_average: Some(0.5),
        outcome: Err(error.to_owned()),
    }
}

/// Stores three runs with what is hard for figures: failures, prompts that failed throughout, warm-ups, single tokens,
/// outputs that differ, several iterations, and a run that is not greedy. Returns when all have ended but the last.
pub(super) fn fill(store: &mut Store) {
    store.import_adapter(&adapter(100), &model("draft")).unwrap();
    for (number, temperature) in [(1, 0.0), (2, 0.8), (3, 0.0)] {
        let mut new = run(5);
        new.settings = vec![setting("temperature", temperature.into())];
        let run = store.begin_run(&new).unwrap();
        let mut exec_order = 0;
        for prompt_index in 0..5 {
            for &mode in Mode::ALL {
                for iteration in 0..3 {
                    exec_order += 1;
                    let slot = Slot { exec_order, is_warmup: false, ..slot(prompt_index, mode, iteration) };
                    store.record_generation(run, &made_up(slot, number)).unwrap();
                    if iteration == 0 {
                        let warmup = Slot { is_warmup: true, ..slot };
                        store.record_generation(run, &made_up(warmup, number)).unwrap();
                    }
                }
            }
        }
        if number < 3 {
            store.finish_run(run, &super::RunEnd::Interrupted).unwrap();
        }
    }
}

/// Makes up a generation that differs from any other, and is the same each time.
fn made_up(slot: Slot, salt: u32) -> Generation {
    let Slot { prompt_index, mode, iteration, exec_order, .. } = slot;
    if (prompt_index == 4 && mode == Mode::SpecBase) || (exec_order * 7 + salt).is_multiple_of(13) {
        return failure(slot, "context is full");
    }
    let num_tokens = if prompt_index == 3 { 1 } else { 20 + 3 * prompt_index + salt };
    let mut tokens: Vec<u32> = (0..num_tokens).map(|token| 1000 * prompt_index + token).collect();
    if mode == Mode::SpecLora && prompt_index == 1 && iteration == 1 {
        tokens[0] += 1;
    }
    let seconds = 1.0 + f64::from((exec_order * 13 + salt) % 17) / 8.0;
    let rounds: &[_] = match mode {
        Mode::SpecBase if num_tokens > 1 => &[(4, 2), (4, 0), (4, 4), (2, 2)],
        Mode::SpecLora if num_tokens > 1 => &[(4, 4), (4, 3), (3, 3)],
        _ => &[],
    };
    generation(slot, tokens, seconds, rounds)
}
