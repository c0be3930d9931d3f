//! One legacy message in, at most one answer out: which method is which handler.

use std::pin::Pin;
use std::sync::Arc;

use serde_json::Value;

use crate::context::{Answer, Caller, RequestContext, Sink};
#[cfg(feature = "enterprise")]
use crate::enterprise;
use crate::faults::Duty;
use crate::features::{self, tasks};
use crate::legacy::{Session, batch, lifecycle};
use crate::memory::Answered;
use crate::message::{
    Message, Notification, Object, Outcome, Payload, Reply, Request, Response, RpcError, error_response,
    result_response,
};
use crate::pace::pause;
use crate::revision::Revision;
use crate::server::Server;

/// What becomes of a payload.
pub(crate) enum Exchange {
    /// Taken in; there is nothing to say.
    Accepted,
    /// Refused as a whole, with the error to send.
    Refused(String),
    /// A broken response: it is not answered, but where a transport says what became of a message, it says this.
    Unusable(String),
    /// Being served; ends with the answer, or with none if it was cancelled.
    Serving(Serving),
}

/// Work that ends with the answer.
pub(crate) type Serving = Pin<Box<dyn Future<Output = Option<Answered>> + Send>>;

/// Takes in one message or, where the revision has them, a batch.
pub(crate) fn take_in(session: &Arc<Session>, payload: Payload<'_>, sink: Sink) -> Exchange {
    match payload {
        Payload::Single(Message::Request(request)) => {
            Exchange::Serving(Box::pin(answer(Arc::clone(session), request, sink)))
        }
        Payload::Single(Message::Notification(notification)) => {
            notified(session, &notification);
            match session.server.faults().and_then(|faults| faults.notified(&notification)) {
                None => Exchange::Accepted,
                Some(answer) => Exchange::Refused(answer),
            }
        }
        Payload::Single(Message::Response(response)) => {
            let complaint = complaint(&response);
            session.peer.answered(response, session.server.memory());
            complaint.map_or(Exchange::Accepted, Exchange::Unusable)
        }
        Payload::Batch(elements) if session.revision() == Some(Revision::V2025_03_26) => {
            batch::take_in(session, &elements, &sink)
        }
        Payload::Batch(_) => {
            let error = RpcError::invalid_request("Invalid request: batches exist only in 2025-03-26");
            Exchange::Refused(error_response(None, &error, session.error_revision()))
        }
    }
}

/// What is wrong with a broken response, as an error without an id in every revision: it answers nothing.
pub(super) fn complaint(response: &Response) -> Option<String> {
    let Outcome::Unusable(reason) = response.outcome else { return None };
    let error = RpcError::invalid_request(format!("Invalid response: {reason}"));
    Some(error_response(None, &error, Revision::V2025_11_25))
}

/// Serves one request.
pub(crate) async fn answer(session: Arc<Session>, mut request: Request, sink: Sink) -> Option<Answered> {
    let before = session.error_revision();
    let id = request.id.clone();
    let faults = session.server.faults_on(before, &mut request);
    let may_wait = may_wait(&session.server, &request.method);
    // What is held back is in progress too. The handshake cannot be cancelled.
    let enters = may_wait || (session.server.pace().is_some() && request.method != "initialize");
    let ticket = if enters {
        session.in_flight.enter(&id).map(Some)
    } else {
        session.in_flight.refuse_double(&id).map(|()| None)
    };
    let (ticket, refused) = ticket.map_or_else(|error| (None, Some(error)), |ticket| (ticket, None));
    let refused = refused.or_else(|| check_meta(&request.params).err());
    let work = async {
        let answer = match (faults.instead().await, refused) {
            (Some(instead), _) => instead,
            (None, Some(error)) => Err(error),
            (None, None) if may_wait => waiting(&session, request, sink).await,
            (None, None) => {
                let request = request;
                at_once(&session, &request).map(Reply::Object)
            }
        };
        let text = faults.worded(match faults.altered(answer) {
            Ok(reply) => result_response(&id, &reply),
            Err(error) => error_response(Some(&id), &error, before),
        });
        let (answered, _) = session.server.answered(Some(&id), text, before).await;
        // A request that is cancelled while its answer is held back stays without one.
        pause(&session.server, &answered.text).await;
        answered
    };
    match ticket {
        Some(ticket) => ticket.run(work).await,
        None => Some(work.await),
    }
}

