//! How fast the store takes in what runs measure, beside plain rusqlite in the same process.
//!
//! ```console
//! cargo bench --bench ingest [-- FOLDER]
//! ```
//!
//! Databases are made in FOLDER, by default the system's temporary one, and deleted. Three things are timed:
//!
//! - one step of training, with the eight examples that it learned from: a transaction of the store's, with the run's sign of
//!   life; one of rusqlite that inserts the same values into the same tables, with their indices, constraints and foreign keys;
//!   and one that inserts them into tables that have none of these. All write to the write-ahead log and wait for no disk
//!   (`synchronous = NORMAL`), and take turns;
//! - generations with their rounds, one transaction each, as rows a second;
//! - eight processes that write steps to one file at once: how long the unluckiest of their transactions took.
//!
//! Prints one line of JSON for each.

use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::time::Instant;

use half::f16;
use rusqlite::{Connection, TransactionBehavior, params};
use serde_json::{Value as Json, json};
use speclora::ingest::Ingest;
use speclora::record::{
    Completion, Decoded, Environment, ExampleId, Generation, Mode, ModelInfo, NewRun, Observations, Prompt,
    PromptSource, Purpose, Role, Round, RunId, RunKind, RunModel, Slot, StopReason, TargetProbabilities,
    TrainStep,
};

/// Examples of a step: the default `batch_size`.
const BATCH_SIZE: u32 = 8;
/// Examples of a training run.
const NUM_EXAMPLES: u32 = 256;
const NUM_STEPS: u32 = 2000;
const NUM_GENERATIONS: u32 = 400;
const NUM_WRITERS: u32 = 8;
const STEPS_OF_A_WRITER: u32 = 500;

#[expect(clippy::print_stdout, reason = "a benchmark prints what it found")]
fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).filter(|argument| argument != "--bench").collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    if let ["--writer", path, run] = words[..] {
        return println!("{}", write_steps(Path::new(path), RunId(run.parse().expect("a run is a number"))));
    }
    let folder = match words[..] {
        [folder] => tempfile::tempdir_in(folder),
        _ => tempfile::tempdir(),
    };
    let folder = folder.expect("the folder can be written");
    println!("{}", steps(folder.path()));
    for num_rounds in [15, 60, 250] {
        println!("{}", generations(folder.path(), num_rounds));
    }
    println!("{}", writers(folder.path()));
}

/// Times steps of all kinds in turn.
fn steps(folder: &Path) -> Json {
    let (mut store, run) = training(&folder.join("steps.db"));
    let (mut same, same_run) = same(&folder.join("same.db"));
    let mut plain = plain(&folder.join("plain.db"));
    let (mut of_store, mut of_same, mut of_plain) = (vec![], vec![], vec![]);
    for number in 1..=NUM_STEPS {
        let step = step(number);
        of_store.push(timed(|| store.record_train_step(run, &step).expect("the step is stored")));
        of_same.push(timed(|| insert(&mut same, &SAME, same_run, &step).expect("the step is inserted")));
        of_plain.push(timed(|| insert(&mut plain, &PLAIN, run, &step).expect("the step is inserted")));
    }
    let [of_store, of_same, of_plain] = [of_store, of_same, of_plain].map(Times::of);
    json!({
        "what": format!("one step of training with {BATCH_SIZE} examples, committed"),
        "store": of_store.json(),
        "rusqlite_same_tables": of_same.json(),
        "rusqlite_plain_tables": of_plain.json(),
        "ratio_to_same_tables": of_store.median / of_same.median,
        "ratio_to_plain_tables": of_store.median / of_plain.median,
    })
}

/// Times generations, each a row and `num_rounds` more.
fn generations(folder: &Path, num_rounds: usize) -> Json {
    let mut store = Ingest::open(&folder.join(format!("rounds{num_rounds}.db"))).expect("a database is made");
    let run = store.begin_run(&new_run(RunKind::Bench, 1)).expect("the run is stored");
    let times = (0..NUM_GENERATIONS).map(|iteration| {
        let generation = generation(0, iteration, num_rounds);
        timed(|| store.record_generation(run, &generation).expect("the generation is stored"))
    });
    let times = Times::of(times.collect());
    json!({
        "what": format!("a generation with {num_rounds} rounds, committed"),
        "commit": times.json(),
        "rows_per_second": (1 + num_rounds) as f64 / times.median,
        "rows_per_second_of_mean": (1 + num_rounds) as f64 / times.mean,
    })
}

