//! Which of a run's checkpoints get names: `final` its last, and `best` its best, if that is better than the present one.

use std::fmt;
use std::sync::atomic::AtomicBool;

use super::job::check_cancelled;
use crate::cmd::context::Context;
use crate::engine::adapter::Adapter;
use crate::engine::pair::Identified;
use crate::record::{CheckpointId, OutputEvaluation, RunId};
use crate::stats::{self, Interval, Share};
use crate::store::Store;
use crate::train::evaluate::{EvaluationOptions, evaluate};
use crate::train::loss::Loss;
use crate::train::trainer::Trainer;

/// A run that has done its steps, with the draft and the held-out examples that decide.
pub(super) struct Held<'a> {
    pub(super) run: RunId,
    /// The adapter that it began with; the plain draft if absent.
    pub(super) from: Option<CheckpointId>,
    pub(super) trainer: &'a Trainer<'a>,
    pub(super) draft: &'a Identified,
    pub(super) cancel: &'a AtomicBool,
}

/// Names a run's checkpoints, and says what became of `best`.
pub(super) fn name_checkpoints(store: &mut Store, held: &Held, context: &Context) -> anyhow::Result<()> {
    let checkpoints = store.train_checkpoints(held.run)?;
    let Some(&(_, last)) = checkpoints.last() else {
        return Ok(());
    };
    store.set_alias("final", last)?;
    let Some(candidate) = candidate(store, held.run, &checkpoints)? else {
        context
            .ui
            .note(format!("without held-out examples best stays as it is (final is checkpoint {last})"));
        return Ok(());
    };
    if store.alias("best", Some(&held.draft.info.sha256))? == Some(candidate.id) {
        let id = candidate.id;
        context.ui.note(format!("best stays checkpoint {id}: this run came to the same adapter"));
        return Ok(());
    }
    let (rival, before) = rival(store, held, context)?;
    let verdict = verdict(&before, &candidate.evaluations);
    if let Verdict::Better(_) = verdict {
        store.set_alias("best", candidate.id)?;
    }
    say(&candidate, rival, &verdict, context);
    Ok(())
}

/// The checkpoint of a run that does best on its held-out examples.
struct Candidate {
    id: CheckpointId,
    step: u32,
    evaluations: Vec<OutputEvaluation>,
}

fn candidate(
    store: &Store,
    run: RunId,
    checkpoints: &[(u32, CheckpointId)],
) -> anyhow::Result<Option<Candidate>> {
    let evaluations = store.train_evaluations(run)?;
    let with_checkpoint = evaluations.iter().filter_map(|figures| {
        let (_, id) = checkpoints.iter().find(|(step, _)| *step == figures.step)?;
        Some((figures, *id))
    });
    let best = with_checkpoint.max_by(|(a, _), (b, _)| {
        a.expected_acceptance.total_cmp(&b.expected_acceptance).then(b.step.cmp(&a.step))
    });
    let Some((figures, id)) = best else {
        return Ok(None);
    };
    let evaluations = stored_evaluations(store, run, figures.step)?;
    Ok(Some(Candidate { id, step: figures.step, evaluations }))
}

/// What a run made of its held-out examples after a step.
fn stored_evaluations(store: &Store, run: RunId, step: u32) -> anyhow::Result<Vec<OutputEvaluation>> {
    let evaluations = store.example_evaluations(run, step)?;
    Ok(evaluations.into_iter().map(|(_, evaluation)| evaluation).collect())
}

/// What a checkpoint has to be better than.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Rival {
    PlainDraft,
    PresentBest(CheckpointId),
}

impl fmt::Display for Rival {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::PlainDraft => f.write_str("plain draft"),
            Self::PresentBest(id) => write!(f, "best so far, checkpoint {id}"),
        }
    }
}

/// The present best of this draft, or else the plain draft, each with what is judged of it.
fn rival(
    store: &mut Store,
    held: &Held,
    context: &Context,
) -> anyhow::Result<(Rival, Vec<OutputEvaluation>)> {
    let best = store.alias("best", Some(&held.draft.info.sha256))?;
    let rival = best.map_or(Rival::PlainDraft, Rival::PresentBest);
    if best == held.from {
        // The run judged it before its first step.
        return Ok((rival, stored_evaluations(store, held.run, 0)?));
    }
    let fitted = |id| -> anyhow::Result<Adapter> {
        Ok(Adapter::fit(&store.load_adapter(id)?, held.trainer.model.config())?)
    };
    let adapter = best.map(fitted).transpose()?;
    Ok((rival, judged(store, held, adapter.as_ref(), context)?))
}

