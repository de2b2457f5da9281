//! How fast the store takes in what runs measure, beside plain rusqlite in the same process.
//!
//! ```console
//! cargo bench --bench ingest [-- FOLDER]
//! ```
//!
//! Databases are made in FOLDER, by default the system's temporary one, and deleted. Three things are timed:
//!
//! - one step of training, with the eight examples that it learned from: a transaction of ours, with the run's sign of life,
//!   every constraint and every foreign key, beside a transaction of rusqlite that inserts the same values into tables without
//!   any. Both wait for nothing but the write-ahead log (`synchronous = NORMAL`), and take turns;
//! - generations with their rounds, one transaction each, as rows a second;
//! - eight processes that write steps to one file at once: how long the unluckiest of their transactions took.
//!
//! Prints one line of JSON for each.

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use half::f16;
use rusqlite::{Connection, TransactionBehavior, params};
use speclora::ingest::Ingest;
use speclora::record::{
    Completion, Decoded, Environment, ExampleId, Generation, Mode, ModelInfo, NewRun, Observations, Prompt,
    PromptSource, Purpose, Role, Round, RunId, RunKind, RunModel, Slot, StopReason, TargetProbabilities,
    TrainStep,
};

/// Examples of a step: the default `batch_size`.
const BATCH_SIZE: u32 = 8;
const NUM_STEPS: u32 = 4000;
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

/// Times steps of both kinds in turn.
fn steps(folder: &Path) -> serde_json::Value {
    let (mut store, run) = training(&folder.join("steps.db"));
    let mut plain = plain(&folder.join("plain.db"));
    let (mut ours, mut theirs) = (vec![], vec![]);
    for number in 1..=NUM_STEPS {
        let step = step(number);
        ours.push(timed(|| store.record_train_step(run, &step).expect("the step is stored")));
        theirs.push(timed(|| insert_plainly(&mut plain, run, &step).expect("the step is inserted")));
    }
    let (ours, theirs) = (Times::of(ours), Times::of(theirs));
    serde_json::json!({
        "what": "one step of training with 8 examples, committed",
        "store": ours.json(),
        "rusqlite": theirs.json(),
        "ratio_of_medians": ours.median.as_secs_f64() / theirs.median.as_secs_f64(),
        "ratio_of_means": ours.mean.as_secs_f64() / theirs.mean.as_secs_f64(),
    })
}

/// Times generations, each a row and `num_rounds` more.
fn generations(folder: &Path, num_rounds: usize) -> serde_json::Value {
    let mut store = Ingest::open(&folder.join(format!("rounds{num_rounds}.db"))).expect("a database is made");
    let run = store.begin_run(&new_run(RunKind::Bench, 1)).expect("the run is stored");
    let generations: Vec<Generation> =
        (0..NUM_GENERATIONS).map(|iteration| generation(0, iteration, num_rounds)).collect();
    let took = timed(|| {
        for generation in &generations {
            store.record_generation(run, generation).expect("the generation is stored");
        }
    });
    let num_rows = generations.len() * (1 + num_rounds);
    serde_json::json!({
        "what": format!("generations with {num_rounds} rounds, one commit each"),
        "rows_per_second": num_rows as f64 / took.as_secs_f64(),
        "generations_per_second": generations.len() as f64 / took.as_secs_f64(),
    })
}

