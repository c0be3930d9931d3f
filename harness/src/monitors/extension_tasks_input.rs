//! What tasks of 2026-07-28 ask for and what is told of them: `inputRequests`, and notifications to who listens.

use super::extension_tasks::{is_call_result, is_modern, is_notification, sightings};
use super::http::exchange;
use super::notices::subscription_tag;
use super::rule::monitors;
use super::task_log::Place;
use super::{Asked, Breach, Judge, Moment, State};
use crate::client::Wish;
use crate::protocol::{Era, Id};
use serde_json::Value;
use std::collections::HashSet;

monitors! {
    /// A task that waits for input says for what: `inputRequests` has the questions, each under a key that the task never
    /// uses for another one. Clients answer each key once.
    waiting_tasks_say_for_what (WhileWeObey) decides [
        "extension-tasks.get.input-requests", "extension-tasks.input.keys-unique",
        "extension-tasks.input.keys-not-reused",
    ];
    /// Tasks ask only for what the client declared, with the call or with the request that shows the question. Which of
    /// the two counts is not written, so this is never more than a note.
    tasks_ask_for_what_is_declared (WhileWeObey) decides
        ["extension-tasks.input.declared-only"] at_end nothing_undeclared_was_asked;
    /// `notifications/tasks` has the whole task as `tasks/get` shows it, with what its status calls for, and names its
    /// subscription.
    told_tasks_are_whole (WhileWeObey) decides ["extension-tasks.notify.full-task"];
    /// The acknowledgement of a subscription lists task ids that were asked for, and no others.
    acknowledged_tasks_were_asked_for (WhileWeObey) decides ["extension-tasks.notify.ack-task-ids"];
    /// Nothing comes to a listener of tasks but their status: no progress, no log messages.
    listeners_of_tasks_hear_of_status_only (WhileWeObey) decides ["extension-tasks.notify.no-progress-or-log"];
}

fn waiting_tasks_say_for_what(moment: &Moment<'_>, judge: &mut Judge) {
    const OUTSTANDING: &str = "extension-tasks.get.input-requests";
    const UNIQUE: &str = "extension-tasks.input.keys-unique";
    const REUSED: &str = "extension-tasks.input.keys-not-reused";
    for shown in sightings(moment) {
        if shown.status() != Some("input_required") || shown.place == Place::Created {
            continue;
        }
        let requests = shown.task.get("inputRequests").and_then(Value::as_object);
        let sound = requests.is_some_and(|requests| {
            let is_request = |request: &Value| request.get("method").is_some_and(Value::is_string);
            !requests.is_empty() && requests.values().all(is_request)
        });
        if shown.place == Place::Got {
            judge.decide(OUTSTANDING, sound, || {
                shown
                    .breach(
                        moment.record,
                        "no-requests",
                        "",
                        "a task waits for input and does not say for what",
                    )
                    .expected(&["`inputRequests` with a request under each key"])
                    .actual(match shown.task.get("inputRequests") {
                        Some(value) => super::base::shorten(&value.to_string()),
                        None => "no `inputRequests`".to_owned(),
                    })
            });
        }
        let known = shown.id().and_then(|id| moment.state.tasks.get(id));
        for (key, request) in requests.into_iter().flatten() {
            let before = known.and_then(|known| known.questions.get(key));
            let changed = before.filter(|before| before.request != *request);
            let seen = |class: &str, text: &str| {
                shown
                    .breach(moment.record, class, "inputRequests", text)
                    .expected(&["a key that the task never used before"])
                    .actual(format!("`{}` for another question", super::base::shorten(key)))
            };
            match changed {
                Some(before) if before.answered => {
                    judge.broke(
                        REUSED,
                        seen("answered-key", "the key of an answered question comes again for another"),
                    );
                    let text = "a key stands for two questions";
                    judge.broke(UNIQUE, seen("two-questions", text).see(REUSED));
                }
                Some(_) => judge.broke(UNIQUE, seen("two-questions", "a key stands for two questions")),
                None => {
                    judge.held(UNIQUE);
                    let others =
                        known.map(|known| known.questions.values().any(|question| question.answered));
                    if before.is_none() && others == Some(true) {
                        judge.held(REUSED);
                    }
                }
            }
        }
    }
    judge_kept_keys(moment, judge);
}

/// A task that ended after its questions were answered asked nothing else under their keys.
fn judge_kept_keys(moment: &Moment<'_>, judge: &mut Judge) {
    for shown in sightings(moment).iter().filter(|shown| shown.is_over()) {
        let known = shown.id().and_then(|id| moment.state.tasks.get(id));
        let answered = known.is_some_and(|known| known.questions.values().any(|question| question.answered));
        if answered && known.is_some_and(|known| known.over.is_none()) {
            judge.held("extension-tasks.input.keys-not-reused");
        }
    }
}

fn tasks_ask_for_what_is_declared(moment: &Moment<'_>, judge: &mut Judge) {
    const ID: &str = "extension-tasks.input.declared-only";
    for shown in sightings(moment).iter().filter(|shown| shown.place == Place::Got) {
        let Some(known) = shown.id().and_then(|id| moment.state.tasks.get(id)) else { continue };
        let Some(maker) = known.created_by.as_ref().and_then(|id| moment.state.asked.get(id)) else {
            continue;
        };
        let requests = shown.task.get("inputRequests").and_then(Value::as_object);
        for (key, request) in requests.into_iter().flatten() {
            let method = request.get("method").and_then(Value::as_str).unwrap_or_default();
            let Some(wish) = Wish::of(method, request.get("params")) else { continue };
            let declared =
                |asked: &Asked| asked.client_capabilities().is_some_and(|own| wish.is_declared_by(own));
            judge.decide(ID, declared(maker) && shown.asked.is_none_or(declared), || {
                shown
                    .breach(
                        moment.record,
                        "undeclared",
                        "inputRequests",
                        "a task asks for what the client did not declare",
                    )
                    .quality()
                    .expected(&["a result without it, or the error -32021"])
                    .actual(format!("`{method}` under `{}`", super::base::shorten(key)))
            });
        }
    }
}

