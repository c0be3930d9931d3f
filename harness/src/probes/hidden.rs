//! What one principal's lists have and another's do not: to hide something is not to close it (the security sections of the
//! features).

use super::door::{keeps_out, other_token};
use super::probe::{breach, probes};
use super::tasks_apart::{self, Stranger};
use super::{Known, Solo};
use crate::client::headers::mirrored_arguments;
use crate::client::{Conversation, Reply, Ticket, mrtr};
use crate::generate::{Seeded, valid_value};
use crate::protocol::{Era, Transport};
use serde_json::{Value, json};

probes! {
    /// Where the user gave the credentials of other principals (`--principal`, `--trust-test-issuer`): lists tools,
    /// resources and prompts for each of them and for the user's own. What the lists of one have and those of another do
    /// not is called, read or asked for by the first, and where that is served, by the other, too, in a session of their
    /// own, who has to be refused: to hide something is not to close it. Tools are called that may be called.
    what_is_hidden_is_closed (Alone, Both, Any) decides
        ["tools.call.access-control", "resources.read.access-control", "prompts.injection-safe"];
}

/// The most pages of a list that are read for one principal.
const PAGES: usize = 50;
/// How many hidden things of a kind are tried for each two principals.
const MOST: usize = 4;

/// A kind of things that are listed and used.
struct Kind {
    row: &'static str,
    list: &'static str,
    member: &'static str,
    key: &'static str,
    method: &'static str,
}

const KINDS: [Kind; 3] = [
    Kind {
        row: "tools.call.access-control",
        list: "tools/list",
        member: "tools",
        key: "name",
        method: "tools/call",
    },
    Kind {
        row: "resources.read.access-control",
        list: "resources/list",
        member: "resources",
        key: "uri",
        method: "resources/read",
    },
    Kind {
        row: "prompts.injection-safe",
        list: "prompts/list",
        member: "prompts",
        key: "name",
        method: "prompts/get",
    },
];

async fn what_is_hidden_is_closed(solo: &mut Solo<'_>) {
    const ROWS: [&str; 3] = [KINDS[0].row, KINDS[1].row, KINDS[2].row];
    let leave_open = |solo: &mut Solo<'_>, code: &str, text: &str| {
        for id in ROWS {
            solo.judge.undecided(id, code, text);
        }
    };
    if solo.opener.binding().transport() == Transport::Stdio || other_token(solo).await.is_none() {
        return leave_open(solo, "one-caller", "it takes the credentials of another principal: --principal");
    }
    let Some(mut opened) = solo.begin(solo.revision, &ROWS).await else { return };
    let known = solo.known().await;
    let talk = &mut opened.talk;
    let others = tasks_apart::others(solo, talk).await;
    if others.is_empty() {
        leave_open(solo, "not-let-in", "the other principal is not let in");
        return solo.close(opened).await;
    }
    for kind in &KINDS {
        let Some(ours) = entries(solo, talk, kind, None).await else { continue };
        for other in &others {
            let Some(theirs) = entries(solo, talk, kind, Some(other)).await else { continue };
            let us = Party { stranger: None, entries: &ours };
            let them = Party { stranger: Some(other), entries: &theirs };
            try_hidden(solo, talk, &known, kind, &us, &them).await;
            try_hidden(solo, talk, &known, kind, &them, &us).await;
        }
    }
    leave_open(solo, "nothing-hidden", "each principal sees in their lists all that could be tried");
    solo.close(opened).await;
}

/// A principal, and what a list has for them.
struct Party<'a> {
    /// None for the user's own.
    stranger: Option<&'a Stranger>,
    entries: &'a [Value],
}

/// What a list has for a principal; none if it cannot be read to its end.
async fn entries(
    solo: &Solo<'_>,
    talk: &mut Conversation,
    kind: &Kind,
    stranger: Option<&Stranger>,
) -> Option<Vec<Value>> {
    let mut all = Vec::new();
    let mut params = json!({});
    for _ in 0..PAGES {
        let (_, reply) = send(solo, talk, stranger, (kind.list, &params), None).await;
        let result = reply.result()?;
        all.extend(result.get(kind.member)?.as_array()?.iter().cloned());
        match result.get("nextCursor") {
            Some(cursor) => params = json!({"cursor": cursor}),
            None => return Some(all),
        }
    }
    None
}

