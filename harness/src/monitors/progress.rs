//! Progress notifications and their tokens (basic/utilities/progress; in 2026-07-28 basic/patterns/progress).

use super::http::exchange;
use super::notices::{Progress, token_key};
use super::rule::monitors;
use super::{Asked, Breach, Judge, Moment, State};
use crate::protocol::{Era, Kind, Transport};
use serde_json::Value;
use std::time::Duration;

/// Within this time, messages on different streams may have changed places.
const REORDERED: Duration = Duration::from_millis(500);
/// How long after a response nothing must have come, for it to be said that progress had stopped.
const QUIET: Duration = Duration::from_millis(100);
/// More than this many notifications for one token within a second are a flood.
const FLOOD: u32 = 200;
/// Fewer notifications than this say nothing about a limit.
const SOME: u32 = 3;

monitors! {
    /// Progress names a token that we gave, with its JSON type, while the request that carried it runs. A client finds
    /// the request by the token: progress with another one is lost, or moves a foreign bar.
    progress_names_a_running_request (WhileWeObey) decides [
        "progress.notification.known-token", "progress.notification.in-progress-only",
        "progress.token.type-preserved", "progress.stops-after-completion", "progress.task.token-kept",
        "progress.task.same-token", "progress.task.stops-at-terminal",
    ] at_end progress_had_stopped;
    /// Each value for a token is greater than the one before. One that stands still is a lesser matter in the revisions
    /// up to 2025-11-25.
    progress_grows (WhileWeObey) decides ["progress.value.increases"];
    /// In 2026-07-28 progress over HTTP comes on the stream of its request and on no other.
    progress_stays_on_the_stream_of_its_request (WhileWeObey) decides ["progress.notification.own-stream"];
    /// No more than about 200 progress notifications a second come for one token: a client that draws each one has
    /// nothing else to do.
    progress_comes_with_measure (WhileWeObey) decides ["progress.rate-limited"] at_end progress_was_counted;
    /// Where the server asks for progress on its own requests, its tokens are strings or integers, and no two requests
    /// that run have the same one.
    tokens_of_the_server_are_sound (AnyTraffic) decides ["progress.token.type", "progress.token.unique"];
}

/// A progress notification: its token, the key of the token, and its value.
struct Told<'a> {
    token: &'a Value,
    key: String,
    value: Option<f64>,
}

fn told<'a>(moment: &Moment<'a>) -> Option<Told<'a>> {
    let message = moment.message?.message;
    if message.method() != Some("notifications/progress") {
        return None;
    }
    let params = message.params()?;
    let token = params.get("progressToken")?;
    // What is no token at all is a matter of shape.
    let key = token_key(token)?;
    Some(Told { token, key, value: params.get("progress").and_then(Value::as_f64) })
}

fn carriers<'a>(state: &'a State, progress: &'a Progress) -> impl Iterator<Item = &'a Asked> {
    progress.requests.iter().filter_map(|id| state.asked.get(id))
}

