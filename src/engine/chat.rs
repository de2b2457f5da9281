//! Chat templates: Jinja as the models ship it, rendered the way transformers renders it.

use std::borrow::Cow;
use std::sync::LazyLock;

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
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChatTemplate {
    source: String,
    bos_token: Option<String>,
    eos_token: Option<String>,
}

impl ChatTemplate {
    /// A template with the tokens that it may write.
    pub fn new(source: String, bos_token: Option<String>, eos_token: Option<String>) -> Self {
        Self { source, bos_token, eos_token }
    }

    /// The prompt for the assistant's answer to `user`, after `system` if there is one.
    ///
    /// # Errors
    /// If the template is not valid, or refuses the messages.
    pub fn prompt(&self, system: Option<&str>, user: &str) -> Result<String> {
        let system = system.map(|content| Message::new("system", content));
        let messages: Vec<Message> = system.into_iter().chain([Message::new("user", user)]).collect();
        self.render(&messages, true)
    }

    /// The conversation as text; `add_generation_prompt` opens the assistant's turn.
    ///
    /// # Errors
    /// If the template is not valid, or refuses the messages.
    pub fn render(&self, messages: &[impl Serialize], add_generation_prompt: bool) -> Result<String> {
        let source = without_generation_marks(&self.source);
        let mut environment = environment();
        environment.add_template("chat", &source).map_err(template_error)?;
        let template = environment.get_template("chat").map_err(template_error)?;
        let token = |token: &Option<String>| token.as_deref().map_or(Value::UNDEFINED, Value::from);
        let values = context! {
            messages => Value::from(Serde(messages)),
            add_generation_prompt => add_generation_prompt,
            bos_token => token(&self.bos_token),
            eos_token => token(&self.eos_token),
            // Templates ask for these with `is none`, and transformers always gives them.
            tools => Value::from(()),
            documents => Value::from(()),
        };
        template.render(values).map_err(template_error)
    }
}

/// Jinja with the settings and functions that templates expect of transformers.
fn environment<'a>() -> Environment<'a> {
    let mut environment = Environment::new();
    let syntax = SyntaxConfig::builder().trim_blocks(true).lstrip_blocks(true).build();
    environment.set_syntax(syntax.expect("the standard delimiters are valid"));
    environment.set_unknown_method_callback(minijinja_contrib::pycompat::unknown_method_callback);
    environment.add_function("raise_exception", raise_exception);
    environment.add_function("strftime_now", strftime_now);
    environment.add_filter("tojson", to_json);
    environment
}

fn raise_exception(message: String) -> std::result::Result<Value, minijinja::Error> {
    Err(minijinja::Error::new(ErrorKind::InvalidOperation, message))
}

fn strftime_now(format: String) -> String {
    chrono::Local::now().format(&format).to_string()
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
    fn a_template_that_refuses_says_why() {
        let template = ChatTemplate::new("{{ raise_exception('no tools') }}".to_owned(), None, None);
        let error = template.prompt(None, "hi").unwrap_err().to_string();
        assert!(error.contains("no tools (line 1)"), "{error}");
    }
}
