//! Replays a recording: each session is played, and what came is judged.

use super::align::Judgement;
use super::compare::Mode;
use super::difference::{Difference, Kind, Place};
use super::outbound::Outbound;
use super::player::Play;
use super::reading::noise;
use super::replayed::{Replayed, SessionReplayed};
use super::rules::Rules;
use super::script::{Script, Session, over_http};
use super::translate::{ERA_MEMBERS, translate};
use crate::client::{Answering, Opener};
use crate::protocol::{Era, Revision};
use crate::transcript::{Record, RulePart};
use crate::wire::Event;
use std::sync::Arc;
use std::time::Duration;

/// What a server may say over one transport only: whether tasks can be listed depends on whether it knows who asks.
const TRANSPORT_MEMBERS: [&str; 1] = ["/result/capabilities/tasks/list"];

/// How a recording is replayed.
#[derive(Debug, Clone)]
pub struct Options {
    /// How closely is compared.
    pub mode: Mode,
    /// What may differ, beside what the recording says itself.
    pub rules: Rules,
    /// How long an answer is waited for, beyond what it took in the recording.
    pub wait: Duration,
    /// How long a message is waited for that belongs to no request or is no answer, beyond what it took in the recording;
    /// never longer than `wait`.
    pub beside: Duration,
    /// How long is listened, after all that was recorded has come, for what was not.
    pub grace: Duration,
    /// Whether at least as much time passes between two sends as did in the recording.
    pub recorded_timing: bool,
    /// The revision to speak; that of the recording if not given, and where the server refuses that, one of the other era.
    pub revision: Option<Revision>,
    /// What stood in the place of placeholders: their names, without the angle quotes, and the secrets.
    pub secrets: Vec<(String, String)>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            mode: Mode::Exact,
            rules: Rules::default(),
            wait: Duration::from_secs(10),
            beside: Duration::from_secs(2),
            grace: Duration::from_millis(300),
            recorded_timing: false,
            revision: None,
            secrets: Vec::new(),
        }
    }
}

/// Replays a recording against a target, one session after the other, each in a conversation of its own.
pub async fn replay(script: &Script, opener: &Opener, options: &Options) -> Replayed {
    let transport = opener.binding().transport();
    let mut replayed = Replayed::new(options.mode, options.rules.len(), script.about.transport, transport);
    replayed.recorded_revision = script.revision();
    if script.truncated {
        replayed.notes.push("the recording was cut off; what it lacks is not replayed".to_owned());
    }
    if script.sessions.len() > 1 {
        let many = script.sessions.len();
        replayed
            .notes
            .push(format!("the recording has {many} sessions; they are replayed one after the other"));
    }
    let mut to = options.revision;
    for (number, session) in script.sessions.iter().enumerate() {
        let mut played = one(number, session, script, opener, options, to).await;
        if played.refused && to.is_none() {
            // What was recorded is not spoken; is the other era?
            let other = other_era(session);
            if let Some(revision) = other
                && speaks(opener, revision).await
            {
                replayed.notes.push(format!(
                    "the server refuses the revision of the recording; it is replayed in {revision}"
                ));
                to = Some(revision);
                played = one(number, session, script, opener, options, to).await;
            }
        }
        replayed.sessions.push(played.told);
        replayed.differences.extend(played.differences);
        replayed.untranslated.extend(played.untranslated);
        replayed.notes.extend(played.notes);
    }
    replayed.notes.dedup();
    replayed
}

fn other_era(session: &Session) -> Option<Revision> {
    Some(match session.era()? {
        Era::Legacy => Revision::V2026_07_28,
        Era::Modern => Revision::V2025_11_25,
    })
}

async fn speaks(opener: &Opener, revision: Revision) -> bool {
    let Ok(mut opened) = opener.open("which era?", Some(revision)).await else { return false };
    let begun = opened.talk.begin(revision).await;
    opened.close().await;
    begun.is_ok()
}

/// What came of one session.
struct Played {
    told: SessionReplayed,
    differences: Vec<Difference>,
    untranslated: Vec<super::translate::Untranslated>,
    notes: Vec<String>,
    /// Whether the server refused to speak the revision.
    refused: bool,
}

