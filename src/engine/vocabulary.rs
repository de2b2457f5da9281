//! From which tokens a draft proposes.
//!
//! A token that the draft never proposes costs acceptance where the target says it, and nothing else; its row in the
//! draft's head costs reading at every step. Text keeps to few tokens, so most rows can go.

use std::collections::HashMap;

use super::tokenizer::Tokenizer;
use crate::record::DraftVocabulary;

/// Tokens that are kept where nothing else is said.
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
    let num_special = selection.take(tokenizer.special_tokens());
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
