//! Whether it is fair to compare two runs, and in what they differ.

use std::collections::{BTreeSet, HashMap};

use serde_json::Value as Json;

use super::figures::keyed_prompts;
use super::run::{Model, Run};
use crate::record::Role;

/// Settings that decide what is generated: two runs are about the same thing only where these are equal.
const DECISIVE: [&str; 5] = ["max_tokens", "context_length", "temperature", "system_prompt", "raw"];
/// Settings that decide it where tokens are drawn at random.
const DECISIVE_WHERE_SAMPLED: [&str; 2] = ["top_p", "top_k"];
/// Settings that say where files are, and nothing of what was measured; models are compared by their content.
const OF_PLACE: [&str; 4] = ["db", "models", "target", "draft"];
/// Facts of the machine on which times depend.
const OF_MACHINE: [&str; 3] = ["hostname", "cpu_model", "num_cpus"];

/// A setting or fact that is not the same in all runs.
#[derive(Debug, Clone, PartialEq)]
pub struct Difference {
    /// Its key.
    pub key: String,
    /// Its value in each run, in their order; null where there is none.
    pub values: Vec<Json>,
}

/// Why two runs are not comparable, a reason a line; nothing where they are.
pub fn incomparable(baseline: &Run, other: &Run) -> Vec<String> {
    let mut reasons = vec![];
    if let Some(reason) = other_target(baseline.model(Role::Target), other.model(Role::Target)) {
        reasons.push(reason);
    }
    reasons.extend(other_prompts(baseline, other));
    let sampled: &[&str] = match baseline.is_greedy() && other.is_greedy() {
        true => &[],
        false => &DECISIVE_WHERE_SAMPLED,
    };
    for key in DECISIVE.iter().chain(sampled) {
        let (first, second) = (baseline.setting(key), other.setting(key));
        if !is_same(first, second) {
            reasons.push(format!("{key} is {first} in run {}, {second} in run {}", baseline.id, other.id));
        }
    }
    reasons
}

fn other_target(baseline: Option<&Model>, other: Option<&Model>) -> Option<String> {
    let (baseline, other) = (baseline?, other?);
    let hash = |hash: &str| hash.chars().take(12).collect::<String>();
    if baseline.sha256 != other.sha256 {
        let [first, second] =
            [baseline, other].map(|model| format!("{} (SHA-256 {})", model.name, hash(&model.sha256)));
        return Some(format!("the target is {first}, then {second}"));
    }
    (baseline.tokenizer_sha256 != other.tokenizer_sha256).then(|| {
        let [first, second] = [baseline, other].map(|model| hash(&model.tokenizer_sha256));
        format!("the tokenizer's SHA-256 is {first}, then {second}")
    })
}

fn other_prompts(baseline: &Run, other: &Run) -> Option<String> {
    let keys = |run| keyed_prompts(run).into_iter().map(|(key, _)| key).collect::<BTreeSet<_>>();
    let (first, second) = (keys(baseline), keys(other));
    let num_both = first.intersection(&second).count();
    (num_both < first.len() || num_both < second.len()).then(|| {
        format!(
            "the prompts differ: {num_both} in both, {} in run {} alone, {} in run {} alone",
            first.len() - num_both,
            baseline.id,
            second.len() - num_both,
            other.id
        )
    })
}

/// Whether two values are the same; 0 and 0.0 are.
fn is_same(first: &Json, second: &Json) -> bool {
    match (first.as_f64(), second.as_f64()) {
        (Some(first), Some(second)) => first == second,
        _ => first == second,
    }
}

/// The settings and facts that are not the same in all runs: settings by name, then facts in their order.
pub fn differences(runs: &[&Run]) -> Vec<Difference> {
    let keys: BTreeSet<&String> = runs.iter().flat_map(|run| run.settings.keys()).collect();
    let settings = keys.into_iter().filter(|key| !OF_PLACE.contains(&key.as_str()));
    let of_setting = |key: &String| Difference {
        key: key.clone(),
        values: runs.iter().map(|run| run.setting(key).clone()).collect(),
    };
    let facts: Vec<HashMap<&str, &Json>> = runs.iter().map(|run| facts_by_key(run)).collect();
    let of_fact = |key: &String| Difference {
        key: key.clone(),
        values: facts
            .iter()
            .map(|f| f.get(key.as_str()).map_or(Json::Null, |value| (*value).clone()))
            .collect(),
    };
    let mut fact_keys: Vec<&String> = vec![];
    for (key, _) in runs.iter().flat_map(|run| &run.facts) {
        if !fact_keys.contains(&key) {
            fact_keys.push(key);
        }
    }
    let all = settings.map(of_setting).chain(fact_keys.into_iter().map(of_fact));
    all.filter(|difference| difference.values.iter().any(|value| !is_same(value, &difference.values[0])))
        .collect()
}

fn facts_by_key(run: &Run) -> HashMap<&str, &Json> {
    run.facts.iter().map(|(key, value)| (key.as_str(), value)).collect()
}

/// Whether two runs were measured on different machines.
pub fn machines_differ(baseline: &Run, other: &Run) -> bool {
    let (first, second) = (facts_by_key(baseline), facts_by_key(other));
    OF_MACHINE.iter().any(|key| first.get(key) != second.get(key))
}
