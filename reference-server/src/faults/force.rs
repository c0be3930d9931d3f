//! The faults in force in one server, applied at each hook.

use std::borrow::Cow;
use std::time::Duration;

use tokio::sync::Notify;
use tokio::task::JoinSet;

use serde_json::Value;

use crate::context::Answer;
use crate::faults::hook::{Asked, Hook, HttpAsked, Input, Instead, Memory, result};
use crate::faults::{Duty, FaultId};
use crate::message::{INTERNAL_ERROR, Notification, Request, RpcError};
use crate::revision::Revision;
use crate::transport::{HttpReply, Outgoing};

/// What is to be done with a text that has arrived.
pub(crate) enum Arrived<'a> {
    /// It is read.
    Text(Cow<'a, [u8]>),
    /// Nothing.
    Dropped,
    /// Nothing, nor with any that follow.
    Hangs,
}

/// The faults in force, with what they remember.
#[derive(Debug)]
pub(crate) struct Force {
    hooks: Vec<&'static Hook>,
    memory: Memory,
}

impl Force {
    /// `None` for the honest server.
    pub(crate) fn new(faults: &[FaultId]) -> Option<Box<Self>> {
        let hooks: Vec<&Hook> = faults.iter().flat_map(|fault| fault.fault().hooks).collect();
        (!hooks.is_empty()).then(|| Box::new(Self { hooks, memory: Memory::default() }))
    }

    pub(crate) fn neglects(&self, duty: Duty) -> bool {
        self.hooks.iter().any(|hook| matches!(hook, Hook::Neglect(neglected) if *neglected == duty))
    }

    /// A text that has arrived, changed.
    pub(crate) fn arrived<'a>(&self, bytes: &'a [u8]) -> Arrived<'a> {
        match self.input(bytes) {
            Input::Pass => Arrived::Text(Cow::Borrowed(bytes)),
            Input::Changed(bytes) => Arrived::Text(Cow::Owned(bytes)),
            Input::Drop => Arrived::Dropped,
            Input::Exit(code) => std::process::exit(code),
            Input::Hang => Arrived::Hangs,
        }
    }

    fn input(&self, bytes: &[u8]) -> Input {
        let takes = self.hooks.iter().filter_map(|hook| match hook {
            Hook::Input(take) => Some(take(&self.memory, bytes)),
            _ => None,
        });
        takes.into_iter().find(|taken| !matches!(taken, Input::Pass)).unwrap_or(Input::Pass)
    }

    /// What a notification gets back.
    pub(crate) fn notified(&self, notification: &Notification) -> Option<String> {
        self.hooks.iter().find_map(|hook| match hook {
            Hook::Notified(answer) => answer(&self.memory, notification),
            _ => None,
        })
    }

    /// Whether a stateless request is served although this error was due.
    pub(crate) fn forgives(&self, request: &Request, error: &RpcError) -> bool {
        let asked = self.asked(Revision::V2026_07_28, request);
        self.hooks.iter().any(|hook| matches!(hook, Hook::Forgive(forgives) if forgives(&asked, error)))
    }

    /// What goes out in place of a notification or of a request to the client.
    pub(crate) fn notify(&self, text: String) -> Vec<String> {
        let mut texts = vec![text];
        for hook in &self.hooks {
            let values = texts.iter().filter_map(|text| serde_json::from_str::<Value>(text).ok());
            let changed: Vec<Value> = match hook {
                Hook::Notify(change) => values.flat_map(|value| change(&self.memory, value)).collect(),
                Hook::Question(..) => values.map(|value| self.asks(hook, value)).collect(),
                _ => continue,
            };
            texts = changed.iter().map(Value::to_string).collect();
        }
        texts
    }

    /// A request to the client, changed where the hook is for its method.
    fn asks(&self, hook: &Hook, mut request: Value) -> Value {
        if let Hook::Question(method, change) = hook
            && request["method"] == *method
            && let Some(params) = request["params"].as_object_mut()
        {
            change(&self.memory, params);
        }
        request
    }

    /// An HTTP request, changed; the response if a fault gives it.
    pub(crate) fn http_request(
        &self,
        request: &mut hyper::Request<hyper::body::Incoming>,
    ) -> Option<HttpReply> {
        self.hooks.iter().find_map(|hook| match hook {
            Hook::HttpRequest(change) => change(&self.memory, request),
            _ => None,
        })
    }

    /// An HTTP request, as it came.
    pub(crate) fn http_asked(&self, request: &hyper::Request<hyper::body::Incoming>) -> HttpAsked<'_> {
        HttpAsked::of(&self.memory, request)
    }

    /// The HTTP response to a request, changed.
    pub(crate) fn http_reply(&self, asked: &HttpAsked, reply: &mut HttpReply) {
        for hook in &self.hooks {
            if let Hook::HttpReply(change) = hook {
                change(asked, reply);
            }
        }
    }

    /// The bytes of one event of a stream.
    pub(crate) fn event(&self, bytes: bytes::Bytes) -> bytes::Bytes {
        let changes = self.hooks.iter().filter_map(|hook| match hook {
            Hook::Event(change) => Some(change),
            _ => None,
        });
        changes.fold(bytes, |bytes, change| {
            change(&self.memory, String::from_utf8_lossy(&bytes).into_owned()).into()
        })
    }

    /// The bytes of one line of STDIO output, with its end.
    pub(crate) fn line(&self, message: &str) -> Vec<u8> {
        let changes = self.hooks.iter().filter_map(|hook| match hook {
            Hook::Line(change) => Some(change),
            _ => None,
        });
        changes.fold(format!("{message}\n").into_bytes(), |line, change| change(&self.memory, line))
    }

    /// The bytes with which the STDIO output ends.
    pub(crate) fn last(&self) -> Vec<u8> {
        let ends = self.hooks.iter().filter_map(|hook| match hook {
            Hook::Last(end) => Some(end(&self.memory)),
            _ => None,
        });
        ends.flatten().collect()
    }

    /// Sends what nobody asked for, until the set is dropped.
    pub(crate) fn speak_unasked(&self, out: &Outgoing) -> JoinSet<()> {
        let mut speaking = JoinSet::new();
        for hook in &self.hooks {
            if let Hook::Unasked { at_once, every, message } = *hook {
                let out = out.clone();
                speaking.spawn(async move {
                    let mut wait = if *at_once { Duration::ZERO } else { *every };
                    loop {
                        tokio::time::sleep(wait).await;
                        out.send((*message).to_owned()).await;
                        wait = *every;
                    }
                });
            }
        }
        speaking
    }

    fn asked(&self, revision: Revision, request: &Request) -> Asked<'_> {
        Asked {
            memory: &self.memory,
            revision,
            id: request.id.clone(),
            method: request.method.clone(),
            params: request.params.clone(),
        }
    }
}

