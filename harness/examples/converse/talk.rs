//! A conversation that touches a little of all that a server offers, in an order that is always the same, and with some
//! mistakes. Nothing is called that may change something, unless it is wished.

use mcprove::client::{Binding, Conversation, HandshakeFailure, Opening, Outgoing, Reply, Timeouts, headers};
use mcprove::generate::{Seeded, valid_value};
use mcprove::protocol::{Era, Revision};
use mcprove::transcript::{About, Budget, Recorder, Redactor};
use mcprove::wire::{HttpConfig, Limits};
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::Duration;

/// Which tools are called.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Calls {
    /// All.
    All,
    /// Those that say `readOnlyHint`.
    ReadOnly,
    /// None.
    None,
}

/// What is done.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Plan {
    /// Which tools are called.
    pub(crate) calls: Calls,
    /// How many tools are called, resources read and prompts asked for, at most.
    pub(crate) each: usize,
    /// Whether lists are left out, for servers whose lists are long.
    pub(crate) brief: bool,
}

/// How long is waited for what nobody asked for.
const PAUSE: Duration = Duration::from_millis(300);

/// Speaks to a server in a revision; how many of its answers were results.
///
/// # Errors
/// When it does not speak that revision, in words.
pub(crate) async fn converse(binding: &Binding, revision: Revision, plan: Plan) -> Result<usize, String> {
    let timeouts =
        Timeouts { startup: Duration::from_secs(60), request: Duration::from_secs(8), ..Timeouts::default() };
    let opening = Opening {
        limits: Limits::default(),
        timeouts,
        headers: Vec::new(),
        http: HttpConfig::default(),
        pace: None,
    };
    let about = About {
        revision: Some(revision),
        transport: binding.transport(),
        purpose: "a conversation".to_owned(),
        target: String::new(),
    };
    let recorder = Recorder::new(about, None, Redactor::default(), Budget::default(), None);
    let mut talk =
        Conversation::open(binding, &opening, Arc::new(recorder)).await.map_err(|error| error.to_string())?;
    if let Err(failure) = talk.begin(revision).await {
        talk.close().await;
        return Err(match failure {
            HandshakeFailure::OtherVersion(version) => format!("it offers {version}"),
            HandshakeFailure::Refused(reply) => reply.describe(),
        });
    }
    let mut visit = Visit { talk, plan, results: 0 };
    visit.all().await;
    visit.talk.idle(PAUSE).await;
    let results = visit.results;
    visit.talk.close().await;
    Ok(results)
}

struct Visit {
    talk: Conversation,
    plan: Plan,
    results: usize,
}

impl Visit {
    fn modern(&self) -> bool {
        self.talk.era() == Some(Era::Modern)
    }

    fn declares(&self, path: &str) -> bool {
        self.talk.handshake().is_some_and(|handshake| handshake.declares(path))
    }

    async fn ask(&mut self, method: &str, params: Value) -> Reply {
        let reply = self.talk.request(method, params).await;
        self.results += usize::from(reply.result().is_some());
        reply
    }

    /// The entries of a list, of its first two pages.
    async fn list(&mut self, method: &str, member: &str) -> Vec<Value> {
        let mut params = json!({});
        let mut entries = Vec::new();
        for _ in 0..2 {
            let reply = self.ask(method, params).await;
            let Some(result) = reply.result() else { break };
            entries.extend(result.get(member).and_then(Value::as_array).into_iter().flatten().cloned());
            let Some(cursor) = result.get("nextCursor").and_then(Value::as_str) else { break };
            params = json!({"cursor": cursor});
        }
        entries
    }

    async fn all(&mut self) {
        if self.declares("logging") && !self.modern() {
            self.ask("logging/setLevel", json!({"level": "debug"})).await;
        }
        if self.modern() && !self.plan.brief {
            self.listen().await;
        }
        if self.declares("tools") {
            self.tools().await;
        }
        if self.declares("resources") && !self.plan.brief {
            self.resources().await;
        }
        if self.declares("prompts") && !self.plan.brief {
            self.prompts().await;
        }
        if !self.modern() {
            self.ask("ping", json!({})).await;
        }
        self.ask("no/such/method", json!({})).await;
    }

