//! Faults of the handshake.

use serde_json::{Value, json};

use crate::faults::Duty;
use crate::faults::fault::{ANY, Fault, LEGACY, STDIO, V2025_11, fault};
use crate::faults::hook::Hook::{Input, Intercept, Neglect, Response, Result};
use crate::faults::hook::Input::{Exit, Pass};
use crate::faults::hook::Instead;
use crate::message::INVALID_PARAMS;
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
    .also_seen(&["lifecycle.initialize.answered"])
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
];
