//! Event streams of Streamable HTTP under test: resumption, subscriptions, the end of streams (basic/transports).

use super::Solo;
use super::call::{Call, PATIENCE, tool_calls};
use super::http_replay::nothing_is_left_out;
use super::probe::{Stage, probes};
use crate::client::{Conversation, Opened, Outgoing, Reply, Ticket};
use crate::monitors::Breach;
use crate::protocol::{Id, Kind};
use crate::wire::{Channel, Event, Taint};
use serde_json::{Value, json};
use std::time::Duration;
use tokio::time::Instant;

/// The most tools that are called to find one that answers with a stream.
const TOOLS: usize = 12;
/// After which time a client comes back for the rest of a stream.
const COME_BACK: Duration = Duration::from_millis(1000);
/// How long a stream that stays open after its response is watched.
const LINGERING: Duration = Duration::from_millis(2200);
/// How long something is waited for that would be there soon if it were there at all.
const BESIDE: Duration = Duration::from_millis(100);

probes! {
    /// Calls tools that are free to be called, asking for progress, until one answers with an event stream that has
    /// event ids. Breaks this stream off after its first id, while a second call runs, and takes it up again by GET
    /// with `Last-Event-ID`. What comes belongs to the first call, comes after the id, and ends with the response:
    /// losing the connection is no cancellation. Replay is optional; a server that gives ids but answers the GET with
    /// 405 promises what it does not keep, and one that does not give the response of the second call again either may
    /// have lost that of the first without cancelling it. Once the call is over, its stream is taken up again from its first
    /// event and from the next one: what followed on that has to come first. The same id in another session leads to
    /// nothing of that call.
    interrupted_stream_is_taken_up_again (Alone, Legacy, Http) decides [
        "http.resume.by-get", "http.resume.event-id-is-cursor", "http.resume.same-stream-only",
        "http.resume.event-id-names-stream", "http.disconnect.not-cancellation", "http.sse.priming-event",
        "http.sse.response-delivered", "http.sse.not-closed-early", "http.sse.ends-after-response",
        "http.sse.related-messages-only", "http.sse.no-broadcast", "http.sse.event-payload",
        "http.resume.event-id-unique", "http.get.messages-unrelated",
    ];
    /// Subscribes to every change (2026-07-28) and calls tools meanwhile, asking for progress and log messages. These
    /// come on the stream of their call and not on that of the subscription; streams tell proxies not to buffer.
    subscription_is_no_place_for_progress (Breaking, Modern, Http) decides [
        "http.sse.listen-stream-only-changes", "http.sse.buffering-disabled", "http.sse.related-messages-only",
        "http.sse.response-delivered", "http.sse.ends-after-response", "http.sse.event-payload",
    ];
    /// Waits a while where the stream of a request is still open although its response has come.
    open_streams_get_time_to_end (Breaking, Both, Http) decides ["http.sse.ends-after-response"];
}

/// The first event id on an exchange.
fn first_event_id(talk: &Conversation, channel: Channel) -> Option<String> {
    event_ids(talk, channel).into_iter().next()
}

/// The event ids on an exchange, in order.
fn event_ids(talk: &Conversation, channel: Channel) -> Vec<String> {
    let records = talk.recorder().snapshot();
    let on_it = records.iter().filter(|record| record.channel == channel);
    on_it
        .filter_map(|record| match &record.event {
            Event::Received { sse: Some(fields), .. } | Event::SseOther(fields) => fields.id.clone(),
            _ => None,
        })
        .collect()
}

/// A call that took longer than this was under way when its stream was broken off.
const MOMENT: Duration = Duration::from_millis(40);

/// A call that asks for progress; its token.
async fn start(talk: &mut Conversation, call: &Call) -> (Ticket, Value) {
    let token = json!(format!("mcprove-progress-{}", talk.now()));
    let outgoing = call.compose(talk, Some(json!({"progressToken": token})));
    (talk.send(outgoing).await, token)
}

