//! Products of tiles and rows of activations.
//!
//! The result for a row of activations is the same to the last bit whatever rows are computed beside it, on any number of
//! threads and any backend: each lane adds up its own row's blocks from the first to the last, in the order that the
//! kernels below state.

use std::ops::Range;

use candle_core::quantized::GgmlDType;

use super::activations::Activations;
use super::blocks::{BLOCK, zero_code};
use super::pool::{self, Pieces};
use super::simd::{Backend, LANES, Op, Simd};
use super::tiles::{Layout, Tiles, split_panels};

/// How far ahead of its use a tile is asked for, in bytes.
pub(super) const PREFETCH_DISTANCE: usize = 8192;

/// What tiles are multiplied with.
#[derive(Clone, Copy)]
pub(super) enum Input<'a> {
    /// Bytes with scales, for quantised weights.
    Rounded(&'a Activations),
    /// Floats, for dense weights.
    Floats {
        /// `[num_rows, stride]`.
        x: &'a [f32],
        /// Entries from one row to the next.
        stride: usize,
    },
}

impl Input<'_> {
    fn num_rows(&self) -> usize {
        match self {
            Self::Rounded(activations) => activations.num_rows,
            Self::Floats { x, stride } => x.len() / stride,
        }
    }
}

/// One matrix of several that are multiplied at once.
pub(super) struct Product<'a> {
    pub(super) tiles: &'a Tiles,
    pub(super) input: Input<'a>,
    /// `[num_rows, stride]`, stride a multiple of 16 that holds the matrix's rows.
    pub(super) out: &'a mut [f32],
    pub(super) stride: usize,
    pub(super) onto: Onto,
}

/// What becomes of what stands where a product goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Onto {
    /// The product takes its place.
    Replace,
    /// A product of floats is added to it.
    Add,
}

/// Bytes of weights times rows below which it does not pay to wake another thread.
const MIN_SHARED_BYTES: usize = 96 * 1024;

/// About how many bytes of weights times rows a thread takes at a time at least: it takes longer to agree on who does a panel
/// of a few kilobytes than to multiply it.
const MIN_CHUNK_BYTES: usize = 16 * 1024;

/// Computes products side by side, as one piece of parallel work.
pub(super) fn multiply(backend: Backend, products: &mut [Product]) {
    let counts: Vec<usize> = products.iter().map(|product| product.tiles.num_panels()).collect();
    let total: usize = counts.iter().sum();
    let work: usize = products.iter().map(|p| p.tiles.size_bytes() * p.input.num_rows()).sum();
    let parts: Vec<(&Tiles, Input, Output)> = products
        .iter_mut()
        .map(|product| {
            let Product { tiles, input, out, stride, onto } = product;
            assert!(*stride >= tiles.num_panels() * LANES && out.len() == input.num_rows() * *stride);
            (*tiles, *input, Output { pieces: Pieces::new(out), stride: *stride, onto: *onto })
        })
        .collect();
    let chunk = if work < MIN_SHARED_BYTES {
        total
    } else {
        (total / 16).max((total * MIN_CHUNK_BYTES).div_ceil(work)).min(64)
    };
    pool::for_each_range(total, chunk, |work| {
        for (matrix, panels) in split_panels(work, &counts) {
            let (tiles, input, out) = &parts[matrix];
            let at_once = panels_at_once(*input);
            for first in panels.clone().step_by(at_once) {
                multiply_panels(backend, tiles, first..panels.end.min(first + at_once), *input, out);
            }
        }
    });
}

/// Where a product goes.
struct Output {
    pieces: Pieces<f32>,
    stride: usize,
    onto: Onto,
}

/// Panels that meet a single row of floats together: one sum alone would wait for itself at every column.
const PANELS_AT_ONCE: usize = 4;

fn panels_at_once(input: Input) -> usize {
    match input {
        Input::Floats { .. } if input.num_rows() == 1 => PANELS_AT_ONCE,
        Input::Floats { .. } | Input::Rounded(_) => 1,
    }
}

