use super::plan::{Plan, placeholders, variable};
use super::quote::{data, printf_word, shell_word};
use super::{ExportError, Language, export};
use crate::replay::Script;
use crate::transcript::{Source, import};
use proptest::prelude::*;
use serde_json::{Value, json};

const TALK: &str = r#"
--> {"jsonrpc":"2.0","id":1,"method":"tools/list"}
<-- {"jsonrpc":"2.0","id":1,"result":{"tools":[],"nextCursor":"7"}}
--> {"jsonrpc":"2.0","id":2,"method":"tools/list","params":{"cursor":"7"}}
<-- {"jsonrpc":"2.0","id":2,"result":{"tools":[]}}
--> { "jsonrpc": "2.0", "id": 3, "method": "tools/call", "params": {"name": "a"}}
<-- {"jsonrpc":"2.0","method":"notifications/progress","params":{"progressToken":7,"progress":1}}
<-- {"jsonrpc":"2.0","id":"s1","method":"roots/list"}
--> {"jsonrpc":"2.0","method":"notifications/roots/list_changed"}
--> {"jsonrpc":"2.0","id":"s1","result":{"roots":[]}}
<-- {"jsonrpc":"2.0","id":"s2","method":"ping"}
<-- {"jsonrpc":"2.0","id":3,"result":{"content":[{"type":"text","text":"started job-77ab12, wait"}],"n":912345}}
--> {"jsonrpc":"2.0","id":4,"method":"tools/call","params":{"name":"b","arguments":{"uri":"jobs://job-77ab12/log","n":912345,"key":"x «token-2» y"}}}
<-- {"jsonrpc":"2.0","id":4,"result":{"content":[]}}
--> {"id":5,"id":6,"jsonrpc":"2.0","method":"ping"}
--> {"cut off
--> {"jsonrpc":"2.0","id":7,"method":"tools/call","params":{"name":"slow"}}
--> {"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":7}}
<-- {"jsonrpc":"2.0","id":7,"result":{"content":[]}}
"#;

fn script(arrows: &str) -> Script {
    let imported = import(arrows, Some(Source::Arrows), "t").unwrap();
    Script::of_records(&imported.about, &[], imported.records).unwrap()
}

#[test]
fn a_plan_says_what_waits_for_what_and_what_comes_from_where() {
    let plan = Plan::of(&script(TALK));
    let session = &plan.sessions[0];
    let step = |number: usize| &session["steps"][number];
    assert_eq!(*step(0), json!({"send": {"jsonrpc": "2.0", "id": 1, "method": "tools/list"}}));
    let cursor = json!({"from": ["answer 1", 0], "at": "/result/nextCursor", "was": "7"});
    assert_eq!(step(1)["put"], json!({"/params/cursor": [cursor]}));
    assert_eq!(step(1)["wait"], json!([["answer 1", 0]]));
    assert_eq!(step(2)["send"]["params"], json!({"name": "a"}), "blanks are no reason to send a text");
    assert_eq!(
        step(3)["maybe"],
        json!([["notification notifications/progress", 0], ["request roots/list", 0]])
    );
    assert_eq!((&step(4)["answer"], &step(4)["after"]), (&json!(true), &json!(3)), "{session}");
    assert_eq!(session["asks"], json!({"request ping": [null], "request roots/list": [4]}));
    let word = |at: &str, was: &str| json!({"from": ["answer 3", 0], "at": at, "was": was});
    let mut handle = word("/result/content/0/text", "job-77ab12");
    handle["word"] = json!([1, 3, "started "]);
    assert_eq!(
        step(5)["put"],
        json!({
            "/params/arguments/uri": ["jobs://", handle, "/log"],
            "/params/arguments/n": [word("/result/n", "912345")],
            "/params/arguments/key": ["x ", {"env": "TOKEN_2"}, " y"],
        })
    );
    assert_eq!(step(6)["text"], r#"{"id":5,"id":6,"jsonrpc":"2.0","method":"ping"}"#);
    assert_eq!(step(7)["text"], r#"{"cut off"#);
    assert_eq!(session["end"], json!({"maybe": [["answer 7", 0]]}), "a cancelled request may be answered");
    assert_eq!(plan.secrets.iter().collect::<Vec<_>>(), ["TOKEN_2"]);
}

#[test]
fn each_language_has_its_transports() {
    let mut script = script(TALK);
    for language in [Language::Shell, Language::Python, Language::TypeScript, Language::Rust] {
        let text = export(&script, language).unwrap();
        assert!(text.contains("TOKEN_2") && !text.contains("«token-2»"), "{text}");
        assert_eq!(language.lacks(&script).is_empty(), language != Language::Shell);
    }
    let refused = |script: &Script, language| {
        let error = export(script, language).unwrap_err();
        assert!(matches!(error, ExportError::Transport(..)));
        error.to_string()
    };
    assert!(refused(&script, Language::Curl).contains("STDIO"));
    script.about.transport = crate::protocol::Transport::Http;
    assert!(refused(&script, Language::Rust).contains("HTTP"));
    assert_eq!(export(&script, Language::Shell).unwrap(), export(&script, Language::Curl).unwrap());
}

#[test]
fn placeholders_are_found() {
    assert_eq!(placeholders("a«b «t-1»c«t-x»«u-2»"), [Ok("a«b "), Err("t-1"), Ok("c«t-x»"), Err("u-2")]);
    assert_eq!(variable("my-token-1"), "MY_TOKEN_1");
    assert_eq!(variable("1;$(x)-1"), "SECRET_1___X__1");
}

fn printed(words: &str) -> Vec<u8> {
    std::process::Command::new("sh").args(["-c", words]).output().unwrap().stdout
}

proptest! {
    #[test]
    fn what_is_quoted_is_what_it_was(texts in proptest::collection::vec(".*|['\"`\\\\$#{}%*/\n\u{2028}-]{0,12}", 1..8)) {
        let value: Value = texts.clone().into();
        let quoted = data(&value);
        prop_assert!(quoted.chars().all(|c| matches!(c, ' '..='~') && !"'`$#".contains(c)));
        prop_assert_eq!(serde_json::from_str::<Value>(&quoted).unwrap(), value);
    }
}

#[test]
fn sh_prints_what_was_quoted() {
    let bytes: Vec<u8> = (0..=255).collect();
    assert_eq!(printed(&format!("printf {}", printf_word(&bytes))), bytes);
    assert_eq!(printed(&format!("printf {}", printf_word(b"-n %s $(x) `y` '"))), b"-n %s $(x) `y` '");
    let text: String = "'\"`$(exit 1)\\n%s\n*/${HOME}\u{2028}é".repeat(3);
    assert_eq!(printed(&format!("printf '%s' {}", shell_word(&text))), text.as_bytes());
}
