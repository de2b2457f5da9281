//! The shape of a decoder, whichever file format it came in.

/// Widest layer and largest number of heads that are taken for real: products of two such sizes fit 64 bits.
const MAX_WIDTH: usize = 1 << 20;

/// Architecture family: which optional parts a block has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Family {
    /// Llama and its kin (SmolLM2, Mistral, TinyLlama): no biases, no query and key norms.
    Llama,
    /// Qwen2 and Qwen2.5: biases on query, key and value.
    Qwen2,
    /// Qwen3: RMS norms on each head's query and key.
    Qwen3,
}

impl Family {
    /// The stored name.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Llama => "llama",
            Self::Qwen2 => "qwen2",
            Self::Qwen3 => "qwen3",
        }
    }
}

/// Shape and constants of a decoder.
#[derive(Debug, Clone, PartialEq)]
pub struct ModelConfig {
    /// Architecture family.
    pub family: Family,
    /// Transformer blocks.
    pub num_layers: usize,
    /// Width of the residual stream.
    pub hidden_size: usize,
    /// Width of the MLP.
    pub intermediate_size: usize,
    /// Query heads.
    pub num_heads: usize,
    /// Key and value heads; a divisor of `num_heads`.
    pub num_kv_heads: usize,
    /// Width of a head.
    pub head_dim: usize,
    /// Rows of embedding and output head.
    pub vocab_size: usize,
    /// Longest sequence, in tokens. Where a model attends through a sliding window, the window: within it attention is
    /// full, beyond it this engine does not go.
    pub context_length: usize,
    /// ε of the RMS norms.
    pub rms_norm_eps: f64,
    /// Rotary frequencies ω_i, in radians per position: `[head_dim / 2]`.
    pub rope_frequencies: Vec<f32>,
    /// Whether the embedding is the output head too.
    pub is_head_tied: bool,
}

/// A linear layer that a block has, by its Hugging Face name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Module {
    /// Query projection.
    Query,
    /// Key projection.
    Key,
    /// Value projection.
    Value,
    /// Attention output projection.
    Output,
    /// MLP gate projection.
    Gate,
    /// MLP up projection.
    Up,
    /// MLP down projection.
    Down,
}

impl Module {
    /// Every module, in the order of the forward.
    pub const ALL: [Self; 7] =
        [Self::Query, Self::Key, Self::Value, Self::Output, Self::Gate, Self::Up, Self::Down];

    /// Name inside the block (`q_proj`).
    pub fn name(self) -> &'static str {
        match self {
            Self::Query => "q_proj",
            Self::Key => "k_proj",
            Self::Value => "v_proj",
            Self::Output => "o_proj",
            Self::Gate => "gate_proj",
            Self::Up => "up_proj",
            Self::Down => "down_proj",
        }
    }

    /// Path inside the block (`self_attn.q_proj`).
    pub fn path(self) -> &'static str {
        match self {
            Self::Query => "self_attn.q_proj",
            Self::Key => "self_attn.k_proj",
            Self::Value => "self_attn.v_proj",
            Self::Output => "self_attn.o_proj",
            Self::Gate => "mlp.gate_proj",
            Self::Up => "mlp.up_proj",
            Self::Down => "mlp.down_proj",
        }
    }

    /// Shape of the weight: `[out, in]`.
    pub fn shape(self, config: &ModelConfig) -> [usize; 2] {
        let query_width = config.num_heads * config.head_dim;
        let kv_width = config.num_kv_heads * config.head_dim;
        match self {
            Self::Query => [query_width, config.hidden_size],
            Self::Key | Self::Value => [kv_width, config.hidden_size],
            Self::Output => [config.hidden_size, query_width],
            Self::Gate | Self::Up => [config.intermediate_size, config.hidden_size],
            Self::Down => [config.hidden_size, config.intermediate_size],
        }
    }
}

/// How a model stretches its rotary frequencies beyond the length it was trained on.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum RopeScaling {
    None,
    /// All frequencies divided by a factor.
    Linear {
        factor: f64,
    },
    /// Llama 3.1: long wavelengths divided, short ones kept, a smooth passage between
    /// ("The Llama 3 Herd of Models", 2024; wavelengths are compared with the original context).
    Llama3 {
        factor: f64,
        low_freq_factor: f64,
        high_freq_factor: f64,
        original_context: f64,
    },
}

