//! `_meta` keys that the server emits (basic/index#meta).

use super::question::escape;
use super::rule::monitors;
use super::text::{is_meta_name, is_meta_prefix};
use super::{Breach, Judge, Moment};
use crate::protocol::Revision;
use serde_json::Value;

/// How many values of a message are looked at for `_meta`.
const MOST_VALUES: usize = 20_000;

/// Keys under prefixes reserved for MCP that the specification or its official extensions define.
const DEFINED: &[&str] = &[
    "io.modelcontextprotocol/protocolVersion",
    "io.modelcontextprotocol/clientInfo",
    "io.modelcontextprotocol/clientCapabilities",
    "io.modelcontextprotocol/serverInfo",
    "io.modelcontextprotocol/logLevel",
    "io.modelcontextprotocol/subscriptionId",
    "io.modelcontextprotocol/related-task",
    "io.modelcontextprotocol/model-immediate-response",
    "io.modelcontextprotocol/ui",
];

/// Members with free content: what is called `_meta` in them is the user's own.
const FREE: &[&str] = &[
    "structuredContent",
    "arguments",
    "inputSchema",
    "outputSchema",
    "requestedSchema",
    "data",
    "experimental",
    "extensions",
    "default",
    "metadata",
];

monitors! {
    /// Keys of `_meta` follow the grammar: an optional prefix of dotted labels ended by one slash, then a name that
    /// begins and ends with a letter or digit. Keys with a prefix reserved for MCP are those that MCP defines.
    /// `_internal` and `a//b` are the usual mistakes; a client that sorts metadata by owner cannot place them.
    meta_keys_follow_the_grammar (WhileWeObey) decides [
        "meta.key-prefix-syntax", "meta.key-name-syntax", "meta.reserved-prefix-unused", "meta.trace-context.format",
    ];
    /// Prefixes of the server's own begin with a top-level domain, as a domain name does when it is read backwards. Which
    /// labels are domains is a guess, so this is never more than a note.
    meta_prefixes_are_reversed_domains (WhileWeObey) decides ["meta.prefix-reverse-dns"];
}

/// Labels with which most domain names end.
const TOP_LEVEL: &[&str] = &[
    "com", "org", "net", "io", "dev", "ai", "app", "co", "edu", "gov", "info", "cloud", "tech", "me", "us",
    "uk", "de", "fr", "nl", "ch", "at", "es", "it", "se", "no", "dk", "fi", "pl", "cz", "eu", "jp", "cn",
    "kr", "in", "br", "ca", "au",
];

fn meta_prefixes_are_reversed_domains(moment: &Moment<'_>, judge: &mut Judge) {
    const ID: &str = "meta.prefix-reverse-dns";
    let (Some(heard), Some(revision)) = (moment.message, moment.state.rules()) else { return };
    let mut left = MOST_VALUES;
    walk(heard.message.value(), &mut String::new(), 0, &mut left, &mut |_, key, _| {
        let Some((prefix, _)) = key.split_once('/') else { return };
        if !is_meta_prefix(prefix) || is_reserved(prefix, revision) {
            return;
        }
        let labels: Vec<&str> = prefix.split('.').collect();
        let is_top = |label: Option<&&str>| label.is_some_and(|label| TOP_LEVEL.contains(label));
        if is_top(labels.first()) && labels.len() > 1 {
            judge.held(ID);
        } else {
            let shown: String = prefix.chars().take(100).collect();
            let text = format!(
                "`{shown}` does not begin with a well-known top-level domain, and may be one all the same"
            );
            judge.unseen(ID, "not-told", text);
        }
    });
}

fn meta_keys_follow_the_grammar(moment: &Moment<'_>, judge: &mut Judge) {
    let (Some(heard), Some(revision)) = (moment.message, moment.state.rules()) else { return };
    let mut left = MOST_VALUES;
    walk(heard.message.value(), &mut String::new(), 0, &mut left, &mut |pointer, key, value| {
        judge_key(moment, revision, pointer, key, value, judge);
    });
    // A message without `_meta` breaks nothing.
    for id in [
        "meta.key-prefix-syntax",
        "meta.key-name-syntax",
        "meta.reserved-prefix-unused",
        "meta.trace-context.format",
    ] {
        judge.held(id);
    }
}

