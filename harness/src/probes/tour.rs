//! The clean tour: what a well-behaved client would do to get to know a server. Everything else stands on what it
//! finds, and the monitors read all of its traffic.

use super::completion;
use super::errands::{BUDGET, MOST_ROUNDS, Met, prepare, run};
use super::lists::{self, LISTS, PROMPTS, RESOURCES, TEMPLATES, TOOLS};
use super::logging::log_levels_are_accepted;
use super::probe::probes;
use super::{Call, Stage, breach};
use crate::client::headers::{annotation_fault, mirrored_arguments};
use crate::client::{Answer, Reply, Ticket, mrtr};
use crate::generate::{GenerateError, Mode, Seeded, ValueGenerator, unhurried};
use crate::monitors::{Breach, template_variables};
use crate::protocol::{Era, Revision, Transport};
use crate::run::Reason;
use serde_json::{Map, Value, json};
use std::collections::{HashSet, VecDeque};

/// How many tools are called, resources read, prompts got and templates expanded.
const MOST_CALLS: usize = 80;
const MOST_READS: usize = 20;
const MOST_GETS: usize = 20;
const MOST_TEMPLATES: usize = 3;

probes! {
    /// Fetches all pages of `tools/list`, `resources/list`, `resources/templates/list` and `prompts/list` by their
    /// cursors. A declared feature is served, its cursors are accepted and lead to an end, names are unique. Features
    /// that are not declared are asked for once: they are refused with -32601. Clients build everything on these lists.
    lists_can_be_walked (Clean, Both, Any) decides [
        "tools.list.answered", "tools.list.without-params", "tools.capability.declared", "tools.definition.name-unique",
        "resources.list.answered", "resources.list.without-params", "resources.capability.declared",
        "resources.definition.uri-unique", "resources.templates.served",
        "prompts.list.answered", "prompts.list.without-params", "prompts.capability.declared",
        "prompts.capability.respected", "prompts.definition.name-unique",
        "capabilities.server.advertised", "capabilities.server.declared-works",
        "capabilities.server.undeclared-method-refused",
        "pagination.cursor.accepted", "pagination.operations", "pagination.cursor.absent-at-end",
        "pagination.terminates", "pagination.page.no-repeats", "pagination.cursor.stable",
        "caching.scope.same-on-all-pages",
    ];
    /// Sets each of the eight log levels, `debug` at last, so that what follows is told in full; in 2026-07-28 names each
    /// in a request of its own. All are accepted, and `logging/setLevel` is answered with a result.
    log_levels_are_accepted (Clean, Both, Any) decides [
        "logging.set-level.served", "logging.level.all-accepted", "logging.level.delivers",
    ];
    /// Calls each tool that may be called (`--calls`, `--allow-tools`, `--deny-tools`), at most 80, with valid arguments
    /// made from its `inputSchema`; demands for input are met. The monitors judge the results. A failure inside a tool
    /// is a result with `isError`, which a model can read and mend; a protocol error hides it.
    tools_can_be_called (Clean, Both, Any) decides ["tools.call.execution-error-in-result", "mrtr.retry.completes"];
    /// Reads listed resources, at most 20. What is listed can be read, `size` is the number of bytes, and the media type is
    /// the one in the list.
    listed_resources_can_be_read (Clean, Both, Any) decides
        ["resources.list.readable", "resources.definition.size-accurate", "property.lists.agree"];
    /// Reads what tool results linked to or embedded, at most 10 URIs: a link that leads nowhere helps nobody. Expands
    /// templates, three of them with values that the server itself suggests by completion, which have to be there, and
    /// one with a made-up value: an internal error is no answer to a URI.
    linked_resources_can_be_read (Clean, Both, Any) decides [
        "tools.content.link-fetchable", "tools.content.embedded-refetchable", "resources.templates.expandable",
    ];
    /// Gets listed prompts, at most 20, with their required arguments filled in. The monitors judge the results. One that
    /// needs no arguments is known, and where it fails it does not blame them: its error is -32603.
    listed_prompts_can_be_got (Clean, Both, Any) decides ["prompts.get.internal-error-code", "property.lists.agree"];
}

