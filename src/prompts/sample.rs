//! Draws prompts at random.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng as _, SeedableRng as _};

/// Draws `limit` items without replacement and keeps their order; all of them where there are no more than that.
///
/// Item i gets the i-th 64-bit word of the ChaCha8 stream whose key is the seed (little-endian, then zeros), and the
/// items with the smallest words are drawn. So the draw is the same on every machine and in every version, each subset
/// is equally likely, and a smaller limit draws a part of what a larger one draws.
pub fn sample<T>(items: Vec<T>, limit: usize, seed: u64) -> Vec<T> {
    let mut rng = rng_of_seed(seed);
    let mut ranked: Vec<_> =
        items.into_iter().enumerate().map(|(i, item)| (rng.next_u64(), i, item)).collect();
    ranked.sort_by_key(|(word, i, _)| (*word, *i));
    ranked.truncate(limit);
    ranked.sort_by_key(|(_, i, _)| *i);
    ranked.into_iter().map(|(_, _, item)| item).collect()
}

/// The ChaCha8 stream whose key is the seed, little-endian, then zeros.
///
/// How `rand` itself widens a 64-bit seed may change between its versions; the stream of a key cannot.
pub(crate) fn rng_of_seed(seed: u64) -> ChaCha8Rng {
    let mut key = [0; 32];
    key[..8].copy_from_slice(&seed.to_le_bytes());
    ChaCha8Rng::from_seed(key)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn draw(limit: usize, seed: u64) -> Vec<u32> {
        sample((0..20).collect(), limit, seed)
    }

    #[test]
    fn draw_is_pinned() {
        assert_eq!(draw(5, 0), [2, 3, 4, 5, 6]);
        assert_eq!(draw(5, 1), [1, 5, 11, 14, 17]);
        assert_eq!(draw(5, u64::MAX), [1, 10, 11, 12, 13]);
    }

    #[test]
    fn smaller_draw_is_part_of_a_larger_one() {
        for limit in 0..20 {
            let larger = draw(limit + 1, 3);
            assert!(draw(limit, 3).iter().all(|item| larger.contains(item)));
        }
    }

    #[test]
    fn limit_beyond_the_items_draws_all_in_order() {
        assert_eq!(draw(20, 9), (0..20).collect::<Vec<_>>());
        assert_eq!(draw(99, 9), (0..20).collect::<Vec<_>>());
        assert!(draw(0, 9).is_empty());
    }

    #[test]
    fn each_item_is_equally_likely() {
        let mut counts = [0_u32; 20];
        for seed in 0..4000 {
            draw(5, seed).iter().for_each(|&item| counts[item as usize] += 1);
        }
        // Binomial(4000, 1/4): mean 1000, standard deviation 27; five of them either way.
        assert!(counts.iter().all(|count| (863..=1137).contains(count)), "{counts:?}");
    }
}
