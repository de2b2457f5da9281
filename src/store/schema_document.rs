//! `docs/schema.md`: made from a database of this program and the words of `docs/schema.toml`, and compared here, so that no
//! table, column or view is without a meaning. `UPDATE_DOCS=1 cargo test --lib schema_document` writes it anew.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;

use serde::Deserialize;

use super::{Store, sample};

/// `docs/schema.toml`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Words {
    introduction: String,
    sections: Vec<Section>,
    objects: BTreeMap<String, Object>,
}

/// Tables and views that are shown together.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Section {
    title: String,
    names: Vec<String>,
}

/// What is said of a table or view.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Object {
    about: String,
    /// Another one, whose words hold for columns of the same name.
    like: Option<String>,
    columns: BTreeMap<String, String>,
}

impl Words {
    fn read() -> Self {
        toml::from_str(&std::fs::read_to_string(place("docs/schema.toml")).unwrap()).unwrap()
    }

    fn of_column(&self, object: &str, column: &str) -> Option<&str> {
        let words = self.objects.get(object)?;
        let like = || self.of_column(words.like.as_deref()?, column);
        words.columns.get(column).map(String::as_str).or_else(like)
    }
}

/// A column as the database knows it.
struct Column {
    name: String,
    r#type: String,
    is_nullable: bool,
    /// Place in the primary key, from 1; 0 where it is not part of it.
    key: i64,
    is_computed: bool,
}

fn place(path: &str) -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

/// A database in which every view has rows.
fn filled() -> (tempfile::TempDir, Store) {
    let (folder, mut store) = sample::store();
    sample::fill(&mut store);
    sample::fill_training(&mut store);
    (folder, store)
}

/// The tables and views, with their kinds.
fn objects(store: &Store) -> BTreeMap<String, String> {
    let sql =
        "SELECT name, type FROM sqlite_schema WHERE type IN ('table', 'view') AND name NOT LIKE 'sqlite_%'";
    let mut statement = store.connection.prepare(sql).unwrap();
    let objects = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?))).unwrap();
    objects.map(|object| object.unwrap()).collect()
}

fn columns(store: &Store, object: &str) -> Vec<Column> {
    let sql = "SELECT name, type, \"notnull\", pk, hidden FROM pragma_table_xinfo(?1) ORDER BY cid";
    let mut statement = store.connection.prepare(sql).unwrap();
    let column = |row: &rusqlite::Row<'_>| {
        let (is_not_null, key): (bool, i64) = (row.get(2)?, row.get(3)?);
        Ok(Column {
            name: row.get(0)?,
            r#type: row.get(1)?,
            is_nullable: !is_not_null && key == 0,
            key,
            is_computed: row.get::<_, i64>(4)? > 1,
        })
    };
    statement.query_map([object], column).unwrap().map(|column| column.unwrap()).collect()
}

/// The types of a view's column in rows that are there, and whether it is NULL in any.
fn seen_types(store: &Store, view: &str, column: &str) -> (String, bool) {
    let sql = format!("SELECT DISTINCT upper(typeof(\"{column}\")) FROM \"{view}\" ORDER BY 1");
    let types: Vec<String> = sample::column(store, &sql);
    let is_null = types.iter().any(|found| found == "NULL");
    let types: Vec<String> = types.into_iter().filter(|found| found != "NULL").collect();
    assert_eq!(types.len(), 1, "{view}.{column} has the types {types:?} in the sample");
    (types.concat(), is_null)
}

/// Where a table's columns refer to: columns, table, its columns, and what deleting does.
fn references(store: &Store, table: &str) -> Vec<(String, String, String, String)> {
    let sql = "SELECT group_concat(\"from\", ', '), \"table\", group_concat(\"to\", ', '), lower(on_delete)
        FROM (SELECT * FROM pragma_foreign_key_list(?1) ORDER BY id DESC, seq)
        GROUP BY id
        ORDER BY id DESC";
    let mut statement = store.connection.prepare(sql).unwrap();
    let row = |row: &rusqlite::Row<'_>| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?));
    statement.query_map([table], row).unwrap().map(|row| row.unwrap()).collect()
}

/// The indexes of a table that are not its primary key, in words.
fn indexes(store: &Store, table: &str) -> Vec<String> {
    let sql = "SELECT
            i.name,
            i.\"unique\",
            i.origin,
            (
                SELECT group_concat(coalesce(c.name, 'an expression'), ', ')
                FROM (SELECT name FROM pragma_index_info(i.name) ORDER BY seqno) AS c
            ),
            (SELECT sql FROM sqlite_schema WHERE name = i.name)
        FROM pragma_index_list(?1) AS i
        WHERE i.origin <> 'pk'
        ORDER BY i.seq DESC";
    let mut statement = store.connection.prepare(sql).unwrap();
    let index = |row: &rusqlite::Row<'_>| {
        let (name, is_unique, origin, columns, sql): (String, bool, String, String, Option<String>) =
            (row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?, row.get(4)?);
        let condition =
            sql.as_deref().and_then(|sql| sql.split_once(" WHERE ")).map(|(_, condition)| condition.trim());
        let condition = condition.map_or(String::new(), |condition| format!(" where `{condition}`"));
        let unique = if is_unique { "unique " } else { "" };
        Ok(match origin.as_str() {
            "u" => format!("unique ({columns})"),
            _ => format!("`{name}`: {unique}({columns}){condition}"),
        })
    };
    statement.query_map([table], index).unwrap().map(|index| index.unwrap()).collect()
}

