//! Times and spans of time as people type them: `2026-11-01`, `2026-11-01T12:30`, `7d`.

use chrono::{DateTime, NaiveDate, NaiveDateTime};

use crate::cmd::UsageError;

const MS: i64 = 1000;

/// Units of a span, and how many seconds they have.
const UNITS: [(&str, i64); 5] = [("s", 1), ("m", 60), ("h", 3600), ("d", 86_400), ("w", 604_800)];

/// Reads a time, or a span before `now_ms`, as milliseconds since 1970-01-01 UTC.
pub(super) fn moment_ms(flag: &str, text: &str, now_ms: i64) -> Result<i64, UsageError> {
    let problem = || {
        UsageError(format!(
            "{flag}: a time is like 2026-11-01, 2026-11-01T12:30 (UTC), 7d or 12h (ago; s, m, h, d, w), got \"{text}\""
        ))
    };
    match span(text) {
        Some(span_ms) => now_ms.checked_sub(span_ms),
        None => date_ms(text),
    }
    .ok_or_else(problem)
}

/// Reads a span of time, in milliseconds.
pub(super) fn span_ms(flag: &str, text: &str) -> Result<i64, UsageError> {
    let problem =
        || UsageError(format!("{flag}: a span of time is like 30d or 12h (s, m, h, d, w), got \"{text}\""));
    span(text).ok_or_else(problem)
}

fn span(text: &str) -> Option<i64> {
    let (unit, seconds) = UNITS.iter().find(|(unit, _)| text.ends_with(unit))?;
    let count = text.strip_suffix(unit)?;
    if !count.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    count.parse::<i64>().ok()?.checked_mul(*seconds)?.checked_mul(MS)
}

fn date_ms(text: &str) -> Option<i64> {
    if let Ok(date) = NaiveDate::parse_from_str(text, "%Y-%m-%d") {
        return Some(date.and_hms_opt(0, 0, 0)?.and_utc().timestamp_millis());
    }
    if let Ok(time) = DateTime::parse_from_rfc3339(text) {
        return Some(time.timestamp_millis());
    }
    let local = text.strip_suffix('Z').unwrap_or(text).replace(' ', "T");
    let formats = ["%Y-%m-%dT%H:%M:%S", "%Y-%m-%dT%H:%M"];
    let time = formats.iter().find_map(|format| NaiveDateTime::parse_from_str(&local, format).ok())?;
    Some(time.and_utc().timestamp_millis())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 2026-11-25T12:00:00Z.
    const NOW: i64 = 1_795_608_000_000;
    const DAY: i64 = 86_400_000;

    #[test]
    fn time_is_a_date_or_a_span_ago() {
        let check = |text: &str, expected: i64| {
            assert_eq!(moment_ms("--since", text, NOW).unwrap(), expected, "{text}");
        };
        check("2026-11-25", NOW - DAY / 2);
        check("2026-11-25T12:00", NOW);
        check("2026-11-25 12:00:01", NOW + 1000);
        check("2026-11-25T12:00:00Z", NOW);
        check("2026-11-25T14:00:00+02:00", NOW);
        check("7d", NOW - 7 * DAY);
        check("12h", NOW - DAY / 2);
        check("30m", NOW - DAY / 48);
        check("1w", NOW - 7 * DAY);
        check("0s", NOW);
    }

    #[test]
    fn what_is_no_time_is_refused_with_examples() {
        for text in [
            "",
            "d",
            "7",
            "-7d",
            "7 d",
            "7days",
            "2026-13-01",
            "2026-02-30",
            "yesterday",
            "9999999999999999w",
        ] {
            let message = moment_ms("--since", text, NOW).unwrap_err().to_string();
            assert!(message.starts_with("--since: a time is like") && message.contains(text), "{message}");
        }
        assert!(span_ms("--older-than", "2026-11-01").unwrap_err().to_string().contains("30d"));
        assert_eq!(span_ms("--older-than", "30d").unwrap(), 30 * DAY);
    }
}
