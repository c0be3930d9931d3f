//! What a probe is, what it is given, and the list of all of them.

use crate::client::{Binding, Conversation, Finished, OpenError, Opened, Opener, Outgoing, Reply, Ticket};
use crate::monitors::{Breach, Judge};
use crate::protocol::{Era, Id, Revision, Transport};
use crate::wire::Taint;
use serde_json::Value;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use tokio::sync::watch;

use super::credentials::Credentials;
use super::offer::Offer;
use super::property::Properties;
use super::safety::Safety;

/// An active check: it sends something on purpose and judges the answer.
pub struct Probe {
    /// A sentence: what holds where the probe finds nothing.
    pub name: &'static str,
    /// What is sent, what passes, what fails, and why a user should care; `explain` prints it.
    pub explain: &'static str,
    /// The requirements that it can decide.
    pub decides: &'static [&'static str],
    /// The era that it belongs to; `None` for both.
    pub era: Option<Era>,
    /// The transports that it runs over.
    pub over: Over,
    /// Where in a check it runs.
    pub place: Place,
    /// The code.
    pub run: Run,
}

/// The transports that a probe runs over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Over {
    /// All.
    Any,
    /// STDIO only.
    Stdio,
    /// Streamable HTTP only.
    Http,
    /// HTTP+SSE only.
    HttpSse,
    /// Both HTTP transports.
    AnyHttp,
}

impl Over {
    /// Whether a transport is among them.
    pub fn includes(self, transport: Transport) -> bool {
        match self {
            Self::Any => true,
            Self::Stdio => transport == Transport::Stdio,
            Self::Http => transport == Transport::Http,
            Self::HttpSse => transport == Transport::HttpSse,
            Self::AnyHttp => transport.is_http(),
        }
    }
}

/// Where in a check a probe runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Place {
    /// In the unit's main conversation, while that obeys the protocol.
    Clean,
    /// In the unit's main conversation, after everything clean: it breaks the protocol, and is followed by a canary.
    Breaking,
    /// In conversations of its own, once for each revision, after the main one.
    Alone,
    /// In conversations of its own, once for the era and from the start, beside the main conversations: what it does
    /// comes before any revision is agreed on.
    AloneForEra,
}

/// The code of a probe.
pub enum Run {
    /// In the main conversation.
    Within(for<'a, 'b> fn(&'a mut Stage<'b>) -> Pin<Box<dyn Future<Output = ()> + Send + 'a>>),
    /// In conversations that it opens.
    Alone(for<'a, 'b> fn(&'a mut Solo<'b>) -> Pin<Box<dyn Future<Output = ()> + Send + 'a>>),
}

/// What a probe in the main conversation is given.
pub struct Stage<'a> {
    /// The probe's own name.
    pub name: &'static str,
    /// The conversation.
    pub talk: &'a mut Conversation,
    /// Where to say what was seen.
    pub judge: &'a mut Judge,
    /// What the server offers, as far as earlier probes have found out.
    pub offer: &'a mut Offer,
    /// What may be called, and the seed.
    pub settings: &'a Settings,
    /// The revision spoken.
    pub revision: Revision,
}

/// What a probe with conversations of its own is given.
pub struct Solo<'a> {
    /// The probe's own name.
    pub name: &'static str,
    /// Opens conversations.
    pub opener: &'a Opener,
    /// Where to say what was seen.
    pub judge: &'a mut Judge,
    /// What may be called, and the seed.
    pub settings: &'a Settings,
    /// The revision of the unit; for [`Place::AloneForEra`] one of the era that the server speaks.
    pub revision: Revision,
    /// Whether the server speaks both eras.
    pub dual_era: bool,
    /// What the main conversations found out, once they are over; see [`Solo::known`].
    pub known: watch::Receiver<Option<Arc<Known>>>,
    /// Conversations that are over; they go to the monitors.
    pub finished: &'a Finished,
}

/// What the main conversations found out.
#[derive(Debug, Clone, Default)]
pub struct Known {
    /// The revisions of the era that the server speaks, oldest first.
    pub spoken: Vec<Revision>,
    /// What the server offers: in the revision of the unit, or the newest one of the era.
    pub offer: Offer,
}

/// What holds for all probes of a run.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Which tools may be called.
    pub safety: Safety,
    /// The seed of every random choice.
    pub seed: u64,
    /// Tokens beside the one that every request carries.
    pub credentials: Credentials,
    /// How many cases properties are tried with, and how many were.
    pub properties: Arc<Properties>,
    /// Where the same server is reached over another transport; the engine sets it.
    pub elsewhere: Option<Binding>,
}

