//! Invariants of the event-stream decoder.

use super::chunks::chunkings;
use mcprove::wire::SseFields;
use mcprove::wire::sse::{Decoder, Item};

/// Items do not hang on chunks; they stay within the limit; and encoding the events again and decoding that gives the
/// same events.
pub fn check(bytes: &[u8]) {
    for limit in [1, 24, 1 << 20] {
        let mut seen: Option<Vec<Item>> = None;
        for chunks in chunkings(bytes) {
            let items = decode(&chunks, limit);
            for item in &items {
                check_item(item, limit);
            }
            match &seen {
                None => seen = Some(items),
                Some(seen) => assert_eq!(*seen, items, "limit {limit}"),
            }
        }
        if limit == 1 << 20 {
            check_round_trip(seen.unwrap_or_default());
        }
    }
}

/// Decodes a stream that comes in these chunks.
pub fn decode(chunks: &[&[u8]], limit: usize) -> Vec<Item> {
    let mut items = Vec::new();
    let mut decoder = Decoder::new(limit);
    for chunk in chunks {
        decoder.push(chunk, |item| items.push(item));
    }
    decoder.finish(|item| items.push(item));
    assert_eq!(decoder.pending(), 0);
    items
}

fn check_item(item: &Item, limit: usize) {
    match item {
        Item::Event { fields, data, .. } => {
            assert!(fields.has_data && fields.comment.is_none());
            assert!(std::str::from_utf8(data).is_ok());
            // A byte that is no UTF-8 becomes three.
            assert!(data.len() <= 3 * limit);
        }
        Item::Other { fields, .. } => assert!(!fields.has_data),
        Item::Oversized { data, bytes, .. } => {
            assert!(*bytes > limit as u64);
            assert!(data.len() <= limit.min(Decoder::KEEP));
        }
        Item::Incomplete { fields, data, .. } => assert!(fields.has_data || data.is_empty()),
    }
}

fn check_round_trip(items: Vec<Item>) {
    let events: Vec<Item> = items
        .into_iter()
        .filter_map(|item| match item {
            // What was replaced is text now.
            Item::Event { fields, data, .. } => Some(Item::Event { fields, data, invalid_utf8: false }),
            _ => None,
        })
        .collect();
    let mut text = Vec::new();
    for event in &events {
        if let Item::Event { fields, data, .. } = event {
            encode(fields, data, &mut text);
        }
    }
    assert_eq!(decode(&[&text], usize::MAX), events);
}

fn encode(fields: &SseFields, data: &[u8], text: &mut Vec<u8>) {
    for (name, value) in [("event", &fields.event), ("id", &fields.id)] {
        if let Some(value) = value {
            text.extend_from_slice(format!("{name}: {value}\r\n").as_bytes());
        }
    }
    if let Some(retry) = fields.retry {
        text.extend_from_slice(format!("retry:{retry}\r").as_bytes());
    }
    for line in data.split(|byte| *byte == b'\n') {
        text.extend_from_slice(b"data: ");
        text.extend_from_slice(line);
        text.push(b'\n');
    }
    text.extend_from_slice(b"\r\n");
}
