//! Reports: values in, text out.
//!
//! Nothing here queries, prints or writes a file. A value that cannot exist is missing, never zero.

mod comparison;
mod course;
mod export;
mod grid;
mod labelled;
mod parquet;
mod render;
mod rows;
mod size;
mod stream;
mod summary;

pub use self::comparison::ComparisonReport;
pub use self::course::course;
pub use self::export::{BenchExport, Metadata, ModeFigures, PromptFigures, SCHEMA_VERSION};
pub use self::grid::{Cell, Column, Grid, Style};
pub use self::labelled::labelled_lines;
pub use self::render::Format;
pub use self::rows::{OutputFormat, RowWriter};
pub use self::size::shown_bytes;
pub use self::summary::{
    ModeSummary, PairedSummary, comparison_lines, details_grid, paired_lines, summary_grid,
};
