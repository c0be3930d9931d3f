//! What the monitors heard in a recorded conversation, as the events of a run, so that it is reported as any other.

use super::confirm::{Confirmation, Confirmations};
use super::rows::{Rows, evidence, signature};
use crate::monitors::{Breach, Overheard, Session, Tally};
use crate::protocol::Transport;
use crate::protocol::catalogue::{Catalogue, Duty, RequirementSet, duties};
use crate::run::{
    Finding, Footer, Header, Identity, Outcome, RUN_FORMAT, RUN_VERSION, Reason, ResultRow, RunEvent,
    RunState, TargetInfo,
};
use crate::transcript::{About, Recorder};
use std::sync::Arc;

/// What is told about a recording beside what was heard.
pub struct Told<'a> {
    /// What the conversation was.
    pub about: &'a About,
    /// When it began.
    pub started_at: &'a str,
    /// The file, as the user named it.
    pub file: &'a str,
    /// The verb and its arguments.
    pub command_line: Vec<String>,
}

/// The events of a run that amount to what was heard, with the rows that are to be `listed`. Nothing can be tried again,
/// so a failure is unconfirmed.
pub fn overheard_run(
    overheard: &Overheard,
    told: &Told<'_>,
    listed: impl Fn(&ResultRow) -> bool,
) -> Vec<RunEvent> {
    let kind = if told.about.transport == Transport::Stdio { "command" } else { "url" };
    let set = RequirementSet::default();
    let mut events = vec![RunEvent::Header(Header {
        format: RUN_FORMAT.to_owned(),
        version: RUN_VERSION,
        tool_version: env!("CARGO_PKG_VERSION").to_owned(),
        command: "transcript check".to_owned(),
        command_line: told.command_line.clone(),
        target: TargetInfo {
            kind: kind.to_owned(),
            display: told.about.target.clone(),
            server_info: overheard.server.clone(),
        },
        seed: 0,
        requirement_set: set.name().to_owned(),
        started_at: told.started_at.to_owned(),
    })];
    let mut revisions: Vec<_> = overheard.sessions.iter().map(|session| session.revision).collect();
    revisions.sort_unstable();
    revisions.dedup();
    events.push(RunEvent::TargetIdentified(Identity {
        transport: told.about.transport,
        revisions,
        server_info: overheard.server.clone(),
        startup_millis: 0,
    }));
    for session in &overheard.sessions {
        let (revision, transport) = (session.revision, session.transport);
        events.push(RunEvent::UnitStarted { revision, transport });
        events.extend(
            server_rows(session, &set, told)
                .chain(client_rows(session, told))
                .filter(&listed)
                .map(|row| RunEvent::Result(Box::new(row))),
        );
        events.push(RunEvent::UnitFinished { revision, transport, millis: 0 });
    }
    if let Some(why) = &overheard.cut_short {
        events.push(RunEvent::Notice { text: format!("{why}: nothing is said about what did not come") });
    }
    let mut number = 0;
    for event in &mut events {
        if let RunEvent::Result(row) = event {
            for finding in &mut row.findings {
                number += 1;
                finding.id = format!("F{number}");
            }
        }
    }
    let summary = RunState::of(&events).summary();
    events.push(RunEvent::Footer(Footer {
        summary,
        exit_code: u8::from(summary.count(Outcome::Fail) > 0),
        error: None,
        truncated: false,
        millis: 0,
        harness_cpu_millis: None,
        process_starts: 0,
    }));
    events
}

