//! Strings for the formats of JSON Schema. Hosts are loopback, reserved names or documentation addresses, never real.

use super::choice::Choices;
use std::net::Ipv4Addr;
use url::{Host, Url};

/// A string of a format; `None` for a format that is not known, which any string meets.
pub(super) fn string_of(format: &str, choices: &mut dyn Choices) -> Option<String> {
    let number = choices.below(100);
    let text = match format {
        "date" => date(choices),
        "time" => time(choices),
        "date-time" => format!("{}T{}", date(choices), time(choices)),
        "duration" => format!("P{}DT{}H", number % 30 + 1, number % 24),
        "email" | "idn-email" => format!("mcprove{number}@mcprove.example"),
        "hostname" | "idn-hostname" => host(choices),
        "ipv4" => format!("192.0.2.{}", number + 1),
        "ipv6" => format!("2001:db8::{:x}", number + 1),
        "uri" | "iri" | "url" => uri(choices),
        "uri-reference" | "iri-reference" => {
            if choices.flip() {
                uri(choices)
            } else {
                format!("/mcprove/{number}")
            }
        }
        "uri-template" => format!("https://mcprove.example/{{name}}/{number}"),
        "uuid" => uuid(choices),
        "json-pointer" => format!("/mcprove/{number}"),
        "relative-json-pointer" => format!("{}/mcprove", number % 10),
        "regex" => "^mcprove[0-9]*$".to_owned(),
        "byte" | "base64" => ["bWNwcm92ZQ==", "AA==", "bWNw"][choices.index(3)].to_owned(),
        _ => return None,
    };
    Some(text)
}

fn date(choices: &mut dyn Choices) -> String {
    let (year, month, day) = (choices.between(2000, 2037), choices.between(1, 12), choices.between(1, 28));
    format!("{year:04}-{month:02}-{day:02}")
}

fn time(choices: &mut dyn Choices) -> String {
    let (hour, minute, second) = (choices.between(0, 23), choices.between(0, 59), choices.between(0, 59));
    let zone = ["Z", "+02:00", ".250Z"][choices.index(3)];
    format!("{hour:02}:{minute:02}:{second:02}{zone}")
}

fn host(choices: &mut dyn Choices) -> String {
    ["mcprove.example", "localhost", "mcprove.invalid", "a.b.example"][choices.index(4)].to_owned()
}

fn uri(choices: &mut dyn Choices) -> String {
    let host = match choices.below(3) {
        0 => host(choices),
        1 => "127.0.0.1".to_owned(),
        _ => format!("192.0.2.{}", choices.between(1, 254)),
    };
    let scheme = ["https", "http"][choices.index(2)];
    let path = ["", "mcprove", "a/b?c=d", "a%20b"][choices.index(4)];
    format!("{scheme}://{host}/{path}")
}

fn uuid(choices: &mut dyn Choices) -> String {
    let mut part = |bits: u32| choices.below(1 << bits);
    let (time_low, time_middle, version_4) = (part(32), part(16), part(12) | 0x4000);
    let (variant, node) = (part(14) | 0x8000, part(48));
    format!("{time_low:08x}-{time_middle:04x}-{version_4:04x}-{variant:04x}-{node:012x}")
}

/// Whether a string names no host in the network: it is no URL with a host, or the host is loopback, a reserved name
/// or a documentation address.
pub fn names_no_real_host(text: &str) -> bool {
    if !text.contains("//") {
        return true;
    }
    let Ok(url) = Url::parse(text.trim()) else {
        // Not a URL by the strict grammar; lenient readers may still see one.
        return !text.contains("://") && !text.trim_start().starts_with("//");
    };
    match url.host() {
        None => true,
        Some(Host::Ipv4(address)) => is_harmless(address),
        Some(Host::Ipv6(address)) => address.is_loopback() || address.segments()[..2] == [0x2001, 0xdb8],
        Some(Host::Domain(name)) => {
            let name = name.trim_end_matches('.').to_ascii_lowercase();
            ["example", "invalid", "test", "localhost", "example.com", "example.org", "example.net"]
                .iter()
                .any(|reserved| {
                    name.strip_suffix(reserved).is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
                })
        }
    }
}

fn is_harmless(address: Ipv4Addr) -> bool {
    address.is_loopback() || address.octets()[..3] == [192, 0, 2]
}

#[cfg(test)]
mod tests {
    use super::super::choice::Seeded;
    use super::*;
    use serde_json::json;

    #[test]
    fn every_format_makes_what_it_says() {
        let formats = [
            "date",
            "time",
            "date-time",
            "duration",
            "email",
            "idn-email",
            "hostname",
            "ipv4",
            "ipv6",
            "uri",
            "iri",
            "uri-reference",
            "iri-reference",
            "uri-template",
            "uuid",
            "json-pointer",
            "relative-json-pointer",
            "regex",
        ];
        for format in formats {
            let schema = json!({"type": "string", "format": format});
            let validator =
                jsonschema::options().offline().should_validate_formats(true).build(&schema).unwrap();
            for seed in 0..200 {
                let text = string_of(format, &mut Seeded::new(seed)).unwrap();
                assert!(validator.is_valid(&json!(text)), "{format}: {text}");
                assert!(names_no_real_host(&text), "{format}: {text}");
            }
        }
        assert_eq!(string_of("no-such-format", &mut Seeded::new(0)), None);
    }

    #[test]
    fn real_hosts_are_known() {
        for text in [
            "https://github.com/",
            "http://8.8.8.8/",
            "http://notexample/",
            "https://example.evil.dev/x",
            "//cdn.dev/x",
            "x://[bad",
            "http://[2606:4700::1]/",
        ] {
            assert!(!names_no_real_host(text), "{text}");
        }
        for text in [
            "mcprove",
            "file:///srv/x",
            "http://localhost:3000/",
            "https://a.example/",
            "http://[::1]/",
            "urn:x:y",
        ] {
            assert!(names_no_real_host(text), "{text}");
        }
    }
}
