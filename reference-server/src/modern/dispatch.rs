//! One stateless request in, one answer out: checks, handlers, and what every result carries.

use serde_json::{Value, json};

use crate::context::{Answer, Caller, RequestContext, Sink};
#[cfg(feature = "enterprise")]
use crate::enterprise;
use crate::faults::FaultsOnRequest;
use crate::features;
use crate::features::tasks::extension;
use crate::memory::Answered;
use crate::message::{Notification, Object, Reply, Request, RpcError, error_response, result_response};
use crate::modern::discover;
use crate::modern::headers::{self, MirrorHeaders};
use crate::modern::meta::{self, RequestMeta};
use crate::modern::subscriptions::{self, Closing};
use crate::pace::pause;
use crate::revision::Revision;
use crate::server::Server;

/// Milliseconds that a client may keep a list, a resource, and what `server/discover` says.
const LIST_TTL: u64 = 60_000;
const READ_TTL: u64 = 1_000;
const DISCOVER_TTL: u64 = 600_000;

/// The member of `_meta` in which the server says who it is.
pub(crate) const SERVER_INFO: &str = "io.modelcontextprotocol/serverInfo";

/// How a request was answered: the HTTP status that fits and the response.
pub(crate) struct ModernAnswer {
    pub http_status: u16,
    pub answered: Answered,
}

/// Checks everything that must hold before a handler runs; STDIO has no headers to check.
pub(crate) fn admit<H: MirrorHeaders>(
    server: &Server,
    headers: Option<&H>,
    request: &Request,
) -> Result<(Revision, RequestMeta), RpcError> {
    let checked = check(server, headers, request);
    match (&checked, server.faults()) {
        (Err(error), Some(faults)) if faults.forgives(request, error) => {
            Ok((Revision::V2026_07_28, RequestMeta::default()))
        }
        _ => checked,
    }
}

fn check<H: MirrorHeaders>(
    server: &Server,
    headers: Option<&H>,
    request: &Request,
) -> Result<(Revision, RequestMeta), RpcError> {
    let params = &request.params;
    if request.method == "initialize" && !meta::is_stateless(params) && !server.serves_legacy() {
        let requested = params.get("protocolVersion").and_then(Value::as_str).unwrap_or_default();
        return Err(meta::unsupported_version(server, requested));
    }
    if let Some(headers) = headers {
        // A missing header is told before anything about the body.
        headers::version(headers)?;
    }
    let version = meta::required(params)?;
    if let Some(headers) = headers {
        headers::check_version(headers, version)?;
    }
    let revision = meta::check_version(server, version)?;
    if let Some(headers) = headers {
        headers::check(server, headers, request)?;
    }
    Ok((revision, meta::read(params)?))
}

/// Checks a notification on HTTP, where the version header decides.
pub(crate) fn admit_notification(
    server: &Server,
    headers: &impl MirrorHeaders,
    notification: &Notification,
) -> Result<(), RpcError> {
    let version = headers::version(headers)?;
    if let Some(named) = meta::named_version(&notification.params) {
        headers::check_version(headers, named)?;
    }
    meta::check_version(server, version).map(|_| ())
}

/// Whether a method may send notifications or take time.
pub(crate) fn may_stream(method: &str) -> bool {
    matches!(method, "tools/call" | "subscriptions/listen")
}

/// Serves a request that was admitted. Dropping the future cancels the request.
pub(crate) async fn answer(
    server: Server,
    (revision, meta): (Revision, RequestMeta),
    mut request: Request,
    sink: Sink,
    closing: Closing,
) -> ModernAnswer {
    let faults = server.faults_on(revision, &mut request);
    let held = match server.hold(&request).await {
        Ok(held) => held,
        Err(error) => {
            server.denies(&meta.principal, &request);
            return response(&server, &request, Err(error)).await;
        }
    };
    let caller = Caller::Stateless(meta);
    let context = RequestContext::new(server.clone(), revision, request, caller, sink, held);
    let answer = match faults.instead().await {
        Some(instead) => instead,
        None => faults.beside_others(dispatch(&context, closing)).await,
    };
    let response = response(&server, &context.request, answer).await;
    drop(faults);
    drop(context);
    pause(&server, &response.answered.text).await;
    response
}

