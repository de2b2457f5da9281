//! Carries out a plan, one generation after another.

use std::time::{SystemTime, UNIX_EPOCH};

use super::plan::generation_seed;
use crate::engine::{self, Error};
use crate::record::{CheckpointId, Completion, Generation, Mode, Prompt, Slot};

/// Tokens of a warm-up generation: enough to touch every weight and every kernel.
pub const WARMUP_TOKENS: usize = 16;

/// Something that answers prompts in every mode of a plan: models, or a stand-in.
pub trait Generate {
    /// Answers a prompt.
    ///
    /// # Errors
    /// If this prompt cannot be answered; [`Error::Cancelled`] if nothing more should be.
    fn generate(&mut self, prompt: &Prompt, options: GenerateOptions) -> engine::Result<Completion>;
}

/// How to answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct GenerateOptions {
    /// The mode.
    pub mode: Mode,
    /// Seed of random choices.
    pub seed: u64,
    /// Most tokens to emit, where fewer than the settings say.
    pub token_limit: Option<usize>,
}

/// What stays the same over a run.
#[derive(Debug, Clone, Copy)]
pub struct MeasureContext<'a> {
    /// The run's prompts.
    pub prompts: &'a [Prompt],
    /// The run's seed.
    pub seed: u64,
    /// The adapter of `spec_lora`.
    pub checkpoint_id: Option<CheckpointId>,
    /// Reads the machine's load average.
    pub load_average: fn() -> Option<f64>,
}

/// Runs `slots` in order and hands each generation to `on_generation` as it ends. A prompt that fails is a generation
/// with an error, and the next one follows.
///
/// # Errors
/// The first error of `on_generation`, or [`Error::Cancelled`] when the user asks to stop.
pub fn measure<E: From<Error>>(
    slots: &[Slot],
    context: &MeasureContext,
    generator: &mut dyn Generate,
    mut on_generation: impl FnMut(Generation) -> Result<(), E>,
) -> Result<(), E> {
    for &slot in slots {
        let seed = generation_seed(context.seed, &slot);
        let options =
            GenerateOptions { mode: slot.mode, seed, token_limit: slot.is_warmup.then_some(WARMUP_TOKENS) };
        let started_at_ms = unix_milliseconds();
        let load_average = (context.load_average)();
        let outcome = match generator.generate(&context.prompts[slot.prompt_index as usize], options) {
            Err(Error::Cancelled) => return Err(Error::Cancelled.into()),
            outcome => outcome.map_err(|error| error.to_string()),
        };
        on_generation(Generation {
            slot,
            checkpoint_id: context.checkpoint_id.filter(|_| slot.mode == Mode::SpecLora),
            seed,
            started_at_ms,
            load_average,
            outcome,
        })?;
    }
    Ok(())
}

/// Milliseconds since 1970-01-01 UTC.
fn unix_milliseconds() -> i64 {
    let elapsed = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(elapsed.as_millis()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::plan::{PlanRequest, plan};
    use crate::record::{Decoded, StopReason};

    /// Fails on prompts that say so, and is cancelled by ones that say that.
    struct Echo(Vec<GenerateOptions>);

    impl Generate for Echo {
        fn generate(&mut self, prompt: &Prompt, options: GenerateOptions) -> engine::Result<Completion> {
            self.0.push(options);
            match prompt.text.as_str() {
                "fail" => Err(Error::Tokenizer("no".to_owned())),
                "cancel" => Err(Error::Cancelled),
                text => Ok(Completion {
                    text: text.to_owned(),
                    decoded: Decoded {
                        tokens: vec![1],
                        rounds: vec![],
                        stop_reason: StopReason::MaxTokens,
                        num_prompt_tokens: 1,
                        num_target_forwards: 1,
                        num_draft_forwards: 0,
                        time_to_first_token_ns: 1,
                        time_to_last_token_ns: 1,
                    },
                }),
            }
        }
    }

    fn run(texts: &[&str], modes: &[Mode]) -> (Vec<Generation>, Vec<GenerateOptions>, Result<(), Error>) {
        let prompts: Vec<Prompt> = (texts.iter())
            .map(|text| Prompt { text: (*text).to_owned(), external_id: None, category: None })
            .collect();
        let request =
            PlanRequest { num_prompts: texts.len() as u32, modes, iterations: 1, warmup: 1, seed: 3 };
        let checkpoint_id = Some(CheckpointId(9));
        let context = MeasureContext { prompts: &prompts, seed: 3, checkpoint_id, load_average: || None };
        let (mut generations, mut echo) = (vec![], Echo(vec![]));
        let ended = measure(&plan(&request), &context, &mut echo, |generation| {
            generations.push(generation);
            Ok(())
        });
        (generations, echo.0, ended)
    }

    #[test]
    fn a_failure_is_a_generation_with_an_error() {
        let (generations, _, ended) = run(&["a", "fail", "b"], &[Mode::TargetOnly]);
        assert!(ended.is_ok());
        let failed: Vec<bool> = generations.iter().map(|g| g.outcome.is_err()).collect();
        assert_eq!(failed, [false, false, true, false]);
    }

    #[test]
    fn cancelling_ends_the_run_and_keeps_what_ended_before() {
        let (generations, _, ended) = run(&["a", "cancel", "b"], &[Mode::TargetOnly]);
        assert!(matches!(ended, Err(Error::Cancelled)));
        assert_eq!(generations.len(), 2);
    }

    #[test]
    fn only_warm_ups_are_short_and_only_lora_has_the_adapter() {
        let (generations, asked, _) = run(&["a"], &[Mode::SpecBase, Mode::SpecLora]);
        for (generation, options) in generations.iter().zip(asked) {
            assert_eq!(options.token_limit.is_some(), generation.slot.is_warmup);
            assert_eq!(generation.checkpoint_id.is_some(), generation.slot.mode == Mode::SpecLora);
        }
    }
}
