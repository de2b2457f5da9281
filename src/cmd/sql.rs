//! `speclora sql`: answers statements that the user writes.

use std::io::Read as _;
use std::time::Duration;

use anyhow::Context as _;
use clap::Args;

use super::answers::Printer;
use super::context::Context;
use super::parameters::{pairs, value};
use super::{Interrupted, UsageError, interrupt};
use crate::config::Overrides;
use crate::store::{Changed, Error, SqlOptions, Store};

/// The longest time-out, ten years: above it, no clock would count.
const MAX_TIMEOUT_SECONDS: f64 = 315_360_000.0;

/// Arguments of `speclora sql`.
#[derive(Debug, Args)]
#[command(
    after_help = "Statements only read, unless --write is given; then they are one transaction, and an error undoes all. \
    Several are separated by semicolons, and answered one after the other: tables and CSV with an empty line between, JSON \
    as one list each. Rows are written as they come; a table's widths are those of its first 1,000 rows, and long texts are \
    cut in it; other formats have everything. docs/schema.md says what tables, columns and views mean.\n\n\
    Examples:\n  speclora sql \"SELECT mode, avg_tokens_per_second FROM mode_summaries WHERE run_id = 12\"\n  \
    speclora sql --param run_id=@latest \"SELECT * FROM run_settings WHERE run_id = :run_id\" --format csv\n  \
    speclora sql - < statements.sql"
)]
pub struct SqlArgs {
    /// The statements; - reads them from standard input
    #[arg(value_name = "SQL")]
    sql: String,
    /// A value for a parameter, :KEY in the statements (repeatable); run_id takes whatever names a run
    #[arg(short = 'P', long = "param", value_name = "KEY=VALUE")]
    parameters: Vec<String>,
    /// Allows changing rows, and creating tables and views alongside speclora's own
    #[arg(long)]
    write: bool,
    /// Stops after so many seconds of work; 0 for no limit
    #[arg(long, value_name = "SECONDS", default_value = "30", allow_negative_numbers = true)]
    timeout: String,
}

/// Runs the command.
pub(crate) fn run(args: &SqlArgs, context: &Context) -> anyhow::Result<()> {
    let given = pairs(&args.parameters)?;
    let timeout = timeout(&args.timeout)?;
    let sql = text(&args.sql)?;
    let mut store = open(args, context)?;
    let mut parameters = vec![];
    for (key, text) in given {
        let value = value(&key, &text, &store)?;
        parameters.push((key, value));
    }
    let options = SqlOptions { parameters, timeout, interrupted: interrupt::listen_in_silence()? };
    let done = if args.write {
        let mut printer = Printer::new(context).outliving_its_reader();
        store.write_sql(&sql, &options, &mut printer)
    } else {
        store.read_sql(&sql, &options, &mut Printer::new(context)).map(|()| vec![])
    };
    match done {
        Ok(changed) => {
            changed.iter().for_each(|changed| context.ui.status(change_summary(*changed)));
            Ok(())
        }
        Err(error) if args.write => Err(with_end(error, "; nothing was changed")),
        Err(error) => Err(with_end(error, "")),
    }
}

/// The error as the command ends with it.
fn with_end(error: anyhow::Error, end: &str) -> anyhow::Error {
    match error.downcast_ref() {
        Some(Error::SqlInterrupted) => Interrupted(format!("interrupted{end}")).into(),
        Some(
            known @ (Error::NoSql
            | Error::NamelessParameter
            | Error::UnboundParameter { .. }
            | Error::UnusedParameter(_)),
        ) => UsageError(known.to_string()).into(),
        Some(Error::Sql { message, excerpt }) => anyhow::anyhow!("{message}{end}{excerpt}"),
        Some(known) if !end.is_empty() => anyhow::anyhow!("{known}{end}"),
        _ => error,
    }
}

fn open(args: &SqlArgs, context: &Context) -> anyhow::Result<Store> {
    if args.write {
        return context.open_store();
    }
    let (spec, _) = context.resolve(Overrides::NONE)?;
    let store = Store::open_to_read(context.database_path(&spec)?)?;
    context.note_upgrade(&store);
    Ok(store)
}

/// The statements, from the command line or from standard input.
fn text(sql: &str) -> anyhow::Result<String> {
    if sql != "-" {
        return Ok(sql.to_owned());
    }
    let mut text = String::new();
    std::io::stdin().read_to_string(&mut text).context("cannot read statements from standard input")?;
    Ok(text)
}

/// How long statements may take; none for 0.
fn timeout(text: &str) -> Result<Option<Duration>, UsageError> {
    let seconds: Option<f64> =
        text.parse().ok().filter(|seconds| (0.0..=MAX_TIMEOUT_SECONDS).contains(seconds));
    match seconds {
        Some(0.0) => Ok(None),
        Some(seconds) => Ok(Some(Duration::from_secs_f64(seconds))),
        None => {
            Err(UsageError(format!("--timeout: timeout must be seconds, 0 for no limit, got \"{text}\"")))
        }
    }
}

/// What was changed, in words.
fn change_summary(changed: Changed) -> String {
    let rows = |count: u64| if count == 1 { "1 row".to_owned() } else { format!("{count} rows") };
    match changed.num_dependent {
        0 => format!("{} changed", rows(changed.num_rows)),
        dependent => {
            format!("{} changed, and {} that referred to them", rows(changed.num_rows), rows(dependent))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_outs_are_seconds() {
        let check = |text: &str, expected: Option<Option<u64>>| {
            let found = timeout(text).ok().map(|timeout| timeout.map(|timeout| timeout.as_millis() as u64));
            assert_eq!(found, expected, "{text}");
        };
        check("30", Some(Some(30_000)));
        check("0.25", Some(Some(250)));
        check("0", Some(None));
        for bad in ["-1", "soon", "inf", "nan", "1e300", ""] {
            check(bad, None);
        }
    }

    #[test]
    fn changes_are_counted_in_words() {
        let summary = |num_rows, num_dependent| change_summary(Changed { num_rows, num_dependent });
        assert_eq!(summary(1, 0), "1 row changed");
        assert_eq!(summary(2, 51), "2 rows changed, and 51 rows that referred to them");
    }
}
