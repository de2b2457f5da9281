//! Looking on while a loop decodes: what the target thought at each output position, and where it refused the draft.

use half::f16;

use super::sampling::finite_argmax;
use crate::record::{Disagreement, Observations, TargetProbabilities};

/// Somebody who looks on while a loop decodes. Without a word of its own, it sees nothing.
pub trait Observer {
    /// The draft has chosen its proposal number `index` of a round, from 0; `logits: [vocab]`.
    fn proposed(&mut self, index: usize, token: u32, logits: &[f32]) {
        let _ = (index, token, logits);
    }

    /// A token has been emitted at the next output position, from the target's `logits: [vocab]`.
    fn emitted(&mut self, token: u32, logits: &[f32]) {
        let _ = (token, logits);
    }

    /// The target has refused a proposal, the first of its round.
    fn refused(&mut self, refusal: &Refusal) {
        let _ = refusal;
    }
}

/// Nobody.
impl Observer for () {}

/// A proposal that the target refused.
#[derive(Debug, Clone, Copy)]
pub struct Refusal<'a> {
    /// The round, from 0.
    pub round: usize,
    /// The output position, from 0.
    pub position: usize,
    /// Which proposal of the round it was, from 0.
    pub index: usize,
    /// What the draft proposed.
    pub draft_token: u32,
    /// What the target chose.
    pub target_token: u32,
    /// The target's logits at this position: `[vocab]`.
    pub target_logits: &'a [f32],
}

/// What a recorder keeps.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct RecorderOptions {
    /// Likeliest tokens of the target at each position; no more than the vocabulary has.
    pub top_k: usize,
    /// Temperature of the target's probabilities, above 0.
    pub temperature: f64,
}

/// Keeps what a training run needs to know of one answer.
#[derive(Debug)]
pub struct Recorder {
    options: RecorderOptions,
    target: TargetProbabilities,
    disagreements: Vec<Disagreement>,
    /// The draft's probabilities of its proposals in the present round.
    proposed: Vec<f32>,
}

impl Recorder {
    /// Has seen nothing yet.
    pub fn new(options: RecorderOptions) -> Self {
        let target = TargetProbabilities {
            temperature: options.temperature,
            top_k: 0,
            tokens: vec![],
            probabilities: vec![],
            left_over: vec![],
        };
        Self { options, target, disagreements: vec![], proposed: vec![] }
    }

    /// What was seen of the answer to a prompt with these ids.
    pub fn into_observations(self, prompt_tokens: Vec<u32>) -> Observations {
        Observations { prompt_tokens, target: self.target, disagreements: self.disagreements }
    }
}

impl Observer for Recorder {
    fn proposed(&mut self, index: usize, token: u32, logits: &[f32]) {
        self.proposed.truncate(index);
        self.proposed.push(Softmax::of(logits, 1.0).probability(token));
    }

    fn emitted(&mut self, _: u32, logits: &[f32]) {
        let softmax = Softmax::of(logits, self.options.temperature as f32);
        let kept = likeliest(logits, self.options.top_k);
        let mut mass = 0.0;
        for &token in &kept {
            let probability = softmax.probability(token);
            mass += f64::from(probability);
            self.target.tokens.push(token);
            self.target.probabilities.push(f16::from_f32(probability));
        }
        self.target.top_k = kept.len() as u32;
        self.target.left_over.push((1.0 - mass).max(0.0) as f32);
    }

    fn refused(&mut self, refusal: &Refusal) {
        self.disagreements.push(Disagreement {
            round: refusal.round as u32,
            position: refusal.position as u32,
            draft_token: refusal.draft_token,
            target_token: refusal.target_token,
            draft_probability: self.proposed[refusal.index],
            target_probability: Softmax::of(refusal.target_logits, 1.0).probability(refusal.target_token),
        });
    }
}

/// softmax(logits / temperature), computed where it is asked for. NaN has no probability.
struct Softmax<'a> {
    logits: &'a [f32],
    highest: f32,
    temperature: f32,
    total: f64,
}

impl<'a> Softmax<'a> {
    /// # Panics
    /// If the largest of `logits: [vocab]` is not finite: no token is chosen from such.
    fn of(logits: &'a [f32], temperature: f32) -> Self {
        let best = finite_argmax(logits).expect("a token was chosen from these logits");
        let mut softmax = Self { logits, highest: logits[best as usize], temperature, total: 1.0 };
        softmax.total = logits.iter().map(|&logit| f64::from(softmax.weight(logit))).sum();
        softmax
    }

