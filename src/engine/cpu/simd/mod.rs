//! Sixteen lanes, on whatever the processor has.
//!
//! Every kernel of this engine is written once, over [`Simd`]: vectors of 16 floats, 16 integers and 64 bytes. A kernel
//! is an [`Op`]; [`Backend::run`] compiles it for each instruction set and picks one at run time. All backends compute
//! the same bits: integer arithmetic is exact, float arithmetic is done lane by lane in the order that the kernel states
//! (a fused multiply-add is fused everywhere), and sums over lanes follow one fixed tree. [`scalar`] is the reference.
//!
//! The methods are unsafe because they read and write through pointers, and because an implementation may only be called
//! where its instructions exist; [`Backend::run`] is the only place that calls them.

#[cfg(target_arch = "x86_64")]
mod avx2;
#[cfg(target_arch = "x86_64")]
mod avx512;
#[cfg(target_arch = "aarch64")]
mod neon;
mod scalar;

use std::fmt;
use std::str::FromStr;

/// Lanes of a vector of floats or integers.
pub(super) const LANES: usize = 16;

/// The operations that kernels are written in. Lane i of a vector of bytes is its bytes 4i to 4i + 3.
pub(super) trait Simd {
    /// 16 f32.
    type Floats: Copy;
    /// 16 i32.
    type Ints: Copy;
    /// 64 u8, four a lane.
    type Bytes: Copy;
    /// 16 sums of products on their way to i32.
    type Sums: Copy;
    /// 64 u8 of any size, made ready for [`Self::dot_wide`].
    type Wide: Copy;

    /// What [`Self::dot_wide`] subtracts from each weight.
    const WIDE_ZERO: i32;

    /// Columns whose accumulators fit the registers.
    const COLUMNS: usize;

    /// The same float in every lane.
    unsafe fn splat(value: f32) -> Self::Floats;
    /// 16 floats from memory.
    unsafe fn load(from: *const f32) -> Self::Floats;
    /// 16 floats to memory.
    unsafe fn store(to: *mut f32, value: Self::Floats);
    /// 16 IEEE halves from memory, widened.
    unsafe fn load_f16(from: *const u8) -> Self::Floats;
    /// 16 bfloat16 from memory, widened.
    unsafe fn load_bf16(from: *const u8) -> Self::Floats;
    /// a + b.
    unsafe fn add(a: Self::Floats, b: Self::Floats) -> Self::Floats;
    /// a − b.
    unsafe fn sub(a: Self::Floats, b: Self::Floats) -> Self::Floats;
    /// a · b.
    unsafe fn mul(a: Self::Floats, b: Self::Floats) -> Self::Floats;
    /// a / b.
    unsafe fn div(a: Self::Floats, b: Self::Floats) -> Self::Floats;
    /// a · b + c, rounded once.
    unsafe fn fma(a: Self::Floats, b: Self::Floats, c: Self::Floats) -> Self::Floats;
    /// c − a · b, rounded once.
    unsafe fn fnma(a: Self::Floats, b: Self::Floats, c: Self::Floats) -> Self::Floats;
    /// The larger; neither is NaN.
    unsafe fn max(a: Self::Floats, b: Self::Floats) -> Self::Floats;
    /// The smaller; neither is NaN.
    unsafe fn min(a: Self::Floats, b: Self::Floats) -> Self::Floats;
    /// |a|.
    unsafe fn abs(a: Self::Floats) -> Self::Floats;
    /// To the nearest whole number, ties to even.
    unsafe fn round(a: Self::Floats) -> Self::Floats;
    /// 2^a for whole a from −126 to 127.
    unsafe fn exp2_whole(a: Self::Floats) -> Self::Floats;
    /// The sum of all lanes: halves are added until one lane is left (i with i + 8, then + 4, + 2, + 1).
    unsafe fn sum(a: Self::Floats) -> f32;
    /// The largest lane.
    unsafe fn largest(a: Self::Floats) -> f32;

