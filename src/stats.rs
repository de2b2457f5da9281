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
    bootstrap(observations, |some| some.fold(Share::NOTHING, |sum, &one| sum.with(one)).ratio())
}

/// The ratio of the second shares less that of the first: both shares of a pair are of the same thing. `None` where either
/// ratio cannot be had.
pub fn difference<'a>(pairs: impl IntoIterator<Item = &'a (Share, Share)>) -> Option<f64> {
    let (mut first, mut second) = (Share::NOTHING, Share::NOTHING);
    for pair in pairs {
        first = first.with(pair.0);
        second = second.with(pair.1);
    }
    Some(second.ratio()? - first.ratio()?)
}

/// The [`difference`] with its interval as in [`bootstrap_ratio`]: the shares of a pair are drawn together.
pub fn bootstrap_difference(pairs: &[(Share, Share)]) -> Option<Interval> {
    bootstrap(pairs, |some| difference(some))
}

/// A statistic of all observations, with its percentile bootstrap interval.
fn bootstrap<T>(
    observations: &[T],
    statistic: impl Fn(&mut dyn Iterator<Item = &T>) -> Option<f64>,
) -> Option<Interval> {
    if observations.len() < MIN_OBSERVATIONS {
        return None;
    }
    let estimate = statistic(&mut observations.iter())?;
    let mut rng = ChaCha8Rng::seed_from_u64(0);
    let mut resampled: Vec<f64> = (0..NUM_RESAMPLES)
        .filter_map(|_| {
            let mut drawn =
                (0..observations.len()).map(|_| &observations[rng.random_range(0..observations.len())]);
            statistic(&mut drawn)
        })
        .collect();
    resampled.sort_unstable_by(f64::total_cmp);
    let at = |share: f64| resampled[((resampled.len() - 1) as f64 * share).round() as usize];
    Some(Interval { estimate, low: at(0.025), high: at(0.975) })
}

impl Share {
    const NOTHING: Self = Self { part: 0.0, whole: 0.0 };

    fn with(self, other: Self) -> Self {
        Self { part: self.part + other.part, whole: self.whole + other.whole }
    }

    /// `None` where nothing is below the line.
    fn ratio(self) -> Option<f64> {
        (self.whole > 0.0).then(|| self.part / self.whole)
    }
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

    #[test]
    fn difference_of_ratios_has_denominators_of_its_own_and_is_paired() {
        let pair = |i: u32| {
            let share = |part: u32, whole: f64| Share { part: f64::from(part), whole };
            (share(i % 5, 10.0), share(i % 5 + 1, 20.0))
        };
        let pairs: Vec<_> = (0..100).map(pair).collect();
        let Interval { estimate, low, high } = bootstrap_difference(&pairs).unwrap();
        // 300 of 2000 less 200 of 1000. Its pairs differ by (i % 5) / 20, whose standard deviation is 0.0707, over √100.
        assert!((estimate - (0.15 - 0.2)).abs() < 1e-12);
        assert!((low - (estimate - 1.96 * 0.007_07)).abs() < 0.002, "{low}");
        assert!((high - (estimate + 1.96 * 0.007_07)).abs() < 0.002, "{high}");
        assert_eq!(bootstrap_difference(&pairs[..5]), None);
        assert_eq!(bootstrap_difference(&[(pairs[0].0, Share { part: 0.0, whole: 0.0 }); 8]), None);
    }
}
