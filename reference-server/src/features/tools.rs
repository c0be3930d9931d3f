//! Tools: how they are listed, how a call is checked, run and answered.

use std::pin::Pin;

use serde_json::{Value, json};

use crate::context::RequestContext;
use crate::faults::Duty;
use crate::features::tool_set::TOOLS;
use crate::features::{Content, ListKind, Stop, page};
use crate::message::{Object, RpcError, optional_object, string};
use crate::revision::Revision;
use crate::schema;
use crate::server::Server;

/// What a tool returns.
pub(crate) struct ToolResult {
    pub content: Vec<Content>,
    pub structured: Option<Value>,
    pub is_error: bool,
}

impl ToolResult {
    pub(crate) fn text(text: impl Into<String>) -> Self {
        Self::content(vec![Content::Text(text.into())])
    }

    pub(crate) fn content(content: Vec<Content>) -> Self {
        Self { content, structured: None, is_error: false }
    }

    /// A failure inside the tool, which the model may read and mend.
    pub(crate) fn error(text: impl Into<String>) -> Self {
        Self { is_error: true, ..Self::text(text) }
    }

    /// Structured output, with its JSON repeated as text for clients that read only that.
    pub(crate) fn structured(value: Value) -> Self {
        Self { structured: Some(value.clone()), ..Self::text(value.to_string()) }
    }

    fn into_object(self, revision: Revision) -> Object {
        let content: Vec<Value> = self.content.iter().map(|block| block.to_value(revision)).collect();
        let mut result = Object::new();
        result.insert("content".into(), content.into());
        if let Some(structured) = self.structured.filter(|_| revision.has_titles()) {
            result.insert("structuredContent".into(), structured);
        }
        result.insert("isError".into(), self.is_error.into());
        result
    }
}

pub(crate) type ToolOutcome = Result<ToolResult, Stop>;

/// How a tool runs: at once, or waiting on the way.
pub(crate) enum Run {
    Now(fn(&RequestContext, &Object) -> ToolResult),
    Later(for<'a> fn(&'a RequestContext, &'a Object) -> ToolFuture<'a>),
}

/// A tool at work; it may also stop on the way.
pub(crate) type ToolFuture<'a> = Pin<Box<dyn Future<Output = ToolOutcome> + Send + 'a>>;

/// When a tool is listed.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Listed {
    Since(Revision),
    /// Only where the list may change because a client asked for it.
    Legacy,
    /// Only after `toggle_tool` has said so.
    WhenToggled,
}

/// A tool as its author describes it; the form that each revision sees is made from this.
pub(crate) struct Tool {
    pub name: &'static str,
    pub title: &'static str,
    pub description: &'static str,
    pub input: fn() -> Value,
    pub output: Option<fn() -> Value>,
    pub hints: Hints,
    pub listed: Listed,
    pub run: Run,
}

/// What a tool says about its effects.
#[derive(Clone, Copy)]
pub(crate) struct Hints {
    pub read_only: bool,
    pub idempotent: bool,
}

impl Tool {
    fn definition(&self, revision: Revision) -> Value {
        let mut input = (self.input)();
        if !revision.is_modern() {
            remove_annotations(&mut input);
        }
        let mut definition =
            json!({"name": self.name, "description": self.description, "inputSchema": input});
        if revision.has_titles() {
            definition["title"] = self.title.into();
            if let Some(output) = self.output {
                definition["outputSchema"] = output();
            }
        }
        if revision.has_annotations() {
            definition["annotations"] = json!({
                "title": self.title,
                "readOnlyHint": self.hints.read_only,
                "destructiveHint": false,
                "idempotentHint": self.hints.idempotent,
                "openWorldHint": false,
            });
        }
        definition
    }

    fn is_listed(&self, revision: Revision, extra: bool) -> bool {
        match self.listed {
            Listed::Since(since) => revision >= since,
            Listed::Legacy => !revision.is_modern(),
            // What a session asks for changes nothing for those who have none.
            Listed::WhenToggled => extra && !revision.is_modern(),
        }
    }
}

/// Takes `x-mcp-header` out of a schema for revisions that do not know it.
fn remove_annotations(schema: &mut Value) {
    if let Some(object) = schema.as_object_mut() {
        object.remove("x-mcp-header");
        if let Some(Value::Object(properties)) = object.get_mut("properties") {
            properties.values_mut().for_each(remove_annotations);
        }
    }
}

/// An argument that HTTP clients repeat in a header.
pub(crate) struct MirroredArgument {
    /// The whole header name in lower case.
    pub header: String,
    /// The property names that lead to the argument.
    pub path: Vec<String>,
}

fn mirrored(schema: &Value, path: &mut Vec<String>, found: &mut Vec<MirroredArgument>) {
    if let Some(name) = schema["x-mcp-header"].as_str() {
        let header = format!("mcp-param-{}", name.to_ascii_lowercase());
        found.push(MirroredArgument { header, path: path.clone() });
    }
    for (name, property) in schema["properties"].as_object().into_iter().flatten() {
        path.push(name.clone());
        mirrored(property, path, found);
        path.pop();
    }
}

