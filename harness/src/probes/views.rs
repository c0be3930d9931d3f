//! What several principals see of the same records: which value one of them sees masked and another one raw.

use serde_json::Value;

/// The most values of one result that are looked at.
const MOST: usize = 5000;
/// The least characters of a value that cannot stand somewhere by chance.
const LEAST: usize = 6;
/// Members that tell one record from another.
const IDENTIFYING: [&str; 5] = ["id", "_id", "uuid", "uri", "key"];

/// A value of a record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Leaf {
    /// Where in the result the record stands: in the structured content, in which text.
    part: usize,
    /// What its identifying member says.
    record: String,
    /// The members that lead from the record to the value.
    path: String,
    value: String,
}

/// A value that one principal sees masked, and another one raw.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Hidden {
    /// What the identifying member of the record says.
    pub(super) record: String,
    /// The members that lead from the record to the value.
    pub(super) path: String,
    /// The value as it is.
    pub(super) raw: String,
}

/// The values of the records in a result: in its structured content and in texts that are JSON.
pub(super) fn leaves(result: &Value) -> Vec<Leaf> {
    let texts = ["content", "contents"]
        .into_iter()
        .flat_map(|member| result.get(member).and_then(Value::as_array).into_iter().flatten())
        .filter_map(|block| block.get("text")?.as_str())
        .map(|text| serde_json::from_str::<Value>(text).unwrap_or_default());
    let parts = result.get("structuredContent").cloned().into_iter().chain(texts);
    let mut leaves = Vec::new();
    for (part, root) in parts.enumerate() {
        walk(part, &root, None, &mut leaves);
    }
    leaves
}

fn walk(part: usize, value: &Value, within: Option<(&str, &str)>, leaves: &mut Vec<Leaf>) {
    if leaves.len() >= MOST {
        return;
    }
    let step = |name: &str| within.map(|(record, path)| (record, format!("{path}/{name}")));
    match value {
        Value::Object(members) => {
            let id = IDENTIFYING.iter().find_map(|name| match members.get(*name)? {
                Value::String(text) if !text.is_empty() => Some(text.clone()),
                Value::Number(number) => Some(number.to_string()),
                _ => None,
            });
            for (name, member) in members {
                match &id {
                    Some(id) => walk(part, member, Some((id, &format!("/{name}"))), leaves),
                    None => {
                        let inner = step(name);
                        let inner = inner.as_ref().map(|(record, path)| (*record, path.as_str()));
                        walk(part, member, inner, leaves);
                    }
                }
            }
        }
        Value::Array(items) => {
            for (index, item) in items.iter().enumerate() {
                let inner = step(&index.to_string());
                walk(part, item, inner.as_ref().map(|(record, path)| (*record, path.as_str())), leaves);
            }
        }
        // Numbers stand anywhere by chance.
        Value::String(text) => {
            if let Some((record, path)) = within {
                let (record, path) = (record.to_owned(), path.to_owned());
                leaves.push(Leaf { part, record, path, value: text.clone() });
            }
        }
        _ => {}
    }
}

/// What the one whose values are `masked` sees masked, and the one whose values are `raw` as it is, in two results for the
/// same request.
pub(super) fn hidden(masked: &[Leaf], raw: &[Leaf]) -> Vec<Hidden> {
    let mut found = Vec::new();
    for outline in masked.iter().filter(|leaf| is_masked(&leaf.value)) {
        let same = raw.iter().filter(|leaf| {
            let is_inside = leaf
                .path
                .strip_prefix(&outline.path)
                .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
            leaf.part == outline.part && leaf.record == outline.record && is_inside
        });
        for leaf in same.filter(|leaf| is_telling(&leaf.value) && !outline.value.contains(&leaf.value)) {
            let (record, path, raw) = (leaf.record.clone(), outline.path.clone(), leaf.value.clone());
            let hidden = Hidden { record, path, raw };
            if !found.contains(&hidden) {
                found.push(hidden);
            }
        }
    }
    found
}

/// Whether a text is visibly a mask or a stand-in.
fn is_masked(text: &str) -> bool {
    let mut longest = 0;
    let (mut before, mut run) = (' ', 0);
    for character in text.chars().take(200) {
        let least = match character {
            '*' | '\u{2022}' | '\u{25cf}' | '\u{2588}' | '#' => 3,
            'x' | 'X' => 4,
            _ => usize::MAX,
        };
        run = if character == before { run + 1 } else { 1 };
        before = character;
        longest = longest.max(usize::from(run >= least));
    }
    let word = text.to_ascii_lowercase();
    let inner = word.trim_matches(|c: char| !c.is_ascii_alphabetic());
    let is_word =
        matches!(inner, "redacted" | "masked" | "anonymized" | "anonymised" | "tokenized" | "tokenised");
    let is_token = ["tok_", "token_", "tkn_", "mask_", "masked_", "redacted_", "anon_"].iter().any(|start| {
        word.strip_prefix(start)
            .is_some_and(|rest| rest.len() >= 8 && rest.bytes().all(|b| b.is_ascii_alphanumeric()))
    });
    longest > 0 || is_word || is_token
}

/// Whether a value is one that stands nowhere by chance: neither short, nor a word of some list, nor a time.
fn is_telling(text: &str) -> bool {
    let is_word = text.chars().all(char::is_alphabetic) && text.chars().count() < 16;
    let digits = |range: std::ops::Range<usize>| {
        text.get(range).is_some_and(|part| part.bytes().all(|byte| byte.is_ascii_digit()))
    };
    let is_date = digits(0..4) && digits(5..7) && digits(8..10) && text.get(4..5) == Some("-");
    let is_short_number =
        text.len() < 10 && text.bytes().all(|byte| byte.is_ascii_digit() || b".,-".contains(&byte));
    text.chars().count() >= LEAST && !is_masked(text) && !is_word && !is_date && !is_short_number
}

