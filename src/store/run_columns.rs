//! What lists of runs can show, sort and filter by, and where each is found. Nothing that a user typed becomes part of a
//! statement: names are looked up here, and values are bound.

use rusqlite::Connection;

use super::{Error, Result, Store};
use crate::record::Mode;

/// What a value of a run is looked up by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RunColumn {
    /// A column of the query `runs_list`.
    Fact(&'static Fact),
    /// A figure of a mode in `mode_summaries`. Without a mode, that of the first of `spec_lora`, `spec_base` and
    /// `target_only` that has it.
    Figure(&'static Figure, Option<Mode>),
    /// A setting by its key.
    Setting(String),
    /// A tag by its key.
    Tag(String),
}

/// Which of two values of a figure is the better one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Better {
    /// The higher one.
    Higher,
    /// The lower one.
    Lower,
}

/// A column of the query `runs_list`.
#[derive(Debug, PartialEq, Eq)]
pub struct Fact {
    /// Its name there.
    pub name: &'static str,
    is_number: bool,
    better: Option<Better>,
}

/// A figure of a mode.
#[derive(Debug, PartialEq, Eq)]
pub struct Figure {
    /// Its name: the column of `mode_summaries`, or what is computed from columns.
    pub name: &'static str,
    /// Computes it from f, the summary of the mode, and those of target_only and spec_base.
    pub(super) sql: &'static str,
    better: Option<Better>,
}

const fn text(name: &'static str) -> Fact {
    Fact { name, is_number: false, better: None }
}

const fn number(name: &'static str, better: Option<Better>) -> Fact {
    Fact { name, is_number: true, better }
}

/// Every column of the query `runs_list`, in its order.
pub(super) static FACTS: [Fact; 20] = [
    number("run_id", None),
    text("name"),
    text("kind"),
    text("state"),
    text("started_at"),
    number("duration", Some(Better::Lower)),
    number("num_generations", None),
    number("num_planned_generations", None),
    number("num_prompts", None),
    text("target"),
    text("draft"),
    number("checkpoint_id", None),
    number("target_tokens_per_second", Some(Better::Higher)),
    number("spec_base_speedup", Some(Better::Higher)),
    number("spec_lora_speedup", Some(Better::Higher)),
    number("num_steps", None),
    number("train_loss", Some(Better::Lower)),
    number("best_expected_acceptance", Some(Better::Higher)),
    text("deleted_at"),
    text("uid"),
];

const fn figure(name: &'static str, sql: &'static str, better: Better) -> Figure {
    Figure { name, sql, better: Some(better) }
}

const fn count(name: &'static str, sql: &'static str) -> Figure {
    Figure { name, sql, better: None }
}

/// Every figure of a mode. `avg_` may be left out where no other figure bears the rest of the name.
pub(super) static FIGURES: [Figure; 21] = [
    count("num_prompts", "f.num_prompts"),
    count("num_generations", "f.num_generations"),
    count("num_failed", "f.num_failed"),
    count("total_tokens", "f.total_tokens"),
    figure("avg_tokens_per_second", "f.avg_tokens_per_second", Better::Higher),
    figure("min_tokens_per_second", "f.min_tokens_per_second", Better::Higher),
    figure("median_tokens_per_second", "f.median_tokens_per_second", Better::Higher),
    figure("max_tokens_per_second", "f.max_tokens_per_second", Better::Higher),
    figure("avg_decode_tokens_per_second", "f.avg_decode_tokens_per_second", Better::Higher),
    figure("avg_time_to_first_token", "f.avg_time_to_first_token", Better::Lower),
    figure("avg_time_to_last_token", "f.avg_time_to_last_token", Better::Lower),
    figure("median_time_to_last_token", "f.median_time_to_last_token", Better::Lower),
    figure("avg_acceptance_rate", "f.avg_acceptance_rate", Better::Higher),
    figure("median_acceptance_rate", "f.median_acceptance_rate", Better::Higher),
    figure("acceptance_rate", "f.acceptance_rate", Better::Higher),
    figure("mean_acceptance_length", "f.mean_acceptance_length", Better::Higher),
    count("num_compared", "f.num_compared"),
    count("num_lossless", "f.num_lossless"),
    figure("speedup", "f.avg_tokens_per_second / target.avg_tokens_per_second", Better::Higher),
    figure(
        "tokens_per_second_gain",
        "CASE WHEN f.mode = 'spec_lora' THEN f.avg_tokens_per_second / base.avg_tokens_per_second - 1 END",
        Better::Higher,
    ),
    figure(
        "acceptance_rate_gain",
        "CASE WHEN f.mode = 'spec_lora' THEN f.avg_acceptance_rate - base.avg_acceptance_rate END",
        Better::Higher,
    ),
];

