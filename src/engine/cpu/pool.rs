//! Work shared out to threads, so that what is computed does not depend on how many there are.

use std::ops::Range;
use std::sync::atomic::{AtomicUsize, Ordering};

use candle_core::utils::barrier_pool;

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
    barrier_pool().execute(|_| {
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
}
