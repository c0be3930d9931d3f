//! Which request of the profile is which handler, and what goes into the audit log.

use crate::context::{Caller, RequestContext};
use crate::enterprise::audit::Entry;
use crate::enterprise::desk::Desk;
use crate::enterprise::{completion, prompts, resources};
use crate::features::{self, ListKind, page_of};
use serde_json::Value;

use crate::message::{Object, RpcError, string};

/// A result, and the milliseconds for which its client may keep it; none where it may not be kept at all.
type Served = Result<(Object, Option<u64>), RpcError>;

/// How long a list is good for in milliseconds: what is in it is a matter of the role, which lasts. Records are good for
/// the moment.
const LIST_TTL: u64 = 60_000;
const RECORDS_TTL: u64 = 0;

/// Whether the profile answers a method in its own way.
pub(crate) fn is_served(method: &str) -> bool {
    let features = ["tools/", "resources/", "prompts/", "completion/", "tasks/", "skills/"];
    features.into_iter().any(|feature| method.starts_with(feature))
}

/// Answers a request for what the profile offers; none for those that are the same in all servers.
pub(crate) async fn answer(context: &RequestContext) -> Option<Served> {
    let method = context.request.method.as_str();
    if !is_served(method) {
        return None;
    }
    Some(serve(&Desk::of(context), method).await)
}

async fn serve(desk: &Desk<'_>, method: &str) -> Served {
    let context = desk.context;
    let audited = matches!(method, "tools/call" | "resources/read" | "prompts/get");
    let entry = if audited { Entry::begin(desk.profile, context)? } else { None };
    let (result, ttl) = match (method, &context.caller) {
        ("tools/list", _) => (list_tools(desk), Some(LIST_TTL)),
        ("tools/call", _) => (features::call_tool(context).await, None),
        ("resources/list", _) => (resources::list(desk), Some(RECORDS_TTL)),
        ("resources/templates/list", _) => (resources::list_templates(desk), Some(LIST_TTL)),
        ("resources/read", _) => (resources::read(desk), Some(RECORDS_TTL)),
        ("resources/subscribe", Caller::Session(session)) => (resources::subscribe(desk, session), None),
        ("resources/unsubscribe", Caller::Session(session)) => {
            (features::unsubscribe(session, &context.request.params), None)
        }
        ("prompts/list", _) => (prompts::list(desk), Some(LIST_TTL)),
        ("prompts/get", _) => (get_prompt(desk).await, None),
        ("completion/complete", _) => (completion::complete(desk), None),
        (unknown, _) => (Err(RpcError::method_not_found(unknown)), None),
    };
    if let Some(entry) = entry {
        entry.end(&result)?;
    }
    result.map(|result| (result, ttl))
}

fn list_tools(desk: &Desk<'_>) -> Result<Object, RpcError> {
    let (context, definitions) = (desk.context, desk.role.tools.definitions(desk.context.revision));
    let owner = context.principal().key();
    page_of(&context.server, &owner, ListKind::Tools, &context.request.params, definitions, Value::clone)
}

async fn get_prompt(desk: &Desk<'_>) -> Result<Object, RpcError> {
    let name = string(&desk.context.request.params, "name")?;
    features::fill_prompt(desk.context, prompts::find(desk, name)).await
}
