//! The handshake: `initialize`, version negotiation, and what is refused before it.

use crate::faults::Duty;
use crate::features::{ClientCapabilities, tasks};
use crate::legacy::Session;
use crate::message::{Object, RpcError, optional_object, string};
use crate::revision::Revision;
use crate::server::Server;

/// `initialize`: agrees on the revision asked for if it is served, else offers the newest that has a handshake.
pub(crate) fn initialize(session: &Session, params: &Object) -> Result<Object, RpcError> {
    if session.revision().is_some() && session.server.keeps(Duty::InitializeOnce) {
        return Err(RpcError::invalid_request("Invalid request: the session is already initialized"));
    }
    let missing = |name: &str| RpcError::invalid_params(format!("Invalid params: {name} is missing"));
    let requested = string(params, "protocolVersion")?;
    let capabilities = optional_object(params, "capabilities")?.ok_or_else(|| missing("capabilities"))?;
    for name in ["roots", "sampling", "elicitation", "tasks", "experimental", "extensions"] {
        optional_object(capabilities, name)?;
    }
    let client = optional_object(params, "clientInfo")?.ok_or_else(|| missing("clientInfo"))?;
    string(client, "name")?;
    string(client, "version")?;
    let served = Revision::parse(requested).filter(|r| !r.is_modern() && session.server.serves(*r));
    let revision = served
        .or_else(|| session.server.newest_legacy())
        .ok_or_else(|| RpcError::method_not_found("initialize"))?;
    if revision >= Revision::V2025_11_25 {
        for (name, modes) in [("sampling", ["context", "tools"]), ("elicitation", ["form", "url"])] {
            if let Some(capability) = optional_object(capabilities, name)? {
                modes.iter().try_for_each(|mode| optional_object(capability, mode).map(drop))?;
            }
        }
    }
    let negotiated = session.negotiate(revision, ClientCapabilities::read(capabilities));
    if !negotiated && session.server.keeps(Duty::InitializeOnce) {
        return Err(RpcError::invalid_request("Invalid request: the session is already initialized"));
    }
    let mut result = Object::new();
    result.insert("protocolVersion".into(), revision.as_str().into());
    let mut capabilities = session.server.capabilities(revision);
    if revision.has_tasks() && session.server.has_tasks() {
        capabilities["tasks"] = tasks::legacy::capability(session);
    }
    result.insert("capabilities".into(), capabilities);
    result.insert("serverInfo".into(), Server::introduction(revision));
    result.insert("instructions".into(), session.server.instructions().into());
    Ok(result)
}

/// The revision agreed on, or the refusal of a request that comes too early.
pub(crate) fn require_initialized(session: &Session) -> Result<Revision, RpcError> {
    session.revision().ok_or_else(|| RpcError::invalid_request("Invalid request: initialize comes first"))
}
