//! `ping` (basic/utilities/ping, to 2025-11-25).

use super::base::unanswered_in_time;
use super::rule::monitors;
use super::{Breach, Heard, Judge, Moment, State};
use std::time::Duration;

monitors! {
    /// Every `ping` of ours is answered, and with a result. Clients take a server that does not answer for dead, and
    /// end the connection.
    pings_are_answered (WhileWeObey) decides ["ping.answered"] at_end no_ping_was_left_unanswered;
    /// The result of `ping` is an empty object (a `_meta` in it is allowed everywhere).
    ping_has_an_empty_result (WhileWeObey) decides ["ping.empty-result"];
    /// The server itself does not ping more than about once a second, measured over ten seconds.
    the_server_pings_with_measure (AnyTraffic) decides ["ping.not-excessive"] at_end pings_were_counted;
}

fn pings_are_answered(moment: &Moment<'_>, judge: &mut Judge) {
    let Some(Heard { message, answers: Some(asked), .. }) = moment.message else { return };
    // What we cancelled may be given up with an error.
    if asked.method != "ping" || (asked.cancelled && message.result().is_none()) {
        return;
    }
    judge.decide("ping.answered", message.result().is_some(), || {
        Breach::new("error", "a ping was answered with an error")
            .expected(&["an empty result"])
            .actual(message.error_code().map_or("an error".to_owned(), |code| format!("error {code}")))
            .at(moment.record)
            .sent(asked.seq)
    });
}

fn no_ping_was_left_unanswered(state: &State, judge: &mut Judge) {
    for asked in unanswered_in_time(state).into_iter().filter(|asked| asked.method == "ping") {
        judge.broke(
            "ping.answered",
            Breach::new("no-answer", "a ping was not answered")
                .expected(&["an empty result within the time-out"])
                .actual("nothing")
                .sent(asked.seq),
        );
    }
}

fn ping_has_an_empty_result(moment: &Moment<'_>, judge: &mut Judge) {
    let Some(Heard { message, answers: Some(asked), .. }) = moment.message else { return };
    let Some(result) = message.result().filter(|_| asked.method == "ping" && message.error().is_none())
    else {
        return;
    };
    let extra = result.as_object().and_then(|members| members.keys().find(|name| *name != "_meta"));
    judge.decide("ping.empty-result", result.is_object() && extra.is_none(), || {
        let class = if result.is_object() { "members" } else { "not-an-object" };
        Breach::new(class, "the result of `ping` is not empty")
            .expected(&["`{}`, or `_meta` alone in it"])
            .actual(match extra {
                Some(name) => format!("a member `{}`", super::base::shorten(name)),
                None => super::base::kind_of(Some(result)).to_owned(),
            })
            .at(moment.record)
            .sent(asked.seq)
            .pointer("/result")
    });
}

fn the_server_pings_with_measure(_: &Moment<'_>, _: &mut Judge) {}

fn pings_were_counted(state: &State, judge: &mut Judge) {
    const ID: &str = "ping.not-excessive";
    /// The most in [`WINDOW`], and the most at the beginning.
    const MOST: usize = 11;
    const WINDOW: Duration = Duration::from_secs(10);
    let pings: Vec<Duration> = state
        .link
        .asked_by_server
        .iter()
        .filter(|asked| asked.method == "ping")
        .map(|asked| asked.at)
        .collect();
    let crowded = pings.windows(MOST + 1).find(|times| match times {
        [first, .., last] => last.saturating_sub(*first) <= WINDOW,
        _ => false,
    });
    if crowded.is_some() {
        judge.broke(
            ID,
            Breach::new("excessive", "the server pings more than about once a second")
                .quality()
                .expected(&["at most about one ping a second"])
                .actual(format!(
                    "{} pings in a conversation of {} s",
                    pings.len(),
                    state.link.last_at.as_secs()
                )),
        );
    } else if state.link.spoke {
        judge.held(ID);
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{Script, Verdicts};
    use crate::protocol::Revision::V2025_11_25;
    use crate::wire::{Event, Taint};
    use serde_json::{Value, json};
    use std::time::Duration;

    fn ping(id: i64) -> Value {
        json!({"jsonrpc": "2.0", "id": id, "method": "ping"})
    }

    fn answered(members: Value) -> Verdicts {
        let mut answer = json!({"jsonrpc": "2.0", "id": 7});
        answer.as_object_mut().unwrap().extend(members.as_object().unwrap().clone());
        Script::stdio(V2025_11_25).handshake().sent(ping(7)).received(answer).verdicts()
    }

    #[test]
    fn answers() {
        let good = answered(json!({"result": {"_meta": {"a": 1}}}));
        good.assert_broken(&[]);
        good.assert_held("ping.answered");
        good.assert_held("ping.empty-result");
        good.assert_held("ping.not-excessive");
        answered(json!({"result": {"pong": true}})).assert_broken(&["ping.empty-result"]);
        answered(json!({"error": {"code": -32601, "message": "m"}})).assert_broken(&["ping.answered"]);
    }

    #[test]
    fn silence() {
        let silent = Script::stdio(V2025_11_25)
            .handshake()
            .sent(ping(7))
            .event(Event::Note("timed out: 7".to_owned()))
            .verdicts();
        silent.assert_broken(&["ping.answered"]);
        let tainted = Script::stdio(V2025_11_25)
            .handshake()
            .sent_tainted(ping(7), Taint::Message)
            .event(Event::Note("timed out: 7".to_owned()))
            .verdicts();
        tainted.assert_open("ping.answered");
    }

    #[test]
    fn an_error_for_a_cancelled_ping_is_no_finding() {
        let cancelled = Script::stdio(V2025_11_25)
            .handshake()
            .sent(ping(7))
            .sent(json!({"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": 7}}))
            .received(json!({"jsonrpc": "2.0", "id": 7, "error": {"code": 0, "message": "context canceled"}}))
            .verdicts();
        cancelled.assert_open("ping.answered");
    }

    #[test]
    fn pings_of_the_server() {
        let every = |pause: u64| {
            let mut script = Script::stdio(V2025_11_25).handshake();
            for id in 0..30 {
                script = script.received(ping(id)).wait(Duration::from_millis(pause));
            }
            script.verdicts()
        };
        every(1000).assert_broken(&[]);
        every(500).assert_broken(&["ping.not-excessive"]);
    }
}
