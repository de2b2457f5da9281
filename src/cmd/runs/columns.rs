//! How people see the columns of a list of runs.

use serde_json::Value as Json;

use crate::cmd::present::{Shown, View, chosen_grid};
use crate::report::{Grid, Style};
use crate::store::{Rows, Value};

/// What stands before the key of a setting where a column is asked for.
pub(super) const SETTING: &str = "setting:";

/// The columns of a list of runs, each with the kinds of run that it is for; where there are none, it is for all.
pub(super) const LISTED: [(&[&str], Shown); 14] = [
    (&[], ("run_id", "Run", View::Integer)),
    (&[], ("name", "Name", View::Short)),
    (&[], ("kind", "Kind", View::Text)),
    (&[], ("state", "State", View::Text)),
    (&[], ("started_at", "Started (UTC)", View::Minute)),
    (&[], ("duration", "Took", View::Real(Style::Seconds(1)))),
    (&[], ("num_prompts", "Prompts", View::Integer)),
    (&["bench", "collect", "evaluate"], ("num_generations", "Done", View::OutOf("num_planned_generations"))),
    (&["bench"], ("target_tokens_per_second", "Target Tok/s", View::Real(Style::Decimals(1)))),
    (&["bench"], ("spec_base_speedup", "Base ×", View::Real(Style::Decimals(2)))),
    (&["bench"], ("spec_lora_speedup", "LoRA ×", View::Real(Style::Decimals(2)))),
    (&["train"], ("num_steps", "Steps", View::Integer)),
    (&["train"], ("train_loss", "Loss", View::Real(Style::Decimals(3)))),
    (&["train"], ("best_expected_acceptance", "Best ᾱ", View::Real(Style::Percent(1)))),
];

/// The names of the columns for these runs: those of figures only where a run is of a kind that has them.
pub(super) fn usual(runs: &Rows) -> Vec<&'static str> {
    let kind = runs.columns.iter().position(|column| column == "kind").expect("the query has this column");
    let has_any = |kinds: &[&str]| {
        runs.rows.iter().any(|run| matches!(&run[kind], Value::Text(kind) if kinds.contains(&kind.as_str())))
    };
    let is_for = |(kinds, _): &&(&[&str], Shown)| kinds.is_empty() || has_any(kinds);
    LISTED.iter().filter(is_for).map(|(_, (name, ..))| *name).collect()
}

/// The columns that no list for people has, but for those that are asked for.
pub(super) fn unlisted(asked: &[String]) -> Vec<&'static str> {
    let columns = ["target", "draft", "checkpoint_id", "uid"];
    columns.into_iter().filter(|column| !asked.iter().any(|asked| asked == column)).collect()
}

/// Of the usual columns, those that say which run it is, and those that say what came of it.
pub(super) fn identity_and_outcome(runs: &Rows) -> (Vec<&'static str>, Vec<&'static str>) {
    let is_outcome =
        |name: &str| LISTED.iter().any(|(kinds, (known, ..))| *known == name && !kinds.is_empty());
    let (outcome, others): (Vec<_>, Vec<_>) = usual(runs).into_iter().partition(|name| is_outcome(name));
    let identity = others.into_iter().filter(|name| ["run_id", "name", "kind"].contains(name));
    (identity.collect(), outcome)
}

/// These columns for people.
pub(super) fn grid(rows: &Rows, names: &[String]) -> Grid {
    let shown: Vec<(&str, &str, View)> = names.iter().map(|name| shown(name)).collect();
    chosen_grid(rows, &shown)
}

/// These columns for programs, in this order.
pub(super) fn chosen_rows(rows: &Rows, names: &[String]) -> Rows {
    let index = |name: &String| rows.columns.iter().position(|column| column == name);
    let places: Vec<usize> =
        names.iter().map(|name| index(name).expect("every column was asked for")).collect();
    let row = |row: &Vec<Value>| places.iter().map(|&place| row[place].clone()).collect();
    Rows { columns: names.to_vec(), rows: rows.rows.iter().map(row).collect() }
}

fn shown(name: &str) -> (&str, &str, View) {
    if let Some((_, shown)) = LISTED.iter().find(|(_, (known, ..))| *known == name) {
        return *shown;
    }
    match name {
        "deleted_at" => (name, "Deleted (UTC)", View::Minute),
        _ if name.starts_with(SETTING) => (name, &name[SETTING.len()..], View::Text),
        _ => (name, name.strip_prefix("tag:").unwrap_or(name), view(name)),
    }
}

/// How a figure is seen, by what it is called.
fn view(name: &str) -> View {
    let has = |part: &str| name.contains(part);
    if has("acceptance_length") || has("speedup") {
        View::Real(Style::Decimals(2))
    } else if has("acceptance") || has("gain") {
        View::Real(Style::Percent(1))
    } else if has("tokens_per_second") {
        View::Real(Style::Decimals(1))
    } else if has("time_to") {
        View::Real(Style::Seconds(2))
    } else if has("num_") || has("total_") || has("checkpoint_id") {
        View::Integer
    } else {
        View::Text
    }
}

/// Settings as their values, where the rows have JSON: for people, text without quotes.
pub(super) fn settings_as_text(rows: &mut Rows, names: &[String]) {
    replace(rows, names, |json| match json {
        Json::Null => Value::Null,
        Json::String(text) => Value::Text(text),
        other => Value::Text(other.to_string()),
    });
}

