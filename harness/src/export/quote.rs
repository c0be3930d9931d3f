//! What a recording says, as literals of other languages: nothing of it can leave its quotes.

use serde_json::Value;
use std::fmt::Write as _;

/// JSON in printable ASCII without `'`, `` ` ``, `$` and `#`, which stand as `\uXXXX` in its strings: it is the same text in
/// Python's `r'''…'''`, in TypeScript's ``String.raw`…` `` and in Rust's `r#"…"#`.
pub(super) fn data(value: &Value) -> String {
    let text = value.to_string();
    let mut quoted = String::with_capacity(text.len());
    for c in text.chars() {
        if matches!(c, ' '..='~') && !matches!(c, '\'' | '`' | '$' | '#') {
            quoted.push(c);
        } else {
            // Such characters are in strings only.
            for unit in c.encode_utf16(&mut [0; 2]) {
                let _ = write!(quoted, "\\u{unit:04x}");
            }
        }
    }
    quoted
}

/// A text as a word of `sh`; a NUL, which no argument can have, is left out.
pub(super) fn shell_word(text: &str) -> String {
    format!("'{}'", text.replace('\0', "").replace('\'', r"'\''"))
}

/// Bytes as the format of `printf` that prints them, as a word of `sh`.
pub(super) fn printf_word(bytes: &[u8]) -> String {
    let escaped = bytes.iter().fold(String::new(), |mut escaped, byte| {
        let plain = byte.is_ascii_alphanumeric() || b" {}[]:,\"._/-".contains(byte);
        let _ = if plain { write!(escaped, "{}", *byte as char) } else { write!(escaped, "\\{byte:03o}") };
        escaped
    });
    // What begins with `-` is an option to some.
    let escaped = escaped.strip_prefix('-').map_or(escaped.clone(), |rest| format!("\\055{rest}"));
    format!("'{escaped}'")
}
