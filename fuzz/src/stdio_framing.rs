//! Invariants of the line splitter.

use super::chunks::chunkings;
use mcprove::wire::framing::{Line, LineSplitter};

/// A line with its bytes copied: bytes, length, truncated, ended with CR LF, terminated.
type Seen = (Vec<u8>, u64, bool, bool, bool);

/// Lines do not hang on chunks, and are the lines that a plain split gives, cut at the limit.
pub fn check(bytes: &[u8]) {
    for limit in [0, 1, 5, 40, 1 << 20] {
        let expected = model(bytes, limit);
        for chunks in chunkings(bytes) {
            assert_eq!(split(&chunks, limit), expected, "limit {limit}");
        }
    }
}

fn split(chunks: &[&[u8]], limit: usize) -> Vec<Seen> {
    let mut lines = Vec::new();
    let mut take = |line: Line<'_>| {
        lines.push((line.bytes.to_vec(), line.length, line.truncated, line.ended_with_crlf, line.terminated));
    };
    let mut splitter = LineSplitter::new(limit);
    for chunk in chunks {
        splitter.push(chunk, &mut take);
    }
    splitter.finish(&mut take);
    lines
}

/// The same, written without any regard for memory.
fn model(bytes: &[u8], limit: usize) -> Vec<Seen> {
    let mut lines = Vec::new();
    for line in bytes.split_inclusive(|byte| *byte == b'\n') {
        let terminated = line.ends_with(b"\n");
        let crlf = line.ends_with(b"\r\n");
        let line = &line[..line.len() - usize::from(terminated) - usize::from(crlf)];
        let truncated = line.len() > limit;
        let kept = if truncated { &line[..limit.min(LineSplitter::KEEP)] } else { line };
        lines.push((kept.to_vec(), line.len() as u64, truncated, crlf, terminated));
    }
    lines
}
