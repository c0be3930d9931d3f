//! Sessions of Streamable HTTP under test (basic/transports#session-management).

use super::Solo;
use super::http::harmless;
use super::probe::{Stage, breach, probes};
use crate::client::{Conversation, HttpEdits, Outgoing, Reply, Ticket, capabilities, client_info};
use crate::generate::{Choices, Seeded};
use crate::monitors::Breach;
use crate::protocol::Revision;
use crate::wire::{Taint, header};
use serde_json::json;
use std::collections::HashSet;

/// How many sessions are opened to look at their ids.
const SESSIONS: usize = 20;
/// Ids with less varying content than this, in bits, count as guessable. 128 are wanted; a random UUID has 122.
const BITS: f64 = 64.0;

probes! {
    /// Sends `ping` without the session id that the server gave, and with one that it never gave but that looks the
    /// same. Without an id the answer is 400 (or the request is served: then ids are not required); with an unknown
    /// one it is 404, by which a client knows that it has to initialize again. Where POST takes an id and GET opens a
    /// stream, GET without an id opens none.
    missing_and_unknown_session_ids_are_refused (Breaking, Legacy, Http) decides
        ["http-session.missing-id-refused", "http-session.unknown-not-found"];
    /// Sends `initialize` without a session id while a session is alive. It begins another session, with an id of its
    /// own: clients do so after 404, and two windows of one client do so at the same time.
    initialize_begins_another_session (Breaking, Legacy, Http) decides ["http-session.initialize-starts-fresh"];
    /// Deletes the session; where the server agrees (2xx), a POST and a GET with its id are answered with 404. Any
    /// other status leaves clients in a session that is no more.
    deleted_session_is_not_found (Alone, Legacy, Http) decides ["http-session.terminated-not-found"];
    /// Begins twenty sessions and compares their ids. They all differ, are no counter or time, and vary enough that
    /// nobody can guess the id of another client's session.
    session_ids_cannot_be_guessed (AloneForEra, Legacy, Http) decides [
        "http-session.id-secure", "security.session.non-deterministic", "security.session.secure-random",
    ];
    /// Sends a request of 2026-07-28 with a session id. There are no sessions any more, so it is ignored.
    session_id_is_ignored (Breaking, Modern, Http) decides ["http-session.id-ignored-by-modern"];
}

/// An id that looks like another one: digits for digits, letters for letters.
fn lookalike(id: &str, seed: u64) -> String {
    let mut choices = Seeded::new(seed);
    let mut among = |set: &[u8]| {
        let choices: &mut dyn Choices = &mut choices;
        choices.pick(set).map_or('x', |byte| char::from(*byte))
    };
    id.chars()
        .map(|c| match c {
            '0'..='9' => among(b"0123456789"),
            'a'..='f' => among(b"abcdef"),
            'g'..='z' => among(b"ghijklmnopqrstuvwxyz"),
            'A'..='F' => among(b"ABCDEF"),
            'G'..='Z' => among(b"GHIJKLMNOPQRSTUVWXYZ"),
            other => other,
        })
        .collect()
}

async fn missing_and_unknown_session_ids_are_refused(stage: &mut Stage<'_>) {
    const MISSING: &str = "http-session.missing-id-refused";
    const UNKNOWN: &str = "http-session.unknown-not-found";
    let Some(own) = stage.talk.session_id().map(str::to_owned) else {
        for id in [MISSING, UNKNOWN] {
            stage.judge.not_applicable(id, "no-session-id", "the server assigns no session ids");
        }
        return;
    };
    let without = harmless(stage).http(HttpEdits::default().without("Mcp-Session-Id"));
    let (ticket, reply) = stage.breaking(without).await;
    match reply.status() {
        Some(400) => {
            stage.judge.held(MISSING);
            no_stream_without_id(stage, MISSING).await;
        }
        Some(200..=299) if reply.result().is_some() => stage.judge.held(MISSING),
        Some(429) => stage.judge.undecided(MISSING, "rate-limit", reply.describe()),
        Some(_) => stage.judge.broke(
            MISSING,
            breach(
                "other-status",
                "a request without the session id got another status than 400",
                &ticket,
                &reply,
            )
            .expected(&["HTTP 400", "the result, where ids are not required"]),
        ),
        None => stage.judge.undecided(MISSING, "no-answer", reply.describe()),
    }
    let other = lookalike(&own, stage.settings.seed);
    if other == own {
        return stage.judge.undecided(UNKNOWN, "no-other-id", "no other id of this form could be made");
    }
    let unknown = harmless(stage).http(HttpEdits::default().set("Mcp-Session-Id", other));
    let (ticket, reply) = stage.breaking(unknown).await;
    match reply.status() {
        Some(404) => stage.judge.held(UNKNOWN),
        Some(429) | None => stage.judge.undecided(UNKNOWN, "no-answer", reply.describe()),
        Some(_) => {
            let class = if reply.result().is_some() { "served" } else { "other-status" };
            stage.judge.broke(
                UNKNOWN,
                breach(
                    class,
                    "a request with an unknown session id was not answered with 404",
                    &ticket,
                    &reply,
                )
                .expected(&["HTTP 404"]),
            );
        }
    }
}

