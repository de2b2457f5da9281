//! Adapters: what is written is what peft reads, and `speclora adapters` as a user runs it.

use std::fs;

use speclora::engine::adapter::{Adapter, LoraWeights, PeftExport, read_peft_folder, write_peft_folder};
use speclora::engine::config::Module;
use speclora::engine::cpu::{CpuModel, LoadOptions};
use speclora::engine::decoder::DecoderOptions;
use speclora::engine::files::ModelFiles;

use crate::engine::{expected, largest_difference, logits};
use crate::fixture;
use crate::program::{Workspace, bench_arguments, model, text};

/// Written here, and read by peft (`check_peft.py`).
const WRITTEN: &str = "adapters/qwen3-tied-written";

/// An adapter of all modules, one layer of another rank, and one of another scale.
fn adapter_to_write(files: &ModelFiles) -> Adapter {
    let config = files.config();
    let mut next = 0;
    let mut values = |count: usize| -> Vec<f32> {
        let mut value = || {
            next = (next * 37 + 11) % 101;
            (next as f32 - 50.0) / 128.0
        };
        (0..count).map(|_| value()).collect()
    };
    let places = (0..config.num_layers).flat_map(|block| Module::ALL.map(|module| (block, module)));
    let layers = places.map(|place| {
        let (rank, scale) = match place {
            (0, Module::Gate) => (2, 2.0),
            (1, Module::Query) => (4, 0.3),
            _ => (4, 2.0),
        };
        let [out, inside] = place.1.shape(config);
        (place, LoraWeights { rank, scale, a: values(rank * inside), b: values(out * rank) })
    });
    Adapter::new(layers.collect())
}

#[test]
fn what_is_written_is_what_peft_has_read() {
    let files = ModelFiles::open(&fixture("models/qwen3-tied")).unwrap();
    let adapter = adapter_to_write(&files);
    let export = PeftExport {
        rank: 4,
        alpha: 8.0,
        dropout: 0.0,
        base_model: Some("../../models/qwen3-tied".to_owned()),
        source: String::new(),
    };
    let record = adapter.to_peft(&export);
    let folder = fixture(WRITTEN);
    if std::env::var_os("SPECLORA_WRITE_FIXTURES").is_some() {
        let _ = fs::remove_dir_all(&folder);
        write_peft_folder(&record, &folder).unwrap();
    }
    let found = read_peft_folder(&folder).unwrap();
    assert_eq!(found.config_json, record.config_json);
    assert!(found.weights == record.weights, "the weights are those that peft has read");
    assert!(Adapter::fit(&found, files.config()).unwrap() == adapter);

    let model = CpuModel::load(&files, LoadOptions::detect(), |_, _| ()).unwrap();
    let options = DecoderOptions { adapter: Some(&adapter), ..DecoderOptions::with_capacity(128) };
    let (tokens, reference) = expected(WRITTEN);
    let difference =
        largest_difference(&logits(&mut model.decoder(options), &tokens, tokens.len()), &reference);
    eprintln!("{WRITTEN}: max |Δ| = {difference}");
    assert!(difference <= 1e-4, "max |Δ| = {difference}");
}

#[test]
fn what_peft_has_written_is_written_with_the_same_meaning() {
    for (case, base) in [
        ("qwen2-tied-r4", "qwen2-tied"),
        ("llama-untied-rslora-r2", "llama-untied"),
        ("llama-untied-patterns", "llama-untied"),
    ] {
        let files = ModelFiles::open(&fixture("models").join(base)).unwrap();
        let record = read_peft_folder(&fixture("adapters").join(case)).unwrap();
        let adapter = Adapter::fit(&record, files.config()).unwrap();
        let export = PeftExport {
            rank: record.rank as usize,
            alpha: record.alpha,
            dropout: 0.0,
            base_model: None,
            source: String::new(),
        };
        let again = Adapter::fit(&adapter.to_peft(&export), files.config()).unwrap();
        assert!(again == adapter, "{case}");
    }
}

