use super::super::bind::each_leaf;
use super::super::testing::rule;
use super::*;
use proptest::prelude::*;
use serde_json::json;

const CALL: (&str, RulePart, u64) = ("tools/call", RulePart::Answer, 0);

fn with(recorded: &Value, live: &Value, mode: Mode, rules: &[&str]) -> Vec<(String, Kind)> {
    let rules = Rules::new(rules.iter().map(|text| rule(text))).unwrap();
    compare(recorded, live, mode, &rules, CALL).into_iter().map(|(path, kind, ..)| (path, kind)).collect()
}

fn exact(recorded: Value, live: Value) -> Vec<(String, Kind)> {
    with(&recorded, &live, Mode::Exact, &[])
}

fn at(path: &str, kind: Kind) -> (String, Kind) {
    (path.to_owned(), kind)
}

#[test]
fn what_differs_is_told_where_it_does() {
    assert_eq!(exact(json!({"id": 1, "result": {"a": 1}}), json!({"id": 2, "result": {"a": 1}})), []);
    assert_eq!(exact(json!({"a": {"b/c": 1}}), json!({"a": {"b/c": 2}})), [at("/a/b~1c", Kind::Value)]);
    assert_eq!(exact(json!({"a": 1}), json!({"a": "1"})), [at("/a", Kind::Type)]);
    assert_eq!(exact(json!({"a": 1}), json!({"b": 1})), [at("/a", Kind::Missing), at("/b", Kind::Extra)]);
    let error = |code: i32| json!({"error": {"code": code, "message": "m"}});
    assert_eq!(exact(error(-32601), error(-32602)), [at("/error/code", Kind::ErrorCode)]);
    assert_eq!(exact(json!({"result": {}}), error(1)), [at("", Kind::Outcome)]);
}

#[test]
fn lists_are_paired() {
    let tool = |name: &str, n: u32| json!({"name": name, "n": n});
    let list = |tools: &[Value]| json!({"tools": tools});
    let (a, b, c) = (tool("a", 1), tool("b", 1), tool("c", 1));
    let all = list(&[a.clone(), b.clone(), c.clone()]);
    assert_eq!(exact(all.clone(), list(&[a.clone(), c.clone()])), [at("/tools/1", Kind::Missing)]);
    assert_eq!(exact(list(&[a.clone(), c.clone()]), all.clone()), [at("/tools/1", Kind::Extra)]);
    assert_eq!(exact(all.clone(), list(&[c.clone(), b.clone(), a.clone()])), [at("/tools", Kind::Order)]);
    let changed = list(&[a.clone(), tool("b", 2), c.clone()]);
    assert_eq!(exact(all.clone(), changed), [at("/tools/1/n", Kind::Value)]);
    let moved = list(&[c, tool("a", 2), b]);
    let both = [at("/tools", Kind::Order), at("/tools/0/n", Kind::Value)];
    assert_eq!(exact(all, moved), both, "elements are known by their names");
}

#[test]
fn shapes_leave_values_aside() {
    let shape = |recorded: Value, live: Value| with(&recorded, &live, Mode::Shape, &[]);
    assert_eq!(shape(json!({"a": 1, "l": [{"x": "s"}]}), json!({"a": 2, "l": [{"x": "t"}, {"x": "u"}]})), []);
    assert_eq!(shape(json!({"a": 1}), json!({"a": null})), [at("/a", Kind::Type)]);
    assert_eq!(
        shape(json!({"l": [{"x": 1}]}), json!({"l": [{"y": 1}]})),
        [at("/l/0/x", Kind::Missing), at("/l/0/y", Kind::Extra)]
    );
    assert_eq!(
        shape(json!({"type": "text"}), json!({"type": "image"})),
        [at("/type", Kind::Value)],
        "a word of the protocol"
    );
    let error = |code: i32| json!({"error": {"code": code, "message": code.to_string()}});
    assert_eq!(shape(error(1), error(2)), [at("/error/code", Kind::ErrorCode)]);
}

