//! The stdio transport: lines, purity of standard output, the end of the process (basic/transports#stdio).

use super::base::shorten;
use super::base_encoding::syntax;
use super::link::{Stray, fault, meant_as_message};
use super::rule::monitors;
use super::{Breach, Heard, Judge, Moment, State};
use crate::protocol::json::ErrorKind;
use crate::protocol::{Era, Kind, Message, Transport};
use crate::wire::{Event, ShutdownStep};
use std::time::Duration;

monitors! {
    /// Each line of standard output is one message, whole and alone; nothing else is written there. A banner, a log
    /// line, a message on several lines or two on one line break clients, which read line by line. What a launcher such
    /// as `npx` prints before the server speaks is told as a warning; blank lines too. Lines that end with CR LF are
    /// tolerated, with a warning in 2026-07-28.
    standard_output_is_lines_of_messages (AnyTraffic) decides [
        "stdio.newline-delimited",
        "stdio.no-embedded-newline",
        "stdio.stdout-only-messages",
        "base.encoding.valid-json",
    ] at_end lines_were_messages;
    /// What is asked on standard input is answered on standard output while the input is still open; a server that
    /// answers only when its input ends keeps its output in a buffer.
    answers_come_while_the_input_is_open (AnyTraffic) decides
        ["stdio.reads-stdin-writes-stdout", "stdio.output-flushed"];
    /// In 2026-07-28 nothing but responses and notifications about requests in flight or open subscriptions comes from
    /// the server. What comes unasked, half a second or more after the last of these, is told.
    nothing_comes_unasked (AnyTraffic) decides ["stdio.message-kinds"];
    /// What comes on standard error is UTF-8: it ends in logs that people read.
    standard_error_is_utf8 (AnyTraffic) decides ["stdio.stderr-utf8"] at_end standard_error_was_read;
    /// After its input is closed the server exits by itself; one that does not ends on SIGTERM. Servers that stay pile
    /// up behind every client that was closed. What we wait is told in the finding.
    the_process_ends_when_asked (AnyTraffic) decides ["stdio.exit-on-eof", "stdio.exit-on-sigterm"];
}

/// How long after the last answer a notification may still come.
const RACE: Duration = Duration::from_millis(500);
/// Bytes that are looked at together.
const PIECE_BYTES: usize = 1 << 20;

