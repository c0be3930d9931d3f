//! Tasks of 2025-11-25 (basic/utilities/tasks): how they begin, what they look like, how they are listed.

use super::http::exchange;
use super::rule::monitors;
use super::task_log::{Known, Shown, shown, timestamp};
use super::{Asked, Breach, Judge, Moment, State};
use crate::protocol::Revision;
use serde_json::Value;
use std::collections::HashSet;

/// More tasks than this on one page of a list are no page.
const CROWDED: usize = 200;

monitors! {
    /// Calls become tasks only on a server that declares `tasks` with `requests.tools.call`; a request type that is not
    /// listed there never becomes one.
    tasks_are_declared (WhileWeObey) decides ["tasks.capability.declared", "tasks.capability.exhaustive"];
    /// A call that asks to become a task, of a tool that may, is answered with the task and nothing of its result. It
    /// begins as `working`, with an id of the server's own that no other task has.
    tasks_begin_soundly (WhileWeObey) decides [
        "tasks.create.result", "tasks.create.no-operation-result", "tasks.create.status-working",
        "tasks.id.unique", "tasks.id.string",
    ];
    /// Task ids vary too much to be guessed: no counters, no times. Over STDIO, where there is one client, ids that could
    /// be guessed are no finding.
    task_ids_cannot_be_guessed (WhileWeObey) decides ["tasks.id.secure"] at_end task_ids_vary;
    /// Timestamps are ISO 8601 as RFC 3339 writes it, `createdAt` stays as it is, `lastUpdatedAt` never goes back, `ttl`
    /// is a number of milliseconds or null.
    members_of_tasks_are_sound (WhileWeObey) decides
        ["tasks.fields.created-at", "tasks.fields.last-updated-at", "tasks.fields.ttl"];
    /// `tasks/get` answers with the members of the task that was asked for, at the top of its result.
    the_task_asked_for_is_shown (WhileWeObey) decides ["tasks.get.shape"];
    /// Pages of `tasks/list` have a bound: cursors lead on, or there are not hundreds of tasks on one page.
    task_lists_come_in_pages (WhileWeObey) decides ["tasks.list.paginated", "tasks.list.shape"];
    /// Over HTTP `tasks/get` is answered with JSON: who polls has no use for an event stream.
    polls_get_no_stream (WhileWeObey) decides ["tasks.get.no-sse"];
    /// Whether the server limits how often tasks are asked for, and how many there are. No limit is specified, so that
    /// only one that was run into tells.
    task_limits_were_met (AnyTraffic) decides ["tasks.limits.rate", "tasks.limits.concurrent"] at_end no_limit_was_met;
    /// A request of the server has a `task` member only where the client declared that it makes tasks of such requests.
    requests_are_augmented_as_declared (WhileWeObey) decides ["tasks.requestor.only-declared"];
}

/// Whether the rules of 2025-11-25 hold.
pub(super) fn holds(state: &State) -> bool {
    state.rules() == Some(Revision::V2025_11_25)
}

/// The tasks that a moment shows, in 2025-11-25.
pub(super) fn sightings<'a>(moment: &'a Moment<'_>) -> Vec<Shown<'a>> {
    match &moment.message {
        Some(heard) if holds(moment.state) => shown(heard.message, heard.answers),
        _ => Vec::new(),
    }
}

/// The first answer to a request with this method, in 2025-11-25.
pub(super) fn answer<'a>(
    moment: &'a Moment<'_>,
    method: &str,
) -> Option<(&'a Asked, &'a crate::protocol::Message)> {
    let heard = moment.message.as_ref().filter(|_| holds(moment.state))?;
    let asked = heard.answers.filter(|asked| asked.responses == 0 && asked.method == method)?;
    Some((asked, heard.message))
}

fn task_support(state: &State, name: &str) -> Option<String> {
    let tool = state.tools.get(name)?;
    tool.definition.pointer("/execution/taskSupport").and_then(Value::as_str).map(str::to_owned)
}