    /// The same integer in every lane.
    unsafe fn splat_int(value: i32) -> Self::Ints;
    /// To floats.
    unsafe fn to_floats(a: Self::Ints) -> Self::Floats;
    /// To integers; lanes are whole numbers within ±127, to be stored as 16 bytes with a sign.
    unsafe fn store_i8(to: *mut i8, value: Self::Floats);
    /// The sum of lanes that are whole numbers within ±127.
    unsafe fn sum_whole(a: Self::Floats) -> i32;
    /// 16 bytes with a sign, widened.
    unsafe fn load_i8(from: *const u8) -> Self::Ints;
    /// 16 bytes without a sign, widened.
    unsafe fn load_u8(from: *const u8) -> Self::Ints;

    /// 64 bytes from memory.
    unsafe fn load_bytes(from: *const u8) -> Self::Bytes;
    /// The low four bits of each byte.
    unsafe fn low_nibbles(a: Self::Bytes) -> Self::Bytes;
    /// The high four bits of each byte.
    unsafe fn high_nibbles(a: Self::Bytes) -> Self::Bytes;
    /// Bits 2·PAIR and 2·PAIR + 1 of each byte, as bits 4 and 5.
    unsafe fn bit_pair<const PAIR: u32>(a: Self::Bytes) -> Self::Bytes;
    /// a | b.
    unsafe fn or(a: Self::Bytes, b: Self::Bytes) -> Self::Bytes;
    /// Sets bit 4 of each byte whose bit (byte 0 first) is set in the eight bytes at `bits`.
    unsafe fn set_bit_4(a: Self::Bytes, bits: *const u8) -> Self::Bytes;
    /// Sums that begin with the same integer in every lane.
    unsafe fn sums(start: i32) -> Self::Sums;
    /// acc + Σ w·a over the four bytes of each lane. `activations` points at four bytes within ±127, the same for each
    /// lane. Weights of b bits, 6 at most, may be met 2^(7 − b) times before sums are widened.
    unsafe fn dot(acc: Self::Sums, weights: Self::Bytes, activations: *const i8) -> Self::Sums;
    /// The same sums, with room for as many products again. Where no instruction adds up four products, those of small
    /// weights stay in 16 bits until here: to widen each would take more instructions than to multiply.
    unsafe fn widen(acc: Self::Sums) -> Self::Sums;
    /// What the sums have come to.
    unsafe fn total(acc: Self::Sums) -> Self::Ints;
    /// Makes weights of any size ready, once for all activations that they meet.
    unsafe fn wide(weights: Self::Bytes) -> Self::Wide;
    /// acc + Σ (w − [`Self::WIDE_ZERO`])·a, as in [`Self::dot`].
    unsafe fn dot_wide(acc: Self::Ints, weights: Self::Wide, activations: *const i8) -> Self::Ints;

    /// Asks for the 64 bytes at `from`, which need not exist.
    unsafe fn prefetch(from: *const u8);
}

/// A kernel: written over [`Simd`], run through [`Backend::run`].
pub(super) trait Op {
    /// What it computes.
    type Output;

    /// Computes. Implementations are `#[inline(always)]`, so that they are compiled for the backend's instructions.
    ///
    /// # Safety
    /// The processor has the instructions of `S`.
    unsafe fn run<S: Simd>(self) -> Self::Output;
}

/// An instruction set that kernels are compiled for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Backend {
    /// AVX-512 with VNNI.
    #[cfg(target_arch = "x86_64")]
    Avx512,
    /// AVX2 with FMA and VNNI.
    #[cfg(target_arch = "x86_64")]
    AvxVnni,
    /// AVX2 with FMA.
    #[cfg(target_arch = "x86_64")]
    Avx2,
    /// NEON with the dot product.
    #[cfg(target_arch = "aarch64")]
    Neon,
    /// Any processor.
    Scalar,
}

