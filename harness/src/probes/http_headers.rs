//! The MCP headers of HTTP requests under test: the protocol version and the mirrored method (basic/transports).

use super::Solo;
use super::http::harmless;
use super::probe::{Stage, breach, probes};
use crate::client::{HttpEdits, Outgoing, Reply, Ticket, with_meta};
use crate::monitors::Judge;
use crate::protocol::Revision;
use crate::wire::Taint;
use serde_json::json;

/// The error for headers that do not fit the body.
pub(super) const HEADER_MISMATCH: i64 = -32020;
/// The error for a version that is not supported.
const UNSUPPORTED_VERSION: i64 = -32022;
const SHAPE: &str = "http-headers.mismatch-error-shape";

probes! {
    /// Sends `ping` with `MCP-Protocol-Version` set to `1999-01-01` and to `garbage`: both are refused with 400. A
    /// server that serves them would not notice a client that speaks another protocol.
    impossible_version_header_is_refused (Breaking, Legacy, Http) decides ["http-headers.version.unsupported-refused"];
    /// Sends `ping` without `MCP-Protocol-Version`. The server takes it for 2025-03-26, or knows better from the
    /// session; it does not refuse it, because older clients do not send the header.
    absent_version_header_is_tolerated (Breaking, Legacy, Http) decides ["http-headers.version.absent-fallback"];
    /// Repeats a request with the names of the MCP headers in lower and in upper case. HTTP does not tell them apart
    /// (RFC 9110, section 5.1), and libraries change the case as they like.
    header_names_are_case_insensitive (Breaking, Both, Http) decides ["http-headers.names-case-insensitive"];
    /// Sends requests of 2026-07-28 with a version that does not exist, in header and body (400 with error -32022);
    /// with a header that differs from the body (400 with -32020); and, to a server without the older eras, with no
    /// version header. A proxy decides by the header and the server by the body: they have to agree.
    version_header_is_compared (AloneForEra, Modern, Http) decides [
        "http-headers.version.unsupported-refused", "http-headers.version.mismatch-refused",
        "http-headers.version.missing-refused",
    ];
    /// Sends a request without `Mcp-Method`, with that of another method, with a part of its own and with more than it,
    /// in other letters, with two different ones in either order, and with characters that no header may have. Each is
    /// refused with 400 and -32020. Spaces around the right value do not count. Gateways route and authorize by this
    /// header, so it must say what the body says.
    method_header_is_compared (Breaking, Modern, Http) decides [
        "http-headers.method.required", "http-headers.method.mismatch-refused", "http-headers.value.case-sensitive",
        "http-headers.value.whitespace-trimmed", "http-headers.value.invalid-characters-refused",
        "http-headers.duplicates-refused", "http-headers.mismatch-error-shape",
    ];
}

/// What became of a request.
pub(super) enum Reaction {
    Served,
    Refused,
    Unclear,
}

pub(super) fn reaction(reply: &Reply) -> Reaction {
    match reply {
        Reply::Result(_) => Reaction::Served,
        _ if reply.is_refusal() => Reaction::Refused,
        _ => Reaction::Unclear,
    }
}

/// A refusal for headers has status 400 and error -32020; both are looked at.
pub(super) fn judge_shape(judge: &mut Judge, ticket: &Ticket, reply: &Reply) {
    let (Some(status), code) = (reply.status(), reply.error_code()) else { return };
    let broke = |class: &str| {
        breach(class, "a request with wrong headers was refused otherwise than it should be", ticket, reply)
            .expected(&["HTTP 400 with error -32020"])
    };
    match (status, code) {
        (400, Some(HEADER_MISMATCH)) => judge.held(SHAPE),
        // A gateway or a framework that was asked first.
        (other, None) if other != 400 => {
            judge.undecided(
                SHAPE,
                "transport-refusal",
                format!("refused with HTTP {other} and no JSON-RPC error"),
            );
        }
        (400, _) => judge.broke(SHAPE, broke("code").quality()),
        (_, Some(HEADER_MISMATCH)) => judge.broke(SHAPE, broke("status").pointer("/error/code")),
        _ => judge.broke(SHAPE, broke("status-and-code").pointer("/error/code")),
    }
}

