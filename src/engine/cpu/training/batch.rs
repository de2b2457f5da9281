//! Sequences laid side by side, so that one pass serves all of them and no position is padding.
//!
//! Tokens that all sequences begin with, a system prompt say, are computed once: what follows in each sequence attends to
//! them as if they were its own. That changes no value and no gradient, since causal attention never looks ahead.

use std::ops::Range;

/// One text to learn from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sequence<'a> {
    /// Prompt and output.
    pub prompt: &'a [u32],
    /// At least one token.
    pub output: &'a [u32],
}

/// Shorter beginnings are not worth a segment of their own.
const MIN_SHARED: usize = 8;

/// Sequences in one pass.
#[derive(Debug)]
pub struct Batch {
    /// Tokens of all rows: `[T]`.
    pub(super) tokens: Vec<u32>,
    /// Positions of all rows in their sequences: `[T]`.
    pub(super) positions: Vec<usize>,
    pub(super) segments: Vec<Segment>,
    /// Rows whose logits are wanted: for each sequence in turn, one an output token. `[num_outputs]`.
    pub(super) output_rows: Vec<usize>,
}

/// Rows that attend to each other, and to the rows that all sequences share.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Segment {
    pub(super) rows: Range<usize>,
    /// Leading rows of the batch that this segment sees as well.
    pub(super) num_shared: usize,
}

impl Batch {
    /// Lays out sequences.
    ///
    /// # Panics
    /// If there are none, or one has an empty prompt or output.
    pub fn new(sequences: &[Sequence]) -> Self {
        assert!(
            !sequences.is_empty() && sequences.iter().all(|s| !s.prompt.is_empty() && !s.output.is_empty()),
            "there are sequences, each with a prompt and an output"
        );
        let num_shared = num_shared(sequences);
        let mut batch = Self { tokens: vec![], positions: vec![], segments: vec![], output_rows: vec![] };
        if num_shared > 0 {
            batch.push(sequences[0].prompt[..num_shared].iter().copied(), 0, 0);
        }
        for Sequence { prompt, output } in sequences {
            // The last token is predicted, and predicts nothing.
            let inputs = prompt[num_shared..].iter().chain(&output[..output.len() - 1]);
            let start = batch.push(inputs.copied(), num_shared, num_shared);
            let first = start + prompt.len() - num_shared - 1;
            batch.output_rows.extend(first..first + output.len());
        }
        batch
    }

    /// Appends a segment, and returns its first row.
    fn push(&mut self, tokens: impl Iterator<Item = u32>, position: usize, num_shared: usize) -> usize {
        let start = self.tokens.len();
        self.tokens.extend(tokens);
        let end = self.tokens.len();
        self.positions.extend(position..position + end - start);
        self.segments.push(Segment { rows: start..end, num_shared });
        start
    }

    /// Rows of the pass.
    pub fn num_rows(&self) -> usize {
        self.tokens.len()
    }

    /// Output tokens of all sequences.
    pub fn num_outputs(&self) -> usize {
        self.output_rows.len()
    }
}

/// Tokens that all prompts begin with; the last one of a prompt is never shared, because it predicts the output.
fn num_shared(sequences: &[Sequence]) -> usize {
    let Some((first, others)) = sequences.split_first().filter(|(_, others)| !others.is_empty()) else {
        return 0;
    };
    let common = |other: &Sequence| {
        first.prompt.iter().zip(other.prompt).take_while(|(a, b)| a == b).count().min(other.prompt.len() - 1)
    };
    let shared = others.iter().map(common).fold(first.prompt.len() - 1, usize::min);
    if shared < MIN_SHARED { 0 } else { shared }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_sequences_begin_with_is_there_once() {
        let (system, output): (Vec<u32>, Vec<u32>) = ((10..20).collect(), vec![1, 2, 3]);
        let prompts = [7, 8].map(|last| [&system[..], &[last, 9]].concat());
        let sequences = prompts.each_ref().map(|prompt| Sequence { prompt, output: &output });
        let batch = Batch::new(&sequences);
        assert_eq!(batch.tokens, [&system[..], &[7, 9, 1, 2], &[8, 9, 1, 2]].concat());
        assert_eq!(
            batch.positions,
            [(0..10).collect::<Vec<_>>(), vec![10, 11, 12, 13, 10, 11, 12, 13]].concat()
        );
        assert_eq!(
            batch.segments,
            [(0..10, 0), (10..14, 10), (14..18, 10)].map(|(rows, num_shared)| Segment { rows, num_shared })
        );
        assert_eq!(batch.output_rows, [11, 12, 13, 15, 16, 17]);
    }

    #[test]
    fn last_token_of_a_prompt_and_short_beginnings_are_not_shared() {
        let prompt: Vec<u32> = (0..12).collect();
        let shared = |prompts: &[&[u32]]| {
            num_shared(&prompts.iter().map(|prompt| Sequence { prompt, output: &[1] }).collect::<Vec<_>>())
        };
        assert_eq!(shared(&[&prompt]), 0);
        assert_eq!(shared(&[&prompt, &prompt]), 11);
        assert_eq!(shared(&[&prompt, &prompt[..10]]), 9);
        assert_eq!(shared(&[&prompt, &prompt[..5]]), 0);
        assert_eq!(shared(&[&prompt, &[5, 6]]), 0);
    }
}
