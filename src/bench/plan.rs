//! The order in which a benchmark generates. A pure function of the settings, so that a run can be taken up again.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::Rng as _;

use crate::prompts::rng_of_seed;
use crate::record::{Mode, Slot};

/// What decides a plan.
#[derive(Debug, Clone, Copy)]
pub struct PlanRequest<'a> {
    /// Number of prompts.
    pub num_prompts: usize,
    /// Modes to measure.
    pub modes: &'a [Mode],
    /// Repetitions of each prompt in each mode.
    pub iterations: u32,
    /// Warm-up generations of each mode.
    pub warmup: u32,
    /// Seed of the order of modes.
    pub seed: u64,
}

/// Most generations of a plan. More is a slip of the keyboard: at one a second they would take four months.
pub const MAX_PLANNED_GENERATIONS: u64 = 10_000_000;

/// A plan that nobody can mean.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "prompts, modes, iterations and warmup make {num_generations} generations, a run may have \
     {MAX_PLANNED_GENERATIONS} (choose fewer)"
)]
pub struct PlanTooLarge {
    /// How many it would be.
    pub num_generations: u64,
}

/// Lays out all generations of a run: first the warm-ups, on the first prompt; then, for each iteration and prompt, the
/// modes back to back in an order drawn from the seed, so that neither heat nor a neighbour's load falls on one mode.
///
/// # Errors
/// If they are more than [`MAX_PLANNED_GENERATIONS`].
pub fn plan(request: &PlanRequest) -> Result<Vec<Slot>, PlanTooLarge> {
    let num_prompts = checked_num_prompts(request)?;
    let warmups = (0..request.warmup)
        .flat_map(|iteration| request.modes.iter().map(move |&mode| (0, mode, iteration, true)));
    let mut rng = rng_of_seed(request.seed);
    let measured = (0..request.iterations).flat_map(|iteration| {
        (0..num_prompts)
            .flat_map(|prompt| {
                shuffled(request.modes, &mut rng).map(move |mode| (prompt, mode, iteration, false))
            })
            .collect::<Vec<_>>()
    });
    let slots =
        (0..).zip(warmups.chain(measured)).map(|(exec_order, (prompt_index, mode, iteration, is_warmup))| {
            Slot { prompt_index, mode, iteration, exec_order, is_warmup }
        });
    Ok(slots.collect())
}

/// The number of prompts, if the plan is not too large.
fn checked_num_prompts(request: &PlanRequest) -> Result<u32, PlanTooLarge> {
    let (num_prompts, num_modes) = (request.num_prompts as u64, request.modes.len() as u64);
    let num_generations = num_prompts
        .saturating_mul(request.iterations.into())
        .saturating_add(request.warmup.into())
        .saturating_mul(num_modes);
    match u32::try_from(num_prompts) {
        Ok(num_prompts) if num_generations <= MAX_PLANNED_GENERATIONS => Ok(num_prompts),
        _ => Err(PlanTooLarge { num_generations }),
    }
}

/// What is left of a plan that was broken off.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Remainder {
    /// Warm-ups that took place, of modes that are measured still: the process that goes on is as cold as the first was.
    pub warm_again: Vec<Slot>,
    /// What never took place, in the order of the plan.
    pub slots: Vec<Slot>,
}

/// Says what of a plan is left to do.
pub fn remainder(plan: Vec<Slot>, is_finished: impl Fn(&Slot) -> bool) -> Remainder {
    let (finished, slots): (Vec<Slot>, Vec<Slot>) = plan.into_iter().partition(is_finished);
    let is_needed = |warmup: &Slot| slots.iter().any(|slot| slot.mode == warmup.mode && !slot.is_warmup);
    let warm_again = finished.into_iter().filter(|slot| slot.is_warmup && is_needed(slot)).collect();
    Remainder { warm_again, slots }
}

/// The modes in order of random words, drawn one a mode: every order is equally likely, in every version of this program.
fn shuffled(modes: &[Mode], rng: &mut ChaCha8Rng) -> impl Iterator<Item = Mode> + use<> {
    let mut drawn: Vec<(u64, Mode)> = modes.iter().map(|&mode| (rng.next_u64(), mode)).collect();
    drawn.sort_unstable();
    drawn.into_iter().map(|(_, mode)| mode)
}

