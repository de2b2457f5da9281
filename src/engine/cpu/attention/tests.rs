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

/// Heads alone and shared; sizes of whole vectors, of whole panels at a time, and of neither.
const SHAPES: [Shape; 4] = [
    Shape { num_heads: 3, num_kv_heads: 3, head_dim: 64 },
    Shape { num_heads: 12, num_kv_heads: 2, head_dim: 128 },
    Shape { num_heads: 4, num_kv_heads: 1, head_dim: 80 },
    Shape { num_heads: 2, num_kv_heads: 1, head_dim: 24 },
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
        let mut random = |len: usize| -> Vec<f32> { (0..len).map(|_| rng.random_range(-2.0..2.0)).collect() };
        let width = shape.num_kv_heads * shape.head_dim;
        let (keys, values) = (random(len * width), random(len * width));
        // Room for more, and what a rejected proposal has left there.
        let mut cache = LayerCache::new(shape.num_kv_heads, len + 20, shape.head_dim);
        for (position, (key, value)) in keys.chunks(width).zip(values.chunks(width)).enumerate() {
            cache.write(position, key, value);
        }
        for position in len..len + 20 {
            cache.write(position, &vec![f32::NAN; width], &vec![f32::NAN; width]);
        }
        let queries = random(num_queries * shape.num_heads * shape.head_dim);
        Self { shape, len, cache, keys, values, queries }
    }

    /// What the queries attend to, from the one at `range.start` on: `[num_rows, heads · head_dim]`.
    fn attended(&self, backend: Backend, range: std::ops::Range<usize>) -> Vec<f32> {
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
        let part = |of: &[f32], position: usize| -> Vec<f64> {
            let start = (position * num_kv_heads + head / (num_heads / num_kv_heads)) * head_dim;
            of[start..start + head_dim].iter().map(|&entry| entry.into()).collect()
        };
        let query = &self.queries[query * width + head * head_dim..][..head_dim];
        let score = |position: usize| -> f64 {
            let products = part(&self.keys, position).into_iter().zip(query);
            products.map(|(key, &query)| key * f64::from(query)).sum::<f64>() / (head_dim as f64).sqrt()
        };
        let weights: Vec<f64> = (0..num_seen).map(|position| score(position).exp()).collect();
        let total: f64 = weights.iter().sum();
        let mut attended = vec![0.0; head_dim];
        for (position, weight) in weights.into_iter().enumerate() {
            let value = part(&self.values, position);
            attended.iter_mut().zip(value).for_each(|(sum, value)| *sum += weight / total * value);
        }
        attended
    }
}

fn available() -> impl Iterator<Item = Backend> {
    Backend::ALL.iter().copied().filter(|backend| backend.is_available())
}

#[test]
fn queries_attend_to_what_they_see_and_to_nothing_else() {
    for shape in SHAPES {
        for len in [7, 16, 50] {
            let sequence = Sequence::random(shape, len, 7);
            let found = sequence.attended(Backend::detect(), 0..7);
            for (index, found) in found.chunks_exact(shape.head_dim).enumerate() {
                let exact = sequence.exact(index / shape.num_heads, index % shape.num_heads);
                for (found, exact) in found.iter().zip(exact) {
                    let difference = (f64::from(*found) - exact).abs();
                    assert!(difference < 1e-5, "{shape:?}, {len} positions: off by {difference}");
                }
            }
        }
    }
}

#[test]
fn a_query_has_the_same_bits_in_any_company_and_on_every_backend() {
    for shape in SHAPES {
        let sequence = Sequence::random(shape, 75, 20);
        let reference: Vec<f32> =
            (0..20).flat_map(|query| sequence.attended(Backend::Scalar, query..query + 1)).collect();
        let width = shape.num_heads * shape.head_dim;
        for backend in available() {
            for rows in [0..1, 0..2, 3..6, 0..4, 1..6, 0..6, 0..7, 5..20, 0..20] {
                let expected = &reference[rows.start * width..rows.end * width];
                assert!(
                    sequence.attended(backend, rows.clone()) == expected,
                    "{shape:?}, {rows:?} on {backend}"
                );
            }
        }
    }
}
