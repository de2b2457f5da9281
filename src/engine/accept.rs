//! The verdict on a draft: how many of its tokens stand, and which token follows them. Pure functions.
//!
//! Greedy: a proposal stands while it equals the target's own choice. Sampled: rejection sampling after Leviathan et
//! al., "Fast Inference from Transformers via Speculative Decoding" (2023), Algorithm 1, and Chen et al., "Accelerating
//! Large Language Model Decoding with Speculative Sampling" (2023), Algorithm 2. Either way the output is distributed
//! exactly as the target's own.

use rand::{Rng, RngExt};

use super::error::Result;
use super::sampling::{Distribution, draw};

/// What the target says of a draft.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Verdict {
    /// Leading proposals that stand.
    pub num_accepted: usize,
    /// The token after them: the correction of the first rejected proposal, or the bonus token where all stand.
    pub next: u32,
}

/// Accepts proposals while they equal the target's choice.
///
/// `target_choice(i)` is the target's token after `drafted[..i]`, for `i` up to `drafted.len()`; asked for no further
/// than needed.
///
/// # Errors
/// The first that `target_choice` returns.
pub fn accept_greedy(
    drafted: &[u32],
    mut target_choice: impl FnMut(usize) -> Result<u32>,
) -> Result<Verdict> {
    for (index, &proposal) in drafted.iter().enumerate() {
        let choice = target_choice(index)?;
        if choice != proposal {
            return Ok(Verdict { num_accepted: index, next: choice });
        }
    }
    Ok(Verdict { num_accepted: drafted.len(), next: target_choice(drafted.len())? })
}

/// Accepts proposal x with probability min(1, p(x)/q(x)); the first rejected one is resampled from the residual
/// max(p − q, 0), renormalised.
///
/// `draft[i]` is q, from which `drafted[i]` was drawn; `target(i)` is p after `drafted[..i]`, asked for no further than
/// needed. Where rounding leaves the residual without mass, p and q agree, and the correction comes from p.
///
/// # Errors
/// The first that `target` returns.
///
/// # Panics
/// If `drafted` and `draft` are not equally long.
pub fn accept_sampled(
    drafted: &[u32],
    draft: &[Distribution],
    mut target: impl FnMut(usize) -> Result<Distribution>,
    rng: &mut impl Rng,
) -> Result<Verdict> {
    assert_eq!(drafted.len(), draft.len(), "every proposal has the distribution it was drawn from");
    for (index, (&proposal, q)) in drafted.iter().zip(draft).enumerate() {
        let p = target(index)?;
        // u < p/q with u in [0, 1), written without the division.
        if rng.random::<f32>() * q.probability(proposal) >= p.probability(proposal) {
            let residual: Vec<f32> = (0..)
                .zip(p.probabilities())
                .map(|(token, &p_token)| (p_token - q.probability(token)).max(0.0))
                .collect();
            let next = draw(&residual, rng).unwrap_or_else(|| p.sample(rng));
            return Ok(Verdict { num_accepted: index, next });
        }
    }
    Ok(Verdict { num_accepted: drafted.len(), next: target(drafted.len())?.sample(rng) })
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;
    use rand_chacha::ChaCha8Rng;

    use super::*;

    fn distribution(probabilities: &[f32]) -> Distribution {
        Distribution::from_probabilities(probabilities.to_vec())
    }

    /// The verdict on one proposal, drawn from q, with the target's p.
    fn verdict(proposal: u32, q: &Distribution, p: &[f32], rng: &mut ChaCha8Rng) -> Verdict {
        accept_sampled(&[proposal], std::slice::from_ref(q), |_| Ok(distribution(p)), rng).unwrap()
    }

    #[test]
    fn the_longest_agreeing_prefix_stands() {
        let target = [5, 6, 7, 8];
        for (drafted, expected) in [
            (vec![5, 6, 7], Verdict { num_accepted: 3, next: 8 }),
            (vec![5, 9, 7], Verdict { num_accepted: 1, next: 6 }),
            (vec![9, 6, 7], Verdict { num_accepted: 0, next: 5 }),
            (vec![], Verdict { num_accepted: 0, next: 5 }),
        ] {
            assert_eq!(accept_greedy(&drafted, |i| Ok(target[i])).unwrap(), expected, "{drafted:?}");
        }
    }

    #[test]
    fn a_proposal_that_the_target_likes_better_always_stands() {
        let q = distribution(&[0.5, 0.5]);
        let mut rng = ChaCha8Rng::seed_from_u64(1);
        for _ in 0..1_000 {
            assert_eq!(verdict(0, &q, &[0.9, 0.1], &mut rng).num_accepted, 1);
        }
    }

    #[test]
    fn a_rejected_proposal_is_resampled_from_the_residual() {
        let q = distribution(&[1.0, 0.0, 0.0]);
        let mut rng = ChaCha8Rng::seed_from_u64(2);
        for _ in 0..1_000 {
            let verdict = verdict(0, &q, &[0.0, 0.25, 0.75], &mut rng);
            assert_eq!(verdict.num_accepted, 0);
            assert_ne!(verdict.next, 0);
        }
    }

    #[test]
    fn an_empty_residual_falls_back_to_the_target() {
        // Rounding at its coarsest: p lost half of its mass, so token 1 is rejected half of the time although
        // max(p − q, 0) is zero everywhere.
        let (q, p) = (distribution(&[0.0, 1.0]), [0.0, 0.5]);
        let mut rng = ChaCha8Rng::seed_from_u64(3);
        let verdicts: Vec<Verdict> = (0..1_000).map(|_| verdict(1, &q, &p, &mut rng)).collect();
        assert!(verdicts.iter().all(|verdict| verdict.next == 1));
        let num_rejected = verdicts.iter().filter(|verdict| verdict.num_accepted == 0).count();
        assert!((400..600).contains(&num_rejected), "{num_rejected} of 1000 took the way that is tested");
    }

    #[test]
    fn a_draft_over_a_smaller_vocabulary_is_completed_by_the_residual() {
        let q = distribution(&[1.0]);
        let mut rng = ChaCha8Rng::seed_from_u64(4);
        let mut counts = [0u32; 2];
        for _ in 0..20_000 {
            let verdict = verdict(0, &q, &[0.3, 0.7], &mut rng);
            let first = if verdict.num_accepted == 1 { 0 } else { verdict.next };
            counts[first as usize] += 1;
        }
        assert!((f64::from(counts[0]) / 20_000.0 - 0.3).abs() < 0.01, "{counts:?}");
    }

    /// χ² of what comes out at the first position against the target's distribution, over many draws.
    #[test]
    fn the_output_is_distributed_as_the_target() {
        let p = [0.1, 0.2, 0.3, 0.4];
        let q = distribution(&[0.4, 0.3, 0.2, 0.1]);
        let num_draws = 40_000;
        let mut rng = ChaCha8Rng::seed_from_u64(5);
        let mut counts = [0u32; 4];
        for _ in 0..num_draws {
            let proposal = q.sample(&mut rng);
            let verdict = verdict(proposal, &q, &p, &mut rng);
            let first = if verdict.num_accepted == 1 { proposal } else { verdict.next };
            counts[first as usize] += 1;
        }
        let chi_squared: f64 = (counts.iter().zip(p))
            .map(|(&count, p)| {
                let expected = f64::from(num_draws) * f64::from(p);
                (f64::from(count) - expected).powi(2) / expected
            })
            .sum();
        // The 99.9 % quantile of χ² with 3 degrees of freedom.
        assert!(chi_squared < 16.27, "χ² = {chi_squared}, {counts:?}");
    }
}
