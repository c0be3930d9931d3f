//! What a server offers, as the clean part of a conversation found out.

use serde_json::Value;

/// What a server offers.
#[derive(Debug, Clone, Default)]
pub struct Offer {
    /// The entries of `tools/list`, all pages.
    pub tools: Vec<Value>,
    /// The entries of `resources/list`.
    pub resources: Vec<Value>,
    /// The entries of `resources/templates/list`.
    pub templates: Vec<Value>,
    /// The entries of `prompts/list`.
    pub prompts: Vec<Value>,
    /// List methods that were answered with a result.
    pub listed: Vec<&'static str>,
    /// List methods that gave more than one page.
    pub paged: Vec<&'static str>,
    /// Tools that were not called, and why.
    pub not_called: Vec<(String, crate::run::Reason)>,
    /// Tools that were called.
    pub called: Vec<String>,
}
