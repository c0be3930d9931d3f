//! Subscriptions (2026-07-28, basic/patterns/subscriptions): what was asked for, what was acknowledged, what came.

use super::http::exchange;
use super::notices::{Subscription, subscription_tag};
use super::rule::monitors;
use super::{Breach, Heard, Judge, Moment, State};
use crate::protocol::{Era, Id, Kind, Transport};
use crate::wire::End;
use serde_json::Value;
use std::time::Duration;

/// Within this time after a cancellation, what comes may have crossed it.
const CROSSING: Duration = Duration::from_millis(500);
/// How long after the end something was sent whose answer shows that the end has been read.
const BEHIND: Duration = Duration::from_millis(50);
/// How long a subscription has to be open for it to be said that it stays open.
const OPEN: Duration = Duration::from_millis(100);
/// So many subscriptions that the server ends at once are no accident.
const MOST_ENDED: usize = 3;
/// A stream that breaks off this soon after the acknowledgement was not meant to stay.
const AT_ONCE: Duration = Duration::from_secs(5);

/// The flags of a filter, and the capabilities that stand behind them.
const FLAGS: [(&str, &str); 3] = [
    ("toolsListChanged", "tools/listChanged"),
    ("promptsListChanged", "prompts/listChanged"),
    ("resourcesListChanged", "resources/listChanged"),
];

monitors! {
    /// A subscription begins with `notifications/subscriptions/acknowledged`: before it nothing comes for the
    /// subscription, neither a change nor a result. Over HTTP all of it comes on an event stream.
    subscriptions_begin_with_an_acknowledgement (WhileWeObey) decides [
        "subscriptions.ack.sent", "subscriptions.ack.first", "subscriptions.ack.nothing-before",
        "subscriptions.listen.supported", "subscriptions.listen.sse-answer", "subscriptions.listen.concurrent",
    ];
    /// The acknowledgement names a part of what was asked for: all of it that the server advertises, nothing that it
    /// does not have, nothing that was false or left out.
    acknowledgements_fit_the_filter (WhileWeObey) decides [
        "subscriptions.ack.subset", "subscriptions.ack.omits-unsupported", "subscriptions.ack.includes-advertised",
        "subscriptions.filter.false-or-omitted",
    ];
    /// What comes through a subscription names it by `subscriptionId`: the id of the `subscriptions/listen`, with its
    /// JSON type. Over STDIO nothing else tells one subscription from another.
    messages_name_their_subscription (WhileWeObey) decides
        ["subscriptions.id-tag.present", "subscriptions.id-tag.value"];
    /// Changes come through a subscription that asked for them, and for no longer than it lasts.
    changes_come_as_subscribed (WhileWeObey) decides [
        "subscriptions.filter.only-requested-types", "subscriptions.filter.false-or-omitted",
        "subscriptions.filter.no-unsolicited-changes", "subscriptions.end.client-cancel-stdio",
        "subscriptions.end.no-state-kept",
    ] at_end nothing_came_unasked;
    /// A subscription stays open until one side ends it. When the server does, it answers the request with a result that
    /// names the subscription.
    subscriptions_stay_open (WhileWeObey) decides [
        "subscriptions.listen.stays-open", "subscriptions.end.graceful-result",
        "subscriptions.end.graceful-result-shape",
    ] at_end subscriptions_stayed_open;
}

/// A notification of a subscription, as far as it can be placed.
struct Told<'a> {
    heard: Heard<'a>,
    method: &'a str,
    /// The subscription that it belongs to, by the stream or by what it names.
    of: Option<(Id, &'a Subscription)>,
    tag: Option<&'a Value>,
    /// Whether it came on the stream of a subscription.
    on_stream: bool,
}

const ACKNOWLEDGED: &str = "notifications/subscriptions/acknowledged";

fn is_change(method: &str) -> bool {
    matches!(
        method,
        "notifications/tools/list_changed"
            | "notifications/prompts/list_changed"
            | "notifications/resources/list_changed"
            | "notifications/resources/updated"
    )
}

