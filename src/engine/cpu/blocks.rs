//! The block formats of GGUF, opened up: every format is codes without a sign, scales and, in some, offsets.
//!
//! Layouts and arithmetic are those of the GGML library's reference quantiser; the tests hold them equal to candle's.

use candle_core::quantized::GgmlDType;
use half::f16;

/// Weights of a super-block.
pub(super) const SUPER_BLOCK: usize = 256;
/// Weights of a block.
pub(super) const BLOCK: usize = 32;

/// A block of 32 weights: w = scale · (code − zero) + offset.
pub(super) struct SmallBlock {
    pub(super) scale: f16,
    pub(super) offset: f16,
    pub(super) codes: [u8; BLOCK],
}

/// What is subtracted from the codes of a format of small blocks.
pub(super) fn zero_code(dtype: GgmlDType) -> i32 {
    match dtype {
        GgmlDType::Q4_0 => 8,
        GgmlDType::Q5_0 => 16,
        GgmlDType::Q8_0 => 128,
        _ => 0,
    }
}

impl SmallBlock {
    /// Opens a block of Q4_0, Q4_1, Q5_0, Q5_1 or Q8_0.
    #[inline]
    pub(super) fn open(dtype: GgmlDType, bytes: &[u8]) -> Self {
        let half = |at: usize| f16::from_le_bytes([bytes[at], bytes[at + 1]]);
        let mut codes = [0; BLOCK];
        let (offset, rest) = match dtype {
            GgmlDType::Q4_1 | GgmlDType::Q5_1 => (half(2), &bytes[4..]),
            _ => (f16::ZERO, &bytes[2..]),
        };
        match dtype {
            GgmlDType::Q8_0 => {
                // Codes have a sign in the file; 128 more makes them u8.
                codes.iter_mut().zip(rest).for_each(|(code, &byte)| *code = byte ^ 0x80);
            }
            GgmlDType::Q5_0 | GgmlDType::Q5_1 => {
                let high = u32::from_le_bytes([rest[0], rest[1], rest[2], rest[3]]);
                open_nibbles(&rest[4..], &mut codes);
                for (index, code) in codes.iter_mut().enumerate() {
                    *code |= ((high >> index & 1) as u8) << 4;
                }
            }
            _ => open_nibbles(rest, &mut codes),
        }
        Self { scale: half(0), offset, codes }
    }
}

/// Byte j holds code j in its low half, and code j + n/2 in its high half.
#[inline]
fn open_nibbles(bytes: &[u8], codes: &mut [u8]) {
    let (low, high) = codes.split_at_mut(codes.len() / 2);
    for ((low, high), &byte) in low.iter_mut().zip(high).zip(bytes) {
        (*low, *high) = (byte & 15, byte >> 4);
    }
}

/// A super-block of Q4_K or Q5_K: w = scale · scales\[s\] · code − offset · offsets\[s\], s the weight's group of 32.
pub(super) struct OffsetBlock {
    pub(super) scale: f16,
    pub(super) offset: f16,
    pub(super) scales: [u8; 8],
    pub(super) offsets: [u8; 8],
    pub(super) codes: [u8; SUPER_BLOCK],
}

impl OffsetBlock {
    /// Opens a block of Q4_K or Q5_K.
    #[inline]
    pub(super) fn open(dtype: GgmlDType, bytes: &[u8]) -> Self {
        let half = |at: usize| f16::from_le_bytes([bytes[at], bytes[at + 1]]);
        let packed = &bytes[4..16];
        let (mut scales, mut offsets) = ([0; 8], [0; 8]);
        for s in 0..4 {
            scales[s] = packed[s] & 63;
            offsets[s] = packed[s + 4] & 63;
            scales[s + 4] = packed[s + 8] & 15 | packed[s] >> 6 << 4;
            offsets[s + 4] = packed[s + 8] >> 4 | packed[s + 4] >> 6 << 4;
        }
        let (high, low) = match dtype {
            GgmlDType::Q5K => (Some(&bytes[16..48]), &bytes[48..]),
            _ => (None, &bytes[16..]),
        };
        let mut codes = [0; SUPER_BLOCK];
        for (pair, codes) in codes.chunks_exact_mut(64).enumerate() {
            open_nibbles(&low[32 * pair..32 * pair + 32], codes);
            if let Some(high) = high {
                for (index, code) in codes.iter_mut().enumerate() {
                    let bit = 2 * pair + index / 32;
                    *code |= (high[index % 32] >> bit & 1) << 4;
                }
            }
        }
        Self { scale: half(0), offset: half(2), scales, offsets, codes }
    }
}

/// A super-block of Q6_K: w = scale · scales\[s\] · (code − 32), s the weight's group of 16.
pub(super) struct SixBitBlock {
    pub(super) scale: f16,
    pub(super) scales: [i8; 16],
    pub(super) codes: [u8; SUPER_BLOCK],
}

impl SixBitBlock {
    /// Opens a block of Q6_K.
    #[inline]
    pub(super) fn open(bytes: &[u8]) -> Self {
        let (low, high) = (&bytes[..128], &bytes[128..192]);
        let mut codes = [0; SUPER_BLOCK];
        for (half, codes) in codes.chunks_exact_mut(128).enumerate() {
            let (low, high) = (&low[64 * half..], &high[32 * half..]);
            for index in 0..32 {
                codes[index] = low[index] & 15 | (high[index] & 3) << 4;
                codes[index + 32] = low[index + 32] & 15 | (high[index] >> 2 & 3) << 4;
                codes[index + 64] = low[index] >> 4 | (high[index] >> 4 & 3) << 4;
                codes[index + 96] = low[index + 32] >> 4 | (high[index] >> 6 & 3) << 4;
            }
        }
        let scales = std::array::from_fn(|s| bytes[192 + s] as i8);
        Self { scale: f16::from_le_bytes([bytes[208], bytes[209]]), scales, codes }
    }
}
