//! Activations as bytes: what quantised weights are multiplied with.

use super::blocks::BLOCK;
use super::pool::{self, Pieces};
use super::simd::{Backend, LANES, Op, Simd};

/// Rows that one thread rounds before another could have been woken: a decoding step stays on one thread.
const ROWS_AT_ONCE: usize = 16;

/// Weights that share a scale on the activation's side.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Grain {
    /// 32, beside weights in blocks of 32.
    Small = 32,
    /// 256, beside weights in super-blocks of 256.
    Large = 256,
}

/// Rows of activations, x ≈ scale · q with q within ±127. Rounded once a row, whatever rows are beside it.
#[derive(Debug)]
pub(super) struct Activations {
    pub(super) grain: Grain,
    pub(super) num_rows: usize,
    pub(super) width: usize,
    /// q: `[num_rows, width]`.
    pub(super) codes: Vec<i8>,
    /// `[num_rows, width / grain]`.
    pub(super) scales: Vec<f32>,
    /// Sums of 16 codes: `[num_rows, width / 16]`.
    pub(super) sums: Vec<i16>,
    /// Sums of 32 codes times their scale, for weights with offsets: `[num_rows, width / 32]`.
    pub(super) scaled_sums: Vec<f32>,
}

impl Activations {
    /// Holds nothing yet.
    pub(super) fn new(grain: Grain) -> Self {
        let (codes, scales, sums, scaled_sums) = (vec![], vec![], vec![], vec![]);
        Self { grain, num_rows: 0, width: 0, codes, scales, sums, scaled_sums }
    }

    /// Whether there is nothing rounded yet of the input at hand.
    pub(super) fn is_stale(&self) -> bool {
        self.num_rows == 0
    }

    /// Forgets the input.
    pub(super) fn mark_stale(&mut self) {
        self.num_rows = 0;
    }

    /// Makes room for rows; what was there is lost.
    fn resize(&mut self, num_rows: usize, width: usize) {
        (self.num_rows, self.width) = (num_rows, width);
        self.codes.resize(num_rows * width, 0);
        self.scales.resize(num_rows * width / self.grain as usize, 0.0);
        self.sums.resize(num_rows * width / LANES, 0);
        self.scaled_sums.resize(num_rows * width / BLOCK, 0.0);
    }
}

/// Rounds one row to bytes.
pub(super) struct QuantizeRow<'a> {
    pub(super) grain: Grain,
    /// `[width]`.
    pub(super) row: &'a [f32],
    /// `[width]`.
    pub(super) codes: &'a mut [i8],
    /// `[width / grain]`.
    pub(super) scales: &'a mut [f32],
    /// `[width / 16]`.
    pub(super) sums: &'a mut [i16],
    /// `[width / 32]`.
    pub(super) scaled_sums: &'a mut [f32],
}

impl Op for QuantizeRow<'_> {
    type Output = ();

    #[inline(always)]
    unsafe fn run<S: Simd>(self) {
        let grain = self.grain as usize;
        assert!(self.row.len().is_multiple_of(grain) && self.codes.len() == self.row.len());
        assert!(self.scales.len() * grain == self.row.len() && self.sums.len() * LANES == self.row.len());
        assert!(self.scaled_sums.len() * BLOCK == self.row.len());
        for (group, scale) in self.scales.iter_mut().enumerate() {
            let start = group * grain;
            // SAFETY: `start + offset + LANES` stays within the row, as the lengths above say.
            unsafe {
                let row = self.row.as_ptr().add(start);
                let codes = self.codes.as_mut_ptr().add(start);
                let mut highest = S::splat(0.0);
                for offset in (0..grain).step_by(LANES) {
                    highest = S::max(highest, S::abs(S::load(row.add(offset))));
                }
                let highest = S::largest(highest);
                *scale = highest / 127.0;
                let inverse = S::splat(if highest > 0.0 { 127.0 / highest } else { 0.0 });
                for offset in (0..grain).step_by(LANES) {
                    let rounded = S::round(S::mul(S::load(row.add(offset)), inverse));
                    S::store_i8(codes.add(offset), rounded);
                    *self.sums.get_unchecked_mut((start + offset) / LANES) = S::sum_whole(rounded) as i16;
                }
            }
            let blocks = start / BLOCK..(start + grain) / BLOCK;
            let halves = self.sums[2 * blocks.start..2 * blocks.end].as_chunks().0;
            for (scaled, &[first, second]) in self.scaled_sums[blocks].iter_mut().zip(halves) {
                *scaled = f32::from(first + second) * *scale;
            }
        }
    }
}

/// Rounds rows of `x: [num_rows, stride]`, of which `width` entries count, into `activations`.
pub(super) fn quantize(
    backend: Backend,
    x: &[f32],
    stride: usize,
    width: usize,
    activations: &mut Activations,
) {
    let num_rows = x.len() / stride;
    activations.resize(num_rows, width);
    let grain = activations.grain;
    let (num_scales, num_sums, num_blocks) = (width / grain as usize, width / LANES, width / BLOCK);
    let codes = Pieces::new(&mut activations.codes);
    let scales = Pieces::new(&mut activations.scales);
    let sums = Pieces::new(&mut activations.sums);
    let scaled_sums = Pieces::new(&mut activations.scaled_sums);
    pool::for_each_range(num_rows, ROWS_AT_ONCE, |rows| {
        for row in rows {
            let part = |len: usize| row * len..(row + 1) * len;
            // SAFETY: each row comes once, and its parts are its own.
            let (codes, scales) = unsafe { (codes.get(part(width)), scales.get(part(num_scales))) };
            // SAFETY: likewise.
            let (sums, scaled_sums) =
                unsafe { (sums.get(part(num_sums)), scaled_sums.get(part(num_blocks))) };
            let row = &x[row * stride..][..width];
            backend.run(QuantizeRow { grain, row, codes, scales, sums, scaled_sums });
        }
    });
}
