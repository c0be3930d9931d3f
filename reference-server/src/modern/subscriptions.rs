//! `subscriptions/listen`: a request that stays open and carries the changes that the client asked for.

use std::sync::Arc;

use serde::Serialize;
use serde_json::value::RawValue;
use serde_json::{Value, json};
use tokio::sync::watch;

#[cfg(feature = "enterprise")]
use crate::auth::Principal;
use crate::changes::Change;
use crate::context::{Answer, RequestContext};
#[cfg(feature = "enterprise")]
use crate::enterprise::{Enterprise, Kind, RoleName};
use crate::faults::Duty;
use crate::features::Capability;
use crate::features::tasks::extension::detailed;
use crate::message::{Id, Object, Reply, RpcError, notification, to_json};
use crate::server::Server;

/// The most resources, and the most tasks, that one subscription may name.
const NAMES: usize = 1000;

/// What the client wants to hear, which is also what the acknowledgment repeats.
#[derive(Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
struct Filter {
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    tools_list_changed: bool,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    prompts_list_changed: bool,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    resources_list_changed: bool,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    resource_subscriptions: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    task_ids: Vec<String>,
    /// The kinds of records that the client's role lists.
    #[cfg(feature = "enterprise")]
    #[serde(skip)]
    records: Vec<Kind>,
    /// Whose it is.
    #[cfg(feature = "enterprise")]
    #[serde(skip)]
    role: Option<RoleName>,
}

impl Filter {
    fn read(params: &Object) -> Result<Self, RpcError> {
        let refuse = |what: &str| RpcError::invalid_params(format!("Invalid params: {what}"));
        let Some(Value::Object(wanted)) = params.get("notifications") else {
            return Err(refuse("notifications must be an object"));
        };
        let flag = |name: &str| match wanted.get(name) {
            None => Ok(false),
            Some(Value::Bool(flag)) => Ok(*flag),
            Some(_) => Err(refuse(&format!("{name} must be a boolean"))),
        };
        let strings = |name: &str| match wanted.get(name) {
            None => Ok(Vec::new()),
            Some(Value::Array(strings)) if strings.len() <= NAMES => {
                let strings = strings.iter().map(|string| string.as_str().map(str::to_owned));
                strings
                    .collect::<Option<Vec<String>>>()
                    .ok_or_else(|| refuse(&format!("{name} must hold strings")))
            }
            Some(_) => Err(refuse(&format!("{name} must be an array of at most {NAMES} strings"))),
        };
        Ok(Self {
            tools_list_changed: flag("toolsListChanged")?,
            prompts_list_changed: flag("promptsListChanged")?,
            resources_list_changed: flag("resourcesListChanged")?,
            resource_subscriptions: strings("resourceSubscriptions")?,
            task_ids: strings("taskIds")?,
            #[cfg(feature = "enterprise")]
            records: Vec::new(),
            #[cfg(feature = "enterprise")]
            role: None,
        })
    }

    /// Leaves out what there is not for the role of the caller, whether it exists or not.
    #[cfg(feature = "enterprise")]
    fn narrow(&mut self, profile: &Enterprise, principal: &Principal) {
        (self.tools_list_changed, self.prompts_list_changed) = (false, false);
        self.resource_subscriptions.retain(|uri| profile.may_read(principal, uri));
        self.records = Kind::ALL.into_iter().filter(|kind| profile.lists(principal, *kind)).collect();
        self.role = Some(profile.role_of(principal));
    }

    /// The memory that it takes besides the request, which it repeats.
    fn footprint(&self) -> usize {
        let strings = self.resource_subscriptions.iter().chain(&self.task_ids);
        strings.map(|string| size_of::<String>() + string.len()).sum()
    }

    fn names(&self, uri: &str) -> bool {
        self.resource_subscriptions.iter().any(|wanted| wanted == uri)
    }

    fn wants(&self, change: &Change) -> bool {
        match change {
            Change::Tools => self.tools_list_changed,
            Change::Prompts => self.prompts_list_changed,
            Change::Resources => self.resources_list_changed,
            Change::Resource(uri) => self.names(uri),
            #[cfg(feature = "enterprise")]
            Change::Records(kind) => self.resources_list_changed && self.records.contains(kind),
            #[cfg(feature = "enterprise")]
            Change::Record { uri, roles } => {
                self.names(uri) && self.role.as_ref().is_some_and(|role| roles.contains(role))
            }
            Change::Task(task) => self.task_ids.contains(&task.id),
        }
    }
}

/// When a subscription ends because the server closes, and how that is told.
pub(crate) struct Closing {
    /// True once the server closes.
    pub signal: watch::Receiver<bool>,
    /// Whether the channel goes on when the subscription is over (STDIO): then its end is a message of its own, besides
    /// the result (2026-07-28, basic/patterns/cancellation).
    pub is_shared: bool,
}

fn updated(uri: &str, tagged: Tagged<'_>) -> String {
    notification("notifications/resources/updated", &Tagged { uri: Some(uri), ..tagged })
}

/// The notification of a change, tagged with the subscription.
fn told(change: &Change, id: &Id) -> String {
    let tagged = Tagged::of(id);
    match change {
        Change::Tools => notification("notifications/tools/list_changed", &tagged),
        Change::Prompts => notification("notifications/prompts/list_changed", &tagged),
        Change::Resources => notification("notifications/resources/list_changed", &tagged),
        #[cfg(feature = "enterprise")]
        Change::Records(_) => notification("notifications/resources/list_changed", &tagged),
        #[cfg(feature = "enterprise")]
        Change::Record { uri, .. } => updated(uri, tagged),
        Change::Resource(uri) => updated(uri, tagged),
        Change::Task(task) => {
            notification("notifications/tasks", &Tagged { task: Some(detailed(task)), ..tagged })
        }
    }
}