fn told<'a>(moment: &'a Moment<'_>) -> Option<Told<'a>> {
    let state = moment.state;
    let heard = moment.message?;
    if state.era() != Some(Era::Modern) || *heard.message.kind() != Kind::Notification {
        return None;
    }
    let method = heard.message.method()?;
    let tag = subscription_tag(heard.message);
    let listen = exchange(moment).and_then(super::HttpExchange::listen);
    let on_stream = listen.is_some();
    if !on_stream && tag.is_none() && method != ACKNOWLEDGED && !is_change(method) {
        return None;
    }
    let named = tag.map(|tag| Id::from_json(&tag.to_string(), tag));
    let of = listen.or(named).and_then(|id| {
        let (id, subscription) = state.notices.subscription(&id)?;
        Some((id.clone(), subscription))
    });
    Some(Told { heard, method, of, tag, on_stream })
}

/// The result or error of a `subscriptions/listen` that was not broken on purpose.
fn answered<'a>(moment: &'a Moment<'_>) -> Option<(Heard<'a>, Id, &'a Subscription)> {
    let heard = moment.message.filter(|_| moment.state.era() == Some(Era::Modern))?;
    let asked = heard.answers?;
    let subscription = moment.state.notices.subscriptions.get(&asked.id).filter(|open| !open.tainted)?;
    Some((heard, asked.id.clone(), subscription))
}

fn subscriptions_begin_with_an_acknowledgement(moment: &Moment<'_>, judge: &mut Judge) {
    const SENT: &str = "subscriptions.ack.sent";
    const FIRST: &str = "subscriptions.ack.first";
    const BEFORE: &str = "subscriptions.ack.nothing-before";
    const SUPPORTED: &str = "subscriptions.listen.supported";
    const STREAM: &str = "subscriptions.listen.sse-answer";
    let state = moment.state;
    let expected = ["`notifications/subscriptions/acknowledged` first"];
    if let Some((heard, _, subscription)) = answered(moment) {
        let paths =
            ["tools/listChanged", "prompts/listChanged", "resources/listChanged", "resources/subscribe"];
        let unknown = heard.message.error_code() == Some(-32601);
        if unknown && paths.into_iter().any(|path| state.declares(path)) {
            judge.broke(
                SUPPORTED,
                Breach::new("unknown", "changes can be subscribed to, but `subscriptions/listen` is unknown")
                    .expected(&["an acknowledgement"])
                    .actual("error -32601")
                    .at(moment.record)
                    .sent(subscription.seq),
            );
        } else if unknown {
            let text = "the server declares nothing that can be subscribed to";
            judge.not_applicable(SUPPORTED, "nothing-to-subscribe", text);
        }
        if heard.message.result().is_some() && subscription.acknowledged.is_none() {
            let seen =
                Breach::new("result", "a subscription was answered with a result and never acknowledged")
                    .expected(&expected)
                    .actual("a result")
                    .at(moment.record)
                    .sent(subscription.seq);
            judge.broke(FIRST, seen.clone());
            judge.broke(SENT, seen.see(FIRST));
            if exchange(moment).is_some_and(|here| !here.is_event_stream()) {
                judge.broke(
                    STREAM,
                    Breach::new(
                        "json",
                        "`subscriptions/listen` was answered with another media type than an event stream",
                    )
                    .expected(&["text/event-stream"])
                    .actual("a JSON body")
                    .at(moment.record)
                    .sent(subscription.seq),
                );
            }
        }
        return;
    }
    let Some(Told { method, of: Some((id, subscription)), .. }) = told(moment) else { return };
    if subscription.tainted {
        return;
    }
    if method != ACKNOWLEDGED {
        if subscription.acknowledged.is_some() || !is_change(method) {
            return;
        }
        let seen = Breach::new("early", "a notification came for a subscription before its acknowledgement")
            .expected(&expected)
            .actual(format!("`{method}`"))
            .at(moment.record)
            .sent(subscription.seq);
        judge.broke(BEFORE, seen.clone());
        return judge.broke(FIRST, seen.see(BEFORE));
    }
    if subscription.acknowledged.is_some() {
        return;
    }
    for id in [SENT, SUPPORTED] {
        judge.held(id);
    }
    if !subscription.spoke {
        judge.held(FIRST);
        judge.held(BEFORE);
    }
    if exchange(moment).is_some_and(super::HttpExchange::is_event_stream) {
        judge.held(STREAM);
    }
    let others = state.notices.subscriptions.iter();
    let beside =
        others.filter(|(other, open)| **other != id && open.is_open() && open.acknowledged.is_some());
    if beside.count() > 0 {
        judge.held("subscriptions.listen.concurrent");
    }
}