/// The same for programs: numbers are numbers.
pub(super) fn settings_as_values(rows: &mut Rows, names: &[String]) {
    replace(rows, names, |json| match json {
        Json::Null => Value::Null,
        Json::String(text) => Value::Text(text),
        Json::Number(number) => match (number.as_i64(), number.as_f64()) {
            (Some(number), _) => Value::Integer(number),
            (None, Some(number)) => Value::Real(number),
            (None, None) => Value::Text(number.to_string()),
        },
        other => Value::Text(other.to_string()),
    });
}

fn replace(rows: &mut Rows, names: &[String], value: impl Fn(Json) -> Value) {
    for name in names {
        let place =
            rows.columns.iter().position(|column| column == name).expect("every column was asked for");
        for row in &mut rows.rows {
            if let Value::Text(json) = &row[place] {
                row[place] = serde_json::from_str(json).map_or(Value::Null, &value);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::Format;

    /// Runs of these kinds, each with every figure.
    fn runs(kinds: &[&str]) -> Rows {
        let columns = LISTED.iter().map(|(_, (key, ..))| (*key).to_owned());
        let columns: Vec<String> = columns.chain(["num_planned_generations".to_owned()]).collect();
        let value = |key: &String, kind: &str| match key.as_str() {
            "kind" => Value::Text(kind.to_owned()),
            "started_at" => Value::Text("2026-08-01T12:30:59Z".to_owned()),
            "num_planned_generations" if kind == "train" => Value::Integer(0),
            "num_generations" | "num_planned_generations" => Value::Integer(24),
            _ => Value::Null,
        };
        let row = |kind: &&str| columns.iter().map(|key| value(key, kind)).collect();
        Rows { rows: kinds.iter().map(row).collect(), columns }
    }

    fn table(rows: &Rows) -> String {
        let names: Vec<String> = usual(rows).into_iter().map(str::to_owned).collect();
        grid(rows, &names).render(Format::Table)
    }

    #[track_caller]
    fn check(kinds: &[&str], expected: &str) {
        let table = table(&runs(kinds));
        let heading = table.lines().next().unwrap().split_whitespace().skip(8).collect::<Vec<_>>().join(" ");
        assert_eq!(heading, expected, "{kinds:?}");
        let width = table.lines().map(|line| line.chars().count()).max().unwrap();
        assert!(kinds.len() > 1 || width <= 100, "{width} columns:\n{table}");
    }

    #[test]
    fn a_list_has_the_columns_of_the_kinds_in_it() {
        check(&[], "");
        check(&["bench"], "Done Target Tok/s Base × LoRA ×");
        check(&["collect"], "Done");
        check(&["train"], "Steps Loss Best ᾱ");
        check(&["train", "bench"], "Done Target Tok/s Base × LoRA × Steps Loss Best ᾱ");
    }

    #[test]
    fn training_has_no_generations_to_be_done() {
        let table = table(&runs(&["train", "collect"]));
        let [training, collecting] = ["train", "collect"].map(|kind| {
            table.lines().find(|line| line.contains(kind)).unwrap().split_whitespace().collect::<Vec<_>>()
        });
        assert_eq!(training[4..6], ["2026-08-01", "12:30"]);
        assert_eq!([training[8], collecting[8]], ["—", "24/24"], "{table}");
    }

    #[test]
    fn settings_lose_their_quotes_and_keep_their_digits() {
        let json = ["\"lk_hybrid\"", "0.004", "2", "true", "[1,2]", "null"];
        let rows = || Rows {
            columns: vec!["setting:x".to_owned()],
            rows: json.iter().map(|json| vec![Value::from(*json)]).chain([vec![Value::Null]]).collect(),
        };
        let names = ["setting:x".to_owned()];
        let (mut text, mut values) = (rows(), rows());
        settings_as_text(&mut text, &names);
        settings_as_values(&mut values, &names);
        let column = |rows: Rows| rows.rows.into_iter().map(|mut row| row.remove(0)).collect::<Vec<_>>();
        let shown = ["lk_hybrid", "0.004", "2", "true", "[1,2]"].map(Value::from);
        assert_eq!(column(text), [&shown[..], &[Value::Null, Value::Null]].concat());
        let expected = [
            shown[0].clone(),
            Value::Real(0.004),
            2.into(),
            shown[3].clone(),
            shown[4].clone(),
            Value::Null,
            Value::Null,
        ];
        assert_eq!(column(values), expected);
    }

    #[test]
    fn column_is_seen_by_what_it_is() {
        let check = |name: &str, title: &str, value: Value, expected: &str| {
            let rows = Rows { columns: vec![name.to_owned()], rows: vec![vec![value]] };
            let table = grid(&rows, &[name.to_owned()]).render(Format::Md);
            let lines: Vec<&str> = table.lines().collect();
            assert_eq!((lines[0], lines[2]), (&*format!("| {title} |"), &*format!("| {expected} |")));
        };
        check("run_id", "Run", 12.into(), "12");
        check("setting:alpha", "alpha", "16.0".into(), "16.0");
        check("tag:sweep", "sweep", "a".into(), "a");
        check("spec_lora.tokens_per_second", "spec_lora.tokens_per_second", Value::Real(71.84), "71.8");
        check("acceptance_rate", "acceptance_rate", Value::Real(0.721), "72.1%");
        check(
            "spec_lora.mean_acceptance_length",
            "spec_lora.mean_acceptance_length",
            Value::Real(3.456),
            "3.46",
        );
        check("time_to_last_token", "time_to_last_token", Value::Real(3.571), "3.57s");
        check("deleted_at", "Deleted (UTC)", "2026-08-01T12:30:59Z".into(), "2026-08-01 12:30");
    }
}
