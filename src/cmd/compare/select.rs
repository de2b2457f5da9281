//! From words to sides: `run 12 run 15`, `12 15`, `12:spec_base 12:spec_lora`.

use crate::cmd::UsageError;
use crate::cmd::selectors::selectors;
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
    let selectors = selectors(words);
    check_number(&selectors)?;
    selectors.into_iter().map(|selector| side(store, selector)).collect()
}

fn check_number(selectors: &[&str]) -> Result<(), UsageError> {
    if selectors.len() >= 2 {
        return Ok(());
    }
    let one = selectors.first().map_or("12", |selector| selector.trim_end_matches(':'));
    Err(UsageError(format!(
        "name two runs, like \"{one} @latest\", or two modes of one, like \"{one}:spec_base {one}:spec_lora\""
    )))
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

    #[test]
    fn two_sides_are_asked_for() {
        let check = |selectors: &[&str], expected: Option<&str>| match (check_number(selectors), expected) {
            (Ok(()), None) => {}
            (Err(UsageError(problem)), Some(part)) => assert!(problem.contains(part), "{problem}"),
            (found, expected) => panic!("{found:?} is not {expected:?}"),
        };
        check(&["12", "15"], None);
        check(&["12:spec_base", "12:spec_lora", "@latest"], None);
        check(&["12"], Some("name two runs, like \"12 @latest\""));
        check(&["9"], Some("\"9:spec_base 9:spec_lora\""));
        check(&[], Some("like \"12 @latest\""));
    }
}
