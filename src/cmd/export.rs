//! `speclora export`: writes a stored run for other programs.

use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};

use super::UsageError;
use super::context::{Context, select_run};
use super::output;
use super::present::{bench_export, whole_grid};
use crate::config::Overrides;
use crate::report::Format;

/// Arguments of `speclora export`.
#[derive(Debug, Args)]
#[command(
    after_help = "The format is that of --format; else what the extension of the file says (.json, .jsonl, .csv); \
    else json. A file is replaced as a whole; a database, a configuration file or a model is not."
)]
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
    let format = format(context.global.format(), &args.output)?;
    let (spec, _) = context.resolve(Overrides::NONE)?;
    let store = context.open_database(&context.database_path(&spec)?)?;
    let run = select_run(&store, &args.run)?;
    let mut protected = context.protected(&spec)?;
    for model in store.run_plan(run)?.models {
        protected.add("a model of this run", model.path);
    }
    protected.check(&args.output)?;
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

/// The format that was asked for, else that of the file's extension, else JSON.
fn format(asked: Option<Format>, output: &Path) -> Result<Format, UsageError> {
    let problem = match (asked, output::format_of(output)) {
        (Some(Format::Table | Format::Md), _) => {
            "export writes json, jsonl or csv (speclora runs show prints tables)".to_owned()
        }
        (Some(asked), Some(promised)) if asked != promised => format!(
            "--format {} does not fit the file {} (change one, or leave --format out)",
            asked.as_str(),
            output.display()
        ),
        (asked, promised) => return Ok(asked.or(promised).unwrap_or(Format::Json)),
    };
    Err(UsageError(problem))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn format_follows_the_flag_or_the_extension_and_never_against_each_other() {
        let check = |asked, output: &str, expected: Result<Format, &str>| {
            let found = format(asked, Path::new(output)).map_err(|error| error.0);
            match expected {
                Ok(expected) => assert_eq!(found, Ok(expected), "{output}"),
                Err(part) => assert!(found.unwrap_err().contains(part), "{output}"),
            }
        };
        check(None, "-", Ok(Format::Json));
        check(None, "x.txt", Ok(Format::Json));
        check(None, "x.CSV", Ok(Format::Csv));
        check(None, "x.jsonl", Ok(Format::Jsonl));
        check(Some(Format::Csv), "-", Ok(Format::Csv));
        check(Some(Format::Csv), "x.csv", Ok(Format::Csv));
        check(Some(Format::Json), "x.csv", Err("--format json does not fit the file x.csv"));
        check(Some(Format::Table), "x.csv", Err("json, jsonl or csv"));
    }
}
