//! What each target must end in.

/// A target and what its check must end in.
pub(crate) struct Case {
    /// The behaviour, or `path:` and a program.
    pub(crate) target: &'static str,
    /// The exit code.
    pub(crate) exit: i32,
    /// Requirements that fail.
    pub(crate) fails: &'static [&'static str],
    /// Requirements that were not really observed: they must not pass.
    pub(crate) not_pass: &'static [&'static str],
    /// What the error message, the report or the remarks in the transcripts say.
    pub(crate) says: &'static [&'static str],
}

const fn case(
    target: &'static str,
    exit: i32,
    fails: &'static [&'static str],
    not_pass: &'static [&'static str],
    says: &'static [&'static str],
) -> Case {
    Case { target, exit, fails, not_pass, says }
}

const ANSWERED: &[&str] = &["base.response.always-sent"];
const BOUNDED: &str = "robustness.output.bounded";
const SURVIVES: &str = "robustness.process.survives";
const VALID: &str = "robustness.http.valid";
const ONLY: &str = "stdio.stdout-only-messages";
const SENT: &str = "base.response.always-sent";

/// Every response has an id that was never sent.
pub(crate) const MISANSWERS: &str = "wrong-id";

/// All targets.
pub(crate) const CASES: &[Case] = &[
    case("honest", 0, &[], &[], &[]),
    case("path:/nonexistent/server", 3, &[], &[], &["/nonexistent/server"]),
    case("path:not-executable", 3, &[], &[], &["chmod +x"]),
    case("path:/", 3, &[], &[], &["directory"]),
    case("dies-at-once", 3, &[], ANSWERED, &["code 3", "fatal: the configuration file is missing"]),
    case("dies-by-signal", 3, &[], ANSWERED, &["signal 6"]),
    case("dies-by-signal late", 1, &[SURVIVES], ANSWERED, &[]),
    case("dies-on-third-request", 1, &[SURVIVES], ANSWERED, &[]),
    case("hangs", 3, &[], ANSWERED, &["no answer within 3 s", "--startup-timeout"]),
    case("hangs late", 1, &[SENT], ANSWERED, &["the conversation is given up"]),
    case("hangs-on-unknown-method", 1, &[SENT], ANSWERED, &[]),
    case("never-reads", 3, &[], ANSWERED, &["no answer within 3 s"]),
    case("never-reads late", 1, &[SENT], ANSWERED, &["the conversation is given up"]),
    case("floods-stdout", 3, &[], ANSWERED, &["lorem ipsum"]),
    case("floods-stdout late", 1, &[ONLY, BOUNDED], ANSWERED, &[]),
    case("floods-notifications", 3, &[], ANSWERED, &["notifications/message"]),
    case("floods-notifications late", 1, &[BOUNDED], ANSWERED, &[]),
    case("floods-stderr", 0, &[], &[], &[]),
    case("endless-line", 3, &[], ANSWERED, &["aaaa"]),
    case("endless-line late", 1, &[BOUNDED], ANSWERED, &[]),
    case("huge-answer", 1, &[BOUNDED], ANSWERED, &[]),
    case("dense-answer", 0, &[], ANSWERED, &[]),
    case("invalid-utf8", 1, &[ONLY], &[], &[]),
    case("garbage-between", 1, &[ONLY], &[], &["DEBUG got"]),
    case("banner", 1, &[ONLY], &[], &["Welcome to the hostile server"]),
    case("closes-stdout", 3, &[], ANSWERED, &["closed its standard output"]),
    case("closes-stdout late", 1, &[SURVIVES], ANSWERED, &[]),
    case("ignores-the-end", 0, &[], &["stdio.exit-on-eof", "stdio.exit-on-sigterm"], &[]),
    case("leaves-grandchild", 0, &[], &[], &[]),
    case("leaves-session", 0, &[], &[], &[]),
    case("answers-twice", 1, &["base.response.at-most-once"], &[], &[]),
    // It answers, only nothing that was asked: what is wrong with that is told, and nothing passes.
    case(MISANSWERS, 1, &["robustness.response.no-unknown-id"], ANSWERED, &["4000000"]),
    case(
        "wrong-id late",
        1,
        &["robustness.response.no-unknown-id"],
        ANSWERED,
        &["the conversation is given up"],
    ),
    case("byte-by-byte", 0, &[], &[], &[]),
    case("deep-answer", 1, &[BOUNDED], ANSWERED, &[]),
    case("many-tools", 0, &[], ANSWERED, &[]),
    case("endless-pages", 0, &[], &["pagination.terminates"], &[]),
    case("hostile-schemas", 1, &["tools.definition.input-schema-root"], &[], &[]),
    case("http:honest", 0, &[], &[], &[]),
    case("http:refused", 3, &[], ANSWERED, &["refused"]),
    case("http:never-answers", 3, &[], ANSWERED, &["no answer within 3 s"]),
    case("http:never-answers late", 1, &[SENT, "robustness.request.no-hang"], ANSWERED, &[]),
    case("http:closes-unheard", 3, &[], ANSWERED, &["closed without a response"]),
    case("http:closes-unheard late", 1, &[SENT], ANSWERED, &[]),
    case("http:breaks-in-head", 3, &[], ANSWERED, &["inside the head"]),
    case("http:breaks-in-head late", 1, &[VALID], ANSWERED, &[]),
    case("http:breaks-in-body", 3, &[], ANSWERED, &["before the announced end"]),
    case("http:breaks-in-body late", 1, &[VALID], ANSWERED, &[]),
    case("http:sse-comments", 3, &[], ANSWERED, &[]),
    case("http:sse-comments late", 1, &[BOUNDED], ANSWERED, &[]),
    case("http:sse-notifications", 3, &[], ANSWERED, &["notifications/message"]),
    case("http:sse-notifications late", 1, &[BOUNDED], ANSWERED, &[]),
    case("http:drip", 3, &[], ANSWERED, &["no answer within 3 s"]),
    case("http:drip late", 1, &[SENT], ANSWERED, &[]),
    case("http:length-too-long", 3, &[], ANSWERED, &["before the announced end"]),
    case("http:length-too-long late", 1, &[VALID], ANSWERED, &[]),
    case("http:length-too-short", 3, &[], ANSWERED, &["without a JSON-RPC message"]),
    case("http:length-too-short late", 1, &["base.encoding.valid-json", SENT], ANSWERED, &[]),
    case("http:chunk-garbage", 3, &[], ANSWERED, &["chunk size"]),
    case("http:chunk-garbage late", 1, &[VALID], ANSWERED, &[]),
    case("http:500-html", 3, &[], ANSWERED, &["HTTP 500"]),
    case("http:500-html late", 1, &["robustness.http.no-5xx"], ANSWERED, &[]),
    case("http:200-html", 3, &[], ANSWERED, &["is this the URL of the MCP endpoint?"]),
    case("http:200-html late", 1, &[SENT], ANSWERED, &[]),
    case("http:redirect-loop", 3, &[], ANSWERED, &["redirects are not followed"]),
    case("http:redirect-loop late", 1, &[SENT], ANSWERED, &[]),
    case("http:gzip-bomb", 3, &[], ANSWERED, &[]),
    case("http:gzip-bomb late", 1, &[SENT], ANSWERED, &[]),
    case("http:header-flood", 3, &[], ANSWERED, &["more than"]),
    case("http:header-flood late", 1, &[BOUNDED], ANSWERED, &[]),
    case("http:interim-flood", 3, &[], ANSWERED, &["more than"]),
    case("http:interim-flood late", 1, &[BOUNDED], ANSWERED, &[]),
    case("http:session-control-characters", 3, &[], ANSWERED, &["head of the response"]),
    case("http:sse-huge-event", 3, &[], ANSWERED, &[]),
    case("http:sse-huge-event late", 1, &[BOUNDED], ANSWERED, &[]),
];
