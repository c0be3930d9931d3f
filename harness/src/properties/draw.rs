//! Draws cases for a subject, in turn of every kind that can be drawn for it.

use super::case::{Call, Case, Manner, Spelling};
use super::pool::Pool;
use super::spice::{spiced, walk};
use super::subject::Subject;
use crate::generate::{Choices, Mode, Seeded};
use serde_json::Value;

/// Of what kind the next case is; the list is gone through from its beginning again and again.
const TURNS: [Turn; 20] = [
    Turn::Edge,
    Turn::Miss,
    Turn::Again,
    Turn::Spelled,
    Turn::Valid,
    Turn::Echo,
    Turn::Together,
    Turn::Sequence,
    Turn::Edge,
    Turn::Miss,
    Turn::Valid,
    Turn::Sequence,
    Turn::Miss,
    Turn::Valid,
    Turn::Edge,
    Turn::Spelled,
    Turn::Sequence,
    Turn::Valid,
    Turn::Miss,
    Turn::Valid,
];
/// How many calls a sequence has at the most.
const LONGEST: u64 = 3;
/// How many near misses are tried for one case.
const MISSES: usize = 6;
/// How often arguments are drawn for one case.
const TRIES: usize = 4;

/// Of what kind a case is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Turn {
    /// One valid call with all sorts of arguments.
    Valid,
    /// One valid call at the edge of a keyword of the schema.
    Edge,
    /// One call that breaks one keyword of the schema.
    Miss,
    /// The same valid call again, where the subject says that this changes nothing.
    Again,
    /// The same valid call in another spelling, where the subject only reads.
    Spelled,
    /// The same valid call several times at once.
    Together,
    /// A call with a text that nobody else knows, and another call.
    Echo,
    /// Several valid calls one after the other.
    Sequence,
}

/// Draws cases; the same seed and the same answers give the same ones.
pub struct Drawer {
    choices: Seeded,
    /// How many cases were drawn for each subject.
    drawn: Vec<usize>,
    edge: Vec<usize>,
    miss: Vec<usize>,
    spelled: Vec<usize>,
    /// What answers have brought.
    pub pool: Pool,
}

impl Drawer {
    /// For so many subjects.
    pub fn new(seed: u64, subjects: usize) -> Self {
        let none = || vec![0; subjects];
        let (edge, miss, spelled) = (none(), none(), none());
        Self { choices: Seeded::new(seed), drawn: none(), edge, miss, spelled, pool: Pool::default() }
    }

    /// The next case of a subject; `None` where no arguments can be made for it.
    pub fn next(&mut self, subjects: &mut [Subject], at: usize) -> Option<Case> {
        // Others begin elsewhere in the list, so that a few cases for each are of every kind.
        let turn = TURNS[(self.drawn[at] + 3 * at) % TURNS.len()];
        self.of(subjects, at, turn)
    }

    /// The next case of a subject in this turn, one valid call where the subject has nothing of that kind; `None` where no
    /// arguments can be made for it.
    pub fn of(&mut self, subjects: &mut [Subject], at: usize, turn: Turn) -> Option<Case> {
        if self.drawn[at] == 0 {
            // Where the walks begin is up to the seed.
            let subject = &subjects[at];
            self.edge[at] = self.choices.below(subject.edges.len() as u64) as usize;
            self.spelled[at] = self.choices.below(3) as usize;
            self.miss[at] = self.choices.below(subject.misses.len() as u64) as usize;
        }
        self.drawn[at] += 1;
        let subject = &mut subjects[at];
        match turn {
            Turn::Edge if !subject.edges.is_empty() => {
                let target = subject.edges[self.edge[at] % subject.edges.len()].clone();
                self.edge[at] += 1;
                let mode = [Mode::Minimal, Mode::Varied][self.choices.below(2) as usize];
                let made = subject.generator.at_edge(&target, mode, &mut self.choices).ok();
                let arguments = match made.filter(|made| subject.takes(made)) {
                    Some(made) => subject.unhurried(made),
                    None => self.valid(subject)?,
                };
                Some(Case::one(Manner::Valid, at, arguments))
            }
            Turn::Miss if !subject.misses.is_empty() => self.miss(subject, at),
            Turn::Again if subject.read_only || subject.idempotent => {
                let times = if subject.read_only { 2 } else { 3 };
                Some(Case::one(Manner::Again(times), at, self.valid(subject)?))
            }
            Turn::Spelled if subject.read_only => {
                let spelling = Spelling::ALL[self.spelled[at] % Spelling::ALL.len()];
                self.spelled[at] += 1;
                Some(Case::one(Manner::Spelled(spelling), at, self.valid(subject)?))
            }
            Turn::Together => {
                let arguments = self.valid(subject)?;
                let call = Call { subject: at, arguments };
                Some(Case { manner: Manner::Together, calls: vec![call.clone(), call] })
            }
            Turn::Echo => self.echo(subject, at),
            Turn::Sequence => self.sequence(subjects, at),
            _ => Some(Case::one(Manner::Valid, at, self.valid(subject)?)),
        }
    }

