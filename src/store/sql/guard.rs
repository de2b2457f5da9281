//! What statements that people type may do.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};

use rusqlite::Connection;
use rusqlite::hooks::{AuthAction, AuthContext, Authorization};

use crate::store::{Error, Result};

/// How far statements may go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Access {
    /// They read, and may keep tables of their own in memory (`CREATE TEMP TABLE`).
    Read,
    /// They also change rows, and make tables and views of their own.
    Write {
        /// What belongs to the schema, and is not theirs to change: lower-case names of tables, views and indexes.
        own: HashSet<String>,
    },
}

/// Pragmas that only tell something, whatever value they are given.
const READING_PRAGMAS: [&str; 16] = [
    "collation_list",
    "compile_options",
    "database_list",
    "foreign_key_check",
    "foreign_key_list",
    "function_list",
    "index_info",
    "index_list",
    "index_xinfo",
    "integrity_check",
    "module_list",
    "pragma_list",
    "quick_check",
    "table_info",
    "table_list",
    "table_xinfo",
];

/// Pragmas that tell something where they are given no value, and change it where they are.
const ASKING_PRAGMAS: [&str; 14] = [
    "application_id",
    "auto_vacuum",
    "busy_timeout",
    "cache_size",
    "data_version",
    "encoding",
    "foreign_keys",
    "freelist_count",
    "journal_mode",
    "page_count",
    "page_size",
    "schema_version",
    "synchronous",
    "user_version",
];

const WITH_WRITE: &str = "speclora sql --write allows it";
const WITH_SQLITE: &str = "the sqlite3 program can, on a copy of the file";
const OWN_SCHEMA: &str =
    "its tables are speclora's, and later versions count on them; make your own beside them";

/// Why something is refused: what it would do, and what to do instead.
type Refusal = (String, &'static str);

/// Asks of each thing that a statement would do whether it may, and remembers what it refused first.
pub(super) struct Guard {
    access: Access,
    refused: Refused,
}

/// What was refused.
#[derive(Clone, Default)]
pub(super) struct Refused(Arc<Mutex<Option<Refusal>>>);

impl Refused {
    fn keep(&self, refusal: Refusal) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(refusal);
    }

    /// The error that it is, if anything was refused.
    pub(super) fn take(&self) -> Option<Error> {
        let refusal = self.0.lock().unwrap_or_else(PoisonError::into_inner).take();
        refusal.map(|(what, advice)| Error::SqlRefused { what, advice })
    }
}

impl Guard {
    pub(super) fn new(access: Access) -> Self {
        Self { access, refused: Refused::default() }
    }

    /// Where to ask what was refused.
    pub(super) fn refused(&self) -> Refused {
        self.refused.clone()
    }

