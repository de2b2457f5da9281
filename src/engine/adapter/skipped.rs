//! What an adapted draft need not read of a prompt.
//!
//! A system prompt that most of an adapter's examples begin with can be learned with them: the draft is trained on what
//! follows it, and reads no more than that when it is at work. The target reads everything, so that the output is what it
//! would have been. A draft over a part of the vocabulary has not met the tokens that it skips.

use std::borrow::Cow;
use std::ops::Range;

/// How prompts begin that an adapted draft does not read in full; empty where it reads everything.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SkippedPrompt(Vec<u32>);

impl SkippedPrompt {
    /// What is skipped of prompts that begin with these tokens.
    pub fn new(tokens: Vec<u32>) -> Self {
        Self(tokens)
    }

    /// The whole messages that more than half of the prompts begin with. A message begins with the special token that the
    /// first one begins with. Equal prompts count once.
    pub fn shared_by<'a>(prompts: impl IntoIterator<Item = &'a [u32]>, special_tokens: &[u32]) -> Self {
        let mut prompts: Vec<&[u32]> = prompts.into_iter().collect();
        prompts.sort_unstable();
        prompts.dedup();
        if prompts.len() < 2 {
            return Self::default();
        }
        // Those that begin alike stand together, so that what a majority shares is in the middle.
        let middle = prompts[prompts.len() / 2];
        let num_equal = |prompt: &&[u32]| prompt.iter().zip(middle).take_while(|(a, b)| a == b).count();
        let mut nums_equal: Vec<usize> = prompts.iter().map(num_equal).collect();
        nums_equal.sort_unstable();
        // From this place on there are more than half of them.
        let shared = &middle[..nums_equal[(prompts.len() - 1) / 2]];
        let is_special = |token: u32| special_tokens.contains(&token);
        // One that a special token follows opens the text, and not a message.
        let Some(pair) = shared.windows(2).find(|pair| is_special(pair[0]) && !is_special(pair[1])) else {
            return Self::default();
        };
        let beginnings: Vec<usize> = (0..shared.len()).filter(|&place| shared[place] == pair[0]).collect();
        match beginnings[..] {
            [_, .., last] => Self(shared[..last].to_vec()),
            _ => Self::default(),
        }
    }

    /// The tokens.
    pub fn tokens(&self) -> &[u32] {
        &self.0
    }

    /// Whether nothing is skipped.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The part of a prompt that the draft does not read; empty where the prompt begins otherwise. A first token that opens
    /// the text as a whole, and not the message that is skipped, is read: models rest on it.
    pub fn range_in(&self, prompt: &[u32]) -> Range<usize> {
        let end = self.0.len();
        match prompt.get(end) {
            Some(next) if end > 0 && prompt.starts_with(&self.0) => usize::from(prompt[0] != *next)..end,
            _ => 0..0,
        }
    }

    /// What the draft reads of a prompt.
    pub fn rest_of<'a>(&self, prompt: &'a [u32]) -> Cow<'a, [u32]> {
        let Range { start, end } = self.range_in(prompt);
        match start {
            0 => Cow::Borrowed(&prompt[end..]),
            _ => Cow::Owned([&prompt[..start], &prompt[end..]].concat()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Begins a text; begins a message; ends its header.
    const SPECIAL: [u32; 3] = [100, 101, 102];

    #[track_caller]
    fn check(prompts: &[&[u32]], skipped: &[u32]) {
        assert_eq!(SkippedPrompt::shared_by(prompts.iter().copied(), &SPECIAL).tokens(), skipped);
    }

    #[test]
    fn what_a_majority_begins_with_is_skipped_up_to_a_message() {
        let system = [101, 1, 2, 101, 7];
        let with = |rest: &[u32]| [&system[..], rest].concat();
        let (a, b, c) = (with(&[3]), with(&[3, 4]), with(&[5]));
        check(&[&a, &b, &c], &system[..3]);
        // Others may begin otherwise, before and after these in order, if they are fewer.
        check(&[&[101, 0], &a, &b, &c, &[101, 9]], &system[..3]);
        // Half is no majority: all share the beginning of a message.
        check(&[&[101, 0], &a, &[101, 9], &b], &[]);
        // Equal prompts count once.
        check(&[&a, &a, &a, &[101, 9]], &[]);
        check(&[&a, &a], &[]);
        check(&[], &[]);
        // A header is not cut in two, and the only message not cut off.
        let headed = |rest: &[u32]| [&[100, 101, 1, 102, 2, 3, 101, 7, 102][..], rest].concat();
        check(&[&headed(&[4]), &headed(&[5])], &[100, 101, 1, 102, 2, 3]);
        check(&[&[100, 101, 7, 102, 4], &[100, 101, 7, 102, 5]], &[]);
        // Without a special token there is no place to cut.
        check(&[&[1, 2, 3], &[1, 2, 4]], &[]);
    }

    #[test]
    fn a_token_that_opens_the_text_is_read() {
        let whole = |skipped: &[u32], prompt: &[u32]| {
            let skipped = SkippedPrompt::new(skipped.to_vec());
            (skipped.range_in(prompt), skipped.rest_of(prompt).into_owned())
        };
        assert_eq!(whole(&[101, 1, 2], &[101, 1, 2, 101, 7]), (0..3, vec![101, 7]));
        assert_eq!(whole(&[100, 101, 1], &[100, 101, 1, 101, 7]), (1..3, vec![100, 101, 7]));
        // What begins otherwise, or ends there, is read in full.
        assert_eq!(whole(&[101, 1, 2], &[101, 1, 3, 101]), (0..0, vec![101, 1, 3, 101]));
        assert_eq!(whole(&[101, 1], &[101, 1]), (0..0, vec![101, 1]));
        assert_eq!(whole(&[], &[101, 1]), (0..0, vec![101, 1]));
    }
}