impl RopeScaling {
    /// ω_i = θ^(−2i/d), stretched; computed in f32 as the reference implementations do.
    ///
    /// # Errors
    /// If the head size d cannot be a real one: it comes straight from a file, and as much memory is taken.
    pub(crate) fn frequencies(self, theta: f32, head_dim: usize) -> Result<Vec<f32>, String> {
        if head_dim > MAX_WIDTH {
            return Err(format!("the head size must be at most {MAX_WIDTH}, got {head_dim}"));
        }
        let frequency = |i| self.stretch(1.0 / theta.powf((2 * i) as f32 / head_dim as f32));
        Ok((0..head_dim / 2).map(frequency).collect())
    }

    fn stretch(self, frequency: f32) -> f32 {
        match self {
            Self::None => frequency,
            Self::Linear { factor } => frequency / factor as f32,
            Self::Llama3 { factor, low_freq_factor, high_freq_factor, original_context } => {
                let wavelength = std::f64::consts::TAU / f64::from(frequency);
                let low_wavelength = original_context / low_freq_factor;
                let high_wavelength = original_context / high_freq_factor;
                if wavelength < high_wavelength {
                    frequency
                } else if wavelength > low_wavelength {
                    frequency / factor as f32
                } else {
                    let smooth = (original_context / wavelength - low_freq_factor)
                        / (high_freq_factor - low_freq_factor);
                    let stretched = (1.0 - smooth) / factor + smooth;
                    (f64::from(frequency) * stretched) as f32
                }
            }
        }
    }
}

impl ModelConfig {
    /// Checks that the numbers belong to a decoder that this engine can run.
    pub(crate) fn validate(&self) -> Result<(), String> {
        let u32_max = u32::MAX as usize;
        let bounded = [
            ("number of layers", self.num_layers, MAX_WIDTH),
            ("hidden size", self.hidden_size, MAX_WIDTH),
            ("intermediate size", self.intermediate_size, MAX_WIDTH),
            ("number of heads", self.num_heads, MAX_WIDTH),
            ("number of key/value heads", self.num_kv_heads, MAX_WIDTH),
            ("head size", self.head_dim, MAX_WIDTH),
            ("vocabulary", self.vocab_size, u32_max),
            ("context length", self.context_length, u32_max),
        ];
        if let Some((name, value, max)) = bounded.iter().find(|(_, value, max)| !(1..=*max).contains(value)) {
            return Err(format!("the {name} must be between 1 and {max}, got {value}"));
        }
        if !self.num_heads.is_multiple_of(self.num_kv_heads) {
            let (heads, kv_heads) = (self.num_heads, self.num_kv_heads);
            return Err(format!("{heads} heads cannot share {kv_heads} key/value heads"));
        }
        if !self.head_dim.is_multiple_of(2) {
            return Err(format!("the head size {} is odd, rotary embeddings need pairs", self.head_dim));
        }
        if self.rope_frequencies.len() != self.head_dim / 2 {
            let found = self.rope_frequencies.len();
            return Err(format!("{found} rotary frequencies for heads of {}", self.head_dim));
        }
        if let Some(found) = self.rope_frequencies.iter().find(|frequency| !frequency.is_finite()) {
            return Err(format!("a rotary frequency is {found} (look at the rotary base and scaling)"));
        }
        if !(self.rms_norm_eps.is_finite() && self.rms_norm_eps >= 0.0) {
            return Err(format!("the epsilon of the RMS norms must be 0 or more, got {}", self.rms_norm_eps));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rotary_frequencies_fall_geometrically() {
        let frequencies = RopeScaling::None.frequencies(10_000.0, 8).unwrap();
        for (found, expected) in frequencies.iter().zip([1.0, 0.1, 0.01, 0.001]) {
            assert!((found - expected).abs() < 1e-6 * expected, "{frequencies:?}");
        }
    }

    #[test]
    fn llama3_scaling_keeps_short_waves_and_divides_long_ones() {
        let scaling = RopeScaling::Llama3 {
            factor: 8.0,
            low_freq_factor: 1.0,
            high_freq_factor: 4.0,
            original_context: 8192.0,
        };
        assert_eq!(scaling.stretch(1.0), 1.0);
        assert_eq!(scaling.stretch(1e-5), 1e-5 / 8.0);
    }
}
