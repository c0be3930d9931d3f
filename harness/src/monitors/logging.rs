//! Log messages and their levels (server/utilities/logging).

use super::http::exchange;
use super::notices::{LEVELS, level, request_level, subscription_tag};
use super::rule::monitors;
use super::{Asked, Breach, HttpExchange, Judge, Moment, State};
use crate::protocol::{Era, Kind, Transport};
use serde_json::Value;
use std::time::Duration;

/// More than this many log messages within a second are a flood.
const FLOOD: u32 = 1000;
/// Fewer log messages than this say nothing about a limit.
const SOME: u32 = 5;
/// A log message that comes this long after the last request that asked for any is not one that came late.
const LATE: Duration = Duration::from_secs(1);
/// How much of a log message is looked through, in bytes.
const LOOKED_THROUGH: usize = 64 << 10;

monitors! {
    /// A server that sends `notifications/message`, in whatever traffic, declares `logging`: clients that do not find
    /// the capability have nothing that takes the messages in.
    log_messages_are_declared (AnyTraffic) decides ["logging.capability.declared"] at_end logging_was_declared;
    /// After `logging/setLevel` was answered, messages below that level no longer come; in 2026-07-28 the level of the
    /// request counts. Whoever asked for errors does not want to read everything.
    log_levels_are_kept (WhileWeObey) decides ["logging.level.filters"];
    /// In 2026-07-28 a log message belongs to a request that asked for it: it comes before the response, on the stream
    /// of that request, never on that of a subscription, and not at all where no request asked.
    log_messages_belong_to_requests (WhileWeObey) decides [
        "logging.level.none-without", "logging.message.before-response", "logging.message.own-stream-only",
        "logging.message.not-on-listen",
    ] at_end log_messages_stayed_away;
    /// Log messages hold nothing that looks like a key, a password or a token, no e-mail address, no path, stack trace
    /// or connection string: logs are kept and shown in more places than answers are. Found by patterns, so a warning
    /// at most.
    log_messages_keep_secrets (AnyTraffic) decides [
        "logging.no-credentials", "logging.no-personal-data", "logging.no-internals", "logging.sensitive-removed",
    ];
    /// No more than about 1000 log messages come within a second.
    log_messages_come_with_measure (WhileWeObey) decides ["logging.rate-limited"] at_end log_messages_were_counted;
}

/// The parameters of a log message.
fn logged<'a>(moment: &Moment<'a>) -> Option<&'a Value> {
    let message = moment.message?.message;
    let is_notification = *message.kind() == Kind::Notification;
    (is_notification && message.method() == Some("notifications/message")).then(|| message.params())?
}

fn log_messages_are_declared(moment: &Moment<'_>, judge: &mut Judge) {
    if logged(moment).is_none() || moment.state.capabilities.is_none() {
        return;
    }
    judge.decide("logging.capability.declared", moment.state.declares("logging"), || {
        Breach::new("undeclared", "a log message was sent although `logging` was not declared")
            .expected(&["no `notifications/message`, or `logging` in the capabilities"])
            .actual("it was sent")
            .at(moment.record)
            .pointer("/method")
    });
}

fn logging_was_declared(state: &State, judge: &mut Judge) {
    if state.capabilities.is_some() && !state.declares("logging") {
        let text = "the server does not declare `logging`, and sent no log message";
        judge.not_applicable("logging.capability.declared", "not-declared", text);
    }
}

fn log_levels_are_kept(moment: &Moment<'_>, judge: &mut Judge) {
    const ID: &str = "logging.level.filters";
    let Some(came) = logged(moment).and_then(|params| level(params.get("level"))) else { return };
    let state = moment.state;
    let least = if state.era() == Some(Era::Modern) {
        match exchange(moment) {
            Some(here) => here.posted().and_then(request_level).and_then(|wanted| level(Some(wanted))),
            // It may belong to a call that asked for none.
            None if calls_without_level(state) => None,
            None => state.notices.logging.values().min().copied(),
        }
    } else {
        let Some((least, since)) = state.notices.level else { return };
        // What runs since before the level was set may have spoken before it held.
        let older = state.asked.values().any(|asked| asked.responses == 0 && asked.seq < since);
        (!older).then_some(least)
    };
    let Some(least) = least else { return };
    if came < least {
        judge.broke(
            ID,
            Breach::new("below", "a log message came that is less severe than what was asked for")
                .expected(&[&format!("`{}` or above", LEVELS[least])])
                .actual(format!("`{}`", LEVELS[came]))
                .at(moment.record)
                .pointer("/params/level"),
        );
    } else if least > 0 {
        judge.held(ID);
    }
}

