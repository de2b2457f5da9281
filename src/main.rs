//! The `speclora` program: parses the command line, runs a command, and turns its end into an exit code.

use std::process::ExitCode;

use clap::Parser;

fn main() -> ExitCode {
    speclora::cli::Cli::parse().run()
}
