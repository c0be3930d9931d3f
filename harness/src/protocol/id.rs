//! Request ids, kept as they were written.

use serde_json::Value;
use std::collections::{HashMap, HashSet};
use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

/// A request id: its JSON text, exactly as it crossed the wire.
///
/// Two ids are equal when they have the same JSON type and the same value, however they are written:
/// `"a"` equals `"\u0061"`, but `1`, `1.0` and `"1"` are three different ids
/// (JSON-RPC 2.0, section 5: the id is the same as the value in the request).
#[derive(Debug, Clone)]
pub struct Id {
    text: Arc<str>,
    string: Option<Arc<str>>,
}

/// Values by id. Ids are of the other side's choosing: the hash has a seed, and is fast for what is short.
pub type IdMap<T> = HashMap<Id, T, ahash::RandomState>;
/// Ids.
pub type IdSet = HashSet<Id, ahash::RandomState>;

impl Id {
    /// An integer id.
    pub fn number(number: i64) -> Self {
        Self { text: number.to_string().into(), string: None }
    }

    /// A string id.
    pub fn string(text: &str) -> Self {
        Self { text: Value::from(text).to_string().into(), string: Some(text.into()) }
    }

    /// An id from its JSON text and its parsed value. What can be no id at all, an object or an array, is written
    /// anew, so that white space makes no difference.
    pub fn from_json(text: &str, value: &Value) -> Self {
        let text = match value {
            Value::Object(_) | Value::Array(_) => value.to_string().into(),
            _ => text.into(),
        };
        Self { text, string: value.as_str().map(Into::into) }
    }

    /// The JSON text.
    pub fn as_json(&self) -> &str {
        &self.text
    }

    /// Whether a request may carry it: a string or an integer (basic/index, requests).
    pub fn is_well_formed(&self) -> bool {
        self.string.is_some() || (!self.text.is_empty() && self.is_integer())
    }

    /// Whether it is written as an integer: an optional minus and digits only.
    pub fn is_integer(&self) -> bool {
        let digits = self.text.strip_prefix('-').unwrap_or(&self.text);
        !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit())
    }

    /// Whether it is `null`.
    pub fn is_null(&self) -> bool {
        &*self.text == "null"
    }
}

impl PartialEq for Id {
    fn eq(&self, other: &Self) -> bool {
        match (&self.string, &other.string) {
            (Some(a), Some(b)) => a == b,
            (None, None) => self.text == other.text,
            _ => false,
        }
    }
}

impl Eq for Id {}

impl Hash for Id {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.string.is_some().hash(state);
        self.string.as_ref().unwrap_or(&self.text).hash(state);
    }
}

impl fmt::Display for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn type_and_value_decide() {
        assert_ne!(Id::number(1), Id::string("1"));
        let float = Id::from_json("1.0", &serde_json::json!(1.0));
        assert_ne!(Id::number(1), float);
        assert!(!float.is_well_formed());
        let escaped = Id::from_json(r#""\u0061""#, &serde_json::json!("a"));
        assert_eq!(Id::string("a"), escaped);
        assert!(Id::from_json("null", &Value::Null).is_null());
        assert!(!Id::from_json("null", &Value::Null).is_well_formed());
    }
}
