//! The tools that this server offers, by theme.

mod basics;
mod content;
mod contract_content;
mod contract_effects;
mod effects;
mod schemas;
mod themes;

pub(super) use themes::THEMES;
