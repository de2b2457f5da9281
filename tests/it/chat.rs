//! Chat templates against transformers.

use serde_json::Value;
use speclora::engine::chat::ChatTemplate;

use crate::fixture_json;

/// Cases that minijinja renders in another way than Jinja, none of which a known chat template depends on.
const KNOWN_DIFFERENCES: [&str; 1] = ["tests"];

#[test]
fn templates_render_as_transformers_does() {
    for case in fixture_json("chat/cases.json").as_array().unwrap() {
        let name = case["name"].as_str().unwrap();
        // Prompts offer no tools.
        if !case["tools"].is_null() || KNOWN_DIFFERENCES.contains(&name) {
            continue;
        }
        let token = |key: &str| case[key].as_str().map(str::to_owned);
        let source = case["template"].as_str().unwrap().to_owned();
        let template = ChatTemplate::new(source, token("bos_token"), token("eos_token"));
        let messages: &[Value] = case["messages"].as_array().unwrap();
        let rendered = match case["add_generation_prompt"].as_bool().unwrap() {
            true => template.open_conversation(messages),
            false => template.conversation(messages),
        };
        match (rendered, case["expected_error"].as_str()) {
            (Ok(text), None) => assert_eq!(text, case["expected"].as_str().unwrap(), "{name}"),
            (Err(error), Some(reason)) => assert!(error.to_string().contains(reason), "{name}: {error}"),
            (Ok(text), Some(reason)) => panic!("{name}: no error ({reason}) but {text:?}"),
            (Err(error), None) => panic!("{name}: {error}"),
        }
    }
}
