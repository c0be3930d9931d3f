//! The server's part, played to clients that say what was recorded, and other things.

use super::*;
use crate::transcript::{Transcript, TranscriptReader, TranscriptWriter, import};

const PATIENCE: Duration = Duration::from_secs(5);

/// The part of a conversation that is written with arrows.
fn part(arrows: &str) -> Arc<Part> {
    let imported = import(arrows, None, "test").unwrap();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("t.jsonl");
    let mut writer = TranscriptWriter::copy(&path, &imported.about, "2026-01-01T00:00:00Z", &[]).unwrap();
    for record in &imported.records {
        writer.append(record, &crate::transcript::Redactor::default());
    }
    writer.end();
    assert!(!Transcript::read(&*std::fs::read(&path).unwrap()).unwrap().truncated);
    Arc::new(Part::read(TranscriptReader::open(&path).unwrap(), "the recording t").unwrap())
}

fn player(arrows: &str) -> Player {
    Player::new(part(arrows), PATIENCE)
}

fn say(player: &mut Player, text: &str) -> Vec<Value> {
    let heard = player.hear(&Payload::read(text.to_owned()), 1, Instant::now());
    values(heard)
}

fn values(heard: Heard) -> Vec<Value> {
    heard.lines.iter().map(|line| serde_json::from_str(&line.text).unwrap()).collect()
}

const PROGRESS: &str = r#"
--> {"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"slow","_meta":{"progressToken":"t"}}}
<-- {"jsonrpc":"2.0","method":"notifications/progress","params":{"progressToken":"t","progress":1}}
<-- {"jsonrpc":"2.0","method":"notifications/message","params":{"level":"info","data":"half"}}
<-- {"jsonrpc":"2.0","id":1,"result":{"content":[]}}
--> {"jsonrpc":"2.0","id":2,"method":"tools/call","params":{"name":"slow","_meta":{"progressToken":"u"}}}
<-- {"jsonrpc":"2.0","id":2,"result":{"content":[{"type":"text","text":"again"}]}}
"#;

#[test]
fn what_came_before_the_answer_comes_before_it_again() {
    let mut player = player(PROGRESS);
    let call = r#"{"jsonrpc":"2.0","id":"a","method":"tools/call","params":{"name":"slow","_meta":{"progressToken":7}}}"#;
    let heard = say(&mut player, call);
    assert_eq!(heard.len(), 3, "{heard:?}");
    assert_eq!(heard[0]["params"]["progressToken"], 7);
    assert_eq!(heard[1]["params"]["data"], "half");
    assert_eq!((&heard[2]["id"], &heard[2]["result"]["content"]), (&json!("a"), &json!([])));
    let again = r#"{"jsonrpc":"2.0","id":9,"method":"tools/call","params":{"name":"slow"}}"#;
    let second =
        json!([{"jsonrpc": "2.0", "id": 9, "result": {"content": [{"type": "text", "text": "again"}]}}]);
    for _ in 0..2 {
        assert_eq!(json!(say(&mut player, again)), second, "the second answer, and then ever again");
    }
}

#[test]
fn no_progress_without_a_token() {
    let mut player = player(PROGRESS);
    let heard =
        say(&mut player, r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"slow"}}"#);
    assert_eq!(heard.len(), 2, "{heard:?}");
}

