//! `speclora demo`: the whole idea on the built-in pair, explained as it goes.

use clap::Args;

use super::UsageError;
use super::bench::{self, BenchArgs};
use super::context::Context;
use crate::store::{Rows, Value};

const INTRODUCTION: &str = "\
speclora carries two tiny models. The target answers; the draft, a tenth of its size, guesses the next four
tokens, and the target checks all of them in one pass. What it would not have said itself is thrown away: the
answer is the same with and without the draft, and comes sooner where the guesses are good.

";

const GENERAL: &str = "\
--- 1. Everyday prompts: the draft knows such text -----------------------------------------------------------

";

const BENCH: &str = "
--- 2. Code and maths: the target knows them, the draft knows little ------------------------------------------

";

const NEXT: &str = "
Fewer of the draft's guesses stand where it knows little, and guessing gains little or nothing there. A LoRA
adapter that knows your prompts is what mends that: bench --adapter FOLDER measures one beside the plain draft.

--- 3. Every prompt, round and figure is a row ---------------------------------------------------------------

Try:
";

/// Arguments of `speclora demo`.
#[derive(Debug, Args)]
pub struct DemoArgs {}

/// Runs the command.
pub(crate) fn run(_: &DemoArgs, context: &Context) -> anyhow::Result<()> {
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
    context.ui.data(NEXT)?;
    let code = store.resolve_run("demo-code")?;
    let database = store.path().display();
    context.ui.data(&format!(
        "  speclora runs show {code} --db '{database}'
  sqlite3 '{database}' \"SELECT run_id, mode, avg_tokens_per_second, acceptance_rate FROM mode_metrics\"
  speclora bench --db '{database}' --target builtin:target --draft builtin:draft -f builtin:general --skip-lora\n"
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
