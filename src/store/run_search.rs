//! Lists of runs: the query `runs_list`, filtered, sorted, and with columns beside its own.

use super::Rows;
use super::queries::RUNS_LIST;
use super::run_columns::{FACTS, Fact, RunColumn};
use super::value::Value;
use super::{Result, Store};
use crate::record::{CheckpointId, Role, RunId};

/// Which runs are wanted, and what of them.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct RunSearch {
    /// What all of them must fulfil.
    pub filters: Vec<RunFilter>,
    /// What they are sorted by; the newest first where it is absent.
    pub order: Option<RunOrder>,
    /// Columns of the query `runs_list` that are not wanted, and so not looked up.
    pub without: Vec<&'static str>,
    /// Columns beside those of the query `runs_list`, each with the name that it bears in the answer.
    pub more: Vec<(String, RunColumn)>,
    /// No more than this many.
    pub limit: Option<u32>,
    /// Where they are.
    pub place: Place,
}

impl RunSearch {
    /// The columns of the query `runs_list` that are wanted.
    fn facts(&self) -> impl Iterator<Item = &'static Fact> + '_ {
        FACTS.iter().filter(|fact| !self.without.contains(&fact.name))
    }
}

/// Where a run is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Place {
    /// Where all commands find it.
    #[default]
    Kept,
    /// In the trash.
    Trash,
}

/// By what runs are sorted. Those without a value come last.
#[derive(Debug, Clone, PartialEq)]
pub struct RunOrder {
    /// The value.
    pub column: RunColumn,
    /// The direction.
    pub direction: Direction,
}

/// The direction of an order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// The lowest first.
    Ascending,
    /// The highest first.
    Descending,
}

/// What a run must fulfil.
#[derive(Debug, Clone, PartialEq)]
pub enum RunFilter {
    /// Its kind is one of these.
    Kinds(Vec<String>),
    /// Its state is one of these.
    States(Vec<String>),
    /// It has this tag, with this value if one is given.
    Tag(String, Option<String>),
    /// Its model's path or name contains this text, whatever the case, or its hash begins with it.
    Model(Role, String),
    /// It used, judged, went on from or made this adapter.
    Adapter(CheckpointId),
    /// It has a value.
    Has(RunColumn),
    /// Its value compares so. A run without the value does not fulfil it.
    Compare(RunColumn, Comparison, Operand),
    /// It has no value.
    Lacks(RunColumn),
}

/// How a value is compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Comparison {
    /// As number or as text.
    Equal,
    /// Neither as number nor as text.
    NotEqual,
    /// Lower.
    Less,
    /// Not higher.
    AtMost,
    /// Higher.
    Greater,
    /// Not lower.
    AtLeast,
    /// Has this text in it, whatever the case.
    Contains,
}

/// What a value is compared with: text as it was typed, and the number that it is, if it is one.
#[derive(Debug, Clone, PartialEq)]
pub struct Operand {
    /// The text.
    pub text: String,
    /// The number.
    pub number: Option<f64>,
}

impl Store {
    /// Lists runs with the columns of the query `runs_list` and those that are asked for beside them.
    ///
    /// # Errors
    /// If the database cannot be read.
    pub fn list_runs(&self, search: &RunSearch) -> Result<Rows> {
        let (sql, parameters) = statement(search);
        let parameters: Vec<(&str, Value)> =
            parameters.iter().map(|(name, value)| (name.as_str(), value.clone())).collect();
        let mut rows = self.answer(RUNS_LIST, &sql, &parameters)?;
        let names = search.facts().map(|fact| fact.name.to_owned());
        rows.columns = names.chain(search.more.iter().map(|(name, _)| name.clone())).collect();
        Ok(rows)
    }

    /// Lists the keys of the settings of which some of these runs have one value, and others another.
    ///
    /// # Errors
    /// If the database cannot be read.
    pub fn differing_settings(&self, runs: &[RunId]) -> Result<Vec<String>> {
        self.read(|connection| {
            let mut statement = connection.prepare(
                "SELECT s.key
                FROM json_each(?1) AS asked
                JOIN run_settings AS s ON s.run_id = asked.value
                GROUP BY s.key
                HAVING min(s.value) <> max(s.value)
                ORDER BY s.key",
            )?;
            let runs = serde_json::to_string(runs).expect("ids are numbers");
            let keys = statement.query_map([runs], |row| row.get(0))?;
            Ok(keys.collect::<rusqlite::Result<_>>()?)
        })
    }
}

