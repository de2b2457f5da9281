//! What is wrong with a statement that somebody typed: SQLite's words, what may have been meant, and where.

use rusqlite::ErrorCode;

use crate::nearest::nearest;
use crate::store::{Error, Store};

/// Characters of a line that are shown around an error.
const SHOWN: usize = 96;

/// Says what an error of SQLite's means for whoever typed the statements.
pub(super) fn explain(error: rusqlite::Error, sql: &str, store: &Store) -> Error {
    match error {
        rusqlite::Error::SqlInputError { msg, sql: rest, offset, .. } => {
            let offset = sql.len().saturating_sub(rest.len()) + usize::try_from(offset).unwrap_or(0);
            Error::Sql { message: with_hint(msg, sql, store), excerpt: excerpt(sql, offset) }
        }
        rusqlite::Error::SqliteFailure(failure, Some(message)) if is_of_statement(failure.code) => {
            let excerpt = place_of_table(&message, sql).map_or(String::new(), |offset| excerpt(sql, offset));
            Error::Sql { message: with_hint(message, sql, store), excerpt }
        }
        other => Error::from(other).in_file(&store.path),
    }
}

/// Whether the statement is to blame, and not the file or the system.
fn is_of_statement(code: ErrorCode) -> bool {
    matches!(
        code,
        ErrorCode::Unknown
            | ErrorCode::ConstraintViolation
            | ErrorCode::TypeMismatch
            | ErrorCode::TooBig
            | ErrorCode::ParameterOutOfRange
            | ErrorCode::AuthorizationForStatementDenied
    )
}

/// The line of `sql` that has the byte at `offset`, below a line feed, and a mark under the place.
fn excerpt(sql: &str, offset: usize) -> String {
    let offset = (0..=offset.min(sql.len())).rev().find(|&at| sql.is_char_boundary(at)).unwrap_or(0);
    let start = sql[..offset].rfind('\n').map_or(0, |at| at + 1);
    let line = sql[start..].lines().next().unwrap_or_default();
    let before = sql[start..offset].chars().count();
    // The shown part begins so that the place is in it, with most of the room before it.
    let skipped = before.saturating_sub(SHOWN * 2 / 3);
    let printable = |c: char| if c.is_control() { ' ' } else { c };
    let shown: String = line.chars().skip(skipped).take(SHOWN).map(printable).collect();
    let number = sql[..start].matches('\n').count() + 1;
    let label = if sql.trim_end().contains('\n') { format!("line {number}: ") } else { String::new() };
    let indent = " ".repeat(label.chars().count() + before - skipped);
    format!("\n  {label}{}\n  {indent}^", shown.trim_end())
}

/// Where a table that does not exist is named: SQLite does not tell.
fn place_of_table(message: &str, sql: &str) -> Option<usize> {
    let name = message.strip_prefix("no such table: ")?;
    let is_word = |c: char| c.is_alphanumeric() || c == '_';
    let mut places = sql.match_indices(name).map(|(at, _)| at);
    places.find(|&at| !sql[..at].ends_with(is_word) && !sql[at + name.len()..].starts_with(is_word))
}

/// SQLite's words, and the name that is nearest to one that it does not know.
fn with_hint(message: String, sql: &str, store: &Store) -> String {
    let hint = hint(&message, sql, store);
    hint.map_or(message.clone(), |name| format!("{message} (did you mean {name}?)"))
}

fn hint(message: &str, sql: &str, store: &Store) -> Option<String> {
    let (what, name) = message.split_once(": ")?;
    let name = name.split(" - ").next()?.trim_matches('"');
    let name = name.rsplit('.').next()?;
    let known = match what {
        "no such table" => names(store, TABLES),
        "no such column" => columns(sql, store),
        "no such function" => names(store, FUNCTIONS),
        _ => return None,
    };
    nearest(name, known.iter().map(String::as_str)).map(str::to_owned)
}

const TABLES: &str = "SELECT name FROM sqlite_schema WHERE type IN ('table', 'view') ORDER BY name";
const FUNCTIONS: &str = "SELECT DISTINCT name FROM pragma_function_list ORDER BY name";

/// The columns of the tables and views that a statement names; where it names none, those of all.
fn columns(sql: &str, store: &Store) -> Vec<String> {
    let words: Vec<&str> = sql.split(|c: char| !c.is_alphanumeric() && c != '_').collect();
    let tables = names(store, TABLES);
    let is_named = |table: &&String| words.iter().any(|word| word.eq_ignore_ascii_case(table));
    let named: Vec<&String> = tables.iter().filter(is_named).collect();
    let tables = if named.is_empty() { tables.iter().collect() } else { named };
    tables.into_iter().flat_map(|table| columns_of(store, table)).collect()
}

fn columns_of(store: &Store, table: &str) -> Vec<String> {
    let sql = "SELECT name FROM pragma_table_xinfo(?1) ORDER BY cid";
    let read = || -> rusqlite::Result<Vec<String>> {
        store.connection.prepare(sql)?.query_map([table], |row| row.get(0))?.collect()
    };
    read().unwrap_or_default()
}

/// Names for a hint; none where they cannot be read, since the first error says more.
fn names(store: &Store, sql: &str) -> Vec<String> {
    let read = || -> rusqlite::Result<Vec<String>> {
        store.connection.prepare(sql)?.query_map([], |row| row.get(0))?.collect()
    };
    read().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(sql: &str, at: &str, expected: &str) {
        assert_eq!(excerpt(sql, sql.find(at).unwrap_or(sql.len())), expected);
    }

    #[test]
    fn the_place_is_marked() {
        check("SELECT x FORM runs", "FORM", "\n  SELECT x FORM runs\n           ^");
        check("SELECT 1;\nSELECT 'ä',\tx", "x", "\n  line 2: SELECT 'ä', x\n                      ^");
        check("SELECT", "nowhere", "\n  SELECT\n        ^");
        let long = format!("SELECT {}x FROM y", "'0123456789', ".repeat(20));
        let shown = excerpt(&long, long.find('x').unwrap());
        let lines: Vec<&str> = shown.lines().collect();
        assert_eq!(lines[1].chars().nth(lines[2].chars().count() - 1), Some('x'), "{shown}");
        assert!(lines[1].chars().count() <= SHOWN + 2);
    }
}
