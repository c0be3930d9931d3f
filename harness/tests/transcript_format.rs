//! What the recorder writes is what `reports/schema/transcript-v1.schema.json` says, with secrets replaced.

#![allow(clippy::unwrap_used, reason = "a test may fail by panicking")]

use bytes::Bytes;
use mcprove::protocol::{Revision, Transport};
use mcprove::transcript::{About, Budget, Recorder, Redactor, Transcript};
use mcprove::wire::{Channel, Deliberate, End, Event, Observer, Payload, ShutdownStep, SseFields, Taint};

fn every_kind_of_event() -> Vec<Event> {
    let headers = vec![("Mcp-Session-Id".to_owned(), "0123456789abcdef".to_owned())];
    let sse = SseFields {
        event: Some("message".into()),
        id: Some("1".into()),
        retry: Some(10),
        comment: None,
        has_data: true,
    };
    vec![
        Event::ProcessStarted { pid: 4711, command: vec!["server".into()] },
        Event::RequestHead {
            method: "POST".into(),
            url: "http://127.0.0.1/mcp".into(),
            headers: headers.clone(),
            deliberate: Some(Deliberate { by: "probe".into(), taints: Taint::Message }),
        },
        Event::Sent {
            payload: Payload::read(r#"{"jsonrpc":"2.0","id":1,"method":"ping"}"#),
            deliberate: None,
        },
        Event::Sent {
            payload: Payload::read("{\n}"),
            deliberate: Some(Deliberate { by: "probe".into(), taints: Taint::Conversation }),
        },
        Event::Sent { payload: Payload::read("no JSON"), deliberate: None },
        Event::ResponseHead { status: 200, headers },
        Event::Received { payload: Payload::read(r#"{"s":"\ud800"}"#), sse: Some(sse.clone()) },
        Event::Received { payload: Payload::read(vec![0xff, 0x00]), sse: None },
        Event::Received {
            payload: Payload::Raw { bytes: Bytes::from_static(b"cut"), error: None, truncated: true },
            sse: None,
        },
        Event::Received { payload: Payload::read(r#"{"session":"0123456789abcdef"}"#), sse: None },
        Event::SseOther(sse),
        Event::ResponseEnded(End::Complete),
        Event::ResponseEnded(End::Malformed("why".into())),
        Event::Stderr(Bytes::from_static(b"text")),
        Event::Stderr(Bytes::from_static(&[0xff])),
        Event::WriteFailed("why".into()),
        Event::ConnectFailed("why".into()),
        Event::Flooded { bytes: 1 },
        Event::Lost { events: 1, bytes: 2, reason: "why".into() },
        Event::Note("probe x".into()),
        Event::StdinClosed,
        Event::StdoutClosed,
        Event::ProcessExited { code: Some(0), signal: None, after: ShutdownStep::StdinClosed },
        Event::ProcessExited { code: None, signal: Some(9), after: ShutdownStep::Sigkill },
    ]
}

#[test]
fn every_line_fits_the_schema_and_reads_back() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("t.transcript.jsonl");
    let about = About {
        revision: Some(Revision::V2026_07_28),
        transport: Transport::Http,
        purpose: "test".into(),
        target: "http://127.0.0.1/mcp".into(),
    };
    let recorder = Recorder::new(about, Some(&path), Redactor::default(), Budget::default(), None);
    for event in every_kind_of_event() {
        let _ = recorder.observe(Channel(1), event);
    }
    recorder.close();
    let text = std::fs::read_to_string(&path).unwrap();
    let schema =
        serde_json::from_str(include_str!("../../reports/schema/transcript-v1.schema.json")).unwrap();
    let schema = jsonschema::options().offline().build(&schema).unwrap();
    let mut kinds = std::collections::BTreeSet::new();
    for line in text.lines() {
        let value = mcprove::protocol::json::parse(line.as_bytes()).unwrap().value;
        let errors: Vec<String> = schema.iter_errors(&value).map(|error| error.to_string()).collect();
        assert!(errors.is_empty(), "{line}\n{errors:?}");
        kinds.extend(value["event"].as_str().map(str::to_owned));
    }
    assert_eq!(kinds.len(), 17, "every kind of event and the end: {kinds:?}");
    assert!(!text.contains("0123456789abcdef"), "the session id is in the file");

    let read = Transcript::read(text.as_bytes()).unwrap();
    assert!(!read.truncated);
    assert_eq!(read.records.len(), every_kind_of_event().len());
}

/// Past the budget the recorder tells the reader to stop, and memory stays bounded.
#[test]
fn a_flood_is_stopped_by_the_budget() {
    let about =
        About { revision: None, transport: Transport::Stdio, purpose: "t".into(), target: "t".into() };
    let budget = Budget::new(10_000, 1_000_000);
    let recorder = Recorder::new(about, None, Redactor::default(), budget, None);
    let line = Event::Received { payload: Payload::read("x".repeat(1000)), sse: None };
    let flows: Vec<_> = (0..50).map(|_| recorder.observe(Channel::PROCESS, line.clone())).collect();
    assert_eq!(flows[0], mcprove::wire::Flow::Continue);
    assert_eq!(flows[49], mcprove::wire::Flow::Stop);
    assert!(recorder.len() < 12);
    // What ends things is still recorded.
    let _ = recorder.observe(Channel::PROCESS, Event::StdoutClosed);
    assert_eq!(recorder.snapshot().last().unwrap().event, Event::StdoutClosed);
}
