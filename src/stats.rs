//! Statistics of paired observations. Pure functions: the same values give the same answer.

use rand::{RngExt as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;

/// Resamples of a bootstrap.
const NUM_RESAMPLES: usize = 10_000;
/// Fewer observations than this say nothing of how they spread.
pub const MIN_OBSERVATIONS: usize = 6;

/// An estimate with its 95 % interval.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Interval {
    /// The estimate from all observations.
    pub estimate: f64,
    /// The lower end.
    pub low: f64,
    /// The upper end.
    pub high: f64,
}

/// One observation of a ratio of sums: what is summed, and what it is divided by.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Share {
    /// Summed above the line.
    pub part: f64,
    /// Summed below it.
    pub whole: f64,
}

/// Σ part / Σ whole, with its percentile bootstrap interval over observations (Efron, "Bootstrap Methods", 1979): they are
/// drawn with replacement, so that what belongs together, such as the tokens of a prompt, stays together. `None` with
/// fewer than [`MIN_OBSERVATIONS`] observations, or where Σ whole is not positive.
pub fn bootstrap_ratio(observations: &[Share]) -> Option<Interval> {
    let ratio = |some: &mut dyn Iterator<Item = Share>| {
        let sum = some.fold(Share { part: 0.0, whole: 0.0 }, |sum, one| Share {
            part: sum.part + one.part,
            whole: sum.whole + one.whole,
        });
        (sum.whole > 0.0).then(|| sum.part / sum.whole)
    };
    if observations.len() < MIN_OBSERVATIONS {
        return None;
    }
    let estimate = ratio(&mut observations.iter().copied())?;
    let mut rng = ChaCha8Rng::seed_from_u64(0);
    let mut resampled: Vec<f64> = (0..NUM_RESAMPLES)
        .filter_map(|_| {
            let mut drawn =
                (0..observations.len()).map(|_| observations[rng.random_range(0..observations.len())]);
            ratio(&mut drawn)
        })
        .collect();
    resampled.sort_unstable_by(f64::total_cmp);
    let at = |share: f64| resampled[((resampled.len() - 1) as f64 * share).round() as usize];
    Some(Interval { estimate, low: at(0.025), high: at(0.975) })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shares(parts: &[f64]) -> Vec<Share> {
        parts.iter().map(|&part| Share { part, whole: 10.0 }).collect()
    }

    #[test]
    fn observations_that_are_all_alike_have_no_spread() {
        let interval = bootstrap_ratio(&shares(&[2.0; 8])).unwrap();
        assert!(
            [interval.low, interval.estimate, interval.high].iter().all(|value| (value - 0.2).abs() < 1e-12)
        );
    }

    #[test]
    fn interval_is_about_two_standard_errors_wide() {
        let parts: Vec<f64> = (0..100).map(|i| f64::from(i % 10)).collect();
        let Interval { estimate, low, high } = bootstrap_ratio(&shares(&parts)).unwrap();
        // The mean is 0.45; the standard deviation 0.2872 over √100.
        assert!((estimate - 0.45).abs() < 1e-12);
        assert!(
            (low - (0.45 - 1.96 * 0.028_72)).abs() < 0.004 && (high - (0.45 + 1.96 * 0.028_72)).abs() < 0.004
        );
    }

    #[test]
    fn too_few_or_empty_observations_have_no_interval() {
        assert_eq!(bootstrap_ratio(&shares(&[1.0; 5])), None);
        assert_eq!(bootstrap_ratio(&[Share { part: 0.0, whole: 0.0 }; 9]), None);
    }

    #[test]
    fn large_observations_count_more() {
        let mut observations = shares(&[0.0; 6]);
        observations.push(Share { part: 90.0, whole: 90.0 });
        assert_eq!(bootstrap_ratio(&observations).unwrap().estimate, 0.6);
    }
}
