//! The first request that a server refuses to whom it does not know, and how it is knocked at: with nothing, with what the
//! user gave, or with a token of ours.

use super::auth::{MISSING, OPEN};
use super::http_origin::first_request;
use super::probe::breach;
use super::{Known, Solo};
use crate::client::{Bearing, Conversation, HttpEdits, Opened, Outgoing, Reply, Ticket, headers, with_meta};
use crate::protocol::{Era, Revision};
use crate::wire::{Taint, header};
use serde_json::{Value, json};
use std::collections::VecDeque;

/// What a request shows of its sender, in place of what the user gave for every request.
pub(super) enum Shown<'a> {
    /// Nothing.
    Nothing,
    /// What the user gave.
    Own,
    /// A token, where the user's stands.
    Token(&'a str),
    /// This in `Authorization`.
    Value(&'a str),
    /// The same in two headers.
    Twice(&'a str),
}

impl Shown<'_> {
    /// The changes to a request.
    pub(super) fn edits(&self, bearing: &Bearing, mut edits: HttpEdits) -> HttpEdits {
        if matches!(self, Self::Own) {
            return edits;
        }
        edits = edits.without("Authorization");
        edits.remove.extend(bearing.names.iter().cloned());
        let usual = "Authorization";
        match self {
            Self::Nothing | Self::Own => {}
            Self::Token(token) => edits.add.push((bearing.carrier().to_owned(), bearing.carried(token))),
            Self::Value(value) => edits.add.push((usual.to_owned(), (*value).to_owned())),
            Self::Twice(value) => edits.add.extend([(); 2].map(|()| (usual.to_owned(), (*value).to_owned()))),
        }
        edits
    }
}

/// Sends something with other credentials, on a connection of its own.
pub(super) async fn show(
    talk: &mut Conversation,
    by: &str,
    outgoing: Outgoing,
    shown: &Shown<'_>,
) -> (Ticket, Reply) {
    let edits = HttpEdits { fresh_connection: true, ..outgoing.http.clone() };
    let edits = shown.edits(&talk.bearing(), edits);
    let ticket = talk.send(outgoing.http(edits).deliberate(by, Taint::Message)).await;
    let reply = talk.reply(&ticket).await;
    (ticket, reply)
}

/// Whether a reply keeps its receiver out: a refusal, or the way to a page for people.
pub(super) fn keeps_out(reply: &Reply) -> bool {
    reply.is_refusal() || is_redirect(reply)
}

fn is_redirect(reply: &Reply) -> bool {
    reply.status().is_some_and(|status| (300..400).contains(&status))
}

/// Whether it does so by its status, which none but those who guard a server do.
fn is_guards(reply: &Reply) -> bool {
    matches!(reply.status(), Some(401 | 403)) || is_redirect(reply)
}

/// A request that may take credentials.
#[derive(Debug, Clone)]
pub(super) enum Door {
    /// The first one of a conversation.
    First,
    /// One that comes later, where the first ones are open to all.
    Inner {
        /// The method.
        method: &'static str,
        /// Its parameters.
        params: Value,
        /// What its headers repeat of them.
        mirrored: Vec<(String, String)>,
    },
}

impl Door {
    /// Whether all that a server does is behind it.
    pub(super) fn is_first(&self) -> bool {
        matches!(self, Self::First)
    }

    /// The request by itself, where no conversation has begun; none where it takes a session.
    pub(super) fn alone(&self, talk: &mut Conversation, revision: Revision) -> Option<Outgoing> {
        match self {
            Self::First => Some(first_request(talk, revision)),
            Self::Inner { .. } if revision.era() == Era::Legacy => None,
            Self::Inner { .. } => Some(self.request(talk, revision)),
        }
    }

    /// The request within a conversation; the first one is repeated as something harmless.
    pub(super) fn within(&self, talk: &mut Conversation, revision: Revision) -> Outgoing {
        match (self, revision.era()) {
            (Self::First, Era::Legacy) => talk.compose("ping", json!({})),
            (Self::First, Era::Modern) => talk.compose("server/discover", json!({})),
            (Self::Inner { .. }, _) => self.request(talk, revision),
        }
    }

    fn request(&self, talk: &mut Conversation, revision: Revision) -> Outgoing {
        let Self::Inner { method, params, mirrored } = self else { return first_request(talk, revision) };
        let id = talk.fresh_id();
        match revision.era() {
            Era::Legacy => Outgoing::request(&id, method, Some(params.clone())),
            Era::Modern => {
                let params = with_meta(params.clone(), revision.as_str());
                let mirrored = mirrored.clone();
                Outgoing { mirrored, ..Outgoing::request(&id, method, Some(params)) }
            }
        }
    }
}

/// Knocks at a door, outside of any session of the conversation; one that should not have begun is not left behind.
pub(super) async fn knock(
    solo: &mut Solo<'_>,
    talk: &mut Conversation,
    door: &Door,
    shown: &Shown<'_>,
) -> (Ticket, Reply) {
    let outside = HttpEdits::default().without("Mcp-Session-Id");
    if let Some(request) = door.alone(talk, solo.revision) {
        let (ticket, reply) = show(talk, solo.name, request.http(outside), shown).await;
        if let Some(edits) = session(solo.revision, &reply) {
            leave(solo, talk, edits, shown).await;
        }
        return (ticket, reply);
    }
    let first = first_request(talk, solo.revision);
    let (ticket, reply) = show(talk, solo.name, first.http(outside.clone()), shown).await;
    if reply.result().is_none() {
        return (ticket, reply);
    }
    let within = session(solo.revision, &reply);
    let edits = within.clone().unwrap_or(outside);
    let ready = Outgoing::notification("notifications/initialized", None);
    show(talk, solo.name, ready.http(edits.clone()), shown).await;
    let request = door.request(talk, solo.revision);
    let (ticket, reply) = show(talk, solo.name, request.http(edits), shown).await;
    if let Some(edits) = within {
        leave(solo, talk, edits, shown).await;
    }
    (ticket, reply)
}

/// The headers of the session that a reply began.
fn session(revision: Revision, reply: &Reply) -> Option<HttpEdits> {
    let id = header(&reply.http()?.headers, "mcp-session-id")?.to_owned();
    let edits = HttpEdits::default().set("Mcp-Session-Id", id);
    let versioned = revision >= Revision::V2025_06_18;
    Some(if versioned { edits.set("MCP-Protocol-Version", revision.as_str()) } else { edits })
}

async fn leave(solo: &Solo<'_>, talk: &mut Conversation, edits: HttpEdits, shown: &Shown<'_>) {
    let edits = shown.edits(&talk.bearing(), edits);
    talk.bare("DELETE", Outgoing::bytes("").http(edits).deliberate(solo.name, Taint::Message)).await;
}

/// The token that the user has given for all requests.
pub(super) fn own_token(solo: &Solo<'_>) -> Option<String> {
    let headers = &solo.opener.opening().headers;
    let bearing = Bearing::among(headers);
    let carrier = bearing.carrier();
    let (_, value) = headers.iter().rev().find(|(name, _)| name.eq_ignore_ascii_case(carrier))?;
    if !carrier.eq_ignore_ascii_case("authorization") {
        return Some(value.clone());
    }
    let (scheme, token) = value.split_once(' ')?;
    scheme.eq_ignore_ascii_case("Bearer").then(|| token.trim().to_owned())
}

/// The token of another principal than the user's own.
pub(super) async fn other_token(solo: &Solo<'_>) -> Option<String> {
    other_tokens(solo).await.into_iter().next()
}

/// The tokens of other principals than the user's own.
pub(super) async fn other_tokens(solo: &Solo<'_>) -> Vec<String> {
    solo.settings.credentials.others(own_token(solo).as_deref()).await
}

/// What lets requests in, among the headers that the user gave.
pub(super) fn bearing(solo: &Solo<'_>) -> Bearing {
    Bearing::among(&solo.opener.opening().headers)
}

/// A server that asks for credentials.
pub(super) struct Guarded {
    /// A conversation with it, which has not begun.
    pub(super) opened: Opened,
    /// What it asks for them.
    pub(super) door: Door,
    /// The request without them.
    pub(super) ticket: Ticket,
    /// What came for it.
    pub(super) reply: Reply,
}

/// Opens a conversation with a server that asks for credentials; says why there is nothing to judge where it does not.
/// Some leave the first requests open, so that the lists and a call are tried, too, each with and without credentials.
pub(super) async fn guarded(solo: &mut Solo<'_>, rows: &[&'static str]) -> Option<Guarded> {
    let Ok(mut opened) = solo.open(Some(solo.revision)).await else {
        for id in rows {
            solo.judge.undecided(id, "no-conversation", "a further conversation could not be opened");
        }
        return None;
    };
    let mut last = None;
    let mut doors = VecDeque::from([Door::First]);
    while let Some(door) = doors.pop_front() {
        let (ticket, reply) = knock(solo, &mut opened.talk, &door, &Shown::Nothing).await;
        let status = reply.status();
        if status == Some(401) || is_shut_otherwise(solo, &mut opened.talk, &door, &reply).await {
            if status != Some(401) && rows.contains(&MISSING) {
                let text = "a request without a token got another status than 401";
                let seen = breach("other-status", text, &ticket, &reply).expected(&["HTTP 401"]);
                solo.judge.broke(MISSING, seen);
            }
            return Some(Guarded { opened, door, ticket, reply });
        }
        if matches!(status, Some(429) | None) {
            last.get_or_insert(reply);
            break;
        }
        if door.is_first() && reply.result().is_some() {
            doors.extend(inner_doors(solo).await);
        }
        last.get_or_insert(reply);
    }
    for id in rows {
        match &last {
            Some(reply) if reply.result().is_none() => {
                let text =
                    format!("whether the server asks for a token cannot be told: {}", reply.describe());
                solo.judge.undecided(id, "no-challenge", text);
            }
            _ => solo.judge.not_applicable(id, "no-authorization", OPEN),
        }
    }
    solo.close(opened).await;
    None
}

