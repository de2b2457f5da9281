use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng as _, SeedableRng as _};

use super::key::Kind;
use super::*;
use crate::record::{LossKind, Mode, Origin};

/// A world in which a few files and variables exist.
struct World {
    files: &'static [(&'static str, &'static str)],
    variables: &'static [(&'static str, &'static str)],
    config_file: Option<&'static str>,
    flags: Overrides,
}

const NOTHING: World = World { files: &[], variables: &[], config_file: None, flags: Overrides::NONE };

impl World {
    fn resolve(self) -> Result<(Spec, Vec<Setting>), ConfigError> {
        let read = |path: &Path| match self.files.iter().find(|(name, _)| Path::new(name) == path) {
            Some((_, text)) => Ok((*text).to_owned()),
            None => Err(io::ErrorKind::NotFound.into()),
        };
        resolve(&Sources {
            flags: self.flags.clone(),
            config_file: self.config_file.map(PathBuf::from),
            variables: self
                .variables
                .iter()
                .map(|&(name, value)| (name.to_owned(), value.to_owned()))
                .collect(),
            working_dir: "/home/me/project/sub".into(),
            user_file: Some("/home/ada/.config/speclora/config.toml".into()),
            home: Some("/home/ada".into()),
            read: &read,
        })
    }

    #[track_caller]
    fn fails(self, expected: &str) {
        assert_eq!(self.resolve().unwrap_err().to_string(), expected);
    }
}

fn flags(pairs: &[(&'static str, &str)]) -> Overrides {
    let mut overrides = Overrides::default();
    for &(key, value) in pairs {
        overrides.set(key, Some(value));
    }
    overrides
}

fn setting<'a>(settings: &'a [Setting], key: &str) -> &'a Setting {
    settings.iter().find(|setting| setting.key == key).unwrap()
}

#[test]
fn defaults_are_those_of_the_contract() {
    let (spec, settings) = NOTHING.resolve().unwrap();
    let expected = Spec {
        target: None,
        draft: None,
        models: "/home/ada/.cache/speclora/models".into(),
        adapter: "best".to_owned(),
        num_draft_tokens: 4,
        draft_vocab: VocabularySize::Named(NamedSize::Auto),
        draft_quant: None,
        max_tokens: 256,
        context_length: None,
        temperature: 0.0,
        top_p: 1.0,
        top_k: 0,
        seed: 0,
        system_prompt: None,
        raw: false,
        modes: vec![Mode::TargetOnly, Mode::SpecBase, Mode::SpecLora],
        iterations: 1,
        warmup: 1,
        limit: None,
        target_top_k: 64,
        acceptance_threshold: 0.7,
        rank: 16,
        alpha: None,
        target_modules: ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]
            .map(str::to_owned)
            .to_vec(),
        loss: LossKind::ForwardKl,
        epochs: 3,
        learning_rate: None,
        warmup_ratio: 0.1,
        weight_decay: 0.0,
        max_gradient_norm: 1.0,
        batch_size: 8,
        gradient_accumulation: 1,
        dropout: 0.0,
        rejected_weight: 1.0,
        replay_ratio: 0.25,
        holdout: 0.2,
        eval_every: None,
        patience: None,
        skip_shared_prompt: false,
        gradient_checkpointing: false,
        threads: None,
        simd: None,
        db: None,
    };
    assert_eq!(spec, expected);
    assert!(settings.iter().all(|setting| setting.origin == Origin::Default && setting.source.is_none()));
    assert!(settings.iter().map(|setting| setting.key.as_str()).eq(KEYS.iter().map(|key| key.name)));
}

