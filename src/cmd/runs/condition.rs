//! Conditions as people type them: `num_draft_tokens>=4`, `acceptance_rate>60%`, `loss=lk_hybrid`.

use crate::cmd::UsageError;
use crate::store::{Comparison, Operand, RunColumn, RunFilter};

/// The comparisons; where one begins like another, the longer comes first.
const OPERATORS: [(&str, Comparison); 8] = [
    (">=", Comparison::AtLeast),
    ("<=", Comparison::AtMost),
    ("!=", Comparison::NotEqual),
    ("==", Comparison::Equal),
    (">", Comparison::Greater),
    ("<", Comparison::Less),
    ("=", Comparison::Equal),
    ("~", Comparison::Contains),
];

/// The text that stands for no value.
const NULL: &str = "null";

/// A condition, whose name is yet to be looked up.
#[derive(Debug, PartialEq)]
pub(super) struct Condition<'a> {
    /// What is compared.
    pub(super) name: &'a str,
    typed: &'a str,
    operator: &'static str,
    comparison: Comparison,
    operand: Operand,
}

impl<'a> Condition<'a> {
    /// Reads a condition.
    pub(super) fn parse(typed: &'a str) -> Result<Self, UsageError> {
        let problem = || {
            UsageError(format!(
                "--where takes NAME OPERATOR VALUE, like \"num_draft_tokens>=4\" (= != < <= > >=, ~ for \"contains\"), \
                 got \"{typed}\""
            ))
        };
        let start = typed.find(['<', '>', '=', '!', '~']).ok_or_else(problem)?;
        let (name, rest) = typed.split_at(start);
        let known = OPERATORS.iter().find(|(operator, _)| rest.starts_with(operator));
        let (operator, comparison) = known.copied().ok_or_else(problem)?;
        let (name, text) = (name.trim(), unquoted(rest[operator.len()..].trim()));
        if name.is_empty() || text.is_empty() {
            return Err(problem());
        }
        if operator == "=" && text.starts_with(['<', '>']) {
            let (sign, value) = text.split_at(1);
            let problem = format!("--where \"{typed}\": did you mean \"{name}{sign}={}\"?", value.trim());
            return Err(UsageError(problem));
        }
        let operand = Operand { text: text.to_owned(), number: number(text) };
        Ok(Self { name, typed, operator, comparison, operand })
    }

    /// The filter that it is for what its name means.
    pub(super) fn on(self, column: RunColumn) -> Result<RunFilter, UsageError> {
        use Comparison::{AtLeast, AtMost, Contains, Equal, Greater, Less, NotEqual};

        let problem = |what: &str| UsageError(format!("--where \"{}\": {what}", self.typed));
        let is_null = self.operand.text == NULL;
        match self.comparison {
            Equal if is_null => return Ok(RunFilter::Lacks(column)),
            NotEqual if is_null => return Ok(RunFilter::Has(column)),
            Contains if !column.can_be_text() => {
                return Err(problem(&format!("{} is a number, and ~ looks into text", self.name)));
            }
            // Text has an order only where it is nothing but text, like times.
            Less | AtMost | Greater | AtLeast if self.operand.number.is_none() && column.can_be_number() => {
                return Err(problem(&format!(
                    "{} takes a number, got \"{}\"",
                    self.operator, self.operand.text
                )));
            }
            Equal | NotEqual if self.operand.number.is_none() && !column.can_be_text() => {
                return Err(problem(&format!("{} is a number, got \"{}\"", self.name, self.operand.text)));
            }
            _ => {}
        }
        Ok(RunFilter::Compare(column, self.comparison, self.operand))
    }
}

/// The number that a text is, if it is one; `60%` is 0.6.
fn number(text: &str) -> Option<f64> {
    let number = match text.strip_suffix('%') {
        Some(percent) => percent.trim().parse::<f64>().ok()? / 100.0,
        None => text.parse::<f64>().ok()?,
    };
    number.is_finite().then_some(number)
}

fn unquoted(text: &str) -> &str {
    let between = |quote| text.strip_prefix(quote).and_then(|rest| rest.strip_suffix(quote));
    between('"').or_else(|| between('\'')).unwrap_or(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn condition_is_a_name_an_operator_and_a_value() {
        let check = |typed: &str, name: &str, comparison, text: &str, number: Option<f64>| {
            let condition = Condition::parse(typed).unwrap();
            let expected = Operand { text: text.to_owned(), number };
            assert_eq!(
                (condition.name, condition.comparison, condition.operand),
                (name, comparison, expected),
                "{typed}"
            );
        };
        check("num_draft_tokens>=4", "num_draft_tokens", Comparison::AtLeast, "4", Some(4.0));
        check(" threads = 2 ", "threads", Comparison::Equal, "2", Some(2.0));
        check("threads==2", "threads", Comparison::Equal, "2", Some(2.0));
        check("loss!=ce", "loss", Comparison::NotEqual, "ce", None);
        check("acceptance_rate<60%", "acceptance_rate", Comparison::Less, "60%", Some(0.6));
        check("name~'a b'", "name", Comparison::Contains, "a b", None);
        check("tag:lr>1e-3", "tag:lr", Comparison::Greater, "1e-3", Some(1e-3));
        check("spec_lora.speedup<=-1.5", "spec_lora.speedup", Comparison::AtMost, "-1.5", Some(-1.5));
        check("name=a=b", "name", Comparison::Equal, "a=b", None);
        check("x=nan", "x", Comparison::Equal, "nan", None);
    }

    #[test]
    fn what_is_no_condition_is_refused_with_an_example() {
        let message = Condition::parse("threads=> 3").unwrap_err().to_string();
        assert_eq!(message, "--where \"threads=> 3\": did you mean \"threads>=3\"?");
        for typed in ["", "threads", ">4", "threads>", "threads!4", "threads=''"] {
            let message = Condition::parse(typed).unwrap_err().to_string();
            assert!(message.contains("num_draft_tokens>=4") && message.contains(typed), "{message}");
        }
    }
}
