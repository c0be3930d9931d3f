//! The reference server behind a filter that twists what goes in or comes out.

mod asking;
mod base;
mod batch;
mod features;
mod notices;
mod robustness;
mod stdio;
mod real;
mod twist;
mod values;

#[allow(unused_imports, reason = "one of the two programs that share this module lists the twists")]
pub(crate) use twist::{all, run};
