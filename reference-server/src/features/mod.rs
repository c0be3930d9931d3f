//! The features of the protocol, one file each.

mod apps;
mod asking;
mod cancellation;
mod client;
mod completion;
mod content;
mod icons;
mod elicitation;
mod logging;
mod pagination;
mod progress;
mod prompt_set;
mod prompts;
mod resource_set;
mod resources;
mod skills;
mod tool;
mod roots;
mod sampling;
pub(crate) mod tasks;
mod tool_set;
mod tools;

pub(crate) use apps::{APPS, GREETING_CARD};
pub(crate) use asking::{Given, InputRequest, Stop};
pub(crate) use cancellation::InFlight;
pub(crate) use client::{Capability, ClientCapabilities, TASKS};
pub(crate) use completion::complete;
#[cfg(feature = "enterprise")]
pub(crate) use completion::{Blank, Reference, complete_with, unknown_template};
pub(crate) use content::Content;
#[cfg(feature = "enterprise")]
pub(crate) use elicitation::{Elicited, form};
pub(crate) use icons::Icon;
pub(crate) use logging::{Level, set_level};
#[cfg(feature = "enterprise")]
pub(crate) use pagination::page_of;
pub(crate) use pagination::{ListKind, page, page_from};
pub(crate) use progress::ProgressGate;
#[cfg(feature = "enterprise")]
pub(crate) use prompts::{Argument, Fill, Filling, Message, Prompt, fill_prompt, unknown_prompt};
pub(crate) use prompts::{get_prompt, list_prompts, prompt_arguments};
#[cfg(feature = "enterprise")]
pub(crate) use resources::resource_not_found;
pub(crate) use resources::{
    find_resource, list_resources, list_templates, read_resource, resource_exists, subscribe,
    template_variable, unsubscribe,
};
pub(crate) use skills::{SKILLS, get_skill, list_skills, read_directory};
pub(crate) use tool::{Tool, ToolFuture, ToolResult};
pub(crate) use tools::{ToolSet, call_tool, list_tools};
