//! Tasks in the words of the extension `io.modelcontextprotocol/tasks` of 2026-07-28: `tasks/get`, `tasks/update`,
//! `tasks/cancel`.

use std::sync::Arc;

use serde_json::{Value, json};

use crate::context::RequestContext;
use crate::features::Capability;
use crate::features::tasks::Task;
use crate::features::tasks::legacy::POLL_INTERVAL;
use crate::features::tasks::state::Status;
use crate::features::tasks::support::named;
use crate::features::tasks::task::TaskView;
use crate::message::{Object, RpcError, string};

/// The members that every task has.
fn envelope(view: &TaskView) -> Object {
    let mut task = view.members();
    task.insert("ttlMs".into(), view.ttl.into());
    task.insert("pollIntervalMs".into(), POLL_INTERVAL.into());
    task
}

/// The answer to a call that has become a task.
pub(super) fn created(view: &TaskView) -> Object {
    let mut result = envelope(view);
    result.insert("resultType".into(), "task".into());
    result
}

/// A task with what its status calls for: the input that it needs, its result, or its error.
pub(crate) fn detailed(view: &TaskView) -> Object {
    let mut task = envelope(view);
    match (view.status, view.outcome.as_deref()) {
        (Status::InputRequired, _) => {
            let requests: Object = view
                .questions
                .iter()
                .map(|(key, method, params)| (key.clone(), json!({"method": method, "params": params})))
                .collect();
            task.insert("inputRequests".into(), requests.into());
        }
        (Status::Completed, Some(Ok(result))) => {
            let mut result = result.clone();
            result.insert("resultType".into(), "complete".into());
            task.insert("result".into(), result.into());
        }
        (Status::Failed, Some(Err(error))) => {
            task.insert("error".into(), error.to_value());
        }
        _ => {}
    }
    task
}

/// The caller's own task, if the caller declares the extension.
fn own(context: &RequestContext) -> Result<Arc<Task>, RpcError> {
    if !context.client_has(Capability::Tasks) {
        return Err(Capability::Tasks.missing());
    }
    named(&context.server, &context.owner(), string(&context.request.params, "taskId")?)
}

/// `tasks/get`.
pub(crate) fn get(context: &RequestContext) -> Result<Object, RpcError> {
    Ok(detailed(&own(context)?.view()))
}

/// `tasks/update`: brings answers to what the task asked for.
pub(crate) fn update(context: &RequestContext) -> Result<Object, RpcError> {
    let task = own(context)?;
    let Some(Value::Object(answers)) = context.request.params.get("inputResponses") else {
        return Err(RpcError::invalid_params("Invalid params: inputResponses must be an object"));
    };
    task.answer_all(answers.clone(), context.server.memory())?;
    Ok(Object::new())
}

/// `tasks/cancel`: a task that is over stays as it is.
pub(crate) fn cancel(context: &RequestContext) -> Result<Object, RpcError> {
    own(context)?.cancel();
    Ok(Object::new())
}
