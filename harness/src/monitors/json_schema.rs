//! Inside inside JSON Schemas that servers send (2026-07-28, basic/index#ref-resolution).

use super::answered::answered;
use super::rule::monitors;
use super::{Breach, Judge, Moment};
use crate::protocol::Era;
use serde_json::Value;
use std::collections::HashSet;

/// How many values of a schema are looked at, and how deep.
const MOST_VALUES: usize = 20_000;
const DEEPEST: usize = 100;

monitors! {
    /// Every `$ref` in a tool's schemas leads to a place in the same schema, or to a published dialect. One that leads
    /// elsewhere is never fetched by a good client, and the schema is refused: nobody can call the tool.
    references_stay_in_the_schema (WhileWeObey) decides [
        "json-schema.ref.unresolved-refused", "tools.definition.input-schema-valid",
        "tools.definition.output-schema-valid",
    ];
    /// No `pattern` in a tool's schemas has a group or a class that never ends, or ends where none begins: no dialect of
    /// regular expressions can read that, and validators refuse the schema or pass over the keyword. A warning.
    patterns_can_be_read (WhileWeObey) decides [
        "json-schema.valid", "tools.definition.input-schema-valid", "tools.definition.output-schema-valid",
    ];
}

fn patterns_can_be_read(moment: &Moment<'_>, judge: &mut Judge) {
    let Some(listed) = answered(moment).and_then(|answer| answer.to("tools/list")) else { return };
    let modern = listed.revision.era() == Era::Modern;
    for (pointer, tool) in listed.entries("tools") {
        for member in ["inputSchema", "outputSchema"] {
            let Some(schema) = tool.get(member) else { continue };
            let found = Inside::of(schema);
            let Some((place, pattern)) = found.patterns.iter().find(|(_, pattern)| !can_be_read(pattern))
            else {
                continue;
            };
            let id = match member {
                _ if modern => "json-schema.valid",
                "inputSchema" => "tools.definition.input-schema-valid",
                _ => "tools.definition.output-schema-valid",
            };
            let text = "a pattern in a tool's schema is no regular expression";
            judge.broke(
                id,
                Breach::new("pattern", text)
                    .quality()
                    .expected(&["groups and classes that begin and end"])
                    .actual(format!("`{}`", pattern.chars().take(120).collect::<String>()))
                    .at(moment.record)
                    .pointer(format!("{pointer}/{member}{place}/pattern")),
            );
        }
    }
}

/// Whether the groups and classes of a regular expression begin and end. Whether `]` right after `[` ends the class is read in
/// both ways: dialects differ.
fn can_be_read(pattern: &str) -> bool {
    is_balanced(pattern, false) || is_balanced(pattern, true)
}

fn is_balanced(pattern: &str, first_is_literal: bool) -> bool {
    let (mut depth, mut class) = (0_u32, None);
    let mut chars = pattern.chars();
    while let Some(char) = chars.next() {
        match (char, class) {
            ('\\', _) if chars.next().is_none() => return false,
            ('\\', _) => class = class.map(|_| false),
            ('[', None) => class = Some(true),
            ('^', Some(true)) => {}
            (']', Some(first)) if !(first && first_is_literal) => class = None,
            (_, Some(_)) => class = Some(false),
            ('(', None) => depth += 1,
            (')', None) if depth == 0 => return false,
            (')', None) => depth -= 1,
            _ => {}
        }
    }
    depth == 0 && class.is_none()
}

fn references_stay_in_the_schema(moment: &Moment<'_>, judge: &mut Judge) {
    const ID: &str = "json-schema.ref.unresolved-refused";
    let Some(listed) = answered(moment).and_then(|answer| answer.to("tools/list")) else { return };
    // Older revisions say nothing of references; a schema with one that leads nowhere is of no use all the same.
    let modern = listed.revision.era() == Era::Modern;
    for (pointer, tool) in listed.entries("tools") {
        for member in ["inputSchema", "outputSchema"] {
            let Some(schema) = tool.get(member) else { continue };
            let found = Inside::of(schema);
            if found.references.is_empty() || found.gave_up {
                continue;
            }
            let lost = found.references.iter().find(|(_, target)| !found.leads_somewhere(schema, target));
            let id = match member {
                _ if modern => ID,
                "inputSchema" => "tools.definition.input-schema-valid",
                _ => "tools.definition.output-schema-valid",
            };
            judge.decide(id, lost.is_none(), || {
                let (place, target) = lost.cloned().unwrap_or_default();
                Breach::new("dangling", "a tool's schema refers to something that is not in it")
                    .quality()
                    .expected(&["references within the schema"])
                    .actual(format!("`{}`", target.chars().take(120).collect::<String>()))
                    .at(moment.record)
                    .pointer(format!("{pointer}/{member}{place}/$ref"))
            });
        }
    }
}

/// The references in a schema with what they may lead to, and its patterns.
#[derive(Default)]
struct Inside {
    /// The place of each `$ref`, and what it says.
    references: Vec<(String, String)>,
    /// Names of `$anchor` and `$dynamicAnchor`.
    anchors: HashSet<String>,
    /// Values of `$id`.
    ids: HashSet<String>,
    /// The place of each `pattern`, and what it says.
    patterns: Vec<(String, String)>,
    gave_up: bool,
}

