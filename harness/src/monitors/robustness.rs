//! What any server must stand, whatever it is sent (POLICY section 10).

use super::base::{shorten, unanswered_in_time};
use super::rule::monitors;
use super::{Asked, Breach, Heard, HttpExchange, Judge, Moment, State};
use crate::protocol::{Id, Kind};
use crate::wire::{Channel, End, Event, Payload, ShutdownStep};
use serde_json::Value;

monitors! {
    /// Once it has answered, the process lives until its input is closed, whatever it is sent. An end with code 0 when
    /// nothing was left unanswered is a server's right, except in answer to something odd; any other end takes the
    /// user's session with it.
    the_process_survives (AnyTraffic) decides ["robustness.process.survives"];
    /// Every request comes to an end: on HTTP a status line comes and the body ends, on stdio an answer comes.
    every_exchange_comes_to_an_end (AnyTraffic) decides ["robustness.request.no-hang"] at_end nothing_hangs;
    /// Whatever is posted, the answer is no 5xx without a JSON-RPC error in it: that is what a program that fell over
    /// says. 502, 503 and 504 may come from a gateway.
    no_bare_server_errors (AnyTraffic) decides ["robustness.http.no-5xx"] at_end statuses_were_seen;
    /// Every HTTP response is valid HTTP to its end: status line, fields, a body as long as announced.
    responses_are_valid_http (AnyTraffic) decides ["robustness.http.valid"];
    /// No input makes the server send without end, or a message beyond the size limit.
    output_is_bounded (AnyTraffic) decides ["robustness.output.bounded"] at_end output_was_seen;
    /// Errors and log messages show no stack traces and no paths of the server's own source: they tell an attacker what
    /// runs there. A heuristic, so a warning at most.
    answers_show_no_internals (AnyTraffic) decides
        ["robustness.output.no-internals", "security.errors-leak-nothing"];
}

fn the_process_survives(moment: &Moment<'_>, judge: &mut Judge) {
    const ID: &str = "robustness.process.survives";
    let Event::ProcessExited { code, signal, after } = &moment.record.event else { return };
    let state = moment.state;
    if state.last_response_at.is_none() {
        return;
    }
    // What could not be written any more was not lost by the server.
    let unsent = state.link.last_sent.filter(|_| state.link.write_failed).map(|(seq, _)| seq);
    let open = state
        .unanswered()
        .filter(|asked| !asked.is_tainted() && Some(asked.seq) != unsent)
        .any(|asked| !state.link.timed_out.contains(&asked.id));
    let alone = *after == ShutdownStep::None;
    // It closed its output and lived on, or it ended, before we asked it to. What was killed at once had no choice.
    let killed = *after == ShutdownStep::Sigkill && state.link.stdin_closed.is_none();
    if !alone && (killed || !state.link.stdout_closed_early) {
        return judge.held(ID);
    }
    // To leave in order is a server's right, but not in answer to what a probe has just sent on purpose.
    let provoked = state.link.last_provocation.is_some();
    if !open && (!alone || (*code == Some(0) && !provoked)) {
        return;
    }
    let probe = state.probe.as_deref().unwrap_or("conversation");
    let how = match (after, code, signal) {
        (ShutdownStep::None, Some(code), _) => format!("it exited with code {code}"),
        (ShutdownStep::None, None, Some(signal)) => format!("signal {signal} ended it"),
        (ShutdownStep::None, None, None) => "it exited".to_owned(),
        _ => "it closed its standard output".to_owned(),
    };
    let breach = Breach::new(probe, format!("the process did not survive what it was sent by `{probe}`"))
        .expected(&["the process lives until its input is closed"])
        .actual(how)
        .at(moment.record);
    judge.broke(
        ID,
        match state.link.provocation() {
            Some(seq) => breach.sent(seq),
            None => breach,
        },
    );
}

fn every_exchange_comes_to_an_end(moment: &Moment<'_>, judge: &mut Judge) {
    const ID: &str = "robustness.request.no-hang";
    match &moment.record.event {
        Event::ResponseEnded(End::Complete) => judge.held(ID),
        Event::Received { .. } if moment.message.is_some_and(|heard| heard.answers.is_some()) => {
            judge.held(ID);
        }
        _ => {}
    }
}