/// Some panels with all rows of activations; as many as [`panels_at_once`], or fewer.
fn multiply_panels(backend: Backend, tiles: &Tiles, panels: Range<usize>, input: Input, out: &Output) {
    let Output { pieces, stride, onto } = out;
    // Lane 0 of the first panel in row 0.
    let (out, stride, onto) = (pieces.pointer(panels.start * LANES), *stride, *onto);
    match input {
        Input::Rounded(activations) => {
            assert_eq!((activations.width, Some(activations.grain)), (tiles.width(), tiles.grain()));
            assert_eq!(
                onto,
                Onto::Replace,
                "products of rounded activations take the place of what was there"
            );
            let panel = tiles.panels(panels);
            backend.run(RoundedPanel { dtype: tiles.dtype(), panel, activations, out, stride });
        }
        Input::Floats { x, stride: x_stride } => {
            assert!(x_stride >= tiles.width() && tiles.grain().is_none());
            let (width, num_panels) = (tiles.width(), panels.len());
            let panels = tiles.panels(panels);
            backend.run(FloatPanels {
                dtype: tiles.dtype(),
                panels,
                num_panels,
                width,
                x,
                x_stride,
                out,
                stride,
                onto,
            });
        }
    }
}

/// Calls a kernel that is generic over a number of columns, with this number of them.
macro_rules! with_columns {
    ($number:expr, $kernel:ident::<$($generic:tt),*>($($argument:expr),*)) => {
        match $number {
            1 => $kernel::<$($generic,)* 1>($($argument),*),
            2 => $kernel::<$($generic,)* 2>($($argument),*),
            3 => $kernel::<$($generic,)* 3>($($argument),*),
            4 => $kernel::<$($generic,)* 4>($($argument),*),
            5 => $kernel::<$($generic,)* 5>($($argument),*),
            6 => $kernel::<$($generic,)* 6>($($argument),*),
            7 => $kernel::<$($generic,)* 7>($($argument),*),
            8 => $kernel::<$($generic,)* 8>($($argument),*),
            _ => $kernel::<$($generic,)* 9>($($argument),*),
        }
    };
}

/// Cuts `0..number` into ranges of nearly equal size, none larger than `most`.
pub(super) fn groups(number: usize, most: usize) -> impl Iterator<Item = Range<usize>> {
    let num_groups = number.div_ceil(most);
    (0..num_groups).map(move |group| group * number / num_groups..(group + 1) * number / num_groups)
}

/// A panel of quantised weights.
struct RoundedPanel<'a> {
    dtype: GgmlDType,
    panel: &'a [u8],
    activations: &'a Activations,
    out: *mut f32,
    stride: usize,
}

impl Op for RoundedPanel<'_> {
    type Output = ();

    #[inline(always)]
    unsafe fn run<S: Simd>(self) {
        use GgmlDType::*;
        for rows in groups(self.activations.num_rows, S::COLUMNS) {
            let (first, number) = (rows.start, rows.len());
            let columns = Columns::new(self.activations, first);
            // SAFETY: these rows exist in activations and output, and `multiply` checked their widths.
            unsafe {
                let out = self.out.add(first * self.stride);
                let (panel, stride) = (self.panel, self.stride);
                match self.dtype {
                    Q4_0 => with_columns!(number, small::<S, Small4>(panel, columns, out, stride)),
                    Q4_1 => with_columns!(number, small::<S, Small4Offset>(panel, columns, out, stride)),
                    Q5_0 => with_columns!(number, small::<S, Small5>(panel, columns, out, stride)),
                    Q5_1 => with_columns!(number, small::<S, Small5Offset>(panel, columns, out, stride)),
                    Q8_0 => with_columns!(number, eight_bits::<S>(panel, columns, out, stride)),
                    Q4K => with_columns!(number, offset_blocks::<S, Super4>(panel, columns, out, stride)),
                    Q5K => with_columns!(number, offset_blocks::<S, Super5>(panel, columns, out, stride)),
                    _ => with_columns!(number, six_bits::<S>(panel, columns, out, stride)),
                }
            }
        }
    }
}

