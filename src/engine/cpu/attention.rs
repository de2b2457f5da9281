//! Attention: softmax(q·kᵀ/√d)·v over the positions that a query may see.
//!
//! Several queries that share a head's keys and values meet them together. Each query's result is the same to the last bit
//! whatever queries are beside it: every score, and every entry of what is attended to, is one sum from the first column
//! to the last. The total of a query's weights has zeros added to it where another sees more, which changes no bit.

use std::cell::RefCell;
use std::ops::Range;

use super::kv_cache::{HeadCache, LayerCache};
use super::linear::Rows;
use super::ops::exponentiate;
use super::pool::{self, Pieces};
use super::product::groups;
use super::simd::{Backend, LANES, Op, Simd};

/// Queries that meet keys and values together: their sums fit the registers.
const QUERIES_AT_ONCE: usize = 6;

/// Products below which it does not pay to wake another thread.
const MIN_SHARED_PRODUCTS: usize = 32 * 1024;

/// Attends from each new position, whose keys and values are in the cache. The first is at position `start`.
/// queries, out: `[T, heads · head_dim]`.
pub(super) fn attend_rows(
    backend: Backend,
    cache: &LayerCache,
    start: usize,
    queries: &Rows,
    out: &mut Rows,
) {
    thread_local! {
        static BATCH: RefCell<QueryBatch> = const { RefCell::new(QueryBatch::new()) };
    }
    let head_dim = cache.head_dim();
    let (num_heads, num_kv_heads) = (queries.width / head_dim, cache.num_heads());
    let num_rows = queries.num_rows();
    // Query heads that share keys come together, row by row.
    let num_sharing = num_heads / num_kv_heads;
    let batches: Vec<Range<usize>> = groups(num_rows * num_sharing, QUERIES_AT_ONCE).collect();
    let num_products = 2 * num_rows * num_heads * head_dim * (start + num_rows);
    let num_items = num_kv_heads * batches.len();
    let chunk = if num_products < MIN_SHARED_PRODUCTS { num_items } else { 1 };
    out.resize(num_rows, queries.width);
    let stride = out.stride;
    let pieces = Pieces::new(&mut out.data);
    pool::for_each_range(num_items, chunk, |items| {
        for item in items {
            let (kv_head, batch_queries) = (item / batches.len(), &batches[item % batches.len()]);
            let row_and_column = |query: usize| {
                let head = kv_head * num_sharing + query % num_sharing;
                (query / num_sharing, head * head_dim)
            };
            BATCH.with_borrow_mut(|batch| {
                batch.clear();
                for (row, column) in batch_queries.clone().map(row_and_column) {
                    batch.add(&queries.row(row)[column..column + head_dim], start + row + 1);
                }
                backend.run(Attend { head: cache.head(kv_head), batch });
                for (query, (row, column)) in batch_queries.clone().map(row_and_column).enumerate() {
                    let place = row * stride + column;
                    // SAFETY: each row and head comes once, and has its own place.
                    unsafe { pieces.get(place..place + head_dim) }
                        .copy_from_slice(batch.attended(query, head_dim));
                }
            });
        }
    });
}

/// Queries that share keys and values, and what becomes of them.
#[derive(Debug)]
struct QueryBatch {
    /// `[N, head_dim]`, times 1/√d.
    queries: Vec<f32>,
    /// How many positions each query sees; never fewer than the one before.
    lens: Vec<usize>,
    /// `[N, S]`, S the last length, rounded up to whole vectors.
    scores: Vec<f32>,
    /// `[N, head_dim]`, head_dim rounded up to whole vectors.
    attended: Vec<f32>,
}

impl QueryBatch {
    const fn new() -> Self {
        Self { queries: vec![], lens: vec![], scores: vec![], attended: vec![] }
    }

    fn clear(&mut self) {
        self.queries.clear();
        self.lens.clear();
    }

    /// Adds a query that sees the first `len` positions.
    fn add(&mut self, query: &[f32], len: usize) {
        let scale = 1.0 / (query.len() as f32).sqrt();
        self.queries.extend(query.iter().map(|entry| entry * scale));
        self.lens.push(len);
    }

