//! The forms in which prompts are written: text, JSON Lines, CSV.

use std::path::Path;

use serde_json::{Map, Value};

use super::error::PromptError;
use crate::record::Prompt;

type Result<T> = std::result::Result<T, PromptError>;

/// How prompts are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// One a line; blank lines and lines whose first mark is `#` are skipped.
    Text,
    /// One JSON object a line, or one array of them.
    Json,
    /// Rows under a header that has a `prompt` column.
    Csv,
}

impl Format {
    /// The format that a path's extension says; none for standard input, whose content tells.
    pub(super) fn of_path(path: &Path) -> Option<Self> {
        if path == Path::new("-") {
            return None;
        }
        let extension = path.extension().map(|extension| extension.to_ascii_lowercase());
        match extension.as_deref().and_then(|extension| extension.to_str()) {
            Some("jsonl" | "json") => Some(Self::Json),
            Some("csv") => Some(Self::Csv),
            _ => Some(Self::Text),
        }
    }

    /// The format that the content looks like: objects are JSON, a header with `prompt` is CSV, all else is text.
    fn of_content(text: &str) -> Self {
        let is_object =
            |text: &str| text.strip_prefix('{').is_some_and(|rest| rest.trim_start().starts_with('"'));
        let start = text.trim_start();
        if is_object(start) || start.strip_prefix('[').is_some_and(|rest| is_object(rest.trim_start())) {
            return Self::Json;
        }
        let header = start.lines().next().unwrap_or_default();
        if header.split(',').any(|column| column.trim().trim_matches('"').eq_ignore_ascii_case("prompt")) {
            return Self::Csv;
        }
        Self::Text
    }
}

/// Prompts of the command line.
pub(super) fn texts(texts: &[String]) -> Result<Vec<Prompt>> {
    texts.iter().map(|text| prompt("--prompt", text.clone(), None, None)).collect()
}

/// Prompts of a file's content; `place` names the file in errors.
pub(super) fn bytes(place: &str, bytes: &[u8], format: Option<Format>) -> Result<Vec<Prompt>> {
    let text = std::str::from_utf8(bytes).map_err(|error| {
        let num_newlines = bytes[..error.valid_up_to()].iter().filter(|byte| **byte == b'\n').count();
        PromptError::NotUtf8 { place: at(place, num_newlines + 1) }
    })?;
    let text = text.strip_prefix('\u{FEFF}').unwrap_or(text);
    let prompts = match format.unwrap_or_else(|| Format::of_content(text)) {
        Format::Text => plain(text),
        Format::Json if text.trim_start().starts_with('[') => json_array(place, text)?,
        Format::Json => json_lines(place, text)?,
        Format::Csv => csv_rows(place, text)?,
    };
    if prompts.is_empty() {
        let num_comments = text.lines().filter(|line| is_comment(line)).count();
        let num_blank = text.lines().filter(|line| line.trim().is_empty()).count();
        return Err(PromptError::Empty { place: place.to_owned(), num_blank, num_comments });
    }
    Ok(prompts)
}

fn plain(text: &str) -> Vec<Prompt> {
    let lines = text.lines().filter(|line| !is_comment(line)).map(str::trim).filter(|line| !line.is_empty());
    lines.map(|line| Prompt { text: line.to_owned(), external_id: None, category: None }).collect()
}

fn is_comment(line: &str) -> bool {
    line.trim_start().starts_with('#')
}

fn json_lines(place: &str, text: &str) -> Result<Vec<Prompt>> {
    let lines = text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty());
    lines.map(|(i, line)| json_object(&at(place, i + 1), &parse_json(place, line, i)?)).collect()
}

fn json_array(place: &str, text: &str) -> Result<Vec<Prompt>> {
    let Value::Array(items) = parse_json(place, text, 0)? else {
        unreachable!("JSON that begins with [ is an array");
    };
    items.iter().enumerate().map(|(i, item)| json_object(&format!("{place}: item {}", i + 1), item)).collect()
}

/// Parses JSON that begins after `num_lines_before` lines of its file.
fn parse_json(place: &str, text: &str, num_lines_before: usize) -> Result<Value> {
    serde_json::from_str(text).map_err(|error| {
        let message = error.to_string();
        let message = message.split(" at line ").next().unwrap_or_default().to_owned();
        let line = at(place, num_lines_before + error.line());
        PromptError::Json { place: format!("{line}:{}", error.column()), message }
    })
}

