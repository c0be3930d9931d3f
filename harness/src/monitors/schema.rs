//! Messages against the schema of their revision (schema.ts, schema.json): one violation is one finding, of the
//! requirement that is closest to it.

use super::rule::monitors;
use super::schema_rows::{EMPTY, INPUTS, Of, Row, When, rows};
use super::{Asked, Breach, Heard, Judge, Moment, State};
use crate::protocol::schema::{self, Checked, Party, Violation};
use crate::protocol::{Era, Kind, Message, Revision};
use serde_json::Value;
use std::collections::BTreeSet;

const NEGOTIATED: &str = "versioning.negotiated-version-respected";
/// How many values one row of the table is looked up in.
const MOST_PLACES: usize = 200;

monitors! {
    /// Every result, notification and request of the server fits its type in the schema of the revision that is
    /// spoken: by the method (and, in 2026-07-28, the `resultType`), never by the wide unions. Unknown members are
    /// legal. A violation is told by the requirement that is closest to the place: a tool without `name` breaks
    /// `tools.definition.name`. Typed clients refuse such a message as a whole, so that one bad entry can hide a whole
    /// list.
    messages_fit_the_schema_of_the_revision (WhileWeObey) decides [
        "schema.messages.conform", "versioning.negotiated-version-respected", "schema.optional.not-null",
        "schema.empty-result", "schema.server-requests.known", "schema.server-notifications.known",
        "meta.value-object", "pagination.cursor.string",
        "lifecycle.initialize.result-protocol-version", "discover.supported-versions",
        "identity.capabilities-object", "identity.server-info-shape", "identity.server-info-title",
        "identity.server-info-extras", "identity.instructions-string",
        "capabilities.server.flag-types", "capabilities.extension.settings-object",
        "capabilities.client.missing-error-data",
        "tools.list.result-shape", "tools.definition.name", "tools.definition.title", "tools.definition.description",
        "tools.definition.input-schema-root", "tools.definition.input-schema-members",
        "tools.definition.input-schema-valid", "tools.definition.output-schema-root",
        "tools.definition.output-schema-valid", "tools.definition.annotations-types", "tools.definition.task-support",
        "tools.call.result-shape", "tools.call.is-error-boolean", "tools.structured.object",
        "resources.list.result-shape", "resources.definition.uri", "resources.definition.name",
        "resources.definition.optional-types", "resources.templates.result-shape", "resources.templates.fields",
        "resources.read.result-shape", "resources.read.content-uri", "resources.read.text-or-blob",
        "resources.subscribe.updated-shape",
        "prompts.list.result-shape", "prompts.definition.name", "prompts.definition.optional-types",
        "prompts.definition.argument-shape", "prompts.get.result-shape", "prompts.get.role",
        "prompts.get.single-content",
        "completion.result.shape",  "completion.result.optional-types",
        "content.known-type", "content.text", "content.image", "content.audio", "content.resource-link",
        "content.embedded-resource", "content.annotations.audience", "content.annotations.priority",
        "content.annotations.last-modified", "content.icon.source-required", "content.icon.sizes-format",
        "content.icon.theme-value", "content.icon.mime-type",
        "caching.hints.discover", "caching.hints.tools-list", "caching.hints.prompts-list",
        "caching.hints.resources-list", "caching.hints.resource-templates-list", "caching.hints.resources-read",
        "caching.ttl.integer", "caching.ttl.non-negative", "caching.scope.value",
        "logging.message.level", "logging.message.data", "logging.message.logger", "progress.notification.shape", "cancellation.sent.shape",
        "subscriptions.ack.shape", "mrtr.result.input-requests-object", "mrtr.result.request-kinds",
        "mrtr.result.request-shape", "mrtr.result.state-string",
        "sampling.request.required-fields", "sampling.request.optional-types", "sampling.message.shape",
        "sampling.preferences.range", "sampling.tools.shape", "sampling.include-context.value", "elicitation.request.message",
        "elicitation.request.mode", "elicitation.form.schema-present", "elicitation.form.flat-primitives",
        "elicitation.url.fields", "elicitation.form.string-format", "elicitation.form.default-type",
        "roots.request.shape",
        "tasks.capability.shape", "tasks.create.result", "tasks.id.string", "tasks.status.known",
        "tasks.fields.created-at", "tasks.fields.last-updated-at", "tasks.fields.ttl", "tasks.get.shape",
        "tasks.cancel.to-cancelled", "tasks.list.shape", "tasks.notify.shape",
    ];
}

