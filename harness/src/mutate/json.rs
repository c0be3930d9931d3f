//! What is changed about the JSON of a message.

use super::json_type::JsonType;
use super::mutation::{DEEPEST, LARGEST, cut};
use super::places::last_name;
use super::text::{at, name_of, replaced, spliced, value_of, with_member, without};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::fmt;

/// Names that objects of JavaScript have of their own: whoever looks something up by a name that came in finds these.
pub(super) const PROTOTYPE: [&str; 8] = [
    "__proto__",
    "constructor",
    "prototype",
    "toString",
    "hasOwnProperty",
    "valueOf",
    "__defineGetter__",
    "__class__",
];

/// One change of a JSON text, at one place.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct JsonMutation {
    /// Where: a JSON pointer (RFC 6901).
    pub place: String,
    /// What is changed there.
    #[serde(flatten)]
    pub change: JsonChange,
}

/// What is changed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "change", rename_all = "kebab-case")]
pub enum JsonChange {
    /// The member or element is left out.
    MissingMember,
    /// `null` stands for the value.
    NullValue,
    /// A value of another type stands for it, not `null`.
    WrongType {
        /// That value.
        value: Value,
    },
    /// The object has a member more.
    ExtraMember {
        /// Its name, which is none of those of the object.
        name: String,
        /// Its value.
        value: Value,
    },
    /// The name of the member is written otherwise: other letters in upper case, another way to join its words.
    OtherCase {
        /// The name instead, which is none of those of the object.
        name: String,
    },
    /// An array stands for the object.
    ArrayForObject {
        /// Whether it is one of pairs of name and value; else it is one of the values.
        pairs: bool,
    },
    /// A number that readers differ about stands for the value.
    OddNumber {
        /// The number, as it is written.
        written: String,
    },
    /// The text has characters that programs trip over.
    OddText {
        /// These, as they stand between the quotes of JSON: escapes may be no characters at all.
        written: String,
        /// Where in the text.
        put: Put,
    },
    /// The object has a member with a name that means something to the runtime of a server.
    PrototypeMember {
        /// The name.
        name: String,
        /// The value.
        value: Value,
    },
    /// Such a name stands for the text.
    PrototypeName {
        /// The name.
        name: String,
    },
    /// The member stands twice.
    DuplicateMember {
        /// The other value.
        value: Value,
        /// Whether the other one comes first; most readers take the last.
        first: bool,
    },
    /// Something long stands for the value.
    Large {
        /// What it is.
        what: Large,
        /// How much of it there is.
        count: usize,
    },
    /// The value is nested in arrays or objects.
    Deep {
        /// In how many.
        levels: usize,
        /// Whether in objects.
        objects: bool,
    },
    /// A word of a dictionary stands for the value.
    Word {
        /// A JSON text.
        written: String,
    },
}

/// Where something is put in a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Put {
    /// In its place.
    Instead,
    /// At its beginning.
    Before,
    /// At its end.
    After,
}

/// Something long.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Large {
    /// A text of so many letters.
    Text,
    /// A number of so many digits.
    Digits,
    /// An array of so many zeros.
    Array,
    /// An object of so many members.
    Object,
    /// A member more in the object, with a name of so many letters.
    Name,
}

impl JsonMutation {
    /// The text with the change. `None` where it cannot be made: the text is none of JSON or has nothing at the place, or
    /// the change would not be what its name says, such as a value of another type that has the same type.
    pub fn apply(&self, text: &str) -> Option<String> {
        let place = self.place.as_str();
        let here = at(text, place)?;
        let instead = |by: &str| (by != here).then(|| replaced(text, place, by)).flatten();
        let changed = match &self.change {
            JsonChange::MissingMember => without(text, place),
            JsonChange::NullValue => instead("null"),
            JsonChange::WrongType { value } => {
                let (now, other) = (JsonType::of(&value_of(here)?), JsonType::of(value));
                (!now.is_like(other) && !value.is_null()).then(|| instead(&value.to_string())).flatten()
            }
            JsonChange::ExtraMember { name, value } => extra(text, place, here, name, value),
            JsonChange::OtherCase { name } => other_case(text, place, name),
            JsonChange::ArrayForObject { pairs } => instead(&array_for(here, *pairs)?),
            JsonChange::OddNumber { written } => {
                value_of(written).filter(Value::is_number)?;
                instead(written)
            }
            JsonChange::OddText { written, put } => {
                let inner = here.strip_prefix('"')?.strip_suffix('"')?;
                let by = match put {
                    Put::Instead => format!("\"{written}\""),
                    Put::Before => format!("\"{written}{inner}\""),
                    Put::After => format!("\"{inner}{written}\""),
                };
                value_of(&by).filter(Value::is_string)?;
                instead(&by)
            }
            JsonChange::PrototypeMember { name, value } => {
                PROTOTYPE.contains(&name.as_str()).then(|| extra(text, place, here, name, value)).flatten()
            }
            JsonChange::PrototypeName { name } => {
                let fits = here.starts_with('"') && PROTOTYPE.contains(&name.as_str());
                fits.then(|| instead(&Value::from(name.as_str()).to_string())).flatten()
            }
            JsonChange::DuplicateMember { value, first } => {
                let name = text.get(name_of(text, place)?)?;
                let both =
                    if *first { format!("{value},{name}:{here}") } else { format!("{here},{name}:{value}") };
                instead(&both)
            }
            JsonChange::Large { what, count } => match what {
                _ if !(1..=LARGEST).contains(count) => None,
                Large::Text => instead(&format!("\"{}\"", "a".repeat(*count))),
                Large::Digits => instead(&"1".repeat(*count)),
                Large::Array => instead(&format!("[{}0]", "0,".repeat(count - 1))),
                Large::Object => instead(&wide(*count)),
                Large::Name => extra(text, place, here, &"a".repeat(*count), &Value::from(0)),
            },
            JsonChange::Deep { levels, objects } => {
                let (open, close) = if *objects { ("{\"a\":", "}") } else { ("[", "]") };
                let fits = (1..=DEEPEST).contains(levels);
                fits.then(|| instead(&format!("{}{here}{}", open.repeat(*levels), close.repeat(*levels))))?
            }
            JsonChange::Word { written } => {
                value_of(written)?;
                instead(written)
            }
        };
        // An object of many members has more bytes than members.
        changed.filter(|changed| changed.len() <= text.len() + LARGEST + 64)
    }