impl RunColumn {
    /// Which of two of its values is the better one, where that can be said.
    pub fn better(&self) -> Option<Better> {
        match self {
            Self::Fact(fact) => fact.better,
            Self::Figure(figure, _) => figure.better,
            Self::Setting(_) | Self::Tag(_) => None,
        }
    }

    /// Whether its values can be numbers.
    pub fn can_be_number(&self) -> bool {
        !matches!(self, Self::Fact(fact) if !fact.is_number)
    }

    /// Whether its values can be text.
    pub fn can_be_text(&self) -> bool {
        match self {
            Self::Fact(fact) => !fact.is_number,
            Self::Figure(..) => false,
            Self::Setting(_) | Self::Tag(_) => true,
        }
    }

    /// The column of the query `runs_list` of that name.
    fn fact(name: &str) -> Option<Self> {
        FACTS.iter().find(|fact| fact.name == name).map(Self::Fact)
    }

    /// The figure of that name, of a mode if one is named before a dot.
    fn figure(name: &str) -> Option<Self> {
        let (mode, name) = match name.split_once('.') {
            Some((mode, name)) => (Some(mode.parse().ok()?), name),
            None => (None, name),
        };
        let bears = |figure: &&Figure, name: &str| figure.name == name;
        let found = FIGURES.iter().find(|figure| bears(figure, name));
        let found = found.or_else(|| FIGURES.iter().find(|figure| bears(figure, &format!("avg_{name}"))));
        found.map(|figure| Self::Figure(figure, mode))
    }
}

impl Store {
    /// Finds what a name means: `setting:KEY` or `tag:KEY`, a column of the query `runs_list`, a figure (`speedup`,
    /// `spec_lora.tokens_per_second`), or a setting's key. Where several would do, the first of these wins.
    ///
    /// # Errors
    /// If no run has a value of that name.
    pub fn run_column(&self, name: &str) -> Result<RunColumn> {
        self.read(|connection| {
            let found = match name.split_once(':') {
                Some(("setting", key)) => setting(connection, key)?,
                Some(("tag", key)) => tag(connection, key)?,
                Some(_) => None,
                None => match RunColumn::fact(name).or_else(|| RunColumn::figure(name)) {
                    None => setting(connection, name)?,
                    found => found,
                },
            };
            match found {
                Some(column) => Ok(column),
                None => Err(Error::NoRunColumn { name: name.to_owned(), hint: hint(connection, name)? }),
            }
        })
    }
}

fn setting(connection: &Connection, key: &str) -> Result<Option<RunColumn>> {
    let sql = "SELECT EXISTS (SELECT 1 FROM run_settings WHERE key = ?1)";
    let is_there: bool = connection.query_row(sql, [key], |row| row.get(0))?;
    Ok(is_there.then(|| RunColumn::Setting(key.to_owned())))
}

fn tag(connection: &Connection, key: &str) -> Result<Option<RunColumn>> {
    let sql = "SELECT EXISTS (SELECT 1 FROM run_tags WHERE key = ?1)";
    let is_there: bool = connection.query_row(sql, [key], |row| row.get(0))?;
    Ok(is_there.then(|| RunColumn::Tag(key.to_owned())))
}

