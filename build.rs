//! Tells the program which commit it is built from, and cargo when to build it again.
//!
//! The two variables do not begin with SPECLORA_: cargo also sets them for `cargo run` and `cargo test`, where the
//! program would take them for settings.

use std::path::Path;
use std::process::Command;

/// What the program is made of; a change in these makes it differ from its commit.
const SOURCES: &[&str] = &["Cargo.toml", "Cargo.lock", "build.rs", "src", "migrations", "queries", "assets"];

fn main() {
    // Migrations and queries are embedded by macros that do not see new files.
    SOURCES.iter().for_each(|path| rerun_if_changed(path));

    watch_commit();
    // A package inside someone else's repository does not take that one's commit for its own.
    if git(&["rev-parse", "--show-prefix"]).is_none_or(|prefix| !prefix.is_empty()) {
        return;
    }
    let status = [&["status", "--porcelain", "--"], SOURCES].concat();
    if let (Some(commit), Some(changes)) = (git(&["rev-parse", "--verify", "--quiet", "HEAD"]), git(&status))
    {
        println!("cargo::rustc-env=BUILD_GIT_COMMIT={commit}");
        println!("cargo::rustc-env=BUILD_GIT_DIRTY={}", !changes.is_empty());
    }
}

/// Watches what changes with the commit: HEAD, the branch that it names, and the file that branches are packed into. A
/// branch that is packed has no file of its own: then the folder is watched in which the next commit makes one.
fn watch_commit() {
    let branch = git(&["symbolic-ref", "--quiet", "HEAD"]);
    for name in ["HEAD", "packed-refs"].into_iter().chain(branch.as_deref()) {
        let Some(path) = git(&["rev-parse", "--git-path", name]) else {
            continue;
        };
        let mut existing = Path::new(&path);
        while name.starts_with("refs/") && !existing.exists() {
            match existing.parent() {
                Some(folder) => existing = folder,
                None => break,
            }
        }
        rerun_if_changed(&existing.to_string_lossy());
    }
}

/// Watches a path that exists; one that does not would rebuild the program every time.
fn rerun_if_changed(path: &str) {
    if Path::new(path).exists() {
        println!("cargo::rerun-if-changed={path}");
    }
}

/// The output of a git command, or nothing where there is no git, no repository, or no answer.
fn git(arguments: &[&str]) -> Option<String> {
    let output =
        Command::new("git").args(arguments).output().ok().filter(|output| output.status.success())?;
    String::from_utf8(output.stdout).ok().map(|text| text.trim().to_owned())
}
