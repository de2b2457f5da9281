//! The reference: plain Rust, any processor.

use super::{LANES, Simd};

/// Lanes in arrays.
pub(super) struct Scalar;

type Floats = [f32; LANES];
type Ints = [i32; LANES];
type Bytes = [u8; 4 * LANES];

#[inline(always)]
fn map(a: Floats, f: impl Fn(f32) -> f32) -> Floats {
    a.map(f)
}

#[inline(always)]
fn zip(a: Floats, b: Floats, f: impl Fn(f32, f32) -> f32) -> Floats {
    std::array::from_fn(|lane| f(a[lane], b[lane]))
}

/// Reads N values of a type without padding, from any address.
#[inline(always)]
unsafe fn read<T: Copy>(from: *const u8) -> T {
    // SAFETY: the caller vouches for the memory.
    unsafe { from.cast::<T>().read_unaligned() }
}

/// Four bytes with a sign.
#[inline(always)]
unsafe fn quad(from: *const i8) -> [i8; 4] {
    // SAFETY: the caller vouches for the memory.
    unsafe { from.cast::<[i8; 4]>().read_unaligned() }
}

impl Simd for Scalar {
    type Floats = Floats;
    type Ints = Ints;
    type Bytes = Bytes;
    type Sums = Ints;
    type Wide = Bytes;
    const WIDE_ZERO: i32 = 0;
    const COLUMNS: usize = 4;

    #[inline(always)]
    unsafe fn splat(value: f32) -> Floats {
        [value; LANES]
    }
    #[inline(always)]
    unsafe fn load(from: *const f32) -> Floats {
        unsafe { read(from.cast()) }
    }
    #[inline(always)]
    unsafe fn store(to: *mut f32, value: Floats) {
        unsafe { to.cast::<Floats>().write_unaligned(value) }
    }
    #[inline(always)]
    unsafe fn load_f16(from: *const u8) -> Floats {
        let halves: [u16; LANES] = unsafe { read(from) };
        halves.map(|bits| half::f16::from_bits(bits).to_f32())
    }
    #[inline(always)]
    unsafe fn load_bf16(from: *const u8) -> Floats {
        let halves: [u16; LANES] = unsafe { read(from) };
        halves.map(|bits| f32::from_bits(u32::from(bits) << 16))
    }
    #[inline(always)]
    unsafe fn add(a: Floats, b: Floats) -> Floats {
        zip(a, b, |a, b| a + b)
    }
    #[inline(always)]
    unsafe fn sub(a: Floats, b: Floats) -> Floats {
        zip(a, b, |a, b| a - b)
    }
    #[inline(always)]
    unsafe fn mul(a: Floats, b: Floats) -> Floats {
        zip(a, b, |a, b| a * b)
    }
    #[inline(always)]
    unsafe fn div(a: Floats, b: Floats) -> Floats {
        zip(a, b, |a, b| a / b)
    }
    #[inline(always)]
    unsafe fn fma(a: Floats, b: Floats, c: Floats) -> Floats {
        std::array::from_fn(|lane| a[lane].mul_add(b[lane], c[lane]))
    }
    #[inline(always)]
    unsafe fn fnma(a: Floats, b: Floats, c: Floats) -> Floats {
        std::array::from_fn(|lane| (-a[lane]).mul_add(b[lane], c[lane]))
    }
    #[inline(always)]
    unsafe fn max(a: Floats, b: Floats) -> Floats {
        zip(a, b, |a, b| if a > b { a } else { b })
    }
    #[inline(always)]
    unsafe fn min(a: Floats, b: Floats) -> Floats {
        zip(a, b, |a, b| if a < b { a } else { b })
    }
    #[inline(always)]
    unsafe fn abs(a: Floats) -> Floats {
        map(a, f32::abs)
    }
    #[inline(always)]
    unsafe fn round(a: Floats) -> Floats {
        map(a, f32::round_ties_even)
    }
    #[inline(always)]
    unsafe fn exp2_whole(a: Floats) -> Floats {
        map(a, |a| f32::from_bits(((a as i32 + 127) as u32) << 23))
    }
    #[inline(always)]
    unsafe fn sum(a: Floats) -> f32 {
        let mut lanes = a;
        for width in [8, 4, 2, 1] {
            for lane in 0..width {
                lanes[lane] += lanes[lane + width];
            }
        }
        lanes[0]
    }
    #[inline(always)]
    unsafe fn largest(a: Floats) -> f32 {
        a.into_iter().fold(f32::NEG_INFINITY, f32::max)
    }