/// Refuses metadata of the wrong types.
fn check_meta(params: &Object) -> Result<(), RpcError> {
    let Some(meta) = params.get("_meta") else { return Ok(()) };
    let Some(meta) = meta.as_object() else {
        return Err(RpcError::invalid_params("Invalid params: _meta must be an object"));
    };
    let is_token = |token: &Value| match token {
        Value::String(_) => true,
        Value::Number(number) => number.as_f64().is_some_and(|number| number.fract() == 0.0),
        _ => false,
    };
    if meta.get("progressToken").is_some_and(|token| !is_token(token)) {
        return Err(RpcError::invalid_params("Invalid params: progressToken must be a string or an integer"));
    }
    Ok(())
}

/// Whether a method may take time and can therefore be cancelled.
fn may_wait(server: &Server, method: &str) -> bool {
    #[cfg(feature = "enterprise")]
    if server.enterprise().is_some() {
        return enterprise::is_served(method);
    }
    #[cfg(not(feature = "enterprise"))]
    let _ = server;
    matches!(method, "tools/call" | "prompts/get" | "tasks/result")
}

async fn waiting(session: &Arc<Session>, request: Request, sink: Sink) -> Answer {
    let revision = lifecycle::require_initialized(session)?;
    let held = session.server.hold(&request).await?;
    let caller = Caller::Session(Arc::clone(session));
    let context = RequestContext::new(session.server.clone(), revision, request, caller, sink, held);
    #[cfg(feature = "enterprise")]
    if session.server.enterprise().is_some()
        && let Some(served) = enterprise::answer(&context).await
    {
        return served.map(|(result, _)| Reply::Object(result));
    }
    let result = match context.request.method.as_str() {
        "tasks/result" => tasks::legacy::result(&context).await,
        "prompts/get" => features::get_prompt(&context).await,
        _ => features::call_tool(&context).await,
    };
    result.map(Reply::Object)
}

fn at_once(session: &Session, request: &Request) -> Result<Object, RpcError> {
    type Handler = fn(&Session, Revision, &Object) -> Result<Object, RpcError>;
    let params = &request.params;
    let handler: Handler = match request.method.as_str() {
        "initialize" => return lifecycle::initialize(session, params),
        "ping" => return Ok(Object::new()),
        "tools/list" => |session, revision, params| features::list_tools(&session.server, revision, params),
        "resources/list" => {
            |session, revision, params| features::list_resources(&session.server, revision, params)
        }
        "resources/templates/list" => {
            |session, revision, params| features::list_templates(&session.server, revision, params)
        }
        "resources/read" => {
            |session, revision, params| features::read_resource(&session.server, revision, params)
        }
        "resources/subscribe" => {
            |session, revision, params| features::subscribe(&session.server, session, revision, params)
        }
        "resources/unsubscribe" => |session, _, params| features::unsubscribe(session, params),
        "prompts/list" => {
            |session, revision, params| features::list_prompts(&session.server, revision, params)
        }
        "completion/complete" => |_, _, params| features::complete(params),
        "logging/setLevel" => |session, _, params| features::set_level(session, params),
        "tasks/get" => tasks::legacy::get,
        "tasks/list" => tasks::legacy::list,
        "tasks/cancel" => tasks::legacy::cancel,
        unknown => return Err(RpcError::method_not_found(unknown)),
    };
    handler(session, lifecycle::require_initialized(session)?, params)
}

/// Takes in a notification; unknown ones are ignored, as are those that make no sense.
pub(crate) fn notified(session: &Session, notification: &Notification) {
    match notification.method.as_str() {
        "notifications/initialized" => session.operate(),
        "notifications/cancelled" => {
            if let Some(id) = &notification.request_id
                && session.server.keeps(Duty::CancelledWorkStops)
            {
                session.in_flight.cancel(id);
            }
        }
        _ => {}
    }
}