/// A workspace in which the adapter of `llama-untied` is stored as 1, under the name `house`.
fn with_an_adapter() -> Workspace {
    let workspace = Workspace::new();
    workspace.write("speclora.toml", format!("draft = \"{}\"\n", model("llama-untied")));
    let folder = text(&fixture("adapters/llama-untied-rslora-r2"));
    workspace.succeed(&["adapters", "import", &folder, "--alias", "house"]);
    workspace
}

/// Runs a command that must fail with this code and a message that has all these parts.
fn fails(workspace: &Workspace, arguments: &[&str], code: i32, parts: &[&str]) {
    let outcome = workspace.run(arguments);
    assert_eq!(
        (outcome.code, outcome.stdout.as_str()),
        (Some(code), ""),
        "{arguments:?}: {}",
        outcome.stderr
    );
    for part in parts {
        assert!(outcome.stderr.contains(part), "{arguments:?}: \"{part}\" is not in {}", outcome.stderr);
    }
}

#[test]
fn adapter_goes_out_and_in_again_as_it_was() {
    let workspace = with_an_adapter();
    workspace.succeed(&["adapters", "export", "house", "--peft", "out"]);
    for name in ["adapter_config.json", "adapter_model.safetensors"] {
        let original = fs::read(fixture("adapters/llama-untied-rslora-r2").join(name)).unwrap();
        assert!(fs::read(workspace.path("out").join(name)).unwrap() == original, "{name}");
    }
    let shown = workspace.json(&["adapters", "import", "out", "--alias", "again"]);
    assert_eq!(shown["checkpoint_id"], 1, "the same adapter");
    assert_eq!(workspace.value::<i64>("SELECT count(*) FROM checkpoints"), 1);
}

#[test]
fn adapters_are_listed_and_shown() {
    let workspace = with_an_adapter();
    let other = text(&fixture("adapters/llama-untied-patterns"));
    workspace.succeed(&["adapters", "import", &other]);
    workspace.succeed(&["adapters", "alias", "best", "house"]);

    let listed = workspace.json(&["adapters", "list"]);
    assert_eq!((&listed[0]["checkpoint_id"], &listed[1]["checkpoint_id"]), (&2.into(), &1.into()));
    assert_eq!((&listed[0]["aliases"], &listed[1]["aliases"]), (&().into(), &"best, house".into()));
    for (format, part) in [
        ("table", "best, house"),
        ("md", "| best, house | SHA-256 "),
        ("csv", "\"best, house\""),
        ("jsonl", "\"rank\":2"),
    ] {
        let text = workspace.succeed(&["adapters", "list", "--format", format]);
        assert!(text.contains(part), "{text}");
    }

    let shown = workspace.json(&["adapters", "show", "best"]);
    assert_eq!(shown["aliases"], serde_json::json!(["best", "house"]));
    assert_eq!(shown["target_modules"].as_array().unwrap().len(), 7);
    assert_eq!((&shown["config"]["use_rslora"], &shown["train_run_id"]), (&true.into(), &().into()));
    assert_eq!((&shown["lineage"][0]["ancestor_id"], &shown["lineage"][0]["depth"]), (&1.into(), &0.into()));
    let text = workspace.succeed(&["adapters", "show", "1"]);
    for part in ["1, best, house", "rank 2, α 4", "down_proj, gate_proj", "Configuration", "use_rslora"] {
        assert!(text.contains(part), "{part}: {text}");
    }
    fails(&workspace, &["adapters", "show", "1", "--format", "csv"], 2, &["adapters list writes csv"]);
}

