//! From which tokens a draft proposes.
//!
//! A token that the draft never proposes costs acceptance where the target says it, and nothing else; its row in the
//! draft's head costs reading at every step. Text keeps to few tokens, so most rows can go.

use std::collections::HashMap;

use super::tokenizer::Tokenizer;
use crate::record::DraftVocabulary;

/// Tokens of a draft that has more than twice as many, where nobody says how many: the next 16,384 would cost more to read
/// than the proposals they allow are worth.
const AUTO_SIZE: usize = 32_768;

/// Tokens from the most frequent on, spelled as byte-level BPE spells them; most such tokenizers have most of them.
const FREQUENT: &str = include_str!("../../assets/frequent_tokens.txt");

/// The size that suits a vocabulary: [`AUTO_SIZE`], or the whole where that is not twice as large. `None` is the whole.
pub fn auto_size(vocab_size: usize) -> Option<usize> {
    (vocab_size >= 2 * AUTO_SIZE).then_some(AUTO_SIZE)
}

/// How often tokens stand in outputs.
pub type TokenCounts = HashMap<u32, u64>;

/// Chooses `size` of the tokens below `vocab_size`: special tokens, then those that `counts` has, the most frequent first, then those of the list,
/// then the lowest ids. `None` if that is all of them.
pub fn choose(
    tokenizer: &Tokenizer,
    vocab_size: usize,
    counts: &TokenCounts,
    size: usize,
) -> Option<DraftVocabulary> {
    if size >= vocab_size {
        return None;
    }
    let mut counted: Vec<(u32, u64)> = counts.iter().map(|(&token, &count)| (token, count)).collect();
    counted.sort_unstable_by_key(|&(token, count)| (std::cmp::Reverse(count), token));
    let mut selection = Selection { tokens: vec![], is_taken: vec![false; vocab_size], size };
    // Stop tokens come first, so that the smallest vocabulary can end a text.
    let special = tokenizer.stop_tokens().iter().copied().chain(tokenizer.special_tokens());
    let num_special = selection.take(special);
    let num_from_outputs = selection.take(counted.into_iter().map(|(token, _)| token));
    let num_from_list = selection.take(FREQUENT.lines().filter_map(|token| tokenizer.token_id(token)));
    let num_from_lowest = selection.take(0..vocab_size as u32);
    let tokens = selection.tokens;
    Some(DraftVocabulary { tokens, num_special, num_from_outputs, num_from_list, num_from_lowest })
}

struct Selection {
    tokens: Vec<u32>,
    is_taken: Vec<bool>,
    size: usize,
}

impl Selection {
    /// Takes what is new, in this order, while there is room; says how many that were.
    fn take(&mut self, candidates: impl IntoIterator<Item = u32>) -> u32 {
        let before = self.tokens.len();
        for token in candidates {
            if self.tokens.len() == self.size {
                break;
            }
            // A count may be of a token that this head does not have.
            if let Some(is_taken) = self.is_taken.get_mut(token as usize).filter(|is_taken| !**is_taken) {
                *is_taken = true;
                self.tokens.push(token);
            }
        }
        (self.tokens.len() - before) as u32
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    #[cfg(feature = "builtin-models")]
    use crate::engine::files::{ModelFiles, builtin};

    #[cfg(feature = "builtin-models")]
    fn tokenizer() -> Tokenizer {
        ModelFiles::open(builtin::TARGET.as_ref()).unwrap().tokenizer().unwrap()
    }

    #[test]
    fn large_vocabularies_are_cut() {
        assert_eq!([65_535, 65_536, 151_936].map(auto_size), [None, Some(32_768), Some(32_768)]);
    }

    #[cfg(feature = "builtin-models")]
    #[test]
    fn special_tokens_come_before_counted_ones_and_those_before_the_list_and_the_lowest_ids() {
        let tokenizer = tokenizer();
        let special = tokenizer.special_tokens();
        // A token that the head does not have, two that are counted alike, one that is special anyway.
        let counts = TokenCounts::from([(9_999, 50), (700, 3), (4_000, 9), (600, 3), (special[0], 8)]);
        let chosen = choose(&tokenizer, 4_090, &counts, 4_000).unwrap();
        let DraftVocabulary { tokens, num_special, num_from_outputs, num_from_list, num_from_lowest } =
            &chosen;
        assert_eq!(*num_special as usize, special.len());
        assert_eq!(&tokens[special.len()..special.len() + 3], [4_000, 600, 700]);
        assert_eq!(*num_from_outputs, 3);
        let listed = FREQUENT.lines().find_map(|token| tokenizer.token_id(token)).unwrap();
        assert_eq!(tokens[special.len() + 3], listed);
        assert!(*num_from_list > 1_000 && *num_from_lowest > 0, "{num_from_list} and {num_from_lowest}");
        assert_eq!(num_special + num_from_outputs + num_from_list + num_from_lowest, 4_000);
        let distinct: std::collections::HashSet<_> = tokens.iter().collect();
        assert!(distinct.len() == 4_000 && tokens.iter().all(|token| *token < 4_090));
    }

    #[cfg(feature = "builtin-models")]
    #[test]
    fn the_smallest_vocabulary_can_end_a_text_and_the_largest_is_none() {
        let tokenizer = tokenizer();
        let smallest = choose(&tokenizer, 4_096, &TokenCounts::new(), 1).unwrap();
        assert_eq!(smallest.tokens, tokenizer.stop_tokens()[..1]);
        assert_eq!(choose(&tokenizer, 4_096, &TokenCounts::new(), 4_096), None);
    }
}