async fn lists_can_be_walked(stage: &mut Stage<'_>) {
    stage.offer.discovered = stage
        .talk
        .handshake()
        .filter(|_| stage.revision.era() == Era::Modern)
        .map(|known| known.result.clone());
    let mut asked = Vec::new();
    for list in LISTS {
        let declared = lists::declares(stage.talk, list.capability);
        if declared || *list != TEMPLATES {
            asked.push((list, declared, lists::ask(stage, list).await));
        }
    }
    // The oldest revision has no capability for completion.
    let features = ["tools", "resources", "prompts", "completions"];
    let features = if stage.revision == Revision::V2024_11_05 { &features[..3] } else { &features[..] };
    if features.iter().all(|feature| lists::declares(stage.talk, feature)) {
        let id = "capabilities.server.undeclared-method-refused";
        stage.judge.not_applicable(id, "declared", "the server declares every feature with a list");
    }
    for (list, declared, ticket) in asked {
        let mut reply = stage.talk.reply(&ticket).await;
        if !declared {
            lists::judge_undeclared(stage, list, &ticket, &reply);
            lists::not_declared(stage, list.capability);
            continue;
        }
        if !lists::judge_declared(stage, list, &ticket, &mut reply).await {
            continue;
        }
        stage.offer.listed.push(list.method);
        let entries = lists::walk(stage, list, &reply).await;
        lists::judge_empty_params(stage, list).await;
        stage.offer.first.insert(list.method, list.keys(&entries));
        stage.offer.latest.insert(list.method, list.keys(&entries));
        let place = match list.method {
            "tools/list" => &mut stage.offer.tools,
            "resources/list" => &mut stage.offer.resources,
            "resources/templates/list" => &mut stage.offer.templates,
            _ => &mut stage.offer.prompts,
        };
        *place = entries;
    }
}

/// A seed that is the same for the same name and the same run seed.
fn seed_for(seed: u64, name: &str) -> u64 {
    name.bytes().fold(seed ^ 0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
    })
}

/// Whether a tool may be called over this transport by what it says of itself; if not, why.
fn callable(stage: &Stage<'_>, tool: &Value) -> Result<(), Reason> {
    stage.settings.safety.may_call(tool)?;
    if stage.revision == Revision::V2025_11_25
        && tool.pointer("/execution/taskSupport").and_then(Value::as_str) == Some("required")
    {
        return Err(Reason::new("task-required", "it can be called as a task only"));
    }
    let over_http = stage.era() == Era::Modern && stage.transport() == Transport::Http;
    match tool.get("inputSchema").and_then(annotation_fault).filter(|_| over_http) {
        Some(fault) => Err(Reason::new("bad-annotation", fault)),
        None => Ok(()),
    }
}

/// The tools that may be called, with arguments for each.
fn calls(stage: &mut Stage<'_>) -> Vec<(String, Value, Value)> {
    let tools = stage.offer.tools.clone();
    let resources = stage.offer.resources.clone();
    let uris: Vec<&str> = resources.iter().filter_map(|resource| resource.get("uri")?.as_str()).collect();
    let mut names = HashSet::new();
    let mut calls = Vec::new();
    for tool in tools {
        let Some(name) = tool.get("name").and_then(Value::as_str).map(str::to_owned) else { continue };
        if !names.insert(name.clone()) {
            continue;
        }
        let schema = tool.get("inputSchema").cloned().unwrap_or_else(|| json!({"type": "object"}));
        let made = callable(stage, &tool).and_then(|()| {
            if calls.len() >= MOST_CALLS {
                return Err(Reason::new("enough", format!("{MOST_CALLS} tools were called before it")));
            }
            let mut seeded = Seeded::new(seed_for(stage.settings.seed, &name));
            made_up(&name, &schema, &uris, &mut seeded)
                .map_err(|error| Reason::new("no-arguments", format!("no arguments could be made: {error}")))
        });
        match made {
            Ok(arguments) => calls.push((name, schema, arguments)),
            Err(reason) => stage.offer.not_called.push((name, reason)),
        }
    }
    calls
}

