//! What a draft makes of the target's outputs: acceptance without decoding, since greedy output is known beforehand.

use super::dataset::{Example, batch};
use super::loss::{Loss, expected_acceptance};
use crate::engine::adapter::Adapter;
use crate::engine::cpu::training::TrainingModel;
use crate::record::OutputEvaluation;

/// How outputs are judged.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct EvaluationOptions {
    /// The loss that is summed.
    pub loss: Loss,
    /// Tokens that the draft would propose a round.
    pub num_draft_tokens: usize,
    /// Outputs that go through the model together.
    pub batch_size: usize,
}

/// What is made of one output position.
struct Position {
    expected_acceptance: f64,
    agrees: bool,
    loss: f64,
}

/// Judges a draft with an adapter, or as it is, on outputs of the target; one evaluation an output, in their order.
/// `on_batch` is told how many outputs are done, and may stop it.
///
/// # Errors
/// That of `on_batch`.
pub fn evaluate<E>(
    model: &TrainingModel,
    adapter: Option<&Adapter>,
    examples: &[Example],
    options: &EvaluationOptions,
    mut on_batch: impl FnMut(usize) -> Result<(), E>,
) -> Result<Vec<OutputEvaluation>, E> {
    let mut evaluations = Vec::with_capacity(examples.len());
    for some in examples.chunks(options.batch_size) {
        let some: Vec<&Example> = some.iter().collect();
        let wanted: Vec<_> = some.iter().flat_map(|example| example.wanted()).collect();
        let targets: Vec<_> = some.iter().flat_map(|example| example.targets()).collect();
        let positions = model.judge(adapter, &batch(&some, adapter), &wanted, |row, draft| {
            let (target, likeliest) = &targets[row];
            Position {
                expected_acceptance: expected_acceptance(target, draft),
                agrees: draft.likeliest == *likeliest,
                loss: options.loss.at(target, draft).0,
            }
        });
        let mut rest = &positions[..];
        for example in some {
            let (own, others) = rest.split_at(example.num_positions());
            rest = others;
            evaluations.push(summed(own, options.num_draft_tokens));
        }
        on_batch(evaluations.len())?;
    }
    Ok(evaluations)
}

fn summed(positions: &[Position], num_draft_tokens: usize) -> OutputEvaluation {
    let agreements: Vec<bool> = positions.iter().map(|position| position.agrees).collect();
    let rounds = Rounds::of(&agreements, num_draft_tokens);
    OutputEvaluation {
        num_positions: positions.len() as u32,
        expected_acceptance: positions.iter().map(|position| position.expected_acceptance).sum(),
        num_agreements: agreements.iter().filter(|&&agrees| agrees).count() as u32,
        loss: positions.iter().map(|position| position.loss).sum(),
        num_rounds: rounds.num_rounds,
        num_drafted: rounds.num_drafted,
        num_accepted: rounds.num_accepted,
        num_emitted: rounds.num_emitted,
    }
}

/// The rounds of greedy speculation over an output, from where the draft agrees with the target.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
struct Rounds {
    num_rounds: u32,
    num_drafted: u32,
    num_accepted: u32,
    num_emitted: u32,
}

impl Rounds {
    /// The first token comes from the prompt's pass, and no round proposes beyond the output's end. Where `max_tokens` and
    /// no stop token ended the output, the last round of real decoding may propose one token fewer.
    fn of(agreements: &[bool], num_draft_tokens: usize) -> Self {
        let mut rounds = Self::default();
        let mut emitted = 1;
        while emitted < agreements.len() {
            let room = agreements.len() - emitted;
            let drafted = num_draft_tokens.min(room);
            let accepted =
                agreements[emitted..emitted + drafted].iter().take_while(|&&agrees| agrees).count();
            let step = (accepted + 1).min(room);
            rounds.num_rounds += 1;
            rounds.num_drafted += drafted as u32;
            rounds.num_accepted += accepted as u32;
            rounds.num_emitted += step as u32;
            emitted += step;
        }
        rounds
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(agreements: &str, num_draft_tokens: usize, expected: [u32; 4]) {
        let agreements: Vec<bool> = agreements.chars().map(|c| c == 'y').collect();
        let Rounds { num_rounds, num_drafted, num_accepted, num_emitted } =
            Rounds::of(&agreements, num_draft_tokens);
        assert_eq!([num_rounds, num_drafted, num_accepted, num_emitted], expected);
    }

    #[test]
    fn rounds_follow_from_agreements() {
        check("n", 4, [0, 0, 0, 0]);
        check("yyyyyy", 2, [2, 4, 4, 5]);
        check("ynnn", 2, [3, 5, 0, 3]);
        check("yyyyn", 2, [2, 3, 2, 4]);
        check("nyyny", 3, [2, 4, 3, 4]);
    }
}