fn log_messages_belong_to_requests(moment: &Moment<'_>, judge: &mut Judge) {
    const WITHOUT: &str = "logging.level.none-without";
    const BEFORE: &str = "logging.message.before-response";
    const OWN: &str = "logging.message.own-stream-only";
    const LISTEN: &str = "logging.message.not-on-listen";
    let state = moment.state;
    if state.era() != Some(Era::Modern) {
        return;
    }
    if let Some(answered) = moment.message.and_then(|heard| heard.answers) {
        // A request that asked for none was answered, and none came that could have been meant for it.
        let alone = state.transport() == Transport::Http || state.notices.logging.is_empty();
        if answered.method == "tools/call" && request_level(&answered.message).is_none() && alone {
            judge.held(WITHOUT);
        }
    }
    if logged(moment).is_none() {
        return;
    }
    let breach = |class: &str, text: &str| {
        Breach::new(class, text)
            .expected(&["log messages before the response of a request with `logLevel`, on its stream"])
            .actual("`notifications/message`")
            .at(moment.record)
    };
    let here = exchange(moment);
    let listens = |here: &HttpExchange| here.rpc_method() == Some("subscriptions/listen");
    let tagged = moment.message.is_some_and(|heard| subscription_tag(heard.message).is_some());
    if tagged || here.is_some_and(listens) {
        let seen = breach("listen", "a log message came through a subscription");
        return judge.broke(LISTEN, seen);
    }
    let Some(here) = here else {
        if !state.notices.logging.is_empty() {
            return judge.held(BEFORE);
        }
        let late =
            state.notices.logging_ended.is_some_and(|ended| moment.record.at.saturating_sub(ended) < LATE);
        return match (late, calls_without_level(state)) {
            // It may have come late, or for a call that asked for none.
            (true, true) => {}
            (true, false) => {
                judge.broke(BEFORE, breach("after", "a log message came after the response of its request"));
            }
            (false, _) => {
                judge.broke(
                    WITHOUT,
                    breach("unasked", "a log message came although no request asked for any"),
                );
            }
        };
    };
    let seen = |class: &str, text: &str| breach(class, text).sent(here.seq);
    if here.posted().and_then(request_level).is_some() {
        judge.held(OWN);
        return judge.decide(BEFORE, here.responses == 0, || {
            seen("after", "a log message came after the response of its request")
        });
    }
    if state.notices.logging.is_empty() {
        let text = "a log message came on the stream of a request that asked for none";
        judge.broke(WITHOUT, seen("unasked", text));
    } else {
        let text = "a log message came on the stream of another request than the one that asked";
        judge.broke(OWN, seen("other-stream", text));
    }
}

/// Whether a call runs that asked for no log messages.
fn calls_without_level(state: &State) -> bool {
    let runs = |asked: &Asked| asked.responses == 0 && asked.method == "tools/call";
    state.asked.values().any(|asked| runs(asked) && request_level(&asked.message).is_none())
}

fn log_messages_stayed_away(state: &State, judge: &mut Judge) {
    let listened = state.notices.subscriptions.values().any(|open| open.acknowledged.is_some());
    if listened && state.notices.log_messages.count > 0 {
        judge.held("logging.message.not-on-listen");
    }
}

/// Beginnings and marks of credentials.
const CREDENTIALS: &[&str] = &[
    "-----BEGIN PRIVATE KEY",
    "-----BEGIN RSA PRIVATE KEY",
    "-----BEGIN EC PRIVATE KEY",
    "-----BEGIN OPENSSH PRIVATE KEY",
    "Authorization: ",
    "Bearer ey",
    "xoxb-",
    "ghp_",
    "github_pat_",
    "AKIA",
    "sk-ant-",
];
/// Names of members and variables whose value is a credential.
const SECRET_NAMES: &[&str] =
    &["password", "passwd", "secret", "api_key", "apikey", "access_token", "client_secret", "private_key"];
