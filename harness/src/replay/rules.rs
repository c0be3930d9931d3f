//! The rules of a replay, ready to be asked.

use crate::transcript::{Rule, RuleError, RuleKind, RulePart, whole};
use serde_json::Value;

/// Rules, with their patterns compiled.
#[derive(Debug, Clone, Default)]
pub struct Rules(Vec<(Rule, Option<regex::Regex>)>);

/// The rules that are about one message.
#[derive(Debug, Default)]
pub(super) struct About<'a>(Vec<&'a (Rule, Option<regex::Regex>)>);

impl Rules {
    /// Makes rules ready.
    ///
    /// # Errors
    /// When one cannot be used: see [`Rule::check`].
    pub fn new(rules: impl IntoIterator<Item = Rule>) -> Result<Self, RuleError> {
        let ready = |rule: Rule| {
            rule.check()?;
            let pattern = match &rule.kind {
                RuleKind::Pattern { pattern } => whole(pattern).ok(),
                _ => None,
            };
            Ok((rule, pattern))
        };
        rules.into_iter().map(ready).collect::<Result<_, _>>().map(Self)
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Those about a message.
    pub(super) fn about(&self, method: &str, of: RulePart, nth: u64) -> About<'_> {
        About(self.0.iter().filter(|(rule, _)| rule.is_about(method, of, nth)).collect())
    }

    /// Whether so many messages as come of a method may come.
    pub(super) fn any_number(&self, method: &str, of: RulePart, nth: u64) -> bool {
        self.about(method, of, nth).whole(|kind| matches!(kind, RuleKind::Count))
    }

    /// Whether a message may come anywhere.
    pub(super) fn anywhere(&self, method: &str, of: RulePart, nth: u64) -> bool {
        self.about(method, of, nth).whole(|kind| matches!(kind, RuleKind::Order | RuleKind::Count))
    }
}

impl About<'_> {
    fn whole(&self, fits: impl Fn(&RuleKind) -> bool) -> bool {
        self.0.iter().any(|(rule, _)| rule.path.is_empty() && fits(&rule.kind))
    }

    /// Whether a rule of some kind covers a place.
    pub(super) fn has(&self, path: &str, fits: impl Fn(&RuleKind) -> bool) -> bool {
        self.0.iter().any(|(rule, _)| fits(&rule.kind) && rule.covers(path))
    }

    /// What the rules say of two values at a place; `None` where none decides.
    pub(super) fn verdict(&self, path: &str, recorded: &Value, live: &Value) -> Option<bool> {
        let mut decided = None;
        for (rule, pattern) in self.0.iter().filter(|(rule, _)| rule.covers(path)) {
            let fits = match &rule.kind {
                RuleKind::Ignore => true,
                RuleKind::Type { types } if types.is_empty() => type_of(recorded) == type_of(live),
                RuleKind::Type { types } => types.iter().any(|name| name == type_of(live)),
                RuleKind::Pattern { .. } => {
                    let text = live.as_str().zip(pattern.as_ref());
                    recorded == live || text.is_some_and(|(text, pattern)| pattern.is_match(text))
                }
                RuleKind::Tolerance { tolerance } => {
                    let numbers = recorded.as_f64().zip(live.as_f64());
                    numbers.is_some_and(|(recorded, live)| (recorded - live).abs() <= *tolerance)
                }
                _ => continue,
            };
            // One that allows is enough.
            decided = Some(fits || decided == Some(true));
        }
        decided
    }
}

/// The name of the type of a value.
pub(super) fn type_of(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(_) => "number",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    }
}