fn server_rows<'a>(
    session: &'a Session,
    set: &'a RequirementSet,
    told: &'a Told<'_>,
) -> impl Iterator<Item = ResultRow> + 'a {
    let why = || Confirmation::Untried("this is a recording".to_owned());
    let confirmations: Confirmations = session.server.broken().map(|(id, _)| (id, why())).collect();
    let requirements = Catalogue::get().iter().filter(|row| set.has(&row.id));
    requirements.map(move |requirement| {
        let transcript = |_: &Arc<Recorder>| Some(told.file.to_owned());
        let rows = Rows {
            set,
            judge: &session.server,
            confirmations: &confirmations,
            revision: session.revision,
            transport: session.transport,
            reproduce: "",
            seed: 0,
            transcript: &transcript,
            selected: &|id| set.has(id),
            cut_short: None,
        };
        let mut row = rows.row(requirement);
        for finding in &mut row.findings {
            finding.reproduce = reproduce(told);
        }
        row
    })
}

fn client_rows<'a>(session: &'a Session, told: &'a Told<'_>) -> impl Iterator<Item = ResultRow> + 'a {
    duties().iter().map(move |duty| client_row(session, duty, told))
}

/// The row of a duty of the client.
fn client_row(session: &Session, duty: &Duty, told: &Told<'_>) -> ResultRow {
    let revision = session.revision;
    let level = duty.level(revision);
    let row = ResultRow {
        requirement: duty.id.clone(),
        title: Some(duty.statement.clone()),
        url: None,
        level: level.map(str::to_owned),
        severity: "interop".to_owned(),
        revision,
        transport: session.transport,
        outcome: Outcome::Inconclusive,
        reason: None,
        findings: Vec::new(),
    };
    let elsewhere = duty.id.starts_with("client.http.") && session.transport == Transport::Stdio;
    if level.is_none() || elsewhere {
        let text = if elsewhere { "it is a duty over HTTP" } else { "the revision does not have it" };
        let reason = Some(Reason::new("not-in-revision", text));
        return ResultRow { outcome: Outcome::NotApplicable, reason, ..row };
    }
    match session.client.get(&duty.id) {
        Some(tally) if !tally.breaches.is_empty() => {
            let outcome = if duty.is_must(revision) { Outcome::Fail } else { Outcome::Warn };
            ResultRow { outcome, findings: client_findings(duty, tally, told), ..row }
        }
        Some(tally) if tally.held > 0 => ResultRow { outcome: Outcome::Pass, ..row },
        _ => {
            let reason =
                Some(Reason::new("not-seen", "nothing that decides it was seen in this conversation"));
            ResultRow { reason, ..row }
        }
    }
}

fn client_findings(duty: &Duty, tally: &Tally, told: &Told<'_>) -> Vec<Finding> {
    let mut findings: Vec<Finding> = Vec::new();
    for breach in &tally.breaches {
        let signature = signature(&duty.id, breach);
        if findings.iter().any(|known| known.signature == signature) {
            continue;
        }
        findings.push(client_finding(duty, breach, signature, told));
    }
    findings
}

fn client_finding(duty: &Duty, breach: &Breach, signature: String, told: &Told<'_>) -> Finding {
    let mut evidence = evidence(breach);
    if evidence.sent.is_none() {
        evidence.sent = breach.conversation.as_ref().and_then(|conversation| {
            conversation.snapshot().iter().find_map(|record| match &record.event {
                crate::wire::Event::Sent { payload, .. } if Some(record.seq) == breach.event => {
                    let bytes = payload.bytes();
                    Some(String::from_utf8_lossy(&bytes[..bytes.len().min(4096)]).into_owned())
                }
                _ => None,
            })
        });
    }
    Finding {
        id: String::new(),
        signature,
        message: breach.message.clone(),
        evidence,
        expected: vec![duty.statement.clone()],
        actual: if breach.actual.is_empty() { breach.message.clone() } else { breach.actual.clone() },
        spec: format!("duty of clients: {}", duty.id),
        reproduce: reproduce(told),
        transcript: Some(told.file.to_owned()),
        confirmed: None,
    }
}

fn reproduce(told: &Told<'_>) -> String {
    let words = ["mcprove", "transcript", "check", told.file];
    shlex::try_join(words).unwrap_or_else(|_| words.join(" "))
}
