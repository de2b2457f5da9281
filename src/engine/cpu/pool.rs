//! Work shared out to threads, so that what is computed does not depend on how many there are.
//!
//! A decoding step is some two hundred pieces of work of a few microseconds to a few hundred. So threads wait for the next
//! piece by looking for it, for a short while; but they give their core away whenever somebody else wants it, and nobody
//! waits for a thread that has not begun: on a busy machine the caller does the work itself.

use std::cell::UnsafeCell;
use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock};
use std::thread::Thread;

use crate::engine::threads;

/// Calls `f` on ranges that cover `0..num_items`, each item once, `chunk` at a time, on all threads.
pub(super) fn for_each_range(num_items: usize, chunk: usize, f: impl Fn(Range<usize>) + Sync) {
    let chunk = chunk.max(1);
    if num_items <= chunk {
        if num_items > 0 {
            f(0..num_items);
        }
        return;
    }
    let next = AtomicUsize::new(0);
    Pool::global().run(&|| {
        loop {
            let start = next.fetch_add(chunk, Ordering::Relaxed);
            if start >= num_items {
                return;
            }
            f(start..(start + chunk).min(num_items));
        }
    });
}

/// Calls `f` on each piece of `size` items, with its number, on all threads.
pub(super) fn for_each_chunk<T: Send>(items: &mut [T], size: usize, f: impl Fn(usize, &mut [T]) + Sync) {
    let pieces = Pieces::new(items);
    for_each_range(pieces.len() / size.max(1), 1, |numbers| {
        for number in numbers {
            // SAFETY: each number comes once, and pieces of different numbers do not overlap.
            f(number, unsafe { pieces.get(number * size..(number + 1) * size) });
        }
    });
}

/// A slice of which several threads write different parts.
pub(super) struct Pieces<T> {
    start: *mut T,
    len: usize,
}

// SAFETY: access goes through `get`, whose callers see to it that parts do not overlap.
unsafe impl<T: Send> Sync for Pieces<T> {}

impl<T> Pieces<T> {
    pub(super) fn new(items: &mut [T]) -> Self {
        Self { start: items.as_mut_ptr(), len: items.len() }
    }

    pub(super) fn len(&self) -> usize {
        self.len
    }

    /// A part of the slice.
    ///
    /// # Safety
    /// No two parts that exist at a time overlap, and none outlives the slice.
    #[expect(clippy::mut_from_ref, reason = "the parts that threads take do not overlap")]
    pub(super) unsafe fn get(&self, range: Range<usize>) -> &mut [T] {
        assert!(range.start <= range.end && range.end <= self.len, "a part lies within its slice");
        // SAFETY: within the slice, and not shared, as the caller vouches.
        unsafe { std::slice::from_raw_parts_mut(self.start.add(range.start), range.len()) }
    }

    /// A pointer into the slice, for writes that are not contiguous.
    pub(super) fn pointer(&self, index: usize) -> *mut T {
        assert!(index <= self.len, "a pointer lies within its slice");
        self.start.wrapping_add(index)
    }
}

/// What the threads of a pool run together.
type Job<'a> = &'a (dyn Fn() + Sync);

/// Threads that wait for work.
struct Pool {
    shared: Arc<Shared>,
    workers: Vec<Thread>,
    /// Held by the caller whose job is running.
    caller: Mutex<()>,
}

struct Shared {
    /// Which job it is (upper half), whether it may still be joined ([`CLOSED`]), and how many workers have joined.
    state: AtomicU64,
    /// The job of that number; read by workers that joined it.
    job: UnsafeCell<Option<Job<'static>>>,
    /// Which workers sleep.
    asleep: Vec<AtomicBool>,
    /// A worker's job panicked.
    panicked: AtomicBool,
}

// SAFETY: `job` is written only while no worker has joined a job, and read only by workers that have.
unsafe impl Sync for Shared {}

/// Set in the state when a job may no longer be joined.
const CLOSED: u64 = 1 << 31;
/// The number of workers in the state.
const JOINED: u64 = CLOSED - 1;

/// Looks at a condition this often before giving the core away.
const SPINS: u32 = 2_000;
/// Gives the core away this often before going to sleep.
const YIELDS: u32 = 200;

impl Pool {
    fn global() -> &'static Self {
        static POOL: OnceLock<Pool> = OnceLock::new();
        POOL.get_or_init(|| Self::new(threads::number()))
    }

    /// A pool that runs jobs on the caller and `num_threads − 1` others.
    fn new(num_threads: usize) -> Self {
        let num_workers = num_threads.saturating_sub(1);
        let shared = Arc::new(Shared {
            state: AtomicU64::new(CLOSED),
            job: UnsafeCell::new(None),
            asleep: (0..num_workers).map(|_| AtomicBool::new(false)).collect(),
            panicked: AtomicBool::new(false),
        });
        let spawn = |number: usize| {
            let shared = Arc::clone(&shared);
            let worker = std::thread::Builder::new().name(format!("speclora-{number}"));
            let handle = worker.spawn(move || shared.work(number)).expect("a thread can be started");
            handle.thread().clone()
        };
        let workers = (0..num_workers).map(spawn).collect();
        Self { shared, workers, caller: Mutex::new(()) }
    }

    /// Runs a job on this thread and on those that join in time; returns when all of them are done with it. A job that is
    /// run while another is, runs on its own thread alone.
    fn run(&self, job: Job<'_>) {
        let Ok(_caller) = self.caller.try_lock() else {
            return job();
        };
        if self.workers.is_empty() {
            return job();
        }
        // SAFETY: workers read the job after joining it; `Opened` lets no more join, and waits for those who did, before
        // `job` goes out of scope, also if it panics here.
        unsafe { *self.shared.job.get() = Some(std::mem::transmute::<Job<'_>, Job<'static>>(job)) };
        let opened = Opened::new(self);
        job();
        drop(opened);
        if self.shared.panicked.load(Ordering::Relaxed) {
            resume_unwind(Box::new("a thread of the pool panicked"));
        }
    }
}