#[test]
fn rules_allow_what_they_say_and_no_more() {
    let exact = |recorded: Value, live: Value, rules: &[&str]| with(&recorded, &live, Mode::Exact, rules);
    let at_a = |rest: &str| format!(r#"{{"method":"tools/call","of":"answer","path":"/a",{rest}}}"#);
    let a = |value: Value| json!({"a": value});
    let pattern = at_a(r#""rule":"pattern","pattern":"\\d+ ms""#);
    assert_eq!(exact(a(json!("5 ms")), a(json!("77 ms")), &[&pattern]), []);
    assert_eq!(exact(a(json!("5 ms")), a(json!("77 s")), &[&pattern]), [at("/a", Kind::Value)]);
    assert_eq!(exact(a(json!("5 ms")), a(json!(5)), &[&pattern]), [at("/a", Kind::Type)]);
    let kind = at_a(r#""rule":"type""#);
    assert_eq!(exact(a(json!(1)), a(json!(2.5)), &[&kind]), []);
    assert_eq!(exact(a(json!(1)), a(json!("2")), &[&kind]), [at("/a", Kind::Type)]);
    let either = at_a(r#""rule":"type","types":["null","string"]"#);
    assert_eq!(exact(a(json!(null)), a(json!("x")), &[&either]), []);
    assert_eq!(exact(a(json!(null)), a(json!(1)), &[&either]), [at("/a", Kind::Type)]);
    let near = at_a(r#""rule":"tolerance","tolerance":2"#);
    assert_eq!(exact(a(json!(10)), a(json!(12)), &[&near]), []);
    assert_eq!(exact(a(json!(10)), a(json!(12.5)), &[&near]), [at("/a", Kind::Value)]);
    let unordered = at_a(r#""rule":"unordered""#);
    assert_eq!(exact(a(json!([1, 2, 3])), a(json!([3, 1, 2])), &[&unordered]), []);
    assert_eq!(exact(a(json!([1, 2, 3])), a(json!([3, 1, 9])), &[&unordered]), [at("/a/1", Kind::Value)]);
    let shape = at_a(r#""rule":"shape""#);
    assert_eq!(exact(a(json!([{"n": 1}])), a(json!([{"n": 2}, {"n": 3}])), &[&shape]), []);
    assert_eq!(exact(a(json!([{"n": 1}])), a(json!([{"n": "2"}])), &[&shape]), [at("/a/0/n", Kind::Type)]);
    let optional = at_a(r#""rule":"optional""#);
    assert_eq!(exact(a(json!(1)), json!({}), &[&optional]), []);
    assert_eq!(exact(a(json!(1)), a(json!(2)), &[&optional]), [at("/a", Kind::Value)]);
    let ignore = at_a(r#""rule":"ignore""#);
    assert_eq!(exact(json!({"b": 1}), json!({"a": [1], "b": 2}), &[&ignore]), [at("/b", Kind::Value)]);
    let elsewhere = r#"{"method":"tools/list","path":"/a","rule":"ignore"}"#;
    assert_eq!(exact(a(json!(1)), a(json!(2)), &[elsewhere]), [at("/a", Kind::Value)]);
}

#[test]
fn an_array_that_moved_on_lost_its_first_and_got_a_last() {
    let list = |numbers: [i32; 4]| json!({"jsonrpc": "2.0", "id": 1, "result": {"l": numbers}});
    let found = with(&list([1, 2, 3, 4]), &list([2, 3, 4, 5]), Mode::Exact, &[]);
    assert_eq!(found, [("/result/l/0".to_owned(), Kind::Missing), ("/result/l/3".to_owned(), Kind::Extra)]);
    let found = with(&list([1, 2, 3, 4]), &list([1, 7, 3, 4]), Mode::Exact, &[]);
    assert_eq!(found, [("/result/l/1".to_owned(), Kind::Value)]);
}

fn any_value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i32>().prop_map(Value::from),
        "[a-z0-9 ]{0,12}".prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 40, 5, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
            prop::collection::btree_map("[a-d/~]{1,3}", inner, 0..5)
                .prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    })
}

fn leaves(value: &Value) -> Vec<String> {
    let mut found = Vec::new();
    each_leaf(value, &mut String::new(), &mut |path, _| found.push(path.to_owned()));
    found
}

/// A leaf that is unlike any other.
fn planted(old: &Value) -> Value {
    match old {
        Value::String(text) => json!(format!("{text}~planted")),
        Value::Number(_) => json!(1e300),
        Value::Bool(flag) => json!(!flag),
        _ => json!("~planted"),
    }
}

proptest! {
    #[test]
    fn nothing_differs_from_itself(result in any_value()) {
        let message = json!({"jsonrpc": "2.0", "id": 1, "result": result});
        for mode in [Mode::Exact, Mode::Shape] {
            prop_assert_eq!(with(&message, &message, mode, &[]), []);
        }
    }

    #[test]
    fn a_change_at_any_place_is_told_there_unless_a_rule_covers_it(result in any_value(), pick in any::<prop::sample::Index>()) {
        let message = json!({"jsonrpc": "2.0", "id": 1, "result": {"all": {"value": result}}});
        let paths: Vec<String> = leaves(&message).into_iter().filter(|path| path.starts_with("/result")).collect();
        prop_assume!(!paths.is_empty());
        let path = &paths[pick.index(paths.len())];
        let mut live = message.clone();
        let place = live.pointer_mut(path).unwrap();
        *place = planted(place);
        let found = with(&message, &live, Mode::Exact, &[]);
        // A flag that turns may make an array one of the same elements in another order.
        let near = |(told, kind): &(String, Kind)| told == path || (*kind == Kind::Order && path.starts_with(told));
        prop_assert!(found.len() == 1 && near(&found[0]), "{path}: {found:?}");
        let rule = serde_json::json!({"path": found[0].0, "rule": "ignore"}).to_string();
        prop_assert_eq!(with(&message, &live, Mode::Exact, &[&rule]), []);
    }
}
