//! Dictionaries as they are read.

use super::dictionary::{Dictionary, Entry, Scope};
use std::fmt;

impl fmt::Display for Dictionary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut scope = &Scope::Anywhere;
        for entry in self.entries() {
            if entry.scope != *scope {
                scope = &entry.scope;
                match scope {
                    Scope::Anywhere => writeln!(f, "#@anywhere")?,
                    Scope::Type(kind) => writeln!(f, "#@type {kind}")?,
                    Scope::Path(path) => writeln!(f, "#@path {path}")?,
                }
            }
            writeln!(f, "{entry}")?;
        }
        Ok(())
    }
}

impl fmt::Display for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name.as_deref().unwrap_or_default())?;
        if let Some(level) = self.level {
            write!(f, "@{level}")?;
        }
        f.write_str(if self.name.is_some() || self.level.is_some() { "=\"" } else { "\"" })?;
        for byte in &self.bytes {
            match byte {
                b'\\' => f.write_str("\\\\")?,
                b'"' => f.write_str("\\\"")?,
                b' '..=b'~' => write!(f, "{}", char::from(*byte))?,
                other => write!(f, "\\x{other:02x}")?,
            }
        }
        f.write_str("\"")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mutate::JsonType;
    use proptest::prelude::*;

    fn entries() -> impl Strategy<Value = Entry> {
        let scope = prop_oneof![
            Just(Scope::Anywhere),
            Just(Scope::Type(JsonType::String)),
            "/[a-z~1/]{0,8}[a-z]".prop_map(|path| Scope::Path(path.replace('~', "~0"))),
        ];
        let words = prop::collection::vec(any::<u8>(), 1..40);
        (prop::option::of("[a-zA-Z0-9_.-]{1,12}"), prop::option::of(any::<u32>()), words, scope)
            .prop_map(|(name, level, bytes, scope)| Entry { name, level, bytes, scope })
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_again(entries in prop::collection::vec(entries(), 0..12)) {
            let written = Dictionary::of(entries);
            let read = Dictionary::parse(&written.to_string());
            prop_assert_eq!(read.as_ref(), Ok(&written), "{}", written);
        }

        #[test]
        fn any_text_is_read_or_refused(text in "[ -~\n\t\"#@=\\\\é]{0,80}") {
            if let Ok(read) = Dictionary::parse(&text) {
                prop_assert!(read.entries().iter().all(|entry| !entry.bytes.is_empty()));
                let again = Dictionary::parse(&read.to_string()).unwrap();
                prop_assert_eq!(again.entries(), read.entries());
            }
        }
    }
}
