//! Weight matrices in tiles of 16 rows, in the file's own precision.
//!
//! A tile holds 16 rows × one block of columns. Its bytes are ordered so that one load brings the same four columns of
//! all 16 rows, one row a lane, and scales of the 16 rows lie side by side. Nothing is widened but the six-bit scales of Q4_K
//! and Q5_K, to bytes (3 % of a tile). The parts of a tile, each 16 rows wide, in order:
//!
//! | type | parts |
//! |---|---|
//! | Q4_0, Q5_0 | scale f16 · low bits · high bits (Q5) |
//! | Q4_1, Q5_1 | scale f16 · offset f16 · low bits · high bits (Q5) |
//! | Q8_0 | scale f16 · codes |
//! | Q4_K, Q5_K | low bits · high bits (Q5) · scales u8 × 8 · offsets u8 × 8 · scale f16 · offset f16 |
//! | Q6_K | low bits · high bits · scales i8 × 16 · scale f16 |
//! | F32, F16, BF16 | the weights, column by column |
//!
//! Low bits: for each group of 8 columns, 64 bytes, byte 4·row + j with column j in its low half and column 4 + j in its
//! high half. The fifth bit: for each group of 8 columns, 64 bits for columns 0 to 3 and 64 for columns 4 to 7, in the
//! order of those bytes. Bits five and six of Q6_K: for each group of 16 columns, 64 bytes, byte 4·row + j with columns
//! j, 4 + j, 8 + j, 12 + j from the lowest pair of bits up.

use std::ops::Range;

use candle_core::quantized::GgmlDType;
use half::{bf16, f16};
use memmap2::MmapMut;

use super::activations::Grain;
use super::blocks::{BLOCK, OffsetBlock, SUPER_BLOCK, SixBitBlock, SmallBlock, zero_code};
use super::pool;
use super::simd::LANES;

/// Where a tile's parts begin, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Layout {
    /// Columns of a tile.
    pub(super) columns: usize,
    pub(super) scale: usize,
    pub(super) offset: usize,
    pub(super) low: usize,
    pub(super) high: usize,
    pub(super) scales: usize,
    pub(super) offsets: usize,
    /// Bytes of a tile.
    pub(super) size: usize,
}

/// Bytes of 16 halves.
const HALVES: usize = 2 * LANES;

impl Layout {
    /// The layout of a type's tiles.
    pub(super) const fn of(dtype: GgmlDType) -> Self {
        let none = Self { columns: 1, scale: 0, offset: 0, low: 0, high: 0, scales: 0, offsets: 0, size: 0 };
        match dtype {
            GgmlDType::Q4_0 => Self { columns: 32, low: HALVES, size: 288, ..none },
            GgmlDType::Q5_0 => Self { columns: 32, low: HALVES, high: 288, size: 352, ..none },
            GgmlDType::Q4_1 => Self { columns: 32, offset: HALVES, low: 2 * HALVES, size: 320, ..none },
            GgmlDType::Q5_1 => {
                Self { columns: 32, offset: HALVES, low: 2 * HALVES, high: 320, size: 384, ..none }
            }
            GgmlDType::Q8_0 => Self { columns: 32, low: HALVES, size: 544, ..none },
            GgmlDType::Q4K => Self {
                columns: 256,
                scales: 2048,
                offsets: 2176,
                scale: 2304,
                offset: 2336,
                size: 2368,
                ..none
            },
            GgmlDType::Q5K => Self {
                columns: 256,
                high: 2048,
                scales: 2560,
                offsets: 2688,
                scale: 2816,
                offset: 2848,
                size: 2880,
                ..none
            },
            GgmlDType::Q6K => {
                Self { columns: 256, high: 2048, scales: 3072, scale: 3328, size: 3360, ..none }
            }
            GgmlDType::F16 | GgmlDType::BF16 => Self { size: 2 * LANES, ..none },
            _ => Self { size: 4 * LANES, ..none },
        }
    }
}

/// Bytes of 16 rows.
fn panel_size(dtype: GgmlDType, width: usize) -> usize {
    let layout = Layout::of(dtype);
    width / layout.columns * layout.size
}

/// Zeroed memory of its own pages, large ones where the system has them: a step reads all weights once, and with small
/// pages much of its time goes into finding where they lie.
pub(super) fn zeroed_pages(len: usize) -> MmapMut {
    let pages = MmapMut::map_anon(len.max(1)).expect("there is memory for the weights");
    #[cfg(target_os = "linux")]
    // A system without large pages goes on with small ones.
    let _ = pages.advise(memmap2::Advice::HugePage);
    pages
}

/// A weight matrix `[num_rows, width]`.
#[derive(Debug)]
pub(super) struct Tiles {
    dtype: GgmlDType,
    num_rows: usize,
    width: usize,
    /// Whole pages, so that tiles, which are multiples of 32 bytes, lie well. There may be room for more rows.
    bytes: MmapMut,
}

