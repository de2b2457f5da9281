//! `speclora export`: writes a stored run for other programs.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

use super::UsageError;
use super::context::{Context, select_run};
use super::present::{bench_export, whole_grid};
use crate::report::Format;

/// Arguments of `speclora export`.
#[derive(Debug, Args)]
pub struct ExportArgs {
    /// The run: "run 12", 12, @latest, @latest~1, a name, or the beginning of a uid
    #[arg(value_name = "RUN", required = true, num_args = 1..=2)]
    run: Vec<String>,
    /// What to write [default: metadata, summary and prompts together]
    #[arg(long, value_name = "WHAT", value_enum)]
    what: Option<What>,
    /// Where to write it (- for standard output)
    #[arg(short, long, value_name = "FILE", default_value = "-")]
    output: PathBuf,
}

/// The rows that can be exported on their own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum What {
    /// One row a mode
    Summary,
    /// One row a generation
    Generations,
    /// One row a round of speculation
    Rounds,
}

/// Runs the command.
pub(crate) fn run(args: &ExportArgs, context: &Context) -> anyhow::Result<()> {
    let format = context.global.format().unwrap_or(Format::Json);
    if matches!(format, Format::Table | Format::Md) {
        return Err(UsageError(
            "export writes json, jsonl or csv (speclora runs show prints tables)".to_owned(),
        )
        .into());
    }
    let store = context.open_store()?;
    let run = select_run(&store, &args.run)?;
    let query = |name: &str| store.query(name, &[(":run_id", run.into())]);
    let text = match (args.what, format) {
        (None, Format::Json) => bench_export(&store, run)?.to_json(),
        (None, _) => bench_export(&store, run)?.to_grid().render(format),
        (Some(What::Summary), _) => whole_grid(&query("mode_metrics")?).render(format),
        (Some(What::Generations), _) => whole_grid(&query("generations")?).render(format),
        (Some(What::Rounds), _) => whole_grid(&query("rounds")?).render(format),
    };
    context.write(&args.output, &text)
}
