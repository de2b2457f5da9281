//! Reports: values in, text out.
//!
//! Nothing here queries, prints or writes a file. A value that cannot exist is missing, never zero.

mod export;
mod grid;
mod labelled;
mod render;
mod stream;
mod summary;

pub use self::export::{BenchExport, Metadata, ModeFigures, PromptFigures};
pub use self::grid::{Cell, Column, Grid, Style};
pub use self::labelled::labelled_lines;
pub use self::render::Format;
pub use self::stream::RowStream;
pub use self::summary::{ModeSummary, comparison_lines, details_grid, summary_grid};
