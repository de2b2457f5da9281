//! Benchmarks: what to run in which order ([`plan`]), and running it ([`measure`]) with models ([`generator`]).
//!
//! `speclora collect` runs a plan the same way, and has the generator keep what it sees.
//!
//! Nothing here opens the database or prints: results are handed out the moment they exist.

pub mod generator;
pub mod measure;
pub mod plan;
