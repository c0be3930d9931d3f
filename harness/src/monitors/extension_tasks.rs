//! The tasks extension of 2026-07-28 (`io.modelcontextprotocol/tasks`): who gets a task, and what tasks look like.

use super::answered::answered;
use super::rule::monitors;
use super::task_log::{EXTENSION, Place, STATUSES, Shown, shown, timestamp};
use super::tasks::{judge_ids, judge_stamps};
use super::tasks_status::judge_failure_message;
use super::{Breach, Judge, Moment, State};
use crate::protocol::schema::{self, Checked};
use crate::protocol::{Era, Kind};
use serde_json::{Value, json};

monitors! {
    /// Tasks are made and served by servers that advertise the extension, and the capability `tasks` of 2025-11-25 is no
    /// longer declared.
    the_extension_is_advertised (WhileWeObey) decides
        ["extension-tasks.advertised", "extension-tasks.legacy.capability-not-advertised"];
    /// Only `tools/call` may become a task, and only for a request that declares the extension: other clients take a task
    /// for a broken result.
    tasks_are_for_those_who_know_them (WhileWeObey) decides [
        "extension-tasks.create.declared-clients-only", "extension-tasks.create.only-tools-call",
        "extension-tasks.legacy.client-capability-insufficient",
    ];
    /// The answer to a call that became a task has `resultType` `task`; nothing else has. `tasks/get`, `tasks/update` and
    /// `tasks/cancel` are answered with `complete`.
    result_types_tell_tasks_apart (WhileWeObey) decides [
        "extension-tasks.create.result-type", "extension-tasks.create.result-type-only-there",
        "extension-tasks.get.result-complete", "extension-tasks.update.result-complete",
        "extension-tasks.cancel.result-complete",
    ];
    /// `tasks/update` and `tasks/cancel` are acknowledged with nothing else than that.
    acknowledgements_are_empty (WhileWeObey) decides
        ["extension-tasks.update.ack-empty", "extension-tasks.cancel.ack-empty"];
    /// A tool that asks first and then works asks in rounds until it knows enough: the answer that names the task has
    /// nothing to ask.
    questions_come_before_the_task (WhileWeObey) decides ["extension-tasks.create.input-before-task"];
    /// A task has `taskId`, `status`, `createdAt`, `lastUpdatedAt` and `ttlMs`, flat, and none of the names of
    /// 2025-11-25; its status is one of the five.
    extension_tasks_have_their_members (WhileWeObey) decides
        ["extension-tasks.task.shape", "extension-tasks.task.status-values", "extension-tasks.task.timestamps"];
    /// Task ids vary too much to be guessed: who knows the id has the task.
    extension_task_ids_cannot_be_guessed (WhileWeObey) decides
        ["extension-tasks.task.id-unguessable"] at_end extension_task_ids_vary;
    /// A task that has ended keeps its status and its result.
    extension_tasks_that_ended_stay_so (WhileWeObey) decides
        ["extension-tasks.task.terminal-final", "extension-tasks.task.transitions"];
    /// A task shows what its status calls for: questions, a result, an error; and nothing that belongs to another status.
    /// A tool result with `isError` completes its task: only JSON-RPC errors make it fail.
    tasks_show_what_their_status_calls_for (WhileWeObey) decides [
        "extension-tasks.get.status-faithful", "extension-tasks.get.completed-result", "extension-tasks.get.failed-error",
        "extension-tasks.task.failed-only-for-errors", "extension-tasks.task.failed-message",
    ];
}

pub(super) fn is_modern(moment: &Moment<'_>) -> bool {
    moment.state.era() == Some(Era::Modern)
}

/// The tasks that a moment shows, in 2026-07-28.
pub(super) fn sightings<'a>(moment: &'a Moment<'_>) -> Vec<Shown<'a>> {
    match &moment.message {
        Some(heard) if is_modern(moment) => shown(heard.message, heard.answers),
        _ => Vec::new(),
    }
}

/// Whether a server advertises the extension in these capabilities.
fn advertises(capabilities: &Value) -> bool {
    capabilities.get("extensions").and_then(|all| all.get(EXTENSION)).is_some_and(Value::is_object)
}