fn walk(
    value: &Value,
    pointer: &mut String,
    depth: u32,
    left: &mut usize,
    see: &mut dyn FnMut(&str, &str, &Value),
) {
    if depth > 24 || *left == 0 {
        return;
    }
    *left -= 1;
    let length = pointer.len();
    match value {
        Value::Object(members) => {
            for (name, member) in members {
                match (name.as_str(), member) {
                    ("_meta", Value::Object(keys)) => {
                        for (key, value) in keys {
                            see(&format!("{pointer}/_meta/{}", escape(key)), key, value);
                        }
                    }
                    (name, _) if FREE.contains(&name) => {}
                    (name, Value::Object(_) | Value::Array(_)) => {
                        pointer.push('/');
                        pointer.push_str(&escape(name));
                        walk(member, pointer, depth + 1, left, see);
                        pointer.truncate(length);
                    }
                    _ => {}
                }
            }
        }
        Value::Array(items) => {
            for (index, item) in items.iter().enumerate() {
                if matches!(item, Value::Object(_) | Value::Array(_)) {
                    pointer.push('/');
                    pointer.push_str(&index.to_string());
                    walk(item, pointer, depth + 1, left, see);
                    pointer.truncate(length);
                }
            }
        }
        _ => {}
    }
}

fn judge_key(
    moment: &Moment<'_>,
    revision: Revision,
    pointer: &str,
    key: &str,
    value: &Value,
    judge: &mut Judge,
) {
    let shown: String = key.chars().take(100).collect();
    let breach = |class: &str, message: &str, expected: &str| {
        Breach::new(class, message)
            .expected(&[expected])
            .actual(format!("`{shown}`"))
            .at(moment.record)
            .pointer(pointer)
    };
    let (prefix, name) = match key.split_once('/') {
        Some((prefix, name)) => (Some(prefix), name),
        None => (None, key),
    };
    if let Some(prefix) = prefix {
        if !is_meta_prefix(prefix) || name.contains('/') {
            let message = "the prefix of a `_meta` key is not made of dotted labels and one slash";
            judge.broke(
                "meta.key-prefix-syntax",
                breach("prefix", message, "labels joined by dots, then one slash"),
            );
            return;
        }
        if is_reserved(prefix, revision) && !DEFINED.contains(&key) {
            let message = "a `_meta` key stands under a prefix reserved for MCP, which does not define it";
            judge.broke(
                "meta.reserved-prefix-unused",
                breach("reserved", message, "a prefix of the server's own"),
            );
        }
    }
    if !is_meta_name(name) {
        let message = "the name of a `_meta` key does not follow the grammar";
        let expected = "letters and digits at both ends, with `-`, `_` and `.` between them";
        judge.broke("meta.key-name-syntax", breach("name", message, expected));
    }
    if revision == Revision::V2026_07_28 && !trace_value_fits(key, value) {
        let message = "a trace context value does not follow its W3C format";
        judge.broke(
            "meta.trace-context.format",
            breach("format", message, "the format of W3C Trace Context or Baggage"),
        );
    }
}

/// Whether a prefix is reserved for MCP. The rule changed between 2025-06-18 and 2025-11-25.
fn is_reserved(prefix: &str, revision: Revision) -> bool {
    let labels: Vec<&str> = prefix.split('.').collect();
    let ours = |label: &str| matches!(label, "modelcontextprotocol" | "mcp");
    if revision <= Revision::V2025_06_18 {
        return labels.iter().rev().skip(1).any(|label| ours(label));
    }
    labels.get(1).is_some_and(|label| ours(label))
}

