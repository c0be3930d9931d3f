//! The sessions of a recording: over HTTP several may share a file, each with requests and ids of its own.

use crate::protocol::Transport;
use crate::transcript::Record;
use crate::wire::{Channel, Event, header};
use std::collections::HashMap;

/// The events of each session, in the order in which the sessions began. What names no session is one of its own.
pub(super) fn sessions(transport: Transport, records: Vec<Record>) -> Vec<(Option<String>, Vec<Record>)> {
    let endpoint = |record: &Record| matches!(&record.event, Event::Received { sse: Some(sse), .. } if sse.event.as_deref() == Some("endpoint"));
    if transport == Transport::Stdio || records.iter().any(endpoint) {
        return vec![(None, records)];
    }
    let mut names: HashMap<Channel, String> = HashMap::new();
    for record in &records {
        if let Event::RequestHead { headers, .. } | Event::ResponseHead { headers, .. } = &record.event
            && let Some(session) = header(headers, "mcp-session-id")
        {
            names.entry(record.channel).or_insert_with(|| session.to_owned());
        }
    }
    let mut sessions: Vec<(Option<String>, Vec<Record>)> = Vec::new();
    for record in records {
        let name = names.get(&record.channel);
        match sessions.iter_mut().find(|(known, _)| known.as_ref() == name) {
            Some((_, events)) => events.push(record),
            None => sessions.push((name.cloned(), vec![record])),
        }
    }
    sessions
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::Payload;
    use std::time::Duration;

    fn record(seq: u64, channel: u32, event: Event) -> Record {
        Record { seq, at: Duration::from_millis(seq), channel: Channel(channel), event }
    }

    fn head(session: Option<&str>) -> Event {
        let headers = session.map(|id| ("Mcp-Session-Id".to_owned(), id.to_owned())).into_iter().collect();
        Event::ResponseHead { status: 200, headers }
    }

    fn sent() -> Event {
        Event::Sent { payload: Payload::read(r#"{"id":1,"method":"ping"}"#), deliberate: None }
    }

    #[test]
    fn sessions_are_told_apart() {
        let records = vec![
            record(0, 1, sent()),
            record(1, 2, sent()),
            record(2, 1, head(Some("a"))),
            record(3, 2, head(Some("b"))),
            record(4, 3, sent()),
            record(5, 3, head(None)),
        ];
        let names = |transport| {
            let sessions = sessions(transport, records.clone());
            sessions.into_iter().map(|(name, events)| (name, events.len())).collect::<Vec<_>>()
        };
        let named = |name: &str| Some(name.to_owned());
        assert_eq!(names(Transport::Http), [(named("a"), 2), (named("b"), 2), (None, 2)]);
        assert_eq!(names(Transport::Stdio), [(None, 6)]);
    }
}
