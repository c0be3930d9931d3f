//! The legacy era's lifecycle under test (basic/lifecycle).

use super::Solo;
use super::probe::probes;
use crate::monitors::Breach;
use crate::wire::Event;
use std::time::Duration;

/// How long a server is left alone before anything is sent.
const QUIET: Duration = Duration::from_secs(2);

probes! {
    /// Starts the server, sends nothing for two seconds and listens. Initialization is the first exchange: before it a
    /// server may send pings and log messages, and nothing else.
    server_waits_for_initialize (AloneForEra, Legacy, Stdio) decides ["lifecycle.initialize.first"];
}

async fn server_waits_for_initialize(solo: &mut Solo<'_>) {
    const ID: &str = "lifecycle.initialize.first";
    let Ok(mut opened) = solo.open(None).await else {
        return solo.judge.undecided(ID, "no-conversation", "a further process could not be started");
    };
    opened.talk.idle(QUIET).await;
    let mut good = true;
    for heard in opened.talk.heard_since(0) {
        let method = heard.message.method().unwrap_or("a response");
        if !matches!(method, "ping" | "notifications/message") {
            good = false;
            solo.judge.broke(
                ID,
                Breach::new("early-message", "the server sent a message before it was initialized")
                    .expected(&["nothing, a ping, or a log message"])
                    .actual(format!("`{method}`"))
                    .at(&heard.record),
            );
        }
    }
    let started = solo_started(&opened.talk);
    if good && started {
        solo.judge.held(ID);
    }
    solo.close(opened).await;
}

fn solo_started(talk: &crate::client::Conversation) -> bool {
    talk.recorder().snapshot().iter().any(|record| matches!(record.event, Event::ProcessStarted { .. }))
}
