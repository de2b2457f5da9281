//! `speclora demo`: the whole idea on the built-in pair, explained as it goes.

use clap::Args;

use super::UsageError;
use super::bench::{self, BenchArgs};
use super::collect::{self, CollectArgs};
use super::context::Context;
use super::train::{self, TrainArgs};
use crate::store::{Rows, Value};

const INTRODUCTION: &str = "\
speclora carries two tiny models. The target answers; the draft, an eighth of its size, guesses the next four
tokens, and the target checks all of them in one pass. What it would not have said itself is thrown away: the
answer is the same with and without the draft, and comes sooner where the guesses are good.

";

const GENERAL: &str = "\
--- 1. Everyday prompts: the draft knows such text -----------------------------------------------------------

";

const BENCH: &str = "
--- 2. Code and maths: the target knows them, the draft has half forgotten them -------------------------------

";

const COLLECT: &str = "
--- 3. Collect: what the target says and thinks on other prompts of both kinds -------------------------------

";

const TRAIN: &str = "
--- 4. Train: a LoRA adapter of the draft learns from it; a fifth of the prompts is held out to judge it -------

";

const AFTER: &str = "
--- 5. The same code and maths prompts again, with the adapter beside the plain draft ------------------------

";

const NEXT: &str = "
The answers are still the target's own, token for token: the adapter only changes how many guesses stand. An adapter
forgets what it is not shown, so everyday prompts were among the examples, too: the last command below measures them.

--- 6. Every prompt, round, step, checkpoint and figure is a row ----------------------------------------------

Try:
";

/// Arguments of `speclora demo`.
#[derive(Debug, Args)]
pub struct DemoArgs {
    /// Prompts to collect from, of which a fifth is held out: more take longer, and teach the draft more
    #[arg(
        long,
        value_name = "N",
        default_value = "600",
        value_parser = clap::value_parser!(u32).range(1..),
        allow_negative_numbers = true
    )]
    learn_from: u32,
}

/// Runs the command.
pub(crate) fn run(args: &DemoArgs, context: &Context) -> anyhow::Result<()> {
    if context.global.format().is_some() {
        let problem = "demo is for reading (speclora bench and speclora export write formats)";
        return Err(UsageError(problem.to_owned()).into());
    }
    let context = &context.without_settings()?;
    context.ui.data(INTRODUCTION)?;
    context.ui.data(GENERAL)?;
    bench::run(&BenchArgs::of_builtin_pair("demo-general", "builtin:general"), context)?;
    let store = context.open_store()?;
    let general = store.resolve_run("demo-general")?;
    let generations = store.query("generations", &[(":run_id", general.into())])?;
    let prompts = store.run_plan(general)?.prompts;
    context.ui.data(&format!(
        "\nThe first prompt and its answer:\n\n{}",
        example(&prompts[0].text, &generations)
    ))?;
    context.ui.data(BENCH)?;
    bench::run(&BenchArgs::of_builtin_pair("demo-code", "builtin:bench"), context)?;
    context.ui.data(COLLECT)?;
    collect::run(&CollectArgs::of_builtin_pair("demo-collect", args.learn_from), context)?;
    context.ui.data(TRAIN)?;
    train::run(&TrainArgs::of_builtin_pair("demo-train", "demo-collect"), context)?;
    context.ui.data(AFTER)?;
    bench::run(&BenchArgs::of_builtin_pair("demo-adapted", "builtin:bench").with_adapter("final"), context)?;
    context.ui.data(NEXT)?;
    let (trained, adapted) = (store.resolve_run("demo-train")?, store.resolve_run("demo-adapted")?);
    let database = store.path().display();
    context.ui.data(&format!(
        "  speclora runs show {adapted} --db '{database}'
  speclora runs show {trained} --db '{database}'
  sqlite3 '{database}' \"SELECT step, expected_acceptance, acceptance_rate FROM train_evaluations WHERE run_id = {trained}\"
  speclora bench --db '{database}' --target builtin:target --draft builtin:draft -f builtin:general\n"
    ))?;
    Ok(())
}

/// A prompt and the target's answer to it, indented.
fn example(prompt: &str, generations: &Rows) -> String {
    let place = |name: &str| generations.columns.iter().position(|column| column == name);
    let is =
        |row: &&Vec<Value>, name: &str, value: Value| place(name).is_some_and(|index| row[index] == value);
    let answer = generations.rows.iter().find(|row| {
        is(row, "mode", Value::Text("target_only".to_owned()))
            && is(row, "prompt_index", Value::Integer(0))
            && is(row, "is_warmup", Value::Integer(0))
    });
    let answer = match answer.zip(place("output_text")).map(|(row, index)| &row[index]) {
        Some(Value::Text(text)) => text,
        _ => "",
    };
    [prompt, answer].iter().flat_map(|text| text.lines()).map(|line| format!("    {line}\n")).collect()
}
