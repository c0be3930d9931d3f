//! Faults of STDIO.

use std::io::Write;
use std::time::Duration;

use serde_json::{Value, json};

use crate::faults::Duty;
use crate::faults::fault::{ANY, Fault, MODERN, STDIO, V2025_11, fault};
use crate::faults::hook::Hook::{Input, Last, Line, Neglect, Unasked};
use crate::faults::hook::Input::{Changed, Pass};

/// Bytes of an answer that a buffer keeps back.
const LARGE: usize = 16 << 10;

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
    .also_seen(&["base.response.always-sent", "capabilities.server.declared-works"])
    .breaking(&["stdio.no-embedded-newline"])
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
    fault(
        "stdio.exit-on-sigterm/deaf",
        "The process stays when its input has ended, and SIGTERM does not end it either.",
        &[Neglect(Duty::ExitAtEndOfInput), Neglect(Duty::EndOnSigterm)],
    )
    .breaking(&["stdio.exit-on-eof"])
    .within(V2025_11)
    .over(STDIO),
    fault(
        "stdio.newline-delimited/content-length",
        "Messages are framed by Content-Length (https://github.com/paiml/rust-mcp-sdk/issues/158).",
        &[Line(|_, line| [format!("Content-Length: {}\r\n\r\n", line.len()).as_bytes(), &*line].concat())],
    )
    .within(V2025_11)
    .over(STDIO),
    fault(
        "stdio.output-flushed/large-held-back",
        "Large answers stay in a buffer until the end (https://github.com/modelcontextprotocol/csharp-sdk/pull/942).",
        &[
            Line(|memory, line| {
                if line.len() < LARGE {
                    return line;
                }
                let before = memory.kept().and_then(|kept| Some(kept.as_str()?.to_owned())).unwrap_or_default();
                memory.keep(json!(before + &String::from_utf8_lossy(&line)));
                Vec::new()
            }),
            Last(|memory| memory.kept().and_then(|kept| Some(kept.as_str()?.as_bytes().to_vec())).unwrap_or_default()),
        ],
    )
    .breaking(&["stdio.reads-stdin-writes-stdout"])
    .also_seen(&["base.response.always-sent", "robustness.long-strings", "tools.list.answered"])
    .within(V2025_11)
    .over(STDIO),
    fault(
        "stdio.message-kinds/heartbeat",
        "The server sends log messages while nothing is asked.",
        &[Unasked {
            at_once: false,
            every: Duration::from_millis(200),
            message: r#"{"jsonrpc":"2.0","method":"notifications/message","params":{"level":"info","data":"alive"}}"#,
        }],
    )
    .also_seen(&["logging.level.none-without", "logging.message.before-response"])
    .within(MODERN)
    .over(STDIO),
    fault(
        "stdio.input-chunking-irrelevant/reads",
        "What a read brings is taken for whole lines.",
        &[Neglect(Duty::LinesJoined)],
    )
    .also_seen(&[
        "base.response.always-sent",
        "robustness.long-strings",
        "robustness.request.no-hang",
        "robustness.stdio.late-reader",
    ])
    .within(V2025_11)
    .over(STDIO),
    fault(
        "stdio.stderr-utf8/latin1",
        "Standard error is written in ISO 8859-1.",
        &[Line(|_, line| {
            // Whoever closed it need not read it.
            let _ = std::io::stderr().write_all(b"gr\xfc\xdfe\n");
            line
        })],
    )
    .warning_in(ANY)
    .within(V2025_11)
    .over(STDIO),
    fault(
        "stdio.batch-line-not-processed/served",
        "Of an array the first request is served.",
        &[Input(|_, bytes| match serde_json::from_slice::<Vec<Value>>(bytes).unwrap_or_default().first() {
            Some(first @ Value::Object(_)) => Changed(first.to_string().into_bytes()),
            _ => Pass,
        })],
    )
    .within(MODERN)
    .over(STDIO),
];