    #[inline(always)]
    unsafe fn splat_int(value: i32) -> Ints {
        [value; LANES]
    }
    #[inline(always)]
    unsafe fn to_floats(a: Ints) -> Floats {
        a.map(|a| a as f32)
    }
    #[inline(always)]
    unsafe fn store_i8(to: *mut i8, value: Floats) {
        unsafe { to.cast::<[i8; LANES]>().write_unaligned(value.map(|a| a as i8)) }
    }
    #[inline(always)]
    unsafe fn sum_whole(a: Floats) -> i32 {
        a.iter().map(|&a| a as i32).sum()
    }
    #[inline(always)]
    unsafe fn load_i8(from: *const u8) -> Ints {
        let bytes: [i8; LANES] = unsafe { read(from) };
        bytes.map(i32::from)
    }
    #[inline(always)]
    unsafe fn load_u8(from: *const u8) -> Ints {
        let bytes: [u8; LANES] = unsafe { read(from) };
        bytes.map(i32::from)
    }

    #[inline(always)]
    unsafe fn load_bytes(from: *const u8) -> Bytes {
        unsafe { read(from) }
    }
    #[inline(always)]
    unsafe fn low_nibbles(a: Bytes) -> Bytes {
        a.map(|a| a & 15)
    }
    #[inline(always)]
    unsafe fn high_nibbles(a: Bytes) -> Bytes {
        a.map(|a| a >> 4)
    }
    #[inline(always)]
    unsafe fn bit_pair<const PAIR: u32>(a: Bytes) -> Bytes {
        a.map(|a| (a >> (2 * PAIR) & 3) << 4)
    }
    #[inline(always)]
    unsafe fn or(a: Bytes, b: Bytes) -> Bytes {
        std::array::from_fn(|byte| a[byte] | b[byte])
    }
    #[inline(always)]
    unsafe fn set_bit_4(a: Bytes, bits: *const u8) -> Bytes {
        let bits: [u8; 8] = unsafe { read(bits) };
        std::array::from_fn(|byte| a[byte] | (bits[byte / 8] >> (byte % 8) & 1) << 4)
    }
    #[inline(always)]
    unsafe fn sums(start: i32) -> Ints {
        [start; LANES]
    }
    #[inline(always)]
    unsafe fn dot(acc: Ints, weights: Bytes, activations: *const i8) -> Ints {
        let activations = unsafe { quad(activations) };
        std::array::from_fn(|lane| {
            let products = (0..4).map(|i| i32::from(weights[4 * lane + i]) * i32::from(activations[i]));
            acc[lane] + products.sum::<i32>()
        })
    }
    #[inline(always)]
    unsafe fn widen(acc: Ints) -> Ints {
        acc
    }
    #[inline(always)]
    unsafe fn total(acc: Ints) -> Ints {
        acc
    }
    #[inline(always)]
    unsafe fn wide(weights: Bytes) -> Bytes {
        weights
    }
    #[inline(always)]
    unsafe fn dot_wide(acc: Ints, weights: Bytes, activations: *const i8) -> Ints {
        unsafe { Self::dot(acc, weights, activations) }
    }

    #[inline(always)]
    unsafe fn prefetch(_: *const u8) {}
}