fn nothing_hangs(state: &State, judge: &mut Judge) {
    const ID: &str = "robustness.request.no-hang";
    for asked in unanswered_in_time(state) {
        if asked.channel == Channel::PROCESS && asked.method != "ping" {
            judge.broke(
                ID,
                Breach::new("no-answer", format!("`{}` did not come to an end", shorten(&asked.method)))
                    .expected(&["an answer within the time-out"])
                    .actual("nothing")
                    .sent(asked.seq),
            );
        }
    }
    let mut hanging: Vec<(&Channel, &HttpExchange)> = state
        .exchanges
        .iter()
        .filter(|(channel, exchange)| {
            state.link.timed_out_exchanges.contains(channel) && hangs(state, exchange)
        })
        .collect();
    hanging.sort_by_key(|(_, exchange)| exchange.seq);
    for (_, exchange) in hanging {
        let class = if exchange.status.is_none() { "no-status-line" } else { "no-end" };
        judge.broke(
            ID,
            Breach::new(class, "an HTTP request did not come to an end")
                .expected(&["a response that ends within the time-out"])
                .actual(match exchange.status {
                    None => "no status line".to_owned(),
                    Some(status) => format!("HTTP {status}, and a body without end"),
                })
                .sent(exchange.seq),
        );
    }
}

/// Whether an exchange that took too long is one that should have ended.
fn hangs(state: &State, exchange: &HttpExchange) -> bool {
    let streams = |method: Option<&str>| matches!(method, Some("subscriptions/listen" | "tasks/result"));
    let cancelled = |id: &Id| state.asked.get(id).is_some_and(|asked| asked.cancelled || asked.responses > 0);
    exchange.method == "POST"
        && matches!(exchange.end, None | Some(End::TimedOut | End::ClosedByUs))
        // Something came on it: it goes on, perhaps slowly.
        && exchange.payloads == 0
        && !exchange
            .posted()
            .is_some_and(|posted| streams(posted.method()) || posted.id().is_some_and(cancelled))
}

