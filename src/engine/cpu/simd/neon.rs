//! NEON with the dot product: four registers a vector.
//!
//! Held to the bits of the reference by the same tests as the others, which were run under emulation; its speed on such a
//! processor is not known yet.

use core::arch::aarch64::*;
use core::arch::asm;

use super::{LANES, Op, Simd};

/// Lanes in groups of four 128-bit registers.
struct Neon;

/// Runs a kernel compiled for these instructions.
///
/// # Safety
/// The processor has them.
#[target_feature(enable = "neon,dotprod")]
pub(super) unsafe fn run<O: Op>(op: O) -> O::Output {
    // SAFETY: as the caller vouches.
    unsafe { op.run::<Neon>() }
}

type Floats = [float32x4_t; 4];
type Ints = [int32x4_t; 4];
type Bytes = [uint8x16_t; 4];

#[inline(always)]
unsafe fn map(a: Bytes, f: impl Fn(uint8x16_t) -> uint8x16_t) -> Bytes {
    a.map(f)
}

#[inline(always)]
unsafe fn zip<T: Copy>(a: [T; 4], b: [T; 4], f: impl Fn(T, T) -> T) -> [T; 4] {
    [f(a[0], b[0]), f(a[1], b[1]), f(a[2], b[2]), f(a[3], b[3])]
}

/// acc + Σ w·a over four bytes with a sign.
#[inline(always)]
unsafe fn dot_quads(acc: int32x4_t, weights: int8x16_t, activations: int8x16_t) -> int32x4_t {
    let mut sum = acc;
    // SAFETY: registers alone; the instruction is part of what `run` requires.
    unsafe {
        asm!(
            ".arch_extension dotprod",
            "sdot {sum:v}.4s, {weights:v}.16b, {activations:v}.16b",
            sum = inout(vreg) sum,
            weights = in(vreg) weights,
            activations = in(vreg) activations,
            options(pure, nomem, nostack, preserves_flags),
        );
    }
    sum
}

impl Simd for Neon {
    type Floats = Floats;
    type Ints = Ints;
    type Bytes = Bytes;
    type Sums = Ints;
    type Wide = Bytes;
    const WIDE_ZERO: i32 = 0;
    const COLUMNS: usize = 4;

