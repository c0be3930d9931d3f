//! Tasks in the words of 2025-11-25 (basic/utilities/tasks): `tasks/get`, `tasks/result`, `tasks/list`, `tasks/cancel`.

use std::sync::Arc;

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use serde_json::{Value, json};

use crate::context::{Caller, RequestContext};
use crate::faults::Duty;
use crate::features::tasks::support::named;
use crate::features::tasks::task::{Taken, TaskView, check};
use crate::features::tasks::{Owner, Task};
use crate::features::{ListKind, Stop, page_from};
use crate::legacy::Session;
use crate::message::{Object, RpcError, notification, string};
use crate::revision::Revision;

/// Milliseconds between two looks at a task.
pub(super) const POLL_INTERVAL: u64 = 200;

const IMMEDIATE: &str = "io.modelcontextprotocol/model-immediate-response";

/// A task as all results show it.
fn shown(view: &TaskView) -> Object {
    let mut task = view.members();
    task.insert("ttl".into(), view.ttl.into());
    if !view.status.is_terminal() {
        task.insert("pollInterval".into(), POLL_INTERVAL.into());
    }
    task
}

/// The answer to a call that has become a task.
pub(super) fn created(view: &TaskView) -> Object {
    let mut meta = related(&view.id);
    meta.insert(IMMEDIATE.into(), "The task has begun. Its result will come later.".into());
    let mut result = Object::new();
    result.insert("task".into(), shown(view).into());
    result.insert("_meta".into(), meta.into());
    result
}

/// `_meta` of everything that belongs to a task but does not name it elsewhere.
pub(crate) fn related(id: &str) -> Object {
    let mut meta = Object::new();
    meta.insert("io.modelcontextprotocol/related-task".into(), json!({"taskId": id}));
    meta
}

/// `notifications/tasks/status`.
pub(crate) fn status_notification(view: &TaskView) -> String {
    notification("notifications/tasks/status", &shown(view))
}

/// The caller's own task, in the revision that has these methods.
fn own(session: &Session, revision: Revision, params: &Object, method: &str) -> Result<Arc<Task>, RpcError> {
    require(revision, method)?;
    let id = string(params, "taskId")?;
    named(&session.server, &Owner::of(session), id)
}

fn require(revision: Revision, method: &str) -> Result<(), RpcError> {
    if revision.has_tasks() { Ok(()) } else { Err(RpcError::method_not_found(method)) }
}

/// `tasks/get`.
pub(crate) fn get(session: &Session, revision: Revision, params: &Object) -> Result<Object, RpcError> {
    Ok(shown(&own(session, revision, params, "tasks/get")?.view()))
}

/// `tasks/cancel`.
pub(crate) fn cancel(session: &Session, revision: Revision, params: &Object) -> Result<Object, RpcError> {
    let task = own(session, revision, params, "tasks/cancel")?;
    if !task.cancel() {
        let status = task.view().status.as_str();
        return Err(RpcError::invalid_params(format!("Invalid params: the task is already {status}")));
    }
    Ok(shown(&task.view()))
}

/// The capability. Who cannot tell clients apart does not offer them a list.
pub(crate) fn capability(session: &Session) -> Value {
    let mut capability = json!({"cancel": {}, "requests": {"tools": {"call": {}}}});
    if has_list(session) {
        capability["list"] = json!({});
    }
    capability
}

fn has_list(session: &Session) -> bool {
    session.principal.is_known() || !session.server.keeps(Duty::TasksListedForKnownClients)
}

/// `tasks/list`.
pub(crate) fn list(session: &Session, revision: Revision, params: &Object) -> Result<Object, RpcError> {
    require(revision, "tasks/list")?;
    if !has_list(session) {
        return Err(RpcError::method_not_found("tasks/list"));
    }
    let server = &session.server;
    let tasks = server.tasks().of(&Owner::of(session));
    let shown = tasks.iter().map(|task| (task.number, Value::Object(shown(&task.view()))));
    page_from(server, ListKind::Tasks, params, shown)
}

/// `tasks/result`: waits for the end of the task, and meanwhile carries its questions and messages to the client.
pub(crate) async fn result(context: &RequestContext) -> Result<Object, RpcError> {
    let Caller::Session(session) = &context.caller else {
        return Err(RpcError::method_not_found("tasks/result"));
    };
    let task = own(session, context.revision, &context.request.params, "tasks/result")?;
    let _attached = task.attach(context.sink.clone());
    let mut asking = FuturesUnordered::new();
    loop {
        tokio::select! {
            over = task.over_or_asking() => {
                if over {
                    break;
                }
                asking.extend(task.take_questions().into_iter().map(|taken| ask(context, session, &task, taken)));
            }
            Some(()) = asking.next() => {}
        }
    }
    // Questions that are still with the client are withdrawn.
    drop(asking);
    let gone = || RpcError::invalid_params("Invalid params: the task has expired");
    let outcome = task.view().outcome.ok_or_else(gone)?;
    let mut result = Result::clone(&outcome)?;
    let meta = result.entry("_meta").or_insert_with(|| json!({}));
    if let Value::Object(meta) = meta {
        meta.extend(related(&task.id));
    }
    Ok(result)
}

/// Asks the client one question of a task, and hands the answer to the task.
async fn ask(context: &RequestContext, session: &Session, task: &Task, mut taken: Taken) {
    taken.request.params.insert("_meta".into(), related(&task.id).into());
    let answer = session.peer.ask(context, &taken.request).await;
    let answer = answer.and_then(|answer| match check(&taken.request, &answer.value) {
        Ok(_) => Ok(answer),
        Err(reason) => Err(Stop::Refused(reason)),
    });
    if !session.server.keeps(Duty::TasksTakeAnswers) {
        return std::future::pending().await;
    }
    task.answer(&taken.key, answer);
}