/// Times processes that write to one file at once.
fn writers(folder: &Path) -> Json {
    let path = folder.join("writers.db");
    let (mut store, _) = training(&path);
    let runs: Vec<RunId> = (0..NUM_WRITERS).map(|_| begin_training(&mut store)).collect();
    let program = std::env::current_exe().expect("this program has a path");
    let began = Instant::now();
    let start = |run: &RunId| {
        let mut command = Command::new(&program);
        command.arg("--writer").arg(&path).arg(run.to_string()).stdout(Stdio::piped());
        command.spawn().expect("a writer starts")
    };
    let processes: Vec<Child> = runs.iter().map(start).collect();
    let outputs = processes.into_iter().map(|process| process.wait_with_output().expect("a writer ends"));
    let outputs: Vec<Output> = outputs.collect();
    let took = began.elapsed();
    let longest =
        outputs.iter().filter_map(|output| serde_json::from_slice::<Json>(&output.stdout).ok()?.as_f64());
    let longest: Vec<f64> = longest.collect();
    json!({
        "what": format!("{NUM_WRITERS} processes, {STEPS_OF_A_WRITER} steps each, in one file"),
        "num_failed": outputs.iter().filter(|output| !output.status.success()).count(),
        "commits_per_second": f64::from(NUM_WRITERS * STEPS_OF_A_WRITER) / took.as_secs_f64(),
        "longest_wait_ms": longest.iter().copied().fold(0.0, f64::max),
        "longest_wait_of_each_ms": longest,
    })
}

/// One of the writers: returns the milliseconds that its longest transaction took.
fn write_steps(path: &Path, run: RunId) -> Json {
    let mut store = Ingest::open(path).expect("the database opens");
    let times = (1..=STEPS_OF_A_WRITER).map(|number| {
        let step = step(number);
        timed(|| store.record_train_step(run, &step).expect("the step is stored"))
    });
    json!(1e3 * times.fold(0.0, f64::max))
}

/// Statements that insert a step and one of its examples.
struct Statements {
    step: &'static str,
    example: &'static str,
}

const SAME: Statements = Statements {
    step: "INSERT INTO train_steps VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)",
    example: "INSERT INTO train_step_examples VALUES (?1, ?2, ?3)",
};

const PLAIN: Statements = Statements {
    step: "INSERT INTO steps VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)",
    example: "INSERT INTO step_examples VALUES (?1, ?2, ?3)",
};

/// A database of ours for rusqlite, and a run that trains.
fn same(path: &Path) -> (Connection, RunId) {
    let (store, run) = training(path);
    drop(store);
    (connection(path, "PRAGMA foreign_keys = ON;"), run)
}

/// A database without constraints and indices.
fn plain(path: &Path) -> Connection {
    connection(
        path,
        "CREATE TABLE steps (
            run_id, step, epoch, loss, nonfinite, gradient_norm, learning_rate, num_positions, num_tokens, step_ns,
            ended_at_ms
        );
        CREATE TABLE step_examples (run_id, step, example_id);",
    )
}

/// Opens a file with the journal that the store has, and prepares it.
fn connection(path: &Path, sql: &str) -> Connection {
    let connection = Connection::open(path).expect("a database is made");
    connection
        .execute_batch(&format!("PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL; {sql}"))
        .expect("it is prepared");
    connection
}

fn insert(
    connection: &mut Connection,
    statements: &Statements,
    run: RunId,
    step: &TrainStep,
) -> rusqlite::Result<()> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    transaction.prepare_cached(statements.step)?.execute(params![
        run.0,
        step.step,
        step.epoch,
        step.loss,
        None::<&str>,
        step.gradient_norm,
        step.learning_rate,
        step.num_positions,
        step.num_tokens,
        step.step_ns as i64,
        1_700_000_000_000_i64,
    ])?;
    for example in &step.examples {
        transaction.prepare_cached(statements.example)?.execute(params![run.0, step.step, example.0])?;
    }
    transaction.commit()
}

/// A database with examples, and a run that trains on them.
fn training(path: &Path) -> (Ingest, RunId) {
    let mut store = Ingest::open(path).expect("a database is made");
    let run = store.begin_run(&new_run(RunKind::Collect, NUM_EXAMPLES)).expect("the run is stored");
    for prompt_index in 0..NUM_EXAMPLES {
        let mut generation = generation(prompt_index, 0, 15);
        if let Ok(completion) = &mut generation.outcome {
            completion.observations = Some(observations(completion.decoded.tokens.len()));
        }
        store.record_generation(run, &generation).expect("the example is stored");
    }
    let run = begin_training(&mut store);
    (store, run)
}

fn begin_training(store: &mut Ingest) -> RunId {
    let examples: Vec<_> = (1..=NUM_EXAMPLES.into()).map(|id| (ExampleId(id), Purpose::Train)).collect();
    store.begin_training(&new_run(RunKind::Train, 0), &examples).expect("the run is stored")
}

