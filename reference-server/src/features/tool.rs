//! What a tool is: its description in the form of each revision, how it runs, what it returns.

use std::pin::Pin;

use serde_json::{Value, json};

use crate::context::RequestContext;
use crate::features::tasks::TaskSupport;
use crate::features::{Content, Icon, Stop};
use crate::message::Object;
use crate::revision::Revision;

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

    pub(crate) fn into_object(self, revision: Revision) -> Object {
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

/// A tool at work; it may also stop on the way.
pub(crate) type ToolFuture<'a> = Pin<Box<dyn Future<Output = ToolOutcome> + Send + 'a>>;

/// A tool that needs no time.
type RunNow = fn(&RequestContext, &Object) -> ToolResult;
/// A tool that waits on the way.
type RunLater = for<'a> fn(&'a RequestContext, &'a Object) -> ToolFuture<'a>;

/// The arguments of a tool, once the client has been asked for what is missing.
pub(crate) type ArgumentsFuture<'a> = Pin<Box<dyn Future<Output = Result<Object, Stop>> + Send + 'a>>;
/// What comes before a tool: it makes the arguments that the tool gets.
type RunBefore = for<'a> fn(&'a RequestContext, &'a Object) -> ArgumentsFuture<'a>;

/// How a tool runs.
pub(crate) enum Run {
    Now(RunNow),
    Later(RunLater),
}

/// When a tool is listed.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Listed {
    /// From the first of these revisions to the last.
    In(Revision, Revision),
    /// Only after `toggle_tool` has said so, and only where that exists.
    WhenToggled,
}

/// What a tool says about its effects.
#[derive(Clone, Copy)]
pub(crate) struct Hints {
    pub read_only: bool,
    pub idempotent: bool,
    pub destructive: bool,
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
    pub icon: Option<Icon>,
    /// Whether it may run as a task; one that says nothing may not.
    pub task: Option<TaskSupport>,
    /// Whether it takes arguments that its schema refuses, as no honest tool does.
    pub unchecked: bool,
    /// The scopes that a call takes where there is authorization, with spaces between them.
    pub scopes: &'static str,
    /// The page that a host may show for it.
    pub page: Option<&'static str>,
    pub before: Option<RunBefore>,
    pub run: Run,
}

impl Tool {
    const fn new(name: &'static str, title: &'static str, description: &'static str, run: Run) -> Self {
        Self {
            name,
            title,
            description,
            input: no_arguments,
            output: None,
            hints: Hints { read_only: true, idempotent: true, destructive: false },
            listed: Listed::In(Revision::V2024_11_05, Revision::V2026_07_28),
            icon: None,
            task: None,
            unchecked: false,
            scopes: "mcp",
            page: None,
            before: None,
            run,
        }
    }

    /// A tool that needs no time; it takes no arguments, changes nothing and is listed always, unless it says more.
    pub(crate) const fn now(
        name: &'static str,
        title: &'static str,
        description: &'static str,
        run: RunNow,
    ) -> Self {
        Self::new(name, title, description, Run::Now(run))
    }

    /// The same for a tool that waits on the way.
    pub(crate) const fn later(
        name: &'static str,
        title: &'static str,
        description: &'static str,
        run: RunLater,
    ) -> Self {
        Self::new(name, title, description, Run::Later(run))
    }

    /// The schema of its arguments.
    pub(crate) const fn input(mut self, input: fn() -> Value) -> Self {
        self.input = input;
        self
    }

    /// The schema of its structured output.
    pub(crate) const fn output(mut self, output: fn() -> Value) -> Self {
        self.output = Some(output);
        self
    }

    /// Says that calling it has effects, and calling it again further ones.
    pub(crate) const fn changing(mut self) -> Self {
        self.hints = Hints { read_only: false, idempotent: false, destructive: false };
        self
    }

    /// Says that what calling it does can't be undone.
    #[cfg(feature = "enterprise")]
    pub(crate) const fn destroying(mut self) -> Self {
        self.hints = Hints { read_only: false, idempotent: false, destructive: true };
        self
    }

    /// Names the page that a host may show for it.
    pub(crate) const fn page(mut self, uri: &'static str) -> Self {
        self.page = Some(uri);
        self
    }

    /// Asks for more than the scope that everything takes: all of them, with spaces between them.
    pub(crate) const fn scopes(mut self, scopes: &'static str) -> Self {
        self.scopes = scopes;
        self
    }

    /// Lets it take any arguments, whatever its schema says.
    pub(crate) const fn unchecked(mut self) -> Self {
        self.unchecked = true;
        self
    }

    /// Lets it run as a task.
    pub(crate) const fn task(mut self, support: TaskSupport) -> Self {
        self.task = Some(support);
        self
    }

    /// Asks before it runs, in the modern era also before its task begins.
    pub(crate) const fn before(mut self, before: RunBefore) -> Self {
        self.before = Some(before);
        self
    }

    /// Lists it only from this revision on.
    pub(crate) const fn since(mut self, first: Revision) -> Self {
        if let Listed::In(_, last) = self.listed {
            self.listed = Listed::In(first, last);
        }
        self
    }

    /// Lists it only in the revisions with a session.
    pub(crate) const fn legacy_only(mut self) -> Self {
        if let Listed::In(first, _) = self.listed {
            self.listed = Listed::In(first, Revision::V2025_11_25);
        }
        self
    }

    pub(crate) const fn when_toggled(mut self) -> Self {
        self.listed = Listed::WhenToggled;
        self
    }

    pub(crate) const fn icon(mut self, icon: Icon) -> Self {
        self.icon = Some(icon);
        self
    }

    /// The tool in the form of a revision, as `tools/list` shows it.
    pub(crate) fn definition(&self, revision: Revision) -> Value {
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
                "destructiveHint": self.hints.destructive,
                "idempotentHint": self.hints.idempotent,
                "openWorldHint": false,
            });
        }
        if let Some(support) = self.task.filter(|_| revision == Revision::V2025_11_25) {
            definition["execution"] = json!({"taskSupport": support.as_str()});
        }
        if let Some(icon) = self.icon {
            icon.add_to(&mut definition, revision);
        }
        definition
    }

    /// Whether a revision has the tool; `extra` says whether the one that comes and goes is there.
    pub(crate) fn is_listed(&self, revision: Revision, extra: bool) -> bool {
        match self.listed {
            Listed::In(first, last) => (first..=last).contains(&revision),
            Listed::WhenToggled => extra && !revision.is_modern(),
        }
    }
}

/// The schema of a tool without arguments.
fn no_arguments() -> Value {
    json!({"type": "object", "additionalProperties": false})
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
