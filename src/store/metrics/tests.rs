use super::*;
use crate::record::Slot;
use crate::store::{Rows, RunEnd, Value, sample};

/// Asserts that two figures are equal but for rounding.
fn assert_close(found: Option<f64>, expected: f64) {
    let found = found.unwrap();
    assert!((found - expected).abs() < 1e-9 * expected.abs().max(1.0), "{found} is not {expected}");
}

/// A real number of a row.
fn real(rows: &Rows, row: usize, column: &str) -> Option<f64> {
    match rows.get(row, column) {
        Some(Value::Real(number)) => Some(*number),
        _ => None,
    }
}

fn of_mode(metrics: &[ModeMetrics], mode: Mode) -> &ModeMetrics {
    metrics.iter().find(|metrics| metrics.mode == mode).unwrap()
}

#[test]
fn figures_of_the_seed_come_out_of_its_measurements() {
    let (_folder, mut store) = sample::store();
    store.import_adapter(&sample::adapter(10), &sample::model("draft")).unwrap();
    let run = store.begin_run(&sample::run(1)).unwrap();
    // 45.1, 62.3 and 71.8 tokens per second; 291 of 500 and 721 of 1000 tokens accepted.
    let base_rounds = [&[(1, 1); 291][..], &[(1, 0); 209]].concat();
    let lora_rounds = [&[(2, 2); 300][..], &[(2, 1); 121], &[(2, 0); 79]].concat();
    for (mode, num_tokens, seconds, rounds) in [
        (Mode::TargetOnly, 902, 20.0, &[][..]),
        (Mode::SpecBase, 1246, 20.0, &base_rounds),
        (Mode::SpecLora, 1436, 20.0, &lora_rounds),
    ] {
        let slot = sample::slot(0, mode, 0);
        let generation = sample::generation(slot, vec![1; num_tokens], seconds, rounds);
        store.record_generation(run, &generation).unwrap();
    }

    let metrics = store.mode_metrics(run).unwrap();
    let (base, lora) = (of_mode(&metrics, Mode::SpecBase), of_mode(&metrics, Mode::SpecLora));
    assert_close(of_mode(&metrics, Mode::TargetOnly).avg_tokens_per_second, 45.1);
    assert_close(base.avg_tokens_per_second, 62.3);
    assert_close(base.avg_acceptance_rate, 0.582);
    assert_close(lora.avg_acceptance_rate, 0.721);
    let two_digits = |value: Option<f64>| format!("{:.2}", value.unwrap());
    assert_eq!(two_digits(base.speedup), "1.38");
    assert_eq!(two_digits(lora.speedup), "1.59");
    assert_eq!(format!("{:+.1} %", 100.0 * lora.tokens_per_second_gain.unwrap()), "+15.2 %");
    assert_eq!(format!("{:+.1} pp", 100.0 * lora.acceptance_rate_gain.unwrap()), "+13.9 pp");
    assert_eq!((base.tokens_per_second_gain, base.acceptance_rate_gain), (None, None));
}