fn progress_names_a_running_request(moment: &Moment<'_>, judge: &mut Judge) {
    const KNOWN: &str = "progress.notification.known-token";
    const RUNNING: &str = "progress.notification.in-progress-only";
    const TYPE: &str = "progress.token.type-preserved";
    const STOPS: &str = "progress.stops-after-completion";
    let Some(told) = told(moment) else { return };
    let state = moment.state;
    let breach = |class: &str, text: &str| {
        Breach::new(class, text)
            .expected(&["the token of a request that runs"])
            .actual(format!("progress for the token {}", super::base::shorten(&told.token.to_string())))
            .at(moment.record)
            .pointer("/params/progressToken")
    };
    let Some(progress) = state.notices.progress.get(&told.key) else {
        return unknown_token(moment, &told, judge, &breach);
    };
    let running = |asked: &Asked| asked.responses == 0 && !asked.cancelled;
    if carriers(state, progress).any(running) {
        for id in [KNOWN, RUNNING, TYPE] {
            judge.held(id);
        }
        return;
    }
    // What we cancelled may run on: a server is free to ignore it, and messages cross.
    let Some((answered, channel)) = progress.answered else { return };
    let late = moment.record.at.saturating_sub(answered);
    let ordered = state.transport() != Transport::Http || channel == moment.record.channel;
    if let Some(task) = &progress.task {
        let over = state.notices.tasks_over.get(task);
        let Some(over) = over else {
            judge.held("progress.task.token-kept");
            return judge.held("progress.task.same-token");
        };
        if moment.record.at.saturating_sub(*over) > REORDERED
            || (ordered && state.transport() == Transport::Stdio)
        {
            judge.broke(
                "progress.task.stops-at-terminal",
                breach("after-the-task", "progress came for a task that was over"),
            );
        }
        return;
    }
    if !ordered && late <= REORDERED {
        return;
    }
    let seen = breach("after-the-response", "progress came for a request that had been answered");
    let seen = match progress.requests.last().and_then(|id| state.asked.get(id)) {
        Some(asked) => seen.sent(asked.seq),
        None => seen,
    };
    judge.broke(STOPS, seen.clone());
    judge.broke(RUNNING, seen.see(STOPS));
}

fn unknown_token(
    moment: &Moment<'_>,
    told: &Told<'_>,
    judge: &mut Judge,
    breach: &dyn Fn(&str, &str) -> Breach,
) {
    const KNOWN: &str = "progress.notification.known-token";
    const TYPE: &str = "progress.token.type-preserved";
    let bare = |key: &str| key.trim_matches('"').to_owned();
    let notices = &moment.state.notices;
    if notices.progress.keys().any(|key| bare(key) == bare(&told.key)) {
        let seen = breach("other-type", "a progress token came back with another JSON type");
        judge.broke(TYPE, seen.clone());
        return judge.broke(KNOWN, seen.see(TYPE));
    }
    let seen = breach("unknown", "progress came for a token that no request had");
    let tasks = notices.progress.values().filter_map(|progress| progress.task.as_ref());
    let task_runs = tasks.into_iter().any(|task| !notices.tasks_over.contains_key(task));
    let request_runs = notices
        .progress
        .values()
        .flat_map(|progress| carriers(moment.state, progress))
        .any(|asked| asked.responses == 0);
    if task_runs && !request_runs {
        for id in ["progress.task.token-kept", "progress.task.same-token"] {
            judge.broke(id, seen.clone().see(KNOWN));
        }
    }
    judge.broke(KNOWN, seen);
}

fn progress_had_stopped(state: &State, judge: &mut Judge) {
    for progress in state.notices.progress.values().filter(|progress| progress.rate.count > 0) {
        let since = |at: Duration| state.now.saturating_sub(at) >= QUIET;
        match &progress.task {
            None if progress.answered.is_some_and(|(at, _)| since(at)) => {
                judge.held("progress.stops-after-completion");
            }
            Some(task) if state.notices.tasks_over.get(task).is_some_and(|at| since(*at)) => {
                judge.held("progress.task.stops-at-terminal");
            }
            _ => {}
        }
    }
}

fn progress_grows(moment: &Moment<'_>, judge: &mut Judge) {
    const ID: &str = "progress.value.increases";
    let Some(Told { key, value: Some(value), .. }) = told(moment) else { return };
    let progress = moment.state.notices.progress.get(&key);
    // On another stream it may be a replay, or have overtaken what was sent before.
    let Some((last, _)) =
        progress.and_then(|progress| progress.last).filter(|(_, channel)| *channel == moment.record.channel)
    else {
        return;
    };
    if value > last {
        return judge.held(ID);
    }
    judge.broke(
        ID,
        Breach::new(
            if value >= last { "equal" } else { "lower" },
            "`progress` did not grow from one notification to the next",
        )
        .expected(&[&format!("more than {last}")])
        .actual(value.to_string())
        .at(moment.record)
        .pointer("/params/progress"),
    );
}

