//! The order in which a benchmark generates. A pure function of the settings, so that a run can be taken up again.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::Rng as _;

use crate::prompts::rng_of_seed;
use crate::record::{Mode, Slot};

/// What decides a plan.
#[derive(Debug, Clone, Copy)]
pub struct PlanRequest<'a> {
    /// Number of prompts.
    pub num_prompts: u32,
    /// Modes to measure.
    pub modes: &'a [Mode],
    /// Repetitions of each prompt in each mode.
    pub iterations: u32,
    /// Warm-up generations of each mode.
    pub warmup: u32,
    /// Seed of the order of modes.
    pub seed: u64,
}

/// Lays out all generations of a run: first the warm-ups, on the first prompt; then, for each iteration and prompt, the
/// modes back to back in an order drawn from the seed, so that neither heat nor a neighbour's load falls on one mode.
pub fn plan(request: &PlanRequest) -> Vec<Slot> {
    let warmups = (0..request.warmup)
        .flat_map(|iteration| request.modes.iter().map(move |&mode| (0, mode, iteration, true)));
    let mut rng = rng_of_seed(request.seed);
    let measured = (0..request.iterations).flat_map(|iteration| {
        let prompts = 0..request.num_prompts;
        prompts
            .flat_map(|prompt| {
                shuffled(request.modes, &mut rng).map(move |mode| (prompt, mode, iteration, false))
            })
            .collect::<Vec<_>>()
    });
    (0..)
        .zip(warmups.chain(measured))
        .map(|(exec_order, (prompt_index, mode, iteration, is_warmup))| Slot {
            prompt_index,
            mode,
            iteration,
            exec_order,
            is_warmup,
        })
        .collect()
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

    #[test]
    fn every_prompt_meets_every_mode_in_every_iteration_once() {
        let slots = plan(&request(1));
        assert_eq!(slots.len(), 2 + 40 * 2 * 2);
        let distinct: HashSet<_> =
            slots.iter().map(|s| (s.prompt_index, s.mode, s.iteration, s.is_warmup)).collect();
        assert_eq!(distinct.len(), slots.len());
        assert!(slots.iter().zip(0..).all(|(slot, order)| slot.exec_order == order));
    }

    #[test]
    fn warm_ups_come_first_and_modes_of_a_prompt_stay_together() {
        let slots = plan(&request(1));
        assert!(slots[..2].iter().all(|slot| slot.is_warmup));
        for pair in slots[2..].chunks(2) {
            assert_eq!((pair[0].prompt_index, pair[0].iteration), (pair[1].prompt_index, pair[1].iteration));
        }
    }

    #[test]
    fn each_mode_goes_first_about_half_the_time() {
        let slots = plan(&request(3));
        let target_first = slots[2..].chunks(2).filter(|pair| pair[0].mode == Mode::TargetOnly).count();
        assert!((25..=55).contains(&target_first), "{target_first} of 80");
    }

    #[test]
    fn the_plan_is_pinned_to_its_seed() {
        let order = |seed| -> String {
            let letter = |slot: &Slot| if slot.mode == Mode::TargetOnly { 't' } else { 'b' };
            plan(&request(seed))[2..18].iter().map(letter).collect()
        };
        assert_eq!(order(7), "bttbbtbttbtbbtbt");
        assert_eq!(order(8), "tbbttbtbtbbtbttb");
    }

    #[test]
    fn modes_of_a_prompt_share_their_seed() {
        let seeds: HashSet<u64> =
            plan(&request(5))[2..].iter().map(|slot| generation_seed(5, slot)).collect();
        assert_eq!(seeds.len(), 80);
        assert!(seeds.iter().all(|&seed| i64::try_from(seed).is_ok()));
    }
}
