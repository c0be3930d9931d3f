//! A recorded conversation for people: one line a message, with its direction, what it answers and the time between.

use super::style::{BOLD, DIM, LINK, MARK, paint};
use super::text::visible;
use crate::protocol::Kind;
use crate::protocol::json::{indented, locate};
use crate::transcript::{Causality, Placed, Record, Sender};
use crate::wire::{Channel, Event, Payload};
use anstyle::{AnsiColor, Style};
use std::fmt::Write as _;
use std::time::Duration;

const OURS: Style = AnsiColor::Green.on_default();
const THEIRS: Style = AnsiColor::Blue.on_default();

/// How a conversation is shown.
#[derive(Debug, Clone, Default)]
pub struct ShowOptions {
    /// Whole messages, indented.
    pub full: bool,
    /// Only messages of this method, and their answers; `*` stands for any text.
    pub only: Option<String>,
    /// Columns of a line.
    pub width: usize,
}

/// Tells a conversation, event by event.
pub struct Teller {
    options: ShowOptions,
    causality: Causality,
    last: Duration,
}

impl Teller {
    /// Ready for the first event.
    pub fn new(options: ShowOptions) -> Self {
        Self { options, causality: Causality::default(), last: Duration::ZERO }
    }

    /// The lines of an event; none where it is not to be shown.
    pub fn tell(&mut self, record: &Record) -> String {
        let mut text = String::new();
        let placed = self.causality.place(record);
        if placed.is_empty() {
            if self.options.only.is_none() {
                self.other(record, &mut text);
            }
            return text;
        }
        for message in &placed {
            let method = message.message.method();
            let method = method.or(message.answers.as_ref().map(|origin| origin.method.as_str()));
            let wanted = self.options.only.as_ref().is_none_or(|only| {
                method.is_some_and(|method| crate::protocol::catalogue::matches(only, method))
            });
            if wanted {
                self.message(record, message, &mut text);
            }
        }
        text
    }

    fn message(&mut self, record: &Record, placed: &Placed, text: &mut String) {
        let Placed { sender, message, answers, .. } = placed;
        let (arrow, style) = match sender {
            Sender::Client => ("──▶", OURS),
            Sender::Server => ("◀──", THEIRS),
        };
        let mut what = String::new();
        let mut plain = 0;
        let mut add = |style: Style, word: &str, what: &mut String| {
            plain += word.chars().count() + 1;
            let _ = write!(what, " {}", paint(style, word));
        };
        if let Some(id) = message.id() {
            add(DIM, &format!("#{}", visible(id.as_json(), 24)), &mut what);
        }
        let method = message.method().or(answers.as_ref().map(|origin| origin.method.as_str()));
        add(BOLD, &visible(method.unwrap_or("?"), 60), &mut what);
        // As it is written: a value has other numbers than its text, and members once that stand twice.
        let written = |pointer: &str| {
            locate(message.text(), pointer).and_then(|range| message.text().get(range)).unwrap_or_default()
        };
        let rest = match message.kind() {
            Kind::Request | Kind::Notification => written("/params"),
            Kind::Result => {
                add(style, "result", &mut what);
                written("/result")
            }
            Kind::Error => {
                add(MARK, "error", &mut what);
                written("/error")
            }
            Kind::Batch | Kind::NotAMessage(_) => {
                add(MARK, "no message", &mut what);
                message.text()
            }
        };
        match answers {
            Some(origin) => {
                let took = record.at.saturating_sub(origin.at);
                add(DIM, &format!("to event {}, after {}", origin.seq, short(took)), &mut what);
            }
            None if message.is_response() => add(MARK, "to nothing", &mut what),
            None => {}
        }
        let lead = self.lead(record, text);
        let _ = write!(text, " {}{what}", paint(style, arrow));
        if self.options.full {
            text.push('\n');
            for line in indented(message.text()).lines() {
                let _ = writeln!(text, "{:lead$}     {}", "", visible(line, 100_000));
            }
        } else {
            let room = self.options.width.saturating_sub(lead + 5 + plain).max(20);
            if !rest.is_empty() {
                let _ = write!(text, " {}", visible(rest, room));
            }
            text.push('\n');
        }
    }

