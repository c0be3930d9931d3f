//! The grammars that text inside messages has to follow: URIs, URI templates, base64, media types, `_meta` keys.

use base64::Engine as _;
use base64::alphabet;
use base64::engine::{GeneralPurpose, GeneralPurposeConfig};

/// The standard alphabet with padding; bits that stand for nothing are ignored, as most decoders do.
const STRICT: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_allow_trailing_bits(true),
);

/// How good a URI is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum UriFault {
    /// It has no scheme, or its scheme is none by RFC 3986.
    Scheme,
    /// It has white space or another character that is never allowed.
    Character,
    /// It has raw characters beyond ASCII: an IRI.
    NotAscii,
}

/// What is wrong with a URI by RFC 3986: an absolute one with a scheme is wanted.
pub(super) fn uri_fault(text: &str) -> Option<UriFault> {
    let Some((scheme, rest)) = text.split_once(':') else { return Some(UriFault::Scheme) };
    let mut letters = scheme.bytes();
    let first = letters.next().is_some_and(|byte| byte.is_ascii_alphabetic());
    if !first || !letters.all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'-' | b'.')) {
        return Some(UriFault::Scheme);
    }
    if rest.chars().any(|c| {
        c.is_whitespace()
            || c.is_control()
            || matches!(c, '"' | '<' | '>' | '\\' | '^' | '`' | '{' | '|' | '}')
    }) || !percent_encoded(rest)
    {
        return Some(UriFault::Character);
    }
    (!rest.is_ascii()).then_some(UriFault::NotAscii)
}

/// Whether each `%` is followed by two hexadecimal digits.
fn percent_encoded(text: &str) -> bool {
    let bytes = text.as_bytes();
    bytes.iter().enumerate().filter(|(_, byte)| **byte == b'%').all(|(at, _)| {
        bytes.get(at + 1).is_some_and(u8::is_ascii_hexdigit)
            && bytes.get(at + 2).is_some_and(u8::is_ascii_hexdigit)
    })
}

/// Whether a text is a URI template by RFC 6570: balanced braces, a known operator, legal variable names.
pub(super) fn is_uri_template(text: &str) -> bool {
    let mut rest = text;
    while let Some(at) = rest.find(['{', '}']) {
        let Some(inner) = rest[at..].strip_prefix('{') else { return false };
        let Some(end) = inner.find('}') else { return false };
        let expression = &inner[..end];
        let names = expression.strip_prefix(['+', '#', '.', '/', ';', '?', '&']).unwrap_or(expression);
        if !names.split(',').all(is_template_variable) {
            return false;
        }
        rest = &inner[end + 1..];
    }
    !text.chars().any(|c| c.is_control() || matches!(c, ' ' | '"' | '<' | '>' | '\\' | '^' | '`' | '|'))
}

fn is_template_variable(text: &str) -> bool {
    let name = match text.strip_suffix('*') {
        Some(name) => name,
        None => match text.split_once(':') {
            Some((name, length)) => {
                let digits = !length.is_empty()
                    && length.len() <= 4
                    && length.bytes().all(|byte| byte.is_ascii_digit());
                if !digits || length.starts_with('0') {
                    return false;
                }
                name
            }
            None => text,
        },
    };
    let part = |part: &str| {
        !part.is_empty()
            && percent_encoded(part)
            && part.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'%'))
    };
    name.split('.').all(part)
}

/// The names of the variables of a URI template, in order.
pub fn template_variables(text: &str) -> Vec<String> {
    let mut names = Vec::new();
    for inner in text.split('{').skip(1) {
        let Some((expression, _)) = inner.split_once('}') else { continue };
        let list = expression.strip_prefix(['+', '#', '.', '/', ';', '?', '&']).unwrap_or(expression);
        for variable in list.split(',') {
            let name = variable.split([':', '*']).next().unwrap_or(variable);
            if !name.is_empty() {
                names.push(name.to_owned());
            }
        }
    }
    names
}

/// Whether a text is base64 of the standard alphabet with padding, without line breaks.
pub(super) fn is_base64(text: &str) -> bool {
    STRICT.decode(text).is_ok()
}

