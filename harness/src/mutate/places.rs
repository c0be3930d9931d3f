//! The places of a JSON value.

use super::json_type::JsonType;
use serde_json::Value;

/// So many places are looked at; what is larger has enough of them.
const MOST: usize = 2000;

/// A place in a value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Spot {
    /// A JSON pointer.
    pub(super) place: String,
    /// What is there.
    pub(super) kind: JsonType,
    /// Whether it is a member of an object.
    pub(super) is_member: bool,
}

impl Spot {
    /// Whether it is anywhere but the root.
    pub(super) fn is_inside(&self) -> bool {
        !self.place.is_empty()
    }
}

/// Every place of a value, the outer ones first.
pub(super) fn spots(value: &Value) -> Vec<Spot> {
    let mut found = Vec::new();
    walk(value, &mut String::new(), false, &mut found);
    found
}

fn walk(value: &Value, at: &mut String, is_member: bool, found: &mut Vec<Spot>) {
    if found.len() == MOST {
        return;
    }
    found.push(Spot { place: at.clone(), kind: JsonType::of(value), is_member });
    let length = at.len();
    match value {
        Value::Array(elements) => {
            for (index, element) in elements.iter().enumerate() {
                at.push_str(&format!("/{index}"));
                walk(element, at, false, found);
                at.truncate(length);
            }
        }
        Value::Object(members) => {
            for (name, member) in members {
                at.push_str(&step(name));
                walk(member, at, true, found);
                at.truncate(length);
            }
        }
        _ => {}
    }
}

/// The step of a JSON pointer into a member.
pub(super) fn step(name: &str) -> String {
    format!("/{}", name.replace('~', "~0").replace('/', "~1"))
}

/// The name of the member that a pointer ends with.
pub(super) fn last_name(place: &str) -> String {
    place.rsplit('/').next().unwrap_or_default().replace("~1", "/").replace("~0", "~")
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn every_place_can_be_found_again() {
        let value = json!({"a/b": [1, {"~": null}], "": "x"});
        let spots = spots(&value);
        let places: Vec<&str> = spots.iter().map(|spot| spot.place.as_str()).collect();
        assert_eq!(places, ["", "/a~1b", "/a~1b/0", "/a~1b/1", "/a~1b/1/~0", "/"]);
        for spot in &spots {
            assert_eq!(JsonType::of(value.pointer(&spot.place).unwrap()), spot.kind);
        }
        assert_eq!((last_name("/a~1b").as_str(), last_name("/a~1b/1/~0").as_str()), ("a/b", "~"));
    }

    #[test]
    fn a_large_value_has_enough_places() {
        assert_eq!(spots(&json!(vec![0; 10_000])).len(), MOST);
    }
}
