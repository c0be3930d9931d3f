//! The server: its configuration and what all connections share.

use std::borrow::Cow;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde_json::value::RawValue;
use serde_json::{Value, json};

use crate::auth::Principal;
#[cfg(feature = "enterprise")]
use crate::auth::{Authorization, TestAuthorizationServer};
use crate::buggy::{self, Happened};
use crate::changes::{Change, Changes, Listener};
use crate::chaos::Chaos;
#[cfg(feature = "enterprise")]
use crate::enterprise::Enterprise;
use crate::faults::{Arrived, Duty, FaultId, FaultsOnRequest, Force};
use crate::features::tasks::TaskStore;
use crate::features::{APPS, Icon, SKILLS, TASKS, ToolSet};
use crate::legacy::Peer;
use crate::memory::{Answered, Held, Memory, SMALL, refusal};
use crate::message::{Id, Message, Object, Payload, Request, RpcError, error_response};
use crate::pace::{Delay, Pace, Stall};
use crate::revision::Revision;
use crate::seal::Seal;
use crate::transport::Replay;

/// How the server behaves. [`Config::default`] is the honest, complete server.
#[derive(Clone, Debug)]
pub struct Config {
    /// Items on one page of every list; at least 1. Without it each list has its own: 100 tools, prompts or skills, 5
    /// resources, 1 template.
    pub page_size: Option<usize>,
    /// The secret without which nobody can make cursors and request states. Processes that share it serve each other's; without
    /// one it is random and new in every process.
    pub secret: Option<[u8; 32]>,
    /// Seconds that a client has to answer a request of ours, and for which a request state is valid.
    pub answer_seconds: u64,
    /// The revisions served, in any order; only modern or only legacy ones make a server of that era.
    pub revisions: Vec<Revision>,
    /// Host names that HTTP requests may name besides the loopback ones, without a port.
    pub allowed_hosts: Vec<String>,
    /// Origins that browsers may call from besides loopback ones, such as `https://app.example`.
    pub allowed_origins: Vec<String>,
    /// Who is let in over HTTP; everybody where there is nothing.
    #[cfg(feature = "enterprise")]
    pub authorization: Option<Arc<Authorization>>,
    /// An authorization server for tests, served beside the MCP endpoint. Whoever can reach it can have any token, so the
    /// address has to be a loopback one.
    #[cfg(feature = "enterprise")]
    pub test_authorization_server: Option<Arc<TestAuthorizationServer>>,
    /// The enterprise profile: records of a business in place of the tools, resources and prompts to test with.
    #[cfg(feature = "enterprise")]
    pub enterprise: Option<Arc<Enterprise>>,
    /// The buggy profile: tools with one bug each in place of the tools to test with. Some end the process.
    pub buggy: bool,
    /// Largest HTTP body in bytes.
    pub max_body_bytes: usize,
    /// Bytes of memory that all requests in progress and all that waits to be read may take together, roughly; further
    /// requests are refused until there is room. The last quarter is for requests of up to 16 KiB.
    pub max_bytes_in_flight: usize,
    /// Bytes of events that all HTTP sessions together may keep for clients that read late or come back; the oldest
    /// streams lose theirs first.
    pub max_replay_bytes: usize,
    /// Longest STDIO line in bytes.
    pub max_line_bytes: usize,
    /// HTTP sessions kept at once; the one idle for longest makes room.
    pub max_sessions: usize,
    /// Seconds after which an idle HTTP session ends.
    pub session_idle_seconds: u64,
    /// HTTP connections kept at once; the one idle for longest makes room. When none is idle, newcomers wait.
    pub max_connections: usize,
    /// How long an HTTP client may take until its first byte, to send its headers, to send its body, until its next
    /// request, and to read what it is sent.
    pub read_timeout: Duration,
    /// Requests in progress at once in one session or on one STDIO connection; further ones are refused.
    pub max_requests_in_flight: usize,
    /// Seconds that a task is kept, from its beginning, unless its client asks for another time.
    pub task_ttl_seconds: u64,
    /// The longest time that a client gets.
    pub max_task_ttl_seconds: u64,
    /// Tasks kept at once; further ones are refused.
    pub max_tasks: usize,
    /// Tasks kept at once for one session or, in the modern era, on one's behalf; further ones are refused.
    pub max_tasks_per_client: usize,
    /// What the server does wrong on purpose; nothing in the honest server.
    pub faults: Vec<FaultId>,
    /// The seed of legal disturbances: late and reordered answers, cut writes, unusual but valid JSON and events.
    pub chaos: Option<u64>,
    /// How long each answer is held back.
    pub delay: Option<Delay>,
    /// A time without answers; notifications and what the server asks go on.
    pub stall: Option<Stall>,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            page_size: None,
            secret: None,
            answer_seconds: 10 * 60,
            revisions: Revision::ALL.to_vec(),
            allowed_hosts: Vec::new(),
            allowed_origins: Vec::new(),
            #[cfg(feature = "enterprise")]
            authorization: None,
            #[cfg(feature = "enterprise")]
            test_authorization_server: None,
            #[cfg(feature = "enterprise")]
            enterprise: None,
            buggy: false,
            max_body_bytes: 4 << 20,
            max_bytes_in_flight: 256 << 20,
            max_replay_bytes: 64 << 20,
            max_line_bytes: 16 << 20,
            max_sessions: 10_000,
            session_idle_seconds: 30 * 60,
            max_connections: 16_384,
            read_timeout: Duration::from_secs(30),
            max_requests_in_flight: 1024,
            task_ttl_seconds: 5 * 60,
            max_task_ttl_seconds: 60 * 60,
            max_tasks: 10_000,
            max_tasks_per_client: 1000,
            faults: Vec::new(),
            chaos: None,
            delay: None,
            stall: None,
        }
    }
}