fn messages_fit_the_schema_of_the_revision(moment: &Moment<'_>, judge: &mut Judge) {
    let Some(heard) = moment.message else { return };
    let message = heard.message;
    match message.kind() {
        Kind::Result => {
            let (Some(asked), Some(result)) = (heard.answers, message.result()) else { return };
            if asked.responses == 0 {
                judge_result(moment, asked, result, judge);
            }
        }
        Kind::Error => judge_error(moment, &heard, judge),
        Kind::Notification => judge_notification(moment, message, judge),
        Kind::Request => judge_request(moment, message, judge),
        Kind::Batch | Kind::NotAMessage(_) => {}
    }
}

/// The revision that the answer to a request is to be judged by.
pub(super) fn revision_of(state: &State, asked: &Asked, result: Option<&Value>) -> Option<Revision> {
    if asked.method == "initialize" {
        let named = result.and_then(|result| result.get("protocolVersion")).and_then(Value::as_str);
        return named.and_then(|named| named.parse().ok()).or(state.intended);
    }
    match asked.meta_version() {
        Some(version) => version.parse().ok(),
        None => state.rules().filter(|revision| revision.era() == Era::Legacy),
    }
}

fn judge_result(moment: &Moment<'_>, asked: &Asked, result: &Value, judge: &mut Judge) {
    let Some(revision) = revision_of(moment.state, asked, Some(result)) else { return };
    let method = asked.method.as_str();
    let known = schema::methods(revision, Party::Client).request(method);
    // A result that is no object is judged by the rows on responses.
    let (Some(known), true) = (known, result.is_object()) else { return };
    let violations = match schema::check_result(revision, method, result) {
        Checked::Valid => Vec::new(),
        Checked::Invalid(violations) => {
            violations.into_iter().filter(|violation| !is_told_elsewhere(violation, result)).collect()
        }
        Checked::UnknownMethod => return,
    };
    let waits = revision.era() == Era::Modern && result["resultType"] == "input_required";
    let task = result.get("task").is_some_and(Value::is_object);
    let plain = !waits && !task && result.get("resultType").is_none_or(|kind| kind == "complete");
    // A task in the wrong place is told as that.
    if method.starts_with("tasks/") && task && result.get("taskId").is_none() {
        return;
    }
    let of = match (waits, plain) {
        (true, _) => Some(Of::InputRequired),
        (false, true) => Some(Of::Result(known.method)),
        (false, false) => (task && revision.era() == Era::Legacy).then_some(Of::CreatedTask),
    };
    let what = format!("the result of `{method}`");
    let violations =
        if waits { judge_questions(moment, asked, result, revision, violations, judge) } else { violations };
    let checked = CheckedValue { of, value: result, base: "/result", what: &what, revision };
    checked.judge(&violations, moment, Some(asked), judge);
    if plain && EMPTY.contains(&known.method) && violations.is_empty() {
        judge_empty(moment, known.method, result, judge);
    }
}