fn acknowledgements_fit_the_filter(moment: &Moment<'_>, judge: &mut Judge) {
    const SUBSET: &str = "subscriptions.ack.subset";
    const OMITTED: &str = "subscriptions.filter.false-or-omitted";
    let Some(Told { heard, method: ACKNOWLEDGED, of: Some((_, subscription)), .. }) = told(moment) else {
        return;
    };
    let filter = heard.message.params().and_then(|params| params.get("notifications"));
    let Some(filter) = filter.filter(|filter| filter.is_object() && !subscription.tainted) else { return };
    let (state, wanted) = (moment.state, &subscription.wanted);
    let is_true = |filter: &Value, name: &str| filter.get(name) == Some(&Value::Bool(true));
    let seen = |class: &str, text: &str, name: &str| {
        Breach::new(class, text)
            .expected(&["a part of what was asked for, as far as the server has it"])
            .actual(format!("`{name}`: {}", filter.get(name).unwrap_or(&Value::Null)))
            .at(moment.record)
            .pointer(format!("/params/notifications/{name}"))
            .sent(subscription.seq)
    };
    let mut fits = true;
    for (name, path) in FLAGS {
        let (asked, given) = (is_true(wanted, name), is_true(filter, name));
        if given && !asked {
            fits = false;
            let breach = seen(name, "what was not asked for is acknowledged", name);
            judge.broke(SUBSET, breach.clone());
            judge.broke(OMITTED, breach.see(SUBSET));
        } else if !asked {
            judge.held(OMITTED);
        }
        if !asked || state.capabilities.is_none() {
            continue;
        }
        if state.declares(path) {
            judge.decide("subscriptions.ack.includes-advertised", given, || {
                seen(name, &format!("`{path}` is declared and was asked for, but is not acknowledged"), name)
            });
        } else {
            judge.decide("subscriptions.ack.omits-unsupported", !given, || {
                seen(name, &format!("`{name}` is acknowledged, but `{path}` is not declared"), name)
            });
        }
    }
    let uris = |filter: &Value| -> Vec<String> {
        let list = filter.get("resourceSubscriptions").and_then(Value::as_array);
        list.into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect()
    };
    let (asked, given) = (uris(wanted), uris(filter));
    if let Some(foreign) = given.iter().find(|uri| !asked.contains(uri)) {
        fits = false;
        let breach =
            seen("uri", "a resource is acknowledged that was not asked for", "resourceSubscriptions");
        judge.broke(SUBSET, breach.actual(format!("`{}`", super::base::shorten(foreign))));
    }
    if !asked.is_empty() && state.capabilities.is_some() {
        if state.declares("resources/subscribe") {
            let text =
                "`resources.subscribe` is declared, but a resource that was asked for is not acknowledged";
            judge.decide(
                "subscriptions.ack.includes-advertised",
                asked.iter().all(|uri| given.contains(uri)),
                || seen("resources", text, "resourceSubscriptions"),
            );
        } else {
            let text = "resources are acknowledged, but `resources.subscribe` is not declared";
            judge.decide("subscriptions.ack.omits-unsupported", given.is_empty(), || {
                seen("resources", text, "resourceSubscriptions")
            });
        }
    }
    if fits {
        judge.held(SUBSET);
    }
}