impl Stage<'_> {
    /// The era of the conversation.
    pub fn era(&self) -> Era {
        self.revision.era()
    }

    /// The transport of the conversation.
    pub fn transport(&self) -> Transport {
        self.talk.transport()
    }

    /// Sends something that breaks the protocol in itself (its answer is not clean traffic), and waits for the answer.
    /// One is due to whatever is a request by JSON-RPC, however wrong its parameters are.
    pub async fn breaking(&mut self, outgoing: Outgoing) -> (Ticket, Reply) {
        let due = outgoing.sound_method().map(ToOwned::to_owned);
        let (ticket, reply) = self.breaking_for_long(outgoing).await;
        if let (Some(method), Reply::Silence(_)) = (due, &reply) {
            // One that answers nothing any more is told as that.
            if self.talk.canary().await.result().is_some() {
                self.judge_silence(&method, &ticket, &reply);
            }
        }
        (ticket, reply)
    }

    /// A sound request got no answer with its id: perhaps one without.
    fn judge_silence(&mut self, method: &str, ticket: &Ticket, reply: &Reply) {
        let heard = self.talk.heard_since(ticket.since);
        let nameless = heard
            .iter()
            .find(|heard| heard.message.error().is_some() && heard.message.id().is_none_or(Id::is_null));
        let Some(error) = nameless else {
            let message = format!("`{method}`, a well-formed request, was not answered");
            let seen = breach("no-answer-to-wrong", message, ticket, reply).expected(&["an error"]);
            return self.judge.broke("base.response.always-sent", seen);
        };
        // What the server took for no request at all has no id that it could repeat.
        if !matches!(error.message.error_code(), Some(-32700 | -32600)) {
            let message = format!("the error for `{method}` does not carry its id");
            let seen = Breach::new("no-id", message).at(&error.record).sent_on(ticket.channel);
            let seen = seen.expected(&["the id of the request"]).actual("an error without an id");
            self.judge.broke("base.error.same-id", seen);
        }
    }

    /// The same for what a server may take its time over.
    pub async fn breaking_for_long(&mut self, outgoing: Outgoing) -> (Ticket, Reply) {
        let ticket = self.talk.send(outgoing.deliberate(self.name, Taint::Message)).await;
        let reply = self.talk.reply(&ticket).await;
        (ticket, reply)
    }

    /// Sends something valid and waits for the answer.
    pub async fn valid(&mut self, outgoing: Outgoing) -> (Ticket, Reply) {
        let ticket = self.talk.send(outgoing).await;
        let reply = self.talk.reply(&ticket).await;
        (ticket, reply)
    }

    /// A valid request, and its answer.
    pub async fn request(&mut self, method: &str, params: Value) -> (Ticket, Reply) {
        let outgoing = self.talk.compose(method, params);
        self.valid(outgoing).await
    }
}

impl Solo<'_> {
    /// What the main conversations found out. For [`Place::AloneForEra`] this waits until they are over, so a probe
    /// asks for it as late as it can.
    pub async fn known(&mut self) -> Arc<Known> {
        match self.known.wait_for(Option::is_some).await {
            Ok(known) => known.clone().unwrap_or_default(),
            // The run ends early: nothing was found out.
            Err(_) => Arc::default(),
        }
    }

    /// Opens a conversation.
    pub async fn open(&mut self, revision: Option<Revision>) -> Result<Opened, OpenError> {
        let opened = self.opener.open(self.name, revision).await?;
        self.judge.about(opened.talk.recorder());
        Ok(opened)
    }

    /// Opens a conversation and begins it in a revision; says why it is undecided where that fails.
    pub async fn begin(&mut self, revision: Revision, ids: &[&'static str]) -> Option<Opened> {
        match self.open(Some(revision)).await {
            Ok(mut opened) => {
                if opened.talk.begin(revision).await.is_ok() {
                    return Some(opened);
                }
                self.close(opened).await;
            }
            Err(OpenError::Start(_) | OpenError::Http(_) | OpenError::NoEndpoint { .. }) => {}
        }
        for id in ids {
            self.judge.undecided(id, "no-conversation", "a further conversation could not be opened");
        }
        None
    }

    /// Begins a conversation with the same server over another transport; `None` where that fails.
    pub async fn begin_over(&mut self, binding: &Binding, revision: Revision) -> Option<Opened> {
        let mut opened = self.opener.over(binding.clone()).open(self.name, Some(revision)).await.ok()?;
        if opened.talk.begin(revision).await.is_err() {
            opened.close().await;
            return None;
        }
        Some(opened)
    }

    /// Ends a conversation and hands it to the monitors.
    pub async fn close(&mut self, opened: Opened) {
        let closed = opened.close().await;
        self.finished.push(closed.recorder);
    }
}