/// What a demand for input asks for has rows of its own, the same as where a legacy server asks by a request. Gives
/// back the violations that are about the demand itself.
fn judge_questions(
    moment: &Moment<'_>,
    asked: &Asked,
    result: &Value,
    revision: Revision,
    mut violations: Vec<Violation>,
    judge: &mut Judge,
) -> Vec<Violation> {
    let questions = result.get("inputRequests").and_then(Value::as_object);
    for (key, question) in questions.into_iter().flatten().take(MOST_PLACES) {
        // No longer methods that a server sends, so that the schema has them as inputs only.
        let known = |method: &str| INPUTS.iter().find(|known| **known == method).copied();
        let Some(method) = question.get("method").and_then(Value::as_str).and_then(known) else { continue };
        let place = format!("/inputRequests/{}", escape(key));
        let lacks_params = |violation: &Violation| missing(violation) == Some("params");
        let (inside, rest): (Vec<_>, Vec<_>) = violations.into_iter().partition(|violation| {
            violation.pointer.strip_prefix(&place).is_some_and(|below| {
                below.starts_with("/params") || (below.is_empty() && lacks_params(violation))
            })
        });
        violations = rest;
        let own = inside.into_iter().map(|mut violation| {
            violation.pointer.drain(..place.len());
            violation
        });
        let (own, base) = (own.collect::<Vec<_>>(), format!("/result{place}"));
        let what = format!("the question `{method}`");
        let of = Some(Of::Request(method));
        let checked = CheckedValue { of, value: question, base: &base, what: &what, revision };
        checked.judge(&own, moment, Some(asked), judge);
        if let Some(violation) = own.first() {
            const SHAPE: &str = "mrtr.result.request-shape";
            let other = checked.requirement(rows(Of::Request(method)), &Place::of(violation, question));
            let class = format!("{}{}", violation.definition, Place::of(violation, question).general());
            judge.broke(SHAPE, checked.breach(violation, &class, moment, Some(asked), false).see(other));
        }
    }
    violations
}

/// What `resultType` may be and how many values there may be have rules of their own.
fn is_told_elsewhere(violation: &Violation, result: &Value) -> bool {
    let result_type = violation.pointer == "/resultType" || missing(violation) == Some("resultType");
    let values = "/completion/values";
    result_type || (violation.pointer == values && result.pointer(values).is_some_and(Value::is_array))
}

fn judge_empty(moment: &Moment<'_>, method: &str, result: &Value, judge: &mut Judge) {
    let extra = result.as_object().and_then(|members| members.keys().find(|name| *name != "_meta"));
    // The ping page has a row of its own for it.
    if let Some(extra) = extra.filter(|_| method != "ping") {
        judge.broke(
            "schema.empty-result",
            Breach::new("extra-members", format!("the result of `{method}` should be empty"))
                .quality()
                .expected(&["an object with no member but `_meta`"])
                .actual(format!("a member `{extra}`"))
                .at(moment.record)
                .pointer(format!("/result/{}", escape(extra))),
        );
    }
}

fn judge_error(moment: &Moment<'_>, heard: &Heard<'_>, judge: &mut Judge) {
    let Some(code) = heard.message.error_code() else { return };
    let revision = heard.answers.and_then(|asked| revision_of(moment.state, asked, None));
    let Some(revision) = revision.or(moment.state.rules()) else { return };
    if rows(Of::Error(code)).is_empty() {
        return;
    }
    let value = heard.message.value();
    let violations = match schema::check_error(revision, value) {
        Checked::Invalid(violations) => violations,
        _ => Vec::new(),
    };
    // The envelope of an error has rows of its own.
    let violations: Vec<Violation> = violations
        .into_iter()
        .filter(|violation| {
            violation.pointer.starts_with("/error/data")
                || (violation.pointer == "/error" && missing(violation) == Some("data"))
        })
        .collect();
    let what = format!("the error {code}");
    let checked = CheckedValue { of: Some(Of::Error(code)), value, base: "", what: &what, revision };
    checked.judge(&violations, moment, heard.answers, judge);
}

