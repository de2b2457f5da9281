//! Text as its tokens come: a token may end inside of a character, whose bytes then wait for the next.

use super::Tokenizer;
use crate::engine::error::Result;

/// Tokens that have come, and how much of their text has gone.
///
/// The text of a token may depend on the one before it (a leading space), so each is decoded together with those whose text
/// went last.
#[derive(Debug, Default)]
pub struct TextStream {
    tokens: Vec<u32>,
    /// Where the tokens begin that are decoded again.
    context: usize,
    /// Where those begin whose text waits.
    waiting: usize,
}

impl TextStream {
    /// Takes a token, and returns the text that is complete with it, perhaps none.
    ///
    /// # Errors
    /// If the tokenizer fails.
    pub fn push(&mut self, tokenizer: &Tokenizer, token: u32) -> Result<String> {
        self.tokens.push(token);
        let text = self.unsent(tokenizer)?;
        // Bytes that are no text yet are decoded to this character.
        if text.is_empty() || text.ends_with('\u{FFFD}') {
            return Ok(String::new());
        }
        (self.context, self.waiting) = (self.waiting, self.tokens.len());
        Ok(text)
    }

    /// Returns the text that still waits when no token follows.
    ///
    /// # Errors
    /// If the tokenizer fails.
    pub fn finish(self, tokenizer: &Tokenizer) -> Result<String> {
        self.unsent(tokenizer)
    }

    /// Tokens that have come.
    pub fn num_tokens(&self) -> usize {
        self.tokens.len()
    }

    fn unsent(&self, tokenizer: &Tokenizer) -> Result<String> {
        let sent = tokenizer.decode(&self.tokens[self.context..self.waiting])?;
        let all = tokenizer.decode(&self.tokens[self.context..])?;
        Ok(all.strip_prefix(&sent).unwrap_or_default().to_owned())
    }
}

#[cfg(all(test, feature = "builtin-models"))]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::engine::files::{ModelFiles, builtin};

    #[test]
    fn pieces_join_to_the_whole_text_and_split_no_character() {
        let tokenizer = ModelFiles::open(Path::new(builtin::TARGET)).unwrap().tokenizer().unwrap();
        for text in
            ["What is rain? It is water.", "naïve 🌧 雨 — “rain”, ½ e\u{301}", " two  spaces\n\n\tend\n"]
        {
            let tokens = tokenizer.encode_raw(text).unwrap();
            let mut stream = TextStream::default();
            let mut pieces: Vec<String> =
                tokens.iter().map(|&token| stream.push(&tokenizer, token).unwrap()).collect();
            assert!(pieces.iter().all(|piece| !piece.contains('\u{FFFD}')), "{pieces:?}");
            assert!(pieces.iter().filter(|piece| !piece.is_empty()).count() > 3, "{pieces:?}");
            assert_eq!(stream.num_tokens(), tokens.len());
            pieces.push(stream.finish(&tokenizer).unwrap());
            assert_eq!(pieces.concat(), tokenizer.decode(&tokens).unwrap());
        }
    }

    #[test]
    fn a_character_that_never_ends_comes_last() {
        let tokenizer = ModelFiles::open(Path::new(builtin::TARGET)).unwrap().tokenizer().unwrap();
        let tokens = tokenizer.encode_raw("rain 🌧").unwrap();
        let cut = &tokens[..tokens.len() - 1];
        let mut stream = TextStream::default();
        let pieces: String = cut.iter().map(|&token| stream.push(&tokenizer, token).unwrap()).collect();
        let whole = tokenizer.decode(cut).unwrap();
        assert!(whole.ends_with('\u{FFFD}') && !pieces.contains('\u{FFFD}'), "{whole:?}");
        assert_eq!(pieces + &stream.finish(&tokenizer).unwrap(), whole);
    }
}