async fn one(
    number: usize,
    session: &Session,
    script: &Script,
    opener: &Opener,
    options: &Options,
    to: Option<Revision>,
) -> Played {
    let crosses = to.is_some_and(|to| session.era().is_some_and(|era| era != to.era()));
    let (session, untranslated) = match to {
        Some(to) => translate(number, session, to),
        None => (session.clone(), Vec::new()),
    };
    let revision = to.or(session.revision());
    let told = SessionReplayed {
        revision,
        sends: session.sends.len(),
        sent: 0,
        expected: session.expected.len(),
        heard: 0,
        bound: 0,
        gone: None,
    };
    let gone = |why: String, mut told: SessionReplayed| {
        told.gone = Some(why.clone());
        let differences = vec![gone_difference(number, &why, session.sends.len())];
        Played { told, differences, untranslated: untranslated.clone(), notes: Vec::new(), refused: false }
    };
    let opened = match opener.open("replay", revision).await {
        Ok(opened) => opened,
        Err(error) => return gone(error.to_string(), told),
    };
    let mut opened = opened;
    opened.talk.answer_as(Answering::ByCaller);
    let talk = &mut opened.talk;
    let same_transport = over_http(script.about.transport) && talk.transport().is_http();
    let mut play = Play::new(
        &session,
        options,
        Outbound::new(same_transport, talk.transport().is_http(), &options.secrets),
    );
    play.run(talk).await;
    let statuses = if same_transport { play.statuses(number, talk) } else { Vec::new() };
    let closed = opened.close().await;
    let records = closed.recorder.snapshot();
    play.hear_rest(&records);
    let noise = new_noise(number, session.noise, &records);
    let Play { aligner, names, sent, gone: went, refused, mut notes, .. } = play;
    let unsent = sent.iter().position(|sent| !sent).map(|number| session.sends[number].seq);
    let told_gone = went.is_some();
    let (heard, sent) = (aligner.heard.len(), sent.iter().filter(|sent| **sent).count());
    let judgement = Judgement {
        mode: if crosses && options.mode == Mode::Exact { Mode::Shape } else { options.mode },
        rules: &options.rules,
        names: &names,
        revision,
        passed_over: match (crosses, script.about.transport == opener.binding().transport()) {
            (true, _) => &ERA_MEMBERS,
            (false, true) => &[],
            (false, false) => &TRANSPORT_MEMBERS,
        },
        session: number,
    };
    if crosses && options.mode == Mode::Exact {
        notes.push("two eras write the same things differently: they are compared by shape".to_owned());
    }
    let mut differences = Vec::new();
    let as_recorded = unsent.is_none() && session.ended.is_some() && session.ended == exit(&records);
    if let Some(why) = went.as_ref().filter(|_| !as_recorded) {
        differences.push(gone_difference(number, why, session.sends.len() - sent));
    }
    differences.extend(aligner.finish(&judgement));
    if let Some(first) = unsent.filter(|_| told_gone) {
        // What nobody asked for could not come.
        let asked = |one: &Difference| one.message.event.is_none_or(|event| event < first);
        differences.retain(|one| one.kind != Kind::MissingMessage || asked(one));
    }
    differences.extend(statuses);
    differences.extend(noise);
    let told = SessionReplayed { sent, heard, bound: names.len(), gone: went, ..told };
    Played { told, differences, untranslated, notes, refused }
}

/// How the process ended.
fn exit(records: &[Arc<Record>]) -> Option<(Option<i32>, Option<i32>)> {
    records.iter().find_map(|record| match record.event {
        Event::ProcessExited { code, signal, .. } => Some((code, signal)),
        _ => None,
    })
}

/// What is no message and came more often than in the recording.
fn new_noise(session: usize, recorded: usize, records: &[Arc<Record>]) -> Option<Difference> {
    const SHOWN: usize = 80;
    let came: Vec<(&[u8], bool)> = records.iter().filter_map(|record| noise(&record.event)).collect();
    let (bytes, cut) = *came.get(recorded)?;
    let note = match cut {
        true => "a message came that is longer or deeper than what is read".to_owned(),
        false => {
            let text: String = String::from_utf8_lossy(bytes).chars().take(SHOWN).collect();
            format!(
                "{} times came what is no message, {recorded} times in the recording: `{text}`",
                came.len()
            )
        }
    };
    Some(Difference {
        message: Place {
            session,
            method: "what is no message".to_owned(),
            of: RulePart::Notification,
            nth: recorded as u64 + 1,
            event: None,
            after: None,
        },
        path: String::new(),
        kind: Kind::ExtraMessage,
        recorded: None,
        live: None,
        note: Some(note),
    })
}

fn gone_difference(session: usize, why: &str, left: usize) -> Difference {
    Difference {
        message: Place {
            session,
            method: String::new(),
            of: RulePart::Answer,
            nth: 1,
            event: None,
            after: None,
        },
        path: String::new(),
        kind: Kind::Gone,
        recorded: None,
        live: None,
        note: Some(format!("{why}; {left} of the client's messages were not sent")),
    }
}
