//! Text to token ids and back, with the model's chat template and stop tokens.

mod gguf;
mod hugging_face;
mod stream;

use crate::engine::chat::ChatTemplate;
use crate::engine::error::{Error, Result};
use crate::hash::Sha256Hex;

pub(crate) use gguf::TokenizerParts;
pub use stream::TextStream;

/// A tokenizer as a model uses it.
#[derive(Debug, Clone)]
pub struct Tokenizer {
    inner: tokenizers::Tokenizer,
    /// Names of ids, in order of id.
    vocabulary: Vec<(u32, String)>,
    bos_id: Option<u32>,
    stop_tokens: Vec<u32>,
    chat_template: Option<ChatTemplate>,
}

impl Tokenizer {
    fn new(
        inner: tokenizers::Tokenizer,
        bos_id: Option<u32>,
        mut stop_tokens: Vec<u32>,
        chat_template: Option<ChatTemplate>,
    ) -> Self {
        let mut vocabulary: Vec<_> =
            inner.get_vocab(true).into_iter().map(|(token, id)| (id, token)).collect();
        vocabulary.sort_unstable();
        stop_tokens.sort_unstable();
        stop_tokens.dedup();
        Self { inner, vocabulary, bos_id, stop_tokens, chat_template }
    }

    /// Ids of a text in which special tokens may be spelled out, as a rendered template has them; adds none.
    ///
    /// # Errors
    /// If the tokenizer fails.
    pub fn encode_rendered(&self, text: &str) -> Result<Vec<u32>> {
        ids(self.inner.encode_fast(text, false))
    }

    /// Ids of a bare text, with the beginning-of-sequence token where the model wants one (and never two of them).
    ///
    /// # Errors
    /// If the tokenizer fails.
    pub fn encode_raw(&self, text: &str) -> Result<Vec<u32>> {
        let mut ids = ids(self.inner.encode_fast(text, true))?;
        if let (Some(bos), [first, second, ..]) = (self.bos_id, &ids[..])
            && *first == bos
            && *second == bos
        {
            ids.remove(0);
        }
        Ok(ids)
    }

    /// The text of ids, special tokens left out.
    ///
    /// # Errors
    /// If the tokenizer fails.
    pub fn decode(&self, ids: &[u32]) -> Result<String> {
        self.inner.decode(ids, true).map_err(|e| Error::Tokenizer(e.to_string()))
    }

    /// One more than the largest id: rows of a model's head beyond it are padding.
    pub fn vocab_size(&self) -> usize {
        self.vocabulary.last().map_or(0, |(id, _)| *id as usize + 1)
    }

    /// Ids that end a generation, sorted.
    pub fn stop_tokens(&self) -> &[u32] {
        &self.stop_tokens
    }

    /// Ids that stand for no text of their own: what a chat template writes between messages, stop tokens. Sorted.
    pub fn special_tokens(&self) -> Vec<u32> {
        let added = self.inner.get_added_tokens_decoder();
        let special = added.iter().filter(|(_, token)| token.special).map(|(&id, _)| id);
        let mut tokens: Vec<u32> = special.chain(self.stop_tokens.iter().copied()).collect();
        tokens.sort_unstable();
        tokens.dedup();
        tokens
    }

    /// The id of a token as the vocabulary spells it.
    pub fn token_id(&self, token: &str) -> Option<u32> {
        self.inner.token_to_id(token)
    }

    /// How the model wants conversations written, if it says so.
    pub fn chat_template(&self) -> Option<&ChatTemplate> {
        self.chat_template.as_ref()
    }

    /// Where another vocabulary first departs from this one, in words.
    pub fn first_difference(&self, other: &Self) -> String {
        let name = |token: Option<&(u32, String)>| match token {
            Some((id, token)) => format!("id {id} is {token:?}"),
            None => "there are no more tokens".to_owned(),
        };
        let longer = self.vocabulary.len().max(other.vocabulary.len());
        let difference = (0..longer).find(|&i| self.vocabulary.get(i) != other.vocabulary.get(i));
        difference.map_or_else(
            || "none".to_owned(),
            |i| format!("{} here, {} there", name(self.vocabulary.get(i)), name(other.vocabulary.get(i))),
        )
    }

    /// SHA-256 over every id and its token, in hex. Two models with equal hashes mean the same by every id, which is all
    /// that speculation asks of them: prompts are tokenised once, by the target's rules.
    pub fn sha256(&self) -> String {
        let mut hasher = Sha256Hex::new();
        for (id, token) in &self.vocabulary {
            hasher.update(&id.to_le_bytes());
            hasher.update(&(token.len() as u64).to_le_bytes());
            hasher.update(token.as_bytes());
        }
        hasher.finish()
    }
}

fn ids(encoding: tokenizers::Result<tokenizers::Encoding>) -> Result<Vec<u32>> {
    encoding.map(|encoding| encoding.get_ids().to_vec()).map_err(|error| Error::Tokenizer(error.to_string()))
}