fn the_extension_is_advertised(moment: &Moment<'_>, judge: &mut Judge) {
    const ADVERTISED: &str = "extension-tasks.advertised";
    const OLD: &str = "extension-tasks.legacy.capability-not-advertised";
    let Some(answer) = answered(moment).filter(|answer| answer.revision.era() == Era::Modern) else { return };
    let method = answer.asked.method.as_str();
    if method == "server/discover" {
        let old = answer.result.get("capabilities").and_then(|capabilities| capabilities.get("tasks"));
        judge.decide(OLD, old.is_none(), || {
            Breach::new("old", "the capability `tasks` of 2025-11-25 is declared in 2026-07-28")
                .quality()
                .expected(&[&format!("`extensions` with `{EXTENSION}`")])
                .actual("`capabilities.tasks`")
                .at(moment.record)
                .sent(answer.asked.seq)
                .pointer("/result/capabilities/tasks")
        });
    }
    let serves = match method {
        "tools/call" => answer.result["resultType"] == "task",
        "tasks/get" | "tasks/update" | "tasks/cancel" => true,
        _ => false,
    };
    if let Some(capabilities) = moment.state.capabilities.as_ref().filter(|_| serves) {
        judge.decide(ADVERTISED, advertises(capabilities), || {
            Breach::new(
                "not-advertised",
                format!("`{method}` is served for tasks, which the server does not advertise"),
            )
            .expected(&[&format!("`extensions` with `{EXTENSION}` in the capabilities")])
            .actual("no such entry")
            .at(moment.record)
            .sent(answer.asked.seq)
        });
    }
}

fn tasks_are_for_those_who_know_them(moment: &Moment<'_>, judge: &mut Judge) {
    const DECLARED: &str = "extension-tasks.create.declared-clients-only";
    const ONLY: &str = "extension-tasks.create.only-tools-call";
    const OLD: &str = "extension-tasks.legacy.client-capability-insufficient";
    let Some(heard) = moment.message.filter(|_| is_modern(moment)) else { return };
    let Some(asked) = heard.answers.filter(|asked| asked.responses == 0 && asked.meta_version().is_some())
    else {
        return;
    };
    let is_task = heard.message.result().is_some_and(|result| result["resultType"] == "task");
    let seen = |class: &str, text: String| {
        Breach::new(class, text)
            .expected(&["the usual result", "error -32021 where there is none without a task"])
            .actual("a task")
            .at(moment.record)
            .sent(asked.seq)
            .pointer("/result/resultType")
    };
    match asked.method.as_str() {
        "tools/call" if asked.declares_tasks() => {}
        "tools/call" => {
            let producer =
                asked.param("name").is_some_and(|name| moment.state.tasks.producers.contains(name));
            let old = asked.client_capabilities().is_some_and(|own| own.get("tasks").is_some());
            if is_task {
                let text = "a call of a client that does not know tasks became one".to_owned();
                if old {
                    let old_text = "the capability `tasks` of 2025-11-25 counts as the extension".to_owned();
                    judge.broke(OLD, seen("old-capability", old_text));
                    judge.broke(DECLARED, seen("undeclared", text).see(OLD));
                } else {
                    judge.broke(DECLARED, seen("undeclared", text));
                }
            } else if producer {
                judge.held(if old { OLD } else { DECLARED });
            }
        }
        // What these are answered with has a row of its own.
        "tasks/get" | "tasks/update" | "tasks/cancel" => {}
        method if heard.message.result().is_some() => judge.decide(ONLY, !is_task, || {
            seen("other-method", format!("`{method}` became a task")).expected(&["the usual result"])
        }),
        _ => {}
    }
}

