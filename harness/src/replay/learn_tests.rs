use super::super::testing::script;
use super::*;

fn run(time: &str, count: u32, tags: &str, logs: usize) -> Script {
    let log = "<-- {\"jsonrpc\":\"2.0\",\"method\":\"notifications/message\",\"params\":{\"level\":\"info\",\"data\":\"x\"}}\n";
    script(&format!(
        r#"
--> {{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{{"name":"now"}}}}
{}<-- {{"jsonrpc":"2.0","id":1,"result":{{"time":"{time}","count":{count},"tags":{tags},"name":"steady"}}}}
"#,
        log.repeat(logs)
    ))
}

fn rules(scripts: &[Script]) -> Vec<(String, &'static str)> {
    let learned = learn(scripts).unwrap();
    assert!(learned.left.is_empty(), "{:?}", learned.left);
    learned.rules.iter().map(|rule| (rule.path.clone(), rule.kind.as_str())).collect()
}

#[test]
fn rules_are_narrow() {
    let first = run("2026-11-23T10:00:00Z", 3, r#"["a","b"]"#, 1);
    let second = run("2026-11-23T10:00:07Z", 9, r#"["b","a"]"#, 1);
    let told = rules(&[first.clone(), second.clone()]);
    let expected = [("/result/count", "type"), ("/result/tags", "unordered"), ("/result/time", "pattern")];
    assert_eq!(told, expected.map(|(path, kind)| (path.to_owned(), kind)));
    let mut first = first;
    first.rules = learn(&[first.clone(), second]).unwrap().rules;
    let rules = Rules::new(first.rules.clone()).unwrap();
    let differ = |other: &Script| {
        let found = differences(&first, other, Mode::Exact, &rules).unwrap();
        found.into_iter().map(|one| (one.path, one.kind)).collect::<Vec<_>>()
    };
    assert_eq!(differ(&run("2027-01-01T00:00:00.5Z", 70, r#"["b","a"]"#, 1)), []);
    assert_eq!(differ(&run("soon", 70, r#"["a","b"]"#, 1)), [("/result/time".to_owned(), Kind::Value)]);
    assert_eq!(
        differ(&run("2027-01-01T00:00:00Z", 1, r#"["a","c"]"#, 1)),
        [("/result/tags/1".to_owned(), Kind::Value)]
    );
}

#[test]
fn how_many_come_may_vary() {
    let run = |logs| run("2026-11-23T10:00:00Z", 3, "[]", logs);
    assert_eq!(rules(&[run(1), run(2), run(0)]), [(String::new(), "count")]);
    let learned = learn(&[run(1), run(2)]).unwrap();
    assert_eq!(learned.rules[0].nth, None);
    assert_eq!(learned.rules[0].of, Some(RulePart::Notification));
}

#[test]
fn arrays_of_other_lengths_keep_their_shape() {
    let run = |tags| run("2026-11-23T10:00:00Z", 3, tags, 0);
    assert_eq!(rules(&[run("[1,2]"), run("[5]"), run("[]")]), [("/result/tags".to_owned(), "shape")]);
    let members = rules(&[run(r#"[{"a":1}]"#), run(r#"[{"b":1},{"c":[]}]"#)]);
    assert_eq!(members[0], ("/result/tags".to_owned(), "shape"));
    assert!(
        members[1..].iter().all(|(path, kind)| *kind == "optional" && path.len() == "/result/tags/0/a".len())
    );
    assert_eq!(rules(&[run("null"), run("7")]), [("/result/tags".to_owned(), "type")]);
}

#[test]
fn what_teaches_nothing_is_told() {
    let one = run("t", 1, "[]", 0);
    assert!(learn(std::slice::from_ref(&one)).unwrap_err().to_string().contains("two recordings or more"));
    let other = script(
        "--> {\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"tools/list\"}\n<-- {\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{}}",
    );
    let told = learn(&[one, other]).unwrap_err().to_string();
    assert!(
        told.contains("recording 2")
            && told.contains("`tools/list`")
            && told.contains("`tools/call` of `now`"),
        "{told}"
    );
}
