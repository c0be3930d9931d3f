//! Tokens that can be told by how they begin.

use aho_corasick::AhoCorasick;
use std::sync::OnceLock;

/// How tokens of well-known issuers begin, what they are, and how many characters follow at least.
const TOKENS: [(&str, &str, usize); 14] = [
    ("sk-", "an API key", 20),
    ("ghp_", "a GitHub token", 30),
    ("gho_", "a GitHub token", 30),
    ("ghs_", "a GitHub token", 30),
    ("ghu_", "a GitHub token", 30),
    ("github_pat_", "a GitHub token", 30),
    ("glpat-", "a GitLab token", 16),
    ("xoxb-", "a Slack token", 16),
    ("xoxp-", "a Slack token", 16),
    ("AKIA", "an AWS key id", 16),
    ("AIza", "a Google key", 30),
    ("npm_", "an npm token", 30),
    ("hf_", "a Hugging Face token", 30),
    ("eyJ", "a JSON web token", 30),
];

/// How a JSON web token begins. Servers make their states and cursors of such tokens too.
const WEB_TOKEN: &str = "eyJ";

/// How each kind of token begins.
pub(super) fn token_starts() -> impl Iterator<Item = &'static [u8]> {
    TOKENS.iter().map(|(start, ..)| start.as_bytes())
}

/// Finds how a token begins, in one pass.
fn starts() -> &'static AhoCorasick {
    static STARTS: OnceLock<AhoCorasick> = OnceLock::new();
    STARTS
        .get_or_init(|| AhoCorasick::new(token_starts()).expect("a few short patterns are within all limits"))
}

/// The tokens in a text, each with what it is.
pub(super) fn tokens(text: &str) -> impl Iterator<Item = (&'static str, &str)> {
    starts().find_iter(text).filter_map(move |hit| {
        let (start, what, least) = TOKENS[hit.pattern().as_usize()];
        let before = text[..hit.start()].chars().next_back();
        if before.is_some_and(|c| c.is_alphanumeric() || c == '_') {
            return None;
        }
        let rest = &text[hit.start()..];
        let part = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.');
        let end = rest.find(|c: char| !part(c)).unwrap_or(rest.len());
        let value = &rest[..end];
        let mixed = value.bytes().any(|byte| byte.is_ascii_digit());
        let whole = start != WEB_TOKEN || value.matches('.').count() == 2;
        (value.len() >= start.len() + least && mixed && whole).then_some((what, value))
    })
}

/// The tokens of a text that can be nothing but a secret: not those that a server may have made for its own use.
pub(super) fn sure_tokens(text: &str) -> impl Iterator<Item = &str> {
    tokens(text).map(|(_, value)| value).filter(|value| !value.starts_with(WEB_TOKEN))
}