/// The names there are that are nearest to one that is not, or where all of them are found.
fn hint(connection: &Connection, name: &str) -> Result<String> {
    let mut known = Vec::new();
    for sql in [
        "SELECT DISTINCT key FROM run_settings ORDER BY key",
        "SELECT DISTINCT 'setting:' || key FROM run_settings ORDER BY key",
        "SELECT DISTINCT 'tag:' || key FROM run_tags ORDER BY key",
    ] {
        let mut statement = connection.prepare(sql)?;
        let names = statement.query_map([], |row| row.get::<_, String>(0))?;
        known.extend(names.collect::<rusqlite::Result<Vec<_>>>()?);
    }
    known.extend(FACTS.iter().map(|fact| fact.name.to_owned()));
    for figure in &FIGURES {
        let short = figure.name.strip_prefix("avg_").filter(|rest| !FIGURES.iter().any(|f| f.name == *rest));
        for name in [Some(figure.name), short].into_iter().flatten() {
            known.push(name.to_owned());
            known.extend(Mode::ALL.iter().map(|mode| format!("{mode}.{name}")));
        }
    }
    let similarity = |known: &str| strsim::jaro_winkler(&name.to_lowercase(), known);
    let mut near: Vec<(f64, String)> = known.into_iter().map(|known| (similarity(&known), known)).collect();
    near.retain(|(similarity, _)| *similarity >= MIN_SIMILARITY);
    near.sort_by(|a, b| b.0.total_cmp(&a.0).then_with(|| a.1.cmp(&b.1)));
    let names: Vec<String> = near.into_iter().take(3).map(|(_, name)| name).collect();
    Ok(match names.as_slice() {
        [] => "columns are those that speclora runs list --format csv prints, figures like spec_lora.tokens_per_second \
            or speedup, setting:KEY and tag:KEY"
            .to_owned(),
        names => format!("did you mean {}?", names.join(" or ")),
    })
}

/// Names less alike than this are no slip of the keyboard.
const MIN_SIMILARITY: f64 = 0.85;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::NewRun;
    use crate::store::{Value, sample};

    #[test]
    fn facts_are_the_columns_of_the_list() {
        let (_folder, store) = sample::store();
        let rows = store.query("runs_list", &[(":limit", Value::Integer(1))]).unwrap();
        assert_eq!(rows.columns, FACTS.iter().map(|fact| fact.name).collect::<Vec<_>>());
    }

    #[test]
    fn figures_are_the_columns_of_the_summaries_and_what_comes_of_them() {
        let (_folder, store) = sample::store();
        let columns: Vec<String> =
            sample::column(&store, "SELECT name FROM pragma_table_info('mode_summaries')");
        let names: Vec<&str> = FIGURES.iter().map(|figure| figure.name).collect();
        assert_eq!(names[..18], columns[2..]);
        for (name, figure) in names.iter().zip(&FIGURES).take(18) {
            assert_eq!(figure.sql, format!("f.{name}"));
        }
    }

    #[test]
    fn name_means_the_first_thing_that_bears_it() {
        let (_folder, mut store) = sample::store();
        let new = NewRun { tags: vec![("lr".to_owned(), "3".to_owned())], ..sample::run(1) };
        store.begin_run(&new).unwrap();
        let check = |name: &str, expected: &str| {
            let shown = match store.run_column(name) {
                Ok(RunColumn::Fact(fact)) => format!("fact {}", fact.name),
                Ok(RunColumn::Figure(figure, mode)) => format!("figure {} {mode:?}", figure.name),
                Ok(RunColumn::Setting(key)) => format!("setting {key}"),
                Ok(RunColumn::Tag(key)) => format!("tag {key}"),
                Err(error) => error.to_string(),
            };
            assert!(shown.starts_with(expected), "{name}: {shown}");
        };
        check("num_prompts", "fact num_prompts");
        check("spec_lora.num_prompts", "figure num_prompts Some(SpecLora)");
        check("spec_lora.tokens_per_second", "figure avg_tokens_per_second Some(SpecLora)");
        check("acceptance_rate", "figure acceptance_rate None");
        check("time_to_first_token", "figure avg_time_to_first_token None");
        check("num_draft_tokens", "setting num_draft_tokens");
        check("setting:temperature", "setting temperature");
        check("tag:lr", "tag lr");
        check("lr", "no run has a value named lr (");
        check("num_draft_token", "no run has a value named num_draft_token (did you mean num_draft_tokens");
        check("spec_lora.speed", "no run has a value named spec_lora.speed (did you mean spec_lora.speedup");
        check("setting:none", "no run has a value named setting:none (");
        check("", "no run has a value named  (columns are");
        check("x; DROP TABLE runs", "no run has a value named x; DROP TABLE runs (columns are");
    }
}