fn tasks_are_declared(moment: &Moment<'_>, judge: &mut Judge) {
    const DECLARED: &str = "tasks.capability.declared";
    const EXHAUSTIVE: &str = "tasks.capability.exhaustive";
    let Some(heard) = moment.message.filter(|_| holds(moment.state)) else { return };
    let (Some(asked), Some(result)) = (heard.answers, heard.message.result()) else { return };
    let is_task = result.get("task").is_some_and(|task| task.get("taskId").is_some());
    if asked.augmented() && asked.method != "tools/call" {
        return judge.decide(EXHAUSTIVE, !is_task, || {
            let text = format!("`{}` became a task, which the capabilities do not list", asked.method);
            Breach::new("not-listed", text)
                .expected(&["the usual result, or an error"])
                .actual("a result with `task`")
                .at(moment.record)
                .sent(asked.seq)
                .pointer("/result/task")
        });
    }
    let serves = match asked.method.as_str() {
        "tools/call" => asked.augmented() && is_task,
        // That of an unknown method a server says something by a result is told elsewhere.
        "tasks/get" | "tasks/result" => {
            moment.state.tasks.get(asked.param("taskId").unwrap_or_default()).is_some()
        }
        _ => false,
    };
    if serves {
        let call = asked.method == "tools/call";
        let declared = moment.state.declares(if call { "tasks/requests/tools/call" } else { "tasks" });
        judge.decide(DECLARED, declared, || {
            Breach::new(
                "undeclared",
                format!("`{}` is served for tasks, which the server does not declare", asked.method),
            )
            .expected(&["`tasks.requests.tools.call` in the capabilities"])
            .actual(if moment.state.declares("tasks") {
                "`tasks` without `requests.tools.call`"
            } else {
                "no `tasks`"
            })
            .at(moment.record)
            .sent(asked.seq)
        });
    }
}

fn tasks_begin_soundly(moment: &Moment<'_>, judge: &mut Judge) {
    let Some((asked, message)) = answer(moment, "tools/call").filter(|(asked, _)| asked.augmented()) else {
        return;
    };
    let Some(result) = message.result().and_then(Value::as_object) else { return };
    let state = moment.state;
    let support = task_support(state, asked.param("name").unwrap_or_default());
    let able = matches!(support.as_deref(), Some("optional" | "required"));
    let Some(task) = result.get("task").and_then(Value::as_object) else {
        if able && state.declares("tasks/requests/tools/call") {
            judge.broke(
                "tasks.create.result",
                Breach::new("no-task", "a call that asked to become a task was answered without a task")
                    .expected(&["a result with `task`"])
                    .actual("a result without `task`")
                    .at(moment.record)
                    .sent(asked.seq)
                    .pointer("/result"),
            );
        }
        return;
    };
    judge.held("tasks.create.result");
    let beside =
        ["content", "structuredContent", "isError"].into_iter().find(|name| result.contains_key(*name));
    judge.decide("tasks.create.no-operation-result", beside.is_none(), || {
        Breach::new("result-beside", "the answer that names the task has the result of the call, too")
            .quality()
            .expected(&["`task` alone, the result by `tasks/result`"])
            .actual(format!("a member `{}`", beside.unwrap_or_default()))
            .at(moment.record)
            .sent(asked.seq)
            .pointer("/result")
    });
    if let Some(status) = task.get("status").and_then(Value::as_str) {
        judge.decide("tasks.create.status-working", status == "working", || {
            Breach::new("other-status", "a new task does not begin as `working`")
                .quality()
                .expected(&["`working`"])
                .actual(format!("`{}`", super::base::shorten(status)))
                .at(moment.record)
                .sent(asked.seq)
                .pointer("/result/task/status")
        });
    }
    match task.get("taskId").and_then(Value::as_str) {
        Some("") => judge.broke(
            "tasks.id.string",
            Breach::new("empty", "a task has an empty id")
                .expected(&["a string that names the task"])
                .actual("an empty string")
                .at(moment.record)
                .sent(asked.seq)
                .pointer("/result/task/taskId"),
        ),
        Some(id) => {
            let known = state.tasks.get(id).is_some_and(|known| known.created_by.is_some());
            judge.decide("tasks.id.unique", !known, || {
                Breach::new("twice", "two calls became tasks with the same id")
                    .expected(&["an id that no other task has"])
                    .actual(super::base::shorten(id))
                    .at(moment.record)
                    .sent(asked.seq)
                    .pointer("/result/task/taskId")
            });
        }
        None => {}
    }
}

