//! A case: a few calls, and in what manner they are made.

use serde_json::{Map, Value};

/// One call.
#[derive(Debug, Clone, PartialEq)]
pub struct Call {
    /// The subject, by its place in the list.
    pub subject: usize,
    /// Its arguments.
    pub arguments: Value,
}

/// How equal JSON is written otherwise.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Spelling {
    /// The members in another order.
    Order,
    /// With white space.
    Space,
    /// Texts with escapes.
    Escapes,
}

impl Spelling {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Order, Self::Space, Self::Escapes];

    /// For people.
    pub fn words(self) -> &'static str {
        match self {
            Self::Order => "its members in another order",
            Self::Space => "white space in it",
            Self::Escapes => "its texts escaped",
        }
    }

    /// The value written this way.
    pub fn of(self, value: &Value) -> String {
        let mut text = String::new();
        self.write(value, &mut text);
        text
    }

    fn write(self, value: &Value, text: &mut String) {
        let space = if self == Self::Space { "\t " } else { "" };
        match value {
            Value::String(plain) => self.write_text(plain, text),
            Value::Array(elements) => {
                text.push('[');
                for (index, element) in elements.iter().enumerate() {
                    text.push_str(if index == 0 { "" } else { "," });
                    text.push_str(space);
                    self.write(element, text);
                }
                text.push_str(space);
                text.push(']');
            }
            Value::Object(members) => {
                text.push('{');
                let mut members: Vec<_> = members.iter().collect();
                if self == Self::Order {
                    members.reverse();
                }
                for (index, (name, member)) in members.into_iter().enumerate() {
                    text.push_str(if index == 0 { "" } else { "," });
                    text.push_str(space);
                    self.write_text(name, text);
                    text.push_str(space);
                    text.push(':');
                    text.push_str(space);
                    self.write(member, text);
                }
                text.push_str(space);
                text.push('}');
            }
            other => text.push_str(&other.to_string()),
        }
    }

    fn write_text(self, plain: &str, text: &mut String) {
        if self != Self::Escapes {
            text.push_str(&Value::from(plain).to_string());
            return;
        }
        text.push('"');
        for unit in plain.encode_utf16() {
            text.push_str(&format!("\\u{unit:04x}"));
        }
        text.push('"');
    }
}

/// In what manner calls are made, and with it what must hold for them.
#[derive(Debug, Clone, PartialEq)]
pub enum Manner {
    /// One after the other; every one is valid.
    Valid,
    /// All at once; every one is valid.
    Together,
    /// One that breaks this keyword of the schema at this place.
    Miss {
        /// The keyword.
        keyword: String,
        /// The place in the arguments: a JSON pointer.
        path: String,
    },
    /// The same valid call so many times.
    Again(usize),
    /// The same valid call, spelled otherwise in between.
    Spelled(Spelling),
    /// Two valid calls, the first with something that no other knows at this place of its arguments.
    Echo {
        /// The place: a JSON pointer.
        path: String,
    },
    /// Valid calls of what only reads, and one that is not about them.
    Past,
}

impl Manner {
    /// Whether every call of it is valid.
    pub fn is_valid(&self) -> bool {
        !matches!(self, Self::Miss { .. })
    }
}

/// A few calls.
#[derive(Debug, Clone, PartialEq)]
pub struct Case {
    /// In what manner they are made.
    pub manner: Manner,
    /// The calls; those that are only the same once more stand here once.
    pub calls: Vec<Call>,
}

impl Case {
    /// One call.
    pub fn one(manner: Manner, subject: usize, arguments: Value) -> Self {
        Self { manner, calls: vec![Call { subject, arguments }] }
    }

    /// The same calls one by one, where they were made in order to compare their answers.
    #[must_use]
    pub fn plain(self) -> Self {
        let times = match self.manner {
            Manner::Valid | Manner::Together | Manner::Miss { .. } => return self,
            Manner::Again(times) => times,
            Manner::Spelled(_) => 4,
            Manner::Echo { .. } | Manner::Past => 1,
        };
        let calls = self.calls.into_iter().flat_map(|call| vec![call; times]).collect();
        Self { manner: Manner::Valid, calls }
    }

    /// The arguments of all calls as one value.
    pub fn value(&self) -> Value {
        self.calls.iter().map(|call| call.arguments.clone()).collect()
    }

    /// The same calls with other arguments; `None` where it is no list of as many objects.
    pub fn with(&self, value: &Value) -> Option<Self> {
        let all = value.as_array().filter(|all| all.len() == self.calls.len())?;
        let calls = self.calls.iter().zip(all).map(|(call, arguments)| {
            arguments.is_object().then(|| Call { subject: call.subject, arguments: arguments.clone() })
        });
        Some(Self { manner: self.manner.clone(), calls: calls.collect::<Option<_>>()? })
    }

    /// Some of the calls.
    pub fn only(&self, kept: &[usize]) -> Self {
        let calls = kept.iter().filter_map(|at| self.calls.get(*at).cloned()).collect();
        Self { manner: self.manner.clone(), calls }
    }
}

/// The members of an object in a list of their own; none for anything else.
pub(super) fn members(value: &Value) -> impl Iterator<Item = (&String, &Value)> {
    value.as_object().into_iter().flat_map(Map::iter)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn other_spellings_are_the_same_json() {
        let value = json!({"b": [1, "é\u{1F600}", null], "a": {"x": 0.5, "y": ""}});
        for spelling in Spelling::ALL {
            let text = spelling.of(&value);
            assert_ne!(text, value.to_string(), "{spelling:?}");
            assert_eq!(serde_json::from_str::<Value>(&text).unwrap(), value, "{text}");
        }
    }

    #[test]
    fn a_case_takes_other_arguments_for_as_many_calls() {
        let case = Case::one(Manner::Valid, 3, json!({"n": 1}));
        assert_eq!(case.with(&json!([{"n": 2}])).unwrap().calls[0].arguments, json!({"n": 2}));
        assert_eq!(case.with(&json!([])), None);
        assert_eq!(case.with(&json!([7])), None);
        assert!(case.only(&[]).calls.is_empty());
    }
}