/// What tells of the inside of a program or of the machine it runs on.
const INTERNALS: &[&str] = &[
    "Traceback (most recent call last)",
    "stack backtrace:",
    "panicked at ",
    "node_modules/",
    "site-packages/",
    "File \"/",
    "/home/",
    "/Users/",
    "/etc/",
    "/var/lib/",
    "C:\\Users\\",
    "postgres://",
    "postgresql://",
    "mysql://",
    "mongodb://",
    "redis://",
    "jdbc:",
];

fn log_messages_keep_secrets(moment: &Moment<'_>, judge: &mut Judge) {
    const REMOVED: &str = "logging.sensitive-removed";
    let Some(params) = logged(moment) else { return };
    let Some(data) = params.get("data") else { return };
    let mut left = LOOKED_THROUGH;
    let mut found: [Option<&'static str>; 3] = [None; 3];
    look_through(data, "", &mut left, &mut found);
    let rows = [
        ("logging.no-credentials", "a log message holds what looks like a credential"),
        ("logging.no-personal-data", "a log message holds what looks like an e-mail address"),
        ("logging.no-internals", "a log message tells of the inside of the server"),
    ];
    let mut clean = true;
    for ((id, text), found) in rows.into_iter().zip(found) {
        let Some(what) = found else {
            judge.held(id);
            continue;
        };
        clean = false;
        let seen = Breach::new(what, text)
            .quality()
            .expected(&["a message without it"])
            // The value itself would be told once more.
            .actual(format!("text with `{what}`"))
            .at(moment.record)
            .pointer("/params/data");
        judge.broke(id, seen.clone());
        judge.broke(REMOVED, seen.see(id));
    }
    if clean {
        judge.held(REMOVED);
    }
}

/// Looks for credentials, personal data and internals in every text of a value.
fn look_through(value: &Value, name: &str, left: &mut usize, found: &mut [Option<&'static str>; 3]) {
    match value {
        Value::String(text) => {
            let end = text.floor_char_boundary(text.len().min(*left));
            *left -= end;
            let text = &text[..end];
            let has = |marks: &'static [&'static str]| {
                marks.iter().copied().find(|mark| text.contains(mark)).map(str::trim_end)
            };
            found[0] = found[0].or(secret_name(name).filter(|_| is_a_value(text)));
            found[0] = found[0].or(has(CREDENTIALS)).or_else(|| assigned(text));
            found[1] = found[1].or(has_mail(text).then_some("@"));
            found[2] = found[2].or(has(INTERNALS));
        }
        Value::Array(list) => {
            for value in list {
                look_through(value, name, left, found);
            }
        }
        Value::Object(members) => {
            for (name, value) in members {
                look_through(value, name, left, found);
            }
        }
        _ => {}
    }
}

fn secret_name(name: &str) -> Option<&'static str> {
    let name = name.to_ascii_lowercase();
    SECRET_NAMES.iter().copied().find(|secret| name.ends_with(secret))
}

/// Whether a text is a value of its own and not a placeholder: stars, brackets, nothing.
fn is_a_value(text: &str) -> bool {
    let text = text.trim_matches(|c: char| c.is_whitespace() || c == '"' || c == '\'');
    let hidden = text.starts_with(['*', '<', '[', '(', '{', '$', '%', 'x', 'X', '•']);
    let word = matches!(text, "null" | "none" | "true" | "false" | "undefined" | "redacted" | "REDACTED");
    text.len() >= 4 && !hidden && !word
}

/// The name of a secret that stands in a text with a value behind it: `password=hunter2`.
fn assigned(text: &str) -> Option<&'static str> {
    let lower = text.to_ascii_lowercase();
    SECRET_NAMES.iter().copied().find(|name| {
        lower.match_indices(name).any(|(at, _)| {
            let rest = &text[at + name.len()..];
            let rest = rest.strip_prefix(['"', '\'']).unwrap_or(rest).trim_start();
            let value = rest.strip_prefix([':', '=']).map(str::trim_start).unwrap_or_default();
            let value = value.split(|c: char| c.is_whitespace() || matches!(c, ',' | ';' | '}')).next();
            value.is_some_and(is_a_value)
        })
    })
}

