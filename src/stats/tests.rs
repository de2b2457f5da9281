use serde_json::Value;

use super::bootstrap::percentile;
use super::*;

fn shares(parts: &[f64]) -> Vec<Share> {
    parts.iter().map(|&part| Share { part, whole: 10.0 }).collect()
}

#[test]
fn observations_that_are_all_alike_have_no_spread() {
    let interval = bootstrap_ratio(&shares(&[2.0; 8])).unwrap();
    assert!([interval.low, interval.estimate, interval.high].iter().all(|value| (value - 0.2).abs() < 1e-12));
}

#[test]
fn interval_is_about_two_standard_errors_wide() {
    let parts: Vec<f64> = (0..100).map(|i| f64::from(i % 10)).collect();
    let Interval { estimate, low, high } = bootstrap_ratio(&shares(&parts)).unwrap();
    // The mean is 0.45; the standard deviation 0.2872 over √100.
    assert!((estimate - 0.45).abs() < 1e-12);
    assert!(
        (low - (0.45 - 1.96 * 0.028_72)).abs() < 0.004 && (high - (0.45 + 1.96 * 0.028_72)).abs() < 0.004
    );
}

#[test]
fn too_few_or_empty_observations_have_no_interval() {
    assert_eq!(bootstrap_ratio(&shares(&[1.0; 5])), None);
    assert_eq!(bootstrap_ratio(&[Share { part: 0.0, whole: 0.0 }; 9]), None);
    assert_eq!(intervals(&[]), []);
    assert_eq!(intervals(&[Sample::mean_change(&[]), Sample::geometric_mean(&[])]), [None, None]);
}

#[test]
fn large_observations_count_more() {
    let mut observations = shares(&[0.0; 6]);
    observations.push(Share { part: 90.0, whole: 90.0 });
    assert_eq!(bootstrap_ratio(&observations).unwrap().estimate, 0.6);
}

#[test]
fn difference_of_ratios_has_denominators_of_its_own_and_is_paired() {
    let pair = |i: u32| {
        let share = |part: u32, whole: f64| Share { part: f64::from(part), whole };
        (share(i % 5, 10.0), share(i % 5 + 1, 20.0))
    };
    let pairs: Vec<_> = (0..100).map(pair).collect();
    let Interval { estimate, low, high } = bootstrap_difference(&pairs).unwrap();
    // 300 of 2000 less 200 of 1000. Its pairs differ by (i % 5) / 20, whose standard deviation is 0.0707, over √100.
    assert!((estimate - (0.15 - 0.2)).abs() < 1e-12);
    assert!((low - (estimate - 1.96 * 0.007_07)).abs() < 0.002, "{low}");
    assert!((high - (estimate + 1.96 * 0.007_07)).abs() < 0.002, "{high}");
    assert_eq!(bootstrap_difference(&pairs[..5]), None);
    assert_eq!(bootstrap_difference(&[(pairs[0].0, Share { part: 0.0, whole: 0.0 }); 8]), None);
}

/// A statistic of two pairs.
#[track_caller]
fn check_estimate(sample: &Sample, expected: Option<f64>) {
    let found = sample.estimate();
    let is_close = match (found, expected) {
        (Some(found), Some(expected)) => (found - expected).abs() < 1e-12,
        (found, expected) => found == expected,
    };
    assert!(is_close, "{found:?} is not {expected:?}");
}

#[test]
fn statistics_are_what_they_are_called() {
    let pairs = [(10.0, 20.0), (40.0, 40.0)];
    check_estimate(&Sample::mean_change(&pairs), Some(60.0 / 50.0 - 1.0));
    check_estimate(&Sample::mean_difference(&pairs), Some(5.0));
    check_estimate(&Sample::geometric_change(&pairs), Some(2_f64.sqrt() - 1.0));
    check_estimate(&Sample::geometric_mean(&[2.0, 8.0]), Some(4.0));
    let shares = pairs.map(|(a, b)| (Share { part: a, whole: 10.0 }, Share { part: b, whole: 5.0 }));
    check_estimate(&Sample::ratio_change(&shares), Some((60.0 / 10.0) / (50.0 / 20.0) - 1.0));
    check_estimate(&Sample::ratio_difference(&shares), Some(6.0 - 2.5));
    check_estimate(&Sample::mean_change(&[(0.0, 1.0)]), None);
    check_estimate(&Sample::geometric_mean(&[]), None);
    check_estimate(&Sample::geometric_change(&[(0.0, 1.0)]), None);
}

