//! AVX2 with FMA: two registers a vector. With AVX-VNNI, where four products are one instruction.

use core::arch::x86_64::*;

use super::{Op, Simd};

/// Lanes in pairs of 256-bit registers: 0 to 7, and 8 to 15.
struct Avx2<const VNNI: bool>;

/// Runs a kernel compiled for these instructions.
///
/// # Safety
/// The processor has them.
#[target_feature(enable = "avx2,fma,f16c")]
pub(super) unsafe fn run<O: Op>(op: O) -> O::Output {
    // SAFETY: as the caller vouches.
    unsafe { op.run::<Avx2<false>>() }
}

/// Runs a kernel compiled for these instructions.
///
/// # Safety
/// The processor has them.
#[target_feature(enable = "avx2,fma,f16c,avxvnni")]
pub(super) unsafe fn run_vnni<O: Op>(op: O) -> O::Output {
    // SAFETY: as the caller vouches.
    unsafe { op.run::<Avx2<true>>() }
}

#[derive(Clone, Copy)]
pub(super) struct Floats(__m256, __m256);
#[derive(Clone, Copy)]
pub(super) struct Ints(__m256i, __m256i);

#[inline(always)]
unsafe fn mask_bytes(a: Ints, mask: i8) -> Ints {
    unsafe {
        let mask = _mm256_set1_epi8(mask);
        Ints(_mm256_and_si256(a.0, mask), _mm256_and_si256(a.1, mask))
    }
}

#[inline(always)]
unsafe fn to_ints(a: Floats) -> Ints {
    unsafe { Ints(_mm256_cvtps_epi32(a.0), _mm256_cvtps_epi32(a.1)) }
}

/// Sums of products. Without VNNI, an instruction leaves two sums of 16 bits in a lane, of its first two bytes and its
/// last two: they are added up in `pairs` until they might not fit, and then to `whole`.
#[derive(Clone, Copy)]
pub(super) struct Sums {
    whole: Ints,
    pairs: Ints,
}

/// Weights of eight bits. Two products of 255 and 127 leave 16 bits, two of 128 and 127 do not: without VNNI, weights
/// become −128 to 127, and activations take their signs, for one side of the instruction has none.
#[derive(Clone, Copy)]
pub(super) struct Wide {
    /// With VNNI, the weights as they are.
    sizes: Ints,
    signs: Ints,
}

#[inline(always)]
unsafe fn zip(a: Ints, b: Ints, f: impl Fn(__m256i, __m256i) -> __m256i) -> Ints {
    Ints(f(a.0, b.0), f(a.1, b.1))
}

/// The same four bytes in every lane.
#[inline(always)]
unsafe fn quad(from: *const i8) -> __m256i {
    unsafe { _mm256_set1_epi32(from.cast::<i32>().read_unaligned()) }
}

/// acc + Σ w·a over four bytes, in one instruction.
#[inline(always)]
unsafe fn dot_quads(acc: Ints, weights: Ints, activations: __m256i) -> Ints {
    unsafe { zip(acc, weights, |acc, weights| _mm256_dpbusd_avx_epi32(acc, weights, activations)) }
}

/// acc + the two 16-bit sums of each lane.
#[inline(always)]
unsafe fn add_pairs(acc: Ints, pairs: Ints) -> Ints {
    unsafe {
        let ones = _mm256_set1_epi16(1);
        zip(acc, pairs, |acc, pairs| _mm256_add_epi32(acc, _mm256_madd_epi16(pairs, ones)))
    }
}

/// Bytes of all ones where bits are set in `bits`, byte 0 first.
#[inline(always)]
unsafe fn spread_bits(bits: u32) -> __m256i {
    unsafe {
        let each_byte =
            _mm256_set_epi64x(0x0303_0303_0303_0303, 0x0202_0202_0202_0202, 0x0101_0101_0101_0101, 0);
        let bit = _mm256_set1_epi64x(0x8040_2010_0804_0201_u64 as i64);
        let spread = _mm256_shuffle_epi8(_mm256_set1_epi32(bits as i32), each_byte);
        _mm256_cmpeq_epi8(_mm256_and_si256(spread, bit), bit)
    }
}

