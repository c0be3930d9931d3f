//! Faults of sessions and of those whom they belong to.

use hyper::header::{AUTHORIZATION, HeaderValue};

use crate::faults::Duty;
use crate::faults::fault::{Fault, HTTP, MODERN, SINCE_2025_06, fault};
use crate::faults::hook::Hook::{HttpRequest, Neglect};

pub(super) const FAULTS: &[Fault] = &[
    fault(
        "security.handle.bound-to-user/anybody",
        "The task of one user is told to any other.",
        &[Neglect(Duty::TaskBound)],
    )
    .breaking(&["extension-tasks.task.authorized-per-request"])
    .within(MODERN)
    .over(HTTP),
    fault(
        "security.handle.random/times",
        "The id of a task is the time of its beginning.",
        &[Neglect(Duty::TaskIdsRandom)],
    )
    .also_seen(&["extension-tasks.task.id-unguessable"])
    .within(MODERN)
    .over(HTTP),
    fault(
        "security.handle.not-authentication/known",
        "Who knows the id of a task needs no token to ask for it.",
        &[HttpRequest(|memory, request| {
            let of_tasks = request
                .headers()
                .get("mcp-method")
                .is_some_and(|method| method.as_bytes().starts_with(b"tasks/"));
            match request.headers().get(AUTHORIZATION).and_then(|token| token.to_str().ok()) {
                Some(token) if of_tasks => {
                    memory.keep(token.into());
                }
                Some(_) => {}
                None if of_tasks => {
                    let token = memory.kept().and_then(|token| HeaderValue::from_str(token.as_str()?).ok());
                    token.map(|token| request.headers_mut().insert(AUTHORIZATION, token));
                }
                None => {}
            }
            None
        })],
    )
    .also_seen(&["extension-tasks.task.authorized-per-request"])
    .within(MODERN)
    .over(HTTP),
    fault(
        "security.session.bound-to-user/anybody",
        "The session of one user is served to any other.",
        &[Neglect(Duty::SessionBound)],
    )
    .within(SINCE_2025_06)
    .over(HTTP),
    fault(
        "security.session.secure-random/counter",
        "Session ids are counted.",
        &[Neglect(Duty::SessionIdRandom)],
    )
    .breaking(&["security.session.non-deterministic", "http-session.id-secure"])
    .within(SINCE_2025_06)
    .over(HTTP),
];
