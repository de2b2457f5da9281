//! The command line: the list of commands. Each command's arguments stand beside its handler, in [`cmd`].

use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::cmd::{self, GlobalArgs};

/// Speculative decoding with a LoRA-adapted draft, measured and stored in one SQLite file.
#[derive(Debug, Parser)]
#[command(name = "speclora", version, max_term_width = 110, arg_required_else_help = true)]
pub struct Cli {
    /// Flags that every command takes.
    #[command(flatten)]
    pub global: GlobalArgs,
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

impl Cli {
    /// Runs the command and says how it ended.
    pub fn run(self) -> ExitCode {
        cmd::run(self.global, |context| match &self.command {
            command if context.is_asked_for_parquet() && !command.writes_parquet() => cmd::refuse_parquet(),
            Command::Demo(args) => cmd::demo::run(args, context),
            Command::Bench(args) => cmd::bench::run(args, context),
            Command::Collect(args) => cmd::collect::run(args, context),
            Command::Train(args) => cmd::train::run(args, context),
            Command::Evaluate(args) => cmd::evaluate::run(args, context),
            Command::Generate(args) => cmd::generate::run(args, context),
            Command::Adapters(args) => cmd::adapters::run(args, context),
            Command::Compare(args) => cmd::compare::run(args, context),
            Command::Runs(args) => cmd::runs::run(args, context),
            Command::Export(args) => cmd::export::run(args, context),
            Command::Query(args) => cmd::query::run(args, context),
            Command::Sql(args) => cmd::sql::run(args, context),
            Command::Backup(args) => cmd::backup::run(args, context),
            Command::Stats(args) => cmd::stats::run(args, context),
            Command::Models(args) => cmd::models::run(args, context),
            Command::Config(args) => cmd::config::run(args, context),
            Command::Doctor(args) => cmd::doctor::run(args, context),
        })
    }
}

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Shows the whole loop on the built-in pair of models, in about a minute
    Demo(cmd::demo::DemoArgs),
    /// Measures target-only and speculative decoding over prompts, and stores every figure
    #[command(visible_alias = "benchmark-suite")]
    Bench(Box<cmd::bench::BenchArgs>),
    /// Answers prompts and stores what the target said and thought, to train the draft on
    #[command(visible_alias = "collect-data")]
    Collect(Box<cmd::collect::CollectArgs>),
    /// Teaches the draft a LoRA adapter from stored examples
    Train(Box<cmd::train::TrainArgs>),
    /// Says what the draft, plain and with adapters, makes of the target's answers, without timing
    Evaluate(Box<cmd::evaluate::EvaluateArgs>),
    /// Answers one prompt, and prints the text as it is decoded
    Generate(Box<cmd::generate::GenerateArgs>),
    /// Lists, shows and names stored adapters; moves them out to PEFT folders and in again
    Adapters(cmd::adapters::AdaptersArgs),
    /// Compares runs, or modes of a run: is it better, by how much, and how sure is that
    Compare(cmd::compare::CompareArgs),
    /// Lists, shows and labels stored runs, and takes them away
    Runs(cmd::runs::RunsArgs),
    /// Writes stored runs as JSON, JSON Lines, CSV or Parquet
    Export(cmd::export::ExportArgs),
    /// Answers a question about what is stored; without a name, lists the questions
    Query(cmd::query::QueryArgs),
    /// Answers statements of your own, read-only unless told otherwise
    Sql(cmd::sql::SqlArgs),
    /// Copies the database as a whole, while others write
    Backup(cmd::backup::BackupArgs),
    /// Says how large the database is, and what takes the space
    Stats(cmd::stats::StatsArgs),
    /// Looks into model files
    Models(cmd::models::ModelsArgs),
    /// Shows the configuration
    Config(cmd::config::ConfigArgs),
    /// Checks machine, configuration, models and database
    Doctor(cmd::doctor::DoctorArgs),
}

impl Command {
    /// Whether it writes Parquet, which is no text.
    fn writes_parquet(&self) -> bool {
        matches!(self, Self::Export(_))
    }
}