/// Valid arguments. Where a URI is wanted, a listed one, best that which the schema names: a made-up address finds
/// nothing.
fn made_up(tool: &str, schema: &Value, listed: &[&str], seeded: &mut Seeded) -> Result<Value, GenerateError> {
    let mut generator = ValueGenerator::new(schema.clone())?;
    let mut arguments = generator.value(Mode::Plausible, seeded)?;
    // An id that is made up finds nothing either; an example most likely names something that there is.
    for _ in 0..MOST_DRAWS {
        if names_examples(schema, &arguments) {
            break;
        }
        let others = generator.value(Mode::Plausible, seeded)?;
        if names_examples(schema, &others) {
            arguments = others;
        }
    }
    let properties = schema.get("properties").and_then(Value::as_object);
    let (Some(first), Some(properties)) = (listed.first(), properties) else {
        return Ok(unhurried(tool, &generator, arguments));
    };
    let mut better = arguments.clone();
    for (name, property) in
        properties.iter().filter(|(_, property)| property["format"] == "uri" && property["type"] == "string")
    {
        if let Some(argument) = better.get_mut(name) {
            let named = property.get("default").and_then(Value::as_str).filter(|uri| listed.contains(uri));
            *argument = json!(named.unwrap_or(first));
        }
    }
    let arguments = if generator.allows(&better) { better } else { arguments };
    Ok(unhurried(tool, &generator, arguments))
}

/// How often arguments are drawn again for the sake of examples: one that names a real host is never drawn.
const MOST_DRAWS: usize = 8;

/// Whether each required text for which the schema has examples is one of them.
fn names_examples(schema: &Value, arguments: &Value) -> bool {
    let required =
        schema.get("required").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str);
    required.into_iter().all(|name| {
        let property = &schema["properties"][name];
        let examples = property["examples"].as_array().filter(|_| property["type"] == "string");
        examples.is_none_or(|examples| arguments.get(name).is_none_or(|value| examples.contains(value)))
    })
}

async fn tools_can_be_called(stage: &mut Stage<'_>) {
    let logs = stage.era() == Era::Modern && lists::declares(stage.talk, "logging");
    let over_http = stage.era() == Era::Modern && stage.transport() == Transport::Http;
    let mut requests = VecDeque::new();
    for (index, (name, schema, arguments)) in calls(stage).into_iter().enumerate() {
        let token = if index % 2 == 0 { json!(format!("tour-{index}")) } else { json!(1000 + index) };
        let mut meta = json!({"progressToken": token});
        if logs && index % 2 == 0 {
            meta["io.modelcontextprotocol/logLevel"] = json!("debug");
        }
        let mirrored = if over_http { mirrored_arguments(&schema, &arguments) } else { Vec::new() };
        let params = json!({"name": name, "arguments": arguments, "_meta": meta});
        requests.push_back(prepare(stage, "tools/call", params, mirrored, &name));
    }
    let left = run(stage, requests, |stage, waiting, met| {
        judge_failure(stage, &met.ticket, &met.reply);
        judge_rounds(stage, &waiting.what, &met);
        let arguments = waiting.params["arguments"].clone();
        let (result, tool) = (met.reply.result().cloned(), waiting.what.clone());
        stage.offer.called.push(tool.clone());
        let asked_for_input = met.rounds > 0;
        let (demanded, wishes, took) = (met.demanded, met.wishes, met.took);
        let token = waiting.params["_meta"]["progressToken"].clone();
        let call = Call { tool, arguments, result, asked_for_input, demanded, wishes, token, took };
        stage.offer.calls.push(call);
    })
    .await;
    for name in left {
        let text = format!("no time was left after {} s of calls", BUDGET.as_secs());
        stage.offer.not_called.push((name, Reason::new("no-time", text)));
    }
}

/// A call that was given all that it asked for, and asks for the very same again each time, comes to no end.
fn judge_rounds(stage: &mut Stage<'_>, tool: &str, met: &Met) {
    const ID: &str = "mrtr.retry.completes";
    let again = met.reply.result().filter(|result| mrtr::demands_input(result));
    let (Some(asked), true) = (again.and_then(|result| result.get("inputRequests")), met.same_again) else {
        return;
    };
    // What asks for something that no client gives was not given all.
    let given = again.map(|result| mrtr::wishes(result).len());
    if met.rounds < MOST_ROUNDS
        || asked.as_object().is_none_or(|all| all.is_empty() || given != Some(all.len()))
    {
        return;
    }
    let text =
        format!("`{tool}` was given all that it asked for {MOST_ROUNDS} times, and asks for the same again");
    let seen = breach("no-end", text, &met.ticket, &met.reply).quality();
    stage.judge.broke(ID, seen.expected(&["a result", "another demand"]).pointer("/result/inputRequests"));
}

