//! Resources: URIs, templates, contents (server/resources).

use super::answered::answered;
use super::rule::monitors;
use super::text::{UriFault, is_base64, is_uri_template, uri_fault};
use super::{Breach, Judge, Moment};
use crate::protocol::Era;
use serde_json::Value;
use url::Url;

monitors! {
    /// Every listed resource has an absolute URI by RFC 3986, with a scheme of letters, digits, `+`, `-` and `.`.
    /// Underscores in schemes and unescaped spaces are the usual mistakes; URL parsers refuse both.
    resource_uris_are_valid (WhileWeObey) decides
        ["resources.definition.uri", "resources.definition.custom-scheme-valid", "schema.uri-fields.valid"];
    /// Every listed `uriTemplate` is a URI template by RFC 6570: clients expand it with a library that refuses others.
    uri_templates_are_valid (WhileWeObey) decides ["resources.templates.valid-uri-template"];
    /// What is read comes under the URI that was asked for or one below it; binary data is base64 in `blob`, and
    /// `text` is text.
    contents_are_what_was_asked_for (WhileWeObey) decides [
        "resources.read.content-uri-relates", "resources.read.blob-base64", "resources.read.text-is-text",
        "resources.read.text-or-blob", "schema.uri-fields.valid",
    ];
}

fn resource_uris_are_valid(moment: &Moment<'_>, judge: &mut Judge) {
    const ID: &str = "resources.definition.uri";
    let Some(listed) = answered(moment).and_then(|answer| answer.to("resources/list")) else { return };
    for (pointer, resource) in listed.entries("resources") {
        let Some(uri) = resource.get("uri").and_then(Value::as_str) else { continue };
        let fault = uri_fault(uri);
        let breach = |fault: UriFault| {
            uri_breach(fault, uri, listed.revision.era()).at(moment.record).pointer(format!("{pointer}/uri"))
        };
        match fault {
            None => {
                judge.held(ID);
                judge.held("schema.uri-fields.valid");
            }
            Some(fault) => judge.broke(ID, breach(fault)),
        }
        let scheme = uri.split_once("://").map(|(scheme, _)| scheme.to_ascii_lowercase());
        let known = ["http", "https", "file", "git"];
        if scheme.is_some_and(|scheme| !known.contains(&scheme.as_str())) {
            const CUSTOM: &str = "resources.definition.custom-scheme-valid";
            match fault {
                Some(UriFault::Scheme) => judge.broke(CUSTOM, breach(UriFault::Scheme)),
                _ => judge.held(CUSTOM),
            }
        }
    }
}

/// What is wrong with a URI. In 2026-07-28 characters are a lesser matter than a missing scheme.
pub(super) fn uri_breach(fault: UriFault, uri: &str, era: Era) -> Breach {
    let shown: String = uri.chars().take(200).collect();
    let (class, message) = match fault {
        UriFault::Scheme => ("no-scheme", "a URI has no valid scheme"),
        UriFault::Character => ("character", "a URI has characters that must be percent-encoded"),
        UriFault::NotAscii => ("not-ascii", "a URI has raw characters beyond ASCII"),
    };
    let breach =
        Breach::new(class, message).expected(&["an absolute URI by RFC 3986"]).actual(format!("`{shown}`"));
    match (fault, era) {
        (UriFault::NotAscii, _) | (UriFault::Character, Era::Modern) => breach.quality(),
        _ => breach,
    }
}

fn uri_templates_are_valid(moment: &Moment<'_>, judge: &mut Judge) {
    const ID: &str = "resources.templates.valid-uri-template";
    let Some(listed) = answered(moment).and_then(|answer| answer.to("resources/templates/list")) else {
        return;
    };
    for (pointer, template) in listed.entries("resourceTemplates") {
        let Some(text) = template.get("uriTemplate").and_then(Value::as_str) else { continue };
        judge.decide(ID, is_uri_template(text), || {
            Breach::new("not-a-template", "a `uriTemplate` is no URI template")
                .expected(&["a URI template by RFC 6570"])
                .actual(format!("`{}`", text.chars().take(200).collect::<String>()))
                .at(moment.record)
                .pointer(format!("{pointer}/uriTemplate"))
        });
    }
}