    fn attended(&self, query: usize, head_dim: usize) -> &[f32] {
        &self.attended[query * head_dim.next_multiple_of(LANES)..][..head_dim]
    }
}

/// One head at work on a batch of 1 to [`QUERIES_AT_ONCE`] queries.
struct Attend<'a> {
    head: HeadCache<'a>,
    batch: &'a mut QueryBatch,
}

impl Op for Attend<'_> {
    type Output = ();

    #[inline(always)]
    unsafe fn run<S: Simd>(self) {
        let Self { head, batch } = self;
        let HeadCache { keys, values, capacity, head_dim } = head;
        let padded_dim = head_dim.next_multiple_of(LANES);
        assert!(capacity.is_multiple_of(LANES) && keys.len() == capacity * head_dim);
        assert!(values.len() == capacity * padded_dim);
        let num_queries = batch.lens.len();
        let len = batch.lens.last().copied().unwrap_or(0);
        assert!(batch.queries.len() == num_queries * head_dim && batch.lens.is_sorted() && len <= capacity);
        assert!(batch.lens.first().is_some_and(|&first| first > 0));
        batch.scores.resize(num_queries * len.next_multiple_of(LANES), 0.0);
        batch.attended.resize(num_queries * padded_dim, 0.0);
        // Sums of few queries would wait for themselves at every column, so that those meet several panels at once: as many
        // as make four to six sums.
        // SAFETY: there are as many queries as each kernel takes, and keys, values and lengths are as it asks.
        unsafe {
            match num_queries {
                1 => attend::<S, 1, 4>(head, batch),
                2 => attend::<S, 2, 2>(head, batch),
                3 => attend::<S, 3, 2>(head, batch),
                4 => attend::<S, 4, 1>(head, batch),
                5 => attend::<S, 5, 1>(head, batch),
                QUERIES_AT_ONCE => attend::<S, QUERIES_AT_ONCE, 1>(head, batch),
                _ => unreachable!("1 to {QUERIES_AT_ONCE} queries come together, got {num_queries}"),
            }
        }
    }
}

/// Runs a kernel over panels: P of them at once, then two, then one.
macro_rules! for_panels {
    ($num_panels:expr, $P:ident, $kernel:ident::<$S:ty, $N:ident>($head:expr, $batch:expr $(, $more:expr)*)) => {
        let (num_panels, mut panel) = ($num_panels, 0);
        while panel + $P <= num_panels {
            $kernel::<$S, $N, $P>($head, $batch, panel $(, $more)*);
            panel += $P;
        }
        if $P > 2 && panel + 2 <= num_panels {
            $kernel::<$S, $N, 2>($head, $batch, panel $(, $more)*);
            panel += 2;
        }
        if panel < num_panels {
            $kernel::<$S, $N, 1>($head, $batch, panel $(, $more)*);
        }
    };
}

/// [`Attend`] with N queries that meet P panels at once: 1, 2 or 4.
///
/// # Safety
///
/// The batch has N queries, which see 1 to `capacity` positions; the head's keys and values are as long as its shape says,
/// and there is room for scores and what is attended to.
#[inline(always)]
unsafe fn attend<S: Simd, const N: usize, const P: usize>(head: HeadCache, batch: &mut QueryBatch) {
    debug_assert_eq!(batch.lens.len(), N);
    let stride = batch.scores.len() / N;
    // SAFETY: what the caller vouches for.
    unsafe {
        for_panels!(stride / LANES, P, score_panels::<S, N>(head, batch));
        let mut inverses = [0.0; N];
        for (query, inverse) in inverses.iter_mut().enumerate() {
            let scores = &mut batch.scores[query * stride..(query + 1) * stride];
            *inverse = 1.0 / exponentiate::<S>(scores, batch.lens[query]);
        }
        for_panels!(head.head_dim.div_ceil(LANES), P, attend_panels::<S, N>(head, batch, &inverses));
    }
}

