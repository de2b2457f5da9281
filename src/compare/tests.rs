//! Small tables in, rows and verdicts out.

use serde_json::json;

use super::contrast::{Comparison, Contrast};
use super::order::{ExecutionOrder, execution_order};
use super::rows::{MetricRow, Verdict};
use super::run::{Generation, Run};
use super::sample::{PUBLISHED, bare, generation, measured, run};
use super::*;
use crate::record::{Mode, Role, RunKind};

fn all(run: &Run) -> Side<'_> {
    Side { run, mode: None }
}

fn of(run: &Run, mode: Mode) -> Side<'_> {
    Side { run, mode: Some(mode) }
}

fn row(contrast: &Contrast, metric: Metric) -> &MetricRow {
    contrast.rows.iter().find(|row| row.metric == metric).unwrap()
}

fn only(comparison: &Comparison) -> &Contrast {
    let [contrast] = &comparison.contrasts[..] else { panic!("{} contrasts", comparison.contrasts.len()) };
    contrast
}

#[test]
fn seed_sample_gives_its_printed_digits() {
    let run = measured(12, 8, &PUBLISHED);
    let comparison = compare(&[of(&run, Mode::SpecBase), of(&run, Mode::SpecLora)]).unwrap();
    let contrast = only(&comparison);
    let speed = row(contrast, Metric::TokensPerSecond);
    assert_eq!(format!("{:.1} {:.1}", speed.baseline_value.unwrap(), speed.value.unwrap()), "62.3 71.8");
    assert_eq!(Change::Relative.shown(speed.change.unwrap()), "+15.2%");
    let acceptance = row(contrast, Metric::AcceptanceRate);
    assert_eq!(Change::Points.shown(acceptance.change.unwrap()), "+13.9 pp");
    let speedup = row(contrast, Metric::Speedup);
    assert_eq!(format!("{:.2} {:.2}", speedup.baseline_value.unwrap(), speedup.value.unwrap()), "1.38 1.59");
    for metric in [Metric::TokensPerSecond, Metric::AcceptanceRate, Metric::TimeToLastToken] {
        let row = row(contrast, metric);
        assert_eq!(
            (row.num_prompts, row.num_better, row.verdict()),
            (8, 8, Some(Verdict::Better)),
            "{metric}"
        );
    }
    assert_eq!(contrast.positions.len(), 1);
    assert_eq!(
        (contrast.worst.len(), contrast.equal_outputs),
        (0, Some(EqualOutputs { num_compared: 8, num_equal: 8 }))
    );
}

#[test]
fn modes_that_both_runs_have_are_compared_and_others_named() {
    let (first, second) = (measured(1, 6, &PUBLISHED), measured(2, 6, &PUBLISHED[..2]));
    let comparison = compare(&[all(&first), all(&second)]).unwrap();
    let modes: Vec<Mode> = comparison.contrasts.iter().map(|contrast| contrast.other.name.mode).collect();
    assert_eq!(modes, [Mode::TargetOnly, Mode::SpecBase]);
    let unshared: Vec<String> = comparison.unshared_modes.iter().map(ToString::to_string).collect();
    assert_eq!(unshared, ["1:spec_lora"]);

    let comparison = compare(&[of(&first, Mode::SpecLora), of(&second, Mode::SpecBase)]).unwrap();
    assert_eq!(only(&comparison).other.name.to_string(), "2:spec_base");
    let comparison = compare(&[of(&first, Mode::SpecBase), all(&second)]).unwrap();
    assert_eq!(only(&comparison).other.name.to_string(), "2:spec_base", "a mode named once is meant twice");
    let third = measured(3, 6, &PUBLISHED[..1]);
    let comparison = compare(&[all(&first), all(&second), all(&third)]).unwrap();
    assert_eq!(comparison.contrasts.len(), 3, "the first stands against each other");
}