/// The statement for a search, and the values that it binds.
fn statement(search: &RunSearch) -> (String, Vec<(String, Value)>) {
    let limit = search.limit.map_or(-1, i64::from);
    let takes_all = search.filters.is_empty() && search.order.is_none();
    let mut bound = Bound(vec![
        (":in_trash".to_owned(), i64::from(search.place == Place::Trash).into()),
        (":limit".to_owned(), if takes_all { limit } else { -1 }.into()),
    ]);
    let columns = search.facts().map(|fact| format!("l.{}", fact.name));
    let mut columns: Vec<String> = columns.collect();
    columns.extend(search.more.iter().map(|(_, column)| shown(column, &mut bound)));
    let conditions: Vec<String> = search.filters.iter().map(|filter| condition(filter, &mut bound)).collect();
    let filter = if conditions.is_empty() { "1".to_owned() } else { conditions.join(" AND ") };
    let order = search.order.as_ref().map(|order| order_by(order, &mut bound)).unwrap_or_default();
    let list = RUNS_LIST.sql.trim_end().trim_end_matches(';');
    let limit = bound.value(limit.into());
    let sql = format!(
        "SELECT {} FROM ({list}) AS l WHERE {filter} ORDER BY {order}l.run_id DESC LIMIT {limit}",
        columns.join(", ")
    );
    (sql, bound.0)
}

/// The values that a statement binds, by the names that they have in it.
struct Bound(Vec<(String, Value)>);

impl Bound {
    /// Binds a value, and returns the name that it has in the statement.
    fn value(&mut self, value: Value) -> String {
        let name = format!(":value_{}", self.0.len());
        self.0.push((name.clone(), value));
        name
    }

    fn text(&mut self, text: &str) -> String {
        self.value(text.into())
    }

    /// Binds a list, and returns the rows that it stands for.
    fn list(&mut self, texts: &[String]) -> String {
        let list = serde_json::to_string(texts).expect("text is JSON");
        format!("(SELECT value FROM json_each({}))", self.value(Value::Text(list)))
    }
}

/// A value as it is shown: a setting as JSON, in which text has quotes.
fn shown(column: &RunColumn, bound: &mut Bound) -> String {
    match column {
        RunColumn::Setting(key) => of_setting("s.value", key, bound),
        RunColumn::Tag(_) => text(column, bound),
        RunColumn::Fact(_) | RunColumn::Figure(..) => number(column, bound),
    }
}

/// A value as a number; NULL where it is none.
fn number(column: &RunColumn, bound: &mut Bound) -> String {
    match column {
        RunColumn::Fact(fact) => format!("l.{}", fact.name),
        RunColumn::Figure(figure, mode) => {
            let sql = figure.sql;
            let modes = match mode {
                Some(mode) => format!("f.mode = {}", bound.text(mode.as_str())),
                None => "f.mode <> 'control'".to_owned(),
            };
            format!(
                "(
                    SELECT {sql}
                    FROM mode_summaries AS f
                    JOIN modes AS m ON m.mode = f.mode
                    LEFT JOIN mode_summaries AS target ON target.run_id = f.run_id AND target.mode = 'target_only'
                    LEFT JOIN mode_summaries AS base ON base.run_id = f.run_id AND base.mode = 'spec_base'
                    WHERE f.run_id = l.run_id AND {modes} AND ({sql}) IS NOT NULL
                    ORDER BY m.display_order DESC
                    LIMIT 1
                )"
            )
        }
        RunColumn::Setting(key) => of_setting("s.number", key, bound),
        // Text that is a number in JSON is one.
        RunColumn::Tag(key) => of_tag(
            "CASE WHEN json_valid(t.value) THEN
                CASE WHEN json_type(t.value) IN ('integer', 'real') THEN CAST(t.value AS REAL) END
            END",
            key,
            bound,
        ),
    }
}

/// A value as text, a setting's without the quotes that its JSON has; NULL where there is none.
fn text(column: &RunColumn, bound: &mut Bound) -> String {
    match column {
        RunColumn::Fact(_) | RunColumn::Figure(..) => number(column, bound),
        RunColumn::Setting(key) => of_setting(
            "CASE json_type(s.value)
                WHEN 'text' THEN json_extract(s.value, '$')
                WHEN 'null' THEN NULL
                ELSE s.value
            END",
            key,
            bound,
        ),
        RunColumn::Tag(key) => of_tag("t.value", key, bound),
    }
}

fn of_setting(what: &str, key: &str, bound: &mut Bound) -> String {
    let key = bound.text(key);
    format!("(SELECT {what} FROM run_settings AS s WHERE s.run_id = l.run_id AND s.key = {key})")
}