/// Sends what must be refused for its headers, and judges whether it was.
pub(super) async fn refused(
    stage: &mut Stage<'_>,
    id: &'static str,
    (class, what): (&str, &str),
    outgoing: Outgoing,
) -> Reply {
    let (ticket, reply) = stage.breaking(outgoing).await;
    match reaction(&reply) {
        Reaction::Served => stage.judge.broke(
            id,
            breach(class, format!("a request {what} was served"), &ticket, &reply)
                .expected(&["HTTP 400 with error -32020"]),
        ),
        Reaction::Refused => {
            stage.judge.held(id);
            judge_shape(stage.judge, &ticket, &reply);
        }
        Reaction::Unclear => stage.judge.undecided(id, "no-answer", reply.describe()),
    }
    reply
}

/// Sends what must be served, and judges whether it was.
pub(super) async fn accepted(
    stage: &mut Stage<'_>,
    id: &'static str,
    (class, what): (&str, &str),
    outgoing: Outgoing,
) {
    let (ticket, reply) = stage.valid(outgoing.deliberate(stage.name, Taint::Nothing)).await;
    match reaction(&reply) {
        Reaction::Served => stage.judge.held(id),
        Reaction::Refused => stage.judge.broke(
            id,
            breach(class, format!("a request {what} was refused"), &ticket, &reply).expected(&["its result"]),
        ),
        Reaction::Unclear => stage.judge.undecided(id, "no-answer", reply.describe()),
    }
}

pub(super) fn set(name: &str, value: impl Into<String>) -> HttpEdits {
    HttpEdits::default().set(name, value)
}

/// A header that comes twice.
pub(super) fn twice(name: &str, first: &str, last: &str) -> HttpEdits {
    let mut edits = set(name, first);
    edits.add.push((name.to_owned(), last.to_owned()));
    edits
}

async fn impossible_version_header_is_refused(stage: &mut Stage<'_>) {
    const ID: &str = "http-headers.version.unsupported-refused";
    for version in ["1999-01-01", "garbage"] {
        let outgoing = harmless(stage).http(set("MCP-Protocol-Version", version));
        let (ticket, reply) = stage.breaking(outgoing).await;
        match reply.status() {
            Some(400) => stage.judge.held(ID),
            Some(401 | 403 | 429 | 502..) | None => {
                stage.judge.undecided(ID, "no-answer", reply.describe());
            }
            Some(_) => {
                let class = if reply.result().is_some() { "served" } else { "other-status" };
                let text =
                    format!("a request with `MCP-Protocol-Version: {version}` was not refused with 400");
                stage.judge.broke(ID, breach(class, text, &ticket, &reply).expected(&["HTTP 400"]));
            }
        }
    }
}

async fn absent_version_header_is_tolerated(stage: &mut Stage<'_>) {
    const ID: &str = "http-headers.version.absent-fallback";
    let outgoing = harmless(stage).http(HttpEdits::default().without("MCP-Protocol-Version"));
    let (ticket, reply) = stage.breaking(outgoing).await;
    match reply.status() {
        Some(400) => stage.judge.broke(
            ID,
            breach("refused", "a request without `MCP-Protocol-Version` was refused", &ticket, &reply)
                .expected(&["the result: 2025-03-26 is assumed, or the version of the session"]),
        ),
        Some(_) if reply.result().is_some() => stage.judge.held(ID),
        _ => stage.judge.undecided(ID, "no-answer", reply.describe()),
    }
}

async fn header_names_are_case_insensitive(stage: &mut Stage<'_>) {
    const ID: &str = "http-headers.names-case-insensitive";
    let session = stage.talk.session_id().map(str::to_owned);
    let modern = stage.era() == crate::protocol::Era::Modern;
    if session.is_none() && !modern {
        let text = "no MCP header decides here: the server assigns no session ids";
        return stage.judge.not_applicable(ID, "no-session-id", text);
    }
    for upper in [false, true] {
        let spell = |name: &str| if upper { name.to_ascii_uppercase() } else { name.to_ascii_lowercase() };
        let mut edits = HttpEdits::default();
        if let Some(session) = &session {
            edits = edits.without("Mcp-Session-Id");
            edits.add.push((spell("Mcp-Session-Id"), session.clone()));
        }
        if modern {
            for (name, value) in
                [("Mcp-Method", "server/discover"), ("MCP-Protocol-Version", Revision::V2026_07_28.as_str())]
            {
                edits = edits.without(name);
                edits.add.push((spell(name), value.to_owned()));
            }
        }
        let outgoing = harmless(stage).http(edits);
        let what = if upper { "with its headers in upper case" } else { "with its headers in lower case" };
        accepted(stage, ID, ("case", what), outgoing).await;
    }
}

