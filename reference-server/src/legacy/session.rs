//! What the server remembers about one client between `initialize` and the end of the session.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};
use std::sync::{Arc, Mutex, OnceLock};

use serde_json::json;

use crate::auth::Principal;
use crate::changes::{Change, Listener};
use crate::faults::Duty;
use crate::features::tasks::{Owner, legacy::status_notification};
use crate::features::{Capability, ClientCapabilities, InFlight, Level};
use crate::legacy::peer::Peer;
use crate::memory::Held;
use crate::message::{INTERNAL_ERROR, RpcError, notification};
use crate::revision::Revision;
use crate::server::{Server, lock};

/// The most resources that one session may subscribe to.
const SUBSCRIPTIONS: usize = 1000;
/// What a subscription takes besides its URI, in bytes: its place in the tree, which may be half empty.
const SUBSCRIPTION: usize = 2 * size_of::<(String, Subscription)>() + 16;

/// The client wants to hear of a resource.
struct Subscription {
    /// The number of the last change before.
    since: u64,
    /// The memory that it takes for as long as it lasts.
    _held: Held,
}

/// How far the handshake has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Phase {
    /// Nothing agreed yet.
    New,
    /// `initialize` has been answered.
    Negotiated(Revision),
    /// `notifications/initialized` has arrived.
    Operating(Revision),
}

/// One client with a handshake, on any transport.
pub(crate) struct Session {
    /// Tells it from all other sessions of the server.
    pub id: u64,
    /// On whose behalf it was begun. Nobody else can use it.
    pub principal: Principal,
    pub server: Server,
    pub in_flight: Arc<InFlight>,
    pub peer: Arc<Peer>,
    client: OnceLock<ClientCapabilities>,
    phase: Mutex<Phase>,
    level: AtomicU8,
    /// Whether the user has been sent to the page that `read_statement` asks for.
    sent_to_page: AtomicBool,
    /// By URI.
    subscriptions: Mutex<BTreeMap<String, Subscription>>,
    ended: AtomicBool,
}

impl Session {
    pub(crate) fn new(server: Server, principal: Principal) -> Arc<Self> {
        let in_flight = InFlight::new(server.config().max_requests_in_flight);
        let peer = if server.keeps(Duty::PeersApart) { Arc::default() } else { server.common_peer() };
        Arc::new(Self {
            id: server.number_session(),
            principal,
            server,
            in_flight,
            peer,
            client: OnceLock::new(),
            phase: Mutex::new(Phase::New),
            level: AtomicU8::new(Level::Info as u8),
            sent_to_page: AtomicBool::new(false),
            subscriptions: Mutex::default(),
            ended: AtomicBool::new(false),
        })
    }

    /// The client is gone: its requests and its tasks end.
    pub(crate) fn end(&self) {
        self.ended.store(true, Ordering::SeqCst);
        self.in_flight.cancel_all();
        self.server.tasks().end(&Owner::Session(self.id));
        lock(&self.subscriptions).clear();
    }

    /// Whether the user is sent to the page now, for the first time.
    pub(crate) fn sends_to_page(&self) -> bool {
        !self.sent_to_page.swap(true, Ordering::Relaxed)
    }

    pub(crate) fn has_ended(&self) -> bool {
        self.ended.load(Ordering::SeqCst)
    }

    /// The revision agreed on.
    pub(crate) fn revision(&self) -> Option<Revision> {
        match *lock(&self.phase) {
            Phase::New => None,
            Phase::Negotiated(revision) | Phase::Operating(revision) => Some(revision),
        }
    }

    /// The revision whose form errors take, agreed or not.
    pub(crate) fn error_revision(&self) -> Revision {
        self.revision().unwrap_or_else(|| self.server.newest())
    }

    /// Agrees on a revision with a client of these capabilities; false if that has happened before.
    pub(crate) fn negotiate(&self, revision: Revision, client: ClientCapabilities) -> bool {
        let mut phase = lock(&self.phase);
        let is_new = *phase == Phase::New && self.client.set(client).is_ok();
        if is_new {
            *phase = Phase::Negotiated(revision);
        }
        is_new
    }

    /// Whether the client declared the capability. Before `notifications/initialized` it may not be asked for anything.
    pub(crate) fn client_has(&self, capability: Capability) -> bool {
        let Phase::Operating(revision) = *lock(&self.phase) else {
            return false;
        };
        self.client.get().is_some_and(|client| client.has(capability, revision))
    }

