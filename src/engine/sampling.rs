//! From logits to a token: greedy choice, and the distribution under temperature, top-k and top-p. Pure functions.

use rand::{Rng, RngExt};

/// How tokens are chosen.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Sampling {
    /// Softmax temperature; 0 is greedy.
    pub temperature: f32,
    /// Nucleus: the smallest set of most likely tokens whose mass reaches this; 1 keeps all.
    pub top_p: f32,
    /// Most likely tokens kept; 0 keeps all.
    pub top_k: usize,
}

impl Sampling {
    /// Always the most likely token.
    pub const GREEDY: Self = Self { temperature: 0.0, top_p: 1.0, top_k: 0 };

    /// Whether the most likely token is always taken.
    pub fn is_greedy(&self) -> bool {
        self.temperature <= 0.0
    }
}

/// Index of the largest logit; the lowest such index where several are equal. NaN is never chosen over a number.
///
/// # Panics
/// If `logits` is empty.
pub fn argmax(logits: &[f32]) -> u32 {
    assert!(!logits.is_empty(), "argmax of no logits");
    let highest = largest(logits);
    // Only where every logit is NaN is there no largest one.
    let best = logits.iter().position(|&logit| logit == highest).unwrap_or(0);
    best as u32
}

/// The largest number among logits; −∞ where there is none. Eight maxima side by side, which compilers turn into vectors:
/// a vocabulary of 150,000 tokens is read at the speed of memory.
fn largest(logits: &[f32]) -> f32 {
    let larger = |a: f32, b: f32| if b > a { b } else { a };
    let mut maxima = [f32::NEG_INFINITY; 8];
    let chunks = logits.chunks_exact(maxima.len());
    let rest = chunks.remainder().iter().copied().fold(f32::NEG_INFINITY, larger);
    for chunk in chunks {
        for (maximum, &logit) in maxima.iter_mut().zip(chunk) {
            *maximum = larger(*maximum, logit);
        }
    }
    maxima.into_iter().fold(rest, larger)
}

/// The [`argmax`], or `None` where that logit is infinite or not a number.
///
/// # Panics
/// If `logits` is empty.
pub fn finite_argmax(logits: &[f32]) -> Option<u32> {
    let best = argmax(logits);
    logits[best as usize].is_finite().then_some(best)
}

/// A probability distribution over the vocabulary.
#[derive(Debug, Clone, PartialEq)]
pub struct Distribution(Vec<f32>);

impl Distribution {
    /// The distribution of `logits: [vocab]` under `sampling`: softmax of logits/temperature, cut to the `top_k` most
    /// likely tokens and then to the nucleus `top_p`, renormalised. Ties go to the lower id, NaN has no probability.
    /// Greedy puts all mass on the [`argmax`]. `None` where the largest logit is not finite.
    pub fn new(logits: &[f32], sampling: &Sampling) -> Option<Self> {
        let best = finite_argmax(logits)?;
        if sampling.is_greedy() {
            let mut point = vec![0.0; logits.len()];
            point[best as usize] = 1.0;
            return Some(Self(point));
        }
        let highest = logits[best as usize];
        let mut weights: Vec<f32> = logits
            .iter()
            .map(|&logit| if logit.is_nan() { 0.0 } else { ((logit - highest) / sampling.temperature).exp() })
            .collect();
        keep_most_likely(&mut weights, sampling);
        let total: f64 = weights.iter().map(|&w| f64::from(w)).sum();
        for weight in &mut weights {
            *weight = (f64::from(*weight) / total) as f32;
        }
        Some(Self(weights))
    }

    /// Wraps probabilities that sum to one.
    pub fn from_probabilities(probabilities: Vec<f32>) -> Self {
        Self(probabilities)
    }

    /// Probability of a token; 0 outside the vocabulary.
    pub fn probability(&self, token: u32) -> f32 {
        self.0.get(token as usize).copied().unwrap_or(0.0)
    }

    /// Probabilities by token id.
    pub fn probabilities(&self) -> &[f32] {
        &self.0
    }

    /// Draws a token.
    pub fn sample(&self, rng: &mut impl Rng) -> u32 {
        draw(&self.0, rng).expect("a distribution has mass")
    }
}

/// Draws an index with probability proportional to its weight; `None` where no weight is positive.
pub(crate) fn draw(weights: &[f32], rng: &mut impl Rng) -> Option<u32> {
    let total: f64 = weights.iter().map(|&w| f64::from(w)).sum();
    if total <= 0.0 {
        return None;
    }
    let threshold = rng.random::<f64>() * total;
    let mut mass = 0.0;
    let mut last_positive = None;
    for (index, &weight) in weights.iter().enumerate() {
        if weight > 0.0 {
            last_positive = Some(index as u32);
            mass += f64::from(weight);
            if mass > threshold {
                break;
            }
        }
    }
    last_positive
}

