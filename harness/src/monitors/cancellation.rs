//! Cancellation, of our requests and of the server's (basic/utilities/cancellation; in 2026-07-28
//! basic/patterns/cancellation).

use super::notices::token_key;
use super::rule::monitors;
use super::{Breach, Judge, Moment, State};
use crate::protocol::{Era, Id, Kind, Revision, Transport};
use crate::wire::Event;
use serde_json::{Value, json};
use std::time::Duration;

/// Within this time after a cancellation or an answer, what comes may have crossed it.
const CROSSING: Duration = Duration::from_millis(500);
/// A request that is sent this long after a cancellation or an answer is behind it on every way.
const BEHIND: Duration = Duration::from_millis(100);
/// So many requests that were sent behind an answer, and answered, are behind it on every way.
const MANY: usize = 10;

monitors! {
    /// A server in a session cancels requests of its own that wait for an answer, by the id that it gave them, and
    /// those that became tasks by `tasks/cancel`. A cancellation of anything else cannot be placed.
    server_cancels_its_own_requests (AnyTraffic) decides
        ["cancellation.sent.own-direction", "cancellation.sent.in-progress", "cancellation.tasks-by-own-method"];
    /// In 2026-07-28 a server sends `notifications/cancelled` only to end a subscription, by the id of its
    /// `subscriptions/listen`.
    server_cancels_subscriptions_only (AnyTraffic) decides
        ["cancellation.sent.only-for-listen", "cancellation.sent.names-listen-id"] at_end nothing_else_was_cancelled;
    /// A subscription that the server ends by itself over STDIO is told as ended: by `notifications/cancelled`, by the
    /// result of the request, or both.
    ended_subscriptions_are_told (AnyTraffic) decides ["cancellation.sent.on-teardown"];
    /// What we cancelled gets no response and no progress any more, but for what crossed the cancellation. The server
    /// may be unable to stop what runs, so this is a warning at most.
    cancelled_requests_fall_silent (WhileWeObey) decides
        ["cancellation.no-response", "cancellation.stops-work", "cancellation.no-further-messages"];
}

fn server_cancels_its_own_requests(moment: &Moment<'_>, judge: &mut Judge) {
    const OWN: &str = "cancellation.sent.own-direction";
    const RUNNING: &str = "cancellation.sent.in-progress";
    const TASKS: &str = "cancellation.tasks-by-own-method";
    let state = moment.state;
    let Some(message) = moment.message.map(|heard| heard.message) else { return };
    if state.era() != Some(Era::Legacy) {
        return;
    }
    if *message.kind() == Kind::Request && message.method() == Some("tasks/cancel") {
        return judge.held(TASKS);
    }
    let Some(id) = cancelled_id(message) else { return };
    let own = state.link.asked_by_server.iter().find(|asked| asked.id == id);
    let breach = |class: &str, text: &str| {
        Breach::new(class, text)
            .expected(&["the id of a request of the server that waits for an answer"])
            .actual(format!("`requestId` {}", super::base::shorten(id.as_json())))
            .at(moment.record)
            .pointer("/params/requestId")
    };
    judge.decide(OWN, own.is_some(), || {
        let (class, text) = if state.asked.contains_key(&id) {
            ("ours", "the server cancelled a request of its client")
        } else {
            ("unknown", "the server cancelled a request that it had not sent")
        };
        breach(class, text)
    });
    if own.is_none() {
        return;
    }
    if state.notices.task_requests.contains(&id) && state.notices.answered.contains_key(&id) {
        let seen = breach("task", "the server cancelled a request that had become a task by a notification");
        judge.broke(TASKS, seen.expected(&["`tasks/cancel`"]));
    }
    let answered = state.notices.answered.get(&id).copied();
    let stale = answered.is_some_and(|at| {
        // What was sent behind the answer has been answered: so the answer had been read.
        let behind = || state.asked.values().filter(move |other| other.responses > 0 && other.at > at);
        moment.record.at.saturating_sub(at) > CROSSING
            || behind().any(|other| other.at > at + BEHIND)
            || behind().count() >= MANY
    });
    judge.decide(RUNNING, !stale, || {
        breach("answered", "the server cancelled a request long after it had been answered")
    });
}

