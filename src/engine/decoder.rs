//! The seam between decoding and the code that computes forwards.

use std::borrow::Cow;

use super::adapter::Adapter;
use super::error::{Error, Result};

/// Which positions of a pass need logits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rows {
    /// Every position, to verify a draft.
    All,
    /// The last position, to continue a text.
    Last,
}

/// Logits of one pass: `[num_rows, vocab_size]`, f32, in the decoder's own memory where it keeps them.
#[derive(Debug, Clone, PartialEq)]
pub struct Logits<'a> {
    /// `[num_rows, row_len]`, row-major; a row's tail beyond `vocab_size` is padding.
    data: Cow<'a, [f32]>,
    row_len: usize,
    vocab_size: usize,
}

impl<'a> Logits<'a> {
    /// Wraps `data: [num_rows, row_len]`, of whose rows the first `vocab_size` entries count.
    ///
    /// # Panics
    /// If `data` is not whole rows, or `vocab_size` is 0 or longer than a row.
    pub fn new(data: impl Into<Cow<'a, [f32]>>, row_len: usize, vocab_size: usize) -> Self {
        let data = data.into();
        assert!(
            (1..=row_len).contains(&vocab_size) && data.len().is_multiple_of(row_len),
            "logits are whole rows"
        );
        Self { data, row_len, vocab_size }
    }

    /// Logits at `row: [vocab_size]`.
    pub fn row(&self, row: usize) -> &[f32] {
        &self.data[row * self.row_len..][..self.vocab_size]
    }

    /// Logits at the last row: `[vocab_size]`.
    pub fn last(&self) -> &[f32] {
        self.row(self.num_rows() - 1)
    }

    /// Number of rows.
    pub fn num_rows(&self) -> usize {
        self.data.len() / self.row_len
    }
}

/// A model at work on one sequence: weights it shares with others, and a key-value cache of its own.
///
/// The logits of a position depend on the tokens up to it alone. For passes of at most [`MAX_EXACT_ROWS`] tokens they do
/// so to the last bit, however the tokens were cut into passes: that is what makes greedy speculative output equal
/// target-only output byte for byte.
///
/// A draft may have a head over a part of the vocabulary. It gives the logit −∞ to tokens that it neither has nor met; it
/// met those in its cache. Where it has a logit, that one is as above.
pub trait Decoder {
    /// Number of logits per position.
    fn vocab_size(&self) -> usize;

    /// Positions that the cache can hold.
    fn capacity(&self) -> usize;

    /// Positions in the cache.
    fn len(&self) -> usize;

    /// Whether the cache is empty.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Appends `tokens` (at least one) to the sequence and returns the logits of their positions.
    ///
    /// # Errors
    /// If a token is outside the vocabulary, the cache cannot hold the tokens, or the computation fails.
    fn forward(&mut self, tokens: &[u32], rows: Rows) -> Result<Logits<'_>>;

    /// Hidden states after a layer, counted from 0, at the positions of the last pass: `[T, hidden]`, f32. `None` where the
    /// decoder was not asked to keep them ([`DecoderOptions::hidden_layers`]).
    fn hidden_states(&self, layer: usize) -> Option<&[f32]>;

    /// Forgets every position from `len` on, and what a head over a part of the vocabulary met there first.
    ///
    /// # Panics
    /// If `len` is greater than [`Decoder::len`].
    fn truncate(&mut self, len: usize);
}

/// How a decoder is set up for its sequences.
#[derive(Debug, Clone, Copy)]
pub struct DecoderOptions<'a> {
    /// Positions that the cache holds.
    pub capacity: usize,
    /// Logits that count, where a model's head has rows of padding.
    pub vocab_size: usize,
    /// Adapter beside the weights.
    pub adapter: Option<&'a Adapter>,
    /// Layers whose hidden states each pass keeps, for a drafter that reads them.
    pub hidden_layers: &'a [usize],
}

impl DecoderOptions<'_> {
    /// A cache of this length, every logit that the model has, and nothing besides.
    pub fn with_capacity(capacity: usize) -> Self {
        Self { capacity, vocab_size: usize::MAX, adapter: None, hidden_layers: &[] }
    }
}

/// Longest pass whose logits are bit-identical to single-token passes: enough to verify 32 drafted tokens.
pub const MAX_EXACT_ROWS: usize = 33;

/// Checks that a pass over `tokens` can be made after `len` positions.
///
/// # Errors
/// If there are no tokens, one is outside the vocabulary, or the cache cannot hold them.
pub(super) fn check_pass(tokens: &[u32], vocab_size: usize, len: usize, capacity: usize) -> Result<()> {
    if tokens.is_empty() {
        return Err(Error::EmptyPass);
    }
    if let Some(&token) = tokens.iter().find(|&&token| token as usize >= vocab_size) {
        return Err(Error::TokenOutOfRange { token, vocab_size });
    }
    let num_tokens = len + tokens.len();
    if num_tokens > capacity {
        return Err(Error::CacheFull { num_tokens, capacity });
    }
    Ok(())
}