/// Judges how a tool that was called with valid arguments said that it failed, if it did.
pub(super) fn judge_failure(stage: &mut Stage<'_>, ticket: &Ticket, reply: &Reply) {
    const ID: &str = "tools.call.execution-error-in-result";
    match reply {
        Reply::Result(answer) if answer.message.result().is_some_and(|result| result["isError"] == true) => {
            stage.judge.held(ID);
        }
        Reply::Error(answer) if answer.message.error_code() == Some(-32603) => stage.judge.broke(
            ID,
            breach("internal-error", "a tool that failed was answered with an internal error", ticket, reply)
                .quality()
                .expected(&["a result with `isError: true`"])
                .pointer("/error/code"),
        ),
        _ => {}
    }
}

async fn listed_resources_can_be_read(stage: &mut Stage<'_>) {
    const ID: &str = "resources.list.readable";
    let mut requests = VecDeque::new();
    let mut seen = HashSet::new();
    for resource in stage.offer.resources.clone() {
        let Some(uri) = resource.get("uri").and_then(Value::as_str) else { continue };
        if requests.len() < MOST_READS && seen.insert(uri.to_owned()) {
            requests.push_back(prepare(stage, "resources/read", json!({"uri": uri}), Vec::new(), uri));
        }
    }
    let mut read = 0_u32;
    let mut refused: Vec<Breach> = Vec::new();
    let mut otherwise: Vec<(String, i64)> = Vec::new();
    run(stage, requests, |stage, waiting, met| match &met.reply {
        Reply::Result(_) => {
            read += 1;
            let listed = stage.offer.resources.iter().find(|resource| resource["uri"] == *waiting.what);
            if let Some((wanted, got)) = listed.and_then(|listed| media_types(listed, &met.reply)) {
                stage.judge.decide(AGREE, wanted == got, || {
                    let text = "a listed resource is read with another media type";
                    breach("media-type", text, &met.ticket, &met.reply)
                        .quality()
                        .expected(&[&format!("`{wanted}`, as in the list")])
                        .actual(format!("`{got}`"))
                        .pointer("/result/contents/0/mimeType")
                });
            }
            match (listed.and_then(size), length(&met.reply)) {
                (Some(size), Some(length)) if size == length => stage.judge.held(SIZE),
                (Some(_), Some(length)) => otherwise.push((waiting.what.clone(), length)),
                _ => {}
            }
        }
        // What is listed under https: may be for the client to fetch.
        Reply::Error(answer) if !waiting.what.starts_with("https:") => {
            let code = answer.message.error_code();
            if matches!(code, Some(-32002 | -32601 | -32602)) {
                refused.push(
                    breach("not-found", "a listed resource cannot be read", &met.ticket, &met.reply)
                        .expected(&["its contents"])
                        .pointer("/error"),
                );
            }
        }
        _ => {}
    })
    .await;
    match (read, refused.into_iter().next()) {
        (0, None) => {}
        (_, None) => stage.judge.held(ID),
        (0, Some(all)) if stage.era() == Era::Legacy => stage.judge.broke(ID, all),
        // One that is gone, or not for everybody, is a lesser matter.
        (_, Some(some)) => stage.judge.broke(ID, some.quality()),
    }
    if let Some((uri, length)) = otherwise.into_iter().next() {
        judge_size(stage, &uri, length).await;
    }
}