fn cancelled_id(message: &crate::protocol::Message) -> Option<Id> {
    if message.method() != Some("notifications/cancelled") {
        return None;
    }
    let id = message.params()?.get("requestId")?;
    Some(Id::from_json(&id.to_string(), id))
}

fn server_cancels_subscriptions_only(moment: &Moment<'_>, judge: &mut Judge) {
    const ONLY: &str = "cancellation.sent.only-for-listen";
    const NAMES: &str = "cancellation.sent.names-listen-id";
    let state = moment.state;
    let Some(message) = moment.message.map(|heard| heard.message) else { return };
    if state.era() != Some(Era::Modern) || message.method() != Some("notifications/cancelled") {
        return;
    }
    let id = cancelled_id(message);
    let known = id.as_ref().is_some_and(|id| state.notices.subscriptions.contains_key(id));
    if known {
        judge.held(ONLY);
        return judge.held(NAMES);
    }
    let alike = id
        .as_ref()
        .is_some_and(|id| state.notices.subscriptions.keys().any(|listen| super::link::alike(listen, id)));
    let breach = |class: &str, text: &str| {
        Breach::new(class, text)
            .expected(&["the id of a `subscriptions/listen`, with its JSON type"])
            .actual(id.as_ref().map_or("no `requestId`".to_owned(), |id| {
                format!("`requestId` {}", super::base::shorten(id.as_json()))
            }))
            .at(moment.record)
            .pointer("/params/requestId")
    };
    if alike {
        return judge
            .broke(NAMES, breach("other-type", "a subscription was cancelled by an id of another type"));
    }
    let seen = breach("other", "the server cancelled something else than a subscription");
    judge.broke(ONLY, seen.clone());
    judge.broke(NAMES, seen.see(ONLY));
}

fn nothing_else_was_cancelled(state: &State, judge: &mut Judge) {
    // A breach would outweigh it.
    if state.era() == Some(Era::Modern) && state.last_response_at.is_some() {
        judge.held("cancellation.sent.only-for-listen");
    }
}

fn ended_subscriptions_are_told(moment: &Moment<'_>, judge: &mut Judge) {
    const ID: &str = "cancellation.sent.on-teardown";
    let state = moment.state;
    if state.era() != Some(Era::Modern) || state.transport() != Transport::Stdio {
        return;
    }
    let Some(heard) = moment.message else { return };
    let by_result = heard.answers.filter(|_| heard.message.result().is_some()).map(|asked| &asked.id);
    let by_notice = cancelled_id(heard.message);
    let Some(id) = by_result.or(by_notice.as_ref()) else { return };
    let Some(subscription) = state.notices.subscriptions.get(id) else { return };
    if subscription.acknowledged.is_some() && subscription.ended_by_us.is_none() {
        judge.held(ID);
    }
}

/// Whether an error is an answer to a cancellation: by the code that the language server protocol has for it, or in words.
fn speaks_of_cancellation(error: &Value) -> bool {
    let message = error.get("message").and_then(Value::as_str).unwrap_or_default();
    error.get("code") == Some(&json!(-32800)) || message.to_ascii_lowercase().contains("cancel")
}

/// Whether the result of a tool says that the call was cancelled.
fn tells_of_cancellation(result: &Value) -> bool {
    let text = result["content"][0]["text"].as_str().unwrap_or_default().to_ascii_lowercase();
    result["isError"] == true && (text.contains("cancelled") || text.contains("canceled"))
}