/// The response of a request, and its status.
async fn response(server: &Server, request: &Request, answer: Answer) -> ModernAnswer {
    let (http_status, text) = worded(server, request, answer);
    match server.answered(Some(&request.id), text, Revision::V2026_07_28).await {
        (answered, true) => ModernAnswer { http_status, answered },
        (refused, false) => ModernAnswer { http_status: 503, answered: refused },
    }
}

/// The response of a request that is not let in, however long its id is.
pub(crate) fn refused(server: &Server, request: &Request, error: RpcError) -> ModernAnswer {
    let (http_status, text) = worded(server, request, Err(error));
    let held = server.memory().take_answer(text.len()).unwrap_or_default();
    ModernAnswer { http_status, answered: Answered { text, held } }
}

/// The text of a response, and its status.
fn worded(server: &Server, request: &Request, answer: Answer) -> (u16, String) {
    let faults = FaultsOnRequest::new(server.faults(), Revision::V2026_07_28, request);
    let (http_status, text) = match faults.altered(answer) {
        Ok(reply) => (200, result_response(&request.id, &reply)),
        Err(error) => (error.http_status, error_response(Some(&request.id), &error, Revision::V2026_07_28)),
    };
    (http_status, faults.worded(text))
}

async fn dispatch(context: &RequestContext, closing: Closing) -> Answer {
    let (server, revision, params) = (&context.server, context.revision, &context.request.params);
    #[cfg(feature = "enterprise")]
    if server.enterprise().is_some()
        && let Some(served) = enterprise::answer(context).await
    {
        let (result, ttl) = served?;
        return Ok(Reply::Object(complete(server, result, revision, ttl)));
    }
    let (result, ttl) = match context.request.method.as_str() {
        "server/discover" => (discover::discover(server, revision), Some(DISCOVER_TTL)),
        "tools/list" => (features::list_tools(server, revision, params)?, Some(LIST_TTL)),
        "tools/call" => (features::call_tool(context).await?, None),
        "resources/list" => (features::list_resources(server, revision, params)?, Some(LIST_TTL)),
        "resources/templates/list" => (features::list_templates(server, revision, params)?, Some(LIST_TTL)),
        "resources/read" => (features::read_resource(server, revision, params)?, Some(READ_TTL)),
        "resources/directory/read" => (features::read_directory(params)?, Some(READ_TTL)),
        "skills/list" => (features::list_skills(server, params)?, Some(LIST_TTL)),
        "skills/get" => (features::get_skill(params)?, Some(LIST_TTL)),
        "prompts/list" => (features::list_prompts(server, revision, params)?, Some(LIST_TTL)),
        "prompts/get" => (features::get_prompt(context).await?, None),
        "completion/complete" => (features::complete(params)?, None),
        "tasks/get" => (extension::get(context)?, None),
        "tasks/update" => (extension::update(context)?, None),
        "tasks/cancel" => (extension::cancel(context)?, None),
        "subscriptions/listen" => return subscriptions::listen(context, closing).await,
        unknown => return Err(RpcError::method_not_found(unknown)),
    };
    Ok(Reply::Object(complete(server, result, revision, ttl)))
}

/// Adds what every result carries; `ttl` is for complete ones only.
fn complete(server: &Server, mut result: Object, revision: Revision, ttl: Option<u64>) -> Object {
    let is_complete = !result.contains_key("resultType");
    if is_complete {
        result.insert("resultType".into(), "complete".into());
    }
    if let Some(ttl) = ttl.filter(|_| is_complete) {
        result.insert("ttlMs".into(), ttl.into());
        // What takes a token is not for everybody's cache.
        let scope = if server.is_private() { "private" } else { "public" };
        result.insert("cacheScope".into(), scope.into());
    }
    result.entry("_meta").or_insert_with(|| json!({SERVER_INFO: Server::implementation(revision)}));
    result
}
