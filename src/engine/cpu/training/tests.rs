//! What rounding costs a gradient, and what training leaves of the base. On the built-in draft, whose weights are Q8_0.
#![cfg(feature = "builtin-models")]

use std::path::Path;

use candle_core::quantized::GgmlDType;
use rand::{RngExt as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;

use super::transpose::transposed_as;
use super::*;
use crate::engine::cpu::LoadOptions;
use crate::engine::files::{ModelFiles, builtin};
use crate::hash::sha256_hex;

fn model() -> CpuModel {
    let files = ModelFiles::open(Path::new(builtin::DRAFT)).unwrap();
    CpuModel::load(&files, LoadOptions::detect(), |_, _| ()).unwrap()
}

/// An adapter of all modules, with neither A nor B zero.
fn adapter(config: &ModelConfig) -> Adapter {
    let mut rng = ChaCha8Rng::seed_from_u64(1);
    let mut values = |len: usize| (0..len).map(|_| rng.random_range(-0.05..0.05)).collect::<Vec<f32>>();
    let places = (0..config.num_layers).flat_map(|index| Module::ALL.map(|module| (index, module)));
    let layers = places.map(|place| {
        let [out, inside] = place.1.shape(config);
        (place, LoraWeights { rank: 8, scale: 2.0, a: values(8 * inside), b: values(8 * out) })
    });
    Adapter::new(layers.collect())
}

/// Cross-entropy of made-up outputs, and its gradient.
fn gradients(model: &TrainingModel, adapter: &Adapter) -> Gradients {
    let mut rng = ChaCha8Rng::seed_from_u64(2);
    let mut tokens = |len: usize| (0..len).map(|_| rng.random_range(0..4_096)).collect::<Vec<u32>>();
    let texts: Vec<(Vec<u32>, Vec<u32>)> = (0..4).map(|_| (tokens(12), tokens(9))).collect();
    let sequences: Vec<_> = texts.iter().map(|(prompt, output)| Sequence { prompt, output }).collect();
    let wanted: Vec<_> = texts
        .iter()
        .flat_map(|(_, output)| output.chunks(1).map(|tokens| Wanted { tokens, temperature: 1.0 }))
        .collect();
    let judge = |_, row: &DraftRow| Judged { value: row.log_probabilities[0], gradient: vec![-1.0, 0.0] };
    model.gradients(adapter, &Batch::new(&sequences), &wanted, GradientOptions::default(), judge).1
}

#[test]
fn rounded_transposes_turn_a_gradient_by_little() {
    let model = model();
    let rounded = TrainingModel::new(&model, usize::MAX);
    let exact = TrainingModel::new(&model, usize::MAX);
    let as_floats = |linear: &Linear| Linear {
        tiles: Arc::new(transposed_as(&linear.tiles, GgmlDType::F32)),
        bias: None,
    };
    let layers = model.weights.layers.iter();
    let transposes = Transposes {
        layers: layers.map(|layer| Module::ALL.map(|m| as_floats(layer.linear(m)))).collect(),
        head: as_floats(exact.head()),
    };
    exact.transposes.set(transposes).unwrap();

    let adapter = adapter(model.config());
    let (rounded, exact) = (gradients(&rounded, &adapter), gradients(&exact, &adapter));
    for (place, layer) in &exact.layers {
        for (exact, rounded) in [(&layer.a, &rounded.layers[place].a), (&layer.b, &rounded.layers[place].b)] {
            let product = |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(a, b)| f64::from(a * b)).sum::<f64>();
            let cosine = product(exact, rounded) / (product(exact, exact) * product(rounded, rounded)).sqrt();
            assert!(cosine > 0.9995, "{place:?}: {cosine}");
        }
    }
}

#[test]
fn gradients_leave_the_base_as_it_is() {
    let model = model();
    let hash = || {
        let panels = |tiles: &super::super::tiles::Tiles| {
            (0..tiles.num_panels()).flat_map(|panel| tiles.panel(panel).to_vec()).collect::<Vec<u8>>()
        };
        let linears =
            model.weights.layers.iter().flat_map(|l| Module::ALL.map(|m| panels(&l.linear(m).tiles)));
        sha256_hex(&linears.flatten().chain(panels(&model.weights.embedding)).collect::<Vec<u8>>())
    };
    let before = hash();
    gradients(&TrainingModel::new(&model, usize::MAX), &adapter(model.config()));
    assert_eq!(hash(), before);
}
