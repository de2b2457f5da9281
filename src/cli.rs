//! The command line: global flags and the list of commands. Each command's own arguments stand beside its handler.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

use crate::cmd;
use crate::report::Format;
use crate::ui::{Color, Verbosity};

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

/// Flags that every command takes.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Global options")]
pub struct GlobalArgs {
    /// Database file [default: the nearest speclora.db in this folder or a parent, else ./speclora.db]
    #[arg(long, global = true, value_name = "PATH")]
    pub db: Option<String>,
    /// Configuration file, instead of the nearest speclora.toml
    #[arg(long, global = true, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// How data is written to standard output [default: table]
    #[arg(long, global = true, value_name = "FORMAT", value_enum)]
    pub format: Option<Format>,
    /// Short for --format json
    #[arg(long, global = true, conflicts_with = "format")]
    pub json: bool,
    /// When messages are coloured
    #[arg(long, global = true, value_name = "WHEN", value_enum, default_value_t)]
    pub color: Color,
    /// Says only warnings and errors
    #[arg(short, long, global = true, conflicts_with = "verbose")]
    pub quiet: bool,
    /// Says details
    #[arg(short, long, global = true)]
    pub verbose: bool,
}

impl GlobalArgs {
    /// The format that was asked for, if any.
    pub fn format(&self) -> Option<Format> {
        if self.json { Some(Format::Json) } else { self.format }
    }

    /// How much to say.
    pub fn verbosity(&self) -> Verbosity {
        match (self.quiet, self.verbose) {
            (true, _) => Verbosity::Quiet,
            (_, true) => Verbosity::Verbose,
            _ => Verbosity::Normal,
        }
    }
}

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Measures target-only and speculative decoding over prompts, and stores every figure
    #[command(visible_alias = "benchmark-suite")]
    Bench(Box<cmd::bench::BenchArgs>),
    /// Lists and shows stored runs
    Runs(cmd::runs::RunsArgs),
    /// Writes a stored run as JSON or CSV
    Export(cmd::export::ExportArgs),
    /// Looks into model files
    Models(cmd::models::ModelsArgs),
    /// Shows the configuration
    Config(cmd::config::ConfigArgs),
    /// Checks machine, configuration, models and database
    Doctor(cmd::doctor::DoctorArgs),
}
