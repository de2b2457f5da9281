//! Decoders without weights, for tests of everything above the forward.

use super::decoder::{Decoder, Logits, Rows};
use super::error::Result;

/// A decoder whose logits are a pure function of the tokens so far.
#[derive(Clone)]
pub(crate) struct ScriptedDecoder {
    vocab_size: usize,
    capacity: usize,
    script: Script,
    /// A position whose logits all have one value.
    broken: Option<(usize, f32)>,
    /// Tokens from this one on have the logit −∞.
    num_tokens: usize,
    sequence: Vec<u32>,
}

#[derive(Clone, Copy)]
enum Script {
    /// The next token is the last one plus one, modulo the vocabulary.
    Counting,
    /// The next token is always the same.
    Stuck(u32),
    /// Logits are hashed from the last two tokens and a seed.
    Random(u64),
}

impl ScriptedDecoder {
    pub(crate) fn counting(vocab_size: usize) -> Self {
        Self {
            vocab_size,
            capacity: 10_000,
            script: Script::Counting,
            broken: None,
            num_tokens: vocab_size,
            sequence: vec![],
        }
    }

    pub(crate) fn stuck(vocab_size: usize, token: u32) -> Self {
        Self { script: Script::Stuck(token), ..Self::counting(vocab_size) }
    }

    pub(crate) fn random(vocab_size: usize, seed: u64) -> Self {
        Self { script: Script::Random(seed), ..Self::counting(vocab_size) }
    }

    pub(crate) fn with_capacity(self, capacity: usize) -> Self {
        Self { capacity, ..self }
    }

    /// Proposes none but the lowest `num_tokens` tokens.
    pub(crate) fn with_only(self, num_tokens: usize) -> Self {
        Self { num_tokens, ..self }
    }

    /// Every logit at this position is `logit`.
    pub(crate) fn with_broken_logits(self, position: usize, logit: f32) -> Self {
        Self { broken: Some((position, logit)), ..self }
    }

    /// Logits after `sequence: [T]`, T ≥ 1: `[vocab]`.
    pub(crate) fn logits_after(&self, sequence: &[u32]) -> Vec<f32> {
        if let Some((position, logit)) = self.broken
            && position + 1 == sequence.len()
        {
            return vec![logit; self.vocab_size];
        }
        let last = *sequence.last().unwrap();
        let before_last = sequence.iter().rev().nth(1).copied().unwrap_or(u32::MAX);
        (0..self.vocab_size as u32)
            .map(|token| match self.script {
                _ if token as usize >= self.num_tokens => f32::NEG_INFINITY,
                Script::Counting => f32::from(u8::from(token == (last + 1) % self.vocab_size as u32)),
                Script::Stuck(stuck) => f32::from(u8::from(token == stuck)),
                Script::Random(seed) => hashed(seed, [last, before_last, token]),
            })
            .collect()
    }
}

/// A number in [0, 2) from the bits of its arguments (a multiplicative hash; good enough to look random).
fn hashed(seed: u64, parts: [u32; 3]) -> f32 {
    let mixed = parts.iter().fold(seed, |state, &part| {
        (state ^ u64::from(part)).wrapping_mul(0x9E37_79B9_7F4A_7C15).rotate_left(29)
    });
    (mixed >> 40) as f32 / (1u64 << 23) as f32
}

impl Decoder for ScriptedDecoder {
    fn vocab_size(&self) -> usize {
        self.vocab_size
    }

    fn capacity(&self) -> usize {
        self.capacity
    }

    fn len(&self) -> usize {
        self.sequence.len()
    }

    fn forward(&mut self, tokens: &[u32], rows: Rows) -> Result<Logits<'_>> {
        assert!(!tokens.is_empty() && self.len() + tokens.len() <= self.capacity);
        let start = self.sequence.len();
        self.sequence.extend_from_slice(tokens);
        let first_row = match rows {
            Rows::All => start,
            Rows::Last => self.sequence.len() - 1,
        };
        let data: Vec<f32> = (first_row..self.sequence.len())
            .flat_map(|end| self.logits_after(&self.sequence[..=end]))
            .collect();
        Ok(Logits::new(data, self.vocab_size, self.vocab_size))
    }

    fn hidden_states(&self, _layer: usize) -> Option<&[f32]> {
        None
    }

    fn truncate(&mut self, len: usize) {
        assert!(len <= self.sequence.len());
        self.sequence.truncate(len);
    }
}
