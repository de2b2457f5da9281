//! The answer: decoded, and printed piece by piece or as one object.

use std::sync::atomic::{AtomicBool, Ordering};

use serde_json::{Value as Json, json};

use super::prepare::Job;
use crate::bench::generator::{ModelGenerator, Workload};
use crate::bench::measure::GenerateOptions;
use crate::bench::plan::generation_seed;
use crate::cmd::bench::job::{generator_settings, load};
use crate::cmd::context::{Context, backend};
use crate::cmd::{Interrupted, interrupt};
use crate::engine::observe::Observer;
use crate::engine::pair::PairOptions;
use crate::engine::tokenizer::{TextStream, Tokenizer};
use crate::engine::{self, Error, threads};
use crate::record::{Completion, Decoded, Mode, RunKind, Slot};
use crate::report::Format;
use crate::ui::Ui;

/// Answers the prompt.
///
/// # Errors
/// If it cannot be answered or printed, or the user asks to stop.
pub(super) fn print(job: Job, context: &Context) -> anyhow::Result<()> {
    let Job { prompt, spec, models, mode, adapter, draft_vocabulary } = job;
    if let Some(num_threads) = spec.threads {
        threads::limit(num_threads);
    }
    let options = PairOptions {
        backend: backend(&spec)?,
        draft_quantization: spec.draft_quant,
        draft_vocabulary: draft_vocabulary.as_ref().map(|vocabulary| &vocabulary.tokens[..]),
    };
    let pair = load(&models, options, context)?;
    let cancel = interrupt::listen_until(context.ui.speaker(), "the answer is not complete")?;
    let prompts = [prompt];
    let workload = Workload { prompts: &prompts, modes: &[mode] };
    let weights = adapter.as_ref().map(|adapter| &adapter.adapter);
    // As a benchmark's: nothing is recorded.
    let settings = generator_settings(&spec, RunKind::Bench);
    let mut generator = ModelGenerator::new(&pair, weights, settings, &workload, &cancel)?;
    let slot = Slot { prompt_index: 0, mode, iteration: 0, exec_order: 0, is_warmup: false };
    let options = GenerateOptions { mode, seed: generation_seed(spec.seed, &slot), token_limit: None };

    let is_streamed = context.format() == Format::Table;
    let mut printer = Printer::new(is_streamed.then_some(&context.ui), pair.tokenizer(), &cancel);
    let answered = generator.generate_observed(&prompts[0], options, &mut printer);
    let num_tokens = printer.finish()?;
    let completion = match answered {
        Err(Error::Cancelled) => {
            return Err(Interrupted(format!("interrupted after {num_tokens} tokens")).into());
        }
        answered => answered?,
    };
    let figures = Figures::of(&completion.decoded);
    let adapter = adapter.map(|adapter| adapter.name);
    let with_adapter =
        adapter.as_ref().map(|name| format!(", draft with adapter {name}")).unwrap_or_default();
    if !is_streamed {
        let object = object(&completion, &figures, mode, adapter);
        let text = match context.format() {
            Format::Json => format!("{object:#}\n"),
            _ => format!("{object}\n"),
        };
        context.ui.data(&text)?;
    }
    context.ui.status(format!("{}{with_adapter}", figures.line()));
    Ok(())
}

/// Prints text while it is decoded. Where that fails there is no use in going on.
struct Printer<'a> {
    /// Where it is printed, if it is.
    ui: Option<&'a Ui>,
    tokenizer: &'a Tokenizer,
    stream: TextStream,
    is_line_open: bool,
    failed: Option<anyhow::Error>,
    cancel: &'a AtomicBool,
}

impl<'a> Printer<'a> {
    fn new(ui: Option<&'a Ui>, tokenizer: &'a Tokenizer, cancel: &'a AtomicBool) -> Self {
        Self { ui, tokenizer, stream: TextStream::default(), is_line_open: true, failed: None, cancel }
    }

    fn print(&mut self, text: engine::Result<String>) -> anyhow::Result<()> {
        let text = text?;
        if let (Some(ui), Some(last)) = (self.ui, text.chars().last()) {
            ui.data(&text)?;
            self.is_line_open = last != '\n';
        }
        Ok(())
    }

    /// Prints what waits, ends the line, and returns how many tokens there were.
    ///
    /// # Errors
    /// If printing failed, now or earlier.
    fn finish(mut self) -> anyhow::Result<usize> {
        if let Some(error) = self.failed.take() {
            return Err(error);
        }
        let stream = std::mem::take(&mut self.stream);
        let num_tokens = stream.num_tokens();
        self.print(stream.finish(self.tokenizer))?;
        if self.is_line_open
            && let Some(ui) = self.ui
        {
            ui.data("\n")?;
        }
        Ok(num_tokens)
    }
}