    #[inline(always)]
    unsafe fn splat(value: f32) -> Floats {
        unsafe { [vdupq_n_f32(value); 4] }
    }
    #[inline(always)]
    unsafe fn load(from: *const f32) -> Floats {
        unsafe { [vld1q_f32(from), vld1q_f32(from.add(4)), vld1q_f32(from.add(8)), vld1q_f32(from.add(12))] }
    }
    #[inline(always)]
    unsafe fn store(to: *mut f32, value: Floats) {
        for (group, register) in value.into_iter().enumerate() {
            unsafe { vst1q_f32(to.add(4 * group), register) }
        }
    }
    #[inline(always)]
    unsafe fn load_f16(from: *const u8) -> Floats {
        unsafe {
            let halves = from.cast::<[u16; LANES]>().read_unaligned();
            let wide = halves.map(|bits| half::f16::from_bits(bits).to_f32());
            Self::load(wide.as_ptr())
        }
    }
    #[inline(always)]
    unsafe fn load_bf16(from: *const u8) -> Floats {
        unsafe {
            let halves = from.cast::<[u16; LANES]>().read_unaligned();
            let wide = halves.map(|bits| f32::from_bits(u32::from(bits) << 16));
            Self::load(wide.as_ptr())
        }
    }
    #[inline(always)]
    unsafe fn add(a: Floats, b: Floats) -> Floats {
        unsafe { zip(a, b, |a, b| vaddq_f32(a, b)) }
    }
    #[inline(always)]
    unsafe fn sub(a: Floats, b: Floats) -> Floats {
        unsafe { zip(a, b, |a, b| vsubq_f32(a, b)) }
    }
    #[inline(always)]
    unsafe fn mul(a: Floats, b: Floats) -> Floats {
        unsafe { zip(a, b, |a, b| vmulq_f32(a, b)) }
    }
    #[inline(always)]
    unsafe fn div(a: Floats, b: Floats) -> Floats {
        unsafe { zip(a, b, |a, b| vdivq_f32(a, b)) }
    }
    #[inline(always)]
    unsafe fn fma(a: Floats, b: Floats, c: Floats) -> Floats {
        unsafe { std::array::from_fn(|i| vfmaq_f32(c[i], a[i], b[i])) }
    }
    #[inline(always)]
    unsafe fn fnma(a: Floats, b: Floats, c: Floats) -> Floats {
        unsafe { std::array::from_fn(|i| vfmsq_f32(c[i], a[i], b[i])) }
    }
    #[inline(always)]
    unsafe fn max(a: Floats, b: Floats) -> Floats {
        unsafe { zip(a, b, |a, b| vmaxq_f32(a, b)) }
    }
    #[inline(always)]
    unsafe fn min(a: Floats, b: Floats) -> Floats {
        unsafe { zip(a, b, |a, b| vminq_f32(a, b)) }
    }
    #[inline(always)]
    unsafe fn abs(a: Floats) -> Floats {
        unsafe { a.map(|a| vabsq_f32(a)) }
    }
    #[inline(always)]
    unsafe fn round(a: Floats) -> Floats {
        unsafe { a.map(|a| vrndnq_f32(a)) }
    }
    #[inline(always)]
    unsafe fn exp2_whole(a: Floats) -> Floats {
        unsafe {
            a.map(|a| {
                let biased = vaddq_s32(vcvtnq_s32_f32(a), vdupq_n_s32(127));
                vreinterpretq_f32_s32(vshlq_n_s32::<23>(biased))
            })
        }
    }
    #[inline(always)]
    unsafe fn sum(a: Floats) -> f32 {
        unsafe {
            // i + 8, then + 4, + 2, + 1.
            let quarters = vaddq_f32(vaddq_f32(a[0], a[2]), vaddq_f32(a[1], a[3]));
            let pairs = vadd_f32(vget_low_f32(quarters), vget_high_f32(quarters));
            vget_lane_f32::<0>(pairs) + vget_lane_f32::<1>(pairs)
        }
    }
    #[inline(always)]
    unsafe fn largest(a: Floats) -> f32 {
        unsafe { vmaxvq_f32(vmaxq_f32(vmaxq_f32(a[0], a[1]), vmaxq_f32(a[2], a[3]))) }
    }

    #[inline(always)]
    unsafe fn splat_int(value: i32) -> Ints {
        unsafe { [vdupq_n_s32(value); 4] }
    }
    #[inline(always)]
    unsafe fn to_floats(a: Ints) -> Floats {
        unsafe { a.map(|a| vcvtq_f32_s32(a)) }
    }
    #[inline(always)]
    unsafe fn store_i8(to: *mut i8, value: Floats) {
        unsafe {
            let words = value.map(|a| vqmovn_s32(vcvtnq_s32_f32(a)));
            let low = vqmovn_s16(vcombine_s16(words[0], words[1]));
            let high = vqmovn_s16(vcombine_s16(words[2], words[3]));
            vst1q_s8(to, vcombine_s8(low, high));
        }
    }
    #[inline(always)]
    unsafe fn sum_whole(a: Floats) -> i32 {
        unsafe { Self::sum(a) as i32 }
    }
    #[inline(always)]
    unsafe fn load_i8(from: *const u8) -> Ints {
        unsafe {
            let bytes = vld1q_s8(from.cast());
            let (low, high) = (vmovl_s8(vget_low_s8(bytes)), vmovl_s8(vget_high_s8(bytes)));
            [
                vmovl_s16(vget_low_s16(low)),
                vmovl_s16(vget_high_s16(low)),
                vmovl_s16(vget_low_s16(high)),
                vmovl_s16(vget_high_s16(high)),
            ]
        }
    }
    #[inline(always)]
    unsafe fn load_u8(from: *const u8) -> Ints {
        unsafe {
            let bytes = vld1q_u8(from);
            let (low, high) = (vmovl_u8(vget_low_u8(bytes)), vmovl_u8(vget_high_u8(bytes)));
            [
                vreinterpretq_s32_u32(vmovl_u16(vget_low_u16(low))),
                vreinterpretq_s32_u32(vmovl_u16(vget_high_u16(low))),
                vreinterpretq_s32_u32(vmovl_u16(vget_low_u16(high))),
                vreinterpretq_s32_u32(vmovl_u16(vget_high_u16(high))),
            ]
        }
    }