impl<const VNNI: bool> Simd for Avx2<VNNI> {
    type Floats = Floats;
    type Ints = Ints;
    type Bytes = Ints;
    type Sums = Sums;
    type Wide = Wide;
    const WIDE_ZERO: i32 = if VNNI { 0 } else { 128 };
    const COLUMNS: usize = if VNNI { 5 } else { 6 };

    #[inline(always)]
    unsafe fn splat(value: f32) -> Floats {
        unsafe { Floats(_mm256_set1_ps(value), _mm256_set1_ps(value)) }
    }
    #[inline(always)]
    unsafe fn load(from: *const f32) -> Floats {
        unsafe { Floats(_mm256_loadu_ps(from), _mm256_loadu_ps(from.add(8))) }
    }
    #[inline(always)]
    unsafe fn store(to: *mut f32, value: Floats) {
        unsafe {
            _mm256_storeu_ps(to, value.0);
            _mm256_storeu_ps(to.add(8), value.1);
        }
    }
    #[inline(always)]
    unsafe fn load_f16(from: *const u8) -> Floats {
        unsafe {
            let half = |from: *const u8| _mm256_cvtph_ps(_mm_loadu_si128(from.cast()));
            Floats(half(from), half(from.add(16)))
        }
    }
    #[inline(always)]
    unsafe fn load_bf16(from: *const u8) -> Floats {
        unsafe {
            let half = |from: *const u8| {
                let wide = _mm256_cvtepu16_epi32(_mm_loadu_si128(from.cast()));
                _mm256_castsi256_ps(_mm256_slli_epi32::<16>(wide))
            };
            Floats(half(from), half(from.add(16)))
        }
    }
    #[inline(always)]
    unsafe fn add(a: Floats, b: Floats) -> Floats {
        unsafe { Floats(_mm256_add_ps(a.0, b.0), _mm256_add_ps(a.1, b.1)) }
    }
    #[inline(always)]
    unsafe fn sub(a: Floats, b: Floats) -> Floats {
        unsafe { Floats(_mm256_sub_ps(a.0, b.0), _mm256_sub_ps(a.1, b.1)) }
    }
    #[inline(always)]
    unsafe fn mul(a: Floats, b: Floats) -> Floats {
        unsafe { Floats(_mm256_mul_ps(a.0, b.0), _mm256_mul_ps(a.1, b.1)) }
    }
    #[inline(always)]
    unsafe fn div(a: Floats, b: Floats) -> Floats {
        unsafe { Floats(_mm256_div_ps(a.0, b.0), _mm256_div_ps(a.1, b.1)) }
    }
    #[inline(always)]
    unsafe fn fma(a: Floats, b: Floats, c: Floats) -> Floats {
        unsafe { Floats(_mm256_fmadd_ps(a.0, b.0, c.0), _mm256_fmadd_ps(a.1, b.1, c.1)) }
    }
    #[inline(always)]
    unsafe fn fnma(a: Floats, b: Floats, c: Floats) -> Floats {
        unsafe { Floats(_mm256_fnmadd_ps(a.0, b.0, c.0), _mm256_fnmadd_ps(a.1, b.1, c.1)) }
    }
    #[inline(always)]
    unsafe fn max(a: Floats, b: Floats) -> Floats {
        unsafe { Floats(_mm256_max_ps(a.0, b.0), _mm256_max_ps(a.1, b.1)) }
    }
    #[inline(always)]
    unsafe fn min(a: Floats, b: Floats) -> Floats {
        unsafe { Floats(_mm256_min_ps(a.0, b.0), _mm256_min_ps(a.1, b.1)) }
    }
    #[inline(always)]
    unsafe fn abs(a: Floats) -> Floats {
        unsafe {
            let sign = _mm256_set1_ps(-0.0);
            Floats(_mm256_andnot_ps(sign, a.0), _mm256_andnot_ps(sign, a.1))
        }
    }
    #[inline(always)]
    unsafe fn round(a: Floats) -> Floats {
        const NEAREST: i32 = _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC;
        unsafe { Floats(_mm256_round_ps::<NEAREST>(a.0), _mm256_round_ps::<NEAREST>(a.1)) }
    }
    #[inline(always)]
    unsafe fn exp2_whole(a: Floats) -> Floats {
        unsafe {
            let power = |a: __m256| {
                let biased = _mm256_add_epi32(_mm256_cvtps_epi32(a), _mm256_set1_epi32(127));
                _mm256_castsi256_ps(_mm256_slli_epi32::<23>(biased))
            };
            Floats(power(a.0), power(a.1))
        }
    }
    #[inline(always)]
    unsafe fn sum(a: Floats) -> f32 {
        unsafe {
            let halves = _mm256_add_ps(a.0, a.1);
            let quarters = _mm_add_ps(_mm256_castps256_ps128(halves), _mm256_extractf128_ps::<1>(halves));
            let pairs = _mm_add_ps(quarters, _mm_movehl_ps(quarters, quarters));
            _mm_cvtss_f32(_mm_add_ss(pairs, _mm_movehdup_ps(pairs)))
        }
    }
    #[inline(always)]
    unsafe fn largest(a: Floats) -> f32 {
        unsafe {
            let halves = _mm256_max_ps(a.0, a.1);
            let quarters = _mm_max_ps(_mm256_castps256_ps128(halves), _mm256_extractf128_ps::<1>(halves));
            let pairs = _mm_max_ps(quarters, _mm_movehl_ps(quarters, quarters));
            _mm_cvtss_f32(_mm_max_ss(pairs, _mm_movehdup_ps(pairs)))
        }
    }

