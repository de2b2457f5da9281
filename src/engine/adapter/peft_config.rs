//! What PEFT's `adapter_config.json` says of each layer, and whether it is plain LoRA at all.

use regex::Regex;
use serde::Deserialize;
use serde_json::{Map, Value};

/// What PEFT puts before a layer's path in the base model.
pub(super) const PREFIX: &str = "base_model.model.";
/// The file.
pub(super) const CONFIG: &str = "adapter_config.json";
/// The largest rank that is taken for real.
const MAX_RANK: usize = 1 << 16;

/// Keys of `adapter_config.json` that make a layer compute something else than plain LoRA, unless they are null, false
/// or empty.
const UNSUPPORTED: [&str; 13] = [
    "alora_invocation_tokens",
    "arrow_config",
    "fan_in_fan_out",
    "kasa_config",
    "layer_replication",
    "lora_bias",
    "modules_to_save",
    "monteclora_config",
    "target_parameters",
    "trainable_token_indices",
    "use_bdlora",
    "use_dora",
    "use_qalora",
];
/// Values of `init_lora_weights` under which the base keeps its weights; others (pissa, olora, corda, loftq) begin by
/// changing them, and an adapter saved so is wrong beside the original base.
const PLAIN_INITS: [&str; 4] = ["gaussian", "eva", "orthogonal", "mica"];

/// `adapter_config.json`, as far as it is read.
#[derive(Debug, Deserialize)]
struct RawConfig {
    peft_type: String,
    r: usize,
    lora_alpha: f64,
    #[serde(default)]
    target_modules: Value,
    rank_pattern: Option<Map<String, Value>>,
    alpha_pattern: Option<Map<String, Value>>,
    use_rslora: Option<bool>,
    bias: Option<String>,
    #[serde(default)]
    init_lora_weights: Value,
    #[serde(flatten)]
    others: Map<String, Value>,
}

/// What an adapter's config says of its layers.
#[derive(Debug)]
pub(super) struct PeftConfig {
    r: usize,
    pub(super) lora_alpha: f64,
    rank_patterns: Patterns<usize>,
    alpha_patterns: Patterns<f64>,
    use_rslora: bool,
    target_modules: Value,
}

/// What it says of one layer.
#[derive(Debug, PartialEq)]
pub(super) struct LayerConfig {
    pub(super) rank: usize,
    /// s = α/r or α/√r.
    pub(super) scale: f32,
}

impl PeftConfig {
    pub(super) fn parse(json: &str) -> std::result::Result<Self, String> {
        Self::parse_values(json).map_err(|problem| format!("{CONFIG}: {problem}"))
    }

    fn parse_values(json: &str) -> std::result::Result<Self, String> {
        let raw: RawConfig = serde_json::from_str(json).map_err(|error| error.to_string())?;
        raw.check_plain_lora()?;
        let rank = |value: &Value| value.as_u64().and_then(|rank| usize::try_from(rank).ok());
        let config = Self {
            r: raw.r,
            lora_alpha: raw.lora_alpha,
            rank_patterns: Patterns::parse("rank_pattern", raw.rank_pattern, rank)?,
            alpha_patterns: Patterns::parse("alpha_pattern", raw.alpha_pattern, Value::as_f64)?,
            use_rslora: raw.use_rslora.unwrap_or(false),
            target_modules: raw.target_modules,
        };
        let out_of_range = config.ranks().find(|rank| !(1..=MAX_RANK).contains(rank));
        match out_of_range {
            Some(rank) => Err(format!("a rank must be between 1 and {MAX_RANK}, got {rank}")),
            None => Ok(config),
        }
    }

    fn ranks(&self) -> impl Iterator<Item = usize> {
        std::iter::once(self.r).chain(self.rank_patterns.values())
    }

    pub(super) fn largest_rank(&self) -> u32 {
        let largest = self.ranks().max().unwrap_or(self.r);
        u32::try_from(largest).expect("ranks were checked")
    }

    /// The module names, sorted, of a list or a single pattern.
    pub(super) fn module_names(&self) -> Vec<String> {
        let mut names: Vec<String> = match &self.target_modules {
            Value::Array(names) => names.iter().filter_map(|n| n.as_str().map(str::to_owned)).collect(),
            Value::String(pattern) => vec![pattern.clone()],
            _ => vec![],
        };
        names.sort();
        names
    }

    /// The rank r and the scale of a layer, whose α and r each come from a pattern or from the adapter as a whole.
    pub(super) fn layer(&self, stem: &str) -> LayerConfig {
        let path = stem.strip_prefix(PREFIX).unwrap_or(stem);
        let rank = self.rank_patterns.of(path).unwrap_or(self.r);
        let alpha = self.alpha_patterns.of(path).unwrap_or(self.lora_alpha);
        let divisor = if self.use_rslora { (rank as f64).sqrt() } else { rank as f64 };
        LayerConfig { rank, scale: (alpha / divisor) as f32 }
    }
}