/// A format as a type, so that each kernel is compiled for its formats.
trait Format {
    const DTYPE: GgmlDType;
    const LAYOUT: Layout = Layout::of(Self::DTYPE);
}

macro_rules! formats {
    ($($name:ident = $dtype:ident),+) => {
        $(
            struct $name;
            impl Format for $name {
                const DTYPE: GgmlDType = GgmlDType::$dtype;
            }
        )+
    };
}
formats!(
    Small4 = Q4_0,
    Small4Offset = Q4_1,
    Small5 = Q5_0,
    Small5Offset = Q5_1,
    Small8 = Q8_0,
    Super4 = Q4K,
    Super5 = Q5K,
    Super6 = Q6K
);

/// Rows of activations that meet a panel together.
#[derive(Clone, Copy)]
struct Columns {
    codes: *const i8,
    scales: *const f32,
    sums: *const i16,
    scaled_sums: *const f32,
    width: usize,
    /// Scales of a row: found once, because a division among the products would cut them in two.
    num_scales: usize,
}

impl Columns {
    fn new(activations: &Activations, first: usize) -> Self {
        let width = activations.width;
        let num_scales = width / activations.grain as usize;
        Self {
            codes: activations.codes[first * width..].as_ptr(),
            scales: activations.scales[first * num_scales..].as_ptr(),
            sums: activations.sums[first * width / LANES..].as_ptr(),
            scaled_sums: activations.scaled_sums[first * width / BLOCK..].as_ptr(),
            width,
            num_scales,
        }
    }

    /// Codes of a row from a column on.
    #[inline(always)]
    unsafe fn codes(self, row: usize, column: usize) -> *const i8 {
        unsafe { self.codes.add(row * self.width + column) }
    }

    /// The scale of a row's block.
    #[inline(always)]
    unsafe fn scale(self, row: usize, block: usize) -> f32 {
        unsafe { *self.scales.add(row * self.num_scales + block) }
    }

    /// The sum of a row's 16 codes from a column on.
    #[inline(always)]
    unsafe fn sum_of_16(self, row: usize, column: usize) -> i32 {
        unsafe { i32::from(*self.sums.add((row * self.width + column) / LANES)) }
    }

    /// The sum of a row's 32 codes from a column on.
    #[inline(always)]
    unsafe fn sum_of_32(self, row: usize, column: usize) -> i32 {
        unsafe { self.sum_of_16(row, column) + self.sum_of_16(row, column + LANES) }
    }

    /// The sum of a row's 32 codes from a column on, times their scale.
    #[inline(always)]
    unsafe fn scaled_sum(self, row: usize, column: usize) -> f32 {
        unsafe { *self.scaled_sums.add((row * self.width + column) / BLOCK) }
    }
}

#[inline(always)]
unsafe fn store_columns<S: Simd, const N: usize>(out: *mut f32, stride: usize, sums: [S::Floats; N]) {
    for (column, sum) in sums.into_iter().enumerate() {
        unsafe { S::store(out.add(column * stride), sum) }
    }
}

/// Asks for the part of a later tile that lies as far into it as `part` bytes. Kernels ask for a tile's bytes in the order
/// in which they lie, whatever order they use them in: memory is a fifth faster at that.
#[inline(always)]
unsafe fn prefetch<S: Simd>(tile: *const u8, part: usize) {
    // An address that is only asked for may lie beyond the weights.
    unsafe { S::prefetch(tile.wrapping_add(part + PREFETCH_DISTANCE)) }
}

/// Meets a group of 8 columns of a tile, whose weights are low bits and maybe a fifth. `start` is its first column.
#[inline(always)]
unsafe fn dot_8<S: Simd, F: Format, const N: usize>(
    products: &mut [S::Sums; N],
    tile: *const u8,
    group: usize,
    columns: Columns,
    start: usize,
) {
    unsafe {
        let layout = F::LAYOUT;
        let bytes = S::load_bytes(tile.add(layout.low + 64 * group));
        let (mut low, mut high) = (S::low_nibbles(bytes), S::high_nibbles(bytes));
        if layout.high > 0 {
            let bits = tile.add(layout.high + 16 * group);
            (low, high) = (S::set_bit_4(low, bits), S::set_bit_4(high, bits.add(8)));
        }
        for (row, product) in products.iter_mut().enumerate() {
            let codes = columns.codes(row, start);
            *product = S::dot(*product, low, codes);
            *product = S::dot(*product, high, codes.add(4));
            // Sums have room for 32 columns of four bits, for 16 of five.
            if layout.high > 0 && group % 2 == 1 {
                *product = S::widen(*product);
            }
        }
    }
}