    /// Arguments that break the next keyword for which there are some.
    fn miss(&mut self, subject: &mut Subject, at: usize) -> Option<Case> {
        for _ in 0..MISSES.min(subject.misses.len()) {
            let target = subject.misses[self.miss[at] % subject.misses.len()].clone();
            self.miss[at] += 1;
            let Ok(arguments) = subject.generator.near_miss(&target, Mode::Plausible, &mut self.choices)
            else {
                continue;
            };
            let kind = target.keyword == "type";
            if arguments.is_object() && !(kind && converts(&target.path, &arguments, subject.schema())) {
                let manner = Manner::Miss { keyword: target.keyword, path: target.path };
                return Some(Case::one(manner, at, arguments));
            }
        }
        None
    }

    /// Valid arguments.
    fn valid(&mut self, subject: &mut Subject) -> Option<Value> {
        for _ in 0..TRIES {
            let mode =
                [Mode::Varied, Mode::Plausible, Mode::Varied, Mode::Minimal][self.choices.below(4) as usize];
            let Ok(made) = subject.generator.value(mode, &mut self.choices) else { continue };
            if !made.is_object() || !subject.takes(&made) {
                continue;
            }
            let made =
                if self.choices.flip() { spiced(subject, made, &self.pool, &mut self.choices) } else { made };
            return Some(subject.unhurried(made));
        }
        None
    }

    /// A call with a text that nobody else knows, and another call.
    fn echo(&mut self, subject: &mut Subject, at: usize) -> Option<Case> {
        let canary = format!("mcprove{:08x}", self.choices.below(1 << 32));
        for _ in 0..TRIES {
            let (first, second) = (self.valid(subject)?, self.valid(subject)?);
            let mut places = Vec::new();
            walk(&first, &mut String::new(), &mut |place, value| {
                if value.is_string() {
                    places.push(place.to_owned());
                }
            });
            for path in places {
                let mut marked = first.clone();
                *marked.pointer_mut(&path)? = Value::from(canary.as_str());
                if subject.takes(&marked) && !second.to_string().contains(&canary) {
                    let calls = [marked, second].map(|arguments| Call { subject: at, arguments });
                    return Some(Case { manner: Manner::Echo { path }, calls: calls.into() });
                }
            }
        }
        Some(Case::one(Manner::Valid, at, self.valid(subject)?))
    }

    /// Two or three calls, most of them of the subject itself.
    fn sequence(&mut self, subjects: &mut [Subject], at: usize) -> Option<Case> {
        let length = 2 + self.choices.below(LONGEST - 1);
        let mut calls = Vec::new();
        for _ in 0..length {
            let other = self.choices.chance(1, 4);
            let subject = if other { self.choices.below(subjects.len() as u64) as usize } else { at };
            let arguments = self.valid(&mut subjects[subject])?;
            calls.push(Call { subject, arguments });
        }
        Some(Case { manner: Manner::Valid, calls })
    }
}