/// Where something is about a reply: the breach, with what was sent and what came.
pub fn breach(class: &str, message: impl Into<String>, ticket: &Ticket, reply: &Reply) -> Breach {
    Breach::new(class, message).reply(reply).sent(ticket.since).sent_on(ticket.channel)
}

/// Lists the probes of an area; the comment above each one is what `explain` prints.
macro_rules! probes {
    ($( $(#[doc = $doc:expr])* $name:ident ($place:ident, $era:ident, $over:ident) decides [$($id:literal),+ $(,)?] ; )*) => {
        pub(super) static PROBES: &[$crate::probes::Probe] = &[$(
            $crate::probes::Probe {
                name: stringify!($name),
                explain: concat!($($doc, "\n"),*),
                decides: &[$($id),+],
                era: probes!(@era $era),
                over: $crate::probes::Over::$over,
                place: $crate::probes::Place::$place,
                run: probes!(@run $place $name),
            }
        ),*];
    };
    (@era Both) => { None };
    (@era $era:ident) => { Some($crate::protocol::Era::$era) };
    (@run Clean $name:ident) => { $crate::probes::Run::Within(|stage| Box::pin($name(stage))) };
    (@run Breaking $name:ident) => { $crate::probes::Run::Within(|stage| Box::pin($name(stage))) };
    (@run Alone $name:ident) => { $crate::probes::Run::Alone(|solo| Box::pin($name(solo))) };
    (@run AloneForEra $name:ident) => { $crate::probes::Run::Alone(|solo| Box::pin($name(solo))) };
}
pub(super) use probes;

/// All probes, by area. Within a place they run in this order.
pub fn all() -> impl Iterator<Item = &'static Probe> {
    [
        // What the others stand on comes first.
        super::tour::PROBES,
        // Whose question it is shows only where nothing else is open.
        super::tasks::PROBES,
        // What was cancelled in the clean part has been silent for a while by now.
        super::canary::PROBES,
        super::cancellation::PROBES,
        super::auth::PROBES,
        super::auth_metadata::PROBES,
        super::auth_scope::PROBES,
        super::auth_server::PROBES,
        super::auth_tokens::PROBES,
        super::base::PROBES,
        super::base_batch::PROBES,
        super::base_errors::PROBES,
        super::base_stateless::PROBES,
        super::compat::PROBES,
        super::completion::PROBES,
        super::elicitation::PROBES,
        super::extension_apps::PROBES,
        super::extension_tasks::PROBES,
        super::extension_tasks_refused::PROBES,
        super::handles::PROBES,
        super::hidden::PROBES,
        super::subscriptions_apart::PROBES,
        super::http::PROBES,
        super::http_headers::PROBES,
        super::http_names::PROBES,
        super::http_legacy_sse::PROBES,
        super::http_origin::PROBES,
        super::http_params::PROBES,
        super::http_session::PROBES,
        super::http_streams::PROBES,
        super::http_get_streams::PROBES,
        super::json_schema::PROBES,
        super::logging::PROBES,
        super::masked::PROBES,
        super::meta::PROBES,
        super::modern::PROBES,
        super::mrtr::PROBES,
        super::mrtr_principals::PROBES,
        super::pagination::PROBES,
        super::ping::PROBES,
        super::principals::PROBES,
        super::progress::PROBES,
        super::prompts::PROBES,
        super::property::PROBES,
        super::property_agreement::PROBES,
        super::resources::PROBES,
        super::robustness::PROBES,
        super::round::PROBES,
        super::roots::PROBES,
        super::sampling::PROBES,
        super::silence::PROBES,
        super::stdio::PROBES,
        super::subscriptions::PROBES,
        super::tasks_apart::PROBES,
        super::tasks_refused::PROBES,
        super::tools::PROBES,
        super::traversal::PROBES,
        super::variety::PROBES,
        super::versioning::PROBES,
        // A second `initialize` may leave the conversation in any state.
        super::lifecycle::PROBES,
    ]
    .into_iter()
    .flatten()
}

/// The probes that can decide a requirement.
pub fn deciding(requirement: &str) -> impl Iterator<Item = &'static Probe> {
    all().filter(move |probe| probe.decides.contains(&requirement))
}

impl Probe {
    /// Whether it runs in a unit.
    pub fn runs(&self, revision: Revision, transport: Transport) -> bool {
        self.era.is_none_or(|era| era == revision.era()) && self.over.includes(transport)
    }
}
