//! The output head over a batch: what the draft thinks at each output position, and the gradient of what is made of it.
//!
//! Logits exist for output positions alone, some rows at a time: with a large vocabulary they would be the largest thing in
//! memory.

use super::layer::Pass;
use super::ops::{Exponentiate, Sum};
use crate::engine::cpu::decoder::norm_rows;
use crate::engine::cpu::linear::Rows;
use crate::engine::cpu::pool::{self, Pieces};
use crate::engine::cpu::simd::Backend;
use crate::engine::sampling::finite_argmax;

/// Bytes of logits that exist at a time.
const MAX_LOGIT_BYTES: usize = 64 << 20;

/// The tokens whose probabilities are wanted at an output position.
#[derive(Debug, Clone, Copy)]
pub struct Wanted<'a> {
    /// Each once.
    pub tokens: &'a [u32],
    /// Temperature of the softmax.
    pub temperature: f32,
}

/// What the draft thinks at an output position: softmax(logits / temperature), the tokens that nobody asked for as one.
#[derive(Debug, Clone, PartialEq)]
pub struct DraftRow {
    /// ln q of the wanted tokens.
    pub log_probabilities: Vec<f32>,
    /// Mass of all other tokens.
    pub left_over: f32,
    /// The token with the largest logit.
    pub likeliest: u32,
}

/// What is made of a [`DraftRow`].
#[derive(Debug, Clone, PartialEq)]
pub struct Judged<T> {
    /// The value that is kept.
    pub value: T,
    /// ∂ of a loss with regard to ln q of the wanted tokens, and to ln of the mass left over, which stands last. Empty where
    /// no gradient is wanted.
    pub gradient: Vec<f32>,
}

/// The output head.
#[derive(Clone, Copy)]
pub(super) struct TrainingHead<'a> {
    pub(super) pass: Pass<'a>,
    pub(super) vocab_size: usize,
}

impl TrainingHead<'_> {
    /// Judges each output position, and returns the values in their order. With `gradient`, adds to it the gradient with
    /// regard to the residual stream. hidden, gradient: `[T, hidden]`.
    pub(super) fn judge<T: Send>(
        &self,
        hidden: &Rows,
        wanted: &[Wanted],
        judge: impl Fn(usize, &DraftRow) -> Judged<T> + Sync,
        mut gradient: Option<&mut Rows>,
    ) -> Vec<T> {
        let rows = &self.pass.batch.output_rows;
        assert_eq!(wanted.len(), rows.len(), "something is wanted of each output position");
        let weights = &self.pass.model.weights;
        let at_once = (MAX_LOGIT_BYTES / (4 * weights.config.vocab_size)).max(1);
        let mut values: Vec<Option<T>> = (0..rows.len()).map(|_| None).collect();
        for first in (0..rows.len()).step_by(at_once) {
            let some = &rows[first..rows.len().min(first + at_once)];
            let x = gathered(hidden, some);
            let mut normed = Rows::default();
            norm_rows(weights.backend, &x, &weights.norm, weights.config.rms_norm_eps, &mut normed);
            let mut logits = self.pass.product(self.pass.model.head(), &normed);
            let stride = logits.stride;
            let pieces = Pieces::new(&mut logits.data);
            let out = Pieces::new(&mut values[first..first + some.len()]);
            pool::for_each_range(some.len(), 1, |numbers| {
                for number in numbers {
                    // SAFETY: each row comes once.
                    let (logits, out) = unsafe {
                        (pieces.get(number * stride..(number + 1) * stride), out.get(number..number + 1))
                    };
                    let row = LogitRow { backend: weights.backend, logits, vocab_size: self.vocab_size };
                    out[0] = Some(row.judge(wanted[first + number], |row| judge(first + number, row)));
                }
            });
            if let Some(gradient) = gradient.as_deref_mut() {
                let d_normed = self.pass.product(&self.pass.model.transposes().head, &logits);
                let mut d_x = Rows::default();
                d_x.resize(some.len(), x.width);
                self.pass.add_norm_gradients(&x, &weights.norm, &d_normed, &mut d_x);
                for (number, &row) in some.iter().enumerate() {
                    gradient.row_mut(row).iter_mut().zip(d_x.row(number)).for_each(|(sum, d)| *sum += d);
                }
            }
        }
        values.into_iter().map(|value| value.expect("every row was judged")).collect()
    }
}

/// Some rows, in their order.
fn gathered(rows: &Rows, numbers: &[usize]) -> Rows {
    let mut some = Rows::default();
    some.resize(numbers.len(), rows.width);
    for (to, &from) in numbers.iter().enumerate() {
        some.row_mut(to).copy_from_slice(rows.row(from));
    }
    some
}

/// Logits of one position: `[stride]`, of which `vocab_size` count. Their gradient takes their place.
struct LogitRow<'a> {
    backend: Backend,
    logits: &'a mut [f32],
    vocab_size: usize,
}

impl LogitRow<'_> {
    fn judge<T>(self, wanted: Wanted, judge: impl FnOnce(&DraftRow) -> Judged<T>) -> T {
        let Self { backend, logits, vocab_size } = self;
        let likeliest = finite_argmax(&logits[..vocab_size]);
        if wanted.temperature != 1.0 {
            let inverse = 1.0 / wanted.temperature;
            logits.iter_mut().for_each(|logit| *logit *= inverse);
        }
        let largest = likeliest.map_or(f32::NAN, |token| logits[token as usize]);
        let mut log_probabilities: Vec<f32> =
            wanted.tokens.iter().map(|&token| logits[token as usize] - largest).collect();
        backend.run(Exponentiate { scores: logits, len: vocab_size });
        // Taken out one by one, so that what is left over is exact however small.
        let mut exponentials = Vec::with_capacity(wanted.tokens.len());
        for &token in wanted.tokens {
            exponentials.push(std::mem::take(&mut logits[token as usize]));
        }
        let left_over = backend.run(Sum(logits));
        let total = left_over + exponentials.iter().sum::<f32>();
        log_probabilities.iter_mut().for_each(|log| *log -= total.ln());
        let row = DraftRow {
            log_probabilities,
            left_over: left_over / total,
            likeliest: likeliest.unwrap_or_default(),
        };
        let Judged { value, gradient } = judge(&row);
        if let Some((d_left_over, d_wanted)) = gradient.split_last() {
            // ∂z_v = ∂ln q_v − q_v·Σ ∂ln q; the part of those left over is shared out by their mass.
            let inverse = 1.0 / wanted.temperature;
            let sum = gradient.iter().sum::<f32>();
            let share = if left_over > 0.0 { d_left_over / left_over } else { 0.0 };
            let factor = inverse * (share - sum / total);
            logits.iter_mut().for_each(|exponential| *exponential *= factor);
            for ((&token, d), exponential) in wanted.tokens.iter().zip(d_wanted).zip(exponentials) {
                logits[token as usize] = inverse * (d - exponential / total * sum);
            }
        }
        value
    }
}
