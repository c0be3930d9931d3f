//! To which task a message belongs (2025-11-25, basic/utilities/tasks#associating-task-related-messages), and what is told
//! of a task's status.

use super::http::exchange;
use super::rule::monitors;
use super::task_log::{Place, RELATED, related};
use super::tasks::{holds, sightings};
use super::{Breach, Judge, Moment, State};
use crate::protocol::{Kind, Transport};
use serde_json::Value;

monitors! {
    /// What belongs to a task names it in `_meta`, under `io.modelcontextprotocol/related-task`: its questions to the
    /// client, its progress, and the answer to `tasks/result`. A client that follows several tasks cannot tell them apart
    /// without it.
    messages_name_their_task (WhileWeObey) decides [
        "tasks.related-task.everywhere", "tasks.related-task.nested", "tasks.input-required.related-task",
        "tasks.result.related-task",
    ];
    /// What names its task anyway leaves that metadata out: the results of `tasks/get`, `tasks/list` and `tasks/cancel`,
    /// and notifications of a status.
    tasks_are_named_once (WhileWeObey) decides
        ["tasks.related-task.not-in-task-results", "tasks.notify.no-related-task"];
    /// A notification of a status has the whole task, and is about one that this client began.
    told_tasks_are_own_ones (WhileWeObey) decides ["tasks.notify.shape"] at_end told_tasks_were_begun;
    /// A task that waits for its client says so: while a question of it is open, its status is `input_required`.
    waiting_tasks_say_so (WhileWeObey) decides ["tasks.input-required.entered"];
}

/// The id in the metadata of a message, or what is wrong with it.
fn named(value: &Value) -> Result<&str, &'static str> {
    value.get("taskId").and_then(Value::as_str).ok_or("metadata without a `taskId`")
}

fn messages_name_their_task(moment: &Moment<'_>, judge: &mut Judge) {
    let Some(heard) = moment.message.filter(|_| holds(moment.state)) else { return };
    let message = heard.message;
    match (message.kind(), message.method()) {
        (Kind::Request, Some("elicitation/create" | "sampling/createMessage")) => {
            judge_question(moment, judge);
        }
        (Kind::Notification, Some("notifications/progress")) => judge_progress(moment, judge),
        (Kind::Result, _) => judge_result(moment, judge),
        _ => {}
    }
}

/// Whether a question of the server can come from a task only.
fn is_of_a_task(moment: &Moment<'_>) -> bool {
    let state = moment.state;
    if state.transport() == Transport::Http {
        return exchange(moment).is_some_and(|exchange| exchange.rpc_method() == Some("tasks/result"));
    }
    // What was cancelled may go on, and ask.
    let open = state.asked.values().any(|asked| asked.responses == 0 && !asked.method.starts_with("tasks/"));
    state.tasks.any_running() && !open && !state.asked.is_empty()
}

fn judge_question(moment: &Moment<'_>, judge: &mut Judge) {
    const RELATED_ROW: &str = "tasks.input-required.related-task";
    const NESTED: &str = "tasks.related-task.nested";
    const EVERYWHERE: &str = "tasks.related-task.everywhere";
    let Some(message) = moment.message.map(|heard| heard.message) else { return };
    let expected = [format!("`_meta.{RELATED}` with the id of its task")];
    let expected: Vec<&str> = expected.iter().map(String::as_str).collect();
    let seen = |class: &str, text: &str, actual: String| {
        Breach::new(class, text).expected(&expected).actual(actual).at(moment.record).pointer("/params")
    };
    match related(message.params()).map(named) {
        None if is_of_a_task(moment) => {
            let breach =
                seen("absent", "a question of a task does not name its task", "no such metadata".to_owned());
            judge.broke(RELATED_ROW, breach.clone());
            judge.broke(NESTED, breach.clone().see(RELATED_ROW));
            judge.broke(EVERYWHERE, breach.see(RELATED_ROW));
        }
        None => {}
        Some(Ok(id)) if moment.state.tasks.get(id).is_some() => {
            for row in [RELATED_ROW, NESTED, EVERYWHERE] {
                judge.held(row);
            }
        }
        // Its task may be one whose answer is on its way.
        Some(Ok(_)) if moment.state.unanswered().any(super::Asked::augmented) => {}
        Some(other) => {
            let actual = other.map_or_else(str::to_owned, |id| format!("`{}`", super::base::shorten(id)));
            let breach = seen("other-task", "a question names a task that there is not", actual);
            judge.broke(NESTED, breach.clone());
            judge.broke(RELATED_ROW, breach.clone().see(NESTED));
            judge.broke(EVERYWHERE, breach.see(NESTED));
        }
    }
}