fn judge_notification(moment: &Moment<'_>, message: &Message, judge: &mut Judge) {
    let (Some(revision), Some(method)) = (moment.state.rules(), message.method()) else { return };
    let value = message.value();
    let of = schema::methods(revision, Party::Server).notification(method).map(|known| known.method);
    let violations = match schema::check_notification(revision, Party::Server, value) {
        Checked::Valid => Vec::new(),
        Checked::Invalid(violations) => without_envelope(violations),
        Checked::UnknownMethod => {
            // A request that lacks its id is told as that.
            let request = schema::methods(revision, Party::Server).request(method).is_some();
            // Experimental messages may have been agreed on.
            let experimental = moment.state.declares("experimental") || moment.state.declares("extensions");
            if !experimental && !request {
                judge.broke("schema.server-notifications.known", unknown("notification", method, moment));
            }
            return;
        }
    };
    judge.held("schema.server-notifications.known");
    let what = format!("the notification `{method}`");
    let of = of.map(Of::Notification);
    CheckedValue { of, value, base: "", what: &what, revision }.judge(&violations, moment, None, judge);
}

fn judge_request(moment: &Moment<'_>, message: &Message, judge: &mut Judge) {
    let (Some(revision), Some(method)) = (moment.state.rules(), message.method()) else { return };
    if revision.era() == Era::Modern {
        // That a server asks at all is what is wrong there.
        return;
    }
    let value = message.value();
    let of = schema::methods(revision, Party::Server).request(method).map(|known| known.method);
    let violations = match schema::check_request(revision, Party::Server, value) {
        Checked::Valid => Vec::new(),
        Checked::Invalid(violations) => without_envelope(violations),
        Checked::UnknownMethod => {
            if !moment.state.declares("experimental") {
                judge.broke("schema.server-requests.known", unknown("request", method, moment));
            }
            return;
        }
    };
    judge.held("schema.server-requests.known");
    let what = format!("the request `{method}`");
    let of = of.map(Of::Request);
    CheckedValue { of, value, base: "", what: &what, revision }.judge(&violations, moment, None, judge);
}

fn unknown(kind: &str, method: &str, moment: &Moment<'_>) -> Breach {
    let shown: String = method.chars().take(80).collect();
    Breach::new("unknown-method", format!("the server sent a {kind} that the revision does not define"))
        .quality()
        .expected(&["a method of the revision"])
        .actual(format!("`{shown}`"))
        .at(moment.record)
        .pointer("/method")
}

/// What JSON-RPC itself demands has rows of its own.
fn without_envelope(mut violations: Vec<Violation>) -> Vec<Violation> {
    violations.retain(|violation| match (violation.pointer.as_str(), missing(violation)) {
        (pointer, _) if pointer.starts_with("/params/") => true,
        ("/params", lacks) => lacks.is_some(),
        (_, lacks) => lacks == Some("params"),
    });
    violations
}

/// The member that is missing, where that is the violation.
fn missing(violation: &Violation) -> Option<&str> {
    if violation.actual != "no such member" {
        return None;
    }
    violation.expected.split('`').nth(1)
}

/// A message, or the part of it, that was checked.
struct CheckedValue<'a> {
    of: Option<Of>,
    value: &'a Value,
    /// Where the value stands in the message.
    base: &'a str,
    what: &'a str,
    revision: Revision,
}

