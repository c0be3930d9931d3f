//! Content blocks, annotations and icons: what their types alone do not say.

use super::answered::{Answered, answered};
use super::resources::{base64_breach, uri_breach};
use super::rule::monitors;
use super::text::{is_base64, is_media_type, uri_fault};
use super::{Breach, Judge, Moment};
use serde_json::Value;

monitors! {
    /// Images and sounds in tool results and prompts are base64 of the standard alphabet with a media type; embedded
    /// resources and links have absolute URIs. Prompts have rows of their own for the same, which point here.
    media_is_base64_with_a_media_type (WhileWeObey) decides [
        "content.image", "content.audio", "content.resource-link", "content.embedded-resource",
        "schema.uri-fields.valid",
        "prompts.content.image-valid", "prompts.content.audio-valid", "prompts.content.resource-uri",
        "prompts.content.resource-mime-type", "prompts.content.resource-body",
    ];
    /// `lastModified` of annotations is an ISO 8601 date or time: clients sort by it.
    last_modified_is_a_date (WhileWeObey) decides ["content.annotations.last-modified"];
    /// Icons of the server, its tools, resources, templates and prompts come from `https:` or `data:` URIs; `sizes`
    /// are like `48x48` or `any`. Clients have to refuse other schemes.
    icons_can_be_shown (WhileWeObey) decides
        ["content.icon.source-scheme", "content.icon.sizes-format"];
}

fn media_is_base64_with_a_media_type(moment: &Moment<'_>, judge: &mut Judge) {
    let Some(answer) = answered(moment) else { return };
    let prompt = answer.asked.method == "prompts/get";
    for (pointer, block) in blocks(&answer) {
        match block.get("type").and_then(Value::as_str) {
            Some("image") => media(moment, block, &pointer, "content.image", prompt, judge),
            Some("audio") => media(moment, block, &pointer, "content.audio", prompt, judge),
            Some("resource_link") => {
                let Some(uri) = block.get("uri").and_then(Value::as_str) else { continue };
                match uri_fault(uri) {
                    None => judge.held("schema.uri-fields.valid"),
                    Some(fault) => judge.broke(
                        "content.resource-link",
                        uri_breach(fault, uri, answer.revision.era())
                            .at(moment.record)
                            .pointer(format!("{pointer}/uri")),
                    ),
                }
            }
            Some("resource") => embedded(moment, &answer, block, &pointer, prompt, judge),
            _ => {}
        }
    }
}

/// The content blocks of a tool result or a prompt, with their pointers.
fn blocks<'a>(answer: &Answered<'a>) -> Vec<(String, &'a Value)> {
    match answer.asked.method.as_str() {
        "tools/call" => answer.entries("content").collect(),
        "prompts/get" => {
            let content =
                |(at, message): (String, &'a Value)| Some((format!("{at}/content"), message.get("content")?));
            answer.entries("messages").filter_map(content).collect()
        }
        _ => Vec::new(),
    }
}

fn media(
    moment: &Moment<'_>,
    block: &Value,
    pointer: &str,
    id: &'static str,
    prompt: bool,
    judge: &mut Judge,
) {
    let own = match (id, prompt) {
        ("content.image", true) => Some("prompts.content.image-valid"),
        ("content.audio", true) => Some("prompts.content.audio-valid"),
        _ => None,
    };
    let mut good = true;
    let mut broke = |id: &'static str, breach: Breach, judge: &mut Judge| {
        good = false;
        judge.broke(id, breach.at(moment.record));
    };
    for id in own.into_iter().chain([id]) {
        if let Some(data) = block.get("data").and_then(Value::as_str).filter(|data| !is_base64(data)) {
            let length = data.len();
            let breach = base64_breach().actual(format!("{length} bytes that a strict decoder refuses"));
            broke(id, breach.pointer(format!("{pointer}/data")), judge);
        }
        if let Some(kind) = block.get("mimeType").and_then(Value::as_str).filter(|kind| !is_media_type(kind))
        {
            let breach = Breach::new("not-a-media-type", "`mimeType` is no media type")
                .expected(&["type/subtype"])
                .actual(format!("`{}`", kind.chars().take(80).collect::<String>()));
            broke(id, breach.pointer(format!("{pointer}/mimeType")), judge);
        }
    }
    if let Some(own) = own.filter(|_| good) {
        judge.held(own);
    }
}

