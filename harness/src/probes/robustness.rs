//! What any server must stand: malformed and extreme input (POLICY section 10).

use super::probe::{breach, probes};
use super::{Call, Stage};
use crate::client::{Gone, Outgoing, Reply, Ticket};
use crate::generate::ValueGenerator;
use crate::monitors::Breach;
use crate::protocol::{Era, Id, Transport};
use crate::wire::{Event, Payload, Taint};
use serde_json::{Value, json};
use std::time::Duration;

probes! {
    /// Sends the same valid request in four spellings: as usual, with its members in another order, with white space,
    /// with characters of its strings escaped; over STDIO also with a carriage return before the newline, as on Windows.
    /// All are the same JSON, so all get the same kind of answer.
    equal_json_is_treated_equally (Clean, Both, Any) decides ["robustness.equal-json-equal-verdict"];
    /// Sends broken and truncated JSON, bytes that are no UTF-8, scalars, an array (where there are no batches), a
    /// response to nothing, a long line of garbage, a carriage return, a byte order mark and, over STDIO, blank lines,
    /// each followed by a valid request. Whatever the server says of the garbage, the
    /// valid request is answered: one broken message must not take everybody's session with it.
    malformed_input_is_survived (Breaking, Both, Any) decides [
        "robustness.liveness.after-malformed",
        "robustness.http.no-5xx",
        "robustness.process.survives",
        "stdio.malformed-line-survived",
    ];
    /// Sends parameters with arrays and with objects nested 10 000 deep. An answer, an error, HTTP 4xx or silence
    /// passes; a recursive parser overflows its stack and dies.
    deep_nesting_is_survived (Breaking, Both, Any) decides
        ["robustness.deep-nesting", "robustness.liveness.after-stress"];
    /// Sends 64 KiB of ASCII and of characters beyond 16 bits as id, method, tool name, argument of a tool that
    /// takes any text, URI, prompt name and cursor. All of these are valid requests: one that is dropped without an
    /// answer leaves its client waiting, which is a warning.
    long_strings_are_survived (Breaking, Both, Any) decides
        ["robustness.long-strings", "robustness.liveness.after-stress"];
    /// Sends 2^53+1, 2^64, 1e400, -0, tiny and thousand-digit numbers as ids and as parameters.
    unusual_numbers_are_survived (Breaking, Both, Any) decides
        ["robustness.numbers", "robustness.liveness.after-stress"];
    /// Sends NUL, control characters, lone surrogates, noncharacters, marks that turn the direction of text and
    /// unnormalised text in parameters, names, URIs and cursors.
    unusual_strings_are_survived (Breaking, Both, Any) decides
        ["robustness.strings", "robustness.liveness.after-stress"];
    /// Sends members that stand twice, have empty names or the names that JavaScript objects inherit, and ten thousand
    /// members that nobody knows.
    unusual_members_are_survived (Breaking, Both, Any) decides
        ["robustness.members", "robustness.liveness.after-stress"];
}

const DEPTH: usize = 10_000;
const LONG: usize = 64 << 10;
const NOTIFICATION: &[u8] = br#"{"jsonrpc":"2.0","method":"notifications/mcprove-unknown"}"#;
const LONG_STRINGS: &str = "robustness.long-strings";
/// A tool that took longer is not called for the sake of its arguments.
const QUICK: Duration = Duration::from_millis(400);

async fn equal_json_is_treated_equally(stage: &mut Stage<'_>) {
    const ID: &str = "robustness.equal-json-equal-verdict";
    let method = stage.harmless();
    let (_, plain) = stage.request(method, json!({"_meta": {}})).await;
    if !matches!(plain, Reply::Result(_)) {
        return stage.judge.undecided(
            ID,
            "no-answer",
            format!("no usable answer came: {}", plain.describe()),
        );
    }
    let line_end = (stage.transport() == Transport::Stdio).then_some("carriage-return");
    for spelling in ["order", "white-space", "escapes"].into_iter().chain(line_end) {
        let mut last = None;
        // Once more, so that a server that changes is not blamed for it.
        for _ in 0..2 {
            let outgoing = spelled(stage, method, spelling);
            // Valid, but what comes of it is judged here alone.
            let ticket = stage.talk.send(outgoing.deliberate(stage.name, Taint::Message)).await;
            let reply = stage.talk.reply(&ticket).await;
            let refused = matches!(reply, Reply::Error(_));
            last = Some((ticket, reply));
            if !refused {
                break;
            }
        }
        let Some((ticket, reply)) = last else { continue };
        match &reply {
            Reply::Result(_) => stage.judge.held(ID),
            Reply::Error(_) => stage.judge.broke(
                ID,
                breach(
                    spelling,
                    "the same request in another spelling of its JSON was refused",
                    &ticket,
                    &reply,
                )
                .expected(&["a result, as for the usual spelling"]),
            ),
            _ => return,
        }
    }
}