#[test]
fn mode_is_the_unweighted_mean_over_prompts_of_means_over_iterations() {
    let (_folder, mut store) = sample::store();
    let run = store.begin_run(&sample::run(4)).unwrap();
    let mut record = |prompt_index, iteration, num_tokens: u32, seconds, rounds: &[_]| {
        let slot = sample::slot(prompt_index, Mode::SpecBase, iteration);
        let generation = sample::generation(slot, (0..num_tokens).collect(), seconds, rounds);
        store.record_generation(run, &generation).unwrap();
    };
    // Prompt 0: 10 and 20 tokens per second, mean 15. Prompt 1: 40. Prompt 2: 20.
    record(0, 0, 10, 1.0, &[(4, 4), (4, 3)]);
    record(0, 1, 20, 1.0, &[(4, 1)]);
    record(1, 0, 20, 0.5, &[(2, 0), (2, 2)]);
    record(2, 0, 40, 2.0, &[(1, 1)]);
    // Prompt 3 failed, and a warm-up was slow: neither counts.
    store.record_generation(run, &sample::failure(sample::slot(3, Mode::SpecBase, 0), "full")).unwrap();
    let warmup = Slot { is_warmup: true, ..sample::slot(0, Mode::SpecBase, 0) };
    store.record_generation(run, &sample::generation(warmup, vec![1], 100.0, &[])).unwrap();

    let metrics = store.mode_metrics(run).unwrap();
    let [mode] = &metrics[..] else { panic!("{metrics:?}") };
    assert_eq!((mode.num_prompts, mode.num_generations, mode.num_failed, mode.total_tokens), (3, 5, 1, 90));
    assert_close(mode.avg_tokens_per_second, 25.0);
    assert_close(mode.min_tokens_per_second, 15.0);
    assert_close(mode.median_tokens_per_second, 20.0);
    assert_close(mode.max_tokens_per_second, 40.0);
    assert_close(mode.avg_time_to_last_token, 3.5 / 3.0);
    assert_close(mode.median_time_to_last_token, 1.0);
    assert_close(mode.avg_time_to_first_token, 0.35 / 3.0);
    assert_close(
        mode.avg_decode_tokens_per_second,
        ((9.0 + 19.0) / 0.9 / 2.0 + 19.0 / 0.45 + 39.0 / 1.8) / 3.0,
    );
    // Prompt 0: 7/8 and 1/4, mean 9/16. Prompt 1: 2/4. Prompt 2: 1. Pooled: 11 of 17, and 17 emitted in 6 rounds.
    assert_close(mode.avg_acceptance_rate, (0.5625 + 0.5 + 1.0) / 3.0);
    assert_close(mode.median_acceptance_rate, 0.5625);
    assert_close(mode.acceptance_rate, 11.0 / 17.0);
    assert_close(mode.mean_acceptance_length, 17.0 / 6.0);
    assert_eq!((mode.speedup, mode.num_compared), (None, 0), "there is no target_only");
}

#[test]
fn what_cannot_exist_is_none() {
    let (_folder, mut store) = sample::store();
    let run = store.begin_run(&sample::run(2)).unwrap();
    // One token has no decode speed, target_only no acceptance; a mode that only failed has nothing.
    let one_token = sample::generation(sample::slot(0, Mode::TargetOnly, 0), vec![1], 1.0, &[]);
    store.record_generation(run, &one_token).unwrap();
    store.record_generation(run, &sample::failure(sample::slot(0, Mode::SpecBase, 0), "full")).unwrap();

    let metrics = store.mode_metrics(run).unwrap();
    let target = of_mode(&metrics, Mode::TargetOnly);
    assert_close(target.avg_tokens_per_second, 1.0);
    assert_eq!((target.avg_decode_tokens_per_second, target.avg_acceptance_rate), (None, None));
    assert_eq!((target.acceptance_rate, target.mean_acceptance_length), (None, None));
    let base = of_mode(&metrics, Mode::SpecBase);
    assert_eq!((base.num_prompts, base.num_failed, base.total_tokens), (0, 1, 0));
    assert_eq!((base.avg_tokens_per_second, base.median_tokens_per_second, base.speedup), (None, None, None));
    for name in ["prompt_speedups", "acceptance_by_position"] {
        assert!(store.query(name, &[(":run_id", run.into())]).unwrap().rows.is_empty(), "{name}");
    }
}

#[test]
fn paired_speedup_is_that_of_time_per_output_token() {
    let (_folder, mut store) = sample::store();
    let run = store.begin_run(&sample::run(2)).unwrap();
    for (prompt_index, mode, seconds) in [
        (0, Mode::TargetOnly, 3.0),
        (0, Mode::SpecBase, 2.0),
        (1, Mode::TargetOnly, 1.0),
        (0, Mode::Control, 3.0),
    ] {
        let generation = sample::generation(sample::slot(prompt_index, mode, 0), vec![1; 10], seconds, &[]);
        store.record_generation(run, &generation).unwrap();
    }
    let speedups = store.query("prompt_speedups", &[(":run_id", run.into())]).unwrap();
    assert_eq!(speedups.rows.len(), 2, "prompt 1 has no pair");
    assert_eq!(speedups.get(0, "mode"), Some(&"spec_base".into()));
    assert_eq!(speedups.get(1, "mode"), Some(&"control".into()));
    assert_close(real(&speedups, 0, "speedup"), 1.5);
    assert_close(real(&speedups, 0, "target_time_per_output_token"), 0.3);
    assert_close(real(&speedups, 1, "speedup"), 1.0);
}

