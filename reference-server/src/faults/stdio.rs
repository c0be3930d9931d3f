//! Faults of STDIO.

use serde_json::Value;

use crate::faults::Duty;
use crate::faults::fault::{ANY, Fault, MODERN, STDIO, fault};
use crate::faults::hook::Hook::{Line, Neglect};

pub(super) const FAULTS: &[Fault] = &[
    fault(
        "stdio.stdout-only-messages/banner",
        "A greeting precedes the first message (https://github.com/AgentDeskAI/browser-tools-mcp/issues/239).",
        &[Line(|memory, line| {
            if memory.count() == 0 { [b"Server is running on stdio\n", &*line].concat() } else { line }
        })],
    )
    .over(STDIO),
    fault(
        "stdio.stdout-only-messages/log-lines",
        "A line of a log precedes each message (https://github.com/0xKoda/WireMCP/issues/25).",
        &[Line(|_, line| [b"[info] answering\n", &*line].concat())],
    )
    .over(STDIO),
    fault(
        "stdio.newline-delimited/pretty",
        "Lists of tools are indented over several lines.",
        &[Line(|_, line| match serde_json::from_slice::<Value>(&line) {
            Ok(message) if message.pointer("/result/tools").is_some() => format!("{message:#}\n").into_bytes(),
            _ => line,
        })],
    )
    .also_seen(&["stdio.no-embedded-newline"])
    .over(STDIO),
    fault(
        "stdio.newline-delimited/crlf",
        "Lines end as on Windows.",
        &[Line(|_, line| [line.trim_ascii_end(), b"\r\n"].concat())],
    )
    .warning_in(ANY)
    .within(MODERN)
    .over(STDIO),
    fault(
        "stdio.exit-on-eof/stays",
        "The process stays when its input has ended (https://github.com/codefuturist/email-mcp/issues/60).",
        &[Neglect(Duty::ExitAtEndOfInput)],
    )
    .over(STDIO),
];