impl Inside {
    fn of(schema: &Value) -> Self {
        let mut found = Self::default();
        let mut open = vec![(String::new(), schema, 0)];
        let mut seen = 0;
        while let Some((place, value, depth)) = open.pop() {
            seen += 1;
            if seen > MOST_VALUES || depth > DEEPEST {
                found.gave_up = true;
                break;
            }
            match value {
                Value::Object(members) => {
                    // What stands in these is data, not schema.
                    let data = ["const", "enum", "default", "examples"];
                    found.note(&place, value);
                    for (name, member) in members.iter().filter(|(name, _)| !data.contains(&name.as_str())) {
                        open.push((format!("{place}/{}", super::question::escape(name)), member, depth + 1));
                    }
                }
                Value::Array(items) => {
                    for (at, item) in items.iter().enumerate() {
                        open.push((format!("{place}/{at}"), item, depth + 1));
                    }
                }
                _ => {}
            }
        }
        found
    }

    fn note(&mut self, place: &str, schema: &Value) {
        // Under these a member's name is the author's own.
        let named = |keyword: &str| place.rsplit('/').next() == Some(keyword);
        if ["properties", "patternProperties", "$defs", "definitions", "dependentSchemas"]
            .into_iter()
            .any(named)
        {
            return;
        }
        let text = |member: &str| schema.get(member).and_then(Value::as_str).map(str::to_owned);
        if let Some(target) = text("$ref") {
            self.references.push((place.to_owned(), target));
        }
        self.patterns.extend(text("pattern").map(|pattern| (place.to_owned(), pattern)));
        self.anchors.extend(text("$anchor"));
        self.anchors.extend(text("$dynamicAnchor"));
        self.ids.extend(text("$id"));
    }

    fn leads_somewhere(&self, schema: &Value, target: &str) -> bool {
        let (document, fragment) = target.split_once('#').unwrap_or((target, ""));
        let known = document.is_empty()
            || self.ids.iter().any(|id| id.trim_end_matches('#').ends_with(document))
            || document.contains("json-schema.org/draft");
        if !known {
            return false;
        }
        // With documents in documents a fragment counts from another root.
        if !document.is_empty() || self.ids.len() > 1 {
            return true;
        }
        let fragment = percent_decoded(fragment);
        fragment.is_empty()
            || self.anchors.contains(&fragment)
            || (fragment.starts_with('/') && schema.pointer(&fragment).is_some())
    }
}

fn percent_decoded(text: &str) -> String {
    let mut bytes = Vec::new();
    let mut rest = text.as_bytes();
    while let [first, after @ ..] = rest {
        let hex = after.get(..2).and_then(|two| std::str::from_utf8(two).ok());
        match hex.and_then(|hex| u8::from_str_radix(hex, 16).ok()).filter(|_| *first == b'%') {
            Some(byte) => {
                bytes.push(byte);
                rest = &after[2..];
            }
            None => {
                bytes.push(*first);
                rest = after;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn lost(schema: &Value) -> Vec<String> {
        let found = Inside::of(schema);
        let lost = found.references.iter().filter(|(_, target)| !found.leads_somewhere(schema, target));
        lost.map(|(_, target)| target.clone()).collect()
    }

    #[test]
    fn references_within_a_schema_lead_somewhere() {
        let good = json!({"$defs": {"a b": {"$anchor": "here"}}, "properties": {
            "x": {"$ref": "#/$defs/a%20b"}, "y": {"$ref": "#here"}, "z": {"$ref": "#"},
            "w": {"$ref": "https://json-schema.org/draft/2020-12/schema"},
            "$ref": {"type": "string"}, "v": {"const": {"$ref": "#/nowhere"}},
        }});
        assert!(lost(&good).is_empty(), "{:?}", lost(&good));
    }

    #[test]
    fn patterns_that_some_dialect_reads() {
        for good in [
            "",
            "^[a-z]{1,12}$",
            "a]b",
            "[]a]",
            "[^]a]",
            "[]",
            "[^]",
            "\\(",
            "[(]",
            "(?<n>a)\\k<n>",
            "[\\]]",
            "{",
            "[^^]",
        ] {
            assert!(can_be_read(good), "{good}");
        }
        for bad in ["([", "(", ")", "a(b", "[a-z", "\\", "(a))", "[\\]"] {
            assert!(!can_be_read(bad), "{bad}");
        }
    }

    #[test]
    fn others_are_lost() {
        let bad = json!({"properties": {
            "x": {"$ref": "#/$defs/a"}, "y": {"$ref": "#there"}, "z": {"$ref": "https://mcprove.example/z.json"},
        }});
        assert_eq!(lost(&bad).len(), 3);
        let bundled = json!({"$defs": {"z": {"$id": "https://mcprove.example/z.json"}},
            "$ref": "https://mcprove.example/z.json"});
        assert!(lost(&bundled).is_empty());
    }
}