/// `{"prompt": …}` with optional `id` and `category`, or Spec-Bench's `{"question_id": …, "turns": [first, …]}`.
fn json_object(place: &str, value: &Value) -> Result<Prompt> {
    let Value::Object(object) = value else {
        return Err(bad_field(place, "entry", "an object", value));
    };
    let text = match (object.get("prompt"), object.get("turns")) {
        (Some(Value::String(text)), _) => text,
        (Some(other), _) => return Err(bad_field(place, "prompt", "text", other)),
        (None, Some(turns)) => match turns.get(0) {
            Some(Value::String(text)) => text,
            _ => return Err(bad_field(place, "turns", "a list of texts", turns)),
        },
        (None, None) => {
            return Err(PromptError::NoPrompt {
                place: place.to_owned(),
                keys: object.keys().cloned().collect(),
            });
        }
    };
    let id = match label(place, object, "id")? {
        None => label(place, object, "question_id")?,
        id => id,
    };
    prompt(place, text.clone(), id, label(place, object, "category")?)
}

/// An optional field that is text or a number.
fn label(place: &str, object: &Map<String, Value>, field: &'static str) -> Result<Option<String>> {
    match object.get(field) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) => Ok(Some(text.clone())),
        Some(Value::Number(number)) => Ok(Some(number.to_string())),
        Some(other) => Err(bad_field(place, field, "text or a number", other)),
    }
}

fn csv_rows(place: &str, text: &str) -> Result<Vec<Prompt>> {
    let csv_error = |error: csv::Error| PromptError::Csv {
        place: at(place, error.position().map_or(1, |position| position.line() as usize)),
        message: describe(error.kind()),
    };
    let mut reader = csv::ReaderBuilder::new().trim(csv::Trim::Headers).from_reader(text.as_bytes());
    let columns = reader.headers().map_err(csv_error)?.clone();
    let column = |name: &str| columns.iter().position(|column| column.eq_ignore_ascii_case(name));
    let (id, category) = (column("id"), column("category"));
    let text = column("prompt").ok_or_else(|| PromptError::NoColumn {
        place: place.to_owned(),
        columns: columns.iter().map(str::to_owned).collect(),
    })?;

    let row = |record: std::result::Result<csv::StringRecord, csv::Error>| {
        let record = record.map_err(csv_error)?;
        let line = record.position().map_or(0, |position| position.line() as usize);
        let cell = |index: Option<usize>| index.and_then(|i| record.get(i)).filter(|cell| !cell.is_empty());
        let owned = |index| cell(index).map(str::to_owned);
        prompt(&at(place, line), record[text].to_owned(), owned(id), owned(category))
    };
    reader.records().map(row).collect()
}

/// What is wrong with a row, without the position that [`PromptError`] names itself.
fn describe(kind: &csv::ErrorKind) -> String {
    match kind {
        csv::ErrorKind::UnequalLengths { expected_len, len, .. } => {
            format!("the header has {expected_len} columns, this row has {len}")
        }
        other => format!("{other:?}"),
    }
}

fn prompt(
    place: &str,
    text: String,
    external_id: Option<String>,
    category: Option<String>,
) -> Result<Prompt> {
    if text.trim().is_empty() {
        return Err(PromptError::Blank { place: place.to_owned() });
    }
    Ok(Prompt { text, external_id, category })
}

fn bad_field(place: &str, field: &'static str, expected: &'static str, got: &Value) -> PromptError {
    PromptError::BadField { place: place.to_owned(), field, expected, got: got.to_string() }
}