async fn interrupted_stream_is_taken_up_again(solo: &mut Solo<'_>) {
    const ROWS: [&str; 5] = [
        "http.resume.by-get",
        "http.resume.event-id-is-cursor",
        "http.resume.same-stream-only",
        "http.resume.event-id-names-stream",
        "http.disconnect.not-cancellation",
    ];
    let known = solo.known().await;
    // The second one is for the end; whoever opened it then would wait for those who do the same.
    let Ok((mut opened, mut another)) = solo.opener.open_two(solo.name, Some(solo.revision)).await else {
        return undecided(solo, &ROWS);
    };
    solo.judge.about(opened.talk.recorder());
    if opened.talk.begin(solo.revision).await.is_err() {
        undecided(solo, &ROWS);
        solo.close(another).await;
        return solo.close(opened).await;
    }
    let talk = &mut opened.talk;
    let mut streamed = false;
    let mut done = false;
    let takes_a_moment = |call: &Call| {
        let known = known.offer.calls.iter().filter(|known| known.tool == call.name);
        known.map(|known| known.took).any(|took| (MOMENT..PATIENCE / 2).contains(&took))
    };
    for call in tool_calls(talk, &known.offer, solo.settings).await.into_iter().take(TOOLS) {
        // What is over in an instant has nothing left to say on a stream that is taken up again: one more that has.
        if done && !takes_a_moment(&call) {
            continue;
        }
        let (ticket, token) = start(talk, &call).await;
        if !talk.head(&ticket).await.is_ok_and(|head| head.is_event_stream()) {
            talk.reply_within(&ticket, PATIENCE).await;
            continue;
        }
        streamed = true;
        let (other, other_token) = start(talk, &call).await;
        let deadline = Instant::now() + PATIENCE;
        let mut first = first_event_id(talk, ticket.channel);
        while first.is_none() && talk.ended(&ticket).is_none() && Instant::now() < deadline {
            talk.idle(Duration::from_millis(5)).await;
            first = first_event_id(talk, ticket.channel);
        }
        let Some(first) = first else {
            talk.reply_within(&ticket, PATIENCE).await;
            talk.reply_within(&other, PATIENCE).await;
            continue;
        };
        talk.abort(&ticket).await;
        let seen = event_ids(talk, ticket.channel);
        let last = seen.last().cloned().unwrap_or(first);
        let told = heard_on(talk, &ticket);
        let over = answered(talk, &ticket);
        let broken_off = BrokenOff { ticket, token, other: (other, other_token), seen, told, last };
        resume(solo.judge, talk, &broken_off, solo.name).await;
        if let Some(first) = broken_off.seen.first().filter(|_| answered(talk, &broken_off.ticket)) {
            nothing_is_left_out(solo.judge, talk, &broken_off.ticket, first, solo.name).await;
        }
        resume_from_another_session(solo, &mut another, &broken_off).await;
        let twice = std::mem::replace(&mut done, true);
        if twice || !over {
            break;
        }
    }
    if !done {
        for id in ROWS {
            if streamed {
                let text = "the event streams of the server have no event ids";
                solo.judge.not_applicable(id, "no-event-ids", text);
            } else {
                let text = "no tool that may be called answers with an event stream";
                solo.judge.undecided(id, "no-stream", text);
            }
        }
    }
    solo.close(another).await;
    time_to_end(&mut opened.talk).await;
    solo.close(opened).await;
}

fn undecided(solo: &mut Solo<'_>, rows: &[&'static str]) {
    for id in rows {
        solo.judge.undecided(id, "no-conversation", "no further conversation could be opened");
    }
}

/// A stream that was broken off.
struct BrokenOff {
    ticket: Ticket,
    token: Value,
    /// The call that ran beside it.
    other: (Ticket, Value),
    /// The event ids that had come.
    seen: Vec<String>,
    /// Whether a message had come with one of them: an event without one need not come again.
    told: bool,
    /// The last of them.
    last: String,
}

