//! Attention: softmax(q·kᵀ/√d)·v over the positions that a query may see.
//!
//! Several queries that share a head's keys and values meet them together. Each query's result is the same to the last bit
//! whatever queries are beside it: every score, and every entry of what is attended to, is one sum from the first column
//! to the last.

use std::cell::RefCell;

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
        static SCRATCH: RefCell<Scratch> = const { RefCell::new(Scratch::new()) };
    }
    let head_dim = cache.head_dim();
    let (num_heads, num_kv_heads) = (queries.width / head_dim, cache.num_heads());
    let num_rows = queries.num_rows();
    // Query heads that share keys come together, row by row.
    let sharing = num_heads / num_kv_heads;
    let batches: Vec<(usize, usize)> = groups(num_rows * sharing, QUERIES_AT_ONCE).collect();
    let num_products = 2 * num_rows * num_heads * head_dim * (start + num_rows);
    let num_items = num_kv_heads * batches.len();
    let chunk = if num_products < MIN_SHARED_PRODUCTS { num_items } else { 1 };
    out.resize(num_rows, queries.width);
    let stride = out.stride;
    let pieces = Pieces::new(&mut out.data);
    pool::for_each_range(num_items, chunk, |items| {
        for item in items {
            let (kv_head, (first, number)) = (item / batches.len(), batches[item % batches.len()]);
            // A query's row, and its place in it.
            let place = |query: usize| {
                let head = kv_head * sharing + query % sharing;
                (query / sharing, head * head_dim)
            };
            SCRATCH.with_borrow_mut(|scratch| {
                scratch.clear();
                for (row, at) in (first..first + number).map(place) {
                    scratch.add(&queries.row(row)[at..at + head_dim], start + row + 1);
                }
                backend.run(Attend { head: cache.head(kv_head), scratch });
                for (query, (row, at)) in (first..first + number).map(place).enumerate() {
                    let at = row * stride + at;
                    // SAFETY: each row and head comes once, and has its own place.
                    unsafe { pieces.get(at..at + head_dim) }
                        .copy_from_slice(scratch.attended(query, head_dim));
                }
            });
        }
    });
}

/// Queries that share keys and values, and what becomes of them.
#[derive(Debug)]
struct Scratch {
    /// `[N, head_dim]`, times 1/√d.
    queries: Vec<f32>,
    /// How many positions each query sees; never fewer than the one before.
    lens: Vec<usize>,
    /// `[N, S]`, S the last length, rounded up to whole vectors.
    scores: Vec<f32>,
    /// `[N, head_dim]`, head_dim rounded up to whole vectors.
    attended: Vec<f32>,
}

impl Scratch {
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

/// One head at work on the queries of a [`Scratch`], of which there are 1 to [`QUERIES_AT_ONCE`].
struct Attend<'a> {
    head: HeadCache<'a>,
    scratch: &'a mut Scratch,
}

impl Op for Attend<'_> {
    type Output = ();

    #[inline(always)]
    unsafe fn run<S: Simd>(self) {
        let Self { head, scratch } = self;
        let num_queries = scratch.lens.len();
        let len = scratch.lens.last().copied().unwrap_or(0);
        assert!(scratch.queries.len() == num_queries * head.head_dim && scratch.lens.is_sorted());
        assert!(len <= head.capacity && scratch.lens.first().is_some_and(|&first| first > 0));
        scratch.scores.resize(num_queries * len.next_multiple_of(LANES), 0.0);
        scratch.attended.resize(num_queries * head.head_dim.next_multiple_of(LANES), 0.0);
        // A sum of few queries would wait for itself at every column, so that those meet several panels at once.
        // SAFETY: there are as many queries as each kernel takes, and lengths are as checked.
        unsafe {
            match num_queries {
                1 => attend::<S, 1, 4>(head, scratch),
                2 => attend::<S, 2, 2>(head, scratch),
                3 => attend::<S, 3, 1>(head, scratch),
                4 => attend::<S, 4, 1>(head, scratch),
                5 => attend::<S, 5, 1>(head, scratch),
                6 => attend::<S, 6, 1>(head, scratch),
                _ => unreachable!("{QUERIES_AT_ONCE} queries come together, got {num_queries}"),
            }
        }
    }
}

