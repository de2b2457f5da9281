//! Adapters: what is written is what peft reads, and `speclora adapters` as a user runs it.

use std::fs;

use speclora::engine::adapter::{Adapter, LoraWeights, PeftExport, read_peft_folder, write_peft_folder};
use speclora::engine::config::Module;
use speclora::engine::cpu::{CpuModel, LoadOptions};
use speclora::engine::decoder::DecoderOptions;
use speclora::engine::files::ModelFiles;

use crate::engine::{expected, largest_difference, logits};
use crate::fixture;

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
    Adapter { layers: layers.collect() }
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
