//! Prompts: how they are listed, and how one is filled in.

use std::sync::LazyLock;

use serde_json::{Value, json};

use crate::features::prompt_set::PROMPTS;
use crate::features::{Content, Icon, ListKind, page};
use crate::message::{Object, RpcError, optional_object, string};
use crate::revision::Revision;
use crate::server::Server;

/// A template of messages.
pub(super) struct Prompt {
    pub name: &'static str,
    pub title: &'static str,
    pub description: &'static str,
    pub arguments: &'static [Argument],
    pub icon: Option<Icon>,
    pub fill: Fill,
}

/// Makes the messages from the arguments, each of them a string, the required ones all there.
pub(super) type Fill = fn(&Filling<'_>) -> Result<Vec<Message>, RpcError>;

/// Who speaks, and what.
pub(super) type Message = (&'static str, Content);

/// An argument of a prompt, always a string.
pub(super) struct Argument {
    pub name: &'static str,
    pub title: &'static str,
    pub description: &'static str,
    pub required: bool,
}

impl Prompt {
    fn definition(&self, revision: Revision) -> Value {
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
pub(super) struct Filling<'a> {
    pub server: &'a Server,
    pub revision: Revision,
    pub arguments: &'a Object,
}

impl<'a> Filling<'a> {
    pub(super) fn argument(&self, name: &str) -> Option<&'a str> {
        self.arguments.get(name).and_then(Value::as_str)
    }

    /// An argument that is known to be there.
    pub(super) fn required(&self, name: &str) -> &'a str {
        self.argument(name).unwrap_or_default()
    }
}

fn find(name: &str) -> Result<&'static Prompt, RpcError> {
    PROMPTS
        .iter()
        .find(|prompt| prompt.name == name)
        .ok_or_else(|| RpcError::invalid_params("Invalid params: unknown prompt"))
}

/// The names of the arguments of a prompt.
pub(crate) fn prompt_arguments(name: &str) -> Result<impl Iterator<Item = &'static str>, RpcError> {
    Ok(find(name)?.arguments.iter().map(|argument| argument.name))
}

/// `prompts/list`.
pub(crate) fn list_prompts(server: &Server, revision: Revision, params: &Object) -> Result<Object, RpcError> {
    static DEFINITIONS: LazyLock<[Vec<Value>; 5]> = LazyLock::new(|| {
        Revision::ALL.map(|revision| PROMPTS.iter().map(|prompt| prompt.definition(revision)).collect())
    });
    page(server, ListKind::Prompts, params, DEFINITIONS[revision.index()].iter())
}

/// `prompts/get`.
pub(crate) fn get_prompt(server: &Server, revision: Revision, params: &Object) -> Result<Object, RpcError> {
    let prompt = find(string(params, "name")?)?;
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
    let messages: Vec<Value> = (prompt.fill)(&Filling { server, revision, arguments })?
        .into_iter()
        .map(|(role, content)| json!({"role": role, "content": content.to_value(revision)}))
        .collect();
    let mut result = Object::new();
    result.insert("description".into(), prompt.description.into());
    result.insert("messages".into(), messages.into());
    Ok(result)
}

#[cfg(test)]
mod tests {
    use super::{PROMPTS, get_prompt, list_prompts};
    use crate::message::Object;
    use crate::revision::Revision;
    use crate::server::{Config, Server};
    use serde_json::{Map, json};

    #[test]
    fn every_listed_prompt_can_be_got_and_shows_its_arguments() {
        let server = Server::new(Config::default());
        let listed = list_prompts(&server, Revision::V2026_07_28, &Object::new()).unwrap();
        assert_eq!(listed["prompts"].as_array().unwrap().len(), PROMPTS.len());
        for prompt in PROMPTS {
            let arguments: Map<_, _> = prompt
                .arguments
                .iter()
                .map(|argument| (argument.name.to_owned(), json!(format!("note://{}", "welcome"))))
                .collect();
            let params = json!({"name": prompt.name, "arguments": arguments});
            let result = get_prompt(&server, Revision::V2026_07_28, params.as_object().unwrap()).unwrap();
            let text = result["messages"].to_string();
            assert!(prompt.arguments.is_empty() || text.contains("note://welcome"), "{text}");
        }
    }

    #[test]
    fn a_missing_argument_is_named() {
        let server = Server::new(Config::default());
        let params = json!({"name": "test_prompt_with_arguments", "arguments": {"arg1": "a"}});
        let error = get_prompt(&server, Revision::V2025_11_25, params.as_object().unwrap()).unwrap_err();
        assert!(error.message.contains("arg2"), "{}", error.message);
    }
}