/// GET without the id that POST takes, of a server that opens a stream for GET with it.
async fn no_stream_without_id(stage: &mut Stage<'_>, id: &'static str) {
    let Some(own) = stage.talk.listening() else { return };
    if !stage.talk.head(&own).await.is_ok_and(|head| head.is_event_stream()) {
        return;
    }
    let edits = HttpEdits::default().without("Mcp-Session-Id");
    let outgoing = Outgoing::bytes("").http(edits).deliberate(stage.name, Taint::Message);
    let ticket = stage.talk.get_stream(None, &outgoing);
    let opened = stage.talk.head(&ticket).await.is_ok_and(|head| head.is_event_stream());
    stage.talk.abort(&ticket).await;
    if opened {
        let text = "GET without the session id that POST takes was answered with a stream";
        let seen = Breach::new("get", text).expected(&["HTTP 400"]).actual("an event stream");
        stage.judge.broke(id, seen.sent(ticket.since).sent_on(ticket.channel));
    }
}

/// An `initialize` outside of any session.
fn initialize(talk: &mut Conversation, revision: Revision) -> Outgoing {
    let params = json!({
        "protocolVersion": revision.as_str(),
        "capabilities": capabilities(revision),
        "clientInfo": client_info(),
    });
    let id = talk.fresh_id();
    Outgoing::request(&id, "initialize", Some(params))
        .http(HttpEdits::default().without("Mcp-Session-Id").without("MCP-Protocol-Version"))
}

/// The session id in the response to a POST that was answered with a result.
async fn minted(talk: &mut Conversation, ticket: &Ticket, reply: &Reply) -> Option<String> {
    reply.result()?;
    let head = talk.head(ticket).await.ok()?;
    header(&head.headers, "mcp-session-id").map(str::to_owned)
}

async fn delete(talk: &mut Conversation, session: &str, by: &str) -> Reply {
    let edits = HttpEdits::default().set("Mcp-Session-Id", session);
    talk.bare("DELETE", Outgoing::bytes("").http(edits).deliberate(by, Taint::Message)).await
}

async fn initialize_begins_another_session(stage: &mut Stage<'_>) {
    const ID: &str = "http-session.initialize-starts-fresh";
    let own = stage.talk.session_id().map(str::to_owned);
    let outgoing = initialize(stage.talk, stage.revision);
    let (ticket, reply) = stage.breaking(outgoing).await;
    let broke = |class: &str, text: &str| {
        breach(class, text, &ticket, &reply).expected(&["a result, and a session id of its own"])
    };
    let minted = minted(stage.talk, &ticket, &reply).await;
    match (&reply, own, minted) {
        (Reply::Result(_), Some(own), Some(other)) if own == other => {
            stage.judge.broke(ID, broke("same-id", "a second `initialize` got the id of the first session"));
        }
        (Reply::Result(_), Some(_), None) => {
            stage.judge.broke(ID, broke("no-id", "a second `initialize` got no session id"));
        }
        (Reply::Result(_), None, None) => {
            stage.judge.not_applicable(ID, "no-session-id", "the server assigns no session ids");
        }
        (Reply::Result(_), _, Some(other)) => {
            stage.judge.held(ID);
            delete(stage.talk, &other, stage.name).await;
        }
        _ if reply.status() == Some(429) || reply.status().is_none() => {
            stage.judge.undecided(ID, "no-answer", reply.describe());
        }
        _ => stage.judge.broke(ID, broke("refused", "`initialize` beside a live session was refused")),
    }
}