    /// Number, place and time since the event before; says how many columns that takes.
    fn lead(&mut self, record: &Record, text: &mut String) -> usize {
        let gap = record.at.saturating_sub(self.last);
        self.last = record.at;
        let place =
            if record.channel == Channel::PROCESS { String::new() } else { format!("/{}", record.channel) };
        let lead = format!("{:>6}{place:<5} {:>9}", record.seq, format!("+{}", short(gap)));
        let columns = lead.chars().count();
        text.push_str(&paint(DIM, lead));
        columns
    }

    fn other(&mut self, record: &Record, text: &mut String) {
        let lossy = |bytes: &[u8]| String::from_utf8_lossy(&bytes[..bytes.len().min(64 << 10)]).into_owned();
        let (sign, style, what) = match &record.event {
            Event::Sent { payload: Payload::Raw { bytes, error, .. }, .. } => (
                "──▶",
                MARK,
                format!("no message ({}): {}", error.as_deref().unwrap_or("not JSON"), lossy(bytes)),
            ),
            Event::Received { payload: Payload::Raw { bytes, error, .. }, .. } => (
                "◀──",
                MARK,
                format!("no message ({}): {}", error.as_deref().unwrap_or("not JSON"), lossy(bytes)),
            ),
            Event::Stderr(bytes) => (" ! ", DIM, lossy(bytes).trim_end().to_owned()),
            Event::RequestHead { method, url, .. } => ("──▶", LINK, format!("{method} {url}")),
            Event::ResponseHead { status, headers } => {
                let kind = crate::wire::header(headers, "content-type").unwrap_or("no content type");
                ("◀──", LINK, format!("HTTP {status}, {kind}"))
            }
            Event::ProcessStarted { pid, command } => {
                (" * ", DIM, format!("process {pid} started: {}", command.join(" ")))
            }
            Event::ProcessExited { code: Some(code), .. } => {
                (" * ", DIM, format!("process exited with code {code}"))
            }
            Event::ProcessExited { signal: Some(signal), .. } => {
                (" * ", MARK, format!("process ended by signal {signal}"))
            }
            Event::ProcessExited { .. } => (" * ", DIM, "process ended".to_owned()),
            Event::StdoutClosed => (" * ", DIM, "standard output closed by the server".to_owned()),
            Event::StdinClosed => (" * ", DIM, "standard input closed by the client".to_owned()),
            Event::WriteFailed(why) => (" * ", MARK, format!("cannot write: {why}")),
            Event::ConnectFailed(why) => (" * ", MARK, format!("no connection: {why}")),
            Event::ResponseEnded(end) => (" * ", DIM, format!("response over: {end:?}")),
            Event::SseOther(fields) => ("◀──", DIM, format!("event without data: {fields:?}")),
            Event::Flooded { bytes } => (" * ", MARK, format!("reading stopped after {bytes} bytes")),
            Event::Lost { events, bytes, reason } => {
                (" * ", MARK, format!("{events} events with {bytes} bytes were not recorded: {reason}"))
            }
            Event::Note(note) => (" # ", DIM, note.clone()),
            Event::Sent { .. } | Event::Received { .. } => return,
        };
        let lead = self.lead(record, text);
        let room =
            if self.options.full { 100_000 } else { self.options.width.saturating_sub(lead + 5).max(20) };
        let _ = writeln!(text, " {} {}", paint(style, sign), paint(DIM, visible(&what, room)));
    }
}

/// A time in few columns.
fn short(time: Duration) -> String {
    let micros = time.as_micros();
    match micros {
        0..1_000 => format!("{micros} µs"),
        1_000..10_000 => format!("{}.{} ms", micros / 1000, micros % 1000 / 100),
        10_000..1_000_000 => format!("{} ms", micros / 1000),
        _ => format!("{}.{} s", micros / 1_000_000, micros % 1_000_000 / 100_000),
    }
}
