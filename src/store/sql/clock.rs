//! When statements have to end: after a time, or when the user says so.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use rusqlite::{Connection, ErrorCode};

use super::SqlOptions;
use crate::record::AnswerColumn;
use crate::store::answer::Receiver;
use crate::store::value::Value;
use crate::store::{Error, Result};

/// Steps of SQLite's machine between two looks at the clock: a fraction of a millisecond.
const STEPS_BETWEEN_LOOKS: i32 = 1000;

/// A clock that stops statements; it is taken off the connection when it is dropped.
pub(super) struct Clock<'a> {
    connection: &'a Connection,
    deadline: Arc<Deadline>,
    timeout: Option<Duration>,
    interrupted: Arc<AtomicBool>,
}

/// When the time is up.
struct Deadline {
    started: Instant,
    /// Nanoseconds after the start.
    after_ns: AtomicU64,
}

impl Deadline {
    fn is_over(&self) -> bool {
        nanoseconds(self.started.elapsed()) > self.after_ns.load(Ordering::Relaxed)
    }
}

fn nanoseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

impl<'a> Clock<'a> {
    /// Starts the clock.
    pub(super) fn start(connection: &'a Connection, options: &SqlOptions) -> Result<Self> {
        let after_ns = options.timeout.map_or(u64::MAX, nanoseconds);
        let deadline = Arc::new(Deadline { started: Instant::now(), after_ns: AtomicU64::new(after_ns) });
        let (watched, interrupted) = (Arc::clone(&deadline), Arc::clone(&options.interrupted));
        let is_to_stop = move || interrupted.load(Ordering::Relaxed) || watched.is_over();
        connection.progress_handler(STEPS_BETWEEN_LOOKS, Some(is_to_stop))?;
        let interrupted = Arc::clone(&options.interrupted);
        Ok(Self { connection, deadline, timeout: options.timeout, interrupted })
    }

    /// Says why SQLite stopped, if it was for this clock; else gives the error back.
    pub(super) fn explain(&self, error: rusqlite::Error) -> std::result::Result<Error, rusqlite::Error> {
        if error.sqlite_error_code() != Some(ErrorCode::OperationInterrupted) {
            return Err(error);
        }
        match self.timeout {
            Some(timeout) if !self.interrupted.load(Ordering::Relaxed) => {
                Ok(Error::SqlTimedOut { seconds: timeout.as_secs_f64() })
            }
            _ => Ok(Error::SqlInterrupted),
        }
    }
}

impl Drop for Clock<'_> {
    fn drop(&mut self) {
        // Refused only for connections that are borrowed from other code, and this is none.
        self.connection.progress_handler(0, None::<fn() -> bool>).ok();
    }
}

/// A receiver whose own time does not count: who reads page by page has as long as they want.
pub(super) struct Timed<'a, R> {
    receiver: &'a mut R,
    deadline: Arc<Deadline>,
    interrupted: Arc<AtomicBool>,
}

impl<'a, R: Receiver> Timed<'a, R> {
    pub(super) fn new(receiver: &'a mut R, clock: &Clock<'_>) -> Self {
        let (deadline, interrupted) = (Arc::clone(&clock.deadline), Arc::clone(&clock.interrupted));
        Self { receiver, deadline, interrupted }
    }

    fn untimed<T>(
        &mut self,
        take: impl FnOnce(&mut R) -> std::result::Result<T, R::Error>,
    ) -> std::result::Result<T, R::Error> {
        if self.interrupted.load(Ordering::Relaxed) {
            return Err(Error::SqlInterrupted.into());
        }
        let begun = Instant::now();
        let taken = take(self.receiver);
        let add = |after: u64| Some(after.saturating_add(nanoseconds(begun.elapsed())));
        // The function always gives a value, so that this always succeeds.
        let _ = self.deadline.after_ns.fetch_update(Ordering::Relaxed, Ordering::Relaxed, add);
        taken
    }
}

impl<R: Receiver> Receiver for Timed<'_, R> {
    type Error = R::Error;

    fn begin(&mut self, columns: &[AnswerColumn]) -> std::result::Result<(), R::Error> {
        self.untimed(|receiver| receiver.begin(columns))
    }

    fn row(&mut self, values: Vec<Value>) -> std::result::Result<(), R::Error> {
        self.untimed(|receiver| receiver.row(values))
    }

    fn end(&mut self) -> std::result::Result<(), R::Error> {
        self.untimed(Receiver::end)
    }
}
