//! Statistics of paired observations. Pure functions: the same values give the same answer.
//!
//! What is measured of two sides over the same prompts is compared prompt by prompt: an interval by the bootstrap, which
//! asks nothing of how the values are spread, and Wilcoxon's signed-rank test beside it. Both agree with SciPy
//! (`tests/fixtures/stats`).

mod bootstrap;
mod describe;
mod holm;
mod sample;
mod wilcoxon;

pub use bootstrap::{Interval, MIN_OBSERVATIONS, intervals};
pub use describe::{geometric_mean, mean, median};
pub use holm::holm;
pub use sample::{Sample, Share};
pub use wilcoxon::signed_rank_p;

/// Σ part / Σ whole with its interval; see [`intervals`].
pub fn bootstrap_ratio(observations: &[Share]) -> Option<Interval> {
    interval(&Sample::ratio(observations))
}

/// The ratio of the second shares less that of the first: both shares of a pair are of the same thing. `None` where either
/// ratio cannot be had.
pub fn difference(pairs: &[(Share, Share)]) -> Option<f64> {
    Sample::ratio_difference(pairs).estimate()
}

/// The [`difference`] with its interval: the shares of a pair are drawn together.
pub fn bootstrap_difference(pairs: &[(Share, Share)]) -> Option<Interval> {
    interval(&Sample::ratio_difference(pairs))
}

/// The interval of one statistic.
pub fn interval(sample: &Sample) -> Option<Interval> {
    intervals(std::slice::from_ref(sample)).remove(0)
}

#[cfg(test)]
mod tests;