    fn weight(&self, logit: f32) -> f32 {
        if logit.is_nan() { 0.0 } else { ((logit - self.highest) / self.temperature).exp() }
    }

    fn probability(&self, token: u32) -> f32 {
        (f64::from(self.weight(self.logits[token as usize])) / self.total) as f32
    }
}

/// Ids of the `k` largest of `logits: [vocab]`, the largest first; of equal ones the lower id first. NaN counts as −∞.
///
/// One pass, in which most logits of a large vocabulary cost one comparison: they are below all that is kept.
fn likeliest(logits: &[f32], k: usize) -> Vec<u32> {
    let k = k.min(logits.len());
    let mut kept: Vec<(f32, u32)> = Vec::with_capacity(k + 1);
    for (token, &logit) in (0..).zip(logits) {
        let logit = if logit.is_nan() { f32::NEG_INFINITY } else { logit };
        if kept.len() == k && kept.last().is_none_or(|&(least, _)| logit <= least) {
            continue;
        }
        let place = kept.partition_point(|&(larger, _)| larger >= logit);
        kept.insert(place, (logit, token));
        kept.truncate(k);
    }
    kept.into_iter().map(|(_, token)| token).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::sampling::{Distribution, Sampling};

    /// Logits that look random, with many ties; −∞ and NaN where asked for.
    fn logits(vocab_size: u32, seed: u32) -> Vec<f32> {
        let hashed = |token: u32| (token ^ seed).wrapping_mul(0x9E37_79B1).rotate_left(13) % 97;
        (0..vocab_size).map(|token| hashed(token) as f32 / 10.0 - 5.0).collect()
    }

    #[test]
    fn the_likeliest_are_those_of_a_full_sort() {
        for (vocab_size, seed) in [(1, 1), (7, 2), (500, 3), (2_000, 4)] {
            let mut logits = logits(vocab_size, seed);
            if vocab_size > 10 {
                (logits[3], logits[4], logits[5], logits[6]) = (f32::NEG_INFINITY, f32::NAN, 0.0, -0.0);
            }
            let value = |token: &u32| match logits[*token as usize] {
                logit if logit.is_nan() => f32::NEG_INFINITY,
                logit => logit,
            };
            let mut sorted: Vec<u32> = (0..vocab_size).collect();
            sorted.sort_by(|a, b| value(b).partial_cmp(&value(a)).unwrap().then(a.cmp(b)));
            for k in [1, 5, 64, vocab_size as usize, 10_000] {
                assert_eq!(likeliest(&logits, k), sorted[..k.min(sorted.len())], "{k} of {vocab_size}");
            }
        }
    }

    #[test]
    fn probabilities_are_those_of_the_softmax_and_their_mass_is_one() {
        for (temperature, top_k) in [(1.0, 16), (0.5, 16), (2.0, 300), (1.0, 10_000)] {
            let mut recorder = Recorder::new(RecorderOptions { top_k, temperature });
            let rows: Vec<Vec<f32>> = (0..5).map(|seed| logits(300, seed)).collect();
            rows.iter().for_each(|row| recorder.emitted(0, row));
            let target = recorder.into_observations(vec![9]).target;
            let k = top_k.min(300);
            assert_eq!(
                (target.top_k, target.temperature, target.left_over.len()),
                (k as u32, temperature, 5)
            );
            for (position, row) in rows.iter().enumerate() {
                let sampling = Sampling { temperature: temperature as f32, top_p: 1.0, top_k: 0 };
                let whole = Distribution::new(row, &sampling).unwrap();
                let mut mass = f64::from(target.left_over[position]);
                for index in position * k..(position + 1) * k {
                    let (token, probability) = (target.tokens[index], target.probabilities[index].to_f32());
                    assert_eq!(probability, f16::from_f32(whole.probability(token)).to_f32());
                    mass += f64::from(probability);
                }
                // A rounded probability is off by at most 2⁻¹¹ of itself.
                assert!((mass - 1.0).abs() < 1e-3, "{mass}");
            }
        }
    }

    #[test]
    fn tokens_that_a_draft_has_not_have_no_probability() {
        let softmax = Softmax::of(&[3.0, f32::NEG_INFINITY, f32::NAN, 3.0], 1.0);
        assert_eq!([0, 1, 2, 3].map(|token| softmax.probability(token)), [0.5, 0.0, 0.0, 0.5]);
    }
}