    #[inline(always)]
    unsafe fn splat_int(value: i32) -> Ints {
        unsafe { Ints(_mm256_set1_epi32(value), _mm256_set1_epi32(value)) }
    }
    #[inline(always)]
    unsafe fn to_floats(a: Ints) -> Floats {
        unsafe { Floats(_mm256_cvtepi32_ps(a.0), _mm256_cvtepi32_ps(a.1)) }
    }
    #[inline(always)]
    unsafe fn store_i8(to: *mut i8, value: Floats) {
        unsafe {
            let ints = to_ints(value);
            // Packing works within 128-bit halves: the permutation puts the four groups of words in order.
            let words = _mm256_permute4x64_epi64::<0b11_01_10_00>(_mm256_packs_epi32(ints.0, ints.1));
            let bytes = _mm_packs_epi16(_mm256_castsi256_si128(words), _mm256_extracti128_si256::<1>(words));
            _mm_storeu_si128(to.cast(), bytes);
        }
    }
    #[inline(always)]
    unsafe fn sum_whole(a: Floats) -> i32 {
        // Whole numbers this small add up exactly in any order.
        unsafe { Self::sum(a) as i32 }
    }
    #[inline(always)]
    unsafe fn load_i8(from: *const u8) -> Ints {
        unsafe {
            let half = |from: *const u8| _mm256_cvtepi8_epi32(_mm_loadl_epi64(from.cast()));
            Ints(half(from), half(from.add(8)))
        }
    }
    #[inline(always)]
    unsafe fn load_u8(from: *const u8) -> Ints {
        unsafe {
            let half = |from: *const u8| _mm256_cvtepu8_epi32(_mm_loadl_epi64(from.cast()));
            Ints(half(from), half(from.add(8)))
        }
    }