fn embedded(
    moment: &Moment<'_>,
    answer: &Answered<'_>,
    block: &Value,
    pointer: &str,
    prompt: bool,
    judge: &mut Judge,
) {
    let resource = &block["resource"];
    let at = format!("{pointer}/resource");
    if let Some(uri) = resource.get("uri").and_then(Value::as_str) {
        let id = if prompt { "prompts.content.resource-uri" } else { "schema.uri-fields.valid" };
        match uri_fault(uri) {
            None => judge.held(id),
            Some(fault) => {
                let breach = uri_breach(fault, uri, answer.revision.era());
                judge.broke(id, breach.at(moment.record).pointer(format!("{at}/uri")));
            }
        }
    }
    let blob = resource.get("blob").and_then(Value::as_str);
    let good = blob.is_none_or(is_base64);
    let breach = || base64_breach().at(moment.record).pointer(format!("{at}/blob"));
    if !good {
        judge.broke("content.embedded-resource", breach());
    }
    if prompt {
        if good && (blob.is_some() || resource["text"].is_string()) {
            judge.held("prompts.content.resource-body");
        } else if !good {
            judge.broke("prompts.content.resource-body", breach());
        } else {
            judge.broke(
                "prompts.content.resource-body",
                Breach::new("neither", "a resource embedded in a prompt has neither text nor data")
                    .expected(&["a string `text`", "a base64 `blob`"])
                    .actual("neither")
                    .at(moment.record)
                    .pointer(&at)
                    .see("content.embedded-resource"),
            );
        }
        judge.decide("prompts.content.resource-mime-type", resource["mimeType"].is_string(), || {
            // The page demands it, the schema leaves it open.
            Breach::new("absent", "a resource embedded in a prompt has no `mimeType`")
                .quality()
                .expected(&["a `mimeType`"])
                .actual("no such member")
                .at(moment.record)
                .pointer(&at)
        });
    }
}

fn last_modified_is_a_date(moment: &Moment<'_>, judge: &mut Judge) {
    const ID: &str = "content.annotations.last-modified";
    let Some(answer) = answered(moment) else { return };
    let annotated =
        answer.entries("resources").chain(answer.entries("resourceTemplates")).chain(blocks(&answer));
    for (pointer, entry) in annotated {
        let Some(text) = entry.pointer("/annotations/lastModified").and_then(Value::as_str) else { continue };
        if !is_iso_8601(text) {
            judge.broke(
                ID,
                Breach::new("not-a-date", "`lastModified` is no ISO 8601 date or time")
                    .quality()
                    .expected(&["an ISO 8601 date or time"])
                    .actual(format!("`{}`", text.chars().take(60).collect::<String>()))
                    .at(moment.record)
                    .pointer(format!("{pointer}/annotations/lastModified")),
            );
        }
    }
}

fn is_iso_8601(text: &str) -> bool {
    let (date, time) =
        text.split_once(['T', 't', ' ']).map_or((text, None), |(date, time)| (date, Some(time)));
    let date_good = match date.parse::<jiff::civil::Date>() {
        Ok(_) => true,
        // A year, a month, a week are dates too.
        Err(_) => {
            date.len() >= 4
                && date.bytes().take(4).all(|byte| byte.is_ascii_digit())
                && date.bytes().all(|byte| byte.is_ascii_digit() || byte == b'-' || byte == b'W')
        }
    };
    date_good
        && time.is_none_or(|time| {
            time.len() >= 2
                && time.bytes().take(2).all(|byte| byte.is_ascii_digit())
                && time.bytes().all(|byte| byte.is_ascii_digit() || b":.,+-Zz".contains(&byte))
        })
}

