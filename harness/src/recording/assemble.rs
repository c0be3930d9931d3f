//! Makes events of the bytes that were seen: lines of a process, bodies and event streams of HTTP.

use super::tape::Seen;
use crate::transcript::Loss;
use crate::wire::framing::{Line, LineSplitter};
use crate::wire::{BodyEnd, BodyReader, Channel, End, Event, Flow, Payload, Way};
use bytes::Bytes;
use std::collections::HashMap;

/// The longest message that is recorded whole, in bytes.
const LONGEST: usize = 32 << 20;

/// Takes an event.
type Sink<'a> = dyn FnMut(Channel, Event) + 'a;

/// Bytes on their way to become events.
pub(super) struct Assembler {
    input: Side,
    output: Side,
    exchanges: HashMap<Channel, Exchange>,
}

/// One direction of a process.
struct Side {
    lines: LineSplitter,
    crlf: bool,
    /// After a gap: what comes until the next line end belongs to a line whose beginning is lost.
    torn: bool,
    over: bool,
}

#[derive(Default)]
struct Exchange {
    request: Vec<u8>,
    /// Bytes of the request's body so far.
    length: u64,
    body: Option<BodyReader>,
    /// Whether more came than is kept.
    flooded: bool,
}

impl Default for Assembler {
    fn default() -> Self {
        Self { input: Side::new(), output: Side::new(), exchanges: HashMap::new() }
    }
}

impl Side {
    fn new() -> Self {
        Self { lines: LineSplitter::new(LONGEST), crlf: false, torn: false, over: false }
    }

    /// The part of the bytes that belongs to whole lines.
    fn sound<'a>(&mut self, bytes: &'a [u8]) -> &'a [u8] {
        if !self.torn {
            return bytes;
        }
        let Some(end) = memchr::memchr(b'\n', bytes) else { return &[] };
        self.torn = false;
        &bytes[end + 1..]
    }
}

impl Assembler {
    /// Takes what was seen.
    pub(super) fn take(&mut self, channel: Channel, seen: Seen, sink: &mut Sink<'_>) {
        match seen {
            Seen::Event(event) => sink(channel, event),
            Seen::Input(bytes) => {
                let bytes = self.input.sound(&bytes);
                let crlf = &mut self.input.crlf;
                self.input.lines.push(bytes, |line| tell_input(line, crlf, sink));
            }
            Seen::Output(bytes) => {
                let bytes = self.output.sound(&bytes);
                let crlf = &mut self.output.crlf;
                self.output.lines.push(bytes, |line| tell_output(line, crlf, sink));
            }
            Seen::InputOver { refused } => self.input_over(refused, sink),
            Seen::OutputOver { refused } => self.output_over(refused, sink),
            Seen::RequestBody { bytes, last } => {
                let exchange = self.exchanges.entry(channel).or_default();
                exchange.length += bytes.len() as u64;
                let room = LONGEST.saturating_sub(exchange.request.len()).min(bytes.len());
                exchange.request.extend_from_slice(&bytes[..room]);
                if last && exchange.length > 0 {
                    let mut body = std::mem::take(&mut exchange.request);
                    let payload = if exchange.length > LONGEST as u64 {
                        body.truncate(LineSplitter::KEEP);
                        cut(Bytes::from(body), exchange.length, "body")
                    } else {
                        Payload::read(body)
                    };
                    sink(channel, Event::Sent { payload, deliberate: None });
                }
            }
            Seen::ResponseHead { status, headers } => {
                let exchange = self.exchanges.entry(channel).or_default();
                exchange.body = Some(BodyReader::new(&headers, LONGEST));
                sink(channel, Event::ResponseHead { status, headers });
            }
            Seen::ResponseBody(bytes) => {
                let Some(exchange) = self.exchanges.get_mut(&channel) else { return };
                if let Some(body) = exchange.body.as_mut().filter(|_| !exchange.flooded) {
                    exchange.flooded = body.push(&bytes, |event| {
                        sink(channel, event);
                        Flow::Continue
                    }) == Flow::Stop;
                }
            }
            Seen::ResponseOver(end) => {
                if let Some(Exchange { body: Some(body), flooded, .. }) = self.exchanges.remove(&channel) {
                    let came = match end {
                        _ if flooded => BodyEnd::Flooded,
                        End::Complete => BodyEnd::Complete,
                        _ => BodyEnd::Incomplete,
                    };
                    body.finish(came, |event| {
                        sink(channel, event);
                        Flow::Continue
                    });
                }
                sink(channel, Event::ResponseEnded(end));
            }
            Seen::Over | Seen::Gap(..) => {}
        }
    }

    /// Something is missing here: what is half there is given up. Says how much is missing in all.
    pub(super) fn gap(&mut self, channel: Channel, way: Option<Way>, mut lost: Loss) -> Loss {
        let side = match way {
            Some(Way::In) => &mut self.input,
            Some(Way::Out) => &mut self.output,
            Some(Way::Err) => return lost,
            None => {
                self.exchanges.remove(&channel);
                return lost;
            }
        };
        lost.bytes += side.lines.pending();
        side.lines = LineSplitter::new(LONGEST);
        side.torn = true;
        lost
    }