/// A Model Context Protocol server; clones share everything.
#[derive(Clone)]
pub struct Server {
    inner: Arc<Inner>,
}

struct Inner {
    config: Config,
    faults: Option<Box<Force>>,
    pace: Option<Box<Pace>>,
    memory: Arc<Memory>,
    replay: Arc<Replay>,
    tools: ToolSet,
    happened: Happened,
    seal: Seal,
    tasks: Arc<TaskStore>,
    changes: Arc<Changes>,
    sessions: AtomicU64,
    transports: AtomicUsize,
    extra_tool: AtomicBool,
    touches: AtomicU64,
    /// The client as all sessions see it where a fault mixes them up.
    common_peer: Arc<Peer>,
}

impl Server {
    /// A server that shares nothing with any other.
    pub fn new(mut config: Config) -> Self {
        config.page_size = config.page_size.map(|size| size.max(1));
        config.revisions.sort_unstable();
        config.revisions.dedup();
        let changes = Arc::<Changes>::default();
        #[cfg(feature = "enterprise")]
        let has_profile = config.enterprise.is_some();
        #[cfg(not(feature = "enterprise"))]
        let has_profile = false;
        let tools = match (has_profile, config.buggy) {
            (true, _) => ToolSet::of([]),
            (false, true) => ToolSet::of(buggy::tools()),
            (false, false) => ToolSet::new(),
        };
        Self {
            inner: Arc::new(Inner {
                seal: config.secret.map_or_else(Seal::random, Seal::new),
                tasks: TaskStore::new(config.max_tasks, config.max_tasks_per_client, Arc::clone(&changes)),
                faults: Force::new(&config.faults),
                pace: Pace::new(&config),
                memory: Memory::new(config.max_bytes_in_flight),
                replay: Replay::new(config.max_replay_bytes),
                config,
                tools,
                happened: Happened::default(),
                changes,
                sessions: AtomicU64::new(0),
                transports: AtomicUsize::new(0),
                extra_tool: AtomicBool::new(false),
                touches: AtomicU64::new(0),
                common_peer: Arc::default(),
            }),
        }
    }

    /// The configuration in force.
    pub fn config(&self) -> &Config {
        &self.inner.config
    }

    /// What the server does wrong on purpose; `None` in the honest one.
    pub(crate) fn faults(&self) -> Option<&Force> {
        self.inner.faults.as_deref()
    }

