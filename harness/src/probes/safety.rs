//! Which tools may be called: tools have side effects, and an unknown server's word is all that there is.

use crate::run::Reason;
use serde_json::Value;

/// The rule of `--calls`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Calls {
    /// No tool is called.
    None,
    /// Tools that say `readOnlyHint: true`.
    #[default]
    ReadOnly,
    /// Every tool.
    All,
}

/// Which tools may be called.
#[derive(Debug, Clone, Default)]
pub struct Safety {
    /// The general rule.
    pub calls: Calls,
    /// Patterns (`*` stands for any text) of names that may be called whatever the rule says.
    pub allow: Vec<String>,
    /// Patterns of names that are never called; they win.
    pub deny: Vec<String>,
}

impl Safety {
    /// Whether a tool may be called; if not, why.
    pub fn may_call(&self, tool: &Value) -> Result<(), Reason> {
        let name = tool.get("name").and_then(Value::as_str).unwrap_or_default();
        if self.deny.iter().any(|pattern| matches(pattern, name)) {
            return Err(Reason::new("tool-denied", format!("`{name}` is denied by --deny-tools")));
        }
        if self.allow.iter().any(|pattern| matches(pattern, name)) {
            return Ok(());
        }
        match self.calls {
            Calls::All => Ok(()),
            Calls::None => Err(Reason::new("calls-none", "no tool is called (--calls none)")),
            Calls::ReadOnly => {
                if tool.pointer("/annotations/readOnlyHint") == Some(&Value::Bool(true)) {
                    Ok(())
                } else {
                    Err(Reason::new(
                        "not-read-only",
                        format!(
                            "`{name}` does not say `readOnlyHint: true`; allow it with --allow-tools, or all with --calls all"
                        ),
                    ))
                }
            }
        }
    }
}

/// Whether a name fits a pattern in which `*` stands for any text.
pub fn matches(pattern: &str, name: &str) -> bool {
    let mut parts = pattern.split('*');
    let Some(mut rest) = parts.next().and_then(|first| name.strip_prefix(first)) else { return false };
    let parts: Vec<&str> = parts.collect();
    let Some((last, middle)) = parts.split_last() else { return rest.is_empty() };
    for part in middle {
        match rest.find(part) {
            Some(at) => rest = &rest[at + part.len()..],
            None => return false,
        }
    }
    rest.ends_with(last)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn patterns() {
        for (pattern, name, expected) in [
            ("*", "", true),
            ("read_*", "read_file", true),
            ("read_*", "write_file", false),
            ("*file*", "a_file_b", true),
            ("a*b*c", "axxbyyc", true),
            ("a*b", "ab", true),
            ("a*a", "a", false),
            ("exact", "exact", true),
            ("exact", "exactly", false),
        ] {
            assert_eq!(matches(pattern, name), expected, "{pattern} {name}");
        }
    }

    #[test]
    fn a_hint_must_be_given_and_a_denial_wins() {
        let reads = json!({"name": "reads", "annotations": {"readOnlyHint": true}});
        let unknown = json!({"name": "unknown"});
        let mut safety = Safety::default();
        assert!(safety.may_call(&reads).is_ok());
        assert_eq!(safety.may_call(&unknown).unwrap_err().code, "not-read-only");
        safety.allow.push("unk*".into());
        assert!(safety.may_call(&unknown).is_ok());
        safety.deny.push("*".into());
        assert!(safety.may_call(&reads).is_err());
    }
}
