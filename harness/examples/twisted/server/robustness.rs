//! Twists of a server that does not stand everything.

use super::base::refuse_if;
use super::twist::{Take, Twist, line, twist};
use serde_json::json;

pub(super) static TWISTS: &[Twist] = &[
    twist("die-on-garbage", "it dies of what is no JSON").incoming(|_, incoming| match incoming.value {
        None if incoming.bytes.starts_with(b"GET") => Take::Die(1),
        _ => Take::Pass,
    }),
    twist("leave-on-blank-line", "it ends at a blank line")
        .incoming(|_, incoming| if incoming.bytes.is_empty() { Take::Die(0) } else { Take::Pass }),
    twist("forgets-when-unread", "of several long requests at once it answers two").incoming(
        |seen, incoming| {
            let long = incoming.method().is_some() && incoming.bytes.len() > 16 << 10;
            seen.count += u32::from(long && holds(incoming.bytes, b"_meta"));
            if long && seen.count > 2 { Take::Drop } else { Take::Pass }
        },
    ),
    twist("die-on-depth", "it dies of deep nesting").incoming(|_, incoming| {
        if holds(incoming.bytes, b"[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[") {
            Take::Die(134)
        } else {
            Take::Pass
        }
    }),
    twist("leave-on-surrogates", "it exits with code 0 on a lone surrogate")
        .incoming(|_, incoming| if holds(incoming.bytes, br"\ud800") { Take::Die(0) } else { Take::Pass }),
    twist("deaf-after-garbage", "after bytes that are no UTF-8 it answers nothing").incoming(
        |seen, incoming| {
            if incoming.bytes.contains(&0xFF) {
                seen.count = 1;
            }
            if seen.count == 1 { Take::Drop } else { Take::Pass }
        },
    ),
    twist("deaf-after-length", "after a long string it answers nothing").incoming(|seen, incoming| {
        if incoming.bytes.len() > 60_000 && incoming.method().is_some() {
            seen.count = 1;
        }
        if seen.count == 1 { Take::Drop } else { Take::Pass }
    }),
    twist("long-lines-dropped", "requests of more than 64 KiB are dropped").incoming(|_, incoming| {
        if incoming.bytes.len() > 64 << 10 && incoming.method().is_some() { Take::Drop } else { Take::Pass }
    }),
    twist("deaf-after-numbers", "after a large number it answers nothing").incoming(|seen, incoming| {
        if holds(incoming.bytes, b"1e400") {
            seen.count = 1;
        }
        if seen.count == 1 { Take::Drop } else { Take::Pass }
    }),
    twist("deaf-after-members", "after `__proto__` it answers nothing").incoming(|seen, incoming| {
        if holds(incoming.bytes, b"__proto__") {
            seen.count = 1;
        }
        if seen.count == 1 { Take::Drop } else { Take::Pass }
    }),
    twist("stack-trace", "errors show a stack trace").outgoing(|_, out| {
        let mut value = out.value.clone();
        if value.get("error").is_some() && out.method == Some("prompts/get") {
            value["error"]["data"] =
                json!("Traceback (most recent call last):\n  File \"/srv/app.py\", line 3");
        }
        line(&value)
    }),
    twist("endless-line", "it answers a long prompt name with a line beyond any limit").incoming(
        |seen, incoming| {
            if incoming.method() == Some("prompts/get") && incoming.bytes.len() > 60_000 && seen.count == 0 {
                seen.count = 1;
                return Take::Answer([vec![b'x'; 17 << 20], b"\n".to_vec()].concat());
            }
            Take::Pass
        },
    ),
    twist("plain-text-only", "escapes in names of members are not understood")
        .incoming(|_, incoming| refuse_if(incoming, holds(incoming.bytes, br#""m\u0065thod""#), -32600)),
];

fn holds(bytes: &[u8], part: &[u8]) -> bool {
    bytes.windows(part.len()).any(|window| window == part)
}