fn result_types_tell_tasks_apart(moment: &Moment<'_>, judge: &mut Judge) {
    const CREATED: &str = "extension-tasks.create.result-type";
    const ONLY_THERE: &str = "extension-tasks.create.result-type-only-there";
    let Some(answer) = answered(moment).filter(|answer| answer.revision.era() == Era::Modern) else { return };
    let kind = answer.result.get("resultType").and_then(Value::as_str);
    let seen = |class: &str, text: String, expected: &str| {
        Breach::new(class, text)
            .expected(&[expected])
            .actual(
                kind.map_or("no `resultType`".to_owned(), |kind| format!("`{}`", super::base::shorten(kind))),
            )
            .at(moment.record)
            .sent(answer.asked.seq)
            .pointer("/result/resultType")
    };
    let row = match answer.asked.method.as_str() {
        "tools/call" => {
            let looks_like_one =
                answer.result.get("taskId").is_some() && answer.result.get("status").is_some();
            if looks_like_one || kind == Some("task") {
                judge.decide(CREATED, kind == Some("task"), || {
                    seen(
                        "other-type",
                        "a task that answers a call does not say that it is one".to_owned(),
                        "`task`",
                    )
                });
            }
            return;
        }
        "tasks/get" => "extension-tasks.get.result-complete",
        "tasks/update" => "extension-tasks.update.result-complete",
        "tasks/cancel" => "extension-tasks.cancel.result-complete",
        _ => return,
    };
    let method = &answer.asked.method;
    judge.decide(row, kind == Some("complete"), || {
        let breach = seen(
            "other-type",
            format!("the answer to `{method}` does not say that it is complete"),
            "`complete`",
        );
        // Examples of the extension show a task there.
        if kind == Some("task") && method == "tasks/get" { breach.quality() } else { breach }
    });
    if kind == Some("task") {
        let breach = seen(
            "other-result",
            format!("the answer to `{method}` says that it is a new task"),
            "`complete`",
        );
        judge.broke(ONLY_THERE, if method == "tasks/get" { breach.quality() } else { breach }.see(row));
    } else {
        judge.held(ONLY_THERE);
    }
}

fn acknowledgements_are_empty(moment: &Moment<'_>, judge: &mut Judge) {
    let Some(answer) = answered(moment).filter(|answer| answer.revision.era() == Era::Modern) else { return };
    let id = match answer.asked.method.as_str() {
        "tasks/update" => "extension-tasks.update.ack-empty",
        "tasks/cancel" => "extension-tasks.cancel.ack-empty",
        _ => return,
    };
    let mut members = answer.result.as_object().into_iter().flat_map(serde_json::Map::keys);
    let extra = members.find(|name| !matches!(name.as_str(), "resultType" | "_meta"));
    judge.decide(id, extra.is_none(), || {
        Breach::new("extra-members", format!("the acknowledgement of `{}` is not empty", answer.asked.method))
            .quality()
            .expected(&["`resultType` and perhaps `_meta`"])
            .actual(format!("a member `{}`", super::base::shorten(extra.map_or("", String::as_str))))
            .at(moment.record)
            .sent(answer.asked.seq)
            .pointer("/result")
    });
}

fn questions_come_before_the_task(moment: &Moment<'_>, judge: &mut Judge) {
    const ID: &str = "extension-tasks.create.input-before-task";
    let Some(answer) = answered(moment).and_then(|answer| answer.to("tools/call")) else { return };
    if !is_modern(moment) || answer.result["resultType"] != "task" {
        return;
    }
    let asks = ["inputRequests", "requestState"].into_iter().find(|name| answer.result.get(name).is_some());
    let retried = answer.asked.message.params().is_some_and(|params| params.get("inputResponses").is_some());
    if let Some(asks) = asks {
        judge.broke(
            ID,
            Breach::new("still-asks", "the answer that names a task still has questions of the call")
                .quality()
                .expected(&["questions in rounds before the task, or by the task itself"])
                .actual(format!("a member `{asks}`"))
                .at(moment.record)
                .sent(answer.asked.seq)
                .pointer(format!("/result/{asks}")),
        );
    } else if retried {
        judge.held(ID);
    }
}

