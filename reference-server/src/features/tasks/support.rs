//! Which calls become tasks, and how they do.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;

use crate::context::{Caller, RequestContext};
use crate::faults::Duty;
use crate::features::Capability;
use crate::features::tasks::outlet::Outlet;
use crate::features::tasks::task::{Task, Terms};
use crate::features::tasks::{Owner, extension, legacy};
use crate::message::{INTERNAL_ERROR, METHOD_NOT_FOUND, Object, RpcError, optional_object};
use crate::revision::Revision;
use crate::seal::random_id;
use crate::server::{Config, Server};

/// The shortest life of a task.
const SHORTEST: Duration = Duration::from_secs(1);

/// Whether a tool may or must run as a task.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum TaskSupport {
    Optional,
    Required,
}

impl TaskSupport {
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Optional => "optional",
            Self::Required => "required",
        }
    }
}

/// The terms on which a call becomes a task; none if it is to be served as usual.
///
/// In 2025-11-25 the client chooses, within what the tool supports; in 2026-07-28 the server does, for clients that
/// declare the extension.
pub(crate) fn terms(
    context: &RequestContext,
    support: Option<TaskSupport>,
) -> Result<Option<Terms>, RpcError> {
    let config = context.server.config();
    let (tool_errors_fail, ttl, outlet) = match (context.revision, &context.caller) {
        (Revision::V2025_11_25, Caller::Session(_)) if context.server.has_tasks() => {
            let refuse =
                |what: &str| Err(RpcError::new(METHOD_NOT_FOUND, format!("Method not found: {what}")));
            match (optional_object(&context.request.params, "task")?, support) {
                (None, Some(TaskSupport::Required)) => return refuse("this tool runs as a task only"),
                (None, _) => return Ok(None),
                (Some(_), None) => return refuse("this tool cannot run as a task"),
                (Some(task), Some(_)) => (true, requested(task, config)?, Outlet::legacy(&context.sink)),
            }
        }
        (_, Caller::Stateless(meta)) => {
            match (support, meta.client.has(Capability::Tasks, context.revision)) {
                (None, _) | (Some(TaskSupport::Optional), false) => return Ok(None),
                (Some(TaskSupport::Required), false) => return Err(Capability::Tasks.missing()),
                (Some(_), true) => (false, given(None, config), Outlet::default()),
            }
        }
        // Where there are no tasks the member means nothing.
        (_, Caller::Session(_)) => return Ok(None),
    };
    Ok(Some(Terms { id: new_id(&context.server), owner: context.owner(), ttl, tool_errors_fail, outlet }))
}

fn new_id(server: &Server) -> String {
    if server.keeps(Duty::TaskIdsRandom) { random_id() } else { Timestamp::now().as_nanosecond().to_string() }
}

/// The time that a client gets of what it asks for in `task.ttl`.
fn requested(task: &Object, config: &Config) -> Result<Duration, RpcError> {
    let wanted = match task.get("ttl") {
        None => None,
        Some(ttl) => {
            let wanted = ttl.as_f64().filter(|milliseconds| *milliseconds >= 0.0);
            let refusal =
                || RpcError::invalid_params("Invalid params: task.ttl must be milliseconds, from 0 up");
            let seconds = wanted.ok_or_else(refusal)? / 1000.0;
            Some(Duration::try_from_secs_f64(seconds).unwrap_or(Duration::MAX))
        }
    };
    Ok(given(wanted, config))
}

fn given(wanted: Option<Duration>, config: &Config) -> Duration {
    let longest = Duration::from_secs(config.max_task_ttl_seconds).max(SHORTEST);
    wanted.unwrap_or(Duration::from_secs(config.task_ttl_seconds)).clamp(SHORTEST, longest)
}

/// Makes a task of a call; `work` is the rest of it, with the context that it has from now on.
pub(crate) async fn begin<Work>(
    context: &RequestContext,
    terms: Terms,
    work: impl FnOnce(RequestContext) -> Work,
) -> Result<Object, RpcError>
where
    Work: Future<Output = Result<Object, RpcError>> + Send + 'static,
{
    let store = context.server.tasks();
    let stops = context.server.keeps(Duty::CancelledTasksStop);
    let mut answer = Object::new();
    let task = store.begin(terms, |task| {
        answer = match &context.caller {
            Caller::Session(_) => legacy::created(&task.view()),
            Caller::Stateless(_) => extension::created(&task.view()),
        };
        let work = work(context.in_task(task));
        async move { if stops { work.await } else { detached(work).await } }
    })?;
    if !context.server.keeps(Duty::TasksAnsweredAtOnce) {
        task.over_or_asking().await;
    }
    // Whichever comes last, the task or the end of its session, clears up.
    if matches!(&context.caller, Caller::Session(session) if session.has_ended()) {
        store.end(&context.owner());
    }
    Ok(answer)
}

/// Work that goes on when nobody waits for it any more.
async fn detached<Work>(work: Work) -> Result<Object, RpcError>
where
    Work: Future<Output = Result<Object, RpcError>> + Send + 'static,
{
    let ended = |_| RpcError::new(INTERNAL_ERROR, "Internal error: the work ended before its time");
    tokio::spawn(work).await.map_err(ended)?
}

/// A task that is known to belong to its owner.
pub(super) fn named(server: &Server, owner: &Owner, id: &str) -> Result<Arc<Task>, RpcError> {
    let unknown = || RpcError::invalid_params("Invalid params: there is no such task, or it has expired");
    server.tasks().find(owner, id).ok_or_else(unknown)
}

#[cfg(test)]
mod tests {
    use super::requested;
    use crate::server::Config;
    use serde_json::json;
    use std::time::Duration;

    #[test]
    fn the_time_to_live_is_what_was_asked_for_within_limits() {
        let config = Config { task_ttl_seconds: 60, max_task_ttl_seconds: 100, ..Config::default() };
        let ttl = |task: serde_json::Value| {
            requested(task.as_object().unwrap(), &config).map(|ttl| ttl.as_millis())
        };
        assert_eq!(ttl(json!({})), Ok(60_000));
        assert_eq!(ttl(json!({"ttl": 5000})), Ok(5000));
        assert_eq!(ttl(json!({"ttl": 5000.0})), Ok(5000));
        assert_eq!(ttl(json!({"ttl": 0})), Ok(Duration::from_secs(1).as_millis()));
        assert_eq!(ttl(json!({"ttl": u64::MAX})), Ok(100_000));
        assert_eq!(ttl(json!({"ttl": 1e300})), Ok(100_000));
        for bad in [json!({"ttl": -1}), json!({"ttl": "5000"}), json!({"ttl": null}), json!({"ttl": {}})] {
            assert!(ttl(bad).is_err());
        }
    }
}