    /// Begins to watch what is prepared on a connection.
    pub(super) fn watch(self, connection: &Connection) -> Result<()> {
        let Self { access, refused } = self;
        let decide = move |context: AuthContext<'_>| match verdict(&context, &access) {
            Ok(()) => Authorization::Allow,
            Err(refusal) => {
                refused.keep(refusal);
                Authorization::Deny
            }
        };
        Ok(connection.authorizer(Some(decide))?)
    }

    /// Ends it.
    pub(super) fn unwatch(connection: &Connection) -> Result<()> {
        Ok(connection.authorizer(None::<fn(AuthContext<'_>) -> Authorization>)?)
    }
}

/// Says whether something may be done, and if not, why.
fn verdict(context: &AuthContext<'_>, access: &Access) -> std::result::Result<(), Refusal> {
    use AuthAction as A;
    let is_temporary = context.database_name == Some("temp");
    match context.action {
        A::Select | A::Read { .. } | A::Recursive => Ok(()),
        A::Function { function_name } if function_name.eq_ignore_ascii_case("load_extension") => {
            Err(("load_extension would load code into the program".to_owned(), WITH_SQLITE))
        }
        A::Function { .. } => Ok(()),
        A::Pragma { pragma_name, pragma_value } => pragma_verdict(pragma_name, pragma_value),
        A::Attach { filename } => Err((format!("this would open another file, {filename}"), WITH_SQLITE)),
        A::Detach { .. } => Err(("there is no other file to detach".to_owned(), WITH_SQLITE)),
        A::Transaction { .. } | A::Savepoint { .. } => Err((
            "all statements are one transaction already".to_owned(),
            "leave BEGIN, COMMIT and the like out",
        )),
        A::CreateTempIndex { .. }
        | A::CreateTempTable { .. }
        | A::CreateTempTrigger { .. }
        | A::CreateTempView { .. }
        | A::DropTempIndex { .. }
        | A::DropTempTable { .. }
        | A::DropTempTrigger { .. }
        | A::DropTempView { .. } => Ok(()),
        _ if is_temporary => Ok(()),
        // Comes before what would make or drop something, which says more; nothing else may write there.
        A::Delete { table_name } | A::Insert { table_name } | A::Update { table_name, .. }
            if is_schema(table_name) =>
        {
            Ok(())
        }
        action => match access {
            Access::Read => Err((format!("this would {}", deed(&action)), WITH_WRITE)),
            Access::Write { own } => write_verdict(&action, own),
        },
    }
}

fn pragma_verdict(name: &str, value: Option<&str>) -> std::result::Result<(), Refusal> {
    let name = name.to_lowercase();
    let is_reading = READING_PRAGMAS.contains(&name.as_str())
        || (ASKING_PRAGMAS.contains(&name.as_str()) && value.is_none());
    if is_reading {
        Ok(())
    } else {
        Err((format!("PRAGMA {name} would change how the file is kept"), WITH_SQLITE))
    }
}

/// What must not be done even where writing is allowed.
fn write_verdict(action: &AuthAction<'_>, own: &HashSet<String>) -> std::result::Result<(), Refusal> {
    use AuthAction as A;
    let is_own = |name: &str| own.contains(&name.to_lowercase());
    match *action {
        A::Delete { table_name } | A::Insert { table_name } | A::Update { table_name, .. }
            if table_name.eq_ignore_ascii_case("refinery_schema_history") =>
        {
            Err((format!("{table_name} says which migrations the file has had"), "it is not changed by hand"))
        }
        A::DropTable { table_name: name }
        | A::DropView { view_name: name }
        | A::DropIndex { index_name: name, .. }
        | A::DropTrigger { trigger_name: name, .. }
        | A::AlterTable { table_name: name, .. }
        | A::CreateTrigger { table_name: name, .. }
            if is_own(name) =>
        {
            Err((format!("this would {}", deed(action)), OWN_SCHEMA))
        }
        A::Unknown { code, .. } => {
            Err((format!("this would do what has no name here ({code})"), WITH_SQLITE))
        }
        _ => Ok(()),
    }
}

/// A change in words, after "this would".
fn deed(action: &AuthAction<'_>) -> String {
    use AuthAction as A;
    match *action {
        A::Delete { table_name } => format!("delete rows of {table_name}"),
        A::Insert { table_name } => format!("insert rows into {table_name}"),
        A::Update { table_name, .. } => format!("update rows of {table_name}"),
        A::CreateTable { table_name } | A::CreateVtable { table_name, .. } => {
            format!("make the table {table_name}")
        }
        A::CreateView { view_name } => format!("make the view {view_name}"),
        A::CreateIndex { index_name, .. } => format!("make the index {index_name}"),
        A::DropTable { table_name } | A::DropVtable { table_name, .. } => {
            format!("drop the table {table_name}")
        }
        A::DropView { view_name } => format!("drop the view {view_name}"),
        A::DropIndex { index_name, .. } => format!("drop the index {index_name}"),
        A::DropTrigger { trigger_name, .. } => format!("drop the trigger {trigger_name}"),
        A::AlterTable { table_name, .. } => format!("alter the table {table_name}"),
        A::CreateTrigger { table_name, .. } => {
            format!("have a trigger change what is written to {table_name}")
        }
        _ => "change the file".to_owned(),
    }
}

fn is_schema(table: &str) -> bool {
    table.eq_ignore_ascii_case("sqlite_master") || table.eq_ignore_ascii_case("sqlite_schema")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(access: &Access, database: &str, action: AuthAction<'_>, expected: Option<&str>) {
        let context = AuthContext { action, database_name: Some(database), accessor: None };
        let refused = verdict(&context, access).err().map(|(what, advice)| format!("{what} ({advice})"));
        match expected {
            None => assert_eq!(refused, None, "{action:?}"),
            Some(part) => {
                let refused = refused.unwrap_or_else(|| panic!("{action:?} is allowed"));
                assert!(refused.contains(part), "{action:?}: {refused}");
            }
        }
    }

    #[test]
    fn reading_changes_nothing_but_tables_in_memory() {
        let check = |database, action, expected| check(&Access::Read, database, action, expected);
        check("main", AuthAction::Select, None);
        check("main", AuthAction::Read { table_name: "runs", column_name: "id" }, None);
        check("main", AuthAction::Function { function_name: "count" }, None);
        check("main", AuthAction::Function { function_name: "LOAD_extension" }, Some("code"));
        check(
            "main",
            AuthAction::Insert { table_name: "runs" },
            Some("insert rows into runs (speclora sql --write"),
        );
        check("temp", AuthAction::Insert { table_name: "mine" }, None);
        check("temp", AuthAction::CreateTempTable { table_name: "mine" }, None);
        check("main", AuthAction::Insert { table_name: "sqlite_master" }, None);
        check("main", AuthAction::CreateTable { table_name: "mine" }, Some("make the table mine"));
        check("main", AuthAction::DropIndex { index_name: "x", table_name: "y" }, Some("drop the index x"));
        let trigger = AuthAction::DropTrigger { trigger_name: "x", table_name: "y" };
        check("main", trigger, Some("drop the trigger x"));
        check("main", AuthAction::Attach { filename: "x.db" }, Some("another file, x.db"));
        check("main", AuthAction::Reindex { index_name: "x" }, Some("change the file"));
        check("main", AuthAction::Unknown { code: 99, arg1: None, arg2: None }, Some("change the file"));
        let begin = rusqlite::hooks::TransactionOperation::Begin;
        check("main", AuthAction::Transaction { operation: begin }, Some("leave BEGIN"));
    }

    #[test]
    fn pragmas_that_tell_are_allowed_and_those_that_change_are_not() {
        let check = |name, value, expected| {
            let action = AuthAction::Pragma { pragma_name: name, pragma_value: value };
            check(&Access::Read, "main", action, expected);
            check(&Access::Write { own: HashSet::new() }, "main", action, expected);
        };
        check("table_info", Some("runs"), None);
        check("USER_VERSION", None, None);
        check("user_version", Some("9"), Some("PRAGMA user_version"));
        check("writable_schema", None, Some("writable_schema"));
        check("wal_checkpoint", None, Some("wal_checkpoint"));
    }

    #[test]
    fn writing_leaves_the_schema_as_it_is() {
        let own = HashSet::from(["runs", "run_states", "runs_by_name"].map(str::to_owned));
        let access = Access::Write { own };
        let check = |action, expected| check(&access, "main", action, expected);
        check(AuthAction::Delete { table_name: "runs" }, None);
        check(AuthAction::CreateTable { table_name: "mine" }, None);
        check(AuthAction::DropTable { table_name: "mine" }, None);
        check(AuthAction::DropTable { table_name: "Runs" }, Some("drop the table Runs"));
        check(AuthAction::DropView { view_name: "run_states" }, Some("drop the view"));
        check(
            AuthAction::DropIndex { index_name: "runs_by_name", table_name: "runs" },
            Some("drop the index"),
        );
        check(AuthAction::AlterTable { database_name: "main", table_name: "runs" }, Some("alter"));
        check(AuthAction::CreateTrigger { trigger_name: "t", table_name: "runs" }, Some("trigger"));
        check(AuthAction::CreateTrigger { trigger_name: "t", table_name: "mine" }, None);
        check(AuthAction::Insert { table_name: "refinery_schema_history" }, Some("migrations"));
        check(AuthAction::Insert { table_name: "sqlite_master" }, None);
    }
}
