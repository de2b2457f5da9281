//! `speclora export`: writes stored runs for other programs.

mod rows;
mod whole;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};

use super::UsageError;
use super::context::Context;
use super::output;
use super::selectors::each_once;
use crate::config::Overrides;
use crate::record::RunId;
use crate::report::{Format, OutputFormat};
use crate::store::{Rows, Store, Value};

/// Arguments of `speclora export`.
#[derive(Debug, Args)]
#[command(
    after_help = "The format is that of --format; else what the extension of the file says (.json, .jsonl, .csv, .parquet); \
    else json. A file is replaced as a whole; a database, a configuration file or a model is not.\n\n\
    With --what, rows are written as they are read, whatever the size of the run, and those of several runs follow each \
    other: run_id tells them apart. Token ids are arrays in JSON and Parquet, and words in CSV."
)]
pub struct ExportArgs {
    /// The runs: "run 12", 12, @latest, @latest~1, a name, or the beginning of a uid
    #[arg(value_name = "RUN", required_unless_present = "all", num_args = 1..)]
    runs: Vec<String>,
    /// Takes every run that is not in the trash, from the first
    #[arg(long, conflicts_with = "runs")]
    all: bool,
    /// Which rows to write [default: what there is of the run as a whole]
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
    /// One row a prompt and mode
    Prompts,
    /// One row a generation
    Generations,
    /// One row a round of speculation
    Rounds,
    /// One row an example that was collected or trained on, with its token ids
    Examples,
    /// One row a proposal that the target refused, of runs that collect
    Disagreements,
    /// One row a step of training
    TrainSteps,
    /// One row a step at which training was evaluated
    Evaluations,
    /// One row a prompt and draft, of speclora evaluate
    PromptEvaluations,
}

impl What {
    /// The query that gives the rows of a run.
    fn query(self) -> &'static str {
        match self {
            Self::Summary => "mode_metrics",
            Self::Prompts => "prompt_metrics",
            Self::Generations => "generations",
            Self::Rounds => "rounds",
            Self::Examples => "run_examples",
            Self::Disagreements => "example_disagreements",
            Self::TrainSteps => "train_steps",
            Self::Evaluations => "train_evaluations",
            Self::PromptEvaluations => "prompt_evaluations",
        }
    }

    /// The rows, in words.
    fn plural(self) -> &'static str {
        match self {
            Self::Summary => "summaries",
            Self::Prompts => "prompts",
            Self::Generations => "generations",
            Self::Rounds => "rounds",
            Self::Examples => "examples",
            Self::Disagreements => "disagreements",
            Self::TrainSteps => "train steps",
            Self::Evaluations => "evaluations of training",
            Self::PromptEvaluations => "evaluations of prompts",
        }
    }
}

/// Runs the command.
pub(crate) fn run(args: &ExportArgs, context: &Context) -> anyhow::Result<()> {
    let format = format(context.global.asked_format(), &args.output)?;
    if format == OutputFormat::Parquet && output::is_stdout(&args.output) && context.ui.is_on_terminal() {
        let problem =
            "Parquet is binary, and not shown on a terminal (name a file with --output, or pipe it on)";
        return Err(UsageError(problem.to_owned()).into());
    }
    let (spec, _) = context.resolve(Overrides::NONE)?;
    let store = context.open_database(&context.database_path(&spec)?)?;
    let runs = if args.all { store.run_ids()? } else { named_runs(&store, &args.runs)? };
    anyhow::ensure!(!runs.is_empty(), "no runs to export (speclora bench makes one)");
    let mut protected = context.protected(&spec)?;
    if !output::is_stdout(&args.output) {
        model_paths(&store, &runs)?.into_iter().for_each(|path| protected.add("a model of this run", path));
    }
    protected.check(&args.output)?;
    match (args.what, runs.as_slice()) {
        (Some(what), _) => {
            rows::export(&Wanted { store: &store, runs: &runs, what }, args.place(format), context)
        }
        (None, &[run]) => whole::export(&store, run, args.place(format), context),
        (None, _) => {
            let problem =
                "say with --what which rows of the runs to write (one run alone is also written as a whole)";
            Err(UsageError(problem.to_owned()).into())
        }
    }
}

