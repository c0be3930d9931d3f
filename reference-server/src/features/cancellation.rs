//! Cancellation: the requests in progress on a connection, and how one of them is stopped.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::{Arc, Mutex};

use tokio::sync::Notify;

use crate::message::{INTERNAL_ERROR, Id, IdKey, RpcError};
use crate::server::lock;

/// The requests in progress in one session or on one connection.
pub(crate) struct InFlight {
    requests: Mutex<HashMap<Arc<IdKey>, Arc<Notify>>>,
    limit: usize,
}

impl InFlight {
    pub(crate) fn new(limit: usize) -> Arc<Self> {
        Arc::new(Self { requests: Mutex::default(), limit })
    }

    /// Enters a request, for as long as the ticket lives.
    pub(crate) fn enter(self: &Arc<Self>, id: &Id) -> Result<Ticket, RpcError> {
        let mut requests = lock(&self.requests);
        if requests.len() >= self.limit {
            return Err(RpcError::new(INTERNAL_ERROR, "Too many requests in progress"));
        }
        let key = Arc::new(id.key().clone());
        let Entry::Vacant(entry) = requests.entry(Arc::clone(&key)) else {
            return Err(in_progress());
        };
        let cancelled = Arc::clone(entry.insert(Arc::default()));
        Ok(Ticket { in_flight: Arc::clone(self), key, cancelled })
    }

    /// Refuses the id of a request in progress, for what is answered at once and never enters.
    pub(crate) fn refuse_double(&self, id: &Id) -> Result<(), RpcError> {
        if lock(&self.requests).contains_key(id.key()) { Err(in_progress()) } else { Ok(()) }
    }

    /// Cancels the request with this id; an unknown id is ignored, as it may just have been answered.
    pub(crate) fn cancel(&self, id: &Id) {
        if let Some(cancelled) = lock(&self.requests).get(id.key()) {
            cancelled.notify_one();
        }
    }

    /// Cancels everything, at the end of a session.
    pub(crate) fn cancel_all(&self) {
        for cancelled in lock(&self.requests).values() {
            cancelled.notify_one();
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        lock(&self.requests).is_empty()
    }
}

fn in_progress() -> RpcError {
    RpcError::invalid_request("Invalid request: id belongs to a request in progress")
}

/// A request in progress; dropping it makes its id free again.
pub(crate) struct Ticket {
    in_flight: Arc<InFlight>,
    key: Arc<IdKey>,
    cancelled: Arc<Notify>,
}

impl Ticket {
    /// Runs the work until it ends or is cancelled; cancelled work stops where it waits and says nothing more.
    pub(crate) async fn run<T>(self, work: impl Future<Output = T>) -> Option<T> {
        tokio::select! {
            biased;
            () = self.cancelled.notified() => None,
            done = work => Some(done),
        }
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        lock(&self.in_flight.requests).remove(&self.key);
    }
}