#[test]
fn what_was_never_asked_is_refused() {
    let mut player = player(PROGRESS);
    let heard = say(&mut player, r#"{"jsonrpc":"2.0","id":1,"method":"prompts/list"}"#);
    assert_eq!((&heard[0]["id"], &heard[0]["error"]["code"]), (&json!(1), &json!(-32601)));
    assert!(heard[0]["error"]["message"].as_str().unwrap().contains("the recording t"), "{heard:?}");
    let heard =
        say(&mut player, r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"fast"}}"#);
    assert_eq!(heard[0]["error"]["code"], -32602);
    assert!(heard[0]["error"]["message"].as_str().unwrap().contains("fast"), "{heard:?}");
    assert_eq!(say(&mut player, r#"{"jsonrpc":"2.0","method":"notifications/other"}"#), Vec::<Value>::new());
}

#[test]
fn what_is_no_message_is_refused() {
    let mut player = player(PROGRESS);
    for (text, code) in [("{", -32700), ("7", -32600), ("[]", -32600), ("{\"id\":[]}", -32600)] {
        let heard = say(&mut player, text);
        assert_eq!((&heard[0]["id"], &heard[0]["error"]["code"]), (&Value::Null, &json!(code)), "{text}");
    }
    for text in ["{\"id\":5,\"result\":{}}", "{\"id\":null,\"error\":{}}"] {
        assert_eq!(say(&mut player, text), Vec::<Value>::new(), "{text}");
    }
    assert_eq!(values(player.hear(&Payload::read(vec![0xff, 0]), 1, Instant::now())).len(), 1);
}

const ASKING: &str = r#"
--> {"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"ask"}}
<-- {"jsonrpc":"2.0","id":"q","method":"roots/list"}
--> {"jsonrpc":"2.0","id":"q","result":{"roots":[]}}
<-- {"jsonrpc":"2.0","method":"notifications/message","params":{"level":"info","data":"thanks"}}
<-- {"jsonrpc":"2.0","id":1,"result":{"content":[]}}
--> {"jsonrpc":"2.0","id":2,"method":"ping"}
<-- {"jsonrpc":"2.0","id":2,"result":{}}
"#;

#[test]
fn the_client_is_asked_again_and_waited_for() {
    let mut player = player(ASKING);
    let asked = say(&mut player, r#"{"jsonrpc":"2.0","id":5,"method":"tools/call","params":{"name":"ask"}}"#);
    assert_eq!((asked.len(), &asked[0]["method"]), (1, &json!("roots/list")));
    let id = asked[0]["id"].clone();
    assert_ne!(id, "q", "ids are new");
    assert_eq!(say(&mut player, r#"{"jsonrpc":"2.0","id":6,"method":"ping"}"#)[0]["id"], 6, "others go on");
    assert!(player.due().is_some());
    let heard = say(&mut player, &json!({"jsonrpc": "2.0", "id": id, "result": {"roots": []}}).to_string());
    assert_eq!((heard.len(), &heard[1]["id"]), (2, &json!(5)));
    assert!(player.due().is_none() && player.asked.is_empty());
}

#[test]
fn who_does_not_answer_is_not_waited_for_for_ever() {
    let mut player = player(ASKING);
    let began = Instant::now();
    let call = Payload::read(r#"{"jsonrpc":"2.0","id":5,"method":"tools/call","params":{"name":"ask"}}"#);
    player.hear(&call, 1, began);
    assert_eq!(player.overdue(began + PATIENCE / 2).lines, []);
    let heard = player.overdue(began + PATIENCE);
    assert_eq!((heard.lines.len(), heard.closed), (2, vec![1]));
    player.hear(&call, 2, began);
    assert_eq!(values(player.close()).len(), 2, "nor at the end of the input");
    for stream in 0..10_000 {
        player.hear(&call, stream, began);
    }
    assert!(player.runs.len() <= WAITING && player.asked.len() <= WAITING, "{}", player.runs.len());
}

#[test]
fn a_cancelled_request_is_not_answered() {
    let mut player = player(ASKING);
    say(&mut player, r#"{"jsonrpc":"2.0","id":5,"method":"tools/call","params":{"name":"ask"}}"#);
    let cancel = r#"{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":5}}"#;
    player.used.fill(false);
    say(&mut player, cancel);
    // Nothing like it was recorded, and it is heeded all the same.
    assert_eq!(values(player.close()), Vec::<Value>::new());
}

const LISTENING: &str = r#"
--> {"jsonrpc":"2.0","id":1,"method":"subscriptions/listen","params":{"notifications":{"toolsListChanged":true}}}
<-- {"jsonrpc":"2.0","method":"notifications/subscriptions/acknowledged","params":{"_meta":{"io.modelcontextprotocol/subscriptionId":1}}}
--> {"jsonrpc":"2.0","id":2,"method":"tools/call","params":{"name":"add"}}
<-- {"jsonrpc":"2.0","method":"notifications/tools/list_changed","params":{"_meta":{"io.modelcontextprotocol/subscriptionId":1}}}
<-- {"jsonrpc":"2.0","id":2,"result":{"content":[]}}
--> {"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":1}}
<-- {"jsonrpc":"2.0","id":1,"result":{"_meta":{"io.modelcontextprotocol/subscriptionId":1}}}
"#;

#[test]
fn a_subscription_hears_what_others_bring_about() {
    const ID: &str = "io.modelcontextprotocol/subscriptionId";
    let mut player = player(LISTENING);
    let call = r#"{"jsonrpc":"2.0","id":2,"method":"tools/call","params":{"name":"add"}}"#;
    assert_eq!(say(&mut player, call).len(), 1, "nobody listens");
    let listen = r#"{"jsonrpc":"2.0","id":"L","method":"subscriptions/listen","params":{}}"#;
    let heard = player.hear(&Payload::read(listen), 8, Instant::now());
    assert_eq!((heard.lines.len(), heard.closed.len()), (1, 0), "it stays open");
    assert_eq!(values(heard)[0]["params"]["_meta"][ID], "L");
    let heard = player.hear(&Payload::read(call), 9, Instant::now());
    assert_eq!(heard.lines[0].to, Place::Stream(8));
    assert_eq!(heard.closed, [9]);
    assert_eq!(values(heard)[0]["params"]["_meta"][ID], "L");
    let cancel = r#"{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":"L"}}"#;
    let heard = player.hear(&Payload::read(cancel), 10, Instant::now());
    assert!(heard.closed.contains(&8), "{heard:?}");
    let ended = values(heard);
    assert_eq!((&ended[0]["id"], &ended[0]["result"]["_meta"][ID]), (&json!("L"), &json!("L")));
    assert!(player.listeners.is_empty());
}

#[test]
fn a_batch_has_its_answers_in_one_array() {
    let mut player = player(ASKING);
    let batch = r#"[{"jsonrpc":"2.0","id":1,"method":"ping"},{"jsonrpc":"2.0","id":2,"method":"nope"},7]"#;
    let heard = say(&mut player, batch);
    assert_eq!(heard.len(), 1);
    let codes: Vec<_> = heard[0].as_array().unwrap().iter().map(|answer| &answer["error"]["code"]).collect();
    assert_eq!(codes, [&Value::Null, &json!(-32601), &json!(-32600)]);
}

#[test]
fn what_nobody_said_first_is_said_first() {
    let arrows = format!(
        "<-- {}\n{ASKING}",
        r#"{"jsonrpc":"2.0","method":"notifications/message","params":{"level":"info","data":"hello"}}"#
    );
    let mut player = player(&arrows);
    assert_eq!(values(player.open())[0]["params"]["data"], "hello");
}