fn task_ids_cannot_be_guessed(_: &Moment<'_>, _: &mut Judge) {}

/// Judges the ids of the tasks that were created; the same in both dialects.
pub(super) fn judge_ids(state: &State, id: &'static str, lenient: bool, judge: &mut Judge) {
    let ids: Vec<&str> =
        state.tasks.iter().filter(|(_, known)| known.created_by.is_some()).map(|(id, _)| id).collect();
    if ids.len() < ENOUGH_IDS {
        return;
    }
    let bits = varying_bits(&ids);
    judge.decide(id, bits >= GUESSABLE || lenient, || {
        Breach::new("guessable", "task ids vary too little to be unguessable")
            .quality()
            .expected(&["ids that vary by 64 bits or more"])
            .actual(format!("{} ids that vary by about {bits} bits", ids.len()))
    });
}

/// Fewer ids than this say nothing.
const ENOUGH_IDS: usize = 3;
/// Ids with less varying content than this, in bits, can be guessed. A random UUID has 122.
const GUESSABLE: u32 = 60;

/// About how many bits vary from id to id: for each place at which they differ, what its alphabet can hold.
fn varying_bits(ids: &[&str]) -> u32 {
    let longest = ids.iter().map(|id| id.len()).max().unwrap_or(0).min(256);
    (0..longest)
        .map(|at| {
            let seen: HashSet<Option<u8>> = ids.iter().map(|id| id.as_bytes().get(at).copied()).collect();
            if seen.len() < 2 {
                return 0;
            }
            let all = |fits: fn(&u8) -> bool| seen.iter().flatten().all(fits);
            match () {
                () if all(u8::is_ascii_digit) => 3,
                () if all(u8::is_ascii_hexdigit) => 4,
                () => 5,
            }
        })
        .sum()
}

fn task_ids_vary(state: &State, judge: &mut Judge) {
    if holds(state) {
        judge_ids(state, "tasks.id.secure", !state.transport().is_http(), judge);
    }
}

fn members_of_tasks_are_sound(moment: &Moment<'_>, judge: &mut Judge) {
    for shown in sightings(moment) {
        let known = shown.id().and_then(|id| moment.state.tasks.get(id));
        for (member, id) in
            [("createdAt", "tasks.fields.created-at"), ("lastUpdatedAt", "tasks.fields.last-updated-at")]
        {
            let Some(text) = shown.text(member) else { continue };
            let seen = |class: &str, message: String| {
                shown
                    .breach(moment.record, class, member, message)
                    .expected(&["a timestamp such as `2025-11-25T10:30:00Z`"])
                    .actual(format!("`{}`", super::base::shorten(text)))
            };
            match timestamp(text) {
                None => {
                    judge.broke(id, seen("no-timestamp", format!("`{member}` of a task is no timestamp")));
                }
                Some((_, true)) => {
                    let message = format!("`{member}` of a task has no offset from UTC");
                    judge.broke(id, seen("no-offset", message).quality());
                }
                Some(_) => judge.held(id),
            }
        }
        judge_stamps(moment, &shown, known, judge, "tasks.fields.created-at", "tasks.fields.last-updated-at");
        if let Some(ttl) = shown.task.get("ttl").and_then(Value::as_f64)
            && ttl < 0.0
        {
            judge.broke(
                "tasks.fields.ttl",
                shown
                    .breach(moment.record, "negative", "ttl", "the time to live of a task is negative")
                    .expected(&["milliseconds, or null"])
                    .actual(ttl.to_string()),
            );
        }
    }
}

/// Judges timestamps against each other and against earlier ones; the same in both dialects.
pub(super) fn judge_stamps(
    moment: &Moment<'_>,
    shown: &Shown<'_>,
    known: Option<&Known>,
    judge: &mut Judge,
    created_row: &'static str,
    updated_row: &'static str,
) {
    let (created, updated) = (shown.text("createdAt"), shown.text("lastUpdatedAt"));
    let at = |text: Option<&str>| text.and_then(timestamp).map(|(at, _)| at);
    if let (Some(before), Some(now)) = (known.and_then(|known| known.created.as_deref()), created)
        && at(Some(before)) != at(Some(now))
    {
        judge.broke(
            created_row,
            shown
                .breach(moment.record, "changes", "createdAt", "`createdAt` of a task changes")
                .expected(&[before])
                .actual(super::base::shorten(now)),
        );
    }
    if let (Some(created), Some(updated)) = (at(created), at(updated))
        && updated < created
    {
        judge.broke(
            updated_row,
            shown
                .breach(
                    moment.record,
                    "before-created",
                    "lastUpdatedAt",
                    "a task was updated before it was created",
                )
                .quality()
                .expected(&["no earlier than `createdAt`"])
                .actual(updated.to_string()),
        );
    }
    let last = known.and_then(|known| known.updated.as_ref());
    // What was asked for before the other answer came may be older.
    if let (Some((before, seq)), Some(asked)) = (last, shown.asked)
        && asked.seq > *seq
        && let (Some(before), Some(updated)) = (at(Some(before)), at(updated))
        && updated < before
    {
        judge.broke(
            updated_row,
            shown
                .breach(moment.record, "goes-back", "lastUpdatedAt", "`lastUpdatedAt` of a task goes back")
                .quality()
                .expected(&[&format!("{before} or later")])
                .actual(updated.to_string()),
        );
    }
}

fn the_task_asked_for_is_shown(moment: &Moment<'_>, judge: &mut Judge) {
    const ID: &str = "tasks.get.shape";
    let Some((asked, message)) = answer(moment, "tasks/get") else { return };
    let (Some(wanted), Some(result)) = (asked.param("taskId"), message.result()) else { return };
    let breach = |class: &str, text: &str, at: &str| {
        Breach::new(class, text)
            .expected(&["the members of the task"])
            .at(moment.record)
            .sent(asked.seq)
            .pointer(at)
    };
    match result.get("taskId").and_then(Value::as_str) {
        Some(id) if id == wanted => judge.held(ID),
        Some(id) => judge.broke(
            ID,
            breach("other-task", "`tasks/get` shows another task than the one asked for", "/result/taskId")
                .actual(super::base::shorten(id)),
        ),
        None if result.get("task").is_some_and(Value::is_object) => judge.broke(
            ID,
            breach("nested", "`tasks/get` has the task in a member `task`", "/result/task")
                .actual("a member `task`"),
        ),
        // A member that is missing is told by its own row.
        None => {}
    }
}

fn task_lists_come_in_pages(moment: &Moment<'_>, judge: &mut Judge) {
    const ID: &str = "tasks.list.paginated";
    let Some((asked, message)) = answer(moment, "tasks/list") else { return };
    let Some(result) = message.result() else { return };
    let count = result.get("tasks").and_then(Value::as_array).map_or(0, Vec::len);
    if result.get("nextCursor").is_some_and(Value::is_string) && count <= CROWDED {
        judge.held(ID);
    } else if count > CROWDED {
        judge.broke(
            ID,
            Breach::new("crowded", "hundreds of tasks are listed on one page")
                .quality()
                .expected(&["pages, with `nextCursor`"])
                .actual(format!("{count} tasks"))
                .at(moment.record)
                .sent(asked.seq)
                .pointer("/result/tasks"),
        );
    } else {
        judge.undecided(ID, "few-tasks", "all tasks had room on one page");
    }
}

fn polls_get_no_stream(moment: &Moment<'_>, judge: &mut Judge) {
    let Some((asked, message)) = answer(moment, "tasks/get") else { return };
    let Some(here) = exchange(moment).filter(|_| message.result().is_some()) else { return };
    judge.decide("tasks.get.no-sse", !here.is_event_stream(), || {
        Breach::new("stream", "`tasks/get` is answered on an event stream")
            .quality()
            .expected(&["`application/json`"])
            .actual("`text/event-stream`")
            .at(moment.record)
            .sent(asked.seq)
    });
}

fn task_limits_were_met(moment: &Moment<'_>, judge: &mut Judge) {
    let Some(heard) = moment.message.filter(|_| holds(moment.state)) else { return };
    let (Some(asked), Some(error)) = (heard.answers, heard.message.error()) else { return };
    let text = error.get("message").and_then(Value::as_str).unwrap_or_default().to_ascii_lowercase();
    if text.contains("rate limit") || text.contains("too many requests") {
        if asked.method.starts_with("tasks/") || asked.augmented() {
            judge.held("tasks.limits.rate");
        }
    } else if asked.augmented() && (text.contains("too many") || text.contains("limit")) {
        judge.held("tasks.limits.concurrent");
    }
}

fn no_limit_was_met(state: &State, judge: &mut Judge) {
    if holds(state) && state.tasks.iter().next().is_some() {
        for id in ["tasks.limits.rate", "tasks.limits.concurrent"] {
            let text =
                "no limit was run into; none is specified, and the harness does not press a server for one";
            judge.undecided(id, "no-limit-met", text);
        }
    }
}

fn requests_are_augmented_as_declared(moment: &Moment<'_>, judge: &mut Judge) {
    const ID: &str = "tasks.requestor.only-declared";
    let Some(message) = moment.message.filter(|_| holds(moment.state)).map(|heard| heard.message) else {
        return;
    };
    let path = match message.method().filter(|_| *message.kind() == crate::protocol::Kind::Request) {
        Some("elicitation/create") => "/tasks/requests/elicitation/create",
        Some("sampling/createMessage") => "/tasks/requests/sampling/createMessage",
        _ => return,
    };
    let declared = super::capabilities::declared_at_initialize(moment.state);
    let may = declared.is_some_and(|declared| declared.pointer(path).is_some_and(Value::is_object));
    let augmented = message.params().is_some_and(|params| params.get("task").is_some());
    judge.decide(ID, may || !augmented, || {
        Breach::new("undeclared", "the server wants a task of a client that did not declare tasks")
            .quality()
            .expected(&["a request without `task`"])
            .actual("a request with `task`")
            .at(moment.record)
            .pointer("/params/task")
    });
}
