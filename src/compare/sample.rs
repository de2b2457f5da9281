//! Runs made up for tests.

use serde_json::json;

use super::run::{Generation, Model, Position, Prompt, Run};
use crate::hash::sha256_hex;
use crate::record::{Mode, Role, RunId, RunKind};

/// A generation without figures.
pub fn bare(prompt_index: u32, mode: Mode, iteration: u32) -> Generation {
    Generation {
        prompt_index,
        mode,
        iteration,
        exec_order: 0,
        started_at_ms: 1_785_585_600_000,
        load_average: Some(0.5),
        has_failed: false,
        tokens_per_second: None,
        decode_tokens_per_second: None,
        time_per_output_token: None,
        time_to_first_token: None,
        time_to_last_token: None,
        acceptance_rate: None,
        num_emitted: None,
        num_rounds: None,
        is_lossless: (mode != Mode::TargetOnly).then_some(true),
        output_sha256: Some(format!("output {prompt_index}")),
    }
}

/// A generation of a hundred tokens at this speed, a tenth of the time for the first; a mode that speculates accepts this
/// share of what it drafts.
pub fn generation(prompt_index: u32, mode: Mode, speed: f64, acceptance_rate: f64) -> Generation {
    let seconds = 100.0 / speed;
    let generation = Generation {
        tokens_per_second: Some(speed),
        decode_tokens_per_second: Some(99.0 / (0.9 * seconds)),
        time_per_output_token: Some(0.9 * seconds / 99.0),
        time_to_first_token: Some(0.1 * seconds),
        time_to_last_token: Some(seconds),
        ..bare(prompt_index, mode, 0)
    };
    if !mode.is_speculative() {
        return generation;
    }
    let num_rounds = Some(20.0);
    Generation {
        acceptance_rate: Some(acceptance_rate),
        num_emitted: Some(20.0 * (1.0 + 4.0 * acceptance_rate)),
        num_rounds,
        ..generation
    }
}

/// A greedy bench over so many prompts, without generations.
pub fn run(id: i64, num_prompts: u32) -> Run {
    let prompt = |prompt_index| Prompt {
        prompt_index,
        sha256: sha256_hex(format!("prompt {prompt_index}").as_bytes()),
        text: format!("prompt {prompt_index}"),
        external_id: Some(format!("p{prompt_index}")),
    };
    let model = |role, name: &str| Model {
        role,
        name: name.to_owned(),
        sha256: sha256_hex(name.as_bytes()),
        tokenizer_sha256: sha256_hex(b"tokenizer"),
    };
    let settings = [("temperature", json!(0.0)), ("max_tokens", json!(256)), ("num_draft_tokens", json!(4))];
    Run {
        id: RunId(id),
        name: None,
        kind: RunKind::Bench,
        state: "completed".to_owned(),
        num_generations: 0,
        num_planned_generations: 0,
        models: vec![model(Role::Target, "target"), model(Role::Draft, "draft")],
        settings: settings.map(|(key, value)| (key.to_owned(), value)).into_iter().collect(),
        facts: vec![("hostname".to_owned(), json!("box")), ("cpu_model".to_owned(), json!("A CPU"))],
        prompts: (0..num_prompts).map(prompt).collect(),
        generations: vec![],
        positions: vec![],
        leakage: None,
    }
}

/// A run whose modes have these speeds and acceptance rates, each prompt a little off in its own way, all modes alike.
pub fn measured(id: i64, num_prompts: u32, modes: &[(Mode, f64, f64)]) -> Run {
    let mut run = run(id, num_prompts);
    for prompt in 0..num_prompts {
        let factor = 1.0 + 0.01 * (f64::from(prompt) - f64::from(num_prompts - 1) / 2.0);
        for &(mode, speed, acceptance_rate) in modes {
            let exec_order = run.generations.len() as u32;
            run.generations
                .push(Generation { exec_order, ..generation(prompt, mode, factor * speed, acceptance_rate) });
        }
    }
    for &(mode, _, rate) in modes.iter().filter(|(mode, ..)| mode.is_speculative()) {
        run.positions.push(Position { mode, position: 1, acceptance_rate: Some(rate) });
    }
    run.num_generations = run.generations.len() as u64;
    run.num_planned_generations = run.num_generations;
    run
}

/// The summary that SpecLoRA published.
pub const PUBLISHED: [(Mode, f64, f64); 3] =
    [(Mode::TargetOnly, 45.2, 0.0), (Mode::SpecBase, 62.3, 0.582), (Mode::SpecLora, 71.8, 0.721)];