async fn version_header_is_compared(solo: &mut Solo<'_>) {
    const UNSUPPORTED: &str = "http-headers.version.unsupported-refused";
    const MISMATCH: &str = "http-headers.version.mismatch-refused";
    const MISSING: &str = "http-headers.version.missing-refused";
    let Some(mut opened) = solo.begin(solo.revision, &[UNSUPPORTED, MISMATCH, MISSING]).await else { return };
    let talk = &mut opened.talk;
    let own = solo.revision.as_str();
    let name = solo.name;
    let mut discover = |body: &str, edits: HttpEdits| {
        let id = talk.fresh_id();
        Outgoing::request(&id, "server/discover", Some(with_meta(json!({}), body)))
            .http(edits)
            .deliberate(name, Taint::Message)
    };
    let impossible = discover("1900-01-01", HttpEdits::default());
    let mismatches = [
        discover("2025-11-25", set("MCP-Protocol-Version", own)),
        discover(own, set("MCP-Protocol-Version", "2025-11-25")),
    ];
    let missing = discover(own, HttpEdits::default().without("MCP-Protocol-Version"));

    let ticket = talk.send(impossible).await;
    let reply = talk.reply(&ticket).await;
    let broke = |class: &str, text: &str| {
        breach(class, text, &ticket, &reply).expected(&["HTTP 400 with error -32022"])
    };
    match (reply.status(), reply.error_code()) {
        (None | Some(401 | 403 | 429 | 502..), None) => {
            solo.judge.undecided(UNSUPPORTED, "no-answer", reply.describe());
        }
        (Some(400), Some(UNSUPPORTED_VERSION)) => solo.judge.held(UNSUPPORTED),
        _ if matches!(reply, Reply::Result(_)) => {
            solo.judge
                .broke(UNSUPPORTED, broke("served", "a request of a version that does not exist was served"));
        }
        (Some(400), Some(_)) => {
            let text = "a request of a version that does not exist was refused with another error";
            solo.judge.broke(UNSUPPORTED, broke("code", text).quality());
        }
        (Some(_), Some(_)) => {
            let text = "a request of a version that does not exist was refused with another status than 400";
            solo.judge.broke(UNSUPPORTED, broke("status", text));
        }
        _ => {
            let text = "a request of a version that does not exist was refused without a JSON-RPC error, which \
                        clients take for a server of the older era";
            solo.judge.broke(UNSUPPORTED, broke("no-json", text));
        }
    }

    for (index, outgoing) in mismatches.into_iter().enumerate() {
        let ticket = talk.send(outgoing).await;
        let reply = talk.reply(&ticket).await;
        let broke = |class: &str, text: &str| {
            breach(class, text, &ticket, &reply)
                .expected(&["HTTP 400 with error -32020", "HTTP 400 with error -32022"])
        };
        // With the header of the older era a server of both may answer as that era does.
        let routed_elsewhere = solo.dual_era && index == 1;
        match reaction(&reply) {
            Reaction::Served => solo.judge.broke(
                MISMATCH,
                broke("served", "a request whose version header differs from its body was served"),
            ),
            Reaction::Refused => {
                let fits = reply.status() == Some(400)
                    && matches!(reply.error_code(), Some(HEADER_MISMATCH | UNSUPPORTED_VERSION));
                let text = "a request whose version header differs from its body was refused otherwise";
                solo.judge.decide(MISMATCH, fits || routed_elsewhere, || broke("otherwise", text).quality());
            }
            Reaction::Unclear => solo.judge.undecided(MISMATCH, "no-answer", reply.describe()),
        }
    }

    if solo.dual_era {
        let text = "the server speaks the older era too, and may take the request for one of that";
        solo.judge.not_applicable(MISSING, "dual-era", text);
    } else {
        let ticket = talk.send(missing).await;
        let reply = talk.reply(&ticket).await;
        match reaction(&reply) {
            Reaction::Served => solo.judge.broke(
                MISSING,
                breach("served", "a request without a version header was served", &ticket, &reply)
                    .expected(&["HTTP 400 with error -32020"]),
            ),
            Reaction::Refused => {
                solo.judge.held(MISSING);
                if reply.error_code() != Some(UNSUPPORTED_VERSION) {
                    judge_shape(solo.judge, &ticket, &reply);
                }
            }
            Reaction::Unclear => solo.judge.undecided(MISSING, "no-answer", reply.describe()),
        }
    }
    solo.close(opened).await;
}

