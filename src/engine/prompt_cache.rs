//! A decoder that does not compute again what one sequence shares with the one before it.

use super::decoder::{Decoder, Logits, Rows};
use super::error::Result;

/// A decoder whose next sequence may begin as the last one did: those positions are still in its cache. It is for decoders
/// whose logits are the same bits however many tokens are cut into passes, as the CPU engine's are; then they are what they
/// would have been. Time is not, so that nothing that is timed decodes with it.
pub struct PromptCache {
    decoder: Box<dyn Decoder>,
    /// The tokens in the decoder's cache.
    read: Vec<u32>,
    /// How many of them count.
    len: usize,
}

impl PromptCache {
    /// A cache over a decoder that has read nothing.
    pub fn new(decoder: Box<dyn Decoder>) -> Self {
        Self { decoder, read: vec![], len: 0 }
    }
}

impl Decoder for PromptCache {
    fn vocab_size(&self) -> usize {
        self.decoder.vocab_size()
    }

    fn capacity(&self) -> usize {
        self.decoder.capacity()
    }

    fn len(&self) -> usize {
        self.len
    }

    fn forward(&mut self, tokens: &[u32], rows: Rows) -> Result<Logits<'_>> {
        // The last token's logits are not kept, so that it is read in any case.
        let num_skippable = match rows {
            Rows::All => 0,
            Rows::Last => tokens.len().saturating_sub(1),
        };
        let shared = tokens[..num_skippable].iter().zip(&self.read[self.len..]);
        let num_known = shared.take_while(|(token, known)| token == known).count();
        let len = self.len + num_known;
        self.read.truncate(len);
        self.decoder.truncate(len);
        let unknown = &tokens[num_known..];
        let logits = self.decoder.forward(unknown, rows)?;
        self.read.extend_from_slice(unknown);
        self.len = len + unknown.len();
        Ok(logits)
    }

    /// Those of the positions that the last pass computed.
    fn hidden_states(&self, layer: usize) -> Option<&[f32]> {
        self.decoder.hidden_states(layer)
    }

    fn truncate(&mut self, len: usize) {
        assert!(len <= self.len, "cannot truncate {} positions to {len}", self.len);
        self.len = len;
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::engine::cpu::{CpuModel, LoadOptions};
    use crate::engine::decoder::DecoderOptions;
    use crate::engine::files::ModelFiles;

    /// Counts the positions that a decoder computes.
    struct Counting {
        decoder: Box<dyn Decoder>,
        num_computed: std::rc::Rc<std::cell::Cell<usize>>,
    }

    impl Decoder for Counting {
        fn vocab_size(&self) -> usize {
            self.decoder.vocab_size()
        }

        fn capacity(&self) -> usize {
            self.decoder.capacity()
        }

        fn len(&self) -> usize {
            self.decoder.len()
        }

        fn forward(&mut self, tokens: &[u32], rows: Rows) -> Result<Logits<'_>> {
            self.num_computed.set(self.num_computed.get() + tokens.len());
            self.decoder.forward(tokens, rows)
        }

        fn hidden_states(&self, layer: usize) -> Option<&[f32]> {
            self.decoder.hidden_states(layer)
        }

        fn truncate(&mut self, len: usize) {
            self.decoder.truncate(len);
        }
    }

    #[test]
    fn what_is_shared_is_computed_once_and_logits_are_the_same_bits() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/models/qwen2-tied");
        let model =
            CpuModel::load(&ModelFiles::open(&folder).unwrap(), LoadOptions::detect(), |_, _| ()).unwrap();
        let decoder = || Box::new(model.decoder(DecoderOptions::with_capacity(32))) as Box<dyn Decoder>;
        let num_computed = std::rc::Rc::default();
        let counting = Counting { decoder: decoder(), num_computed: std::rc::Rc::clone(&num_computed) };
        let (mut cached, mut plain) = (PromptCache::new(Box::new(counting)), decoder());
        // A pass, the length that is left before it, and the positions that it computes.
        let passes: [(usize, &[u32], Rows, usize); 8] = [
            (0, &[1, 2, 3, 4, 5], Rows::Last, 5),
            (5, &[6, 7, 8], Rows::All, 3),
            // Part of it is refused, and another token follows.
            (6, &[9], Rows::Last, 1),
            // The next prompt shares four tokens, the one after it all of them.
            (0, &[1, 2, 3, 4, 9, 9], Rows::Last, 2),
            (0, &[1, 2, 3, 4, 9, 9], Rows::Last, 1),
            (0, &[2, 1], Rows::Last, 2),
            // What shares the end of another alone shares nothing, and rows that are all wanted are computed.
            (1, &[1, 2], Rows::Last, 1),
            (0, &[2, 1], Rows::All, 2),
        ];
        for (index, (len, tokens, rows, expected)) in passes.into_iter().enumerate() {
            cached.truncate(len);
            plain.truncate(len);
            num_computed.set(0);
            let found = cached.forward(tokens, rows).unwrap();
            let wanted = plain.forward(tokens, rows).unwrap();
            assert_eq!(found.num_rows(), wanted.num_rows());
            for row in 0..wanted.num_rows() {
                assert_eq!(found.row(row), wanted.row(row), "pass {index}, row {row}");
            }
            assert_eq!(num_computed.get(), expected, "pass {index}");
            assert_eq!(cached.len(), plain.len());
        }
    }
}
