//! The header `Mcp-Name` of stateless HTTP requests under test (2026-07-28, basic/transports/streamable-http#server-validation).

use super::call::{Call, Named, named};
use super::http_headers::{
    HEADER_MISMATCH, Reaction, accepted, invalid, judge_shape, reaction, refused, set, twice,
};
use super::probe::{Stage, breach, probes};
use crate::client::{HttpEdits, headers};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;

probes! {
    /// Takes a tool call, a resource read and a prompt that succeed, and sends them without `Mcp-Name`, with another
    /// name, with a part of the right one and with more than it, as a URL would have it (tools and prompts: their names
    /// are no URLs), in other letters, with two names in either order, in base64 form, in broken base64 form and with the
    /// marker in capitals. Only the right name, plain or encoded, is accepted; else a gateway that checks the header can
    /// be passed by with another body.
    name_header_is_compared (Breaking, Modern, Http) decides [
        "http-headers.name.required", "http-headers.name.mismatch-refused", "http-headers.name.source-field",
        "http-headers.name.base64-decoded", "http-headers.value.base64-malformed-refused",
        "http-headers.value.base64-sentinel-exact", "http-headers.value.invalid-characters-refused",
        "http-headers.duplicates-refused", "http-headers.mismatch-error-shape", "http-headers.value.case-sensitive",
        "http-headers.param.unknown-ignored", "security.mirrored-headers-untrusted",
    ];
}

const NAME_ROWS: [&str; 6] = [
    "http-headers.name.required",
    "http-headers.name.mismatch-refused",
    "http-headers.name.source-field",
    "http-headers.name.base64-decoded",
    "http-headers.value.base64-malformed-refused",
    "http-headers.value.base64-sentinel-exact",
];

async fn name_header_is_compared(stage: &mut Stage<'_>) {
    let Named { served, refused } = named(stage.talk, stage.offer, stage.settings).await;
    for (call, ticket, reply) in &refused {
        if reply.error_code() == Some(HEADER_MISMATCH) {
            stage.judge.broke(
                "http-headers.name.source-field",
                breach(
                    "refused",
                    format!("`{}` with the right `Mcp-Name` was refused", call.method),
                    ticket,
                    reply,
                )
                .expected(&["its result"]),
            );
        }
    }
    for call in &served {
        stage.judge.held("http-headers.name.source-field");
        names_are_compared(stage, call).await;
    }
    if let Some(call) = served.iter().find(|call| call.method == "tools/call") {
        let outgoing = call.compose(stage.talk, None);
        let mut edits = HttpEdits::default();
        edits.add.push(("Mcp-Param-Mcprove-Unknown".to_owned(), "x".to_owned()));
        let id = "http-headers.param.unknown-ignored";
        accepted(
            stage,
            id,
            ("refused", "with an `Mcp-Param` header that nobody knows"),
            outgoing.http(edits),
        )
        .await;
    }
    if served.is_empty() {
        for id in NAME_ROWS {
            let text = "no tool call, resource or prompt was found that succeeds";
            stage.judge.undecided(id, "nothing-named", text);
        }
    }
}

/// Values of `Mcp-Name` that somebody could take for the right one, who does not compare the whole of it as it stands.
fn almost(call: &Call) -> Vec<(&'static str, String)> {
    let name = call.name.as_str();
    let mut values = vec![("more", format!("{name}x"))];
    let mut part = name.to_owned();
    if part.pop().is_some() && !part.is_empty() {
        values.push(("part", part));
    }
    // Of two URLs that differ in this somebody may say that they are the same.
    if call.method != "resources/read" {
        values.push(("slash", format!("{name}/")));
        if let Some(first) = name.chars().next().filter(char::is_ascii_alphanumeric) {
            values.push(("percent", format!("%{:02X}{}", u32::from(first), &name[1..])));
        }
    }
    values.into_iter().map(|(class, value)| (class, headers::encode(&value))).collect()
}

fn switch_case(letter: char) -> char {
    if letter.is_ascii_lowercase() { letter.to_ascii_uppercase() } else { letter.to_ascii_lowercase() }
}

