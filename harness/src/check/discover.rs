//! Which eras and revisions does a server speak? The modern probe first, on a fresh process or connection, with the
//! handshake of the newest legacy revision beside it, so that neither has to wait for the other's time-out.

use crate::client::{Binding, HandshakeFailure, OpenError, Opened, Opener, Reply};
use crate::protocol::{Era, Revision, Transport};
use crate::transcript::Recorder;
use crate::wire::{Event, header};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// How long the slower of the two probes may take longer than the faster one.
const LATE: Duration = Duration::from_secs(2);

/// How long a process that closed its output may take to exit and to say why.
const LAST_WORDS: Duration = Duration::from_secs(2);

/// A conversation that has begun.
pub(super) struct Begun {
    pub(super) opened: Opened,
    pub(super) revision: Revision,
}

/// What the first two conversations showed.
pub(super) struct Found {
    /// Conversations that have begun, one a revision.
    pub(super) begun: Vec<Begun>,
    /// A version that the server offered in place of the one that was asked for.
    pub(super) offered: Option<Revision>,
    /// The legacy conversation that did not begin, and the revision that was asked for in it. Where nothing else begins
    /// either, it is what there is to judge.
    pub(super) refused: Option<Begun>,
    /// Whether `initialize` got an answer, if not the one that was hoped for.
    pub(super) legacy_spoke: bool,
    /// Whether all that came for it bears ids that were never sent: no valid answer.
    pub(super) misanswered: bool,
    /// Time from the start to the first valid answer.
    pub(super) startup: Duration,
    /// What came of those that did not begin.
    pub(super) reasons: Vec<String>,
}

/// Why nothing valid ever came.
pub(super) struct Unreachable {
    pub(super) why: String,
    /// The status of each POST that was refused, over HTTP.
    pub(super) statuses: Vec<u16>,
    /// An event stream that did not name an endpoint, over HTTP+SSE.
    pub(super) mute_stream: Option<Arc<Recorder>>,
}

enum Attempt {
    Begun(Opened),
    Failed { opened: Option<Opened>, why: Failure },
}

enum Failure {
    Open(OpenError),
    Handshake(HandshakeFailure),
}

async fn attempt(opener: &Opener, revision: Revision, purpose: &str) -> (Attempt, Duration) {
    let start = Instant::now();
    let outcome = match opener.open(purpose, Some(revision)).await {
        Err(error) => Attempt::Failed { opened: None, why: Failure::Open(error) },
        Ok(mut opened) => match opened.talk.begin(revision).await {
            Ok(()) => Attempt::Begun(opened),
            Err(failure) => Attempt::Failed { opened: Some(opened), why: Failure::Handshake(failure) },
        },
    };
    (outcome, start.elapsed())
}

/// Finds out which era a server speaks, over HTTP+SSE where it does not speak Streamable HTTP.
///
/// # Errors
/// What came of every attempt, for people.
pub(super) async fn anywhere(opener: Opener, wanted: &[Revision]) -> Result<(Opener, Found), String> {
    let (first, url) = match (discover(&opener, wanted).await, opener.binding()) {
        (Ok(found), _) => return Ok((opener, found)),
        (Err(first), Binding::Http(url)) => (first, url.clone()),
        (Err(first), _) => return Err(first.why),
    };
    let older = opener.over(Binding::HttpSse(url));
    match discover(&older, wanted).await {
        Ok(found) => Ok((older, found)),
        Err(second) => Err(format!("{} (as HTTP+SSE: {})", first.why, second.why)),
    }
}

/// The newest revision in which a conversation with a server begins, and how it is opened.
///
/// # Errors
/// Why none begins, for people.
#[cfg(feature = "proptest")]
pub(crate) async fn newest(opener: Opener, wanted: &[Revision]) -> Result<(Opener, Revision), String> {
    let (opener, found) = anywhere(opener, wanted).await?;
    let wants = |revision: &Revision| wanted.is_empty() || wanted.contains(revision);
    let begun = found.begun.iter().map(|begun| begun.revision).chain(found.offered);
    let newest = begun.filter(wants).max();
    let refused = found.refused.into_iter();
    for begun in found.begun.into_iter().chain(refused) {
        begun.opened.close().await;
    }
    newest.map(|revision| (opener, revision)).ok_or_else(|| match found.reasons.is_empty() {
        true => "the server speaks none of the wanted revisions".to_owned(),
        false => found.reasons.join("; "),
    })
}

/// Finds out which era a server speaks.
pub(super) async fn discover(opener: &Opener, wanted: &[Revision]) -> Result<Found, Unreachable> {
    let newest = Revision::V2025_11_25;
    // Both eras are tried whatever is wanted: a server of both is judged otherwise than a server of one.
    let legacy_wanted = || wanted.iter().copied().filter(|revision| revision.era() == Era::Legacy).max();
    let over_sse = matches!(opener.binding(), Binding::HttpSse(_));
    let first_legacy = if over_sse { Revision::V2024_11_05 } else { legacy_wanted().unwrap_or(newest) };
    let modern =
        async { if over_sse { None } else { Some(attempt(opener, Revision::V2026_07_28, "main").await) } };
    let legacy = async { Some(attempt(opener, first_legacy, "main").await) };
    let (modern, legacy) = both(modern, legacy).await;
    sort_out(modern.flatten(), legacy.flatten().map(|found| (found, Some(first_legacy)))).await
}

