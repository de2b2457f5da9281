use std::ops::Range;

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::*;

/// Heads of one layer: query heads, heads that are cached, and their size.
#[derive(Debug, Clone, Copy)]
struct Shape {
    num_heads: usize,
    num_kv_heads: usize,
    head_dim: usize,
}

/// Heads alone and shared. Those alone are of four panels of 16 entries, which one query meets at once, of two, one, five and
/// seven; those in pairs of a panel, and of two and a half.
const SHAPES: [Shape; 8] = [
    Shape { num_heads: 3, num_kv_heads: 3, head_dim: 64 },
    Shape { num_heads: 2, num_kv_heads: 2, head_dim: 32 },
    Shape { num_heads: 1, num_kv_heads: 1, head_dim: 8 },
    Shape { num_heads: 1, num_kv_heads: 1, head_dim: 80 },
    Shape { num_heads: 1, num_kv_heads: 1, head_dim: 112 },
    Shape { num_heads: 2, num_kv_heads: 1, head_dim: 16 },
    Shape { num_heads: 2, num_kv_heads: 1, head_dim: 40 },
    Shape { num_heads: 12, num_kv_heads: 2, head_dim: 128 },
];

/// Random positions, with the queries of the last of them.
struct Sequence {
    shape: Shape,
    len: usize,
    cache: LayerCache,
    /// `[len, kv_heads · head_dim]`.
    keys: Vec<f32>,
    /// The same.
    values: Vec<f32>,
    /// `[num_queries, heads · head_dim]`.
    queries: Vec<f32>,
}

impl Sequence {
    fn random(shape: Shape, len: usize, num_queries: usize) -> Self {
        let mut rng = ChaCha8Rng::seed_from_u64(len as u64);
        let mut random =
            |count: usize| -> Vec<f32> { (0..count).map(|_| rng.random_range(-2.0..2.0)).collect() };
        let width = shape.num_kv_heads * shape.head_dim;
        let (keys, values) = (random(len * width), random(len * width));
        let mut cache = LayerCache::new(shape.num_kv_heads, len, shape.head_dim);
        for (position, (key, value)) in keys.chunks(width).zip(values.chunks(width)).enumerate() {
            cache.write(position, key, value);
        }
        // What a rejected proposal has left in the room that is over.
        for position in len..len.next_multiple_of(LANES) {
            cache.write(position, &vec![f32::NAN; width], &vec![f32::NAN; width]);
        }
        let queries = random(num_queries * shape.num_heads * shape.head_dim);
        Self { shape, len, cache, keys, values, queries }
    }

    /// What the queries attend to, from the one at `range.start` on: `[num_rows, heads · head_dim]`.
    fn attended(&self, backend: Backend, range: Range<usize>) -> Vec<f32> {
        let width = self.shape.num_heads * self.shape.head_dim;
        let (mut queries, mut out) = (Rows::default(), Rows::default());
        queries.resize(range.len(), width);
        for (row, query) in range.clone().enumerate() {
            queries.row_mut(row).copy_from_slice(&self.queries[query * width..(query + 1) * width]);
        }
        let start = self.len - self.queries.len() / width + range.start;
        attend_rows(backend, &self.cache, start, &queries, &mut out);
        (0..range.len()).flat_map(|row| out.row(row).to_vec()).collect()
    }

    /// The same for one query and one head, by the definition.
    fn exact(&self, query: usize, head: usize) -> Vec<f64> {
        let Shape { num_heads, num_kv_heads, head_dim } = self.shape;
        let width = num_heads * head_dim;
        let num_seen = self.len - self.queries.len() / width + query + 1;
        let entries = |of: &[f32], position: usize| -> Vec<f64> {
            let start = (position * num_kv_heads + head / (num_heads / num_kv_heads)) * head_dim;
            of[start..start + head_dim].iter().map(|&entry| entry.into()).collect()
        };
        let query_row = &self.queries[query * width + head * head_dim..][..head_dim];
        let score = |position: usize| -> f64 {
            let products = entries(&self.keys, position).into_iter().zip(query_row);
            products.map(|(key, &query)| key * f64::from(query)).sum::<f64>() / (head_dim as f64).sqrt()
        };
        let weights: Vec<f64> = (0..num_seen).map(|position| score(position).exp()).collect();
        let total: f64 = weights.iter().sum();
        let mut attended = vec![0.0; head_dim];
        for (position, weight) in weights.into_iter().enumerate() {
            let value = entries(&self.values, position);
            attended.iter_mut().zip(value).for_each(|(sum, value)| *sum += weight / total * value);
        }
        attended
    }
}

#[test]
fn queries_attend_to_what_they_see_and_to_nothing_else() {
    for shape in SHAPES {
        for len in [7, 16, 50] {
            let sequence = Sequence::random(shape, len, 7);
            for range in [0..7, 5..7, 6..7] {
                let found = sequence.attended(Backend::detect(), range.clone());
                for (index, found) in found.chunks_exact(shape.head_dim).enumerate() {
                    let (query, head) = (range.start + index / shape.num_heads, index % shape.num_heads);
                    for (found, exact) in found.iter().zip(sequence.exact(query, head)) {
                        let difference = (f64::from(*found) - exact).abs();
                        assert!(difference < 1e-5, "{shape:?}, {len} positions: off by {difference}");
                    }
                }
            }
        }
    }
}

#[test]
fn a_query_has_the_same_bits_in_any_company_and_on_every_backend() {
    let ranges = [0..2, 3..6, 0..4, 1..6, 0..6, 0..7, 5..20, 0..20];
    // Alone, one sees every number of positions up to seven panels of them.
    for (len, num_queries) in [(110, 110), (75, 20)] {
        for shape in SHAPES {
            let sequence = Sequence::random(shape, len, num_queries);
            let width = shape.num_heads * shape.head_dim;
            let reference: Vec<f32> = (0..num_queries)
                .flat_map(|query| sequence.attended(Backend::Scalar, query..query + 1))
                .collect();
            let alone = (0..num_queries).map(|query| query..query + 1);
            for (backend, rows) in Backend::available()
                .flat_map(|backend| alone.clone().chain(ranges.clone()).map(move |rows| (backend, rows)))
            {
                let expected = &reference[rows.start * width..rows.end * width];
                assert!(
                    sequence.attended(backend, rows.clone()) == expected,
                    "{shape:?}, {rows:?} on {backend}"
                );
            }
        }
    }
}

#[test]
fn a_value_that_is_not_finite_reaches_no_earlier_query_of_its_pass() {
    for shape in SHAPES {
        let mut sequence = Sequence::random(shape, 20, 6);
        let before = sequence.attended(Backend::detect(), 0..5);
        let width = shape.num_kv_heads * shape.head_dim;
        sequence.cache.write(19, &vec![0.0; width], &vec![f32::INFINITY; width]);
        let found = sequence.attended(Backend::detect(), 0..6);
        let (earlier, last) = found.split_at(before.len());
        assert!(earlier == before, "{shape:?}");
        assert!(last.iter().all(|entry| entry.is_infinite()), "{shape:?}");
    }
}
