//! Faults of subscriptions.

use serde_json::{Value, json};

use crate::faults::Duty;
use crate::faults::edit::{is_method, notification, put};
use crate::faults::fault::{Fault, HTTP, MODERN, STDIO, fault};
use crate::faults::hook::Hook::{Event, Intercept, Neglect, Notified, Notify, Request, Response, Result};
use crate::faults::hook::{Asked, Instead};
use crate::message::{INTERNAL_ERROR, INVALID_PARAMS, METHOD_NOT_FOUND, Object};

const LISTEN: &str = "subscriptions/listen";
const ACKNOWLEDGED: &str = "notifications/subscriptions/acknowledged";
const TAG: &str = "io.modelcontextprotocol/subscriptionId";
const KNOWN: [&str; 5] =
    ["toolsListChanged", "promptsListChanged", "resourcesListChanged", "resourceSubscriptions", "taskIds"];

pub(super) const FAULTS: &[Fault] = &[
    fault(
        "subscriptions.listen.supported/unknown-method",
        "The method subscriptions/listen is not there, although changes are declared.",
        &[Intercept(|asked| asked.is(LISTEN).then(|| Instead::error(METHOD_NOT_FOUND, "Method not found")))],
    )
    .also_seen(&["extension-tasks.undeclared.listen-refused", "resources.capability.subscribe-flag"])
    .within(MODERN),
    fault(
        "subscriptions.listen.filter-required/left-out",
        "A subscription needs no filter.",
        &[Request(|_, request| {
            if request.method == LISTEN {
                request.params.entry("notifications").or_insert_with(|| json!({}));
            }
        })],
    )
    .within(MODERN),
    fault(
        "subscriptions.listen.empty-filter-legal/refused",
        "A subscription with an empty filter is refused.",
        &[Intercept(|asked| {
            let refused = filter(asked)?.is_empty();
            refused.then(|| Instead::error(INVALID_PARAMS, "Invalid params: the filter is empty"))
        })],
    )
    .within(MODERN),
    fault(
        "subscriptions.listen.unknown-filter-fields-tolerated/refused",
        "A filter with an unknown field is refused.",
        &[Intercept(|asked| {
            let unknown = filter(asked)?.keys().any(|name| !KNOWN.contains(&name.as_str()));
            unknown.then(|| Instead::error(INVALID_PARAMS, "Invalid params: unknown field"))
        })],
    )
    .within(MODERN),
    fault(
        "subscriptions.listen.sse-answer/json",
        "A subscription is answered at once, by JSON and without an acknowledgement.",
        &[Intercept(|asked| {
            asked
                .is(LISTEN)
                .then(|| Instead::result(&json!({"resultType": "complete", "_meta": {TAG: id(asked)}})))
        })],
    )
    .breaking(&["subscriptions.ack.sent", "subscriptions.ack.first"])
    .also_seen(&[
        "extension-tasks.undeclared.listen-refused",
        "identity.server-info-on-results",
        "subscriptions.listen.stays-open",
    ])
    .within(MODERN)
    .over(HTTP),
    fault(
        "subscriptions.listen.stays-open/ends",
        "A subscription ends as soon as it is acknowledged.",
        &[Neglect(Duty::SubscriptionLasts)],
    )
    .also_seen(&["resources.subscribe.update-delivered"])
    .within(MODERN),
    fault(
        "subscriptions.listen.concurrent/one-told",
        "Of a change of a resource only subscriptions with a number as their id are told.",
        &[Notify(|_, message| {
            let tag = &message["params"]["_meta"]["io.modelcontextprotocol/subscriptionId"];
            if is_method(&message, "notifications/resources/updated") && tag.is_string() {
                Vec::new()
            } else {
                vec![message]
            }
        })],
    )
    .warning_in(MODERN)
    .within(MODERN),
    fault(
        "subscriptions.listen.concurrent/one",
        "A subscription is refused while another one is open.",
        &[
            Intercept(|asked| {
                let refused = asked.is(LISTEN) && asked.memory.kept().is_some_and(|open| open == true);
                if asked.is(LISTEN) {
                    asked.memory.keep(true.into());
                }
                refused.then(|| Instead::error(INTERNAL_ERROR, "There is a subscription already"))
            }),
            Notified(|memory, notification| {
                if notification.method == "notifications/cancelled" {
                    memory.keep(false.into());
                }
                None
            }),
        ],
    )
    .also_seen(&["resources.subscribe.update-delivered", "subscriptions.listen.empty-filter-legal"])
    .within(MODERN)
    .over(STDIO),
    fault(
        "subscriptions.filter.only-requested-types/all",
        "Every subscription tells of all changes.",
        &[Neglect(Duty::ChangesAsSubscribed)],
    )
    .breaking(&["subscriptions.filter.false-or-omitted"])
    .within(MODERN),
    fault(
        "subscriptions.filter.no-unsolicited-changes/after-calls",
        "Each call tells of a change of the tools that nobody subscribed to.",
        &[Response(|asked, text| {
            let told = r#"{"jsonrpc":"2.0","method":"notifications/tools/list_changed"}"#;
            if asked.is("tools/call") { format!("{text}\n{told}") } else { text }
        })],
    )
    .breaking(&["subscriptions.end.no-state-kept"])
    .also_seen(&["subscriptions.id-tag.present"])
    .within(MODERN)
    .over(STDIO),
    fault(
        "subscriptions.ack.sent/left-out",
        "Subscriptions are not acknowledged.",
        &[Notify(|_, message| if is_method(&message, ACKNOWLEDGED) { Vec::new() } else { vec![message] })],
    )
    .also_seen(&["subscriptions.ack.first"])
    .within(MODERN),
    fault(
        "subscriptions.ack.nothing-before/change",
        "A change comes before the acknowledgement.",
        &[Notify(|_, message| {
            let params = &message["params"];
            if is_method(&message, ACKNOWLEDGED) && params["notifications"]["resourcesListChanged"] == true {
                let meta = json!({"_meta": params["_meta"]});
                return vec![notification("notifications/resources/list_changed", &meta), message];
            }
            vec![message]
        })],
    )
    .breaking(&["subscriptions.ack.first"])
    .within(MODERN),
    fault(
        "subscriptions.ack.shape/array",
        "The filter that is acknowledged is an array.",
        &[Notify(|_, message| acknowledged(message, |filter| *filter = json!([])))],
    )
    .also_seen(&["resources.capability.subscribe-flag"])
    .within(MODERN),
    fault(
        "subscriptions.ack.subset/more",
        "Changes of the prompts are acknowledged whether asked for or not.",
        &[Notify(|_, message| acknowledged(message, |filter| filter["promptsListChanged"] = true.into()))],
    )
    .also_seen(&["subscriptions.filter.false-or-omitted"])
    .within(MODERN),
    fault(
        "subscriptions.ack.omits-unsupported/acknowledged",
        "Changes of the prompts are acknowledged, and not declared.",
        &[Result("server/discover", |_, result| put(result, &["capabilities", "prompts"], json!({})))],
    )
    .within(MODERN),
    fault(
        "subscriptions.ack.includes-advertised/left-out",
        "Changes of the tools are declared, and not acknowledged.",
        &[Notify(|_, message| {
            acknowledged(message, |filter| {
                drop(filter.as_object_mut().map(|filter| filter.remove("toolsListChanged")));
            })
        })],
    )
    .within(MODERN),
    fault(
        "subscriptions.id-tag.present/left-out",
        "What a subscription tells does not name it.",
        &[Notify(|_, mut message| {
            if let Some(params) =
                message["params"].as_object_mut().filter(|params| !params.contains_key("notifications"))
            {
                params.remove("_meta");
            }
            vec![message]
        })],
    )
    .also_seen(&["extension-tasks.notify.full-task"])
    .within(MODERN),
    fault(
        "subscriptions.id-tag.value/as-text",
        "What a subscription tells names it by a text where its id is a number.",
        &[Notify(|_, mut message| {
            if let Some(id) = message["params"]["_meta"][TAG].as_i64()
                && !is_method(&message, ACKNOWLEDGED)
            {
                message["params"]["_meta"][TAG] = id.to_string().into();
            }
            vec![message]
        })],
    )
    .within(MODERN),
    fault(
        "subscriptions.end.client-cancel-stdio/goes-on",
        "A subscription that was cancelled goes on.",
        &[Neglect(Duty::CancelledWorkStops)],
    )
    .also_seen(&["cancellation.no-response", "cancellation.stops-work"])
    .within(MODERN)
    .over(STDIO),
    fault(
        "subscriptions.end.client-close-http/used-up",
        "There is room for eighteen subscriptions, and none becomes free when its stream is closed.",
        &[Intercept(|asked| {
            let full = asked.is(LISTEN) && asked.memory.count() >= 18;
            full.then(|| Instead::error(INTERNAL_ERROR, "Too many subscriptions"))
        })],
    )
    // A limit shows the same, and is permitted.
    .warning_in(MODERN)
    .within(MODERN)
    .over(HTTP),
    fault(
        "subscriptions.end.graceful-result/breaks-off",
        "The stream of a subscription that the server ends breaks off without a result.",
        &[
            Neglect(Duty::SubscriptionLasts),
            Event(|_, event| {
                if event.contains("\"resultType\"") && event.contains(TAG) { String::new() } else { event }
            }),
        ],
    )
    .also_seen(&["resources.subscribe.update-delivered"])
    .breaking(&["subscriptions.listen.stays-open"])
    .within(MODERN)
    .over(HTTP),
    fault(
        "subscriptions.end.graceful-result-shape/no-id",
        "The result that ends a subscription does not name it.",
        &[Result(LISTEN, |_, result| drop(result.remove("_meta")))],
    )
    .also_seen(&["identity.server-info-on-results", "schema.messages.conform"])
    .within(MODERN)
    .over(STDIO),
];

/// The filter of a subscription that is asked for.
fn filter<'a>(asked: &'a Asked<'_>) -> Option<&'a Object> {
    asked.params.get("notifications")?.as_object().filter(|_| asked.is(LISTEN))
}

fn id(asked: &Asked) -> Value {
    serde_json::from_str(asked.id.raw().get()).unwrap_or_default()
}

/// A message, the filter changed where it acknowledges a subscription.
fn acknowledged(mut message: Value, change: fn(&mut Value)) -> Vec<Value> {
    if is_method(&message, ACKNOWLEDGED) {
        change(&mut message["params"]["notifications"]);
    }
    vec![message]
}
