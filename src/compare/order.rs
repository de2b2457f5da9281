//! In which order a run's modes were measured.

use std::collections::{HashMap, HashSet};

use super::run::{Generation, Run};
use crate::record::Mode;

/// How a run took turns between its modes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ExecutionOrder {
    /// It has one mode, or its order is not stored.
    Untold,
    /// The modes of a prompt followed each other, not always in the same order.
    Shuffled,
    /// The modes of a prompt followed each other, always in the same order.
    Interleaved,
    /// At least one mode went over several prompts before the next had its turn: what changed meanwhile looks like a
    /// difference of modes.
    ModeAfterMode,
}

impl ExecutionOrder {
    /// The name for programs.
    pub fn as_str(self) -> Option<&'static str> {
        match self {
            Self::Untold => None,
            Self::Shuffled => Some("shuffled"),
            Self::Interleaved => Some("interleaved"),
            Self::ModeAfterMode => Some("mode_after_mode"),
        }
    }
}

/// Tells how a run took turns, from the places of its generations.
pub fn execution_order(run: &Run) -> ExecutionOrder {
    let mut generations: Vec<&Generation> = run.generations.iter().collect();
    generations.sort_by_key(|g| g.exec_order);
    let modes: HashSet<Mode> = generations.iter().map(|g| g.mode).collect();
    let has_order = generations.windows(2).all(|pair| pair[0].exec_order < pair[1].exec_order);
    if modes.len() < 2 || !has_order {
        return ExecutionOrder::Untold;
    }
    let turns: Vec<&[&Generation]> =
        generations.chunk_by(|a, b| (a.prompt_index, a.iteration) == (b.prompt_index, b.iteration)).collect();
    let mut num_turns: HashMap<(u32, u32), usize> = HashMap::new();
    for turn in &turns {
        *num_turns.entry((turn[0].prompt_index, turn[0].iteration)).or_default() += 1;
    }
    // A run that was taken up again may have a prompt in two parts.
    let num_torn = num_turns.values().filter(|count| **count > 1).count();
    if num_torn > 1 && num_torn * 10 > num_turns.len() {
        return ExecutionOrder::ModeAfterMode;
    }
    let orders: HashSet<Vec<Mode>> = turns
        .iter()
        .filter(|turn| turn.len() == modes.len())
        .map(|turn| turn.iter().map(|g| g.mode).collect())
        .collect();
    if orders.len() > 1 { ExecutionOrder::Shuffled } else { ExecutionOrder::Interleaved }
}
