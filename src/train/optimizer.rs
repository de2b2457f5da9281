//! AdamW (Loshchilov and Hutter, "Decoupled Weight Decay Regularization", 2019, algorithm 2) over an adapter's tensors.

use std::collections::HashMap;

use safetensors::tensor::TensorView;
use safetensors::{Dtype, SafeTensors};

use crate::engine::adapter::Adapter;
use crate::engine::cpu::training::Gradients;

const BETA_1: f32 = 0.9;
const BETA_2: f32 = 0.999;
const EPSILON: f32 = 1e-8;

const STEP: &str = "step";
const FIRST: &str = "first_moment";
const SECOND: &str = "second_moment";

/// The optimiser with its moments.
#[derive(Debug, Clone, PartialEq)]
pub struct AdamW {
    /// Steps done.
    pub step: u32,
    /// m, tensor after tensor in the order of the adapter's layers, A before B.
    first: Vec<f32>,
    /// v, in the same order.
    second: Vec<f32>,
    weight_decay: f32,
}

impl AdamW {
    /// An optimiser at its beginning.
    pub fn new(adapter: &Adapter, weight_decay: f64) -> Self {
        let len = adapter.layers.values().map(|layer| layer.a.len() + layer.b.len()).sum();
        Self { step: 0, first: vec![0.0; len], second: vec![0.0; len], weight_decay: weight_decay as f32 }
    }

    /// Moves an adapter against its gradient.
    ///
    /// # Panics
    /// If gradient and adapter are not those of this optimiser.
    pub fn update(&mut self, adapter: &mut Adapter, gradients: &Gradients, learning_rate: f64) {
        self.step += 1;
        let rate = learning_rate as f32;
        let correction = |beta: f32| 1.0 - f64::from(beta).powf(f64::from(self.step)) as f32;
        let (first_correction, second_correction) = (correction(BETA_1), correction(BETA_2));
        let values = adapter.layers.values_mut().flat_map(|layer| layer.a.iter_mut().chain(&mut layer.b));
        let gradients = gradients.layers.values().flat_map(|layer| layer.a.iter().chain(&layer.b));
        let moments = self.first.iter_mut().zip(&mut self.second);
        let mut num_moved = 0;
        for ((value, gradient), (first, second)) in values.zip(gradients).zip(moments) {
            *first = BETA_1 * *first + (1.0 - BETA_1) * gradient;
            *second = BETA_2 * *second + (1.0 - BETA_2) * gradient * gradient;
            let direction = (*first / first_correction) / ((*second / second_correction).sqrt() + EPSILON);
            *value -= rate * (direction + self.weight_decay * *value);
            num_moved += 1;
        }
        assert_eq!(num_moved, self.first.len(), "every value has a gradient");
    }

    /// The state as safetensors.
    pub fn to_bytes(&self) -> Vec<u8> {
        let bytes = |values: &[f32]| values.iter().flat_map(|value| value.to_le_bytes()).collect::<Vec<u8>>();
        let (step, first, second) = (self.step.to_le_bytes(), bytes(&self.first), bytes(&self.second));
        let view = |dtype, len, data| TensorView::new(dtype, vec![len], data).expect("data of this shape");
        let tensors = [
            (STEP, view(Dtype::U32, 1, &step[..])),
            (FIRST, view(Dtype::F32, self.first.len(), &first)),
            (SECOND, view(Dtype::F32, self.second.len(), &second)),
        ];
        safetensors::serialize(tensors, None).expect("tensors of known shapes")
    }

    /// Reads a state back, for an adapter of the same shape.
    ///
    /// # Errors
    /// If it is damaged, or of another shape.
    pub fn from_bytes(bytes: &[u8], adapter: &Adapter, weight_decay: f64) -> Result<Self, String> {
        let tensors = SafeTensors::deserialize(bytes).map_err(|error| error.to_string())?;
        let new = Self::new(adapter, weight_decay);
        let data: HashMap<String, Vec<[u8; 4]>> = tensors
            .tensors()
            .into_iter()
            .map(|(name, view)| {
                let words = view.data().chunks_exact(4);
                (name, words.map(|word| word.try_into().expect("four bytes")).collect())
            })
            .collect();
        let words = |name: &str, len: usize| {
            let found = data.get(name).filter(|words| words.len() == len);
            found.ok_or_else(|| format!("{name} is not {len} numbers"))
        };
        let floats = |name| {
            let words = words(name, new.first.len())?;
            Ok::<_, String>(words.iter().map(|&word| f32::from_le_bytes(word)).collect())
        };
        let step = u32::from_le_bytes(words(STEP, 1)?[0]);
        Ok(Self { step, first: floats(FIRST)?, second: floats(SECOND)?, ..new })
    }
}

