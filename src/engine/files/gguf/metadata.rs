//! Typed access to GGUF metadata: what is absent is `None`, what is of another type is an error that names the key.

use std::collections::HashMap;

use super::header::Value;

/// A type that metadata can hold.
pub(super) trait FromValue: Sized {
    /// What an error says was expected.
    const KIND: &'static str;
    /// What an error says where a list of them was expected.
    const LIST_KIND: &'static str;

    fn from_value(value: &Value) -> Option<Self>;
}

impl FromValue for usize {
    const KIND: &'static str = "a whole number";
    const LIST_KIND: &'static str = "a list of whole numbers";

    fn from_value(value: &Value) -> Option<Self> {
        match value {
            Value::Integer(number) => (*number).try_into().ok(),
            _ => None,
        }
    }
}

impl FromValue for u32 {
    const KIND: &'static str = "a whole number below 2^32";
    const LIST_KIND: &'static str = "a list of whole numbers below 2^32";

    fn from_value(value: &Value) -> Option<Self> {
        match value {
            Value::Integer(number) => (*number).try_into().ok(),
            _ => None,
        }
    }
}

impl FromValue for f32 {
    const KIND: &'static str = "a number with a fraction";
    const LIST_KIND: &'static str = "a list of numbers with fractions";

    fn from_value(value: &Value) -> Option<Self> {
        match value {
            Value::Float(number) => Some(*number as Self),
            _ => None,
        }
    }
}

impl FromValue for bool {
    const KIND: &'static str = "true or false";
    const LIST_KIND: &'static str = "a list of true and false";

    fn from_value(value: &Value) -> Option<Self> {
        match value {
            Value::Bool(flag) => Some(*flag),
            _ => None,
        }
    }
}

impl FromValue for String {
    const KIND: &'static str = "a text";
    const LIST_KIND: &'static str = "a list of texts";

    fn from_value(value: &Value) -> Option<Self> {
        match value {
            Value::Text(text) => Some(text.clone()),
            _ => None,
        }
    }
}

impl<T: FromValue> FromValue for Vec<T> {
    const KIND: &'static str = T::LIST_KIND;
    const LIST_KIND: &'static str = "a list of lists";

    fn from_value(value: &Value) -> Option<Self> {
        match value {
            Value::List(values) => values.iter().map(T::from_value).collect(),
            _ => None,
        }
    }
}

/// The value of a key, if it is there.
pub(super) fn optional<T: FromValue>(
    metadata: &HashMap<String, Value>,
    key: &str,
) -> Result<Option<T>, String> {
    let wrong_type = || format!("metadata {key} is not {}", T::KIND);
    metadata.get(key).map(|value| T::from_value(value).ok_or_else(wrong_type)).transpose()
}

/// The value of a key that must be there.
pub(super) fn required<T: FromValue>(metadata: &HashMap<String, Value>, key: &str) -> Result<T, String> {
    optional(metadata, key)?.ok_or_else(|| format!("metadata {key} is missing"))
}