    #[inline(always)]
    unsafe fn load_bytes(from: *const u8) -> Ints {
        unsafe { Ints(_mm256_loadu_si256(from.cast()), _mm256_loadu_si256(from.add(32).cast())) }
    }
    #[inline(always)]
    unsafe fn low_nibbles(a: Ints) -> Ints {
        unsafe { mask_bytes(a, 15) }
    }
    #[inline(always)]
    unsafe fn high_nibbles(a: Ints) -> Ints {
        unsafe { mask_bytes(Ints(_mm256_srli_epi16::<4>(a.0), _mm256_srli_epi16::<4>(a.1)), 15) }
    }
    #[inline(always)]
    unsafe fn bit_pair<const PAIR: u32>(a: Ints) -> Ints {
        unsafe {
            let moved = match PAIR {
                0 => Ints(_mm256_slli_epi16::<4>(a.0), _mm256_slli_epi16::<4>(a.1)),
                1 => Ints(_mm256_slli_epi16::<2>(a.0), _mm256_slli_epi16::<2>(a.1)),
                2 => a,
                _ => Ints(_mm256_srli_epi16::<2>(a.0), _mm256_srli_epi16::<2>(a.1)),
            };
            mask_bytes(moved, 0x30)
        }
    }
    #[inline(always)]
    unsafe fn or(a: Ints, b: Ints) -> Ints {
        unsafe { Ints(_mm256_or_si256(a.0, b.0), _mm256_or_si256(a.1, b.1)) }
    }
    #[inline(always)]
    unsafe fn set_bit_4(a: Ints, bits: *const u8) -> Ints {
        unsafe {
            let bits = bits.cast::<[u32; 2]>().read_unaligned();
            Self::or(a, mask_bytes(Ints(spread_bits(bits[0]), spread_bits(bits[1])), 16))
        }
    }
    #[inline(always)]
    unsafe fn sums(start: i32) -> Sums {
        unsafe { Sums { whole: Self::splat_int(start), pairs: Self::splat_int(0) } }
    }
    #[inline(always)]
    unsafe fn dot(acc: Sums, weights: Ints, activations: *const i8) -> Sums {
        unsafe {
            let activations = quad(activations);
            if VNNI {
                return Sums { whole: dot_quads(acc.whole, weights, activations), ..acc };
            }
            let add = |sum, weights| _mm256_add_epi16(sum, _mm256_maddubs_epi16(weights, activations));
            Sums { pairs: zip(acc.pairs, weights, add), ..acc }
        }
    }
    #[inline(always)]
    unsafe fn widen(acc: Sums) -> Sums {
        if VNNI {
            return acc;
        }
        unsafe { Sums { whole: add_pairs(acc.whole, acc.pairs), pairs: Self::splat_int(0) } }
    }
    #[inline(always)]
    unsafe fn total(acc: Sums) -> Ints {
        unsafe { Self::widen(acc).whole }
    }
    #[inline(always)]
    unsafe fn wide(weights: Ints) -> Wide {
        if VNNI {
            return Wide { sizes: weights, signs: weights };
        }
        unsafe {
            let zero = _mm256_set1_epi8(-128);
            let signs = Ints(_mm256_xor_si256(weights.0, zero), _mm256_xor_si256(weights.1, zero));
            Wide { sizes: Ints(_mm256_abs_epi8(signs.0), _mm256_abs_epi8(signs.1)), signs }
        }
    }
    #[inline(always)]
    unsafe fn dot_wide(acc: Ints, weights: Wide, activations: *const i8) -> Ints {
        unsafe {
            let activations = quad(activations);
            if VNNI {
                return dot_quads(acc, weights.sizes, activations);
            }
            let multiply = |size, sign| _mm256_maddubs_epi16(size, _mm256_sign_epi8(activations, sign));
            add_pairs(acc, zip(weights.sizes, weights.signs, multiply))
        }
    }

    #[inline(always)]
    unsafe fn prefetch(from: *const u8) {
        unsafe { _mm_prefetch::<_MM_HINT_T0>(from.cast()) }
    }
}
