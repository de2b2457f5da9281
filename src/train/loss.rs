//! Losses: how far a draft's distribution q is from the target's p at one position.
//!
//! p is known on its likeliest tokens, and the mass of all others as one. So distributions here are over those tokens and
//! one more, "the rest"; each divergence is at most what it would be over the whole vocabulary (data processing
//! inequality), and Σ min(p, q) at least.
//!
//! Sources: DistillSpec (Zhou et al., 2023, section 3 and appendix A) for forward and reverse KL, JSD and TVD as losses of a
//! draft; Leviathan et al., "Fast Inference from Transformers via Speculative Decoding", 2023, theorem 3.5: a proposal is
//! accepted with probability Σ min(p, q) = 1 − TV(p, q).

use crate::engine::cpu::training::DraftRow;
use crate::record::LossKind;

/// The smallest probability that a logarithm is taken of: below it half-precision numbers end.
const FLOOR: f32 = 6e-8;

/// The target's distribution at a position, over the tokens that a [`DraftRow`] was asked for.
#[derive(Debug, Clone, Copy)]
pub struct TargetRow<'a> {
    /// p, token by token.
    pub probabilities: &'a [f32],
    /// p of the rest.
    pub left_over: f32,
    /// Which of the tokens the target emitted.
    pub chosen: usize,
}

/// A loss, ready to be computed.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Loss {
    /// Which one.
    pub kind: LossKind,
    /// λ of `lk_hybrid`.
    pub mixing: f32,
}

impl Loss {
    /// A loss for a draft whose expected acceptance ᾱ on held-out examples is known: λ = e^(−3ᾱ), 1 where it is not.
    pub fn new(kind: LossKind, expected_acceptance: Option<f64>) -> Self {
        let mixing = expected_acceptance.map_or(1.0, |acceptance| (-3.0 * acceptance).exp() as f32);
        Self { kind, mixing }
    }

    /// The loss at a position, and its gradient with regard to ln q: `[num_tokens + 1]`, the rest last.
    pub fn at(&self, target: &TargetRow, draft: &DraftRow) -> (f64, Vec<f32>) {
        let buckets = Buckets::new(target, draft);
        match self.kind {
            LossKind::CrossEntropy => {
                let mut gradient = vec![0.0; buckets.p.len()];
                gradient[target.chosen] = -1.0;
                (f64::from(-buckets.log_q[target.chosen]), gradient)
            }
            LossKind::ForwardKl => buckets.forward_kl(),
            LossKind::ReverseKl => buckets.sum(|p, q, log_q| {
                let log_ratio = log_q - p.max(FLOOR).ln();
                (q * log_ratio, q * (log_ratio + 1.0))
            }),
            LossKind::JensenShannon => buckets.sum(|p, q, log_q| {
                let log_mean = (0.5 * (p + q)).max(f32::MIN_POSITIVE).ln();
                let of_p = if p > 0.0 { p * (p.ln() - log_mean) } else { 0.0 };
                (0.5 * (of_p + q * (log_q - log_mean)), 0.5 * q * (log_q - log_mean))
            }),
            LossKind::TotalVariation => buckets.total_variation(),
            LossKind::LkHybrid => {
                let ((kl, kl_gradient), (tv, tv_gradient)) =
                    (buckets.forward_kl(), buckets.total_variation());
                let mix = |kl: f32, tv: f32| self.mixing * kl + (1.0 - self.mixing) * tv;
                let gradient = kl_gradient.iter().zip(&tv_gradient).map(|(&kl, &tv)| mix(kl, tv));
                let mixing = f64::from(self.mixing);
                (mixing * kl + (1.0 - mixing) * tv, gradient.collect())
            }
        }
    }
}

/// Σ min(p, q): the probability that a proposal drawn from q is accepted.
pub fn expected_acceptance(target: &TargetRow, draft: &DraftRow) -> f64 {
    let Buckets { p, log_q } = Buckets::new(target, draft);
    let smaller = |p: f32, q: f32| if p < q { p } else { q };
    // `f32::min` would pass over a q that is no number.
    p.iter().zip(log_q).map(|(&p, log_q)| f64::from(smaller(p, log_q.exp()))).sum()
}

/// Both distributions, the rest last.
struct Buckets {
    p: Vec<f32>,
    log_q: Vec<f32>,
}

impl Buckets {
    fn new(target: &TargetRow, draft: &DraftRow) -> Self {
        let p = target.probabilities.iter().copied().chain([target.left_over]).collect();
        // Of nothing left over the logarithm is still one; of what is no number it is none.
        let rest = if draft.left_over < f32::MIN_POSITIVE { f32::MIN_POSITIVE } else { draft.left_over }.ln();
        Self { p, log_q: draft.log_probabilities.iter().copied().chain([rest]).collect() }
    }

