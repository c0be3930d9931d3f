use super::super::testing::script;
use super::*;
use proptest::prelude::*;
use serde_json::json;

fn names(recorded: &str, live: &str, send: usize) -> (Names, Vec<String>) {
    let (recorded, live) = (script(recorded), script(live));
    let session = &recorded.sessions[0];
    let live: Vec<Option<Message>> =
        live.sessions[0].expected.iter().map(|one| Some(one.message.clone())).collect();
    let mut names = Names::default();
    let lost = names.learn(session, send, &live);
    (names, lost)
}

fn page(cursor: &str) -> String {
    format!(
        r#"
--> {{"jsonrpc":"2.0","id":1,"method":"tools/list"}}
<-- {{"jsonrpc":"2.0","id":1,"result":{{"tools":[{{"name":"echo"}}],"nextCursor":"{cursor}"}}}}
--> {{"jsonrpc":"2.0","id":2,"method":"tools/list","params":{{"cursor":"A"}}}}
<-- {{"jsonrpc":"2.0","id":2,"result":{{"tools":[]}}}}
"#
    )
}

#[test]
fn a_cursor_is_the_one_of_now() {
    let (names, lost) = names(&page("A"), &page("B"), 1);
    assert_eq!((names.put("A"), lost.len(), names.len()), ("B".to_owned(), 0, 1));
    assert!(names.same(0, "/result/nextCursor", &json!("A"), &json!("B")), "it is opaque by the protocol");
    assert!(!names.same(0, "/result/nextCursor", &json!("A"), &json!("C")));
    let (same, _) = self::names(&page("A"), &page("A"), 1);
    assert_eq!(same.len(), 0);
}

fn text(handle: &str, sent: &str) -> String {
    format!(
        r#"
--> {{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{{"name":"open"}}}}
<-- {{"jsonrpc":"2.0","id":1,"result":{{"content":[{{"type":"text","text":"Opened session {handle} for you"}}]}}}}
--> {{"jsonrpc":"2.0","id":2,"method":"tools/call","params":{{"name":"close","arguments":{{"s":"{sent}"}}}}}}
"#
    )
}

#[test]
fn a_handle_in_a_text_is_found_again() {
    for sent in ["a81f-99c2", "session://a81f-99c2/x"] {
        let (names, _) = names(&text("a81f-99c2", sent), &text("77be-01d4", sent), 1);
        assert_eq!(names.put(sent), sent.replace("a81f-99c2", "77be-01d4"));
        let told = |handle: &str| json!(format!("Opened session {handle} for you"));
        assert!(names.same(0, "/result/content/0/text", &told("a81f-99c2"), &told("77be-01d4")));
        assert!(!names.same(0, "/result/content/0/text", &told("a81f-99c2"), &told("other")));
    }
}