async fn resume(
    judge: &mut crate::monitors::Judge,
    talk: &mut Conversation,
    broken: &BrokenOff,
    probe: &'static str,
) {
    const BY_GET: &str = "http.resume.by-get";
    const KEPT: &str = "http.disconnect.not-cancellation";
    // What runs is given a moment in which it could be cancelled.
    talk.idle(Duration::from_millis(20)).await;
    // The other call has its own stream by now.
    let _ = talk.head(&broken.other.0).await;
    // Something of it should be there that could be replayed by mistake.
    let deadline = Instant::now() + BESIDE;
    while Instant::now() < deadline && !heard_on(talk, &broken.other.0) {
        talk.idle(Duration::from_millis(5)).await;
    }
    let had_answer = answered(talk, &broken.ticket);
    let again = talk.get_stream(Some(&broken.last), &Outgoing::bytes(""));
    let head = talk.head(&again).await;
    let status = head.as_ref().map_or(0, |head| head.status);
    if !head.as_ref().is_ok_and(crate::client::HttpHead::is_event_stream) {
        talk.reply_within(&broken.other.0, PATIENCE).await;
        judge.undecided(KEPT, "not-resumable", format!("GET with `Last-Event-ID` gave HTTP {status}"));
        if status == 405 {
            judge.broke(
                BY_GET,
                Breach::new("405", "the server gives event ids but does not take a stream up again by GET")
                    .expected(&["an event stream"])
                    .actual("HTTP 405")
                    .sent(again.since),
            );
        }
        for id in ["http.resume.event-id-is-cursor", "http.resume.same-stream-only", BY_GET] {
            judge.undecided(id, "not-resumable", format!("GET with `Last-Event-ID` gave HTTP {status}"));
        }
        return;
    }
    // The response, or the end of the stream without it; where it has come before, whatever comes now.
    let deadline = Instant::now() + if had_answer { BESIDE } else { PATIENCE };
    while talk.ended(&again).is_none() && Instant::now() < deadline {
        let done = if had_answer { heard_on(talk, &again) } else { answered(talk, &broken.ticket) };
        if done {
            break;
        }
        talk.idle(Duration::from_millis(5)).await;
    }
    talk.reply_within(&broken.other.0, PATIENCE).await;
    if answered(talk, &broken.ticket) {
        judge.held(BY_GET);
        if !had_answer {
            judge.held(KEPT);
        }
    }
    if !answered(talk, &broken.ticket) && ends_again(talk, broken, &again).await {
        if gives_again(talk, &broken.other.0, probe).await {
            judge.broke(
                KEPT,
                Breach::new("ended", "a call ended without its response when its connection was lost")
                    .expected(&["the response, on the stream that was taken up again"])
                    .actual("the end of that stream")
                    .sent(again.since),
            );
        } else {
            let text = "the response of a call that is over is not given again, so that one that was under way \
                        when the connection was lost is lost with it";
            judge.undecided(KEPT, "not-kept", text);
        }
    }
    for id in [BY_GET, KEPT] {
        let text = "the stream was taken up again, but nothing of the call came on it; replay is optional";
        judge.undecided(id, "no-replay", text);
    }
    judge_replay(judge, talk, broken, &again);
    talk.abort(&again).await;
}

/// Whether a message has come on the stream of a request.
fn heard_on(talk: &mut Conversation, ticket: &Ticket) -> bool {
    talk.heard_since(ticket.since).iter().any(|heard| heard.record.channel == ticket.channel)
}

/// The event ids of one session are no use in another: what came of a call is for who has made it.
async fn resume_from_another_session(solo: &mut Solo<'_>, other: &mut Opened, broken: &BrokenOff) {
    solo.judge.about(other.talk.recorder());
    let talk = &mut other.talk;
    if talk.begin(solo.revision).await.is_ok() && talk.session_id().is_some() {
        let outgoing = Outgoing::bytes("").deliberate(solo.name, Taint::Message);
        let again = talk.get_stream(Some(&broken.last), &outgoing);
        if talk.head(&again).await.is_ok_and(|head| head.is_event_stream()) {
            talk.idle(BESIDE).await;
            for heard in talk.heard_since(again.since) {
                let token = heard.message.params().and_then(|params| params.get("progressToken"));
                let theirs = token == Some(&broken.token) || heard.message.is_response();
                if heard.record.channel == again.channel && theirs {
                    let text = "a stream of one session was taken up by another one with the id of an event";
                    let seen = Breach::new("other-session", text)
                        .expected(&["an error, or nothing of the other session"])
                        .actual("a message of the other session")
                        .at(&heard.record)
                        .sent(again.since);
                    solo.judge.broke("http.resume.same-stream-only", seen);
                    break;
                }
            }
        }
        talk.abort(&again).await;
    }
}

