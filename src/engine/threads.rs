//! How many threads compute.

use std::sync::atomic::{AtomicUsize, Ordering};

/// 0 until [`limit`] is called.
static LIMIT: AtomicUsize = AtomicUsize::new(0);

/// Limits the threads that compute, the caller's among them. To be called before the first model is loaded: the pool is
/// made once.
pub fn limit(num_threads: u32) {
    LIMIT.store(num_threads as usize, Ordering::Relaxed);
}

/// How many threads compute: the limit, or else as many as this process may use.
pub(super) fn number() -> usize {
    match LIMIT.load(Ordering::Relaxed) {
        0 => std::thread::available_parallelism().map_or(1, usize::from),
        limit => limit,
    }
}
