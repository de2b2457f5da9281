use serde_json::Value;

use super::*;
use crate::compare::{Gate, Leakage, Side, compare, differences, sample};
use crate::record::Mode;

/// Two runs of the published summary, the second a tenth faster where it speculates.
fn runs(num_prompts: u32) -> [Run; 2] {
    let faster = sample::PUBLISHED.map(|(mode, speed, rate)| match mode {
        Mode::TargetOnly => (mode, speed, rate),
        _ => (mode, 1.1 * speed, rate + 0.05),
    });
    let first =
        Run { name: Some("before".to_owned()), ..sample::measured(12, num_prompts, &sample::PUBLISHED) };
    let mut second = sample::measured(15, num_prompts, &faster[..2]);
    second.settings.insert("num_draft_tokens".to_owned(), 8.into());
    [first, second]
}

/// Renders the comparison of the second run with the first.
fn rendered(runs: &[Run; 2], format: Format) -> String {
    let [first, second] = runs;
    let comparison = compare(&[Side { run: first, mode: None }, Side { run: second, mode: None }]).unwrap();
    let gate: Gate = "spec_base.tokens_per_second<-2%".parse().unwrap();
    let report = ComparisonReport {
        runs: vec![first, second],
        comparison: &comparison,
        differences: differences(&[first, second]),
        ignored: vec![],
        gates: gate.judge(&comparison),
    };
    report.render(format, UNWRAPPED)
}

/// A width at which no sentence is wrapped.
const UNWRAPPED: usize = 10_000;

#[test]
fn table_of_a_mode_shows_values_change_and_certainty() {
    let text = rendered(&runs(8), Format::Table);
    let expected = "
spec_base: run 15 against run 12 (before), 8 prompts
    Metric          Run 12  Run 15   Change   95 % interval  p (Holm)  Prompts  Better/same/worse
──────────────────────────────────────────────────────────────────────────────────────────────────
 +  Tok/s             62.3    68.5   +10.0%";
    assert!(text.contains(expected), "{text}");
    for part in [
        "target_only: run 15 against run 12 (before), 8 prompts: cannot be told from chance or noise, Tok/s +0.0%",
        "\nspec_base: run 15 against run 12 (before), 8 prompts: faster, Tok/s +10.0% (+10.0 to +10.0)\n",
        "\nnum_draft_tokens differs: the more is drafted, the lower is acceptance",
        "\nDifferences\n",
        " num_draft_tokens  4       8\n",
        " +  Acceptance       58.2%   63.2%  +5.0 pp    +5.0 to +5.0     0.033 ",
        " ~  Tok/s           45.2    45.2   +0.0%   +0.0 to +0.0         —        8              0/8/0",
        "\nNot compared: spec_lora, which has a result in run 12 alone\n",
        "\nLossless (prompts whose output equals target_only's): 12:spec_base 8 of 8, 15:spec_base 8 of 8\n",
        "\nSame output (prompts where it is the baseline's): 15:target_only 8 of 8, 15:spec_base 8 of 8\n",
        "\nOrder: run 12, run 15: the modes of a prompt back to back, always in the same order\n",
        "\nMeasured: run 12 from 2026-08-01 12:00 to 12:00 UTC, mean load 0.5; run 15 from ",
        "\ngate 'spec_base.tokens_per_second<-2%' passed: tokens_per_second of 15:spec_base changed by +10.0% ",
        " spec_base, run 15         1     58.2%     63.2%  +5.0 pp\n",
    ] {
        assert!(text.contains(part), "{part:?} is not in {text}");
    }
    let widest = text.lines().filter(|line| line.starts_with(' ')).map(|line| line.chars().count()).max();
    assert!(widest <= Some(110), "{widest:?}");
}