/// Sets to zero what top-k and top-p leave out.
fn keep_most_likely(weights: &mut [f32], sampling: &Sampling) {
    let keeps_all = (sampling.top_k == 0 || sampling.top_k >= weights.len()) && sampling.top_p >= 1.0;
    if keeps_all {
        return;
    }
    let mut order: Vec<u32> = (0..weights.len() as u32).collect();
    let more_likely = |a: &u32, b: &u32| weights[*b as usize].total_cmp(&weights[*a as usize]).then(a.cmp(b));
    if sampling.top_k > 0 && sampling.top_k < order.len() {
        order.select_nth_unstable_by(sampling.top_k - 1, more_likely);
        order.truncate(sampling.top_k);
    }
    if sampling.top_p < 1.0 {
        order.sort_unstable_by(more_likely);
        let total: f64 = order.iter().map(|&i| f64::from(weights[i as usize])).sum();
        let wanted = f64::from(sampling.top_p) * total;
        let mut mass = 0.0;
        let needed = order.iter().position(|&i| {
            mass += f64::from(weights[i as usize]);
            mass >= wanted
        });
        order.truncate(needed.map_or(order.len(), |last| last + 1));
    }
    let mut kept = vec![0.0; weights.len()];
    for &index in &order {
        kept[index as usize] = weights[index as usize];
    }
    weights.copy_from_slice(&kept);
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;
    use rand_chacha::ChaCha8Rng;

    use super::*;

    fn check(logits: &[f32], sampling: Sampling, expected: &[f32]) {
        let distribution = Distribution::new(logits, &sampling).unwrap();
        for (got, want) in distribution.probabilities().iter().zip(expected) {
            assert!((got - want).abs() < 1e-6, "{:?} is not {expected:?}", distribution.probabilities());
        }
    }

    /// Logits whose softmax at temperature 1 is 0.5, 0.3, 0.2.
    fn logits() -> [f32; 3] {
        [0.5f32.ln(), 0.3f32.ln(), 0.2f32.ln()]
    }

    #[test]
    fn the_lowest_of_equal_logits_is_the_greedy_choice() {
        assert_eq!(argmax(&[1.0, 3.0, 3.0]), 1);
        assert_eq!(argmax(&[f32::NAN, -1.0, f32::NEG_INFINITY]), 1);
    }

    #[test]
    fn logits_without_a_finite_largest_have_no_choice_and_no_distribution() {
        let (nan, infinity) = (f32::NAN, f32::INFINITY);
        for logits in [[nan, nan], [1.0, infinity], [nan, infinity], [-infinity, -infinity]] {
            assert_eq!(finite_argmax(&logits), None, "{logits:?}");
            for temperature in [0.0, 1.0] {
                let sampling = Sampling { temperature, ..Sampling::GREEDY };
                assert_eq!(Distribution::new(&logits, &sampling), None, "{logits:?}");
            }
        }
        check(&[nan, 0.0, -infinity], Sampling { temperature: 1.0, ..Sampling::GREEDY }, &[0.0, 1.0, 0.0]);
    }

    #[test]
    fn temperature_one_is_the_softmax() {
        check(&logits(), Sampling { temperature: 1.0, top_p: 1.0, top_k: 0 }, &[0.5, 0.3, 0.2]);
    }

    #[test]
    fn a_lower_temperature_sharpens() {
        let squares = [0.25 / 0.38, 0.09 / 0.38, 0.04 / 0.38];
        check(&logits(), Sampling { temperature: 0.5, top_p: 1.0, top_k: 0 }, &squares);
    }

    #[test]
    fn top_k_keeps_the_most_likely_and_renormalises() {
        check(&logits(), Sampling { temperature: 1.0, top_p: 1.0, top_k: 2 }, &[0.625, 0.375, 0.0]);
    }

    #[test]
    fn top_p_keeps_the_smallest_set_that_reaches_it() {
        check(&logits(), Sampling { temperature: 1.0, top_p: 0.5, top_k: 0 }, &[1.0, 0.0, 0.0]);
        check(&logits(), Sampling { temperature: 1.0, top_p: 0.6, top_k: 0 }, &[0.625, 0.375, 0.0]);
    }

    #[test]
    fn top_p_counts_mass_after_top_k() {
        check(&logits(), Sampling { temperature: 1.0, top_p: 0.62, top_k: 2 }, &[1.0, 0.0, 0.0]);
    }

    #[test]
    fn greedy_is_a_point_mass() {
        check(&logits(), Sampling::GREEDY, &[1.0, 0.0, 0.0]);
    }

    #[test]
    fn samples_follow_the_distribution() {
        let sampling = Sampling { temperature: 1.0, ..Sampling::GREEDY };
        let distribution = Distribution::new(&logits(), &sampling).unwrap();
        let mut rng = ChaCha8Rng::seed_from_u64(7);
        let mut counts = [0u32; 3];
        for _ in 0..10_000 {
            counts[distribution.sample(&mut rng) as usize] += 1;
        }
        for (count, expected) in counts.iter().zip([5_000.0, 3_000.0, 2_000.0]) {
            assert!((f64::from(*count) - expected).abs() < 200.0, "{counts:?}");
        }
    }

    #[test]
    fn nothing_is_drawn_from_no_mass() {
        assert_eq!(draw(&[0.0, 0.0], &mut ChaCha8Rng::seed_from_u64(0)), None);
    }
}
