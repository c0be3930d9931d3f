//! The stdio transport under test (basic/transports#stdio).

use super::base_stateless::paged;
use super::probe::{breach, probes};
use super::{Solo, Stage};
use crate::client::{Outgoing, Reply, Ticket};
use crate::monitors::Breach;
use crate::protocol::Id;
use crate::wire::Taint;
use bytes::Bytes;
use serde_json::{Value, json};
use std::time::Duration;
use tokio::time::Instant;

probes! {
    /// Writes one message in many small pieces with pauses between them, one of which falls inside a character of
    /// several bytes; one byte by byte; three messages in one write; and a write that ends in the middle of the next
    /// message. All are answered: a pipe keeps no boundaries but newlines.
    messages_end_at_newlines_however_they_are_written (Clean, Both, Stdio) decides
        ["stdio.input-chunking-irrelevant"];
    /// Sends a harmless request whose id is a text of 20 KiB, so that its answer is as long, and waits for that. An
    /// answer that comes only when standard input has ended was kept in a buffer: small ones may hide it.
    long_answers_come_at_once (Breaking, Both, Stdio) decides
        ["stdio.output-flushed", "stdio.reads-stdin-writes-stdout"];
    /// Writes several requests of 32 KiB at once and a list again and again, and reads nothing meanwhile, so that the
    /// pipes of both directions fill. Then reads on: all are answered. A server that reads only when it has written,
    /// and drops or forgets what it could not write, loses the answers of a busy client.
    a_late_reader_gets_every_answer (Breaking, Both, Stdio) decides ["robustness.stdio.late-reader"];
    /// In 2026-07-28 writes an array of two valid requests. They are not served: that revision has no batches. An error
    /// or silence passes; two results or an array are a warning.
    an_array_is_no_batch (Breaking, Modern, Stdio) decides ["stdio.batch-line-not-processed"];
    /// In 2026-07-28 kills a process in the middle of a request, starts another and sends the request again with a new
    /// id. It is served without more ado. A cursor that the first process gave is used in the second, too: state that
    /// must outlive a process belongs into what the client hands back. That warns where it fails. Before, it is left
    /// alone for a second, in which nothing may come from it.
    a_fresh_process_goes_on (AloneForEra, Modern, Stdio) decides
        ["stdio.restart-works", "base.stateless.no-connection-affinity", "stdio.message-kinds"];
}

/// Between two pieces of a message.
const PAUSE: Duration = Duration::from_millis(2);

async fn messages_end_at_newlines_however_they_are_written(stage: &mut Stage<'_>) {
    const ID: &str = "stdio.input-chunking-irrelevant";
    // A server that answers nothing any more shows nothing about how it reads.
    let usual = stage.talk.canary().await;
    if !matches!(usual, Reply::Result(_) | Reply::Error(_)) {
        let text = format!("a message in one piece was not answered either: {}", usual.describe());
        return stage.judge.undecided(ID, "no-answer", text);
    }
    let method = stage.harmless();
    let mut message = |text: &str| {
        let id = stage.talk.fresh_id();
        let params = stage.talk.params(json!({"_meta": {"io.example.mcprove/text": text}}));
        (id.clone(), Outgoing::request(&id, method, params).body)
    };
    let (one, line) = message("ключ-鍵-🔑");
    let (two, three, four) = (message("2"), message("3"), message("4"));
    let (five, six) = (message("5"), message("6"));
    let mut cut: Vec<(Bytes, Duration)> = pieces(&line).into_iter().map(|piece| (piece, PAUSE)).collect();
    cut.push((Bytes::from_static(b"\n"), Duration::ZERO));
    let (seven, whole) = message("é");
    let bytewise =
        whole.iter().chain(b"\n").map(|byte| (Bytes::copy_from_slice(&[*byte]), Duration::ZERO)).collect();
    let together = join(&[&two.1, &three.1, &four.1]);
    let split = five.1.len() + 1 + six.1.len() / 2;
    let both = join(&[&five.1, &six.1]);
    let halves = vec![(both.slice(..split), PAUSE), (both.slice(split..), Duration::ZERO)];
    let writes = [
        ("pieces", vec![one], line.clone(), cut),
        ("bytes", vec![seven], whole, bytewise),
        ("together", vec![two.0, three.0, four.0], together.clone(), vec![(together, Duration::ZERO)]),
        ("halves", vec![five.0, six.0], both, halves),
    ];
    for (name, ids, body, pieces) in writes {
        let outgoing = Outgoing { pieces, ..Outgoing::bytes(body) };
        let ticket = stage.talk.send(outgoing.deliberate(stage.name, Taint::Message)).await;
        if !all_answered(stage, name, &ids, &ticket).await {
            return;
        }
    }
}

