//! Examples as training reads them, and which of them each step learns from.

use std::borrow::Cow;

use rand::SeedableRng as _;
use rand::seq::SliceRandom as _;
use rand_chacha::ChaCha8Rng;

use super::loss::TargetRow;
use crate::engine::adapter::Adapter;
use crate::engine::cpu::training::{Batch, Sequence, Wanted};
use crate::record::{ExampleId, ExampleSummary, TargetProbabilities};

/// One answer of the target.
#[derive(Debug, Clone, PartialEq)]
pub struct Example {
    /// Its id.
    pub id: ExampleId,
    prompt: Vec<u32>,
    output: Vec<u32>,
    temperature: f32,
    positions: Vec<Position>,
}

/// What the target thought at an output position.
#[derive(Debug, Clone, PartialEq)]
struct Position {
    tokens: Vec<u32>,
    probabilities: Vec<f32>,
    left_over: f32,
    chosen: usize,
    was_rejected: bool,
}

impl Example {
    /// Joins an example with what the target thought.
    ///
    /// # Errors
    /// If there are not as many positions as output tokens, or a token is outside the vocabulary.
    pub fn new(
        summary: ExampleSummary,
        target: &TargetProbabilities,
        vocab_size: usize,
    ) -> Result<Self, String> {
        let ExampleSummary { id, prompt_tokens, output_tokens, rejected_positions, .. } = summary;
        let (num_positions, k) = (output_tokens.len(), target.top_k as usize);
        if prompt_tokens.is_empty() || target.left_over.len() != num_positions || num_positions == 0 {
            return Err(format!("example {id} is damaged: it has not as many probabilities as tokens"));
        }
        let all = prompt_tokens.iter().chain(&output_tokens).chain(&target.tokens);
        if let Some(token) = all.copied().find(|&token| token as usize >= vocab_size) {
            return Err(format!("example {id}: token {token} is not in the draft's vocabulary"));
        }
        let positions = output_tokens.iter().enumerate().map(|(position, &emitted)| {
            let part = position * k..(position + 1) * k;
            let mut tokens = target.tokens[part.clone()].to_vec();
            let mut probabilities: Vec<f32> = target.probabilities[part].iter().map(|p| p.to_f32()).collect();
            let chosen = tokens.iter().position(|&token| token == emitted).unwrap_or_else(|| {
                // Sampled from beyond those that are kept: its mass is in what is left over.
                tokens.push(emitted);
                probabilities.push(0.0);
                tokens.len() - 1
            });
            let left_over = target.left_over[position];
            let was_rejected = rejected_positions.contains(&(position as u32));
            Position { tokens, probabilities, left_over, chosen, was_rejected }
        });
        let positions = positions.collect();
        let temperature = target.temperature as f32;
        Ok(Self { id, prompt: prompt_tokens, output: output_tokens, temperature, positions })
    }

    /// The prompt.
    pub fn prompt(&self) -> &[u32] {
        &self.prompt
    }

    /// Prompt and output.
    #[cfg(test)]
    pub fn tokens(&self) -> (&[u32], &[u32]) {
        (&self.prompt, &self.output)
    }

    /// Output positions.
    pub fn num_positions(&self) -> usize {
        self.positions.len()
    }

    /// Weights of its positions: those where a proposal was refused have another.
    pub fn weights(&self, rejected_weight: f32) -> impl Iterator<Item = f32> {
        self.positions.iter().map(move |position| if position.was_rejected { rejected_weight } else { 1.0 })
    }

    /// What is wanted of the draft at each output position.
    pub fn wanted(&self) -> impl Iterator<Item = Wanted<'_>> {
        let temperature = self.temperature;
        self.positions.iter().map(move |position| Wanted { tokens: &position.tokens, temperature })
    }

    /// What the target thought at each output position, with its likeliest token.
    pub fn targets(&self) -> impl Iterator<Item = (TargetRow<'_>, u32)> {
        self.positions.iter().map(|position| {
            let Position { tokens, probabilities, left_over, chosen, .. } = position;
            (TargetRow { probabilities, left_over: *left_over, chosen: *chosen }, tokens[0])
        })
    }
}

/// Lays examples side by side, as the draft reads them that has this adapter, or none.
pub fn batch(examples: &[&Example], adapter: Option<&Adapter>) -> Batch {
    let read =
        |prompt| adapter.map_or(Cow::Borrowed(prompt), |adapter| adapter.skipped_prompt.rest_of(prompt));
    let prompts: Vec<Cow<[u32]>> = examples.iter().map(|example| read(&example.prompt[..])).collect();
    let sequences =
        prompts.iter().zip(examples).map(|(prompt, example)| Sequence { prompt, output: &example.output });
    Batch::new(&sequences.collect::<Vec<_>>())
}

/// How a run goes through its examples.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct PlanOptions {
    /// Decides the order, and what is replayed.
    pub seed: u64,
    /// Times through the examples.
    pub epochs: u32,
    /// Examples that go through the model together.
    pub batch_size: usize,
    /// Batches a step.
    pub gradient_accumulation: usize,
    /// Share of an epoch's examples that are replayed.
    pub replay_ratio: f64,
}

