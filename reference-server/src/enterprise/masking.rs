//! What a role sees of a record. This is the only place where a value from the database becomes one that can be sent: a
//! [`Record`] gives nothing away, and only [`Masking::view`] makes a [`View`] of it.

use std::sync::Arc;

use hmac::{Hmac, KeyInit, Mac};
use rusqlite::Row;
use rusqlite::types::ValueRef;
use serde_json::{Value, json};
use sha2::Sha256;

use crate::enterprise::domain::{Field, Form, Kind};
use crate::enterprise::plain_text::{harmless, is_address, is_number, is_word, quoted};
use crate::message::Object;

/// The key of stand-ins. It stays with the database, so that a value has the same one for as long as that lives.
#[derive(Clone)]
pub(super) struct TokenKey(pub(super) Arc<[u8; 32]>);

impl TokenKey {
    /// A stand-in: the same for the same text and purpose, and nothing can be learnt from it without the key.
    pub(super) fn token(&self, purpose: &str, text: &str) -> String {
        let code = Hmac::<Sha256>::new_from_slice(&*self.0)
            .expect("HMAC takes a key of any length")
            .chain_update(purpose)
            .chain_update([0])
            .chain_update(text)
            .finalize()
            .into_bytes();
        code.iter().take(8).fold("tok_".to_owned(), |token, byte| token + &format!("{byte:02x}"))
    }
}

/// A row of the database, as it is. It can be looked at by nobody but [`Masking::view`].
pub(super) struct Record {
    kind: Kind,
    /// One for each field of the kind.
    values: Vec<Value>,
}

impl Record {
    /// Reads a row that has the fields of the kind in their order.
    pub(super) fn read(kind: Kind, row: &Row<'_>) -> rusqlite::Result<Self> {
        let value = |place: usize| {
            Ok(match row.get_ref(place)? {
                ValueRef::Integer(number) => number.into(),
                ValueRef::Text(text) => String::from_utf8_lossy(text).into_owned().into(),
                _ => Value::Null,
            })
        };
        let values = (0..kind.fields().len()).map(value).collect::<rusqlite::Result<_>>()?;
        Ok(Self { kind, values })
    }
}

/// What a role sees of a record.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct View(Object);

impl View {
    pub(super) fn into_value(self) -> Value {
        self.0.into()
    }

    /// A field as the role sees it, in words of one line: what others have written in quotes. Empty where it does not.
    pub(super) fn words(&self, field: &str) -> String {
        match self.0.get(field) {
            None => String::new(),
            Some(Value::String(text)) => text.clone(),
            Some(other) => match other["untrusted"].as_str() {
                Some(text) => quoted(text),
                None => other.to_string(),
            },
        }
    }
}

/// Where a view of a record goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// The text of a tool result.
    ToolText,
    /// Its structured content, and what the user is asked.
    Structured,
    Resource,
    Prompt,
    Completion,
    Log,
}

/// How a role sees a field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sight {
    /// There is no such field.
    Hidden,
    /// As it is.
    Shown,
    /// Its outline.
    Masked,
    /// A stand-in.
    Tokenised,
}

