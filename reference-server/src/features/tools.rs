//! Tools: how they are listed, how a call is checked, run and answered.

use std::borrow::Cow;
use std::collections::HashMap;

use serde_json::{Value, json};

use crate::context::RequestContext;
use crate::faults::Duty;
use crate::features::tasks;
use crate::features::tool::{Run, Tool, ToolOutcome, ToolResult};
use crate::features::tool_set::THEMES;
use crate::features::{ListKind, Stop, page};
use crate::memory::{SMALL, refusal};
use crate::message::{Object, RpcError, footprint, string, to_json};
use crate::revision::Revision;
use crate::schema::Schema;
use crate::server::Server;

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

/// A tool with all that can be worked out once.
struct Entry {
    tool: &'static Tool,
    /// One for each revision.
    definitions: [Value; 5],
    input: Schema,
    mirrored: Vec<MirroredArgument>,
}

impl Entry {
    fn new(theme: &str, tool: &'static Tool) -> Self {
        let input = (tool.input)();
        let mut found = Vec::new();
        mirrored(&input, &mut Vec::new(), &mut found);
        let definitions = Revision::ALL.map(|revision| {
            let mut definition = tool.definition(revision);
            if revision.has_titles() {
                definition["_meta"] = json!({"example.mcprove/theme": theme});
            }
            if let Some(page) = tool.page.filter(|_| revision.is_modern()) {
                definition["_meta"]["ui"] = json!({"resourceUri": page});
            }
            definition
        });
        Self { tool, definitions, input: Schema::new(input), mirrored: found }
    }
}

/// The tools, in the order in which they are listed.
pub(crate) struct ToolSet {
    entries: Vec<Entry>,
    places: HashMap<&'static str, usize>,
    /// The arguments of a call that brings none.
    nothing: Value,
}

impl ToolSet {
    /// The tools to test with.
    pub(crate) fn new() -> Self {
        Self::of(THEMES.iter().flat_map(|(theme, tools)| tools.iter().map(move |tool| (*theme, tool))))
    }

    /// How many there are.
    #[cfg(feature = "enterprise")]
    pub(crate) fn len(&self) -> usize {
        self.entries.len()
    }

    /// These tools, each with its theme.
    pub(crate) fn of(tools: impl IntoIterator<Item = (&'static str, &'static Tool)>) -> Self {
        let entries: Vec<Entry> = tools.into_iter().map(|(theme, tool)| Entry::new(theme, tool)).collect();
        let places = entries.iter().enumerate().map(|(place, entry)| (entry.tool.name, place)).collect();
        Self { entries, places, nothing: json!({}) }
    }

    /// Their definitions in the form of a revision.
    #[cfg(feature = "enterprise")]
    pub(crate) fn definitions(&self, revision: Revision) -> impl Iterator<Item = &Value> {
        let listed = self.entries.iter().filter(move |entry| entry.tool.is_listed(revision, false));
        listed.map(move |entry| &entry.definitions[revision.index()])
    }

    fn find(&self, name: &str) -> Option<&Entry> {
        self.places.get(name).map(|place| &self.entries[*place])
    }

    /// The scopes that a call of a tool takes; those that everything takes for an unknown one.
    #[cfg(feature = "enterprise")]
    pub(crate) fn scopes(&self, name: &str) -> &'static str {
        self.find(name).map_or("mcp", |entry| entry.tool.scopes)
    }

    /// The arguments of a tool that travel in headers too; none for an unknown tool.
    pub(crate) fn mirrored(&self, name: &str) -> &[MirroredArgument] {
        self.find(name).map_or(&[], |entry| &entry.mirrored)
    }
}

/// `tools/list`.
pub(crate) fn list_tools(server: &Server, revision: Revision, params: &Object) -> Result<Object, RpcError> {
    let extra = server.extra_tool_listed();
    let definitions = server
        .common_tools()
        .entries
        .iter()
        .filter(|entry| entry.tool.is_listed(revision, extra))
        .map(|entry| &entry.definitions[revision.index()]);
    page(server, ListKind::Tools, params, definitions)
}

/// `tools/call`.
pub(crate) async fn call_tool(context: &RequestContext) -> Result<Object, RpcError> {
    let (revision, params) = (context.revision, &context.request.params);
    let tools = context.server.callable_tools(context.principal());
    let entry = tools
        .find(string(params, "name")?)
        .filter(|entry| entry.tool.is_listed(revision, context.server.extra_tool_listed()))
        .ok_or_else(|| unknown_to(context))?;
    let arguments = params.get("arguments").unwrap_or(&tools.nothing);
    object(arguments)?;
    let Some(terms) = tasks::terms(context, entry.tool.task)? else {
        return answer(entry.call(context, arguments).await, revision);
    };
    // In the modern era an error or a question may come instead of the task. A legacy client expects its task at once.
    let prepared = if revision.is_modern() {
        entry.prepare(context, arguments).await
    } else {
        Ok(Cow::Borrowed(arguments))
    };
    let arguments = match prepared {
        Ok(arguments) => arguments.into_owned(),
        Err(stop) => return answer(Err(stop), revision),
    };
    let size = footprint(&to_json(&arguments));
    if size > SMALL {
        return Err(RpcError::invalid_params("Invalid params: the arguments of a task are too long"));
    }
    let held = context.server.memory().take_kept(size).ok_or_else(refusal)?;
    let name = entry.tool.name;
    tasks::begin(context, terms, |context| async move {
        context.keep(held);
        let entry = context.server.callable_tools(context.principal()).find(name).ok_or_else(unknown)?;
        let outcome = if revision.is_modern() {
            entry.run(&context, &arguments).await
        } else {
            entry.call(&context, &arguments).await
        };
        answer(outcome, revision)
    })
    .await
}

