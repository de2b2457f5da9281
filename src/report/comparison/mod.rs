//! A comparison as text: tables and sentences for people, rows and objects for programs.

mod grids;
mod json;
mod lines;

use super::labelled::wrapped;
use super::render::Format;
use crate::compare::{Comparison, Contrast, Difference, GateResult, Run};
use crate::record::RunId;

/// Narrowest line of a sentence.
const MIN_WIDTH: usize = 40;

/// What is told of a comparison.
#[derive(Debug, Clone)]
pub struct ComparisonReport<'a> {
    /// The runs, each once, the baseline first.
    pub runs: Vec<&'a Run>,
    /// What came of comparing them.
    pub comparison: &'a Comparison,
    /// Settings and facts that differ.
    pub differences: Vec<Difference>,
    /// Why they are not comparable, where that was asked to be ignored.
    pub ignored: Vec<String>,
    /// What gates made of it.
    pub gates: Vec<GateResult>,
}

impl ComparisonReport<'_> {
    /// The whole comparison in a format, sentences of a table wrapped to `width` characters; the text ends with a line feed.
    /// Rows alone (CSV, JSON Lines) leave the sentences out: [`Self::cautions`] has those that matter.
    pub fn render(&self, format: Format, width: usize) -> String {
        match format {
            Format::Table | Format::Md => self.text(format, width),
            Format::Json => format!("{:#}\n", self.to_json()),
            Format::Jsonl | Format::Csv => grids::rows(&self.comparison.contrasts).render(format),
        }
    }

    fn text(&self, format: Format, width: usize) -> String {
        let contrasts = &self.comparison.contrasts;
        let first = [self.headlines(), self.cautions()].concat();
        let mut text = sentences(&first, format, width);
        if !self.differences.is_empty() {
            text += &titled(
                "Differences",
                &grids::differences(&self.differences, &self.runs).render(format),
                format,
            );
        }
        for contrast in contrasts {
            text += &titled(&self.title(contrast), &grids::contrast(contrast).render(format), format);
        }
        for (title, grid) in [
            (self.title_of_positions(), grids::positions(contrasts)),
            ("Prompts that lost most tokens per second", grids::worst(contrasts)),
        ] {
            if !grid.rows.is_empty() {
                text += &titled(title, &grid.render(format), format);
            }
        }
        text + "\n" + &sentences(&self.facts(), format, width)
    }

    /// Positions are of all prompts that a side has, also of those that the other has not.
    fn title_of_positions(&self) -> &'static str {
        let mut sides = self.comparison.contrasts.iter().flat_map(|c| [&c.baseline, &c.other]);
        if sides.any(|side| !side.unpaired.is_empty()) {
            "Acceptance by position in the draft, over all prompts of each side"
        } else {
            "Acceptance by position in the draft"
        }
    }

    fn run(&self, id: RunId) -> &Run {
        self.runs.iter().find(|run| run.id == id).expect("every side's run is among them")
    }
}

/// Sentences, one a line or, where they are long, with what follows indented.
fn sentences(sentences: &[String], format: Format, width: usize) -> String {
    let sentence = |sentence: &String| match format {
        Format::Md => format!("- {sentence}\n"),
        _ => wrapped(sentence, width.saturating_sub(2).max(MIN_WIDTH)).join("\n  ") + "\n",
    };
    sentences.iter().map(sentence).collect()
}

/// A table under its title.
fn titled(title: &str, table: &str, format: Format) -> String {
    match format {
        Format::Md => format!("\n### {title}\n\n{table}"),
        _ => format!("\n{title}\n{table}"),
    }
}

/// Whether both sides of a contrast are of one run.
fn is_within_run(contrast: &Contrast) -> bool {
    contrast.baseline.name.run == contrast.other.name.run
}

/// The headings of a contrast's sides: what is not the same in both.
fn headings(contrast: &Contrast) -> [String; 2] {
    let (baseline, other) = (contrast.baseline.name, contrast.other.name);
    match (is_within_run(contrast), baseline.mode == other.mode) {
        (true, _) => [baseline.mode, other.mode].map(|mode| mode.to_string()),
        (false, true) => [baseline.run, other.run].map(|run| format!("Run {run}")),
        (false, false) => [baseline, other].map(|name| name.to_string()),
    }
}

#[cfg(test)]
mod tests;