/// [`Attend`] with N queries that meet P panels at once.
#[inline(always)]
unsafe fn attend<S: Simd, const N: usize, const P: usize>(head: HeadCache, scratch: &mut Scratch) {
    let HeadCache { keys, head_dim, .. } = head;
    let stride = scratch.scores.len() / N;
    let num_panels = stride / LANES;
    // SAFETY: panels lie within keys and values, whose capacity holds all lengths; scores and what is attended to hold N rows
    // of whole vectors.
    unsafe {
        let queries = (scratch.queries.as_ptr(), head_dim);
        let scores = scratch.scores.as_mut_ptr();
        let whole = num_panels / P * P;
        for panel in (0..whole).step_by(P) {
            let keys = (keys.as_ptr().add(panel * head_dim * LANES), head_dim * LANES);
            store::<S, N, P>(scores.add(panel * LANES), stride, products::<S, N, P>(keys, head_dim, queries));
        }
        for panel in whole..num_panels {
            let keys = (keys.as_ptr().add(panel * head_dim * LANES), head_dim * LANES);
            store::<S, N, 1>(scores.add(panel * LANES), stride, products::<S, N, 1>(keys, head_dim, queries));
        }
        let rows = scratch.scores.chunks_exact_mut(stride).zip(&scratch.lens);
        let mut inverses = [0.0; N];
        for (inverse, (scores, &len)) in inverses.iter_mut().zip(rows) {
            *inverse = 1.0 / exponentiate::<S>(scores, len);
        }
        let num_panels = head_dim.div_ceil(LANES);
        let whole = num_panels / P * P;
        for panel in (0..whole).step_by(P) {
            attend_panels::<S, N, P>(head, panel, scratch, inverses);
        }
        for panel in whole..num_panels {
            attend_panels::<S, N, 1>(head, panel, scratch, inverses);
        }
    }
}

/// Σ over positions of weight·value, for P panels of values from `panel` on.
#[inline(always)]
unsafe fn attend_panels<S: Simd, const N: usize, const P: usize>(
    head: HeadCache,
    panel: usize,
    scratch: &mut Scratch,
    inverses: [f32; N],
) {
    let Scratch { lens, scores, attended, .. } = scratch;
    let (stride, out_stride) = (scores.len() / N, attended.len() / N);
    // SAFETY: as in `attend`.
    unsafe {
        let values = head.values.as_ptr().add(panel * head.capacity * LANES);
        let panel_stride = head.capacity * LANES;
        let mut sums = products::<S, N, P>((values, panel_stride), lens[0], (scores.as_ptr(), stride));
        for (query, sums) in sums.iter_mut().enumerate() {
            // What this query sees and the first does not.
            for position in lens[0]..lens[query] {
                let weight = S::splat(*scores.as_ptr().add(query * stride + position));
                for (panel, sum) in sums.iter_mut().enumerate() {
                    let value = S::load(values.add(panel * panel_stride + position * LANES));
                    *sum = S::fma(value, weight, *sum);
                }
            }
            for sum in sums {
                *sum = S::mul(*sum, S::splat(inverses[query]));
            }
        }
        store::<S, N, P>(attended.as_mut_ptr().add(panel * LANES), out_stride, sums);
    }
}

/// Σ over columns of w·x, from the first to the last, of N rows of x and P panels of w. Both are pointers, and the entries
/// from one row or panel to the next.
#[inline(always)]
unsafe fn products<S: Simd, const N: usize, const P: usize>(
    (w, w_stride): (*const f32, usize),
    num_columns: usize,
    (x, x_stride): (*const f32, usize),
) -> [[S::Floats; P]; N] {
    // SAFETY: the caller vouches for so many columns of all rows and panels.
    unsafe {
        let mut sums = [[S::splat(0.0); P]; N];
        for column in 0..num_columns {
            let mut weights = [S::splat(0.0); P];
            for (panel, weights) in weights.iter_mut().enumerate() {
                *weights = S::load(w.add(panel * w_stride + column * LANES));
            }
            for (row, sums) in sums.iter_mut().enumerate() {
                let x = S::splat(*x.add(row * x_stride + column));
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
    to: *mut f32,
    stride: usize,
    sums: [[S::Floats; P]; N],
) {
    for (row, sums) in sums.into_iter().enumerate() {
        for (panel, sum) in sums.into_iter().enumerate() {
            // SAFETY: the caller vouches for the place of each.
            unsafe { S::store(to.add(row * stride + panel * LANES), sum) };
        }
    }
}

#[cfg(test)]
mod tests;
