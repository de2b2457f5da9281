//! What the benchmarks in `benches/` time of this engine's insides: its own linear layers and its own pool, over random
//! weights. Not part of the API; nothing in the program calls it.

use std::sync::Arc;

use memmap2::MmapMut;

pub use candle_core::quantized::GgmlDType;

use super::linear::{Linear, Rows, SharedInput};
use super::pool;
use super::simd::{Backend, LANES, Op, Simd};
use super::tiles::{Tiles, zeroed_pages};

/// One linear layer of random weights, in several copies that are used in turn: like the layers of a model, none is
/// in the processor's caches when it is needed.
#[derive(Debug)]
pub struct RandomLinear {
    copies: Vec<Linear>,
    next: usize,
    backend: Backend,
    input: SharedInput,
    x: Rows,
    out: Rows,
}

impl RandomLinear {
    /// Makes copies of `[out, in]` until they are `min_bytes` together. `dtype` is Q4_K or Q6_K.
    ///
    /// # Panics
    /// If `dtype` is another.
    pub fn new(dtype: GgmlDType, [num_rows, width]: [usize; 2], min_bytes: usize) -> Self {
        let data = random_blocks(dtype, num_rows * width / dtype.block_size());
        let num_copies = min_bytes.div_ceil(data.len());
        let copy = |_| Linear { tiles: Arc::new(Tiles::pack(dtype, num_rows, width, &data)), bias: None };
        Self {
            copies: (0..num_copies).map(copy).collect(),
            next: 0,
            backend: Backend::detect(),
            input: SharedInput::new(),
            x: Rows::default(),
            out: Rows::default(),
        }
    }

    /// Bytes of weights that [`Self::apply`] reads.
    pub fn size_bytes(&self) -> usize {
        self.copies[0].tiles.size_bytes()
    }

    /// Sets the input: this many rows of activations.
    pub fn set_num_rows(&mut self, num_rows: usize) {
        self.x = Rows::default();
        self.x.resize(num_rows, self.copies[0].tiles.width());
        let bytes = random_bytes(self.x.data.len());
        self.x.data.iter_mut().zip(bytes).for_each(|(x, byte)| *x = f32::from(byte) - 127.5);
    }

    /// Applies the next copy to the input, as a decoder does.
    pub fn apply(&mut self) {
        let layer = &self.copies[self.next];
        self.next = (self.next + 1) % self.copies.len();
        self.input.apply(self.backend, &self.x, [(layer, None)], [&mut self.out]);
    }
}

/// Blocks as they lie in a file, random but for the scales, which are small numbers.
fn random_blocks(dtype: GgmlDType, num_blocks: usize) -> Vec<u8> {
    let halves: &[usize] = match dtype {
        GgmlDType::Q4K => &[0, 2],
        GgmlDType::Q6K => &[208],
        _ => panic!("{dtype:?} is not one of the types that benchmarks use"),
    };
    let mut data: Vec<u8> = random_bytes(num_blocks * dtype.type_size()).collect();
    for block in data.chunks_exact_mut(dtype.type_size()) {
        for &at in halves {
            block[at..at + 2].copy_from_slice(&half::f16::from_f32(1e-3).to_le_bytes());
        }
    }
    data
}

/// The upper bytes of a linear congruential generator (Knuth's MMIX): fast, and random enough not to be compressed.
fn random_bytes(len: usize) -> impl Iterator<Item = u8> {
    let next = |state: &u64| Some(state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1));
    std::iter::successors(Some(0), next).map(|state: u64| (state >> 56) as u8).take(len)
}

/// Memory like that of weights, to find how fast this machine reads it.
#[derive(Debug)]
pub struct Memory {
    pages: MmapMut,
    backend: Backend,
}

/// What one thread reads at a time: about as much as a product's share of panels.
const READ_AT_ONCE: usize = 256 * 1024;

impl Memory {
    /// Writes to as much memory, in whole pieces of what one thread reads, so that it is there.
    pub fn new(min_bytes: usize) -> Self {
        let mut pages = zeroed_pages(min_bytes.next_multiple_of(READ_AT_ONCE));
        pool::for_each_chunk(&mut pages, READ_AT_ONCE, |_, piece| piece.fill(1));
        Self { pages, backend: Backend::detect() }
    }

    /// Bytes that a read reads.
    pub fn size_bytes(&self) -> usize {
        self.pages.len()
    }

    /// Adds up the memory on all threads, and does no more with it. With `PREFETCH`, it is asked for in advance as the
    /// products do.
    pub fn read<const PREFETCH: bool>(&self) {
        pool::for_each_range(self.pages.len() / READ_AT_ONCE, 1, |pieces| {
            let piece = &self.pages[pieces.start * READ_AT_ONCE..pieces.end * READ_AT_ONCE];
            std::hint::black_box(self.backend.run(Sum::<PREFETCH>(piece)));
        });
    }
}

/// The sum of a slice that is read as floats.
struct Sum<'a, const PREFETCH: bool>(&'a [u8]);

impl<const PREFETCH: bool> Op for Sum<'_, PREFETCH> {
    type Output = f32;

    #[inline(always)]
    unsafe fn run<S: Simd>(self) -> f32 {
        const AT_ONCE: usize = 8;
        // SAFETY: whole pieces of 8 vectors are read, and all bytes are floats. What is only asked for need not exist.
        unsafe {
            let mut sums = [S::splat(0.0); AT_ONCE];
            for piece in self.0.chunks_exact(AT_ONCE * 4 * LANES) {
                for (index, sum) in sums.iter_mut().enumerate() {
                    let from = piece.as_ptr().add(index * 4 * LANES);
                    if PREFETCH {
                        S::prefetch(from.wrapping_add(super::product::PREFETCH_DISTANCE));
                    }
                    *sum = S::add(*sum, S::load(from.cast()));
                }
            }
            S::sum(sums.into_iter().fold(S::splat(0.0), |total, sum| S::add(total, sum)))
        }
    }
}