async fn deleted_session_is_not_found(solo: &mut Solo<'_>) {
    const ID: &str = "http-session.terminated-not-found";
    let Some(mut opened) = solo.begin(solo.revision, &[ID]).await else { return };
    let talk = &mut opened.talk;
    if talk.session_id().is_none() {
        solo.judge.not_applicable(ID, "no-session-id", "the server assigns no session ids");
        return solo.close(opened).await;
    }
    let streamed = match talk.listening() {
        Some(listening) => talk.head(&listening).await.is_ok_and(|head| head.is_event_stream()),
        None => false,
    };
    talk.stop_listening().await;
    let deleted = talk.bare("DELETE", Outgoing::bytes("")).await;
    match deleted.status() {
        Some(200..=299) => {}
        Some(405) => {
            solo.judge.not_applicable(ID, "no-delete", "clients may not end sessions: DELETE gives 405");
            return solo.close(opened).await;
        }
        _ => {
            let text = format!("the session could not be deleted: {}", deleted.describe());
            solo.judge.undecided(ID, "not-deleted", text);
            return solo.close(opened).await;
        }
    }
    let ping = talk.compose("ping", json!({})).deliberate(solo.name, Taint::Message);
    let ticket = talk.send(ping).await;
    let reply = talk.reply(&ticket).await;
    match reply.status() {
        Some(404) => solo.judge.held(ID),
        Some(_) => solo.judge.broke(
            ID,
            breach(
                "post",
                "a request in a session that was deleted was not answered with 404",
                &ticket,
                &reply,
            )
            .expected(&["HTTP 404"]),
        ),
        None => solo.judge.undecided(ID, "no-answer", reply.describe()),
    }
    // Where there is no GET stream at all, nothing can be said of it.
    if !streamed {
        return solo.close(opened).await;
    }
    let edits = Outgoing::bytes("").deliberate(solo.name, Taint::Message);
    let ticket = talk.get_stream(None, &edits);
    let head = talk.head(&ticket).await;
    talk.abort(&ticket).await;
    match head {
        Ok(head) if head.status == 404 => {}
        Ok(head) => solo.judge.broke(
            ID,
            Breach::new("get", "GET in a session that was deleted was not answered with 404")
                .expected(&["HTTP 404"])
                .actual(format!("HTTP {}", head.status))
                .sent(ticket.since),
        ),
        Err(_) => {}
    }
    solo.close(opened).await;
}

async fn session_ids_cannot_be_guessed(solo: &mut Solo<'_>) {
    const ID: &str = "http-session.id-secure";
    const SAME: &str = "security.session.non-deterministic";
    const RANDOM: &str = "security.session.secure-random";
    let Ok(mut opened) = solo.open(Some(solo.revision)).await else {
        for id in [ID, SAME, RANDOM] {
            solo.judge.undecided(id, "no-conversation", "a further conversation could not be opened");
        }
        return;
    };
    let talk = &mut opened.talk;
    let mut ids = Vec::<String>::new();
    for _ in 0..SESSIONS {
        let outgoing = initialize(talk, solo.revision).deliberate(solo.name, Taint::Message);
        let ticket = talk.send(outgoing).await;
        let reply = talk.reply(&ticket).await;
        match minted(talk, &ticket, &reply).await {
            Some(id) => {
                // The one before lives until there is another one.
                if let Some(before) = ids.last() {
                    delete(talk, before, solo.name).await;
                }
                ids.push(id);
            }
            None if reply.result().is_some() && ids.is_empty() => {
                for id in [ID, SAME, RANDOM] {
                    solo.judge.not_applicable(id, "no-session-id", "the server assigns no session ids");
                }
                return solo.close(opened).await;
            }
            None => break,
        }
    }
    if let Some(last) = ids.last() {
        delete(talk, last, solo.name).await;
    }
    if ids.len() < SESSIONS {
        let text = format!("only {} of {SESSIONS} sessions could be begun", ids.len());
        for id in [ID, SAME, RANDOM] {
            solo.judge.undecided(id, "too-few", text.clone());
        }
        return solo.close(opened).await;
    }
    let breach = |class: &str, text: &str, actual: String| {
        Breach::new(class, text).expected(&["ids with 128 random bits, such as random UUIDs"]).actual(actual)
    };
    let distinct = ids.iter().collect::<HashSet<_>>().len();
    let bits = varying_bits(&ids);
    let found = if distinct < ids.len() {
        let actual = format!("{distinct} different ids for {SESSIONS} sessions");
        Some(breach("repeated", "two sessions have one id", actual))
    } else if bits < BITS {
        let actual = format!("about {bits:.0} bits vary from id to id");
        Some(breach("guessable", "session ids vary too little to be unguessable", actual))
    } else {
        None
    };
    let ordered = ordered(&ids).map(|how| breach("ordered", "session ids follow each other", how.to_owned()));
    match found.clone().or(ordered) {
        // One observation, one finding.
        Some(breach) if found.is_some() => solo.judge.broke(RANDOM, breach.see(ID)),
        Some(breach) => solo.judge.broke(RANDOM, breach),
        None => solo.judge.held(RANDOM),
    }
    match found {
        Some(breach) => {
            // What varies too little may still be no number that anybody could tell beforehand.
            let same = if distinct == ids.len() && bits >= BITS / 2.0 {
                breach.clone().quality()
            } else {
                breach.clone()
            };
            solo.judge.broke(SAME, same);
            solo.judge.broke(ID, breach);
        }
        None => {
            solo.judge.held(ID);
            solo.judge.held(SAME);
        }
    }
    solo.close(opened).await;
}

