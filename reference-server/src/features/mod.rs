//! The features of the protocol, one file each.

mod cancellation;
mod completion;
mod content;
mod logging;
mod pagination;
mod progress;
mod prompts;
mod resources;
mod tool_set;
mod tools;

pub(crate) use cancellation::InFlight;
pub(crate) use completion::complete;
pub(crate) use content::Content;
pub(crate) use logging::{Level, set_level};
pub(crate) use pagination::{CursorKey, ListKind, page};
pub(crate) use progress::ProgressGate;
pub(crate) use prompts::{get_prompt, list_prompts, prompt_arguments};
pub(crate) use resources::{
    expand_template, list_resources, list_templates, read_resource, resource_exists, subscribe, unsubscribe,
};
pub(crate) use tools::{ToolSet, call_tool, list_tools};