    /// Listens to changes for a moment.
    async fn listen(&mut self) {
        let params = json!({"notifications": {"toolsListChanged": true}});
        let outgoing = self.talk.compose("subscriptions/listen", params);
        let ticket = self.talk.send(outgoing).await;
        self.talk.idle(PAUSE).await;
        let Some(id) = &ticket.id else { return };
        if self.talk.transport().is_http() {
            self.talk.abort(&ticket).await;
        } else {
            let id: Value = serde_json::from_str(id.as_json()).unwrap_or(Value::Null);
            self.talk.notify("notifications/cancelled", json!({"requestId": id})).await;
            self.talk.idle(PAUSE).await;
        }
    }

    async fn tools(&mut self) {
        let tools = if self.plan.brief { Vec::new() } else { self.list("tools/list", "tools").await };
        let harmless = |tool: &&Value| match self.plan.calls {
            Calls::All => true,
            Calls::ReadOnly => tool.pointer("/annotations/readOnlyHint") == Some(&Value::Bool(true)),
            Calls::None => false,
        };
        let calls: Vec<Value> = tools.iter().filter(harmless).take(self.plan.each).cloned().collect();
        for (number, tool) in calls.iter().enumerate() {
            self.call(tool, number).await;
        }
        self.ask("tools/call", json!({"name": "no such tool", "arguments": {}})).await;
    }

    async fn call(&mut self, tool: &Value, number: usize) {
        let schema = tool.get("inputSchema").cloned().unwrap_or_else(|| json!({"type": "object"}));
        let required =
            schema.get("required").and_then(Value::as_array).is_some_and(|names| !names.is_empty());
        let arguments = match required {
            true => valid_value(&schema, &mut Seeded::new(1)).unwrap_or_else(|_| json!({})),
            false => json!({}),
        };
        let mut params = json!({"name": tool["name"], "arguments": arguments});
        params["_meta"] = json!({"progressToken": format!("progress-{number}")});
        let mut outgoing: Outgoing = self.talk.compose("tools/call", params);
        outgoing.mirrored = headers::mirrored_arguments(&schema, &arguments);
        let reply = self.talk.exchange(outgoing).await;
        self.results += usize::from(reply.result().is_some());
    }

    async fn resources(&mut self) {
        let resources = self.list("resources/list", "resources").await;
        let templates = self.list("resources/templates/list", "resourceTemplates").await;
        let uris = resources.iter().filter_map(|resource| resource.get("uri").cloned());
        let uris: Vec<Value> = uris.take(self.plan.each).collect();
        for uri in &uris {
            self.ask("resources/read", json!({"uri": uri})).await;
        }
        self.ask("resources/read", json!({"uri": "test://no/such/resource"})).await;
        if self.declares("resources/subscribe")
            && !self.modern()
            && let Some(uri) = uris.first()
        {
            self.ask("resources/subscribe", json!({"uri": uri})).await;
            self.ask("resources/unsubscribe", json!({"uri": uri})).await;
        }
        let variable = |template: &Value| {
            let uri = template.get("uriTemplate")?.as_str()?;
            let (_, rest) = uri.split_once('{')?;
            let name = rest.split_once('}')?.0;
            Some((uri.to_owned(), name.trim_start_matches(['+', '#', '/', '.', ';', '?', '&']).to_owned()))
        };
        if self.declares("completions")
            && let Some((uri, name)) = templates.iter().find_map(variable)
        {
            let reference = json!({"type": "ref/resource", "uri": uri});
            self.complete(reference, &name).await;
        }
    }

    async fn prompts(&mut self) {
        let prompts = self.list("prompts/list", "prompts").await;
        for prompt in prompts.iter().take(self.plan.each) {
            let mut arguments = json!({});
            let named = prompt.get("arguments").and_then(Value::as_array).into_iter().flatten();
            let names: Vec<&str> =
                named.clone().filter_map(|argument| argument.get("name")?.as_str()).collect();
            for argument in named.filter(|argument| argument.get("required") == Some(&Value::Bool(true))) {
                if let Some(name) = argument.get("name").and_then(Value::as_str) {
                    arguments[name] = json!("1");
                }
            }
            self.ask("prompts/get", json!({"name": prompt["name"], "arguments": arguments})).await;
            if self.declares("completions")
                && let Some(name) = names.first()
            {
                let reference = json!({"type": "ref/prompt", "name": prompt["name"]});
                self.complete(reference, name).await;
            }
        }
        self.ask("prompts/get", json!({"name": "no such prompt"})).await;
    }

    async fn complete(&mut self, reference: Value, name: &str) {
        let argument = json!({"name": name, "value": ""});
        self.ask("completion/complete", json!({"ref": reference, "argument": argument})).await;
    }
}
