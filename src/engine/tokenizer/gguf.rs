//! Tokenizers from GGUF metadata, rebuilt with the rules that the model's own tokenizer follows.

use tokenizers::decoders::DecoderWrapper;
use tokenizers::decoders::byte_fallback::ByteFallback;
use tokenizers::decoders::byte_level::ByteLevel as ByteLevelDecoder;
use tokenizers::decoders::fuse::Fuse;
use tokenizers::decoders::sequence::Sequence as DecoderSequence;
use tokenizers::decoders::strip::Strip;
use tokenizers::models::bpe::{BPE, Vocab};
use tokenizers::normalizers::unicode::NFC;
use tokenizers::normalizers::{NormalizerWrapper, Prepend, Replace, Sequence as NormalizerSequence};
use tokenizers::pre_tokenizers::PreTokenizerWrapper;
use tokenizers::pre_tokenizers::byte_level::ByteLevel;
use tokenizers::pre_tokenizers::digits::Digits;
use tokenizers::pre_tokenizers::sequence::Sequence;
use tokenizers::pre_tokenizers::split::{Split, SplitPattern};
use tokenizers::processors::template::TemplateProcessing;
use tokenizers::tokenizer::SplitDelimiterBehavior;
use tokenizers::{AddedToken, Tokenizer as Inner};

use super::Tokenizer;
use crate::engine::chat::ChatTemplate;

/// How Qwen2 and its successors cut a text before merging: contractions, words with one leading sign, single digits,
/// punctuation with line ends, white space.
const QWEN2_SPLIT: &str = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+";
/// The same for Llama 3, which takes up to three digits at a time.
const LLAMA3_SPLIT: &str = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+";

/// Tokens that end a turn or a text in the families this engine runs, where a file does not list them all by id.
const END_TOKENS: [&str; 8] = [
    "<|im_end|>",
    "<|endoftext|>",
    "<|end_of_text|>",
    "<|eot_id|>",
    "<|eom_id|>",
    "<|end|>",
    "<end_of_turn>",
    "</s>",
];

/// Kinds of tokens in `tokenizer.ggml.token_type`.
const NORMAL: u32 = 1;
const CONTROL: u32 = 3;
const USER_DEFINED: u32 = 4;
const UNUSED: u32 = 5;

/// What a GGUF file says of its tokenizer.
#[derive(Debug, Default)]
pub(crate) struct TokenizerParts {
    /// `gpt2` (byte-level BPE) or `llama` (SentencePiece BPE).
    pub(crate) model: String,
    /// Which rules cut a text before merging.
    pub(crate) pre_tokenizer: Option<String>,
    /// Tokens by id.
    pub(crate) tokens: Vec<String>,
    /// Kinds by id, as many as tokens; absent, all tokens are normal.
    pub(crate) token_types: Option<Vec<u32>>,
    /// SentencePiece scores by id, as many as tokens.
    pub(crate) scores: Option<Vec<f32>>,
    /// Merges of byte-level BPE, best first, the two sides separated by a space.
    pub(crate) merges: Option<Vec<String>>,
    pub(crate) bos_id: Option<u32>,
    pub(crate) eos_id: Option<u32>,
    pub(crate) unknown_id: Option<u32>,
    /// Ids that the file names as ends (of sequence, turn, message).
    pub(crate) end_ids: Vec<u32>,
    pub(crate) add_bos: Option<bool>,
    pub(crate) add_space_prefix: bool,
    pub(crate) chat_template: Option<String>,
}

impl TokenizerParts {
    /// Builds the tokenizer.
    pub(crate) fn build(self) -> Result<Tokenizer, String> {
        let mut inner = match self.model.as_str() {
            "gpt2" => self.byte_level()?,
            "llama" => self.sentence_piece()?,
            other => return Err(format!("tokenizer model {other} is not supported (gpt2 and llama are)")),
        };
        self.add_named_tokens(&mut inner)?;
        if let (true, Some(bos_id)) = (self.adds_bos(), self.bos_id) {
            let bos = self.token(bos_id)?;
            let template = TemplateProcessing::builder()
                .try_single(vec![bos.clone(), "$A".to_owned()])?
                .special_tokens(vec![(bos, bos_id)])
                .build()
                .map_err(|error| error.to_string())?;
            inner.with_post_processor(Some(template));
        }
        let name = |id: Option<u32>| id.and_then(|id| self.tokens.get(id as usize)).cloned();
        let chat_template = self
            .chat_template
            .clone()
            .map(|source| ChatTemplate::new(source, name(self.bos_id), name(self.eos_id)));
        Ok(Tokenizer::new(inner, self.bos_id, self.stop_tokens(), chat_template))
    }

    fn adds_bos(&self) -> bool {
        let usual = self.model == "llama" || self.pre_tokenizer.as_deref() == Some("llama-bpe");
        self.add_bos.unwrap_or(usual)
    }

    fn token(&self, id: u32) -> Result<String, String> {
        let token = self.tokens.get(id as usize).cloned();
        token.ok_or_else(|| format!("token {id} is outside the vocabulary of {}", self.tokens.len()))
    }

