//! The learning rate of each step: a linear warm-up, then half a cosine down to zero. Steps are the optimiser's.

use std::f64::consts::PI;

/// A learning rate over the steps of a run.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Schedule {
    /// Steps of the run.
    pub num_steps: u32,
    /// Share of them over which the rate rises.
    pub warmup_ratio: f64,
    /// The rate after the warm-up.
    pub peak: f64,
}

impl Schedule {
    /// The rate of a step, counted from 1.
    pub fn learning_rate(&self, step: u32) -> f64 {
        let num_warmup = (self.warmup_ratio * f64::from(self.num_steps)).floor();
        let step = f64::from(step);
        if step <= num_warmup {
            return self.peak * step / num_warmup;
        }
        let progress = (step - 1.0 - num_warmup) / (f64::from(self.num_steps) - num_warmup).max(1.0);
        self.peak * 0.5 * (1.0 + (PI * progress).cos())
    }
}

/// The rate for a draft whose hidden states are this wide, where nobody names one. Adam's best rate falls with the width
/// (Yang et al., "Tensor Programs V", 2022), and so does this one; but it is 1e-3 at most, for at higher rates a narrow draft
/// learns faster, and forgets more of what it is not shown.
pub fn learning_rate_for(hidden_size: usize) -> f64 {
    (5e-4 * (896.0 / hidden_size as f64).powf(1.5)).min(1e-3)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wide_drafts_learn_at_a_lower_rate() {
        assert_eq!(learning_rate_for(320), 1e-3);
        assert!((learning_rate_for(576) - 9.7e-4).abs() < 1e-6);
        assert_eq!(learning_rate_for(896), 5e-4);
        assert!((learning_rate_for(4 * 896) - 6.25e-5).abs() < 1e-12);
    }

    #[track_caller]
    fn check(num_steps: u32, warmup_ratio: f64, expected: &[f64]) {
        let schedule = Schedule { num_steps, warmup_ratio, peak: 2.0 };
        for (step, expected) in (1..).zip(expected) {
            let rate = schedule.learning_rate(step);
            assert!((rate - expected).abs() < 1e-9, "step {step}: {rate}, not {expected}");
        }
    }

    #[test]
    fn rate_rises_then_falls_along_a_cosine() {
        check(6, 0.34, &[1.0, 2.0, 2.0, 1.0 + 0.5f64.sqrt(), 1.0, 1.0 - 0.5f64.sqrt()]);
        check(2, 0.0, &[2.0, 1.0]);
        check(1, 0.1, &[2.0]);
        check(2, 1.0, &[1.0, 2.0]);
    }
}
