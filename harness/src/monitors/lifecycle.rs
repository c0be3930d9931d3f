//! The handshake of the legacy era (basic/lifecycle).

use super::rule::monitors;
use super::{Breach, Heard, Judge, Moment, State};
use crate::protocol::{Era, Kind};
use std::time::Duration;

/// How long `initialize` must have been waited for before silence counts.
const PATIENCE: Duration = Duration::from_secs(4);

monitors! {
    /// `initialize` is answered with a result. An error that lists the versions that the server would speak is a
    /// matter of version negotiation and judged there; any other error, and silence, leave no way to begin.
    initialize_is_answered (WhileWeObey) decides ["lifecycle.initialize.answered"] at_end initialize_was_not_forgotten;
    /// Before `notifications/initialized` a server sends pings and log messages, but asks for nothing else: the client
    /// is not ready to answer.
    nothing_is_asked_before_initialized (WhileWeObey) decides ["lifecycle.pre-init.no-server-requests"];
}

const ANSWERED: &str = "lifecycle.initialize.answered";

fn initialize_is_answered(moment: &Moment<'_>, judge: &mut Judge) {
    let Some(Heard { message, answers: Some(asked), .. }) = moment.message else { return };
    if asked.method != "initialize" || asked.responses > 0 || moment.state.initialize.1 {
        return;
    }
    match message.kind() {
        Kind::Result => judge.held(ANSWERED),
        Kind::Error => {
            let negotiates = message.error().and_then(|error| error.pointer("/data/supported")).is_some();
            let modern = moment.state.modern_sent && moment.state.revision.is_some();
            if negotiates || modern {
                return;
            }
            judge.broke(
                ANSWERED,
                Breach::new("refused", "`initialize` was answered with an error")
                    .expected(&["a result with version, capabilities and identity"])
                    .actual(format!(
                        "error {}",
                        message.error_code().map_or("without a code".to_owned(), |code| code.to_string())
                    ))
                    .at(moment.record)
                    .pointer("/error")
                    .sent(asked.seq),
            );
        }
        _ => {}
    }
}

fn initialize_was_not_forgotten(state: &State, judge: &mut Judge) {
    let forgotten = state.unanswered().find(|asked| {
        asked.method == "initialize" && !asked.is_tainted() && state.now.saturating_sub(asked.at) >= PATIENCE
    });
    // The end of a process is told as that.
    let Some(asked) = forgotten.filter(|_| !state.gone && state.tainted_since.is_none()) else { return };
    judge.broke(
        ANSWERED,
        Breach::new("silence", "`initialize` was not answered")
            .expected(&["a result with version, capabilities and identity"])
            .actual(format!("nothing within {} s", state.now.saturating_sub(asked.at).as_secs()))
            .sent(asked.seq),
    );
}

fn nothing_is_asked_before_initialized(moment: &Moment<'_>, judge: &mut Judge) {
    let Some(Heard { message, .. }) = moment.message else { return };
    let early = !moment.state.initialized && moment.state.era() == Some(Era::Legacy);
    if *message.kind() != Kind::Request || !early || message.method() == Some("ping") {
        return;
    }
    let method: String = message.method().unwrap_or_default().chars().take(80).collect();
    judge.broke(
        "lifecycle.pre-init.no-server-requests",
        Breach::new(
            "request",
            "the server asked for something before it had received `notifications/initialized`",
        )
        .expected(&["nothing but pings and log messages"])
        .actual(format!("`{method}`"))
        .at(moment.record)
        .pointer("/method"),
    );
}