/// Whether the response of a call that has come to its end comes again where its stream is taken up from its first
/// event. Only of a server that keeps responses does it tell something that one is missing.
async fn gives_again(talk: &mut Conversation, call: &Ticket, probe: &'static str) -> bool {
    let Some(first) = first_event_id(talk, call.channel) else { return false };
    let again = talk.get_stream(Some(&first), &Outgoing::bytes("").deliberate(probe, Taint::Message));
    let again = Ticket { id: call.id.clone(), ..again };
    let deadline = Instant::now() + PATIENCE;
    while !answered(talk, &again) && talk.ended(&again).is_none() && Instant::now() < deadline {
        talk.idle(Duration::from_millis(5)).await;
    }
    let given = answered(talk, &again);
    talk.abort(&again).await;
    given
}

/// Whether a stream that was taken up again ends without the response, and does so once more some time later: a server
/// may let its clients come back for the rest.
async fn ends_again(talk: &mut Conversation, broken: &BrokenOff, again: &Ticket) -> bool {
    if talk.ended(again).is_none() {
        return false;
    }
    talk.idle(COME_BACK).await;
    let once_more = talk.get_stream(Some(&broken.last), &Outgoing::bytes(""));
    let streams = talk.head(&once_more).await.is_ok_and(|head| head.is_event_stream());
    let deadline = Instant::now() + PATIENCE;
    while !answered(talk, &broken.ticket) && talk.ended(&once_more).is_none() && Instant::now() < deadline {
        talk.idle(Duration::from_millis(5)).await;
    }
    let ends = streams && talk.ended(&once_more).is_some() && !answered(talk, &broken.ticket);
    talk.abort(&once_more).await;
    ends
}

pub(super) fn answered(talk: &mut Conversation, ticket: &Ticket) -> bool {
    talk.heard_since(ticket.since)
        .iter()
        .any(|heard| heard.message.is_response() && heard.message.id() == ticket.id.as_ref())
}

/// What came on the stream that was taken up again.
fn judge_replay(
    judge: &mut crate::monitors::Judge,
    talk: &mut Conversation,
    broken: &BrokenOff,
    again: &Ticket,
) {
    const SAME: &str = "http.resume.same-stream-only";
    const NAMES: &str = "http.resume.event-id-names-stream";
    const CURSOR: &str = "http.resume.event-id-is-cursor";
    let replayed = event_ids(talk, again.channel);
    if let Some(old) = replayed.iter().find(|id| broken.seen.contains(id)) {
        judge.broke(
            CURSOR,
            Breach::new("before", "events came again that were not after `Last-Event-ID`")
                .expected(&["only later events of the stream"])
                .actual(format!("event `{old}` again"))
                .sent(again.since),
        );
    } else if broken.told && !replayed.is_empty() {
        judge.held(CURSOR);
    } else {
        judge.undecided(CURSOR, "nothing-before", "no message had come before that could have come again");
    }
    let (other, other_token) = &broken.other;
    let is_foreign = |id: Option<&Id>, token: Option<&Value>| {
        (id.is_some() && id == other.id.as_ref()) || token == Some(other_token)
    };
    let mut own = false;
    for heard in talk.heard_since(again.since) {
        if heard.record.channel != again.channel {
            continue;
        }
        let token = heard.message.params().and_then(|params| params.get("progressToken"));
        let id = heard.message.id().filter(|_| heard.message.is_response());
        if is_foreign(id, token) {
            for row in [SAME, NAMES] {
                judge.broke(
                    row,
                    Breach::new(
                        "foreign",
                        "a stream that was taken up again carries a message of another one",
                    )
                    .expected(&["messages of the stream that was broken off"])
                    .actual("a message of a call that ran beside it")
                    .at(&heard.record)
                    .sent(again.since),
                );
            }
        }
        own |= id.is_some() && id == broken.ticket.id.as_ref() || token == Some(&broken.token);
        own |= *heard.message.kind() == Kind::Request;
    }
    if own {
        judge.held(SAME);
        judge.held(NAMES);
    }
}