async fn linked_resources_can_be_read(stage: &mut Stage<'_>) {
    if !stage.offer.listed.contains(&"resources/list") {
        return;
    }
    let mut uris: Vec<(&'static str, String)> = Vec::new();
    for call in &stage.offer.calls {
        let blocks = call.result.as_ref().and_then(|result| result.get("content")?.as_array());
        for block in blocks.into_iter().flatten() {
            let found = match block.get("type").and_then(Value::as_str) {
                Some("resource_link") => block.get("uri").map(|uri| ("tools.content.link-fetchable", uri)),
                Some("resource") => {
                    block.pointer("/resource/uri").map(|uri| ("tools.content.embedded-refetchable", uri))
                }
                _ => None,
            };
            let Some((id, uri)) = found.and_then(|(id, uri)| Some((id, uri.as_str()?))) else { continue };
            // What lies on the web is fetched there.
            if !uri.starts_with("http") && uris.len() < 10 && !uris.iter().any(|(_, known)| known == uri) {
                uris.push((id, uri.to_owned()));
            }
        }
    }
    for (id, uri) in uris {
        let (ticket, reply) = stage.request("resources/read", json!({"uri": uri})).await;
        match &reply {
            Reply::Result(_) => stage.judge.held(id),
            Reply::Error(_) => stage.judge.broke(
                id,
                breach(
                    "not-found",
                    format!("`{uri}`, which a tool result names, cannot be read"),
                    &ticket,
                    &reply,
                )
                .quality()
                .expected(&["its contents"])
                .pointer("/error"),
            ),
            _ => {}
        }
    }
    expand_templates(stage).await;
}

/// Reads what templates come to: with a value that the server suggests it has to be there, under a made-up name it
/// need not.
async fn expand_templates(stage: &mut Stage<'_>) {
    const ID: &str = "resources.templates.expandable";
    let named = stage.offer.templates.iter().filter_map(|template| template.get("uriTemplate")?.as_str());
    let templates: Vec<String> = named.take(MOST_TEMPLATES).map(str::to_owned).collect();
    for template in &templates {
        let Some(uri) = suggested(stage, template).await else { continue };
        let (ticket, reply) = stage.request("resources/read", json!({"uri": uri})).await;
        match &reply {
            Reply::Result(_) => stage.judge.held(ID),
            // Not everything that is suggested need be for everybody.
            Reply::Error(_) if !matches!(reply.status(), Some(401 | 403)) => stage.judge.broke(
                ID,
                breach(
                    "suggested",
                    format!(
                        "`{uri}`, made from a template with a value that completion suggests, cannot be read"
                    ),
                    &ticket,
                    &reply,
                )
                .quality()
                .expected(&["its contents"])
                .pointer("/error"),
            ),
            _ => {}
        }
    }
    let Some(uri) = templates.first().and_then(|template| expanded(template, "1")) else { return };
    let (ticket, reply) = stage.request("resources/read", json!({"uri": uri})).await;
    match &reply {
        // That nothing is there under a made-up name is an answer too.
        Reply::Result(_) => stage.judge.held(ID),
        Reply::Error(answer) if stage.era() == Era::Legacy && says_not_found(answer) => stage.judge.held(ID),
        Reply::Error(answer) => stage.judge.decide(ID, answer.message.error_code() != Some(-32603), || {
            breach(
                "internal-error",
                format!("`{uri}`, made from a template, leads to an internal error"),
                &ticket,
                &reply,
            )
            .quality()
            .expected(&["its contents", "a not-found error"])
            .pointer("/error/code")
        }),
        _ => {}
    }
}

/// A template with one variable, expanded with a value that the server suggests for it; `None` where it suggests none
/// that can stand in a URI as it is.
async fn suggested(stage: &mut Stage<'_>, template: &str) -> Option<String> {
    let variables = template_variables(template);
    let [variable] = variables.as_slice() else { return None };
    let simple =
        template.contains(&format!("{{{variable}}}")) || template.contains(&format!("{{+{variable}}}"));
    if !simple || !completion::is_offered(stage) {
        return None;
    }
    let reference = json!({"type": "ref/resource", "uri": template});
    let (_, reply) = stage.request("completion/complete", completion::complete(&reference, variable)).await;
    let values = reply.result()?.pointer("/completion/values")?.as_array()?;
    let plain = |value: &&str| {
        let unreserved = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
        !value.is_empty() && value.bytes().all(unreserved)
    };
    expanded(template, values.iter().filter_map(Value::as_str).find(plain)?)
}

/// Whether the text of an error says that there is no such thing, whatever its code.
fn says_not_found(answer: &Answer) -> bool {
    let text = answer.message.error().and_then(|error| error.get("message")?.as_str());
    let text = text.unwrap_or_default().to_ascii_lowercase();
    ["not found", "no such", "unknown", "not exist"].iter().any(|words| text.contains(words))
}

/// A template with a value for each simple variable; `None` for one with operators.
fn expanded(template: &str, value: &str) -> Option<String> {
    let mut uri = String::new();
    let mut rest = template;
    while let Some((before, after)) = rest.split_once('{') {
        let (variable, after) = after.split_once('}')?;
        if variable.starts_with(['#', '.', '/', ';', '?', '&']) {
            return None;
        }
        uri.push_str(before);
        uri.push_str(value);
        rest = after;
    }
    uri.push_str(rest);
    Some(uri)
}

const SIZE: &str = "resources.definition.size-accurate";
const AGREE: &str = "property.lists.agree";

/// The media types of a listed resource and of the same one when it is read, parameters and case aside.
fn media_types(listed: &Value, reply: &Reply) -> Option<(String, String)> {
    let item = reply.result()?.get("contents")?.as_array()?.first()?;
    let essence = |of: &Value| {
        let text = of.get("mimeType")?.as_str()?;
        Some(text.split(';').next()?.trim().to_ascii_lowercase())
    };
    let same = item.get("uri")? == listed.get("uri")?;
    Some((essence(listed)?, essence(item)?)).filter(|_| same)
}

/// The size that a listed resource claims, in bytes.
fn size(resource: &Value) -> Option<i64> {
    resource.get("size")?.as_i64()
}

/// The bytes of what was read, where it is one text or one blob.
fn length(reply: &Reply) -> Option<i64> {
    let [item] = reply.result()?.get("contents")?.as_array()?.as_slice() else { return None };
    let text = item.get("text").and_then(Value::as_str).map(str::len);
    let blob = item.get("blob").and_then(Value::as_str).and_then(crate::monitors::base64_length);
    i64::try_from(text.or(blob)?).ok()
}

/// A resource was as long as this, and listed with another size. It may have changed in between, so it is listed and read
/// once more.
async fn judge_size(stage: &mut Stage<'_>, uri: &str, before: i64) {
    let listed = super::lists::entry(stage.talk, &super::lists::RESOURCES, uri).await;
    let Some(size) = listed.as_ref().and_then(size) else { return };
    let outgoing = stage.talk.compose("resources/read", json!({"uri": uri}));
    let ticket = stage.talk.send(outgoing).await;
    let reply = stage.talk.reply(&ticket).await;
    match length(&reply) {
        Some(now) if now == size => stage.judge.held(SIZE),
        Some(now) if now == before => {
            let text = "the size of a listed resource is not that of its contents";
            stage.judge.broke(
                SIZE,
                breach("other-size", text, &ticket, &reply)
                    .quality()
                    .expected(&[&format!("{size} bytes")])
                    .actual(format!("{now} bytes"))
                    .pointer("/result/contents/0"),
            );
        }
        _ => stage.judge.undecided(SIZE, "changes", "the resource changes while it is looked at"),
    }
}

/// A prompt's arguments, the required ones filled in: what is named a URI with that of a listed resource.
pub(super) fn prompt_arguments(prompt: &Value, resources: &[Value]) -> Map<String, Value> {
    let uri = resources.iter().find_map(|resource| resource.get("uri")?.as_str());
    let value = |name: &str| {
        let names_uri = name.to_ascii_lowercase().ends_with("uri");
        json!(uri.filter(|_| names_uri).unwrap_or("mcprove"))
    };
    let declared = prompt.get("arguments").and_then(Value::as_array);
    declared
        .into_iter()
        .flatten()
        .filter(|argument| argument["required"] == true)
        .filter_map(|argument| argument.get("name")?.as_str())
        .map(|name| (name.to_owned(), value(name)))
        .collect()
}

async fn listed_prompts_can_be_got(stage: &mut Stage<'_>) {
    const ID: &str = "prompts.get.internal-error-code";
    let mut requests = VecDeque::new();
    let mut seen = HashSet::new();
    for prompt in stage.offer.prompts.clone() {
        let Some(name) = prompt.get("name").and_then(Value::as_str) else { continue };
        if requests.len() < MOST_GETS && seen.insert(name.to_owned()) {
            let arguments = prompt_arguments(&prompt, &stage.offer.resources);
            let params = if arguments.is_empty() {
                json!({"name": name})
            } else {
                json!({"name": name, "arguments": arguments})
            };
            requests.push_back(prepare(stage, "prompts/get", params, Vec::new(), name));
        }
    }
    run(stage, requests, |stage, waiting, met| {
        let Reply::Error(answer) = &met.reply else {
            if met.reply.result().is_some() {
                stage.judge.held(AGREE);
            }
            return;
        };
        // There are no arguments that could be wrong.
        let prompt = stage.offer.prompts.iter().find(|prompt| prompt["name"] == waiting.what.as_str());
        let declared = prompt.and_then(|prompt| prompt.get("arguments")?.as_array());
        let needed = |argument: &Value| argument.get("required").is_some_and(|required| *required != false);
        let bare = waiting.params.get("arguments").is_none() && !declared.into_iter().flatten().any(needed);
        if bare && met.reply.error_code() == Some(-32602) && says_not_found(answer) {
            let text = format!("`{}` is listed, and is not known when it is got", waiting.what);
            let seen = breach("unknown", text, &met.ticket, &met.reply).quality();
            return stage.judge.broke(AGREE, seen.expected(&["the prompt"]).pointer("/error/message"));
        }
        match met.reply.error_code() {
            Some(-32603) => stage.judge.held(ID),
            Some(-32602 | -32600)
                if bare && !says_not_found(answer) && !matches!(met.reply.status(), Some(401 | 403)) =>
            {
                let text = format!(
                    "`{}`, which needs no arguments, failed with a code that blames them",
                    waiting.what
                );
                let seen = breach("blames", text, &met.ticket, &met.reply).quality();
                stage.judge.broke(
                    ID,
                    seen.expected(&["error -32603 (internal error) where the server failed"])
                        .pointer("/error/code"),
                );
            }
            _ => {}
        }
    })
    .await;
}

/// The lists that a server was seen to serve.
pub(super) fn served(stage: &Stage<'_>) -> Vec<&'static lists::List> {
    [&TOOLS, &RESOURCES, &TEMPLATES, &PROMPTS]
        .into_iter()
        .filter(|list| stage.offer.listed.contains(&list.method))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seeds_differ_by_name_and_stay() {
        assert_eq!(seed_for(1, "echo"), seed_for(1, "echo"));
        assert_ne!(seed_for(1, "echo"), seed_for(1, "add"));
        assert_ne!(seed_for(1, "echo"), seed_for(2, "echo"));
    }

    #[test]
    fn templates_are_expanded() {
        assert_eq!(expanded("a://{b}/c/{+d}", "1").as_deref(), Some("a://1/c/1"));
        assert_eq!(expanded("a://b{?q}", "1"), None);
        assert_eq!(expanded("a://{b", "1"), None);
    }

    #[test]
    fn a_listed_uri_is_better_than_a_made_up_one() {
        let schema = json!({"type": "object", "properties": {"uri": {"type": "string", "format": "uri"}},
            "required": ["uri"]});
        let listed = ["note://welcome", "note://touches"];
        let made = made_up("tool", &schema, &listed, &mut Seeded::new(1)).unwrap();
        assert_eq!(made, json!({"uri": "note://welcome"}));
        let again = made_up("tool", &schema, &[], &mut Seeded::new(1)).unwrap();
        assert_eq!(again, made_up("tool", &schema, &[], &mut Seeded::new(1)).unwrap());
        for (default, expected) in [("note://touches", "note://touches"), ("note://gone", "note://welcome")] {
            let mut schema = schema.clone();
            schema["properties"]["uri"]["default"] = json!(default);
            for seed in 0..20 {
                let made = made_up("tool", &schema, &listed, &mut Seeded::new(seed)).unwrap();
                assert_eq!(made, json!({"uri": expected}), "{default}, seed {seed}");
            }
        }
    }

    #[test]
    fn a_required_text_is_an_example_where_there_is_one() {
        let schema = json!({
            "type": "object",
            "properties": {
                "order": {"type": "string", "pattern": "^o-[0-9]{1,9}$", "examples": ["o-5001"]},
                "reason": {"type": "string"},
            },
            "required": ["order", "reason"],
        });
        for seed in 0..50 {
            let made = made_up("tool", &schema, &[], &mut Seeded::new(seed)).unwrap();
            assert_eq!(made["order"], "o-5001", "{seed}: {made}");
        }
        // One that names a host of somebody is not used.
        let real = json!({"type": "object", "properties": {"url": {"type": "string", "examples": ["https://github.com/"]}},
            "required": ["url"]});
        let made = made_up("tool", &real, &[], &mut Seeded::new(1)).unwrap();
        assert!(!made["url"].as_str().unwrap().contains("github"), "{made}");
    }

    #[test]
    fn only_required_arguments_are_filled_in() {
        let prompt = json!({"name": "p", "arguments": [{"name": "a", "required": true}, {"name": "b"}]});
        assert_eq!(Value::Object(prompt_arguments(&prompt, &[])), json!({"a": "mcprove"}));
        let prompt = json!({"arguments": [{"name": "noteUri", "required": true}]});
        let resources = [json!({"uri": "note://a"})];
        assert_eq!(Value::Object(prompt_arguments(&prompt, &resources)), json!({"noteUri": "note://a"}));
    }
}
