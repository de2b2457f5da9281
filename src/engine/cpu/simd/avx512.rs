//! AVX-512 with VNNI: one register a vector.

use core::arch::x86_64::*;

use super::{Op, Simd};

/// Lanes in 512-bit registers.
struct Avx512;

/// Runs a kernel compiled for these instructions.
///
/// # Safety
/// The processor has them.
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni,avx2,fma,f16c")]
pub(super) unsafe fn run<O: Op>(op: O) -> O::Output {
    // SAFETY: as the caller vouches.
    unsafe { op.run::<Avx512>() }
}

/// The same four bytes in every lane.
#[inline(always)]
unsafe fn quad(from: *const i8) -> __m512i {
    unsafe { _mm512_set1_epi32(from.cast::<i32>().read_unaligned()) }
}

impl Simd for Avx512 {
    type Floats = __m512;
    type Ints = __m512i;
    type Bytes = __m512i;
    type Sums = __m512i;
    type Wide = __m512i;
    const WIDE_ZERO: i32 = 0;
    const COLUMNS: usize = 9;

    #[inline(always)]
    unsafe fn splat(value: f32) -> __m512 {
        unsafe { _mm512_set1_ps(value) }
    }
    #[inline(always)]
    unsafe fn load(from: *const f32) -> __m512 {
        unsafe { _mm512_loadu_ps(from) }
    }
    #[inline(always)]
    unsafe fn store(to: *mut f32, value: __m512) {
        unsafe { _mm512_storeu_ps(to, value) }
    }
    #[inline(always)]
    unsafe fn load_f16(from: *const u8) -> __m512 {
        unsafe { _mm512_cvtph_ps(_mm256_loadu_si256(from.cast())) }
    }
    #[inline(always)]
    unsafe fn load_bf16(from: *const u8) -> __m512 {
        unsafe {
            let wide = _mm512_cvtepu16_epi32(_mm256_loadu_si256(from.cast()));
            _mm512_castsi512_ps(_mm512_slli_epi32::<16>(wide))
        }
    }
    #[inline(always)]
    unsafe fn add(a: __m512, b: __m512) -> __m512 {
        unsafe { _mm512_add_ps(a, b) }
    }
    #[inline(always)]
    unsafe fn sub(a: __m512, b: __m512) -> __m512 {
        unsafe { _mm512_sub_ps(a, b) }
    }
    #[inline(always)]
    unsafe fn mul(a: __m512, b: __m512) -> __m512 {
        unsafe { _mm512_mul_ps(a, b) }
    }
    #[inline(always)]
    unsafe fn div(a: __m512, b: __m512) -> __m512 {
        unsafe { _mm512_div_ps(a, b) }
    }
    #[inline(always)]
    unsafe fn fma(a: __m512, b: __m512, c: __m512) -> __m512 {
        unsafe { _mm512_fmadd_ps(a, b, c) }
    }
    #[inline(always)]
    unsafe fn fnma(a: __m512, b: __m512, c: __m512) -> __m512 {
        unsafe { _mm512_fnmadd_ps(a, b, c) }
    }
    #[inline(always)]
    unsafe fn max(a: __m512, b: __m512) -> __m512 {
        unsafe { _mm512_max_ps(a, b) }
    }
    #[inline(always)]
    unsafe fn min(a: __m512, b: __m512) -> __m512 {
        unsafe { _mm512_min_ps(a, b) }
    }
    #[inline(always)]
    unsafe fn abs(a: __m512) -> __m512 {
        unsafe { _mm512_abs_ps(a) }
    }
    #[inline(always)]
    unsafe fn round(a: __m512) -> __m512 {
        unsafe { _mm512_roundscale_ps::<{ _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC }>(a) }
    }
    #[inline(always)]
    unsafe fn exp2_whole(a: __m512) -> __m512 {
        unsafe {
            let biased = _mm512_add_epi32(_mm512_cvtps_epi32(a), _mm512_set1_epi32(127));
            _mm512_castsi512_ps(_mm512_slli_epi32::<23>(biased))
        }
    }
    #[inline(always)]
    unsafe fn sum(a: __m512) -> f32 {
        unsafe {
            let halves = _mm256_add_ps(_mm512_castps512_ps256(a), _mm512_extractf32x8_ps::<1>(a));
            let quarters = _mm_add_ps(_mm256_castps256_ps128(halves), _mm256_extractf128_ps::<1>(halves));
            let pairs = _mm_add_ps(quarters, _mm_movehl_ps(quarters, quarters));
            _mm_cvtss_f32(_mm_add_ss(pairs, _mm_movehdup_ps(pairs)))
        }
    }
    #[inline(always)]
    unsafe fn largest(a: __m512) -> f32 {
        unsafe { _mm512_reduce_max_ps(a) }
    }

