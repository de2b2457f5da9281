//! The output head: hidden states to logits, over the whole vocabulary or over a part of it that grows with the text.

use std::sync::Arc;

use candle_core::quantized::GgmlDType;

use super::linear::{Linear, Rows, SharedInput};
use super::rows::{converted, put_row, selected};
use super::simd::Backend;
use super::tiles::Tiles;
use crate::engine::decoder::Logits;
use crate::engine::error::{Error, Result};

/// The rows of a head, to be shared by any number of decoders.
#[derive(Debug)]
pub(super) enum HeadWeights {
    /// A row for each token.
    Whole(Linear),
    /// Rows of some tokens.
    Part {
        /// The tokens, each once.
        tokens: Vec<u32>,
        /// Their rows.
        kept: Linear,
        /// The rows of all, for tokens that are met.
        source: Arc<Tiles>,
    },
}

impl HeadWeights {
    /// All rows of `source`, as `dtype`.
    pub(super) fn whole(source: &Arc<Tiles>, dtype: GgmlDType) -> Self {
        let tiles =
            if dtype == source.dtype() { Arc::clone(source) } else { Arc::new(converted(source, dtype)) };
        Self::Whole(Linear { tiles, bias: None })
    }

    /// The rows of `tokens`, as `dtype`.
    ///
    /// # Errors
    /// If there are none, one comes twice, or one has no row.
    pub(super) fn part(source: &Arc<Tiles>, tokens: &[u32], dtype: GgmlDType) -> Result<Self> {
        let vocab_size = source.num_rows();
        let mut is_taken = vec![false; vocab_size];
        for &token in tokens {
            match is_taken.get_mut(token as usize) {
                None => return Err(Error::TokenOutOfRange { token, vocab_size }),
                Some(true) => return Err(Error::Mismatch(format!("token {token} is twice in a vocabulary"))),
                Some(is_taken) => *is_taken = true,
            }
        }
        if tokens.is_empty() {
            return Err(Error::Mismatch("a vocabulary has no tokens".to_owned()));
        }
        let kept = Linear { tiles: Arc::new(selected(source, tokens, dtype)), bias: None };
        Ok(Self::Part { tokens: tokens.to_vec(), kept, source: Arc::clone(source) })
    }

    /// The rows of other tokens, in the type that these have.
    ///
    /// # Errors
    /// As [`Self::part`].
    pub(super) fn with_vocabulary(&self, tokens: &[u32]) -> Result<Self> {
        match self {
            Self::Whole(linear) => Self::part(&linear.tiles, tokens, linear.tiles.dtype()),
            Self::Part { kept, source, .. } => Self::part(source, tokens, kept.tiles.dtype()),
        }
    }

    /// Bytes that a step reads.
    pub(super) fn size_bytes(&self) -> usize {
        match self {
            Self::Whole(linear) | Self::Part { kept: linear, .. } => linear.tiles.size_bytes(),
        }
    }
}

/// A head at work on one sequence.
#[derive(Debug)]
pub(super) struct Head {
    weights: Arc<HeadWeights>,
    met: Met,
    kept_logits: Rows,
    met_logits: Rows,
    /// `[num_rows, vocab_size]`; −∞ where a token has no row.
    logits: Vec<f32>,
    vocab_size: usize,
}

/// Tokens whose rows were added because the text has them.
#[derive(Debug)]
struct Met {
    tokens: Vec<u32>,
    /// Where each was met first, in the order of the text.
    positions: Vec<usize>,
    rows: Linear,
    /// By token: whether it has a row, kept or met.
    has_row: Vec<bool>,
}

