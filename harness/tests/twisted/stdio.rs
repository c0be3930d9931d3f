//! Twists of the stdio transport.

use super::Case;

pub(super) static CASES: &[Case] = &[
    Case { twist: "none", revision: "2025-11-25", only: "base,ping,robustness,stdio", found: &[] },
    Case { twist: "none", revision: "2026-07-28", only: "base,ping,robustness,stdio", found: &[] },
    Case {
        twist: "banner",
        revision: "2025-11-25",
        only: "stdio,base.encoding,base.jsonrpc",
        found: &[("stdio.stdout-only-messages", "fail")],
    },
    Case {
        twist: "log-lines",
        revision: "2026-07-28",
        only: "stdio,base.encoding,base.jsonrpc",
        found: &[("stdio.stdout-only-messages", "fail")],
    },
    Case {
        twist: "blank-lines",
        revision: "2025-11-25",
        only: "stdio,base.encoding,base.jsonrpc",
        found: &[("stdio.stdout-only-messages", "warn")],
    },
    Case {
        twist: "holds-long-lines",
        revision: "2025-11-25",
        only: "stdio.output-flushed",
        found: &[("stdio.output-flushed", "warn")],
    },
    Case {
        twist: "pretty",
        revision: "2025-11-25",
        only: "stdio,base.encoding,base.jsonrpc",
        found: &[("stdio.newline-delimited", "fail")],
    },
    Case {
        twist: "pretty",
        revision: "2026-07-28",
        only: "stdio,base.encoding,base.jsonrpc",
        found: &[("stdio.newline-delimited", "fail")],
    },
    Case {
        twist: "two-on-a-line",
        revision: "2025-11-25",
        only: "stdio,base.encoding,base.jsonrpc",
        found: &[("stdio.newline-delimited", "fail")],
    },
    Case { twist: "crlf", revision: "2025-11-25", only: "stdio,base.encoding,base.jsonrpc", found: &[] },
    Case {
        twist: "crlf",
        revision: "2026-07-28",
        only: "stdio,base.encoding,base.jsonrpc",
        found: &[("stdio.newline-delimited", "warn")],
    },
    Case {
        twist: "latin1",
        revision: "2026-07-28",
        only: "stdio,base.encoding,base.jsonrpc",
        found: &[("base.encoding.utf8", "fail")],
    },
    Case {
        twist: "not-json",
        revision: "2025-11-25",
        only: "stdio,base.encoding,base.jsonrpc",
        found: &[("base.encoding.valid-json", "fail")],
    },
    Case {
        twist: "twice-the-member",
        revision: "2026-07-28",
        only: "stdio,base.encoding,base.jsonrpc",
        found: &[("base.encoding.valid-json", "warn")],
    },
    Case {
        twist: "stays",
        revision: "2025-11-25",
        only: "stdio,base.encoding,base.jsonrpc",
        found: &[("stdio.exit-on-eof", "warn")],
    },
    Case {
        twist: "stays-for-good",
        revision: "2026-07-28",
        only: "stdio,base.encoding,base.jsonrpc",
        found: &[("stdio.exit-on-eof", "warn"), ("stdio.exit-on-sigterm", "warn")],
    },
    Case {
        twist: "latin1-log",
        revision: "2025-11-25",
        only: "stdio,base.encoding,base.jsonrpc",
        found: &[("stdio.stderr-utf8", "warn")],
    },
    Case {
        twist: "chunks-are-messages",
        revision: "2025-11-25",
        only: "stdio.input-chunking-irrelevant",
        found: &[("stdio.input-chunking-irrelevant", "warn")],
    },
];