/// Times processes that write to one file at once.
fn writers(folder: &Path) -> serde_json::Value {
    let path = folder.join("writers.db");
    let (mut store, _) = training(&path);
    let runs: Vec<RunId> = (0..NUM_WRITERS).map(|_| begin_training(&mut store)).collect();
    let program = std::env::current_exe().expect("this program has a path");
    let began = Instant::now();
    let processes: Vec<_> = runs
        .iter()
        .map(|run| {
            let mut command = Command::new(&program);
            command.arg("--writer").arg(&path).arg(run.to_string()).stdout(Stdio::piped());
            command.spawn().expect("a writer starts")
        })
        .collect();
    let outputs: Vec<_> =
        processes.into_iter().map(|process| process.wait_with_output().expect("it ends")).collect();
    let took = began.elapsed();
    let worst = |output: &std::process::Output| {
        serde_json::from_slice::<serde_json::Value>(&output.stdout).ok()?["longest_ms"].as_f64()
    };
    let worst: Vec<f64> = outputs.iter().filter_map(worst).collect();
    serde_json::json!({
        "what": "steps of 8 processes in one file",
        "failed_processes": outputs.iter().filter(|output| !output.status.success()).count(),
        "commits_per_second": f64::from(NUM_WRITERS * STEPS_OF_A_WRITER) / took.as_secs_f64(),
        "longest_commit_ms": worst.iter().copied().fold(0.0, f64::max),
        "longest_commit_of_each_ms": worst,
    })
}

/// One of the writers.
fn write_steps(path: &Path, run: RunId) -> serde_json::Value {
    let mut store = Ingest::open(path).expect("the database opens");
    let times = (1..=STEPS_OF_A_WRITER).map(|number| {
        let step = step(number);
        timed(|| store.record_train_step(run, &step).expect("the step is stored"))
    });
    let longest = times.max().unwrap_or_default();
    serde_json::json!({ "longest_ms": longest.as_secs_f64() * 1e3 })
}

/// A database without constraints, with the same journal.
fn plain(path: &Path) -> Connection {
    let connection = Connection::open(path).expect("a database is made");
    connection
        .execute_batch(
            "PRAGMA journal_mode = WAL;
            PRAGMA synchronous = NORMAL;
            CREATE TABLE steps (
                run_id, step, epoch, loss, nonfinite, gradient_norm, learning_rate, num_positions, num_tokens, step_ns,
                ended_at_ms
            );
            CREATE TABLE step_examples (run_id, step, example_id);",
        )
        .expect("tables are made");
    connection
}

fn insert_plainly(connection: &mut Connection, run: RunId, step: &TrainStep) -> rusqlite::Result<()> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    transaction
        .prepare_cached("INSERT INTO steps VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)")?
        .execute(params![
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
    {
        let mut insert = transaction.prepare_cached("INSERT INTO step_examples VALUES (?1, ?2, ?3)")?;
        for example in &step.examples {
            insert.execute(params![run.0, step.step, example.0])?;
        }
    }
    transaction.commit()
}

/// A database with examples, and a run that trains on them.
fn training(path: &Path) -> (Ingest, RunId) {
    let mut store = Ingest::open(path).expect("a database is made");
    let run = store.begin_run(&new_run(RunKind::Collect, BATCH_SIZE)).expect("the run is stored");
    for prompt_index in 0..BATCH_SIZE {
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
    let examples: Vec<_> = (1..=BATCH_SIZE.into()).map(|id| (ExampleId(id), Purpose::Train)).collect();
    store.begin_training(&new_run(RunKind::Train, 0), &examples).expect("the run is stored")
}

fn step(number: u32) -> TrainStep {
    TrainStep {
        step: number,
        epoch: 1,
        loss: 1.0 / f64::from(number),
        gradient_norm: 0.5,
        learning_rate: 1e-4,
        num_positions: 400,
        num_tokens: 600,
        step_ns: 250_000_000,
        examples: (1..=BATCH_SIZE.into()).map(ExampleId).collect(),
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

fn timed(work: impl FnOnce()) -> Duration {
    let began = Instant::now();
    work();
    began.elapsed()
}

struct Times {
    median: Duration,
    mean: Duration,
    longest: Duration,
}

impl Times {
    fn of(mut times: Vec<Duration>) -> Self {
        times.sort_unstable();
        let mean = times.iter().sum::<Duration>() / times.len() as u32;
        Self { median: times[times.len() / 2], mean, longest: times[times.len() - 1] }
    }

    fn json(&self) -> serde_json::Value {
        let microseconds = |duration: Duration| duration.as_secs_f64() * 1e6;
        serde_json::json!({
            "median_us": microseconds(self.median),
            "mean_us": microseconds(self.mean),
            "longest_us": microseconds(self.longest),
        })
    }
}