#[test]
fn samples_of_other_sizes_beside_it_change_no_interval() {
    let pairs: Vec<(f64, f64)> =
        (0..20).map(|i| (f64::from(10 + i % 7), f64::from(12 + (i * 5) % 11))).collect();
    let long = Sample::mean_change(&pairs);
    let short = Sample::mean_change(&pairs[..9]);
    let together = intervals(&[short.clone(), long.clone(), Sample::mean_change(&pairs[..2]), short.clone()]);
    assert_eq!(together, [interval(&short), interval(&long), None, interval(&short)]);
    assert!(together[0].unwrap().low < together[0].unwrap().high);
}

#[test]
fn one_value_stands_for_many() {
    assert_eq!([mean(&[]), median(vec![]), geometric_mean(&[])], [None; 3]);
    assert_eq!(mean(&[1.0, 2.0, 6.0]), Some(3.0));
    assert_eq!(median(vec![5.0, 1.0, 3.0]), Some(3.0));
    assert_eq!(median(vec![5.0, 1.0, 3.0, 2.0]), Some(2.5));
    assert!((geometric_mean(&[2.0, 8.0]).unwrap() - 4.0).abs() < 1e-12);
}

#[test]
fn correction_leaves_out_tests_that_said_nothing() {
    assert_eq!(holm(&[]), []);
    assert_eq!(holm(&[None, Some(0.03), None, Some(0.01)]), [None, Some(0.03), None, Some(0.02)]);
}

#[test]
fn differences_of_zero_alone_test_nothing() {
    assert_eq!(signed_rank_p(&[]), None);
    assert_eq!(signed_rank_p(&[0.0; 9]), None);
    assert_eq!(signed_rank_p(&[-0.0, 1.0, 0.0]).map(|p| (p * 1e6).round()), Some(317_311.0));
}

/// The answers of SciPy and others.
fn reference(subject: &str) -> Vec<Value> {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/stats/stats.json");
    let file: Value = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    file[subject].as_array().unwrap().clone()
}

fn number(value: &Value) -> f64 {
    value.as_f64().unwrap()
}

fn numbers(value: &Value) -> Vec<f64> {
    value.as_array().unwrap().iter().map(number).collect()
}

#[test]
fn signed_rank_test_agrees_with_scipy() {
    let cases = reference("wilcoxon");
    let count = |method: &str| cases.iter().filter(|case| case["method"] == method).count();
    assert!(count("exact") >= 8 && count("approx") >= 5);
    for case in cases {
        let (found, expected) =
            (signed_rank_p(&numbers(&case["differences"])).unwrap(), number(&case["p_value"]));
        assert!((found - expected).abs() < 1e-9 * expected, "{found} is not {expected}: {case}");
    }
}

#[test]
fn correction_agrees_with_statsmodels() {
    for case in reference("holm") {
        let p_values: Vec<Option<f64>> = numbers(&case["p_values"]).into_iter().map(Some).collect();
        for (found, expected) in holm(&p_values).into_iter().zip(numbers(&case["corrected"])) {
            assert!((found.unwrap() - expected).abs() < 1e-12, "{case}");
        }
    }
}

#[test]
fn percentile_agrees_with_numpy() {
    assert_eq!(percentile(&mut [], 0.5), None);
    for case in reference("percentile") {
        let found = percentile(&mut numbers(&case["values"]), number(&case["share"])).unwrap();
        assert!((found - number(&case["percentile"])).abs() < 1e-12, "{found}: {case}");
    }
}

#[test]
fn bootstrap_agrees_with_scipy_but_for_the_draws() {
    for case in reference("bootstrap") {
        let pairs: Vec<(f64, f64)> = case["pairs"]
            .as_array()
            .unwrap()
            .iter()
            .map(|pair| (number(&pair[0]), number(&pair[1])))
            .collect();
        let sample = match case["statistic"].as_str().unwrap() {
            "mean_change" => Sample::mean_change(&pairs),
            "mean_difference" => Sample::mean_difference(&pairs),
            "geometric_change" => Sample::geometric_change(&pairs),
            other => panic!("{other}"),
        };
        let found = interval(&sample).unwrap();
        let [estimate, low, high] = ["estimate", "low", "high"].map(|key| number(&case[key]));
        assert!((found.estimate - estimate).abs() < 1e-12 * estimate.abs().max(1.0));
        let (width, name) = (high - low, &case["statistic"]);
        assert!((found.low - low).abs() < 0.04 * width, "{name} of {}: {found:?}, {low}", pairs.len());
        assert!((found.high - high).abs() < 0.04 * width, "{name} of {}: {found:?}, {high}", pairs.len());
    }
}
