//! The statements of `queries/`: what the command line prints, and anyone may copy.

mod header;

use rusqlite::{CachedStatement, Connection, Statement};

use super::answer::{Receiver, Rows, stream_rows};
use super::value::Value;
use super::{Error, Result, Store, runs};
use crate::nearest::nearest;
use crate::record::RunId;

pub use header::Parameter;

/// The parameter that the store fills in.
const CRASHED_RUN_IDS: &str = ":crashed_run_ids";

/// The parameter of queries about one run.
const RUN_ID: &str = ":run_id";

/// A statement that answers one question.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Query {
    /// Its name: that of its file.
    pub name: &'static str,
    /// What people who do not know this name ask for.
    pub other_name: Option<&'static str>,
    /// The statement, with its comments.
    pub sql: &'static str,
}

/// Declares the queries by the names of their files.
macro_rules! queries {
    ($($constant:ident = $name:literal),+ $(,)?) => {
        $(pub(super) const $constant: Query = Query {
            name: $name,
            other_name: other_name($name),
            sql: include_str!(concat!("../../queries/", $name, ".sql")),
        };)+

        impl Query {
            /// Every query, in the order of their names.
            pub const ALL: &'static [Self] = &[$($constant),+];
        }
    };
}

queries!(
    ACCEPTANCE_BY_CATEGORY = "acceptance_by_category",
    ACCEPTANCE_BY_POSITION = "acceptance_by_position",
    ACCEPTED_PER_ROUND = "accepted_per_round",
    CHECKPOINT_GAIN = "checkpoint_gain",
    CHECKPOINT_LINEAGE = "checkpoint_lineage",
    CHECKPOINTS = "checkpoints",
    COLLECT_COUNTERS = "collect_counters",
    COMPARE_GENERATIONS = "compare_generations",
    DISAGREEMENTS = "disagreements",
    DRAFT_EVALUATIONS = "draft_evaluations",
    EXAMPLE_DISAGREEMENTS = "example_disagreements",
    EXAMPLES = "examples",
    GENERATION_SPEEDS = "generation_speeds",
    GENERATIONS = "generations",
    HARDEST_PROMPTS = "hardest_prompts",
    LEADERBOARD = "leaderboard",
    LEAKAGE = "leakage",
    LORA_IMPROVEMENT = "lora_improvement",
    MODE_METRICS = "mode_metrics",
    OUTPUTS_THAT_DIFFER = "outputs_that_differ",
    PROMPT_EVALUATIONS = "prompt_evaluations",
    PROMPT_METRICS = "prompt_metrics",
    PROMPT_SPEEDUPS = "prompt_speedups",
    RELATED_RUNS = "related_runs",
    ROUNDS = "rounds",
    RUN_ERRORS = "run_errors",
    RUN_EXAMPLES = "run_examples",
    RUN_MODELS = "run_models",
    RUN_NOTES = "run_notes",
    RUN_PROMPTS = "run_prompts",
    RUN_SETTINGS = "run_settings",
    RUN_SHOW = "run_show",
    RUNS_BY_HOST = "runs_by_host",
    RUNS_BY_STATE = "runs_by_state",
    RUNS_LIST = "runs_list",
    SPEED_OVER_TIME = "speed_over_time",
    TIME_BY_PHASE = "time_by_phase",
    TOKENS_BY_STOP_REASON = "tokens_by_stop_reason",
    TRAIN_EVALUATIONS = "train_evaluations",
    TRAIN_STEPS = "train_steps",
    TRAINING_CURVE = "training_curve",
);

/// The second name of a query whose first one is a view's.
const fn other_name(name: &str) -> Option<&'static str> {
    // Names are told apart by their bytes: comparing text is not for constants.
    match name.as_bytes() {
        b"mode_metrics" => Some("speed_by_mode"),
        b"checkpoint_lineage" => Some("adapter_lineage"),
        _ => None,
    }
}

impl Query {
    /// Finds a query by its name, or its other one; hyphens are as good as underscores.
    ///
    /// # Errors
    /// If there is none of that name.
    pub fn find(name: &str) -> Result<Self> {
        let wanted = name.replace('-', "_");
        let found = Self::ALL.iter().find(|query| query.names().any(|name| name == wanted));
        found.copied().ok_or_else(|| Error::NoQuery {
            name: name.to_owned(),
            nearest: nearest(&wanted, Self::ALL.iter().flat_map(Self::names)),
        })
    }

    fn names(&self) -> impl Iterator<Item = &'static str> + use<> {
        [Some(self.name), self.other_name].into_iter().flatten()
    }
}

impl Store {
    /// Answers the query of that name. Each of its parameters must be given, with its colon (`(":run_id", run.into())`), but
    /// for those that have a default, and for `:crashed_run_ids`: the store asks which processes are gone.
    ///
    /// # Errors
    /// If there is no such query, or parameters are missing or unknown.
    pub fn query(&self, name: &str, parameters: &[(&str, Value)]) -> Result<Rows> {
        let query = Query::find(name)?;
        self.answer(query, query.sql, parameters)
    }

    /// Answers a statement that is made of a query's.
    pub(super) fn answer(&self, query: Query, sql: &str, parameters: &[(&str, Value)]) -> Result<Rows> {
        let explain = |error: Error| error.in_file(&self.path);
        let mut rows = Rows::default();
        let mut statement = prepared(&self.connection, query, sql, parameters).map_err(explain)?;
        stream_rows(&mut statement, &mut rows, |error| explain(error.into()))?;
        Ok(rows)
    }

    /// The same, row by row.
    ///
    /// # Errors
    /// If parameters are missing or unknown, or the receiver does not take what it is given.
    pub fn stream_query<R: Receiver>(
        &self,
        query: Query,
        parameters: &[(&str, Value)],
        receiver: &mut R,
    ) -> std::result::Result<(), R::Error> {
        let explain = |error: Error| error.in_file(&self.path);
        let mut statement = prepared(&self.connection, query, query.sql, parameters).map_err(explain)?;
        stream_rows(&mut statement, receiver, |error| explain(error.into()))
    }
}

/// A query's statement, or one that is made of it, with its parameters.
pub(super) fn prepared<'a>(
    connection: &'a Connection,
    query: Query,
    sql: &str,
    parameters: &[(&str, Value)],
) -> Result<CachedStatement<'a>> {
    let mut statement = connection.prepare_cached(sql)?;
    bind(&mut statement, query.name, &completed(connection, query, parameters)?)?;
    Ok(statement)
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

/// The given parameters, what the store itself knows where a query asks for it (which runs have crashed), and the defaults of
/// the others.
fn completed<'a>(
    connection: &Connection,
    query: Query,
    parameters: &[(&'a str, Value)],
) -> Result<Vec<(&'a str, Value)>> {
    let mut parameters = parameters.to_vec();
    for Parameter { name, default, .. } in query.parameters() {
        if parameters.iter().any(|(given, _)| *given == name) {
            continue;
        }
        if name == CRASHED_RUN_IDS {
            let run = parameters.iter().find_map(|(name, value)| match value {
                Value::Integer(run) if *name == RUN_ID => Some(RunId(*run)),
                _ => None,
            });
            let crashed = serde_json::to_string(&runs::crashed(connection, run)?).expect("ids are numbers");
            parameters.push((CRASHED_RUN_IDS, Value::Text(crashed)));
        } else if let Some(default) = default {
            parameters.push((name, default));
        }
    }
    Ok(parameters)
}

#[cfg(test)]
mod tests;