/// A request of a principal.
async fn send(
    solo: &Solo<'_>,
    talk: &mut Conversation,
    stranger: Option<&Stranger>,
    (method, params): (&str, &Value),
    schema: Option<&Value>,
) -> (Ticket, Reply) {
    let mut outgoing = talk.compose(method, params.clone());
    // A refusal for want of a header would not be one for want of a right.
    if let Some(schema) = schema.filter(|_| solo.revision.era() == Era::Modern) {
        outgoing.mirrored = mirrored_arguments(schema, &params["arguments"]);
    }
    match stranger {
        Some(stranger) => stranger.sends(solo, talk, outgoing).await,
        None => {
            let ticket = talk.send(outgoing).await;
            let reply = talk.reply(&ticket).await;
            (ticket, reply)
        }
    }
}

fn is_served(reply: &Reply) -> bool {
    reply.result().is_some_and(|result| result["isError"] != true && !mrtr::demands_input(result))
}

/// Lets one principal use what only the list of the other has, after the other.
async fn try_hidden(
    solo: &mut Solo<'_>,
    talk: &mut Conversation,
    known: &Known,
    kind: &Kind,
    holder: &Party<'_>,
    intruder: &Party<'_>,
) {
    let sees = |entry: &Value| intruder.entries.iter().any(|own| own.get(kind.key) == entry.get(kind.key));
    let hidden = holder.entries.iter().filter(|entry| !sees(entry));
    let uses: Vec<(&Value, Value)> =
        hidden.filter_map(|entry| Some((entry, use_of(solo, known, kind, entry)?))).take(MOST).collect();
    for (entry, params) in uses {
        let schema = entry.get("inputSchema");
        let (_, with) = send(solo, talk, holder.stranger, (kind.method, &params), schema).await;
        if !is_served(&with) {
            continue;
        }
        let (ticket, theirs) = send(solo, talk, intruder.stranger, (kind.method, &params), schema).await;
        let failed = theirs.result().is_some_and(|result| result["isError"] == true);
        if keeps_out(&theirs) || failed {
            // The row of prompts is about more than this.
            if kind.method != "prompts/get" {
                solo.judge.held(kind.row);
            }
        } else if theirs.result().is_some() && still_hidden(solo, talk, kind, entry, intruder).await {
            let text = "what the list of a principal does not have is served to that principal";
            let seen = breach("unlisted", text, &ticket, &theirs);
            solo.judge.broke(kind.row, seen.quality().expected(&["a refusal, as for what does not exist"]));
        }
    }
}

/// Whether the list of a principal does not have an entry now either: lists may have changed between one and the other.
async fn still_hidden(
    solo: &Solo<'_>,
    talk: &mut Conversation,
    kind: &Kind,
    entry: &Value,
    intruder: &Party<'_>,
) -> bool {
    let now = entries(solo, talk, kind, intruder.stranger).await;
    now.is_some_and(|now| now.iter().all(|own| own.get(kind.key) != entry.get(kind.key)))
}

/// The parameters of a request that uses an entry of a list: a call that was served before, or one of our own making.
fn use_of(solo: &Solo<'_>, known: &Known, kind: &Kind, entry: &Value) -> Option<Value> {
    let name = entry.get(kind.key)?.as_str()?;
    match kind.method {
        "tools/call" => {
            let mut calls = known.offer.calls.iter().filter(|call| call.tool == name);
            if let Some(call) = calls.find(|call| call.succeeded() && !call.asked_for_input) {
                return Some(json!({"name": name, "arguments": call.arguments}));
            }
            solo.settings.safety.may_call(entry).ok()?;
            let schema = entry.get("inputSchema")?;
            let needs = schema.get("required").and_then(Value::as_array).is_some_and(|list| !list.is_empty());
            let arguments = if needs {
                valid_value(schema, &mut Seeded::new(solo.settings.seed)).ok()?
            } else {
                json!({})
            };
            Some(json!({"name": name, "arguments": arguments}))
        }
        "resources/read" => Some(json!({"uri": name})),
        _ => {
            let arguments = entry.get("arguments").and_then(Value::as_array).into_iter().flatten();
            let required = arguments.filter(|argument| argument["required"] == true);
            let filled: serde_json::Map<String, Value> = required
                .filter_map(|argument| Some((argument.get("name")?.as_str()?.to_owned(), "mcprove".into())))
                .collect();
            Some(json!({"name": name, "arguments": filled}))
        }
    }
}