/// Says what became of `best`.
fn say(candidate: &Candidate, rival: Rival, verdict: &Verdict, context: &Context) {
    let Candidate { id, step, evaluations } = candidate;
    let gain = |Interval { estimate, low, high }: &Interval| {
        format!(
            "{:+.1} points of expected acceptance over the {rival} on {} held-out examples (95 % interval {:+.1} to {:+.1})",
            100.0 * estimate,
            evaluations.len(),
            100.0 * low,
            100.0 * high
        )
    };
    match verdict {
        Verdict::Better(interval) => {
            context.ui.status(format!("best is now checkpoint {id} (step {step}): {}", gain(interval)));
        }
        Verdict::NotShown(interval) => context.ui.note(format!(
            "best stays as it is, since checkpoint {id} (step {step}) is not shown to be better: {}",
            gain(interval)
        )),
        Verdict::TooFew => context.ui.note(format!(
            "best stays as it is: {} held-out examples are too few to tell whether checkpoint {id} is better, {} are needed \
             (collect more prompts, or raise --holdout)",
            evaluations.len(),
            stats::MIN_OBSERVATIONS
        )),
    }
}

fn judged(
    store: &mut Store,
    held: &Held,
    adapter: Option<&Adapter>,
    context: &Context,
) -> anyhow::Result<Vec<OutputEvaluation>> {
    let Trainer { held_out, options, .. } = held.trainer;
    let evaluation = EvaluationOptions {
        loss: Loss::new(options.loss, None),
        num_draft_tokens: options.num_draft_tokens,
        batch_size: options.plan.batch_size,
    };
    let progress = context.ui.progress("comparing with best", "examples", held_out.len() as u64);
    let mut num_done = 0;
    evaluate(held.trainer.model, adapter, held_out, &evaluation, |done| {
        progress.advance((done - num_done) as u64);
        num_done = done;
        store.heartbeat(held.run)?;
        check_cancelled(held.cancel)
    })
}

/// Whether a checkpoint is better than another draft.
#[derive(Debug, PartialEq)]
enum Verdict {
    /// The interval of its gain lies above zero.
    Better(Interval),
    /// It does not.
    NotShown(Interval),
    /// There are too few examples for an interval.
    TooFew,
}

/// Compares expected acceptance on the same examples, in the same order.
fn verdict(before: &[OutputEvaluation], after: &[OutputEvaluation]) -> Verdict {
    let shares: Vec<Share> = before
        .iter()
        .zip(after)
        .map(|(before, after)| Share {
            part: after.expected_acceptance - before.expected_acceptance,
            whole: after.num_positions.into(),
        })
        .collect();
    match stats::bootstrap_ratio(&shares) {
        None => Verdict::TooFew,
        Some(interval) if interval.low > 0.0 => Verdict::Better(interval),
        Some(interval) => Verdict::NotShown(interval),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn evaluations(accepted: &[f64]) -> Vec<OutputEvaluation> {
        let evaluation = |&expected_acceptance: &f64| OutputEvaluation {
            num_positions: 10,
            expected_acceptance,
            num_agreements: 0,
            loss: 0.0,
            num_rounds: 0,
            num_drafted: 0,
            num_accepted: 0,
            num_emitted: 0,
        };
        accepted.iter().map(evaluation).collect()
    }

    #[test]
    fn best_moves_only_where_the_interval_excludes_zero() {
        let before = evaluations(&[5.0; 8]);
        let better = verdict(&before, &evaluations(&[5.5, 6.0, 5.4, 5.8, 6.2, 5.1, 5.9, 6.0]));
        assert!(matches!(better, Verdict::Better(interval) if interval.low > 0.0), "{better:?}");
        let mixed = verdict(&before, &evaluations(&[6.0, 4.0, 6.5, 4.5, 5.5, 4.8, 5.3, 5.1]));
        assert!(matches!(mixed, Verdict::NotShown(interval) if interval.estimate > 0.0), "{mixed:?}");
        let overfit = verdict(&before, &evaluations(&[4.0; 8]));
        assert!(matches!(overfit, Verdict::NotShown(interval) if interval.high < 0.0), "{overfit:?}");
        assert_eq!(verdict(&before[..5], &evaluations(&[9.0; 5])), Verdict::TooFew);
    }
}