#[test]
fn few_prompts_are_said_to_be_few_and_have_no_mark() {
    let text = rendered(&runs(5), Format::Table);
    assert!(
        text.contains(
            "target_only: run 15 against run 12 (before), 5 prompts: too few prompts to tell, Tok/s +0.0%\n"
        ),
        "{text}"
    );
    assert!(
        text.contains("\nFewer than 6 prompts: no interval can be trusted, and no mark is given\n"),
        "{text}"
    );
    assert!(
        text.contains(
            "    Tok/s             62.3    68.5   +10.0%              —         —        5              5/0/0"
        ),
        "{text}"
    );
}

#[test]
fn what_may_mislead_is_said() {
    let mut runs = runs(8);
    runs[0].leakage =
        Some(Leakage { checkpoint_id: 3, is_trained_here: true, num_trained: 2, num_held_out: 0 });
    runs[1].state = "crashed".to_owned();
    runs[1].num_planned_generations = 99;
    runs[1].facts[1].1 = "Another CPU".into();
    runs[1].generations[1].has_failed = true;
    let text = rendered(&runs, Format::Table);
    for part in [
        "\nRun 15 is crashed: 16 of 99 generations\n",
        "\n1 generation of run 15 failed (speclora runs show 15 says why)\n",
        "\nRun 12 and run 15 were measured on different machines",
        "\nLeft out, having a result in 12:spec_base alone: 1 prompt: p0\n",
    ] {
        assert!(text.contains(part), "{part:?} is not in {text}");
    }
    assert!(!text.contains("Leakage"), "the adapter takes no part where spec_lora is not compared: {text}");
    let lora = Side { run: &runs[0], mode: Some(Mode::SpecLora) };
    let comparison = compare(&[Side { run: &runs[0], mode: Some(Mode::SpecBase) }, lora]).unwrap();
    let report = ComparisonReport {
        runs: vec![&runs[0]],
        comparison: &comparison,
        differences: vec![],
        ignored: vec!["max_tokens is 1, then 2".to_owned()],
        gates: vec![],
    };
    let cautions = report.cautions();
    assert_eq!(cautions[0], "Not comparable, compared all the same (--force): max_tokens is 1, then 2");
    assert!(
        cautions[1].starts_with("Leakage: adapter 3 of run 12 was trained on 2 of its 8 prompts"),
        "{cautions:?}"
    );
    let text = report.render(Format::Md, UNWRAPPED);
    assert!(text.contains("### spec_lora against spec_base in run 12 (before), 8 prompts\n\n|   | Metric | spec_base | spec_lora |"), "{text}");
    assert!(text.contains("\n- Leakage: ") && !text.contains("Measured:"), "{text}");
}

#[test]
fn too_few_prompts_for_any_mark_are_said() {
    let check = |num_prompts: u32, expected: Option<&str>| {
        let [first, mut second] = runs(num_prompts);
        // No two prompts change alike, so that p is exact.
        for generation in second.generations.iter_mut().filter(|generation| generation.mode == Mode::SpecBase)
        {
            let factor = 1.0 + 0.001 * f64::from(generation.prompt_index);
            for figure in [
                &mut generation.tokens_per_second,
                &mut generation.decode_tokens_per_second,
                &mut generation.time_per_output_token,
                &mut generation.time_to_first_token,
                &mut generation.time_to_last_token,
                &mut generation.acceptance_rate,
                &mut generation.num_emitted,
            ] {
                *figure = figure.map(|figure| factor * figure);
            }
        }
        let sides = [&first, &second].map(|run| Side { run, mode: Some(Mode::SpecBase) });
        let comparison = compare(&sides).unwrap();
        let runs = vec![&first, &second];
        let report = ComparisonReport {
            runs,
            comparison: &comparison,
            differences: vec![],
            ignored: vec![],
            gates: vec![],
        };
        let found = report.cautions().into_iter().find(|caution| caution.contains("too few for"));
        assert_eq!(found.as_deref(), expected, "{num_prompts} prompts");
    };
    check(
        8,
        Some(
            "8 prompts are too few for 7 tests: even a change of all of them leaves p (Holm) above 0.05, and every mark is ~ \
             (take 9 prompts or more)",
        ),
    );
    check(9, None);
}

