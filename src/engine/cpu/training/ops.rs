//! What lies between the products, and its gradients.

use crate::engine::cpu::ops::exponentiate;
use crate::engine::cpu::simd::{LANES, Op, Simd, exp};

/// Replaces scores by e^(score − largest), those beyond `len` by zero, and returns their sum.
pub(super) struct Exponentiate<'a> {
    /// Whole vectors.
    pub(super) scores: &'a mut [f32],
    /// At least 1.
    pub(super) len: usize,
}

impl Op for Exponentiate<'_> {
    type Output = f32;

    #[inline(always)]
    unsafe fn run<S: Simd>(self) -> f32 {
        assert!(self.scores.len().is_multiple_of(LANES) && (1..=self.scores.len()).contains(&self.len));
        // SAFETY: the scores are whole vectors.
        unsafe { exponentiate::<S>(self.scores, self.len) }
    }
}

/// Sums a row.
pub(super) struct Sum<'a>(
    /// Whole vectors.
    pub(super) &'a [f32],
);

impl Op for Sum<'_> {
    type Output = f32;

    #[inline(always)]
    unsafe fn run<S: Simd>(self) -> f32 {
        assert!(self.0.len().is_multiple_of(LANES));
        // SAFETY: the row is whole vectors.
        unsafe {
            let mut sum = S::splat(0.0);
            for at in (0..self.0.len()).step_by(LANES) {
                sum = S::add(sum, S::load(self.0.as_ptr().add(at)));
            }
            S::sum(sum)
        }
    }
}

/// The gradient of SwiGLU's gate a = g·σ(g)·u: ∂g = ∂a·u·σ(g)·(1 + g·(1 − σ(g))), ∂u = ∂a·g·σ(g).
pub(super) struct GateGradient<'a> {
    /// g: `[width]`, whole vectors, replaced by its gradient.
    pub(super) gate: &'a mut [f32],
    /// u: `[width]`, replaced by its gradient.
    pub(super) up: &'a mut [f32],
    /// ∂a: `[width]`.
    pub(super) gradient: &'a [f32],
}

impl Op for GateGradient<'_> {
    type Output = ();

    #[inline(always)]
    unsafe fn run<S: Simd>(self) {
        let width = self.gate.len();
        assert!(width.is_multiple_of(LANES) && self.up.len() == width && self.gradient.len() == width);
        for at in (0..width).step_by(LANES) {
            // SAFETY: all slices are whole vectors of the same number.
            unsafe {
                let (gate_at, up_at) = (self.gate.as_mut_ptr().add(at), self.up.as_mut_ptr().add(at));
                let (gate, up) = (S::load(gate_at), S::load(up_at));
                let gradient = S::load(self.gradient.as_ptr().add(at));
                let one = S::splat(1.0);
                let negated = S::min(S::sub(S::splat(0.0), gate), S::splat(87.0));
                let sigmoid = S::div(one, S::add(one, exp::<S>(negated)));
                let silu = S::mul(gate, sigmoid);
                let slope = S::mul(sigmoid, S::add(one, S::mul(gate, S::sub(one, sigmoid))));
                S::store(gate_at, S::mul(S::mul(gradient, up), slope));
                S::store(up_at, S::mul(gradient, silu));
            }
        }
    }
}

/// The gradient of y = x·w / √(mean(x²) + ε): ∂x = r·(w∘∂y) − x·r³/n·Σ(w∘∂y∘x) with r = 1/√(mean(x²) + ε); it is added to
/// `out`. All are `[n]`.
pub(super) fn add_norm_gradient(x: &[f32], weight: &[f32], eps: f32, gradient: &[f32], out: &mut [f32]) {
    let scale = 1.0 / (x.iter().map(|x| x * x).sum::<f32>() / x.len() as f32 + eps).sqrt();
    let weighted = weight.iter().zip(gradient).map(|(w, d)| w * d);
    let along: f32 = weighted.clone().zip(x).map(|(weighted, x)| weighted * x).sum();
    let back = along * scale * scale * scale / x.len() as f32;
    for ((out, weighted), x) in out.iter_mut().zip(weighted).zip(x) {
        *out += scale * weighted - back * x;
    }
}
