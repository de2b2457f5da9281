//! Products of float matrices, for what has no tiles: low-rank updates, attention, and their gradients.

use std::marker::PhantomData;
use std::ops::Range;

use gemm::Parallelism;

use crate::engine::cpu::linear::Rows;
use crate::engine::cpu::pool;
use crate::engine::cpu::product::Onto;

/// Rows of a product that are one piece of work. Fixed, so that no sum depends on the number of threads.
const ROWS_AT_ONCE: usize = 32;

/// A matrix `[rows, columns]` somewhere in a slice.
#[derive(Debug, Clone, Copy)]
pub(super) struct View<'a> {
    data: &'a [f32],
    rows: usize,
    columns: usize,
    row_stride: usize,
    column_stride: usize,
}

impl<'a> View<'a> {
    /// A row-major matrix without gaps.
    pub(super) fn dense(data: &'a [f32], rows: usize, columns: usize) -> Self {
        Self::strided(data, rows, columns, columns)
    }

    /// A row-major matrix whose rows begin `row_stride` apart.
    ///
    /// # Panics
    /// If the slice does not hold it.
    pub(super) fn strided(data: &'a [f32], rows: usize, columns: usize, row_stride: usize) -> Self {
        assert!(rows == 0 || data.len() >= (rows - 1) * row_stride + columns, "a matrix lies in its slice");
        Self { data, rows, columns, row_stride, column_stride: 1 }
    }

    pub(super) fn of(rows: &'a Rows) -> Self {
        Self::strided(&rows.data, rows.num_rows(), rows.width, rows.stride)
    }

    pub(super) fn transposed(self) -> Self {
        Self {
            rows: self.columns,
            columns: self.rows,
            row_stride: self.column_stride,
            column_stride: self.row_stride,
            ..self
        }
    }
}

/// A matrix `[rows, columns]` that a product is written to.
#[derive(Debug)]
pub(super) struct ViewMut<'a> {
    data: *mut f32,
    rows: usize,
    columns: usize,
    row_stride: usize,
    column_stride: usize,
    lifetime: PhantomData<&'a mut f32>,
}

// SAFETY: as a mutable slice, of which threads write different rows.
unsafe impl Sync for ViewMut<'_> {}

impl<'a> ViewMut<'a> {
    /// A row-major matrix without gaps.
    pub(super) fn dense(data: &'a mut [f32], rows: usize, columns: usize) -> Self {
        assert_eq!(data.len(), rows * columns, "a matrix fills its slice");
        // SAFETY: the slice holds it, and is borrowed as long.
        unsafe { Self::raw(data.as_mut_ptr(), rows, columns, columns) }
    }

    pub(super) fn of(rows: &'a mut Rows) -> Self {
        let (num_rows, width, stride) = (rows.num_rows(), rows.width, rows.stride);
        // SAFETY: the rows hold it, and are borrowed as long.
        unsafe { Self::raw(rows.data.as_mut_ptr(), num_rows, width, stride) }
    }

    /// A row-major matrix whose rows begin `row_stride` apart.
    ///
    /// # Safety
    /// Its elements can be written, and nobody else touches them meanwhile.
    pub(super) unsafe fn raw(data: *mut f32, rows: usize, columns: usize, row_stride: usize) -> Self {
        Self { data, rows, columns, row_stride, column_stride: 1, lifetime: PhantomData }
    }

    pub(super) fn transposed(self) -> Self {
        Self {
            rows: self.columns,
            columns: self.rows,
            row_stride: self.column_stride,
            column_stride: self.row_stride,
            ..self
        }
    }

    /// Some of the rows.
    ///
    /// # Safety
    /// No two parts that exist at a time share a row.
    unsafe fn some_rows(&self, rows: &Range<usize>) -> Self {
        Self { data: self.data.wrapping_add(rows.start * self.row_stride), rows: rows.len(), ..*self }
    }
}

/// out = α · left · right, or out += …, on all threads. left: `[m, k]`, right: `[k, n]`, out: `[m, n]`.
pub(super) fn multiply(out: ViewMut, onto: Onto, alpha: f32, left: View, right: View) {
    pool::for_each_range(out.rows, ROWS_AT_ONCE, |rows| {
        // SAFETY: each row comes once.
        let part = unsafe { out.some_rows(&rows) };
        let left_part = View {
            data: &left.data[(rows.start * left.row_stride).min(left.data.len())..],
            rows: rows.len(),
            ..left
        };
        multiply_here(part, onto, alpha, left_part, right);
    });
}

/// As [`multiply`], on this thread alone.
pub(super) fn multiply_here(out: ViewMut, onto: Onto, alpha: f32, left: View, right: View) {
    let (m, k, n) = (left.rows, left.columns, right.columns);
    assert!(right.rows == k && out.rows == m && out.columns == n, "matrices of a product fit");
    // SAFETY: all three matrices lie in their slices, which their constructors checked.
    unsafe {
        gemm::gemm(
            m,
            n,
            k,
            out.data,
            out.column_stride as isize,
            out.row_stride as isize,
            onto == Onto::Add,
            left.data.as_ptr(),
            left.column_stride as isize,
            left.row_stride as isize,
            right.data.as_ptr(),
            right.column_stride as isize,
            right.row_stride as isize,
            1.0,
            alpha,
            false,
            false,
            false,
            Parallelism::None,
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strided_and_transposed_products_are_those_of_the_definition() {
        let (m, k, n) = (70, 5, 9);
        let value = |i: usize, j: usize| ((i * 7 + j * 3) % 11) as f32 - 5.0;
        let left: Vec<f32> = (0..m * 16).map(|at| value(at / 16, at % 16)).collect();
        let right: Vec<f32> = (0..n * k).map(|at| value(at / k, at % k)).collect();
        let mut out = vec![1.0; m * n];
        let (left_view, right_view) =
            (View::strided(&left, m, k, 16), View::dense(&right, n, k).transposed());
        multiply(ViewMut::dense(&mut out, m, n), Onto::Add, 2.0, left_view, right_view);
        for i in 0..m {
            for j in 0..n {
                let product: f32 = (0..k).map(|l| value(i, l) * value(j, l)).sum();
                assert_eq!(out[i * n + j], 1.0 + 2.0 * product, "({i}, {j})");
            }
        }
        let mut turned = vec![f32::NAN; n * m];
        let out_view = ViewMut::dense(&mut turned, n, m).transposed();
        multiply(out_view, Onto::Replace, 2.0, left_view, right_view);
        assert!((0..m * n).all(|at| turned[at % n * m + at / n] == out[at] - 1.0));
    }
}
