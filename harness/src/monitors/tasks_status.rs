//! What becomes of tasks of 2025-11-25 (basic/utilities/tasks): their status, their end, and what they came to.

use super::rule::monitors;
use super::task_log::{Place, Shown};
use super::tasks::{answer, holds, sightings};
use super::{Asked, Breach, Judge, Moment, State};
use serde_json::Value;
use std::time::Duration;

/// How long after the end of its task a tool may still report progress before it counts as running on.
const WINDS_DOWN: Duration = Duration::from_millis(500);
/// For how long nothing must have come for it to be said that the work has stopped.
const QUIET: Duration = Duration::from_secs(1);

monitors! {
    /// A task that has ended keeps its status: completed, failed and cancelled are final, whatever its work still does.
    tasks_that_ended_stay_so (WhileWeObey) decides
        ["tasks.status.terminal-final", "tasks.status.transitions", "tasks.cancel.sticky"];
    /// A failed task says in `statusMessage` why; a call whose result has `isError` makes a failed task.
    failures_are_told (WhileWeObey) decides
        ["tasks.status.failure-message", "tasks.status.failed-for-error-result"] at_end error_results_fail;
    /// `tasks/cancel` is answered with the task in status `cancelled`. Its work is told to stop: progress that goes on
    /// long afterwards shows that it was not.
    cancelled_tasks_stop (WhileWeObey) decides
        ["tasks.cancel.to-cancelled", "tasks.cancel.stops-work"] at_end cancelled_work_is_quiet;
    /// `tasks/result` is answered when the task is over and not before, with what the call came to.
    results_come_at_the_end (WhileWeObey) decides
        ["tasks.result.terminal", "tasks.result.blocks", "tasks.result.error-passthrough"];
}

fn tasks_that_ended_stay_so(moment: &Moment<'_>, judge: &mut Judge) {
    const FINAL: &str = "tasks.status.terminal-final";
    const TRANSITIONS: &str = "tasks.status.transitions";
    const STICKY: &str = "tasks.cancel.sticky";
    for shown in sightings(moment) {
        let (Some(status), Some(asked)) = (shown.status(), shown.asked) else { continue };
        let Some(known) = shown.id().and_then(|id| moment.state.tasks.get(id)) else { continue };
        judge.held(TRANSITIONS);
        // What was asked for before the end was seen may be older than it.
        let Some(over) = known.over.as_ref().filter(|over| asked.seq > over.seq) else { continue };
        let was_cancelled = over.status == "cancelled";
        if status == over.status {
            judge.held(FINAL);
            if was_cancelled {
                judge.held(STICKY);
            }
            continue;
        }
        let seen = shown
            .breach(
                moment.record,
                "changed",
                "status",
                format!("a task that was {} changes its status", over.status),
            )
            .expected(&[&format!("`{}`", over.status), "error -32602 once the task is gone"])
            .actual(format!("`{}`", super::base::shorten(status)));
        judge.broke(FINAL, if was_cancelled { seen.clone().see(STICKY) } else { seen.clone() });
        judge.broke(TRANSITIONS, seen.clone().see(FINAL));
        if was_cancelled {
            judge.broke(STICKY, seen);
        }
    }
}

fn failures_are_told(moment: &Moment<'_>, judge: &mut Judge) {
    for shown in sightings(moment) {
        if shown.place == Place::Got && shown.status() == Some("failed") {
            judge_failure_message(moment, &shown, "tasks.status.failure-message", judge);
        }
    }
}

/// Judges whether a failed task says why; the same in both dialects.
pub(super) fn judge_failure_message(
    moment: &Moment<'_>,
    shown: &Shown<'_>,
    id: &'static str,
    judge: &mut Judge,
) {
    let told = shown.text("statusMessage").is_some_and(|text| !text.trim().is_empty());
    judge.decide(id, told, || {
        shown
            .breach(moment.record, "no-message", "", "a failed task does not say why")
            .quality()
            .expected(&["`statusMessage` with what went wrong"])
            .actual("no `statusMessage`")
    });
}

fn error_results_fail(state: &State, judge: &mut Judge) {
    if !holds(state) {
        return;
    }
    for (_, known) in state.tasks.iter() {
        let (Some(over), Some(outcome)) = (&known.over, &known.outcome) else { continue };
        if outcome.is_error != Some(true) || over.status == "cancelled" {
            continue;
        }
        judge.decide("tasks.status.failed-for-error-result", over.status == "failed", || {
            let mut breach = Breach::new("completed", "a task whose result has `isError` is not failed")
                .quality()
                .expected(&["status `failed`"])
                .actual(format!("status `{}`", super::base::shorten(&over.status)));
            breach.event = Some(over.seq);
            breach.sent(outcome.seq)
        });
    }
}