impl Backend {
    /// Every backend of this architecture, the fastest first.
    pub const ALL: &'static [Self] = &[
        #[cfg(target_arch = "x86_64")]
        Self::Avx512,
        #[cfg(target_arch = "x86_64")]
        Self::AvxVnni,
        #[cfg(target_arch = "x86_64")]
        Self::Avx2,
        #[cfg(target_arch = "aarch64")]
        Self::Neon,
        Self::Scalar,
    ];

    /// The fastest one that this processor has.
    pub fn detect() -> Self {
        Self::available().next().expect("every processor has the scalar one")
    }

    /// Those that this processor has, the fastest first.
    pub fn available() -> impl Iterator<Item = Self> {
        Self::ALL.iter().copied().filter(|backend| backend.is_available())
    }

    /// Whether this processor has its instructions.
    pub fn is_available(self) -> bool {
        match self {
            #[cfg(target_arch = "x86_64")]
            Self::Avx512 => {
                is_x86_feature_detected!("avx512f")
                    && is_x86_feature_detected!("avx512bw")
                    && is_x86_feature_detected!("avx512dq")
                    && is_x86_feature_detected!("avx512vl")
                    && is_x86_feature_detected!("avx512vnni")
            }
            #[cfg(target_arch = "x86_64")]
            Self::AvxVnni => Self::Avx2.is_available() && is_x86_feature_detected!("avxvnni"),
            #[cfg(target_arch = "x86_64")]
            Self::Avx2 => {
                is_x86_feature_detected!("avx2")
                    && is_x86_feature_detected!("fma")
                    && is_x86_feature_detected!("f16c")
            }
            #[cfg(target_arch = "aarch64")]
            Self::Neon => std::arch::is_aarch64_feature_detected!("dotprod"),
            Self::Scalar => true,
        }
    }

    /// The name in settings and reports.
    pub fn as_str(self) -> &'static str {
        match self {
            #[cfg(target_arch = "x86_64")]
            Self::Avx512 => "avx512",
            #[cfg(target_arch = "x86_64")]
            Self::AvxVnni => "avxvnni",
            #[cfg(target_arch = "x86_64")]
            Self::Avx2 => "avx2",
            #[cfg(target_arch = "aarch64")]
            Self::Neon => "neon",
            Self::Scalar => "scalar",
        }
    }

    /// Runs a kernel. The backend must be available, as [`Backend::detect`] and [`Backend::from_str`] see to.
    #[inline]
    pub(super) fn run<O: Op>(self, op: O) -> O::Output {
        // SAFETY: a backend that exists is one whose instructions were found on this processor.
        unsafe {
            match self {
                #[cfg(target_arch = "x86_64")]
                Self::Avx512 => avx512::run(op),
                #[cfg(target_arch = "x86_64")]
                Self::AvxVnni => avx2::run_vnni(op),
                #[cfg(target_arch = "x86_64")]
                Self::Avx2 => avx2::run(op),
                #[cfg(target_arch = "aarch64")]
                Self::Neon => neon::run(op),
                Self::Scalar => op.run::<scalar::Scalar>(),
            }
        }
    }
}

impl fmt::Display for Backend {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Backend {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        Self::available().find(|backend| backend.as_str() == text).ok_or_else(|| {
            let names: Vec<_> = Self::available().map(Self::as_str).collect();
            format!("this processor has {}, got \"{text}\"", names.join(", "))
        })
    }
}

/// e^x for x ≤ 88, lane by lane; 0 gets within 2 ulp of the truth, and anything below −87 counts as −87. Range reduction
/// and polynomial are those of Cephes' `expf` (Moshier, 1989).
#[inline(always)]
pub(super) unsafe fn exp<S: Simd>(x: S::Floats) -> S::Floats {
    const LN_2_HIGH: f32 = 355.0 / 512.0;
    const LN_2_LOW: f32 = -2.121_944_4e-4;
    const POLYNOMIAL: [f32; 5] = [1.398_199_9e-3, 8.333_452e-3, 4.166_579_6e-2, 1.666_666_5e-1, 0.5];
    // SAFETY: the caller vouches for the instructions of S; nothing here touches memory.
    unsafe {
        let x = S::max(x, S::splat(-87.0));
        let whole = S::round(S::mul(x, S::splat(std::f32::consts::LOG2_E)));
        let rest = S::fnma(whole, S::splat(LN_2_HIGH), x);
        let rest = S::fnma(whole, S::splat(LN_2_LOW), rest);
        let mut sum = S::splat(1.987_569_1e-4);
        for coefficient in POLYNOMIAL {
            sum = S::fma(sum, rest, S::splat(coefficient));
        }
        let power = S::add(S::fma(sum, S::mul(rest, rest), rest), S::splat(1.0));
        S::mul(power, S::exp2_whole(whole))
    }
}

#[cfg(test)]
mod tests;
