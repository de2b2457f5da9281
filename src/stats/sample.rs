//! A statistic of observations that is a function of sums over them, so that a resample of any size is some additions.

/// One observation of a ratio of sums: what is summed, and what it is divided by.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Share {
    /// Summed above the line.
    pub part: f64,
    /// Summed below it.
    pub whole: f64,
}

/// What each observation adds to the sums.
pub(super) type Terms = [f64; 4];

/// Observations, and the statistic that is wanted of them.
#[derive(Debug, Clone, PartialEq)]
pub struct Sample {
    pub(super) terms: Vec<Terms>,
    statistic: Statistic,
}

/// A function of the sums of the terms.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Statistic {
    /// s₀ / s₁.
    Ratio,
    /// s₂ / s₃ − s₀ / s₁.
    RatioDifference,
    /// (s₂ / s₃) / (s₀ / s₁) − 1.
    RatioChange,
    /// (s₁ − s₀) / n.
    MeanDifference,
    /// exp(s₀ / n).
    GeometricMean,
    /// exp((s₁ − s₀) / n) − 1.
    GeometricChange,
}

impl Sample {
    /// Σ part / Σ whole. There is none where Σ whole is not positive.
    pub fn ratio(observations: &[Share]) -> Self {
        let terms = observations.iter().map(|share| [share.part, share.whole, 0.0, 0.0]);
        Self { terms: terms.collect(), statistic: Statistic::Ratio }
    }

    /// The ratio of the second shares less that of the first.
    pub fn ratio_difference(pairs: &[(Share, Share)]) -> Self {
        Self { terms: terms_of_shares(pairs), statistic: Statistic::RatioDifference }
    }

    /// The relative change from the ratio of the first shares to that of the second (0.15 for +15 %).
    pub fn ratio_change(pairs: &[(Share, Share)]) -> Self {
        Self { terms: terms_of_shares(pairs), statistic: Statistic::RatioChange }
    }

    /// The relative change from the mean of the first values to that of the second (0.15 for +15 %).
    pub fn mean_change(pairs: &[(f64, f64)]) -> Self {
        let terms = pairs.iter().map(|&(first, second)| [first, 1.0, second, 1.0]);
        Self { terms: terms.collect(), statistic: Statistic::RatioChange }
    }

    /// The mean of the second values less that of the first.
    pub fn mean_difference(pairs: &[(f64, f64)]) -> Self {
        let terms = pairs.iter().map(|&(first, second)| [first, second, 0.0, 0.0]);
        Self { terms: terms.collect(), statistic: Statistic::MeanDifference }
    }

    /// The geometric mean of positive values, such as speedups.
    pub fn geometric_mean(values: &[f64]) -> Self {
        let terms = values.iter().map(|value| [value.ln(), 0.0, 0.0, 0.0]);
        Self { terms: terms.collect(), statistic: Statistic::GeometricMean }
    }

    /// The relative change from the geometric mean of the first positive values to that of the second.
    pub fn geometric_change(pairs: &[(f64, f64)]) -> Self {
        let terms = pairs.iter().map(|&(first, second)| [first.ln(), second.ln(), 0.0, 0.0]);
        Self { terms: terms.collect(), statistic: Statistic::GeometricChange }
    }

    /// The statistic of all observations; none where it cannot be had.
    pub fn estimate(&self) -> Option<f64> {
        let mut sums = [0.0; 4];
        self.terms.iter().for_each(|terms| add(&mut sums, terms));
        self.of_sums(sums)
    }

    /// The statistic of as many observations as there are, whose terms have these sums.
    pub(super) fn of_sums(&self, [s0, s1, s2, s3]: Terms) -> Option<f64> {
        let num_observations = self.terms.len() as f64;
        let value = match self.statistic {
            Statistic::Ratio => ratio(s0, s1)?,
            Statistic::RatioDifference => ratio(s2, s3)? - ratio(s0, s1)?,
            Statistic::RatioChange => ratio(ratio(s2, s3)?, ratio(s0, s1)?)? - 1.0,
            Statistic::MeanDifference => (s1 - s0) / num_observations,
            Statistic::GeometricMean => (s0 / num_observations).exp(),
            Statistic::GeometricChange => ((s1 - s0) / num_observations).exp() - 1.0,
        };
        value.is_finite().then_some(value)
    }
}

fn terms_of_shares(pairs: &[(Share, Share)]) -> Vec<Terms> {
    let terms = pairs.iter().map(|(first, second)| [first.part, first.whole, second.part, second.whole]);
    terms.collect()
}

/// `None` where nothing is below the line.
fn ratio(part: f64, whole: f64) -> Option<f64> {
    (whole > 0.0).then(|| part / whole)
}

/// Adds the terms of one observation.
pub(super) fn add(sums: &mut Terms, terms: &Terms) {
    sums.iter_mut().zip(terms).for_each(|(sum, term)| *sum += term);
}