#[test]
fn drift_of_the_target_alone_is_said() {
    let slower = sample::PUBLISHED.map(|(mode, speed, rate)| (mode, 0.5 * speed, rate));
    let [first, second] =
        [(12, sample::PUBLISHED), (15, slower)].map(|(id, modes)| sample::measured(id, 12, &modes));
    let drift = |first: Side<'_>, second: Side<'_>| {
        let comparison = compare(&[first, second]).unwrap();
        let runs = vec![first.run, second.run];
        let report = ComparisonReport {
            runs,
            comparison: &comparison,
            differences: vec![],
            ignored: vec![],
            gates: vec![],
        };
        report.cautions().into_iter().find(|caution| caution.starts_with("target_only itself"))
    };
    let side = |run, mode| Side { run, mode };
    let found = drift(side(&first, None), side(&second, None)).unwrap();
    assert!(found.starts_with("target_only itself changed by -50.0% from run 12 to run 15:"), "{found}");
    assert_eq!(drift(side(&first, Some(Mode::SpecBase)), side(&second, None)), None, "it takes no part");
    assert_eq!(drift(side(&first, None), side(&sample::measured(16, 12, &sample::PUBLISHED), None)), None);
}

#[test]
fn sentences_are_wrapped_to_the_width_and_tables_are_not() {
    let [first, second] = runs(8);
    let comparison = compare(&[Side { run: &first, mode: None }, Side { run: &second, mode: None }]).unwrap();
    let differences = differences(&[&first, &second]);
    let report = ComparisonReport {
        runs: vec![&first, &second],
        comparison: &comparison,
        differences,
        ignored: vec![],
        gates: vec![],
    };
    let wrapped = report.render(Format::Table, 80);
    let (tables, sentences): (Vec<&str>, Vec<&str>) = wrapped
        .lines()
        .partition(|line| line.starts_with(' ') && (!line.starts_with("  ") || line.starts_with("   ")));
    assert!(!tables.is_empty());
    assert!(sentences.iter().all(|line| line.chars().count() <= 80 || line.starts_with('─')), "{wrapped}");
    let words = |text: &str| text.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
    assert_eq!(words(&wrapped), words(&report.render(Format::Table, UNWRAPPED)), "nothing is lost");
}

#[test]
fn programs_get_one_row_a_metric_and_mode_in_full_precision() {
    let csv = rendered(&runs(8), Format::Csv);
    let mut lines = csv.lines();
    let heading = lines.next().unwrap();
    assert!(heading.starts_with("baseline_run_id,baseline_mode,run_id,mode,metric,unit,"), "{heading}");
    // Four metrics of target_only; three more of spec_base.
    assert_eq!(lines.count(), 4 + 7);
    assert!(
        csv.contains("\n12,spec_base,15,spec_base,acceptance_rate,ratio,1,8,0.582,0.632,points,0.05"),
        "{csv}"
    );
    let json: Value = serde_json::from_str(&rendered(&runs(8), Format::Json)).unwrap();
    let metrics = &json["contrasts"][1]["metrics"];
    assert_eq!(metrics[0]["metric"], "tokens_per_second");
    assert_eq!((&metrics[0]["verdict"], &metrics[0]["num_better"]), (&"better".into(), &8.into()));
    assert_eq!(json["differences"][0]["values"], serde_json::json!([4, 8]));
    assert_eq!(json["gates"][0]["outcome"], "passed");
    assert_eq!(json["runs"][0]["execution_order"], "interleaved");
    let lines = rendered(&runs(5), Format::Jsonl);
    let row: Value = serde_json::from_str(lines.lines().next().unwrap()).unwrap();
    assert_eq!([&row["change_low"], &row["p_value"], &row["verdict"]], [&Value::Null; 3]);
}