#[test]
fn each_layer_wins_over_the_one_before_and_is_named() {
    let world = World {
        files: &[
            (
                "/home/ada/.config/speclora/config.toml",
                "seed = 1\nmax_tokens = 1\niterations = 1\ntop_k = 1\ntemperature = 1",
            ),
            ("/home/me/project/speclora.toml", "max_tokens = 2\niterations = 2\ntop_k = 2"),
            ("/home/me/speclora.toml", "raw = true"),
        ],
        variables: &[("SPECLORA_ITERATIONS", "3"), ("SPECLORA_TOP_K", "3"), ("PATH", "/bin")],
        flags: flags(&[("top_k", "4"), ("system_prompt", "Be brief.")]),
        ..NOTHING
    };
    let (spec, settings) = world.resolve().unwrap();
    assert_eq!((spec.seed, spec.max_tokens, spec.iterations, spec.top_k), (1, 2, 3, 4));
    assert!(!spec.raw, "only the nearest project file counts");

    let check = |key: &str, origin: Origin, source: &str| {
        let setting = setting(&settings, key);
        assert_eq!((setting.origin, setting.source.as_deref()), (origin, Some(source)), "{key}");
    };
    check("seed", Origin::File, "/home/ada/.config/speclora/config.toml");
    check("max_tokens", Origin::File, "/home/me/project/speclora.toml");
    check("iterations", Origin::Environment, "SPECLORA_ITERATIONS");
    check("top_k", Origin::Flag, "--top-k");
    check("system_prompt", Origin::Flag, "--system");
}

#[test]
fn given_file_replaces_the_project_file() {
    let files = &[
        ("/home/me/project/sub/speclora.toml", "seed = 1\ntop_k = 1"),
        ("a.toml", "seed = 2"),
        ("b.toml", "seed = 3"),
    ];
    let seed_of = |world: World| {
        let (spec, settings) = world.resolve().unwrap();
        (spec.seed, spec.top_k, setting(&settings, "seed").source.clone().unwrap())
    };
    let variables = &[("SPECLORA_CONFIG", "a.toml")];
    assert_eq!(seed_of(World { files, ..NOTHING }), (1, 1, "./speclora.toml".to_owned()));
    assert_eq!(seed_of(World { files, variables, ..NOTHING }), (2, 0, "a.toml".to_owned()));
    let config_file = Some("b.toml");
    assert_eq!(seed_of(World { files, variables, config_file, ..NOTHING }), (3, 0, "b.toml".to_owned()));
}

#[test]
fn typed_flags_and_flags_of_another_name_are_taken() {
    let mut flags = Overrides::default();
    flags.set("temperature", Some(0.5)).set("limit", None::<u32>).set_by(
        "--skip-lora",
        "modes",
        Some("target_only"),
    );
    let (spec, settings) = World { flags, ..NOTHING }.resolve().unwrap();
    assert_eq!((spec.temperature, spec.limit, spec.modes), (0.5, None, vec![Mode::TargetOnly]));
    assert_eq!(setting(&settings, "modes").source.as_deref(), Some("--skip-lora"));
}

#[test]
fn database_and_models_come_from_variables_too() {
    let variables = &[("SPECLORA_DB", "/data/x.db"), ("SPECLORA_MODELS", "~/models")];
    let (spec, _) = World { variables, ..NOTHING }.resolve().unwrap();
    assert_eq!((spec.db, spec.models), (Some("/data/x.db".into()), "/home/ada/models".into()));
}

#[test]
fn paths_in_a_file_begin_at_the_file() {
    let files =
        &[("/home/me/speclora.toml", "models = 'models'\ntarget = './big.gguf'\ndraft = 'small.gguf'")];
    let (spec, _) = World { files, ..NOTHING }.resolve().unwrap();
    assert_eq!(spec.models, Path::new("/home/me/models"));
    assert_eq!(
        (spec.target.as_deref(), spec.draft.as_deref()),
        (Some("/home/me/big.gguf"), Some("small.gguf"))
    );
}

#[test]
fn unknown_keys_are_errors_with_place_and_suggestion() {
    let files = &[("/home/me/project/sub/speclora.toml", "# mine\nseed = 1\nnum_draft_token = 4\n")];
    World { files, ..NOTHING }
        .fails("./speclora.toml:3: unknown key num_draft_token (did you mean num_draft_tokens?)");
    World { files: &[("/home/me/speclora.toml", "[bench]\nseed = 1")], ..NOTHING }
        .fails("/home/me/speclora.toml:1: unknown key bench (speclora config show lists all keys)");
    World { variables: &[("SPECLORA_SEEDS", "1")], ..NOTHING }
        .fails("unknown environment variable SPECLORA_SEEDS (did you mean SPECLORA_SEED?)");
    World { variables: &[("SPECLORA_seed", "1")], ..NOTHING }
        .fails("unknown environment variable SPECLORA_seed (did you mean SPECLORA_SEED?)");
    World { variables: &[("SPECLORA_LOG", "1")], ..NOTHING }
        .fails("unknown environment variable SPECLORA_LOG (speclora config show lists all keys)");
}

