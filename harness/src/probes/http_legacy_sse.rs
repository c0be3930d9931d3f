//! HTTP+SSE of 2024-11-05 under test (basic/transports#http-with-sse).

use super::Solo;
use super::probe::probes;
use crate::client::{Conversation, Outgoing, Reply};
use crate::monitors::Breach;
use crate::protocol::Id;
use serde_json::json;
use std::time::Duration;

/// How long a message that went astray may take.
const ASTRAY: Duration = Duration::from_millis(50);

/// Where the ids of the first client begin; no other conversation gets as far.
const ONE: i64 = 100_001;
/// Where those of the second one begin.
const TWO: i64 = 200_001;

const ID: &str = "http-legacy-sse.per-client-routing";

probes! {
    /// Opens two streams and asks something through the endpoint of each, with ids that the other does not use. Each
    /// answer comes on the stream whose endpoint was used: else one client would read what is meant for another.
    answers_come_on_the_stream_that_asked (AloneForEra, Legacy, HttpSse) decides ["http-legacy-sse.per-client-routing"];
}

async fn answers_come_on_the_stream_that_asked(solo: &mut Solo<'_>) {
    // Where answers were lost they may have gone to a third client; so once more, when others have come and gone.
    for last in [false, false, true] {
        if ask_on_both(solo, last).await {
            return;
        }
        solo.known().await;
    }
}

/// Asks something on each of two streams; false if answers were lost and it is not the last time.
async fn ask_on_both(solo: &mut Solo<'_>, last: bool) -> bool {
    let Ok((mut one, mut two)) = solo.opener.open_two(solo.name, Some(solo.revision)).await else {
        solo.judge.undecided(ID, "no-conversation", "two streams could not be opened at once");
        return true;
    };
    solo.judge.about(one.talk.recorder());
    one.talk.count_from(ONE);
    two.talk.count_from(TWO);
    let began = (one.talk.begin(solo.revision).await, two.talk.begin(solo.revision).await);
    let decided;
    if began.0.is_err() || began.1.is_err() {
        tokio::join!(one.talk.idle(ASTRAY), two.talk.idle(ASTRAY));
        decided = judge_both(solo, &mut one.talk, &mut two.talk);
        if !decided && last {
            solo.judge.undecided(ID, "no-conversation", "two conversations could not be begun at once");
        }
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
        let went_astray = judge_both(solo, &mut one.talk, &mut two.talk);
        if answered == 6 && !went_astray {
            solo.judge.held(ID);
        } else if !went_astray && last {
            solo.judge.undecided(ID, "no-answer", format!("only {answered} of 6 requests were answered"));
        }
        decided = answered == 6 || went_astray;
    }
    solo.close(one).await;
    solo.close(two).await;
    decided || last
}

/// Whether either client got an answer of the other.
fn judge_both(solo: &mut Solo<'_>, one: &mut Conversation, two: &mut Conversation) -> bool {
    let is_of = |id: &Id, name: &str, first: i64| {
        let number = id.as_json().parse::<i64>();
        number.is_ok_and(|number| (first..first + 1000).contains(&number))
            || id.as_json().starts_with(&format!("\"mcprove-{name}-"))
    };
    let strays = [
        judge_foreign(solo, one, |id| is_of(id, "two", TWO)),
        judge_foreign(solo, two, |id| is_of(id, "one", ONE)),
    ];
    strays.contains(&true)
}

/// Whether a client got answers whose ids are those of another client.
fn judge_foreign(solo: &mut Solo<'_>, talk: &mut Conversation, is_foreign: impl Fn(&Id) -> bool) -> bool {
    solo.judge.about(talk.recorder());
    let mut found = false;
    for heard in talk.heard_since(0) {
        let id = heard.message.id().filter(|_| heard.message.is_response());
        if id.is_some_and(&is_foreign) {
            found = true;
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
    found
}