    #[inline(always)]
    unsafe fn splat_int(value: i32) -> __m512i {
        unsafe { _mm512_set1_epi32(value) }
    }
    #[inline(always)]
    unsafe fn to_floats(a: __m512i) -> __m512 {
        unsafe { _mm512_cvtepi32_ps(a) }
    }
    #[inline(always)]
    unsafe fn store_i8(to: *mut i8, value: __m512) {
        unsafe { _mm_storeu_si128(to.cast(), _mm512_cvtepi32_epi8(_mm512_cvtps_epi32(value))) }
    }
    #[inline(always)]
    unsafe fn sum_whole(a: __m512) -> i32 {
        unsafe { _mm512_reduce_add_epi32(_mm512_cvtps_epi32(a)) }
    }
    #[inline(always)]
    unsafe fn load_i8(from: *const u8) -> __m512i {
        unsafe { _mm512_cvtepi8_epi32(_mm_loadu_si128(from.cast())) }
    }
    #[inline(always)]
    unsafe fn load_u8(from: *const u8) -> __m512i {
        unsafe { _mm512_cvtepu8_epi32(_mm_loadu_si128(from.cast())) }
    }

    #[inline(always)]
    unsafe fn load_bytes(from: *const u8) -> __m512i {
        unsafe { _mm512_loadu_si512(from.cast()) }
    }
    #[inline(always)]
    unsafe fn low_nibbles(a: __m512i) -> __m512i {
        unsafe { _mm512_and_si512(a, _mm512_set1_epi8(15)) }
    }
    #[inline(always)]
    unsafe fn high_nibbles(a: __m512i) -> __m512i {
        unsafe { _mm512_and_si512(_mm512_srli_epi16::<4>(a), _mm512_set1_epi8(15)) }
    }
    #[inline(always)]
    unsafe fn bit_pair<const PAIR: u32>(a: __m512i) -> __m512i {
        unsafe {
            let moved = match PAIR {
                0 => _mm512_slli_epi16::<4>(a),
                1 => _mm512_slli_epi16::<2>(a),
                2 => a,
                _ => _mm512_srli_epi16::<2>(a),
            };
            _mm512_and_si512(moved, _mm512_set1_epi8(0x30))
        }
    }
    #[inline(always)]
    unsafe fn or(a: __m512i, b: __m512i) -> __m512i {
        unsafe { _mm512_or_si512(a, b) }
    }
    #[inline(always)]
    unsafe fn set_bit_4(a: __m512i, bits: *const u8) -> __m512i {
        unsafe { _mm512_mask_add_epi8(a, bits.cast::<u64>().read_unaligned(), a, _mm512_set1_epi8(16)) }
    }
    #[inline(always)]
    unsafe fn sums(start: i32) -> __m512i {
        unsafe { Self::splat_int(start) }
    }
    #[inline(always)]
    unsafe fn dot(acc: __m512i, weights: __m512i, activations: *const i8) -> __m512i {
        unsafe { _mm512_dpbusd_epi32(acc, weights, quad(activations)) }
    }
    #[inline(always)]
    unsafe fn widen(acc: __m512i) -> __m512i {
        acc
    }
    #[inline(always)]
    unsafe fn total(acc: __m512i) -> __m512i {
        acc
    }
    #[inline(always)]
    unsafe fn wide(weights: __m512i) -> __m512i {
        weights
    }
    #[inline(always)]
    unsafe fn dot_wide(acc: __m512i, weights: __m512i, activations: *const i8) -> __m512i {
        unsafe { _mm512_dpbusd_epi32(acc, weights, quad(activations)) }
    }

    #[inline(always)]
    unsafe fn prefetch(from: *const u8) {
        unsafe { _mm_prefetch::<_MM_HINT_T0>(from.cast()) }
    }
}
