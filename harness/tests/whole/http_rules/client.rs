//! The client's own duties in a legacy session over HTTP: it listens, answers, takes streams up again, says goodbye.

use super::legacy::Events;
use super::proxy::{self, Fate, Request, Twist};
use mcprove::client::{Binding, Conversation, Opening, Reply, Timeouts};
use mcprove::protocol::{Revision, Transport};
use mcprove::transcript::{About, Budget, Record, Recorder, Redactor};
use mcprove::wire::{Event, HttpConfig, Limits, header};
use mcprove_reference_server::Config;
use serde_json::json;
use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::time::Duration;

async fn begin(twist: impl Twist) -> Conversation {
    let address = proxy::serve(Config::default(), Arc::new(twist));
    let about = About {
        revision: Some(Revision::V2025_11_25),
        transport: Transport::Http,
        purpose: "test".to_owned(),
        target: address.to_string(),
    };
    let recorder = Recorder::new(about, None, Redactor::default(), Budget::default(), None);
    let binding = Binding::Http(format!("http://{address}/mcp").parse().unwrap());
    let opening = Opening {
        limits: Limits::default(),
        timeouts: Timeouts { request: Duration::from_secs(5), ..Timeouts::default() },
        headers: Vec::new(),
        http: HttpConfig::default(),
        pace: None,
    };
    let mut talk = Conversation::open(&binding, &opening, Arc::new(recorder)).await.unwrap();
    talk.begin(Revision::V2025_11_25).await.unwrap();
    talk
}

/// The requests of a conversation: method, `Last-Event-ID`, and when.
fn requests(records: &[Arc<Record>], method: &str) -> Vec<(Option<String>, Duration)> {
    let heads = records.iter().filter_map(|record| match &record.event {
        Event::RequestHead { method: own, headers, .. } if own == method => {
            Some((header(headers, "last-event-id").map(str::to_owned), record.at))
        }
        _ => None,
    });
    heads.collect()
}

#[tokio::test]
async fn a_closed_stream_is_taken_up_again_until_the_response() {
    // Every stream of a call ends after one message, and asks for a pause.
    let polling = Events(|request: &Request, _, event: &str| {
        let listening = request.method == "GET" && request.get("last-event-id").is_none();
        if listening || !event.contains("data: ") {
            return Fate::unchanged(event);
        }
        Fate::Cut(vec![format!("retry: 60\n{event}")])
    });
    let mut talk = begin(polling).await;
    let params = json!({"name": "countdown", "arguments": {"from": 2}, "_meta": {"progressToken": "t"}});
    let reply = talk.request("tools/call", params).await;
    assert!(matches!(reply, Reply::Result(_)), "{}", reply.describe());
    let records = talk.recorder().snapshot();
    let resumed: Vec<_> =
        requests(&records, "GET").into_iter().filter(|(last_event_id, _)| last_event_id.is_some()).collect();
    assert!(resumed.len() >= 2, "{resumed:?}");
    for pair in resumed.windows(2) {
        assert!(pair[0].0 != pair[1].0, "the same event twice: {pair:?}");
        assert!(pair[1].1 >= pair[0].1 + Duration::from_millis(60), "came back too early: {pair:?}");
    }
    talk.close().await;
}

/// Asks for something on the GET stream.
struct Asking(Mutex<VecDeque<String>>);

impl Twist for Asking {
    fn injected(&self) -> Option<&Mutex<VecDeque<String>>> {
        Some(&self.0)
    }
}

#[tokio::test]
async fn what_is_asked_on_the_get_stream_is_answered() {
    let ask = r#"data: {"jsonrpc":"2.0","id":"from-the-server","method":"roots/list"}"#;
    let mut talk = begin(Asking(Mutex::new(VecDeque::from([ask.to_owned()])))).await;
    talk.idle(Duration::from_millis(300)).await;
    let records = talk.recorder().snapshot();
    let answer = records.iter().find_map(|record| match &record.event {
        Event::Sent { payload, .. } => payload.message().filter(|message| message.is_response()).cloned(),
        _ => None,
    });
    let answer = answer.expect("an answer was sent");
    assert_eq!(answer.id().unwrap().as_json(), "\"from-the-server\"");
    assert!(answer.result().unwrap()["roots"].is_array());
    talk.close().await;
}

#[tokio::test]
async fn a_closed_get_stream_is_opened_again_and_the_session_ended_at_last() {
    let closing = Events(|request: &Request, _, event: &str| {
        let first = request.method == "GET" && request.get("last-event-id").is_none();
        if first { Fate::Cut(vec![format!("{event}\nretry: 60")]) } else { Fate::unchanged(event) }
    });
    let mut talk = begin(closing).await;
    talk.idle(Duration::from_millis(400)).await;
    let recorder = Arc::clone(talk.recorder());
    assert_eq!(requests(&recorder.snapshot(), "GET").len(), 2);
    let closed = talk.close().await;
    assert_eq!(closed.deleted.unwrap().status(), Some(204));
    let records = recorder.snapshot();
    let deleted = requests(&records, "DELETE");
    assert_eq!(deleted.len(), 1);
    let all_heads: Vec<_> = records
        .iter()
        .filter_map(|record| match &record.event {
            Event::RequestHead { method, headers, .. } => Some((method.as_str(), headers)),
            _ => None,
        })
        .collect();
    for (method, headers) in &all_heads[1..] {
        assert!(header(headers, "mcp-session-id").is_some(), "{method} has no session id");
        assert_eq!(header(headers, "mcp-protocol-version"), Some("2025-11-25"), "{method}");
    }
}
