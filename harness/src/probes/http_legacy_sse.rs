//! HTTP+SSE of 2024-11-05 under test (basic/transports#http-with-sse).

use super::Solo;
use super::probe::probes;
use crate::client::{Outgoing, Reply};
use crate::monitors::Breach;
use crate::protocol::Id;
use serde_json::json;
use std::time::Duration;

/// How long a message that went astray may take.
const ASTRAY: Duration = Duration::from_millis(50);

probes! {
    /// Opens two streams and asks something through the endpoint of each, with ids that the other does not use. Each
    /// answer comes on the stream whose endpoint was used: else one client would read what is meant for another.
    answers_come_on_the_stream_that_asked (AloneForEra, Legacy, HttpSse) decides ["http-legacy-sse.per-client-routing"];
}

async fn answers_come_on_the_stream_that_asked(solo: &mut Solo<'_>) {
    const ID: &str = "http-legacy-sse.per-client-routing";
    let Ok((mut one, mut two)) = solo.opener.open_two(solo.name, Some(solo.revision)).await else {
        return solo.judge.undecided(ID, "no-conversation", "two streams could not be opened at once");
    };
    solo.judge.about(one.talk.recorder());
    let began = (one.talk.begin(solo.revision).await, two.talk.begin(solo.revision).await);
    if began.0.is_err() || began.1.is_err() {
        solo.judge.undecided(ID, "no-conversation", "two conversations could not be begun at once");
    } else {
        let mut answered = 0;
        for (talk, name) in [(&mut one.talk, "one"), (&mut two.talk, "two")] {
            for number in 0..3 {
                let id = Id::string(&format!("mcprove-{name}-{number}"));
                let reply = talk.exchange(Outgoing::request(&id, "ping", Some(json!({})))).await;
                answered += u32::from(matches!(reply, Reply::Result(_)));
            }
        }
        tokio::join!(one.talk.idle(ASTRAY), two.talk.idle(ASTRAY));
        let mut good = true;
        for (talk, foreign) in [(&mut one.talk, "\"mcprove-two-"), (&mut two.talk, "\"mcprove-one-")] {
            solo.judge.about(talk.recorder());
            for heard in talk.heard_since(0) {
                let astray = heard.message.is_response()
                    && heard.message.id().is_some_and(|id| id.as_json().starts_with(foreign));
                if astray {
                    good = false;
                    solo.judge.broke(
                        ID,
                        Breach::new("astray", "a client got the answer to a request of another client")
                            .expected(&["answers on the stream whose endpoint was used"])
                            .actual("the answer to a request that went through the other endpoint")
                            .at(&heard.record)
                            .pointer("/id"),
                    );
                }
            }
        }
        if good && answered == 6 {
            solo.judge.held(ID);
        } else if good {
            solo.judge.undecided(ID, "no-answer", format!("only {answered} of 6 requests were answered"));
        }
    }
    solo.close(one).await;
    solo.close(two).await;
}
