//! `speclora generate`: answers one prompt, and prints the text as it is decoded.

mod answer;
mod prepare;

use std::io::{self, Read};

use anyhow::Context as _;
use clap::Args;

use super::UsageError;
use super::bench::flags::{DecodingArgs, ModelArgs};
use super::context::Context;
use crate::config::Overrides;
use crate::report::Format;

/// Arguments of `speclora generate`.
#[derive(Debug, Default, Args)]
#[command(
    after_help = "The answer goes to standard output as it is decoded, and what it took to standard error. Where there is a draft it \
    proposes, with the adapter that best names if that was made for it; the answer is the target's own. --json prints one object \
    when the answer is complete: text, tokens (ids), num_prompt_tokens, total_tokens, num_rounds, num_drafted, num_accepted, \
    acceptance_rate (accepted / drafted), mean_acceptance_length (emitted / rounds), time_to_first_token and \
    time_to_last_token (seconds from the request), tokens_per_second (of the whole), stop_reason, mode and adapter. \
    Nothing is stored: bench and collect do that."
)]
pub struct GenerateArgs {
    /// The prompt; - reads it from standard input
    #[arg(value_name = "PROMPT")]
    prompt: String,
    /// Most tokens that the answer has [default: 256]
    #[arg(short, long, value_name = "N", allow_negative_numbers = true)]
    max_tokens: Option<String>,

    #[command(flatten)]
    models: ModelArgs,
    /// LoRA adapter of the draft: an alias, a checkpoint id, or a PEFT folder [default: best, if it was made for this draft]
    #[arg(short, long, alias = "lora-adapter", value_name = "ADAPTER", help_heading = "Models")]
    adapter: Option<String>,
    /// Decodes with the target alone
    #[arg(long, conflicts_with_all = ["draft", "adapter"], help_heading = "Models")]
    no_draft: bool,

    #[command(flatten)]
    decoding: DecodingArgs,
}

impl GenerateArgs {
    /// The settings that flags decide.
    fn overrides(&self) -> Overrides {
        let mut overrides = Overrides::NONE;
        self.models.decide(&mut overrides);
        self.decoding.decide(&mut overrides);
        overrides.set("max_tokens", self.max_tokens.as_deref()).set("adapter", self.adapter.as_deref());
        overrides
    }
}

/// Runs the command.
pub(crate) fn run(args: &GenerateArgs, context: &Context) -> anyhow::Result<()> {
    refuse_rows(context.format())?;
    let prompt = read_prompt(&args.prompt, io::stdin().lock())?;
    let job = prepare::prepared(args, prompt, context)?;
    answer::print(job, context)
}

/// An answer is no list of rows.
fn refuse_rows(format: Format) -> Result<(), UsageError> {
    match format {
        Format::Table | Format::Json | Format::Jsonl => Ok(()),
        Format::Csv | Format::Md => {
            Err(UsageError(format!("generate writes text, json or jsonl, got {}", format.as_str())))
        }
    }
}

/// The prompt as it was given, or standard input without the newline that ends it.
fn read_prompt(argument: &str, mut stdin: impl Read) -> anyhow::Result<String> {
    let mut prompt = argument.to_owned();
    if argument == "-" {
        prompt.clear();
        stdin.read_to_string(&mut prompt).context("cannot read the prompt from standard input")?;
        let len = prompt.strip_suffix('\n').map_or(prompt.len(), |rest| rest.trim_end_matches('\r').len());
        prompt.truncate(len);
    }
    if prompt.trim().is_empty() {
        return Err(
            UsageError("the prompt is empty (give a text, or - for standard input)".to_owned()).into()
        );
    }
    Ok(prompt)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prompt_comes_from_the_argument_or_from_standard_input() {
        let check = |argument: &str, stdin: &[u8], expected: Result<&str, &str>| match expected {
            Ok(prompt) => assert_eq!(read_prompt(argument, stdin).unwrap(), prompt),
            Err(part) => {
                let error = format!("{:#}", read_prompt(argument, stdin).unwrap_err());
                assert!(error.contains(part), "{error}");
            }
        };
        check("a\n", b"b", Ok("a\n"));
        check("-", b"two\nlines\r\n", Ok("two\nlines"));
        check("-", b"x", Ok("x"));
        check(" \n", b"b", Err("the prompt is empty"));
        check("-", b"\n", Err("the prompt is empty"));
        check("-", b"\xff", Err("cannot read the prompt from standard input"));
    }
}
