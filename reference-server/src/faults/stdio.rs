//! Faults of STDIO.

use crate::faults::Duty;
use crate::faults::fault::{Fault, STDIO, fault};
use crate::faults::hook::Hook::{Line, Neglect};

pub(super) const FAULTS: &[Fault] = &[
    fault(
        "stdio.stdout-only-messages/banner",
        "A greeting precedes the first message (https://github.com/AgentDeskAI/browser-tools-mcp/issues/239).",
        &[Line(|memory, line| {
            if memory.count() == 0 { [b"Server is running on stdio\n", &*line].concat() } else { line }
        })],
    )
    .over(STDIO),
    fault(
        "stdio.exit-on-eof/stays",
        "The process stays when its input has ended (https://github.com/codefuturist/email-mcp/issues/60).",
        &[Neglect(Duty::ExitAtEndOfInput)],
    )
    .over(STDIO),
];
