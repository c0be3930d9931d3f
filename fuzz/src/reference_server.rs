//! Invariants of the reference server's message handler, fed with what a client might write to its standard input.

use mcprove::protocol::{Kind, Message};
use mcprove_reference_server::{Config, Revision, Server, serve_stream};
use std::collections::HashSet;
use std::time::Duration;

/// Lines that a client writes, the first byte being the choice of a server: it ends at the end of its input, says
/// nothing but messages, and answers nothing that was not asked, nor anything twice.
pub fn check(bytes: &[u8]) {
    let Some((choice, input)) = bytes.split_first() else { return };
    let output = serve(config(*choice), input);
    let asked = requests(input);
    let mut answered = HashSet::new();
    let mut without_id = 0;
    for line in output.split_inclusive(|byte| *byte == b'\n') {
        let line = line.strip_suffix(b"\n").expect("every message is a whole line");
        let message = Message::parse(line).unwrap_or_else(|error| panic!("{error}: {}", lossy(line)));
        for part in if matches!(message.kind(), Kind::Batch) { message.parts() } else { vec![message] } {
            assert_eq!(part.value()["jsonrpc"], "2.0", "{}", part.text());
            if !part.is_response() {
                assert!(part.method().is_some(), "{}", part.text());
                continue;
            }
            assert_ne!(part.error_code(), Some(-32603), "an internal error: {}", part.text());
            match part.value().get("id") {
                None | Some(serde_json::Value::Null) => without_id += 1,
                Some(id) => {
                    let id = id.to_string();
                    assert!(asked.ids.contains(&id), "answered what was not asked: {}", part.text());
                    if !asked.repeated.contains(&id) {
                        assert!(answered.insert(id), "answered twice: {}", part.text());
                    }
                }
            }
        }
    }
    assert!(without_id <= asked.texts, "{without_id} errors without an id for {} texts", asked.texts);
}

fn config(choice: u8) -> Config {
    let revisions = match choice % 4 {
        0 => vec![Revision::V2026_07_28],
        1 => vec![Revision::V2024_11_05, Revision::V2025_03_26, Revision::V2025_06_18, Revision::V2025_11_25],
        _ => Revision::ALL.to_vec(),
    };
    Config { revisions, secret: Some([0; 32]), max_line_bytes: 1 << 16, ..Config::default() }
}

/// What the server writes for this input. Time is simulated: a wait takes none.
fn serve(config: Config, input: &[u8]) -> Vec<u8> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build();
    let runtime = runtime.expect("a runtime without input and output needs nothing of the system");
    let mut output = Vec::new();
    runtime.block_on(async {
        let serving = serve_stream(Server::new(config), input, &mut output);
        let served = tokio::time::timeout(Duration::from_secs(3600), serving).await;
        served.expect("the server ends after its input").expect("memory can be written");
    });
    output
}

/// What a client asked for.
#[derive(Default)]
struct Asked {
    /// Every value of an `id` member, as JSON.
    ids: HashSet<String>,
    /// Those that occur more than once.
    repeated: HashSet<String>,
    /// How many errors without an id there may be: one for each text that might be a message.
    texts: usize,
}

fn requests(input: &[u8]) -> Asked {
    let mut asked = Asked::default();
    for line in input.split(|byte| *byte == b'\n') {
        // A batch may hold as many texts as it has commas.
        asked.texts += line.split(|byte| *byte == b',').count();
        if let Ok(value) = serde_json::from_slice::<serde_json::Value>(line) {
            let elements = value.as_array().map_or(std::slice::from_ref(&value), Vec::as_slice);
            for id in elements.iter().filter_map(|element| element.get("id")) {
                let id = id.to_string();
                if !asked.ids.insert(id.clone()) {
                    asked.repeated.insert(id);
                }
            }
        }
    }
    asked
}

fn lossy(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}
