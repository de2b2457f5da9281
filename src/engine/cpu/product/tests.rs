use candle_core::quantized::QTensor;
use candle_core::{Device, Tensor};

use super::super::tiles::tests::EVERY_TYPE;
use super::*;
use crate::engine::cpu::activations::{Grain, quantize};

fn random(num_rows: usize, width: usize) -> Tensor {
    Tensor::randn(0f32, 1., (num_rows, width), &Device::Cpu).unwrap()
}

fn tiles(dtype: GgmlDType, num_rows: usize, width: usize) -> Tiles {
    let weights = QTensor::quantize(&random(num_rows, width), dtype).unwrap();
    Tiles::pack(dtype, num_rows, width, &weights.data().unwrap())
}

/// W·x for rows `x: [m, width]`, without the padding of the output.
fn product(backend: Backend, tiles: &Tiles, x: &[f32]) -> Vec<f32> {
    let width = tiles.width();
    let stride = tiles.num_panels() * LANES;
    let mut out = vec![0.0; x.len() / width * stride];
    let mut activations = tiles.grain().map(Activations::new);
    let input = match &mut activations {
        Some(activations) => {
            quantize(backend, x, width, width, activations);
            Input::Rounded(activations)
        }
        None => Input::Floats { x, stride: width },
    };
    multiply(backend, &mut [Product { tiles, input, out: &mut out, stride, onto: Onto::Replace }]);
    out.chunks_exact(stride).flat_map(|row| row[..tiles.num_rows()].to_vec()).collect()
}

/// Activations as products see them: scale · code where they are rounded.
fn as_seen(tiles: &Tiles, x: &[f32]) -> Vec<f64> {
    let Some(grain) = tiles.grain() else {
        return x.iter().map(|&x| x.into()).collect();
    };
    let mut rounded = Activations::new(grain);
    quantize(Backend::Scalar, x, tiles.width(), tiles.width(), &mut rounded);
    let value = |(at, &code): (usize, &i8)| f64::from(rounded.scales[at / grain as usize]) * f64::from(code);
    rounded.codes.iter().enumerate().map(value).collect()
}

#[test]
fn products_are_those_of_the_weights() {
    let (num_rows, width) = (50, 512);
    for dtype in EVERY_TYPE {
        let tiles = tiles(dtype, num_rows, width);
        let x = random(3, width).flatten_all().unwrap().to_vec1::<f32>().unwrap();
        let found = product(Backend::detect(), &tiles, &x);
        let mut weights = vec![0.0; width];
        for row in 0..num_rows {
            tiles.read_row(row, &mut weights);
            for (column, x) in as_seen(&tiles, &x).chunks_exact(width).enumerate() {
                let exact: f64 = weights.iter().zip(x).map(|(w, x)| f64::from(*w) * x).sum();
                let difference = (f64::from(found[column * num_rows + row]) - exact).abs();
                assert!(difference < 1e-3, "{dtype:?}, row {row}: off by {difference}");
            }
        }
    }
}

#[test]
fn activations_are_rounded_to_the_nearest_code() {
    let x: Vec<f32> = (0..256).map(|i| (i as f32 * 0.37).sin() * 5.0).collect();
    for grain in [Grain::Small, Grain::Large] {
        let mut rounded = Activations::new(grain);
        quantize(Backend::detect(), &x, 256, 256, &mut rounded);
        for (at, (&x, &code)) in x.iter().zip(&rounded.codes).enumerate() {
            let scale = rounded.scales[at / grain as usize];
            assert!((x - scale * f32::from(code)).abs() <= 0.501 * scale, "{x} became {code} · {scale}");
        }
        for (at, &sum) in rounded.sums.iter().enumerate() {
            assert_eq!(sum, rounded.codes[16 * at..16 * at + 16].iter().map(|&c| i16::from(c)).sum::<i16>());
        }
        for (at, &scaled) in rounded.scaled_sums.iter().enumerate() {
            let sum = f32::from(rounded.sums[2 * at] + rounded.sums[2 * at + 1]);
            assert_eq!(scaled, sum * rounded.scales[32 * at / grain as usize]);
        }
    }
}

#[test]
fn every_backend_computes_the_bits_of_the_reference() {
    for dtype in EVERY_TYPE {
        let tiles = tiles(dtype, 40, 512);
        let x = random(5, 512).flatten_all().unwrap().to_vec1::<f32>().unwrap();
        let reference = product(Backend::Scalar, &tiles, &x);
        for backend in Backend::available() {
            assert!(product(backend, &tiles, &x) == reference, "{dtype:?} on {backend}");
        }
    }
}

#[test]
fn a_row_has_the_same_bits_in_any_company() {
    for backend in Backend::available() {
        for dtype in EVERY_TYPE {
            let tiles = tiles(dtype, 40, 256);
            let x = random(20, 256).flatten_all().unwrap().to_vec1::<f32>().unwrap();
            let alone: Vec<f32> = x.chunks_exact(256).flat_map(|row| product(backend, &tiles, row)).collect();
            for num_rows in [2, 3, 5, 9, 10, 16, 20] {
                let together = product(backend, &tiles, &x[..num_rows * 256]);
                assert!(together == alone[..num_rows * 40], "{dtype:?}, {num_rows} rows on {backend}");
            }
        }
    }
}

#[test]
fn extreme_codes_do_not_overflow() {
    // The largest codes and activations of either sign, where 16-bit sums of byte products would overflow.
    let signs = Tensor::from_vec(vec![[1.0f32, -1.0]; 128 * 16].concat(), (16, 256), &Device::Cpu).unwrap();
    let mut cases: Vec<Tiles> = EVERY_TYPE
        .map(|dtype| {
            let weights = QTensor::quantize(&signs, dtype).unwrap();
            Tiles::pack(dtype, 16, 256, &weights.data().unwrap())
        })
        .into();
    // Quantisers leave out −128, which a file may have.
    let block = [&half::f16::ONE.to_le_bytes()[..], &[0x80; 32]].concat();
    cases.push(Tiles::pack(GgmlDType::Q8_0, 16, 256, &block.repeat(16 * 8)));
    for tiles in cases {
        for x in [vec![1.0; 256], vec![-1.0; 256], vec![[1.0, -1.0]; 128].concat()] {
            let reference = product(Backend::Scalar, &tiles, &x);
            for backend in Backend::available() {
                assert_eq!(product(backend, &tiles, &x), reference, "{:?} on {backend}", tiles.dtype());
            }
        }
    }
}
