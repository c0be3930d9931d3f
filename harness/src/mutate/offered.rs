//! What a server offers, as far as programs need to know.

use super::dictionary::Dictionary;
use super::program::Filter;
use super::words::value_with;
use crate::generate::{Choices, GenerateError, Mode, ValueGenerator};
use crate::protocol::{Era, Revision};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// A list that a server has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Listing {
    /// `tools/list`.
    Tools,
    /// `resources/list`.
    Resources,
    /// `resources/templates/list`.
    Templates,
    /// `prompts/list`.
    Prompts,
}

impl Listing {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Tools, Self::Resources, Self::Templates, Self::Prompts];

    /// The method.
    pub const fn method(self) -> &'static str {
        match self {
            Self::Tools => "tools/list",
            Self::Resources => "resources/list",
            Self::Templates => "resources/templates/list",
            Self::Prompts => "prompts/list",
        }
    }

    /// The capability under which a server declares it.
    const fn capability(self) -> &'static str {
        match self {
            Self::Tools => "tools",
            Self::Resources | Self::Templates => "resources",
            Self::Prompts => "prompts",
        }
    }
}

/// Makes and judges arguments.
#[derive(Debug)]
pub(super) struct Arguments(Mutex<ValueGenerator>);

impl Arguments {
    fn new(schema: Value) -> Result<Self, GenerateError> {
        ValueGenerator::new(schema).map(|generator| Self(Mutex::new(generator)))
    }

    /// A generator that panicked is as good as before: it keeps nothing of a value that it makes.
    fn generator(&self) -> MutexGuard<'_, ValueGenerator> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether they fit their schema.
    pub(super) fn allows(&self, arguments: &Value) -> bool {
        arguments.is_object() && self.generator().allows(arguments)
    }

    /// Some that do.
    pub(super) fn draw(&self, words: &Dictionary, choices: &mut dyn Choices) -> Option<Value> {
        let mode = *choices.pick(&[Mode::Plausible, Mode::Minimal, Mode::Varied, Mode::Varied])?;
        value_with(&mut self.generator(), mode, words, choices).ok()
    }
}

/// What a server offers, and what makes arguments for it. Whoever makes it decides which tools may be called: those that
/// are left out never are.
#[derive(Debug)]
pub struct Offered {
    pub(super) era: Era,
    pub(super) tools: BTreeMap<String, Arguments>,
    pub(super) prompts: BTreeMap<String, Arguments>,
    pub(super) resources: Vec<String>,
    pub(super) lists: Vec<Listing>,
    /// Whether single resources can be subscribed to.
    pub(super) subscribes: bool,
    /// What can be listened for in the modern era.
    pub(super) listens: Filter,
    pub(super) dictionary: Dictionary,
}

impl Offered {
    /// What a server with these `capabilities` offers in a revision: entries of `tools/list`, `prompts/list` and
    /// `resources/list`.
    ///
    /// # Errors
    /// When a tool or a prompt has no name, or an input schema of which no values can be made.
    pub fn new(
        revision: Revision,
        capabilities: &Value,
        tools: &[Value],
        prompts: &[Value],
        resources: &[Value],
    ) -> Result<Self, GenerateError> {
        let named = |entry: &Value| {
            let name = entry.get("name").and_then(Value::as_str).map(str::to_owned);
            name.ok_or_else(|| GenerateError::InvalidSchema("an entry without a name".to_owned()))
        };
        let has = |path: &str| capabilities.pointer(path).is_some_and(|value| !value.is_null());
        let says = |path: &str| capabilities.pointer(path) == Some(&Value::Bool(true));
        let any_tools = tools.iter().map(|tool| {
            let schema = tool.get("inputSchema").cloned().unwrap_or_else(|| json!({"type": "object"}));
            Ok((named(tool)?, Arguments::new(schema)?))
        });
        let any_prompts =
            prompts.iter().map(|prompt| Ok((named(prompt)?, Arguments::new(of_prompt(prompt))?)));
        let uris = resources.iter().filter_map(|resource| resource.get("uri")?.as_str()).map(str::to_owned);
        let resources: Vec<String> = uris.collect();
        let subscribes = says("/resources/subscribe");
        Ok(Self {
            era: revision.era(),
            tools: any_tools.collect::<Result<_, GenerateError>>()?,
            prompts: any_prompts.collect::<Result<_, GenerateError>>()?,
            lists: Listing::ALL.into_iter().filter(|list| has(&format!("/{}", list.capability()))).collect(),
            listens: Filter {
                tools: says("/tools/listChanged"),
                prompts: says("/prompts/listChanged"),
                resources: says("/resources/listChanged"),
                uris: if subscribes { resources.clone() } else { Vec::new() },
            },
            resources,
            subscribes,
            dictionary: Dictionary::default(),
        })
    }

    /// With words for arguments.
    #[must_use]
    pub fn with_words(mut self, dictionary: Dictionary) -> Self {
        self.dictionary = dictionary;
        self
    }

    /// The era in which it is offered.
    pub fn era(&self) -> Era {
        self.era
    }
}

/// The schema of a prompt's arguments, which are texts.
fn of_prompt(prompt: &Value) -> Value {
    let arguments = prompt.get("arguments").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
    let mut properties = serde_json::Map::new();
    let mut required = Vec::new();
    for argument in arguments {
        let Some(name) = argument.get("name").and_then(Value::as_str) else { continue };
        properties.insert(name.to_owned(), json!({"type": "string"}));
        if argument["required"] == true {
            required.push(name);
        }
    }
    json!({"type": "object", "properties": properties, "required": required, "additionalProperties": false})
}
