//! Masked against unmasked views: what one principal sees masked in one place and another principal raw, the first one sees
//! nowhere else (the security sections of the features).

use super::door::other_token;
use super::probe::probes;
use super::tasks_apart::{self, Stranger};
use super::views::{Hidden, any_text, hidden, leaves, names, tells};
use super::{Known, Solo};
use crate::client::headers::mirrored_arguments;
use crate::client::{Conversation, Heard, Outgoing, Reply, Ticket};
use crate::monitors::Breach;
use crate::protocol::{Era, Revision, Transport};
use serde_json::{Value, json};
use std::time::Duration;

/// How many tools are called, how many resources read, and how many completions asked for, for each principal.
const MOST_CALLS: usize = 8;
const MOST_READS: usize = 8;
const MOST_COMPLETIONS: usize = 6;
/// How many prompts are asked for, and about how many records of a kind each.
const MOST_PROMPTS: usize = 4;
const MOST_RECORDS: usize = 2;
/// A tool that took longer is not called for this.
const QUICK: Duration = Duration::from_secs(1);
/// The most values that are sought everywhere.
const MOST_HIDDEN: usize = 100;

const TOOLS: &str = "tools.call.access-control";
const RESOURCES: &str = "resources.read.access-control";
const COMPLETION: &str = "completion.access-controlled";
const PROMPTS: &str = "prompts.injection-safe";
const LOGS: &str = "logging.sensitive-removed";
const ROWS: [&str; 5] = [TOOLS, RESOURCES, COMPLETION, PROMPTS, LOGS];

probes! {
    /// Where the user gave the credentials of other principals (`--principal`, `--trust-test-issuer`): each calls the same
    /// read-only tools with the same arguments, reads the same resources, and asks for the same completions and prompts.
    /// Where one of them sees a member of a record masked (asterisks, `redacted`, a token in its place) and the other one
    /// sees it as it is, no other message to the first one may hold that value beside the name of the record: neither
    /// another form of the same result, nor a resource, a suggestion, a prompt or a log message. What is masked in one place
    /// and open in another is not masked. An answer that is about another record for each of them, such as their own, is
    /// not compared.
    what_is_masked_stays_masked (Alone, Both, Any) decides [
        "tools.call.access-control", "resources.read.access-control", "completion.access-controlled",
        "prompts.injection-safe", "logging.sensitive-removed",
    ];
}

/// A request that both principals send.
struct Asking {
    row: &'static str,
    method: &'static str,
    params: Value,
    /// The input schema, of a tool.
    schema: Option<Value>,
}

/// What came for it.
struct Said {
    row: &'static str,
    sent: Value,
    ticket: Ticket,
    reply: Reply,
    messages: Vec<Heard>,
}

async fn what_is_masked_stays_masked(solo: &mut Solo<'_>) {
    let one_caller = "it takes the credentials of another principal: --principal";
    if solo.opener.binding().transport() == Transport::Stdio || other_token(solo).await.is_none() {
        return leave_open(solo, "one-caller", one_caller);
    }
    let Some(mut opened) = solo.begin(solo.revision, &ROWS).await else { return };
    let known = solo.known().await;
    let others = tasks_apart::others(solo, &mut opened.talk).await;
    if others.is_empty() {
        leave_open(solo, "not-let-in", "the other principal is not let in");
    }
    let mut seen = false;
    for another in &others {
        seen |= compare(solo, &mut opened.talk, &known, another).await;
    }
    if !seen {
        leave_open(solo, "nothing-masked", "no principal sees masked what the other one sees");
    }
    solo.close(opened).await;
}

fn leave_open(solo: &mut Solo<'_>, code: &str, text: &str) {
    for id in ROWS {
        solo.judge.undecided(id, code, text);
    }
}

/// Compares what the two see; whether one of them sees anything masked.
async fn compare(solo: &mut Solo<'_>, talk: &mut Conversation, known: &Known, another: &Stranger) -> bool {
    listen_closely(solo, talk, another).await;
    let (mut ours, mut theirs) = (Vec::new(), Vec::new());
    for asking in calls(solo, known) {
        ours.push(ask(solo, talk, &asking, None).await);
        theirs.push(ask(solo, talk, &asking, Some(another)).await);
    }
    let mut concealed = [concealed_from(&ours, &theirs), concealed_from(&theirs, &ours)];
    let mut records: Vec<String> = concealed.iter().flatten().map(|hidden| hidden.record.clone()).collect();
    records.dedup();
    for asking in reads(known, &records).into_iter().chain(completions(known)).chain(prompts(known, &records))
    {
        ours.push(ask(solo, talk, &asking, None).await);
        theirs.push(ask(solo, talk, &asking, Some(another)).await);
    }
    concealed = [concealed_from(&ours, &theirs), concealed_from(&theirs, &ours)];
    judge(solo, &ours, &theirs, &concealed[0]);
    judge(solo, &theirs, &ours, &concealed[1]);
    concealed.iter().any(|hidden| !hidden.is_empty())
}

