//! Changes of lists and resources, and whether they are told (server/tools, server/prompts, server/resources).

use super::rule::monitors;
use super::{Breach, Judge, Moment, State};
use crate::protocol::{Era, Transport};
use serde_json::Value;
use std::time::Duration;

/// Within this time after `resources/unsubscribe` was answered, what comes may have crossed it.
const CROSSING: Duration = Duration::from_millis(500);

/// The lists: the method, the row, the capability, the flag of a subscription.
const LISTS: [(&str, &str, &str, &str); 3] = [
    ("tools/list", "tools.list-changed.sent", "tools/listChanged", "toolsListChanged"),
    ("prompts/list", "prompts.list-changed.sent", "prompts/listChanged", "promptsListChanged"),
    ("resources/list", "resources.list-changed.sent", "resources/listChanged", "resourcesListChanged"),
];

monitors! {
    /// A list that is other than it was before is announced as changed, where `listChanged` is declared and the
    /// notification had a way to the client. Clients keep the list until they are told.
    changed_lists_are_announced (WhileWeObey) decides [
        "tools.list-changed.sent", "prompts.list-changed.sent", "resources.list-changed.sent",
    ] at_end lists_were_compared;
    /// Updates come for resources that were subscribed to, and no longer after `resources/unsubscribe`.
    updates_come_as_subscribed (WhileWeObey) decides
        ["resources.subscribe.update-delivered", "resources.unsubscribe.stops-updates"];
}

