//! Between Rust's types and SQLite's: 64-bit counts without a sign, token ids, spelled enums, and one value of any kind.

use std::fmt::{self, Display};
use std::str::FromStr;

use rusqlite::Row;
use rusqlite::types::{FromSqlError, ToSql, ToSqlOutput, Type, ValueRef};
use serde::{Serialize, Serializer};

use crate::record::RunId;

/// One value of a row.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// There is none.
    Null,
    /// A whole number, an id, or a truth value as 0 or 1.
    Integer(i64),
    /// A number with a fraction; never NaN or infinite.
    Real(f64),
    /// Text.
    Text(String),
    /// Bytes.
    Blob(Vec<u8>),
}

impl Value {
    /// Reads a value as people type it: `null`, a number, or text; text in single quotes stays text whatever it says.
    pub fn parse(text: &str) -> Self {
        let quoted = text.strip_prefix('\'').and_then(|text| text.strip_suffix('\''));
        let real =
            || text.parse().ok().and_then(finite).filter(|_| text.contains(|c: char| c.is_ascii_digit()));
        if let Some(text) = quoted {
            Self::Text(text.replace("''", "'"))
        } else if text.eq_ignore_ascii_case("null") {
            Self::Null
        } else if let Ok(number) = text.parse() {
            Self::Integer(number)
        } else if let Some(number) = real() {
            Self::Real(number)
        } else {
            Self::Text(text.to_owned())
        }
    }
}

impl From<i64> for Value {
    fn from(value: i64) -> Self {
        Self::Integer(value)
    }
}

impl From<&str> for Value {
    fn from(value: &str) -> Self {
        Self::Text(value.to_owned())
    }
}

impl From<RunId> for Value {
    fn from(run: RunId) -> Self {
        Self::Integer(run.0)
    }
}

impl From<ValueRef<'_>> for Value {
    /// Text that is not UTF-8 (this program writes none) gets replacement characters.
    fn from(value: ValueRef<'_>) -> Self {
        match value {
            ValueRef::Null => Self::Null,
            ValueRef::Integer(value) => Self::Integer(value),
            ValueRef::Real(value) => finite(value).map_or(Self::Null, Self::Real),
            ValueRef::Text(value) => Self::Text(String::from_utf8_lossy(value).into_owned()),
            ValueRef::Blob(value) => Self::Blob(value.to_owned()),
        }
    }
}

impl ToSql for Value {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::Borrowed(match self {
            Self::Null => ValueRef::Null,
            Self::Integer(value) => ValueRef::Integer(*value),
            Self::Real(value) => finite(*value).map_or(ValueRef::Null, ValueRef::Real),
            Self::Text(value) => ValueRef::Text(value.as_bytes()),
            Self::Blob(value) => ValueRef::Blob(value),
        }))
    }
}

impl Serialize for Value {
    /// Bytes become lower-case hex, since JSON has none.
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Null => serializer.serialize_unit(),
            Self::Integer(value) => serializer.serialize_i64(*value),
            Self::Real(value) => serializer.serialize_f64(*value),
            Self::Text(value) => serializer.serialize_str(value),
            Self::Blob(value) => serializer.collect_str(&Hex(value)),
        }
    }
}

/// Bytes, written in lower-case hex.
#[derive(Debug, Clone, Copy)]
pub struct Hex<'a>(pub &'a [u8]);

impl Display for Hex<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

/// Returns a number that may be stored: NaN and infinities become NULL, since every average over them would be wrong.
pub(super) fn finite(value: f64) -> Option<f64> {
    value.is_finite().then_some(value)
}

/// Returns a count, size or duration as SQLite's integer.
pub(super) fn to_integer(value: u64) -> i64 {
    i64::try_from(value).expect("counts, bytes, nanoseconds and seeds stay below 2^63")
}

/// Reads a count, size or duration.
pub(super) fn get_u64(row: &Row<'_>, column: &str) -> rusqlite::Result<u64> {
    let value: i64 = row.get(column)?;
    let index = row.as_ref().column_index(column)?;
    u64::try_from(value).map_err(|_| rusqlite::Error::IntegralValueOutOfRange(index, value))
}

/// Returns token ids as they are stored: little-endian u32, one after the other.
pub(super) fn token_bytes(tokens: &[u32]) -> Vec<u8> {
    tokens.iter().flat_map(|token| token.to_le_bytes()).collect()
}

/// Returns the token ids that bytes stand for.
pub(super) fn tokens_of(bytes: &[u8]) -> impl Iterator<Item = u32> {
    bytes.chunks_exact(4).map(|bytes| u32::from_le_bytes(bytes.try_into().expect("four bytes")))
}

/// Reads a column of token ids.
pub(super) fn get_tokens(row: &Row<'_>, column: &str) -> rusqlite::Result<Vec<u32>> {
    Ok(tokens_of(&row.get::<_, Vec<u8>>(column)?).collect())
}

/// Reads a value that is stored by its name.
pub(super) fn get_parsed<T: FromStr>(row: &Row<'_>, column: &str) -> rusqlite::Result<T>
where
    T::Err: Display,
{
    let text: String = row.get(column)?;
    let index = row.as_ref().column_index(column)?;
    text.parse().map_err(|error: T::Err| {
        let cause = FromSqlError::Other(format!("{column}: {error}").into());
        rusqlite::Error::FromSqlConversionFailure(index, Type::Text, Box::new(cause))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_read_as_they_are_typed() {
        let check = |text: &str, expected: Value| assert_eq!(Value::parse(text), expected, "{text}");
        check("null", Value::Null);
        check("NULL", Value::Null);
        check("-12", (-12).into());
        check("9223372036854775808", Value::Real(9_223_372_036_854_775_808.0));
        check("1e-3", Value::Real(0.001));
        check("'12'", "12".into());
        check("'it''s'", "it's".into());
        check("'", "'".into());
        check("", "".into());
        check("inf", "inf".into());
        check("1e999", "1e999".into());
        check("spec_base", "spec_base".into());
    }
}