    /// Nothing more comes of a process.
    pub(super) fn close(&mut self, sink: &mut Sink<'_>) {
        for (over, side) in [(self.input.over, true), (self.output.over, false)] {
            if !over {
                let lines = if side { &mut self.input } else { &mut self.output };
                lines.over = true;
                let crlf = &mut lines.crlf;
                lines.lines.finish(|line| {
                    if side { tell_input(line, crlf, sink) } else { tell_output(line, crlf, sink) }
                });
            }
        }
    }

    fn input_over(&mut self, refused: bool, sink: &mut Sink<'_>) {
        self.input.over = true;
        let crlf = &mut self.input.crlf;
        self.input.lines.finish(|line| {
            tell_input(line, crlf, sink);
            note(sink, "the last line of standard input has no line end");
        });
        if refused {
            let text = "the server has closed its standard input".to_owned();
            sink(Channel::PROCESS, Event::WriteFailed(text));
        } else {
            sink(Channel::PROCESS, Event::StdinClosed);
        }
    }

    fn output_over(&mut self, refused: bool, sink: &mut Sink<'_>) {
        self.output.over = true;
        let crlf = &mut self.output.crlf;
        self.output.lines.finish(|line| {
            tell_output(line, crlf, sink);
            note(sink, "the last line of standard output has no line end");
        });
        if refused {
            note(sink, "the client has closed the standard output of the server");
        } else {
            sink(Channel::PROCESS, Event::StdoutClosed);
        }
    }
}

fn note(sink: &mut Sink<'_>, text: &str) {
    sink(Channel::PROCESS, Event::Note(text.to_owned()));
}

fn cut(bytes: Bytes, length: u64, what: &str) -> Payload {
    let error = Some(format!("the {what} has {length} bytes, more than are recorded of one message"));
    Payload::Raw { bytes, error, truncated: true }
}

/// A line of the client. What is no message is told with its line end, so that the record has what was sent.
fn tell_input(line: Line<'_>, crlf: &mut bool, sink: &mut Sink<'_>) {
    if line.ended_with_crlf && !std::mem::replace(crlf, true) {
        note(sink, "lines of standard input end with CR LF");
    }
    let payload = if line.truncated {
        cut(Bytes::copy_from_slice(line.bytes), line.length, "line")
    } else {
        match Payload::read(Bytes::copy_from_slice(line.bytes)) {
            Payload::Raw { error, truncated, .. } => {
                let mut bytes = line.bytes.to_vec();
                bytes.extend_from_slice(match (line.terminated, line.ended_with_crlf) {
                    (false, _) => b"",
                    (true, true) => b"\r\n",
                    (true, false) => b"\n",
                });
                Payload::Raw { bytes: bytes.into(), error, truncated }
            }
            message @ Payload::Message(_) => message,
        }
    };
    sink(Channel::PROCESS, Event::Sent { payload, deliberate: None });
}

fn tell_output(line: Line<'_>, crlf: &mut bool, sink: &mut Sink<'_>) {
    if line.ended_with_crlf && !std::mem::replace(crlf, true) {
        note(sink, "lines of standard output end with CR LF");
    }
    let bytes = Bytes::copy_from_slice(line.bytes);
    let payload = if line.truncated { cut(bytes, line.length, "line") } else { Payload::receive(bytes) };
    sink(Channel::PROCESS, Event::Received { payload, sse: None });
}

#[cfg(test)]
mod tests {
    use super::*;

    fn events(seen: Vec<Seen>) -> Vec<Event> {
        let mut events = Vec::new();
        let mut assembler = Assembler::default();
        for seen in seen {
            if let Seen::Gap(lost, way) = seen {
                assembler.gap(Channel::PROCESS, way, lost);
            } else {
                assembler.take(Channel::PROCESS, seen, &mut |_, event| events.push(event));
            }
        }
        assembler.close(&mut |_, event| events.push(event));
        events
    }

    #[test]
    fn bytes_of_both_sides_become_lines() {
        let input = |text: &'static str| Seen::Input(Bytes::from_static(text.as_bytes()));
        let events = events(vec![
            input("{\"id\":"),
            Seen::Output(Bytes::from_static(b"hello\nwor")),
            input("1}\r\nno"),
            input(" JSON\n{"),
            Seen::InputOver { refused: false },
        ]);
        let texts: Vec<String> = events
            .iter()
            .map(|event| match event {
                Event::Sent { payload, .. } => format!("> {}", payload.bytes().escape_ascii()),
                Event::Received { payload, .. } => format!("< {}", payload.bytes().escape_ascii()),
                other => format!("{other:?}"),
            })
            .collect();
        let crlf = "Note(\"lines of standard input end with CR LF\")";
        let open = "Note(\"the last line of standard input has no line end\")";
        let wanted =
            ["< hello", crlf, "> {\\\"id\\\":1}", "> no JSON\\n", "> {", open, "StdinClosed", "< wor"];
        assert_eq!(texts, wanted);
    }

    #[test]
    fn after_a_gap_lines_begin_anew() {
        let output = |text: &'static str| Seen::Output(Bytes::from_static(text.as_bytes()));
        let gap = Seen::Gap(Loss { events: 1, bytes: 5 }, Some(Way::Out));
        let events = events(vec![output("1\n{\"a"), gap, output("b\":1}\n2\n")]);
        let got: Vec<&[u8]> = events
            .iter()
            .filter_map(|event| match event {
                Event::Received { payload, .. } => Some(payload.bytes()),
                _ => None,
            })
            .collect();
        assert_eq!(got, [b"1", b"2"]);
    }
}