type Tried = (Attempt, Duration);

/// Waits for both, but for the second one only a while longer once the first has succeeded.
async fn both(
    modern: impl Future<Output = Option<Tried>>,
    legacy: impl Future<Output = Option<Tried>>,
) -> (Option<Option<Tried>>, Option<Option<Tried>>) {
    let (mut modern, mut legacy) = (std::pin::pin!(modern), std::pin::pin!(legacy));
    let patience = |tried: &Option<Tried>| match tried {
        Some((Attempt::Begun(_), took)) => Some(LATE.max(2 * *took)),
        _ => None,
    };
    tokio::select! {
        first = &mut modern => {
            let second = match patience(&first) {
                Some(wait) => tokio::time::timeout(wait, &mut legacy).await.ok(),
                None => Some(legacy.await),
            };
            (Some(first), second)
        }
        first = &mut legacy => {
            let second = match patience(&first) {
                Some(wait) => tokio::time::timeout(wait, &mut modern).await.ok(),
                None => Some(modern.await),
            };
            (second, Some(first))
        }
    }
}

async fn sort_out(
    modern: Option<Tried>,
    legacy: Option<(Tried, Option<Revision>)>,
) -> Result<Found, Unreachable> {
    let mut found = Found {
        begun: Vec::new(),
        offered: None,
        refused: None,
        legacy_spoke: false,
        misanswered: false,
        startup: Duration::MAX,
        reasons: Vec::new(),
    };
    let mut reasons = Vec::new();
    let mut over = Vec::new();
    // A modern conversation whose server named other versions than the one that it had accepted, or missed something
    // in a request that is complete.
    let mut other: Option<Begun> = None;
    let (mut spoke, mut legacy_spoke) = (false, false);
    let (mut statuses, mut mute_stream) = (Vec::new(), None);
    for (tried, revision) in
        [modern.map(|tried| (tried, Some(Revision::V2026_07_28))), legacy].into_iter().flatten()
    {
        let ((attempt, took), Some(revision)) = (tried, revision) else { continue };
        match attempt {
            Attempt::Begun(opened) => {
                found.startup = found.startup.min(took);
                found.begun.push(Begun { opened, revision });
            }
            Attempt::Failed { mut opened, why } => {
                if let Failure::Handshake(HandshakeFailure::OtherVersion(version)) = &why
                    && revision.era() == Era::Legacy
                {
                    found.offered = version.parse().ok();
                }
                let answered = match &why {
                    Failure::Handshake(HandshakeFailure::OtherVersion(_)) => true,
                    // A demand for a token comes from whoever guards the server, whatever its form, and what does not name
                    // the request may be anybody's word.
                    Failure::Handshake(HandshakeFailure::Refused(reply)) => {
                        let answers = matches!(reply, Reply::Result(_) | Reply::Error(_));
                        let otherwise = !answers && opened.as_mut().is_some_and(answered_otherwise);
                        found.misanswered |= otherwise && revision.era() == Era::Legacy;
                        (answers && reply.status() != Some(401)) || otherwise
                    }
                    Failure::Open(_) => false,
                };
                if answered {
                    spoke = true;
                    found.startup = found.startup.min(took);
                }
                if let (Failure::Handshake(HandshakeFailure::Refused(Reply::Gone(_))), Some(opened)) =
                    (&why, &mut opened)
                {
                    last_words(opened).await;
                }
                match &why {
                    Failure::Handshake(HandshakeFailure::Refused(reply)) => statuses.extend(reply.status()),
                    Failure::Open(OpenError::NoEndpoint { recorder, .. }) if is_stream(recorder) => {
                        mute_stream = Some(Arc::clone(recorder));
                    }
                    _ => {}
                }
                reasons.push(explain(&why, opened.as_ref()));
                match opened {
                    Some(opened) if revision.era() == Era::Legacy => {
                        legacy_spoke |= answered;
                        found.refused = Some(Begun { opened, revision });
                    }
                    Some(opened) if matches!(&why, Failure::Handshake(why) if is_modern(why)) => {
                        other = Some(Begun { opened, revision });
                    }
                    Some(opened) => over.push(opened),
                    None => {}
                }
            }
        }
    }
    match other {
        // No other version can be begun either: the one that was accepted is what there is to judge.
        Some(mut other) if found.begun.is_empty() && found.offered.is_none() => {
            other.opened.talk.speak_modern(other.revision);
            found.begun.push(other);
        }
        other => over.extend(other.map(|other| other.opened)),
    }
    futures_util::future::join_all(over.into_iter().map(Opened::close)).await;
    reasons.dedup();
    if !found.begun.is_empty() || found.offered.is_some() || spoke {
        found.legacy_spoke = legacy_spoke;
        found.reasons = reasons;
        return Ok(found);
    }
    if let Some(refused) = found.refused {
        refused.opened.close().await;
    }
    if reasons.len() > 1 {
        // That a process which is gone cannot be written to tells nothing beside why it is gone.
        reasons.retain(|reason: &String| !reason.starts_with("the message could not be written"));
    }
    Err(Unreachable { why: reasons.join("; "), statuses, mute_stream })
}

