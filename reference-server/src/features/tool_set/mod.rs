//! The tools that this server offers, by theme.

mod apps;
mod asking;
mod basics;
mod content;
mod contract_asking;
mod contract_content;
mod contract_effects;
mod contract_rounds;
mod contract_tasks;
mod effects;
mod schemas;
mod themes;

pub(super) use themes::THEMES;