    #[inline(always)]
    unsafe fn load_bytes(from: *const u8) -> Bytes {
        unsafe { [vld1q_u8(from), vld1q_u8(from.add(16)), vld1q_u8(from.add(32)), vld1q_u8(from.add(48))] }
    }
    #[inline(always)]
    unsafe fn low_nibbles(a: Bytes) -> Bytes {
        unsafe { map(a, |a| vandq_u8(a, vdupq_n_u8(15))) }
    }
    #[inline(always)]
    unsafe fn high_nibbles(a: Bytes) -> Bytes {
        unsafe { map(a, |a| vshrq_n_u8::<4>(a)) }
    }
    #[inline(always)]
    unsafe fn bit_pair<const PAIR: u32>(a: Bytes) -> Bytes {
        unsafe {
            let mask = vdupq_n_u8(0x30);
            match PAIR {
                0 => map(a, |a| vandq_u8(vshlq_n_u8::<4>(a), mask)),
                1 => map(a, |a| vandq_u8(vshlq_n_u8::<2>(a), mask)),
                2 => map(a, |a| vandq_u8(a, mask)),
                _ => map(a, |a| vandq_u8(vshrq_n_u8::<2>(a), mask)),
            }
        }
    }
    #[inline(always)]
    unsafe fn or(a: Bytes, b: Bytes) -> Bytes {
        unsafe { zip(a, b, |a, b| vorrq_u8(a, b)) }
    }
    #[inline(always)]
    unsafe fn set_bit_4(a: Bytes, bits: *const u8) -> Bytes {
        const BIT: [u8; 16] = [1, 2, 4, 8, 16, 32, 64, 128, 1, 2, 4, 8, 16, 32, 64, 128];
        unsafe {
            let bit = vld1q_u8(BIT.as_ptr());
            std::array::from_fn(|group| {
                let (low, high) = (*bits.add(2 * group), *bits.add(2 * group + 1));
                let spread = vcombine_u8(vdup_n_u8(low), vdup_n_u8(high));
                vorrq_u8(a[group], vandq_u8(vtstq_u8(spread, bit), vdupq_n_u8(16)))
            })
        }
    }
    #[inline(always)]
    unsafe fn sums(start: i32) -> Ints {
        unsafe { Self::splat_int(start) }
    }
    #[inline(always)]
    unsafe fn dot(acc: Ints, weights: Bytes, activations: *const i8) -> Ints {
        unsafe {
            let activations = vreinterpretq_s8_s32(vdupq_n_s32(activations.cast::<i32>().read_unaligned()));
            std::array::from_fn(|i| dot_quads(acc[i], vreinterpretq_s8_u8(weights[i]), activations))
        }
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
        // w = (w − 128) + 64 + 64, each of which has a sign in eight bits.
        unsafe {
            let activations = vreinterpretq_s8_s32(vdupq_n_s32(activations.cast::<i32>().read_unaligned()));
            let half = vdupq_n_s8(64);
            std::array::from_fn(|i| {
                let signed = vreinterpretq_s8_u8(veorq_u8(weights[i], vdupq_n_u8(128)));
                let sum = dot_quads(acc[i], signed, activations);
                dot_quads(dot_quads(sum, half, activations), half, activations)
            })
        }
    }

    #[inline(always)]
    unsafe fn prefetch(from: *const u8) {
        // SAFETY: a prefetch reads nothing that a program can see.
        unsafe {
            asm!("prfm pldl1keep, [{from}]", from = in(reg) from, options(nostack, preserves_flags));
        }
    }
}
