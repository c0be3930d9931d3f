//! Small helpers with which the tables of faults change messages.

use serde_json::{Value, json};

use crate::faults::hook::Input;
use crate::message::Object;

/// A message as text, changed as an object.
pub(super) fn message(text: &str, change: impl FnOnce(&mut Object)) -> String {
    match serde_json::from_str(text) {
        Ok(Value::Object(mut message)) => {
            change(&mut message);
            Value::Object(message).to_string()
        }
        _ => text.to_owned(),
    }
}

/// The object at the end of a path of members, if there is one.
pub(super) fn at<'a>(object: &'a mut Object, path: &[&str]) -> Option<&'a mut Object> {
    path.iter().try_fold(object, |object, name| object.get_mut(*name)?.as_object_mut())
}

/// Puts a value at the end of a path of members; nothing where the path does not lead anywhere.
pub(super) fn put(object: &mut Object, path: &[&str], value: impl Into<Value>) {
    if let Some((last, before)) = path.split_last()
        && let Some(object) = at(object, before)
    {
        object.insert((*last).to_owned(), value.into());
    }
}

/// Whether a message of the server is of this method.
pub(super) fn is_method(message: &Value, method: &str) -> bool {
    message["method"] == method
}

/// A notification.
pub(super) fn notification(method: &str, params: &Value) -> Value {
    json!({"jsonrpc": "2.0", "method": method, "params": params})
}

/// The objects in a list.
pub(super) fn items<'a>(object: &'a mut Object, list: &str) -> impl Iterator<Item = &'a mut Object> {
    let list = object.get_mut(list).and_then(Value::as_array_mut);
    list.into_iter().flatten().filter_map(Value::as_object_mut)
}

/// The content blocks of one type in a tool result.
pub(super) fn blocks<'a>(result: &'a mut Object, kind: &str) -> impl Iterator<Item = &'a mut Object> {
    items(result, "content").filter(move |block| is(block, "type", kind))
}

/// Whether a member is this text.
pub(super) fn is(object: &Object, member: &str, text: &str) -> bool {
    object.get(member).and_then(Value::as_str) == Some(text)
}

/// A list among the members.
pub(super) fn array<'a>(object: &'a mut Object, name: &str) -> Option<&'a mut Vec<Value>> {
    object.get_mut(name)?.as_array_mut()
}

/// A request of this method that has no parameters, given some that are refused.
pub(super) fn without_params(bytes: &[u8], method: &str) -> Input {
    match serde_json::from_slice::<Object>(bytes) {
        Ok(mut request) if is(&request, "method", method) && !request.contains_key("params") => {
            put(&mut request, &["params"], json!({"cursor": "params are missing"}));
            Input::Changed(Value::Object(request).to_string().into_bytes())
        }
        _ => Input::Pass,
    }
}

/// Repeats the first entry of a list at its end.
pub(super) fn repeat_first(object: &mut Object, list: &str) {
    if let Some(list) = object.get_mut(list).and_then(Value::as_array_mut) {
        list.extend(list.first().cloned());
    }
}
