//! What must hold for the answers to a case: functions of the case and what came, and nothing else.

use super::case::{Case, Manner, Spelling};
use super::stand::Answered;
use super::subject::{Subject, What};
use crate::protocol::{Revision, Transport};

/// Valid arguments are answered with a result.
pub const ANSWERED: &str = "property.valid.answered";
/// Arguments that the schema forbids are refused.
pub const REFUSED: &str = "property.miss.refused";
/// They are refused by an error of the tool, or by -32602.
pub const MISS_ERROR: &str = "property.miss.error";
/// Structured results are what `outputSchema` says.
pub const OUTPUT: &str = "property.output.conforms";
/// The same call again has the same answer.
pub const AGAIN: &str = "property.again.agrees";
/// Another spelling of the same JSON has the same answer.
pub const SPELLING: &str = "property.spelling.agrees";
/// What came before does not matter.
pub const PAST: &str = "property.past.ignored";
/// What one call brought is not shown by another.
pub const ECHO: &str = "property.echo.none";

/// The process lives.
pub(super) const SURVIVES: &str = "robustness.process.survives";
/// Every request comes to an end.
pub(super) const NO_HANG: &str = "robustness.request.no-hang";
/// Structured content is what `outputSchema` says.
const CONFORMS: &str = "tools.structured.conforms";

/// Something that must not be.
#[derive(Debug, Clone, PartialEq)]
pub struct Shown {
    /// The property that is broken.
    pub property: &'static str,
    /// The requirement that carries the finding: another where there is one about just this.
    pub requirement: &'static str,
    /// A short, stable name of this way to break it.
    pub class: &'static str,
    /// The call that shows it, by its place among those that were made.
    pub at: usize,
    /// The subject of that call.
    pub subject: usize,
    /// Its name.
    pub name: String,
    /// What is wrong, in one sentence.
    pub message: String,
    /// What would have been right.
    pub expected: &'static [&'static str],
    /// What came.
    pub actual: String,
    /// Whether it is a matter of quality only.
    pub quality: bool,
}

impl Shown {
    /// Whether two are the same defect, as far as can be told from outside.
    pub fn is_like(&self, other: &Self) -> bool {
        (self.requirement, self.class, self.subject) == (other.requirement, other.class, other.subject)
    }
}

/// By which rules is judged.
#[derive(Debug, Clone, Copy)]
pub struct Rules {
    /// The revision spoken.
    pub revision: Revision,
    /// The transport.
    pub transport: Transport,
}

/// What the answers to the calls of a case show, each call for itself: the first thing that must not be.
pub fn each(rules: Rules, subjects: &[Subject], case: &Case, answers: &[Answered]) -> Option<Shown> {
    answers.iter().enumerate().find_map(|(at, answered)| {
        let call = case.calls.get(at).or(case.calls.last())?;
        let subject = &subjects[call.subject];
        let title = subject.title();
        let shown = |property, requirement, class, message: String, expected| Shown {
            property,
            requirement,
            class,
            at,
            subject: call.subject,
            name: subject.name.clone(),
            message,
            expected,
            actual: answered.describe(),
            quality: false,
        };
        let how = match &case.manner {
            Manner::Miss { keyword, .. } => format!("with arguments that break `{keyword}` of its schema"),
            Manner::Together => "several times at once with valid arguments".to_owned(),
            _ => "with valid arguments".to_owned(),
        };
        let property = if case.manner.is_valid() { ANSWERED } else { REFUSED };
        match answered {
            Answered::Gone(_) if rules.transport == Transport::Stdio => {
                let message = format!("the process did not survive {title}, called {how}");
                return Some(shown(
                    property,
                    SURVIVES,
                    "call",
                    message,
                    &["the process lives until its input is closed"],
                ));
            }
            Answered::Silence(_) => {
                let message = format!("{title} did not come to an end, called {how}");
                return Some(shown(property, NO_HANG, "call", message, &["an answer within the time-out"]));
            }
            _ => {}
        }
        match (&case.manner, answered) {
            // How a prompt refuses is told by rules about prompts.
            (Manner::Miss { .. }, answered) if subject.what == What::Tool => {
                missed(subject, answered, &shown, &how)
            }
            (Manner::Miss { .. }, _) => None,
            // What a prompt wants of its arguments no schema says.
            (_, Answered::Error(-32700 | -32601 | -32600)) if subject.what == What::Tool => {
                let message = format!("{title} was refused as if the request were wrong, called {how}");
                let expected = &["a result", "a result with `isError: true`"];
                Some(Shown {
                    quality: true,
                    ..shown(ANSWERED, ANSWERED, "refused-request", message, expected)
                })
            }
            (_, Answered::Error(-32603)) if subject.what == What::Tool => {
                let message = format!("{title} was answered with an internal error, called {how}");
                let expected = &["a result", "a result with `isError: true`"];
                Some(Shown {
                    quality: true,
                    ..shown(ANSWERED, ANSWERED, "internal-error", message, expected)
                })
            }
            (_, Answered::Refused(status)) if *status >= 500 && !(502..=504).contains(status) => {
                let message = format!("{title} was answered with HTTP {status} and no message, called {how}");
                Some(shown(ANSWERED, ANSWERED, "http-status", message, &["a result"]))
            }
            (_, Answered::Done(result)) if answered.is_success() => {
                let content = result.get("structuredContent")?;
                let (place, why) = subject.tool.output_conforms(content, rules.revision)?.err()?;
                let message =
                    format!("the structured content of {title} does not conform to its `outputSchema`");
                let found = shown(OUTPUT, CONFORMS, "call", message, &["a value that `outputSchema` allows"]);
                let actual = format!("at `{place}`: {why}");
                Some(Shown { actual, ..found })
            }
            _ => None,
        }
    })
}

