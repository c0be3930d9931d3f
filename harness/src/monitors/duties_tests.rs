//! The duties of clients, in scripted conversations.

use super::Overhearing;
use crate::protocol::{Revision, Transport};
use crate::transcript::{About, Record};
use crate::wire::{Channel, Event, Payload};
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::Duration;

/// What a client sent (`true`) and a server answered.
fn judged(lines: &[(bool, Value)]) -> (Vec<&'static str>, Vec<&'static str>) {
    let about =
        About { revision: None, transport: Transport::Stdio, purpose: String::new(), target: String::new() };
    let mut hearing = Overhearing::new(&about);
    for (seq, (sent, message)) in lines.iter().enumerate() {
        let bytes = match message {
            Value::String(text) => text.clone().into_bytes(),
            other => other.to_string().into_bytes(),
        };
        let payload = Payload::read(bytes);
        let event = match sent {
            true => Event::Sent { payload, deliberate: None },
            false => Event::Received { payload, sse: None },
        };
        let at = Duration::from_millis(seq as u64);
        hearing.hear(&Arc::new(Record { seq: seq as u64, at, channel: Channel::PROCESS, event }));
    }
    let overheard = hearing.finish(false);
    let session = &overheard.sessions[0];
    let broken = |judge: &super::Judge| judge.broken().map(|(id, _)| id).collect();
    (broken(&session.client), broken(&session.server))
}

fn handshake() -> Vec<(bool, Value)> {
    vec![
        (
            true,
            json!({"jsonrpc": "2.0", "id": 0, "method": "initialize", "params": {
            "protocolVersion": "2025-11-25", "capabilities": {"roots": {}}, "clientInfo": {"name": "c", "version": "1"}}}),
        ),
        (
            false,
            json!({"jsonrpc": "2.0", "id": 0, "result": {
            "protocolVersion": "2025-11-25", "capabilities": {}, "serverInfo": {"name": "s", "version": "1"}}}),
        ),
        (true, json!({"jsonrpc": "2.0", "method": "notifications/initialized"})),
    ]
}

fn after_handshake(more: &[(bool, Value)]) -> (Vec<&'static str>, Vec<&'static str>) {
    judged(&[handshake(), more.to_vec()].concat())
}

#[test]
fn a_good_client_breaks_nothing() {
    let (client, server) = after_handshake(&[
        (true, json!({"jsonrpc": "2.0", "id": 1, "method": "ping"})),
        (false, json!({"jsonrpc": "2.0", "id": 1, "result": {}})),
        (false, json!({"jsonrpc": "2.0", "id": "a", "method": "roots/list"})),
        (true, json!({"jsonrpc": "2.0", "id": "a", "result": {"roots": []}})),
        (false, json!({"jsonrpc": "2.0", "id": "b", "method": "ping"})),
        (true, json!({"jsonrpc": "2.0", "id": "b", "result": {}})),
    ]);
    assert_eq!((client, server), (vec![], vec![]));
}

#[test]
fn each_duty_can_be_broken() {
    let ping = |id: Value| json!({"jsonrpc": "2.0", "id": id, "method": "ping"});
    let cases: [(&str, Vec<(bool, Value)>); 12] = [
        ("client.base.request-id", vec![(true, ping(Value::Null))]),
        ("client.base.request-id-unique", vec![(true, ping(json!(0)))]),
        ("client.base.valid-messages", vec![(true, json!("no JSON"))]),
        ("client.base.valid-messages", vec![(true, json!({"id": 7, "method": "ping"}))]),
        ("client.base.batch-not-sent", vec![(true, json!([ping(json!(7))]))]),
        (
            "client.base.notification-no-id",
            vec![(true, json!({"jsonrpc": "2.0", "id": 7, "method": "notifications/initialized"}))],
        ),
        (
            "client.base.server-request-answered",
            vec![(true, json!({"jsonrpc": "2.0", "id": 7, "result": {}}))],
        ),
        (
            "client.progress.token",
            vec![(
                true,
                json!({"jsonrpc": "2.0", "id": 7, "method": "ping", "params": {"_meta": {"progressToken": 1.5}}}),
            )],
        ),
        (
            "client.capabilities.honest",
            vec![
                (false, json!({"jsonrpc": "2.0", "id": 7, "method": "roots/list"})),
                (true, json!({"jsonrpc": "2.0", "id": 7, "error": {"code": -32601, "message": "no"}})),
            ],
        ),
        (
            "client.ping.answered",
            vec![
                (false, json!({"jsonrpc": "2.0", "id": 7, "method": "ping"})),
                (true, json!({"jsonrpc": "2.0", "id": 7, "error": {"code": -32601, "message": "no"}})),
            ],
        ),
        (
            "client.base.server-request-answered",
            vec![
                (false, json!({"jsonrpc": "2.0", "id": 7, "method": "ping"})),
                (true, json!({"jsonrpc": "2.0", "id": 7, "result": {}})),
                (true, json!({"jsonrpc": "2.0", "id": 7, "result": {}})),
            ],
        ),
        ("client.base.valid-messages", vec![(true, json!(3))]),
    ];
    for (duty, more) in cases {
        let (client, _) = after_handshake(&more);
        assert_eq!(client, [duty], "{more:?}");
    }
    let early = [(true, json!({"jsonrpc": "2.0", "id": 1, "method": "tools/list"}))];
    assert_eq!(judged(&early).0, ["client.lifecycle.initialize-first"]);
    let eager = [handshake()[..2].to_vec(), early.to_vec()].concat();
    assert_eq!(judged(&eager).0, ["client.lifecycle.initialized-sent"]);
    let hasty = [handshake()[..1].to_vec(), early.to_vec()].concat();
    assert_eq!(judged(&hasty).0, ["client.lifecycle.no-early-requests"]);
    let modern = super::testing::modern(1, "tools/list", json!({}));
    let mut bare = modern.clone();
    let meta = bare.pointer_mut("/params/_meta").and_then(Value::as_object_mut).unwrap();
    meta.retain(|name, _| name.ends_with("protocolVersion"));
    assert_eq!(judged(&[(true, modern)]).0, Vec::<&str>::new());
    assert_eq!(judged(&[(true, bare)]).0, ["client.meta.client-info", "client.meta.request-metadata"]);
    assert!(Revision::ALL.iter().all(|revision| {
        crate::protocol::catalogue::duties().iter().any(|duty| duty.level(*revision).is_some())
    }));
}