    /// Sums what each bucket gives: a value, and its derivative with regard to ln q.
    fn sum(&self, term: impl Fn(f32, f32, f32) -> (f32, f32)) -> (f64, Vec<f32>) {
        let terms = self.p.iter().zip(&self.log_q).map(|(&p, &log_q)| term(p, log_q.exp(), log_q));
        let (values, gradient): (Vec<f32>, Vec<f32>) = terms.unzip();
        (values.into_iter().map(f64::from).sum(), gradient)
    }

    fn forward_kl(&self) -> (f64, Vec<f32>) {
        self.sum(|p, _, log_q| {
            let value = if p > 0.0 { p * (p.ln() - log_q) } else { 0.0 };
            (value, -p)
        })
    }

    fn total_variation(&self) -> (f64, Vec<f32>) {
        self.sum(|p, q, _| (0.5 * (p - q).abs(), 0.5 * q * (q - p).signum()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Distributions over three tokens and the rest.
    const P: [f32; 4] = [0.6, 0.25, 0.1, 0.05];
    const Q: [f32; 4] = [0.3, 0.4, 0.12, 0.18];

    fn target() -> TargetRow<'static> {
        TargetRow { probabilities: &P[..3], left_over: P[3], chosen: 1 }
    }

    fn draft(q: [f32; 4]) -> DraftRow {
        DraftRow { log_probabilities: q[..3].iter().map(|q| q.ln()).collect(), left_over: q[3], likeliest: 0 }
    }

    #[track_caller]
    fn check(kind: LossKind, expected: f64) {
        let loss = Loss { kind, mixing: 0.3 };
        let (value, gradient) = loss.at(&target(), &draft(Q));
        assert!((value - expected).abs() < 1e-6, "{kind}: {value}, not {expected}");
        // The derivative with regard to ln q of each bucket alone.
        for bucket in 0..4 {
            let moved = |by: f32| {
                let mut q = Q;
                q[bucket] *= by.exp();
                loss.at(&target(), &draft(q)).0
            };
            let slope = (moved(1e-2) - moved(-1e-2)) / 2e-2;
            let gradient = f64::from(gradient[bucket]);
            assert!((slope - gradient).abs() < 1e-3, "{kind}, bucket {bucket}: {gradient}, not {slope}");
        }
    }

    #[test]
    fn losses_are_those_of_their_definitions_with_their_derivatives() {
        let pairs = || P.iter().zip(Q).map(|(&p, q)| (f64::from(p), f64::from(q)));
        let forward: f64 = pairs().map(|(p, q)| p * (p / q).ln()).sum();
        let variation: f64 = pairs().map(|(p, q)| 0.5 * (p - q).abs()).sum();
        let to_mean = |p: f64, q: f64| p * (p / (0.5 * (p + q))).ln();
        check(LossKind::CrossEntropy, -(f64::from(Q[1])).ln());
        check(LossKind::ForwardKl, forward);
        check(LossKind::ReverseKl, pairs().map(|(p, q)| q * (q / p).ln()).sum());
        check(LossKind::JensenShannon, pairs().map(|(p, q)| 0.5 * (to_mean(p, q) + to_mean(q, p))).sum());
        check(LossKind::TotalVariation, variation);
        check(LossKind::LkHybrid, 0.3 * forward + 0.7 * variation);
    }

    #[test]
    fn expected_acceptance_is_one_minus_the_total_variation() {
        let (variation, _) = Loss { kind: LossKind::TotalVariation, mixing: 0.0 }.at(&target(), &draft(Q));
        assert!((expected_acceptance(&target(), &draft(Q)) - (1.0 - variation)).abs() < 1e-6);
        assert!((expected_acceptance(&target(), &draft(P)) - 1.0).abs() < 1e-6);
    }

    #[test]
    fn draft_that_is_no_number_is_not_taken_for_a_good_one() {
        let broken = DraftRow { log_probabilities: vec![f32::NAN; 3], left_over: f32::NAN, likeliest: 0 };
        assert!(expected_acceptance(&target(), &broken).is_nan());
    }

    #[test]
    fn hybrid_moves_to_total_variation_as_acceptance_grows() {
        let mixing = |acceptance| Loss::new(LossKind::LkHybrid, acceptance).mixing;
        assert_eq!(mixing(None), 1.0);
        assert_eq!(mixing(Some(0.0)), 1.0);
        assert!((mixing(Some(1.0)) - 0.049_787).abs() < 1e-5);
    }

    #[test]
    fn probabilities_of_zero_leave_every_loss_finite() {
        let target = TargetRow { probabilities: &[1.0, 0.0, 0.0], left_over: 0.0, chosen: 0 };
        let draft = DraftRow { log_probabilities: vec![-0.7, -90.0, -0.7], left_over: 0.0, likeliest: 0 };
        for &kind in LossKind::ALL {
            let (value, gradient) = Loss { kind, mixing: 0.5 }.at(&target, &draft);
            assert!(
                value.is_finite() && gradient.iter().all(|d| d.is_finite()),
                "{kind}: {value} {gradient:?}"
            );
        }
    }
}