/// Scores of P panels of positions from `panel` on.
#[inline(always)]
unsafe fn score_panels<S: Simd, const N: usize, const P: usize>(
    head: HeadCache,
    batch: &mut QueryBatch,
    panel: usize,
) {
    let panel_len = head.head_dim * LANES;
    let stride = batch.scores.len() / N;
    // SAFETY: as in `attend`.
    unsafe {
        let keys = Strided { start: head.keys.as_ptr().add(panel * panel_len), stride: panel_len };
        let queries = Strided { start: batch.queries.as_ptr(), stride: head.head_dim };
        let sums = products::<S, N, P>(keys, queries, head.head_dim);
        store::<S, N, P>(batch.scores.as_mut_ptr().add(panel * LANES), stride, sums);
    }
}

/// Σ over positions of weight·value, for P panels of values from `panel` on.
#[inline(always)]
unsafe fn attend_panels<S: Simd, const N: usize, const P: usize>(
    head: HeadCache,
    batch: &mut QueryBatch,
    panel: usize,
    inverses: &[f32; N],
) {
    let QueryBatch { lens, scores, attended, .. } = batch;
    let panel_len = head.capacity * LANES;
    let (stride, out_stride) = (scores.len() / N, attended.len() / N);
    // SAFETY: as in `attend`.
    unsafe {
        let values = Strided { start: head.values.as_ptr().add(panel * panel_len), stride: panel_len };
        let weights = Strided { start: scores.as_ptr(), stride };
        let mut sums = products::<S, N, P>(values, weights, lens[0]);
        for (query, sums) in sums.iter_mut().enumerate() {
            // What this query sees and the first does not. Later positions have a weight of zero; but zero times a value that
            // is not finite is not zero.
            for position in lens[0]..lens[query] {
                let weight = S::splat(*weights.at(query, position));
                for (panel, sum) in sums.iter_mut().enumerate() {
                    *sum = S::fma(S::load(values.at(panel, position * LANES)), weight, *sum);
                }
            }
            for sum in sums {
                *sum = S::mul(*sum, S::splat(inverses[query]));
            }
        }
        store::<S, N, P>(attended.as_mut_ptr().add(panel * LANES), out_stride, sums);
    }
}

/// Rows of numbers, or panels of them.
#[derive(Clone, Copy)]
struct Strided {
    start: *const f32,
    /// Entries from one row or panel to the next.
    stride: usize,
}

impl Strided {
    #[inline(always)]
    unsafe fn at(self, row: usize, entry: usize) -> *const f32 {
        // SAFETY: the caller vouches for the row's entry.
        unsafe { self.start.add(row * self.stride + entry) }
    }
}

/// Σ over columns of w·x, from the first to the last, of P panels of w and N rows of x. Unlike the kernels of `product` it
/// asks for nothing in advance: what it reads is in the processor's caches, or follows on what it has read.
#[inline(always)]
unsafe fn products<S: Simd, const N: usize, const P: usize>(
    w: Strided,
    x: Strided,
    num_columns: usize,
) -> [[S::Floats; P]; N] {
    // SAFETY: the caller vouches for so many columns of all rows and panels.
    unsafe {
        let mut sums = [[S::splat(0.0); P]; N];
        for column in 0..num_columns {
            let mut weights = [S::splat(0.0); P];
            for (panel, weights) in weights.iter_mut().enumerate() {
                *weights = S::load(w.at(panel, column * LANES));
            }
            for (row, sums) in sums.iter_mut().enumerate() {
                let x = S::splat(*x.at(row, column));
                for (sum, &weights) in sums.iter_mut().zip(&weights) {
                    *sum = S::fma(weights, x, *sum);
                }
            }
        }
        sums
    }
}

/// Writes vectors side by side, row by row.
#[inline(always)]
unsafe fn store<S: Simd, const N: usize, const P: usize>(
    out: *mut f32,
    stride: usize,
    sums: [[S::Floats; P]; N],
) {
    for (row, sums) in sums.into_iter().enumerate() {
        for (panel, sum) in sums.into_iter().enumerate() {
            // SAFETY: the caller vouches for the place of each.
            unsafe { S::store(out.add(row * stride + panel * LANES), sum) };
        }
    }
}

#[cfg(test)]
mod tests;
