//! Comparing runs, or modes of a run: is it better, by how much, how sure are we, and is it fair to compare?
//!
//! A pure core, which knows no SQL and no terminal: what was measured of each run comes in, rows with intervals and verdicts
//! come out. The first side is the baseline, and each other side is compared with it:
//!
//! 1. [`compare`] plans the contrasts: which mode of which run stands against which.
//! 2. Prompts are paired by their text; of each, the median over its iterations counts ([`figures`]).
//! 3. Each metric of each contrast is a row: both values, the change from one to the other, its interval over resampled
//!    prompts, Wilcoxon's p-value, and how many prompts got better or worse ([`rows`]).
//! 4. p-values are corrected over all rows that are shown (Holm), and a verdict is given where everything agrees.

mod comparability;
mod contrast;
mod figures;
mod gate;
mod metric;
mod noise;
mod order;
mod pairing;
mod rows;
mod run;
#[cfg(test)]
pub mod sample;
mod sides;
mod within;

pub use comparability::{Difference, differences, incomparable, machines_differ};
pub use contrast::{Comparison, Contrast, PositionRow, PromptChange, SideOfContrast, compare};
pub use gate::{Gate, GateOutcome, GateResult};
pub use metric::{Change, Metric};
pub use noise::NoiseFloor;
pub use order::{ExecutionOrder, execution_order};
pub use rows::{MetricRow, SAME, SIGNIFICANT, Verdict};
pub use run::{EqualOutputs, Generation, Leakage, Model, Position, Prompt, Run};
pub use sides::{Side, SideError};
pub use within::{PairedFigure, PairedGains, PromptAverages, paired_gains};

#[cfg(test)]
mod tests;