#[test]
fn output_is_lossless_where_a_greedy_run_gave_the_tokens_of_target_only() {
    for (temperature, expected) in [(0.0, [Some(false), Some(true)]), (0.5, [None, None])] {
        let (_folder, mut store) = sample::store();
        let mut new = sample::run(2);
        new.settings = vec![sample::setting("temperature", temperature.into())];
        let run = store.begin_run(&new).unwrap();
        for (prompt_index, iteration, token) in [(0, 0, 5), (0, 1, 6), (1, 0, 5), (1, 1, 5)] {
            for (mode, token) in [(Mode::TargetOnly, 5), (Mode::SpecBase, token)] {
                let slot = sample::slot(prompt_index, mode, iteration);
                store.record_generation(run, &sample::generation(slot, vec![1, token], 1.0, &[])).unwrap();
            }
        }
        let of_prompts = store.prompt_metrics(run).unwrap();
        let verdicts = |mode| {
            let rows = of_prompts.iter().filter(move |row| row.mode == mode);
            rows.map(|row| row.is_lossless).collect::<Vec<_>>()
        };
        assert_eq!(verdicts(Mode::SpecBase), expected);
        assert_eq!(verdicts(Mode::TargetOnly), [None, None]);
        let metrics = store.mode_metrics(run).unwrap();
        let mode = of_mode(&metrics, Mode::SpecBase);
        let num_compared = expected.iter().flatten().count() as u64;
        assert_eq!((mode.num_compared, mode.num_lossless), (num_compared, num_compared / 2));
    }
}

#[test]
fn acceptance_by_position_counts_the_rounds_that_reached_it() {
    let (_folder, mut store) = sample::store();
    let run = store.begin_run(&sample::run(1)).unwrap();
    let rounds = [(3, 3), (3, 1), (3, 0), (3, 1), (1, 1)];
    let slot = sample::slot(0, Mode::SpecBase, 0);
    store.record_generation(run, &sample::generation(slot, vec![1; 20], 1.0, &rounds)).unwrap();
    let expected = [
        // Place, proposed, accepted, of those that accepted all before.
        (1, 5, 4, 4.0 / 5.0),
        (2, 4, 1, 1.0 / 3.0),
        (3, 4, 1, 1.0),
    ];
    let found = store.query("acceptance_by_position", &[(":run_id", run.into())]).unwrap();
    assert_eq!(found.rows.len(), expected.len());
    for (row, (position, num_proposed, num_accepted, conditional)) in expected.into_iter().enumerate() {
        for (column, value) in
            [("position", position), ("num_proposed", num_proposed), ("num_accepted", num_accepted)]
        {
            assert_eq!(found.get(row, column), Some(&Value::Integer(value)), "{column} of row {row}");
        }
        assert_close(real(&found, row, "acceptance_rate"), num_accepted as f64 / num_proposed as f64);
        assert_close(real(&found, row, "conditional_acceptance_rate"), conditional);
    }
}

#[test]
fn every_generation_recorded_is_in_the_figures_at_once() {
    let (_folder, mut store) = sample::store();
    let run = store.begin_run(&sample::run(2)).unwrap();
    for index in 0..2 {
        let slot = sample::slot(index, Mode::TargetOnly, 0);
        store.record_generation(run, &sample::generation(slot, vec![1, 2], 1.0, &[])).unwrap();
        assert_eq!(store.mode_metrics(run).unwrap()[0].num_prompts, u64::from(index) + 1);
    }
    store.finish_run(run, &RunEnd::Completed).unwrap();
}