fn progress_stays_on_the_stream_of_its_request(moment: &Moment<'_>, judge: &mut Judge) {
    const ID: &str = "progress.notification.own-stream";
    let state = moment.state;
    if state.era() != Some(Era::Modern) || state.transport() != Transport::Http {
        return;
    }
    let (Some(told), Some(here)) = (told(moment), exchange(moment)) else { return };
    let Some(progress) = state.notices.progress.get(&told.key) else { return };
    let own = carriers(state, progress).any(|asked| asked.channel == moment.record.channel);
    judge.decide(ID, own, || {
        let breach = Breach::new("other-stream", "progress came on another stream than that of its request")
            .expected(&["progress on the stream of its request"])
            .actual("a notification on the stream of another request")
            .at(moment.record)
            .sent(here.seq)
            .pointer("/params/progressToken");
        let listen = here.rpc_method() == Some("subscriptions/listen");
        breach.see(if listen {
            "http.sse.listen-stream-only-changes"
        } else {
            "http.sse.related-messages-only"
        })
    });
}

fn progress_comes_with_measure(_: &Moment<'_>, _: &mut Judge) {}

fn progress_was_counted(state: &State, judge: &mut Judge) {
    const ID: &str = "progress.rate-limited";
    for progress in state.notices.progress.values() {
        let most = progress.rate.most;
        if most > FLOOD {
            judge.broke(
                ID,
                Breach::new("flood", "progress notifications for one token come in a flood")
                    .quality()
                    .expected(&["at most about 200 a second"])
                    .actual(format!("{most} within a second")),
            );
        } else if progress.rate.count >= SOME {
            judge.held(ID);
        }
    }
}

fn tokens_of_the_server_are_sound(moment: &Moment<'_>, judge: &mut Judge) {
    let Some(message) = moment.message.map(|heard| heard.message) else { return };
    if *message.kind() != Kind::Request {
        return;
    }
    let Some(token) = message.params().and_then(|params| params.pointer("/_meta/progressToken")) else {
        return;
    };
    let breach = |class: &str, text: &str, expected: &str| {
        Breach::new(class, text)
            .expected(&[expected])
            .actual(super::base::shorten(&token.to_string()))
            .at(moment.record)
            .pointer("/params/_meta/progressToken")
    };
    let key = token_key(token).filter(|_| !token.is_f64());
    judge.decide("progress.token.type", key.is_some(), || {
        let text = "a request of the server has a progress token that is neither a string nor an integer";
        breach("type", text, "a string or an integer")
    });
    let Some(key) = key else { return };
    let open = moment.state.notices.server_tokens.get(&key).filter(|id| Some(*id) != message.id());
    judge.decide("progress.token.unique", open.is_none(), || {
        let text = "two requests of the server that wait for their answers have the same progress token";
        breach("twice", text, "a token that no other request has")
    });
}

#[cfg(test)]
mod tests {
    use super::super::testing::{Script, Verdicts, modern};
    use crate::protocol::Revision::{self, V2025_06_18, V2025_11_25, V2026_07_28};
    use crate::wire::Channel;
    use serde_json::{Value, json};
    use std::time::Duration;

    fn call(id: i64, token: &Value) -> Value {
        json!({"jsonrpc": "2.0", "id": id, "method": "tools/call",
            "params": {"name": "t", "_meta": {"progressToken": token}}})
    }

    fn progress(token: &Value, value: &Value) -> Value {
        json!({"jsonrpc": "2.0", "method": "notifications/progress",
            "params": {"progressToken": token, "progress": value}})
    }

    fn done(id: i64) -> Value {
        json!({"jsonrpc": "2.0", "id": id, "result": {"content": [], "resultType": "complete"}})
    }

    /// A call with the token 7, these notifications, its response, these notifications.
    fn told(revision: Revision, before: &[Value], after: &[Value]) -> Verdicts {
        let request = match revision {
            V2026_07_28 => modern(2, "tools/call", json!({"name": "t", "_meta": {"progressToken": 7}})),
            _ => call(2, &json!(7)),
        };
        let mut script = Script::stdio(revision).handshake_with(json!({"tools": {}})).sent(request);
        for message in before {
            script = script.received(message.clone());
        }
        script = script.received(done(2));
        for message in after {
            script = script.received(message.clone());
        }
        script.wait(Duration::from_millis(200)).probe("the end").verdicts()
    }

    fn of_progress(verdicts: &Verdicts) -> Vec<&'static str> {
        verdicts.broken().into_iter().filter(|id| id.starts_with("progress.")).collect()
    }

    #[test]
    fn sound_progress() {
        let values: Vec<Value> = (1..4).map(|value| progress(&json!(7), &json!(value))).collect();
        for revision in [V2025_06_18, V2026_07_28] {
            let good = told(revision, &values, &[]);
            assert_eq!(of_progress(&good), [""; 0]);
            for id in [
                "progress.notification.known-token",
                "progress.notification.in-progress-only",
                "progress.token.type-preserved",
                "progress.value.increases",
                "progress.stops-after-completion",
                "progress.rate-limited",
            ] {
                good.assert_held(id);
            }
        }
    }

    #[test]
    fn tokens() {
        let other = told(V2025_11_25, &[progress(&json!("7"), &json!(1))], &[]);
        assert_eq!(
            of_progress(&other),
            ["progress.notification.known-token", "progress.token.type-preserved"]
        );
        let unknown = told(V2025_11_25, &[progress(&json!("x"), &json!(1))], &[]);
        assert_eq!(of_progress(&unknown), ["progress.notification.known-token"]);
        let late = told(V2025_11_25, &[], &[progress(&json!(7), &json!(1))]);
        assert_eq!(
            of_progress(&late),
            ["progress.notification.in-progress-only", "progress.stops-after-completion"]
        );
    }

    #[test]
    fn values() {
        let values =
            |first: Value, second: Value| [progress(&json!(7), &first), progress(&json!(7), &second)];
        for (first, second, class) in [(json!(2), json!(1.5), "lower"), (json!(2), json!(2), "equal")] {
            let verdicts = told(V2026_07_28, &values(first, second), &[]);
            assert_eq!(verdicts.classes("progress.value.increases"), [class]);
        }
        told(V2026_07_28, &values(json!(0.1), json!(0.2)), &[]).assert_held("progress.value.increases");
    }

    #[test]
    fn a_token_that_is_used_again_begins_anew() {
        let mut script = Script::stdio(V2025_11_25).handshake();
        for id in [2, 3] {
            script = script
                .sent(call(id, &json!("a")))
                .received(progress(&json!("a"), &json!(1)))
                .received(done(id));
        }
        assert_eq!(of_progress(&script.verdicts()), [""; 0]);
    }

    #[test]
    fn what_we_cancelled_may_speak_on() {
        let cancel =
            json!({"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": 2}});
        let verdicts = Script::stdio(V2025_11_25)
            .handshake()
            .sent(call(2, &json!("a")))
            .sent(cancel)
            .received(progress(&json!("a"), &json!(1)))
            .verdicts();
        assert_eq!(of_progress(&verdicts), [""; 0]);
    }

    #[test]
    fn a_flood() {
        let values: Vec<Value> = (0..300).map(|value| progress(&json!(7), &json!(value))).collect();
        assert_eq!(of_progress(&told(V2025_11_25, &values, &[])), ["progress.rate-limited"]);
    }

    /// Two calls over HTTP, and a notification for the token of the first on the stream of the one given.
    fn over_http(revision: Revision, on_first: bool, pause: u64) -> Verdicts {
        let body = |id: i64| {
            let meta = json!({"progressToken": id});
            match revision {
                V2026_07_28 => modern(id, "tools/call", json!({"name": "t", "_meta": meta})),
                _ => json!({"jsonrpc": "2.0", "id": id, "method": "tools/call",
                    "params": {"name": "t", "_meta": meta}}),
            }
        };
        let script = Script::http(revision).handshake_with(json!({"tools": {}}));
        let (script, first) = script.posted(body(11).to_string().as_bytes(), None);
        let (script, second) = script.posted(body(12).to_string().as_bytes(), None);
        let channel: Channel = if on_first { first } else { second };
        script
            .streaming(first)
            .streaming(second)
            .event_on(first, &done(11))
            .wait(Duration::from_millis(pause))
            .event_on(channel, &progress(&json!(11), &json!(1)))
            .verdicts()
    }

    #[test]
    fn streams() {
        let late = over_http(V2026_07_28, true, 0);
        assert!(late.broken().contains(&"progress.stops-after-completion"));
        late.assert_held("progress.notification.own-stream");
        let elsewhere = over_http(V2026_07_28, false, 0);
        assert!(elsewhere.broken().contains(&"progress.notification.own-stream"));
        // Two streams: what was sent first may come last.
        elsewhere.assert_open("progress.stops-after-completion");
        let much_later = over_http(V2025_11_25, false, 900);
        assert!(much_later.broken().contains(&"progress.stops-after-completion"));
        much_later.assert_open("progress.notification.own-stream");
    }

    #[test]
    fn tokens_of_the_server() {
        let asks = |id: &str, token: &Value| {
            json!({"jsonrpc": "2.0", "id": id, "method": "sampling/createMessage",
                "params": {"messages": [], "maxTokens": 1, "_meta": {"progressToken": token}}})
        };
        let script = || Script::stdio(V2025_11_25).handshake();
        let good = script().received(asks("a", &json!(1))).received(asks("b", &json!("1"))).verdicts();
        good.assert_held("progress.token.type");
        good.assert_held("progress.token.unique");
        let twice = script().received(asks("a", &json!(1))).received(asks("b", &json!(1))).verdicts();
        assert_eq!(of_progress(&twice), ["progress.token.unique"]);
        let answered = script()
            .received(asks("a", &json!(1)))
            .sent(json!({"jsonrpc": "2.0", "id": "a", "result": {}}))
            .received(asks("b", &json!(1)))
            .verdicts();
        assert_eq!(of_progress(&answered), [""; 0]);
        for wrong in [json!(null), json!(1.5), json!(true)] {
            let verdicts = script().received(asks("a", &wrong)).verdicts();
            assert_eq!(of_progress(&verdicts), ["progress.token.type"]);
        }
    }

    #[test]
    fn tasks() {
        let task = |status: &str| json!({"taskId": "t1", "status": status, "createdAt": "x", "ttl": 1});
        let begin = |script: Script| {
            let created = json!({"jsonrpc": "2.0", "id": 2, "result": {"task": task("working")}});
            script.sent(call(2, &json!("a"))).received(created).received(progress(&json!("a"), &json!(1)))
        };
        let over = |script: Script| {
            let get = json!({"jsonrpc": "2.0", "id": 3, "method": "tasks/get", "params": {"taskId": "t1"}});
            let ended = json!({"jsonrpc": "2.0", "id": 3, "result": task("completed")});
            script.sent(get).received(ended)
        };
        let script = || Script::stdio(V2025_11_25).handshake();
        let good = over(begin(script())).wait(Duration::from_millis(200)).probe("end").verdicts();
        assert_eq!(of_progress(&good), [""; 0]);
        for id in ["progress.task.token-kept", "progress.task.same-token", "progress.task.stops-at-terminal"]
        {
            good.assert_held(id);
        }
        let late = over(begin(script())).received(progress(&json!("a"), &json!(2))).verdicts();
        assert_eq!(of_progress(&late), ["progress.task.stops-at-terminal"]);
        let other = begin(script()).received(progress(&json!("t1"), &json!(2))).verdicts();
        assert_eq!(
            of_progress(&other),
            ["progress.notification.known-token", "progress.task.same-token", "progress.task.token-kept"]
        );
    }
}
