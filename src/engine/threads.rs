//! How many threads compute.

/// Limits the threads of candle's pools to `num_threads`, if given.
///
/// To be called before the first model is loaded, from the only thread: the pools read their size from the environment
/// once, when they start.
pub fn limit(num_threads: Option<u32>) {
    let Some(num_threads) = num_threads else {
        return;
    };
    for variable in ["RAYON_NUM_THREADS", "CANDLE_NUM_THREADS"] {
        // SAFETY: no other thread of this process runs yet, so none reads the environment at the same time.
        unsafe { std::env::set_var(variable, num_threads.to_string()) };
    }
}
