//! The enterprise profile: a database behind roles, masking, an audit log and approval by a human.

mod approval;
mod audit;
mod audit_words;
mod completion;
mod database;
mod desk;
mod domain;
mod masking;
mod plain_text;
mod profile;
mod prompts;
mod resources;
mod roles;
mod serve;
mod tools_customers;
mod tools_employees;
mod tools_orders;

pub use audit::AuditReading;
pub use profile::{Enterprise, EnterpriseFiles, InvalidProfile};

pub(crate) use approval::Approval;
pub(crate) use domain::Kind;
pub(crate) use masking::Place;
pub(crate) use profile::RoleName;
pub(crate) use serve::{answer, is_served};
