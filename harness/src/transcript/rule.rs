//! Rules of a recording: what of the server's messages may differ when it is replayed. They stand in the header of the
//! file as `rules`, or in a project's settings.

use serde::{Deserialize, Serialize};

/// Which of the server's messages a rule is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RulePart {
    /// The answer to a request of this method.
    Answer,
    /// A request of the server.
    Request,
    /// A notification of the server.
    Notification,
}

impl std::fmt::Display for RulePart {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Answer => "answer",
            Self::Request => "request",
            Self::Notification => "notification",
        })
    }
}

/// What may differ at a place.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "rule", rename_all = "kebab-case")]
pub enum RuleKind {
    /// Whatever stands there, or nothing.
    Ignore,
    /// The value, while its type stays: that of the recording, or one of these.
    Type {
        /// The types that may stand there: `null`, `boolean`, `number`, `string`, `array`, `object`; that of the
        /// recording if there are none.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        types: Vec<String>,
    },
    /// The text, while the whole of it matches a regular expression.
    Pattern {
        /// The expression, without anchors.
        pattern: String,
    },
    /// The number, by so much in either direction.
    Tolerance {
        /// How much.
        tolerance: f64,
    },
    /// The order of the elements of an array.
    Unordered,
    /// The values below, while members, types and the types of elements stay; an array may have more or fewer elements.
    Shape,
    /// Whether the member is there at all; where it is, it is compared.
    Optional,
    /// How many messages of the method come, none among them. (`path` is empty.)
    Count,
    /// Where among the other messages it comes. (`path` is empty.)
    Order,
}

impl RuleKind {
    /// The word that names it in a file.
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Ignore => "ignore",
            Self::Type { .. } => "type",
            Self::Pattern { .. } => "pattern",
            Self::Tolerance { .. } => "tolerance",
            Self::Unordered => "unordered",
            Self::Shape => "shape",
            Self::Optional => "optional",
            Self::Count => "count",
            Self::Order => "order",
        }
    }

    /// Whether it is about whole messages.
    pub fn is_of_messages(&self) -> bool {
        matches!(self, Self::Count | Self::Order)
    }
}

/// What may differ in some of the server's messages.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Rule {
    /// The method of the message, or of the request that it answers; `*` stands for any text. Any if not given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub method: Option<String>,
    /// What the message is. Anything if not given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub of: Option<RulePart>,
    /// Only the message that has so many of its kind and method before it, counted from 1. All if not given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub nth: Option<u64>,
    /// Where in the message, as a JSON pointer; `*` stands for any one member or element.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub path: String,
    /// What may differ there.
    #[serde(flatten)]
    pub kind: RuleKind,
}

/// Why a rule cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RuleError {
    /// The path is no JSON pointer.
    #[error("the path `{0}` of a rule is no JSON pointer: it is empty, or begins with `/`")]
    Path(String),
    /// The pattern is no regular expression.
    #[error("the pattern of the rule at `{path}` is no regular expression: {why}")]
    Pattern {
        /// Where the rule applies.
        path: String,
        /// What is wrong with it.
        why: String,
    },
    /// A type has an unknown name.
    #[error(
        "the rule at `{path}` names the type `{name}`; there are null, boolean, number, string, array and object"
    )]
    Type {
        /// Where the rule applies.
        path: String,
        /// What it names.
        name: String,
    },
    /// A tolerance below zero, or none that is a number.
    #[error("the rule at `{0}` has a tolerance that is no number from 0 on")]
    Tolerance(String),
    /// A rule about whole messages with a path.
    #[error("the rule `{kind}` is about whole messages and takes no path; it has `{path}`")]
    OfMessages {
        /// The kind.
        kind: &'static str,
        /// The path.
        path: String,
    },
    /// The counted number is zero.
    #[error("the rule at `{0}` has `nth` 0; the first message is 1")]
    Nth(String),
}

/// The names of the JSON types.
const TYPES: [&str; 6] = ["null", "boolean", "number", "string", "array", "object"];
/// The largest automaton that a pattern may become, in bytes.
const PATTERN_SIZE: usize = 4 << 20;

impl Rule {
    /// Whether it can be used.
    ///
    /// # Errors
    /// A path that is no JSON pointer, a pattern that is no regular expression, an unknown type, a tolerance below zero.
    pub fn check(&self) -> Result<(), RuleError> {
        let path = || self.path.clone();
        if !self.path.is_empty() && !self.path.starts_with('/') {
            return Err(RuleError::Path(path()));
        }
        if self.nth == Some(0) {
            return Err(RuleError::Nth(path()));
        }
        if self.kind.is_of_messages() && !self.path.is_empty() {
            return Err(RuleError::OfMessages { kind: self.kind.as_str(), path: path() });
        }
        match &self.kind {
            RuleKind::Type { types } => match types.iter().find(|name| !TYPES.contains(&name.as_str())) {
                Some(name) => Err(RuleError::Type { path: path(), name: name.clone() }),
                None => Ok(()),
            },
            RuleKind::Pattern { pattern } => match whole(pattern) {
                Ok(_) => Ok(()),
                Err(error) => Err(RuleError::Pattern { path: path(), why: last_line(&error.to_string()) }),
            },
            RuleKind::Tolerance { tolerance } if !(tolerance.is_finite() && *tolerance >= 0.0) => {
                Err(RuleError::Tolerance(path()))
            }
            _ => Ok(()),
        }
    }