    /// The name of the kind of change.
    pub fn name(&self) -> &'static str {
        match &self.change {
            JsonChange::MissingMember => "missing-member",
            JsonChange::NullValue => "null-value",
            JsonChange::WrongType { .. } => "wrong-type",
            JsonChange::ExtraMember { .. } => "extra-member",
            JsonChange::OtherCase { .. } => "other-case",
            JsonChange::ArrayForObject { .. } => "array-for-object",
            JsonChange::OddNumber { .. } => "odd-number",
            JsonChange::OddText { .. } => "odd-text",
            JsonChange::PrototypeMember { .. } => "prototype-member",
            JsonChange::PrototypeName { .. } => "prototype-name",
            JsonChange::DuplicateMember { .. } => "duplicate-member",
            JsonChange::Large { .. } => "large",
            JsonChange::Deep { .. } => "deep",
            JsonChange::Word { .. } => "word",
        }
    }
}

/// A member more in an object that has none of this name.
fn extra(text: &str, place: &str, here: &str, name: &str, value: &Value) -> Option<String> {
    let there = value_of(here)?;
    let is_new = there.as_object().is_some_and(|members| !members.contains_key(name));
    is_new.then(|| with_member(text, place, name, &value.to_string())).flatten()
}

fn other_case(text: &str, place: &str, name: &str) -> Option<String> {
    let plain = |name: &str| name.replace(['_', '-'], "").to_lowercase();
    let now = last_name(place);
    let range = name_of(text, place)?;
    let parent = value_of(at(text, place.rsplit_once('/')?.0)?)?;
    let differs = now != name && plain(&now) == plain(name) && parent.get(name).is_none();
    differs.then(|| spliced(text, range, &Value::from(name).to_string()))
}

fn array_for(here: &str, pairs: bool) -> Option<String> {
    let Value::Object(members) = value_of(here)? else { return None };
    let elements = members
        .into_iter()
        .map(|(name, value)| if pairs { Value::from(vec![Value::from(name), value]) } else { value });
    Some(Value::Array(elements.collect()).to_string())
}

fn wide(count: usize) -> String {
    let mut text = String::from("{");
    for at in 0..count {
        text.push_str(if at == 0 { "\"" } else { ",\"" });
        text.push_str(&format!("{at:x}\":0"));
        if text.len() > LARGEST {
            break;
        }
    }
    text.push('}');
    text
}

impl fmt::Display for JsonMutation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let place =
            if self.place.is_empty() { "the message".to_owned() } else { format!("`{}`", self.place) };
        let short = |value: &Value| cut(&value.to_string());
        match &self.change {
            JsonChange::MissingMember => write!(f, "{place} is left out"),
            JsonChange::NullValue => write!(f, "`null` stands for {place}"),
            JsonChange::WrongType { value } => {
                write!(f, "{place} is of another type: {}, {}", JsonType::of(value), short(value))
            }
            JsonChange::ExtraMember { name, value } | JsonChange::PrototypeMember { name, value } => {
                write!(f, "{place} has a member more, `{}`: {}", cut(name), short(value))
            }
            JsonChange::OtherCase { name } => write!(f, "{place} is named `{}`", cut(name)),
            JsonChange::ArrayForObject { pairs: true } => {
                write!(f, "an array of pairs stands for the object {place}")
            }
            JsonChange::ArrayForObject { pairs: false } => {
                write!(f, "an array of its values stands for the object {place}")
            }
            JsonChange::OddNumber { written } => write!(f, "{place} is the number {}", cut(written)),
            JsonChange::OddText { written, put: Put::Instead } => {
                write!(f, "{place} is the text \"{}\"", cut(written))
            }
            JsonChange::OddText { written, put: Put::Before } => {
                write!(f, "the text {place} begins with \"{}\"", cut(written))
            }
            JsonChange::OddText { written, put: Put::After } => {
                write!(f, "the text {place} ends with \"{}\"", cut(written))
            }
            JsonChange::PrototypeName { name } => write!(f, "{place} is the name `{name}`"),
            JsonChange::DuplicateMember { value, first } => {
                let order = if *first { "before" } else { "after" };
                write!(f, "{place} stands twice, {order} it once more with {}", short(value))
            }
            JsonChange::Large { what, count } => match what {
                Large::Text => write!(f, "{place} is a text of {count} letters"),
                Large::Digits => write!(f, "{place} is a number of {count} digits"),
                Large::Array => write!(f, "{place} is an array of {count} elements"),
                Large::Object => write!(f, "{place} is an object of {count} members"),
                Large::Name => write!(f, "{place} has a member more with a name of {count} letters"),
            },
            JsonChange::Deep { levels, objects } => {
                write!(f, "{place} is nested in {levels} {}", if *objects { "objects" } else { "arrays" })
            }
            JsonChange::Word { written } => {
                write!(f, "a word of the dictionary stands for {place}: {}", cut(written))
            }
        }
    }
}
