//! Carries out a plan, one generation after another.

use std::error::Error as StdError;
use std::iter;

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

/// What a run is measured with.
pub struct Measurement<'a> {
    /// Answers the prompts.
    pub generator: &'a mut dyn Generate,
    /// The run's prompts.
    pub prompts: &'a [Prompt],
    /// The run's seed.
    pub seed: u64,
    /// The adapter of `spec_lora`.
    pub checkpoint_id: Option<CheckpointId>,
    /// Reads the machine's clock, in milliseconds since 1970-01-01 UTC.
    pub now_ms: fn() -> i64,
    /// Reads the machine's load average.
    pub load_average: fn() -> Option<f64>,
}

/// What happens while a run is measured.
#[derive(Debug, Clone, PartialEq)]
pub enum Event {
    /// A generation begins.
    Started(Slot),
    /// A generation has ended, well or not.
    Ended(Box<Generation>),
}

impl Measurement<'_> {
    /// Runs `slots` in order and tells of each generation as it begins and as it ends. A prompt that fails is a generation
    /// with an error, and the next one follows.
    ///
    /// # Errors
    /// If `on_event` fails, with its error; if the user asks to stop, [`Error::Cancelled`].
    pub fn measure<E: From<Error>>(
        &mut self,
        slots: &[Slot],
        mut on_event: impl FnMut(Event) -> Result<(), E>,
    ) -> Result<(), E> {
        for &slot in slots {
            on_event(Event::Started(slot))?;
            let started_at_ms = (self.now_ms)();
            let load_average = (self.load_average)();
            let outcome = match self.answer(slot) {
                Err(Error::Cancelled) => return Err(Error::Cancelled.into()),
                outcome => outcome.map_err(|error| with_causes(&error)),
            };
            on_event(Event::Ended(Box::new(Generation {
                slot,
                checkpoint_id: self.checkpoint_id.filter(|_| slot.mode == Mode::SpecLora),
                seed: generation_seed(self.seed, &slot),
                started_at_ms,
                load_average,
                outcome,
            })))?;
        }
        Ok(())
    }

    /// Runs warm-ups once more, and forgets what they give: a run that is taken up again has their rows already.
    ///
    /// # Errors
    /// If `on_start` fails, with its error; if the user asks to stop, [`Error::Cancelled`].
    pub fn warm_again<E: From<Error>>(
        &mut self,
        warmups: &[Slot],
        mut on_start: impl FnMut(Slot) -> Result<(), E>,
    ) -> Result<(), E> {
        for &slot in warmups {
            on_start(slot)?;
            if let Err(Error::Cancelled) = self.answer(slot) {
                return Err(Error::Cancelled.into());
            }
        }
        Ok(())
    }

    fn answer(&mut self, slot: Slot) -> engine::Result<Completion> {
        let options = GenerateOptions {
            mode: slot.mode,
            seed: generation_seed(self.seed, &slot),
            token_limit: slot.is_warmup.then_some(WARMUP_TOKENS),
        };
        self.generator.generate(&self.prompts[slot.prompt_index as usize], options)
    }
}

/// An error's message and those of its causes: a row has no other place for them.
fn with_causes(error: &Error) -> String {
    let errors = iter::successors(Some(error as &dyn StdError), |&error| error.source());
    errors.map(ToString::to_string).collect::<Vec<_>>().join(": ")
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
                    observations: None,
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

    fn prompts(texts: &[&str]) -> Vec<Prompt> {
        let prompt = |text: &&str| Prompt { text: (*text).to_owned(), external_id: None, category: None };
        texts.iter().map(prompt).collect()
    }

    fn slots(texts: &[&str], modes: &[Mode]) -> Vec<Slot> {
        let request = PlanRequest { num_prompts: texts.len(), modes, iterations: 1, warmup: 1, seed: 3 };
        plan(&request).unwrap()
    }

    fn measurement<'a>(prompts: &'a [Prompt], echo: &'a mut Echo) -> Measurement<'a> {
        let checkpoint_id = Some(CheckpointId(9));
        Measurement { generator: echo, prompts, seed: 3, checkpoint_id, now_ms: || 5, load_average: || None }
    }

    fn run(texts: &[&str], modes: &[Mode]) -> (Vec<Generation>, Vec<GenerateOptions>, Result<(), Error>) {
        let (prompts, mut echo) = (prompts(texts), Echo(vec![]));
        let (mut started, mut generations) = (vec![], vec![]);
        let ended = measurement(&prompts, &mut echo).measure(&slots(texts, modes), |event| {
            match event {
                Event::Started(slot) => started.push(slot),
                Event::Ended(generation) => {
                    assert_eq!(started.last(), Some(&generation.slot), "what ends has begun");
                    generations.push(*generation);
                }
            }
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

    #[test]
    fn warming_again_asks_for_the_same_and_stops_when_cancelled() {
        let warm = |text: &str| {
            let (prompts, mut echo) = (prompts(&[text]), Echo(vec![]));
            let warmups: Vec<Slot> =
                slots(&[text], &[Mode::TargetOnly, Mode::SpecBase]).into_iter().take(2).collect();
            let mut modes = vec![];
            let ended = measurement(&prompts, &mut echo).warm_again(&warmups, |slot| {
                modes.push(slot.mode);
                Ok(())
            });
            assert!(echo.0.iter().all(|options| options.token_limit == Some(WARMUP_TOKENS)));
            (modes, ended.map_err(|error: Error| error.to_string()))
        };
        let both = vec![Mode::TargetOnly, Mode::SpecBase];
        assert_eq!(warm("a"), (both.clone(), Ok(())));
        assert_eq!(warm("fail"), (both, Ok(())), "what fails here fails again where it is recorded");
        assert_eq!(warm("cancel"), (vec![Mode::TargetOnly], Err("interrupted".to_owned())));
    }
}