fn messages_name_their_subscription(moment: &Moment<'_>, judge: &mut Judge) {
    const PRESENT: &str = "subscriptions.id-tag.present";
    const VALUE: &str = "subscriptions.id-tag.value";
    let Some(told) = told(moment) else { return };
    let state = moment.state;
    let seen = |class: &str, text: &str| {
        Breach::new(class, text)
            .expected(&["`io.modelcontextprotocol/subscriptionId` in `_meta`, with the id of the request"])
            .actual(
                told.tag.map_or("no such member".to_owned(), |tag| super::base::shorten(&tag.to_string())),
            )
            .at(moment.record)
            .pointer("/params/_meta")
    };
    let Some(tag) = told.tag else {
        let wanted = |open: &Subscription| {
            open.is_open() && open.wants(told.method, told.heard.message.params()) == Some(true)
        };
        let in_place = told.on_stream
            || told.method == ACKNOWLEDGED
            || (state.transport() == Transport::Stdio && state.notices.subscriptions.values().any(wanted));
        if in_place && !is_foreign(told.method) {
            judge.broke(PRESENT, seen("absent", "a notification of a subscription does not name it"));
        }
        return;
    };
    judge.held(PRESENT);
    let named = Id::from_json(&tag.to_string(), tag);
    let right = told.of.as_ref().is_some_and(|(id, _)| *id == named);
    judge.decide(VALUE, right, || {
        let almost = state.notices.subscriptions.keys().any(|id| super::link::alike(id, &named));
        if almost {
            seen("other-type", "a subscription is named by its id with another JSON type")
        } else {
            seen("unknown", "a notification names a subscription that there is not, or another one")
        }
    });
}

/// What has no place on a subscription and is judged as that.
fn is_foreign(method: &str) -> bool {
    matches!(method, "notifications/progress" | "notifications/message" | "notifications/cancelled")
}

fn changes_come_as_subscribed(moment: &Moment<'_>, judge: &mut Judge) {
    const REQUESTED: &str = "subscriptions.filter.only-requested-types";
    const OMITTED: &str = "subscriptions.filter.false-or-omitted";
    const UNSOLICITED: &str = "subscriptions.filter.no-unsolicited-changes";
    const CANCELLED: &str = "subscriptions.end.client-cancel-stdio";
    let Some(told) = told(moment) else { return };
    if !is_change(told.method) {
        return;
    }
    let state = moment.state;
    let params = told.heard.message.params();
    let seen = |class: &str, text: &str| {
        Breach::new(class, text)
            .expected(&["changes that an open subscription asked for"])
            .actual(format!("`{}`", told.method))
            .at(moment.record)
            .pointer("/method")
    };
    let Some((_, subscription)) = &told.of else {
        if told.tag.is_some() {
            return;
        }
        let near = |open: &Subscription| {
            let lately = open
                .ended_by_us
                .or(open.answered)
                .is_none_or(|ended| moment.record.at.saturating_sub(ended) <= CROSSING);
            lately && open.wants(told.method, params) == Some(true)
        };
        // Over STDIO it may belong to a subscription that it does not name.
        let placed = state.transport() == Transport::Stdio && state.notices.subscriptions.values().any(near);
        if !placed && !state.initialize.0 {
            let mut breach =
                seen("unasked", "a change was told outside of any subscription that asked for it");
            if let Some(here) = exchange(moment) {
                breach = breach.sent(here.seq).see("http.sse.related-messages-only");
            }
            judge.broke(UNSOLICITED, breach);
            if state.notices.subscriptions.is_empty() {
                let text = "a change was told on a connection that never subscribed to any";
                judge.broke("subscriptions.end.no-state-kept", seen("state", text).see(UNSOLICITED));
            }
        }
        return;
    };
    if subscription.tainted {
        return;
    }
    match subscription.wants(told.method, params) {
        Some(true) => judge.held(REQUESTED),
        Some(false) => {
            let breach = seen(told.method, "a subscription told a change that it did not ask for")
                .sent(subscription.seq);
            judge.broke(REQUESTED, breach.clone());
            judge.broke(OMITTED, breach.see(REQUESTED));
        }
        None => {}
    }
    let late = subscription.ended_by_us.map(|ended| moment.record.at.saturating_sub(ended));
    // Nothing crosses any more once the server has answered what was sent well after the end.
    let passed = |ended: Duration| {
        state.asked.values().any(|asked| asked.responses > 0 && asked.at > ended.saturating_add(BEHIND))
    };
    let over = |late: Duration| late > CROSSING || subscription.ended_by_us.is_some_and(passed);
    if late.is_some_and(|late| over(late) && state.transport() == Transport::Stdio) {
        judge.broke(
            CANCELLED,
            seen("late", "a subscription that was cancelled tells changes on")
                .actual(format!("`{}` after the cancellation", told.method))
                .sent(subscription.seq),
        );
    }
}