async fn names_are_compared(stage: &mut Stage<'_>, call: &Call) {
    let method = call.method;
    let encoded = BASE64.encode(&call.name);
    let with = |stage: &mut Stage<'_>, edits: HttpEdits| call.compose(stage.talk, None).http(edits);

    let outgoing = with(stage, HttpEdits::default().without("Mcp-Name"));
    refused(stage, NAME_ROWS[0], (method, "without `Mcp-Name`"), outgoing).await;

    const TRUSTED: &str = "security.mirrored-headers-untrusted";
    let outgoing = with(stage, set("Mcp-Name", "mcprove-another-name"));
    let (ticket, reply) = stage.breaking(outgoing).await;
    let broke = |class: &str, text: String| {
        breach(class, text, &ticket, &reply).expected(&["HTTP 400 with error -32020"])
    };
    let found = match reaction(&reply) {
        Reaction::Served => {
            Some(broke(method, format!("`{method}` with another name in `Mcp-Name` was served")))
        }
        // The name in the header was looked up in place of the one in the body.
        Reaction::Refused if matches!(reply.error_code(), Some(-32602 | -32002)) => {
            Some(broke("trusted", format!("`{method}` was judged by the name in `Mcp-Name`")))
        }
        Reaction::Refused => {
            stage.judge.held(NAME_ROWS[1]);
            stage.judge.held(TRUSTED);
            judge_shape(stage.judge, &ticket, &reply);
            None
        }
        Reaction::Unclear => {
            stage.judge.undecided(NAME_ROWS[1], "no-answer", reply.describe());
            None
        }
    };
    let is_compared = found.is_none() && matches!(reaction(&reply), Reaction::Refused);
    if let Some(found) = found {
        // Whoever guards by the header is passed by with another body.
        stage.judge.broke(TRUSTED, found.clone().see(NAME_ROWS[1]));
        stage.judge.broke(NAME_ROWS[1], found);
    }

    let switched: String = call.name.chars().map(switch_case).collect();
    // Where any other name is served, it says nothing that this one is.
    if is_compared && switched != call.name && switched.is_ascii() {
        let outgoing = with(stage, set("Mcp-Name", switched));
        let what = "with its name in `Mcp-Name` in other letters";
        refused(stage, "http-headers.value.case-sensitive", (method, what), outgoing).await;
    }
    for (class, value) in almost(call).into_iter().filter(|_| is_compared) {
        let what = format!("of `{}` with `Mcp-Name: {value}`", call.name);
        let outgoing = with(stage, set("Mcp-Name", value));
        refused(stage, NAME_ROWS[1], (class, &what), outgoing).await;
    }

    let outgoing = with(stage, set("Mcp-Name", format!("=?base64?{encoded}?=")));
    accepted(stage, NAME_ROWS[3], (method, "with its name in base64 form"), outgoing).await;

    for value in [format!("=?base64?{encoded}=!?="), format!("=?base64?!{encoded}?=")] {
        let outgoing = with(stage, set("Mcp-Name", value));
        refused(stage, NAME_ROWS[4], (method, "with a name that is no base64"), outgoing).await;
    }
    for value in [format!("=?BASE64?{encoded}?="), format!("=?base64?{encoded}")] {
        let outgoing = with(stage, set("Mcp-Name", value));
        refused(stage, NAME_ROWS[5], (method, "with another marker than `=?base64?...?=`"), outgoing).await;
    }
    let (right, wrong) = (headers::encode(&call.name), "mcprove-another-name");
    for edits in [twice("Mcp-Name", &right, wrong), twice("Mcp-Name", wrong, &right)] {
        let outgoing = with(stage, edits);
        let what = "with two values of `Mcp-Name`";
        refused(stage, "http-headers.duplicates-refused", (method, what), outgoing).await;
    }
    let outgoing = with(stage, set("Mcp-Name", format!("{}\u{ff}", call.name)));
    invalid(stage, "http-headers.value.invalid-characters-refused", method, outgoing).await;
}