/// Blocks of 32: Σ over blocks of scale·y·(Σ code·q − zero·Σ q) + offset·y·Σ q.
#[inline(always)]
unsafe fn small<S: Simd, F: Format, const N: usize>(
    panel: &[u8],
    columns: Columns,
    out: *mut f32,
    stride: usize,
) {
    unsafe {
        let layout = F::LAYOUT;
        let mut sums = [S::splat(0.0); N];
        for block in 0..panel.len() / layout.size {
            let tile = panel.as_ptr().add(block * layout.size);
            for part in (0..layout.size).step_by(64) {
                prefetch::<S>(tile, part);
            }
            let start = block * layout.columns;
            let mut products = [S::sums(0); N];
            for (row, product) in products.iter_mut().enumerate() {
                *product = S::sums(-zero_code(F::DTYPE) * columns.sum_of_32(row, start));
            }
            for group in 0..4 {
                dot_8::<S, F, N>(&mut products, tile, group, columns, start + 8 * group);
            }
            let scale = S::load_f16(tile.add(layout.scale));
            for row in 0..N {
                let y = columns.scale(row, block);
                let product = S::mul(S::to_floats(S::total(products[row])), S::splat(y));
                sums[row] = S::fma(product, scale, sums[row]);
                if layout.offset > 0 {
                    let offset = S::load_f16(tile.add(layout.offset));
                    sums[row] = S::fma(offset, S::splat(columns.scaled_sum(row, start)), sums[row]);
                }
            }
        }
        store_columns::<S, N>(out, stride, sums);
    }
}

/// Blocks of Q8_0: Σ over blocks of scale·y·(Σ code·q − 128·Σ q).
#[inline(always)]
unsafe fn eight_bits<S: Simd, const N: usize>(panel: &[u8], columns: Columns, out: *mut f32, stride: usize) {
    unsafe {
        let layout = Small8::LAYOUT;
        let zero = zero_code(Small8::DTYPE) - S::WIDE_ZERO;
        let mut sums = [S::splat(0.0); N];
        for block in 0..panel.len() / layout.size {
            let tile = panel.as_ptr().add(block * layout.size);
            for part in (0..layout.size).step_by(64) {
                prefetch::<S>(tile, part);
            }
            let start = block * layout.columns;
            let mut products = [S::splat_int(0); N];
            for (row, product) in products.iter_mut().enumerate() {
                *product = S::splat_int(-zero * columns.sum_of_32(row, start));
            }
            for group in 0..4 {
                let codes = tile.add(layout.low + 128 * group);
                let first = S::wide(S::load_bytes(codes));
                let second = S::wide(S::load_bytes(codes.add(64)));
                for (row, product) in products.iter_mut().enumerate() {
                    let codes = columns.codes(row, start + 8 * group);
                    *product = S::dot_wide(*product, first, codes);
                    *product = S::dot_wide(*product, second, codes.add(4));
                }
            }
            let scale = S::load_f16(tile.add(layout.scale));
            for row in 0..N {
                let product = S::mul(S::to_floats(products[row]), S::splat(columns.scale(row, block)));
                sums[row] = S::fma(product, scale, sums[row]);
            }
        }
        store_columns::<S, N>(out, stride, sums);
    }
}

