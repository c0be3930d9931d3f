//! Prompts: templates of messages with string arguments.

use serde_json::{Value, json};

use crate::features::{Content, ListKind, page, read_resource};
use crate::message::{Object, RpcError, optional_object, string};
use crate::revision::Revision;
use crate::server::Server;

struct Prompt {
    name: &'static str,
    title: &'static str,
    description: &'static str,
    arguments: &'static [Argument],
}

struct Argument {
    name: &'static str,
    title: &'static str,
    description: &'static str,
    required: bool,
}

const PROMPTS: [Prompt; 6] = [
    Prompt {
        name: "simple",
        title: "Simple prompt",
        description: "One message, no arguments",
        arguments: &[],
    },
    Prompt {
        name: "greet",
        title: "Greeting",
        description: "Greets somebody in a style",
        arguments: &[
            Argument { name: "name", title: "Name", description: "Whom to greet", required: true },
            Argument {
                name: "style",
                title: "Style",
                description: "How to greet: formal, friendly or short",
                required: false,
            },
        ],
    },
    Prompt {
        name: "travel",
        title: "Travel advice",
        description: "Asks for advice on a city",
        arguments: &[
            Argument { name: "country", title: "Country", description: "The country", required: true },
            Argument { name: "city", title: "City", description: "A city in it", required: true },
        ],
    },
    Prompt {
        name: "summarise_note",
        title: "Summarise a note",
        description: "Embeds a resource and asks for a summary",
        arguments: &[Argument {
            name: "uri",
            title: "URI",
            description: "URI of a resource of this server",
            required: true,
        }],
    },
    Prompt {
        name: "describe_image",
        title: "Describe an image",
        description: "Shows an image and asks what is on it",
        arguments: &[],
    },
    Prompt {
        name: "conversation",
        title: "Conversation",
        description: "Several messages of both roles",
        arguments: &[Argument {
            name: "topic",
            title: "Topic",
            description: "What it is about",
            required: false,
        }],
    },
];

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
        definition
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
    let definitions: Vec<Value> = PROMPTS.iter().map(|prompt| prompt.definition(revision)).collect();
    let size = server.config().page_size;
    page(server.seal(), ListKind::Prompts, size, params, "prompts", definitions.iter())
}

/// `prompts/get`.
pub(crate) fn get_prompt(server: &Server, revision: Revision, params: &Object) -> Result<Object, RpcError> {
    let prompt = find(string(params, "name")?)?;
    let empty = Object::new();
    let given = optional_object(params, "arguments")?.unwrap_or(&empty);
    if given.values().any(|value| !value.is_string()) {
        return Err(RpcError::invalid_params("Invalid params: prompt arguments must be strings"));
    }
    let argument = |name: &str| given.get(name).and_then(Value::as_str);
    for known in prompt.arguments.iter().filter(|known| known.required) {
        if argument(known.name).is_none() {
            let name = known.name;
            return Err(RpcError::invalid_params(format!("Invalid params: argument {name} is missing")));
        }
    }
    let text = |role: &'static str, text: String| (role, Content::Text(text));
    let required = |name: &str| argument(name).unwrap_or_default();
    let messages = match prompt.name {
        "simple" => vec![text("user", "Say hello.".to_owned())],
        "greet" => {
            let style = argument("style").unwrap_or("friendly");
            vec![text("user", format!("Greet {} in a {style} style.", required("name")))]
        }
        "travel" => {
            vec![text("user", format!("What should I see in {}, {}?", required("city"), required("country")))]
        }
        "summarise_note" => {
            let resource = read_resource(server, revision, given)
                .map_err(|_| RpcError::invalid_params("Invalid params: uri names no resource"))?;
            vec![
                ("user", Content::Embedded(resource["contents"][0].clone())),
                text("user", "Summarise the note above.".to_owned()),
            ]
        }
        "describe_image" => vec![("user", Content::Image), text("user", "What is on this image?".to_owned())],
        _ => {
            let topic = argument("topic").unwrap_or("the weather");
            vec![
                text("user", format!("Let us talk about {topic}.")),
                text("assistant", "Gladly. Where shall we begin?".to_owned()),
                text("user", "At the beginning.".to_owned()),
            ]
        }
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