/// The seed of a generation's random choices: the same for every mode of a prompt and iteration, another for every other.
/// 63 bits, so that it fits a signed column. (The mix is SplitMix64's finaliser: Steele et al., "Fast Splittable
/// Pseudorandom Number Generators", 2014.)
pub fn generation_seed(run_seed: u64, slot: &Slot) -> u64 {
    let position = (u64::from(slot.iteration) << 32) | u64::from(slot.prompt_index);
    let mut mixed = run_seed.wrapping_add(position.wrapping_add(1).wrapping_mul(0x9E37_79B9_7F4A_7C15));
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    (mixed ^ (mixed >> 31)) >> 1
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    fn request(seed: u64) -> PlanRequest<'static> {
        const MODES: &[Mode] = &[Mode::TargetOnly, Mode::SpecBase];
        PlanRequest { num_prompts: 40, modes: MODES, iterations: 2, warmup: 1, seed }
    }

    fn planned(request: &PlanRequest) -> Vec<Slot> {
        plan(request).unwrap()
    }

    #[test]
    fn every_prompt_meets_every_mode_in_every_iteration_once() {
        let slots = planned(&request(1));
        assert_eq!(slots.len(), 2 + 40 * 2 * 2);
        let distinct: HashSet<_> =
            slots.iter().map(|s| (s.prompt_index, s.mode, s.iteration, s.is_warmup)).collect();
        assert_eq!(distinct.len(), slots.len());
        assert!(slots.iter().zip(0..).all(|(slot, order)| slot.exec_order == order));
    }

    #[test]
    fn warm_ups_come_first_and_modes_of_a_prompt_stay_together() {
        let slots = planned(&request(1));
        assert!(slots[..2].iter().all(|slot| slot.is_warmup));
        for pair in slots[2..].chunks(2) {
            assert_eq!((pair[0].prompt_index, pair[0].iteration), (pair[1].prompt_index, pair[1].iteration));
        }
    }

    #[test]
    fn each_mode_goes_first_about_half_the_time() {
        let slots = planned(&request(3));
        let target_first = slots[2..].chunks(2).filter(|pair| pair[0].mode == Mode::TargetOnly).count();
        assert!((25..=55).contains(&target_first), "{target_first} of 80");
    }

    #[test]
    fn the_plan_is_pinned_to_its_seed() {
        let order = |seed| -> String {
            let letter = |slot: &Slot| if slot.mode == Mode::TargetOnly { 't' } else { 'b' };
            planned(&request(seed))[2..18].iter().map(letter).collect()
        };
        assert_eq!(order(7), "bttbbtbttbtbbtbt");
        assert_eq!(order(8), "tbbttbtbtbbtbttb");
    }

    #[test]
    fn modes_of_a_prompt_share_their_seed() {
        let seeds: HashSet<u64> =
            planned(&request(5))[2..].iter().map(|slot| generation_seed(5, slot)).collect();
        assert_eq!(seeds.len(), 80);
        assert!(seeds.iter().all(|&seed| i64::try_from(seed).is_ok()));
    }

    #[test]
    fn remainder_warms_again_only_what_is_measured_still() {
        let slots = planned(&request(1));
        let check = |is_finished: &dyn Fn(&Slot) -> bool, expected: (&[Mode], usize)| {
            let Remainder { warm_again, slots } = remainder(slots.clone(), is_finished);
            let modes: Vec<Mode> = warm_again.iter().map(|slot| slot.mode).collect();
            assert_eq!((modes.as_slice(), slots.len()), expected);
            assert!(warm_again.iter().all(|slot| slot.is_warmup));
        };
        check(&|_| false, (&[], 162));
        check(&|slot| slot.exec_order == 0, (&[Mode::TargetOnly], 161));
        check(&|slot| slot.exec_order < 50, (&[Mode::TargetOnly, Mode::SpecBase], 112));
        check(&|slot| slot.is_warmup || slot.mode == Mode::TargetOnly, (&[Mode::SpecBase], 80));
        check(&|_| true, (&[], 0));
    }

    #[test]
    fn plan_that_nobody_can_mean_is_refused() {
        let check = |num_prompts, iterations, expected| {
            let request = PlanRequest { num_prompts, iterations, warmup: 100, ..request(1) };
            assert_eq!(checked_num_prompts(&request).map_err(|error| error.num_generations), expected);
        };
        check(499, 10_000, Ok(499));
        check(500, 10_000, Err(10_000_200));
        check(usize::MAX, 10_000, Err(u64::MAX));
    }
}