fn cancelled_requests_fall_silent(moment: &Moment<'_>, judge: &mut Judge) {
    const RESPONSE: &str = "cancellation.no-response";
    const WORK: &str = "cancellation.stops-work";
    const FURTHER: &str = "cancellation.no-further-messages";
    let state = moment.state;
    if !matches!(moment.record.event, Event::Received { .. }) {
        return;
    }
    let Some(heard) = moment.message else { return };
    let late = |id: &Id| {
        let cancelled = state.notices.cancelled.get(id)?;
        // Over HTTP it is there for sure when its POST is accepted.
        let posted = state.exchanges.get(&cancelled.channel).filter(|exchange| {
            exchange.method == "POST" && exchange.rpc_method() == Some("notifications/cancelled")
        });
        let there = posted.map_or(Some(cancelled.at), |exchange| exchange.times.head)?;
        (moment.record.at.saturating_sub(there) > CROSSING).then_some(*cancelled)
    };
    let strict = state.rules() >= Some(Revision::V2026_07_28) && state.transport() == Transport::Stdio;
    let breach = |class: &str, text: &str| {
        Breach::new(class, text)
            .quality()
            .expected(&["nothing, half a second after the cancellation"])
            .actual("a message that came later than that")
            .at(moment.record)
    };
    if let Some(asked) = heard.answers
        && let Some(cancelled) = state.notices.cancelled.get(&asked.id)
        && (heard.message.error().is_some_and(speaks_of_cancellation)
            || heard.message.result().is_some_and(tells_of_cancellation))
    {
        // No crossing: without the cancellation there would be no such answer.
        let what = if heard.message.error().is_some() { "an error" } else { "a failed result" };
        let seen =
            breach("told", &format!("a cancellation was answered with {what} for the cancelled request"))
                .expected(&["no response"])
                .actual(format!("{what} that speaks of the cancellation"))
                .sent(cancelled.seq);
        judge.broke(RESPONSE, seen.clone());
        if strict {
            judge.broke(FURTHER, seen.see(RESPONSE));
        }
        return;
    }
    if let Some(asked) = heard.answers
        && let Some(cancelled) = late(&asked.id)
    {
        // What is answered at once was answered before: it took its time on the way. So may anything have, unless what
        // was sent well after the cancellation has been answered.
        let passed =
            state.asked.values().any(|other| other.responses > 0 && other.at > cancelled.at + BEHIND);
        if matches!(asked.method.as_str(), "ping" | "server/discover") || !passed {
            return;
        }
        let seen =
            breach("response", "a request was answered although it had been cancelled").sent(cancelled.seq);
        judge.broke(RESPONSE, seen.clone());
        if strict {
            judge.broke(FURTHER, seen.see(RESPONSE));
        }
        return;
    }
    if heard.message.method() != Some("notifications/progress") {
        return;
    }
    let token = heard.message.params().and_then(|params| params.get("progressToken"));
    let progress = token.and_then(token_key).and_then(|key| state.notices.progress.get(&key));
    let Some(progress) = progress else { return };
    let running =
        |id: &&Id| state.asked.get(*id).is_some_and(|asked| !asked.cancelled && asked.responses == 0);
    if progress.requests.iter().any(|id| running(&id)) {
        return;
    }
    if let Some(cancelled) = progress.requests.last().and_then(late) {
        let seen =
            breach("progress", "a request made progress although it had been cancelled").sent(cancelled.seq);
        judge.broke(WORK, seen.clone());
        if strict {
            judge.broke(FURTHER, seen.see(WORK));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{Script, Verdicts, modern};
    use super::*;
    use crate::protocol::Revision::{self, V2025_11_25, V2026_07_28};
    use std::time::Duration;

    fn of_cancellation(verdicts: &Verdicts) -> Vec<&'static str> {
        verdicts.broken().into_iter().filter(|id| id.starts_with("cancellation.")).collect()
    }

    fn cancel(id: &Value) -> Value {
        json!({"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": id}})
    }

    fn asks() -> Value {
        json!({"jsonrpc": "2.0", "id": "s1", "method": "roots/list"})
    }

    fn call(id: i64) -> Value {
        json!({"jsonrpc": "2.0", "id": id, "method": "tools/call",
            "params": {"name": "t", "_meta": {"progressToken": id}}})
    }

    fn done(id: i64) -> Value {
        json!({"jsonrpc": "2.0", "id": id, "result": {"content": [], "resultType": "complete"}})
    }

    fn progress(id: i64) -> Value {
        json!({"jsonrpc": "2.0", "method": "notifications/progress", "params": {"progressToken": id, "progress": 1}})
    }

    #[test]
    fn requests_of_the_server() {
        let script = || Script::stdio(V2025_11_25).handshake();
        let good = script().received(asks()).received(cancel(&json!("s1"))).verdicts();
        assert_eq!(of_cancellation(&good), [""; 0]);
        good.assert_held("cancellation.sent.own-direction");
        good.assert_held("cancellation.sent.in-progress");
        let answer = json!({"jsonrpc": "2.0", "id": "s1", "result": {"roots": []}});
        let crossing =
            script().received(asks()).sent(answer.clone()).received(cancel(&json!("s1"))).verdicts();
        crossing.assert_held("cancellation.sent.in-progress");
        // What was sent behind the answer has been answered, so the answer had been read.
        let passed = script()
            .received(asks())
            .sent(answer.clone())
            .wait(BEHIND * 2)
            .sent(call(7))
            .received(done(7))
            .received(cancel(&json!("s1")))
            .verdicts();
        assert_eq!(of_cancellation(&passed), ["cancellation.sent.in-progress"]);
        let mut busy = script().received(asks()).sent(answer.clone());
        for id in 10..20 {
            busy = busy.wait(Duration::from_millis(1)).sent(call(id)).received(done(id));
        }
        let busy = busy.received(cancel(&json!("s1"))).verdicts();
        assert_eq!(of_cancellation(&busy), ["cancellation.sent.in-progress"]);
        let stale = script()
            .received(asks())
            .sent(answer)
            .wait(Duration::from_secs(3))
            .received(cancel(&json!("s1")))
            .verdicts();
        assert_eq!(of_cancellation(&stale), ["cancellation.sent.in-progress"]);
        for (id, class) in [(json!("s2"), "unknown"), (json!(7), "ours")] {
            let verdicts = script().sent(call(7)).received(cancel(&id)).verdicts();
            assert_eq!(verdicts.classes("cancellation.sent.own-direction"), [class]);
        }
    }

    #[test]
    fn tasks_on_the_client() {
        let asks = json!({"jsonrpc": "2.0", "id": "s1", "method": "sampling/createMessage",
            "params": {"messages": [], "maxTokens": 1, "task": {"ttl": 1000}}});
        let created = json!({"jsonrpc": "2.0", "id": "s1", "result": {"task": {"taskId": "c"}}});
        let script = || Script::stdio(V2025_11_25).handshake().received(asks.clone()).sent(created.clone());
        let wrong = script().received(cancel(&json!("s1"))).verdicts();
        assert_eq!(of_cancellation(&wrong), ["cancellation.tasks-by-own-method"]);
        let right =
            json!({"jsonrpc": "2.0", "id": "s2", "method": "tasks/cancel", "params": {"taskId": "c"}});
        script().received(right).verdicts().assert_held("cancellation.tasks-by-own-method");
    }

    #[test]
    fn subscriptions_only() {
        let listen = modern(2, "subscriptions/listen", json!({"notifications": {}}));
        let acknowledged = json!({"jsonrpc": "2.0", "method": "notifications/subscriptions/acknowledged",
            "params": {"_meta": {"io.modelcontextprotocol/subscriptionId": 2}, "notifications": {}}});
        let script =
            || Script::stdio(V2026_07_28).handshake().sent(listen.clone()).received(acknowledged.clone());
        let good = script().received(cancel(&json!(2))).verdicts();
        assert_eq!(of_cancellation(&good), [""; 0]);
        good.assert_held("cancellation.sent.names-listen-id");
        good.assert_held("cancellation.sent.on-teardown");
        let by_type = script().received(cancel(&json!("2"))).verdicts();
        assert_eq!(of_cancellation(&by_type), ["cancellation.sent.names-listen-id"]);
        let other = script().received(cancel(&json!(1))).verdicts();
        assert_eq!(
            of_cancellation(&other),
            ["cancellation.sent.names-listen-id", "cancellation.sent.only-for-listen"]
        );
        let silent = script().verdicts();
        silent.assert_held("cancellation.sent.only-for-listen");
        silent.assert_open("cancellation.sent.on-teardown");
    }

    /// A call, its cancellation, a wait, another request and its answer, and a message.
    fn after(revision: Revision, pause: u64, message: Value) -> Verdicts {
        after_with(revision, pause, message, true)
    }

    fn after_with(revision: Revision, pause: u64, message: Value, passed: bool) -> Verdicts {
        let request = match revision {
            V2026_07_28 => modern(2, "tools/call", json!({"name": "t", "_meta": {"progressToken": 2}})),
            _ => call(2),
        };
        let mut script = Script::stdio(revision)
            .handshake()
            .sent(request)
            .sent(cancel(&json!(2)))
            .wait(Duration::from_millis(pause));
        if passed {
            let other = match revision {
                V2026_07_28 => modern(3, "tools/list", json!({})),
                _ => json!({"jsonrpc": "2.0", "id": 3, "method": "tools/list"}),
            };
            script = script.sent(other).received(json!({"jsonrpc": "2.0", "id": 3, "result": {"tools": []}}));
        }
        script.received(message).verdicts()
    }

    #[test]
    fn what_crosses_a_cancellation_and_what_comes_late() {
        for message in [done(2), progress(2)] {
            assert_eq!(of_cancellation(&after(V2026_07_28, 100, message)), [""; 0]);
        }
        assert_eq!(of_cancellation(&after(V2025_11_25, 700, done(2))), ["cancellation.no-response"]);
        // A server that has answered nothing since may just be slow.
        assert_eq!(of_cancellation(&after_with(V2025_11_25, 700, done(2), false)), [""; 0]);
        assert_eq!(of_cancellation(&after(V2025_11_25, 700, progress(2))), ["cancellation.stops-work"]);
        assert_eq!(
            of_cancellation(&after(V2026_07_28, 700, done(2))),
            ["cancellation.no-further-messages", "cancellation.no-response"]
        );
        assert_eq!(
            of_cancellation(&after(V2026_07_28, 700, progress(2))),
            ["cancellation.no-further-messages", "cancellation.stops-work"]
        );
    }

    #[test]
    fn an_answer_that_tells_of_the_cancellation_did_not_cross_it() {
        let failed = |text: &str| {
            let content = json!([{"type": "text", "text": text}]);
            json!({"jsonrpc": "2.0", "id": 2, "result": {"content": content, "isError": true}})
        };
        let told = after(V2025_11_25, 20, failed("The call was cancelled."));
        assert_eq!(of_cancellation(&told), ["cancellation.no-response"]);
        assert_eq!(of_cancellation(&after(V2025_11_25, 20, failed("No such file."))), [""; 0]);
    }

    #[test]
    fn a_request_that_was_answered_is_not_cancelled() {
        let verdicts = Script::stdio(V2025_11_25)
            .handshake()
            .sent(call(2))
            .received(done(2))
            .sent(cancel(&json!(2)))
            .wait(Duration::from_secs(1))
            .received(done(2))
            .verdicts();
        assert_eq!(of_cancellation(&verdicts), [""; 0]);
    }
}