fn no_bare_server_errors(_: &Moment<'_>, _: &mut Judge) {}

fn statuses_were_seen(state: &State, judge: &mut Judge) {
    const ID: &str = "robustness.http.no-5xx";
    let mut posts: Vec<&HttpExchange> =
        state.exchanges.values().filter(|exchange| exchange.method == "POST").collect();
    posts.sort_by_key(|exchange| exchange.seq);
    for exchange in posts {
        let Some(status) = exchange.status else { continue };
        match status {
            502..=504 => judge.undecided(ID, "gateway", format!("HTTP {status} may come from a gateway")),
            500..=599 if exchange.responses == 0 => {
                let by = exchange.deliberate.as_ref().map_or("valid", |deliberate| deliberate.by.as_str());
                judge.broke(
                    ID,
                    Breach::new(by, "a POST was answered with a 5xx status and no JSON-RPC error")
                        .expected(&["a JSON-RPC error", "a 4xx status"])
                        .actual(format!("HTTP {status}"))
                        .sent(exchange.seq),
                );
            }
            _ if exchange.is_tainted() => judge.held(ID),
            _ => {}
        }
    }
}

fn responses_are_valid_http(moment: &Moment<'_>, judge: &mut Judge) {
    const ID: &str = "robustness.http.valid";
    let Event::ResponseEnded(end) = &moment.record.event else { return };
    let exchange = moment.state.exchanges.get(&moment.record.channel);
    // A server that refuses a request before it has read all of it closes with data unread, which TCP turns into a
    // reset: the status was heard, and that was all there was to say.
    let refused = exchange.and_then(|exchange| exchange.status).is_some_and(|status| status >= 400);
    let (class, why) = match end {
        End::Complete => return judge.held(ID),
        End::Broken(why) if refused && !why.contains("inside the head") => return,
        End::Malformed(why) => ("malformed", why),
        // An event stream may be cut at any time; before the status line it is no response yet.
        End::Broken(why)
            if why.contains("inside the head")
                || exchange
                    .is_some_and(|exchange| exchange.status.is_some() && !exchange.is_event_stream()) =>
        {
            ("broken", why)
        }
        _ => return,
    };
    let breach = Breach::new(class, "a response is no valid HTTP")
        .expected(&["a response that is valid HTTP to its end"])
        .actual(why.clone())
        .at(moment.record);
    judge.broke(
        ID,
        match exchange {
            Some(exchange) => breach.sent(exchange.seq),
            None => breach,
        },
    );
}

fn output_is_bounded(moment: &Moment<'_>, judge: &mut Judge) {
    const ID: &str = "robustness.output.bounded";
    let what = match &moment.record.event {
        Event::Flooded { bytes } if moment.state.link.long_conversation(moment.record.channel, *bytes) => {
            let text = "the whole of a long conversation was more than the harness keeps";
            return judge.undecided(ID, "long-conversation", text);
        }
        Event::Flooded { bytes } => format!("{bytes} bytes, and no end"),
        Event::Received { payload: Payload::Raw { truncated: true, error, .. }, .. }
            if error.as_deref().is_some_and(|error| error.contains("read as a message")) =>
        {
            error.clone().unwrap_or_default()
        }
        _ => return,
    };
    let breach = Breach::new("unbounded", "the server sent more than any client keeps")
        .expected(&["messages and output within the size limit"])
        .actual(what)
        .at(moment.record);
    // Of a whole message with very many values our own limit speaks: no rule says how many there may be.
    let many = matches!(&moment.record.event, Event::Received { payload: Payload::Raw { error: Some(error), .. }, .. }
        if error.contains("values"));
    let breach = if many { breach.quality() } else { breach };
    judge.broke(
        ID,
        match moment.state.link.provocation() {
            Some(seq) => breach.sent(seq),
            None => breach,
        },
    );
}

fn output_was_seen(state: &State, judge: &mut Judge) {
    if state.link.spoke {
        judge.held("robustness.output.bounded");
    }
}

/// Pieces of text that stand in the stack traces of common runtimes and nowhere else.
const TRACES: &[(&str, &str)] = &[
    ("Traceback (most recent call last)", "Python"),
    ("stack backtrace:", "Rust"),
    ("thread '", "Rust"),
    ("panicked at ", "Rust"),
    ("goroutine ", "Go"),
    ("Exception in thread ", "Java"),
    ("node_modules/", "Node"),
    ("    at ", "Node, Java or .NET"),
    ("site-packages/", "Python"),
    ("File \"/", "Python"),
];

fn answers_show_no_internals(moment: &Moment<'_>, judge: &mut Judge) {
    const ID: &str = "robustness.output.no-internals";
    const SAME: &str = "security.errors-leak-nothing";
    let Some(heard @ Heard { message, answers, .. }) = moment.message else { return };
    let (texts, pointer) = match message.kind() {
        Kind::Error if heard.is_rpc() => (message.error(), "/error"),
        Kind::Notification if message.method() == Some("notifications/message") => {
            (message.params().and_then(|params| params.get("data")), "/params/data")
        }
        // What failed tells why in its content.
        Kind::Result if message.result().is_some_and(|result| result["isError"] == true) => {
            (message.result().and_then(|result| result.get("content")), "/result/content")
        }
        _ => return,
    };
    let Some(texts) = texts else { return };
    let Some((runtime, shown)) = trace(texts, answers) else {
        judge.held(SAME);
        return judge.held(ID);
    };
    let breach =
        Breach::new("stack-trace", "an error or log message shows a stack trace or a path of the source")
            .expected(&["what went wrong, and nothing of how the server is built"])
            .actual(format!("what looks like a stack trace of {runtime}: `{shown}`"))
            .at(moment.record)
            .pointer(pointer);
    let breach = match answers {
        Some(asked) => breach.sent(asked.seq),
        None => breach,
    };
    judge.broke(SAME, breach.clone().see(ID));
    judge.broke(ID, breach);
}

/// The first text in a value that looks like a stack trace, unless we had sent it ourselves.
fn trace(value: &Value, answers: Option<&Asked>) -> Option<(&'static str, String)> {
    match value {
        Value::String(text) => TRACES.iter().find_map(|(mark, runtime)| {
            let at = text.find(mark)?;
            let rest = text.get(at..)?;
            let traced = match *mark {
                "    at " => at > 0 && text.matches(mark).count() > 1 && rest.contains(':'),
                "goroutine " => rest.contains("[running]"),
                "thread '" => rest.contains("panicked at"),
                _ => true,
            };
            let echoed = answers.is_some_and(|asked| asked.message.text().contains(mark));
            (traced && !echoed).then(|| (*runtime, rest.chars().take(60).collect()))
        }),
        Value::Array(values) => values.iter().find_map(|value| trace(value, answers)),
        Value::Object(members) => members.values().find_map(|value| trace(value, answers)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{Script, Verdicts};
    use crate::protocol::Revision::V2025_11_25;
    use crate::wire::{End, Event, Payload, ShutdownStep, Taint};
    use serde_json::json;

    fn exited(code: Option<i32>, signal: Option<i32>, after: ShutdownStep) -> Event {
        Event::ProcessExited { code, signal, after }
    }

    fn asked() -> Script {
        let ping = json!({"jsonrpc": "2.0", "id": 7, "method": "ping"});
        Script::stdio(V2025_11_25)
            .handshake()
            .probe("some_probe")
            .sent_bytes(b"{", Some(Taint::Message))
            .sent(ping)
    }

    #[test]
    fn deaths() {
        let answer = json!({"jsonrpc": "2.0", "id": 7, "result": {}});
        let broken = &["robustness.process.survives"];
        let verdicts = asked().event(exited(Some(0), None, ShutdownStep::None)).verdicts();
        verdicts.assert_broken(broken);
        assert_eq!(verdicts.classes("robustness.process.survives"), ["some_probe"]);
        let breach = &verdicts.judge().get("robustness.process.survives").unwrap().breaches[0];
        assert_eq!(breach.sent, Some(5), "the message that did it");
        let answered = || asked().received(answer.clone());
        answered().event(exited(Some(0), None, ShutdownStep::None)).verdicts().assert_broken(broken);
        let unprovoked = answered().probe("another").event(exited(Some(0), None, ShutdownStep::None));
        unprovoked.verdicts().assert_broken(&[]);
        answered().event(exited(Some(1), None, ShutdownStep::None)).verdicts().assert_broken(broken);
        answered().event(exited(None, Some(11), ShutdownStep::None)).verdicts().assert_broken(broken);
        let ended = answered()
            .event(Event::StdinClosed)
            .event(Event::StdoutClosed)
            .event(exited(Some(0), None, ShutdownStep::StdinClosed))
            .verdicts();
        ended.assert_broken(&[]);
        ended.assert_held("robustness.process.survives");
        asked()
            .event(Event::StdoutClosed)
            .event(Event::StdinClosed)
            .event(exited(Some(0), None, ShutdownStep::StdinClosed))
            .verdicts()
            .assert_broken(broken);
    }

    fn over_http(events: impl Fn(Script, crate::wire::Channel) -> Script) -> Verdicts {
        let (script, channel) = Script::http(V2025_11_25).handshake().posted(b"{", Some(Taint::Message));
        events(script, channel).verdicts()
    }

    #[test]
    fn http() {
        let head = |status: u16| Event::ResponseHead {
            status,
            headers: vec![("content-type".to_owned(), "application/json".to_owned())],
        };
        let ended = |end: End| Event::ResponseEnded(end);
        let bare = over_http(|script, at| script.on(at, head(500)).on(at, ended(End::Complete)));
        bare.assert_broken(&["robustness.http.no-5xx"]);
        let error = json!({"jsonrpc": "2.0", "error": {"code": -32603, "message": "m"}}).to_string();
        let told = over_http(|script, at| {
            let received = Event::Received { payload: Payload::read(error.clone().into_bytes()), sse: None };
            script.on(at, head(500)).on(at, received).on(at, ended(End::Complete))
        });
        told.assert_broken(&[]);
        let gateway = over_http(|script, at| script.on(at, head(502)).on(at, ended(End::Complete)));
        gateway.assert_open("robustness.http.no-5xx");
        let refused = over_http(|script, at| script.on(at, head(400)).on(at, ended(End::Complete)));
        refused.assert_held("robustness.http.no-5xx");
        refused.assert_held("robustness.http.valid");
        let short = ended(End::Broken("closed 3 bytes before the end".to_owned()));
        let broken = over_http(|script, at| script.on(at, head(200)).on(at, short.clone()));
        broken.assert_broken(&["robustness.http.valid"]);
        let reset = ended(End::Broken("Connection reset by peer".to_owned()));
        let refused = over_http(|script, at| script.on(at, head(431)).on(at, reset.clone()));
        refused.assert_held("robustness.http.valid");
        let malformed = over_http(|script, at| script.on(at, ended(End::Malformed("x".to_owned()))));
        malformed.assert_broken(&["robustness.http.valid"]);
        let hangs = over_http(|script, at| script.on(at, Event::Note("timed out: ".to_owned())));
        hangs.assert_broken(&["robustness.request.no-hang"]);
        assert_eq!(hangs.classes("robustness.request.no-hang"), ["no-status-line"]);
    }

    #[test]
    fn floods_and_internals() {
        asked()
            .event(Event::Flooded { bytes: 1 << 30 })
            .verdicts()
            .assert_broken(&["robustness.output.bounded"]);
        // Many answers of an honest size, and our own limit.
        let long = (8..20).fold(asked(), |script, id| {
            let list = json!({"jsonrpc": "2.0", "id": id, "method": "tools/list"});
            let tools =
                json!([{"name": "a", "description": "d".repeat(5_000), "inputSchema": {"type": "object"}}]);
            script.sent(list).received(json!({"jsonrpc": "2.0", "id": id, "result": {"tools": tools}}))
        });
        let total = 12 * 5_200;
        long.event(Event::Flooded { bytes: total }).verdicts().assert_broken(&[]);
        let error = |text: &str| {
            let error =
                json!({"jsonrpc": "2.0", "id": 8, "error": {"code": -32603, "message": "m", "data": text}});
            let list = json!({"jsonrpc": "2.0", "id": 8, "method": "tools/list"});
            asked().sent(list).received(error).verdicts()
        };
        error("Traceback (most recent call last):\n  File \"/srv/app.py\"")
            .assert_broken(&["robustness.output.no-internals", "security.errors-leak-nothing"]);
        error("Error: x\n    at f (/srv/a.js:1:2)\n    at g (/srv/a.js:3:4)")
            .assert_broken(&["robustness.output.no-internals", "security.errors-leak-nothing"]);
        error("look at that").assert_held("robustness.output.no-internals");
    }
}
