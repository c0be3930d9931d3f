//! `inspect`: what a server is and offers, without judging it. Nothing is called, only listed.

use super::config::CheckConfig;
use super::discover;
use super::engine;
use super::recorders::Recorders;
use super::target::Target;
use crate::client::{Binding, Conversation, Handshake, Opened, Opener, Reply};
use crate::protocol::{Era, Revision, Transport};
use crate::run::{RunError, ServerInfo, TargetInfo};
use serde::Serialize;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::sync::Arc;
use tokio::sync::{Semaphore, mpsc};

/// The name of the format.
pub const INSPECTION_FORMAT: &str = "mcprove-inspect";
/// The version of the format.
pub const INSPECTION_VERSION: u32 = 1;

/// Pages that are read of one list.
const PAGES: usize = 100;
/// Entries that are kept of one list.
const ENTRIES: usize = 10_000;

/// What a server is and offers. Serialised, it is the document that `inspect --output-format json` prints.
#[derive(Debug, Clone, Serialize)]
pub struct Inspection {
    /// Always [`INSPECTION_FORMAT`].
    pub format: &'static str,
    /// Always [`INSPECTION_VERSION`].
    pub version: u32,
    /// What was inspected, with the name that the server gave itself.
    pub target: TargetInfo,
    /// What it speaks, by transport.
    pub transports: Vec<Spoken>,
    /// Why it is not whole, or is empty: 3, 70, 130 or 143.
    pub error: Option<RunError>,
}

/// What is spoken over one transport.
#[derive(Debug, Clone, Serialize)]
pub struct Spoken {
    /// The transport.
    pub transport: Transport,
    /// Milliseconds from the start of the process (or the connection) to the first valid answer.
    pub startup_millis: u64,
    /// The revisions spoken, oldest first.
    pub revisions: Vec<SpokenRevision>,
    /// What is offered in the newest of them.
    pub offers: Option<Offers>,
}

/// What a server says of itself in one revision.
#[derive(Debug, Clone, Serialize)]
pub struct SpokenRevision {
    /// The revision.
    pub revision: Revision,
    /// `legacy` or `modern`.
    pub era: &'static str,
    /// `capabilities`, as declared.
    pub capabilities: Value,
    /// `instructions`, if given.
    pub instructions: Option<String>,
}

/// The lists of a server; `None` where the feature is not declared or the list was not answered.
#[derive(Debug, Clone, Serialize)]
pub struct Offers {
    /// The revision in which they were asked for.
    pub revision: Revision,
    /// `tools/list`.
    pub tools: Option<Vec<Tool>>,
    /// `resources/list`.
    pub resources: Option<Vec<Entry>>,
    /// `resources/templates/list`.
    pub resource_templates: Option<Vec<Entry>>,
    /// `prompts/list`.
    pub prompts: Option<Vec<Prompt>>,
}

/// A tool.
#[derive(Debug, Clone, Serialize)]
pub struct Tool {
    /// Its name.
    pub name: String,
    /// Its title, if it has one.
    pub title: Option<String>,
    /// Its description, if it has one.
    pub description: Option<String>,
    /// The properties of its input schema, in order.
    pub arguments: Vec<Argument>,
    /// Its annotations, as given, or null.
    pub annotations: Value,
}

/// An argument of a tool or a prompt.
#[derive(Debug, Clone, Serialize)]
pub struct Argument {
    /// Its name.
    pub name: String,
    /// The `type` of its schema; several are joined by `|`. `None` where there is none, and for prompts.
    #[serde(rename = "type")]
    pub kind: Option<String>,
    /// Whether it has to be given.
    pub required: bool,
}

/// A resource or a resource template.
#[derive(Debug, Clone, Serialize)]
pub struct Entry {
    /// Its URI or URI template.
    pub uri: String,
    /// Its name.
    pub name: String,
    /// Its media type, if told.
    pub mime_type: Option<String>,
}

/// A prompt.
#[derive(Debug, Clone, Serialize)]
pub struct Prompt {
    /// Its name.
    pub name: String,
    /// Its description, if it has one.
    pub description: Option<String>,
    /// Its arguments.
    pub arguments: Vec<Argument>,
}

