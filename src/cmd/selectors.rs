//! From words like `run 12 run 15` to what names runs.

use super::UsageError;
use crate::record::RunId;
use crate::store::Error;

/// The selectors in words, where "run" may stand before each.
pub(super) fn selectors(words: &[String]) -> Vec<&str> {
    let is_heading = |&(index, word): &(usize, &String)| {
        word == "run" && words.get(index + 1).is_some_and(|next| next != "run")
    };
    let words = words.iter().enumerate().filter(|word| !is_heading(word));
    words.map(|(_, word)| word.as_str()).collect()
}

/// The one selector in words, which may have "run" before it.
pub(super) fn selector(words: &[String]) -> Result<&str, UsageError> {
    match selectors(words).as_slice() {
        [only] => Ok(only),
        _ => Err(UsageError(format!("name one run, like \"run 12\", got \"{}\"", words.join(" ")))),
    }
}

/// The runs that words like `run 12 run 13` name, each once.
pub(super) fn each_once(
    words: &[String],
    resolve: impl Fn(&str) -> Result<RunId, Error>,
) -> Result<Vec<RunId>, Error> {
    let mut runs = Vec::new();
    for selector in selectors(words) {
        let run = resolve(selector)?;
        if !runs.contains(&run) {
            runs.push(run);
        }
    }
    Ok(runs)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn run_may_stand_before_each_selector() {
        let check = |words: &[&str], expected: &[&str]| {
            let words: Vec<String> = words.iter().map(|&word| word.to_owned()).collect();
            assert_eq!(selectors(&words), expected);
        };
        check(&["12"], &["12"]);
        check(&["run", "12"], &["12"]);
        check(&["run", "12", "run", "@latest", "mine"], &["12", "@latest", "mine"]);
        check(&["12", "run"], &["12", "run"]);
        check(&[], &[]);
    }

    #[test]
    fn one_run_is_asked_for_where_there_are_more_or_none() {
        let words = ["run", "12", "13"].map(str::to_owned);
        assert_eq!(selector(&words[..2]).unwrap(), "12");
        let message = selector(&words).unwrap_err().to_string();
        assert_eq!(message, "name one run, like \"run 12\", got \"run 12 13\"");
        assert!(selector(&[]).is_err());
    }
}
