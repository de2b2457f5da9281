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
        let (bos, eos) = (special_token(config, "bos_token")?, special_token(config, "eos_token")?);
        let id = |token: &Option<String>| token.as_deref().and_then(|token| inner.token_to_id(token));
        let bos_id = id(&bos);
        let stop_tokens = if stop_ids.is_empty() { id(&eos).into_iter().collect() } else { stop_ids };
        let source = match template_file {
            Some(source) => Some(source),
            None => template_text(&config["chat_template"])?,
        };
        let chat_template = source.map(|source| ChatTemplate::new(source, bos, eos));
        Ok(Self::new(inner, bos_id, stop_tokens, chat_template))
    }
}

/// A special token is a text, or an object with its `content`.
fn special_token(config: &Value, name: &str) -> Result<Option<String>, String> {
    match &config[name] {
        Value::Null => Ok(None),
        value => match value.as_str().or_else(|| value["content"].as_str()) {
            Some(token) => Ok(Some(token.to_owned())),
            None => Err(format!("tokenizer_config.json: {name} is not a token, but {value}")),
        },
    }
}

/// A template is a text, or a list of named ones, of which `default` counts.
fn template_text(value: &Value) -> Result<Option<String>, String> {
    match value {
        Value::Null => Ok(None),
        Value::String(text) => Ok(Some(text.clone())),
        Value::Array(named) => {
            let default = named.iter().find(|entry| entry["name"] == "default");
            Ok(default.and_then(|entry| entry["template"].as_str()).map(str::to_owned))
        }
        _ => {
            Err("tokenizer_config.json: chat_template is neither a text nor a list of named ones".to_owned())
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn special_tokens_and_templates_of_another_type_are_refused() {
        let config = json!({"text": "<s>", "object": {"content": "</s>"}, "number": 1, "null": null});
        let token = |name: &str| special_token(&config, name);
        assert_eq!(token("text"), Ok(Some("<s>".to_owned())));
        assert_eq!(token("object"), Ok(Some("</s>".to_owned())));
        assert_eq!(token("null"), Ok(None));
        assert!(token("number").unwrap_err().contains("number is not a token, but 1"));
        let named = json!([{"name": "tools", "template": "a"}, {"name": "default", "template": "b"}]);
        assert_eq!(template_text(&named), Ok(Some("b".to_owned())));
        assert!(template_text(&json!(7)).is_err());
    }
}
