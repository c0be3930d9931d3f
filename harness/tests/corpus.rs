//! The corpus of the fuzz targets, and random input, against the invariants of `fuzz/src`: what the fuzzers look for
//! without end is held here for a moment, by an ordinary `cargo test`.
#![allow(clippy::unwrap_used)]

#[expect(unreachable_pub, reason = "they are public in the package `fuzz`")]
#[path = "../../fuzz/src/lib.rs"]
mod invariants;

use futures_util::{FutureExt, StreamExt};
use invariants::{json, reference_server, sse, stdio_framing};
use mcprove::wire::sse::Item;
use proptest::prelude::*;
use proptest::sample::{Index, select};
use std::path::Path;

fn replay(target: &str, check: fn(&[u8])) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fixtures/corpus").join(target);
    let mut replayed = 0;
    for entry in std::fs::read_dir(&folder).unwrap() {
        let path = entry.unwrap().path();
        let bytes = std::fs::read(&path).unwrap();
        if let Err(panic) = std::panic::catch_unwind(|| check(&bytes)) {
            eprintln!("in {}", path.display());
            std::panic::resume_unwind(panic);
        }
        replayed += 1;
    }
    assert!(replayed >= 10, "{} holds {replayed} files", folder.display());
}

#[test]
fn json_corpus() {
    replay("json", json::check);
}

#[test]
fn sse_corpus() {
    replay("sse", sse::check);
}

#[test]
fn stdio_framing_corpus() {
    replay("stdio_framing", stdio_framing::check);
}

#[test]
fn reference_server_corpus() {
    replay("reference_server", reference_server::check);
}

/// The verdict that a name of a corpus file begins with is the verdict that the reader gives.
#[test]
fn json_corpus_files_are_what_their_names_say() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fixtures/corpus/json");
    for entry in std::fs::read_dir(folder).unwrap() {
        let entry = entry.unwrap();
        let name = entry.file_name().into_string().unwrap();
        let parsed = mcprove::protocol::json::parse(&std::fs::read(entry.path()).unwrap());
        match name.split('-').next() {
            Some("valid") => assert!(parsed.is_ok(), "{name}: {parsed:?}"),
            Some("invalid") => assert!(parsed.is_err(), "{name}"),
            _ => panic!("{name} is neither `valid-` nor `invalid-`"),
        }
    }
}

/// JSON texts, written in every way that the grammar allows (and numbers and strings at its edges).
fn json_text() -> impl Strategy<Value = String> {
    let space = "[ \n\r\t]{0,2}";
    let number = prop_oneof![
        "-?(0|[1-9][0-9]{0,2})",
        "-?(0|[1-9][0-9]{0,24})(\\.[0-9]{1,20})?([eE][+-]?[0-9]{1,3})?",
        select(vec![
            "18446744073709551615",
            "18446744073709551616",
            "-9223372036854775808",
            "-9223372036854775809",
            "-0",
            "-0.0",
            "1e308",
            "1.8e308",
            "4.9e-324",
            "1e-400"
        ])
        .prop_map(str::to_owned),
    ];
    let string =
        "\"([^\"\\\\\u{0}-\u{1f}]|\\\\[\"\\\\/bfnrt]|\\\\u[0-9a-fA-F]{4}|\\\\ud83d\\\\ude00|[a-d~/]){0,12}\"";
    let name = prop_oneof![Just("\"a\"".to_owned()), Just("\"\\u0061\"".to_owned()), string];
    let literal = select(vec!["true", "false", "null"]).prop_map(str::to_owned);
    let leaf = prop_oneof![number, string, literal];
    leaf.prop_recursive(5, 40, 6, move |inner| {
        let element = (space, inner.clone(), space).prop_map(|(a, value, b)| a + &value + &b);
        let member = (space, name.clone(), space, inner, space)
            .prop_map(|(a, n, b, v, c)| a + &n + &b + ":" + &v + &c);
        prop_oneof![
            prop::collection::vec(element, 0..6).prop_map(|all| format!("[{}]", all.join(","))),
            prop::collection::vec(member, 0..6).prop_map(|all| format!("{{{}}}", all.join(","))),
        ]
    })
}

/// One small change to a text: where, which, and with which byte.
type Mutation = (Index, u8, u8);

fn mutation() -> impl Strategy<Value = Mutation> {
    let byte = prop_oneof![select(b"{}[],:\"\\0-.eEu/n \x00\x1f\x7f\x80\xc3\xed\xff".to_vec()), any::<u8>()];
    (any::<Index>(), 0_u8..4, byte)
}

fn mutate(bytes: &mut Vec<u8>, (at, kind, byte): Mutation) {
    let at = at.index(bytes.len() + 1);
    match kind {
        0 => bytes.insert(at, byte),
        1 => bytes.truncate(at),
        _ if at == bytes.len() => bytes.push(byte),
        2 => bytes[at] = byte,
        _ => drop(bytes.remove(at)),
    }
}

