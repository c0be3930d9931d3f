//! How a conversation begins: `initialize` in the legacy era, `server/discover` in the modern one.

use super::answers;
use super::conversation::{Conversation, Ticket, with_meta};
use super::link::Link;
use super::outgoing::Outgoing;
use super::reply::Reply;
use crate::protocol::{Era, Revision};
use crate::wire::header;
use serde_json::{Value, json};

/// What the server said of itself.
#[derive(Debug, Clone)]
pub struct Handshake {
    /// The result of `initialize` or `server/discover`.
    pub result: Value,
}

impl Handshake {
    /// The `capabilities` member, or null.
    pub fn capabilities(&self) -> &Value {
        &self.result["capabilities"]
    }

    /// Whether a capability is declared, by path: `resources/subscribe`.
    pub fn declares(&self, path: &str) -> bool {
        let value = self.capabilities().pointer(&format!("/{path}"));
        value.is_some_and(|value| !value.is_null() && value != &Value::Bool(false))
    }

    /// Name and version of the server.
    pub fn server_info(&self) -> Option<(String, String)> {
        let info = self
            .result
            .get("serverInfo")
            .or_else(|| self.result.pointer("/_meta/io.modelcontextprotocol~1serverInfo"))?;
        let member = |name: &str| Some(info.get(name)?.as_str()?.to_owned());
        Some((member("name")?, member("version").unwrap_or_default()))
    }

    /// The version that `initialize` agreed on.
    pub fn protocol_version(&self) -> Option<&str> {
        self.result.get("protocolVersion").and_then(Value::as_str)
    }

    /// The versions that `server/discover` names.
    pub fn supported_versions(&self) -> Vec<String> {
        let list = self.result.get("supportedVersions").and_then(Value::as_array);
        list.into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect()
    }
}

/// Why a conversation did not begin.
#[derive(Debug, Clone)]
pub enum HandshakeFailure {
    /// The server offered another version.
    OtherVersion(String),
    /// The answer was no usable result.
    Refused(Reply),
}

impl Conversation {
    /// Opens the conversation in a revision: `initialize` and `notifications/initialized`, or `server/discover`. A
    /// legacy session over Streamable HTTP also opens the stream on which the server may speak by itself.
    pub async fn begin(&mut self, revision: Revision) -> Result<(), HandshakeFailure> {
        match revision.era() {
            Era::Legacy => {
                let reply = self.initialize(revision.as_str()).await;
                self.agree(&reply)?;
                if self.revision != Some(revision) {
                    let offered = self.handshake.as_ref().and_then(Handshake::protocol_version);
                    return Err(HandshakeFailure::OtherVersion(offered.unwrap_or_default().to_owned()));
                }
                self.initialized().await;
                self.listen();
                Ok(())
            }
            Era::Modern => {
                let reply = self.discover(revision.as_str()).await;
                let versions = reply.result().map(|result| Handshake { result: result.clone() });
                let Some(handshake) = versions else { return Err(HandshakeFailure::Refused(reply)) };
                let versions = handshake.supported_versions();
                let speaks = versions.iter().any(|version| version == revision.as_str());
                // A result in the modern form that names no version at all was accepted under this one.
                let accepted = versions.is_empty() && handshake.result.get("resultType").is_some();
                self.handshake = Some(handshake);
                if !speaks && !accepted {
                    return Err(HandshakeFailure::OtherVersion(versions.join(", ")));
                }
                self.speak_modern(revision);
                Ok(())
            }
        }
    }

    /// Sends `initialize` for a version and returns its answer; `notifications/initialized` is not sent yet.
    pub async fn initialize(&mut self, version: &str) -> Reply {
        let declared = version.parse().unwrap_or(Revision::V2025_11_25);
        let params = json!({
            "protocolVersion": version,
            "capabilities": answers::capabilities(declared),
            "clientInfo": answers::client_info(),
        });
        let id = self.fresh_id();
        self.era = Some(Era::Legacy);
        let reply = self.exchange(Outgoing::request(&id, "initialize", Some(params))).await;
        self.take_session(&reply);
        reply
    }

    /// Speaks 2026-07-28 from the first request on, without asking the server what it speaks.
    pub fn speak_modern(&mut self, revision: Revision) {
        self.era = Some(Era::Modern);
        self.revision = Some(revision);
    }

    /// Sends an `initialize` of the caller's own making and returns its answer; what was agreed on is for
    /// [`Self::agree`] to take over.
    pub async fn opening_in_legacy(&mut self, outgoing: Outgoing) -> (Ticket, Reply) {
        self.era = Some(Era::Legacy);
        let ticket = self.send(outgoing).await;
        let reply = self.reply(&ticket).await;
        self.take_session(&reply);
        (ticket, reply)
    }

    /// Takes over what `initialize` agreed on, without telling the server.
    pub fn agree(&mut self, reply: &Reply) -> Result<(), HandshakeFailure> {
        let Some(result) = reply.result() else { return Err(HandshakeFailure::Refused(reply.clone())) };
        let handshake = Handshake { result: result.clone() };
        let offered = handshake.protocol_version().unwrap_or_default().to_owned();
        self.handshake = Some(handshake);
        match offered.parse::<Revision>() {
            Ok(revision) if revision.era() == Era::Legacy => {
                self.revision = Some(revision);
                if let Link::Http(link) = &mut self.link {
                    link.version = Some(revision);
                }
                Ok(())
            }
            _ => Err(HandshakeFailure::OtherVersion(offered)),
        }
    }

    /// Sends `notifications/initialized`.
    pub async fn initialized(&mut self) {
        let ticket = self.notify("notifications/initialized", json!({})).await;
        if self.transport.is_http() {
            // A client that asks on before this was taken in would be served at the server's whim.
            self.reply(&ticket).await;
        }
    }

    /// Sends `server/discover` for a version and returns its answer.
    pub async fn discover(&mut self, version: &str) -> Reply {
        let id = self.fresh_id();
        let before = self.era.replace(Era::Modern);
        let params = with_meta(json!({}), version);
        let reply = self.exchange(Outgoing::request(&id, "server/discover", Some(params))).await;
        self.era = before;
        reply
    }

    fn take_session(&mut self, reply: &Reply) {
        let session = reply
            .http()
            .filter(|_| reply.result().is_some())
            .and_then(|head| header(&head.headers, "mcp-session-id"))
            .map(str::to_owned);
        if let (Link::Http(link), Some(session)) = (&mut self.link, session) {
            link.session = Some(session);
        }
    }
}
