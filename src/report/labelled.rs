//! Facts with their labels, one below the other, wrapped to the width of a terminal.

use super::grid::escape_controls;

/// Narrowest column of values: below it, wrapping would tear everything apart.
const MIN_VALUE_WIDTH: usize = 20;

/// Renders facts for people; values go on below their beginning where a line of `width` characters has no room.
pub fn labelled_lines(facts: &[(&str, String)], width: usize) -> String {
    let indent = facts.iter().map(|(label, _)| label.chars().count()).max().unwrap_or(0) + 2;
    let value_width = width.saturating_sub(indent + 1).max(MIN_VALUE_WIDTH);
    let mut text = String::new();
    for (label, value) in facts {
        let lines = value.lines().flat_map(|line| wrapped(&escape_controls(line), value_width));
        for (number, line) in lines.enumerate() {
            let label = if number == 0 { label } else { "" };
            text += format!(" {label:<indent$}{line}").trim_end();
            text.push('\n');
        }
    }
    text
}

/// Breaks a line at spaces, or inside a word that has no room on a line of its own.
pub(super) fn wrapped(text: &str, width: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in text.split(' ') {
        let mut rest: Vec<char> = word.chars().collect();
        let line = lines.last_mut().expect("there is a line");
        let used = line.chars().count();
        if used == 0 || used + 1 + rest.len() <= width {
            if used > 0 {
                line.push(' ');
            }
        } else {
            lines.push(String::new());
        }
        while lines.last().is_some_and(|line| line.chars().count() + rest.len() > width) {
            let line = lines.last_mut().expect("there is a line");
            let room = width.saturating_sub(line.chars().count());
            line.extend(rest.drain(..room));
            lines.push(String::new());
        }
        lines.last_mut().expect("there is a line").extend(rest);
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_wrapped_below_their_beginning_and_lose_nothing() {
        let facts = [
            ("Run", "12".to_owned()),
            ("Command", "speclora bench --target a-name-that-is-too-long-for-a-line -m 4".to_owned()),
            ("Notes", "one\ntwo \u{1b}[31m".to_owned()),
        ];
        let expected = "
 Run      12
 Command  speclora bench
          --target
          a-name-that-is-too-l
          ong-for-a-line -m 4
 Notes    one
          two \\u{1b}[31m
";
        assert_eq!(format!("\n{}", labelled_lines(&facts, 30)), expected);
        assert_eq!(labelled_lines(&facts, 0), labelled_lines(&facts, 30), "no narrower than can be read");
    }
}