    fn kind(&self, id: usize) -> u32 {
        self.token_types.as_ref().map_or(NORMAL, |kinds| kinds[id])
    }

    /// Ids by token; padding rows are left out.
    fn vocabulary(&self) -> Vocab {
        let used = self.tokens.iter().enumerate().filter(|(id, _)| self.kind(*id) != UNUSED);
        used.map(|(id, token)| (token.clone(), id as u32)).collect()
    }

    fn stop_tokens(&self) -> Vec<u32> {
        let by_name = self
            .tokens
            .iter()
            .enumerate()
            .filter(|(id, token)| self.kind(*id) == CONTROL && END_TOKENS.contains(&token.as_str()));
        by_name.map(|(id, _)| id as u32).chain(self.end_ids.iter().copied()).collect()
    }

    /// Byte-level BPE, as GPT-2 began it.
    fn byte_level(&self) -> Result<Inner, String> {
        let pre_tokenizer = self.pre_tokenizer.as_deref().unwrap_or("none");
        let merges = self.merges.as_ref().ok_or("metadata tokenizer.ggml.merges is missing")?;
        let merges = merges.iter().map(|merge| {
            let sides = merge.split_once(' ');
            let sides = sides.ok_or_else(|| format!("merge \"{merge}\" is not two tokens"))?;
            Ok((sides.0.to_owned(), sides.1.to_owned()))
        });
        let model = BPE::builder()
            .vocab_and_merges(self.vocabulary(), merges.collect::<Result<_, String>>()?)
            .ignore_merges(matches!(pre_tokenizer, "llama-bpe" | "llama3" | "llama-v3"))
            .build()
            .map_err(|error| error.to_string())?;
        let mut inner = Inner::new(model);
        let bytes_after = |regex: &str| -> Result<PreTokenizerWrapper, String> {
            let pattern = SplitPattern::Regex(regex.to_owned());
            let split = Split::new(pattern, SplitDelimiterBehavior::Isolated, false);
            let split = split.map_err(|error| error.to_string())?;
            Ok(Sequence::new(vec![split.into(), ByteLevel::new(false, false, false).into()]).into())
        };
        let words = ByteLevel::new(false, true, true);
        let rules = match pre_tokenizer {
            "qwen2" => {
                inner.with_normalizer(Some(NFC)).map_err(|error| error.to_string())?;
                bytes_after(QWEN2_SPLIT)?
            }
            "llama-bpe" | "llama3" | "llama-v3" => bytes_after(LLAMA3_SPLIT)?,
            "smollm" | "starcoder" => Sequence::new(vec![Digits::new(true).into(), words.into()]).into(),
            "gpt-2" | "gpt2" => words.into(),
            other => {
                return Err(format!(
                    "pre-tokenizer {other} is not supported (qwen2, llama-bpe, smollm, starcoder and gpt-2 are)"
                ));
            }
        };
        inner.with_pre_tokenizer(Some(rules));
        inner.with_decoder(Some(ByteLevelDecoder::default()));
        Ok(inner)
    }

    /// SentencePiece BPE: spaces are ▁, bytes without a token fall back to byte tokens, and the merges follow from the
    /// scores of what they make.
    fn sentence_piece(&self) -> Result<Inner, String> {
        let vocabulary = self.vocabulary();
        let scores = self.scores.as_ref().ok_or("metadata tokenizer.ggml.scores is missing")?;
        let unknown = self.unknown_id.map(|id| self.token(id)).transpose()?;
        let mut builder = BPE::builder()
            .vocab_and_merges(vocabulary.clone(), merges_from_scores(&vocabulary, scores))
            .fuse_unk(true)
            .byte_fallback(true);
        if let Some(unknown) = unknown {
            builder = builder.unk_token(unknown);
        }
        let mut inner = Inner::new(builder.build().map_err(|error| error.to_string())?);
        let mut normalizers: Vec<NormalizerWrapper> = vec![];
        if self.add_space_prefix {
            normalizers.push(Prepend::new("▁".to_owned()).into());
        }
        normalizers.push(Replace::new(" ", "▁").map_err(|error| error.to_string())?.into());
        inner
            .with_normalizer(Some(NormalizerSequence::new(normalizers)))
            .map_err(|error| error.to_string())?;
        let mut decoders: Vec<DecoderWrapper> = vec![
            Replace::new("▁", " ").map_err(|error| error.to_string())?.into(),
            ByteFallback::new().into(),
            Fuse::new().into(),
        ];
        if self.add_space_prefix {
            decoders.push(Strip::new(' ', 1, 0).into());
        }
        inner.with_decoder(Some(DecoderSequence::new(decoders)));
        Ok(inner)
    }

