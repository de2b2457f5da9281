//! What runs are compared by.

use std::fmt;
use std::str::FromStr;

use crate::record::Mode;

/// A figure by which modes are compared. Its name never changes: gates, exports and scripts know it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Metric {
    /// Tokens per second, request to last token: the mean over prompts.
    TokensPerSecond,
    /// Tokens per second from the first token on: the mean over prompts.
    DecodeTokensPerSecond,
    /// Seconds from the request to the first token: the mean over prompts.
    TimeToFirstToken,
    /// Seconds from the request to the last token: the mean over prompts.
    TimeToLastToken,
    /// Accepted ÷ drafted tokens: the mean over prompts.
    AcceptanceRate,
    /// Emitted tokens ÷ rounds (τ), all prompts together.
    MeanAcceptanceLength,
    /// Time per output token of the run's own target_only ÷ that of the mode: the geometric mean over prompts.
    Speedup,
}

/// How a change is measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change {
    /// Relative to the baseline: 0.15 is +15 %.
    Relative,
    /// As a difference of shares: 0.139 is +13.9 percentage points.
    Points,
}

impl Change {
    /// The name of the unit, for programs.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Relative => "relative",
            Self::Points => "points",
        }
    }

    /// What follows a hundred times the change.
    pub fn unit(self) -> &'static str {
        match self {
            Self::Relative => "%",
            Self::Points => "pp",
        }
    }

    /// A change for people: `+15.2%`, `+13.9 pp`.
    pub fn shown(self, change: f64) -> String {
        match self {
            Self::Relative => format!("{:+.1}%", 100.0 * change),
            Self::Points => format!("{:+.1} pp", 100.0 * change),
        }
    }
}

impl Metric {
    /// Every metric, in the order in which they are shown.
    pub const ALL: [Self; 7] = [
        Self::TokensPerSecond,
        Self::DecodeTokensPerSecond,
        Self::TimeToFirstToken,
        Self::TimeToLastToken,
        Self::AcceptanceRate,
        Self::MeanAcceptanceLength,
        Self::Speedup,
    ];

    /// The name for programs.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::TokensPerSecond => "tokens_per_second",
            Self::DecodeTokensPerSecond => "decode_tokens_per_second",
            Self::TimeToFirstToken => "time_to_first_token",
            Self::TimeToLastToken => "time_to_last_token",
            Self::AcceptanceRate => "acceptance_rate",
            Self::MeanAcceptanceLength => "mean_acceptance_length",
            Self::Speedup => "decode_speedup",
        }
    }

    /// The name for people.
    pub fn title(self) -> &'static str {
        match self {
            Self::TokensPerSecond => "Tok/s",
            Self::DecodeTokensPerSecond => "Decode tok/s",
            Self::TimeToFirstToken => "TTFT",
            Self::TimeToLastToken => "TTLT",
            Self::AcceptanceRate => "Acceptance",
            Self::MeanAcceptanceLength => "τ",
            Self::Speedup => "Decode speedup",
        }
    }

    /// The unit of its values, for programs.
    pub fn unit(self) -> &'static str {
        match self {
            Self::TokensPerSecond | Self::DecodeTokensPerSecond => "tokens/s",
            Self::TimeToFirstToken | Self::TimeToLastToken => "s",
            Self::AcceptanceRate | Self::Speedup => "ratio",
            Self::MeanAcceptanceLength => "tokens/round",
        }
    }

    /// Whether a mode has it.
    pub fn is_of(self, mode: Mode) -> bool {
        match self {
            Self::AcceptanceRate | Self::MeanAcceptanceLength => mode.is_speculative(),
            Self::Speedup => mode != Mode::TargetOnly,
            _ => true,
        }
    }

    /// How its changes are measured.
    pub fn change(self) -> Change {
        match self {
            Self::AcceptanceRate => Change::Points,
            _ => Change::Relative,
        }
    }

    /// Whether more of it is better.
    pub fn is_higher_better(self) -> bool {
        !matches!(self, Self::TimeToFirstToken | Self::TimeToLastToken)
    }

    /// Whether it comes from a clock, and so has noise also where nothing changed.
    pub fn is_timed(self) -> bool {
        !matches!(self, Self::AcceptanceRate | Self::MeanAcceptanceLength)
    }
}

impl fmt::Display for Metric {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Metric {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        Self::ALL.into_iter().find(|metric| metric.as_str() == text).ok_or_else(|| {
            let known: Vec<_> = Self::ALL.iter().map(|metric| metric.as_str()).collect();
            format!("metric must be one of {}, got \"{text}\"", known.join(", "))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn metric_is_read_by_its_name() {
        for metric in Metric::ALL {
            assert_eq!(metric.as_str().parse(), Ok(metric));
        }
        let message = "tok/s".parse::<Metric>().unwrap_err();
        assert!(
            message.starts_with("metric must be one of tokens_per_second, ")
                && message.ends_with("got \"tok/s\"")
        );
    }

    #[test]
    fn metrics_stand_at_their_own_place() {
        let places = Metric::ALL.map(|metric| metric as usize);
        assert_eq!(places, [0, 1, 2, 3, 4, 5, 6], "figures are kept by place");
    }
}