async fn method_header_is_compared(stage: &mut Stage<'_>) {
    const REQUIRED: &str = "http-headers.method.required";
    const MISMATCH: &str = "http-headers.method.mismatch-refused";
    const CASE: &str = "http-headers.value.case-sensitive";
    const SPACE: &str = "http-headers.value.whitespace-trimmed";
    const INVALID: &str = "http-headers.value.invalid-characters-refused";
    const DUPLICATES: &str = "http-headers.duplicates-refused";
    let without = harmless(stage).http(HttpEdits::default().without("Mcp-Method"));
    refused(stage, REQUIRED, ("missing", "without `Mcp-Method`"), without).await;
    let other = harmless(stage).http(set("Mcp-Method", "tools/list"));
    let reply = refused(stage, MISMATCH, ("other", "with another method in `Mcp-Method`"), other).await;
    // Where any other method is served, it says nothing that these are.
    if matches!(reaction(&reply), Reaction::Refused) {
        for (class, value) in [("part", "server"), ("more", "server/discover/more")] {
            let outgoing = harmless(stage).http(set("Mcp-Method", value));
            let what = format!("`server/discover` with `Mcp-Method: {value}`");
            refused(stage, MISMATCH, (class, &what), outgoing).await;
        }
    }
    if stage.talk.handshake().is_some_and(|handshake| handshake.declares("tools")) {
        let other = stage.talk.compose("tools/list", json!({})).http(set("Mcp-Method", "server/discover"));
        refused(stage, MISMATCH, ("other", "with another method in `Mcp-Method`"), other).await;
    }
    let capitals = harmless(stage).http(set("Mcp-Method", "SERVER/DISCOVER"));
    refused(stage, CASE, ("case", "with `Mcp-Method` in capitals"), capitals).await;
    let spaces = harmless(stage).http(set("Mcp-Method", " \t server/discover \t "));
    accepted(stage, SPACE, ("space", "with spaces around the value of `Mcp-Method`"), spaces).await;
    for (class, first, last) in
        [("method", "server/discover", "tools/list"), ("method-last", "tools/list", "server/discover")]
    {
        let outgoing = harmless(stage).http(twice("Mcp-Method", first, last));
        refused(stage, DUPLICATES, (class, "with two values of `Mcp-Method`"), outgoing).await;
    }
    for (class, value) in [("control", "server/discover\u{1}"), ("beyond-ascii", "server/discover\u{ff}")] {
        let outgoing = harmless(stage).http(set("Mcp-Method", value));
        invalid(stage, INVALID, class, outgoing).await;
    }
}

/// A header with invalid characters: a bare 400 of the HTTP library is as good as an error.
pub(super) async fn invalid(stage: &mut Stage<'_>, id: &'static str, class: &str, outgoing: Outgoing) {
    let (ticket, reply) = stage.breaking(outgoing).await;
    match reaction(&reply) {
        Reaction::Served => stage.judge.broke(
            id,
            breach(
                class,
                "a request with invalid characters in a mirrored header was served",
                &ticket,
                &reply,
            )
            .expected(&["HTTP 400"]),
        ),
        Reaction::Refused => stage.judge.held(id),
        Reaction::Unclear => stage.judge.undecided(id, "no-answer", reply.describe()),
    }
}
