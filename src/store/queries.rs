//! The statements of `queries/`: what the command line prints, and anyone may copy.

use rusqlite::{Connection, Statement};
use serde::Serialize;

use super::value::Value;
use super::{Error, Result, Store, runs};

/// The parameter that the store fills in.
const CRASHED_RUN_IDS: &str = ":crashed_run_ids";

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
    COMPARE_GENERATIONS = "compare_generations",
    DISAGREEMENTS = "disagreements",
    DRAFT_EVALUATIONS = "draft_evaluations",
    EXAMPLE_DISAGREEMENTS = "example_disagreements",
    EXAMPLES = "examples",
    GENERATIONS = "generations",
    LEAKAGE = "leakage",
    MODE_METRICS = "mode_metrics",
    PROMPT_EVALUATIONS = "prompt_evaluations",
    PROMPT_METRICS = "prompt_metrics",
    PROMPT_SPEEDUPS = "prompt_speedups",
    ROUNDS = "rounds",
    RUN_ERRORS = "run_errors",
    RUN_EXAMPLES = "run_examples",
    RUN_MODELS = "run_models",
    RUN_PROMPTS = "run_prompts",
    RUN_SETTINGS = "run_settings",
    RUN_SHOW = "run_show",
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
    /// (`(":run_id", run.into())`); only `:crashed_run_ids` need not: the store asks which processes are gone.
    ///
    /// # Errors
    /// If there is no such query, or parameters are missing or unknown.
    pub fn query(&self, name: &str, parameters: &[(&str, Value)]) -> Result<Rows> {
        let query = Query::find(name)?;
        self.read(|connection| {
            let mut statement = connection.prepare(query.sql)?;
            let parameters = completed(connection, &parameter_names(&statement), parameters)?;
            bind(&mut statement, query, &parameters)?;
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
pub(super) fn bind(statement: &mut Statement<'_>, query: Query, parameters: &[(&str, Value)]) -> Result<()> {
    let names = parameter_names(statement);
    let known = names.join(", ");
    if let Some((unknown, _)) = parameters.iter().find(|(name, _)| !names.iter().any(|known| known == name)) {
        return Err(Error::UnknownParameter { query: query.name, parameter: (*unknown).to_owned(), known });
    }
    for (index, name) in (1..).zip(&names) {
        let Some((_, value)) = parameters.iter().find(|(given, _)| given == name) else {
            return Err(Error::MissingParameter { query: query.name, parameter: name.clone(), known });
        };
        statement.raw_bind_parameter(index, value)?;
    }
    Ok(())
}

/// The names of a statement's parameters, each with its colon.
pub(super) fn parameter_names(statement: &Statement<'_>) -> Vec<String> {
    let name = |index| statement.parameter_name(index).map(str::to_owned);
    (1..=statement.parameter_count()).filter_map(name).collect()
}

/// The given parameters, and what the store itself knows where a query asks for it: which runs have crashed.
pub(super) fn completed<'a>(
    connection: &Connection,
    names: &[String],
    parameters: &[(&'a str, Value)],
) -> Result<Vec<(&'a str, Value)>> {
    let mut parameters = parameters.to_vec();
    let is_given = parameters.iter().any(|(name, _)| *name == CRASHED_RUN_IDS);
    if !is_given && names.iter().any(|name| name == CRASHED_RUN_IDS) {
        let crashed = serde_json::to_string(&runs::crashed(connection)?).expect("ids are numbers");
        parameters.push((CRASHED_RUN_IDS, Value::Text(crashed)));
    }
    Ok(parameters)
}

#[cfg(test)]
mod tests;