/// The tools, with all that can be worked out once.
pub(crate) struct ToolSet {
    definitions: Vec<[Value; 5]>,
    inputs: Vec<Value>,
    mirrored: Vec<Vec<MirroredArgument>>,
}

impl ToolSet {
    pub(crate) fn new() -> Self {
        let inputs: Vec<Value> = TOOLS.iter().map(|tool| (tool.input)()).collect();
        Self {
            definitions: TOOLS
                .iter()
                .map(|tool| Revision::ALL.map(|revision| tool.definition(revision)))
                .collect(),
            mirrored: inputs
                .iter()
                .map(|input| {
                    let mut found = Vec::new();
                    mirrored(input, &mut Vec::new(), &mut found);
                    found
                })
                .collect(),
            inputs,
        }
    }

    /// The arguments of a tool that travel in headers too; none for an unknown tool.
    pub(crate) fn mirrored(&self, name: &str) -> &[MirroredArgument] {
        let position = TOOLS.iter().position(|tool| tool.name == name);
        position.map_or(&[], |position| &self.mirrored[position])
    }
}

/// `tools/list`.
pub(crate) fn list_tools(server: &Server, revision: Revision, params: &Object) -> Result<Object, RpcError> {
    let extra = server.extra_tool_listed();
    let definitions = TOOLS
        .iter()
        .zip(&server.tools().definitions)
        .filter(|(tool, _)| tool.is_listed(revision, extra))
        .map(|(_, definitions)| &definitions[revision.index()]);
    page(server.seal(), ListKind::Tools, server.config().page_size, params, "tools", definitions)
}

/// `tools/call`.
pub(crate) async fn call_tool(context: &RequestContext) -> Result<Object, RpcError> {
    let (revision, params) = (context.revision, &context.request.params);
    let name = string(params, "name")?;
    let extra = context.server.extra_tool_listed();
    let (position, tool) = TOOLS
        .iter()
        .enumerate()
        .find(|(_, tool)| tool.name == name && tool.is_listed(revision, extra))
        .ok_or_else(|| RpcError::invalid_params("Invalid params: unknown tool"))?;
    let empty = Object::new();
    let arguments = optional_object(params, "arguments")?.unwrap_or(&empty);
    let checked = schema::validate_object(&context.server.tools().inputs[position], arguments);
    if let Err(reason) = checked
        && context.server.keeps(Duty::ArgumentsChecked)
    {
        if revision.reports_bad_arguments_in_result() {
            return Ok(ToolResult::error(format!("Invalid arguments: {reason}")).into_object(revision));
        }
        return Err(RpcError::invalid_params(format!("Invalid params: {reason}")));
    }
    let outcome = match tool.run {
        Run::Now(run) => Ok(run(context, arguments)),
        Run::Later(run) => run(context, arguments).await,
    };
    match outcome {
        Ok(result) => Ok(result.into_object(revision)),
        Err(Stop::Refused(reason)) => Ok(ToolResult::error(reason).into_object(revision)),
        Err(stop) => stop.into_result(),
    }
}

#[cfg(test)]
mod tests {
    use super::{Listed, TOOLS, ToolSet, list_tools};
    use crate::message::Object;
    use crate::revision::Revision;
    use crate::server::{Config, Server};

    #[test]
    fn a_revision_sees_no_member_that_it_lacks() {
        let server = Server::new(Config { page_size: 100, ..Config::default() });
        for revision in Revision::ALL {
            let result = list_tools(&server, revision, &Object::new()).unwrap();
            for tool in result["tools"].as_array().unwrap() {
                let has = |member: &str| tool.get(member).is_some();
                assert_eq!(has("annotations"), revision >= Revision::V2025_03_26);
                assert_eq!(has("title"), revision >= Revision::V2025_06_18);
                assert!(!has("outputSchema") || revision >= Revision::V2025_06_18);
                assert!(revision.is_modern() || !tool.to_string().contains("x-mcp-header"));
            }
        }
    }

    #[test]
    fn the_extra_tool_is_listed_last_so_that_pages_do_not_shift() {
        let first_hidden = TOOLS.iter().position(|tool| tool.listed == Listed::WhenToggled);
        assert_eq!(first_hidden, Some(TOOLS.len() - 1));
    }

    #[test]
    fn nested_arguments_are_mirrored_too() {
        let set = ToolSet::new();
        let paths: Vec<_> =
            set.mirrored("search_region").iter().map(|m| (m.header.as_str(), m.path.join("."))).collect();
        assert!(paths.contains(&("mcp-param-region", "region".to_owned())));
        assert!(paths.contains(&("mcp-param-tenant", "options.tenant".to_owned())));
        assert!(set.mirrored("echo").is_empty());
    }
}
