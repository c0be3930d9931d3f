//! The places at which a fault can take hold of the server: a small closed set.

use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use hyper::body::Incoming;
use hyper::{HeaderMap, Method};
use serde_json::Value;
use tokio::sync::Notify;

use crate::context::Answer;
use crate::faults::Duty;
use crate::message::{Id, Notification, Object, Reply, Request, RpcError};
use crate::revision::Revision;
use crate::server::lock;
use crate::transport::HttpReply;

/// What a fault does, and where. All are asked in the order of a request's way through the server.
#[derive(Debug)]
pub(crate) enum Hook {
    /// A duty is left undone.
    Neglect(Duty),
    /// What has arrived, as bytes: a STDIO line or the body of a POST.
    Input(fn(&Memory, &[u8]) -> Input),
    /// What comes back for a notification, which must not be answered.
    Notified(fn(&Memory, &Notification) -> Option<String>),
    /// A stateless request that was to be refused is served all the same.
    Forgive(fn(&Asked, &RpcError) -> bool),
    /// A request that was let in is changed before anything serves it.
    Request(fn(&Memory, &mut Request)),
    /// A request is answered before a handler sees it, or never.
    Intercept(fn(&Asked) -> Option<Instead>),
    /// The answer of the handler, or its refusal, is changed.
    Answer(fn(&Asked, &mut Answer)),
    /// The result of this method is changed.
    Result(&'static str, fn(&Asked, &mut Object)),
    /// The error of this method is changed.
    Refusal(&'static str, fn(&Asked, &mut RpcError)),
    /// Every definition in a list is changed: the member of the result that holds the list, and how.
    Definition(&'static str, fn(&Asked, &mut Object)),
    /// The text of the response is changed. On STDIO, several messages may stand in it, with line ends between them.
    Response(fn(&Asked, String) -> String),
    /// What the server says by itself, a notification or (in the legacy era) a request, goes out as these instead.
    Notify(fn(&Memory, Value) -> Vec<Value>),
    /// What the client is asked for by this method is changed: the parameters, in a request or in a result that demands input.
    Question(&'static str, fn(&Memory, &mut Object)),
    /// An HTTP request is changed, or answered at once.
    HttpRequest(fn(&Memory, &mut hyper::Request<Incoming>) -> Option<HttpReply>),
    /// The HTTP response is changed.
    HttpReply(fn(&HttpAsked, &mut HttpReply)),
    /// One event of a stream is changed, or the comment that keeps it alive.
    Event(fn(&Memory, String) -> String),
    /// One line of STDIO output is changed, with its line end.
    Line(fn(&Memory, Vec<u8>) -> Vec<u8>),
    /// What the STDIO output ends with.
    Last(fn(&Memory) -> Vec<u8>),
    /// A STDIO server sends this by itself, first at once or after the time, and then again and again after that time.
    Unasked { at_once: bool, every: Duration, message: &'static str },
}

/// What becomes of a text that has arrived.
pub(crate) enum Input {
    /// It is read as it is.
    Pass,
    /// This is read in its place.
    Changed(Vec<u8>),
    /// It is thrown away.
    Drop,
    /// The process ends with this code.
    Exit(i32),
    /// Nothing more is read from this channel.
    Hang,
}

/// What a request gets instead of what its handler says.
pub(crate) enum Instead {
    /// This answer.
    Answer(Answer),
    /// None, ever.
    Never,
}

impl Instead {
    /// A result, which need not be an object.
    pub(crate) fn result(value: &Value) -> Self {
        Self::Answer(Ok(Reply::Text(value.to_string())))
    }

    /// An error.
    pub(crate) fn error(code: i64, message: &str) -> Self {
        Self::Answer(Err(RpcError::new(code, message)))
    }
}

/// A request, as the faults see it.
pub(crate) struct Asked<'a> {
    pub memory: &'a Memory,
    /// The revision agreed on; before that, the newest one served.
    pub revision: Revision,
    pub id: Id,
    pub method: String,
    pub params: Object,
}

impl Asked<'_> {
    /// Whether the request is for this method.
    pub(crate) fn is(&self, method: &str) -> bool {
        self.method == method
    }

    /// A text in the parameters; empty where there is none.
    pub(crate) fn text(&self, name: &str) -> &str {
        self.params.get(name).and_then(Value::as_str).unwrap_or_default()
    }

    /// Whether this is the request that harmless checks are made with: `ping`, or `server/discover` where there is none.
    pub(crate) fn is_harmless(&self) -> bool {
        self.is("ping") || self.is("server/discover")
    }
}

/// The members of a result.
pub(crate) fn result(answer: &mut Answer) -> Option<&mut Object> {
    match answer {
        Ok(reply) => {
            if let Reply::Text(text) = reply {
                *reply = Reply::Object(serde_json::from_str(text).ok()?);
            }
            match reply {
                Reply::Object(result) => Some(result),
                Reply::Text(_) => None,
            }
        }
        Err(_) => None,
    }
}

/// An HTTP request, as the faults see it.
pub(crate) struct HttpAsked<'a> {
    pub memory: &'a Memory,
    pub method: Method,
    pub path: String,
    pub headers: HeaderMap,
}

impl<'a> HttpAsked<'a> {
    pub(crate) fn of(memory: &'a Memory, request: &hyper::Request<Incoming>) -> Self {
        Self {
            memory,
            method: request.method().clone(),
            path: request.uri().path().to_owned(),
            headers: request.headers().clone(),
        }
    }
}

/// What the faults of one server remember.
#[derive(Debug, Default)]
pub(crate) struct Memory {
    count: AtomicU64,
    kept: Mutex<Option<Value>>,
    /// A call was given up by its client.
    pub(super) given_up: Notify,
}

impl Memory {
    /// How often it was asked this before.
    pub(crate) fn count(&self) -> u64 {
        self.count.fetch_add(1, Ordering::Relaxed)
    }

    /// Puts a value in the place of the last one.
    pub(crate) fn keep(&self, value: Value) -> Option<Value> {
        lock(&self.kept).replace(value)
    }

    /// The last value kept.
    pub(crate) fn kept(&self) -> Option<Value> {
        lock(&self.kept).clone()
    }

    /// How often this was asked right before, without anything else in between.
    pub(crate) fn in_a_row(&self, what: &str) -> u64 {
        let before = self.kept().filter(|kept| kept[0] == what).and_then(|kept| kept[1].as_u64());
        let number = before.map_or(0, |before| before + 1);
        self.keep(serde_json::json!([what, number]));
        number
    }
}