/// Whether all were answered, so that it makes sense to go on.
async fn all_answered(stage: &mut Stage<'_>, name: &str, ids: &[Id], ticket: &Ticket) -> bool {
    const ID: &str = "stdio.input-chunking-irrelevant";
    for id in ids {
        let ticket = Ticket { id: Some(id.clone()), ..ticket.clone() };
        // What comes of a message that fell apart is an error without an id, so there is no need to wait for long.
        let reply = stage.talk.reply(&ticket).await;
        match &reply {
            Reply::Result(_) | Reply::Error(_) => stage.judge.held(ID),
            // Errors without an id are what becomes of the pieces of a message.
            Reply::Silence(_) if named_responses_since(stage, ticket.since) >= ids.len() => {
                stage.judge.undecided(ID, "other-ids", "the answers carry other ids than the requests");
                return false;
            }
            Reply::Silence(_) => {
                stage.judge.broke(
                    ID,
                    breach(name, "a message was not answered because of how it was written", &ticket, &reply)
                        .expected(&["an answer for each message, however the writes are cut"]),
                );
                return false;
            }
            other => {
                stage.judge.undecided(ID, "gone", other.describe());
                return false;
            }
        }
    }
    true
}

fn named_responses_since(stage: &mut Stage<'_>, since: u64) -> usize {
    let heard = stage.talk.heard_since(since);
    let named = |id: Option<&Id>| id.is_some_and(|id| !id.is_null());
    heard.iter().filter(|heard| heard.message.is_response() && named(heard.message.id())).count()
}

/// Cuts a line into pieces of 16 bytes, and once more inside the first character of several bytes.
fn pieces(line: &Bytes) -> Vec<Bytes> {
    let inside = line.iter().position(|byte| *byte >= 0xC0).map_or(1, |at| at + 1);
    let mut cuts: Vec<usize> = (16..line.len()).step_by(16.max(line.len() / 12)).chain([inside]).collect();
    cuts.sort_unstable();
    cuts.dedup();
    let mut pieces = Vec::new();
    let mut from = 0;
    for cut in cuts.into_iter().chain([line.len()]) {
        if cut > from {
            pieces.push(line.slice(from..cut));
            from = cut;
        }
    }
    pieces
}

fn join(lines: &[&Bytes]) -> Bytes {
    lines.iter().flat_map(|line| line.iter().copied().chain([b'\n'])).collect()
}

/// The length of an id that comes back in an answer; longer than what programs commonly gather before they write.
const LONG_ID: usize = 20 << 10;

async fn long_answers_come_at_once(stage: &mut Stage<'_>) {
    let method = stage.harmless();
    let id = Id::string(&"mcprove-".repeat(LONG_ID / 8));
    let outgoing = Outgoing::request(&id, method, stage.talk.params(json!({})));
    let ticket = stage.talk.send(outgoing.deliberate(stage.name, Taint::Message)).await;
    let deadline = Instant::now() + stage.talk.timeouts().request;
    while stage.talk.gone().is_none() {
        // Refused, it may come back without the id.
        let answers = |id: Option<&Id>| id.is_none_or(Id::is_null) || id == ticket.id.as_ref();
        let heard = stage.talk.heard_since(ticket.since);
        if heard.iter().any(|heard| heard.message.is_response() && answers(heard.message.id())) {
            return;
        }
        if Instant::now() > deadline {
            // The monitors hear whether it comes at the end.
            return stage.talk.note_timed_out(&ticket);
        }
        stage.talk.idle(Duration::from_millis(5)).await;
    }
}

/// How long nothing is read.
const UNREAD: Duration = Duration::from_millis(150);
/// How much is written meanwhile, at least; twice what the pipe of a usual system holds.
const MUCH: usize = 128 << 10;
/// The length of one of the long requests.
const LONG: usize = 32 << 10;

async fn a_late_reader_gets_every_answer(stage: &mut Stage<'_>) {
    const ID: &str = "robustness.stdio.late-reader";
    let method = stage.lists().first().map_or(stage.harmless(), |(method, _)| *method);
    let (_, reply) = stage.request(method, json!({})).await;
    let Reply::Result(answer) = &reply else {
        return stage.judge.undecided(
            ID,
            "no-answer",
            format!("no usable answer came: {}", reply.describe()),
        );
    };
    let length = answer.message.text().len();
    let padding = "x".repeat(LONG);
    stage.talk.leave_unread(UNREAD);
    let mut tickets = Vec::new();
    for at in 0..(MUCH / LONG).max((MUCH / length.max(1)).min(64)) {
        let text = if at < MUCH / LONG { padding.as_str() } else { "" };
        let outgoing = stage.talk.compose(method, json!({"_meta": {"io.example.mcprove/text": text}}));
        tickets.push(stage.talk.send(outgoing.deliberate(stage.name, Taint::Nothing)).await);
    }
    let all = tickets.len();
    for (at, ticket) in tickets.iter().enumerate() {
        match &stage.talk.reply(ticket).await {
            Reply::Result(_) | Reply::Error(_) => {}
            Reply::Silence(_) => {
                let what = format!(
                    "request {} of {all} that were written while nothing was read was not answered",
                    at + 1
                );
                let breach = breach("unread", what, ticket, &Reply::Silence(UNREAD));
                return stage
                    .judge
                    .broke(ID, breach.expected(&["an answer for each, once the client reads on"]));
            }
            other => return stage.judge.undecided(ID, "gone", other.describe()),
        }
    }
    stage.judge.held(ID);
}