/// Asks for log messages of every level for both, where a session says so once for all.
async fn listen_closely(solo: &Solo<'_>, talk: &mut Conversation, another: &Stranger) {
    let declared = talk.handshake().is_some_and(|handshake| handshake.declares("logging"));
    if solo.revision.era() == Era::Legacy && declared {
        talk.request("logging/setLevel", json!({"level": "debug"})).await;
        let outgoing = talk.compose("logging/setLevel", json!({"level": "debug"}));
        another.sends(solo, talk, outgoing).await;
    }
}

/// The calls of the tour that only read and ask for nothing, and may be repeated.
fn calls(solo: &Solo<'_>, known: &Known) -> Vec<Asking> {
    let mut calls: Vec<Asking> = Vec::new();
    for call in known.offer.calls.iter().filter(|call| {
        call.succeeded() && !call.asked_for_input && call.wishes.is_empty() && call.took < QUICK
    }) {
        let Some(tool) = known.offer.tools.iter().find(|tool| tool["name"] == call.tool.as_str()) else {
            continue;
        };
        let reads = tool.pointer("/annotations/readOnlyHint") == Some(&Value::Bool(true));
        // 2024-11-05 knows no hints; there the user has said what may be called.
        let is_known = tool.get("annotations").is_some() || solo.revision != Revision::V2024_11_05;
        let params = json!({"name": call.tool, "arguments": call.arguments});
        if (reads || !is_known) && calls.len() < MOST_CALLS && calls.iter().all(|own| own.params != params) {
            let schema = tool.get("inputSchema").cloned();
            calls.push(Asking { row: TOOLS, method: "tools/call", params, schema });
        }
    }
    calls
}

/// Reads of listed resources, first of those whose records were seen masked.
fn reads(known: &Known, records: &[String]) -> Vec<Asking> {
    let mut uris: Vec<&String> = known.offer.first.get("resources/list").into_iter().flatten().collect();
    uris.sort_by_key(|uri| !records.iter().any(|record| uri.contains(record.as_str())));
    let ask = |uri: &String| Asking {
        row: RESOURCES,
        method: "resources/read",
        params: json!({"uri": uri}),
        schema: None,
    };
    uris.into_iter().take(MOST_READS).map(ask).collect()
}

/// Completions of the arguments of prompts and of the variables of templates.
fn completions(known: &Known) -> Vec<Asking> {
    let arguments = known.offer.prompts.iter().flat_map(|prompt| {
        let named = prompt.get("arguments").and_then(Value::as_array).into_iter().flatten();
        named
            .map(|argument| (json!({"type": "ref/prompt", "name": prompt["name"]}), argument["name"].clone()))
    });
    let variables = known.offer.templates.iter().filter_map(|template| {
        let pattern = template.get("uriTemplate")?.as_str()?;
        let variable = pattern.split_once('{')?.1.split_once('}')?.0;
        Some((json!({"type": "ref/resource", "uri": pattern}), json!(variable)))
    });
    let ask = |(reference, argument): (Value, Value)| Asking {
        row: COMPLETION,
        method: "completion/complete",
        params: json!({"ref": reference, "argument": {"name": argument, "value": ""}}),
        schema: None,
    };
    arguments.chain(variables).take(MOST_COMPLETIONS).map(ask).collect()
}

/// Prompts about records that were seen masked, and those that need no argument.
fn prompts(known: &Known, records: &[String]) -> Vec<Asking> {
    let mut all = Vec::new();
    for prompt in known.offer.prompts.iter().take(MOST_PROMPTS) {
        let arguments = prompt.get("arguments").and_then(Value::as_array).into_iter().flatten();
        let required: Vec<&str> = arguments
            .filter(|argument| argument["required"] == true)
            .filter_map(|argument| argument.get("name")?.as_str())
            .collect();
        let about = |record: &str| {
            let arguments: serde_json::Map<String, Value> =
                required.iter().map(|name| ((*name).to_owned(), record.into())).collect();
            let params = json!({"name": prompt["name"], "arguments": arguments});
            Asking { row: PROMPTS, method: "prompts/get", params, schema: None }
        };
        if required.is_empty() {
            all.push(about(""));
        } else {
            all.extend(of_each_kind(records).into_iter().map(about));
        }
    }
    all
}