/// Whether a text holds an e-mail address that may be somebody's: not one of the domains kept free for examples.
fn has_mail(text: &str) -> bool {
    text.match_indices('@').any(|(at, _)| {
        let local = text[..at].chars().next_back().is_some_and(|c| c.is_ascii_alphanumeric());
        let domain: String = text[at + 1..]
            .chars()
            .take(80)
            .take_while(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '-'))
            .collect();
        let domain = domain.trim_matches('.');
        let top = domain.rsplit_once('.').map(|(_, top)| top);
        let real = top.is_some_and(|top| top.len() >= 2 && top.bytes().all(|b| b.is_ascii_alphabetic()));
        local && real && top != Some("test") && top != Some("invalid")
    })
}

fn log_messages_come_with_measure(_: &Moment<'_>, _: &mut Judge) {}

fn log_messages_were_counted(state: &State, judge: &mut Judge) {
    const ID: &str = "logging.rate-limited";
    let rate = &state.notices.log_messages;
    if rate.most > FLOOD {
        judge.broke(
            ID,
            Breach::new("flood", "log messages come in a flood")
                .quality()
                .expected(&["at most about 1000 a second"])
                .actual(format!("{} within a second", rate.most)),
        );
    } else if rate.count >= SOME {
        judge.held(ID);
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{Script, Verdicts, modern};
    use super::*;
    use crate::protocol::Revision::{self, V2025_11_25, V2026_07_28};
    use crate::wire::Taint;
    use serde_json::json;

    fn log(level: &str, data: &Value) -> Value {
        json!({"jsonrpc": "2.0", "method": "notifications/message", "params": {"level": level, "data": data}})
    }

    fn script(revision: Revision) -> Script {
        Script::stdio(revision).handshake_with(json!({"logging": {}, "tools": {}}))
    }

    fn of_logging(verdicts: &Verdicts) -> Vec<&'static str> {
        verdicts.broken().into_iter().filter(|id| id.starts_with("logging.")).collect()
    }

    fn call(id: i64, level: Option<&str>) -> Value {
        let meta = level.map_or(json!({}), |level| json!({"io.modelcontextprotocol/logLevel": level}));
        modern(id, "tools/call", json!({"name": "t", "_meta": meta}))
    }

    fn done(id: i64) -> Value {
        json!({"jsonrpc": "2.0", "id": id, "result": {"content": [], "resultType": "complete"}})
    }

    #[test]
    fn the_capability() {
        let message = log("info", &json!("x"));
        script(V2025_11_25).received(message.clone()).verdicts().assert_held("logging.capability.declared");
        let undeclared = || Script::stdio(V2025_11_25).handshake();
        assert_eq!(
            of_logging(&undeclared().received(message.clone()).verdicts()),
            ["logging.capability.declared"]
        );
        // Whatever provoked it.
        let provoked = undeclared().sent_bytes(b"{", Some(Taint::Conversation)).received(message);
        assert_eq!(of_logging(&provoked.verdicts()), ["logging.capability.declared"]);
        let silent = undeclared().verdicts();
        assert!(silent.judge().get("logging.capability.declared").unwrap().not_applicable.is_some());
    }

    #[test]
    fn loggers() {
        for (logger, good) in [(json!("a"), true), (json!(["a"]), false), (json!(1), false)] {
            let mut message = log("info", &json!("x"));
            message["params"]["logger"] = logger;
            let verdicts = script(V2025_11_25).received(message).verdicts();
            assert_eq!(
                verdicts.classes("logging.message.logger").is_empty(),
                good,
                "{:?}",
                verdicts.broken()
            );
        }
    }

    #[test]
    fn levels_of_a_session() {
        let set = |script: Script, id: i64, level: &str| {
            let request = json!({"jsonrpc": "2.0", "id": id, "method": "logging/setLevel",
                "params": {"level": level}});
            script.sent(request).received(json!({"jsonrpc": "2.0", "id": id, "result": {}}))
        };
        let error = || set(script(V2025_11_25), 5, "error");
        error().received(log("error", &json!("x"))).verdicts().assert_held("logging.level.filters");
        let below = error().received(log("info", &json!("x"))).verdicts();
        assert_eq!(of_logging(&below), ["logging.level.filters"]);
        let again = set(error(), 6, "debug").received(log("info", &json!("x"))).verdicts();
        again.assert_open("logging.level.filters");
        // A call that began before may have spoken before.
        let crossing = script(V2025_11_25).sent(json!({"jsonrpc": "2.0", "id": 4, "method": "tools/call"}));
        let crossing = set(crossing, 5, "error").received(log("info", &json!("x"))).verdicts();
        crossing.assert_open("logging.level.filters");
    }

    #[test]
    fn levels_of_requests() {
        let asked = |level: Option<&str>| script(V2026_07_28).sent(call(2, level));
        let message = || log("info", &json!("x"));
        let good = asked(Some("info")).received(message()).received(done(2)).verdicts();
        assert_eq!(of_logging(&good), [""; 0]);
        good.assert_held("logging.message.before-response");
        good.assert_held("logging.level.filters");
        let below = asked(Some("error")).received(message()).verdicts();
        assert_eq!(of_logging(&below), ["logging.level.filters"]);
        let late = asked(Some("debug")).received(done(2)).received(message()).verdicts();
        assert_eq!(of_logging(&late), ["logging.message.before-response"]);
        let unasked = asked(None).received(message()).received(done(2)).verdicts();
        assert_eq!(of_logging(&unasked), ["logging.level.none-without"]);
        asked(None).received(done(2)).verdicts().assert_held("logging.level.none-without");
    }

    #[test]
    fn streams() {
        let listen = modern(9, "subscriptions/listen", json!({"notifications": {}}));
        let open = |requests: &[Value]| {
            let mut script = Script::http(V2026_07_28).handshake_with(json!({"logging": {}, "tools": {}}));
            let mut channels = Vec::new();
            for request in requests {
                let (next, channel) = script.posted(request.to_string().as_bytes(), None);
                script = next.streaming(channel);
                channels.push(channel);
            }
            (script, channels)
        };
        let message = log("info", &json!("x"));
        let (script, channels) = open(&[call(2, Some("debug")), call(3, None), listen]);
        let own = script.event_on(channels[0], &message).verdicts();
        own.assert_held("logging.message.own-stream-only");
        for (at, id) in [(1, "logging.message.own-stream-only"), (2, "logging.message.not-on-listen")] {
            let listen = modern(9, "subscriptions/listen", json!({"notifications": {}}));
            let (script, channels) = open(&[call(2, Some("debug")), call(3, None), listen]);
            assert_eq!(of_logging(&script.event_on(channels[at], &message).verdicts()), [id]);
        }
        let (script, channels) = open(&[call(3, None)]);
        assert_eq!(
            of_logging(&script.event_on(channels[0], &message).verdicts()),
            ["logging.level.none-without"]
        );
        let (script, channels) = open(&[call(2, Some("debug"))]);
        let late = script.event_on(channels[0], &done(2)).event_on(channels[0], &message).verdicts();
        assert_eq!(of_logging(&late), ["logging.message.before-response"]);
    }

    #[test]
    fn secrets() {
        let broken = |data: &Value| {
            let verdicts = script(V2025_11_25).received(log("info", data)).verdicts();
            of_logging(&verdicts)
        };
        for harmless in [
            json!("Countdown started"),
            json!({"token": 7, "password": "********", "path": "/mcp"}),
            json!("password: <redacted>, see user@host"),
            json!("the password was wrong"),
        ] {
            assert_eq!(broken(&harmless), [""; 0], "{harmless}");
        }
        for (data, id) in [
            (json!({"config": {"db_password": "hunter2"}}), "logging.no-credentials"),
            (json!("connecting with api_key=abcd1234"), "logging.no-credentials"),
            (json!("signed in as ada.lovelace@mail.example.org"), "logging.no-personal-data"),
            (json!(["Error", "open /home/ada/.ssh/config"]), "logging.no-internals"),
            (json!("postgres://db.internal/x"), "logging.no-internals"),
        ] {
            assert_eq!(broken(&data), [id, "logging.sensitive-removed"], "{data}");
        }
        let clean = script(V2025_11_25).received(log("info", &json!("x"))).verdicts();
        clean.assert_held("logging.sensitive-removed");
    }

    #[test]
    fn a_flood() {
        let many = |count: usize| {
            let mut script = script(V2025_11_25);
            for _ in 0..count {
                script = script.received(log("info", &json!("x")));
            }
            script.verdicts()
        };
        // The clock of a script gives each event a millisecond.
        many(6).assert_held("logging.rate-limited");
        many(2).assert_open("logging.rate-limited");
        let mut state = State::default();
        state.notices.log_messages.most = 2000;
        let mut judge = Judge::default();
        log_messages_were_counted(&state, &mut judge);
        assert_eq!(judge.get("logging.rate-limited").unwrap().breaches.len(), 1);
    }
}