fn nothing_came_unasked(state: &State, judge: &mut Judge) {
    if state.era() != Some(Era::Modern) {
        return;
    }
    // A breach would outweigh it.
    let answered = |method: &str| {
        state.asked.values().filter(|asked| asked.responses > 0 && asked.method.starts_with(method)).count()
    };
    if answered("tools/call") > 0 {
        judge.held("subscriptions.filter.no-unsolicited-changes");
    }
    if state.notices.subscriptions.is_empty() && answered("") >= 3 {
        judge.held("subscriptions.end.no-state-kept");
    }
    if state.capabilities.is_some() {
        let all = FLAGS.iter().all(|(_, path)| state.declares(path)) && state.declares("resources/subscribe");
        let text = "the server declares every change that can be subscribed to";
        if all {
            judge.not_applicable("subscriptions.ack.omits-unsupported", "declared", text);
        }
    }
}

fn subscriptions_stay_open(moment: &Moment<'_>, judge: &mut Judge) {
    const SHAPE: &str = "subscriptions.end.graceful-result-shape";
    let Some((heard, id, subscription)) = answered(moment) else { return };
    let Some(result) = heard.message.result().filter(|_| heard.message.error().is_none()) else { return };
    if subscription.ended_by_us.is_none() {
        judge.held("subscriptions.end.graceful-result");
    }
    let tag = result.pointer("/_meta/io.modelcontextprotocol~1subscriptionId");
    let named = tag.is_some_and(|tag| Id::from_json(&tag.to_string(), tag) == id);
    let complete = result.get("resultType").is_some_and(|kind| kind == "complete");
    judge.decide(SHAPE, named && complete, || {
        let (class, text) = match (named, tag) {
            (true, _) => ("result-type", "the final result of a subscription is not `complete`"),
            (_, None) => ("absent", "the final result of a subscription does not name it"),
            _ => ("other", "the final result of a subscription names another one"),
        };
        Breach::new(class, text)
            .expected(&["`resultType: \"complete\"`, and the id of the request as `subscriptionId`"])
            .actual(format!(
                "resultType {}, subscriptionId {}",
                result.get("resultType").unwrap_or(&Value::Null),
                tag.map_or("none".to_owned(), |tag| super::base::shorten(&tag.to_string()))
            ))
            .at(moment.record)
            .pointer("/result")
            .sent(subscription.seq)
    });
}