/// Scales gradients down to a norm where they have a larger one; returns the norm that they had.
pub fn clip(gradients: &mut Gradients, max_norm: f64) -> f64 {
    let norm = gradients.values_mut().map(|value| f64::from(*value).powi(2)).sum::<f64>().sqrt();
    if norm > max_norm {
        let factor = (max_norm / norm) as f32;
        gradients.values_mut().for_each(|value| *value *= factor);
    }
    norm
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::adapter::LoraWeights;
    use crate::engine::config::Module;
    use crate::engine::cpu::training::LoraGradient;

    fn adapter() -> Adapter {
        let weights = LoraWeights { rank: 1, scale: 1.0, a: vec![1.0, -2.0], b: vec![0.5] };
        Adapter::new([((0, Module::Query), weights)].into())
    }

    fn gradients(a: [f32; 2], b: f32) -> Gradients {
        let layer = LoraGradient { a: a.to_vec(), b: vec![b] };
        Gradients { layers: [((0, Module::Query), layer)].into() }
    }

    #[test]
    fn updates_are_those_of_pytorch() {
        // import torch; p = torch.tensor([1., -2., .5], requires_grad=True)
        // o = torch.optim.AdamW([p], lr=0.1, weight_decay=0.01)
        // for g in ([.3, -1e-3, 0.], [-.1, 2., 1e-4]): p.grad = torch.tensor(g); o.step(); print(p.tolist())
        let (mut adapter, mut optimizer) = (adapter(), AdamW::new(&adapter(), 0.01));
        let expected = [[0.899, -1.898_001, 0.4995], [0.858_079_2, -1.970_483_3, 0.424_597_35]];
        for (gradient, expected) in [([0.3, -1e-3], 0.0), ([-0.1, 2.0], 1e-4)].into_iter().zip(expected) {
            optimizer.update(&mut adapter, &gradients(gradient.0, gradient.1), 0.1);
            let layer = &adapter.layers[&(0, Module::Query)];
            for (value, expected) in layer.a.iter().chain(&layer.b).zip(expected) {
                assert!((value - expected).abs() < 1e-5, "{layer:?}");
            }
        }
    }

    #[test]
    fn state_goes_on_as_if_it_had_never_been_written() {
        let (mut adapter, mut optimizer) = (adapter(), AdamW::new(&adapter(), 0.1));
        optimizer.update(&mut adapter, &gradients([0.5, 0.1], -0.2), 0.01);
        let mut again = AdamW::from_bytes(&optimizer.to_bytes(), &adapter, 0.1).unwrap();
        assert_eq!(again, optimizer);
        let mut other = adapter.clone();
        optimizer.update(&mut adapter, &gradients([0.1, 0.1], 1.0), 0.01);
        again.update(&mut other, &gradients([0.1, 0.1], 1.0), 0.01);
        assert_eq!(other, adapter);

        let weights = LoraWeights { rank: 1, scale: 1.0, a: vec![1.0], b: vec![0.5] };
        let smaller = Adapter::new([((0, Module::Key), weights)].into());
        assert!(AdamW::from_bytes(&optimizer.to_bytes(), &smaller, 0.1).is_err());
        assert!(AdamW::from_bytes(b"no", &adapter, 0.1).is_err());
    }

    #[test]
    fn only_a_larger_gradient_is_clipped() {
        let mut large = gradients([3.0, 0.0], 4.0);
        assert_eq!(clip(&mut large, 1.0), 5.0);
        assert!(
            large
                .values_mut()
                .zip([0.6f32, 0.0, 0.8])
                .all(|(value, expected)| (*value - expected).abs() < 1e-6)
        );
        let mut small = gradients([0.3, 0.0], 0.4);
        assert_eq!(clip(&mut small, 1.0), f64::from(0.3f32).hypot(f64::from(0.4f32)));
        assert_eq!(small, gradients([0.3, 0.0], 0.4));
    }
}
