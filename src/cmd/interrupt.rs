//! Ctrl-C: the first asks a command to end in good order, the second ends it at once.

use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::Context as _;

use super::INTERRUPTED;

static REQUESTED: AtomicBool = AtomicBool::new(false);

/// Starts to listen (to SIGTERM and SIGHUP too), and returns the flag that is set when the user asks to stop.
pub(super) fn listen() -> anyhow::Result<&'static AtomicBool> {
    ctrlc::set_handler(|| {
        if REQUESTED.swap(true, Ordering::Relaxed) {
            std::process::exit(INTERRUPTED.into());
        }
    })
    .context("cannot listen for Ctrl-C")?;
    Ok(&REQUESTED)
}