fn cancelled_tasks_stop(moment: &Moment<'_>, judge: &mut Judge) {
    const TO: &str = "tasks.cancel.to-cancelled";
    const STOPS: &str = "tasks.cancel.stops-work";
    if let Some((asked, message)) = answer(moment, "tasks/cancel")
        && let Some(result) = message.result()
    {
        // A task in a member of its own, or none at all, is as wrong as another status.
        let status = result.get("status").and_then(Value::as_str);
        judge.decide(TO, status == Some("cancelled"), || {
            Breach::new("other-status", "the answer to `tasks/cancel` does not show the task as cancelled")
                .expected(&[
                    "the task with status `cancelled`",
                    "error -32602 where the task has ended before",
                ])
                .actual(
                    status.map_or("no status".to_owned(), |status| {
                        format!("`{}`", super::base::shorten(status))
                    }),
                )
                .at(moment.record)
                .sent(asked.seq)
                .pointer("/result")
        });
    }
    let Some(message) = moment.message.filter(|_| holds(moment.state)).map(|heard| heard.message) else {
        return;
    };
    if message.method() != Some("notifications/progress") {
        return;
    }
    let token = message.params().and_then(|params| params.get("progressToken")).and_then(super::token_key);
    let progress = token.and_then(|key| moment.state.notices.progress.get(&key));
    let task = progress.and_then(|progress| progress.task.as_deref());
    let cancelled = task.and_then(|task| moment.state.tasks.get(task)).and_then(|known| known.cancelled);
    if cancelled.is_some_and(|at| moment.record.at.saturating_sub(at) > WINDS_DOWN) {
        judge.broke(
            STOPS,
            Breach::new("runs-on", "a cancelled task goes on and reports progress")
                .quality()
                .expected(&["that the work stops"])
                .actual("progress more than half a second after the cancellation")
                .at(moment.record),
        );
    }
}

fn cancelled_work_is_quiet(state: &State, judge: &mut Judge) {
    const STOPS: &str = "tasks.cancel.stops-work";
    for progress in state.notices.progress.values().filter(|progress| progress.rate.count > 0 && holds(state))
    {
        let known = progress.task.as_deref().and_then(|task| state.tasks.get(task));
        let cancelled = known.and_then(|known| known.cancelled);
        if cancelled.is_none_or(|at| state.now.saturating_sub(at) < QUIET) {
            continue;
        }
        if state.transport().is_http() {
            let text = "over HTTP the progress of a task may have no stream left on which it could come";
            judge.undecided(STOPS, "no-stream", text);
        } else {
            judge.held(STOPS);
        }
    }
}

fn results_come_at_the_end(moment: &Moment<'_>, judge: &mut Judge) {
    const BLOCKS: &str = "tasks.result.blocks";
    let state = moment.state;
    if let Some((asked, message)) = answer(moment, "tasks/result") {
        judge_result(moment, asked, message, judge);
    }
    for shown in sightings(moment) {
        let (Some(asked), Some(status)) = (shown.asked, shown.status()) else { continue };
        let Some(known) = shown.id().and_then(|id| state.tasks.get(id)) else { continue };
        let Some(outcome) = known.outcome.as_ref().filter(|outcome| asked.seq > outcome.seq) else {
            continue;
        };
        if super::is_terminal(status) {
            // Of a task that was over when its result was asked for this says nothing.
            if known.over.as_ref().is_none_or(|over| over.seq > outcome.asked) {
                judge.held(BLOCKS);
            }
            continue;
        }
        let mut breach = shown
            .breach(moment.record, "early", "status", "`tasks/result` was answered before the task had ended")
            .expected(&["an answer once the task is over"])
            .actual(format!("the task is `{}` afterwards", super::base::shorten(status)));
        breach.sent = Some(outcome.seq);
        judge.broke(BLOCKS, breach);
    }
}

fn judge_result(moment: &Moment<'_>, asked: &Asked, message: &crate::protocol::Message, judge: &mut Judge) {
    const TERMINAL: &str = "tasks.result.terminal";
    const PASSED_ON: &str = "tasks.result.error-passthrough";
    let Some(known) = asked.param("taskId").and_then(|id| moment.state.tasks.get(id)) else { return };
    let Some(over) = known.over.as_ref().filter(|over| asked.seq > over.seq) else { return };
    let error = message.error();
    let actual = |error: Option<&Value>| match error {
        Some(error) => super::base::shorten(&error.to_string()),
        None => "a result".to_owned(),
    };
    match over.status.as_str() {
        // Its time is over, or nearly.
        "completed" if error.is_some() && known.may_be_gone(moment.record.at) => {}
        "completed" if error.is_some() => judge.broke(
            TERMINAL,
            Breach::new("lost", "the result of a completed task cannot be had")
                .expected(&["the result of the call"])
                .actual(actual(error))
                .at(moment.record)
                .sent(asked.seq)
                .pointer("/error"),
        ),
        "completed" => judge.held(TERMINAL),
        "failed" => {
            judge.held(TERMINAL);
            let failed = message.result().is_some_and(|result| result["isError"] == true);
            if let Some(error) = error {
                let text = error.get("message").and_then(Value::as_str).unwrap_or_default();
                let known_message = known.message.as_deref().unwrap_or_default();
                // What blames the id may be about the id, and then it is no error of the call.
                if message.error_code() != Some(-32602) || (!text.is_empty() && known_message.contains(text))
                {
                    judge.held(PASSED_ON);
                }
            } else if !failed {
                judge.broke(
                    PASSED_ON,
                    Breach::new(
                        "success",
                        "the result of a failed task is neither an error nor has it `isError`",
                    )
                    .expected(&["the JSON-RPC error of the call", "a result with `isError: true`"])
                    .actual("a result without `isError`")
                    .at(moment.record)
                    .sent(asked.seq)
                    .pointer("/result"),
                );
            }
        }
        _ => {}
    }
}
