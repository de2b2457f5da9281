//! What lies between the products: norms, rotary turns, gates, attention. Each position is computed as if it were alone.

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

/// Attention of one query head at one position: softmax(q·kᵀ/√d)·v over the keys that it may see.
pub(super) struct Attend<'a> {
    /// `[head_width]`, head_width a multiple of 16 whose tail is zero.
    pub(super) query: &'a [f32],
    /// `[len, head_width]`.
    pub(super) keys: &'a [f32],
    /// `[len, head_width]`.
    pub(super) values: &'a [f32],
    /// 1/√d.
    pub(super) scale: f32,
    /// Room for `len` scores, rounded up to whole vectors.
    pub(super) scores: &'a mut Vec<f32>,
    /// `[head_width]`.
    pub(super) out: &'a mut [f32],
}

impl Op for Attend<'_> {
    type Output = ();

    #[inline(always)]
    unsafe fn run<S: Simd>(self) {
        // Widths that models have are compiled on their own, so that a query stays in registers.
        // SAFETY: as `attend` asks; the lengths are checked there.
        unsafe {
            match self.query.len() / LANES {
                4 => attend::<S, 4>(self),
                5 => attend::<S, 5>(self),
                6 => attend::<S, 6>(self),
                8 => attend::<S, 8>(self),
                _ => attend_any::<S>(self),
            }
        }
    }
}

/// Keys that are scored side by side.
const KEYS_AT_ONCE: usize = 4;

/// [`Attend`] with a head of H vectors.
#[inline(always)]
unsafe fn attend<S: Simd, const H: usize>(head: Attend) {
    let width = H * LANES;
    let len = head.keys.len() / width;
    assert!(head.values.len() == len * width && head.out.len() == width && len > 0);
    head.scores.resize(len.next_multiple_of(LANES), 0.0);
    // SAFETY: vectors of keys, values and query lie within their slices, scores within the vector just resized.
    unsafe {
        let query: [S::Floats; H] = std::array::from_fn(|h| S::load(head.query.as_ptr().add(h * LANES)));
        let key = |position: usize, h: usize| S::load(head.keys.as_ptr().add(position * width + h * LANES));
        let whole = len / KEYS_AT_ONCE * KEYS_AT_ONCE;
        for first in (0..whole).step_by(KEYS_AT_ONCE) {
            let mut sums = [S::splat(0.0); KEYS_AT_ONCE];
            for (h, &query) in query.iter().enumerate() {
                for (offset, sum) in sums.iter_mut().enumerate() {
                    *sum = S::fma(query, key(first + offset, h), *sum);
                }
            }
            for (offset, sum) in sums.into_iter().enumerate() {
                head.scores[first + offset] = S::sum(sum) * head.scale;
            }
        }
        for position in whole..len {
            let mut sum = S::splat(0.0);
            for (h, &query) in query.iter().enumerate() {
                sum = S::fma(query, key(position, h), sum);
            }
            head.scores[position] = S::sum(sum) * head.scale;
        }
        let total = exponentiate::<S>(head.scores, len);
        let mut sums = [S::splat(0.0); H];
        for position in 0..len {
            let weight = S::splat(head.scores[position]);
            for (h, sum) in sums.iter_mut().enumerate() {
                let value = S::load(head.values.as_ptr().add(position * width + h * LANES));
                *sum = S::fma(weight, value, *sum);
            }
        }
        let inverse = S::splat(1.0 / total);
        for (h, sum) in sums.into_iter().enumerate() {
            S::store(head.out.as_mut_ptr().add(h * LANES), S::mul(sum, inverse));
        }
    }
}

/// [`Attend`] with a head of any whole number of vectors; the same arithmetic in the same order.
#[inline(always)]
unsafe fn attend_any<S: Simd>(head: Attend) {
    let width = head.query.len();
    let len = head.keys.len() / width;
    assert!(
        width.is_multiple_of(LANES) && head.values.len() == len * width && head.out.len() == width && len > 0
    );
    head.scores.resize(len.next_multiple_of(LANES), 0.0);
    // SAFETY: as in `attend`.
    unsafe {
        for position in 0..len {
            let mut sum = S::splat(0.0);
            for at in (0..width).step_by(LANES) {
                let key = S::load(head.keys.as_ptr().add(position * width + at));
                sum = S::fma(S::load(head.query.as_ptr().add(at)), key, sum);
            }
            head.scores[position] = S::sum(sum) * head.scale;
        }
        let total = exponentiate::<S>(head.scores, len);
        let inverse = S::splat(1.0 / total);
        for at in (0..width).step_by(LANES) {
            let mut sum = S::splat(0.0);
            for position in 0..len {
                let value = S::load(head.values.as_ptr().add(position * width + at));
                sum = S::fma(S::splat(head.scores[position]), value, sum);
            }
            S::store(head.out.as_mut_ptr().add(at), S::mul(sum, inverse));
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
