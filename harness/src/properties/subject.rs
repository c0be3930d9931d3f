//! What can be called with arguments, and what it says of itself.

use super::pool::Pool;
use super::spice::spiced;
use crate::generate::{Choices, GenerateError, Mode, Target, ValueGenerator, unhurried};
use crate::monitors::Tool;
use serde_json::{Map, Value, json};

/// The most different words of a tool's own texts that are kept.
const MOST_WORDS: usize = 40;
/// The most near misses and edges of one schema that are walked.
const MOST_TARGETS: usize = 400;

/// What a subject is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum What {
    /// A tool, called by `tools/call`.
    Tool,
    /// A prompt, got by `prompts/get`.
    Prompt,
}

/// Something that can be called with arguments.
#[derive(Debug)]
pub struct Subject {
    /// Its name.
    pub name: String,
    /// What it is.
    pub what: What,
    /// Whether it says that it changes nothing (`readOnlyHint`); prompts do not.
    pub read_only: bool,
    /// Whether it says that the same call once more changes nothing further (`idempotentHint`).
    pub idempotent: bool,
    /// Makes arguments.
    pub(super) generator: ValueGenerator,
    /// Judges results.
    pub(super) tool: Tool,
    pub(super) edges: Vec<Target>,
    pub(super) misses: Vec<Target>,
    /// Words of its own texts.
    pub(super) words: Vec<String>,
}

impl Subject {
    /// A tool by its entry in `tools/list`; `None` where it has no name.
    ///
    /// # Errors
    /// When its `inputSchema` is none that can be worked with.
    pub fn of_tool(tool: &Value) -> Result<Option<Self>, GenerateError> {
        let Some(name) = tool.get("name").and_then(Value::as_str) else { return Ok(None) };
        let schema = tool.get("inputSchema").cloned().unwrap_or_else(|| json!({"type": "object"}));
        let hint = |hint: &str| tool.pointer(&format!("/annotations/{hint}")) == Some(&Value::Bool(true));
        let mut subject = Self::new(name, What::Tool, schema, tool)?;
        (subject.read_only, subject.idempotent) = (hint("readOnlyHint"), hint("idempotentHint"));
        Ok(Some(subject))
    }

    /// A prompt by its entry in `prompts/list`; `None` where it has no name. Its arguments are texts.
    ///
    /// # Errors
    /// Never for a list as the schema of the protocol has it.
    pub fn of_prompt(prompt: &Value) -> Result<Option<Self>, GenerateError> {
        let Some(name) = prompt.get("name").and_then(Value::as_str) else { return Ok(None) };
        let (mut properties, mut required) = (Map::new(), Vec::new());
        for argument in prompt.get("arguments").and_then(Value::as_array).into_iter().flatten() {
            let Some(name) = argument.get("name").and_then(Value::as_str) else { continue };
            properties.insert(name.to_owned(), json!({"type": "string", "minLength": 1, "maxLength": 200}));
            if argument.get("required") == Some(&Value::Bool(true)) {
                required.push(name);
            }
        }
        let schema = json!({"type": "object", "properties": properties, "required": required,
            "additionalProperties": false});
        let mut subject = Self::new(name, What::Prompt, schema, prompt)?;
        subject.read_only = true;
        // Only the names of its arguments are told, so that only what is missing is wrong for sure.
        subject.misses.retain(|miss| miss.keyword == "required");
        Ok(Some(subject))
    }

    fn new(name: &str, what: What, schema: Value, definition: &Value) -> Result<Self, GenerateError> {
        let mut generator = ValueGenerator::new(schema)?;
        let mut edges = generator.edges().list;
        edges.truncate(MOST_TARGETS);
        let mut misses: Vec<Target> = generator.breakable().list;
        misses.retain(|miss| tells(&miss.keyword));
        misses.truncate(MOST_TARGETS);
        let words = words(definition);
        let (read_only, idempotent) = (false, false);
        let tool = Tool::new(definition.clone());
        Ok(Self { name: name.to_owned(), what, read_only, idempotent, generator, tool, edges, misses, words })
    }

    /// The method that calls it.
    pub fn method(&self) -> &'static str {
        match self.what {
            What::Tool => "tools/call",
            What::Prompt => "prompts/get",
        }
    }

    /// What it is called, for people.
    pub fn title(&self) -> String {
        match self.what {
            What::Tool => format!("tool `{}`", self.name),
            What::Prompt => format!("prompt `{}`", self.name),
        }
    }

    /// The schema of its arguments.
    pub fn schema(&self) -> &Value {
        self.generator.original()
    }

    /// Whether it takes these arguments, formats included.
    pub fn takes(&self, arguments: &Value) -> bool {
        self.generator.allows_strictly(arguments)
    }

    /// Whether it takes these arguments, whatever formats say.
    pub fn allows(&self, arguments: &Value) -> bool {
        self.generator.allows(arguments)
    }

    /// Valid arguments, every other time with something stranger in them: a text that programs forget, a number at the
    /// edge of a type.
    ///
    /// # Errors
    /// When its schema allows nothing, or nothing that can be found.
    pub fn drawn(&mut self, mode: Mode, choices: &mut dyn Choices) -> Result<Value, GenerateError> {
        let made = self.generator.value(mode, choices)?;
        Ok(if choices.flip() { spiced(self, made, &Pool::default(), choices) } else { made })
    }

    /// Whether its schema surely refuses these arguments.
    pub fn refuses(&self, arguments: &Value) -> bool {
        self.generator.judges(arguments) == Some(false)
    }

    /// The arguments with short times where they say how long something is to take.
    pub(super) fn unhurried(&self, arguments: Value) -> Value {
        unhurried(&self.name, &self.generator, arguments)
    }

    /// Whether there is nothing to choose.
    pub(super) fn takes_nothing(&self) -> bool {
        let members = self.schema().get("properties").and_then(Value::as_object);
        members.is_none_or(Map::is_empty)
            && !self.schema().as_object().is_some_and(|schema| {
                ["oneOf", "anyOf", "allOf", "$ref", "patternProperties"]
                    .iter()
                    .any(|name| schema.contains_key(*name))
            })
    }
}

/// Keywords of which a breach is a breach: what is more than was asked for is a server's to ignore, a text for a number
/// its to convert where that can be done.
fn tells(keyword: &str) -> bool {
    !matches!(
        keyword,
        "additionalProperties"
            | "unevaluatedProperties"
            | "additionalItems"
            | "unevaluatedItems"
            | "format"
            | "dependentRequired"
            | "dependentSchemas"
            | "dependencies"
            | "not"
            | "if"
            | "propertyNames"
            | "contains"
            | "minContains"
            | "maxContains"
    )
}

/// The words of a definition's texts: names, examples in prose.
fn words(definition: &Value) -> Vec<String> {
    let mut found: Vec<String> = Vec::new();
    let mut open = vec![definition];
    while let Some(value) = open.pop() {
        match value {
            Value::String(text) => {
                for word in text.split(|c: char| !(c.is_alphanumeric() || c == '-' || c == '_')) {
                    let length = word.chars().count();
                    if (2..=30).contains(&length)
                        && found.len() < MOST_WORDS
                        && !found.iter().any(|w| w == word)
                    {
                        found.push(word.to_owned());
                    }
                }
            }
            Value::Array(elements) => open.extend(elements),
            Value::Object(members) => open.extend(members.values()),
            _ => {}
        }
    }
    found
}
