//! What every stateless request says about itself in `params._meta`.

use serde_json::{Value, json};

use crate::auth::{Principal, Term};
use crate::features::{ClientCapabilities, Level};
use crate::message::{Object, RpcError, UNSUPPORTED_PROTOCOL_VERSION, is_progress_token};
use crate::revision::Revision;
use crate::server::Server;

const PROTOCOL_VERSION: &str = "io.modelcontextprotocol/protocolVersion";
const CLIENT_CAPABILITIES: &str = "io.modelcontextprotocol/clientCapabilities";
const CLIENT_INFO: &str = "io.modelcontextprotocol/clientInfo";
const LOG_LEVEL: &str = "io.modelcontextprotocol/logLevel";

/// The metadata of one request, checked.
#[derive(Default)]
pub(crate) struct RequestMeta {
    /// The lowest level of log messages that the request asks for; without it there are none.
    pub log_level: Option<Level>,
    pub client: ClientCapabilities,
    /// On whose behalf it is made; the transport knows.
    pub principal: Principal,
    /// How long that is so; the transport knows.
    pub term: Term,
}

/// Whether `_meta` has a member that only stateless messages have, of whatever type.
pub(crate) fn is_stateless(params: &Object) -> bool {
    let keys = [PROTOCOL_VERSION, CLIENT_CAPABILITIES, CLIENT_INFO];
    params.get("_meta").is_some_and(|meta| keys.iter().any(|key| meta.get(key).is_some()))
}

/// The version that `_meta` names, if it is there.
pub(crate) fn named_version(params: &Object) -> Option<&str> {
    params.get("_meta")?.get(PROTOCOL_VERSION)?.as_str()
}

/// Reads the version and checks that the required members are there; the version may still be unserved.
pub(crate) fn required(params: &Object) -> Result<&str, RpcError> {
    let refuse = |what: &str| RpcError::invalid_params(format!("Invalid params: {what}")).with_status(400);
    let meta = params.get("_meta").and_then(Value::as_object);
    let meta = meta.ok_or_else(|| refuse("_meta must be an object"))?;
    let version = meta.get(PROTOCOL_VERSION).and_then(Value::as_str);
    let version = version.ok_or_else(|| refuse("_meta needs protocolVersion, a string"))?;
    if !meta.get(CLIENT_CAPABILITIES).is_some_and(Value::is_object) {
        return Err(refuse("_meta needs clientCapabilities, an object"));
    }
    Ok(version)
}

/// Refuses a version that is not served in this era.
pub(crate) fn check_version(server: &Server, version: &str) -> Result<Revision, RpcError> {
    Revision::parse(version)
        .filter(|revision| revision.is_modern() && server.serves(*revision))
        .ok_or_else(|| unsupported_version(server, version))
}

/// The error that names the versions served instead.
pub(crate) fn unsupported_version(server: &Server, requested: &str) -> RpcError {
    RpcError::new(UNSUPPORTED_PROTOCOL_VERSION, "Unsupported protocol version")
        .with_data(json!({"supported": server.modern_versions(), "requested": requested}))
}

/// Whether something introduces itself as the schema says: by two strings, `name` and `version`.
fn is_implementation(value: &Value) -> bool {
    ["name", "version"].iter().all(|member| value.get(member).is_some_and(Value::is_string))
}

/// Reads the optional members.
pub(crate) fn read(params: &Object) -> Result<RequestMeta, RpcError> {
    let member = |name: &str| params.get("_meta").and_then(|meta| meta.get(name));
    let log_level = match member(LOG_LEVEL) {
        None => None,
        Some(Value::String(name)) => Some(Level::parse(name)?),
        Some(_) => {
            return Err(RpcError::invalid_params("Invalid params: logLevel must be a string"));
        }
    };
    for (name, is_right) in
        [("inputResponses", Value::is_object as fn(&Value) -> bool), ("requestState", Value::is_string)]
    {
        if params.get(name).is_some_and(|value| !is_right(value)) {
            return Err(RpcError::invalid_params(format!("Invalid params: {name} is of the wrong type")));
        }
    }
    if member("progressToken").is_some_and(|token| !is_progress_token(token)) {
        return Err(RpcError::invalid_params("Invalid params: progressToken must be a string or an integer"));
    }
    if member(CLIENT_INFO).is_some_and(|info| !is_implementation(info)) {
        return Err(RpcError::invalid_params("Invalid params: clientInfo needs a name and a version"));
    }
    let client = member(CLIENT_CAPABILITIES).and_then(Value::as_object);
    client.map_or(Ok(()), |client| ClientCapabilities::check(client, Revision::V2026_07_28))?;
    let client = client.map(ClientCapabilities::read).unwrap_or_default();
    Ok(RequestMeta { log_level, client, ..RequestMeta::default() })
}
