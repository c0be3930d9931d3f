//! Several GET streams of one session (2025-03-26 to 2025-11-25, basic/transports#multiple-connections).

use super::Solo;
use super::call::{Call, tool_calls};
use super::lists::declares;
use super::probe::probes;
use crate::client::{Conversation, Heard, HttpHead, Outgoing, Ticket};
use crate::monitors::Breach;
use serde_json::json;
use std::time::Duration;
use tokio::time::Instant;

/// The most tools that are called.
const TOOLS: usize = 40;
/// The most resources whose updates are asked for.
const RESOURCES: usize = 8;
/// How long their answers are waited for.
const PATIENCE: Duration = Duration::from_secs(2);
/// How long after the last answer what goes with it is waited for.
const BESIDE: Duration = Duration::from_millis(300);

probes! {
    /// Opens two event streams of one session by GET, asks for log messages and for updates of resources, and calls the
    /// tools that may be called, two times. What the server says by itself comes on one of the two: a client that hears a
    /// message on both handles it twice. Because two like changes may well be told one on each, it counts only where all
    /// that came on one stream came on the other, too, both times. A server that has no second stream is not judged.
    what_is_told_comes_on_one_get_stream (Alone, Legacy, Http) decides ["http.sse.no-broadcast"];
}

async fn what_is_told_comes_on_one_get_stream(solo: &mut Solo<'_>) {
    const ID: &str = "http.sse.no-broadcast";
    let known = solo.known().await;
    let Some(mut opened) = solo.begin(solo.revision, &[ID]).await else { return };
    solo.judge.about(opened.talk.recorder());
    let talk = &mut opened.talk;
    // The first is opened by every client.
    let first = talk.listening();
    let streams: Vec<Ticket> =
        first.into_iter().chain([talk.get_stream(None, &Outgoing::bytes(""))]).collect();
    for stream in &streams {
        let head = talk.head(stream).await;
        if streams.len() < 2 || !head.as_ref().is_ok_and(HttpHead::is_event_stream) {
            let status = head.map_or(0, |head| head.status);
            let text = format!("a GET for one of two event streams was answered with HTTP {status}");
            solo.judge.undecided(ID, "one-stream", text);
            return solo.close(opened).await;
        }
    }
    if declares(talk, "logging") {
        talk.request("logging/setLevel", json!({"level": "debug"})).await;
    }
    if declares(talk, "resources/subscribe") {
        let uris = known.offer.resources.iter().filter_map(|resource| resource.get("uri")?.as_str());
        for uri in uris.take(RESOURCES) {
            talk.request("resources/subscribe", json!({"uri": uri})).await;
        }
    }
    let calls = tool_calls(talk, &known.offer, solo.settings).await;
    let first = on_each(talk, &calls, &streams).await;
    let told = first.iter().any(|heard| !heard.is_empty());
    if same(&first)
        && same(&on_each(talk, &calls, &streams).await)
        && let [.., heard] = first.as_slice()
    {
        let text = "what the server says by itself came on both GET streams of a session";
        let breach = Breach::new("both", text).expected(&["each message on one stream"]);
        let actual = format!("{} on both", messages(heard.len()));
        solo.judge.broke(ID, breach.actual(actual).at(&heard[0].record).sent(streams[0].since));
    }
    if told {
        solo.judge.held(ID);
    } else {
        solo.judge.undecided(ID, "nothing-told", "nothing was told on two GET streams of a session");
    }
    solo.close(opened).await;
}

fn messages(count: usize) -> String {
    format!("{count} message{}", if count == 1 { "" } else { "s" })
}

/// What came on each stream with calls of tools, all at once.
async fn on_each(talk: &mut Conversation, calls: &[Call], streams: &[Ticket]) -> Vec<Vec<Heard>> {
    let since = talk.now();
    let deadline = Instant::now() + PATIENCE;
    let mut tickets = Vec::new();
    for call in calls.iter().take(TOOLS) {
        let outgoing = call.compose(talk, None);
        tickets.push(talk.send(outgoing).await);
    }
    for ticket in &tickets {
        talk.reply_within(ticket, deadline.saturating_duration_since(Instant::now())).await;
    }
    talk.idle(BESIDE).await;
    let heard = talk.heard_since(since);
    let on = |stream: &Ticket| {
        heard.iter().filter(|heard| heard.record.channel == stream.channel).cloned().collect()
    };
    streams.iter().map(on).collect()
}

/// Whether the same messages came on every stream, and some did.
fn same(streams: &[Vec<Heard>]) -> bool {
    let texts = |heard: &Vec<Heard>| -> Vec<String> {
        let mut texts: Vec<String> = heard.iter().map(|heard| heard.message.text().to_owned()).collect();
        texts.sort();
        texts
    };
    let mut all = streams.iter().map(texts);
    all.next().is_some_and(|first| !first.is_empty() && all.all(|other| other == first))
}
