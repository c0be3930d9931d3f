//! `server/discover`: what a client may learn before anything else.

use serde_json::json;

use crate::message::Object;
use crate::modern::dispatch::SERVER_INFO;
use crate::revision::Revision;
use crate::server::Server;

pub(crate) fn discover(server: &Server, revision: Revision) -> Object {
    let mut result = Object::new();
    result.insert("supportedVersions".into(), server.modern_versions());
    result.insert("capabilities".into(), server.capabilities(revision));
    result.insert("instructions".into(), server.instructions().into());
    result.insert("_meta".into(), json!({SERVER_INFO: Server::introduction(revision)}));
    result
}
