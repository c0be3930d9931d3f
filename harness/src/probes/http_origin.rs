//! Who may call over HTTP: `Origin`, `Host`, the addresses that the server listens on, several clients
//! (basic/transports#security-warning).

use super::Solo;
use super::probe::{Stage, breach, probes};
use crate::client::{Binding, Conversation, HttpEdits, Outgoing, Reply, Ticket, capabilities, client_info};
use crate::protocol::{Era, Revision, Transport};
use crate::wire::{Taint, header, is_loopback};
use serde_json::json;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;
use tokio::net::{TcpStream, UdpSocket};
use url::Url;

const FOREIGN: &str = "http://evil.example";
/// Origins that a comparison with the beginning or with a part of an own one takes for own.
const LOOKALIKES: [&str; 3] =
    ["http://localhost.evil.example", "http://127.0.0.1.evil.example", "http://notlocalhost"];

/// What a server without sessions may be asked for beside its first request.
const LISTS: [&str; 3] = ["tools/list", "resources/list", "prompts/list"];

probes! {
    /// Sends a valid first request with the right `Host` and `Origin: http://evil.example`, as a page in the user's
    /// browser would: by DNS rebinding any page can reach a server on the user's machine. It is refused, from
    /// 2025-11-25 with 403; GET and DELETE in a session are guarded as well. Judged as broken only where the server
    /// is reached by a loopback address: others may be open on purpose; and as a warning only in the two oldest
    /// revisions, which got the rule after they had been published. Where that Origin is refused, three more are tried
    /// that have `localhost` or `127.0.0.1` in them, and belong to somebody else. In 2026-07-28, where each request stands
    /// for itself, a listing is asked for, too.
    foreign_origin_is_refused (Alone, Both, AnyHttp) decides [
        "http.origin.validated", "http.origin.invalid-forbidden", "http.origin.all-methods",
        "http.origin.absent-accepted",
    ];
    /// Sends a valid request to a local server with `Host: evil.example` and the `Origin` that goes with it, as a
    /// browser does after DNS rebinding. A server that serves it does not look at whom the request was meant for. Where
    /// it is refused, the same without Origin tells whether `Host` counts by itself, which is said and blames nobody.
    foreign_host_is_refused (Breaking, Modern, Http) decides ["http.origin.host-rebinding-resisted"];
    /// Tries to connect to the port of a local server by this machine's address in its network. A server for local
    /// use listens on loopback only; else everybody in the network can reach it.
    local_server_listens_on_loopback_only (AloneForEra, Both, AnyHttp) decides ["http.bind-localhost"];
    /// Opens two conversations at the same time and asks something in both. A server over HTTP serves several clients.
    two_clients_are_served (AloneForEra, Both, AnyHttp) decides ["http.clients.multiple"];
}

/// The first request of a conversation in a revision, as `begin` sends it.
pub(super) fn first_request(talk: &mut Conversation, revision: Revision) -> Outgoing {
    let id = talk.fresh_id();
    match revision.era() {
        Era::Legacy => {
            let params = json!({
                "protocolVersion": revision.as_str(),
                "capabilities": capabilities(revision),
                "clientInfo": client_info(),
            });
            Outgoing::request(&id, "initialize", Some(params))
        }
        Era::Modern => {
            let params = crate::client::with_meta(json!({}), revision.as_str());
            Outgoing::request(&id, "server/discover", Some(params))
        }
    }
}

/// A listing of the stateless era, which takes no conversation that has begun.
fn listing(talk: &mut Conversation, revision: Revision, list: &str) -> Outgoing {
    let params = crate::client::with_meta(json!({}), revision.as_str());
    Outgoing::request(&talk.fresh_id(), list, Some(params))
}

fn foreign() -> HttpEdits {
    HttpEdits { fresh_connection: true, ..HttpEdits::default().set("Origin", FOREIGN) }
}

fn is_local(binding: &Binding) -> bool {
    match binding {
        Binding::Http(url) | Binding::HttpSse(url) => is_loopback(url),
        Binding::Stdio(_) => false,
    }
}