/// Looks at a server. `config` is that of a check; its selection is of no account.
pub async fn inspect(target: &Target, mut config: CheckConfig) -> Inspection {
    let mut inspection = Inspection {
        format: INSPECTION_FORMAT,
        version: INSPECTION_VERSION,
        target: config.target.clone(),
        transports: Vec::new(),
        error: None,
    };
    let stop = config.stop.clone();
    let interrupted = || RunError {
        code: stop.wanted().unwrap_or(130),
        message: "interrupted before the server was seen".to_owned(),
    };
    let up = match stop.unless(target.up(config.opening.timeouts.startup)).await {
        None => {
            inspection.error = Some(interrupted());
            return inspection;
        }
        Some(Err(error)) => {
            inspection.error = Some(error);
            return inspection;
        }
        Some(Ok(up)) => up,
    };
    if let Err(error) = up.authorize(&mut config.opening.headers, &mut config.settings.credentials).await {
        inspection.error = Some(error);
        up.stop().await;
        return inspection;
    }
    // Nobody listens to run events here; the channel is closed at once.
    let (sender, _) = mpsc::unbounded_channel();
    let recorders = Arc::new(Recorders::new(&config, sender));
    let bindings = up.bindings.clone();
    let looks = bindings.iter().map(|binding| look(binding, &config, &recorders));
    let looked = stop.unless(futures_util::future::join_all(looks)).await;
    up.stop().await;
    let Some(looked) = looked else {
        inspection.error = Some(interrupted());
        return inspection;
    };
    let mut reasons = Vec::new();
    for result in looked {
        match result {
            Ok((spoken, server_info)) => {
                if inspection.target.server_info.is_none() {
                    inspection.target.server_info = server_info;
                }
                inspection.transports.push(spoken);
            }
            Err(why) => reasons.push(why),
        }
    }
    reasons.dedup();
    if inspection.transports.is_empty() {
        let message = engine::nothing_came(&bindings, &reasons);
        inspection.error = Some(RunError { code: 3, message });
    }
    inspection
}

async fn look(
    binding: &Binding,
    config: &CheckConfig,
    recorders: &Arc<Recorders>,
) -> Result<(Spoken, Option<ServerInfo>), String> {
    let opener = Opener::new(
        binding.clone(),
        config.opening.clone(),
        config.target.display.clone(),
        Arc::<Recorders>::clone(recorders),
        // One conversation of each revision stays open until all have been looked at.
        Arc::new(Semaphore::new(config.parallel.max(Revision::ALL.len() + 1))),
        Arc::default(),
    );
    let (opener, found) = discover::anywhere(opener, &config.revisions).await?;
    let speaks_legacy = found.offered.is_some()
        || found.legacy_spoke
        || found.begun.iter().any(|begun| begun.revision.era() == Era::Legacy);
    if let Some(refused) = found.refused {
        refused.opened.close().await;
    }
    let wants = |revision: Revision| config.revisions.is_empty() || config.revisions.contains(&revision);
    let tried: BTreeSet<Revision> = found.begun.iter().map(|begun| begun.revision).collect();
    let over_sse = matches!(opener.binding(), Binding::HttpSse(_));
    let older = Revision::LEGACY
        .into_iter()
        .filter(|revision| speaks_legacy && !tried.contains(revision) && wants(*revision) && !over_sse);
    let opener = &opener;
    let others = older.map(|revision| async move {
        let mut opened = opener.open("inspect", Some(revision)).await.ok()?;
        if opened.talk.begin(revision).await.is_err() {
            opened.close().await;
            return None;
        }
        Some((revision, opened))
    });
    let others = futures_util::future::join_all(others).await;
    let mut open: Vec<(Revision, Opened)> =
        found.begun.into_iter().map(|begun| (begun.revision, begun.opened)).collect();
    open.extend(others.into_iter().flatten());
    open.retain(|(revision, _)| wants(*revision));
    open.sort_by_key(|(revision, _)| *revision);
    let server_info = open
        .iter()
        .find_map(|(_, opened)| handshake(&opened.talk)?.server_info())
        .map(|(name, version)| ServerInfo { name, version });
    let revisions = open.iter().map(|(revision, opened)| of_revision(*revision, &opened.talk)).collect();
    let offers = match open.last_mut() {
        Some((revision, opened)) => Some(offers(*revision, &mut opened.talk).await),
        None => None,
    };
    futures_util::future::join_all(open.into_iter().map(|(_, opened)| opened.close())).await;
    let spoken = Spoken {
        transport: opener.binding().transport(),
        startup_millis: u64::try_from(found.startup.as_millis()).unwrap_or(u64::MAX),
        revisions,
        offers,
    };
    Ok((spoken, server_info))
}

/// What a server said, without the secrets that it may have been told.
fn clean(talk: &Conversation, value: &Value) -> Value {
    let text = value.to_string();
    let cleaned = talk.recorder().redact(&text);
    if cleaned == text {
        return value.clone();
    }
    serde_json::from_str(&cleaned).unwrap_or(Value::String(cleaned))
}