    /// What holds answers back; `None` where nothing does.
    pub(crate) fn pace(&self) -> Option<&Pace> {
        self.inner.pace.as_deref()
    }

    /// The legal disturbances, if there are any.
    pub(crate) fn chaos(&self) -> Option<Chaos> {
        self.pace()?.chaos().copied()
    }

    /// Whether a duty is kept, which the honest server always does.
    pub(crate) fn keeps(&self, duty: Duty) -> bool {
        self.faults().is_none_or(|faults| !faults.neglects(duty))
    }

    /// What goes out where the server says something by itself: that, unless a fault changes it.
    pub(crate) fn says(&self, message: String) -> Vec<String> {
        match self.faults() {
            None => vec![message],
            Some(faults) => faults.notify(message),
        }
    }

    /// The memory held for clients.
    pub(crate) fn memory(&self) -> &Arc<Memory> {
        &self.inner.memory
    }

    /// The events kept by all sessions.
    pub(crate) fn replay(&self) -> &Arc<Replay> {
        &self.inner.replay
    }

    /// Bytes held for clients at present: of requests in progress and what waits to be read, and of events kept.
    #[doc(hidden)]
    pub fn bytes_held(&self) -> (usize, usize) {
        (self.inner.memory.used(), self.inner.replay.bytes())
    }

    /// Takes what a request needs of the memory, for as long as the share lives.
    pub(crate) async fn hold(&self, request: &Request) -> Result<Held, RpcError> {
        self.inner.memory.find(|| self.inner.memory.take_request(request.footprint)).await
    }

    /// An answer with the memory that it takes until it is written, or the refusal if there is too little; whether it
    /// is the answer.
    pub(crate) async fn answered(
        &self,
        id: Option<&Id>,
        text: String,
        revision: Revision,
    ) -> (Answered, bool) {
        if text.len() <= SMALL {
            return (Answered::short(text), true);
        }
        let take = || self.inner.memory.take_answer(text.len()).ok_or(());
        match self.inner.memory.find(take).await {
            Ok(held) => (Answered { text, held }, true),
            Err(()) => (Answered::short(error_response(id, &refusal(), revision)), false),
        }
    }

