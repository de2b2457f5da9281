//! Statements that people type: `speclora sql`.
//!
//! They read through a connection that cannot write, and whose authorizer says so in words; or they write in one
//! transaction, and all of it counts or none. Either way they see one state of the database, end in time, and change
//! nothing of the schema.

mod clock;
mod explain;
mod guard;

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use rusqlite::fallible_iterator::FallibleIterator as _;
use rusqlite::{Batch, Connection, Statement};

use super::answer::{Receiver, stream_rows};
use super::value::Value;
use super::{Error, Store, migrate, open};
use clock::{Clock, Timed};
use guard::{Access, Guard};

/// What statements are given, and when they have to end.
#[derive(Debug, Default)]
pub struct SqlOptions {
    /// Values by the names of parameters, without the mark (`:`, `@` or `$`) before them.
    pub parameters: Vec<(String, Value)>,
    /// How long SQLite may work on all of them; the time in which rows are taken does not count.
    pub timeout: Option<Duration>,
    /// Set where the user wants them to stop.
    pub interrupted: Arc<AtomicBool>,
}

/// Rows that a statement changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Changed {
    /// Those of the table that it names.
    pub num_rows: u64,
    /// Those that went with them, since they referred to them.
    pub num_dependent: u64,
}

impl Store {
    /// Opens a database that must exist for reading alone, and writes to it only to bring an older schema up to date.
    ///
    /// # Errors
    /// As [`Store::open_existing`].
    pub fn open_to_read(path: impl AsRef<Path>) -> super::Result<Self> {
        let path = path.as_ref();
        open::check_exists(path)?;
        match open::open_read_only(path) {
            Err(Error::OutdatedReadOnly { .. }) => {
                let backup = Self::open_existing(path)?.backup;
                Ok(Self { backup, ..open::open_read_only(path)? })
            }
            opened => opened,
        }
    }

    /// Answers statements that only read.
    ///
    /// # Errors
    /// If a statement is wrong, would change anything, or takes too long; if a parameter has no value or a value no
    /// parameter; or if the receiver does not take what it is given.
    pub fn read_sql<R: Receiver>(
        &self,
        sql: &str,
        options: &SqlOptions,
        receiver: &mut R,
    ) -> Result<(), R::Error> {
        let place = |error: Error| error.in_file(&self.path);
        let begun = self.connection.unchecked_transaction().map_err(|error| place(error.into()))?;
        let guard = Guard::new(Access::Read);
        guarded(&self.connection, guard, || run(self, sql, options, receiver))?;
        Ok(begun.finish().map_err(|error| place(error.into()))?)
    }

    /// Carries out statements that may write, all or none, and says what each of those that write changed.
    ///
    /// # Errors
    /// As [`Store::read_sql`]; nothing is changed then.
    pub fn write_sql<R: Receiver>(
        &mut self,
        sql: &str,
        options: &SqlOptions,
        receiver: &mut R,
    ) -> Result<Vec<Changed>, R::Error> {
        if self.is_read_only {
            return Err(Error::NotWritable { path: self.path.clone() }.into());
        }
        let path = self.path.clone();
        let place = |error: Error| error.in_file(&path);
        let own = migrate::schema_names().map_err(place)?;
        // Immediate, as all that write: SQLite rolls it back where it is dropped without a commit.
        let begin = || -> super::Result<()> { Ok(self.connection.execute_batch("BEGIN IMMEDIATE")?) };
        begin().map_err(place)?;
        let guard = Guard::new(Access::Write { own });
        let done = guarded(&self.connection, guard, || run(self, sql, options, receiver));
        let end = if done.is_ok() { "COMMIT" } else { "ROLLBACK" };
        let ended = self.connection.execute_batch(end).map_err(|error| place(error.into()));
        let changed = done?;
        ended?;
        Ok(changed)
    }
}

/// Runs with the connection guarded, and leaves it as it was. What the guard refused is the error.
fn guarded<T, E: From<Error>>(
    connection: &Connection,
    guard: Guard,
    run: impl FnOnce() -> Result<T, E>,
) -> Result<T, E> {
    let refused = guard.refused();
    guard.watch(connection)?;
    let done = run();
    Guard::unwatch(connection)?;
    match refused.take() {
        Some(refused) if done.is_err() => Err(refused.into()),
        _ => done,
    }
}

/// Runs one statement after the other.
fn run<R: Receiver>(
    store: &Store,
    sql: &str,
    options: &SqlOptions,
    receiver: &mut R,
) -> Result<Vec<Changed>, R::Error> {
    let connection = &store.connection;
    refuse_unused(sql, &options.parameters)?;
    let clock = Clock::start(connection, options)?;
    let explain = |error| clock.explain(error).unwrap_or_else(|error| explain::explain(error, sql, store));
    let mut receiver = Timed::new(receiver, &clock);
    let mut statements = Batch::new(connection, sql);
    let (mut is_any, mut changed) = (false, vec![]);
    while let Some(mut statement) = statements.next().map_err(explain)? {
        is_any = true;
        bind(&mut statement, &options.parameters)?;
        let before = connection.total_changes();
        stream_or_run(&mut statement, &mut receiver, explain)?;
        if !statement.readonly() {
            let num_rows = connection.changes();
            let num_all = connection.total_changes() - before;
            changed.push(Changed {
                num_rows: num_rows.min(num_all),
                num_dependent: num_all.saturating_sub(num_rows),
            });
        }
    }
    if is_any { Ok(changed) } else { Err(Error::NoSql.into()) }
}

/// A statement without columns has no answer, and is only carried out.
fn stream_or_run<R: Receiver>(
    statement: &mut Statement<'_>,
    receiver: &mut R,
    explain: impl Fn(rusqlite::Error) -> Error,
) -> Result<(), R::Error> {
    if statement.column_count() > 0 {
        return stream_rows(statement, receiver, explain);
    }
    while statement.raw_query().next().map_err(&explain)?.is_some() {}
    Ok(())
}

/// Gives each parameter of a statement its value.
fn bind(statement: &mut Statement<'_>, parameters: &[(String, Value)]) -> super::Result<()> {
    for index in 1..=statement.parameter_count() {
        let parameter = statement.parameter_name(index).ok_or(Error::NamelessParameter)?.to_owned();
        if parameter.starts_with('?') {
            return Err(Error::NamelessParameter);
        }
        let value = parameters.iter().find(|(name, _)| parameter[1..] == **name);
        let (_, value) = value.ok_or(Error::UnboundParameter { parameter })?;
        statement.raw_bind_parameter(index, value)?;
    }
    Ok(())
}

/// Refuses a value whose name stands nowhere in the statements: a slip would answer another question.
fn refuse_unused(sql: &str, parameters: &[(String, Value)]) -> super::Result<()> {
    let is_word = |c: char| c.is_alphanumeric() || c == '_';
    let is_used = |name: &str| {
        [":", "@", "$"].iter().any(|mark| {
            let parameter = format!("{mark}{name}");
            sql.match_indices(&parameter).any(|(at, _)| !sql[at + parameter.len()..].starts_with(is_word))
        })
    };
    match parameters.iter().find(|(name, _)| !is_used(name)) {
        Some((name, _)) => Err(Error::UnusedParameter(name.clone())),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests;
