//! Two recordings of one conversation, held against each other as a replay and its recording are.

use super::align::{Aligner, Judgement};
use super::bind::Names;
use super::compare::Mode;
use super::difference::{Difference, Kind, Place};
use super::rules::Rules;
use super::script::{Script, Send, Sending, Session};
use crate::protocol::Message;
use crate::transcript::RulePart;

/// Why two recordings are not of one conversation.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unlike {
    /// They have not the same number of sessions.
    #[error("it has {other} sessions, the first recording has {first}")]
    Sessions {
        /// Of the first recording.
        first: usize,
        /// Of the other.
        other: usize,
    },
    /// The client did not send the same.
    #[error("message {number} of its client is {other}; of the first recording it is {first}")]
    Message {
        /// Counted from 1.
        number: usize,
        /// What the first recording has there.
        first: String,
        /// What the other has there.
        other: String,
    },
}

/// What differs in the server's part of two recordings of one conversation.
///
/// # Errors
/// When the client did not do the same in both.
pub fn differences(
    first: &Script,
    other: &Script,
    mode: Mode,
    rules: &Rules,
) -> Result<Vec<Difference>, Unlike> {
    if first.sessions.len() != other.sessions.len() {
        return Err(Unlike::Sessions { first: first.sessions.len(), other: other.sessions.len() });
    }
    let mut found = Vec::new();
    for (number, (ours, theirs)) in first.sessions.iter().zip(&other.sessions).enumerate() {
        found.extend(of_session(number, ours, theirs, mode, rules)?);
    }
    Ok(found)
}

/// What the client said by itself: answers go out when they are asked for, and streams are closed when they are.
fn said(session: &Session) -> Vec<usize> {
    let own = |send: &Send| matches!(send.what, Sending::Payload(_)) && send.answers.is_none();
    (0..session.sends.len()).filter(|number| own(&session.sends[*number])).collect()
}

/// What a message is, for people.
fn name(send: Option<&Send>) -> String {
    let Some(send) = send else { return "missing".to_owned() };
    let messages = send.messages();
    let param = |name: &str| messages.first()?.params()?.get(name)?.as_str().map(str::to_owned);
    match param("name") {
        Some(name) => format!("`{}` of `{name}`", send.name()),
        None => format!("`{}`", send.name()),
    }
}

fn of_session(
    number: usize,
    ours: &Session,
    theirs: &Session,
    mode: Mode,
    rules: &Rules,
) -> Result<Vec<Difference>, Unlike> {
    let (own, others) = (said(ours), said(theirs));
    for place in 0..own.len().max(others.len()) {
        let first = name(own.get(place).map(|at| &ours.sends[*at]));
        let other = name(others.get(place).map(|at| &theirs.sends[*at]));
        if first != other {
            return Err(Unlike::Message { number: place + 1, first, other });
        }
    }
    let mut aligner = Aligner::new(ours);
    let mut names = Names::default();
    let mut heard = 0;
    let mut hear_to = |to: usize, aligner: &mut Aligner<'_>| {
        for expected in &theirs.expected[heard..to.max(heard)] {
            aligner.hear(&expected.message, expected.channel);
        }
        heard = to.max(heard);
    };
    for (at, other) in own.iter().zip(&others) {
        hear_to(theirs.sends[*other].after, &mut aligner);
        names.learn(ours, *at, &aligner.live);
        let channel = theirs.sends[*other].channel;
        aligner.carried(*at, channel);
        theirs.sends[*other].messages().iter().for_each(|part: &Message| aligner.sent(*at, part, channel));
    }
    hear_to(theirs.expected.len(), &mut aligner);
    let judgement = Judgement {
        mode,
        rules,
        names: &names,
        revision: ours.revision(),
        passed_over: &[],
        session: number,
    };
    let mut found = aligner.finish(&judgement);
    for (at, other) in own.iter().zip(&others) {
        found.extend(status(number, &ours.sends[*at], &theirs.sends[*other]));
    }
    Ok(found)
}

fn status(session: usize, ours: &Send, theirs: &Send) -> Option<Difference> {
    let (was, is) = ours.status.zip(theirs.status).filter(|(was, is)| was != is)?;
    let of = RulePart::Answer;
    let message = Place { session, method: ours.name(), of, nth: 1, event: Some(ours.seq), after: None };
    let (recorded, live) = (Some(was.into()), Some(is.into()));
    Some(Difference { message, path: String::new(), kind: Kind::Status, recorded, live, note: None })
}