    /// Whether it is about a message: its method, what it is, and how many like it came before.
    pub fn is_about(&self, method: &str, of: RulePart, nth: u64) -> bool {
        self.of.is_none_or(|part| part == of)
            && self.nth.is_none_or(|number| number == nth + 1)
            && self.method.as_deref().is_none_or(|pattern| wild(pattern, method))
    }

    /// Whether it is about a place in a message.
    pub fn covers(&self, path: &str) -> bool {
        if !self.path.contains('*') {
            return self.path == path;
        }
        let (mut ours, mut theirs) = (self.path.split('/'), path.split('/'));
        loop {
            match (ours.next(), theirs.next()) {
                (None, None) => return true,
                (Some("*"), Some(_)) => {}
                (Some(a), Some(b)) if a == b => {}
                _ => return false,
            }
        }
    }
}

/// A regular expression for the whole of a text.
pub(crate) fn whole(pattern: &str) -> Result<regex::Regex, regex::Error> {
    regex::RegexBuilder::new(&format!("^(?:{pattern})$")).size_limit(PATTERN_SIZE).build()
}

fn last_line(text: &str) -> String {
    text.lines().last().unwrap_or_default().trim_start_matches("error: ").to_owned()
}

/// Whether a text fits a pattern in which `*` stands for any text.
fn wild(pattern: &str, text: &str) -> bool {
    let Some((head, rest)) = pattern.split_once('*') else { return pattern == text };
    let Some(mut left) = text.strip_prefix(head) else { return false };
    let parts: Vec<&str> = rest.split('*').collect();
    let (last, middle) = parts.split_last().map_or(("", &[][..]), |(last, middle)| (*last, middle));
    for part in middle {
        let Some(at) = left.find(part) else { return false };
        left = &left[at + part.len()..];
    }
    left.ends_with(last)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rule(text: &str) -> Rule {
        serde_json::from_str(text).unwrap()
    }

    #[test]
    fn rules_stand_in_files_in_one_way() {
        for text in [
            r#"{"method":"tools/call","of":"answer","nth":2,"path":"/result/content/0/text","rule":"pattern","pattern":"[0-9]+"}"#,
            r#"{"path":"/result/at","rule":"type"}"#,
            r#"{"path":"/result/at","rule":"type","types":["null","string"]}"#,
            r#"{"path":"/result/n","rule":"tolerance","tolerance":0.5}"#,
            r#"{"method":"notifications/*","of":"notification","rule":"count"}"#,
        ] {
            assert_eq!(serde_json::to_string(&rule(text)).unwrap(), text);
            assert_eq!(rule(text).check(), Ok(()));
        }
    }

    #[test]
    fn a_rule_is_about_some_messages() {
        let narrow = rule(r#"{"method":"tools/call","of":"answer","nth":2,"path":"/a","rule":"ignore"}"#);
        assert!(narrow.is_about("tools/call", RulePart::Answer, 1));
        assert!(!narrow.is_about("tools/call", RulePart::Answer, 0));
        assert!(!narrow.is_about("tools/list", RulePart::Answer, 1));
        assert!(!narrow.is_about("tools/call", RulePart::Request, 1));
        let wide = rule(r#"{"method":"notifications/*","path":"/a/*/b","rule":"ignore"}"#);
        assert!(wide.is_about("notifications/message", RulePart::Notification, 7));
        assert!(wide.covers("/a/12/b") && !wide.covers("/a/b") && !wide.covers("/a/1/b/c"));
        assert!(wild("a*b*c", "a-b-b-c") && !wild("a*b", "a-b-c") && wild("*", "") && !wild("ab*ba", "aba"));
    }

    #[test]
    fn what_cannot_be_used_is_told() {
        for (text, part) in [
            (r#"{"path":"a","rule":"ignore"}"#, "no JSON pointer"),
            (r#"{"path":"/a","rule":"pattern","pattern":"("}"#, "no regular expression"),
            (r#"{"path":"/a","rule":"type","types":["text"]}"#, "names the type `text`"),
            (r#"{"path":"/a","rule":"tolerance","tolerance":-1}"#, "tolerance"),
            (r#"{"path":"/a","rule":"count"}"#, "whole messages"),
            (r#"{"path":"/a","nth":0,"rule":"ignore"}"#, "`nth` 0"),
        ] {
            let told = rule(text).check().unwrap_err().to_string();
            assert!(told.contains(part), "{told}");
        }
    }
}