fn subscriptions_stayed_open(state: &State, judge: &mut Judge) {
    const ID: &str = "subscriptions.listen.stays-open";
    let at_once = |open: &&Subscription| {
        let since = open.acknowledged.as_ref().map(|(_, since)| *since);
        let lasted = open.answered.zip(since).map(|(answered, since)| answered.saturating_sub(since));
        let closing = state.link.stdin_closed.is_some_and(|closed| Some(closed) <= open.answered);
        let by_us = open.ended_by_us.is_some_and(|ended| Some(ended) < open.answered);
        !by_us && !closing && lasted.is_some_and(|lasted| lasted < OPEN)
    };
    let ended = state.notices.subscriptions.values().filter(at_once).count();
    for subscription in state.notices.subscriptions.values().filter(|open| !open.tainted) {
        let Some((filter, since)) = &subscription.acknowledged else { continue };
        // Nothing can come through an empty one, so that there is nothing to keep it open for.
        if filter.as_object().is_none_or(serde_json::Map::is_empty) {
            continue;
        }
        let exchange = state.exchanges.get(&subscription.channel);
        let broke_off = exchange.filter(|exchange| {
            matches!(exchange.end, Some(End::Complete | End::Broken(_)))
                && subscription.answered.is_none()
                && subscription.ended_by_us.is_none()
        });
        if let Some(exchange) = broke_off {
            let open = exchange.times.ended.unwrap_or(state.now).saturating_sub(*since);
            if open < AT_ONCE {
                let mut breach =
                    Breach::new("broke-off", "the stream of a subscription ended without a result")
                        .quality()
                        .expected(&["a stream that stays open, or a result when the server ends it"])
                        .actual(format!(
                            "the end of the stream {} ms after the acknowledgement",
                            open.as_millis()
                        ))
                        .sent(subscription.seq);
                breach.event = Some(exchange.head_seq);
                judge.broke("subscriptions.end.graceful-result", breach.clone().see(ID));
                judge.broke(ID, breach);
            }
            continue;
        }
        let until = subscription.answered.or(subscription.ended_by_us).unwrap_or(state.now);
        let closing = state.link.stdin_closed.is_some_and(|closed| closed <= until);
        if until.saturating_sub(*since) >= OPEN || closing {
            judge.held(ID);
        } else if subscription.answered.is_some() && ended >= MOST_ENDED {
            judge.broke(
                ID,
                Breach::new("ends", "one subscription after the other ends as soon as it is acknowledged")
                    .quality()
                    .expected(&["a stream that stays open"])
                    .actual(format!("{ended} subscriptions with a result within 100 ms"))
                    .sent(subscription.seq),
            );
        } else if subscription.answered.is_some() {
            let text = "the server ended the subscription in order, soon after it had acknowledged it";
            judge.undecided(ID, "ended", text);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{Script, Verdicts, modern};
    use super::*;
    use crate::protocol::Revision::V2026_07_28;
    use crate::wire::{Channel, Event, Taint};
    use serde_json::json;

    const TAG: &str = "io.modelcontextprotocol/subscriptionId";

    fn of_area(verdicts: &Verdicts) -> Vec<&'static str> {
        verdicts.broken().into_iter().filter(|id| id.starts_with("subscriptions.")).collect()
    }

    fn script() -> Script {
        Script::stdio(V2026_07_28).handshake_with(json!({
            "tools": {"listChanged": true}, "prompts": {}, "resources": {"subscribe": true},
        }))
    }

    fn listen(id: i64, filter: &Value) -> Value {
        modern(id, "subscriptions/listen", json!({"notifications": filter}))
    }

    fn acknowledged(id: &Value, filter: &Value) -> Value {
        json!({"jsonrpc": "2.0", "method": ACKNOWLEDGED,
            "params": {"_meta": {TAG: id}, "notifications": filter}})
    }

    fn changed(id: &Value, list: &str) -> Value {
        json!({"jsonrpc": "2.0", "method": format!("notifications/{list}/list_changed"),
            "params": {"_meta": {TAG: id}}})
    }

    fn tools() -> Value {
        json!({"toolsListChanged": true})
    }

    fn open() -> Script {
        script().sent(listen(2, &tools())).received(acknowledged(&json!(2), &tools()))
    }

    fn cancel(id: i64) -> Value {
        json!({"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": id}})
    }

    #[test]
    fn a_sound_subscription() {
        let good = open()
            .received(changed(&json!(2), "tools"))
            .sent(listen(3, &json!({"promptsListChanged": true, "resourceSubscriptions": ["a://b"]})))
            .received(acknowledged(&json!(3), &json!({"resourceSubscriptions": ["a://b"]})))
            .wait(Duration::from_millis(200))
            .sent(cancel(2))
            .verdicts();
        assert_eq!(of_area(&good), [""; 0]);
        for id in [
            "subscriptions.ack.sent",
            "subscriptions.ack.first",
            "subscriptions.ack.nothing-before",
            "subscriptions.ack.subset",
            "subscriptions.ack.omits-unsupported",
            "subscriptions.ack.includes-advertised",
            "subscriptions.filter.false-or-omitted",
            "subscriptions.filter.only-requested-types",
            "subscriptions.id-tag.present",
            "subscriptions.id-tag.value",
            "subscriptions.listen.concurrent",
            "subscriptions.listen.stays-open",
            "subscriptions.listen.supported",
        ] {
            good.assert_held(id);
        }
    }

    #[test]
    fn beginnings() {
        let early = script().sent(listen(2, &tools())).received(changed(&json!(2), "tools")).verdicts();
        assert_eq!(of_area(&early), ["subscriptions.ack.first", "subscriptions.ack.nothing-before"]);
        let result = json!({"jsonrpc": "2.0", "id": 2,
            "result": {"resultType": "complete", "_meta": {TAG: 2}}});
        let unacknowledged = script().sent(listen(2, &tools())).received(result).verdicts();
        assert_eq!(of_area(&unacknowledged), ["subscriptions.ack.first", "subscriptions.ack.sent"]);
        let unknown = json!({"jsonrpc": "2.0", "id": 2, "error": {"code": -32601, "message": "m"}});
        let unknown = script().sent(listen(2, &tools())).received(unknown).verdicts();
        assert_eq!(of_area(&unknown), ["subscriptions.listen.supported"]);
        let nothing = json!({"jsonrpc": "2.0", "id": 2, "error": {"code": -32601, "message": "m"}});
        let nothing = Script::stdio(V2026_07_28).handshake().sent(listen(2, &tools())).received(nothing);
        assert_eq!(of_area(&nothing.verdicts()), [""; 0]);
    }

    #[test]
    fn acknowledgements() {
        let given = |wanted: Value, given: Value| {
            let verdicts =
                script().sent(listen(2, &wanted)).received(acknowledged(&json!(2), &given)).verdicts();
            of_area(&verdicts)
        };
        assert_eq!(given(tools(), json!({})), ["subscriptions.ack.includes-advertised"]);
        assert_eq!(
            given(json!({"toolsListChanged": false}), tools()),
            ["subscriptions.ack.subset", "subscriptions.filter.false-or-omitted"]
        );
        assert_eq!(
            given(json!({"promptsListChanged": true}), json!({"promptsListChanged": true})),
            ["subscriptions.ack.omits-unsupported"]
        );
        let uris = |uri: &str| json!({"resourceSubscriptions": [uri]});
        assert_eq!(
            given(uris("a://b"), uris("a://c")),
            ["subscriptions.ack.includes-advertised", "subscriptions.ack.subset"]
        );
        // An explicit false is as good as nothing.
        assert_eq!(given(json!({}), json!({"toolsListChanged": false})), [""; 0]);
    }

    #[test]
    fn tags() {
        let other_type = open().received(changed(&json!("2"), "tools")).verdicts();
        assert_eq!(of_area(&other_type), ["subscriptions.id-tag.value"]);
        let mut bare = changed(&json!(2), "tools");
        bare["params"] = json!({});
        assert_eq!(of_area(&open().received(bare.clone()).verdicts()), ["subscriptions.id-tag.present"]);
        // Nothing asked for it.
        let unasked = script().received(bare).verdicts();
        assert_eq!(
            of_area(&unasked),
            ["subscriptions.end.no-state-kept", "subscriptions.filter.no-unsolicited-changes"]
        );
    }

    #[test]
    fn what_was_not_asked_for() {
        let verdicts = open().received(changed(&json!(2), "prompts")).verdicts();
        assert_eq!(
            of_area(&verdicts),
            ["subscriptions.filter.false-or-omitted", "subscriptions.filter.only-requested-types"]
        );
        let updated = |uri: &str| {
            json!({"jsonrpc": "2.0", "method": "notifications/resources/updated",
                "params": {"_meta": {TAG: 2}, "uri": uri}})
        };
        let filter = json!({"resourceSubscriptions": ["a://b"]});
        let resource = |uri: &str| {
            script()
                .sent(listen(2, &filter))
                .received(acknowledged(&json!(2), &filter))
                .received(updated(uri))
                .verdicts()
        };
        resource("a://b/part").assert_held("subscriptions.filter.only-requested-types");
        assert!(of_area(&resource("a://c")).contains(&"subscriptions.filter.only-requested-types"));
    }

    #[test]
    fn after_the_end() {
        let after = |pause: u64| {
            let script = open().sent(cancel(2)).wait(Duration::from_millis(pause));
            of_area(&script.received(changed(&json!(2), "tools")).verdicts())
        };
        assert_eq!(after(10), [""; 0]);
        assert_eq!(after(700), ["subscriptions.end.client-cancel-stdio"]);
        let ended = |meta: Value| {
            let result =
                json!({"jsonrpc": "2.0", "id": 2, "result": {"resultType": "complete", "_meta": meta}});
            open().received(result).verdicts()
        };
        let good = ended(json!({TAG: 2}));
        good.assert_held("subscriptions.end.graceful-result");
        good.assert_held("subscriptions.end.graceful-result-shape");
        for meta in [json!({}), json!({TAG: "2"})] {
            assert_eq!(of_area(&ended(meta)), ["subscriptions.end.graceful-result-shape"]);
        }
    }

    #[test]
    fn what_was_broken_on_purpose_is_left_alone() {
        let verdicts = script()
            .sent_tainted(modern(2, "subscriptions/listen", json!({})), Taint::Message)
            .received(acknowledged(&json!(2), &tools()))
            .verdicts();
        assert_eq!(of_area(&verdicts), [""; 0]);
    }

    #[test]
    fn over_http() {
        let begin = |filter: &Value| {
            let script = Script::http(V2026_07_28).handshake_with(json!({"tools": {"listChanged": true}}));
            let (script, channel) = script.posted(listen(2, filter).to_string().as_bytes(), None);
            (script.streaming(channel), channel)
        };
        let sound = |end: End| {
            let (script, channel) = begin(&tools());
            script
                .event_on(channel, &acknowledged(&json!(2), &tools()))
                .wait(Duration::from_millis(300))
                .on(channel, Event::ResponseEnded(end))
                .verdicts()
        };
        let good = sound(End::ClosedByUs);
        assert_eq!(of_area(&good), [""; 0]);
        good.assert_held("subscriptions.listen.sse-answer");
        good.assert_held("subscriptions.listen.stays-open");
        let broken = ["subscriptions.end.graceful-result", "subscriptions.listen.stays-open"];
        assert_eq!(of_area(&sound(End::Complete)), broken);
        let (script, channel) = begin(&tools());
        let mut bare = acknowledged(&json!(2), &tools());
        bare["params"].as_object_mut().unwrap().remove("_meta");
        let untagged = script.event_on(channel, &bare).verdicts();
        assert_eq!(of_area(&untagged), ["subscriptions.id-tag.present"]);
        let result =
            json!({"jsonrpc": "2.0", "id": 2, "result": {"resultType": "complete", "_meta": {TAG: 2}}});
        let plain = Script::http(V2026_07_28)
            .handshake()
            .exchange(listen(2, &json!({})), 200, "application/json", &[result], None)
            .verdicts();
        assert_eq!(
            of_area(&plain),
            ["subscriptions.ack.first", "subscriptions.ack.sent", "subscriptions.listen.sse-answer"]
        );
    }

    #[test]
    fn changes_on_other_streams() {
        let script = Script::http(V2026_07_28).handshake_with(json!({"tools": {"listChanged": true}}));
        let call = modern(3, "tools/call", json!({"name": "t"}));
        let (script, channel): (Script, Channel) = script.posted(call.to_string().as_bytes(), None);
        let mut bare = changed(&json!(2), "tools");
        bare["params"] = json!({});
        let verdicts = script.streaming(channel).event_on(channel, &bare).verdicts();
        assert!(of_area(&verdicts).contains(&"subscriptions.filter.no-unsolicited-changes"));
    }
}
