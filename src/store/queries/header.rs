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
                parameters.push(Parameter { name, meaning: meaning.trim().to_owned(), default: None });
                goes_on = true;
            } else if goes_on && line.starts_with("  ") {
                let parameter = parameters.last_mut().expect("a parameter came before");
                parameter.meaning = format!("{} {}", parameter.meaning, line.trim());
            } else {
                goes_on = false;
            }
        }
        parameters.into_iter().map(Parameter::with_default).collect()
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
                Self { name: self.name, meaning: meaning.to_owned(), default: Some(Value::parse(default)) }
            }
            None => self,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn header_tells_question_parameters_and_defaults() {
        let sql = "-- How many?\n--\n-- :run_id  the run\n-- :limit   how many to show;\n--          -1 for all [default: 20]\n\
            -- :mode    a mode [default: spec_base]\n-- :by      what else [default: null]\n--\n--   :x  no parameter\n\
            SELECT :run_id\n-- :late  no parameter either\n";
        let query = Query { name: "made_up", other_name: None, sql };
        let parameter =
            |name, meaning: &str, default| Parameter { name, meaning: meaning.to_owned(), default };
        assert_eq!(query.question(), "How many?");
        let expected = [
            parameter(":run_id", "the run", None),
            parameter(":limit", "how many to show; -1 for all", Some(Value::Integer(20))),
            parameter(":mode", "a mode", Some("spec_base".into())),
            parameter(":by", "what else", Some(Value::Null)),
        ];
        assert_eq!(query.parameters(), expected);
    }
}
