//! `-v`: the traffic on standard error as it happens, one line an event.

use crate::check::Watcher;
use crate::report::visible;
use crate::transcript::{About, Record, Redactor};
use crate::wire::{Channel, Event, Payload};
use std::io::Write;
use std::sync::Arc;

/// Columns of what an event says.
const TEXT: usize = 4_000;

/// Shows every event.
pub(super) fn watcher() -> Watcher {
    Arc::new(|number, about, record, redactor| {
        let line = line(number, about, record, redactor);
        // Without a standard error nobody watches.
        let _ = std::io::stderr().lock().write_all(line.as_bytes());
    })
}

fn line(number: u32, about: &About, record: &Record, redactor: &Redactor) -> String {
    let (sign, text) = told(&record.event);
    let revision = about.revision.map_or("-", |revision| revision.as_str());
    let channel = match record.channel {
        Channel::PROCESS => String::new(),
        channel => format!("/{channel}"),
    };
    let text = visible(&redactor.clean(&text), TEXT);
    let seconds = record.at.as_secs_f64();
    format!("{number:03}{channel} {} {revision} {seconds:.3} {sign} {text}\n", about.transport)
}

/// A sign for the direction, and what happened.
fn told(event: &Event) -> (&'static str, String) {
    let payload = |payload: &Payload| {
        let shown = payload.bytes();
        // Enough for the line even if every byte were a character of its own.
        String::from_utf8_lossy(&shown[..shown.len().min(4 * TEXT)]).into_owned()
    };
    match event {
        Event::ProcessStarted { pid, command } => {
            ("*", format!("process {pid} started: {}", command.join(" ")))
        }
        Event::ProcessExited { code: Some(code), .. } => ("*", format!("process exited with code {code}")),
        Event::ProcessExited { signal: Some(signal), .. } => {
            ("*", format!("process ended by signal {signal}"))
        }
        Event::ProcessExited { .. } => ("*", "process ended".to_owned()),
        Event::Stderr(bytes) => ("!", String::from_utf8_lossy(bytes).trim_end().to_owned()),
        Event::StdoutClosed => ("*", "standard output closed by the server".to_owned()),
        Event::StdinClosed => ("*", "standard input closed".to_owned()),
        Event::Sent { payload: sent, deliberate } => (
            ">",
            match deliberate {
                Some(deliberate) => format!("[{}] {}", deliberate.by, payload(sent)),
                None => payload(sent),
            },
        ),
        Event::WriteFailed(why) => ("*", format!("cannot write: {why}")),
        Event::RequestHead { method, url, .. } => (">", format!("{method} {url}")),
        Event::ResponseHead { status, headers } => {
            let kind = crate::wire::header(headers, "content-type").unwrap_or("no content type");
            ("<", format!("HTTP {status}, {kind}"))
        }
        Event::Received { payload: received, .. } => ("<", payload(received)),
        Event::SseOther(fields) => ("<", format!("event without data: {fields:?}")),
        Event::ResponseEnded(end) => ("*", format!("response over: {end:?}")),
        Event::ConnectFailed(why) => ("*", format!("no connection: {why}")),
        Event::Flooded { bytes } => ("*", format!("reading stopped after {bytes} bytes")),
        Event::Lost { events, bytes, reason } => {
            ("*", format!("{events} events with {bytes} bytes were not recorded: {reason}"))
        }
        Event::Note(text) => ("#", text.clone()),
    }
}