#[test]
fn what_the_client_said_first_is_its_own() {
    let own = r#"
--> {"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"echo","arguments":{"t":"abc123def"}}}
<-- {"jsonrpc":"2.0","id":1,"result":{"content":[{"type":"text","text":"abc123def"}]}}
--> {"jsonrpc":"2.0","id":2,"method":"tools/call","params":{"name":"echo","arguments":{"t":"abc123def"}}}
"#;
    let (names, lost) = names(own, &own.replace("\"text\":\"abc123def\"", "\"text\":\"zzz999zzz\""), 1);
    assert_eq!((names.len(), lost.len()), (0, 0));
}

#[test]
fn names_of_tools_are_never_handles() {
    let list = |name: &str| {
        format!(
            r#"
--> {{"jsonrpc":"2.0","id":1,"method":"tools/list"}}
<-- {{"jsonrpc":"2.0","id":1,"result":{{"tools":[{{"name":"{name}"}}]}}}}
--> {{"jsonrpc":"2.0","id":2,"method":"tools/call","params":{{"name":"tool-2a3b4c"}}}}
"#
        )
    };
    assert_eq!(names(&list("tool-2a3b4c"), &list("tool-5d6e7f"), 1).0.len(), 0);
}

#[test]
fn a_uri_is_followed_but_its_change_is_told() {
    let list = |uri: &str| {
        format!(
            r#"
--> {{"jsonrpc":"2.0","id":1,"method":"resources/list"}}
<-- {{"jsonrpc":"2.0","id":1,"result":{{"resources":[{{"uri":"{uri}"}}]}}}}
--> {{"jsonrpc":"2.0","id":2,"method":"resources/read","params":{{"uri":"test://a"}}}}
"#
        )
    };
    let (names, _) = names(&list("test://a"), &list("test://b"), 1);
    assert_eq!(names.put("test://a"), "test://b");
    assert!(
        !names.same(0, "/result/resources/0/uri", &json!("test://a"), &json!("test://b")),
        "no handle by its looks"
    );
    assert!(names.same(1, "/result/contents/0/uri", &json!("test://a"), &json!("test://b")));
}

#[test]
fn what_is_not_found_is_told() {
    let gone = page("A").replace(r#","nextCursor":"A""#, "");
    let (names, lost) = names(&page("A"), &gone, 1);
    assert_eq!((names.put("A"), lost), ("A".to_owned(), vec!["A".to_owned()]));
}

fn jobs(numbers: [u32; 2], sent: &str) -> String {
    let listed = numbers.map(|number| format!(r#""job{number}""#)).join(",");
    format!(
        r#"
--> {{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{{"name":"list"}}}}
<-- {{"jsonrpc":"2.0","id":1,"result":{{"structuredContent":{{"jobs":[{listed}]}}}}}}
--> {{"jsonrpc":"2.0","id":2,"method":"tools/call","params":{{"name":"stop","arguments":{{"jobs":{sent}}}}}}}
"#
    )
}

#[test]
fn handles_that_were_counted_on_are_followed() {
    let sent = r#"["job100001","job100002"]"#;
    let (names, _) = names(&jobs([100_001, 100_002], sent), &jobs([100_002, 100_003], sent), 1);
    let now = |recorded: &str| names.put(recorded);
    assert_eq!([now("job100001"), now("job100002")], ["job100002", "job100003"]);
    assert_eq!(now("both job100001 and job100002."), "both job100002 and job100003.");
}

#[test]
fn handles_that_have_only_moved_stay() {
    let sent = r#"["job100001","job100002"]"#;
    let (names, lost) = names(&jobs([100_001, 100_002], sent), &jobs([100_002, 100_001], sent), 1);
    assert_eq!((names.len(), lost.len()), (0, 0));
}

#[test]
fn a_number_within_a_word_is_another() {
    let open = |id: u32| {
        format!(
            r#"
--> {{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{{"name":"open"}}}}
<-- {{"jsonrpc":"2.0","id":1,"result":{{"structuredContent":{{"id":{id}}}}}}}
--> {{"jsonrpc":"2.0","id":2,"method":"tools/call","params":{{"name":"close","arguments":{{"id":2024}}}}}}
"#
        )
    };
    let (names, _) = names(&open(2024), &open(2031), 1);
    for text in ["2024-01-01", "X20245", "in_2024"] {
        assert_eq!(names.put(text), text);
    }
    assert_eq!(names.put("nr. 2024/7"), "nr. 2031/7");
}

proptest! {
    #[test]
    fn any_handle_anywhere_is_bound(
        handle in "[a-z0-9]{4}[0-9][a-z]{3}", now in "[a-z0-9]{4}[0-9][a-z]{3}",
        member in "[a-zA-Z~/]{1,8}", before in "[A-Za-z :,.]{0,12}", index in 0usize..4,
    ) {
        prop_assume!(handle != now);
        let result = |handle: &str| {
            let mut list: Vec<Value> = (0..4).map(|n| json!({"k": n})).collect();
            list[index] = json!({member.clone(): format!("{before} {handle}.")});
            json!({"jsonrpc": "2.0", "id": 1, "result": {"list": list}})
        };
        let talk = |handle: &str| format!(
            "--> {}\n<-- {}\n--> {}\n",
            json!({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": "a"}}),
            result(handle),
            json!({"jsonrpc": "2.0", "id": 2, "method": "tools/call", "params": {"name": "b", "arguments": {"x": handle}}}),
        );
        let (names, lost) = names(&talk(&handle), &talk(&now), 1);
        prop_assert!(lost.is_empty());
        prop_assert_eq!(names.put(&handle), now);
    }
}
