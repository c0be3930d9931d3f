use super::super::offline::differences;
use super::super::testing::{rule, script};
use super::*;

fn found(recorded: &str, live: &str, rules: &[&str]) -> Vec<(Kind, String, u64, String)> {
    let rules = Rules::new(rules.iter().map(|text| rule(text))).unwrap();
    let found = differences(&script(recorded), &script(live), Mode::Exact, &rules).unwrap();
    found.into_iter().map(|one| (one.kind, one.message.method, one.message.nth, one.path)).collect()
}

/// A call with these messages of the server between it and its answer, and these after it.
fn call(inside: &[&str], after: &[&str]) -> String {
    let mut text = String::from(
        "--> {\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"tools/call\",\"params\":{\"name\":\"a\",\"_meta\":{\"progressToken\":7}}}\n",
    );
    inside.iter().for_each(|line| text += &format!("<-- {line}\n"));
    text += "<-- {\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{\"ok\":true}}\n";
    after.iter().for_each(|line| text += &format!("<-- {line}\n"));
    text
}

const ONE: &str =
    r#"{"jsonrpc":"2.0","method":"notifications/progress","params":{"progressToken":7,"progress":1}}"#;
const TWO: &str =
    r#"{"jsonrpc":"2.0","method":"notifications/progress","params":{"progressToken":7,"progress":2}}"#;
const LOG: &str =
    r#"{"jsonrpc":"2.0","method":"notifications/message","params":{"level":"info","data":"x"}}"#;
const CHANGED: &str = r#"{"jsonrpc":"2.0","method":"notifications/tools/list_changed"}"#;

#[test]
fn order_matters_within_one_request() {
    let progress = "notifications/progress".to_owned();
    assert_eq!(found(&call(&[ONE, LOG, TWO], &[]), &call(&[ONE, LOG, TWO], &[]), &[]), []);
    let swapped = found(&call(&[ONE, TWO], &[]), &call(&[TWO, ONE], &[]), &[]);
    assert_eq!(swapped, [(Kind::MessageOrder, progress.clone(), 2, String::new())]);
    let late = found(&call(&[ONE, TWO], &[]), &call(&[ONE], &[TWO]), &[]);
    assert_eq!(late, [(Kind::MessageOrder, progress, 2, String::new())], "after the answer");
    let anywhere = r#"{"method":"notifications/progress","rule":"order"}"#;
    assert_eq!(found(&call(&[ONE, TWO], &[]), &call(&[TWO, ONE], &[]), &[anywhere]), []);
}

#[test]
fn what_belongs_to_no_request_may_come_anywhere() {
    assert_eq!(found(&call(&[CHANGED], &[]), &call(&[], &[CHANGED]), &[]), []);
    assert_eq!(found(&call(&[CHANGED, ONE], &[]), &call(&[ONE], &[CHANGED]), &[]), []);
}

#[test]
fn messages_more_and_less_are_told() {
    let log = |kind: Kind, nth: u64| (kind, "notifications/message".to_owned(), nth, String::new());
    assert_eq!(found(&call(&[LOG], &[]), &call(&[], &[]), &[]), [log(Kind::MissingMessage, 1)]);
    assert_eq!(found(&call(&[], &[]), &call(&[LOG], &[]), &[]), [log(Kind::ExtraMessage, 1)]);
    let other = LOG.replace('x', "y");
    assert_eq!(
        found(&call(&[&other, LOG], &[]), &call(&[LOG], &[]), &[]),
        [log(Kind::MissingMessage, 1)],
        "the one that is not there"
    );
    let any = r#"{"method":"notifications/message","of":"notification","rule":"count"}"#;
    assert_eq!(found(&call(&[LOG], &[]), &call(&[], &[]), &[any]), []);
    assert_eq!(
        found(&call(&[LOG], &[]), &call(&[&other], &[]), &[any])[0].3,
        "/params/data",
        "its content still counts"
    );
    let missing = found(&call(&[], &[]), call(&[], &[]).lines().next().unwrap(), &[]);
    assert_eq!(missing, [(Kind::MissingMessage, "tools/call".to_owned(), 1, String::new())]);
}

#[test]
fn answers_are_found_in_whatever_order() {
    let ask = |id: u32| {
        format!(
            "--> {{\"jsonrpc\":\"2.0\",\"id\":{id},\"method\":\"tools/call\",\"params\":{{\"name\":\"a\"}}}}\n"
        )
    };
    let answer = |id: u32, text: &str| {
        format!("<-- {{\"jsonrpc\":\"2.0\",\"id\":{id},\"result\":{{\"t\":\"{text}\"}}}}\n")
    };
    let recorded = [ask(1), ask(2), answer(1, "a"), answer(2, "b")].concat();
    assert_eq!(found(&recorded, &[ask(1), ask(2), answer(2, "b"), answer(1, "a")].concat(), &[]), []);
    let crossed = found(&recorded, &[ask(1), ask(2), answer(2, "a"), answer(1, "b")].concat(), &[]);
    assert_eq!(crossed.len(), 2);
}

#[test]
fn a_cancelled_request_may_be_answered_or_not() {
    let ask = "--> {\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"tools/call\",\"params\":{\"name\":\"a\"}}\n--> {\"jsonrpc\":\"2.0\",\"method\":\"notifications/cancelled\",\"params\":{\"requestId\":1}}\n";
    let answered = format!("{ask}<-- {{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{{}}}}\n");
    assert_eq!(found(ask, &answered, &[]), []);
    assert_eq!(found(&answered, ask, &[]), []);
}

#[test]
fn what_was_taken_out_matches_anything() {
    let is = |recorded: &str, live: &str| placeholders(&recorded.into(), &live.into());
    assert!(
        is("«token-1»", "abc") && is("a «token-1» b «secret-2»", "a x b y") && !is("a «token-1» b", "a x c")
    );
    assert!(!is("«odd»", "abc") && !is("plain", "plain2"));
}

#[test]
fn what_is_opaque_by_the_protocol_may_be_another() {
    let page = |cursor: &str| {
        format!(
            "--> {{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"tools/list\"}}\n<-- {{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{{\"tools\":[]{cursor}}}}}\n"
        )
    };
    let with = |cursor: &str| page(&format!(",\"nextCursor\":{cursor}"));
    assert_eq!(found(&with("\"a\""), &with("\"b\""), &[]), []);
    assert_eq!(found(&with("\"a\""), &with("7"), &[])[0].0, Kind::Type);
    assert_eq!(found(&with("\"a\""), &page(""), &[])[0].0, Kind::Missing);
}
