//! How a figure went, in one line: a bar a value, the first and the last of them, and between what they lay.

use super::grid::{Cell, Style};

/// From the lowest to the highest.
const BARS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
/// Bars that a line has at most; of more values, each bar is the mean of some.
const MAX_BARS: usize = 60;

/// Draws values in their order, from their lowest to their highest; a gap where one is missing. `None` of fewer than two
/// values.
pub fn course(values: &[Option<f64>], style: Style) -> Option<String> {
    let known: Vec<f64> = values.iter().flatten().copied().filter(|value| value.is_finite()).collect();
    let (&first, &last) = (known.first()?, known.get(1..)?.last()?);
    let (low, high) =
        known.iter().fold((first, first), |(low, high), &value| (low.min(value), high.max(value)));
    let bars: String = buckets(values).map(|mean| mean.map_or(' ', |mean| bar(mean, low, high))).collect();
    let shown = |value| Cell::float(Some(value), style).shown();
    Some(format!("{bars}  {} → {}, between {} and {}", shown(first), shown(last), shown(low), shown(high)))
}

/// The values, or the means of as many as share a bar.
fn buckets(values: &[Option<f64>]) -> impl Iterator<Item = Option<f64>> {
    let num_bars = values.len().min(MAX_BARS);
    (0..num_bars).map(move |bar| {
        let shared = &values[bar * values.len() / num_bars..(bar + 1) * values.len() / num_bars];
        let known: Vec<f64> = shared.iter().flatten().copied().filter(|value| value.is_finite()).collect();
        (!known.is_empty()).then(|| known.iter().sum::<f64>() / known.len() as f64)
    })
}

fn bar(value: f64, low: f64, high: f64) -> char {
    let height = (value - low) / (high - low);
    if height.is_finite() {
        // The type has no value above the last bar's index.
        BARS[((height * BARS.len() as f64) as usize).min(BARS.len() - 1)]
    } else {
        BARS[BARS.len() / 2 - 1]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(values: &[f64], expected: &str) {
        let values: Vec<Option<f64>> = values.iter().map(|&value| Some(value)).collect();
        assert_eq!(course(&values, Style::Decimals(1)).as_deref(), Some(expected));
    }

    #[test]
    fn bars_reach_from_the_lowest_to_the_highest() {
        check(&[0.0, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0], "▁▂▃▄▅▆▇█  0.0 → 7.0, between 0.0 and 7.0");
        check(&[2.0, 1.0, 1.5], "█▁▅  2.0 → 1.5, between 1.0 and 2.0");
        check(&[-1.0, 1.0], "▁█  -1.0 → 1.0, between -1.0 and 1.0");
    }

    #[test]
    fn values_alike_are_bars_alike() {
        check(&[5.0, 5.0, 5.0], "▄▄▄  5.0 → 5.0, between 5.0 and 5.0");
    }

    #[test]
    fn what_is_missing_is_a_gap() {
        let values = [Some(1.0), None, Some(f64::NAN), Some(2.0), None];
        assert_eq!(
            course(&values, Style::Percent(0)).as_deref(),
            Some("▁  █   100% → 200%, between 100% and 200%")
        );
    }

    #[test]
    fn one_value_has_no_course() {
        for values in
            [&[][..], &[None], &[Some(1.0)], &[None, Some(1.0), None], &[Some(1.0), Some(f64::INFINITY)]]
        {
            assert_eq!(course(values, Style::Decimals(1)), None, "{values:?}");
        }
    }

    #[test]
    fn many_values_share_bars_and_none_is_left_out() {
        let values: Vec<Option<f64>> = (0..1000).map(|value| Some(f64::from(value))).collect();
        let line = course(&values, Style::Decimals(0)).unwrap();
        let bars: Vec<char> = line.chars().take_while(|c| *c != ' ').collect();
        assert_eq!((bars.len(), bars[0], bars[59]), (60, '▁', '█'));
        assert!(bars.is_sorted() && line.ends_with("0 → 999, between 0 and 999"), "{line}");
        let means: Vec<f64> = buckets(&values).flatten().collect();
        assert_eq!((means.len(), means[0], means[59]), (60, 7.5, 991.0));
    }
}
