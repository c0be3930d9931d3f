//! Which of the headers that the user gave for every request let a client in.

use crate::transcript::names_a_secret;

/// Headers that every client may send, and that let nobody in.
const ORDINARY: [&str; 12] = [
    "accept",
    "accept-language",
    "accept-encoding",
    "baggage",
    "content-type",
    "forwarded",
    "host",
    "origin",
    "traceparent",
    "tracestate",
    "user-agent",
    "x-request-id",
];

/// The headers of the user that let a client in.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Bearing {
    /// Their names, as the user wrote them.
    pub names: Vec<String>,
    /// Whether their names say so. If not, they are all that the user gave, and only HTTP 401 without them shows that one
    /// of them is what lets in.
    pub known: bool,
}

impl Bearing {
    /// Those among some headers.
    pub fn among(headers: &[(String, String)]) -> Self {
        let select = |is_one: fn(&str) -> bool| -> Vec<String> {
            let found = headers.iter().filter(|(name, _)| is_one(name));
            found.map(|(name, _)| name.clone()).collect()
        };
        let known = select(names_a_secret);
        if !known.is_empty() {
            return Self { names: known, known: true };
        }
        Self { names: select(|name| !ORDINARY.contains(&name.to_ascii_lowercase().as_str())), known: false }
    }

    /// The header that holds a token: `Authorization`, unless the user gave only others.
    pub fn carrier(&self) -> &str {
        let usual = || self.names.iter().any(|name| name.eq_ignore_ascii_case("authorization"));
        match self.names.first() {
            Some(other) if self.known && !usual() => other,
            _ => "Authorization",
        }
    }

    /// What stands in the [carrier](Self::carrier) for a token.
    pub fn carried(&self, token: &str) -> String {
        if self.carrier().eq_ignore_ascii_case("authorization") {
            format!("Bearer {token}")
        } else {
            token.to_owned()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Bearing;

    fn among(names: &[&str]) -> Bearing {
        let headers: Vec<_> = names.iter().map(|name| ((*name).to_owned(), "x".to_owned())).collect();
        Bearing::among(&headers)
    }

    #[test]
    fn what_lets_in_is_known_by_its_name() {
        for (given, names, carrier) in [
            (&["Authorization"][..], &["Authorization"][..], "Authorization"),
            (&["X-API-Key", "X-Tenant"], &["X-API-Key"], "X-API-Key"),
            (&["X-Api-Key", "authorization"], &["X-Api-Key", "authorization"], "Authorization"),
            (&["Cookie"], &["Cookie"], "Cookie"),
            (&["X-Auth-Token"], &["X-Auth-Token"], "X-Auth-Token"),
        ] {
            let bearing = among(given);
            assert_eq!(
                (bearing.names.as_slice(), bearing.known),
                (&names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>()[..], true)
            );
            assert_eq!(bearing.carrier(), carrier, "{given:?}");
        }
        assert_eq!(among(&["X-API-Key"]).carried("t"), "t");
        assert_eq!(among(&[]).carried("t"), "Bearer t");
    }

    #[test]
    fn without_a_name_that_says_so_it_may_be_any_of_them() {
        let bearing = among(&["User-Agent", "X-Door"]);
        assert_eq!((bearing.names.as_slice(), bearing.known), (&["X-Door".to_owned()][..], false));
        assert_eq!(bearing.carrier(), "Authorization");
        assert_eq!(among(&["user-agent"]), Bearing::default());
    }
}