impl CheckedValue<'_> {
    fn judge(&self, violations: &[Violation], moment: &Moment<'_>, asked: Option<&Asked>, judge: &mut Judge) {
        let rows = self.of.map_or(&[][..], rows);
        let nulls = self.optional_nulls(violations);
        let mut broken = BTreeSet::new();
        let mut told = BTreeSet::new();
        for violation in violations {
            let place = Place::of(violation, self.value);
            let null = nulls.contains(&violation.pointer);
            let id = if null { "schema.optional.not-null" } else { self.requirement(rows, &place) };
            broken.insert(id);
            let class = format!("{}{}", violation.definition, place.general());
            if told.insert((id, class.clone())) {
                judge.broke(id, self.breach(violation, &class, moment, asked, null));
            }
        }
        for row in rows {
            // To have held once is enough, and to look takes longer than to know that.
            let new = row.has_level(self.revision) && !judge.has_held(row.id);
            if new && !broken.contains(row.id) && row.looked_at(self.value) {
                judge.held(row.id);
            }
        }
        if let Some(id) = broken.first().filter(|_| self.fits_a_newer_revision()) {
            let violation = violations.first();
            let breach = violation.map(|violation| self.breach(violation, "newer", moment, asked, false));
            breach.into_iter().for_each(|breach| judge.broke(NEGOTIATED, breach.see(id)));
        }
        if violations.is_empty() {
            judge.held("schema.messages.conform");
            judge.held(NEGOTIATED);
        }
        if nulls.is_empty() {
            judge.held("schema.optional.not-null");
        }
    }

    fn breach(
        &self,
        violation: &Violation,
        class: &str,
        moment: &Moment<'_>,
        asked: Option<&Asked>,
        null: bool,
    ) -> Breach {
        let message = if null {
            format!("an optional member of {} is null instead of absent", self.what)
        } else {
            format!(
                "{} does not fit the schema of {}: type `{}`",
                self.what, self.revision, violation.definition
            )
        };
        let mut breach = Breach::new(class, message)
            .expected(&[&violation.expected])
            .actual(violation.actual.clone())
            .at(moment.record)
            .pointer(format!("{}{}", self.base, violation.pointer));
        // A schema as a boolean is JSON Schema, if not what these revisions allow.
        if violation.pointer.contains("Schema/properties/")
            && matches!(violation.actual.as_str(), "true" | "false")
        {
            breach = breach.quality();
        }
        match asked {
            Some(asked) => breach.sent(asked.seq),
            None => breach,
        }
    }

    /// The requirement for a place: the first row that fits and has a level here, else the one for everything.
    fn requirement(&self, rows: &[Row], place: &Place<'_>) -> &'static str {
        let fitting = rows.iter().find(|row| row.fits(place, self.value) && row.has_level(self.revision));
        match (fitting, self.revision.era()) {
            (Some(row), _) => row.id,
            (None, Era::Legacy) => NEGOTIATED,
            (None, Era::Modern) => "schema.messages.conform",
        }
    }

    fn checked_in(&self, revision: Revision, value: &Value) -> Option<Checked> {
        Some(match self.of? {
            Of::Result(method) => schema::check_result(revision, method, value),
            Of::InputRequired | Of::CreatedTask => schema::check_result(revision, "tools/call", value),
            Of::Notification(_) => schema::check_notification(revision, Party::Server, value),
            Of::Request(_) => schema::check_request(revision, Party::Server, value),
            Of::Error(_) => return None,
        })
    }

    /// Whether what does not fit the revision that was agreed on fits a later one with a handshake.
    fn fits_a_newer_revision(&self) -> bool {
        let newer =
            Revision::ALL.into_iter().filter(|other| *other > self.revision && other.era() == Era::Legacy);
        newer.into_iter().any(|other| matches!(self.checked_in(other, self.value), Some(Checked::Valid)))
    }

    /// The places where null stands for an absent member: leaving all nulls out shows which ones were needed.
    fn optional_nulls(&self, violations: &[Violation]) -> BTreeSet<String> {
        let at_null = |violation: &&Violation| {
            missing(violation).is_none() && self.value.pointer(&violation.pointer).is_some_and(Value::is_null)
        };
        let mut nulls: BTreeSet<String> =
            violations.iter().filter(at_null).map(|violation| violation.pointer.clone()).collect();
        if nulls.is_empty() {
            return nulls;
        }
        let mut without = self.value.clone();
        nulls.retain(|pointer| {
            let Some((parent, name)) = pointer.rsplit_once('/') else { return false };
            let object = without.pointer_mut(parent).and_then(Value::as_object_mut);
            object.is_some_and(|object| object.remove(&unescape(name)).is_some())
        });
        let again = self.checked_in(self.revision, &without);
        if again.is_none() {
            return BTreeSet::new();
        }
        if let Some(Checked::Invalid(violations)) = again {
            for violation in &violations {
                if let Some(name) = missing(violation) {
                    nulls.remove(&format!("{}/{}", violation.pointer, escape(name)));
                }
            }
        }
        nulls
    }
}