/// What the server said of itself, without secrets.
fn handshake(talk: &Conversation) -> Option<Handshake> {
    talk.handshake().map(|handshake| Handshake { result: clean(talk, &handshake.result) })
}

fn of_revision(revision: Revision, talk: &Conversation) -> SpokenRevision {
    let handshake = handshake(talk);
    SpokenRevision {
        revision,
        era: if revision.era() == Era::Modern { "modern" } else { "legacy" },
        capabilities: handshake.as_ref().map_or(Value::Null, |handshake| handshake.capabilities().clone()),
        instructions: handshake.and_then(|handshake| text(&handshake.result, "instructions")),
    }
}

async fn offers(revision: Revision, talk: &mut Conversation) -> Offers {
    let declares = |talk: &Conversation, feature: &str| {
        talk.handshake().is_some_and(|handshake: &Handshake| handshake.declares(feature))
    };
    let mut offers =
        Offers { revision, tools: None, resources: None, resource_templates: None, prompts: None };
    if declares(talk, "tools") {
        offers.tools = list(talk, "tools/list", "tools").await.map(|list| list.iter().map(tool).collect());
    }
    if declares(talk, "resources") {
        offers.resources = list(talk, "resources/list", "resources")
            .await
            .map(|list| list.iter().map(|item| entry(item, "uri")).collect());
        offers.resource_templates = list(talk, "resources/templates/list", "resourceTemplates")
            .await
            .map(|list| list.iter().map(|item| entry(item, "uriTemplate")).collect());
    }
    if declares(talk, "prompts") {
        offers.prompts =
            list(talk, "prompts/list", "prompts").await.map(|list| list.iter().map(prompt).collect());
    }
    offers
}

/// All pages of a list, as far as they come; `None` where the first one does not.
async fn list(talk: &mut Conversation, method: &str, member: &str) -> Option<Vec<Value>> {
    let mut entries: Option<Vec<Value>> = None;
    let mut params = json!({});
    for _ in 0..PAGES {
        let reply = talk.request(method, params).await;
        let Reply::Result(answer) = &reply else { break };
        let Some(result) = answer.message.result() else { break };
        let Some(page) = result.get(member).and_then(Value::as_array) else { break };
        let all = entries.get_or_insert_default();
        all.extend(page.iter().take(ENTRIES - all.len()).map(|entry| clean(talk, entry)));
        match result.get("nextCursor").and_then(Value::as_str) {
            Some(cursor) if all.len() < ENTRIES => params = json!({"cursor": cursor}),
            _ => break,
        }
    }
    entries
}

fn text(value: &Value, member: &str) -> Option<String> {
    value.get(member)?.as_str().map(str::to_owned)
}

fn tool(value: &Value) -> Tool {
    let schema = &value["inputSchema"];
    let required = schema.get("required").and_then(Value::as_array);
    let is_required = |name: &str| {
        required.is_some_and(|names| names.iter().any(|required| required.as_str() == Some(name)))
    };
    let kind = |schema: &Value| match schema.get("type")? {
        Value::String(kind) => Some(kind.clone()),
        Value::Array(kinds) => Some(kinds.iter().filter_map(Value::as_str).collect::<Vec<_>>().join("|")),
        _ => None,
    };
    let properties = schema.get("properties").and_then(Value::as_object);
    Tool {
        name: text(value, "name").unwrap_or_default(),
        title: text(value, "title").or_else(|| text(&value["annotations"], "title")),
        description: text(value, "description"),
        arguments: properties
            .into_iter()
            .flatten()
            .map(|(name, schema)| Argument {
                name: name.clone(),
                kind: kind(schema),
                required: is_required(name),
            })
            .collect(),
        annotations: value.get("annotations").cloned().unwrap_or(Value::Null),
    }
}

fn entry(value: &Value, uri: &str) -> Entry {
    Entry {
        uri: text(value, uri).unwrap_or_default(),
        name: text(value, "name").unwrap_or_default(),
        mime_type: text(value, "mimeType"),
    }
}

fn prompt(value: &Value) -> Prompt {
    let arguments = value.get("arguments").and_then(Value::as_array);
    Prompt {
        name: text(value, "name").unwrap_or_default(),
        description: text(value, "description"),
        arguments: arguments
            .into_iter()
            .flatten()
            .map(|argument| Argument {
                name: text(argument, "name").unwrap_or_default(),
                kind: None,
                required: argument.get("required") == Some(&Value::Bool(true)),
            })
            .collect(),
    }
}
