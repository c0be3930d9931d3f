//! What answers have brought: names, ids, URIs, handles. Later calls are made with them.

use super::case::members;
use crate::generate::names_no_real_host;
use serde_json::Value;
use std::collections::VecDeque;

/// How many texts are kept.
const MOST: usize = 64;
/// The longest text that is kept, in bytes.
const LONGEST: usize = 100;
/// How many values of one answer are looked at.
const MOST_LOOKED: usize = 200;

/// Texts of answers, the newest last.
#[derive(Debug, Default)]
pub struct Pool {
    texts: VecDeque<String>,
}

impl Pool {
    /// Keeps what stands in a result. Nothing that names a host of the network is kept.
    pub fn learn(&mut self, result: &Value) {
        let mut open = vec![result];
        let mut looked = 0;
        while let Some(value) = open.pop() {
            looked += 1;
            if looked > MOST_LOOKED {
                return;
            }
            match value {
                Value::String(text) => {
                    self.keep(text);
                    let word = |c: char| {
                        c.is_whitespace() || matches!(c, '"' | '\'' | '`' | ',' | '(' | ')' | '{' | '}')
                    };
                    text.split(word).take(8).for_each(|part| self.keep(part.trim_end_matches(['.', ':'])));
                }
                Value::Array(elements) => open.extend(elements),
                Value::Object(_) => open.extend(members(value).map(|(_, member)| member)),
                _ => {}
            }
        }
    }

    fn keep(&mut self, text: &str) {
        let fits = (1..=LONGEST).contains(&text.len()) && names_no_real_host(text);
        if !fits || self.texts.iter().any(|known| known == text) {
            return;
        }
        if self.texts.len() == MOST {
            self.texts.pop_front();
        }
        self.texts.push_back(text.to_owned());
    }

    /// How many texts there are.
    pub fn len(&self) -> usize {
        self.texts.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.texts.is_empty()
    }

    /// One of them.
    pub fn get(&self, index: usize) -> Option<&str> {
        self.texts.get(index).map(String::as_str)
    }
}

#[cfg(test)]
mod tests {
    use super::Pool;
    use serde_json::json;

    #[test]
    fn answers_are_remembered_and_hosts_are_not() {
        let mut pool = Pool::default();
        pool.learn(&json!({"content": [{"type": "text", "text": "Kept as note-17."}], "link": "https://www.rust-lang.org/a"}));
        let texts: Vec<&str> = (0..pool.len()).filter_map(|at| pool.get(at)).collect();
        assert!(texts.contains(&"note-17"), "{texts:?}");
        assert!(!texts.iter().any(|text| text.contains("rust-lang")), "{texts:?}");
        for number in 0..1000 {
            pool.learn(&json!(format!("n{number}")));
        }
        assert_eq!(pool.len(), 64);
    }
}