#[test]
fn bad_values_are_errors_with_place_and_range() {
    World { files: &[("/home/me/project/sub/speclora.toml", "\ntop_p = 0\n")], ..NOTHING }
        .fails("./speclora.toml:2: top_p must be a number above 0 and at most 1, got 0");
    World { files: &[("/home/me/project/sub/speclora.toml", "seed = '7'")], ..NOTHING }
        .fails("./speclora.toml:1: seed must be a whole number between 0 and 9223372036854775807, got \"7\"");
    World { variables: &[("SPECLORA_MAX_TOKENS", "many")], ..NOTHING }
        .fails("SPECLORA_MAX_TOKENS: max_tokens must be a whole number between 1 and 1048576, got \"many\"");
    World { flags: flags(&[("num_draft_tokens", "0")]), ..NOTHING }
        .fails("--num-draft-tokens: num_draft_tokens must be a whole number between 1 and 32, got 0");
    World { flags: flags(&[("modes", "spec")]), ..NOTHING }.fails(
        "--modes: modes must be a list of at least one of target_only, spec_base, spec_lora, control, \
         each at most once, got [\"spec\"]",
    );
}

#[test]
fn bad_value_is_an_error_even_where_a_later_layer_replaces_it() {
    let files = &[("/home/me/project/sub/speclora.toml", "warmup = -1")];
    World { files, flags: flags(&[("warmup", "2")]), ..NOTHING }
        .fails("./speclora.toml:1: warmup must be a whole number between 0 and 100, got -1");
}

#[test]
fn raw_prompts_and_a_system_prompt_exclude_each_other_from_whatever_layer() {
    let files = &[("/home/me/speclora.toml", "system_prompt = 'Be brief.'")];
    let variables = &[("SPECLORA_RAW", "1")];
    World { files, variables, ..NOTHING }.fails(
        "raw (SPECLORA_RAW) sends prompts as they are, which leaves no place for system_prompt (/home/me/speclora.toml) \
         (unset one of them)",
    );
    World { files, flags: flags(&[("raw", "false")]), variables, ..NOTHING }.resolve().unwrap();
}

#[test]
fn broken_and_missing_files_are_errors() {
    World { files: &[("/home/me/speclora.toml", "seed = 1\nseed = 2\n")], ..NOTHING }
        .fails("/home/me/speclora.toml:2: duplicate key");
    World { config_file: Some("none.toml"), ..NOTHING }.fails("cannot read configuration file none.toml");
}

#[test]
fn stored_settings_of_an_older_version_take_defaults_and_of_a_newer_are_refused() {
    let old = [Setting { value: 8.into(), ..Key::find("max_tokens").unwrap().absent() }];
    let spec = Spec::from_settings(&old).unwrap();
    assert_eq!((spec.max_tokens, spec.num_draft_tokens), (8, 4));

    let new = [Setting { key: "turbo".to_owned(), ..old[0].clone() }];
    let error = Spec::from_settings(&new).unwrap_err();
    assert_eq!(error.to_string(), "stored settings: unknown key turbo (speclora config show lists all keys)");
}

#[test]
fn spec_survives_its_stored_settings() {
    let mut rng = ChaCha8Rng::seed_from_u64(7);
    for _ in 0..500 {
        let mut flags = Overrides::default();
        for key in KEYS {
            flags.set(key.name, arbitrary(key.kind, &mut rng));
        }
        // No system prompt goes with raw prompts.
        flags.set("raw", Some(false));
        let (spec, settings) = World { flags, ..NOTHING }.resolve().unwrap();
        let stored: Vec<Setting> = settings
            .into_iter()
            .map(|setting| {
                let text = setting.value.to_string();
                Setting { value: serde_json::from_str(&text).unwrap(), ..setting }
            })
            .collect();
        assert_eq!(Spec::from_settings(&stored).unwrap(), spec);
    }
}

