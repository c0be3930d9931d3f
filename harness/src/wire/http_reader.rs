//! Makes events of the body of a response: of an event stream one each, of any other body one in all.

use super::event::{Event, Flow, Headers, Payload};
use super::framing::LineSplitter;
use super::http_body::{coding, is_event_stream};
use super::sse::{Decoder, Item};

/// Reads the body of a response.
pub struct BodyReader(Reader);

enum Reader {
    Events(Box<Decoder>),
    Whole { body: Vec<u8>, limit: usize, coding: Option<String> },
}

/// How far a body came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BodyEnd {
    /// To its end.
    Complete,
    /// It was cut off.
    Incomplete,
    /// Not further: enough was read.
    Flooded,
}

impl BodyReader {
    /// A reader for a response with these headers, that keeps at most `limit` bytes of a body, or of one event.
    pub fn new(headers: &Headers, limit: usize) -> Self {
        Self(match coding(headers) {
            None if is_event_stream(headers) => Reader::Events(Box::new(Decoder::new(limit))),
            coding => Reader::Whole { body: Vec::new(), limit, coding },
        })
    }

    /// Takes the next bytes; says whether to go on.
    pub fn push(&mut self, content: &[u8], mut observe: impl FnMut(Event) -> Flow) -> Flow {
        match &mut self.0 {
            Reader::Events(decoder) => {
                let mut flow = Flow::Continue;
                decoder.push(content, |item| {
                    if flow == Flow::Continue {
                        flow = tell(item, &mut observe);
                    }
                });
                flow
            }
            Reader::Whole { body, limit, .. } => {
                let room = limit.saturating_sub(body.len()).min(content.len());
                body.extend_from_slice(&content[..room]);
                if room < content.len() { Flow::Stop } else { Flow::Continue }
            }
        }
    }

    /// Tells what is left of a body that ended so.
    pub fn finish(self, end: BodyEnd, mut observe: impl FnMut(Event) -> Flow) -> Flow {
        match self.0 {
            Reader::Events(mut decoder) => {
                let mut flow = Flow::Continue;
                if end != BodyEnd::Flooded {
                    decoder.finish(|item| flow = tell(item, &mut observe));
                }
                flow
            }
            Reader::Whole { body, .. } if body.is_empty() => Flow::Continue,
            Reader::Whole { mut body, coding, .. } => {
                let error = match end {
                    BodyEnd::Complete => {
                        coding.map(|coding| format!("the body is coded as {coding}, unasked"))
                    }
                    BodyEnd::Flooded => {
                        body.truncate(LineSplitter::KEEP);
                        Some("the body is longer than what is read as a message".to_owned())
                    }
                    BodyEnd::Incomplete => Some("the body is not complete".to_owned()),
                };
                let payload = match error {
                    None => Payload::receive(body),
                    error => Payload::Raw { bytes: body.into(), error, truncated: end != BodyEnd::Complete },
                };
                observe(Event::Received { payload, sse: None })
            }
        }
    }
}

/// Tells one item of an event stream.
fn tell(item: Item, observe: &mut impl FnMut(Event) -> Flow) -> Flow {
    let raw = |bytes, error: String| Payload::Raw { bytes, error: Some(error), truncated: true };
    let note =
        |invalid: bool| invalid.then(|| Event::Note("bytes in the event stream are no UTF-8".to_owned()));
    let (note, event) = match item {
        Item::Event { fields, data, invalid_utf8 } if data.is_empty() => {
            (note(invalid_utf8), Event::SseOther(fields))
        }
        Item::Event { fields, data, invalid_utf8 } => {
            (note(invalid_utf8), Event::Received { payload: Payload::receive(data), sse: Some(fields) })
        }
        Item::Other { fields, invalid_utf8 } => (note(invalid_utf8), Event::SseOther(fields)),
        Item::Oversized { fields, data, bytes } => {
            let error = format!("the event has {bytes} bytes, more than are read as a message");
            (None, Event::Received { payload: raw(data, error), sse: Some(fields) })
        }
        Item::Incomplete { fields, data, invalid_utf8 } => {
            let error = "the stream ended inside this event".to_owned();
            (note(invalid_utf8), Event::Received { payload: raw(data, error), sse: Some(fields) })
        }
    };
    if note.is_some_and(|note| observe(note) == Flow::Stop) {
        return Flow::Stop;
    }
    observe(event)
}