/// Whether what has the wrong type is something that a server may rightly convert or take for nothing: `"5"` for 5, `null`
/// for what is left out.
fn converts(path: &str, arguments: &Value, schema: &Value) -> bool {
    let Some(value) = arguments.pointer(path) else { return true };
    let name = path.strip_prefix('/').unwrap_or_default();
    let property = &schema["properties"][name];
    let wants = |kind: &str| property["type"] == kind;
    match value {
        Value::Null => true,
        Value::Bool(_) | Value::Number(_) => !(wants("array") || wants("object")),
        Value::String(text) => {
            !(wants("array") || wants("object"))
                && (text.trim().is_empty()
                    || text.parse::<f64>().is_ok()
                    || ["true", "false"].contains(&text.as_str()))
        }
        // A list of one for one is a habit of forms; an object for anything else is not.
        Value::Array(elements) => elements.len() < 2,
        Value::Object(_) => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn subject(schema: Value) -> Subject {
        let tool = json!({"name": "t", "inputSchema": schema, "annotations": {"readOnlyHint": true}});
        Subject::of_tool(&tool).unwrap().unwrap()
    }

    fn cases(seed: u64, schema: &Value, count: usize) -> (Vec<Case>, Subject) {
        let mut subjects = [subject(schema.clone())];
        let mut drawer = Drawer::new(seed, 1);
        let drawn = (0..count).filter_map(|_| drawer.next(&mut subjects, 0)).collect();
        let [subject] = subjects;
        (drawn, subject)
    }

    fn schema() -> Value {
        json!({"type": "object", "required": ["n"], "properties": {
            "n": {"type": "integer", "minimum": 0, "maximum": 100_000},
            "day": {"type": "string", "format": "date"},
            "text": {"type": "string", "maxLength": 64},
            "list": {"type": "array", "items": {"enum": ["a", "b"]}},
        }, "additionalProperties": false})
    }

    #[test]
    fn cases_are_what_their_manner_says() {
        let (cases, subject) = cases(7, &schema(), 400);
        assert!(cases.len() > 350, "{}", cases.len());
        for case in &cases {
            for call in &case.calls {
                let arguments = &call.arguments;
                assert_eq!(subject.takes(arguments), case.manner.is_valid(), "{case:?}");
                assert_eq!(subject.refuses(arguments), !case.manner.is_valid(), "{case:?}");
            }
        }
        let has = |wanted: fn(&Manner) -> bool| cases.iter().any(|case| wanted(&case.manner));
        assert!(has(|manner| matches!(manner, Manner::Miss { keyword, .. } if keyword == "maximum")));
        assert!(has(|manner| matches!(manner, Manner::Echo { .. })));
        assert!(has(|manner| *manner == Manner::Together) && has(|manner| *manner == Manner::Again(2)));
    }

    #[test]
    fn a_seed_gives_the_same_cases_and_another_one_others() {
        let drawn = |seed| cases(seed, &schema(), 50).0;
        assert_eq!(drawn(1), drawn(1));
        assert_ne!(drawn(1), drawn(2));
    }

    #[test]
    fn a_schema_about_itself_gives_deep_values() {
        let node = json!({"type": "object", "properties": {"child": {"$ref": "#/$defs/node"}}, "additionalProperties": false});
        let schema = json!({"type": "object", "$defs": {"node": node}, "required": ["tree"],
            "properties": {"tree": {"$ref": "#/$defs/node"}}, "additionalProperties": false});
        let (cases, _) = cases(3, &schema, 500);
        let deepest = cases
            .iter()
            .flat_map(|case| &case.calls)
            .map(|call| call.arguments.to_string().matches("child").count());
        assert!(deepest.max().unwrap() > 16);
    }

    #[test]
    fn what_may_be_converted_is_no_miss() {
        let schema = json!({"properties": {"n": {"type": "integer"}, "o": {"type": "object"}}});
        for (value, converts_it) in [
            (json!({"n": "5"}), true),
            (json!({"n": null}), true),
            (json!({"n": "no number"}), false),
            (json!({"n": {"a": 1}}), false),
            (json!({"n": [1]}), true),
            (json!({"n": [1, 2]}), false),
        ] {
            assert_eq!(converts("/n", &value, &schema), converts_it, "{value}");
        }
        assert!(!converts("/o", &json!({"o": "text"}), &schema));
    }
}
