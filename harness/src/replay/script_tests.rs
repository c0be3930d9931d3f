use super::super::testing::script;
use super::*;

const TALK: &str = r#"
--> {"jsonrpc":"2.0","id":0,"method":"initialize","params":{"protocolVersion":"2025-06-18","capabilities":{},"clientInfo":{"name":"c","version":"1"}}}
<-- {"jsonrpc":"2.0","id":0,"result":{"protocolVersion":"2025-06-18","capabilities":{},"serverInfo":{"name":"s","version":"1"}}}
--> {"jsonrpc":"2.0","method":"notifications/initialized"}
--> {"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"a","_meta":{"progressToken":7}}}
<-- {"jsonrpc":"2.0","method":"notifications/progress","params":{"progressToken":7,"progress":1}}
<-- {"jsonrpc":"2.0","id":"s1","method":"roots/list"}
--> {"jsonrpc":"2.0","id":"s1","result":{"roots":[]}}
<-- {"jsonrpc":"2.0","id":1,"result":{"content":[],"structuredContent":{"handle":"job-77ab12"}}}
--> {"jsonrpc":"2.0","id":2,"method":"tools/call","params":{"name":"b","arguments":{"job":"job-77ab12"}}}
<-- {"jsonrpc":"2.0","id":2,"result":{"content":[]}}
--> {"jsonrpc":"2.0","id":3,"method":"ping"}
<-- {"jsonrpc":"2.0","id":3,"result":{}}
--> {"jsonrpc":"2.0","id":4,"method":"tools/call","params":{"name":"slow"}}
--> {"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":4}}
"#;

#[test]
fn what_each_message_waits_for() {
    let script = script(TALK);
    let session = &script.sessions[0];
    let waits: Vec<usize> = session.sends.iter().map(|send| send.after).collect();
    assert_eq!(waits, [0, 1, 1, 3, 4, 5, 6, 6]);
    assert_eq!(session.sends[3].answers, Some(2), "the answer to roots/list");
    let told: Vec<(&str, RulePart, u64, Option<usize>)> =
        session.expected.iter().map(|one| (one.method.as_str(), one.part, one.nth, one.owner)).collect();
    assert_eq!(told[1], ("notifications/progress", RulePart::Notification, 0, Some(2)));
    assert_eq!(told[2], ("roots/list", RulePart::Request, 0, Some(2)), "of the only open request");
    assert_eq!(told[4], ("tools/call", RulePart::Answer, 1, Some(4)));
    assert_eq!(script.revision(), Some(Revision::V2025_06_18));
    assert_eq!(script.era(), Some(Era::Legacy));
    assert!(session.cancels(6) && !session.cancels(2));
}

fn names(script: &Script) -> Vec<String> {
    script.sessions[0].sends.iter().map(Send::name).collect()
}

#[test]
fn a_part_keeps_what_it_needs() {
    let whole = script(TALK);
    let opening = ["initialize", "notifications/initialized"];
    let with = |more: &[&str]| opening.iter().chain(more).map(|name| (*name).to_owned()).collect::<Vec<_>>();
    assert_eq!(names(&whole.only(|_, send| send == 5)), with(&["ping"]));
    let part = whole.only(|_, send| send == 4);
    assert_eq!(names(&part), with(&["tools/call", "tools/call"]), "the handle comes from the first call");
    assert!(part.sessions[0].expected.iter().all(|one| one.method != "ping"));
    let part = whole.only(|_, send| send == 3);
    assert_eq!(names(&part), with(&["tools/call", "an answer"]));
    assert_eq!(part.sessions[0].sends[3].answers, Some(2));
    let part = whole.only(|_, send| send == 7);
    assert_eq!(names(&part), with(&["tools/call", "notifications/cancelled"]));
    assert!(whole.only(|_, _| false).sessions.is_empty());
    assert_eq!(names(&whole.only(|_, _| true)), names(&whole));
}

#[test]
fn secrets_of_the_client_are_known() {
    let script = script(
        r#"
--> {"jsonrpc":"2.0","id":1,"method":"tools/list"}
<-- {"jsonrpc":"2.0","id":1,"result":{"tools":[],"nextCursor":"«secret-1»"}}
--> {"jsonrpc":"2.0","id":2,"method":"tools/list","params":{"cursor":"«secret-1»"}}
--> {"jsonrpc":"2.0","id":3,"method":"tools/call","params":{"name":"a","arguments":{"key":"x «token-2» y"}}}
"#,
    );
    assert_eq!(script.placeholders().into_iter().collect::<Vec<_>>(), ["token-2"]);
}