fn extension_tasks_have_their_members(moment: &Moment<'_>, judge: &mut Judge) {
    const SHAPE: &str = "extension-tasks.task.shape";
    const STATUS: &str = "extension-tasks.task.status-values";
    const STAMPS: &str = "extension-tasks.task.timestamps";
    for shown in sightings(moment) {
        match misshapen(&shown) {
            None => judge.held(SHAPE),
            Some((member, expected)) => judge.broke(
                SHAPE,
                shown
                    .breach(
                        moment.record,
                        &format!("member-{member}"),
                        "",
                        "a task does not have the members of its type",
                    )
                    .expected(&[expected])
                    .actual(match shown.task.get(member) {
                        Some(value) => format!("`{member}`: {}", super::base::shorten(&value.to_string())),
                        None => format!("no `{member}`"),
                    }),
            ),
        }
        if let Some(status) = shown.status() {
            judge.decide(STATUS, STATUSES.contains(&status), || {
                shown
                    .breach(moment.record, "unknown", "status", "the status of a task is none of the five")
                    .expected(&["`working`, `input_required`, `completed`, `failed` or `cancelled`"])
                    .actual(format!("`{}`", super::base::shorten(status)))
            });
        }
        for member in ["createdAt", "lastUpdatedAt"] {
            let Some(text) = shown.text(member) else { continue };
            judge.decide(STAMPS, timestamp(text).is_some_and(|(_, naive)| !naive), || {
                shown
                    .breach(
                        moment.record,
                        "no-timestamp",
                        member,
                        format!("`{member}` of a task is no timestamp"),
                    )
                    .quality()
                    .expected(&["a timestamp such as `2026-07-28T10:30:00Z`"])
                    .actual(format!("`{}`", super::base::shorten(text)))
            });
        }
        let known = shown.id().and_then(|id| moment.state.tasks.get(id));
        judge_stamps(moment, &shown, known, judge, STAMPS, STAMPS);
    }
}

/// The first member that is not as it should be, and what it should be.
fn misshapen(shown: &Shown<'_>) -> Option<(&'static str, &'static str)> {
    let task = shown.task;
    let whole = |value: &Value| value.as_f64().is_some_and(|number| number >= 0.0 && number.fract() == 0.0);
    for name in ["taskId", "status", "createdAt", "lastUpdatedAt"] {
        if !task.get(name).is_some_and(Value::is_string) {
            return Some((name, "a string"));
        }
    }
    if task["taskId"] == "" {
        return Some(("taskId", "a string that names the task"));
    }
    if !task.get("ttlMs").is_some_and(|ttl| ttl.is_null() || whole(ttl)) {
        return Some(("ttlMs", "whole milliseconds, or null"));
    }
    if task.get("pollIntervalMs").is_some_and(|interval| !whole(interval)) {
        return Some(("pollIntervalMs", "whole milliseconds"));
    }
    if task.get("statusMessage").is_some_and(|message| !message.is_string()) {
        return Some(("statusMessage", "a string"));
    }
    let old = ["task", "ttl", "pollInterval"].into_iter().find(|name| task.contains_key(*name));
    old.map(|name| (name, "no such member: the task is flat, with `ttlMs` and `pollIntervalMs`"))
}