/// Whether a message holds a value of a record, and names the record.
pub(super) fn tells(message: &Value, hidden: &Hidden) -> bool {
    let escaped = Value::from(hidden.raw.as_str()).to_string();
    let escaped = escaped.trim_matches('"').to_owned();
    any_text(message, &|text| text.contains(&hidden.raw) || text.contains(&escaped))
        && names(message, &hidden.record)
}

/// Whether a message names a record.
pub(super) fn names(message: &Value, record: &str) -> bool {
    any_text(message, &|text| text.contains(record))
}

/// Whether a text in a message, or the name of a member, is such a one.
pub(super) fn any_text(message: &Value, is_one: &impl Fn(&str) -> bool) -> bool {
    match message {
        Value::String(text) => is_one(text),
        Value::Number(number) => is_one(&number.to_string()),
        Value::Array(items) => items.iter().any(|item| any_text(item, is_one)),
        Value::Object(members) => {
            members.iter().any(|(name, member)| is_one(name) || any_text(member, is_one))
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::{Hidden, hidden, is_masked, is_telling, leaves, tells};
    use serde_json::{Value, json};

    fn structured(value: Value) -> Value {
        json!({"content": [{"type": "text", "text": value.to_string()}], "structuredContent": value})
    }

    fn found(masked: &Value, raw: &Value) -> Vec<Hidden> {
        hidden(&leaves(masked), &leaves(raw))
    }

    #[test]
    fn a_mask_beside_a_raw_value_of_the_same_record_is_found() {
        let masked = structured(json!({"people": [
            {"id": "p-1", "email": "a***@***", "note": "***", "card": "tok_0123456789abcdef"},
            {"id": "p-2", "email": "b***@***"},
        ]}));
        let raw = structured(json!({"people": [
            {"id": "p-2", "email": "bea@mail.example"},
            {"id": "p-1", "email": "ada@mail.example", "note": {"untrusted": "Likes tea."}, "card": "4111111111111111"},
        ]}));
        let found = found(&masked, &raw);
        let told: Vec<_> =
            found.iter().map(|one| (one.record.as_str(), one.path.as_str(), one.raw.as_str())).collect();
        assert_eq!(
            told,
            [
                ("p-1", "/email", "ada@mail.example"),
                ("p-1", "/note", "Likes tea."),
                ("p-1", "/card", "4111111111111111"),
                ("p-2", "/email", "bea@mail.example"),
            ]
        );
    }

    #[test]
    fn what_differs_for_another_reason_is_not_found() {
        let view = |id: &str, email: &str| structured(json!({"id": id, "email": email}));
        for (masked, raw) in [
            // Of two principals, each about itself.
            (view("ann", "a***@***"), view("ben", "ben@mail.example")),
            // Nothing is masked, or for both.
            (view("p-1", "ann@mail.example"), view("p-1", "ben@mail.example")),
            (view("p-1", "a***@***"), view("p-1", "b***@***")),
            // Words, times and short values stand anywhere.
            (view("p-1", "***"), view("p-1", "active")),
            (view("p-1", "***"), view("p-1", "2026-01-01T00:00:00Z")),
            (view("p-1", "***"), view("p-1", "12345")),
            // It belongs to no record.
            (structured(json!({"email": "a***@***"})), structured(json!({"email": "ann@mail.example"}))),
        ] {
            assert_eq!(found(&masked, &raw), [], "{masked} {raw}");
        }
        // In one the text is JSON, in the other it is not.
        let text = |text: &str| json!({"content": [{"type": "text", "text": text}]});
        assert_eq!(found(&text(r#"{"id": "p-1", "email": "***"}"#), &text("p-1: ann@mail.example")), []);
    }

    #[test]
    fn masks_are_known() {
        for text in [
            "***",
            "a***@***",
            "***89",
            "\u{2022}\u{2022}\u{2022}\u{2022} 1234",
            "XXXX-1234",
            "[REDACTED]",
            "<masked>",
            "tok_0123456789abcdef",
        ] {
            assert!(is_masked(text), "{text}");
        }
        for text in
            ["", "**", "ada@mail.example", "token_ring", "exxon", "The mask is redacted by law.", "a * b * c"]
        {
            assert!(!is_masked(text), "{text}");
        }
        for text in ["ada@mail.example", "+44 113 496 0100", "Ann Lee", "DE10370400440532013000"] {
            assert!(is_telling(text), "{text}");
        }
    }

    #[test]
    fn a_message_tells_a_value_where_it_names_the_record() {
        let hidden = Hidden { record: "p-1".into(), path: "/note".into(), raw: "Likes \"tea\"".into() };
        for told in [
            json!({"params": {"data": {"uri": "person://p-1", "note": "Likes \"tea\""}}}),
            json!({"result": {"content": [{"text": json!({"id": "p-1", "note": "Likes \"tea\""}).to_string()}]}}),
        ] {
            assert!(tells(&told, &hidden), "{told}");
        }
        for other in [json!({"text": "Likes \"tea\""}), json!({"text": "p-1 likes coffee"}), json!(null)] {
            assert!(!tells(&other, &hidden), "{other}");
        }
    }
}
