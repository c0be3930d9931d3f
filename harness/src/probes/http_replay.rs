//! What comes of a stream of Streamable HTTP that is over and is taken up again from several of its events
//! (basic/transports#resumability-and-redelivery).

use super::http_streams::answered;
use crate::client::{Conversation, Outgoing, Ticket};
use crate::monitors::{Breach, Judge};
use crate::wire::{Event, Taint};
use std::time::Duration;
use tokio::time::Instant;

/// How long a replay may take, all of which is there.
const REPLAY: Duration = Duration::from_millis(500);

/// A message as it came again.
struct Again {
    /// The id of its event.
    event: Option<String>,
    text: String,
}

/// Takes the stream of a call that is over up again, after its first event and after the one that came first then. Nothing
/// need come, or not all of it, if that is old; but what comes begins with what followed on the event that was named, or
/// that event is no place in the stream.
pub(super) async fn nothing_is_left_out(
    judge: &mut Judge,
    talk: &mut Conversation,
    call: &Ticket,
    first: &str,
    probe: &'static str,
) {
    let (_, whole) = replay(talk, call, first, probe).await;
    let Some((Again { event: Some(next), .. }, rest)) = whole.split_first() else { return };
    let (ticket, later) = replay(talk, call, next, probe).await;
    if let Some(left_out) = left_out(rest, &later) {
        judge.broke(
            "http.resume.event-id-is-cursor",
            Breach::new(
                "left-out",
                "a stream that is taken up again does not begin after the event that was named",
            )
            .expected(&["the message that followed on that event before"])
            .actual(format!("{left_out} of the messages after it left out, and those that follow"))
            .sent(ticket.since)
            .sent_on(ticket.channel),
        );
    }
}

/// How many messages of `rest` are left out before those of `later`, which end it.
fn left_out(rest: &[Again], later: &[Again]) -> Option<usize> {
    let start = rest.len().checked_sub(later.len()).filter(|start| *start > 0 && !later.is_empty())?;
    let same = rest[start..].iter().zip(later).all(|(before, now)| before.text == now.text);
    same.then_some(start)
}

/// What comes of a stream after an event, up to the response of the call.
async fn replay(
    talk: &mut Conversation,
    call: &Ticket,
    after: &str,
    probe: &'static str,
) -> (Ticket, Vec<Again>) {
    let again = talk.get_stream(Some(after), &Outgoing::bytes("").deliberate(probe, Taint::Message));
    let again = Ticket { id: call.id.clone(), ..again };
    let deadline = Instant::now() + REPLAY;
    while !answered(talk, &again) && talk.ended(&again).is_none() && Instant::now() < deadline {
        talk.idle(Duration::from_millis(5)).await;
    }
    let mut came = Vec::new();
    for record in talk.recorder().snapshot().iter().filter(|record| record.channel == again.channel) {
        if let Event::Received { payload, sse: Some(fields), .. } = &record.event
            && let Some(message) = payload.message()
        {
            came.push(Again { event: fields.id.clone(), text: message.text().to_owned() });
        }
    }
    // Without the response it may not be all that there is to come.
    if !answered(talk, &again) {
        came.clear();
    }
    talk.abort(&again).await;
    (again, came)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn again(texts: &[&str]) -> Vec<Again> {
        texts.iter().map(|text| Again { event: None, text: (*text).to_owned() }).collect()
    }

    #[test]
    fn a_replay_that_begins_too_late_leaves_something_out() {
        let rest = again(&["one", "two", "response"]);
        assert_eq!(left_out(&rest, &again(&["two", "response"])), Some(1));
        assert_eq!(left_out(&rest, &again(&["response"])), Some(2));
    }

    #[test]
    fn a_whole_replay_or_none_or_another_one_leaves_nothing_out() {
        let rest = again(&["one", "two", "response"]);
        assert_eq!(left_out(&rest, &rest), None);
        assert_eq!(left_out(&rest, &[]), None);
        assert_eq!(left_out(&rest, &again(&["other", "response"])), None);
        assert_eq!(left_out(&rest, &again(&["zero", "one", "two", "response"])), None);
        assert_eq!(left_out(&[], &rest), None);
    }
}