/// A job that workers may join, until this is dropped.
struct Opened<'a>(&'a Shared);

impl<'a> Opened<'a> {
    fn new(pool: &'a Pool) -> Self {
        let shared = &*pool.shared;
        shared.panicked.store(false, Ordering::Relaxed);
        let number = (shared.state.load(Ordering::Relaxed) >> 32).wrapping_add(1);
        shared.state.store(number << 32, Ordering::SeqCst);
        for (worker, asleep) in pool.workers.iter().zip(&shared.asleep) {
            if asleep.swap(false, Ordering::SeqCst) {
                worker.unpark();
            }
        }
        Self(shared)
    }
}

impl Drop for Opened<'_> {
    fn drop(&mut self) {
        self.0.state.fetch_or(CLOSED, Ordering::AcqRel);
        let mut looks = 0;
        while self.0.state.load(Ordering::Acquire) & JOINED > 0 {
            wait(&mut looks);
        }
    }
}

/// Waits a moment: first by looking again, then by giving the core to whoever wants it.
fn wait(looks: &mut u32) {
    *looks += 1;
    if *looks < SPINS {
        std::hint::spin_loop();
    } else {
        std::thread::yield_now();
    }
}

impl Shared {
    /// A worker's life.
    fn work(&self, number: usize) {
        let mut seen = 0;
        loop {
            let state = self.next_job(number, seen);
            seen = state >> 32;
            let joined = state & CLOSED == 0
                && self.state.compare_exchange(state, state + 1, Ordering::AcqRel, Ordering::Relaxed).is_ok();
            if joined {
                // SAFETY: the job stays until this worker leaves it.
                let job = unsafe { (*self.job.get()).expect("an open job is there") };
                if catch_unwind(AssertUnwindSafe(job)).is_err() {
                    self.panicked.store(true, Ordering::Relaxed);
                }
                self.state.fetch_sub(1, Ordering::AcqRel);
            } else if state & CLOSED == 0 {
                // Another worker joined in between: look at the same job again.
                seen = seen.wrapping_sub(1);
            }
        }
    }

    /// Waits for a state with another job than the one that was seen.
    fn next_job(&self, number: usize, seen: u64) -> u64 {
        let mut looks = 0;
        loop {
            let state = self.state.load(Ordering::SeqCst);
            if state >> 32 != seen {
                return state;
            }
            wait(&mut looks);
            if looks > SPINS + YIELDS {
                self.asleep[number].store(true, Ordering::SeqCst);
                if self.state.load(Ordering::SeqCst) >> 32 == seen {
                    std::thread::park();
                }
                self.asleep[number].store(false, Ordering::SeqCst);
                looks = 0;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_item_comes_once() {
        for (num_items, chunk) in [(0, 3), (1, 3), (7, 3), (1_000, 7)] {
            let counts: Vec<AtomicUsize> = (0..num_items).map(|_| AtomicUsize::new(0)).collect();
            for_each_range(num_items, chunk, |range| {
                range.for_each(|item| {
                    counts[item].fetch_add(1, Ordering::Relaxed);
                });
            });
            assert!(counts.iter().all(|count| count.load(Ordering::Relaxed) == 1));
        }
    }

    #[test]
    fn pieces_are_written_where_they_belong() {
        let mut items = vec![0; 60];
        for_each_chunk(&mut items, 4, |number, piece| piece.fill(number));
        assert!(items.iter().enumerate().all(|(index, &number)| number == index / 4));
    }

    #[test]
    fn jobs_follow_each_other_on_every_number_of_threads() {
        for num_threads in [1, 2, 3, 5] {
            let pool = Pool::new(num_threads);
            for round in 0..2_000 {
                let next = AtomicUsize::new(0);
                let sum = AtomicUsize::new(0);
                pool.run(&|| {
                    loop {
                        let item = next.fetch_add(1, Ordering::Relaxed);
                        if item >= 20 {
                            return;
                        }
                        sum.fetch_add(item + round, Ordering::Relaxed);
                    }
                });
                assert_eq!(sum.into_inner(), 190 + 20 * round);
            }
        }
    }

    #[test]
    fn a_job_within_a_job_and_jobs_side_by_side_are_done() {
        let total = AtomicUsize::new(0);
        std::thread::scope(|scope| {
            for _ in 0..3 {
                scope.spawn(|| {
                    for_each_range(50, 1, |_| {
                        for_each_range(4, 1, |range| {
                            total.fetch_add(range.len(), Ordering::Relaxed);
                        });
                    });
                });
            }
        });
        assert_eq!(total.into_inner(), 3 * 50 * 4);
    }

    #[test]
    fn a_panic_reaches_the_caller_and_the_pool_lives_on() {
        let pool = Pool::new(2);
        let panicking = catch_unwind(AssertUnwindSafe(|| pool.run(&|| panic!("on every thread"))));
        assert!(panicking.is_err());
        let count = AtomicUsize::new(0);
        pool.run(&|| {
            count.fetch_add(1, Ordering::Relaxed);
        });
        assert!((1..=2).contains(&count.into_inner()));
    }
}