fn trace_value_fits(key: &str, value: &Value) -> bool {
    if !matches!(key, "traceparent" | "tracestate" | "baggage") {
        return true;
    }
    let Some(text) = value.as_str() else { return false };
    let hex = |part: &str, length: usize| {
        part.len() == length
            && part.bytes().all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte))
    };
    let listed = |text: &str| {
        text.split(',').all(|entry| {
            let entry = entry.split(';').next().unwrap_or(entry).trim();
            entry.is_empty() || entry.split_once('=').is_some_and(|(name, _)| !name.trim().is_empty())
        })
    };
    match key {
        "traceparent" => {
            let parts: Vec<&str> = text.split('-').collect();
            parts.len() >= 4
                && hex(parts[0], 2)
                && parts[0] != "ff"
                && hex(parts[1], 32)
                && hex(parts[2], 16)
                && hex(parts[3], 2)
                && parts[1].bytes().any(|byte| byte != b'0')
                && parts[2].bytes().any(|byte| byte != b'0')
        }
        _ => text.is_ascii() && listed(text),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn prefixes_read_backwards() {
        use super::super::testing::Script;
        let with = |key: &str| {
            Script::stdio(Revision::V2025_11_25)
                .handshake()
                .sent(json!({"jsonrpc": "2.0", "id": 2, "method": "ping"}))
                .received(json!({"jsonrpc": "2.0", "id": 2, "result": {"_meta": {key: 1}}}))
                .verdicts()
        };
        with("com.example/a").assert_held("meta.prefix-reverse-dns");
        for odd in ["example.com/a", "localhost/a"] {
            let verdicts = with(odd);
            verdicts.assert_broken(&[]);
            assert!(verdicts.judge().get("meta.prefix-reverse-dns").unwrap().unseen.is_some(), "{odd}");
        }
        // What has no prefix, or MCP's own, says nothing.
        with("a").assert_open("meta.prefix-reverse-dns");
        with("io.modelcontextprotocol/serverInfo").assert_open("meta.prefix-reverse-dns");
    }

    #[test]
    fn reserved_prefixes_by_revision() {
        for (prefix, old, new) in [
            ("io.modelcontextprotocol", false, true),
            ("modelcontextprotocol.io", true, false),
            ("mcp.dev", true, false),
            ("dev.mcp", false, true),
            ("tools.mcp.com", true, true),
            ("com.example.mcp", false, false),
            ("com.example", false, false),
        ] {
            assert_eq!(is_reserved(prefix, Revision::V2025_06_18), old, "{prefix}");
            assert_eq!(is_reserved(prefix, Revision::V2025_11_25), new, "{prefix}");
        }
    }

    #[test]
    fn trace_context() {
        let parent = "00-0af7651916cd43dd8448eb211c80319c-00f067aa0ba902b7-01";
        assert!(trace_value_fits("traceparent", &json!(parent)));
        assert!(!trace_value_fits("traceparent", &json!(parent.to_uppercase())));
        assert!(!trace_value_fits("traceparent", &json!("00-0-0-01")));
        assert!(!trace_value_fits("traceparent", &json!(1)));
        assert!(trace_value_fits("tracestate", &json!("a=1,b=2")));
        assert!(!trace_value_fits("baggage", &json!("nothing")));
        assert!(trace_value_fits("other", &json!(1)));
    }

    #[test]
    fn free_content_is_left_alone() {
        let message = json!({"result": {
            "_meta": {"a/b": 1},
            "structuredContent": {"_meta": {"_x": 1}},
            "tools": [{"_meta": {"c": 1}, "inputSchema": {"properties": {"_meta": {"_y": {}}}}}],
        }});
        let mut seen = Vec::new();
        walk(&message, &mut String::new(), 0, &mut 1000, &mut |pointer, key, _| {
            seen.push((pointer.to_owned(), key.to_owned()));
        });
        seen.sort();
        let expected = [("/result/_meta/a~1b", "a/b"), ("/result/tools/0/_meta/c", "c")];
        assert_eq!(seen, expected.map(|(a, b)| (a.to_owned(), b.to_owned())));
    }
}