    /// Tokens that stand for themselves in a text: control tokens (left out when decoding) and user-defined ones.
    fn add_named_tokens(&self, inner: &mut Inner) -> Result<(), String> {
        let of_kind = |kind: u32, special: bool| -> Vec<AddedToken> {
            let tokens = self.tokens.iter().enumerate().filter(|(id, _)| self.kind(*id) == kind);
            tokens.map(|(_, token)| AddedToken::from(token.clone(), special).normalized(false)).collect()
        };
        inner.add_special_tokens(of_kind(CONTROL, true)).map_err(|error| error.to_string())?;
        inner.add_tokens(of_kind(USER_DEFINED, false)).map_err(|error| error.to_string())?;
        Ok(())
    }
}

/// The merges of a SentencePiece BPE model: every cut of a token into two tokens, in order of the whole's score. Cuts of
/// one token are ordered by the ids of their sides.
fn merges_from_scores(vocabulary: &Vocab, scores: &[f32]) -> Vec<(String, String)> {
    let mut merges: Vec<(f32, u32, u32, (String, String))> = Vec::new();
    for (token, &id) in vocabulary {
        for (cut, _) in token.char_indices().skip(1) {
            let (left, right) = token.split_at(cut);
            if let (Some(&left_id), Some(&right_id)) = (vocabulary.get(left), vocabulary.get(right)) {
                merges.push((scores[id as usize], left_id, right_id, (left.to_owned(), right.to_owned())));
            }
        }
    }
    merges.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1)).then(a.2.cmp(&b.2)));
    merges.into_iter().map(|(_, _, _, sides)| sides).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sentence_piece() -> Tokenizer {
        let pieces: [(&str, f32, u32); 14] = [
            ("<unk>", 0.0, 2),
            ("<s>", 0.0, CONTROL),
            ("</s>", 0.0, CONTROL),
            ("<0xC3>", 0.0, 6),
            ("<0xA9>", 0.0, 6),
            ("▁", -10.0, 1),
            ("a", -11.0, 1),
            ("b", -12.0, 1),
            ("ab", -1.0, 1),
            ("▁a", -2.0, 1),
            ("▁ab", -3.0, 1),
            ("c", -13.0, 1),
            ("ca", -0.5, 1),
            ("[PAD13]", 0.0, UNUSED),
        ];
        TokenizerParts {
            model: "llama".to_owned(),
            tokens: pieces.iter().map(|p| p.0.to_owned()).collect(),
            token_types: Some(pieces.iter().map(|p| p.2).collect()),
            scores: Some(pieces.iter().map(|p| p.1).collect()),
            bos_id: Some(1),
            eos_id: Some(2),
            unknown_id: Some(0),
            end_ids: vec![2],
            add_space_prefix: true,
            ..TokenizerParts::default()
        }
        .build()
        .unwrap()
    }

    #[test]
    fn sentence_piece_merges_follow_the_scores() {
        let tokenizer = sentence_piece();
        // "ab" scores better than "▁a", so it is merged first; then "▁ab".
        assert_eq!(tokenizer.encode_rendered("ab").unwrap(), [10]);
        // "ca" is the best of all, so the b is left alone.
        assert_eq!(tokenizer.encode_rendered("cab").unwrap(), [5, 12, 7]);
        assert_eq!(tokenizer.decode(&[10, 9, 7]).unwrap(), "ab ab");
    }

    #[test]
    fn bytes_without_a_token_fall_back() {
        let tokenizer = sentence_piece();
        assert_eq!(tokenizer.encode_rendered("é").unwrap(), [5, 3, 4]);
        assert_eq!(tokenizer.decode(&[5, 3, 4]).unwrap(), "é");
    }

    #[test]
    fn a_bare_text_begins_with_one_bos() {
        let tokenizer = sentence_piece();
        assert_eq!(tokenizer.encode_raw("ab").unwrap(), [1, 10]);
        assert_eq!(tokenizer.encode_raw("<s>ab").unwrap()[..2], [1, 10]);
    }

    #[test]
    fn padding_rows_are_not_part_of_the_vocabulary() {
        let tokenizer = sentence_piece();
        assert_eq!(tokenizer.vocab_size(), 13);
        assert_eq!(tokenizer.stop_tokens(), [2]);
    }

    #[test]
    fn an_unknown_pre_tokenizer_is_refused() {
        let parts = TokenizerParts {
            model: "gpt2".to_owned(),
            pre_tokenizer: Some("klingon".to_owned()),
            tokens: vec!["a".to_owned()],
            merges: Some(vec![]),
            ..TokenizerParts::default()
        };
        assert!(parts.build().unwrap_err().starts_with("pre-tokenizer klingon is not supported"));
    }

    #[test]
    fn a_vocabulary_without_rules_for_merging_is_refused() {
        for (model, missing) in [("llama", "tokenizer.ggml.scores"), ("gpt2", "tokenizer.ggml.merges")] {
            let parts = TokenizerParts {
                model: model.to_owned(),
                tokens: vec!["a".to_owned(), "b".to_owned(), "ab".to_owned()],
                ..TokenizerParts::default()
            };
            assert_eq!(parts.build().unwrap_err(), format!("metadata {missing} is missing"));
        }
    }
}