impl Observer for Printer<'_> {
    fn emitted(&mut self, token: u32, _: &[f32]) {
        if self.failed.is_some() {
            return;
        }
        let text = self.stream.push(self.tokenizer, token);
        if let Err(error) = self.print(text) {
            self.failed = Some(error);
            self.cancel.store(true, Ordering::Relaxed);
        }
    }
}

/// What an answer took.
#[derive(Debug, PartialEq)]
struct Figures {
    total_tokens: usize,
    num_drafted: u32,
    num_accepted: u32,
    num_emitted: u32,
    num_rounds: usize,
    /// In seconds.
    time_to_first_token: f64,
    /// In seconds.
    time_to_last_token: f64,
}

impl Figures {
    fn of(decoded: &Decoded) -> Self {
        let rounds = decoded.rounds.iter();
        Self {
            total_tokens: decoded.tokens.len(),
            num_drafted: rounds.clone().map(|round| round.num_drafted).sum(),
            num_accepted: rounds.clone().map(|round| round.num_accepted).sum(),
            num_emitted: rounds.map(|round| round.num_emitted).sum(),
            num_rounds: decoded.rounds.len(),
            time_to_first_token: decoded.time_to_first_token_ns as f64 / 1e9,
            time_to_last_token: decoded.time_to_last_token_ns as f64 / 1e9,
        }
    }

    fn tokens_per_second(&self) -> Option<f64> {
        (self.time_to_last_token > 0.0).then(|| self.total_tokens as f64 / self.time_to_last_token)
    }

    fn acceptance_rate(&self) -> Option<f64> {
        (self.num_drafted > 0).then(|| f64::from(self.num_accepted) / f64::from(self.num_drafted))
    }

    fn mean_acceptance_length(&self) -> Option<f64> {
        (self.num_rounds > 0).then(|| f64::from(self.num_emitted) / self.num_rounds as f64)
    }

    /// One line for people.
    fn line(&self) -> String {
        let speed = self.tokens_per_second().map(|speed| format!("{speed:.1} tokens/s"));
        let acceptance = self.acceptance_rate().map(|rate| format!("acceptance {:.1}%", 100.0 * rate));
        let length =
            self.mean_acceptance_length().map(|length| format!("mean acceptance length {length:.2}"));
        let parts = [Some(format!("{} tokens", self.total_tokens)), speed, acceptance, length];
        parts.into_iter().flatten().collect::<Vec<_>>().join(", ")
    }
}

/// The answer and its figures, for programs.
fn object(completion: &Completion, figures: &Figures, mode: Mode, adapter: Option<String>) -> Json {
    let Decoded { tokens, num_prompt_tokens, stop_reason, .. } = &completion.decoded;
    json!({
        "text": completion.text,
        "tokens": tokens,
        "num_prompt_tokens": num_prompt_tokens,
        "total_tokens": figures.total_tokens,
        "num_rounds": figures.num_rounds,
        "num_drafted": figures.num_drafted,
        "num_accepted": figures.num_accepted,
        "acceptance_rate": figures.acceptance_rate(),
        "mean_acceptance_length": figures.mean_acceptance_length(),
        "time_to_first_token": figures.time_to_first_token,
        "time_to_last_token": figures.time_to_last_token,
        "tokens_per_second": figures.tokens_per_second(),
        "stop_reason": stop_reason,
        "mode": mode,
        "adapter": adapter,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::{Round, StopReason};

    fn decoded(rounds: Vec<Round>) -> Decoded {
        Decoded {
            tokens: vec![1, 2, 3, 4],
            rounds,
            stop_reason: StopReason::StopToken,
            num_prompt_tokens: 1,
            num_target_forwards: 3,
            num_draft_forwards: 3,
            time_to_first_token_ns: 500_000_000,
            time_to_last_token_ns: 2_000_000_000,
        }
    }

    #[test]
    fn line_says_what_can_be_said() {
        let round = |num_accepted, num_emitted| Round {
            num_drafted: 2,
            num_accepted,
            num_emitted,
            draft_ns: 0,
            verify_ns: 0,
        };
        let speculative = Figures::of(&decoded(vec![round(1, 2), round(0, 1)]));
        assert_eq!(
            speculative.line(),
            "4 tokens, 2.0 tokens/s, acceptance 25.0%, mean acceptance length 1.50"
        );
        assert_eq!(Figures::of(&decoded(vec![])).line(), "4 tokens, 2.0 tokens/s");
    }
}