fn contents_are_what_was_asked_for(moment: &Moment<'_>, judge: &mut Judge) {
    let Some(read) = answered(moment).and_then(|answer| answer.to("resources/read")) else { return };
    let asked = read.param("uri");
    for (pointer, item) in read.entries("contents") {
        if let (Some(uri), Some(asked)) = (item.get("uri").and_then(Value::as_str), asked) {
            let at = format!("{pointer}/uri");
            match uri_fault(uri) {
                None => judge.held("schema.uri-fields.valid"),
                // What was asked for and comes back unchanged was judged where it was listed.
                Some(_) if uri == asked => {}
                Some(fault) => judge.broke(
                    "schema.uri-fields.valid",
                    uri_breach(fault, uri, read.revision.era()).at(moment.record).pointer(&at),
                ),
            }
            judge.decide("resources.read.content-uri-relates", relates(uri, asked), || {
                Breach::new("unrelated", "what was read carries the URI of another resource")
                    .quality()
                    .expected(&[&format!("`{asked}` or a part of it")])
                    .actual(format!("`{}`", uri.chars().take(200).collect::<String>()))
                    .at(moment.record)
                    .pointer(&at)
                    .sent(read.asked.seq)
            });
        }
        let text = item.get("text").and_then(Value::as_str);
        let blob = item.get("blob").and_then(Value::as_str);
        if text.is_some() && blob.is_some() {
            judge.broke(
                "resources.read.text-or-blob",
                Breach::new("both", "a content item has both `text` and `blob`")
                    .quality()
                    .expected(&["`text` or `blob`"])
                    .actual("both")
                    .at(moment.record)
                    .pointer(&pointer),
            );
        }
        if let Some(blob) = blob {
            judge.decide("resources.read.blob-base64", is_base64(blob), || {
                base64_breach().at(moment.record).pointer(format!("{pointer}/blob"))
            });
        }
        if let Some(text) = text {
            let mime = item.get("mimeType").and_then(Value::as_str).unwrap_or_default();
            judge.decide("resources.read.text-is-text", is_text(text, mime), || {
                Breach::new("binary-as-text", "`text` seems to hold binary data")
                    .quality()
                    .expected(&["base64 in `blob` for data that is no text"])
                    .actual(format!("`text` of type `{}`", mime.chars().take(80).collect::<String>()))
                    .at(moment.record)
                    .pointer(format!("{pointer}/text"))
            });
        }
    }
}

/// A breach about data that is no base64.
pub(super) fn base64_breach() -> Breach {
    Breach::new("not-base64", "binary data is no base64")
        .expected(&["base64 of the standard alphabet, padded, without line breaks or a `data:` prefix"])
        .actual("text that a strict decoder refuses")
}

/// Whether the URI of a content item is the one asked for, another writing of it, or one below or around it.
fn relates(uri: &str, asked: &str) -> bool {
    let plain = |text: &str| {
        let text = Url::parse(text).map_or_else(|_| text.to_owned(), |url| url.to_string());
        text.trim_end_matches('/').to_owned()
    };
    let (uri, asked) = (plain(uri), plain(asked));
    uri == asked || uri.starts_with(&asked) || asked.starts_with(&uri)
}

/// Whether something looks like text: no NUL, few replacement characters, no type that is binary for sure.
fn is_text(text: &str, mime: &str) -> bool {
    let binary =
        ["image/", "audio/", "video/", "application/octet-stream", "application/zip", "application/pdf"];
    let mime = mime.to_ascii_lowercase();
    let by_type = binary.iter().any(|kind| mime.starts_with(kind)) && !mime.starts_with("image/svg");
    let replaced = text.chars().filter(|c| *c == '\u{fffd}').count();
    !by_type && !text.contains('\0') && replaced * 10 <= text.chars().count()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn related_uris() {
        for (uri, asked, expected) in [
            ("file:///a", "file:///a", true),
            ("file:///dir/x", "file:///dir/", true),
            ("HTTP://example.com/a", "http://example.com/a/", true),
            ("note://a%20b", "note://a%20b", true),
            ("note://other", "note://this", false),
        ] {
            assert_eq!(relates(uri, asked), expected, "{uri} {asked}");
        }
    }

    #[test]
    fn text_and_what_is_none() {
        assert!(is_text("hello", "text/plain"));
        assert!(is_text("<svg/>", "image/svg+xml"));
        assert!(!is_text("x", "image/png"));
        assert!(!is_text("a\0b", ""));
        assert!(!is_text("\u{fffd}\u{fffd}PNG", ""));
    }
}