/// A value that `kind` allows, or nothing; the ends of ranges come up often.
fn arbitrary(kind: Kind, rng: &mut ChaCha8Rng) -> Option<toml::Value> {
    let mut below = |n: u64| rng.next_u64() % n;
    let part = [0.0, 1.0, below(1 << 53) as f64 / (1_u64 << 53) as f64][below(3) as usize];
    if below(4) == 0 {
        return None;
    }
    Some(match kind {
        Kind::Text => ["", "plain", "é \"quoted\"\n\t\u{1F980}"][below(3) as usize].into(),
        Kind::Path | Kind::NameOrPath => ["x", "./a b", "~/ü", "/abs/päth"][below(4) as usize].into(),
        Kind::Integer { min, max } => (min + (part * (max - min) as f64) as i64).clamp(min, max).into(),
        Kind::Number { min, max } => (min + part * (max - min)).into(),
        Kind::Fraction => part.max(f64::MIN_POSITIVE).into(),
        Kind::Switch => (below(2) == 0).into(),
        Kind::Choice(words) => words[below(words.len() as u64) as usize].into(),
        Kind::Words(words) => words[below(words.len() as u64) as usize..].to_vec().into(),
        Kind::VocabularySize => match below(3) {
            0 => "auto".into(),
            1 => "full".into(),
            _ => 8_192.into(),
        },
        Kind::Modes => {
            let start = below(Mode::ALL.len() as u64) as usize;
            Mode::ALL[start..].iter().map(|mode| mode.as_str()).collect::<Vec<_>>().into()
        }
    })
}

/// The commented file in which every key stands once.
const DEFAULT_FILE: &str = include_str!("../../configs/default.toml");

#[test]
fn default_file_documents_every_key_at_its_default() {
    let assignments: Vec<(usize, &str)> = DEFAULT_FILE
        .lines()
        .enumerate()
        .filter_map(|(i, line)| Some((i, line.strip_prefix('#')?)))
        .filter(|(_, line)| line.starts_with(|c: char| c.is_ascii_lowercase()))
        .collect();
    let lines: Vec<&str> = DEFAULT_FILE.lines().collect();
    assert_eq!(assignments.len(), KEYS.len());
    for (key, (index, assignment)) in KEYS.iter().zip(assignments) {
        let (name, value) = assignment.split_once(" = ").unwrap();
        assert_eq!(name, key.name, "keys stand in the order of the table");
        let table: toml::Table = assignment.parse().unwrap();
        assert!(key.kind.check(&table[name]).is_some(), "{name} has a valid value");
        assert_eq!(value, key.default.unwrap_or(value), "{name} stands at its default");

        let is_comment = |line: &&&str| line.starts_with("# ");
        let comment: Vec<&str> =
            lines[..index].iter().rev().take_while(is_comment).map(|line| &line[2..]).collect();
        let comment = comment.into_iter().rev().collect::<Vec<_>>().join(" ");
        let documented = format!("{} Must be {}.", key.doc, key.kind.expected());
        assert!(comment.starts_with(&documented), "{name} is documented as {documented:?}, not {comment:?}");
    }
}

#[test]
fn default_file_changes_nothing() {
    let (default, _) = NOTHING.resolve().unwrap();
    let (spec, _) =
        World { files: &[("/home/me/speclora.toml", DEFAULT_FILE)], ..NOTHING }.resolve().unwrap();
    assert_eq!(spec, default);
}

#[test]
fn example_file_resolves() {
    const FILE: &str = include_str!("../../configs/qwen2.5-coder.toml");
    let (spec, _) = World { files: &[("/home/me/speclora.toml", FILE)], ..NOTHING }.resolve().unwrap();
    assert_eq!(spec.target.as_deref(), Some("qwen2.5-coder-1.5b-instruct-q4_k_m.gguf"));
    assert_eq!(spec.draft.as_deref(), Some("qwen2.5-coder-0.5b-instruct-q4_k_m.gguf"));
}