/// The lines of the conversations in the corpus.
fn conversation_lines() -> Vec<String> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fixtures/corpus/reference_server");
    let texts = std::fs::read_dir(folder).unwrap().map(|entry| std::fs::read(entry.unwrap().path()).unwrap());
    let lines = texts.flat_map(|bytes| {
        let text = String::from_utf8_lossy(&bytes[1..]).into_owned();
        text.lines().map(str::to_owned).collect::<Vec<_>>()
    });
    lines.filter(|line| line.len() < 2000).collect()
}

/// Event streams out of the pieces that matter to the format.
fn stream() -> impl Strategy<Value = String> {
    let pieces = vec![
        "\n",
        "\n",
        "\n\n",
        "\r",
        "\r\n",
        "\r\n\r\n",
        "data",
        "data:",
        "data: ",
        "data:  ",
        "event:",
        "event: ping",
        "id",
        "id:",
        "id: 7",
        "id: \0",
        "retry:",
        "retry: 10",
        "retry: 1s",
        ":",
        ": ping",
        "x",
        " ",
        "é",
        "\u{FEFF}",
        "0",
        "unknown: x",
        "{}",
    ];
    prop::collection::vec(select(pieces), 0..40).prop_map(|all| all.concat())
}

fn cut<'a>(bytes: &'a [u8], at: &[Index]) -> Vec<&'a [u8]> {
    let mut at: Vec<usize> = at.iter().map(|index| index.index(bytes.len() + 1)).collect();
    at.sort_unstable();
    at.push(bytes.len());
    let mut start = 0;
    let mut chunks = Vec::new();
    for end in at {
        chunks.push(&bytes[start..end]);
        start = end;
    }
    chunks
}

/// What an independent decoder finds: event, id, retry and data of each block that has one of them.
type Block = (Option<String>, Option<String>, Option<u64>, Option<String>);

fn independent(chunks: &[&[u8]]) -> Vec<Block> {
    let chunks: Vec<Result<bytes::Bytes, std::io::Error>> =
        chunks.iter().map(|chunk| Ok(bytes::Bytes::copy_from_slice(chunk))).collect();
    let blocks: Vec<_> = sse_stream::SseByteStream::new(futures_util::stream::iter(chunks))
        .collect()
        .now_or_never()
        .expect("a stream of what is there is never pending");
    blocks
        .into_iter()
        .map(|block| block.unwrap())
        .map(|block| (block.event, block.id, block.retry, block.data))
        .collect()
}

fn ours(chunks: &[&[u8]]) -> Vec<Block> {
    sse::decode(chunks, 1 << 20)
        .into_iter()
        .filter_map(|item| match item {
            Item::Event { fields, data, .. } => {
                Some((fields.event, fields.id, fields.retry, Some(String::from_utf8(data.to_vec()).unwrap())))
            }
            Item::Other { fields, .. } => Some((fields.event, fields.id, fields.retry, None)),
            Item::Incomplete { .. } => None,
            Item::Oversized { .. } => panic!("no stream is that long"),
        })
        // Comments, and blocks without a known field: the other decoder does not tell of them.
        .filter(|block| *block != Block::default())
        .collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1024, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn json_texts(text in json_text()) {
        prop_assert!(mcprove::protocol::json::parse(text.as_bytes()).is_ok());
        json::check(text.as_bytes());
    }

    #[test]
    fn indented_json_texts_say_the_same(text in json_text()) {
        use mcprove::protocol::json::{indented, parse};
        let over_lines = indented(&text);
        prop_assert_eq!(parse(over_lines.as_bytes()), parse(text.as_bytes()));
        prop_assert_eq!(indented(&over_lines), over_lines);
    }

    #[test]
    fn mutated_json_texts(text in json_text(), mutations in prop::collection::vec(mutation(), 1..4)) {
        let mut bytes = text.into_bytes();
        for mutation in mutations {
            mutate(&mut bytes, mutation);
        }
        json::check(&bytes);
    }

    #[test]
    fn mutated_conversations(
        choice in 0_u8..4,
        lines in prop::collection::vec(select(conversation_lines()), 0..12),
        mutations in prop::collection::vec(mutation(), 0..3),
    ) {
        let mut bytes = vec![choice];
        for line in lines {
            bytes.extend(line.as_bytes());
            bytes.push(b'\n');
        }
        for mutation in mutations {
            mutate(&mut bytes, mutation);
        }
        reference_server::check(&bytes);
    }

    #[test]
    fn event_streams(text in stream(), mutations in prop::collection::vec(mutation(), 0..4)) {
        let mut bytes = text.into_bytes();
        for mutation in mutations {
            mutate(&mut bytes, mutation);
        }
        sse::check(&bytes);
    }

    #[test]
    fn event_streams_decode_as_another_decoder_decodes_them(
        text in stream(),
        at in prop::collection::vec(any::<Index>(), 0..8),
    ) {
        let chunks = cut(text.as_bytes(), &at);
        prop_assert_eq!(ours(&chunks), independent(&chunks));
    }

    #[test]
    fn lines(bytes in prop::collection::vec(prop_oneof![select(b"\n\r".to_vec()), any::<u8>()], 0..200)) {
        stdio_framing::check(&bytes);
    }
}
