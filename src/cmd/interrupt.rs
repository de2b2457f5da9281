//! Ctrl-C: the first asks a command to end in good order, the second ends it at once. SIGTERM and SIGHUP do the same.

use std::ffi::c_int;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use anyhow::Context as _;
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::flag;

use super::INTERRUPTED;
use crate::record::RunKind;
use crate::ui::Speaker;

/// Starts to listen, and returns the flag that is set when the user asks to stop a run of this kind, which can be resumed.
pub(super) fn listen(speaker: Speaker, kind: RunKind) -> anyhow::Result<Arc<AtomicBool>> {
    let last_words = format!("what had ended is stored (speclora {kind} --resume RUN goes on)");
    listen_until(speaker, last_words)
}

/// The same for a command that cannot be resumed; `last_words` say what is left of it where the user insists.
pub(super) fn listen_until(
    speaker: Speaker,
    last_words: impl Into<String>,
) -> anyhow::Result<Arc<AtomicBool>> {
    let requested = Arc::new(AtomicBool::new(false));
    for signal in signals() {
        flag::register(signal, Arc::clone(&requested))
            .with_context(|| format!("cannot listen for signal {signal}"))?;
    }
    answer(speaker, last_words.into()).context("cannot listen for signals")?;
    Ok(requested)
}

/// The same for a command that ends at once, and has nothing to say about it; a second signal ends the process.
pub(super) fn listen_in_silence() -> anyhow::Result<Arc<AtomicBool>> {
    let requested = Arc::new(AtomicBool::new(false));
    for signal in signals() {
        // In this order: what is registered later runs later, and would see the flag of this very signal.
        flag::register_conditional_shutdown(signal, INTERRUPTED.into(), Arc::clone(&requested))
            .and_then(|_| flag::register(signal, Arc::clone(&requested)))
            .with_context(|| format!("cannot listen for signal {signal}"))?;
    }
    Ok(requested)
}

/// Answers each signal from a thread of its own, since little may be done where a signal arrives: the first is told what
/// follows, the second ends the process, which leaves its run as a crash would. A third one ends it even if nobody can
/// be told.
#[cfg(unix)]
fn answer(speaker: Speaker, last_words: String) -> std::io::Result<()> {
    use std::io::Read as _;
    use std::os::unix::net::UnixStream;
    use std::sync::atomic::Ordering;

    let (mut receiver, sender) = UnixStream::pair()?;
    let insisted = Arc::new(AtomicBool::new(false));
    for signal in signals() {
        flag::register_conditional_shutdown(signal, INTERRUPTED.into(), Arc::clone(&insisted))?;
        signal_hook::low_level::pipe::register(signal, sender.try_clone()?)?;
    }
    std::thread::Builder::new().name("signals".to_owned()).spawn(move || {
        let mut byte = [0];
        if receiver.read_exact(&mut byte).is_ok() {
            speaker.status("interrupting after this pass; press again to stop at once");
        }
        if receiver.read_exact(&mut byte).is_ok() {
            insisted.store(true, Ordering::SeqCst);
            speaker.status(format_args!("stopped at once: {last_words}"));
            signal_hook::low_level::exit(INTERRUPTED.into());
        }
    })?;
    Ok(())
}

/// Without pipes for signals, the first is answered by the end of the command, and the second ends the process.
#[cfg(not(unix))]
fn answer(_: Speaker, _: String) -> std::io::Result<()> {
    // What is registered later runs later, and would see the flag of this very signal: it is asked for the one before.
    let earlier = Arc::new(AtomicBool::new(false));
    for signal in signals() {
        flag::register_conditional_shutdown(signal, INTERRUPTED.into(), Arc::clone(&earlier))?;
        flag::register(signal, Arc::clone(&earlier))?;
    }
    Ok(())
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
