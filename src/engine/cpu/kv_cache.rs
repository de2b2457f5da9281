//! Keys and values of past positions, in memory that is allocated once.

use super::simd::LANES;

/// The cache of one block.
#[derive(Debug)]
pub(super) struct LayerCache {
    /// `[kv_heads, capacity, head_width]`, head_width the head size rounded up to whole vectors; tails are zero.
    keys: Vec<f32>,
    /// The same.
    values: Vec<f32>,
    capacity: usize,
    head_dim: usize,
}

impl LayerCache {
    pub(super) fn new(num_kv_heads: usize, capacity: usize, head_dim: usize) -> Self {
        let len = num_kv_heads * capacity * head_dim.next_multiple_of(LANES);
        Self { keys: vec![0.0; len], values: vec![0.0; len], capacity, head_dim }
    }

    fn head_width(&self) -> usize {
        self.head_dim.next_multiple_of(LANES)
    }

    /// Writes one position. keys, values: `[kv_heads, head_dim]`.
    pub(super) fn write(&mut self, position: usize, keys: &[f32], values: &[f32]) {
        let width = self.head_width();
        let heads = keys.chunks_exact(self.head_dim).zip(values.chunks_exact(self.head_dim));
        for (head, (key, value)) in heads.enumerate() {
            let start = (head * self.capacity + position) * width;
            self.keys[start..start + self.head_dim].copy_from_slice(key);
            self.values[start..start + self.head_dim].copy_from_slice(value);
        }
    }

    /// Keys and values of a head at positions `0..len`: `[len, head_width]`.
    pub(super) fn head(&self, head: usize, len: usize) -> (&[f32], &[f32]) {
        let width = self.head_width();
        let part = head * self.capacity * width..(head * self.capacity + len) * width;
        (&self.keys[part.clone()], &self.values[part])
    }
}