/// Super-blocks of Q4_K and Q5_K: Σ over groups of 32 of scale·scales\[s\]·y·Σ code·q − offset·offsets\[s\]·y·Σ q.
#[inline(always)]
unsafe fn offset_blocks<S: Simd, F: Format, const N: usize>(
    panel: &[u8],
    columns: Columns,
    out: *mut f32,
    stride: usize,
) {
    unsafe {
        let layout = F::LAYOUT;
        let mut sums = [S::splat(0.0); N];
        for block in 0..panel.len() / layout.size {
            let tile = panel.as_ptr().add(block * layout.size);
            let scale = S::load_f16(tile.add(layout.scale));
            let offset = S::load_f16(tile.add(layout.offset));
            for s in 0..8 {
                let start = block * layout.columns + 32 * s;
                let mut products = [S::sums(0); N];
                for group in 4 * s..4 * s + 4 {
                    prefetch::<S>(tile, 64 * group);
                    dot_8::<S, F, N>(&mut products, tile, group, columns, block * layout.columns + 8 * group);
                }
                let group_scale =
                    S::mul(scale, S::to_floats(S::load_u8(tile.add(layout.scales + LANES * s))));
                let group_offset =
                    S::mul(offset, S::to_floats(S::load_u8(tile.add(layout.offsets + LANES * s))));
                for row in 0..N {
                    let y = columns.scale(row, block);
                    let sum = columns.scaled_sum(row, start);
                    let product = S::mul(S::to_floats(S::total(products[row])), S::splat(y));
                    sums[row] = S::fma(product, group_scale, sums[row]);
                    sums[row] = S::fnma(group_offset, S::splat(sum), sums[row]);
                }
            }
            for part in (2048..layout.size).step_by(64) {
                prefetch::<S>(tile, part);
            }
        }
        store_columns::<S, N>(out, stride, sums);
    }
}

/// Super-blocks of Q6_K: Σ over groups of 16 of scale·scales\[s\]·y·(Σ code·q − 32·Σ q).
#[inline(always)]
unsafe fn six_bits<S: Simd, const N: usize>(panel: &[u8], columns: Columns, out: *mut f32, stride: usize) {
    unsafe {
        let layout = Super6::LAYOUT;
        let mut sums = [S::splat(0.0); N];
        for block in 0..panel.len() / layout.size {
            let tile = panel.as_ptr().add(block * layout.size);
            let scale = S::load_f16(tile.add(layout.scale));
            for s in 0..16 {
                for part in 0..3 {
                    prefetch::<S>(tile, 192 * s + 64 * part);
                }
                let pairs = S::load_bytes(tile.add(layout.high + 64 * s));
                let (first, second) =
                    (S::load_bytes(tile.add(128 * s)), S::load_bytes(tile.add(128 * s + 64)));
                let codes = [
                    S::or(S::low_nibbles(first), S::bit_pair::<0>(pairs)),
                    S::or(S::high_nibbles(first), S::bit_pair::<1>(pairs)),
                    S::or(S::low_nibbles(second), S::bit_pair::<2>(pairs)),
                    S::or(S::high_nibbles(second), S::bit_pair::<3>(pairs)),
                ];
                let group_scale =
                    S::mul(scale, S::to_floats(S::load_i8(tile.add(layout.scales + LANES * s))));
                let start = block * layout.columns + 16 * s;
                for (row, sum) in sums.iter_mut().enumerate() {
                    let activations = columns.codes(row, start);
                    let mut product = S::sums(-32 * columns.sum_of_16(row, start));
                    for (quad, &codes) in codes.iter().enumerate() {
                        product = S::dot(product, codes, activations.add(4 * quad));
                        // Sums have room for 8 columns of six bits.
                        if quad == 1 {
                            product = S::widen(product);
                        }
                    }
                    let product =
                        S::mul(S::to_floats(S::total(product)), S::splat(columns.scale(row, block)));
                    *sum = S::fma(product, group_scale, *sum);
                }
            }
            for part in (layout.scales..layout.size).step_by(64) {
                prefetch::<S>(tile, part);
            }
        }
        store_columns::<S, N>(out, stride, sums);
    }
}

/// Panels of float weights, which lie one after the other: several for a single row, one for more rows.
struct FloatPanels<'a> {
    dtype: GgmlDType,
    panels: &'a [u8],
    num_panels: usize,
    width: usize,
    /// `[num_rows, x_stride]`.
    x: &'a [f32],
    x_stride: usize,
    out: *mut f32,
    stride: usize,
    onto: Onto,
}