/// Some records of each kind, which their ids tell where they differ in more than digits.
fn of_each_kind(records: &[String]) -> Vec<&str> {
    let kind = |record: &str| record.replace(|c: char| c.is_ascii_digit(), "");
    let mut some: Vec<&str> = Vec::new();
    for record in records {
        let alike = some.iter().filter(|own| kind(own) == kind(record)).count();
        if alike < MOST_RECORDS && some.len() < 3 * MOST_RECORDS && !some.contains(&record.as_str()) {
            some.push(record);
        }
    }
    some
}

/// Sends a request for one of the two.
async fn ask(solo: &Solo<'_>, talk: &mut Conversation, asking: &Asking, stranger: Option<&Stranger>) -> Said {
    let mut params = asking.params.clone();
    let modern = solo.revision.era() == Era::Modern;
    if modern && talk.handshake().is_some_and(|handshake| handshake.declares("logging")) {
        params["_meta"] = json!({"io.modelcontextprotocol/logLevel": "debug"});
    }
    let mut outgoing: Outgoing = talk.compose(asking.method, params);
    if let Some(schema) = asking.schema.as_ref().filter(|_| modern) {
        outgoing.mirrored = mirrored_arguments(schema, &asking.params["arguments"]);
    }
    let (ticket, reply) = match stranger {
        Some(stranger) => stranger.sends(solo, talk, outgoing).await,
        None => {
            let ticket = talk.send(outgoing).await;
            let reply = talk.reply(&ticket).await;
            (ticket, reply)
        }
    };
    let mut messages = talk.heard_since(ticket.since);
    messages.retain(|heard| heard.record.channel == ticket.channel);
    Said { row: asking.row, sent: asking.params.clone(), ticket, reply, messages }
}

/// What one principal sees masked and the other one as it is, in results of the same requests.
fn concealed_from(one: &[Said], other: &[Said]) -> Vec<Hidden> {
    let mut all: Vec<Hidden> = Vec::new();
    for (mine, theirs) in one.iter().zip(other) {
        let (Some(mine), Some(theirs)) = (mine.reply.result(), theirs.reply.result()) else { continue };
        all.extend(hidden(&leaves(mine), &leaves(theirs)));
    }
    all.dedup();
    all.truncate(MOST_HIDDEN);
    all
}

/// Looks through all that one principal was told for what is hidden from them. `others` is what the other one was told
/// for the same requests.
fn judge(solo: &mut Solo<'_>, said: &[Said], others: &[Said], hidden: &[Hidden]) {
    if hidden.is_empty() {
        return;
    }
    for (said, other) in said.iter().zip(others) {
        // An answer about another record for each caller is about the caller: their own record they may see.
        let shared = |hidden: &&Hidden| {
            let mut messages = other.messages.iter();
            messages.any(|heard| names(heard.message.value(), &hidden.record))
        };
        // What they sent themselves is no news to them.
        let news = |hidden: &&Hidden| !any_text(&said.sent, &|text| text.contains(&hidden.raw));
        for heard in &said.messages {
            let is_log = heard.message.method() == Some("notifications/message");
            let row = if is_log { LOGS } else { said.row };
            let mut told = hidden.iter().filter(news).filter(|one| tells(heard.message.value(), one));
            let Some(told) = told.find(shared) else {
                // That one value is masked does not say that access is checked.
                if matches!(row, COMPLETION | LOGS) {
                    solo.judge.held(row);
                }
                continue;
            };
            let place = if is_log { "a log message" } else { "an answer" };
            let text = format!(
                "{place} tells a principal the value of `{}` that another result shows to that principal masked",
                told.path
            );
            let seen = Breach::new("unmasked", text)
                .quality()
                .expected(&["the mask, as in the other result"])
                .actual(format!("the value itself, {} characters long", told.raw.chars().count()))
                .at(&heard.record)
                .sent(said.ticket.since)
                .sent_on(said.ticket.channel);
            solo.judge.broke(row, seen);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::of_each_kind;

    #[test]
    fn some_records_of_each_kind_are_taken() {
        let records = ["o-1", "o-1", "o-2", "o-3", "c-1", "e-1"].map(str::to_owned);
        assert_eq!(of_each_kind(&records), ["o-1", "o-2", "c-1", "e-1"]);
    }
}
