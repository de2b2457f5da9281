//! Chat templates: Jinja as the models ship it, rendered the way transformers renders it.

use std::borrow::Cow;
use std::fmt::Write as _;
use std::sync::LazyLock;

use chrono::{DateTime, FixedOffset, Local};
use minijinja::syntax::SyntaxConfig;
use minijinja::value::{Kwargs, Serde, Value};
use minijinja::{Environment, ErrorKind, context};
use regex::Regex;
use serde::Serialize;

use super::error::{Error, Result};

/// One message of a conversation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Message {
    /// `system`, `user` or `assistant`.
    pub role: String,
    /// What was said.
    pub content: String,
}

impl Message {
    /// A message of a role.
    pub fn new(role: &str, content: &str) -> Self {
        Self { role: role.to_owned(), content: content.to_owned() }
    }
}

/// A model's chat template.
///
/// Some templates write today's date. The time is read once, when the template is made, so that all prompts of one
/// loaded model agree, in whatever mode and however long a run takes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChatTemplate {
    source: String,
    bos_token: Option<String>,
    eos_token: Option<String>,
    now: DateTime<FixedOffset>,
}

impl ChatTemplate {
    /// A template with the tokens that it may write; its time is that of this call.
    pub fn new(source: String, bos_token: Option<String>, eos_token: Option<String>) -> Self {
        Self { source, bos_token, eos_token, now: Local::now().fixed_offset() }
    }

    /// The same template at another time.
    pub fn at(self, now: DateTime<FixedOffset>) -> Self {
        Self { now, ..self }
    }

    /// The prompt for the assistant's answer to `user`, after `system` if there is one.
    ///
    /// # Errors
    /// If the template is not valid, or refuses the messages.
    pub fn prompt(&self, system: Option<&str>, user: &str) -> Result<String> {
        let system = system.map(|content| Message::new("system", content));
        let messages: Vec<Message> = system.into_iter().chain([Message::new("user", user)]).collect();
        self.open_conversation(&messages)
    }

    /// The conversation as text, ending with the last message.
    ///
    /// # Errors
    /// If the template is not valid, or refuses the messages.
    pub fn conversation(&self, messages: &[impl Serialize]) -> Result<String> {
        self.render(messages, NextTurn::Closed)
    }

    /// The conversation as text, ending with the beginning of the assistant's turn.
    ///
    /// # Errors
    /// If the template is not valid, or refuses the messages.
    pub fn open_conversation(&self, messages: &[impl Serialize]) -> Result<String> {
        self.render(messages, NextTurn::Open)
    }

    fn render(&self, messages: &[impl Serialize], next_turn: NextTurn) -> Result<String> {
        let source = without_generation_marks(&self.source);
        let mut environment = environment(self.now);
        environment.add_template("chat", &source).map_err(template_error)?;
        let template = environment.get_template("chat").map_err(template_error)?;
        let token = |token: &Option<String>| token.as_deref().map_or(Value::UNDEFINED, Value::from);
        let values = context! {
            messages => Value::from(Serde(messages)),
            add_generation_prompt => next_turn == NextTurn::Open,
            bos_token => token(&self.bos_token),
            eos_token => token(&self.eos_token),
            // Templates ask for these with `is none`, and transformers always gives them.
            tools => Value::from(()),
            documents => Value::from(()),
        };
        template.render(values).map_err(template_error)
    }
}

/// Whether the assistant's turn is begun after the last message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum NextTurn {
    Closed,
    Open,
}

/// Jinja with the settings and functions that templates expect of transformers.
fn environment<'a>(now: DateTime<FixedOffset>) -> Environment<'a> {
    let mut environment = Environment::new();
    let syntax = SyntaxConfig::builder().trim_blocks(true).lstrip_blocks(true).build();
    environment.set_syntax(syntax.expect("the standard delimiters are valid"));
    environment.set_unknown_method_callback(minijinja_contrib::pycompat::unknown_method_callback);
    environment.add_function("raise_exception", raise_exception);
    environment.add_function("strftime_now", move |format: String| strftime(now, &format));
    environment.add_filter("tojson", to_json);
    environment
}

fn raise_exception(message: String) -> std::result::Result<Value, minijinja::Error> {
    Err(minijinja::Error::new(ErrorKind::InvalidOperation, message))
}

fn strftime(time: DateTime<FixedOffset>, format: &str) -> std::result::Result<String, minijinja::Error> {
    let mut text = String::new();
    // Writing fails where the format is not valid; `to_string` would panic.
    write!(text, "{}", time.format(format)).map_err(|_| {
        let problem = format!("strftime_now: {format:?} is not a format of a time");
        minijinja::Error::new(ErrorKind::InvalidOperation, problem)
    })?;
    Ok(text)
}

