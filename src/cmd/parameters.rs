//! Values that are given to statements: `--param key=value`.

use super::UsageError;
use crate::store::{Store, Value};

/// Reads `key=value` pairs; a mark before the key, as in `:run_id=12`, is as good as none.
pub(super) fn pairs(given: &[String]) -> Result<Vec<(String, String)>, UsageError> {
    let mut pairs: Vec<(String, String)> = vec![];
    for text in given {
        let problem = || UsageError(format!("--param must be key=value, got \"{text}\""));
        let (key, value) = text.split_once('=').ok_or_else(problem)?;
        let key = key.trim().trim_start_matches([':', '@', '$']);
        if key.is_empty() {
            return Err(problem());
        }
        if pairs.iter().any(|(other, _)| other == key) {
            return Err(UsageError(format!("--param {key} is given twice")));
        }
        pairs.push((key.to_owned(), value.to_owned()));
    }
    Ok(pairs)
}

/// Adds what `--run` selects, as the parameter `run_id`.
pub(super) fn add_run(pairs: &mut Vec<(String, String)>, run: Option<&str>) -> Result<(), UsageError> {
    let Some(run) = run else {
        return Ok(());
    };
    if pairs.iter().any(|(key, _)| key == "run_id") {
        return Err(UsageError("--run and --param run_id mean the same (leave one out)".to_owned()));
    }
    pairs.push(("run_id".to_owned(), run.to_owned()));
    Ok(())
}

/// The value that a text stands for: a run's id for whatever names it, a checkpoint's for its alias, else what it says.
pub(super) fn value(key: &str, text: &str, store: &Store) -> anyhow::Result<Value> {
    let value = Value::parse(text);
    match (key, &value) {
        (_, Value::Null) => Ok(value),
        ("run_id", _) => Ok(store.resolve_run(text)?.into()),
        ("checkpoint_id", Value::Text(name)) => match store.alias(name, None)? {
            Some(checkpoint) => Ok(Value::Integer(checkpoint.0)),
            None => Err(anyhow::anyhow!("no checkpoint {name} (speclora adapters list)")),
        },
        _ => Ok(value),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pairs_are_read_whatever_is_in_their_values() {
        let check = |given: &[&str], expected: Result<&[(&str, &str)], &str>| {
            let given: Vec<String> = given.iter().map(|text| (*text).to_owned()).collect();
            let found = pairs(&given).map_err(|error| error.0);
            let owned = |(key, value): &(&str, &str)| ((*key).to_owned(), (*value).to_owned());
            let expected = expected.map(|pairs| pairs.iter().map(owned).collect::<Vec<_>>());
            assert_eq!(found, expected.map_err(str::to_owned), "{given:?}");
        };
        check(&[], Ok(&[]));
        check(&["a=1", ":b=x=y", "c="], Ok(&[("a", "1"), ("b", "x=y"), ("c", "")]));
        check(&["a"], Err("--param must be key=value, got \"a\""));
        check(&["=1"], Err("--param must be key=value, got \"=1\""));
        check(&["a=1", "@a=2"], Err("--param a is given twice"));
    }
}