/// How ids follow each other, where that cannot be chance: all of them are UUIDs made from the time and the machine.
/// (Counters and plain times vary too little. UUIDs of version 7 begin with a time, but nobody guesses how they end.)
fn ordered(ids: &[String]) -> Option<&'static str> {
    let timed = |id: &String| {
        let bytes = id.as_bytes();
        bytes.len() == 36
            && [8, 13, 18, 23].into_iter().all(|place| bytes[place] == b'-')
            && matches!(bytes[14], b'1' | b'6')
            && matches!(bytes[19].to_ascii_lowercase(), b'8' | b'9' | b'a' | b'b')
    };
    ids.iter().all(timed).then_some("UUIDs of version 1 or 6, which are made from the time and the machine")
}

/// A rough upper estimate of how many bits vary between ids: for each place where at least three different characters
/// stand, as much as a character of the kind that is used there can hold.
pub(super) fn varying_bits(ids: &[String]) -> f64 {
    let longest = ids.iter().map(String::len).max().unwrap_or(0).min(1024);
    let mut bits = 0.0;
    for place in 0..longest {
        let here: HashSet<u8> = ids.iter().filter_map(|id| id.as_bytes().get(place).copied()).collect();
        if here.len() < 3 {
            continue;
        }
        bits += if here.iter().all(u8::is_ascii_digit) {
            3.3
        } else if here.iter().all(u8::is_ascii_hexdigit) {
            4.0
        } else {
            6.0
        };
    }
    bits
}

async fn session_id_is_ignored(stage: &mut Stage<'_>) {
    const ID: &str = "http-session.id-ignored-by-modern";
    let edits = HttpEdits::default().set("Mcp-Session-Id", "3f1d7c0a94e84b6d8a52c6f0e1b7d935");
    let outgoing = harmless(stage).http(edits);
    let (ticket, reply) = stage.breaking(outgoing).await;
    match &reply {
        Reply::Result(_) => stage.judge.held(ID),
        _ if reply.is_refusal() => stage.judge.broke(
            ID,
            breach("refused", "a request was refused for a session id that means nothing", &ticket, &reply)
                .expected(&["the result, as without the header"]),
        ),
        _ => stage.judge.undecided(ID, "no-answer", reply.describe()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counters_are_guessable_and_random_ids_are_not() {
        let counters: Vec<String> = (0..SESSIONS).map(|n| format!("session-{:016}", 41_000 + n)).collect();
        assert!(varying_bits(&counters) < BITS);
        let times: Vec<String> =
            (0..SESSIONS).map(|n| format!("{}", 1_800_000_000_123_u64 + 37 * n as u64)).collect();
        assert!(varying_bits(&times) < BITS);
        let random: Vec<String> =
            (0..SESSIONS).map(|n| lookalike("01234567-89ab-4cde-8f01-23456789abcd", n as u64)).collect();
        assert!(varying_bits(&random) > BITS);
    }

    #[test]
    fn ids_of_time_follow_each_other_and_random_ones_do_not() {
        let random: Vec<String> =
            (0..SESSIONS).map(|n| lookalike("01234567-89ab-4cde-8f01-23456789abcd", n as u64)).collect();
        assert_eq!(ordered(&random), None);
        let first: Vec<String> =
            (0..SESSIONS).map(|n| format!("{:08x}-89ab-11cd-8f01-23456789abcd", 7919 * (n + 1))).collect();
        assert!(ordered(&first).is_some());
        // Version 7: a time, then 74 random bits.
        let seventh: Vec<String> = random
            .iter()
            .enumerate()
            .map(|(n, id)| format!("019a0000-{:04x}-7{}", n + 1, &id[15..]))
            .collect();
        assert_eq!(ordered(&seventh), None);
        assert!(varying_bits(&seventh) > BITS);
    }

    #[test]
    fn an_unknown_id_looks_like_a_known_one() {
        let own = "A0b1-z9_Q";
        let other = lookalike(own, 1);
        assert_ne!(other, own);
        assert_eq!(other.len(), own.len());
        assert!(
            other.chars().zip(own.chars()).all(|(a, b)| a.is_ascii_alphabetic() == b.is_ascii_alphabetic())
        );
    }
}