#[derive(Serialize)]
struct Tagged<'a> {
    #[serde(rename = "_meta")]
    meta: Tag<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    uri: Option<&'a str>,
    #[serde(rename = "requestId", skip_serializing_if = "Option::is_none")]
    request_id: Option<&'a RawValue>,
    #[serde(skip_serializing_if = "Option::is_none")]
    notifications: Option<&'a Filter>,
    #[serde(flatten)]
    task: Option<Object>,
}

impl<'a> Tagged<'a> {
    fn of(id: &'a Id) -> Self {
        Self { meta: Tag::of(id), uri: None, request_id: None, notifications: None, task: None }
    }
}

/// The id of the listen request, which names the subscription, verbatim.
#[derive(Serialize)]
struct Tag<'a> {
    #[serde(rename = "io.modelcontextprotocol/subscriptionId")]
    subscription_id: &'a RawValue,
    #[serde(rename = "io.modelcontextprotocol/serverInfo", skip_serializing_if = "Option::is_none")]
    server_info: Option<Object>,
}

impl<'a> Tag<'a> {
    fn of(id: &'a Id) -> Self {
        Self { subscription_id: id.raw(), server_info: None }
    }
}

/// The tasks among those named that the caller may hear of.
fn own_tasks(context: &RequestContext, mut ids: Vec<String>) -> Result<Vec<String>, RpcError> {
    if !context.client_has(Capability::Tasks) {
        return Err(Capability::Tasks.missing());
    }
    let (tasks, owner) = (context.server.tasks(), context.owner());
    if context.server.keeps(Duty::TasksToldToOwners) {
        ids.retain(|id| tasks.find(&owner, id).is_some());
    }
    Ok(ids)
}

/// Serves one subscription until the client ends it (the work is dropped), the server closes or the access token expires.
pub(crate) async fn listen(context: &RequestContext, mut closing: Closing) -> Answer {
    let mut filter = Filter::read(&context.request.params)?;
    let _held = context.server.memory().take_request(filter.footprint())?;
    if !filter.task_ids.is_empty() {
        filter.task_ids = own_tasks(context, filter.task_ids)?;
    }
    #[cfg(feature = "enterprise")]
    if let Some(profile) = context.server.enterprise() {
        let wanted = filter.resource_subscriptions.clone();
        filter.narrow(profile, context.principal());
        if !context.server.keeps(Duty::SubscriptionsOfOwnView) {
            filter.resource_subscriptions = wanted;
        }
    }
    let id = &context.request.id;
    let filter = Arc::new(filter);
    let wants = {
        let filter = Arc::clone(&filter);
        let all_lists = !context.server.keeps(Duty::ChangesAsSubscribed);
        move |change: &Change, _| {
            filter.wants(change)
                || all_lists && matches!(change, Change::Tools | Change::Prompts | Change::Resources)
        }
    };
    // Listening starts before the acknowledgment, so that nothing is missed after it.
    let mut changes = context.server.changes(wants);
    let acknowledged = Tagged { notifications: Some(&filter), ..Tagged::of(id) };
    context.send(notification("notifications/subscriptions/acknowledged", &acknowledged)).await;
    let term = context.term_is_over();
    tokio::pin!(term);
    while context.server.keeps(Duty::SubscriptionLasts) {
        tokio::select! {
            biased;
            // An error means that the transport is gone, which ends the subscription as well.
            () = async { let _ = closing.signal.wait_for(|closing| *closing).await; } => break,
            () = &mut term => break,
            change = changes.next() => context.send(told(&change, id)).await,
        }
    }
    if closing.is_shared {
        let ended = Tagged { request_id: Some(id.raw()), ..Tagged::of(id) };
        context.send(notification("notifications/cancelled", &ended)).await;
    }
    let meta = Tag { subscription_id: id.raw(), server_info: Some(Server::implementation(context.revision)) };
    let result = json!({"resultType": "complete"}).to_string();
    let members = result.trim_end_matches('}');
    Ok(Reply::Text(format!("{members},\"_meta\":{}}}", to_json(&meta))))
}

#[cfg(test)]
mod tests {
    use super::{Filter, told};
    use crate::changes::Change;
    use serde_json::json;

    #[test]
    fn only_what_was_asked_for_is_acknowledged() {
        let params =
            json!({"notifications": {"toolsListChanged": true, "promptsListChanged": false, "other": 1}});
        let filter = Filter::read(params.as_object().unwrap()).unwrap();
        assert_eq!(serde_json::to_value(&filter).unwrap(), json!({"toolsListChanged": true}));
        let id = crate::message::Id::read(&serde_json::value::to_raw_value(&7).unwrap()).unwrap();
        assert!(told(&Change::Tools, &id).contains("\"io.modelcontextprotocol/subscriptionId\":7"));
        assert!(filter.wants(&Change::Tools) && !filter.wants(&Change::Prompts));
    }

    #[test]
    fn malformed_filters_are_refused() {
        for bad in [
            json!({}),
            json!({"notifications": []}),
            json!({"notifications": {"toolsListChanged": 1}}),
            json!({"notifications": {"resourceSubscriptions": [1]}}),
        ] {
            assert!(Filter::read(bad.as_object().unwrap()).is_err(), "{bad}");
        }
    }
}