fn changed_lists_are_announced(_: &Moment<'_>, _: &mut Judge) {}

fn lists_were_compared(state: &State, judge: &mut Judge) {
    for (method, id, path, flag) in LISTS {
        if state.capabilities.is_some() && !state.declares(path) {
            judge.not_applicable(id, "not-declared", format!("the server does not declare `{path}`"));
            continue;
        }
        if state.capabilities.is_none() {
            continue;
        }
        let announced = state.notices.announced.get(method);
        let change = state.notices.lists.get(method).and_then(|list| list.changed);
        let Some((since, seq)) = change else {
            if announced.is_some() {
                judge.held(id);
            }
            continue;
        };
        if announced.is_some_and(|times| times.iter().any(|at| *at >= since)) {
            judge.held(id);
        } else if could_be_told(state, flag, since) {
            let mut breach = Breach::new("silent", format!("`{method}` changed, and nothing announced it"))
                .expected(&["a `list_changed` notification"])
                .actual("none");
            breach.event = Some(seq);
            judge.broke(id, breach);
        } else {
            judge.undecided(id, "no-way", "the list changed while the server had no way to tell it");
        }
    }
}

/// Whether the server could have told a change of a list at any time since it was last known.
fn could_be_told(state: &State, flag: &str, since: Duration) -> bool {
    if state.era() == Some(Era::Modern) {
        return state.notices.subscriptions.values().any(|open| {
            let begun =
                open.acknowledged.as_ref().filter(|(filter, _)| filter.get(flag) == Some(&Value::Bool(true)));
            open.is_open() && begun.is_some_and(|(_, at)| *at <= since)
        });
    }
    state.transport() != Transport::Http
        || state.exchanges.values().any(|exchange| {
            exchange.is_own_get_stream()
                && exchange.end.is_none()
                && exchange.times.head.is_some_and(|head| head <= since)
        })
}

fn updates_come_as_subscribed(moment: &Moment<'_>, judge: &mut Judge) {
    const DELIVERED: &str = "resources.subscribe.update-delivered";
    const STOPS: &str = "resources.unsubscribe.stops-updates";
    let state = moment.state;
    let Some(message) = moment.message.map(|heard| heard.message) else { return };
    let uri = message.params().and_then(|params| params.get("uri")?.as_str());
    let Some(uri) = uri.filter(|_| message.method() == Some("notifications/resources/updated")) else {
        return;
    };
    if state.era() == Some(Era::Modern) {
        let told = |open: &super::Subscription| {
            open.acknowledged.is_some()
                && open.wants("notifications/resources/updated", message.params()) == Some(true)
        };
        if state.notices.subscriptions.values().any(told) {
            judge.held(DELIVERED);
        }
        return;
    }
    // What changed may be a part of what was subscribed to.
    let mut ended = None;
    for (subscribed, until) in state.notices.resources.iter().filter(|(known, _)| uri.starts_with(*known)) {
        match until {
            None => return judge.held(DELIVERED),
            Some(at) => ended = ended.max(Some((*at, subscribed))),
        }
    }
    let Some((at, _)) = ended else { return };
    let late = moment.record.at.saturating_sub(at);
    if late > CROSSING {
        judge.broke(
            STOPS,
            Breach::new("late", "an update came for a resource that was unsubscribed from")
                .expected(&["no update after `resources/unsubscribe`"])
                .actual("an update, later than what may have crossed it")
                .at(moment.record)
                .pointer("/params/uri"),
        );
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{Script, Verdicts, modern};
    use super::*;
    use crate::protocol::Revision::{V2025_11_25, V2026_07_28};
    use serde_json::json;

    fn found(verdicts: &Verdicts) -> Vec<&'static str> {
        let rows = ["list-changed.sent", "update-delivered", "stops-updates"];
        verdicts.broken().into_iter().filter(|id| rows.iter().any(|row| id.ends_with(row))).collect()
    }

    fn listed(script: Script, id: i64, tools: &[&str]) -> Script {
        let tools: Vec<_> =
            tools.iter().map(|name| json!({"name": name, "inputSchema": {"type": "object"}})).collect();
        script
            .sent(json!({"jsonrpc": "2.0", "id": id, "method": "tools/list"}))
            .received(json!({"jsonrpc": "2.0", "id": id, "result": {"tools": tools}}))
    }

    fn announcement() -> serde_json::Value {
        json!({"jsonrpc": "2.0", "method": "notifications/tools/list_changed"})
    }

    #[test]
    fn lists() {
        let script = || Script::stdio(V2025_11_25).handshake_with(json!({"tools": {"listChanged": true}}));
        let first = || listed(script(), 2, &["a", "b"]);
        assert_eq!(found(&listed(first(), 3, &["a"]).verdicts()), ["tools.list-changed.sent"]);
        listed(first(), 3, &["b", "a"]).verdicts().assert_open("tools.list-changed.sent");
        let told = listed(first().received(announcement()), 3, &["a"]).verdicts();
        told.assert_held("tools.list-changed.sent");
        // The announcement may come behind the list that shows the change.
        listed(first(), 3, &["a"]).received(announcement()).verdicts().assert_held("tools.list-changed.sent");
        let undeclared = Script::stdio(V2025_11_25).handshake_with(json!({"tools": {}}));
        let undeclared = listed(listed(undeclared, 2, &["a"]), 3, &[]).verdicts();
        undeclared.assert_open("tools.list-changed.sent");
        // A server of both eras shows a list of its own in each.
        let capabilities = json!({"tools": {"listChanged": true}});
        let both = listed(
            listed(Script::stdio(V2025_11_25), 2, &["a", "b"]).handshake_with(capabilities),
            3,
            &["a"],
        );
        both.verdicts().assert_open("tools.list-changed.sent");
    }

    #[test]
    fn lists_in_pages() {
        let page = |script: Script, id: i64, cursor: Option<&str>, name: &str, next: Option<&str>| {
            let params = cursor.map_or(json!({}), |cursor| json!({"cursor": cursor}));
            let mut result = json!({"tools": [{"name": name, "inputSchema": {"type": "object"}}]});
            if let Some(next) = next {
                result["nextCursor"] = json!(next);
            }
            script
                .sent(json!({"jsonrpc": "2.0", "id": id, "method": "tools/list", "params": params}))
                .received(json!({"jsonrpc": "2.0", "id": id, "result": result}))
        };
        let walked = |last: &str| {
            let script = Script::stdio(V2025_11_25).handshake_with(json!({"tools": {"listChanged": true}}));
            let script = page(page(script, 2, None, "a", Some("p")), 3, Some("p"), "b", None);
            // A first page alone says nothing.
            let script = page(script, 4, None, "other", Some("p"));
            let script = page(page(script, 5, None, "a", Some("q")), 6, Some("q"), last, None);
            found(&script.verdicts())
        };
        assert_eq!(walked("b"), [""; 0]);
        assert_eq!(walked("c"), ["tools.list-changed.sent"]);
    }

    #[test]
    fn lists_need_a_way() {
        // Over HTTP without a GET stream nothing can be told.
        let exchange = |script: Script, id: i64, name: &str| {
            let result = json!({"tools": [{"name": name, "inputSchema": {"type": "object"}}]});
            script.exchange(
                json!({"jsonrpc": "2.0", "id": id, "method": "tools/list"}),
                200,
                "application/json",
                &[json!({"jsonrpc": "2.0", "id": id, "result": result})],
                None,
            )
        };
        let script = Script::http(V2025_11_25).handshake_with(json!({"tools": {"listChanged": true}}));
        let verdicts = exchange(exchange(script, 2, "a"), 3, "b").verdicts();
        verdicts.assert_open("tools.list-changed.sent");
        assert!(verdicts.judge().get("tools.list-changed.sent").unwrap().undecided.is_some());
    }

    #[test]
    fn updates() {
        let subscribe = |script: Script, id: i64, method: &str| {
            script
                .sent(json!({"jsonrpc": "2.0", "id": id, "method": method, "params": {"uri": "a://b"}}))
                .received(json!({"jsonrpc": "2.0", "id": id, "result": {}}))
        };
        let updated = json!({"jsonrpc": "2.0", "method": "notifications/resources/updated",
            "params": {"uri": "a://b/c"}});
        let script = || Script::stdio(V2025_11_25).handshake_with(json!({"resources": {"subscribe": true}}));
        let open = || subscribe(script(), 2, "resources/subscribe");
        open().received(updated.clone()).verdicts().assert_held("resources.subscribe.update-delivered");
        let after = |pause: u64| {
            let script = subscribe(open(), 3, "resources/unsubscribe").wait(Duration::from_millis(pause));
            found(&script.received(updated.clone()).verdicts())
        };
        assert_eq!(after(10), [""; 0]);
        assert_eq!(after(700), ["resources.unsubscribe.stops-updates"]);
    }

    #[test]
    fn updates_of_a_subscription() {
        let tag = json!({"io.modelcontextprotocol/subscriptionId": 2});
        let filter = json!({"resourceSubscriptions": ["a://b"]});
        let verdicts = Script::stdio(V2026_07_28)
            .handshake_with(json!({"resources": {"subscribe": true}}))
            .sent(modern(2, "subscriptions/listen", json!({"notifications": filter})))
            .received(json!({"jsonrpc": "2.0", "method": "notifications/subscriptions/acknowledged",
                "params": {"_meta": tag, "notifications": filter}}))
            .received(json!({"jsonrpc": "2.0", "method": "notifications/resources/updated",
                "params": {"_meta": tag, "uri": "a://b"}}))
            .verdicts();
        verdicts.assert_held("resources.subscribe.update-delivered");
    }
}