impl Tiles {
    /// Packs a matrix `[num_rows, width]` of blocks as they lie in a file, row after row.
    ///
    /// # Panics
    /// If the bytes are not as many as the shape says.
    pub(super) fn pack(dtype: GgmlDType, num_rows: usize, width: usize, data: &[u8]) -> Self {
        let row_size = width / dtype.block_size() * dtype.type_size();
        assert_eq!(data.len(), num_rows * row_size, "the data of a matrix has its size");
        Self::build(dtype, num_rows, width, |row, lane, panel| {
            pack_row(dtype, lane, &data[row * row_size..][..row_size], panel);
        })
    }

    /// A matrix whose rows `put` writes, each into its lane of a panel of zeros; in parallel.
    pub(super) fn build(
        dtype: GgmlDType,
        num_rows: usize,
        width: usize,
        put: impl Fn(usize, usize, &mut [u8]) + Sync,
    ) -> Self {
        let mut tiles = Self { num_rows, ..Self::with_room(dtype, num_rows, width) };
        let (panel_size, size_bytes) = (tiles.panel_size(), tiles.size_bytes());
        pool::for_each_chunk(&mut tiles.bytes[..size_bytes], panel_size, |panel, bytes| {
            let first_row = panel * LANES;
            for lane in 0..LANES.min(num_rows - first_row) {
                put(first_row + lane, lane, bytes);
            }
        });
        tiles
    }

    /// A matrix without rows, with room for some.
    pub(super) fn with_room(dtype: GgmlDType, num_rows: usize, width: usize) -> Self {
        let size_bytes = num_rows.div_ceil(LANES) * panel_size(dtype, width);
        Self { dtype, num_rows: 0, width, bytes: zeroed_pages(size_bytes) }
    }

    /// Appends a row, which `put` writes into its lane of a panel; what an earlier row left there is still there.
    ///
    /// # Panics
    /// If there is no room for it.
    pub(super) fn push_row(&mut self, put: impl FnOnce(usize, &mut [u8])) {
        let (panel, lane) = (self.num_rows / LANES, self.num_rows % LANES);
        let size = self.panel_size();
        put(lane, &mut self.bytes[panel * size..(panel + 1) * size]);
        self.num_rows += 1;
    }

    /// Whether there is room for another row.
    pub(super) fn has_room(&self) -> bool {
        self.num_rows < self.bytes.len() / self.panel_size() * LANES
    }

    /// Forgets all rows but the first; their room stays.
    pub(super) fn truncate(&mut self, num_rows: usize) {
        self.num_rows = self.num_rows.min(num_rows);
    }

    /// Element type.
    pub(super) fn dtype(&self) -> GgmlDType {
        self.dtype
    }

    /// Rows of the matrix.
    pub(super) fn num_rows(&self) -> usize {
        self.num_rows
    }

    /// Columns of the matrix.
    pub(super) fn width(&self) -> usize {
        self.width
    }

    /// Bytes that a product reads.
    pub(super) fn size_bytes(&self) -> usize {
        self.num_panels() * self.panel_size()
    }

    fn panel_size(&self) -> usize {
        panel_size(self.dtype, self.width)
    }

    /// Groups of 16 rows.
    pub(super) fn num_panels(&self) -> usize {
        self.num_rows.div_ceil(LANES)
    }

    /// The tiles of one group of 16 rows, from the first column to the last.
    pub(super) fn panel(&self, panel: usize) -> &[u8] {
        let size = self.panel_size();
        &self.bytes[panel * size..(panel + 1) * size]
    }

    /// The tiles of some groups of 16 rows, one group after the other.
    pub(super) fn panels(&self, panels: Range<usize>) -> &[u8] {
        let size = self.panel_size();
        &self.bytes[panels.start * size..panels.end * size]
    }

    /// How activations are rounded that meet these weights; `None` where they are floats.
    pub(super) fn grain(&self) -> Option<Grain> {
        match Layout::of(self.dtype).columns {
            SUPER_BLOCK => Some(Grain::Large),
            BLOCK => Some(Grain::Small),
            _ => None,
        }
    }

    /// Writes one row as floats. out: `[width]`.
    pub(super) fn read_row(&self, row: usize, out: &mut [f32]) {
        let layout = Layout::of(self.dtype);
        let tiles = self.panel(row / LANES).chunks_exact(layout.size);
        for (tile, out) in tiles.zip(out.chunks_exact_mut(layout.columns)) {
            read_lane(self.dtype, &layout, row % LANES, tile, out);
        }
    }
}