/// A step that learns from the next examples, and from the first again after the last.
fn step(number: u32) -> TrainStep {
    let example = |index: u32| ExampleId(i64::from((number * BATCH_SIZE + index) * 37 % NUM_EXAMPLES) + 1);
    TrainStep {
        step: number,
        epoch: 1,
        loss: 1.0 / f64::from(number),
        gradient_norm: 0.5,
        learning_rate: 1e-4,
        num_positions: 400,
        num_tokens: 600,
        step_ns: 250_000_000,
        examples: (0..BATCH_SIZE).map(example).collect(),
    }
}

fn new_run(kind: RunKind, num_prompts: u32) -> NewRun {
    let prompt = |index| Prompt { text: format!("prompt {index}"), external_id: None, category: None };
    NewRun {
        kind,
        name: None,
        note: None,
        tags: vec![],
        command_line: "ingest".to_owned(),
        settings: vec![],
        environment: Environment {
            hostname: None,
            os: None,
            kernel: None,
            cpu_model: None,
            num_cpus: None,
            memory_bytes: None,
            engine: "none".to_owned(),
            speclora_version: "0".to_owned(),
            git_commit: None,
            git_dirty: None,
        },
        models: vec![RunModel { role: Role::Target, path: "target".to_owned(), info: model() }],
        checkpoint_id: None,
        draft_vocabulary: None,
        prompt_source: PromptSource { name: "none".to_owned(), sha256: "0".repeat(64) },
        prompts: (0..num_prompts).map(prompt).collect(),
        num_planned_generations: num_prompts,
    }
}

fn model() -> ModelInfo {
    ModelInfo {
        sha256: "0".repeat(64),
        format: "gguf".to_owned(),
        family: "llama".to_owned(),
        name: None,
        quantization: "F32".to_owned(),
        num_parameters: 0,
        num_layers: 0,
        hidden_size: 0,
        vocab_size: 0,
        context_length: 0,
        tokenizer_sha256: "0".repeat(64),
        size_bytes: 0,
        files: vec![],
    }
}

/// A generation of rounds in which three of four proposals stand.
fn generation(prompt_index: u32, iteration: u32, num_rounds: usize) -> Generation {
    let round =
        Round { num_drafted: 4, num_accepted: 3, num_emitted: 4, draft_ns: 4_000_000, verify_ns: 9_000_000 };
    let tokens: Vec<u32> = (0..1 + 4 * num_rounds as u32).map(|token| token * 31 + prompt_index).collect();
    let text = "word ".repeat(tokens.len());
    let decoded = Decoded {
        tokens,
        rounds: vec![round; num_rounds],
        stop_reason: StopReason::MaxTokens,
        num_prompt_tokens: 20,
        num_target_forwards: 1 + num_rounds as u32,
        num_draft_forwards: 4 * num_rounds as u32,
        time_to_first_token_ns: 30_000_000,
        time_to_last_token_ns: 30_000_000 + 13_000_000 * num_rounds as u64,
    };
    Generation {
        slot: Slot { prompt_index, mode: Mode::SpecBase, iteration, exec_order: iteration, is_warmup: false },
        checkpoint_id: None,
        seed: 1,
        started_at_ms: 1_700_000_000_000,
        load_average: Some(0.5),
        outcome: Ok(Completion { decoded, text, observations: None }),
    }
}

fn observations(num_positions: usize) -> Observations {
    let target = TargetProbabilities {
        temperature: 1.0,
        top_k: 2,
        tokens: vec![1; 2 * num_positions],
        probabilities: vec![f16::from_f32(0.25); 2 * num_positions],
        left_over: vec![0.5; num_positions],
    };
    Observations { prompt_tokens: vec![1, 2, 3], target, disagreements: vec![] }
}

/// Seconds that work took.
fn timed(work: impl FnOnce()) -> f64 {
    let began = Instant::now();
    work();
    began.elapsed().as_secs_f64()
}

/// What is said of many times, in seconds.
struct Times {
    median: f64,
    mean: f64,
    longest: f64,
}

impl Times {
    fn of(mut times: Vec<f64>) -> Self {
        times.sort_unstable_by(f64::total_cmp);
        let mean = times.iter().sum::<f64>() / times.len() as f64;
        Self { median: times[times.len() / 2], mean, longest: times[times.len() - 1] }
    }

    fn json(&self) -> Json {
        json!({ "median_us": 1e6 * self.median, "mean_us": 1e6 * self.mean, "longest_us": 1e6 * self.longest })
    }
}