async fn foreign_origin_is_refused(solo: &mut Solo<'_>) {
    const VALIDATED: &str = "http.origin.validated";
    const FORBIDDEN: &str = "http.origin.invalid-forbidden";
    let Ok(mut opened) = solo.open(Some(solo.revision)).await else {
        for id in [VALIDATED, FORBIDDEN, "http.origin.all-methods"] {
            solo.judge.undecided(id, "no-conversation", "a further conversation could not be opened");
        }
        return;
    };
    let outgoing = first_request(&mut opened.talk, solo.revision).http(foreign());
    let ticket = opened.talk.send(outgoing.deliberate(solo.name, Taint::Message)).await;
    let reply = opened.talk.reply(&ticket).await;
    let status = reply.status();
    match status {
        Some(200..=299) if !reply.is_error() => {
            served(solo, &[VALIDATED, FORBIDDEN], "POST", &ticket, Some(&reply));
        }
        Some(401 | 407 | 429 | 500..) | None => {
            for id in [VALIDATED, FORBIDDEN] {
                let text = format!("it cannot be told what became of the Origin: {}", reply.describe());
                solo.judge.undecided(id, "no-verdict", text);
            }
        }
        Some(other) => {
            solo.judge.held(VALIDATED);
            solo.judge.decide(FORBIDDEN, other == 403, || {
                breach("other-status", "a foreign Origin was refused with another status", &ticket, &reply)
                    .expected(&["HTTP 403"])
            });
        }
    }
    // A session that should not exist is not left behind.
    end_session(solo, &mut opened.talk, &reply).await;
    if status.is_some_and(|status| (400..500).contains(&status) && status != 401) {
        for origin in LOOKALIKES {
            let edits = HttpEdits { fresh_connection: true, ..HttpEdits::default().set("Origin", origin) };
            let outgoing = first_request(&mut opened.talk, solo.revision).http(edits);
            let ticket = opened.talk.send(outgoing.deliberate(solo.name, Taint::Message)).await;
            let reply = opened.talk.reply(&ticket).await;
            if reply.result().is_some() {
                served(solo, &[VALIDATED, FORBIDDEN], "POST", &ticket, Some(&reply));
            }
            end_session(solo, &mut opened.talk, &reply).await;
        }
    }
    if solo.revision.era() == Era::Legacy {
        foreign_get_and_delete(solo, &mut opened.talk).await;
    } else {
        // Where every request stands for itself, each may be let in by itself.
        for list in LISTS {
            let outgoing = listing(&mut opened.talk, solo.revision, list).http(foreign());
            let ticket = opened.talk.send(outgoing.deliberate(solo.name, Taint::Message)).await;
            let reply = opened.talk.reply(&ticket).await;
            if reply.result().is_some() {
                let method = format!("POST of `{list}`");
                served(solo, &[VALIDATED, FORBIDDEN], &method, &ticket, Some(&reply));
                break;
            }
        }
    }
    if opened.talk.transport() == Transport::Http {
        own_origin_makes_no_difference(solo, &mut opened.talk).await;
    }
    solo.close(opened).await;
}

/// Something was served in spite of its foreign Origin.
fn served(solo: &mut Solo<'_>, ids: &[&'static str], method: &str, ticket: &Ticket, reply: Option<&Reply>) {
    let local = is_local(solo.opener.binding());
    for id in ids {
        if !local {
            let text = "a foreign Origin is served; whether the server is open to all on purpose, only its \
                        operator can say";
            solo.judge.undecided(id, "not-local", text);
            continue;
        }
        let message = format!("{method} with a foreign Origin was served");
        let mut found = crate::monitors::Breach::new(&format!("{method}-served"), message)
            .expected(&["HTTP 403, before 2025-11-25 any 4xx"])
            .sent(ticket.since);
        if let Some(reply) = reply {
            found = found.reply(reply);
        } else {
            found = found.actual("it was served");
        }
        // The two oldest revisions got this rule after they had been published (POLICY, section 8).
        if solo.revision <= Revision::V2025_03_26 {
            found = found.quality();
        }
        solo.judge.broke(id, found);
    }
}

