//! Tokenizers of Hugging Face folders.

use speclora::engine::files::ModelFiles;

use crate::fixture;

#[test]
fn a_folders_tokenizer_knows_its_template_and_stop_tokens() {
    let files = ModelFiles::open(&fixture("models/llama-untied")).unwrap();
    let tokenizer = files.tokenizer().unwrap();
    let prompt = tokenizer.chat_template().unwrap().prompt(None, "Hello").unwrap();
    let ids = tokenizer.encode_rendered(&prompt).unwrap();
    assert_eq!(ids[0], 1, "<|im_start|> is one token: {prompt:?}");
    assert_eq!(tokenizer.stop_tokens(), [0, 2], "generation_config.json lists two");
    assert!(tokenizer.decode(&ids).unwrap().contains("Hello"));
}

#[test]
fn equal_vocabularies_have_equal_hashes() {
    let hash = |case: &str| {
        let files = ModelFiles::open(&fixture("models").join(case)).unwrap();
        files.tokenizer().unwrap().sha256()
    };
    assert_eq!(hash("llama-untied"), hash("qwen3-tied"));
}
