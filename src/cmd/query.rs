//! `speclora query`: answers the questions of `queries/`.

use clap::Args;

use super::UsageError;
use super::answers::Printer;
use super::context::Context;
use super::parameters::{add_run, pairs, value};
use crate::nearest::nearest;
use crate::report::{Cell, Column, Format, Grid, labelled_lines};
use crate::store::{Error, Parameter, Query, Value};

/// Arguments of `speclora query`.
#[derive(Debug, Args)]
#[command(
    after_help = "Without a name, lists the queries with their parameters. Hyphens and underscores in names are interchangeable. \
    A value is a number, null, or text; run_id takes whatever names a run, checkpoint_id an alias too. \
    A table cuts hashes and long texts; other formats have everything.\n\n\
    Examples:\n  speclora query mode_metrics --run @latest\n  \
    speclora query leaderboard --param metric=speedup --param limit=3 --format csv\n  \
    speclora query leakage --show"
)]
pub struct QueryArgs {
    /// The query
    #[arg(value_name = "NAME")]
    name: Option<String>,
    /// The run: 12, @latest, @latest~1, a name, or the beginning of a uid; short for --param run_id=RUN
    #[arg(long, value_name = "RUN")]
    run: Option<String>,
    /// A value for a parameter of the query (repeatable)
    #[arg(short = 'P', long = "param", value_name = "KEY=VALUE")]
    parameters: Vec<String>,
    /// Prints the statement instead of its answer
    #[arg(long)]
    show: bool,
}

/// Runs the command.
pub(crate) fn run(args: &QueryArgs, context: &Context) -> anyhow::Result<()> {
    let mut given = pairs(&args.parameters)?;
    add_run(&mut given, args.run.as_deref())?;
    let Some(name) = &args.name else {
        if args.show || !given.is_empty() {
            return Err(UsageError("name a query (speclora query lists them)".to_owned()).into());
        }
        return list(context);
    };
    let query = Query::find(name).map_err(usage)?;
    if args.show {
        return Ok(context.ui.data(query.sql)?);
    }
    let parameters = query.parameters();
    check(&query, &parameters, &given)?;
    let store = context.open_store()?;
    let mut values: Vec<(&str, Value)> = vec![];
    for parameter in &parameters {
        if let Some((key, text)) = given.iter().find(|(key, _)| key == parameter.key()) {
            let value = value(key, text, &store)?;
            if let Some(problem) = parameter.problem(&value) {
                return Err(UsageError(format!("query {}: {problem}, got \"{text}\"", query.name)).into());
            }
            values.push((parameter.name, value));
        }
    }
    let mut printer = Printer::new(context);
    store.stream_query(query, &values, &mut printer)?;
    if printer.num_rows() == 0 {
        let name = query.name;
        context.ui.note(format!(
            "no rows (speclora query {name} --show says what it asks for, and what parameters take)"
        ));
    }
    Ok(())
}

/// A name that does not exist is a command line that cannot be used.
fn usage(error: Error) -> UsageError {
    UsageError(error.to_string())
}

/// Refuses parameters that the query does not have, and asks for those that it needs.
fn check(query: &Query, parameters: &[Parameter], given: &[(String, String)]) -> Result<(), UsageError> {
    let name = query.name;
    for (key, _) in given {
        if parameters.iter().all(|parameter| parameter.key() != key) {
            let known: Vec<&str> = parameters.iter().map(Parameter::key).collect();
            let near = nearest(key, known.iter().copied());
            let near = near.map_or(String::new(), |near| format!("did you mean {near}? "));
            let has = if known.is_empty() {
                "it has none".to_owned()
            } else {
                format!("it has {}", known.join(", "))
            };
            return Err(UsageError(format!("query {name} has no parameter {key} ({near}{has})")));
        }
    }
    let is_missing = |parameter: &&Parameter| {
        parameter.default.is_none() && given.iter().all(|(key, _)| key != parameter.key())
    };
    match parameters.iter().find(is_missing) {
        None => Ok(()),
        Some(parameter) => {
            let key = parameter.key();
            let how = if key == "run_id" { "--run RUN".to_owned() } else { format!("--param {key}=VALUE") };
            Err(UsageError(format!("query {name} needs {key}: {} ({how})", parameter.meaning)))
        }
    }
}

/// Lists the queries: for people their questions, with what each needs and takes.
fn list(context: &Context) -> anyhow::Result<()> {
    if context.format() == Format::Table {
        let entry = |query: &Query| (query.name, described(query));
        let entries: Vec<(&str, String)> = Query::ALL.iter().map(entry).collect();
        return Ok(context.ui.data(&labelled_lines(&entries, context.ui.width()))?);
    }
    let columns = ["name", "other_name", "question", "parameters"];
    let mut grid = Grid::new(columns.map(Column::from));
    for query in Query::ALL {
        grid.push([
            Cell::Text(query.name.to_owned()),
            Cell::text(query.other_name),
            Cell::Text(query.question().to_owned()),
            Cell::Text(signature(query)),
        ]);
    }
    context.print(&grid)
}

/// A question, and below it what its query is called else, needs and takes.
fn described(query: &Query) -> String {
    let other = query.other_name.map(|name| format!("also {name}")).into_iter();
    let signature = Some(signature(query)).filter(|text| !text.is_empty());
    let below: Vec<String> = other.chain(signature).collect();
    if below.is_empty() {
        query.question().to_owned()
    } else {
        format!("{}\n{}", query.question(), below.join("; "))
    }
}

/// The parameters, with their defaults: `run_id, limit=20`.
fn signature(query: &Query) -> String {
    let shown = |parameter: &Parameter| match &parameter.default {
        None => parameter.key().to_owned(),
        Some(default) => format!("{}={}", parameter.key(), shown_value(default)),
    };
    query.parameters().iter().map(shown).collect::<Vec<_>>().join(", ")
}

fn shown_value(value: &Value) -> String {
    match value {
        Value::Null => "null".to_owned(),
        Value::Integer(number) => number.to_string(),
        Value::Real(number) => number.to_string(),
        Value::Text(text) => text.clone(),
        Value::Blob(_) => unreachable!("no text stands for bytes"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check_given(name: &str, given: &[(&str, &str)], expected: Result<(), &str>) {
        let query = Query::find(name).unwrap();
        let given: Vec<(String, String)> =
            given.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
        let found = check(&query, &query.parameters(), &given).map_err(|error| error.0);
        assert_eq!(found, expected.map_err(str::to_owned));
    }

    #[test]
    fn parameters_are_asked_for_and_slips_are_understood() {
        check_given("rounds", &[("run_id", "1")], Ok(()));
        check_given("disagreements", &[("run_id", "1")], Ok(()));
        check_given("rounds", &[], Err("query rounds needs run_id: the run (--run RUN)"));
        let expected =
            "query checkpoint_lineage needs checkpoint_id: the checkpoint (--param checkpoint_id=VALUE)";
        check_given("adapter-lineage", &[], Err(expected));
        let expected =
            "query disagreements has no parameter limits (did you mean limit? it has run_id, limit)";
        check_given("disagreements", &[("limits", "1")], Err(expected));
    }

    #[test]
    fn signature_tells_defaults() {
        assert_eq!(signature(&Query::find("disagreements").unwrap()), "run_id, limit=20");
        assert_eq!(
            signature(&Query::find("hardest-prompts").unwrap()),
            "run_id=null, mode=spec_base, by=acceptance_rate, limit=20"
        );
    }
}
