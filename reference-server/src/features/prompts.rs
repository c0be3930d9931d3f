//! Prompts: how they are listed, and how one is filled in.

use std::pin::Pin;
use std::sync::LazyLock;

use serde_json::{Value, json};

use crate::context::RequestContext;
use crate::features::prompt_set::PROMPTS;
use crate::features::{Content, Icon, ListKind, Stop, page};
use crate::message::{Object, RpcError, optional_object, string};
use crate::revision::Revision;
use crate::server::Server;

/// A template of messages.
pub(crate) struct Prompt {
    pub name: &'static str,
    pub title: &'static str,
    pub description: &'static str,
    pub arguments: &'static [Argument],
    /// The first revision that has it.
    pub since: Revision,
    pub icon: Option<Icon>,
    pub fill: Fill,
}

/// Makes the messages from the arguments, each of them a string, the required ones all there.
pub(crate) enum Fill {
    Now(fn(&Filling<'_>) -> Result<Vec<Message>, RpcError>),
    /// Asks the client first.
    Later(for<'a> fn(&'a Filling<'a>) -> FillFuture<'a>),
}

pub(crate) type FillFuture<'a> = Pin<Box<dyn Future<Output = Result<Vec<Message>, Stop>> + Send + 'a>>;

/// Who speaks, and what.
pub(crate) type Message = (&'static str, Content);

/// An argument of a prompt, always a string.
pub(crate) struct Argument {
    pub name: &'static str,
    pub title: &'static str,
    pub description: &'static str,
    pub required: bool,
}

impl Prompt {
    /// The prompt in the form of a revision, as `prompts/list` shows it.
    pub(crate) fn definition(&self, revision: Revision) -> Value {
        let arguments: Vec<Value> = self
            .arguments
            .iter()
            .map(|argument| {
                let mut value = json!({
                    "name": argument.name, "description": argument.description, "required": argument.required,
                });
                if revision.has_titles() {
                    value["title"] = argument.title.into();
                }
                value
            })
            .collect();
        let mut definition = json!({"name": self.name, "description": self.description});
        if revision.has_titles() {
            definition["title"] = self.title.into();
        }
        if !arguments.is_empty() {
            definition["arguments"] = arguments.into();
        }
        if let Some(icon) = self.icon {
            icon.add_to(&mut definition, revision);
        }
        definition
    }
}

/// What the messages of a prompt are made from.
pub(crate) struct Filling<'a> {
    pub context: &'a RequestContext,
    pub arguments: &'a Object,
}

impl<'a> Filling<'a> {
    pub(crate) fn argument(&self, name: &str) -> Option<&'a str> {
        self.arguments.get(name).and_then(Value::as_str)
    }

    /// An argument that is known to be there.
    pub(crate) fn required(&self, name: &str) -> &'a str {
        self.argument(name).unwrap_or_default()
    }
}

fn find(name: &str) -> Option<&'static Prompt> {
    PROMPTS.iter().find(|prompt| prompt.name == name)
}

/// The error for a name that no prompt has.
pub(crate) fn unknown_prompt() -> RpcError {
    RpcError::invalid_params("Invalid params: unknown prompt")
}

/// The names of the arguments of a prompt.
pub(crate) fn prompt_arguments(name: &str) -> Result<impl Iterator<Item = &'static str>, RpcError> {
    Ok(find(name).ok_or_else(unknown_prompt)?.arguments.iter().map(|argument| argument.name))
}

/// `prompts/list`.
pub(crate) fn list_prompts(server: &Server, revision: Revision, params: &Object) -> Result<Object, RpcError> {
    static DEFINITIONS: LazyLock<[Vec<Value>; 5]> = LazyLock::new(|| {
        Revision::ALL.map(|revision| {
            let listed = PROMPTS.iter().filter(|prompt| revision >= prompt.since);
            listed.map(|prompt| prompt.definition(revision)).collect()
        })
    });
    page(server, ListKind::Prompts, params, DEFINITIONS[revision.index()].iter())
}

/// `prompts/get`.
pub(crate) async fn get_prompt(context: &RequestContext) -> Result<Object, RpcError> {
    fill_prompt(context, find(string(&context.request.params, "name")?)).await
}

/// `prompts/get` for the prompt that has the name, if there is one.
pub(crate) async fn fill_prompt(
    context: &RequestContext,
    prompt: Option<&Prompt>,
) -> Result<Object, RpcError> {
    let (revision, params) = (context.revision, &context.request.params);
    let prompt = prompt.filter(|prompt| revision >= prompt.since).ok_or_else(unknown_prompt)?;
    let empty = Object::new();
    let arguments = optional_object(params, "arguments")?.unwrap_or(&empty);
    if arguments.values().any(|value| !value.is_string()) {
        return Err(RpcError::invalid_params("Invalid params: prompt arguments must be strings"));
    }
    let mut required = prompt.arguments.iter().filter(|argument| argument.required);
    if let Some(missing) = required.find(|argument| !arguments.contains_key(argument.name)) {
        let name = missing.name;
        return Err(RpcError::invalid_params(format!("Invalid params: argument {name} is missing")));
    }
    let filling = Filling { context, arguments };
    let messages = match prompt.fill {
        Fill::Now(fill) => fill(&filling)?,
        Fill::Later(fill) => match fill(&filling).await {
            Ok(messages) => messages,
            Err(stop) => return stop.into_result(),
        },
    };
    let messages: Vec<Value> = messages
        .into_iter()
        .map(|(role, content)| json!({"role": role, "content": content.to_value(revision)}))
        .collect();
    let mut result = Object::new();
    result.insert("description".into(), prompt.description.into());
    result.insert("messages".into(), messages.into());
    Ok(result)
}
