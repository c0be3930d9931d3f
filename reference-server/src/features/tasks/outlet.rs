//! Where the messages of a task's tool go, as the request that began it has long been answered.

use std::sync::{Arc, Mutex};

use crate::context::Sink;
use crate::server::lock;

/// The way out for what belongs to one task. In the modern era there is none: the task is polled.
#[derive(Default)]
pub(crate) struct Outlet {
    /// What is open for as long as the session is.
    home: Option<Sink>,
    /// The streams of the `tasks/result` requests that wait at present, newest last.
    streams: Mutex<Vec<(u64, Sink)>>,
}

impl Outlet {
    /// `sink` is where the request that begins the task is answered. A queue serves a whole session; a stream ends with
    /// its request.
    pub(super) fn legacy(sink: &Sink) -> Self {
        Self { home: matches!(sink, Sink::Queue(_)).then(|| sink.clone()), streams: Mutex::default() }
    }

    /// Where a message can go now, if anywhere.
    pub(crate) fn current(&self) -> Option<Sink> {
        let streams = lock(&self.streams);
        streams.last().map(|(_, sink)| sink).or(self.home.as_ref()).cloned()
    }

    /// Lets messages go to `sink` while the attachment lives.
    pub(super) fn attach(self: &Arc<Self>, sink: Sink) -> Attachment {
        let mut streams = lock(&self.streams);
        let number = streams.last().map_or(0, |(number, _)| number + 1);
        streams.push((number, sink));
        Attachment { outlet: Arc::clone(self), number }
    }
}

/// A stream that takes a task's messages.
pub(super) struct Attachment {
    outlet: Arc<Outlet>,
    number: u64,
}

impl Drop for Attachment {
    fn drop(&mut self) {
        lock(&self.outlet.streams).retain(|(number, _)| *number != self.number);
    }
}