impl Op for FloatPanels<'_> {
    type Output = ();

    #[inline(always)]
    unsafe fn run<S: Simd>(self) {
        // SAFETY: as the methods ask, `multiply` checked widths and rows.
        unsafe {
            match self.dtype {
                GgmlDType::F16 => self.run_as::<S, Half>(),
                GgmlDType::BF16 => self.run_as::<S, BrainHalf>(),
                _ => self.run_as::<S, Single>(),
            }
        }
    }
}

impl FloatPanels<'_> {
    #[inline(always)]
    unsafe fn run_as<S: Simd, F: Format>(self) {
        let Self { panels, x, x_stride, out, stride, onto, .. } = self;
        let num_rows = x.len() / x_stride;
        // SAFETY: rows and panels exist in input and output.
        unsafe {
            if num_rows == 1 {
                let x = x.as_ptr();
                return match self.num_panels {
                    PANELS_AT_ONCE => self.one_row::<S, F, PANELS_AT_ONCE>(x),
                    3 => self.one_row::<S, F, 3>(x),
                    2 => self.one_row::<S, F, 2>(x),
                    _ => self.one_row::<S, F, 1>(x),
                };
            }
            for rows in groups(num_rows, S::COLUMNS) {
                let (first, number) = (rows.start, rows.len());
                let (x, out) = (x.as_ptr().add(first * x_stride), out.add(first * stride));
                with_columns!(number, dense::<S, F>(panels, x, x_stride, out, stride, onto));
            }
        }
    }

    /// Σ over columns of w·x, from the first to the last, for P panels side by side.
    #[inline(always)]
    unsafe fn one_row<S: Simd, F: Format, const P: usize>(&self, x: *const f32) {
        let size = F::LAYOUT.size;
        // SAFETY: P panels of `width` tiles lie in `panels`, and P vectors in the output.
        unsafe {
            let mut sums = [S::splat(0.0); P];
            for column in 0..self.width {
                let x = S::splat(*x.add(column));
                for (panel, sum) in sums.iter_mut().enumerate() {
                    let tile = self.panels.as_ptr().add((panel * self.width + column) * size);
                    prefetch::<S>(tile, 0);
                    *sum = S::fma(float_weights::<S, F>(tile), x, *sum);
                }
            }
            for (panel, mut sum) in sums.into_iter().enumerate() {
                let out = self.out.add(panel * LANES);
                if self.onto == Onto::Add {
                    sum = S::add(S::load(out), sum);
                }
                S::store(out, sum);
            }
        }
    }
}

formats!(Half = F16, BrainHalf = BF16, Single = F32);

/// One column of 16 rows.
#[inline(always)]
unsafe fn float_weights<S: Simd, F: Format>(tile: *const u8) -> S::Floats {
    unsafe {
        match F::DTYPE {
            GgmlDType::F16 => S::load_f16(tile),
            GgmlDType::BF16 => S::load_bf16(tile),
            _ => S::load(tile.cast()),
        }
    }
}

/// Dense weights: Σ over columns of w·x, from the first to the last.
#[inline(always)]
unsafe fn dense<S: Simd, F: Format, const N: usize>(
    panel: &[u8],
    x: *const f32,
    x_stride: usize,
    out: *mut f32,
    stride: usize,
    onto: Onto,
) {
    unsafe {
        let size = F::LAYOUT.size;
        let mut sums = [S::splat(0.0); N];
        for column in 0..panel.len() / size {
            let tile = panel.as_ptr().add(column * size);
            prefetch::<S>(tile, 0);
            let weights = float_weights::<S, F>(tile);
            for (row, sum) in sums.iter_mut().enumerate() {
                *sum = S::fma(weights, S::splat(*x.add(row * x_stride + column)), *sum);
            }
        }
        if onto == Onto::Add {
            for (column, sum) in sums.iter_mut().enumerate() {
                *sum = S::add(S::load(out.add(column * stride)), *sum);
            }
        }
        store_columns::<S, N>(out, stride, sums);
    }
}

#[cfg(test)]
mod tests;