impl RawConfig {
    /// Refuses what would compute something else than W·x + s·B·(A·x).
    fn check_plain_lora(&self) -> std::result::Result<(), String> {
        if self.peft_type != "LORA" {
            return Err(format!("peft_type {} is not supported (LORA is)", self.peft_type));
        }
        if let Some(bias) = self.bias.as_deref().filter(|&bias| bias != "none") {
            return Err(format!("bias {bias} is not supported (none is)"));
        }
        let is_plain = match &self.init_lora_weights {
            Value::Null | Value::Bool(_) => true,
            Value::String(name) => PLAIN_INITS.contains(&name.as_str()),
            _ => false,
        };
        if !is_plain {
            let found = &self.init_lora_weights;
            return Err(format!(
                "init_lora_weights {found} changes the base model (save the adapter with PEFT's \
                 path_initial_model_for_weight_conversion)"
            ));
        }
        let unsupported = UNSUPPORTED.into_iter().find(|key| self.others.get(*key).is_some_and(is_set));
        unsupported.map_or(Ok(()), |key| Err(format!("{key} is not supported")))
    }
}

/// Whether a config's value is anything but null, false or empty.
fn is_set(value: &Value) -> bool {
    match value {
        Value::Null | Value::Bool(false) => false,
        Value::Array(values) => !values.is_empty(),
        Value::Object(values) => !values.is_empty(),
        _ => true,
    }
}

/// Values for layers by a regular expression for the end of their path; the first that matches counts, in the order of
/// the file, as in PEFT's `get_pattern_key`.
#[derive(Debug)]
struct Patterns<T>(Vec<(Regex, T)>);

impl<T: Copy> Patterns<T> {
    fn parse(
        name: &str,
        patterns: Option<Map<String, Value>>,
        read: impl Fn(&Value) -> Option<T>,
    ) -> std::result::Result<Self, String> {
        let parse = |(pattern, value): (String, Value)| {
            let regex = Regex::new(&format!(r"^(?:.*\.)?(?:{pattern})$")).map_err(|_| {
                format!("{name}: {pattern:?} is not a regular expression that can be read here")
            })?;
            let value =
                read(&value).ok_or_else(|| format!("{name}: {value} for {pattern:?} is not a number"))?;
            Ok((regex, value))
        };
        patterns.unwrap_or_default().into_iter().map(parse).collect::<std::result::Result<_, _>>().map(Self)
    }

    fn values(&self) -> impl Iterator<Item = T> {
        self.0.iter().map(|(_, value)| *value)
    }

    fn of(&self, path: &str) -> Option<T> {
        self.0.iter().find(|(regex, _)| regex.is_match(path)).map(|(_, value)| *value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const STEM: &str = "base_model.model.model.layers.3.self_attn.q_proj";

    fn config(extra: &str) -> std::result::Result<PeftConfig, String> {
        PeftConfig::parse(&format!(r#"{{"peft_type": "LORA", "r": 4, "lora_alpha": 8{extra}}}"#))
    }

    #[test]
    fn the_scale_follows_rank_alpha_and_rslora() {
        for (extra, rank, scale) in [
            ("", 4, 2.0),
            (r#", "use_rslora": true"#, 4, 4.0),
            (r#", "alpha_pattern": {"layers.3.self_attn.q_proj": 2}"#, 4, 0.5),
            (r#", "alpha_pattern": {"layers.13.self_attn.q_proj": 2}"#, 4, 2.0),
            (r#", "rank_pattern": {"q_proj": 2}"#, 2, 4.0),
            (r#", "rank_pattern": {"^model.layers.3.*": 2}"#, 2, 4.0),
            (r#", "rank_pattern": {"k_proj": 2}, "alpha_pattern": null"#, 4, 2.0),
        ] {
            assert_eq!(config(extra).unwrap().layer(STEM), LayerConfig { rank, scale }, "{extra}");
        }
    }

    #[test]
    fn the_first_pattern_of_the_file_wins() {
        for (patterns, rank) in [
            (r#"{"q_proj": 2, "layers.3.self_attn.q_proj": 8}"#, 2),
            (r#"{"layers.3.self_attn.q_proj": 8, "q_proj": 2}"#, 8),
            (r#"{"z|q_proj": 1, ".*": 16}"#, 1),
        ] {
            let config = config(&format!(r#", "rank_pattern": {patterns}"#)).unwrap();
            assert_eq!(config.layer(STEM).rank, rank, "{patterns}");
        }
    }

    #[test]
    fn what_is_not_plain_lora_is_refused() {
        for (extra, problem) in [
            (r#", "use_dora": true"#, "use_dora"),
            (r#", "bias": "all""#, "bias all"),
            (r#", "modules_to_save": ["lm_head"]"#, "modules_to_save"),
            (r#", "layer_replication": [[0, 4], [2, 5]]"#, "layer_replication"),
            (r#", "alora_invocation_tokens": [1]"#, "alora_invocation_tokens"),
            (r#", "init_lora_weights": "pissa_niter_4""#, "changes the base model"),
            (r#", "init_lora_weights": "loftq""#, "changes the base model"),
            (r#", "rank_pattern": {"(": 2}"#, "rank_pattern: \"(\" is not a regular expression"),
            (r#", "rank_pattern": {"q_proj": 0}"#, "between 1 and 65536, got 0"),
            (r#", "alpha_pattern": {"q_proj": "2"}"#, "\"2\" for \"q_proj\" is not a number"),
        ] {
            let error = config(extra).unwrap_err();
            assert!(error.starts_with(CONFIG) && error.contains(problem), "{extra}: {error}");
        }
        assert!(PeftConfig::parse(r#"{"peft_type": "IA3", "r": 1, "lora_alpha": 1}"#).is_err());
        let plain = r#", "use_dora": false, "layer_replication": null, "modules_to_save": [], "loftq_config": {},
            "init_lora_weights": "gaussian""#;
        assert!(config(plain).is_ok());
    }
}
