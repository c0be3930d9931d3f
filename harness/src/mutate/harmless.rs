//! That a change makes no name of a host out of what was none.

use crate::generate::names_no_real_host;
use std::collections::BTreeSet;
use std::net::Ipv4Addr;

/// Schemes with which programs connect to a host.
const NETWORK: [&str; 12] =
    ["http", "https", "ws", "wss", "ftp", "ftps", "sftp", "ssh", "git", "smb", "ldap", "tcp"];

/// Whether changed bytes name no host of the network (by a URL, or an IPv4 address) that the bytes before the change did
/// not name. Loopback, reserved names and addresses for documentation are no hosts of the network.
pub fn adds_no_real_host(before: &[u8], after: &[u8]) -> bool {
    let named = hosts(after);
    named.is_empty() || named.is_subset(&hosts(before))
}

/// URLs and addresses of the network in a text.
fn hosts(bytes: &[u8]) -> BTreeSet<String> {
    let text = String::from_utf8_lossy(bytes);
    let mut found = BTreeSet::new();
    for (at, _) in text.match_indices("//") {
        let scheme_end = text[..at].trim_end_matches(':').len();
        let scheme_start = text[..scheme_end]
            .rfind(|c: char| !c.is_ascii_alphanumeric() && !"+-.".contains(c))
            .map_or(0, |before| before + text[before..].chars().next().map_or(1, char::len_utf8));
        let scheme = text[scheme_start..scheme_end].to_ascii_lowercase();
        let rest = &text[at..];
        let end = rest
            .find(|c: char| c.is_whitespace() || c.is_control() || "\"'<>\\".contains(c))
            .unwrap_or(rest.len());
        let authority = &rest[..end];
        // With no scheme it is a reference to a host only where a text begins with it.
        let begins =
            text[..at].chars().next_back().is_none_or(|c| c == '"' || c == '\'' || c.is_whitespace());
        let url = format!("http:{authority}");
        let network = NETWORK.iter().any(|known| scheme.ends_with(known)) && text[..at].ends_with(':');
        if (network || begins) && authority.len() > 2 && !names_no_real_host(&url) {
            found.insert(url);
        }
    }
    for word in text.split(|c: char| !c.is_ascii_digit() && c != '.') {
        if let Ok(address) = word.trim_matches('.').parse::<Ipv4Addr>()
            && !(address.is_loopback() || address.is_unspecified() || address.is_documentation())
        {
            found.insert(address.to_string());
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_that_come_out_of_a_change_are_seen() {
        let quiet =
            r#"{"url":"http://127.0.0.1:8080/x","uri":"note://alpha","path":"a//b","ip":"192.0.2.5"}"#;
        for after in [
            quiet,
            r#"{"url":"http://localhost/"}"#,
            r#"{"uri":"note://blpha"}"#,
            r#"{"path":"a//c.dev"}"#,
            r#"{"v":"1.2.3"}"#,
        ] {
            assert!(adds_no_real_host(quiet.as_bytes(), after.as_bytes()), "{after}");
        }
        for after in [
            r#"{"url":"http://12.0.0.1:8080/x"}"#,
            r#"{"url":"xhttps://github.com/"}"#,
            r#"{"path":"//cdn.dev/x"}"#,
            r#"{"ip":"19.0.2.5"}"#,
            "x http://service.dev",
        ] {
            assert!(!adds_no_real_host(quiet.as_bytes(), after.as_bytes()), "{after}");
            // What was named before is none of ours.
            assert!(adds_no_real_host(after.as_bytes(), after.as_bytes()), "{after}");
        }
    }
}