/// Packs one row's blocks into its lane of a panel of zeros.
pub(super) fn pack_row(dtype: GgmlDType, lane: usize, row: &[u8], panel: &mut [u8]) {
    let layout = Layout::of(dtype);
    let block_size = row.len() / (panel.len() / layout.size);
    for (block, tile) in row.chunks_exact(block_size).zip(panel.chunks_exact_mut(layout.size)) {
        match dtype {
            GgmlDType::Q4_0 | GgmlDType::Q4_1 | GgmlDType::Q5_0 | GgmlDType::Q5_1 | GgmlDType::Q8_0 => {
                let SmallBlock { scale, offset, codes } = SmallBlock::open(dtype, block);
                put_half(tile, layout.scale, lane, scale);
                if layout.offset > 0 {
                    put_half(tile, layout.offset, lane, offset);
                }
                if dtype == GgmlDType::Q8_0 {
                    for (group, codes) in codes.chunks_exact(4).enumerate() {
                        tile[layout.low + 64 * group + 4 * lane..][..4].copy_from_slice(codes);
                    }
                } else {
                    put_low_bits(tile, layout.low, lane, &codes);
                    if layout.high > 0 {
                        put_fifth_bits(tile, layout.high, lane, &codes);
                    }
                }
            }
            GgmlDType::Q4K | GgmlDType::Q5K => {
                let opened = OffsetBlock::open(dtype, block);
                put_half(tile, layout.scale, lane, opened.scale);
                put_half(tile, layout.offset, lane, opened.offset);
                for s in 0..8 {
                    tile[layout.scales + LANES * s + lane] = opened.scales[s];
                    tile[layout.offsets + LANES * s + lane] = opened.offsets[s];
                }
                put_low_bits(tile, layout.low, lane, &opened.codes);
                if layout.high > 0 {
                    put_fifth_bits(tile, layout.high, lane, &opened.codes);
                }
            }
            GgmlDType::Q6K => {
                let SixBitBlock { scale, scales, codes } = SixBitBlock::open(block);
                put_half(tile, layout.scale, lane, scale);
                for (s, scale) in scales.into_iter().enumerate() {
                    tile[layout.scales + LANES * s + lane] = scale as u8;
                }
                put_low_bits(tile, layout.low, lane, &codes);
                for (group, codes) in codes.chunks_exact(16).enumerate() {
                    for j in 0..4 {
                        let pairs = (0..4).map(|pair| (codes[4 * pair + j] >> 4) << (2 * pair));
                        tile[layout.high + 64 * group + 4 * lane + j] =
                            pairs.fold(0, |byte, pair| byte | pair);
                    }
                }
            }
            // One weight a column.
            _ => tile[block_size * lane..][..block_size].copy_from_slice(block),
        }
    }
}

fn put_half(tile: &mut [u8], part: usize, lane: usize, value: f16) {
    tile[part + 2 * lane..][..2].copy_from_slice(&value.to_le_bytes());
}

fn half_at(tile: &[u8], part: usize, lane: usize) -> f32 {
    f16::from_le_bytes([tile[part + 2 * lane], tile[part + 2 * lane + 1]]).to_f32()
}

fn put_low_bits(tile: &mut [u8], part: usize, lane: usize, codes: &[u8]) {
    for (group, codes) in codes.chunks_exact(8).enumerate() {
        let bytes = &mut tile[part + 64 * group + 4 * lane..][..4];
        for (j, byte) in bytes.iter_mut().enumerate() {
            *byte = codes[j] & 15 | (codes[4 + j] & 15) << 4;
        }
    }
}

fn put_fifth_bits(tile: &mut [u8], part: usize, lane: usize, codes: &[u8]) {
    for (group, codes) in codes.chunks_exact(8).enumerate() {
        for (column, code) in codes.iter().enumerate() {
            let bit = 4 * lane + column % 4;
            tile[part + 16 * group + 8 * (column / 4) + bit / 8] |= (code >> 4 & 1) << (bit % 8);
        }
    }
}

/// The code at a column of a tile.
fn code_at(dtype: GgmlDType, layout: &Layout, lane: usize, tile: &[u8], column: usize) -> u8 {
    if dtype == GgmlDType::Q8_0 {
        return tile[layout.low + 64 * (column / 4) + 4 * lane + column % 4];
    }
    let (group, j) = (column / 8, column % 4);
    let low = tile[layout.low + 64 * group + 4 * lane + j] >> (4 * (column / 4 % 2)) & 15;
    let high = match dtype {
        GgmlDType::Q6K => tile[layout.high + 64 * (column / 16) + 4 * lane + j] >> (2 * (column / 4 % 4)) & 3,
        _ if layout.high > 0 => {
            let bit = 4 * lane + j;
            tile[layout.high + 16 * group + 8 * (column / 4 % 2) + bit / 8] >> (bit % 8) & 1
        }
        _ => 0,
    };
    low | high << 4
}

