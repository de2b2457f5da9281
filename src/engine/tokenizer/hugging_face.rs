//! Tokenizers from `tokenizer.json` and its companions.

use serde_json::Value;

use super::Tokenizer;
use crate::engine::chat::ChatTemplate;

impl Tokenizer {
    /// Builds from the bytes of `tokenizer.json`, the value of `tokenizer_config.json` (null if absent), the text of
    /// `chat_template.jinja` if there is one, and the stop tokens of the generation config.
    pub(crate) fn from_hugging_face(
        bytes: &[u8],
        config: &Value,
        template_file: Option<String>,
        stop_ids: Vec<u32>,
    ) -> Result<Self, String> {
        let mut inner = tokenizers::Tokenizer::from_bytes(bytes).map_err(|error| error.to_string())?;
        inner.with_truncation(None).map_err(|error| error.to_string())?;
        inner.with_padding(None);
        let special = |name: &str| token_text(&config[name]);
        let (bos, eos) = (special("bos_token"), special("eos_token"));
        let id = |token: &Option<String>| token.as_deref().and_then(|token| inner.token_to_id(token));
        let bos_id = id(&bos);
        let stop_tokens = if stop_ids.is_empty() { id(&eos).into_iter().collect() } else { stop_ids };
        let source = template_file.or_else(|| template_text(&config["chat_template"]));
        let chat_template = source.map(|source| ChatTemplate::new(source, bos, eos));
        Ok(Self::new(inner, bos_id, stop_tokens, chat_template))
    }
}

/// A special token is a text, or an object with its `content`.
fn token_text(value: &Value) -> Option<String> {
    value.as_str().or_else(|| value["content"].as_str()).map(str::to_owned)
}

/// A template is a text, or a list of named ones, of which `default` counts.
fn template_text(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Array(named) => {
            let default = named.iter().find(|entry| entry["name"] == "default")?;
            default["template"].as_str().map(str::to_owned)
        }
        _ => None,
    }
}
