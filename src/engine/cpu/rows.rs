//! Rows of one matrix as rows of another: taken over as they are, or rounded to fewer bits.

use std::cell::RefCell;
use std::ops::Range;

use candle_core::quantized::GgmlDType;
use half::f16;

use super::blocks::BLOCK;
use super::simd::LANES;
use super::tiles::{Layout, Tiles, pack_row};

/// The type that [`requantized_type`] rounds to.
const NARROW: GgmlDType = GgmlDType::Q4_0;

/// The type for a matrix that is to be rounded to Q4_0: its own where that would save less than a tenth of its bytes,
/// or where its width is not whole blocks.
pub(super) fn requantized_type(tiles: &Tiles) -> GgmlDType {
    let bytes_per_column = |dtype: GgmlDType| {
        let layout = Layout::of(dtype);
        layout.size as f64 / layout.columns as f64
    };
    let is_worth_it = bytes_per_column(NARROW) <= 0.9 * bytes_per_column(tiles.dtype());
    if is_worth_it && tiles.width().is_multiple_of(BLOCK) { NARROW } else { tiles.dtype() }
}

/// All rows of a matrix, as `dtype`: its own, or Q4_0.
pub(super) fn converted(source: &Tiles, dtype: GgmlDType) -> Tiles {
    Tiles::build(dtype, source.num_rows(), source.width(), |row, lane, panel| {
        put_row(source, row, dtype, lane, panel);
    })
}

/// Some rows of a matrix, in the order of their numbers in `rows`, as `dtype`: the matrix's own, or Q4_0.
pub(super) fn selected(source: &Tiles, rows: &[u32], dtype: GgmlDType) -> Tiles {
    Tiles::build(dtype, rows.len(), source.width(), |index, lane, panel| {
        put_row(source, rows[index] as usize, dtype, lane, panel);
    })
}

/// Writes a row of a matrix into a lane of a panel of `dtype`: the matrix's own, or Q4_0.
pub(super) fn put_row(source: &Tiles, row: usize, dtype: GgmlDType, lane: usize, panel: &mut [u8]) {
    thread_local! {
        /// The row at hand, as floats and as blocks.
        static SCRATCH: RefCell<(Vec<f32>, Vec<u8>)> = const { RefCell::new((vec![], vec![])) };
    }
    if dtype == source.dtype() {
        return copy_lane(dtype, (source.panel(row / LANES), row % LANES), (panel, lane));
    }
    assert_eq!(dtype, NARROW, "rows are rounded to one type alone");
    SCRATCH.with_borrow_mut(|(floats, blocks)| {
        floats.resize(source.width(), 0.0);
        source.read_row(row, floats);
        blocks.clear();
        floats.chunks_exact(BLOCK).for_each(|block| quantize_block(block, blocks));
        pack_row(dtype, lane, blocks, panel);
    });
}

/// Appends 32 weights as a block of Q4_0: w ≈ d·(code − 8). d is such that the weight furthest from zero, whatever its
/// sign, has the code 0, as in the reference quantiser of the GGML library.
fn quantize_block(weights: &[f32], blocks: &mut Vec<u8>) {
    let furthest =
        weights.iter().fold(0.0f32, |furthest, &w| if w.abs() > furthest.abs() { w } else { furthest });
    let scale = furthest / -8.0;
    let inverse = if scale == 0.0 { 0.0 } else { 1.0 / scale };
    let code = |weight: f32| ((weight * inverse + 8.5) as u8).min(15);
    blocks.extend(f16::from_f32(scale).to_le_bytes());
    let (first, second) = weights.split_at(BLOCK / 2);
    blocks.extend(first.iter().zip(second).map(|(&low, &high)| code(low) | code(high) << 4));
}

/// Floats as they lie in a file of this type: F32, F16, or Q8_0 for whole blocks.
pub(super) fn blocks_of(values: &[f32], dtype: GgmlDType) -> Vec<u8> {
    match dtype {
        GgmlDType::F32 => values.iter().flat_map(|value| value.to_le_bytes()).collect(),
        GgmlDType::F16 => values.iter().flat_map(|value| f16::from_f32(*value).to_le_bytes()).collect(),
        GgmlDType::Q8_0 => values.chunks_exact(BLOCK).flat_map(eight_bits).collect(),
        other => panic!("floats are not rounded to {other:?}"),
    }
}

/// A block of Q8_0: w ≈ d·code with d = max |w| / 127.
fn eight_bits(weights: &[f32]) -> Vec<u8> {
    let highest = weights.iter().fold(0.0f32, |highest, w| highest.max(w.abs()));
    let scale = highest / 127.0;
    let inverse = if scale > 0.0 { 1.0 / scale } else { 0.0 };
    let codes = weights.iter().map(|w| (w * inverse).round() as i8 as u8);
    f16::from_f32(scale).to_le_bytes().into_iter().chain(codes).collect()
}

/// Copies one lane of a panel to a lane of another of the same type and width.
fn copy_lane(dtype: GgmlDType, (from, from_lane): (&[u8], usize), (to, to_lane): (&mut [u8], usize)) {
    let size = Layout::of(dtype).size;
    let parts = lane_parts(dtype);
    for (from, to) in from.chunks_exact(size).zip(to.chunks_exact_mut(size)) {
        for (part, bits) in &parts {
            // Sixteen lanes of so many bits follow each other.
            let group = 2 * bits;
            let from_groups = from[part.clone()].chunks_exact(group);
            for (from, to) in from_groups.zip(to[part.clone()].chunks_exact_mut(group)) {
                if *bits == 4 {
                    let nibble = from[from_lane / 2] >> (4 * (from_lane % 2)) & 15;
                    let shift = 4 * (to_lane % 2);
                    to[to_lane / 2] = to[to_lane / 2] & !(15 << shift) | nibble << shift;
                } else {
                    let width = bits / 8;
                    to[width * to_lane..][..width].copy_from_slice(&from[width * from_lane..][..width]);
                }
            }
        }
    }
}

