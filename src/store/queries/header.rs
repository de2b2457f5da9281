//! What the head of a query's file says: its question, and its parameters with their meanings and defaults.
//!
//! The form is described in `queries/README.md`.

use super::Query;
use crate::store::value::Value;

/// A parameter of a query.
#[derive(Debug, Clone, PartialEq)]
pub struct Parameter {
    /// Its name, with its colon.
    pub name: &'static str,
    /// What it means.
    pub meaning: String,
    /// The values that it may have; any where there are none.
    pub choices: Vec<String>,
    /// Its value where none is given; `None` where one must be.
    pub default: Option<Value>,
}

impl Query {
    /// The question that it answers.
    pub fn question(&self) -> &'static str {
        self.header().next().unwrap_or_default()
    }

    /// Its parameters, in the order in which the header explains them.
    pub fn parameters(&self) -> Vec<Parameter> {
        let mut parameters: Vec<Parameter> = vec![];
        let mut goes_on = false;
        for line in self.header() {
            if let Some((name, meaning)) = line.split_once("  ").filter(|(name, _)| name.starts_with(':')) {
                let meaning = meaning.trim().to_owned();
                parameters.push(Parameter { name, meaning, choices: vec![], default: None });
                goes_on = true;
            } else if goes_on && line.starts_with("  ") {
                let parameter = parameters.last_mut().expect("a parameter came before");
                parameter.meaning = format!("{} {}", parameter.meaning, line.trim());
            } else {
                goes_on = false;
            }
        }
        parameters.into_iter().map(|parameter| parameter.with_default().with_choices()).collect()
    }

    /// The lines of the header, without their comment marks.
    fn header(&self) -> impl Iterator<Item = &'static str> {
        let lines = self.sql.lines().map_while(|line| line.strip_prefix("--"));
        lines.map(|line| line.strip_prefix(' ').unwrap_or(line))
    }
}

impl Parameter {
    /// Its name as people type it.
    pub fn key(&self) -> &'static str {
        self.name.trim_start_matches(':')
    }

    /// Takes the default from the end of the meaning, if it is there.
    fn with_default(self) -> Self {
        let found = self.meaning.strip_suffix(']').and_then(|text| text.rsplit_once(" [default: "));
        match found {
            Some((meaning, default)) => {
                Self { meaning: meaning.to_owned(), default: Some(Value::parse(default)), ..self }
            }
            None => self,
        }
    }

    /// Takes the choices from the end of the meaning, if they are there.
    fn with_choices(self) -> Self {
        let found = self.meaning.strip_suffix(']').and_then(|text| text.rsplit_once(" [one of: "));
        match found {
            Some((meaning, choices)) => {
                let choices = choices.split(", ").map(str::to_owned).collect();
                Self { meaning: meaning.to_owned(), choices, ..self }
            }
            None => self,
        }
    }

    /// Says what is wrong with a value, if anything is.
    pub fn problem(&self, value: &Value) -> Option<String> {
        let key = self.key();
        let is_missing = *value == Value::Null;
        match (&self.default, value) {
            (Some(Value::Null), Value::Null) => None,
            (Some(Value::Integer(_)), Value::Integer(_))
            | (Some(Value::Real(_)), Value::Integer(_) | Value::Real(_)) => None,
            (Some(Value::Integer(_)), _) => Some(format!("{key} must be a whole number")),
            (Some(Value::Real(_)), _) => Some(format!("{key} must be a number")),
            _ if self.choices.is_empty()
                || self.choices.iter().any(|choice| *value == choice.as_str().into()) =>
            {
                is_missing.then(|| format!("{key} must not be null"))
            }
            _ => Some(format!("{key} must be one of {}", self.choices.join(", "))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn header_tells_question_parameters_and_defaults() {
        let sql = "-- How many?\n--\n-- :run_id  the run\n-- :limit   how many to show;\n--          -1 for all [default: 20]\n\
            -- :mode    a mode [default: spec_base]\n-- :by      what else [default: null]\n-- :which   a way [one of: this,\n--          that] [default: that]\n--\n--   :x  no parameter\n\
            SELECT :run_id\n-- :late  no parameter either\n";
        let query = Query { name: "made_up", other_name: None, sql };
        let parameter = |name, meaning: &str, default| Parameter {
            name,
            meaning: meaning.to_owned(),
            choices: vec![],
            default,
        };
        assert_eq!(query.question(), "How many?");
        let expected = [
            parameter(":run_id", "the run", None),
            parameter(":limit", "how many to show; -1 for all", Some(Value::Integer(20))),
            parameter(":mode", "a mode", Some("spec_base".into())),
            parameter(":by", "what else", Some(Value::Null)),
            Parameter {
                choices: vec!["this".to_owned(), "that".to_owned()],
                ..parameter(":which", "a way", Some("that".into()))
            },
        ];
        assert_eq!(query.parameters(), expected);
    }

    #[test]
    fn values_are_of_the_kind_of_the_default_and_among_the_choices() {
        let check = |meaning: &str, value: Value, expected: Option<&str>| {
            let sql = format!("-- How many?\n--\n-- :x  {meaning}\n");
            let query = Query { name: "made_up", other_name: None, sql: sql.leak() };
            assert_eq!(query.parameters()[0].problem(&value).as_deref(), expected, "{meaning}: {value:?}");
        };
        check("any", "text".into(), None);
        check("any", Value::Integer(1), None);
        check("how many [default: 20]", Value::Integer(-1), None);
        check("how many [default: 20]", "abc".into(), Some("x must be a whole number"));
        check("how many [default: 20]", Value::Null, Some("x must be a whole number"));
        check("how much [default: 0.7]", Value::Integer(1), None);
        check("how much [default: 0.7]", "abc".into(), Some("x must be a number"));
        check("which [default: null]", Value::Null, None);
        check("which [default: null]", "a".into(), None);
        check("which [one of: a, b] [default: a]", "b".into(), None);
        check("which [one of: a, b] [default: a]", "c".into(), Some("x must be one of a, b"));
        check("which [one of: a, b] [default: a]", Value::Null, Some("x must be one of a, b"));
        check("which [one of: a, b] [default: null]", Value::Null, None);
        check("which [one of: a, b] [default: null]", "c".into(), Some("x must be one of a, b"));
    }
}