/// What the faults in force do to one request; nothing at all in the honest server.
pub(crate) struct FaultsOnRequest<'a>(Option<Box<(&'a Force, Asked<'a>)>>);

impl<'a> FaultsOnRequest<'a> {
    /// A request that was let in; it may be changed.
    pub(crate) fn on(force: Option<&'a Force>, revision: Revision, request: &mut Request) -> Self {
        if let Some(force) = force {
            for hook in &force.hooks {
                if let Hook::Request(change) = hook {
                    change(&force.memory, request);
                }
            }
        }
        Self::new(force, revision, request)
    }

    /// The answer to a request, whatever became of it.
    pub(crate) fn new(force: Option<&'a Force>, revision: Revision, request: &Request) -> Self {
        Self(force.map(|force| Box::new((force, force.asked(revision, request)))))
    }

    /// The answer that comes before any handler's. Never ends where a fault wants no answer.
    pub(crate) async fn instead(&self) -> Option<Answer> {
        let (force, asked) = &**self.0.as_ref()?;
        let instead = force.hooks.iter().find_map(|hook| match hook {
            Hook::Intercept(intercept) => intercept(asked),
            _ => None,
        });
        match instead? {
            Instead::Answer(answer) => Some(answer),
            Instead::Never => std::future::pending().await,
        }
    }

    /// The answer of a handler; a call ends with an error when another one is given up, where a fault wants it.
    pub(crate) async fn beside_others(&self, work: impl Future<Output = Answer>) -> Answer {
        let together = |(force, asked): &&(&Force, Asked)| {
            asked.is("tools/call") && force.neglects(Duty::CallsCancelledAlone)
        };
        let Some((force, _)) = self.0.as_deref().filter(together) else { return work.await };
        let mut going = Going(Some(&force.memory.given_up));
        let answer = tokio::select! {
            answer = work => answer,
            () = force.memory.given_up.notified() => Err(RpcError::new(INTERNAL_ERROR, "Request cancelled")),
        };
        going.0 = None;
        answer
    }

    /// The answer of a handler, changed.
    pub(crate) fn altered(&self, mut answer: Answer) -> Answer {
        let Some((force, asked)) = self.0.as_deref() else { return answer };
        for hook in &force.hooks {
            match hook {
                Hook::Answer(change) => change(asked, &mut answer),
                Hook::Result(method, change) if asked.is(method) => {
                    if let Some(result) = result(&mut answer) {
                        change(asked, result);
                    }
                }
                Hook::Refusal(method, change) if asked.is(method) => {
                    if let Err(error) = &mut answer {
                        change(asked, error);
                    }
                }
                Hook::Definition(member, change) => {
                    let list = result(&mut answer).and_then(|result| result.get_mut(*member)?.as_array_mut());
                    let definitions = list.into_iter().flatten().filter_map(|value| value.as_object_mut());
                    definitions.for_each(|definition| change(asked, definition));
                }
                Hook::Question(..) => {
                    let requests = result(&mut answer)
                        .and_then(|result| result.get_mut("inputRequests")?.as_object_mut());
                    for (_, request) in requests.into_iter().flatten() {
                        *request = force.asks(hook, request.take());
                    }
                }
                _ => {}
            }
        }
        answer
    }

    /// The text of the response, changed.
    pub(crate) fn worded(&self, text: String) -> String {
        let Some((force, asked)) = self.0.as_deref() else { return text };
        let changes = force.hooks.iter().filter_map(|hook| match hook {
            Hook::Response(change) => Some(change),
            _ => None,
        });
        changes.fold(text, |text, change| change(asked, text))
    }
}

/// Tells, when it is dropped, that a call was given up.
struct Going<'a>(Option<&'a Notify>);

impl Drop for Going<'_> {
    fn drop(&mut self) {
        if let Some(given_up) = self.0 {
            given_up.notify_waiters();
        }
    }
}
