//! Faults of `ping`.

use crate::faults::edit::put;
use crate::faults::fault::{Fault, LEGACY, STDIO, V2025_11, fault};
use crate::faults::hook::Hook::{Intercept, Response, Result};
use crate::faults::hook::Instead;
use crate::message::{INVALID_PARAMS, METHOD_NOT_FOUND};

pub(super) const FAULTS: &[Fault] = &[
    fault(
        "ping.answered/never",
        "A ping gets no answer (https://github.com/NousResearch/hermes-agent/issues/97245).",
        &[Intercept(|asked| asked.is("ping").then_some(Instead::Never))],
    )
    .also_seen(&["lifecycle.pre-init.ping-answered"])
    .within(LEGACY)
    .over(STDIO),
    fault(
        "ping.answered/unknown-method",
        "The method ping is not there.",
        &[Intercept(|asked| asked.is("ping").then(|| Instead::error(METHOD_NOT_FOUND, "Method not found")))],
    )
    .also_seen(&["lifecycle.shutdown.http-close-harmless"])
    .breaking(&["base.protocol.core-supported"])
    .within(LEGACY),
    fault(
        "ping.empty-result/pong",
        "The answer to a ping has something in it.",
        &[Result("ping", |_, result| put(result, &["pong"], true))],
    )
    .within(LEGACY),
    fault(
        "ping.not-excessive/often",
        "Every answer comes with a ping.",
        &[Response(|asked, text| {
            let number = asked.memory.count();
            format!("{text}\n{{\"jsonrpc\":\"2.0\",\"id\":\"p{number}\",\"method\":\"ping\"}}")
        })],
    )
    .also_seen(&["base.batch.received", "base.encoding.valid-json"])
    .within(LEGACY)
    .over(STDIO),
    fault(
        "ping.params-tolerated/refused",
        "A ping with params is refused.",
        &[Intercept(|asked| {
            let refused = asked.is("ping") && !asked.params.is_empty();
            refused.then(|| Instead::error(INVALID_PARAMS, "Invalid params: ping has none"))
        })],
    )
    .also_seen(&["progress.token.accepted"])
    .breaking(&["ping.answered"])
    .within(V2025_11)
    .over(STDIO),
];