impl Head {
    /// A head for texts of up to `capacity` tokens, whose logits are the first `vocab_size`.
    pub(super) fn new(weights: &Arc<HeadWeights>, capacity: usize, vocab_size: usize) -> Self {
        let (rows, has_row) = match &**weights {
            HeadWeights::Whole(linear) => {
                (Tiles::with_room(linear.tiles.dtype(), 0, linear.tiles.width()), vec![])
            }
            HeadWeights::Part { tokens, kept, source } => {
                let mut has_row = vec![false; source.num_rows()];
                tokens.iter().for_each(|&token| has_row[token as usize] = true);
                // A text has no more tokens to be met than positions.
                let room = capacity.min(source.num_rows() - tokens.len());
                (Tiles::with_room(kept.tiles.dtype(), room, source.width()), has_row)
            }
        };
        let rows = Linear { tiles: Arc::new(rows), bias: None };
        Self {
            weights: Arc::clone(weights),
            met: Met { tokens: vec![], positions: vec![], rows, has_row },
            kept_logits: Rows::default(),
            met_logits: Rows::default(),
            logits: vec![],
            vocab_size,
        }
    }

    /// Adds the rows of tokens that have none yet; the first of them is at position `start`.
    pub(super) fn meet(&mut self, tokens: &[u32], start: usize) {
        let HeadWeights::Part { source, .. } = &*self.weights else {
            return;
        };
        let Met { tokens: met, positions, rows, has_row } = &mut self.met;
        let rows = Arc::get_mut(&mut rows.tiles).expect("nobody shares the rows that were met");
        for (position, &token) in (start..).zip(tokens) {
            // Rows beyond the vocabulary are padding.
            let is_new = (token as usize) < self.vocab_size && !has_row[token as usize];
            if is_new && rows.has_room() {
                has_row[token as usize] = true;
                met.push(token);
                positions.push(position);
                let dtype = rows.dtype();
                rows.push_row(|lane, panel| put_row(source, token as usize, dtype, lane, panel));
            }
        }
    }

    /// Forgets the tokens that were met first at position `len` or later.
    pub(super) fn forget_from(&mut self, len: usize) {
        let Met { tokens, positions, rows, has_row } = &mut self.met;
        let num_left = positions.partition_point(|&position| position < len);
        if num_left == tokens.len() {
            return;
        }
        positions.truncate(num_left);
        Arc::get_mut(&mut rows.tiles).expect("nobody shares the rows that were met").truncate(num_left);
        for token in tokens.drain(num_left..) {
            has_row[token as usize] = false;
            self.logits.iter_mut().skip(token as usize).step_by(self.vocab_size).for_each(clear);
        }
    }

    /// Logits of the normed hidden states `x: [T, hidden]`.
    pub(super) fn logits(&mut self, backend: Backend, input: &mut SharedInput, x: &Rows) -> Logits<'_> {
        match &*self.weights {
            HeadWeights::Whole(linear) => {
                input.apply(backend, x, [(linear, None)], [&mut self.kept_logits]);
                Logits::new(&self.kept_logits.data, self.kept_logits.stride, self.vocab_size)
            }
            HeadWeights::Part { tokens, kept, .. } => {
                let layers = [(kept, None), (&self.met.rows, None)];
                input.apply(backend, x, layers, [&mut self.kept_logits, &mut self.met_logits]);
                self.logits.resize(x.num_rows() * self.vocab_size, f32::NEG_INFINITY);
                for (row, logits) in self.logits.chunks_exact_mut(self.vocab_size).enumerate() {
                    scatter(tokens, self.kept_logits.row(row), logits);
                    if !self.met.tokens.is_empty() {
                        scatter(&self.met.tokens, self.met_logits.row(row), logits);
                    }
                }
                Logits::new(&self.logits, self.vocab_size, self.vocab_size)
            }
        }
    }
}

fn clear(logit: &mut f32) {
    *logit = f32::NEG_INFINITY;
}

/// Writes each token's logit to its place; tokens beyond the vocabulary have none.
fn scatter(tokens: &[u32], from: &[f32], to: &mut [f32]) {
    for (&token, &logit) in tokens.iter().zip(from) {
        if let Some(to) = to.get_mut(token as usize) {
            *to = logit;
        }
    }
}
