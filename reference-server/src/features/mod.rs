//! The features of the protocol, one file each.

mod asking;
mod asking_tools;
mod cancellation;
mod client;
mod completion;
mod content;
mod elicitation;
mod logging;
mod pagination;
mod progress;
mod prompts;
mod resources;
mod roots;
mod sampling;
mod task_tools;
pub(crate) mod tasks;
mod tool_set;
mod tools;

pub(crate) use asking::{InputRequest, Stop};
pub(crate) use cancellation::InFlight;
pub(crate) use client::{Capability, ClientCapabilities};
pub(crate) use completion::complete;
pub(crate) use content::Content;
pub(crate) use logging::{Level, set_level};
pub(crate) use pagination::{ListKind, page, page_from};
pub(crate) use progress::ProgressGate;
pub(crate) use prompts::{get_prompt, list_prompts, prompt_arguments};
pub(crate) use resources::{
    expand_template, list_resources, list_templates, read_resource, resource_exists, subscribe, unsubscribe,
};
pub(crate) use tools::{ToolSet, call_tool, list_tools};
