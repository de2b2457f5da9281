//! Runs the program as a user does: in a folder of its own, with nothing but its arguments.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

use rusqlite::Connection;
use serde_json::Value;
use tempfile::TempDir;

use crate::fixture;

/// Prompts that the tiny models answer, whatever they say.
pub(crate) const PROMPTS: &str = "# four prompts\nhello\n\nlist the files\nsort a list\nadd one and two\n";

/// A folder in which the program runs.
pub(crate) struct Workspace {
    folder: TempDir,
    variables: Vec<(String, String)>,
}

impl Workspace {
    /// An empty folder, but for `prompts.txt`.
    pub(crate) fn new() -> Self {
        let workspace = Self { folder: tempfile::tempdir().unwrap(), variables: vec![] };
        workspace.write("prompts.txt", PROMPTS);
        workspace
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(crate) fn write(&self, name: &str, content: impl AsRef<[u8]>) -> PathBuf {
        let path = self.path(name);
        std::fs::write(&path, content).unwrap();
        path
    }

    /// Sets an environment variable for every later call.
    pub(crate) fn set(&mut self, name: &str, value: &str) {
        self.variables.push((name.to_owned(), value.to_owned()));
    }

    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_speclora"));
        command.args(arguments);
        self.confine(&mut command);
        command
    }

    /// Leaves a command nothing of the world but this folder.
    fn confine(&self, command: &mut Command) {
        command
            .current_dir(self.folder.path())
            .env_clear()
            .env("HOME", self.folder.path())
            .envs(self.variables.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::null());
    }

    /// Runs a command to its end.
    pub(crate) fn run(&self, arguments: &[&str]) -> Outcome {
        Outcome::of(self.command(arguments).output().unwrap())
    }

    /// Runs a command that must succeed, and returns its standard output.
    pub(crate) fn succeed(&self, arguments: &[&str]) -> String {
        let outcome = self.run(arguments);
        assert_eq!(outcome.code, Some(0), "{arguments:?}: {}", outcome.stderr);
        outcome.stdout
    }

    /// The same, its output as JSON.
    pub(crate) fn json(&self, arguments: &[&str]) -> Value {
        serde_json::from_str(&self.succeed(&[arguments, &["--json"]].concat())).unwrap()
    }

    /// Starts a command and returns at once.
    pub(crate) fn spawn(&self, arguments: &[&str]) -> Child {
        self.spawn_in_folder(self.command(arguments))
    }

    /// Starts any command in this folder.
    pub(crate) fn spawn_in_folder(&self, mut command: Command) -> Child {
        self.confine(&mut command);
        command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
    }

    /// Runs any command in this folder to its end.
    #[cfg(all(unix, feature = "builtin-models"))]
    pub(crate) fn output_in_folder(&self, command: &mut Command) -> Output {
        self.confine(command);
        command.output().unwrap()
    }

    pub(crate) fn database(&self) -> Connection {
        Connection::open(self.path("speclora.db")).unwrap()
    }

    /// The one value that a statement gives.
    pub(crate) fn value<T: rusqlite::types::FromSql>(&self, sql: &str) -> T {
        self.database().query_row(sql, [], |row| row.get(0)).unwrap()
    }
}

/// How a command ended.
pub(crate) struct Outcome {
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Outcome {
    fn of(output: Output) -> Self {
        Self {
            code: output.status.code(),
            stdout: String::from_utf8(output.stdout).unwrap(),
            stderr: String::from_utf8(output.stderr).unwrap(),
        }
    }
}

/// The path of a tiny model, as an argument.
pub(crate) fn model(case: &str) -> String {
    text(&fixture("models").join(case))
}

pub(crate) fn text(path: &Path) -> String {
    path.to_str().unwrap().to_owned()
}

/// Arguments of a bench of two tiny models over `prompts.txt`.
pub(crate) fn bench_arguments<'a>(target: &'a str, draft: &'a str, more: &[&'a str]) -> Vec<&'a str> {
    let base = ["bench", "--target", target, "--draft", draft, "-f", "prompts.txt", "-m", "24"];
    [&base, more].concat()
}

/// Sends a signal to a program that is at work, at once: starting another program for it takes longer than some runs.
#[cfg(unix)]
pub(crate) fn send(signal: i32, child: &Child) {
    // SAFETY: kill(2) reads its arguments alone, and the process is there until it is waited for.
    assert_eq!(unsafe { libc::kill(child.id() as i32, signal) }, 0);
}