/// Where a violation is.
struct Place<'a> {
    segments: Vec<String>,
    missing: bool,
    /// What stands there.
    value: Option<&'a Value>,
}

impl<'a> Place<'a> {
    fn of(violation: &Violation, value: &'a Value) -> Self {
        let mut segments = segments(&violation.pointer);
        let name = missing(violation);
        segments.extend(name.map(str::to_owned));
        Self { segments, missing: name.is_some(), value: value.pointer(&violation.pointer) }
    }

    /// The place without what differs from one entry to the next.
    fn general(&self) -> String {
        self.segments.iter().fold(String::new(), |text, segment| {
            let index = segment.bytes().all(|byte| byte.is_ascii_digit());
            text + "/" + if index { "*" } else { segment }
        })
    }
}

impl Row {
    fn fits(&self, place: &Place<'_>, root: &Value) -> bool {
        let length = if self.below {
            place.segments.len() >= self.at.len()
        } else {
            place.segments.len() == self.at.len()
        };
        let same = |(pattern, segment): (&String, &String)| pattern == "*" || pattern == segment;
        length
            && self.at.iter().zip(&place.segments).all(same)
            && match self.when {
                When::Any | When::Broken => true,
                When::Missing => place.missing,
                When::Negative => {
                    !place.missing && place.value.and_then(Value::as_f64).is_some_and(|number| number < 0.0)
                }
            }
            && self.kind.is_none_or(|kind| {
                let block =
                    self.at.len().checked_sub(1).and_then(|depth| walk(root, &place.segments[..depth]));
                let block = block.and_then(|block| block.get("type"));
                block.and_then(Value::as_str) == Some(kind)
            })
    }

    /// Whether a value has what could have broken the row. Where a row is about a whole part, the part must be there.
    fn looked_at(&self, root: &Value) -> bool {
        if self.when == When::Broken {
            return false;
        }
        let Some((last, parents)) = self.at.split_last() else { return root.is_object() };
        self.reaches(root, parents, last, &mut { MOST_PLACES })
    }

    /// Whether the row is about something below a place, `left` places at most.
    fn reaches(&self, place: &Value, parents: &[String], last: &str, left: &mut usize) -> bool {
        let Some((segment, parents)) = parents.split_first() else {
            *left = left.saturating_sub(1);
            return self.kind.is_none_or(|kind| place["type"] == kind)
                && match (place, last) {
                    (Value::Array(items), "*") => !items.is_empty(),
                    (Value::Object(members), "*") => !members.is_empty(),
                    (Value::Object(members), name) => !self.below || members.contains_key(name),
                    _ => false,
                };
        };
        let below = |place: &Value| *left > 0 && self.reaches(place, parents, last, left);
        match (place, segment.as_str()) {
            (Value::Array(items), "*") => items.iter().take(MOST_PLACES).any(below),
            (Value::Object(members), "*") => members.values().take(MOST_PLACES).any(below),
            (Value::Object(members), name) => members.get(name).is_some_and(below),
            _ => false,
        }
    }

    /// Whether the requirement is one of this revision.
    fn has_level(&self, revision: Revision) -> bool {
        self.levels & (1 << revision as u8) != 0
    }
}

fn walk<'a>(root: &'a Value, segments: &[String]) -> Option<&'a Value> {
    segments.iter().try_fold(root, |value, segment| match value {
        Value::Array(items) => items.get(segment.parse::<usize>().ok()?),
        Value::Object(members) => members.get(segment),
        _ => None,
    })
}

/// The segments of a JSON pointer, unescaped.
pub(super) fn segments(pointer: &str) -> Vec<String> {
    pointer.split('/').skip(1).map(unescape).collect()
}

fn unescape(segment: &str) -> String {
    segment.replace("~1", "/").replace("~0", "~")
}

fn escape(name: &str) -> String {
    name.replace('~', "~0").replace('/', "~1")
}