/// GET and DELETE in a session of our own, with a foreign Origin.
async fn foreign_get_and_delete(solo: &mut Solo<'_>, talk: &mut Conversation) {
    const ALL: &str = "http.origin.all-methods";
    // The stream of HTTP+SSE needs no session.
    if talk.transport() == Transport::Http {
        let initialized = talk.initialize(solo.revision.as_str()).await;
        if talk.agree(&initialized).is_err() {
            return solo.judge.undecided(ALL, "no-conversation", "no session could be begun");
        }
        talk.initialized().await;
    }
    let edits = || Outgoing::bytes("").http(foreign()).deliberate(solo.name, Taint::Message);
    let ticket = match solo.opener.binding() {
        Binding::HttpSse(url) => talk.stream_at(url, &edits()),
        _ => talk.get_stream(None, &edits()),
    };
    let head = talk.head(&ticket).await;
    talk.abort(&ticket).await;
    match head {
        Ok(head) if head.is_event_stream() => {
            served(solo, &[ALL], "GET", &ticket, None);
        }
        Ok(head) if (400..500).contains(&head.status) => solo.judge.held(ALL),
        _ => solo.judge.undecided(ALL, "no-verdict", "GET with a foreign Origin was not answered clearly"),
    }
    if talk.transport() != Transport::Http || talk.session_id().is_none() {
        return;
    }
    let delete = edits();
    let ticket = Ticket { id: None, channel: crate::wire::Channel::PROCESS, since: talk.now() };
    let reply = talk.bare("DELETE", delete).await;
    if reply.status().is_some_and(|status| (200..300).contains(&status)) {
        let after = talk.compose("ping", json!({})).deliberate(solo.name, Taint::Message);
        let after = talk.exchange(after).await;
        // Some servers say yes to every DELETE and delete nothing.
        if after.is_refusal() {
            served(solo, &[ALL], "DELETE", &ticket, Some(&reply));
        }
    }
}

/// A request without Origin that is refused with 403, and served with the server's own: then Origin was the reason.
async fn own_origin_makes_no_difference(solo: &mut Solo<'_>, talk: &mut Conversation) {
    const ID: &str = "http.origin.absent-accepted";
    let Some(origin) = talk.url().map(|url| url.origin().ascii_serialization()) else { return };
    let outside = || match solo.revision.era() {
        Era::Legacy => HttpEdits::default().without("Mcp-Session-Id").without("MCP-Protocol-Version"),
        Era::Modern => HttpEdits::default(),
    };
    // Without a session only the newer era has more to ask for.
    let lists: &[&str] = match solo.revision.era() {
        Era::Legacy => &[],
        Era::Modern => &LISTS,
    };
    for list in std::iter::once(None).chain(lists.iter().copied().map(Some)) {
        let asked = |talk: &mut Conversation, edits| {
            let outgoing = match list {
                None => first_request(talk, solo.revision),
                Some(list) => listing(talk, solo.revision, list),
            };
            outgoing.http(edits).deliberate(solo.name, Taint::Message)
        };
        let plain = asked(talk, outside());
        let ticket = talk.send(plain).await;
        let without = talk.reply(&ticket).await;
        end_session(solo, talk, &without).await;
        if without.status() != Some(403) {
            continue;
        }
        let same = asked(talk, outside().set("Origin", origin.as_str()));
        let same = talk.exchange(same).await;
        if same.result().is_some() {
            solo.judge.broke(
                ID,
                breach("refused", "a request was refused only because it has no Origin", &ticket, &without)
                    .expected(&["the request is served"]),
            );
        }
        end_session(solo, talk, &same).await;
    }
}

/// Ends a session that a further `initialize` has begun.
pub(super) async fn end_session(solo: &Solo<'_>, talk: &mut Conversation, reply: &Reply) {
    let session = reply.http().and_then(|head| header(&head.headers, "mcp-session-id"));
    if let Some(session) = session.filter(|session| talk.session_id() != Some(*session)) {
        let edits = HttpEdits::default().set("Mcp-Session-Id", session);
        talk.bare("DELETE", Outgoing::bytes("").http(edits).deliberate(solo.name, Taint::Message)).await;
    }
}