    /// A text that has arrived, to be read.
    pub(crate) fn arrived<'a>(&self, text: &'a [u8]) -> Arrived<'a> {
        match self.faults() {
            None => Arrived::Text(Cow::Borrowed(text)),
            Some(faults) => faults.arrived(text),
        }
    }

    /// What the faults in force do to a request that was let in.
    pub(crate) fn faults_on(&self, revision: Revision, request: &mut Request) -> FaultsOnRequest<'_> {
        FaultsOnRequest::on(self.faults(), revision, request)
    }

    /// The profile that is served in place of the usual tools, resources and prompts.
    #[cfg(feature = "enterprise")]
    pub(crate) fn enterprise(&self) -> Option<&Enterprise> {
        self.inner.config.enterprise.as_deref()
    }

    /// The tools that there are for somebody.
    pub(crate) fn tools(&self, principal: &Principal) -> &ToolSet {
        #[cfg(feature = "enterprise")]
        if let Some(profile) = self.enterprise() {
            return profile.tools(principal);
        }
        #[cfg(not(feature = "enterprise"))]
        let _ = principal;
        &self.inner.tools
    }

    /// The tools that somebody may call: those that are listed for them.
    pub(crate) fn callable_tools(&self, principal: &Principal) -> &ToolSet {
        #[cfg(feature = "enterprise")]
        if let Some(profile) = self.enterprise().filter(|_| !self.keeps(Duty::RoleChecked)) {
            return profile.most_tools();
        }
        self.tools(principal)
    }

    /// The tools to test with; none where a profile is served.
    pub(crate) fn common_tools(&self) -> &ToolSet {
        &self.inner.tools
    }

    /// Says that a request of somebody is refused before it is served, for the record where there is one.
    pub(crate) fn denies(&self, principal: &Principal, request: &Request) {
        #[cfg(feature = "enterprise")]
        if let Some(profile) = self.enterprise() {
            profile.denied(principal, request);
        }
        #[cfg(not(feature = "enterprise"))]
        let _ = (principal, request);
    }

    /// The same for the elements of a batch.
    pub(crate) fn denies_each(&self, principal: &Principal, elements: &[&RawValue]) {
        #[cfg(feature = "enterprise")]
        if let Some(profile) = self.enterprise() {
            profile.denied_each(principal, elements);
        }
        #[cfg(not(feature = "enterprise"))]
        let _ = (principal, elements);
    }

    /// The same for all that came at once.
    pub(crate) fn denies_all(&self, principal: &Principal, payload: &Payload<'_>) {
        match payload {
            Payload::Single(Message::Request(request)) => self.denies(principal, request),
            Payload::Single(_) => {}
            Payload::Batch(elements) => self.denies_each(principal, elements),
        }
    }

    /// What has happened in the buggy profile.
    pub(crate) fn happened(&self) -> &Happened {
        &self.inner.happened
    }

    pub(crate) fn tasks(&self) -> &Arc<TaskStore> {
        &self.inner.tasks
    }

    /// One peer for all sessions, which is a fault.
    pub(crate) fn common_peer(&self) -> Arc<Peer> {
        Arc::clone(&self.inner.common_peer)
    }

    /// A number that no other session has.
    pub(crate) fn number_session(&self) -> u64 {
        self.inner.sessions.fetch_add(1, Ordering::Relaxed)
    }

    /// Says that a transport serves from now on.
    pub(crate) fn run(&self) -> Running {
        self.inner.transports.fetch_add(1, Ordering::SeqCst);
        Running(self.clone())
    }

    pub(crate) fn seal(&self) -> &Seal {
        &self.inner.seal
    }

    /// Whether clients have to show who they are.
    pub(crate) fn is_protected(&self) -> bool {
        #[cfg(feature = "enterprise")]
        let protected = self.inner.config.authorization.is_some();
        #[cfg(not(feature = "enterprise"))]
        let protected = false;
        protected
    }

    fn has_profile(&self) -> bool {
        #[cfg(feature = "enterprise")]
        let has_profile = self.enterprise().is_some();
        #[cfg(not(feature = "enterprise"))]
        let has_profile = false;
        has_profile
    }

    /// Whether calls may become tasks.
    pub(crate) fn has_tasks(&self) -> bool {
        !self.has_profile()
    }

    /// Whether results differ with who asks.
    pub(crate) fn is_private(&self) -> bool {
        #[cfg(feature = "enterprise")]
        let kept = self.keeps(Duty::ResultsPrivate);
        #[cfg(not(feature = "enterprise"))]
        let kept = true;
        kept && (self.has_profile() || self.is_protected())
    }

    /// Whether `revision` is served.
    pub(crate) fn serves(&self, revision: Revision) -> bool {
        self.inner.config.revisions.contains(&revision)
            && (revision.is_modern() || self.keeps(Duty::LegacyServed))
    }

    /// The newest revision served that has a handshake.
    pub(crate) fn newest_legacy(&self) -> Option<Revision> {
        if !self.keeps(Duty::LegacyServed) {
            return None;
        }
        let revisions = &self.inner.config.revisions;
        revisions.iter().rev().copied().find(|revision| !revision.is_modern())
    }

    pub(crate) fn serves_legacy(&self) -> bool {
        self.newest_legacy().is_some()
    }

    pub(crate) fn serves_modern(&self) -> bool {
        self.serves(Revision::V2026_07_28)
    }

    /// The stateless revisions, as `supported` and `supportedVersions` name them.
    pub(crate) fn modern_versions(&self) -> Value {
        let revisions = self.inner.config.revisions.iter();
        revisions.filter(|r| r.is_modern()).map(|r| r.as_str()).collect()
    }

    /// The revision whose error form is used where none has been agreed.
    pub(crate) fn newest(&self) -> Revision {
        let newest = self.inner.config.revisions.last();
        newest.copied().unwrap_or(Revision::V2026_07_28)
    }

    /// Tells every listener about a change.
    pub(crate) fn announce(&self, change: &Change) {
        self.inner.changes.announce(change);
    }

    /// From now on, the changes that `wants` admits.
    pub(crate) fn changes(&self, wants: impl Fn(&Change, u64) -> bool + Send + Sync + 'static) -> Listener {
        self.inner.changes.listen(wants)
    }

    /// The number of the last change.
    pub(crate) fn last_change(&self) -> u64 {
        self.inner.changes.last()
    }

    pub(crate) fn extra_tool_listed(&self) -> bool {
        self.inner.extra_tool.load(Ordering::Relaxed)
    }

    /// Lists the extra tool if it was not listed, and the reverse; says what holds now.
    pub(crate) fn toggle_extra_tool(&self) -> bool {
        !self.inner.extra_tool.fetch_xor(true, Ordering::Relaxed)
    }

    pub(crate) fn touches(&self) -> u64 {
        self.inner.touches.load(Ordering::Relaxed)
    }

    pub(crate) fn touch(&self) -> u64 {
        self.inner.touches.fetch_add(1, Ordering::Relaxed) + 1
    }

    /// `serverInfo` with the members that `revision` knows.
    pub(crate) fn implementation(revision: Revision) -> Object {
        let mut info = Object::new();
        info.insert("name".into(), "mcprove-reference-server".into());
        info.insert("version".into(), env!("CARGO_PKG_VERSION").into());
        if revision.has_titles() {
            info.insert("title".into(), "mcprove reference server".into());
        }
        if revision >= Revision::V2025_11_25 {
            info.insert(
                "description".into(),
                "A strict, complete server to test clients and harnesses with".into(),
            );
        }
        info
    }

    /// `serverInfo` of a handshake or of `server/discover`: with `icons`, which would only weigh on other results.
    pub(crate) fn introduction(revision: Revision) -> Value {
        let mut info = Value::Object(Self::implementation(revision));
        Icon::SERVER.add_to(&mut info, revision);
        info
    }

    /// What is served, in the form of `revision`.
    pub(crate) fn capabilities(&self, revision: Revision) -> Value {
        #[cfg(feature = "enterprise")]
        if self.enterprise().is_some() {
            return Enterprise::capabilities(revision);
        }
        let mut capabilities = json!({
            "tools": {"listChanged": true},
            "resources": {"listChanged": true, "subscribe": true},
            "prompts": {"listChanged": true},
            "logging": {},
        });
        if revision >= Revision::V2025_03_26 {
            capabilities["completions"] = json!({});
        }
        if revision.is_modern() {
            capabilities["extensions"] = json!({APPS: {}, TASKS: {}, SKILLS: {"directoryRead": true}});
        }
        capabilities
    }

    /// Hints for a model, the same in every revision.
    pub(crate) fn instructions(&self) -> &'static str {
        #[cfg(feature = "enterprise")]
        if self.enterprise().is_some() {
            return Enterprise::INSTRUCTIONS;
        }
        Self::INSTRUCTIONS
    }

    const INSTRUCTIONS: &'static str = "Use the note:// resources as sample data. Lists come in pages: follow nextCursor. Tools that wait can be cancelled.";
}

/// A transport at work. With the last one the server has ended, and so have all its tasks.
pub(crate) struct Running(Server);

impl Drop for Running {
    fn drop(&mut self) {
        if self.0.inner.transports.fetch_sub(1, Ordering::SeqCst) == 1 {
            self.0.tasks().end_all();
        }
    }
}

/// Takes a lock whose holders never leave the data half changed.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::{Config, Server};
    use crate::features::tasks::{Outlet, Owner, Terms};
    use std::time::Duration;

    #[tokio::test]
    async fn tasks_end_with_the_last_transport() {
        let server = Server::new(Config::default());
        let (first, second) = (server.run(), server.run());
        let owner = Owner::Principal("anonymous".to_owned());
        let terms = Terms {
            id: "one".to_owned(),
            owner: owner.clone(),
            ttl: Duration::from_secs(60),
            tool_errors_fail: false,
            outlet: Outlet::default(),
        };
        let task = server.tasks().begin(terms, |_| std::future::pending()).unwrap();
        drop(first);
        assert!(server.tasks().find(&owner, &task.id).is_some());
        drop(second);
        assert!(server.tasks().find(&owner, &task.id).is_none());
    }
}
