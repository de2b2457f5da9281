//! Ctrl-C: the first asks a command to end in good order, the second ends it at once. SIGTERM and SIGHUP do the same.

use std::ffi::c_int;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use anyhow::Context as _;
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::flag;

use super::INTERRUPTED;

/// Starts to listen, and returns the flag that is set when the user asks to stop.
pub(super) fn listen() -> anyhow::Result<Arc<AtomicBool>> {
    let requested = Arc::new(AtomicBool::new(false));
    for signal in signals() {
        // The first to be registered runs first, and so sees the flag as earlier signals left it.
        flag::register_conditional_shutdown(signal, INTERRUPTED.into(), Arc::clone(&requested))
            .and_then(|_| flag::register(signal, Arc::clone(&requested)))
            .with_context(|| format!("cannot listen for signal {signal}"))?;
    }
    Ok(requested)
}

/// The signals that ask to stop. What was ignored when the program started stays ignored: `nohup` means it.
#[cfg(unix)]
fn signals() -> impl Iterator<Item = c_int> {
    [SIGINT, SIGTERM, signal_hook::consts::SIGHUP].into_iter().filter(|signal| !is_ignored(*signal))
}

#[cfg(not(unix))]
fn signals() -> impl Iterator<Item = c_int> {
    [SIGINT, SIGTERM].into_iter()
}

#[cfg(unix)]
fn is_ignored(signal: c_int) -> bool {
    let mut action = std::mem::MaybeUninit::<libc::sigaction>::zeroed();
    // SAFETY: without a new action, sigaction(2) only writes the present one into `action`, which all-zero bytes made
    // valid already.
    unsafe {
        libc::sigaction(signal, std::ptr::null(), action.as_mut_ptr()) == 0
            && action.assume_init().sa_sigaction == libc::SIG_IGN
    }
}