fn extension_task_ids_cannot_be_guessed(_: &Moment<'_>, _: &mut Judge) {}

fn extension_task_ids_vary(state: &State, judge: &mut Judge) {
    if state.era() == Some(Era::Modern) {
        judge_ids(state, "extension-tasks.task.id-unguessable", false, judge);
    }
}

fn extension_tasks_that_ended_stay_so(moment: &Moment<'_>, judge: &mut Judge) {
    const FINAL: &str = "extension-tasks.task.terminal-final";
    const TRANSITIONS: &str = "extension-tasks.task.transitions";
    for shown in sightings(moment) {
        let (Some(status), Some(asked)) = (shown.status(), shown.asked) else { continue };
        let Some(known) = shown.id().and_then(|id| moment.state.tasks.get(id)) else { continue };
        judge.held(TRANSITIONS);
        // What was asked for before the end was seen may be older than it.
        let Some(over) = known.over.as_ref().filter(|over| asked.seq > over.seq) else { continue };
        // Once its time is over, a task may be marked as failed.
        if known.may_be_gone(moment.record.at) {
            continue;
        }
        let result = shown.task.get("result");
        if status != over.status {
            let seen = shown
                .breach(
                    moment.record,
                    "changed",
                    "status",
                    format!("a task that was {} changes its status", over.status),
                )
                .expected(&[&format!("`{}`", over.status)])
                .actual(format!("`{}`", super::base::shorten(status)));
            judge.broke(FINAL, seen.clone());
            judge.broke(TRANSITIONS, seen.see(FINAL));
        } else if status == "completed"
            && known.result.is_some()
            && result.is_some()
            && known.result.as_ref() != result
        {
            judge.broke(
                FINAL,
                shown
                    .breach(moment.record, "other-result", "result", "the result of a completed task changes")
                    .expected(&["the same result as before"])
                    .actual("another one"),
            );
        } else {
            judge.held(FINAL);
        }
    }
}

fn tasks_show_what_their_status_calls_for(moment: &Moment<'_>, judge: &mut Judge) {
    const FAITHFUL: &str = "extension-tasks.get.status-faithful";
    const RESULT: &str = "extension-tasks.get.completed-result";
    const ERROR: &str = "extension-tasks.get.failed-error";
    const ONLY_ERRORS: &str = "extension-tasks.task.failed-only-for-errors";
    for shown in sightings(moment).iter().filter(|shown| shown.place == Place::Got) {
        let Some(status) = shown.status() else { continue };
        let wanted = shown.asked.and_then(|asked| asked.param("taskId"));
        let stray = [("result", "completed"), ("error", "failed"), ("inputRequests", "input_required")]
            .into_iter()
            .find(|(member, of)| {
                // A failed task with a result has a row of its own.
                let told = *member == "result" && status == "failed";
                shown.task.get(*member).is_some_and(|value| !value.is_null()) && *of != status && !told
            });
        if shown.id() != wanted {
            judge.broke(
                FAITHFUL,
                shown
                    .breach(
                        moment.record,
                        "other-task",
                        "taskId",
                        "`tasks/get` shows another task than the one asked for",
                    )
                    .expected(&["the task that was asked for"])
                    .actual(super::base::shorten(shown.id().unwrap_or("no `taskId`"))),
            );
        } else if let Some((member, of)) = stray {
            judge.broke(
                FAITHFUL,
                shown
                    .breach(
                        moment.record,
                        "other-detail",
                        member,
                        format!("a task shows what belongs to status `{of}`"),
                    )
                    // No sentence forbids further members.
                    .quality()
                    .expected(&[&format!("no `{member}`, or status `{of}`")])
                    .actual(format!("`{member}` with status `{}`", super::base::shorten(status))),
            );
        } else {
            judge.held(FAITHFUL);
        }
        match status {
            "completed" => judge.decide(RESULT, is_call_result(shown.task.get("result")), || {
                shown
                    .breach(
                        moment.record,
                        "no-result",
                        "",
                        "a completed task does not have the result of its call",
                    )
                    .expected(&["`result` with `content`"])
                    .actual(match shown.task.get("result") {
                        Some(result) => super::base::shorten(&result.to_string()),
                        None => "no `result`".to_owned(),
                    })
            }),
            "failed" => {
                let error = shown.task.get("error");
                let has_result = shown.task.get("result").is_some_and(Value::is_object);
                let good = error.is_some_and(|error| {
                    error.get("code").is_some_and(|code| code.is_i64() || code.is_u64())
                        && error.get("message").is_some_and(Value::is_string)
                });
                if has_result {
                    judge.broke(
                        ONLY_ERRORS,
                        shown
                            .breach(
                                moment.record,
                                "failed",
                                "status",
                                "a call that came to a result is told as failed",
                            )
                            .expected(&["`completed` with the result, also where it has `isError`"])
                            .actual("`failed` with a result"),
                    );
                } else {
                    judge.decide(ERROR, good, || {
                        shown
                            .breach(
                                moment.record,
                                "no-error",
                                "",
                                "a failed task does not have its JSON-RPC error",
                            )
                            .expected(&["`error` with `code` and `message`"])
                            .actual(error.map_or("no `error`".to_owned(), |error| {
                                super::base::shorten(&error.to_string())
                            }))
                    });
                }
                judge_failure_message(moment, shown, "extension-tasks.task.failed-message", judge);
            }
            _ => {}
        }
        let has_failed = shown.task.get("result").is_some_and(|result| result["isError"] == true);
        if status == "completed" && has_failed {
            judge.held(ONLY_ERRORS);
        }
    }
}

/// Whether this is the result of a tool call; its `resultType` may be left out.
pub(super) fn is_call_result(result: Option<&Value>) -> bool {
    let Some(Value::Object(result)) = result else { return false };
    let mut result = result.clone();
    result.insert("resultType".to_owned(), json!("complete"));
    let revision = crate::protocol::Revision::V2026_07_28;
    matches!(schema::check_result(revision, "tools/call", &Value::Object(result)), Checked::Valid)
}

/// Whether a message is a notification with this method.
pub(super) fn is_notification(moment: &Moment<'_>, method: &str) -> bool {
    moment.message.is_some_and(|heard| {
        *heard.message.kind() == Kind::Notification && heard.message.method() == Some(method)
    })
}
