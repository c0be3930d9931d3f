//! A JSON text over several lines, for people.

/// The text, indented by two blanks a level, each member and element on a line of its own. Nothing else is changed: numbers
/// and strings stay as they are written, and members that stand twice do, too. For a text that is no JSON the result is of
/// no use.
pub fn indented(text: &str) -> String {
    let mut out = String::with_capacity(text.len() * 2);
    let mut depth = 0_usize;
    let mut rest = text.trim_start();
    while let Some(sign) = rest.chars().next() {
        let taken = match sign {
            '"' => string(rest),
            '{' | '[' => {
                let inner = rest[1..].trim_start();
                if inner.starts_with(['}', ']']) {
                    out.push_str(if sign == '{' { "{}" } else { "[]" });
                    rest = inner[1..].trim_start();
                    continue;
                }
                depth += 1;
                out.push(sign);
                line(&mut out, depth);
                1
            }
            '}' | ']' => {
                depth = depth.saturating_sub(1);
                line(&mut out, depth);
                out.push(sign);
                1
            }
            ',' => {
                out.push(',');
                line(&mut out, depth);
                1
            }
            ':' => {
                out.push_str(": ");
                1
            }
            _ => rest.find(['"', '{', '[', '}', ']', ',', ':', ' ', '\t', '\n', '\r']).unwrap_or(rest.len()),
        };
        let (piece, more) = rest.split_at(taken.max(1));
        if !matches!(sign, '{' | '[' | '}' | ']' | ',' | ':') {
            out.push_str(piece);
        }
        rest = more.trim_start();
    }
    out
}

fn line(out: &mut String, depth: usize) {
    out.push('\n');
    out.extend(std::iter::repeat_n("  ", depth));
}

/// The length of the string with which a text begins.
fn string(text: &str) -> usize {
    let mut escaped = false;
    let end = text.bytes().skip(1).position(|byte| {
        let ends = byte == b'"' && !escaped;
        escaped = byte == b'\\' && !escaped;
        ends
    });
    end.map_or(text.len(), |end| end + 2)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_stays() {
        let text =
            r#" {"a" :1.50,"a":[ ],"b":[1e3, {"c\\":"x, {\"y\"}"}],"d":{},"e":12345678901234567890123} "#;
        let expected = r#"{
  "a": 1.50,
  "a": [],
  "b": [
    1e3,
    {
      "c\\": "x, {\"y\"}"
    }
  ],
  "d": {},
  "e": 12345678901234567890123
}"#;
        assert_eq!(indented(text), expected);
    }
}
