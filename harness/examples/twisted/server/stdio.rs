//! Twists of the stdio transport.

use super::twist::{Take, Twist, line, twist};

pub(super) static TWISTS: &[Twist] = &[
    twist("none", "nothing: the honest server"),
    twist("banner", "a banner comes first").banner(b"twisted server 1.0 is ready\n"),
    twist("log-lines", "log lines come between the messages").incoming(|_, incoming| match incoming.method() {
        Some("tools/list") => Take::PassAnd(b"[INFO] listing tools\n".to_vec()),
        _ => Take::Pass,
    }),
    twist("blank-lines", "blank lines come between the messages").outgoing(|_, out| {
        [line(out.value), b"\n".to_vec()].concat()
    }),
    twist("pretty", "lists of tools come on several lines").outgoing(|_, out| {
        if out.method == Some("tools/list") {
            let text = serde_json::to_string_pretty(out.value).unwrap_or_default();
            // Without its answer nobody could go on, so that comes too.
            return format!("{text}\n{}\n", out.value).into_bytes();
        }
        line(out.value)
    }),
    twist("two-on-a-line", "two messages come on one line").outgoing(|_, out| {
        if out.method == Some("tools/list") {
            let note = r#"{"jsonrpc":"2.0","method":"notifications/message","params":{"level":"info","data":1}}"#;
            return format!("{note}{note}\n{}\n", out.value).into_bytes();
        }
        line(out.value)
    }),
    twist("crlf", "lines end with CR LF").outgoing(|_, out| format!("{}\r\n", out.value).into_bytes()),
    twist("latin1", "texts are in Latin-1").outgoing(|_, out| {
        let mut bytes = line(out.value);
        if out.method == Some("tools/list") {
            let text = "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/message\",\"params\":{\"level\":\"info\",\"data\":\"";
            let extra = [text.as_bytes(), b"\xE4\"}}\n"].concat();
            bytes.splice(0..0, extra);
        }
        bytes
    }),
    twist("not-json", "numbers are written as JSON does not know them").outgoing(|_, out| {
        let mut bytes = line(out.value);
        if out.method == Some("tools/list") {
            let text = b"{\"jsonrpc\":\"2.0\",\"method\":\"notifications/message\",\"params\":{\"data\":NaN}}\n";
            bytes.splice(0..0, text.iter().copied());
        }
        bytes
    }),
    twist("twice-the-member", "a member stands twice").outgoing(|_, out| {
        String::from_utf8_lossy(&line(out.value)).replacen("{\"jsonrpc\"", "{\"jsonrpc\":\"2.0\",\"jsonrpc\"", 1).into_bytes()
    }),
    twist("chunks-are-messages", "the end of a read is taken for the end of a message").per_read().incoming(
        |_, incoming| match incoming.value {
            Some(_) => Take::Pass,
            None => Take::Drop,
        },
    ),
    twist("holds-long-lines", "lines of 16 KiB and more are written at the end")
        .outgoing(|seen, out| {
            let line = line(out.value);
            if line.len() < 16 << 10 {
                return line;
            }
            let before = seen.kept.as_ref().and_then(|kept| kept.as_str()).unwrap_or_default();
            seen.kept = Some(format!("{before}{}", String::from_utf8_lossy(&line)).into());
            Vec::new()
        })
        .last(|seen| {
            seen.kept.as_ref().and_then(|kept| kept.as_str()).unwrap_or_default().as_bytes().to_vec()
        }),
    twist("stays", "it goes on after the end of its input").outlives(false),
    twist("stays-for-good", "it goes on after SIGTERM too").outlives(true),
    twist("latin1-log", "standard error is in Latin-1").incoming(|seen, _| {
        use std::io::Write;
        if seen.lines == 1 {
            let _ = std::io::stderr().write_all(b"gestartet f\xFCr alle\n");
        }
        Take::Pass
    }),
];