/// The rows to export.
struct Wanted<'a> {
    store: &'a Store,
    runs: &'a [RunId],
    what: What,
}

/// Where an export goes.
#[derive(Clone, Copy)]
struct Place<'a> {
    path: &'a Path,
    format: OutputFormat,
}

impl ExportArgs {
    fn place(&self, format: OutputFormat) -> Place<'_> {
        Place { path: &self.output, format }
    }
}

/// The runs that words like `run 12 run 15` or `12 15` name, in their order, each once.
fn named_runs(store: &Store, words: &[String]) -> anyhow::Result<Vec<RunId>> {
    Ok(each_once(words, |selector| store.resolve_run(selector))?)
}

/// The files of the models that runs used, each once.
fn model_paths(store: &Store, runs: &[RunId]) -> anyhow::Result<BTreeSet<String>> {
    let mut paths = BTreeSet::new();
    for &run in runs {
        let Rows { columns, rows } = store.query("run_models", &[(":run_id", run.into())])?;
        let place = columns.iter().position(|column| column == "path").expect("the query has this column");
        paths.extend(rows.into_iter().filter_map(|mut row| match row.swap_remove(place) {
            Value::Text(path) => Some(path),
            _ => None,
        }));
    }
    Ok(paths)
}

/// The format that was asked for, else that of the file's extension, else JSON.
fn format(asked: Option<OutputFormat>, output: &Path) -> Result<OutputFormat, UsageError> {
    let promised = output::format_of(output);
    if let (Some(asked), Some(promised)) = (asked, promised)
        && asked != promised
    {
        return Err(UsageError(format!(
            "--format {} does not fit the file {} (change one, or leave --format out)",
            asked.as_str(),
            output.display()
        )));
    }
    match asked.or(promised).unwrap_or(OutputFormat::Text(Format::Json)) {
        OutputFormat::Text(Format::Table | Format::Md) => Err(UsageError(
            "export writes json, jsonl, csv or parquet (speclora runs show prints tables)".to_owned(),
        )),
        format => Ok(format),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn format_follows_the_flag_or_the_extension_and_never_against_each_other() {
        let check = |asked, output: &str, expected: Result<OutputFormat, &str>| {
            let found = format(asked, Path::new(output)).map_err(|error| error.0);
            match expected {
                Ok(expected) => assert_eq!(found, Ok(expected), "{output}"),
                Err(part) => assert!(found.unwrap_err().contains(part), "{output}"),
            }
        };
        check(None, "-", Ok(OutputFormat::Text(Format::Json)));
        check(None, "x.txt", Ok(OutputFormat::Text(Format::Json)));
        check(None, "x.CSV", Ok(OutputFormat::Text(Format::Csv)));
        check(None, "x.jsonl", Ok(OutputFormat::Text(Format::Jsonl)));
        check(None, "x.parquet", Ok(OutputFormat::Parquet));
        check(Some(OutputFormat::Text(Format::Csv)), "-", Ok(OutputFormat::Text(Format::Csv)));
        check(Some(OutputFormat::Text(Format::Csv)), "x.csv", Ok(OutputFormat::Text(Format::Csv)));
        check(Some(OutputFormat::Parquet), "-", Ok(OutputFormat::Parquet));
        check(
            Some(OutputFormat::Text(Format::Json)),
            "x.csv",
            Err("--format json does not fit the file x.csv"),
        );
        check(Some(OutputFormat::Parquet), "x.csv", Err("--format parquet does not fit the file x.csv"));
        check(
            Some(OutputFormat::Text(Format::Csv)),
            "x.parquet",
            Err("--format csv does not fit the file x.parquet"),
        );
        check(Some(OutputFormat::Text(Format::Table)), "-", Err("json, jsonl, csv or parquet"));
        check(Some(OutputFormat::Text(Format::Md)), "x.txt", Err("json, jsonl, csv or parquet"));
    }
}