async fn subscription_is_no_place_for_progress(stage: &mut Stage<'_>) {
    const ID: &str = "http.sse.listen-stream-only-changes";
    let declares = |path: &str| stage.talk.handshake().is_some_and(|handshake| handshake.declares(path));
    let mut filter = json!({});
    for (path, member) in [
        ("tools/listChanged", "toolsListChanged"),
        ("prompts/listChanged", "promptsListChanged"),
        ("resources/listChanged", "resourcesListChanged"),
    ] {
        if declares(path) {
            filter[member] = json!(true);
        }
    }
    let listen = stage.talk.compose("subscriptions/listen", json!({"notifications": filter}));
    let listen = stage.talk.send(listen).await;
    let head = stage.talk.head(&listen).await;
    if head.is_ok_and(|head| head.is_event_stream()) {
        // Its acknowledgment comes first; what is called later runs beside it.
        let deadline = Instant::now() + PATIENCE;
        while Instant::now() < deadline
            && stage.talk.ended(&listen).is_none()
            && !stage
                .talk
                .heard_since(listen.since)
                .iter()
                .any(|heard| heard.record.channel == listen.channel)
        {
            stage.talk.idle(Duration::from_millis(5)).await;
        }
    } else {
        let text = "subscriptions/listen was not answered with an event stream";
        stage.judge.undecided(ID, "no-subscription", text);
    }
    let calls = tool_calls(stage.talk, stage.offer, stage.settings).await;
    let mut talked = false;
    for call in calls.into_iter().take(TOOLS) {
        let token = format!("mcprove-progress-{}", stage.talk.now());
        let meta = json!({"progressToken": token, "io.modelcontextprotocol/logLevel": "debug"});
        let outgoing = call.compose(stage.talk, Some(meta));
        let (ticket, reply) = call.send(stage.talk, outgoing).await;
        talked |= matches!(reply, Reply::Result(_));
        if stage.talk.heard_since(ticket.since).iter().any(|heard| heard.record.channel == ticket.channel)
            && stage.talk.head(&ticket).await.is_ok_and(|head| head.is_event_stream())
        {
            break;
        }
    }
    if !talked {
        stage.judge.undecided(
            ID,
            "no-call",
            "no tool that may be called would send progress or log messages",
        );
    }
    stage.talk.abort(&listen).await;
}

async fn open_streams_get_time_to_end(stage: &mut Stage<'_>) {
    time_to_end(stage.talk).await;
}

async fn time_to_end(talk: &mut Conversation) {
    let open = |talk: &Conversation| {
        let mut streams = std::collections::HashMap::new();
        for record in talk.recorder().snapshot() {
            match &record.event {
                Event::RequestHead { method, .. } => {
                    streams.insert(record.channel, (method == "POST", false));
                }
                Event::Received { payload, sse: Some(_) } => {
                    if let Some((_, answered)) = streams.get_mut(&record.channel) {
                        *answered |= payload.message().is_some_and(crate::protocol::Message::is_response);
                    }
                }
                Event::ResponseEnded(_) => {
                    streams.remove(&record.channel);
                }
                _ => {}
            }
        }
        streams.values().any(|state| *state == (true, true))
    };
    let deadline = Instant::now() + LINGERING;
    while open(talk) && Instant::now() < deadline {
        talk.idle(Duration::from_millis(20)).await;
    }
}