fn of_tag(what: &str, key: &str, bound: &mut Bound) -> String {
    let key = bound.text(key);
    format!("(SELECT {what} FROM run_tags AS t WHERE t.run_id = l.run_id AND t.key = {key})")
}

fn condition(filter: &RunFilter, bound: &mut Bound) -> String {
    match filter {
        RunFilter::Kinds(kinds) => format!("l.kind IN {}", bound.list(kinds)),
        RunFilter::States(states) => format!("l.state IN {}", bound.list(states)),
        RunFilter::Tag(key, None) => format!("{} IS NOT NULL", of_tag("t.value", key, bound)),
        RunFilter::Tag(key, Some(value)) => {
            format!("{} = {}", of_tag("t.value", key, bound), bound.text(value))
        }
        RunFilter::Model(role, part) => model(*role, part, bound),
        RunFilter::Adapter(checkpoint) => adapter(*checkpoint, bound),
        RunFilter::Has(column) => format!("{} IS NOT NULL", text(column, bound)),
        RunFilter::Lacks(column) => format!("{} IS NULL", text(column, bound)),
        RunFilter::Compare(column, comparison, operand) => compare(column, *comparison, operand, bound),
    }
}

fn model(role: Role, part: &str, bound: &mut Bound) -> String {
    let (role, part) = (bound.text(role.as_str()), bound.text(part));
    format!(
        "EXISTS (
            SELECT 1
            FROM run_models AS rm
            JOIN models AS m ON m.id = rm.model_id
            WHERE rm.run_id = l.run_id AND rm.role = {role}
                AND (instr(lower(rm.path), lower({part})) > 0 OR instr(lower(m.name), lower({part})) > 0
                    OR substr(m.sha256, 1, length({part})) = lower({part}))
        )"
    )
}

fn adapter(checkpoint: CheckpointId, bound: &mut Bound) -> String {
    let id = bound.value(checkpoint.0.into());
    format!(
        "(
            l.checkpoint_id = {id}
            OR l.run_id IN (SELECT tc.run_id FROM train_checkpoints AS tc WHERE tc.checkpoint_id = {id})
            OR l.run_id IN (SELECT pe.run_id FROM prompt_evaluations AS pe WHERE pe.checkpoint_id = {id})
        )"
    )
}

/// Compares as numbers where both sides can be, else as text; for equality as either.
fn compare(column: &RunColumn, comparison: Comparison, operand: &Operand, bound: &mut Bound) -> String {
    let ordered = |operator: &str, bound: &mut Bound| match operand.number.filter(|_| column.can_be_number())
    {
        Some(value) => format!("{} {operator} {}", number(column, bound), bound.value(Value::Real(value))),
        None => format!("{} {operator} {}", text(column, bound), bound.text(&operand.text)),
    };
    match comparison {
        Comparison::Less => ordered("<", bound),
        Comparison::AtMost => ordered("<=", bound),
        Comparison::Greater => ordered(">", bound),
        Comparison::AtLeast => ordered(">=", bound),
        Comparison::Equal => equal(column, operand, bound),
        Comparison::NotEqual => {
            format!("({} IS NOT NULL AND NOT {})", text(column, bound), equal(column, operand, bound))
        }
        Comparison::Contains => {
            // SQLite lowers ASCII alone, so it has to lower both sides.
            let part = bound.text(&operand.text);
            format!("instr(lower({}), lower({part})) > 0", text(column, bound))
        }
    }
}

fn equal(column: &RunColumn, operand: &Operand, bound: &mut Bound) -> String {
    let mut ways = Vec::new();
    if let Some(value) = operand.number.filter(|_| column.can_be_number()) {
        ways.push(format!("coalesce({} = {}, 0)", number(column, bound), bound.value(Value::Real(value))));
    }
    if column.can_be_text() {
        ways.push(format!("coalesce({} = {}, 0)", text(column, bound), bound.text(&operand.text)));
    }
    // A number is equal to no text.
    if ways.is_empty() { "0".to_owned() } else { format!("({})", ways.join(" OR ")) }
}

fn order_by(order: &RunOrder, bound: &mut Bound) -> String {
    let direction = match order.direction {
        Direction::Ascending => "ASC",
        Direction::Descending => "DESC",
    };
    let (number, text) = (number(&order.column, bound), text(&order.column, bound));
    format!("{text} IS NULL, {number} {direction}, {text} {direction}, ")
}

#[cfg(test)]
mod tests;
