use super::*;

/// Every operation on floats, so that backends can be compared bit by bit.
struct Floats<'a> {
    a: &'a [f32; LANES],
    b: &'a [f32; LANES],
}

impl Op for Floats<'_> {
    type Output = Vec<u32>;

    #[inline(always)]
    unsafe fn run<S: Simd>(self) -> Vec<u32> {
        let mut out = Vec::new();
        // SAFETY: both arrays hold a vector.
        unsafe {
            let (a, b) = (S::load(self.a.as_ptr()), S::load(self.b.as_ptr()));
            let results = [
                S::add(a, b),
                S::sub(a, b),
                S::mul(a, b),
                S::div(a, b),
                S::fma(a, b, a),
                S::fnma(a, b, b),
                S::max(a, b),
                S::min(a, b),
                S::abs(a),
                S::round(a),
                S::exp2_whole(S::round(a)),
                exp::<S>(a),
            ];
            for result in results {
                let mut lanes = [0.0; LANES];
                S::store(lanes.as_mut_ptr(), result);
                out.extend(lanes.map(f32::to_bits));
            }
            out.extend([S::sum(a).to_bits(), S::largest(a).to_bits(), S::sum_whole(S::round(a)) as u32]);
            let mut bytes = [0i8; LANES];
            S::store_i8(bytes.as_mut_ptr(), S::round(a));
            out.extend(bytes.map(|byte| byte as u32));
        }
        out
    }
}

#[test]
fn every_backend_computes_the_bits_of_the_reference() {
    let mut a = [0.0; LANES];
    let mut b = [0.0; LANES];
    for step in 0..200 {
        for lane in 0..LANES {
            let angle = (step * LANES + lane) as f32;
            a[lane] = 60.0 * (angle * 0.7).sin();
            b[lane] = 3.0 * (angle * 1.3).cos() + 0.01;
        }
        // A tie, which goes to the even number.
        a[3] = 2.5;
        let reference = Backend::Scalar.run(Floats { a: &a, b: &b });
        for backend in Backend::available() {
            assert_eq!(backend.run(Floats { a: &a, b: &b }), reference, "{backend}");
        }
    }
}

/// Products of bytes: of weights of `bits` bits as often as sums have room for them, widened and met once more, and of
/// the weights as they are.
struct Products<'a> {
    weights: &'a [u8; 4 * LANES],
    bits: u32,
    activations: [i8; 4],
}

impl Op for Products<'_> {
    type Output = Vec<f32>;

    #[inline(always)]
    unsafe fn run<S: Simd>(self) -> Vec<f32> {
        let from = self.activations.as_ptr();
        let small = self.weights.map(|weight| weight >> (8 - self.bits));
        let sum: i32 = self.activations.iter().map(|&a| i32::from(a)).sum();
        let mut lanes = [[0.0; LANES]; 2];
        // SAFETY: the arrays hold a vector, and four bytes.
        unsafe {
            let mut acc = S::sums(-1000);
            for _ in 0..2 {
                for _ in 0..1 << (7 - self.bits) {
                    acc = S::dot(acc, S::load_bytes(small.as_ptr()), from);
                }
                acc = S::widen(acc);
            }
            S::store(lanes[0].as_mut_ptr(), S::to_floats(S::total(acc)));
            let weights = S::wide(S::load_bytes(self.weights.as_ptr()));
            let acc = S::dot_wide(S::splat_int(1000 + S::WIDE_ZERO * sum), weights, from);
            S::store(lanes[1].as_mut_ptr(), S::to_floats(acc));
        }
        lanes.concat()
    }
}

#[test]
fn products_of_extreme_bytes_are_exact() {
    let extremes = [0u8, 255, 128, 127, 1, 129];
    let signs = [[127i8; 4], [-127; 4], [127, 127, -127, -127], [127, -127, 0, 1]];
    for bits in [4, 5, 6] {
        for first in extremes {
            for activations in signs {
                // Lanes of one byte alone, then lanes of several.
                let weights = std::array::from_fn(|at| if at < 32 { first } else { extremes[at % 6] });
                let exact = |lane: usize, shift: u32| -> i32 {
                    let weights = weights[4 * lane..4 * lane + 4].iter().map(|&w: &u8| i32::from(w >> shift));
                    weights.zip(activations).map(|(w, a)| w * i32::from(a)).sum()
                };
                let small = (0..LANES).map(|lane| (exact(lane, 8 - bits) * (2 << (7 - bits)) - 1000) as f32);
                let wide = (0..LANES).map(|lane| (exact(lane, 0) + 1000) as f32);
                let expected: Vec<f32> = small.chain(wide).collect();
                for backend in Backend::available() {
                    let products = Products { weights: &weights, bits, activations };
                    assert_eq!(backend.run(products), expected, "{weights:?}, {activations:?} on {backend}");
                }
            }
        }
    }
}

struct Exp(f32);

impl Op for Exp {
    type Output = f32;

    #[inline(always)]
    unsafe fn run<S: Simd>(self) -> f32 {
        // SAFETY: the reference backend runs anywhere, and an array holds a vector.
        unsafe {
            let mut lanes = [0.0; LANES];
            S::store(lanes.as_mut_ptr(), exp::<S>(S::splat(self.0)));
            lanes[0]
        }
    }
}

#[test]
fn exp_is_close_to_the_truth() {
    for step in -8700..8800 {
        let x = step as f32 / 100.0;
        let truth = f64::from(x).exp();
        let relative = (f64::from(Backend::Scalar.run(Exp(x))) / truth - 1.0).abs();
        assert!(relative < 2.5e-7, "e^{x}: {relative}");
    }
}

#[test]
fn an_unknown_backend_is_told_what_there_is() {
    let error = "mmx".parse::<Backend>().unwrap_err();
    assert!(error.contains("scalar") && error.contains("mmx"), "{error}");
    assert_eq!("scalar".parse::<Backend>().unwrap(), Backend::Scalar);
}
