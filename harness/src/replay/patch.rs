//! Writes a recording anew with answers that were accepted in place of those that it had.

use super::difference::{Difference, Kind};
use crate::protocol::Message;
use crate::transcript::{ReadError, Record, Redactor, TranscriptReader, TranscriptWriter};
use crate::wire::{Channel, Event, Payload};
use serde_json::Value;
use std::collections::HashMap;
use std::io;
use std::path::Path;

/// What became of differences.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Patched {
    /// How many are in the new file.
    pub accepted: usize,
    /// How many cannot be: when something came, its HTTP status, that the server was gone, an element of a batch.
    pub left: usize,
}

/// Why a recording was not written anew.
#[derive(Debug, thiserror::Error)]
pub enum PatchError {
    /// The recording cannot be read.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// The new file cannot be written.
    #[error("cannot write: {0}")]
    Write(#[from] io::Error),
}

/// Writes a recording anew: differences that are given are as they came, all else is as it was. Secrets that the redactor
/// knows are replaced.
///
/// # Errors
/// When the recording cannot be read, or the new file not be written.
pub fn patch(
    file: &Path,
    to: &Path,
    differences: &[Difference],
    redactor: &Redactor,
) -> Result<Patched, PatchError> {
    let mut reader = TranscriptReader::open(file)?;
    let (about, started_at, rules) =
        (reader.about().clone(), reader.started_at().to_owned(), reader.rules().to_vec());
    let mut writer = TranscriptWriter::copy(to, &about, &started_at, &rules)?;
    let mut edits: HashMap<u64, Vec<&Difference>> = HashMap::new();
    let mut after: HashMap<Option<u64>, Vec<&Difference>> = HashMap::new();
    let mut patched = Patched::default();
    for difference in differences {
        match (difference.kind, difference.message.event) {
            (Kind::MessageOrder | Kind::Late | Kind::Status | Kind::Gone, _) => patched.left += 1,
            (Kind::ExtraMessage, _) => after.entry(difference.message.after).or_default().push(difference),
            (_, Some(event)) => edits.entry(event).or_default().push(difference),
            (_, None) => patched.left += 1,
        }
    }
    let mut seq = 0;
    let mut write = |record: &Record, writer: &mut TranscriptWriter| {
        writer.append(&Record { seq, ..record.clone() }, redactor);
        seq += 1;
    };
    let mut opened = false;
    while let Some(record) = reader.next_record()? {
        let mut changed = Some(record.clone());
        if let Some(edits) = edits.get(&record.seq) {
            match edit(&record, edits) {
                Ok(new) => {
                    patched.accepted += edits.len();
                    changed = new;
                }
                Err(()) => patched.left += edits.len(),
            }
        }
        if let Some(changed) = &changed {
            write(changed, &mut writer);
        }
        // What came before anything that was recorded stands after the first thing that the client sent.
        let first = !opened && matches!(record.event, Event::Sent { .. });
        opened |= first;
        let places = [Some(Some(record.seq)), first.then_some(None)];
        for difference in places.into_iter().flatten().filter_map(|place| after.get(&place)).flatten() {
            let Some(live) = &difference.live else { continue };
            let payload = Payload::Message(Message::from_value(live.clone()));
            let channel = if first { Channel::PROCESS } else { record.channel };
            write(
                &Record { seq: 0, at: record.at, channel, event: Event::Received { payload, sse: None } },
                &mut writer,
            );
            patched.accepted += 1;
        }
    }
    writer.end();
    match writer.error() {
        Some(error) => Err(PatchError::Write(io::Error::other(error))),
        None => Ok(patched),
    }
}

/// The event with what was accepted; `None` where it is gone. An error where it cannot be.
fn edit(record: &Record, edits: &[&Difference]) -> Result<Option<Record>, ()> {
    let Event::Received { payload: Payload::Message(message), sse } = &record.event else { return Err(()) };
    if message.parts().len() != 1 {
        return Err(());
    }
    if edits.iter().any(|edit| edit.kind == Kind::MissingMessage) {
        return Ok(None);
    }
    // What stands in another order is taken over as a whole.
    let whole: Vec<String> =
        edits.iter().filter(|edit| edit.kind == Kind::Order).map(|edit| format!("{}/", edit.path)).collect();
    let edits: Vec<&&Difference> =
        edits.iter().filter(|edit| !whole.iter().any(|path| edit.path.starts_with(path))).collect();
    let mut value = message.value().clone();
    if let Some(other) =
        edits.iter().find(|edit| edit.kind == Kind::Outcome).and_then(|edit| edit.live.clone())
    {
        let id = value.get("id").cloned();
        value = other;
        if let Some(id) = id {
            value["id"] = id;
        }
    }
    let set = edits.iter().filter(|edit| !matches!(edit.kind, Kind::Missing | Kind::Extra | Kind::Outcome));
    for edit in set {
        if let (Some(place), Some(live)) = (value.pointer_mut(&edit.path), &edit.live) {
            *place = live.clone();
        }
    }
    // From the end, so that the places of those before stay.
    let mut gone: Vec<&&&Difference> = edits.iter().filter(|edit| edit.kind == Kind::Missing).collect();
    gone.reverse();
    gone.into_iter().for_each(|edit| remove(&mut value, &edit.path));
    for edit in edits.iter().filter(|edit| edit.kind == Kind::Extra) {
        if let Some(live) = &edit.live {
            insert(&mut value, &edit.path, live.clone());
        }
    }
    let payload = Payload::Message(Message::from_value(value));
    Ok(Some(Record { event: Event::Received { payload, sse: sse.clone() }, ..record.clone() }))
}

fn parent<'v, 'p>(value: &'v mut Value, path: &'p str) -> Option<(&'v mut Value, String)> {
    let (parent, last): (&'p str, &'p str) = path.rsplit_once('/')?;
    Some((value.pointer_mut(parent)?, last.replace("~1", "/").replace("~0", "~")))
}

fn remove(value: &mut Value, path: &str) {
    match parent(value, path) {
        Some((Value::Object(members), name)) => drop(members.shift_remove(&name)),
        Some((Value::Array(elements), index)) => {
            if let Some(index) = index.parse().ok().filter(|index| *index < elements.len()) {
                elements.remove(index);
            }
        }
        _ => {}
    }
}

fn insert(value: &mut Value, path: &str, new: Value) {
    match parent(value, path) {
        Some((Value::Object(members), name)) => drop(members.insert(name, new)),
        Some((Value::Array(elements), index)) => {
            let index = index.parse().unwrap_or(elements.len()).min(elements.len());
            elements.insert(index, new);
        }
        _ => {}
    }
}

#[cfg(test)]
#[path = "patch_tests.rs"]
mod tests;