fn at(place: &str, line: usize) -> String {
    format!("{place}:{line}")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Parses, and writes each prompt as `text`, `text|id`, or `text|id|category`.
    fn parse(format: Option<Format>, content: &[u8]) -> std::result::Result<Vec<String>, String> {
        let show = |prompt: Prompt| {
            let parts = [Some(prompt.text), prompt.external_id, prompt.category];
            parts.into_iter().flatten().collect::<Vec<_>>().join("|")
        };
        let prompts = bytes("p", content, format).map_err(|error| error.to_string())?;
        Ok(prompts.into_iter().map(show).collect())
    }

    #[track_caller]
    fn reads(format: Option<Format>, content: &str, expected: &[&str]) {
        assert_eq!(parse(format, content.as_bytes()).unwrap(), expected, "{content:?}");
    }

    #[track_caller]
    fn fails(format: Format, content: impl AsRef<[u8]>, expected: &str) {
        assert_eq!(parse(Some(format), content.as_ref()).unwrap_err(), expected);
    }

    #[test]
    fn text_is_one_prompt_a_line() {
        reads(
            Some(Format::Text),
            "# head\n\none\n  # indented\n  two # not a comment  \n",
            &["one", "two # not a comment"],
        );
        reads(Some(Format::Text), "{\"prompt\": \"x\"}", &["{\"prompt\": \"x\"}"]);
    }

    #[test]
    fn byte_order_mark_and_carriage_returns_are_tolerated() {
        reads(Some(Format::Text), "\u{FEFF}# head\r\none\r\n\r\ntwo\r\n", &["one", "two"]);
        reads(Some(Format::Json), "\u{FEFF}{\"prompt\": \"x\"}\r\n", &["x"]);
        reads(Some(Format::Csv), "\u{FEFF}prompt,id\r\nx,1\r\n", &["x|1"]);
    }

    #[test]
    fn json_lines_may_name_and_sort_their_prompts() {
        let lines = "{\"prompt\": \"x\"}\n\n{\"id\": 7, \"prompt\": \"y\\nz\", \"category\": \"code\", \"more\": []}\n";
        reads(Some(Format::Json), lines, &["x", "y\nz|7|code"]);
        reads(Some(Format::Json), "[{\"prompt\": \"x\"},\n {\"prompt\": \"y\", \"id\": null}]", &["x", "y"]);
    }

    #[test]
    fn spec_bench_gives_the_first_turn() {
        let line = r#"{"question_id": 81, "category": "writing", "turns": ["first", "second"]}"#;
        reads(Some(Format::Json), line, &["first|81|writing"]);
    }

    #[test]
    fn csv_finds_its_columns_by_name() {
        reads(Some(Format::Csv), "id, prompt\na,\"x, \"\"y\"\"\nz\"\n,w\n", &["x, \"y\"\nz|a", "w"]);
    }

    #[test]
    fn columns_are_found_whatever_their_case() {
        reads(Some(Format::Csv), "ID,Prompt,CATEGORY\n1,x,code\n", &["x|1|code"]);
        reads(None, "PROMPT\nx\n", &["x"]);
    }

    #[test]
    fn format_of_standard_input_is_sniffed() {
        reads(None, "\n{ \"prompt\": \"x\"}", &["x"]);
        reads(None, "[\n{\"prompt\": \"x\"}]", &["x"]);
        reads(None, "category,\"prompt\"\ncode,x\n", &["x|code"]);
        reads(None, "[1, 2] sorted, how?\n{x} is a set\n", &["[1, 2] sorted, how?", "{x} is a set"]);
    }

    #[test]
    fn empty_input_says_what_was_skipped() {
        fails(
            Format::Text,
            "# a\n\n# b\n \n\n",
            "no prompts in p (3 blank lines and 2 comment lines skipped)",
        );
        fails(Format::Json, "[]", "no prompts in p (0 blank lines and 0 comment lines skipped)");
        fails(Format::Csv, "prompt\n", "no prompts in p (0 blank lines and 0 comment lines skipped)");
        fails(Format::Csv, "", "p: no \"prompt\" column (its columns are none)");
    }

    #[test]
    fn malformed_input_is_an_error_with_its_line() {
        fails(Format::Text, b"one\ntw\xFFo\n", "p:2: not valid UTF-8 (prompt files must be saved as UTF-8)");
        fails(
            Format::Json,
            "{\"prompt\": \"x\"}\n{\"prompt\": \n",
            "p:2:11: bad JSON: EOF while parsing a value",
        );
        fails(Format::Json, "[{\"prompt\": \"x\"},\n{]", "p:2:2: bad JSON: key must be a string");
        fails(Format::Csv, "prompt,id\nx,1\ny\n", "p:3: bad CSV: the header has 2 columns, this row has 1");
    }

    #[test]
    fn entries_without_a_usable_prompt_are_errors() {
        let keys = "p:1: no \"prompt\" and no \"turns\" (its keys are text, id)";
        fails(Format::Json, r#"{"text": "x", "id": 1}"#, keys);
        fails(Format::Json, "\"x\"", "p:1: entry must be an object, got \"x\"");
        fails(Format::Json, r#"{"prompt": 1}"#, "p:1: prompt must be text, got 1");
        fails(Format::Json, r#"{"turns": []}"#, "p:1: turns must be a list of texts, got []");
        fails(Format::Json, r#"[{"prompt": "x"}, {"prompt": " "}]"#, "p: item 2: prompt is blank");
        fails(Format::Json, r#"{"prompt": "x", "id": {}}"#, "p:1: id must be text or a number, got {}");
        fails(Format::Csv, "question,id\nx,1\n", "p: no \"prompt\" column (its columns are question, id)");
        fails(Format::Csv, "prompt,id\nx,1\n,2\n", "p:3: prompt is blank");
    }
}