/// What one step learns from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StepPlan {
    /// From 1.
    pub epoch: u32,
    /// Indices of examples, batch by batch: those to learn first count from 0, those to replay follow them.
    pub batches: Vec<Vec<usize>>,
}

/// All steps of a run over `num_train` examples, with `num_replay` to replay. The last step of an epoch may be smaller.
pub fn plan(options: &PlanOptions, num_train: usize, num_replay: usize) -> Vec<StepPlan> {
    let PlanOptions { seed, epochs, batch_size, gradient_accumulation, replay_ratio } = *options;
    let wanted = (num_train as f64 * replay_ratio / (1.0 - replay_ratio)).round() as usize;
    let mut steps = Vec::new();
    for epoch in 1..=epochs {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        rng.set_stream(epoch.into());
        let mut replayed: Vec<usize> = (num_train..num_train + num_replay).collect();
        replayed.shuffle(&mut rng);
        let mut order: Vec<usize> = (0..num_train).chain(replayed.into_iter().take(wanted)).collect();
        order.shuffle(&mut rng);
        steps.extend(order.chunks(batch_size * gradient_accumulation).map(|examples| StepPlan {
            epoch,
            batches: examples.chunks(batch_size).map(<[usize]>::to_vec).collect(),
        }));
    }
    steps
}

#[cfg(test)]
mod tests {
    use half::f16;

    use super::*;

    const OPTIONS: PlanOptions =
        PlanOptions { seed: 3, epochs: 2, batch_size: 2, gradient_accumulation: 2, replay_ratio: 0.5 };

    #[test]
    fn each_epoch_has_every_example_once_and_some_to_replay() {
        let steps = plan(&OPTIONS, 5, 20);
        assert_eq!(steps.iter().map(|step| step.epoch).collect::<Vec<_>>(), [1, 1, 1, 2, 2, 2]);
        let of_epoch = |epoch| -> Vec<usize> {
            let mut all: Vec<usize> =
                steps.iter().filter(|step| step.epoch == epoch).flat_map(|s| s.batches.concat()).collect();
            all.sort_unstable();
            all
        };
        for epoch in [1, 2] {
            let all = of_epoch(epoch);
            assert_eq!(all[..5], [0, 1, 2, 3, 4]);
            assert!(all.len() == 10 && all.windows(2).all(|pair| pair[0] < pair[1]), "{all:?}");
        }
        assert_ne!(of_epoch(1), of_epoch(2), "each epoch replays others");
        // 10 examples are steps of 4, 4 and 2, of batches of 2.
        assert!(steps[..2].iter().all(|step| step.batches.iter().map(Vec::len).eq([2, 2])));
        assert!(steps[2].batches.iter().map(Vec::len).eq([2]));
        assert_eq!(plan(&OPTIONS, 5, 20), steps, "the same seed gives the same plan");
        assert_ne!(plan(&PlanOptions { seed: 4, ..OPTIONS }, 5, 20), steps);
    }

    #[test]
    fn no_more_is_replayed_than_there_is() {
        let num_examples = |replay_ratio, num_replay| {
            let options = PlanOptions { replay_ratio, epochs: 1, ..OPTIONS };
            plan(&options, 6, num_replay).iter().flat_map(|step| step.batches.concat()).count()
        };
        assert_eq!(num_examples(0.0, 9), 6);
        assert_eq!(num_examples(0.25, 9), 8);
        assert_eq!(num_examples(0.9, 9), 15);
        assert_eq!(num_examples(0.5, 0), 6);
    }

    /// One output of two tokens, each with two likeliest ones.
    fn parts() -> (ExampleSummary, TargetProbabilities) {
        let summary = ExampleSummary {
            id: ExampleId(1),
            prompt: String::new(),
            prompt_tokens: vec![1],
            output_tokens: vec![5, 9],
            rejected_positions: vec![1],
            acceptance_rate: None,
            split_key: 0.0,
        };
        let target = TargetProbabilities {
            temperature: 1.0,
            top_k: 2,
            tokens: vec![5, 6, 7, 8],
            probabilities: [0.5, 0.25, 0.5, 0.125].map(f16::from_f32).to_vec(),
            left_over: vec![0.25, 0.375],
        };
        (summary, target)
    }

    #[test]
    fn a_token_beyond_those_kept_is_wanted_too() {
        let (summary, target) = parts();
        let example = Example::new(summary, &target, 10).unwrap();
        let wanted: Vec<&[u32]> = example.wanted().map(|wanted| wanted.tokens).collect();
        assert_eq!(wanted, [&[5, 6][..], &[7, 8, 9]]);
        let targets: Vec<_> = example.targets().map(|(row, top)| (row.chosen, row.left_over, top)).collect();
        assert_eq!(targets, [(0, 0.25, 5), (2, 0.375, 7)]);
        assert_eq!(example.weights(3.0).collect::<Vec<_>>(), [1.0, 3.0]);
    }

    #[test]
    fn damaged_examples_and_foreign_tokens_are_refused() {
        let (summary, target) = parts();
        assert!(Example::new(summary.clone(), &target, 9).unwrap_err().contains("token 9"));
        let short = TargetProbabilities { left_over: vec![0.0], ..target };
        assert!(Example::new(summary, &short, 10).unwrap_err().contains("damaged"));
    }
}