/// Whether a response came, only not one that names the request.
fn answered_otherwise(opened: &mut Opened) -> bool {
    let heard = opened.talk.heard_since(0);
    opened.talk.transport() == Transport::Stdio && heard.iter().any(|heard| heard.message.is_response())
}

/// Whether a refusal shows that the server speaks the modern era all the same.
pub(super) fn is_modern(why: &HandshakeFailure) -> bool {
    match why {
        HandshakeFailure::OtherVersion(_) => true,
        HandshakeFailure::Refused(reply) => matches!(reply.error_code(), Some(-32020 | -32021)),
    }
}

/// Whether a GET was answered with an event stream.
fn is_stream(recorder: &Recorder) -> bool {
    recorder.snapshot().iter().any(|record| match &record.event {
        Event::ResponseHead { status: 200, headers } => header(headers, "content-type")
            .is_some_and(|value| value.to_ascii_lowercase().starts_with("text/event-stream")),
        _ => false,
    })
}

/// The beginning of something that came in.
fn excerpt(bytes: &[u8]) -> String {
    const SHOWN: usize = 400;
    let cut = if bytes.len() > SHOWN { "…" } else { "" };
    format!("{}{cut}", String::from_utf8_lossy(&bytes[..bytes.len().min(SHOWN)]))
}

/// Waits for the exit of a process that is going: its last words and its exit code come a moment after the end of its
/// output.
async fn last_words(opened: &mut Opened) {
    let deadline = Instant::now() + LAST_WORDS;
    let exited = |opened: &Opened| {
        let records = opened.talk.recorder().snapshot();
        records.iter().any(|record| matches!(record.event, Event::ProcessExited { .. }))
    };
    while opened.talk.transport() == Transport::Stdio && !exited(opened) && Instant::now() < deadline {
        opened.talk.idle(Duration::from_millis(50)).await;
    }
}

/// What happened instead of a handshake, and what to do about it.
fn explain(why: &Failure, opened: Option<&Opened>) -> String {
    let mut text = match why {
        Failure::Open(error) => return error.to_string(),
        Failure::Handshake(HandshakeFailure::OtherVersion(version)) => {
            format!("the server offers only version `{version}`")
        }
        Failure::Handshake(HandshakeFailure::Refused(reply)) => match reply {
            Reply::Silence(waited) => format!(
                "no answer within {} s; if it starts slowly, raise --startup-timeout; if it buffers its output, make it flush",
                waited.as_secs()
            ),
            Reply::NoMessage(head) => match header(&head.headers, "location") {
                Some(location) if (300..400).contains(&head.status) => format!(
                    "HTTP {} redirects to {location}; redirects are not followed, use that URL",
                    head.status
                ),
                _ => format!(
                    "HTTP {} without a JSON-RPC message; is this the URL of the MCP endpoint?",
                    head.status
                ),
            },
            other => other.describe(),
        },
    };
    let Some(opened) = opened else { return text };
    let recorder = opened.talk.recorder();
    let exit = recorder.snapshot().iter().find_map(|record| match &record.event {
        Event::ProcessExited { code: Some(code), .. } => Some(format!("the process exited with code {code}")),
        Event::ProcessExited { signal: Some(signal), .. } => {
            Some(format!("the process was ended by signal {signal}"))
        }
        _ => None,
    });
    text = exit.unwrap_or(text);
    let mut stderr = Vec::new();
    let mut garbage = None;
    let mut other = None;
    for record in recorder.snapshot() {
        match &record.event {
            Event::Stderr(bytes) => stderr.extend_from_slice(bytes),
            Event::Received { payload, .. } if payload.message().is_none() => {
                garbage.get_or_insert_with(|| excerpt(payload.bytes()));
            }
            Event::Received { payload, .. } => {
                other.get_or_insert_with(|| excerpt(payload.bytes()));
            }
            _ => {}
        }
    }
    let shorten = |text: &str| {
        let lines: Vec<&str> = text.lines().rev().take(8).collect();
        let tail: String = lines.into_iter().rev().collect::<Vec<_>>().join("\n");
        let skip = tail.chars().count().saturating_sub(1500);
        tail.chars().skip(skip).collect::<String>()
    };
    if let Some(garbage) = garbage {
        text.push_str(&format!("\nits output began with what is no MCP message: {}", shorten(&garbage)));
    }
    if let Some(other) =
        other.filter(|_| !matches!(why, Failure::Handshake(HandshakeFailure::OtherVersion(_))))
    {
        text.push_str(&format!("\nthe first message that it sent: {}", shorten(&other)));
    }
    let stderr = String::from_utf8_lossy(&stderr);
    if !stderr.trim().is_empty() {
        text.push_str(&format!("\nits standard error said:\n{}", shorten(stderr.trim_end())));
    }
    recorder.redact(&text)
}