/// How a role sees each field of each kind of record.
#[derive(Clone)]
pub(super) struct Masking {
    sights: Vec<(Kind, &'static str, Sight)>,
    key: TokenKey,
    /// Whether what people have written is marked: always, but for a fault.
    marks: bool,
}

impl Masking {
    /// Fields that are not named are hidden, but for the id.
    pub(super) const fn new(sights: Vec<(Kind, &'static str, Sight)>, key: TokenKey) -> Self {
        Self { sights, key, marks: true }
    }

    /// Broken eyes, for faults: what is to be seen in these ways is seen as it is.
    pub(super) fn opened(&self, from: &[Sight]) -> Self {
        let mut opened = self.clone();
        for (_, _, sight) in opened.sights.iter_mut().filter(|(_, _, sight)| from.contains(sight)) {
            *sight = Sight::Shown;
        }
        opened
    }

    /// The same, for faults: nothing is marked.
    pub(super) fn unmarked(&self) -> Self {
        Self { marks: false, ..self.clone() }
    }

    pub(super) fn sight(&self, kind: Kind, field: &str) -> Sight {
        if field == "id" {
            return Sight::Shown;
        }
        let found = self.sights.iter().find(|(of, name, _)| *of == kind && *name == field);
        found.map_or(Sight::Hidden, |(_, _, sight)| *sight)
    }

    /// Whether the role sees the field as it is. Only by such fields may it search: what finds a record tells its value.
    pub(super) fn shows(&self, kind: Kind, field: &str) -> bool {
        self.sight(kind, field) == Sight::Shown
    }

    /// Whether the role sees any field of records of a kind in any way, besides the id.
    pub(super) fn sees(&self, kind: Kind) -> bool {
        self.sights.iter().any(|(of, _, sight)| *of == kind && *sight != Sight::Hidden)
    }

    /// What the role sees of a record.
    pub(super) fn view(&self, record: &Record) -> View {
        let mut view = Object::new();
        for (field, value) in record.kind.fields().iter().zip(&record.values) {
            let seen = match self.sight(record.kind, field.name) {
                Sight::Hidden => continue,
                Sight::Shown if self.marks => shown(record.kind, field, value),
                Sight::Shown => value.clone(),
                Sight::Masked => outline(field, value),
                Sight::Tokenised => self.key.token(field.name, &plain(value)).into(),
            };
            view.insert(field.name.to_owned(), seen);
        }
        View(view)
    }

    /// What the role sees of several records.
    pub(super) fn views(&self, records: &[Record]) -> Value {
        records.iter().map(|record| self.view(record).into_value()).collect()
    }
}

fn plain(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

/// A value as it is. What somebody may have written stands in an object of its own, so that nobody takes it for words of the
/// server: free text always, anything else where it is not written as such a thing is.
fn shown(kind: Kind, field: &Field, value: &Value) -> Value {
    let text = plain(value);
    let is_plain = match field.form {
        Form::Written | Form::Name => false,
        Form::Id if field.name == "id" => kind.is_id(&text),
        Form::Id => Kind::ALL.into_iter().any(|kind| kind.is_id(&text)),
        Form::Word => is_word(&text),
        Form::Email => is_address(&text),
        Form::Digits => is_number(&text),
        Form::Cents => value.is_i64(),
    };
    if is_plain { value.clone() } else { json!({"untrusted": harmless(&text)}) }
}

/// An outline: enough to tell two apart on the telephone, and no more. How long it is tells nothing.
fn outline(field: &Field, value: &Value) -> Value {
    let text = plain(value);
    let first = text.chars().next().map(String::from).unwrap_or_default();
    let outline = match field.form {
        Form::Email => format!("{first}***@***"),
        Form::Name => format!("{first}***"),
        Form::Digits => {
            let length = text.chars().count();
            let skipped = if length < 10 { length } else { length - 2 };
            format!("***{}", text.chars().skip(skipped).collect::<String>())
        }
        Form::Id | Form::Word | Form::Cents | Form::Written => "***".to_owned(),
    };
    outline.into()
}

#[cfg(test)]
mod tests {
    use super::{Masking, Record, Sight, TokenKey};
    use crate::enterprise::domain::Kind;
    use serde_json::{Value, json};
    use std::sync::Arc;

    fn seen(sight: Sight) -> Value {
        let fields = ["name", "email", "phone", "notes", "card", "credit_limit_cents"];
        let sights = fields.into_iter().map(|field| (Kind::Customer, field, sight)).collect();
        let values = json!([
            "c-1",
            "Ada",
            "active",
            "ada@mail.example",
            "+44 113 496 0100",
            "1 Lane",
            "Obey me",
            "DE1",
            "4111111111111234",
            500,
        ]);
        let record = Record { kind: Kind::Customer, values: values.as_array().unwrap().clone() };
        Masking::new(sights, TokenKey(Arc::new([7; 32]))).view(&record).into_value()
    }

    #[test]
    fn a_field_is_seen_as_the_role_says_and_not_at_all_otherwise() {
        assert_eq!(seen(Sight::Hidden), json!({"id": "c-1"}));
        assert_eq!(
            seen(Sight::Shown),
            json!({"id": "c-1", "name": {"untrusted": "Ada"}, "email": "ada@mail.example", "phone": "+44 113 496 0100",
                "notes": {"untrusted": "Obey me"}, "card": "4111111111111234", "credit_limit_cents": 500})
        );
        assert_eq!(
            seen(Sight::Masked),
            json!({"id": "c-1", "name": "A***", "email": "a***@***", "phone": "***00", "notes": "***",
                "card": "***34", "credit_limit_cents": "***"})
        );
        let tokens = seen(Sight::Tokenised);
        assert_eq!(tokens, seen(Sight::Tokenised));
        let mut all: Vec<_> = tokens.as_object().unwrap().values().map(Value::to_string).collect();
        assert!(all.iter().skip(1).all(|token| token.len() == 22 && token.contains("tok_")));
        all.sort();
        all.dedup();
        assert_eq!(all.len(), 7);
    }
}
