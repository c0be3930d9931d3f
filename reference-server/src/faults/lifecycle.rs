//! Faults of the handshake.

use std::time::Duration;

use serde_json::{Value, json};

use crate::faults::Duty;
use crate::faults::fault::{ANY, Fault, LEGACY, STDIO, V2025_11, fault};
use crate::faults::hook::Hook::{Input, Intercept, Neglect, Response, Result, Unasked};
use crate::faults::hook::Input::{Drop, Exit, Pass};
use crate::faults::hook::Instead;
use crate::message::{INVALID_PARAMS, INVALID_REQUEST};
use crate::revision::Revision;

pub(super) const FAULTS: &[Fault] = &[
    fault(
        "lifecycle.initialize.repeat-refused/accepted",
        "A second initialize is agreed to (https://github.com/modelcontextprotocol/java-sdk/issues/962).",
        &[Neglect(Duty::InitializeOnce)],
    )
    .within(LEGACY),
    fault(
        "lifecycle.initialize.result-protocol-version/left-out",
        "The answer to initialize names no version.",
        &[Result("initialize", |_, result| {
            result.remove("protocolVersion");
        })],
    )
    .within(V2025_11),
    fault(
        "lifecycle.initialize.client-info-extras-tolerated/refused",
        "Members of clientInfo beyond name and version are refused.",
        &[Intercept(|asked| {
            let client =
                asked.params.get("clientInfo").and_then(Value::as_object).filter(|_| asked.is("initialize"));
            let more = client.is_some_and(|client| client.len() > 2);
            more.then(|| Instead::error(INVALID_PARAMS, "Invalid params: clientInfo has an unknown member"))
        })],
    )
    .breaking(&["lifecycle.initialize.answered"])
    .within(LEGACY),
    fault(
        "lifecycle.pre-init.request-answered/dropped",
        "What comes before initialize is thrown away.",
        &[Intercept(|asked| {
            if asked.is("initialize") {
                asked.memory.keep(json!(true));
            }
            asked.memory.kept().is_none().then_some(Instead::Never)
        })],
    )
    .breaking(&["lifecycle.pre-init.ping-answered"])
    .warning_in(ANY)
    .within(LEGACY)
    .over(STDIO),
    fault(
        "lifecycle.pre-init.no-server-requests/asks",
        "The server asks for roots before it is told that the client is ready.",
        &[Response(|asked, text| {
            if asked.is("initialize") {
                format!("{text}\n{{\"jsonrpc\":\"2.0\",\"id\":\"early\",\"method\":\"roots/list\"}}")
            } else {
                text
            }
        })],
    )
    .also_seen(&["base.request.id-unique", "capabilities.client.only-declared-used"])
    .within(LEGACY)
    .over(STDIO),
    fault(
        "lifecycle.errors.handled/dies-of-version",
        "A version that is not known ends the process.",
        &[Input(|_, bytes| {
            let request = serde_json::from_slice::<Value>(bytes).unwrap_or_default();
            let version = request.pointer("/params/protocolVersion").and_then(Value::as_str);
            if version.is_some_and(|version| Revision::parse(version).is_none()) { Exit(3) } else { Pass }
        })],
    )
    .also_seen(&["versioning.initialize.counter-offer"])
    .within(LEGACY)
    .over(STDIO),
    fault(
        "lifecycle.initialize.first/lists-changed",
        "The server tells of changes before anybody has said a word.",
        &[Unasked {
            at_once: true,
            every: Duration::from_secs(3600),
            message: r#"{"jsonrpc":"2.0","method":"notifications/tools/list_changed"}"#,
        }],
    )
    .within(V2025_11)
    .over(STDIO),
    fault(
        "lifecycle.initialize.initialized-accepted/params",
        "After `notifications/initialized` with params a session does not work.",
        &[
            Input(|memory, bytes| {
                let message = serde_json::from_slice::<Value>(bytes).unwrap_or_default();
                if message["method"] == "notifications/initialized" && message["params"].is_object() {
                    memory.keep(json!(true));
                }
                Pass
            }),
            Intercept(|asked| {
                let refused = asked.is("ping") && asked.memory.kept().is_some();
                refused.then(|| Instead::error(INVALID_REQUEST, "Invalid request: not initialized"))
            }),
        ],
    )
    .also_seen(&["ping.answered"])
    .within(V2025_11)
    .over(STDIO),
    fault(
        "lifecycle.pre-init.ping-answered/spoils",
        "A request between `initialize` and `notifications/initialized` spoils the handshake (https://github.com/modelcontextprotocol/rust-sdk/issues/613).",
        &[Input(|memory, bytes| {
            let message = serde_json::from_slice::<Value>(bytes).unwrap_or_default();
            let state = memory.kept().unwrap_or_default();
            match message["method"].as_str() {
                Some("initialize") => {
                    memory.keep(json!("negotiated"));
                    Pass
                }
                Some("notifications/initialized") if state == "negotiated" => {
                    memory.keep(json!("open"));
                    Pass
                }
                Some(_) if state == "negotiated" => {
                    memory.keep(json!("spoiled"));
                    Drop
                }
                _ if state == "spoiled" => Drop,
                _ => Pass,
            }
        })],
    )
    .also_seen(&["lifecycle.initialize.initialized-accepted"])
    .within(V2025_11)
    .over(STDIO),
];