/// What the answer to a near miss shows.
fn missed(
    subject: &Subject,
    answered: &Answered,
    shown: &dyn Fn(&'static str, &'static str, &'static str, String, &'static [&'static str]) -> Shown,
    how: &str,
) -> Option<Shown> {
    const RIGHT: &[&str] = &["a result with `isError: true`", "error -32602 (invalid params)"];
    let title = subject.title();
    match answered {
        Answered::Done(_) if answered.is_success() => {
            let message = format!("{title} reported success, called {how}");
            Some(Shown { quality: true, ..shown(REFUSED, REFUSED, "accepted", message, RIGHT) })
        }
        // Others say what was looked at before the arguments, or are the server's own.
        Answered::Error(-32700 | -32603..=-32600) if *answered != Answered::Error(-32602) => {
            let message =
                format!("{title} was refused by another error than one of its arguments, called {how}");
            Some(Shown { quality: true, ..shown(MISS_ERROR, MISS_ERROR, "other-code", message, RIGHT) })
        }
        _ => None,
    }
}

/// Whether answers to the same call, made so often one after the other, differ where they must not: of what only reads the
/// first two, of what may be done again the second and the third.
pub fn changes(times: usize, answers: &[Answered]) -> bool {
    let [.., before, last] = answers else { return false };
    answers.len() == times && before != last && [before, last].iter().all(|answer| is_whole(answer))
}

/// Whether answers, to a plain and another spelling in turn, are the same for each of the two and differ between them. A
/// tool may repeat members in the order in which they came.
pub fn depends_on_spelling(spelling: Spelling, answers: &[Answered]) -> bool {
    let [plain, other, plain_again, other_again] = answers else { return false };
    let differ = plain != other && (spelling != Spelling::Order || letters(plain) != letters(other));
    plain == plain_again && other == other_again && differ && answers.iter().all(is_whole)
}

/// The characters of an answer in an order of their own.
fn letters(answer: &Answered) -> Vec<char> {
    let mut letters: Vec<char> = match answer {
        Answered::Done(result) => result.to_string().chars().collect(),
        other => other.describe().chars().collect(),
    };
    letters.sort_unstable();
    letters
}

/// Whether an answer can be compared.
pub(super) fn is_whole(answer: &Answered) -> bool {
    matches!(answer, Answered::Done(_) | Answered::Error(_))
}

/// How often a text stands in an answer.
pub fn occurrences(answer: &Answered, text: &str) -> usize {
    match answer {
        Answered::Done(result) => in_value(result, text),
        _ => 0,
    }
}

fn in_value(value: &serde_json::Value, text: &str) -> usize {
    use serde_json::Value;
    match value {
        Value::String(whole) => whole.matches(text).count(),
        Value::Array(elements) => elements.iter().map(|element| in_value(element, text)).sum(),
        Value::Object(members) => members.values().map(|member| in_value(member, text)).sum(),
        _ => 0,
    }
}

/// What a comparison of several answers shows, in the words of its manner; `None` for manners that compare nothing.
pub fn compared(subjects: &[Subject], case: &Case, actual: String) -> Option<Shown> {
    let call = case.calls.last()?;
    let title = subjects[call.subject].title();
    let (property, class, message, expected): (_, _, _, &'static [&'static str]) = match &case.manner {
        Manner::Again(2) => (
            AGAIN,
            "read-only",
            format!("{title} says that it only reads, and the same call again has another answer"),
            &["the same answer"],
        ),
        Manner::Again(_) => (
            AGAIN,
            "idempotent",
            format!(
                "{title} says that it is idempotent, and a third call has another answer than the second"
            ),
            &["the same answer"],
        ),
        Manner::Spelled(spelling) => (
            SPELLING,
            "spelling",
            format!("{title} answers otherwise when the request is written with {}", spelling.words()),
            &["the same answer"],
        ),
        Manner::Past => (
            PAST,
            "past",
            format!("{title} answers otherwise after other calls that only read"),
            &["the same answer as without them"],
        ),
        Manner::Echo { .. } => (
            ECHO,
            "echo",
            format!("{title} shows what another call has brought"),
            &["nothing of the arguments of another call"],
        ),
        Manner::Valid | Manner::Together | Manner::Miss { .. } => return None,
    };
    let (at, subject) = (case.calls.len() - 1, call.subject);
    let name = subjects[subject].name.clone();
    let quality = !matches!(case.manner, Manner::Spelled(_) | Manner::Past);
    Some(Shown {
        property,
        requirement: property,
        class,
        at,
        subject,
        name,
        message,
        expected,
        actual,
        quality,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    const RULES: Rules = Rules { revision: Revision::V2025_11_25, transport: Transport::Stdio };

    fn subjects() -> Vec<Subject> {
        let tool = json!({"name": "t", "inputSchema": {"type": "object", "properties": {"n": {"type": "integer", "maximum": 10}}},
            "outputSchema": {"type": "object", "properties": {"n": {"type": "integer"}}}});
        vec![Subject::of_tool(&tool).unwrap().unwrap()]
    }

    fn shows(manner: Manner, answered: Answered) -> Option<(&'static str, &'static str, bool)> {
        let case = Case::one(manner, 0, json!({"n": 1}));
        let shown = each(RULES, &subjects(), &case, &[answered])?;
        Some((shown.property, shown.requirement, shown.quality))
    }

    fn done(result: Value) -> Answered {
        Answered::Done(result)
    }

    fn miss() -> Manner {
        Manner::Miss { keyword: "maximum".to_owned(), path: "/n".to_owned() }
    }

    #[test]
    fn valid_calls_are_answered() {
        let gone = || Answered::Gone("it exited".to_owned());
        let silence = || Answered::Silence(std::time::Duration::from_secs(1));
        assert_eq!(shows(Manner::Valid, gone()), Some((ANSWERED, SURVIVES, false)));
        assert_eq!(shows(Manner::Valid, silence()), Some((ANSWERED, NO_HANG, false)));
        for code in [-32700, -32603, -32601, -32600] {
            assert_eq!(shows(Manner::Valid, Answered::Error(code)), Some((ANSWERED, ANSWERED, true)));
        }
        let wrong = json!({"content": [], "structuredContent": {"n": "1"}});
        assert_eq!(shows(Manner::Valid, done(wrong.clone())), Some((OUTPUT, CONFORMS, false)));
        for fine in [
            done(json!({"content": [], "structuredContent": {"n": 1}})),
            done(json!({"content": [], "isError": true, "structuredContent": {"n": "1"}})),
            Answered::Error(-32602),
            Answered::Error(-32002),
            Answered::Error(7),
            Answered::Unfinished,
            Answered::Refused(403),
            Answered::Refused(503),
            Answered::Lost("no connection".to_owned()),
        ] {
            assert_eq!(shows(Manner::Valid, fine.clone()), None, "{fine:?}");
        }
    }

    #[test]
    fn near_misses_are_refused() {
        assert_eq!(shows(miss(), done(json!({"content": []}))), Some((REFUSED, REFUSED, true)));
        for code in [-32700, -32603, -32601, -32600] {
            assert_eq!(shows(miss(), Answered::Error(code)), Some((MISS_ERROR, MISS_ERROR, true)));
        }
        assert_eq!(shows(miss(), Answered::Gone("it exited".to_owned())), Some((REFUSED, SURVIVES, false)));
        for fine in [
            done(json!({"isError": true})),
            Answered::Error(-32602),
            Answered::Error(400),
            Answered::Error(-32021),
            Answered::Unfinished,
        ] {
            assert_eq!(shows(miss(), fine.clone()), None, "{fine:?}");
        }
    }

    #[test]
    fn answers_are_compared() {
        let text = |text: &str| done(json!({"content": [{"type": "text", "text": text}]}));
        let (a, b, c) = (text("a"), text("b"), text("c"));
        assert!(changes(2, &[a.clone(), b.clone()]) && !changes(2, &[a.clone(), a.clone()]));
        // Done once and found done twice.
        assert!(
            !changes(3, &[a.clone(), b.clone(), b.clone()]) && changes(3, &[a.clone(), b.clone(), c.clone()])
        );
        assert!(!changes(2, &[a.clone(), Answered::Lost("it broke".to_owned())]));
        let spelled =
            |answers: [&Answered; 4]| depends_on_spelling(Spelling::Order, &answers.map(Clone::clone));
        assert!(spelled([&a, &b, &a, &b]) && !spelled([&a, &a, &a, &a]) && !spelled([&a, &b, &c, &b]));
        let (ab, ba) = (text("{a: 1, b: 2}"), text("{b: 2, a: 1}"));
        assert!(!spelled([&ab, &ba, &ab, &ba]));
        let again = [&ab, &ba, &ab, &ba].map(Clone::clone);
        assert!(depends_on_spelling(Spelling::Escapes, &again));
        assert_eq!(occurrences(&text("banana"), "an"), 2);
        assert_eq!(occurrences(&Answered::Error(1), "an"), 0);
    }
}