async fn foreign_host_is_refused(stage: &mut Stage<'_>) {
    const ID: &str = "http.origin.host-rebinding-resisted";
    if !stage.talk.url().is_some_and(is_loopback) {
        return stage.judge.undecided(ID, "not-local", "only servers on this machine can be judged");
    }
    let edits = foreign().set("Host", "evil.example");
    let outgoing = first_request(stage.talk, stage.revision).http(edits);
    let (ticket, reply) = stage.breaking(outgoing).await;
    match &reply {
        Reply::Result(_) => stage.judge.broke(
            ID,
            breach("served", "a request for another host was served", &ticket, &reply)
                .expected(&["HTTP 403 or 421"]),
        ),
        _ if reply.is_refusal() => {
            stage.judge.held(ID);
            foreign_host_alone(stage, ID).await;
        }
        _ => stage.judge.undecided(ID, "no-answer", reply.describe()),
    }
}

/// Pages send an Origin with every POST, so a server that looks at that alone resists; what it makes of `Host` is said
/// all the same, and blames nobody.
async fn foreign_host_alone(stage: &mut Stage<'_>, id: &'static str) {
    let edits = HttpEdits { fresh_connection: true, ..HttpEdits::default().set("Host", "evil.example") };
    let outgoing = first_request(stage.talk, stage.revision).http(edits);
    let (_, reply) = stage.breaking(outgoing).await;
    if let Reply::Result(_) = reply {
        let text = "a request for another host is refused with a foreign Origin, and served without Origin: `Host` \
                    itself is not looked at, which the specification does not ask for";
        stage.judge.unseen(id, "host-unchecked", text);
    }
}

async fn local_server_listens_on_loopback_only(solo: &mut Solo<'_>) {
    const ID: &str = "http.bind-localhost";
    let url: &Url = match solo.opener.binding() {
        Binding::Http(url) | Binding::HttpSse(url) => url,
        Binding::Stdio(_) => return,
    };
    let port = url.port_or_known_default().filter(|_| is_loopback(url));
    let Some(port) = port else {
        return solo.judge.not_applicable(ID, "not-local", "the server is no local one");
    };
    let Some(address) = own_address().await else {
        return solo.judge.undecided(ID, "no-network", "this machine has no other address than loopback");
    };
    let connect = TcpStream::connect(SocketAddr::new(address, port));
    match tokio::time::timeout(Duration::from_secs(1), connect).await {
        Ok(Err(_)) => solo.judge.held(ID),
        Ok(Ok(_)) => {
            let text = "the port is open on the machine's network address too; whether that was asked for when \
                        the server was started is not known";
            solo.judge.undecided(ID, "open-port", text);
        }
        Err(_) => solo.judge.undecided(ID, "no-answer", "the machine's own address did not answer"),
    }
}

/// The address of this machine towards the network. Nothing is sent: the system only looks up a route.
async fn own_address() -> Option<IpAddr> {
    let socket = UdpSocket::bind(("0.0.0.0", 0)).await.ok()?;
    socket.connect(("192.0.2.1", 9)).await.ok()?;
    let address = socket.local_addr().ok()?.ip();
    (!address.is_loopback() && !address.is_unspecified()).then_some(address)
}

async fn two_clients_are_served(solo: &mut Solo<'_>) {
    const ID: &str = "http.clients.multiple";
    let Ok((mut one, mut two)) = solo.opener.open_two(solo.name, Some(solo.revision)).await else {
        return solo.judge.undecided(ID, "no-conversation", "two more conversations could not be opened");
    };
    solo.judge.about(two.talk.recorder());
    if one.talk.begin(solo.revision).await.is_err() {
        solo.judge.undecided(ID, "no-conversation", "a further conversation could not be begun");
    } else if two.talk.begin(solo.revision).await.is_err() {
        solo.judge.broke(
            ID,
            crate::monitors::Breach::new("refused", "a second client was not served beside the first")
                .quality()
                .expected(&["both clients are served"])
                .actual("the second conversation could not be begun"),
        );
    } else {
        let (first, second) = tokio::join!(one.talk.canary(), two.talk.canary());
        match (&first, &second) {
            (Reply::Result(_), Reply::Result(_)) => solo.judge.held(ID),
            (Reply::Result(_), other) | (other, _) => solo.judge.broke(
                ID,
                crate::monitors::Breach::new("disturbed", "of two clients at once, one was not served")
                    .quality()
                    .expected(&["both clients are served"])
                    .actual(other.describe()),
            ),
        }
    }
    solo.close(one).await;
    solo.close(two).await;
}
