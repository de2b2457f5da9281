//! Intervals by the percentile bootstrap (Efron, "Bootstrap Methods: Another Look at the Jackknife", 1979).

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng as _, SeedableRng as _};

use super::sample::{Sample, Terms, add};

/// Resamples of a bootstrap.
const NUM_RESAMPLES: usize = 10_000;
/// Fewer observations than this say nothing of how they spread.
pub const MIN_OBSERVATIONS: usize = 6;
/// Resamples that are drawn together, so that a sample's observations stay near while it goes through them.
const BLOCK: usize = 50;
const _: () = assert!(NUM_RESAMPLES.is_multiple_of(BLOCK));
/// Sums that grow side by side, since each addition waits for the one before it.
const LANES: usize = 4;

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

impl Interval {
    /// Whether zero lies outside.
    pub fn excludes_zero(&self) -> bool {
        self.low > 0.0 || self.high < 0.0
    }
}

/// The 95 % percentile intervals of statistics. Observations are drawn with replacement, so that what belongs together,
/// such as the tokens of a prompt or both sides of a pair, stays together. `None` with fewer than [`MIN_OBSERVATIONS`]
/// observations, or where the statistic of all of them cannot be had.
///
/// The draws hang on nothing but the number of observations. They are made once for all samples of a size, and samples of
/// the same prompts in the same order get the same resamples of prompts.
pub fn intervals(samples: &[Sample]) -> Vec<Option<Interval>> {
    let mut found = vec![None; samples.len()];
    let mut sizes: Vec<usize> = samples.iter().map(|sample| sample.terms.len()).collect();
    sizes.sort_unstable();
    sizes.dedup();
    for size in sizes.into_iter().filter(|size| *size >= MIN_OBSERVATIONS) {
        let places: Vec<usize> = (0..samples.len()).filter(|&i| samples[i].terms.len() == size).collect();
        let of_size: Vec<&Sample> = places.iter().map(|&place| &samples[place]).collect();
        for (place, statistics) in places.into_iter().zip(resampled(&of_size, size)) {
            found[place] = interval(&samples[place], statistics);
        }
    }
    found
}

/// The statistics of every resample, sample by sample; all samples have `size` observations.
fn resampled(samples: &[&Sample], size: usize) -> Vec<Vec<f64>> {
    let mut rng = ChaCha8Rng::seed_from_u64(0);
    let mut drawn = vec![0; BLOCK * size];
    let mut statistics = vec![Vec::with_capacity(NUM_RESAMPLES); samples.len()];
    for _ in 0..NUM_RESAMPLES / BLOCK {
        // The high half of a product: every observation is as likely as another to one part in 2³² / size.
        drawn
            .iter_mut()
            .for_each(|index| *index = ((u64::from(rng.next_u32()) * size as u64) >> 32) as usize);
        for (sample, statistics) in samples.iter().zip(&mut statistics) {
            let resamples = drawn.chunks_exact(size);
            statistics.extend(resamples.filter_map(|drawn| sample.of_sums(sums(&sample.terms, drawn))));
        }
    }
    statistics
}

/// The sums of the terms of the observations that were drawn.
fn sums(terms: &[Terms], drawn: &[usize]) -> Terms {
    let mut lanes = [[0.0; 4]; LANES];
    let (whole, rest) = drawn.as_chunks::<LANES>();
    for indices in whole {
        lanes.iter_mut().zip(indices).for_each(|(sums, &index)| add(sums, &terms[index]));
    }
    lanes.iter_mut().zip(rest).for_each(|(sums, &index)| add(sums, &terms[index]));
    let [mut total, others @ ..] = lanes;
    others.iter().for_each(|sums| add(&mut total, sums));
    total
}

fn interval(sample: &Sample, mut statistics: Vec<f64>) -> Option<Interval> {
    let estimate = sample.estimate()?;
    let [low, high] = [0.025, 0.975].map(|share| percentile(&mut statistics, share));
    Some(Interval { estimate, low: low?, high: high? })
}

/// The value below which this share of the values lies, between two of them by linear interpolation (type 7 of Hyndman and
/// Fan, "Sample Quantiles in Statistical Packages", 1996; NumPy's default). Reorders the values.
pub(super) fn percentile(values: &mut [f64], share: f64) -> Option<f64> {
    let last = values.len().checked_sub(1)?;
    let place = last as f64 * share;
    let (_, below, above) = values.select_nth_unstable_by(place.floor() as usize, f64::total_cmp);
    let next = above.iter().copied().min_by(f64::total_cmp).unwrap_or(*below);
    Some(*below + (next - *below) * place.fract())
}