#[track_caller]
fn check_refused(sides: &[Side<'_>], part: &str) {
    let message = compare(sides).unwrap_err().to_string();
    assert!(message.contains(part), "\"{part}\" is not in {message}");
}

#[test]
fn sides_with_nothing_to_compare_are_refused() {
    let (whole, part) = (measured(1, 6, &PUBLISHED), measured(2, 6, &PUBLISHED[2..]));
    check_refused(&[all(&whole), all(&whole)], "run 1 is named twice");
    check_refused(&[of(&whole, Mode::SpecBase), of(&whole, Mode::SpecBase)], "1:spec_base is named twice");
    let missing = "run 2 has no result in spec_base (it has spec_lora;";
    check_refused(&[of(&whole, Mode::SpecBase), of(&part, Mode::SpecBase)], missing);
    let target = measured(3, 6, &PUBLISHED[..1]);
    check_refused(
        &[all(&target), all(&part)],
        "no mode is in both (name one of each, like 3:target_only 2:spec_lora)",
    );
    let kind = |kind| Run { kind, ..measured(4, 6, &PUBLISHED) };
    check_refused(&[all(&whole), all(&kind(RunKind::Train))], "run 4 trained an adapter");
    check_refused(&[all(&kind(RunKind::Evaluate)), all(&whole)], "run 4 is an evaluation");
    let mut failed = measured(5, 2, &PUBLISHED[..1]);
    failed.generations.iter_mut().for_each(|generation| generation.has_failed = true);
    check_refused(
        &[all(&whole), all(&failed)],
        "run 5 has no generation with a result (completed, 2 failed;",
    );
    check_refused(&[all(&whole), all(&run(6, 2))], "run 6 has no generation with a result");
}

#[test]
fn iterations_count_by_their_median_and_tau_by_its_sums() {
    let speeds = |id, speeds: &[f64]| {
        let iteration = |(iteration, speed): (u32, &f64)| Generation {
            iteration,
            num_emitted: Some(*speed),
            num_rounds: Some(10.0),
            ..generation(0, Mode::SpecBase, *speed, 0.5)
        };
        Run { generations: (0..).zip(speeds).map(iteration).collect(), ..run(id, 1) }
    };
    let (first, second) = (speeds(1, &[10.0, 20.0, 90.0]), speeds(2, &[40.0, 20.0]));
    let comparison = compare(&[all(&first), all(&second)]).unwrap();
    let speed = row(only(&comparison), Metric::TokensPerSecond);
    assert_eq!((speed.baseline_value, speed.value, speed.change), (Some(20.0), Some(30.0), Some(0.5)));
    let tau = row(only(&comparison), Metric::MeanAcceptanceLength);
    assert_eq!((tau.baseline_value, tau.value, tau.change), (Some(4.0), Some(3.0), Some(-0.25)));
    assert_eq!(
        (speed.interval, speed.p_value, speed.verdict()),
        (None, None, None),
        "one prompt tells nothing"
    );
    assert_eq!((speed.num_better, speed.num_same, speed.num_worse), (1, 0, 0));
}

#[test]
fn prompts_are_paired_by_text_and_what_one_side_lacks_is_named() {
    let first = measured(1, 8, &PUBLISHED[..1]);
    let mut second = measured(2, 8, &PUBLISHED[..1]);
    // The same prompts in another order, one of them failed, one not in the first.
    second.prompts.reverse();
    second.prompts.iter_mut().zip(0..).for_each(|(prompt, place)| prompt.prompt_index = place);
    second.generations[3].has_failed = true;
    second.prompts[5].sha256 = "another".to_owned();
    second.prompts[5].external_id = None;
    second.prompts[5].text = "a text\n of its own".repeat(9);
    let comparison = compare(&[all(&first), all(&second)]).unwrap();
    let contrast = only(&comparison);
    assert_eq!(contrast.num_prompts, 6);
    assert_eq!(contrast.baseline.unpaired, ["p2", "p4"]);
    assert_eq!(contrast.other.unpaired, ["a text of its owna text of its owna text of its…"]);
    let speed = row(contrast, Metric::TokensPerSecond);
    assert_eq!((speed.num_prompts, speed.num_better, speed.num_same, speed.num_worse), (6, 3, 0, 3));
    let slowest: Vec<&str> = contrast.worst.iter().map(|prompt| prompt.prompt.as_str()).collect();
    assert_eq!(slowest, ["p7", "p6", "p5"]);
    let problems = incomparable(&first, &second);
    assert_eq!(problems, ["the prompts differ: 7 in both, 1 in run 1 alone, 1 in run 2 alone"]);
}

#[test]
fn text_that_comes_twice_is_paired_occurrence_by_occurrence() {
    let mut twice = measured(1, 2, &PUBLISHED[..1]);
    twice.prompts[1].sha256 = twice.prompts[0].sha256.clone();
    let again = Run { id: crate::record::RunId(2), ..twice.clone() };
    let comparison = compare(&[all(&twice), all(&again)]).unwrap();
    assert_eq!(only(&comparison).num_prompts, 2);
    assert_eq!(row(only(&comparison), Metric::TokensPerSecond).change, Some(0.0));
}

#[test]
fn what_cannot_exist_is_no_row_or_no_value() {
    let mut first = measured(1, 6, &PUBLISHED);
    first.generations.iter_mut().for_each(|g| g.decode_tokens_per_second = None);
    first.generations.iter_mut().for_each(|g| g.time_per_output_token = Some(f64::NAN));
    let comparison = compare(&[of(&first, Mode::TargetOnly), of(&first, Mode::SpecBase)]).unwrap();
    let contrast = only(&comparison);
    let metrics: Vec<Metric> = contrast.rows.iter().map(|row| row.metric).collect();
    assert!(
        !metrics.contains(&Metric::DecodeTokensPerSecond) && !metrics.contains(&Metric::Speedup),
        "{metrics:?}"
    );
    let acceptance = row(contrast, Metric::AcceptanceRate);
    assert_eq!((acceptance.baseline_value, acceptance.num_prompts, acceptance.change), (None, 0, None));
    assert!((acceptance.value.unwrap() - 0.582).abs() < 1e-12);
    assert_eq!(acceptance.verdict(), None);
}

#[test]
fn equal_runs_are_unclear_and_no_test_says_otherwise() {
    let (first, second) = (measured(1, 9, &PUBLISHED), measured(2, 9, &PUBLISHED));
    let comparison = compare(&[all(&first), all(&second)]).unwrap();
    for row in comparison.contrasts.iter().flat_map(|contrast| &contrast.rows) {
        assert_eq!((row.change, row.p_value, row.num_same), (Some(0.0), None, 9), "{}", row.metric);
        assert_eq!(row.verdict(), Some(Verdict::Unclear));
    }
}

#[test]
fn p_values_are_corrected_over_all_rows_that_are_shown() {
    let faster = PUBLISHED.map(|(mode, speed, rate)| (mode, 1.1 * speed, rate));
    let (first, second) = (measured(1, 8, &PUBLISHED), measured(2, 8, &faster));
    let one = compare(&[of(&first, Mode::SpecBase), all(&second)]).unwrap();
    let three = compare(&[all(&first), all(&second)]).unwrap();
    let corrected = |comparison: &Comparison| {
        let contrast = comparison.contrasts.iter().find(|c| c.other.name.mode == Mode::SpecBase).unwrap();
        let row = row(contrast, Metric::TokensPerSecond);
        // Of eight differences all are positive: 2 / 2⁸.
        assert_eq!(row.p_value, Some(0.0078125));
        row.corrected_p_value.unwrap()
    };
    // Tokens, decode, first and last token differ in one mode; the acceptance and the speedup do not.
    assert!((corrected(&one) - 4.0 * 0.0078125).abs() < 1e-9 || corrected(&one) > 4.0 * 0.0078125);
    assert!(corrected(&three) > 2.0 * corrected(&one));
}

#[test]
fn change_within_the_noise_of_the_control_is_unclear() {
    let with_control = |id, factor: f64, noise: f64| {
        let modes = [(Mode::TargetOnly, 50.0 * factor, 0.0), (Mode::Control, 50.0 * factor * noise, 0.0)];
        measured(id, 8, &modes)
    };
    let (first, second) = (with_control(1, 1.0, 1.04), with_control(2, 1.03, 1.0));
    let comparison = compare(&[of(&first, Mode::TargetOnly), all(&second)]).unwrap();
    let speed = row(only(&comparison), Metric::TokensPerSecond);
    assert!((speed.noise_floor.unwrap() - 0.04).abs() < 1e-9, "{speed:?}");
    assert_eq!((speed.is_within_noise(), speed.verdict()), (Some(true), Some(Verdict::Unclear)));
    let faster = with_control(3, 1.1, 1.0);
    let comparison = compare(&[of(&first, Mode::TargetOnly), all(&faster)]).unwrap();
    let speed = row(only(&comparison), Metric::TokensPerSecond);
    assert_eq!((speed.is_within_noise(), speed.verdict()), (Some(false), Some(Verdict::Better)));
    assert!(
        comparison.noise_floors.iter().any(|floor| floor.metric == Metric::Speedup && floor.num_prompts == 8)
    );
    assert!(comparison.noise_floors.iter().all(|floor| floor.metric.is_timed()));
}

#[test]
fn slower_is_worse_also_where_a_time_grows() {
    let slower = PUBLISHED.map(|(mode, speed, rate)| (mode, 0.8 * speed, rate - 0.1));
    let (first, second) = (measured(1, 8, &PUBLISHED), measured(2, 8, &slower));
    let comparison = compare(&[of(&first, Mode::SpecBase), all(&second)]).unwrap();
    for metric in [Metric::TokensPerSecond, Metric::TimeToFirstToken, Metric::AcceptanceRate] {
        let row = row(only(&comparison), metric);
        assert_eq!((row.num_worse, row.verdict()), (8, Some(Verdict::Worse)), "{metric}");
    }
    assert_eq!(only(&comparison).worst.len(), 5, "the worst are named, not all");
}

/// Whether a gate passes a run that is a tenth slower, with no spread at all.
#[track_caller]
fn check_gate(gate: &str, expected: &[GateOutcome]) {
    let slower = PUBLISHED.map(|(mode, speed, rate)| (mode, 0.9 * speed, rate - 0.02));
    let (first, second) = (measured(1, 8, &PUBLISHED), measured(2, 8, &slower));
    let comparison = compare(&[all(&first), all(&second)]).unwrap();
    let results = gate.parse::<Gate>().unwrap().judge(&comparison);
    let outcomes: Vec<GateOutcome> = results.iter().map(|result| result.outcome).collect();
    assert_eq!(outcomes, expected, "{gate}");
}

#[test]
fn gate_fails_where_the_whole_interval_is_beyond_the_threshold() {
    use GateOutcome::{Failed, Passed};
    check_gate("tokens_per_second<-2%", &[Failed, Failed, Failed]);
    check_gate("spec_lora.tokens_per_second < -2%", &[Failed]);
    check_gate("tokens_per_second<-12%", &[Passed, Passed, Passed]);
    check_gate("time_to_last_token>+5%", &[Failed, Failed, Failed]);
    check_gate("time_to_last_token>20%", &[Passed, Passed, Passed]);
    check_gate("acceptance_rate<-1pp", &[Failed, Failed]);
    check_gate("spec_base.acceptance_rate<-2.5pp", &[Passed]);
    check_gate("control.decode_speedup<0%", &[]);
}

#[test]
fn gate_is_inconclusive_where_the_threshold_is_inside_the_interval_or_there_is_none() {
    let mut noisy = measured(2, 8, &PUBLISHED[..1]);
    noisy.generations.iter_mut().zip(0..).for_each(|(generation, index)| {
        let factor = if index % 2 == 0 { 0.7 } else { 1.2 };
        generation.tokens_per_second = generation.tokens_per_second.map(|speed| factor * speed);
    });
    let gate: Gate = "tokens_per_second<-2%".parse().unwrap();
    let comparison = compare(&[all(&measured(1, 8, &PUBLISHED[..1])), all(&noisy)]).unwrap();
    assert_eq!(gate.judge(&comparison)[0].outcome, GateOutcome::Inconclusive);
    let few =
        compare(&[all(&measured(1, 5, &PUBLISHED[..1])), all(&measured(2, 5, &PUBLISHED[..1]))]).unwrap();
    let result = &gate.judge(&few)[0];
    assert_eq!((result.outcome, result.interval), (GateOutcome::Inconclusive, None));
    assert_eq!(
        result.to_string(),
        "gate 'tokens_per_second<-2%' inconclusive: tokens_per_second of 2:target_only changed by +0.0% (no interval)"
    );
}

#[test]
fn gate_says_what_it_does_not_understand() {
    let check = |gate: &str, part: &str| {
        let message = gate.parse::<Gate>().unwrap_err();
        assert!(message.contains(part), "{message}");
    };
    for gate in [
        "",
        "tokens_per_second",
        "tokens_per_second=2%",
        "tokens_per_second<-2",
        "tokens_per_second<%",
        "tokens_per_second<two%",
        "tokens_per_second<nan%",
        "tokens_per_second<=2%",
    ] {
        check(gate, "must be a metric, < or >, and a change with its unit, like tokens_per_second<-2%");
    }
    check("tok/s<-2%", "metric must be one of tokens_per_second,");
    check("spec.tokens_per_second<-2%", "mode must be one of target_only,");
    check("acceptance_rate<-2%", "changes of acceptance_rate are in pp: write acceptance_rate<-2pp");
    check("decode_speedup>2pp", "changes of decode_speedup are in %: write decode_speedup>2%");
}

#[test]
fn runs_about_other_things_are_not_comparable() {
    let base = measured(1, 6, &PUBLISHED);
    let check = |change: fn(&mut Run), expected: &[&str]| {
        let mut other = Run { id: crate::record::RunId(2), ..base.clone() };
        change(&mut other);
        assert_eq!(incomparable(&base, &other), expected);
    };
    check(|_| {}, &[]);
    check(
        |run| drop(run.settings.insert("max_tokens".into(), json!(64))),
        &["max_tokens is 256 in run 1, 64 in run 2"],
    );
    check(|run| drop(run.settings.insert("temperature".into(), json!(0))), &[]);
    check(
        |run| drop(run.settings.insert("system_prompt".into(), json!("be brief"))),
        &["system_prompt is null in run 1, \"be brief\" in run 2"],
    );
    check(|run| drop(run.settings.insert("top_p".into(), json!(0.9))), &[]);
    check(
        |run| {
            run.settings.insert("top_p".into(), json!(0.9));
            run.settings.insert("temperature".into(), json!(0.7));
        },
        &["temperature is 0.0 in run 1, 0.7 in run 2", "top_p is null in run 1, 0.9 in run 2"],
    );
    check(|run| drop(run.settings.insert("num_draft_tokens".into(), json!(8))), &[]);
    check(|run| run.models.retain(|model| model.role == Role::Target), &[]);
    let mut other = base.clone();
    other.models[0].sha256 = "ab".to_owned();
    assert!(incomparable(&base, &other)[0].starts_with("the target is target (SHA-256 "));
    other.models[0].sha256.clone_from(&base.models[0].sha256);
    other.models[0].tokenizer_sha256 = "ab".to_owned();
    let [reason] = &incomparable(&base, &other)[..] else { panic!("one reason") };
    assert!(reason.starts_with("the tokenizer's SHA-256 is ") && reason.ends_with(", then ab"), "{reason}");
}

#[test]
fn what_differs_is_listed_settings_first() {
    let base = measured(1, 6, &PUBLISHED);
    let mut other = measured(2, 6, &PUBLISHED);
    other.settings.insert("num_draft_tokens".into(), json!(8));
    other.settings.insert("db".into(), json!("elsewhere.db"));
    other.settings.insert("max_tokens".into(), json!(256.0));
    other.facts[0].1 = json!("crate");
    let keys: Vec<_> = differences(&[&base, &other]).into_iter().map(|d| (d.key, d.values)).collect();
    let expected = [
        ("num_draft_tokens".to_owned(), vec![json!(4), json!(8)]),
        ("hostname".to_owned(), vec![json!("box"), json!("crate")]),
    ];
    assert_eq!(keys, expected);
    assert!(machines_differ(&base, &other) && !machines_differ(&base, &base));
}

#[track_caller]
fn check_order(order: &[(u32, Mode)], expected: ExecutionOrder) {
    let generation = |(exec_order, &(prompt, mode))| Generation { exec_order, ..bare(prompt, mode, 0) };
    let run = Run { generations: (0..).zip(order).map(generation).collect(), ..run(1, 4) };
    assert_eq!(execution_order(&run), expected);
}

#[test]
fn order_of_modes_is_told_from_their_places() {
    use Mode::{SpecBase as S, TargetOnly as T};
    check_order(&[(0, T), (0, S), (1, S), (1, T)], ExecutionOrder::Shuffled);
    check_order(&[(0, T), (0, S), (1, T), (1, S)], ExecutionOrder::Interleaved);
    check_order(&[(0, T), (1, T), (0, S), (1, S)], ExecutionOrder::ModeAfterMode);
    check_order(&[(0, T), (1, T)], ExecutionOrder::Untold);
    let run = Run { generations: vec![bare(0, T, 0), bare(0, S, 0)], ..run(1, 1) };
    assert_eq!(execution_order(&run), ExecutionOrder::Untold, "places that are all alike tell nothing");
}

#[test]
fn gate_does_not_pass_where_a_mode_dropped_out() {
    let check = |gate: &str, runs: [&Run; 2], expected: &[(&str, GateOutcome)]| {
        let gate: Gate = gate.parse().unwrap();
        let results = gate.judge(&compare(&runs.map(all)).unwrap());
        let found: Vec<(String, GateOutcome)> =
            results.iter().map(|result| (result.side.to_string(), result.outcome)).collect();
        let expected: Vec<_> =
            expected.iter().map(|(side, outcome)| ((*side).to_owned(), *outcome)).collect();
        assert_eq!(found, expected, "{gate}");
    };
    use GateOutcome::{Inconclusive, Passed};
    let (whole, part) = (measured(1, 8, &PUBLISHED), measured(2, 8, &PUBLISHED[..2]));
    let of_both = [("2:target_only", Passed), ("2:spec_base", Passed)];
    let dropped = ("1:spec_lora", Inconclusive);
    check("tokens_per_second<-2%", [&whole, &part], &[&of_both[..], &[dropped]].concat());
    check("spec_lora.tokens_per_second<-2%", [&whole, &part], &[dropped]);
    check("spec_base.tokens_per_second<-2%", [&whole, &part], &of_both[1..]);
    let added = measured(1, 8, &PUBLISHED[..2]);
    let more = measured(2, 8, &PUBLISHED);
    check("tokens_per_second<-2%", [&added, &more], &of_both);
    let alone = (measured(1, 8, &PUBLISHED[1..]), measured(2, 8, &PUBLISHED[1..2]));
    check("acceptance_rate<-1pp", [&alone.0, &alone.1], &[("2:spec_base", Passed), dropped]);
}
