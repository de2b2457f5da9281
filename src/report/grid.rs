//! A grid of typed cells: what every listing is before it becomes text.

use serde_json::Value;

/// Columns and rows; each row has one cell a column.
#[derive(Debug, Clone, PartialEq)]
pub struct Grid {
    /// The columns, from left to right.
    pub columns: Vec<Column>,
    /// The rows, from top to bottom.
    pub rows: Vec<Vec<Cell>>,
}

/// A column: its two names, and what it holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Column {
    /// Name for programs (`avg_tokens_per_second`).
    pub key: String,
    /// Heading for people (`Avg Tok/s`).
    pub title: String,
    /// What it holds.
    pub kind: Kind,
}

/// What a column holds, which decides its side: numbers stand to the right, also where every one is missing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Words.
    Text,
    /// Numbers.
    Number,
}

/// One value.
#[derive(Debug, Clone, PartialEq)]
pub enum Cell {
    /// Text.
    Text(String),
    /// A whole number.
    Integer(i64),
    /// A real number, and how people see it; programs get it whole.
    Float(f64, Style),
    /// No value.
    Missing,
}

/// How people see a real number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Style {
    /// With so many decimals.
    Decimals(usize),
    /// A share, as per cent with so many decimals.
    Percent(usize),
    /// Seconds with so many decimals; below a tenth of a second, milliseconds with one.
    Seconds(usize),
    /// With so many significant digits, and no zeros that say nothing; very large and very small ones as powers of ten.
    Significant(usize),
}

impl Grid {
    /// Makes a grid without rows.
    pub fn new(columns: impl IntoIterator<Item = Column>) -> Self {
        Self { columns: columns.into_iter().collect(), rows: Vec::new() }
    }

    /// Adds a row.
    ///
    /// # Panics
    /// If it has not one cell a column.
    pub fn push(&mut self, row: impl IntoIterator<Item = Cell>) {
        let row: Vec<Cell> = row.into_iter().collect();
        assert_eq!(row.len(), self.columns.len(), "a row has one cell a column");
        self.rows.push(row);
    }

    /// Whether a column holds numbers, and so is aligned to the right.
    pub(super) fn is_numeric(&self, column: usize) -> bool {
        self.columns[column].kind == Kind::Number
    }
}

impl Column {
    /// A column of text whose heading differs from its key.
    pub fn new(key: impl Into<String>, title: impl Into<String>) -> Self {
        Self { key: key.into(), title: title.into(), kind: Kind::Text }
    }

    /// A column of numbers.
    pub fn number(key: impl Into<String>, title: impl Into<String>) -> Self {
        Self { kind: Kind::Number, ..Self::new(key, title) }
    }
}

impl From<&str> for Column {
    /// A column of text whose heading is its key.
    fn from(key: &str) -> Self {
        Self::new(key, key)
    }
}

impl Cell {
    /// Text, or missing.
    pub fn text(text: Option<impl Into<String>>) -> Self {
        text.map_or(Self::Missing, |text| Self::Text(text.into()))
    }

    /// A whole number, or missing.
    pub fn integer(number: Option<impl Into<i64>>) -> Self {
        number.map_or(Self::Missing, |number| Self::Integer(number.into()))
    }

    /// A real number, or missing; what is not finite is missing.
    pub fn float(number: Option<f64>, style: Style) -> Self {
        number.filter(|number| number.is_finite()).map_or(Self::Missing, |number| Self::Float(number, style))
    }

    /// As people see it: `—` where there is none, and control characters escaped.
    pub(super) fn shown(&self) -> String {
        match self {
            Self::Text(text) => escape_controls(text),
            Self::Integer(number) => number.to_string(),
            Self::Float(number, _) if !number.is_finite() => Self::Missing.shown(),
            Self::Float(number, Style::Decimals(decimals)) => format!("{number:.decimals$}"),
            Self::Float(number, Style::Percent(decimals)) => format!("{:.decimals$}%", 100.0 * number),
            Self::Float(number, Style::Seconds(_)) if number.abs() < 0.1 => format!("{:.1}ms", 1e3 * number),
            Self::Float(number, Style::Seconds(decimals)) => format!("{number:.decimals$}s"),
            Self::Float(number, Style::Significant(digits)) => significant(*number, *digits),
            Self::Missing => "—".to_owned(),
        }
    }

    /// As programs read it, in full precision; null where there is none.
    pub(super) fn to_json(&self) -> Value {
        match self {
            Self::Text(text) => text.as_str().into(),
            Self::Integer(number) => (*number).into(),
            Self::Float(number, _) => (*number).into(),
            Self::Missing => Value::Null,
        }
    }

    /// As a field of CSV, in full precision; empty where there is none.
    pub(super) fn field(&self) -> String {
        match self.to_json() {
            Value::Null => String::new(),
            Value::String(text) => text,
            number => number.to_string(),
        }
    }
}

/// A finite number with so many significant digits; its whole part is never cut.
fn significant(number: f64, digits: usize) -> String {
    let exponent = if number == 0.0 { 0 } else { number.abs().log10().floor() as i32 };
    if !(-5..15).contains(&exponent) {
        return format!("{number:.*e}", digits.saturating_sub(1));
    }
    let decimals = (digits as i32 - 1 - exponent).max(1) as usize;
    let text = format!("{number:.decimals$}");
    let trimmed = text.trim_end_matches('0');
    // One decimal stays: 24.0 is no whole number.
    if trimmed.ends_with('.') { format!("{trimmed}0") } else { trimmed.to_owned() }
}

/// Escapes control characters, so that a stored text can neither break a table nor steer a terminal.
pub(super) fn escape_controls(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        if c.is_control() { escaped.extend(c.escape_default()) } else { escaped.push(c) }
    }
    escaped
}
