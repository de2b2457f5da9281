//! Keys and values of past positions, in memory that is allocated once.

use super::simd::LANES;

/// The cache of one block. Both lie as the weights of a product do, in panels of 16 rows, column by column: so a query's
/// scores are products of keys, and what it attends to is a product of values.
#[derive(Debug)]
pub(super) struct LayerCache {
    /// `[kv_heads, capacity / 16, head_dim, 16]`: a row is a position.
    keys: Vec<f32>,
    /// `[kv_heads, head_dim / 16, capacity, 16]`, head_dim / 16 rounded up: a row is an entry of a head, and a column a
    /// position. Lanes beyond head_dim are zero.
    values: Vec<f32>,
    num_heads: usize,
    /// Positions, a multiple of 16.
    capacity: usize,
    head_dim: usize,
}

/// What one head has cached.
#[derive(Debug, Clone, Copy)]
pub(super) struct HeadCache<'a> {
    /// `[capacity / 16, head_dim, 16]`.
    pub(super) keys: &'a [f32],
    /// `[head_dim / 16, capacity, 16]`, head_dim / 16 rounded up.
    pub(super) values: &'a [f32],
    /// Positions, a multiple of 16.
    pub(super) capacity: usize,
    pub(super) head_dim: usize,
}

impl LayerCache {
    /// Room for at least so many positions.
    pub(super) fn new(num_heads: usize, capacity: usize, head_dim: usize) -> Self {
        let capacity = capacity.next_multiple_of(LANES);
        let mut cache = Self { keys: vec![], values: vec![], num_heads, capacity, head_dim };
        cache.keys = vec![0.0; num_heads * cache.keys_len()];
        cache.values = vec![0.0; num_heads * cache.values_len()];
        cache
    }

    pub(super) fn num_heads(&self) -> usize {
        self.num_heads
    }

    pub(super) fn head_dim(&self) -> usize {
        self.head_dim
    }

    /// Entries of one head's keys.
    fn keys_len(&self) -> usize {
        self.capacity * self.head_dim
    }

    /// Entries of one head's values.
    fn values_len(&self) -> usize {
        self.capacity * self.head_dim.next_multiple_of(LANES)
    }

    /// Writes one position. keys, values: `[kv_heads, head_dim]`.
    pub(super) fn write(&mut self, position: usize, keys: &[f32], values: &[f32]) {
        let Self { capacity, head_dim, .. } = *self;
        assert!(position < capacity, "position {position} of a cache of {capacity}");
        let (keys_len, values_len) = (self.keys_len(), self.values_len());
        let (panel, lane) = (position / LANES, position % LANES);
        for (head, key) in self.keys.chunks_exact_mut(keys_len).zip(keys.chunks_exact(head_dim)) {
            let (columns, _) = head[panel * head_dim * LANES..].as_chunks_mut::<LANES>();
            for (column, &entry) in columns.iter_mut().zip(key) {
                column[lane] = entry;
            }
        }
        for (head, value) in self.values.chunks_exact_mut(values_len).zip(values.chunks_exact(head_dim)) {
            for (panel, entries) in value.chunks(LANES).enumerate() {
                head[(panel * capacity + position) * LANES..][..entries.len()].copy_from_slice(entries);
            }
        }
    }

    /// What a head has cached, at all positions that there is room for.
    pub(super) fn head(&self, head: usize) -> HeadCache<'_> {
        let (keys_len, values_len) = (self.keys_len(), self.values_len());
        HeadCache {
            keys: &self.keys[head * keys_len..][..keys_len],
            values: &self.values[head * values_len..][..values_len],
            capacity: self.capacity,
            head_dim: self.head_dim,
        }
    }
}
