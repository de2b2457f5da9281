//! From stored rows to what the renderers take.

use serde_json::{Map, Value as Json, json};

use super::context::Context;
use crate::report::{Cell, Column, Format, Grid, Style, labelled_lines};
use crate::store::{Hex, Rows, Value};

/// How people see a column of an answer.
#[derive(Debug, Clone, Copy)]
pub(super) enum View {
    /// As text.
    Text,
    /// As text, of which a long one is cut.
    Short,
    /// As a whole number.
    Integer,
    /// As a real number.
    Real(Style),
    /// As a share of the number in this other column: `160/4004`; missing where that is 0.
    OutOf(&'static str),
    /// As the first digits of a hash.
    Hash,
    /// As a time, to the minute: `2026-08-01 12:30`.
    Minute,
}

/// Digits of a hash that people see; programs get them all.
pub(super) const HASH_DIGITS: usize = 12;

/// Characters of a name that people see in a list; programs get them all.
const SHORT_CHARACTERS: usize = 32;

/// A text as it is, or its first characters and `…`.
pub(super) fn shortened(text: &str, num_characters: usize) -> String {
    match text.char_indices().nth(num_characters) {
        None => text.to_owned(),
        Some(_) => text.chars().take(num_characters - 1).chain(['…']).collect(),
    }
}

/// A column of a listing: its key in the query, its heading, and how people see it.
pub(super) type Shown = (&'static str, &'static str, View);

/// The columns of `shown`, for people.
pub(super) fn chosen_grid(rows: &Rows, shown: &[(&str, &str, View)]) -> Grid {
    let index =
        |key: &str| rows.columns.iter().position(|column| column == key).expect("the query has this column");
    let column = |(key, title, view): &(&str, &str, View)| match view {
        View::Text | View::Short | View::Hash | View::Minute => Column::new(*key, *title),
        View::Integer | View::Real(_) | View::OutOf(_) => Column::number(*key, *title),
    };
    let mut grid = Grid::new(shown.iter().map(column));
    for row in &rows.rows {
        grid.push(shown.iter().map(|(key, _, view)| {
            match (view, cell(&row[index(key)], Style::Decimals(0))) {
                (View::Real(style), _) => cell(&row[index(key)], *style),
                (View::OutOf(whole), Cell::Integer(part)) => match &row[index(whole)] {
                    Value::Integer(0) => Cell::Missing,
                    Value::Integer(whole) => Cell::Text(format!("{part}/{whole}")),
                    _ => Cell::Integer(part),
                },
                (View::Minute, Cell::Text(time)) => Cell::Text(
                    time.chars().take("2026-08-01T12:30".len()).collect::<String>().replace('T', " "),
                ),
                (View::Short, Cell::Text(text)) => Cell::Text(shortened(&text, SHORT_CHARACTERS)),
                (View::Hash, Cell::Text(hash)) => Cell::Text(hash.chars().take(HASH_DIGITS).collect()),
                (_, cell) => cell,
            }
        }));
    }
    grid
}

/// All columns under their own names, for programs.
pub(super) fn whole_grid(rows: &Rows) -> Grid {
    let mut grid = Grid::new(rows.columns.iter().map(|column| Column::from(column.as_str())));
    for row in &rows.rows {
        grid.push(row.iter().map(|value| cell(value, Style::Decimals(4))));
    }
    grid
}

/// All rows as JSON objects.
pub(super) fn objects(rows: &Rows) -> Vec<Json> {
    let object = |row: &Vec<Value>| -> Json {
        rows.columns
            .iter()
            .zip(row)
            .map(|(key, value)| (key.clone(), json!(value)))
            .collect::<Map<_, _>>()
            .into()
    };
    rows.rows.iter().map(object).collect()
}

/// Facts with their labels for people: wrapped to the terminal, or as a Markdown table.
pub(super) fn labelled_text(facts: &[(&str, String)], context: &Context) -> String {
    if context.format() == Format::Table {
        return labelled_lines(facts, context.ui.width());
    }
    let mut grid = Grid::new([Column::new("key", "Fact"), Column::new("value", "Value")]);
    for (label, text) in facts {
        grid.push([Cell::Text((*label).to_owned()), Cell::Text(text.clone())]);
    }
    grid.render(context.format())
}

/// A stored value, for people in this style.
pub(super) fn cell(value: &Value, style: Style) -> Cell {
    match value {
        Value::Null => Cell::Missing,
        Value::Integer(number) => Cell::Integer(*number),
        Value::Real(number) => Cell::float(Some(*number), style),
        Value::Text(text) => Cell::Text(text.clone()),
        Value::Blob(bytes) => Cell::Text(Hex(bytes).to_string()),
    }
}