/// The row of a column, and what its words lack.
fn column_row(
    store: &Store,
    words: &Words,
    (object, kind): (&str, &str),
    column: &Column,
) -> (String, Option<String>) {
    let name = &column.name;
    let Some(meaning) = words.of_column(object, name) else {
        return (String::new(), Some(format!("{object}.{name} has no meaning")));
    };
    let says_null = meaning.contains("NULL");
    let (r#type, is_nullable, must_say) = if kind == "view" {
        let (r#type, is_null) = seen_types(store, object, name);
        (r#type, says_null, is_null)
    } else {
        let computed = if column.is_computed { ", computed" } else { "" };
        let key = if column.key > 0 { ", key" } else { "" };
        (format!("{}{key}{computed}", column.r#type), column.is_nullable, column.is_nullable)
    };
    let lack = (must_say && !says_null).then(|| format!("{object}.{name} does not say when it is NULL"));
    let null = if is_nullable { "may be" } else { "never" };
    let meaning = meaning.replace('\n', " ").replace('|', "\\|");
    (format!("| `{name}` | {type} | {null} | {meaning} |\n"), lack)
}

/// The text of `docs/schema.md`, and what its words lack.
fn document(store: &Store, words: &Words) -> (String, Vec<String>) {
    let mut text = String::from(
        "# The database\n\n<!-- Made from docs/schema.toml: UPDATE_DOCS=1 cargo test --lib schema_document -->\n\n",
    );
    text += words.introduction.trim();
    text.push('\n');
    let mut lacks = vec![];
    let mut objects = objects(store);
    for section in &words.sections {
        write!(text, "\n## {}\n", section.title).unwrap();
        for name in &section.names {
            let Some(kind) = objects.remove(name) else {
                lacks.push(format!("there is no {name}, or it is in two sections"));
                continue;
            };
            lacks.extend(write_object(&mut text, store, words, (name, &kind)));
        }
    }
    lacks.extend(objects.keys().map(|name| format!("{name} is in no section")));
    (text, lacks)
}

/// Writes of one table or view, and returns what its words lack.
fn write_object(text: &mut String, store: &Store, words: &Words, (name, kind): (&str, &str)) -> Vec<String> {
    let Some(object) = words.objects.get(name) else {
        return vec![format!("{name} has no meaning")];
    };
    let label = if kind == "view" { " (view)" } else { "" };
    write!(text, "\n### {name}{label}\n\n{}\n\n", object.about.trim()).unwrap();
    write!(text, "| Column | Type | NULL | Meaning |\n| --- | --- | --- | --- |\n").unwrap();
    let columns = columns(store, name);
    let mut lacks = vec![];
    for column in &columns {
        let (row, lack) = column_row(store, words, (name, kind), column);
        *text += &row;
        lacks.extend(lack);
    }
    let is_there = |described: &&String| columns.iter().any(|column| column.name == **described);
    lacks.extend(object.columns.keys().filter(|c| !is_there(c)).map(|c| format!("there is no {name}.{c}")));
    write_keys(text, store, name, &columns);
    lacks
}

/// Writes a table's key of several columns, its references and its indexes.
fn write_keys(text: &mut String, store: &Store, table: &str, columns: &[Column]) {
    let mut key: Vec<&Column> = columns.iter().filter(|column| column.key > 0).collect();
    key.sort_by_key(|column| column.key);
    let mut lines = vec![];
    if key.len() > 1 {
        let names: Vec<&str> = key.iter().map(|column| column.name.as_str()).collect();
        lines.push(format!("Key: ({})", names.join(", ")));
    }
    for (from, to_table, to, on_delete) in references(store, table) {
        lines.push(format!("{from} → [{to_table}](#{to_table}) ({to}), on delete {on_delete}"));
    }
    lines.extend(indexes(store, table).into_iter().map(|index| format!("Index {index}")));
    if !lines.is_empty() {
        write!(text, "\n{}\n", lines.iter().map(|line| format!("- {line}")).collect::<Vec<_>>().join("\n"))
            .unwrap();
    }
}

#[test]
fn document_of_the_schema_is_complete_and_up_to_date() {
    let (_folder, store) = filled();
    let words = Words::read();
    let (text, lacks) = document(&store, &words);
    assert_eq!(lacks, [] as [String; 0], "docs/schema.toml says everything and nothing more");
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::write(place("docs/schema.md"), &text).unwrap();
    }
    let found = std::fs::read_to_string(place("docs/schema.md")).unwrap_or_default();
    assert!(found == text, "docs/schema.md is out of date: UPDATE_DOCS=1 cargo test --lib schema_document");
}

#[test]
#[expect(clippy::print_stderr, reason = "a test that is skipped says so")]
fn plain_sqlite3_selects_from_every_view() {
    use std::process::Command;

    let (_folder, store) = filled();
    let path = store.path().to_owned();
    let views: Vec<String> =
        sample::column(&store, "SELECT name FROM sqlite_schema WHERE type = 'view' ORDER BY name");
    let counts: Vec<i64> = views.iter().map(|view| sample::count(&store, view)).collect();
    drop(store);
    let Ok(version) = Command::new("sqlite3").arg("--version").output() else {
        eprintln!("skipped: there is no sqlite3 program on this machine");
        return;
    };
    assert!(version.status.success() && !views.is_empty());
    for (view, count) in views.iter().zip(counts) {
        let sql = format!("SELECT * FROM {view}; SELECT count(*) FROM {view};");
        let answer =
            Command::new("sqlite3").args(["-readonly", "-json"]).arg(&path).arg(sql).output().unwrap();
        let (text, problem) =
            (String::from_utf8_lossy(&answer.stdout), String::from_utf8_lossy(&answer.stderr));
        assert!(answer.status.success() && problem.is_empty(), "{view}: {problem}");
        assert!(
            text.trim_end().ends_with(&format!("[{{\"count(*)\":{count}}}]")) && count > 0,
            "{view}: {text}"
        );
    }
}
