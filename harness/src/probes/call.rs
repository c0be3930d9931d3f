//! Requests that name something the server offers: a tool call, a prompt, a resource; made so that they succeed.

use super::offer::Offer;
use super::probe::Settings;
use crate::client::{Conversation, Outgoing, Reply, Ticket, headers};
use crate::generate::{Seeded, valid_value};
use serde_json::{Value, json};
use std::time::Duration;

/// How long a tool that is only called for the sake of its headers or streams may take.
pub(super) const PATIENCE: Duration = Duration::from_secs(3);

/// The most pages of a list that are read.
const PAGES: usize = 10;

/// A request that names something.
#[derive(Debug, Clone)]
pub(super) struct Call {
    pub(super) method: &'static str,
    pub(super) params: Value,
    /// What `Mcp-Name` repeats.
    pub(super) name: String,
    /// The input schema, of a tool.
    pub(super) schema: Option<Value>,
}

impl Call {
    /// The request, with all headers that belong to it. `meta` is added to its `_meta`.
    pub(super) fn compose(&self, talk: &mut Conversation, meta: Option<Value>) -> Outgoing {
        let mut params = self.params.clone();
        if let Some(meta) = meta {
            params["_meta"] = meta;
        }
        let mut outgoing = talk.compose(self.method, params);
        if let Some(schema) = &self.schema {
            outgoing.mirrored = headers::mirrored_arguments(schema, &self.params["arguments"]);
        }
        outgoing
    }

    /// Sends it and waits a while for its answer.
    pub(super) async fn send(&self, talk: &mut Conversation, outgoing: Outgoing) -> (Ticket, Reply) {
        let ticket = talk.send(outgoing).await;
        let wait = talk.timeouts().request.min(PATIENCE);
        let reply = talk.reply_within(&ticket, wait).await;
        (ticket, reply)
    }
}

/// Entries of a list: what is known already, else the first pages.
async fn listed(talk: &mut Conversation, known: &[Value], method: &str, member: &str) -> Vec<Value> {
    if !known.is_empty() {
        return known.to_vec();
    }
    let feature = method.split('/').next().unwrap_or_default();
    if !talk.handshake().is_some_and(|handshake| handshake.declares(feature)) {
        return Vec::new();
    }
    let mut found = Vec::new();
    let mut params = json!({});
    for _ in 0..PAGES {
        let reply = talk.request(method, params).await;
        let Some(result) = reply.result() else { break };
        found.extend(result.get(member).and_then(Value::as_array).into_iter().flatten().cloned());
        let Some(cursor) = result.get("nextCursor").and_then(Value::as_str) else { break };
        params = json!({"cursor": cursor});
    }
    found
}

/// Calls of the tools that may be called, those without required arguments first.
pub(super) async fn tool_calls(talk: &mut Conversation, offer: &Offer, settings: &Settings) -> Vec<Call> {
    let tools = listed(talk, &offer.tools, "tools/list", "tools").await;
    let mut calls: Vec<(bool, Call)> = Vec::new();
    for tool in tools.iter().filter(|tool| settings.safety.may_call(tool).is_ok()) {
        let (Some(name), Some(schema)) = (tool.get("name").and_then(Value::as_str), tool.get("inputSchema"))
        else {
            continue;
        };
        let required = schema.get("required").and_then(Value::as_array).is_some_and(|list| !list.is_empty());
        let arguments = if required {
            match valid_value(schema, &mut Seeded::new(settings.seed)) {
                Ok(arguments) => arguments,
                Err(_) => continue,
            }
        } else {
            json!({})
        };
        calls.push((
            required,
            Call {
                method: "tools/call",
                params: json!({"name": name, "arguments": arguments}),
                name: name.to_owned(),
                schema: Some(schema.clone()),
            },
        ));
    }
    calls.sort_by_key(|(required, _)| *required);
    calls.into_iter().map(|(_, call)| call).collect()
}

/// Requests that read the first resources.
async fn resource_reads(talk: &mut Conversation, offer: &Offer) -> Vec<Call> {
    let resources = listed(talk, &offer.resources, "resources/list", "resources").await;
    let uris = resources.iter().filter_map(|resource| resource.get("uri")?.as_str());
    uris.map(|uri| Call {
        method: "resources/read",
        params: json!({"uri": uri}),
        name: uri.to_owned(),
        schema: None,
    })
    .collect()
}

/// Requests for the prompts, their arguments filled in.
async fn prompt_gets(talk: &mut Conversation, offer: &Offer) -> Vec<Call> {
    let prompts = listed(talk, &offer.prompts, "prompts/list", "prompts").await;
    let mut calls = Vec::new();
    for prompt in &prompts {
        let Some(name) = prompt.get("name").and_then(Value::as_str) else { continue };
        let mut arguments = json!({});
        for argument in prompt.get("arguments").and_then(Value::as_array).into_iter().flatten() {
            if let Some(name) = argument.get("name").and_then(Value::as_str)
                && argument.get("required") == Some(&Value::Bool(true))
            {
                arguments[name] = json!("mcprove");
            }
        }
        calls.push(Call {
            method: "prompts/get",
            params: json!({"name": name, "arguments": arguments}),
            name: name.to_owned(),
            schema: None,
        });
    }
    calls
}

/// For each of the three methods that name something, a request that the server was seen to answer with a result; and
/// the first request that was tried where none was.
pub(super) struct Named {
    pub(super) served: Vec<Call>,
    pub(super) refused: Vec<(Call, Ticket, Reply)>,
}

/// Finds out which requests that name something succeed; tries three of each kind.
pub(super) async fn named(talk: &mut Conversation, offer: &Offer, settings: &Settings) -> Named {
    let kinds = [
        tool_calls(talk, offer, settings).await,
        resource_reads(talk, offer).await,
        prompt_gets(talk, offer).await,
    ];
    let mut named = Named { served: Vec::new(), refused: Vec::new() };
    for calls in kinds {
        let mut first = None;
        let mut found = None;
        for call in calls.into_iter().take(3) {
            let outgoing = call.compose(talk, None);
            let (ticket, reply) = call.send(talk, outgoing).await;
            let complete = |result: &Value| {
                result.get("resultType").is_none_or(|kind| kind == "complete")
                    && result.get("isError") != Some(&Value::Bool(true))
            };
            if reply.result().is_some_and(complete) {
                found = Some(call);
                break;
            }
            first.get_or_insert((call, ticket, reply));
        }
        match found {
            Some(call) => named.served.push(call),
            None => named.refused.extend(first),
        }
    }
    named
}
