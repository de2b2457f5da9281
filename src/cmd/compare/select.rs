//! From words to sides: `run 12 run 15`, `12 15`, `12:spec_base 12:spec_lora`.

use crate::cmd::UsageError;
use crate::record::{Mode, RunId};
use crate::store::Store;

/// A run that was named, and a mode of it, if one was.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Selected {
    pub(super) run: RunId,
    pub(super) mode: Option<Mode>,
}

/// Finds what the words name: two sides at least.
pub(super) fn sides(store: &Store, words: &[String]) -> anyhow::Result<Vec<Selected>> {
    let selectors = selectors(words)?;
    selectors.into_iter().map(|selector| side(store, selector)).collect()
}

/// The selectors among words; the word `run` may stand before each.
fn selectors(words: &[String]) -> Result<Vec<&str>, UsageError> {
    let mut selectors = vec![];
    let mut words_left = words.iter();
    while let Some(word) = words_left.next() {
        let selector = if word == "run" { words_left.next() } else { Some(word) };
        let Some(selector) = selector.filter(|selector| *selector != "run") else {
            let words = words.join(" ");
            return Err(UsageError(format!("\"run\" stands before a run, like \"run 12\", got \"{words}\"")));
        };
        selectors.push(selector.as_str());
    }
    if selectors.len() < 2 {
        let one = selectors.first().copied().unwrap_or("12");
        return Err(UsageError(format!(
            "name two runs, like \"{one} @latest\", or two modes of one, like \"{one}:spec_base {one}:spec_lora\""
        )));
    }
    Ok(selectors)
}

/// Finds one side. A name may have a colon of its own: what follows the last one is a mode only where it is called like one.
fn side(store: &Store, selector: &str) -> anyhow::Result<Selected> {
    let Some((run, suffix)) = selector.rsplit_once(':') else {
        return Ok(Selected { run: store.resolve_run(selector)?, mode: None });
    };
    match suffix.parse::<Mode>() {
        Ok(mode) => match (store.resolve_run(run), store.resolve_run(selector)) {
            (Ok(run), _) => Ok(Selected { run, mode: Some(mode) }),
            (_, Ok(run)) => Ok(Selected { run, mode: None }),
            (Err(problem), _) => Err(problem.into()),
        },
        Err(problem) => match store.resolve_run(selector) {
            Ok(run) => Ok(Selected { run, mode: None }),
            Err(_) => Err(UsageError(format!("{selector}: {problem}")).into()),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(words: &str, expected: Result<&[&str], &str>) {
        let words: Vec<String> = words.split_whitespace().map(str::to_owned).collect();
        match (selectors(&words), expected) {
            (Ok(found), Ok(expected)) => assert_eq!(found, expected),
            (Err(UsageError(problem)), Err(part)) => assert!(problem.contains(part), "{problem}"),
            (found, expected) => panic!("{found:?} is not {expected:?}"),
        }
    }

    #[test]
    fn word_run_may_stand_before_each_selector() {
        check("run 12 run 15", Ok(&["12", "15"]));
        check("12 15 @latest", Ok(&["12", "15", "@latest"]));
        check("run 12 15", Ok(&["12", "15"]));
        check("12:spec_base run 12:spec_lora", Ok(&["12:spec_base", "12:spec_lora"]));
        check("12", Err("name two runs, like \"12 @latest\""));
        check("run 12", Err("\"12:spec_base 12:spec_lora\""));
        check("12 run", Err("got \"12 run\""));
        check("run run 12 15", Err("stands before a run"));
    }
}
