//! The examples of a run as JSON Lines.

use std::collections::{HashMap, HashSet};

use serde_json::{Value as Json, json};

use super::Collected;
use crate::cmd::present::objects;
use crate::engine::tokenizer::Tokenizer;
use crate::hash::sha256_hex;
use crate::record::ExampleSummary;
use crate::store::ExampleFilter;

/// One line an example, in the order in which the run came by them.
pub(super) fn lines(collected: &Collected, tokenizer: &Tokenizer) -> anyhow::Result<String> {
    let &Collected { store, run, holdout } = collected;
    let filter = ExampleFilter { runs: vec![run], ..ExampleFilter::default() };
    let examples: HashMap<(String, String), ExampleSummary> = (store.examples(&filter)?.into_iter())
        .map(|example| ((example.prompt.clone(), output_sha256(&example.output_tokens)), example))
        .collect();
    let prompts = store.run_plan(run)?.prompts;
    let generations = objects(&store.query("generations", &[(":run_id", run.into())])?);
    let disagreements = objects(&store.query("example_disagreements", &[(":run_id", run.into())])?);
    let mut disagreements_of: HashMap<Option<i64>, Vec<&Json>> = HashMap::new();
    for disagreement in &disagreements {
        disagreements_of.entry(disagreement["generation_id"].as_i64()).or_default().push(disagreement);
    }

    let mut written = HashSet::new();
    let mut lines = String::new();
    for generation in &generations {
        let prompt = generation["prompt_index"].as_u64().map(|index| &prompts[index as usize].text);
        let key = prompt.cloned().zip(generation["output_sha256"].as_str().map(str::to_owned));
        let Some(example) = key.and_then(|key| examples.get(&key)) else {
            continue;
        };
        if !written.insert(example.id) {
            continue;
        }
        let disagreements = disagreements_of.get(&generation["generation_id"].as_i64());
        let disagreements = (disagreements.into_iter().flatten())
            .map(|disagreement| line_of_disagreement(disagreement, tokenizer))
            .collect::<anyhow::Result<Vec<_>>>()?;
        let line = json!({
            "example_id": example.id,
            "prompt": example.prompt,
            "output": generation["output_text"],
            "tokens": example.output_tokens,
            "acceptance_rate": generation["acceptance_rate"],
            "num_drafted": generation["num_drafted"],
            "num_accepted": generation["num_accepted"],
            "num_rounds": generation["num_rounds"],
            "disagreements": disagreements,
            "split": if example.split_key < holdout { "held_out" } else { "train" },
        });
        lines += &format!("{line}\n");
    }
    Ok(lines)
}

/// A disagreement with both tokens as text.
fn line_of_disagreement(disagreement: &Json, tokenizer: &Tokenizer) -> anyhow::Result<Json> {
    let text = |key: &str| -> anyhow::Result<String> {
        let token = disagreement[key].as_u64().and_then(|token| u32::try_from(token).ok());
        Ok(tokenizer.decode(token.as_slice())?)
    };
    Ok(json!({
        "round": disagreement["round"],
        "position": disagreement["position"],
        "draft_token": disagreement["draft_token"],
        "target_token": disagreement["target_token"],
        "draft_text": text("draft_token")?,
        "target_text": text("target_token")?,
        "draft_probability": disagreement["draft_probability"],
        "target_probability": disagreement["target_probability"],
    }))
}

/// The hash under which a generation has its output: that of its ids, little-endian.
fn output_sha256(tokens: &[u32]) -> String {
    let bytes: Vec<u8> = tokens.iter().flat_map(|token| token.to_le_bytes()).collect();
    sha256_hex(&bytes)
}