/// What a tile consists of: ranges of bytes, and in each, how many bits of a lane lie together.
fn lane_parts(dtype: GgmlDType) -> Vec<(Range<usize>, usize)> {
    let layout = Layout::of(dtype);
    let halves = |at: usize| (at..at + 2 * LANES, 16);
    match dtype {
        GgmlDType::Q4_0 | GgmlDType::Q8_0 => vec![halves(layout.scale), (layout.low..layout.size, 32)],
        GgmlDType::Q5_0 => {
            vec![halves(layout.scale), (layout.low..layout.high, 32), (layout.high..layout.size, 4)]
        }
        GgmlDType::Q4_1 => {
            vec![halves(layout.scale), halves(layout.offset), (layout.low..layout.size, 32)]
        }
        GgmlDType::Q5_1 => vec![
            halves(layout.scale),
            halves(layout.offset),
            (layout.low..layout.high, 32),
            (layout.high..layout.size, 4),
        ],
        GgmlDType::Q4K => vec![
            (layout.low..layout.scales, 32),
            (layout.scales..layout.scale, 8),
            halves(layout.scale),
            halves(layout.offset),
        ],
        GgmlDType::Q5K => vec![
            (layout.low..layout.high, 32),
            (layout.high..layout.scales, 4),
            (layout.scales..layout.scale, 8),
            halves(layout.scale),
            halves(layout.offset),
        ],
        GgmlDType::Q6K => {
            vec![(layout.low..layout.scales, 32), (layout.scales..layout.scale, 8), halves(layout.scale)]
        }
        _ => vec![(0..layout.size, 8 * layout.size / LANES)],
    }
}

#[cfg(test)]
mod tests {
    use candle_core::quantized::QTensor;
    use candle_core::{Device, Tensor};

    use super::super::tiles::tests::EVERY_TYPE;
    use super::*;

    /// Normal weights `[num_rows, 512]`, as tiles of a type.
    fn tiles(dtype: GgmlDType, num_rows: usize) -> Tiles {
        let weights = Tensor::randn(0f32, 1.5, (num_rows, 512), &Device::Cpu).unwrap();
        let packed = QTensor::quantize(&weights, dtype).unwrap();
        Tiles::pack(dtype, num_rows, 512, &packed.data().unwrap())
    }

    fn row(tiles: &Tiles, row: usize) -> Vec<f32> {
        let mut floats = vec![0.0; tiles.width()];
        tiles.read_row(row, &mut floats);
        floats
    }

    #[test]
    fn selected_rows_are_the_rows_in_every_type() {
        for dtype in EVERY_TYPE {
            let source = tiles(dtype, 37);
            let rows = [36, 0, 17, 3, 3, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30];
            let selected = selected(&source, &rows, dtype);
            assert_eq!(selected.num_rows(), rows.len());
            for (index, &number) in rows.iter().enumerate() {
                assert!(row(&selected, index) == row(&source, number as usize), "{dtype:?}, row {index}");
            }
        }
    }

    #[test]
    fn rows_are_added_one_by_one_and_again_after_a_clearing() {
        for dtype in EVERY_TYPE {
            let source = tiles(dtype, 40);
            let mut grown = Tiles::with_room(dtype, 20, source.width());
            for start in [0, 20] {
                grown.truncate(0);
                for number in start..start + 20 {
                    grown.push_row(|lane, panel| put_row(&source, number, dtype, lane, panel));
                }
                for index in 0..20 {
                    assert!(row(&grown, index) == row(&source, start + index), "{dtype:?}, row {index}");
                }
            }
        }
    }

    #[test]
    fn rounding_to_four_bits_equals_candles() {
        let source = tiles(GgmlDType::F32, 33);
        let values: Vec<f32> = (0..33).flat_map(|number| row(&source, number)).collect();
        let tensor = Tensor::from_vec(values, (33, 512), &Device::Cpu).unwrap();
        let expected = QTensor::quantize(&tensor, NARROW).unwrap();
        let expected = Tiles::pack(NARROW, 33, 512, &expected.data().unwrap());
        let converted = converted(&source, NARROW);
        (0..33).for_each(|number| assert!(row(&converted, number) == row(&expected, number), "row {number}"));
    }

    #[test]
    fn a_block_of_zeros_stays_zero() {
        let mut blocks = vec![];
        quantize_block(&[0.0; BLOCK], &mut blocks);
        let tiles = Tiles::pack(NARROW, 1, BLOCK, &blocks);
        assert_eq!(row(&tiles, 0), [0.0; BLOCK]);
    }

    #[test]
    fn a_matrix_is_rounded_where_that_saves_a_tenth() {
        for (dtype, is_rounded) in [
            (GgmlDType::Q4_0, false),
            (GgmlDType::Q4K, false),
            (GgmlDType::Q4_1, true),
            (GgmlDType::Q5_0, true),
            (GgmlDType::Q6K, true),
            (GgmlDType::F16, true),
        ] {
            let expected = if is_rounded { NARROW } else { dtype };
            assert_eq!(requantized_type(&tiles(dtype, 1)), expected, "{dtype:?}");
        }
    }
}