    /// `notifications/initialized`: from now on the server may speak unasked.
    pub(crate) fn operate(&self) {
        let mut phase = lock(&self.phase);
        if let Phase::Negotiated(revision) = *phase {
            *phase = Phase::Operating(revision);
        }
    }

    /// The lowest level of log messages that the client gets; `info` until it says otherwise.
    pub(crate) fn level(&self) -> Level {
        Level::ALL[usize::from(self.level.load(Ordering::Relaxed)) % Level::ALL.len()]
    }

    pub(crate) fn set_level(&self, level: Level) {
        self.level.store(level as u8, Ordering::Relaxed);
    }

    pub(crate) fn subscribe(&self, uri: &str) -> Result<(), RpcError> {
        // Before the lock, under which listeners are.
        let since = self.server.last_change();
        let mut subscriptions = lock(&self.subscriptions);
        if subscriptions.contains_key(uri) {
            return Ok(());
        }
        if subscriptions.len() >= SUBSCRIPTIONS {
            return Err(RpcError::new(INTERNAL_ERROR, "Too many subscriptions in this session"));
        }
        let full =
            || RpcError::new(INTERNAL_ERROR, "Too many subscriptions are kept for all clients together");
        let held = self.server.memory().take_kept(SUBSCRIPTION + uri.len()).ok_or_else(full)?;
        subscriptions.insert(uri.to_owned(), Subscription { since, _held: held });
        Ok(())
    }

    pub(crate) fn unsubscribe(&self, uri: &str) {
        lock(&self.subscriptions).remove(uri);
    }

    /// The changes from now on that may concern this client.
    pub(crate) fn changes(self: &Arc<Self>) -> Listener {
        let session = Arc::clone(self);
        self.server.changes(move |change, number| session.is_concerned(change, Some(number)))
    }

    /// Whether a change, of this number if it is known, is the client's business at present.
    fn is_concerned(&self, change: &Change, number: Option<u64>) -> bool {
        match change {
            Change::Tools | Change::Prompts | Change::Resources => true,
            #[cfg(feature = "enterprise")]
            Change::Records(kind) => {
                self.server.enterprise().is_some_and(|profile| profile.lists(&self.principal, *kind))
            }
            #[cfg(feature = "enterprise")]
            Change::Record { uri, roles } => {
                self.is_subscribed(uri, number)
                    && self
                        .server
                        .enterprise()
                        .is_some_and(|profile| roles.contains(&profile.role_of(&self.principal)))
            }
            Change::Task(task) => task.owner == Owner::Session(self.id),
            Change::Resource(uri) => self.is_subscribed(uri, number),
        }
    }

    /// Whether the client subscribed to a resource before its change of this number.
    fn is_subscribed(&self, uri: &str, number: Option<u64>) -> bool {
        let subscriptions = lock(&self.subscriptions);
        let subscription = subscriptions.get(uri);
        subscription.is_some_and(|one| number.is_none_or(|number| number > one.since))
            || !self.server.keeps(Duty::UpdatesAsSubscribed)
    }

    /// What this client is told about a change, if anything.
    pub(crate) fn notifications_for(&self, change: &Change) -> Vec<String> {
        self.notification_for(change).map_or_else(Vec::new, |message| self.server.says(message))
    }

    fn notification_for(&self, change: &Change) -> Option<String> {
        // What it was subscribed to then, it may not be any more.
        if !matches!(*lock(&self.phase), Phase::Operating(_)) || !self.is_concerned(change, None) {
            return None;
        }
        let list_changed =
            |list: &str| format!("{{\"jsonrpc\":\"2.0\",\"method\":\"notifications/{list}/list_changed\"}}");
        match change {
            Change::Tools => Some(list_changed("tools")),
            Change::Prompts => Some(list_changed("prompts")),
            Change::Resources => Some(list_changed("resources")),
            #[cfg(feature = "enterprise")]
            Change::Records(_) => Some(list_changed("resources")),
            Change::Task(task) => Some(status_notification(task)),
            Change::Resource(uri) => Some(updated(uri)),
            #[cfg(feature = "enterprise")]
            Change::Record { uri, .. } => Some(updated(uri)),
        }
    }
}

fn updated(uri: &str) -> String {
    notification("notifications/resources/updated", &json!({"uri": uri}))
}
