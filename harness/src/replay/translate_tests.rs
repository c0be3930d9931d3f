use super::super::testing::script;
use super::*;

fn names(session: &Session) -> Vec<String> {
    session.sends.iter().map(Send::name).collect()
}

const LEGACY: &str = r#"
--> {"jsonrpc":"2.0","id":0,"method":"initialize","params":{"protocolVersion":"2025-06-18","capabilities":{},"clientInfo":{"name":"c","version":"1"}}}
<-- {"jsonrpc":"2.0","id":0,"result":{"protocolVersion":"2025-06-18","capabilities":{},"serverInfo":{"name":"s","version":"1"}}}
--> {"jsonrpc":"2.0","method":"notifications/initialized"}
--> {"jsonrpc":"2.0","id":1,"method":"logging/setLevel","params":{"level":"debug"}}
<-- {"jsonrpc":"2.0","id":1,"result":{}}
--> {"jsonrpc":"2.0","id":2,"method":"tools/call","params":{"name":"a"}}
<-- {"jsonrpc":"2.0","id":"s","method":"roots/list"}
--> {"jsonrpc":"2.0","id":"s","result":{"roots":[]}}
<-- {"jsonrpc":"2.0","id":2,"result":{"content":[]}}
--> {"jsonrpc":"2.0","id":3,"method":"ping"}
<-- {"jsonrpc":"2.0","id":3,"result":{}}
"#;

#[test]
fn a_legacy_session_is_said_in_the_modern_era() {
    let (session, told) = translate(0, &script(LEGACY).sessions[0], Revision::V2026_07_28);
    assert_eq!(names(&session), ["server/discover", "tools/call"]);
    let call = &session.sends[1].messages()[0];
    let meta = &call.params().unwrap()["_meta"];
    assert_eq!(meta["io.modelcontextprotocol/protocolVersion"], "2026-07-28");
    assert_eq!(meta["io.modelcontextprotocol/logLevel"], "debug");
    let compared: Vec<&str> =
        session.expected.iter().filter(|one| one.compared).map(|one| one.method.as_str()).collect();
    assert_eq!(compared, ["tools/call"]);
    assert_eq!(session.sends[1].after, 1, "it waits for the answer to the opening");
    let methods: Vec<&str> = told.iter().map(|one| one.method.as_str()).collect();
    assert_eq!(methods, ["initialize", "notifications/initialized", "logging/setLevel", "an answer", "ping"]);
}

#[test]
fn a_modern_session_is_said_in_the_legacy_era() {
    let meta = r#""_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28","progressToken":1}"#;
    let talk = format!(
        r#"
--> {{"jsonrpc":"2.0","id":1,"method":"subscriptions/listen","params":{{{meta}}}}}
--> {{"jsonrpc":"2.0","id":2,"method":"tools/call","params":{{"name":"a",{meta}}}}}
<-- {{"jsonrpc":"2.0","id":2,"result":{{"content":[],"resultType":"complete"}}}}
--> {{"jsonrpc":"2.0","id":3,"method":"tools/call","params":{{"name":"a","requestState":"x",{meta}}}}}
<-- {{"jsonrpc":"2.0","id":3,"result":{{"content":[],"resultType":"complete"}}}}
"#
    );
    let (session, told) = translate(0, &script(&talk).sessions[0], Revision::V2025_11_25);
    assert_eq!(names(&session), ["initialize", "notifications/initialized", "tools/call"]);
    assert_eq!(session.sends[2].messages()[0].params().unwrap()["_meta"], json!({"progressToken": 1}));
    assert_eq!(told.len(), 2, "{told:?}");
    assert_eq!(session.expected.iter().map(|one| one.owner).collect::<Vec<_>>(), [Some(0), Some(2)]);
    assert_eq!(session.sends.iter().map(|send| send.after).collect::<Vec<_>>(), [0, 1, 1]);
}

#[test]
fn within_an_era_only_the_version_is_another() {
    let whole = script(LEGACY);
    let (session, told) = translate(0, &whole.sessions[0], Revision::V2025_11_25);
    assert!(told.is_empty());
    assert_eq!(names(&session), names(&whole.sessions[0]));
    assert_eq!(session.sends[0].messages()[0].params().unwrap()["protocolVersion"], "2025-11-25");
    assert_eq!(session.sends[4].answers, whole.sessions[0].sends[4].answers);
}