fn icons_can_be_shown(moment: &Moment<'_>, judge: &mut Judge) {
    let Some(answer) = answered(moment) else { return };
    let lists = ["tools", "resources", "resourceTemplates", "prompts"];
    let mut owners: Vec<(String, &Value)> = lists.iter().flat_map(|list| answer.entries(list)).collect();
    owners.extend(blocks(&answer).into_iter().filter(|(_, block)| block["type"] == "resource_link"));
    for at in ["/serverInfo", "/_meta/io.modelcontextprotocol~1serverInfo"] {
        owners.extend(answer.result.pointer(at).map(|info| (format!("/result{at}"), info)));
    }
    for (owner, value) in owners {
        let icons = value.get("icons").and_then(Value::as_array);
        for (index, icon) in icons.into_iter().flatten().enumerate().take(50) {
            let pointer = format!("{owner}/icons/{index}");
            if let Some(source) = icon.get("src").and_then(Value::as_str) {
                let fault = icon_fault(source);
                judge.decide("content.icon.source-scheme", fault.is_none(), || {
                    let (class, message) = fault.unwrap_or_default();
                    Breach::new(class, message)
                        .expected(&["an https URL", "a `data:` URI with base64"])
                        .actual(format!("`{}`", source.chars().take(120).collect::<String>()))
                        .at(moment.record)
                        .pointer(format!("{pointer}/src"))
                });
            }
            let sizes = icon.get("sizes").and_then(Value::as_array);
            for (at, size) in sizes.into_iter().flatten().enumerate().take(50) {
                let Some(size) = size.as_str().filter(|size| !is_icon_size(size)) else { continue };
                judge.broke(
                    "content.icon.sizes-format",
                    Breach::new("size", "the size of an icon is neither WIDTHxHEIGHT nor \"any\"")
                        .quality()
                        .expected(&["WIDTHxHEIGHT", "any"])
                        .actual(format!("`{}`", size.chars().take(40).collect::<String>()))
                        .at(moment.record)
                        .pointer(format!("{pointer}/sizes/{at}")),
                );
            }
        }
    }
}

fn icon_fault(source: &str) -> Option<(&'static str, &'static str)> {
    let scheme = source.split_once(':').map_or("", |(scheme, _)| scheme).to_ascii_lowercase();
    match scheme.as_str() {
        "https" => None,
        "data" => {
            let encoded = source.split_once(',').filter(|(head, _)| head.ends_with(";base64"));
            let good = encoded.is_some_and(|(_, data)| is_base64(data));
            (!good).then_some(("data", "an icon's `data:` URI holds no base64"))
        }
        "http" => Some(("http", "an icon is to be fetched over plain http, which clients have to refuse")),
        _ => Some(("scheme", "an icon's URI has a scheme that clients have to refuse")),
    }
}

fn is_icon_size(size: &str) -> bool {
    let number = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    size == "any"
        || size.split_once(['x', 'X']).is_some_and(|(width, height)| number(width) && number(height))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates() {
        for good in
            ["2025-01-12T15:00:58Z", "2025-01-12", "2025", "2025-W03", "2025-01-12T15:00:58.123+02:00"]
        {
            assert!(is_iso_8601(good), "{good}");
        }
        for bad in ["yesterday", "12/01/2025", "", "2025-01-12Tnoon"] {
            assert!(!is_iso_8601(bad), "{bad}");
        }
    }

    #[test]
    fn icons() {
        assert_eq!(icon_fault("https://example.com/i.png"), None);
        assert_eq!(icon_fault("data:image/png;base64,aGk="), None);
        for bad in
            ["http://example.com/i.png", "data:image/png,xyz", "javascript:alert(1)", "icon.png", "file:///i"]
        {
            assert!(icon_fault(bad).is_some(), "{bad}");
        }
        assert!(is_icon_size("48x48") && is_icon_size("any") && !is_icon_size("big") && !is_icon_size("48"));
    }
}