/// `json.dumps(value, ensure_ascii=False, indent=indent)`: unlike Jinja's own filter, nothing is escaped for HTML.
fn to_json(value: Value, options: Kwargs) -> std::result::Result<String, minijinja::Error> {
    let indent: Option<usize> = options.get("indent")?;
    options.assert_all_used()?;
    let mut json = Vec::new();
    let written = match indent {
        Some(width) => {
            let indent = " ".repeat(width);
            let formatter = serde_json::ser::PrettyFormatter::with_indent(indent.as_bytes());
            value.serialize(&mut serde_json::Serializer::with_formatter(&mut json, formatter))
        }
        None => value.serialize(&mut serde_json::Serializer::with_formatter(&mut json, SpacedFormatter)),
    };
    written.map_err(|error| minijinja::Error::new(ErrorKind::BadSerialization, error.to_string()))?;
    String::from_utf8(json)
        .map_err(|error| minijinja::Error::new(ErrorKind::BadSerialization, error.to_string()))
}

/// JSON on one line with a space after commas and colons, as Python writes it.
struct SpacedFormatter;

impl serde_json::ser::Formatter for SpacedFormatter {
    fn begin_array_value<W: ?Sized + std::io::Write>(
        &mut self,
        writer: &mut W,
        first: bool,
    ) -> std::io::Result<()> {
        if first { Ok(()) } else { writer.write_all(b", ") }
    }

    fn begin_object_key<W: ?Sized + std::io::Write>(
        &mut self,
        writer: &mut W,
        first: bool,
    ) -> std::io::Result<()> {
        if first { Ok(()) } else { writer.write_all(b", ") }
    }

    fn begin_object_value<W: ?Sized + std::io::Write>(&mut self, writer: &mut W) -> std::io::Result<()> {
        writer.write_all(b": ")
    }
}

/// `{% generation %}` … `{% endgeneration %}` marks what the assistant wrote, for training. It writes nothing, so a
/// condition that always holds takes its place, white-space control included.
fn without_generation_marks(source: &str) -> Cow<'_, str> {
    static MARK: LazyLock<Regex> = LazyLock::new(|| {
        Regex::new(r"\{%([-+]?)\s*(end)?generation\s*([-+]?)%\}").expect("the pattern is valid")
    });
    MARK.replace_all(source, |mark: &regex::Captures| {
        let tag = if mark.get(2).is_some() { "endif" } else { "if true" };
        format!("{{%{} {tag} {}%}}", &mark[1], &mark[3])
    })
}

/// The innermost reason, without the template's source.
fn template_error(error: minijinja::Error) -> Error {
    let reason = error.detail().map_or_else(|| error.kind().to_string(), str::to_owned);
    let line = error.line().map(|line| format!(" (line {line})")).unwrap_or_default();
    Error::Template(format!("{reason}{line}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(source: &str, expected: &str) {
        let template = ChatTemplate::new(source.to_owned(), Some("<s>".to_owned()), None);
        assert_eq!(template.prompt(Some("be brief"), "hé \"<b>\"").unwrap(), expected);
    }

    #[test]
    fn blocks_are_trimmed_as_transformers_does() {
        check(
            "{% for m in messages %}\n  {% if true %}\n{{ m.role }};\n  {% endif %}\n{% endfor %}\nend",
            "system;\nuser;\nend",
        );
    }

    #[test]
    fn json_is_not_escaped_for_html() {
        check("{{ messages[1] | tojson }}", r#"{"role": "user", "content": "hé \"<b>\""}"#);
    }

    #[test]
    fn generation_marks_write_nothing() {
        check("a {%- generation -%} b {%- endgeneration -%} c", "abc");
    }

    #[test]
    fn a_missing_token_is_empty() {
        check("{{ bos_token }}{{ eos_token }}.", "<s>.");
    }

    #[test]
    fn the_date_is_that_of_the_template_not_of_the_prompt() {
        let template = |source: &str| {
            let midnight = DateTime::parse_from_rfc3339("2026-02-28T23:59:59+01:00").unwrap();
            ChatTemplate::new(source.to_owned(), None, None).at(midnight)
        };
        let written = template("{{ strftime_now('%d %b %Y') }}").prompt(None, "hi").unwrap();
        assert_eq!(written, "28 Feb 2026");
        let error = template("{{ strftime_now('%') }}").prompt(None, "hi").unwrap_err().to_string();
        assert!(error.contains("\"%\" is not a format of a time (line 1)"), "{error}");
    }

    #[test]
    fn a_template_that_refuses_says_why() {
        let template = ChatTemplate::new("{{ raise_exception('no tools') }}".to_owned(), None, None);
        let error = template.prompt(None, "hi").unwrap_err().to_string();
        assert!(error.contains("no tools (line 1)"), "{error}");
    }
}