async fn an_array_is_no_batch(stage: &mut Stage<'_>) {
    const ID: &str = "stdio.batch-line-not-processed";
    let (one, two) = (stage.talk.fresh_id(), stage.talk.fresh_id());
    let params = stage.talk.params(json!({}));
    let request = |id: &Id| {
        let body = Outgoing::request(id, "server/discover", params.clone()).body;
        serde_json::from_slice::<Value>(&body).unwrap_or_default()
    };
    let batch = json!([request(&one), request(&two)]);
    let seen = stage.provoke(Outgoing::bytes(batch.to_string())).await;
    let served = stage.talk.heard_since(seen.ticket.since).into_iter().find(|heard| {
        heard.message.result().is_some() && [Some(&one), Some(&two)].contains(&heard.message.id())
    });
    match (served, &seen.reply) {
        (Some(heard), _) => stage.judge.broke(
            ID,
            Breach::new("served", "an array was served as a batch, which this revision does not have")
                .expected(&["an error", "silence"])
                .actual("a result for one of its elements")
                .at(&heard.record)
                .sent(seen.ticket.since),
        ),
        (None, Reply::Gone(_)) => stage.judge.undecided(ID, "gone", seen.reply.describe()),
        (None, _) if seen.survived() => stage.judge.held(ID),
        (None, _) => stage.judge.undecided(ID, "no-barrier", "the valid request after it was not answered"),
    }
}

async fn a_fresh_process_goes_on(solo: &mut Solo<'_>) {
    const RESTART: &str = "stdio.restart-works";
    const AFFINITY: &str = "base.stateless.no-connection-affinity";
    /// Longer than a notification may come after the last answer.
    const QUIET: Duration = Duration::from_millis(900);
    let revision = solo.revision;
    let Some(mut first) = solo.begin(revision, &[RESTART, AFFINITY]).await else { return };
    let lists: Vec<(&'static str, &'static str)> =
        [("tools/list", "tools"), ("resources/list", "resources"), ("prompts/list", "prompts")]
            .into_iter()
            .filter(|(_, member)| first.talk.handshake().is_some_and(|handshake| handshake.declares(member)))
            .collect();
    let page = paged(&mut first.talk, &lists).await.into_iter().next();
    // A monitor hears what comes unasked.
    first.talk.idle(QUIET).await;
    let method = lists.first().map_or("server/discover", |(method, _)| *method);
    let refused_before = matches!(first.talk.request(method, json!({})).await, Reply::Error(_));
    let outgoing = first.talk.compose(method, json!({}));
    first.talk.send(outgoing).await;
    let recorder = std::sync::Arc::clone(first.talk.recorder());
    // Dropped, not closed: the process is killed.
    drop(first);
    recorder.close();
    solo.finished.push(recorder);
    let Some(mut second) = solo.begin(revision, &[RESTART, AFFINITY]).await else { return };
    let outgoing = second.talk.compose(method, json!({}));
    let ticket = second.talk.send(outgoing).await;
    let reply = second.talk.reply(&ticket).await;
    match &reply {
        Reply::Result(_) => solo.judge.held(RESTART),
        Reply::Error(_) if refused_before => {
            solo.judge.undecided(RESTART, "refused", "the first process refused the same request");
        }
        Reply::Error(_) => solo.judge.broke(
            RESTART,
            breach(
                "refused",
                format!("a fresh process refused `{method}`, sent again with a new id"),
                &ticket,
                &reply,
            )
            .expected(&["a result"]),
        ),
        other => solo.judge.undecided(RESTART, "no-answer", other.describe()),
    }
    match page {
        None => solo.judge.undecided(AFFINITY, "no-pages", "the server has no list of more than one page"),
        Some((method, _, cursor)) => {
            let outgoing = second.talk.compose(method, json!({"cursor": cursor}));
            let ticket = second.talk.send(outgoing).await;
            let reply = second.talk.reply(&ticket).await;
            match &reply {
                Reply::Result(_) => solo.judge.held(AFFINITY),
                Reply::Error(_) => solo.judge.broke(
                    AFFINITY,
                    breach(
                        "refused",
                        format!("a cursor of `{method}` is not valid in a fresh process"),
                        &ticket,
                        &reply,
                    )
                    .quality()
                    .expected(&["the next page"]),
                ),
                other => solo.judge.undecided(AFFINITY, "no-answer", other.describe()),
            }
        }
    }
    solo.close(second).await;
}
