//! Keys and values of past positions, in memory that is allocated once.

use super::simd::LANES;

/// The cache of one block. Both lie as the weights of a product do, in panels of 16 rows, column by column: so a query's
/// scores are products of keys, and what it attends to is a product of values.
#[derive(Debug)]
pub(super) struct LayerCache {
    /// `[kv_heads, capacity / 16, head_dim, 16]`: a row is a position.
    keys: Vec<f32>,
    /// `[kv_heads, head_dim / 16, capacity, 16]`: a row is an entry of a head, and a column a position.
    values: Vec<f32>,
    /// Positions, rounded up to whole panels.
    capacity: usize,
    head_dim: usize,
}

/// What one head has cached.
#[derive(Debug, Clone, Copy)]
pub(super) struct HeadCache<'a> {
    /// `[capacity / 16, head_dim, 16]`.
    pub(super) keys: &'a [f32],
    /// `[head_dim / 16, capacity, 16]`.
    pub(super) values: &'a [f32],
    pub(super) capacity: usize,
    pub(super) head_dim: usize,
}

impl LayerCache {
    pub(super) fn new(num_kv_heads: usize, capacity: usize, head_dim: usize) -> Self {
        let capacity = capacity.next_multiple_of(LANES);
        let len = num_kv_heads * capacity * head_dim;
        let padded_len = num_kv_heads * capacity * head_dim.next_multiple_of(LANES);
        Self { keys: vec![0.0; len], values: vec![0.0; padded_len], capacity, head_dim }
    }

    pub(super) fn head_dim(&self) -> usize {
        self.head_dim
    }

    pub(super) fn num_heads(&self) -> usize {
        self.keys.len() / self.head_lens()[0]
    }

    /// Entries of the keys and of the values of one head.
    fn head_lens(&self) -> [usize; 2] {
        [self.head_dim, self.head_dim.next_multiple_of(LANES)].map(|width| self.capacity * width)
    }

    /// Writes one position. keys, values: `[kv_heads, head_dim]`.
    pub(super) fn write(&mut self, position: usize, keys: &[f32], values: &[f32]) {
        let [keys_len, values_len] = self.head_lens();
        let (panel, lane) = (position / LANES, position % LANES);
        let old = self.keys.chunks_exact_mut(keys_len).zip(keys.chunks_exact(self.head_dim));
        for (old, key) in old {
            let panel = &mut old[panel * self.head_dim * LANES..];
            panel.iter_mut().skip(lane).step_by(LANES).zip(key).for_each(|(old, new)| *old = *new);
        }
        let old = self.values.chunks_exact_mut(values_len).zip(values.chunks_exact(self.head_dim));
        for (old, value) in old {
            for (panel, part) in value.chunks(LANES).enumerate() {
                old[(panel * self.capacity + position) * LANES..][..part.len()].copy_from_slice(part);
            }
        }
    }

    pub(super) fn head(&self, head: usize) -> HeadCache<'_> {
        let [keys_len, values_len] = self.head_lens();
        HeadCache {
            keys: &self.keys[head * keys_len..][..keys_len],
            values: &self.values[head * values_len..][..values_len],
            capacity: self.capacity,
            head_dim: self.head_dim,
        }
    }
}