/// Whether a client that declares nothing to ask for makes tasks here.
fn nothing_undeclared_was_asked(state: &State, judge: &mut Judge) {
    if state.era() != Some(Era::Modern) {
        return;
    }
    let asks_nothing = |asked: &Asked| {
        asked.client_capabilities().is_some_and(|own| Wish::ALL.iter().all(|wish| !wish.is_declared_by(own)))
    };
    let mut seen = HashSet::new();
    for (_, known) in state.tasks.iter() {
        let maker = known.created_by.as_ref().and_then(|id| state.asked.get(id));
        if let Some(maker) = maker.filter(|maker| asks_nothing(maker))
            && known.questions.is_empty()
            && known.over.is_some()
            && seen.insert(maker.param("name"))
        {
            judge.held("extension-tasks.input.declared-only");
        }
    }
}

fn told_tasks_are_whole(moment: &Moment<'_>, judge: &mut Judge) {
    const ID: &str = "extension-tasks.notify.full-task";
    if !is_modern(moment) || !is_notification(moment, "notifications/tasks") {
        return;
    }
    let Some(heard) = moment.message else { return };
    let tagged = subscription_tag(heard.message).is_some();
    for shown in sightings(moment) {
        let detail = match shown.status() {
            Some("completed") if !is_call_result(shown.task.get("result")) => Some("`result`"),
            Some("failed") if !shown.task.get("error").is_some_and(Value::is_object) => Some("`error`"),
            Some("input_required") if !shown.task.get("inputRequests").is_some_and(Value::is_object) => {
                Some("`inputRequests`")
            }
            None => Some("`status`"),
            _ => None,
        };
        let lacks = if tagged { detail } else { Some("the id of its subscription") };
        judge.decide(ID, lacks.is_none(), || {
            let lacks = lacks.unwrap_or_default();
            shown
                .breach(moment.record, "not-whole", "", "a notification does not have the whole task")
                .expected(&["what `tasks/get` would answer, and the id of the subscription"])
                .actual(format!("no {lacks}"))
        });
    }
}

fn acknowledged_tasks_were_asked_for(moment: &Moment<'_>, judge: &mut Judge) {
    const ID: &str = "extension-tasks.notify.ack-task-ids";
    if !is_modern(moment) || !is_notification(moment, "notifications/subscriptions/acknowledged") {
        return;
    }
    let Some(heard) = moment.message else { return };
    let named = subscription_tag(heard.message).map(|tag| Id::from_json(&tag.to_string(), tag));
    let listen = exchange(moment).and_then(super::HttpExchange::listen).or(named);
    let Some(asked) = listen.and_then(|id| moment.state.asked.get(&id)) else { return };
    let ids = |params: Option<&Value>| -> HashSet<String> {
        let list =
            params.and_then(|params| params.pointer("/notifications/taskIds")).and_then(Value::as_array);
        list.into_iter().flatten().filter_map(|id| id.as_str().map(str::to_owned)).collect()
    };
    let (wanted, agreed) = (ids(asked.message.params()), ids(heard.message.params()));
    if wanted.is_empty() && agreed.is_empty() {
        return;
    }
    let known = wanted.iter().any(|id| moment.state.tasks.get(id).is_some());
    if agreed.is_empty() && known {
        let text = "no task id was agreed on, as is the server's right: it may tell of none";
        return judge.undecided(ID, "none-agreed", text);
    }
    let stray = agreed.difference(&wanted).next();
    judge.decide(ID, stray.is_none(), || {
        Breach::new("not-asked-for", "a subscription is acknowledged for a task that was not asked for")
            .quality()
            .expected(&["some of the ids that were asked for"])
            .actual(super::base::shorten(stray.map_or("", String::as_str)))
            .at(moment.record)
            .sent(asked.seq)
            .pointer("/params/notifications/taskIds")
    });
}

fn listeners_of_tasks_hear_of_status_only(moment: &Moment<'_>, judge: &mut Judge) {
    const ID: &str = "extension-tasks.notify.no-progress-or-log";
    if !is_modern(moment) {
        return;
    }
    let Some(heard) = moment.message else { return };
    let named = subscription_tag(heard.message).map(|tag| Id::from_json(&tag.to_string(), tag));
    let listen = exchange(moment).and_then(super::HttpExchange::listen).or(named);
    let asked = listen.and_then(|id| moment.state.asked.get(&id));
    let follows_tasks = asked.is_some_and(|asked| {
        asked.message.params().is_some_and(|params| params.pointer("/notifications/taskIds").is_some())
    });
    if !follows_tasks {
        return;
    }
    match heard.message.method() {
        Some("notifications/tasks") => judge.held(ID),
        Some(method @ ("notifications/progress" | "notifications/message")) => judge.broke(
            ID,
            Breach::new(
                "not-for-listeners",
                "who listens for the status of a task hears something else of it",
            )
            .expected(&["`notifications/tasks` alone"])
            .actual(format!("`{method}`"))
            .at(moment.record)
            .pointer("/method"),
        ),
        _ => {}
    }
}