fn standard_output_is_lines_of_messages(_: &Moment<'_>, _: &mut Judge) {}

fn lines_were_messages(state: &State, judge: &mut Judge) {
    const LINES: &str = "stdio.newline-delimited";
    if state.transport() != Transport::Stdio || !state.link.spoke {
        return;
    }
    judge.held(LINES);
    judge.held("stdio.no-embedded-newline");
    judge.held("stdio.stdout-only-messages");
    if state.link.crlf && state.era() == Some(Era::Modern) {
        judge.broke(
            LINES,
            Breach::new("crlf", "lines end with CR LF instead of LF")
                .quality()
                .expected(&["messages separated by LF"])
                .actual("CR LF"),
        );
    }
    let cut =
        state.link.exit.is_some_and(|exit| exit.after <= ShutdownStep::StdinClosed && exit.code == Some(0));
    if state.link.unterminated && cut && state.link.strays.is_empty() {
        judge.broke(
            LINES,
            Breach::new("no-line-end", "the last message has no newline after it")
                .expected(&["a newline after every message"])
                .actual("the output ended without one"),
        );
    }
    let mut groups: Vec<&[Stray]> = state.link.strays.chunk_by(|a, b| a.group == b.group).collect();
    // Of the last one more came than was kept: only its first line can be judged.
    let cut = if state.link.strays_overflow() { groups.pop() } else { None };
    for group in groups {
        judge_group(group, state, judge);
    }
    match cut {
        Some([first, ..]) if matches!(first.bytes.trim_ascii(), b"{" | b"[") => {
            several_lines(first, None, judge);
        }
        Some([first, ..]) => judge_line(first, state, judge),
        _ => {}
    }
}

/// Lines that came one after the other and are no messages each for itself.
fn judge_group(group: &[Stray], state: &State, judge: &mut Judge) {
    let mut rest = group;
    while let [first, tail @ ..] = rest {
        // The header ends with a blank line; both are one way of framing, told once.
        if let [blank, behind @ ..] = tail
            && is_length_header(first.bytes.trim_ascii())
            && blank.bytes.trim_ascii().is_empty()
        {
            judge_line(first, state, judge);
            rest = behind;
            continue;
        }
        if let Some(pieces) = pieces_of_one_message(rest) {
            several_lines(first, Some(pieces), judge);
            rest = rest.get(pieces..).unwrap_or_default();
            continue;
        }
        judge_line(first, state, judge);
        rest = tail;
    }
}

fn several_lines(first: &Stray, pieces: Option<usize>, judge: &mut Judge) {
    for id in ["stdio.newline-delimited", "stdio.no-embedded-newline"] {
        let breach =
            at(first, "several-lines", "a message is spread over several lines")
                .expected(&["each message on one line"])
                .actual(pieces.map_or("a message on many lines".to_owned(), |count| {
                    format!("a message on {count} lines")
                }));
        judge.broke(id, breach);
    }
}

/// How many of the lines are one message together, if the first ones are.
fn pieces_of_one_message(lines: &[Stray]) -> Option<usize> {
    let first = lines.first()?;
    if !matches!(first.bytes.trim_ascii().first(), Some(b'{' | b'[')) {
        return None;
    }
    let indent = |line: &Stray| line.bytes.len() - line.bytes.trim_ascii_start().len();
    let mut whole = Vec::new();
    for (count, line) in lines.iter().enumerate() {
        whole.extend_from_slice(&line.bytes);
        whole.push(b'\n');
        if whole.len() > PIECE_BYTES {
            return None;
        }
        // Whatever prints on several lines puts the last brace below the first one, or at the end of the last line.
        let closes = matches!(line.bytes.trim_ascii().last(), Some(b'}' | b']'))
            && (count < 8 || indent(line) <= indent(first));
        if count > 0 && closes && Message::parse(&whole).is_ok() {
            return Some(count + 1);
        }
    }
    None
}

/// Whether a line may be the piece of a message that was being written when we ended the process.
fn cut_by_us(line: &Stray, state: &State) -> bool {
    let ended_by_us = state.link.exit.is_none_or(|exit| exit.after >= ShutdownStep::Sigterm);
    ended_by_us && state.link.strays.last().is_some_and(|last| last.seq == line.seq)
}

fn judge_line(line: &Stray, state: &State, judge: &mut Judge) {
    const PURE: &str = "stdio.stdout-only-messages";
    let text = line.bytes.trim_ascii();
    let quoted = || format!("`{}`", shorten(&String::from_utf8_lossy(text)));
    if line.truncated {
        return;
    }
    if text.is_empty() {
        let breach = at(line, "blank-line", "the server wrote a blank line to standard output");
        return judge.broke(PURE, breach.quality().expected(&["messages only"]).actual("a blank line"));
    }
    if is_length_header(text) {
        let breach = at(line, "content-length", "messages are framed by `Content-Length` headers");
        let breach = breach.expected(&["one message a line and nothing else"]).actual(quoted());
        return judge.broke("stdio.newline-delimited", breach);
    }
    if meant_as_message(&line.bytes) {
        if several_values(text) {
            let breach = at(line, "two-on-a-line", "there is more than one message on a line");
            let breach = breach.expected(&["each message on a line of its own"]).actual(quoted());
            return judge.broke("stdio.newline-delimited", breach);
        }
        match fault(&line.bytes) {
            // Told by the rule on encodings, or more than this reader takes.
            None => {}
            Some(error)
                if matches!(error.kind, ErrorKind::Encoding | ErrorKind::TooDeep | ErrorKind::TooLarge) => {}
            Some(error) if error.kind == ErrorKind::Truncated && cut_by_us(line, state) => {}
            Some(error) => judge.broke("base.encoding.valid-json", seen(syntax(&error), line)),
        }
        return;
    }
    let launched = line.before_messages && state.link.launcher;
    let (class, message) = match (line.before_messages, launched) {
        (_, true) => (
            "launcher",
            "before the first message, something that is no message was written to standard output; the launcher \
             may have printed it: start the server itself to be sure",
        ),
        (true, false) => {
            ("banner", "before its first message the server wrote something else to standard output")
        }
        (false, _) => ("garbage", "the server wrote something that is no message to standard output"),
    };
    let breach = at(line, class, message)
        .expected(&["nothing but messages on standard output; logs go to standard error"])
        .actual(quoted());
    judge.broke(PURE, if launched { breach.quality() } else { breach });
}

fn is_length_header(text: &[u8]) -> bool {
    text.get(..15).is_some_and(|head| head.eq_ignore_ascii_case(b"content-length:"))
}

/// Whether a line holds several JSON values one after the other.
fn several_values(text: &[u8]) -> bool {
    let mut count = 0;
    for value in serde_json::Deserializer::from_slice(text).into_iter::<serde::de::IgnoredAny>() {
        if value.is_err() {
            return false;
        }
        count += 1;
    }
    count > 1
}

fn at(line: &Stray, class: &str, message: &str) -> Breach {
    seen(Breach::new(class, message), line)
}

fn seen(mut breach: Breach, line: &Stray) -> Breach {
    breach.event = Some(line.seq);
    breach
}

fn answers_come_while_the_input_is_open(moment: &Moment<'_>, judge: &mut Judge) {
    let Some(Heard { answers: Some(asked), .. }) = moment.message else { return };
    if moment.state.transport() != Transport::Stdio {
        return;
    }
    let link = &moment.state.link;
    for id in ["stdio.reads-stdin-writes-stdout", "stdio.output-flushed"] {
        if link.stdin_closed.is_none() {
            judge.held(id);
        } else if link.timed_out.contains(&asked.id) && asked.responses == 0 {
            judge.broke(
                id,
                Breach::new(
                    "at-end",
                    format!("`{}` was answered only after standard input was closed", asked.method),
                )
                .expected(&["the answer while standard input is open"])
                .actual("the answer after its end")
                .at(moment.record)
                .sent(asked.seq),
            );
        }
    }
}

fn nothing_comes_unasked(moment: &Moment<'_>, judge: &mut Judge) {
    const ID: &str = "stdio.message-kinds";
    let Some(Heard { message, .. }) = moment.message else { return };
    let state = moment.state;
    if state.transport() != Transport::Stdio || state.era() != Some(Era::Modern) || state.initialize.0 {
        return;
    }
    let Some(method) = message.method().filter(|_| *message.kind() == Kind::Notification) else {
        if message.is_response() {
            judge.held(ID);
        }
        return;
    };
    let last = [state.last_response_at, state.link.last_sent.map(|(_, at)| at), state.link.cancelled_at];
    let last = last.into_iter().flatten().max().unwrap_or_default();
    let in_flight = state.unanswered().next().is_some() || !state.listening.is_empty();
    judge.decide(ID, in_flight || moment.record.at.saturating_sub(last) < RACE, || {
        Breach::new(method, "a notification came while no request was in flight and no subscription was open")
            .expected(&["notifications about requests in flight or open subscriptions"])
            .actual(format!("`{}`", shorten(method)))
            .at(moment.record)
            .pointer("/method")
    });
}

fn standard_error_is_utf8(_: &Moment<'_>, _: &mut Judge) {}

fn standard_error_was_read(state: &State, judge: &mut Judge) {
    const ID: &str = "stdio.stderr-utf8";
    if state.transport() != Transport::Stdio || !state.link.spoke {
        return;
    }
    match (state.link.stderr_seen, state.link.stderr_invalid) {
        (false, _) => {
            judge.not_applicable(ID, "nothing-written", "the server wrote nothing to standard error");
        }
        (true, None) => judge.held(ID),
        (true, Some(_)) if state.link.launcher => {
            judge.undecided(
                ID,
                "launcher",
                "bytes that are no UTF-8 came, but the launcher may have written them",
            );
        }
        (true, Some(seq)) => {
            let mut breach = Breach::new("not-utf8", "what came on standard error is not UTF-8")
                .quality()
                .expected(&["UTF-8"])
                .actual("bytes that are no UTF-8");
            breach.event = Some(seq);
            judge.broke(ID, breach);
        }
    }
}

fn the_process_ends_when_asked(moment: &Moment<'_>, judge: &mut Judge) {
    const EOF: &str = "stdio.exit-on-eof";
    const TERM: &str = "stdio.exit-on-sigterm";
    let Event::ProcessExited { after, .. } = &moment.record.event else { return };
    let state = moment.state;
    let Some(closed) = state.link.stdin_closed.filter(|_| state.link.spoke) else { return };
    let waited = moment.record.at.saturating_sub(closed).as_secs_f64();
    // A request in progress may keep it a while longer.
    let idle = state.unanswered().all(|asked| asked.is_tainted() || state.link.timed_out.contains(&asked.id));
    match after {
        ShutdownStep::StdinClosed => {
            judge.held(EOF);
            judge.not_applicable(TERM, "ends-at-eof", "the server ends by itself when its input is closed");
        }
        ShutdownStep::Sigterm | ShutdownStep::Sigkill if idle => judge.broke(
            EOF,
            Breach::new("stays", "the server did not exit after its standard input was closed")
                .expected(&["the process exits by itself"])
                .actual(format!(
                    "it had to be ended by a signal; it was gone {waited:.1} s after the end of its input"
                ))
                .at(moment.record),
        ),
        _ => {}
    }
    match after {
        ShutdownStep::Sigterm => judge.held(TERM),
        ShutdownStep::Sigkill => judge.broke(
            TERM,
            Breach::new("stays", "the server did not end on SIGTERM either")
                .expected(&["the process ends on SIGTERM"])
                .actual(format!("it was killed {waited:.1} s after the end of its input"))
                .at(moment.record),
        ),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{Script, modern};
    use crate::protocol::Revision::{V2025_11_25, V2026_07_28};
    use crate::wire::{Event, ShutdownStep};
    use bytes::Bytes;
    use serde_json::json;
    use std::time::Duration;

    fn legacy() -> Script {
        Script::stdio(V2025_11_25).handshake()
    }

    #[test]
    fn what_is_no_message_on_standard_output() {
        legacy().verdicts().assert_held("stdio.stdout-only-messages");
        legacy().verdicts().assert_held("stdio.newline-delimited");
        for (line, broken, class) in [
            ("listening", "stdio.stdout-only-messages", "garbage"),
            ("[INFO] ready", "stdio.stdout-only-messages", "garbage"),
            ("", "stdio.stdout-only-messages", "blank-line"),
            ("Content-Length: 12", "stdio.newline-delimited", "content-length"),
            ("{\"a\":1}{\"b\":2}", "stdio.newline-delimited", "two-on-a-line"),
            ("{\"a\":NaN}", "base.encoding.valid-json", "syntax"),
        ] {
            let verdicts = legacy().received_bytes(line.as_bytes()).verdicts();
            verdicts.assert_broken(&[broken]);
            assert_eq!(verdicts.classes(broken), [class], "{line}");
        }
    }

    #[test]
    fn banners() {
        let classes = |command: &[&str]| {
            let script = Script::started(V2025_11_25, command).received_bytes(b"Starting...").handshake();
            let verdicts = script.verdicts();
            let tally = verdicts.judge().get("stdio.stdout-only-messages").unwrap();
            (tally.breaches[0].class.clone(), tally.breaches[0].quality)
        };
        assert_eq!(classes(&["/usr/bin/server"]), ("banner".to_owned(), false));
        assert_eq!(classes(&["/usr/bin/npx", "-y", "x"]), ("launcher".to_owned(), true));
    }

    #[test]
    fn a_message_on_several_lines_is_one_finding() {
        let pretty =
            serde_json::to_string_pretty(&json!({"jsonrpc": "2.0", "id": 7, "result": {"a": ["b", 1]}}));
        let mut script = legacy().sent(json!({"jsonrpc": "2.0", "id": 7, "method": "tools/list"}));
        for line in pretty.unwrap().lines() {
            script = script.received_bytes(line.as_bytes());
        }
        script.verdicts().assert_broken(&["stdio.newline-delimited", "stdio.no-embedded-newline"]);
    }

    #[test]
    fn line_ends() {
        let crlf = || Event::Note("lines of standard output end with CR LF".to_owned());
        legacy().event(crlf()).verdicts().assert_broken(&[]);
        let modern = Script::stdio(V2026_07_28).handshake().event(crlf()).verdicts();
        modern.assert_broken(&["stdio.newline-delimited"]);
        let verdicts = legacy()
            .event(Event::StdinClosed)
            .event(Event::Note("the last line of standard output has no line end".to_owned()))
            .event(Event::StdoutClosed)
            .event(Event::ProcessExited { code: Some(0), signal: None, after: ShutdownStep::StdinClosed })
            .verdicts();
        verdicts.assert_broken(&["stdio.newline-delimited"]);
    }

    #[test]
    fn answers_that_come_at_the_end() {
        let ping = json!({"jsonrpc": "2.0", "id": 7, "method": "ping"});
        let answer = json!({"jsonrpc": "2.0", "id": 7, "result": {}});
        let prompt = legacy().sent(ping.clone()).received(answer.clone()).verdicts();
        prompt.assert_held("stdio.output-flushed");
        let late = legacy()
            .sent(ping)
            .event(Event::Note("timed out: 7".to_owned()))
            .event(Event::StdinClosed)
            .received(answer)
            .verdicts();
        late.assert_broken(&["stdio.output-flushed", "stdio.reads-stdin-writes-stdout"]);
    }

    #[test]
    fn unasked_notifications() {
        let told = json!({"jsonrpc": "2.0", "method": "notifications/tools/list_changed"});
        let idle = || Script::stdio(V2026_07_28).handshake().wait(Duration::from_secs(1));
        idle().received(told.clone()).verdicts().assert_broken(&[
            "stdio.message-kinds",
            "subscriptions.end.no-state-kept",
            "subscriptions.filter.no-unsolicited-changes",
        ]);
        idle()
            .sent(modern(5, "subscriptions/listen", json!({})))
            .wait(Duration::from_secs(9))
            .received(told.clone())
            .verdicts()
            .assert_held("stdio.message-kinds");
        Script::stdio(V2026_07_28)
            .handshake()
            .received(told.clone())
            .verdicts()
            .assert_held("stdio.message-kinds");
        legacy().wait(Duration::from_secs(1)).received(told).verdicts().assert_open("stdio.message-kinds");
    }

    #[test]
    fn standard_error() {
        let verdicts = legacy()
            .event(Event::Stderr(Bytes::from_static(b"\xC3")))
            .event(Event::Stderr(Bytes::from_static(b"\xA4 ok")));
        verdicts.verdicts().assert_held("stdio.stderr-utf8");
        let latin1 = legacy().event(Event::Stderr(Bytes::from_static(b"\xE4 no"))).verdicts();
        latin1.assert_broken(&["stdio.stderr-utf8"]);
        assert!(legacy().verdicts().judge().get("stdio.stderr-utf8").unwrap().not_applicable.is_some());
    }

    #[test]
    fn ends() {
        let ended = |after: ShutdownStep| {
            let exit = Event::ProcessExited { code: Some(0), signal: None, after };
            legacy().event(Event::StdinClosed).event(exit).verdicts()
        };
        ended(ShutdownStep::StdinClosed).assert_held("stdio.exit-on-eof");
        let term = ended(ShutdownStep::Sigterm);
        term.assert_broken(&["stdio.exit-on-eof"]);
        term.assert_held("stdio.exit-on-sigterm");
        ended(ShutdownStep::Sigkill).assert_broken(&["stdio.exit-on-eof", "stdio.exit-on-sigterm"]);
    }
}
