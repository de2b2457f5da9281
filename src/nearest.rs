//! What somebody may have meant by a name that does not exist.

/// Below this similarity, a suggestion would be a riddle.
const NEAR: f64 = 0.8;

/// Returns the name that is nearest to what was typed, if any is near.
pub(crate) fn nearest<'a>(typed: &str, names: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let typed = typed.to_lowercase();
    names
        .into_iter()
        .map(|name| (strsim::jaro_winkler(&typed, &name.to_lowercase()), name))
        .filter(|(similarity, _)| *similarity >= NEAR)
        .max_by(|(a, _), (b, _)| a.total_cmp(b))
        .map(|(_, name)| name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slips_are_understood_and_strangers_are_not() {
        let names = ["runs", "rounds", "generations"];
        let check =
            |typed: &str, expected: Option<&str>| assert_eq!(nearest(typed, names), expected, "{typed}");
        check("run", Some("runs"));
        check("Generation", Some("generations"));
        check("ronds", Some("rounds"));
        check("prompts", None);
        check("", None);
        assert_eq!(nearest("runs", []), None);
    }
}