/// How many bytes base64 stands for, if it is base64.
pub fn base64_length(text: &str) -> Option<usize> {
    STRICT.decode(text).ok().map(|bytes| bytes.len())
}

/// Whether a text is `type/subtype`, perhaps with parameters (RFC 6838, RFC 9110).
pub(super) fn is_media_type(text: &str) -> bool {
    let essence = text.split(';').next().unwrap_or(text).trim();
    let token = |part: &str| {
        !part.is_empty()
            && part.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"!#$&-^_.+%'*`|~".contains(&byte))
    };
    essence.split_once('/').is_some_and(|(kind, subtype)| token(kind) && token(subtype))
}

/// Whether the prefix of a `_meta` key is one: labels joined by dots.
pub(super) fn is_meta_prefix(prefix: &str) -> bool {
    prefix.split('.').all(|label| {
        let bytes = label.as_bytes();
        let inside = bytes.iter().all(|byte| byte.is_ascii_alphanumeric() || *byte == b'-');
        inside
            && bytes.first().is_some_and(u8::is_ascii_alphabetic)
            && bytes.last().is_some_and(u8::is_ascii_alphanumeric)
    })
}

/// Whether the name of a `_meta` key is one; the empty name is.
pub(super) fn is_meta_name(name: &str) -> bool {
    let bytes = name.as_bytes();
    let inside = bytes.iter().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.'));
    let ends = [bytes.first(), bytes.last()].into_iter().flatten().all(u8::is_ascii_alphanumeric);
    inside && ends
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn uris() {
        for (text, expected) in [
            ("file:///a%20b", None),
            ("note://welcome", None),
            ("urn:isbn:1", None),
            ("https://[::1]/", None),
            ("relative/path", Some(UriFault::Scheme)),
            ("my_scheme://x", Some(UriFault::Scheme)),
            ("1a:x", Some(UriFault::Scheme)),
            ("", Some(UriFault::Scheme)),
            ("file:///a b", Some(UriFault::Character)),
            ("file:///a%2", Some(UriFault::Character)),
            ("file:///ü", Some(UriFault::NotAscii)),
        ] {
            assert_eq!(uri_fault(text), expected, "{text}");
        }
    }

    #[test]
    fn uri_templates() {
        for good in ["a://{b}", "a://{+path}/{x,y*}{?q,r:12}", "a://plain", "a://{a.b_c}", "{%20}"] {
            assert!(is_uri_template(good), "{good}");
        }
        for bad in
            ["a://{b", "a://b}", "a://{}", "a://{b c}", "a://{b:0}", "a://{b:x}", "a b", "{!a}", "{a,}"]
        {
            assert!(!is_uri_template(bad), "{bad}");
        }
        assert_eq!(template_variables("a://{b}/{+c,d*}{?e:3}"), ["b", "c", "d", "e"]);
    }

    #[test]
    fn base64_and_media_types() {
        assert!(is_base64("aGk="));
        assert!(is_base64(""));
        for bad in ["aGk", "aG-_", "data:image/png;base64,aGk=", "aG\nk=", "aGk=="] {
            assert!(!is_base64(bad), "{bad}");
        }
        for good in ["image/png", "text/plain; charset=utf-8", "image/svg+xml"] {
            assert!(is_media_type(good), "{good}");
        }
        for bad in ["png", "/png", "image/", "image png/x", ""] {
            assert!(!is_media_type(bad), "{bad}");
        }
    }

    #[test]
    fn meta_keys() {
        for good in ["com.example", "a", "a-b.c1"] {
            assert!(is_meta_prefix(good), "{good}");
        }
        for bad in ["", "1a", "a-", "a..b", "a_b", "-a"] {
            assert!(!is_meta_prefix(bad), "{bad}");
        }
        for good in ["", "a", "a_b-c.d", "9"] {
            assert!(is_meta_name(good), "{good}");
        }
        for bad in ["_a", "a-", "a b", "a/b"] {
            assert!(!is_meta_name(bad), "{bad}");
        }
    }
}
