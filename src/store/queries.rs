//! The statements of `queries/`: what the command line prints, and anyone may copy.

use rusqlite::{Connection, Statement};
use serde::Serialize;

use super::value::Value;
use super::{Error, Result, Store, runs};

/// The parameter that the store fills in.
const CRASHED_RUN_IDS: &str = ":crashed_run_ids";
/// The parameter that is 0 where it is not given.
const IN_TRASH: &str = ":in_trash";

/// A statement that answers one question.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Query {
    /// Its name: that of its file.
    pub name: &'static str,
    /// The statement, with its comments.
    pub sql: &'static str,
}

/// Declares the queries by the names of their files.
macro_rules! queries {
    ($($constant:ident = $name:literal),+ $(,)?) => {
        $(pub(super) const $constant: Query = Query {
            name: $name,
            sql: include_str!(concat!("../../queries/", $name, ".sql")),
        };)+

        impl Query {
            /// Every query, in the order of their names.
            pub const ALL: &'static [Self] = &[$($constant),+];
        }
    };
}

queries!(
    ACCEPTANCE_BY_POSITION = "acceptance_by_position",
    CHECKPOINT_LINEAGE = "checkpoint_lineage",
    CHECKPOINTS = "checkpoints",
    COLLECT_COUNTERS = "collect_counters",
    DISAGREEMENTS = "disagreements",
    DRAFT_EVALUATIONS = "draft_evaluations",
    EXAMPLE_DISAGREEMENTS = "example_disagreements",
    EXAMPLES = "examples",
    GENERATION_SPEEDS = "generation_speeds",
    GENERATIONS = "generations",
    LEAKAGE = "leakage",
    MODE_METRICS = "mode_metrics",
    PROMPT_EVALUATIONS = "prompt_evaluations",
    PROMPT_METRICS = "prompt_metrics",
    PROMPT_SPEEDUPS = "prompt_speedups",
    RELATED_RUNS = "related_runs",
    ROUNDS = "rounds",
    RUN_ERRORS = "run_errors",
    RUN_MODELS = "run_models",
    RUN_NOTES = "run_notes",
    RUN_PROMPTS = "run_prompts",
    RUN_SETTINGS = "run_settings",
    RUN_SHOW = "run_show",
    RUNS_BY_STATE = "runs_by_state",
    RUNS_LIST = "runs_list",
    TRAIN_EVALUATIONS = "train_evaluations",
    TRAIN_STEPS = "train_steps",
);

impl Query {
    /// Finds a query by its name.
    ///
    /// # Errors
    /// If there is none of that name.
    pub fn find(name: &str) -> Result<Self> {
        let found = Self::ALL.iter().find(|query| query.name == name);
        found.copied().ok_or_else(|| {
            let known: Vec<_> = Self::ALL.iter().map(|query| query.name).collect();
            Error::NoQuery { name: name.to_owned(), known: known.join(", ") }
        })
    }
}

/// The answer to a query: named columns, and rows of as many values.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Rows {
    /// The names of the columns.
    pub columns: Vec<String>,
    /// The rows.
    pub rows: Vec<Vec<Value>>,
}

impl Rows {
    /// Returns the value of a column in a row, if there are both.
    #[cfg(test)]
    pub fn get(&self, row: usize, column: &str) -> Option<&Value> {
        let index = self.columns.iter().position(|name| name == column)?;
        self.rows.get(row)?.get(index)
    }
}

impl Store {
    /// Answers the query of that name. Each of its parameters must be given, with its colon
    /// (`(":run_id", run.into())`); only two need not: `:crashed_run_ids`, for which the store
    /// asks which processes are gone, and `:in_trash`, which is 0.
    ///
    /// # Errors
    /// If there is no such query, or parameters are missing or unknown.
    pub fn query(&self, name: &str, parameters: &[(&str, Value)]) -> Result<Rows> {
        let query = Query::find(name)?;
        self.answer(query.name, query.sql, parameters)
    }

    /// Answers a statement, which errors call by the name of the query that it is made of.
    pub(super) fn answer(&self, name: &'static str, sql: &str, parameters: &[(&str, Value)]) -> Result<Rows> {
        self.read(|connection| {
            let mut statement = connection.prepare(sql)?;
            let parameters = completed(connection, &parameter_names(&statement), parameters)?;
            bind(&mut statement, name, &parameters)?;
            let columns: Vec<String> = statement.column_names().into_iter().map(str::to_owned).collect();
            let mut answer = statement.raw_query();
            let mut rows = Vec::new();
            while let Some(row) = answer.next()? {
                let values = (0..columns.len()).map(|index| Ok(row.get_ref(index)?.into()));
                rows.push(values.collect::<rusqlite::Result<_>>()?);
            }
            Ok(Rows { columns, rows })
        })
    }
}

/// Binds every parameter of a query's statement, and refuses those that it does not have.
fn bind(statement: &mut Statement<'_>, query: &'static str, parameters: &[(&str, Value)]) -> Result<()> {
    let names = parameter_names(statement);
    let known = names.join(", ");
    if let Some((unknown, _)) = parameters.iter().find(|(name, _)| !names.iter().any(|known| known == name)) {
        return Err(Error::UnknownParameter { query, parameter: (*unknown).to_owned(), known });
    }
    for (index, name) in (1..).zip(&names) {
        let Some((_, value)) = parameters.iter().find(|(given, _)| given == name) else {
            return Err(Error::MissingParameter { query, parameter: name.clone(), known });
        };
        statement.raw_bind_parameter(index, value)?;
    }
    Ok(())
}

/// The names of a statement's parameters, each with its colon.
fn parameter_names(statement: &Statement<'_>) -> Vec<String> {
    let name = |index| statement.parameter_name(index).map(str::to_owned);
    (1..=statement.parameter_count()).filter_map(name).collect()
}

/// The given parameters, and what need not be given where a query asks for it: which runs have crashed, which the store
/// itself finds out, and whether runs are in the trash, which most are not.
fn completed<'a>(
    connection: &Connection,
    names: &[String],
    parameters: &[(&'a str, Value)],
) -> Result<Vec<(&'a str, Value)>> {
    let mut parameters = parameters.to_vec();
    let is_missing = |parameters: &[(&str, Value)], asked: &str| {
        names.iter().any(|name| name == asked) && !parameters.iter().any(|(given, _)| *given == asked)
    };
    if is_missing(&parameters, IN_TRASH) {
        parameters.push((IN_TRASH, Value::Integer(0)));
    }
    if is_missing(&parameters, CRASHED_RUN_IDS) {
        let crashed = serde_json::to_string(&runs::crashed(connection)?).expect("ids are numbers");
        parameters.push((CRASHED_RUN_IDS, Value::Text(crashed)));
    }
    Ok(parameters)
}

#[cfg(test)]
mod tests;