#[test]
fn a_name_moves_from_one_adapter_to_the_next() {
    let workspace = with_an_adapter();
    workspace.succeed(&["adapters", "import", &text(&fixture("adapters/llama-untied-patterns"))]);
    let moved = workspace.run(&["adapters", "alias", "house", "2"]);
    assert!(moved.stderr.contains("house is adapter 2 (before: 1)"), "{}", moved.stderr);
    assert_eq!(workspace.json(&["adapters", "show", "house"])["checkpoint_id"], 2);

    fails(&workspace, &["adapters", "alias", "house", "7"], 1, &["no checkpoint 7"]);
    fails(&workspace, &["adapters", "alias", "house", "nosuch"], 1, &["no adapter nosuch", "adapters list"]);
    fails(&workspace, &["adapters", "alias", "12", "1"], 2, &["a number selects an adapter by its id"]);
    fails(&workspace, &["adapters", "show", "nosuch"], 1, &["no adapter nosuch", "adapters list"]);
    fails(&workspace, &["adapters", "export", "7", "--peft", "out"], 1, &["no checkpoint 7"]);
    assert!(!workspace.path("out").exists());
}

#[test]
fn nothing_is_written_over() {
    let workspace = with_an_adapter();
    let export = |folder: &'static str| ["adapters", "export", "house", "--peft", folder];
    workspace.succeed(&export("out"));
    for folder in ["out", "speclora.db", "prompts.txt"] {
        fails(&workspace, &export(folder), 1, &[folder, "something of this name already"]);
    }
    fails(&workspace, &export("none/out"), 1, &["cannot write none/out"]);
    fs::create_dir(workspace.path("empty")).unwrap();
    workspace.succeed(&export("empty"));
    assert_eq!(workspace.value::<i64>("SELECT count(*) FROM checkpoints"), 1, "the database is as it was");
}

#[test]
fn an_adapter_that_does_not_fit_is_not_imported() {
    let workspace = Workspace::new();
    let (draft, folder) = (model("qwen3-tied"), text(&fixture("adapters/qwen2-tied-r4")));
    let import = ["adapters", "import", &folder, "--draft", &draft];
    let parts = ["self_attn", "has shape [", "this model needs [", "another model"];
    fails(&workspace, &import, 1, &parts);
    fails(&workspace, &[&import[..], &["--force"]].concat(), 1, &parts);
    fails(&workspace, &["adapters", "import", "none", "--draft", &draft], 1, &["no folder none"]);
    fails(&workspace, &["adapters", "import", &folder, "--alias", "3"], 2, &["a number selects"]);
    assert!(!workspace.path("speclora.db").exists(), "an import that fails makes no database");
}

#[test]
fn an_adapter_of_another_draft_is_taken_by_force_where_it_fits() {
    let workspace = with_an_adapter();
    let (other, wider) = (model("llama-tied"), model("qwen3-tied"));
    let bench = |draft, more: &[&'static str]| {
        let arguments = bench_arguments(&other, draft, &[]);
        [&arguments[..], &["-l", "1", "-a", "house"], more].concat()
    };
    fails(&workspace, &bench(&other, &[]), 1, &["adapter 1 is for another draft", "llama-tied", "--force"]);
    let forced = workspace.run(&bench(&other, &["--force"]));
    assert_eq!(forced.code, Some(0), "{}", forced.stderr);
    assert!(forced.stderr.contains("warning: adapter 1 is for another draft"), "{}", forced.stderr);
    assert_eq!(workspace.value::<i64>("SELECT checkpoint_id FROM runs"), 1);
    fails(&workspace, &bench(&wider, &["--force"]), 1, &["another draft", "this model needs"]);

    let folder = text(&fixture("adapters/llama-untied-rslora-r2"));
    let import = ["adapters", "import", &folder, "--draft", &other];
    fails(&workspace, &import, 1, &["stored already: adapter 1 is for another draft", "--draft", "--force"]);
    workspace.succeed(&[&import[..], &["--force"]].concat());
    workspace.succeed(&import);
    assert_eq!(workspace.value::<i64>("SELECT count(*) FROM checkpoints"), 2);
}