impl Entry {
    async fn call(&self, context: &RequestContext, arguments: &Value) -> ToolOutcome {
        let arguments = self.prepare(context, arguments).await?;
        self.run(context, &arguments).await
    }

    /// Checks the arguments of a call; the tool gets these, or what it makes of them first.
    async fn prepare<'a>(
        &self,
        context: &RequestContext,
        arguments: &'a Value,
    ) -> Result<Cow<'a, Value>, Stop> {
        if let Err(reason) = self.input.check(arguments)
            && !self.tool.unchecked
            && context.server.keeps(Duty::ArgumentsChecked)
        {
            return Err(if context.revision.reports_bad_arguments_in_result() {
                Stop::Refused(format!("Invalid arguments: {reason}"))
            } else {
                Stop::Error(RpcError::invalid_params(format!("Invalid params: {reason}")))
            });
        }
        match self.tool.before {
            Some(before) => Ok(Cow::Owned(before(context, object(arguments)?).await?.into())),
            None => Ok(Cow::Borrowed(arguments)),
        }
    }

    async fn run(&self, context: &RequestContext, arguments: &Value) -> ToolOutcome {
        match self.tool.run {
            Run::Now(run) => Ok(run(context, object(arguments)?)),
            Run::Later(run) => run(context, object(arguments)?).await,
        }
    }
}

/// The answer for a tool that the caller has not, which is the same whether there is one or not.
fn unknown_to(context: &RequestContext) -> RpcError {
    #[cfg(feature = "enterprise")]
    if !context.server.keeps(Duty::HiddenLooksMissing) {
        let name = string(&context.request.params, "name").unwrap_or_default();
        if context.server.enterprise().is_some_and(|profile| profile.most_tools().find(name).is_some()) {
            return RpcError::invalid_params("Invalid params: this tool is not for your role");
        }
    }
    #[cfg(not(feature = "enterprise"))]
    let _ = context;
    unknown()
}

fn unknown() -> RpcError {
    RpcError::invalid_params("Invalid params: unknown tool")
}

fn object(arguments: &Value) -> Result<&Object, RpcError> {
    let wrong = || RpcError::invalid_params("Invalid params: arguments must be an object");
    arguments.as_object().ok_or_else(wrong)
}

/// What the client is told about how a tool ended.
fn answer(outcome: ToolOutcome, revision: Revision) -> Result<Object, RpcError> {
    match outcome {
        Ok(result) => Ok(result.into_object(revision)),
        Err(Stop::Refused(reason)) => Ok(ToolResult::error(reason).into_object(revision)),
        Err(stop) => stop.into_result(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{ToolSet, list_tools};
    use crate::features::tool::Listed;
    use crate::message::Object;
    use crate::revision::Revision;
    use crate::server::{Config, Server};

    #[test]
    fn a_revision_sees_no_member_that_it_lacks() {
        let server = Server::new(Config::default());
        for revision in Revision::ALL {
            let result = list_tools(&server, revision, &Object::new()).unwrap();
            assert!(!result.contains_key("nextCursor"));
            for tool in result["tools"].as_array().unwrap() {
                let has = |member: &str| tool.get(member).is_some();
                assert_eq!(has("annotations"), revision >= Revision::V2025_03_26);
                assert_eq!(has("title"), revision >= Revision::V2025_06_18);
                assert_eq!(has("_meta"), revision >= Revision::V2025_06_18);
                assert!(!has("execution") || revision == Revision::V2025_11_25);
                assert!(!has("outputSchema") || revision >= Revision::V2025_06_18);
                assert!(!has("icons") || revision >= Revision::V2025_11_25);
                assert!(revision.is_modern() || !tool.to_string().contains("x-mcp-header"));
            }
        }
    }

    #[test]
    fn the_first_tool_needs_nothing_and_the_extra_one_is_last_so_that_pages_do_not_shift() {
        let set = ToolSet::new();
        assert_eq!(set.entries[0].tool.name, "test_simple_text");
        let first_hidden = set.entries.iter().position(|entry| entry.tool.listed == Listed::WhenToggled);
        assert_eq!(first_hidden, Some(set.entries.len() - 1));
        assert_eq!(set.places.len(), set.entries.len(), "names are unique");
    }

    #[test]
    fn every_input_schema_compiles() {
        for entry in ToolSet::new().entries {
            // A number is no object, whatever else the schema says.
            assert!(entry.input.check(&json!(7)).is_err(), "{}", entry.tool.name);
            assert!(jsonschema::meta::is_valid(&(entry.tool.input)()), "{}", entry.tool.name);
            if let Some(output) = entry.tool.output {
                assert!(jsonschema::meta::is_valid(&output()), "{}", entry.tool.name);
            }
        }
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
