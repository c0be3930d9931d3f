//! From the results of a run to tests, and the lines that keep them between the processes of one test run.

use crate::report::render_result;
use crate::run::{Outcome, ResultRow, RunState};
use std::path::Path;

/// A test.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Case {
    /// `REQUIREMENT::REVISION::TRANSPORT`.
    pub(super) name: String,
    pub(super) verdict: Verdict,
}

/// What is known about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Verdict {
    Pass,
    /// With the text of the failure.
    Fail(String),
    /// Neither: with the reason in one line, and the text for who runs it all the same.
    Ignored {
        reason: String,
        text: String,
    },
}

/// Columns of a failure's text.
const WIDTH: usize = 110;

/// The tests of a run. `warn` says whether a broken SHOULD fails, `all` whether what does not apply is listed.
pub(super) fn of_run(state: &RunState, folder: Option<&Path>, warn: bool, all: bool) -> Vec<Case> {
    let mut cases = Vec::new();
    if let Some(error) = state.footer().and_then(|footer| footer.error.as_ref()) {
        let name = if error.code == 3 { "target.answers" } else { "mcprove.works" };
        cases.push(Case { name: name.to_owned(), verdict: Verdict::Fail(error.message.clone()) });
    }
    let place = folder.map(|folder| format!("    run        {}\n", folder.display())).unwrap_or_default();
    for row in state.sorted() {
        let text = || plain(&render_result(row, WIDTH)) + &place;
        let verdict = match row.outcome {
            Outcome::Pass => Verdict::Pass,
            Outcome::Fail => Verdict::Fail(text()),
            Outcome::Warn if warn => Verdict::Fail(text()),
            Outcome::NotApplicable if !all => continue,
            Outcome::Warn | Outcome::Flaky | Outcome::Inconclusive | Outcome::NotApplicable => {
                Verdict::Ignored { reason: reason(row), text: text() }
            }
        };
        let name = format!("{}::{}::{}", row.requirement, row.revision, row.transport);
        cases.push(Case { name, verdict });
    }
    if cases.is_empty() {
        let text = "the target was reached, and nothing was tested: no revision that was asked for is spoken";
        let verdict = Verdict::Fail(text.to_owned());
        cases.push(Case { name: "target.spoken-to".to_owned(), verdict });
    }
    cases
}

fn reason(row: &ResultRow) -> String {
    let text = match (&row.reason, row.findings.first()) {
        (_, Some(finding)) => &finding.message,
        (Some(reason), None) => &reason.text,
        (None, None) => return row.outcome.to_string(),
    };
    format!("{}: {}", row.outcome, crate::report::visible(text, 400))
}

/// The text without its styles. What a server said has no control characters left at this point.
fn plain(styled: &str) -> String {
    let mut text = String::with_capacity(styled.len());
    let mut rest = styled;
    while let Some((before, after)) = rest.split_once('\u{1b}') {
        text.push_str(before);
        rest = after.split_once('m').map_or("", |(_, rest)| rest);
    }
    text + rest
}

/// One line a test: name, verdict and texts, with tabs between them.
pub(super) fn write(cases: &[Case]) -> String {
    let mut out = String::from("\n");
    for case in cases {
        let (word, texts) = match &case.verdict {
            Verdict::Pass => ("pass", ["", ""]),
            Verdict::Fail(text) => ("fail", ["", text.as_str()]),
            Verdict::Ignored { reason, text } => ("ignored", [reason.as_str(), text.as_str()]),
        };
        let texts = serde_json::json!(texts);
        out.push_str(&format!("{}\t{word}\t{texts}\n", case.name));
    }
    out
}

/// Reads what [`write`] wrote; of one test only, if one is named. A line that cannot be read is left out.
pub(super) fn read(text: &str, only: Option<&str>) -> Vec<Case> {
    let Some(name) = only else { return text.lines().filter_map(case).collect() };
    // The names are few among megabytes of texts, and each test runs in a process of its own.
    let start = memchr::memmem::find(text.as_bytes(), format!("\n{name}\t").as_bytes());
    let line = start.and_then(|start| text[start + 1..].lines().next());
    line.and_then(case).into_iter().collect()
}

fn case(line: &str) -> Option<Case> {
    let mut parts = line.splitn(3, '\t');
    let (name, word, texts) = (parts.next()?, parts.next()?, parts.next()?);
    let [reason, text]: [String; 2] = serde_json::from_str(texts).ok()?;
    let verdict = match word {
        "pass" => Verdict::Pass,
        "fail" => Verdict::Fail(text),
        "ignored" => Verdict::Ignored { reason, text },
        _ => return None,
    };
    Some(Case { name: name.to_owned(), verdict })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::{Revision, Transport};
    use crate::run::{Reason, RunEvent};

    fn row(requirement: &str, outcome: Outcome) -> RunEvent {
        RunEvent::Result(Box::new(ResultRow {
            requirement: requirement.to_owned(),
            title: None,
            url: None,
            level: Some("MUST".to_owned()),
            severity: "interop".to_owned(),
            revision: Revision::V2025_11_25,
            transport: Transport::HttpSse,
            outcome,
            reason: (outcome != Outcome::Pass).then(|| Reason::new("why", "be\u{1b}cause\tof")),
            findings: Vec::new(),
        }))
    }

    #[test]
    fn only_a_pass_passes() {
        let rows: Vec<RunEvent> =
            Outcome::ALL.into_iter().map(|outcome| row(&format!("a.{outcome}"), outcome)).collect();
        let state = RunState::of(&rows);
        let cases = of_run(&state, None, false, true);
        let passed: Vec<&str> = cases
            .iter()
            .filter(|case| case.verdict == Verdict::Pass)
            .map(|case| case.name.as_str())
            .collect();
        assert_eq!(passed, ["a.pass::2025-11-25::http+sse"]);
        let failed = |cases: &[Case]| cases.iter().filter(|c| matches!(c.verdict, Verdict::Fail(_))).count();
        assert_eq!(failed(&cases), 1);
        assert_eq!(cases.len(), 6);
        let strict = of_run(&state, None, true, false);
        assert_eq!((failed(&strict), strict.len()), (2, 5));
        assert_eq!(failed(&of_run(&RunState::default(), None, false, false)), 1);
    }

    #[test]
    fn cases_read_back_whole_and_one_by_one() {
        let rows: Vec<RunEvent> =
            Outcome::ALL.into_iter().map(|outcome| row(&format!("a.{outcome}"), outcome)).collect();
        let cases = of_run(&RunState::of(&rows), Some(Path::new("/run")), false, true);
        let text = write(&cases);
        assert_eq!(read(&text, None), cases);
        for case in &cases {
            assert_eq!(read(&text, Some(&case.name)), std::slice::from_ref(case));
            if let Verdict::Fail(text) | Verdict::Ignored { text, .. } = &case.verdict {
                assert!(!text.contains('\u{1b}') && text.contains("run        /run"), "{text}");
            }
        }
        assert!(read(&text, Some("a.pass")).is_empty());
    }
}
