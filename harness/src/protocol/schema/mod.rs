//! The message schemas: one model of all MCP message types for every revision, the JSON Schema of
//! each revision that comes out of it, and checks of messages by method and result type.

mod check;
mod emit;
mod explain;
mod messages;
mod notation;
mod resolve;
mod shape;

pub use check::{
    Checked, Violation, check_definition, check_error, check_notification, check_request, check_result,
};
pub use emit::json_schema;
pub use messages::{Methods, NotificationType, Party, RequestType, methods};
pub use resolve::definitions;