/// Whether a request was refused, but not as it should be, and for want of credentials alone.
async fn is_shut_otherwise(solo: &mut Solo<'_>, talk: &mut Conversation, door: &Door, reply: &Reply) -> bool {
    let is_call = matches!(door, Door::Inner { method: "tools/call", .. });
    // What a call says may be about the caller's rights, not about who they are.
    let refused = if is_call { is_guards(reply) } else { keeps_out(reply) };
    if !refused || matches!(reply.status(), Some(429) | None) || !talk.bearing().known {
        return false;
    }
    let (_, with) = knock(solo, talk, door, &Shown::Own).await;
    with.result().is_some()
}

/// The requests to try where the first one is open: those that are not known to be served without credentials.
async fn inner_doors(solo: &mut Solo<'_>) -> Vec<Door> {
    let anonymous = bearing(solo).names.is_empty();
    let known = solo.known().await;
    let inner = |method, params, mirrored| Door::Inner { method, params, mirrored };
    let lists = ["tools/list", "resources/list", "prompts/list"].into_iter();
    let lists = lists.filter(|method| !anonymous || !known.offer.listed.contains(method));
    let mut doors: Vec<Door> = lists.map(|method| inner(method, json!({}), Vec::new())).collect();
    if let Some((params, mirrored)) = call_of(&known).filter(|_| !anonymous) {
        doors.push(inner("tools/call", params, mirrored));
    }
    doors
}

/// A call that was served and may be repeated.
fn call_of(known: &Known) -> Option<(Value, Vec<(String, String)>)> {
    let mut calls = known.offer.calls.iter();
    let call = calls.find(|call| call.succeeded() && !call.asked_for_input && call.wishes.is_empty())?;
    let tool = known.offer.tools.iter().find(|tool| tool["name"] == call.tool.as_str());
    let schema = tool.and_then(|tool| tool.get("inputSchema"));
    let mirrored = schema.map(|schema| headers::mirrored_arguments(schema, &call.arguments));
    let params = json!({"name": call.tool, "arguments": call.arguments});
    Some((params, mirrored.unwrap_or_default()))
}
