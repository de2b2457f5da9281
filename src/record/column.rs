//! What a column of an answer holds.

/// The type of a column's values, of which any may be missing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ColumnType {
    /// Whole numbers and ids.
    Integer,
    /// Numbers with a fraction.
    Real,
    /// Text; bytes in hex.
    Text,
    /// Truth values, stored as 0 and 1.
    Boolean,
    /// Lists of token ids.
    Tokens,
}

/// A column of an answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AnswerColumn {
    /// Its name.
    pub name: String,
    /// What it holds.
    pub holds: ColumnType,
}
