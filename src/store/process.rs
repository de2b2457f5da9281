//! Which process works on a run, and whether it is still there.
//!
//! Linux tells, in `/proc`; elsewhere, and for a run of another machine or boot, only the heartbeat does.

use std::fs;

use crate::environment::now_ms;

/// How long a run may be silent before it counts as crashed, where its process cannot be asked for.
///
/// Ten minutes: a heartbeat comes as each generation begins and ends, and one of a large model on a slow machine takes
/// minutes. One that takes longer than this looks like a crash until it ends. The view `run_states` has the same bound.
pub const HEARTBEAT_TIMEOUT_MS: i64 = 600_000;

/// A process, told apart from any that had or will have its number.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Process {
    /// Its number.
    pub(super) pid: i64,
    /// Boot and pid namespace within which the number means something.
    pub(super) boot_id: Option<String>,
    /// When it started, in clock ticks after boot.
    pub(super) start_ticks: Option<i64>,
}

impl Process {
    /// Returns this process.
    pub(super) fn current() -> Self {
        Self::of(i64::from(std::process::id()))
    }

    /// Returns the process of that number, on this machine and now.
    pub(super) fn of(pid: i64) -> Self {
        Self { pid, boot_id: boot_id(), start_ticks: start_ticks(pid) }
    }

    /// Whether it is gone, given when it last gave a sign of life.
    pub(super) fn is_gone(&self, heartbeat_at_ms: i64) -> bool {
        match (&self.boot_id, self.start_ticks) {
            (Some(boot), Some(start)) if boot_id().as_ref() == Some(boot) => {
                start_ticks(self.pid) != Some(start)
            }
            _ => now_ms() - heartbeat_at_ms > HEARTBEAT_TIMEOUT_MS,
        }
    }
}

/// Names this boot, and the pid namespace: containers share the boot, but not their numbers.
fn boot_id() -> Option<String> {
    let boot = fs::read_to_string("/proc/sys/kernel/random/boot_id").ok()?;
    let namespace = fs::read_link("/proc/self/ns/pid").ok()?;
    Some(format!("{} {}", boot.trim(), namespace.display()))
}

/// Returns when a process started, if it is there and no zombie.
fn start_ticks(pid: i64) -> Option<i64> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The second field is the program's name in parentheses, which may hold spaces and parentheses itself. After it
    // come the state, as field 3, and the start, as field 22 (proc_pid_stat(5)).
    let mut fields = stat.rsplit_once(')')?.1.split_whitespace();
    let state = fields.next()?;
    let start = fields.nth(18)?;
    if matches!(state, "Z" | "X") { None } else { start.parse().ok() }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn own_process_is_not_gone_however_long_it_is_silent() {
        assert!(!Process::current().is_gone(0));
    }

    #[test]
    fn process_that_reuses_a_number_is_another() {
        let mut earlier = Process::current();
        earlier.start_ticks = earlier.start_ticks.map(|ticks| ticks - 1);
        assert!(earlier.is_gone(now_ms()));
    }

    #[test]
    fn process_that_ended_is_gone() {
        let mut child = std::process::Command::new("sleep").arg("60").spawn().unwrap();
        let process = Process::of(i64::from(child.id()));
        assert!(!process.is_gone(now_ms()));
        child.kill().unwrap();
        child.wait().unwrap();
        assert!(process.is_gone(now_ms()));
    }

    #[test]
    fn process_of_another_boot_is_judged_by_its_silence() {
        let other = Process { boot_id: Some("another".to_owned()), ..Process::current() };
        assert!(!other.is_gone(now_ms() - HEARTBEAT_TIMEOUT_MS / 2));
        assert!(other.is_gone(now_ms() - HEARTBEAT_TIMEOUT_MS - 1000));
    }
}
