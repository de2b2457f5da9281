//! What lies between the products: norms, rotary turns, gates, softmax. Each position is computed as if it were alone.

use super::simd::{LANES, Op, Simd, exp};

/// RMS norm of one row: x / √(mean(x²) + ε) · w.
pub(super) struct RmsNorm<'a> {
    /// `[width]`.
    pub(super) x: &'a [f32],
    /// w: `[width]`.
    pub(super) weight: &'a [f32],
    pub(super) eps: f32,
    /// `[width]`.
    pub(super) out: &'a mut [f32],
}

impl Op for RmsNorm<'_> {
    type Output = ();

    #[inline(always)]
    unsafe fn run<S: Simd>(self) {
        let width = self.weight.len();
        assert!(self.x.len() == width && self.out.len() == width);
        // SAFETY: all slices are `width` long, and whole vectors stay within it.
        unsafe {
            let (whole, mut squares) = (width / LANES * LANES, S::splat(0.0));
            for at in (0..whole).step_by(LANES) {
                let x = S::load(self.x.as_ptr().add(at));
                squares = S::fma(x, x, squares);
            }
            let rest: f32 = self.x[whole..].iter().map(|x| x * x).sum();
            let scale = 1.0 / ((S::sum(squares) + rest) / width as f32 + self.eps).sqrt();
            for at in (0..whole).step_by(LANES) {
                let x = S::mul(S::load(self.x.as_ptr().add(at)), S::splat(scale));
                S::store(self.out.as_mut_ptr().add(at), S::mul(x, S::load(self.weight.as_ptr().add(at))));
            }
            for at in whole..width {
                self.out[at] = self.x[at] * scale * self.weight[at];
            }
        }
    }
}

/// Turns one head: (x_i, x_{i + d/2}) by the angle whose cosine and sine stand in the tables.
pub(super) fn turn(head: &mut [f32], cos: &[f32], sin: &[f32]) {
    let (first, second) = head.split_at_mut(head.len() / 2);
    for (((a, b), cos), sin) in first.iter_mut().zip(second).zip(cos).zip(sin) {
        (*a, *b) = (*a * cos - *b * sin, *b * cos + *a * sin);
    }
}

/// SwiGLU's gate, in place: gate · σ(gate) · up.
pub(super) struct GateRow<'a> {
    /// `[width]`, replaced by the result.
    pub(super) gate: &'a mut [f32],
    /// `[width]`.
    pub(super) up: &'a [f32],
}

impl Op for GateRow<'_> {
    type Output = ();

    #[inline(always)]
    unsafe fn run<S: Simd>(self) {
        assert!(self.gate.len() == self.up.len() && self.gate.len().is_multiple_of(LANES));
        for at in (0..self.gate.len()).step_by(LANES) {
            // SAFETY: both slices hold whole vectors, as checked.
            unsafe {
                let gate = S::load(self.gate.as_ptr().add(at));
                let up = S::load(self.up.as_ptr().add(at));
                let negated = S::min(S::sub(S::splat(0.0), gate), S::splat(87.0));
                let sigmoid = S::div(gate, S::add(S::splat(1.0), exp::<S>(negated)));
                S::store(self.gate.as_mut_ptr().add(at), S::mul(sigmoid, up));
            }
        }
    }
}

/// Replaces scores by e^(score − largest), and returns their sum. Scores beyond `len` become zero.
#[inline(always)]
pub(super) unsafe fn exponentiate<S: Simd>(scores: &mut [f32], len: usize) -> f32 {
    scores[len..].fill(f32::NEG_INFINITY);
    // SAFETY: scores are whole vectors.
    unsafe {
        let mut largest = S::splat(f32::NEG_INFINITY);
        for at in (0..scores.len()).step_by(LANES) {
            largest = S::max(largest, S::load(scores.as_ptr().add(at)));
        }
        let largest = S::splat(S::largest(largest));
        for at in (0..scores.len()).step_by(LANES) {
            let score = S::load(scores.as_ptr().add(at));
            S::store(scores.as_mut_ptr().add(at), exp::<S>(S::sub(score, largest)));
        }
        scores[len..].fill(0.0);
        let mut total = S::splat(0.0);
        for at in (0..scores.len()).step_by(LANES) {
            total = S::add(total, S::load(scores.as_ptr().add(at)));
        }
        S::sum(total)
    }
}
