//! Training: a draft's adapter learns from what the target said.
//!
//! [`dataset`] lays out which examples each step learns from, [`loss`] says how far a draft is from the target,
//! [`optimizer`] and [`schedule`] move the adapter, [`evaluate`] judges it on examples that it never learned from, and
//! [`trainer`] goes through the steps. Nothing here knows the store: what happens is told to a [`trainer::Log`].

pub mod dataset;
pub mod evaluate;
pub mod loss;
pub mod optimizer;
pub mod schedule;
#[cfg(test)]
mod tests;
pub mod trainer;