/// One row of a tile as floats, by the arithmetic of the reference quantiser.
fn read_lane(dtype: GgmlDType, layout: &Layout, lane: usize, tile: &[u8], out: &mut [f32]) {
    let two = |at: usize| [tile[at], tile[at + 1]];
    match dtype {
        GgmlDType::F16 => out[0] = f16::from_le_bytes(two(2 * lane)).to_f32(),
        GgmlDType::BF16 => out[0] = bf16::from_le_bytes(two(2 * lane)).to_f32(),
        GgmlDType::F32 => {
            let bytes = &tile[4 * lane..4 * lane + 4];
            out[0] = f32::from_le_bytes(bytes.try_into().expect("four bytes"));
        }
        _ => {
            let scale = half_at(tile, layout.scale, lane);
            for (column, out) in out.iter_mut().enumerate() {
                let code = f32::from(code_at(dtype, layout, lane, tile, column));
                let part = |part: usize, group: usize| tile[part + LANES * group + lane];
                *out = match dtype {
                    GgmlDType::Q4K | GgmlDType::Q5K => {
                        let group = column / 32;
                        let offset =
                            half_at(tile, layout.offset, lane) * f32::from(part(layout.offsets, group));
                        scale * f32::from(part(layout.scales, group)) * code - offset
                    }
                    GgmlDType::Q6K => {
                        scale * f32::from(part(layout.scales, column / 16) as i8) * (code - 32.0)
                    }
                    GgmlDType::Q4_1 | GgmlDType::Q5_1 => scale * code + half_at(tile, layout.offset, lane),
                    _ => scale * (code - zero_code(dtype) as f32),
                };
            }
        }
    }
}

/// Panels by number, shared out to threads: which part of which matrix a piece of work is.
pub(super) fn split_panels(
    work: Range<usize>,
    counts: &[usize],
) -> impl Iterator<Item = (usize, Range<usize>)> {
    let mut first = 0;
    counts.iter().enumerate().filter_map(move |(matrix, &count)| {
        let panels = work.start.max(first) - first..work.end.clamp(first, first + count) - first;
        first += count;
        (panels.start < panels.end).then_some((matrix, panels))
    })
}

#[cfg(test)]
pub(super) mod tests {
    use candle_core::quantized::QTensor;
    use candle_core::{Device, Tensor};

    use super::*;

    /// Every type that weights may have; the dense ones come last.
    pub(in crate::engine::cpu) const EVERY_TYPE: [GgmlDType; 11] = [
        GgmlDType::Q4_0,
        GgmlDType::Q4_1,
        GgmlDType::Q5_0,
        GgmlDType::Q5_1,
        GgmlDType::Q8_0,
        GgmlDType::Q4K,
        GgmlDType::Q5K,
        GgmlDType::Q6K,
        GgmlDType::F16,
        GgmlDType::BF16,
        GgmlDType::F32,
    ];

    #[test]
    fn weights_read_back_equal_candles() {
        let (num_rows, width) = (37, 512);
        let device = Device::Cpu;
        let weights = Tensor::randn(0f32, 1.5, (num_rows, width), &device).unwrap();
        for dtype in EVERY_TYPE {
            let original = QTensor::quantize(&weights, dtype).unwrap();
            let expected = original.dequantize(&device).unwrap().to_vec2::<f32>().unwrap();
            let tiles = Tiles::pack(dtype, num_rows, width, &original.data().unwrap());
            let mut row = vec![0.0; width];
            for (index, expected) in expected.iter().enumerate() {
                tiles.read_row(index, &mut row);
                assert!(row == *expected, "{dtype:?}, row {index}");
            }
        }
    }

    #[test]
    fn tiles_are_as_large_as_the_blocks_they_hold() {
        for dtype in EVERY_TYPE.into_iter().filter(|dtype| dtype.block_size() > 1) {
            let layout = Layout::of(dtype);
            let blocks = LANES * layout.columns / dtype.block_size();
            // Sixteen scales and offsets take twelve bytes in a block of these types, and sixteen in a tile.
            let unpacked = if matches!(dtype, GgmlDType::Q4K | GgmlDType::Q5K) { 4 * LANES } else { 0 };
            assert_eq!(layout.size, blocks * dtype.type_size() + unpacked, "{dtype:?}");
        }
    }

    #[test]
    fn work_is_split_at_the_borders_of_matrices() {
        let split = |work| split_panels(work, &[3, 0, 5]).collect::<Vec<_>>();
        assert_eq!(split(0..2), [(0, 0..2)]);
        assert_eq!(split(1..5), [(0, 1..3), (2, 0..2)]);
        assert_eq!(split(3..8), [(2, 0..5)]);
    }
}