/// A harmless request in another spelling.
fn spelled(stage: &mut Stage<'_>, method: &str, spelling: &str) -> Outgoing {
    let mut outgoing = stage.talk.compose(method, json!({"_meta": {}}));
    let plain = String::from_utf8_lossy(&outgoing.body).into_owned();
    let text = match spelling {
        "order" => {
            let value: Value = serde_json::from_str(&plain).unwrap_or_default();
            let members: Vec<String> = value
                .as_object()
                .into_iter()
                .flatten()
                .rev()
                .map(|(name, value)| format!("{}:{value}", Value::from(name.as_str())))
                .collect();
            format!("{{{}}}", members.join(","))
        }
        "carriage-return" => format!("{plain}\r"),
        // No line ends: a line is a message on stdio.
        "white-space" => format!(" \t{}\t ", plain.replace("\":", "\" :\t").replacen('{', "{  ", 1)),
        _ => {
            let escaped =
                method.chars().fold(String::new(), |text, c| text + &format!("\\u{:04x}", u32::from(c)));
            plain.replacen(&format!("\"method\":\"{method}\""), &format!("\"m\\u0065thod\":\"{escaped}\""), 1)
        }
    };
    outgoing.body = text.into();
    outgoing
}

async fn malformed_input_is_survived(stage: &mut Stage<'_>) {
    const ID: &str = "robustness.liveness.after-malformed";
    const LINE: &str = "stdio.malformed-line-survived";
    let mut stimuli: Vec<(&str, Vec<u8>)> = vec![
        ("broken-json", br#"{"jsonrpc": "2.0", "id": 1, "method": }"#.to_vec()),
        ("no-json", b"GET / HTTP/1.1".to_vec()),
        ("invalid-utf8", b"{\"jsonrpc\":\"2.0\",\"method\":\"notifications/\xFF\xFE\xC0\x80\"}".to_vec()),
        ("number", b"42".to_vec()),
        ("string", br#""text""#.to_vec()),
        ("null", b"null".to_vec()),
        ("empty-object", b"{}".to_vec()),
        (
            "null-params",
            br#"{"jsonrpc":"2.0","method":"notifications/mcprove-unknown","params":null}"#.to_vec(),
        ),
        ("stray-response", br#"{"jsonrpc":"2.0","id":"mcprove-never-asked","result":{}}"#.to_vec()),
        ("long-garbage", vec![b'x'; 4 * LONG]),
        ("carriage-return", [NOTIFICATION, b"\r"].concat()),
        ("byte-order-mark", [b"\xEF\xBB\xBF", NOTIFICATION].concat()),
        ("truncated", NOTIFICATION[..NOTIFICATION.len() / 2].to_vec()),
    ];
    if !stage.revision.has_batches() {
        stimuli.push(("array", b"[1,2]".to_vec()));
    }
    if stage.transport() == Transport::Stdio {
        stimuli.push(("blank-line", Vec::new()));
        stimuli.push(("white-space", b" \t\r".to_vec()));
    }
    for (name, bytes) in stimuli {
        let seen = stage.provoke(Outgoing::bytes(bytes)).await;
        match &seen.barrier {
            Reply::Result(_) => {
                stage.judge.held(ID);
                stage.judge.held(LINE);
            }
            // The monitors see the end of the process and tell it as that.
            Reply::Gone(_) if stage.transport() == Transport::Stdio => {
                return stage.judge.undecided(
                    LINE,
                    "gone",
                    "the process ended: see robustness.process.survives",
                );
            }
            // The monitors tell whether the server sent too much, or all of it together was more than is kept.
            barrier if barrier.status() == Some(429) => {
                return stage.judge.undecided(
                    ID,
                    "rate-limit",
                    "HTTP 429: the server serves no more for now",
                );
            }
            Reply::Gone(Gone::Flooded) => {
                return stage.judge.undecided(
                    ID,
                    "flooded",
                    "more came than is kept: see robustness.output.bounded",
                );
            }
            barrier => {
                for id in [ID, LINE] {
                    let breach = breach(
                        name,
                        "after malformed input, a valid request was not answered with its result",
                        &seen.ticket,
                        barrier,
                    );
                    stage
                        .judge
                        .broke(id, breach.expected(&["the result of the valid request that followed"]));
                }
                return;
            }
        }
    }
}

/// Sends valid but extreme messages one by one, each followed by a valid request.
async fn stress(stage: &mut Stage<'_>, row: &'static str, stimuli: Vec<(String, Outgoing)>) {
    const ID: &str = "robustness.liveness.after-stress";
    // One that is left unanswered is enough: each is waited for.
    let mut dropped = false;
    for (name, outgoing) in stimuli {
        let seen = stage.provoke(outgoing).await;
        if row == LONG_STRINGS && !dropped && seen.survived() && matches!(seen.reply, Reply::Silence(_)) {
            dropped = judge_dropped(stage, &name, &seen.ticket).await;
        }
        match &seen.barrier {
            Reply::Result(_) => {
                stage.judge.held(row);
                stage.judge.held(ID);
            }
            Reply::Gone(_) if stage.transport() == Transport::Stdio => {
                stage.judge.undecided(row, "gone", "the process ended: see robustness.process.survives");
                return;
            }
            barrier if barrier.status() == Some(429) => {
                return stage.judge.undecided(
                    ID,
                    "rate-limit",
                    "HTTP 429: the server serves no more for now",
                );
            }
            Reply::Gone(Gone::Flooded) => {
                stage.judge.undecided(
                    row,
                    "flooded",
                    "more came than is kept: see robustness.output.bounded",
                );
                return;
            }
            barrier => {
                for id in [row, ID] {
                    let breach: Breach = breach(
                        &name,
                        format!(
                            "after {name} in a message, a valid request was not answered with its result"
                        ),
                        &seen.ticket,
                        barrier,
                    );
                    stage
                        .judge
                        .broke(id, breach.expected(&["the result of the valid request that followed"]));
                }
                return;
            }
        }
    }
}

/// A request with a long string is as valid as with a short one, so an answer or an error is due, in its own time.
/// Whether none came.
async fn judge_dropped(stage: &mut Stage<'_>, name: &str, ticket: &Ticket) -> bool {
    let reply = stage.talk.reply_within(ticket, stage.talk.timeouts().request).await;
    // Too long an answer is one too; the monitors tell it.
    let too_long = stage.talk.recorder().snapshot().iter().any(|record| {
        let raw = |payload: &Payload| matches!(payload, Payload::Raw { truncated: true, .. });
        record.seq >= ticket.since && matches!(&record.event, Event::Received { payload, .. } if raw(payload))
    });
    let dropped = matches!(reply, Reply::Silence(_)) && !too_long;
    if dropped {
        stage.talk.note_timed_out(ticket);
        let text = format!("a request with {name} was not answered");
        let seen = breach("dropped", text, ticket, &reply).quality().expected(&["a result", "an error"]);
        stage.judge.broke(LONG_STRINGS, seen);
    }
    dropped
}

/// Requests with a place for a value that no server can act on: in an unknown parameter, and in the name of something
/// that does not exist, for each feature that the server declares.
fn places(stage: &Stage<'_>, prefix: &str) -> Vec<(&'static str, &'static str, Value)> {
    let at = format!("{prefix}@");
    let mut places = vec![("parameter", stage.harmless(), json!({"mcprove": at}))];
    let declared = [
        ("tools", "tool name", "tools/call", json!({"name": at, "arguments": {}})),
        ("resources", "URI", "resources/read", json!({"uri": at})),
        ("prompts", "prompt name", "prompts/get", json!({"name": at})),
        ("tools", "cursor", "tools/list", json!({"cursor": at})),
    ];
    for (capability, place, method, params) in declared {
        if stage.declares(capability) {
            places.push((place, method, params));
        }
    }
    places
}

async fn deep_nesting_is_survived(stage: &mut Stage<'_>) {
    let method = stage.harmless();
    let arrays = format!("{}{}", "[".repeat(DEPTH), "]".repeat(DEPTH));
    let objects = format!("{}1{}", "{\"a\":".repeat(DEPTH), "}".repeat(DEPTH));
    let mut stimuli = Vec::new();
    for (name, raw) in [("nested arrays", arrays), ("nested objects", objects)] {
        let outgoing = stage.with_raw(method, json!({"mcprove": "@"}), &raw);
        stimuli.push((name.to_owned(), outgoing));
    }
    stress(stage, "robustness.deep-nesting", stimuli).await;
}

async fn long_strings_are_survived(stage: &mut Stage<'_>) {
    let ascii = "a".repeat(LONG);
    let astral = "🔑".repeat(LONG / 4);
    let mut stimuli = Vec::new();
    for (kind, text) in [("ASCII", &ascii), ("astral", &astral)] {
        let id = Id::string(text);
        let params = stage.talk.params(json!({}));
        let method = stage.harmless();
        stimuli.push((format!("a long {kind} id"), Outgoing::request(&id, method, params)));
        let outgoing = stage.talk.compose(&format!("mcprove/{text}"), json!({}));
        stimuli.push((format!("a long {kind} method"), outgoing));
        for (place, method, params) in places(stage, "mcprove://no-such/") {
            let filled = fill(&params, text);
            let outgoing = stage.talk.compose(method, filled);
            stimuli.push((format!("a long {kind} {place}"), outgoing));
        }
    }
    stress(stage, LONG_STRINGS, stimuli).await;
    long_argument_is_answered(stage, &ascii).await;
}

/// A long text is as valid an argument as a short one: the call is answered, one way or the other.
async fn long_argument_is_answered(stage: &mut Stage<'_>, text: &str) {
    let Some(params) = free_text(stage).filter(|_| stage.talk.gone().is_none()) else { return };
    let outgoing = stage.talk.compose("tools/call", fill(&params, text));
    let (ticket, reply) = stage.breaking(outgoing).await;
    if let Reply::Silence(_) = reply {
        let message = "a tool that takes any text did not answer to a long one";
        let seen = breach("argument", message, &ticket, &reply).quality().expected(&["a result", "an error"]);
        stage.judge.broke(LONG_STRINGS, seen);
    }
}

/// The parameters of a quick call that worked, `@` in the place of an argument that may be any text.
fn free_text(stage: &Stage<'_>) -> Option<Value> {
    let quick = |call: &&Call| call.succeeded() && !call.asked_for_input && call.took < QUICK;
    // What a header mirrors is no place for a long text.
    let over_http = stage.era() == Era::Modern && stage.transport().is_http();
    stage.offer.calls.iter().filter(quick).find_map(|call| {
        let tool = stage.offer.tools.iter().find(|tool| tool["name"] == call.tool.as_str())?;
        let schema = tool.get("inputSchema")?;
        if tool.pointer("/annotations/destructiveHint") == Some(&Value::Bool(true)) {
            return None;
        }
        let generator = ValueGenerator::new(schema.clone()).ok();
        let long = "a".repeat(LONG);
        let (name, _) = call.arguments.as_object()?.iter().find(|(name, value)| {
            let mirrored = over_http && schema["properties"][name.as_str()].get("x-mcp-header").is_some();
            let mut other = call.arguments.clone();
            other[name.as_str()] = Value::from(long.as_str());
            value.is_string() && !mirrored && generator.as_ref().is_some_and(|known| known.allows(&other))
        })?;
        let mut arguments = call.arguments.clone();
        arguments[name.as_str()] = Value::from("@");
        Some(json!({"name": call.tool, "arguments": arguments}))
    })
}

/// Puts a text in the place of `@`.
fn fill(params: &Value, text: &str) -> Value {
    match params {
        Value::String(place) => Value::from(place.replace('@', text)),
        Value::Object(members) => {
            members.iter().map(|(name, value)| (name.clone(), fill(value, text))).collect()
        }
        other => other.clone(),
    }
}

async fn unusual_numbers_are_survived(stage: &mut Stage<'_>) {
    let digits = "9".repeat(1000);
    let numbers = [
        "9007199254740993",
        "18446744073709551616",
        "-9223372036854775809",
        "1e400",
        "-1e400",
        "-0",
        "1e-400",
        "0.1e1",
        digits.as_str(),
    ];
    // None that could come back as the id of another request when it is read as a double.
    let ids =
        ["9007199254740993", "18446744073709551616", "1e400", "4294967295.5", "123456789e1", digits.as_str()];
    let method = stage.harmless();
    let short = |number: &str| number.chars().take(24).collect::<String>();
    let mut stimuli = Vec::new();
    for number in numbers {
        let outgoing = stage.with_raw(method, json!({"mcprove": "@"}), number);
        stimuli.push((format!("the number {} as a parameter", short(number)), outgoing));
    }
    for number in ids {
        let mut outgoing = stage.talk.compose(method, json!({}));
        let text = String::from_utf8_lossy(&outgoing.body).into_owned();
        let own = outgoing.id.take().map(|id| format!("\"id\":{id}")).unwrap_or_default();
        outgoing.body = text.replacen(&own, &format!("\"id\":{number}"), 1).into();
        stimuli.push((format!("the number {} as id", short(number)), outgoing));
    }
    stress(stage, "robustness.numbers", stimuli).await;
}

async fn unusual_strings_are_survived(stage: &mut Stage<'_>) {
    let strings = [
        ("NUL", r"\u0000"),
        ("control characters", r"\u0001\u0008\u000b\u001b[2J\u007f"),
        ("a lone high surrogate", r"\ud800"),
        ("a lone low surrogate", r"\udc00x"),
        ("surrogates in the wrong order", r"\udc00\ud800"),
        ("noncharacters", r"\uffff\ufffe\ufdd0"),
        ("marks of direction", r"\u202e\u2066\u200f"),
        ("unnormalised text", r"e\u0301\u1e9b\u0323\ufb01"),
        ("format specifiers", r"%s%n%x{0}${jndi:x}"),
    ];
    let places = places(stage, "mcprove://no-such/");
    let mut stimuli = Vec::new();
    for (index, (name, escaped)) in strings.into_iter().enumerate() {
        // In a parameter each time, and in the other places in turn.
        let (parameter, others) = (places.first(), places.get(1..).unwrap_or_default());
        let turn = others.get(index % others.len().max(1));
        for (place, method, params) in parameter.into_iter().chain(turn) {
            let mut outgoing = stage.talk.compose(method, params.clone());
            let text = String::from_utf8_lossy(&outgoing.body).replacen(
                "no-such/@",
                &format!("no-such/{escaped}"),
                1,
            );
            outgoing.body = text.into();
            // The header that mirrors a name says what a reader makes of the text.
            let value: Value =
                crate::protocol::json::parse(&outgoing.body).map(|parsed| parsed.value).unwrap_or_default();
            outgoing.name = Outgoing::message(&value).name;
            stimuli.push((format!("{name} in a {place}"), outgoing));
        }
    }
    stress(stage, "robustness.strings", stimuli).await;
}

async fn unusual_members_are_survived(stage: &mut Stage<'_>) {
    let many: Vec<String> = (0..10_000).map(|number| format!("\"m{number}\":{number}")).collect();
    let many = format!("{{{}}}", many.join(","));
    let sets = [
        (
            "inherited names",
            r#"{"__proto__":{"a":1},"constructor":{"prototype":{"a":1}},"toString":1}"#.to_owned(),
        ),
        ("an empty name", r#"{"":1," ":2}"#.to_owned()),
        ("a member that stands twice", r#"{"a":1,"a":2}"#.to_owned()),
        ("ten thousand members", many),
    ];
    let method = stage.harmless();
    let mut stimuli = Vec::new();
    for (name, set) in sets {
        if set.len() < LONG {
            let outgoing = stage.with_raw(method, json!({"mcprove": "@"}), &set);
            stimuli.push((format!("{name} below `params`"), outgoing));
        }
        // The set without its own braces.
        let inner = set.get(1..set.len() - 1).unwrap_or_default();
        let mut outgoing = stage.talk.compose(method, json!({"mcprove": 1}));
        let text = String::from_utf8_lossy(&outgoing.body).replacen("\"mcprove\":1", inner, 1);
        outgoing.body = text.into();
        stimuli.push((format!("{name} in `params`"), outgoing));
        let mut outgoing = stage.talk.compose(method, json!({}));
        let text = String::from_utf8_lossy(&outgoing.body).replacen('{', &format!("{{{inner},"), 1);
        outgoing.body = text.into();
        stimuli.push((format!("{name} at the top level"), outgoing));
    }
    // In the modern era `_meta` is where a second member of the same name could matter most.
    if stage.era() == Era::Modern {
        let mut outgoing = stage.talk.compose(method, json!({}));
        let text =
            String::from_utf8_lossy(&outgoing.body).replacen("\"_meta\":{", "\"_meta\":{\"a\":1,\"a\":2,", 1);
        outgoing.body = text.into();
        stimuli.push(("a member that stands twice in `_meta`".to_owned(), outgoing));
    }
    stress(stage, "robustness.members", stimuli).await;
}