fn judge_progress(moment: &Moment<'_>, judge: &mut Judge) {
    const EVERYWHERE: &str = "tasks.related-task.everywhere";
    let Some(params) = moment.message.and_then(|heard| heard.message.params()) else { return };
    let token = params.get("progressToken").and_then(super::token_key);
    let progress = token.and_then(|key| moment.state.notices.progress.get(&key));
    let Some(task) = progress.and_then(|progress| progress.task.as_deref()) else { return };
    let actual = related(Some(params)).map(named);
    judge.decide(EVERYWHERE, actual == Some(Ok(task)), || {
        Breach::new("progress", "progress of a task does not name its task")
            .expected(&[&format!("`_meta.{RELATED}` with the id of its task")])
            .actual(match actual {
                None => "no such metadata".to_owned(),
                Some(Ok(id)) => format!("`{}`", super::base::shorten(id)),
                Some(Err(fault)) => fault.to_owned(),
            })
            .at(moment.record)
            .pointer("/params")
    });
}

fn judge_result(moment: &Moment<'_>, judge: &mut Judge) {
    const RESULT: &str = "tasks.result.related-task";
    let Some(heard) = moment.message else { return };
    let Some(asked) = heard.answers.filter(|asked| asked.method == "tasks/result" && asked.responses == 0)
    else {
        return;
    };
    let (Some(task), Some(result)) = (asked.param("taskId"), heard.message.result()) else { return };
    let actual = related(Some(result)).map(named);
    judge.decide(RESULT, actual == Some(Ok(task)), || {
        Breach::new("absent", "the answer to `tasks/result` does not name its task")
            .expected(&[&format!("`_meta.{RELATED}` with the id that was asked for")])
            .actual(match actual {
                None => "no such metadata".to_owned(),
                Some(Ok(id)) => format!("`{}`", super::base::shorten(id)),
                Some(Err(fault)) => fault.to_owned(),
            })
            .at(moment.record)
            .sent(asked.seq)
            .pointer("/result")
    });
}

fn tasks_are_named_once(moment: &Moment<'_>, judge: &mut Judge) {
    let Some(heard) = moment.message.filter(|_| holds(moment.state)) else { return };
    let (id, holder, at) = match (heard.message.method(), heard.answers) {
        (Some("notifications/tasks/status"), _) => {
            ("tasks.notify.no-related-task", heard.message.params(), "/params")
        }
        (None, Some(asked))
            if matches!(asked.method.as_str(), "tasks/get" | "tasks/list" | "tasks/cancel") =>
        {
            ("tasks.related-task.not-in-task-results", heard.message.result(), "/result")
        }
        _ => return,
    };
    let Some(holder) = holder else { return };
    judge.decide(id, related(Some(holder)).is_none(), || {
        Breach::new("named-twice", "a message that names its task has the related-task metadata, too")
            .quality()
            .expected(&["`_meta` without it"])
            .actual(format!("`{RELATED}`"))
            .at(moment.record)
            .pointer(format!("{at}/_meta"))
    });
}

fn told_tasks_are_own_ones(moment: &Moment<'_>, judge: &mut Judge) {
    for shown in sightings(moment).iter().filter(|shown| shown.place == Place::Told) {
        if shown.id().is_some_and(|id| moment.state.tasks.get(id).is_some()) {
            judge.held("tasks.notify.shape");
        }
    }
}

fn told_tasks_were_begun(state: &State, judge: &mut Judge) {
    // A call that has no answer may have become a task of which we know nothing.
    if !holds(state) || state.asked.values().any(|asked| asked.augmented() && asked.responses == 0) {
        return;
    }
    for (id, seq) in state.tasks.told.iter().filter(|(id, _)| state.tasks.get(id).is_none()) {
        let mut breach =
            Breach::new("unknown-task", "a notification is about a task that this client did not begin")
                .expected(&["the status of a task of this client"])
                .actual(super::base::shorten(id))
                .pointer("/params/taskId");
        breach.event = Some(*seq);
        judge.broke("tasks.notify.shape", breach);
    }
}

fn waiting_tasks_say_so(moment: &Moment<'_>, judge: &mut Judge) {
    const ID: &str = "tasks.input-required.entered";
    for shown in sightings(moment).iter().filter(|shown| shown.place == Place::Got) {
        let (Some(task), Some(asked), Some(status)) = (shown.id(), shown.asked, shown.status()) else {
            continue;
        };
        if status == "input_required" {
            judge.held(ID);
            continue;
        }
        // A question came before we asked for the status, and has no answer from us to this moment.
        let mut asking = moment.state.tasks.asking.values();
        let open =
            asking.find(|question| question.task == task && question.seq < asked.seq && !question.settled);
        if let Some(question) = open.filter(|_| status == "working") {
            let mut breach = shown
                .breach(
                    moment.record,
                    "working",
                    "status",
                    "a task whose question is open does not say that it waits",
                )
                .quality()
                .expected(&["`input_required`"])
                .actual("`working`");
            breach.sent = Some(question.seq);
            judge.broke(ID, breach);
        }
    }
}
