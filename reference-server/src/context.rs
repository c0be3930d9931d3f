//! What a handler knows about the request it serves, and how it speaks before it answers.

use std::sync::{Arc, Mutex};

use serde::Serialize;
use serde_json::value::RawValue;
use serde_json::{Value, json};

use crate::auth::Principal;
#[cfg(feature = "enterprise")]
use crate::enterprise::Approval;
use crate::faults::Duty;
use crate::features::tasks::{Outlet, Owner, Task, legacy};
use crate::features::{Level, ProgressGate};
use crate::legacy::Session;
use crate::memory::Held;
use crate::message::{Id, Object, Reply, Request, RpcError, notification};
use crate::modern::RequestMeta;
use crate::revision::Revision;
use crate::server::{Server, lock};
use crate::transport::{EventLog, Outgoing};

/// What a handler returns.
pub(crate) type Answer = Result<Reply, RpcError>;

/// Where the notifications of one request go.
#[derive(Clone)]
pub(crate) enum Sink {
    /// A queue shared with others (STDIO, HTTP+SSE) or private to the request (modern HTTP).
    Queue(Outgoing),
    /// The resumable stream of a legacy HTTP request.
    Stream(Arc<EventLog>),
    /// Wherever the messages of a task can go at the time.
    Task(Arc<Outlet>),
}

impl Sink {
    /// Waits until there is room. A reader that is gone is no error: its request is being dropped.
    pub(crate) async fn send(&self, message: String) {
        match self {
            Self::Queue(queue) => {
                queue.send(message).await;
            }
            Self::Stream(log) => log.append(message).await,
            // Boxed, because one sink leads to another.
            Self::Task(outlet) => {
                if let Some(sink) = outlet.current() {
                    Box::pin(sink.send(message)).await;
                }
            }
        }
    }

    /// Ends the stream of the request before its answer, where it can be resumed; elsewhere nothing happens.
    pub(crate) fn interrupt(&self) {
        if let Self::Stream(log) = self {
            log.interrupt();
        }
    }

    /// Sends without waiting; where there is no room, the message is lost.
    pub(crate) fn send_now(&self, message: String) {
        match self {
            Self::Queue(queue) => queue.send_now(message),
            Self::Stream(log) => log.append_now(message),
            Self::Task(outlet) => {
                if let Some(sink) = outlet.current() {
                    sink.send_now(message);
                }
            }
        }
    }
}

/// Who sent the request.
pub(crate) enum Caller {
    /// A client with a handshake behind it.
    Session(Arc<Session>),
    /// A client that says about itself what is needed in the request.
    Stateless(RequestMeta),
}

/// One request being served.
pub(crate) struct RequestContext {
    pub server: Server,
    pub revision: Revision,
    pub request: Request,
    pub caller: Caller,
    pub sink: Sink,
    /// The task that the request has become.
    pub task: Option<Arc<Task>>,
    /// What became of the approval that it takes, once that has been asked for.
    #[cfg(feature = "enterprise")]
    pub approval: Mutex<Option<Approval>>,
    progress: ProgressGate,
    /// What the request takes of the memory for all, with the answers that it got from the client.
    held: Mutex<Held>,
}

impl RequestContext {
    pub(crate) fn new(
        server: Server,
        revision: Revision,
        request: Request,
        caller: Caller,
        sink: Sink,
        held: Held,
    ) -> Self {
        Self {
            server,
            revision,
            request,
            caller,
            sink,
            task: None,
            #[cfg(feature = "enterprise")]
            approval: Mutex::default(),
            progress: ProgressGate::default(),
            held: Mutex::new(held),
        }
    }

    /// The context of the work that goes on when the request has been answered with a task. It holds nothing large, so
    /// the number of tasks is bound enough.
    pub(crate) fn in_task(&self, task: Arc<Task>) -> Self {
        /// A longer token is not kept for the life of a task.
        const LONGEST_TOKEN: usize = 1024;
        let token = self.request.progress_token.as_ref().filter(|token| token.get().len() <= LONGEST_TOKEN);
        let request = Request {
            id: Id::of_nothing(),
            method: self.request.method.clone(),
            params: Object::new(),
            footprint: 0,
            progress_token: token.cloned(),
        };
        let caller = match &self.caller {
            Caller::Session(session) => Caller::Session(Arc::clone(session)),
            Caller::Stateless(meta) => Caller::Stateless(RequestMeta {
                log_level: meta.log_level,
                client: meta.client,
                principal: meta.principal.clone(),
                term: meta.term,
            }),
        };
        let sink = Sink::Task(Arc::clone(&task.outlet));
        let context = Self::new(self.server.clone(), self.revision, request, caller, sink, Held::default());
        Self { task: Some(task), ..context }
    }

    /// Holds memory until the request is done.
    pub(crate) fn keep(&self, held: Held) {
        lock(&self.held).add(held);
    }

    /// Whom tasks of this caller belong to.
    pub(crate) fn owner(&self) -> Owner {
        match &self.caller {
            Caller::Session(session) => Owner::of(session),
            Caller::Stateless(_) if !self.server.keeps(Duty::TaskBound) => Owner::Principal(String::new()),
            Caller::Stateless(_) => Owner::Principal(self.principal().key()),
        }
    }

    /// `_meta` of what is sent for a task.
    fn related(&self) -> Option<Object> {
        self.task.as_ref().map(|task| legacy::related(&task.id))
    }

    /// The scopes that the request takes, with spaces between them.
    pub(crate) fn scopes(&self) -> &'static str {
        #[cfg(feature = "enterprise")]
        if self.request.method == "tools/call" {
            let name = self.request.params.get("name").and_then(Value::as_str).unwrap_or_default();
            return self.server.tools(self.principal()).scopes(name);
        }
        "mcp"
    }

    /// On whose behalf the request is made.
    pub(crate) fn principal(&self) -> &Principal {
        match &self.caller {
            Caller::Session(session) => &session.principal,
            Caller::Stateless(meta) => &meta.principal,
        }
    }

    /// Waits until the request may not go on any longer on behalf of whoever sent it.
    pub(crate) async fn term_is_over(&self) {
        match &self.caller {
            // The transport ends the streams of a session.
            Caller::Session(_) => std::future::pending().await,
            Caller::Stateless(meta) => meta.term.over().await,
        }
    }

    /// Sends a notification or a request of the server that belongs to the request.
    pub(crate) async fn send(&self, message: String) {
        for message in self.server.says(message) {
            self.sink.send(message).await;
        }
    }

    /// The progress token of the request, a string without its quotes.
    pub(crate) fn progress_token(&self) -> Option<String> {
        let raw = self.request.progress_token.as_deref()?.get();
        Some(serde_json::from_str(raw).unwrap_or_else(|_| raw.to_owned()))
    }

    /// Sends `notifications/progress` if the client asked for it; a value that does not grow, or one
    /// too many within a second, is left out.
    pub(crate) async fn progress(&self, progress: u64, total: u64, message: &str) {
        #[derive(Serialize)]
        struct Params<'a> {
            #[serde(rename = "progressToken")]
            token: &'a RawValue,
            progress: u64,
            total: u64,
            #[serde(skip_serializing_if = "Option::is_none")]
            message: Option<&'a str>,
            #[serde(rename = "_meta", skip_serializing_if = "Option::is_none")]
            meta: Option<Object>,
        }
        if let Some(task) = &self.task {
            task.say(message);
        }
        let Some(token) = &self.request.progress_token else {
            return;
        };
        if !self.progress.grows(progress) && self.server.keeps(Duty::ProgressGrows) {
            return;
        }
        // The last step is told in any case.
        if !self.progress.is_in_pace() && progress < total {
            return;
        }
        let params = Params {
            token,
            progress,
            total,
            message: (self.revision >= Revision::V2025_03_26).then_some(message),
            meta: self.related(),
        };
        self.send(notification("notifications/progress", &params)).await;
    }

    /// Sends `notifications/message` if the client wants that level; `data` is any JSON.
    pub(crate) async fn log(&self, level: Level, data: impl Into<Value>) {
        let wanted = match &self.caller {
            Caller::Session(session) => Some(session.level()),
            Caller::Stateless(meta) if self.server.keeps(Duty::LogsWhereAsked) => meta.log_level,
            Caller::Stateless(meta) => meta.log_level.or(Some(Level::Debug)),
        };
        let wanted = wanted.is_some_and(|threshold| level >= threshold);
        if wanted || !self.server.keeps(Duty::LogThreshold) {
            let mut params = json!({"level": level.as_str(), "logger": "tools", "data": data.into()});
            if let Some(meta) = self.related() {
                params["_meta"] = meta.into();
            }
            self.send(notification("notifications/message", &params)).await;
        }
    }
}
