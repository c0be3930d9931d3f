//! Challenges of `WWW-Authenticate` (RFC 9110, section 11.6.1).

use super::event::Headers;

/// One challenge.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Challenge {
    /// The scheme, as it is written.
    pub scheme: String,
    /// The parameters in their order: names in lower case, values without their quotes.
    pub params: Vec<(String, String)>,
    /// What stands in place of parameters.
    pub token68: Option<String>,
}

impl Challenge {
    /// All challenges of a response, over all header lines.
    pub fn all(headers: &Headers) -> Vec<Self> {
        let lines = headers.iter().filter(|(name, _)| name.eq_ignore_ascii_case("www-authenticate"));
        lines.flat_map(|(_, line)| Self::parse(line)).collect()
    }

    /// The challenges of one header line. What is malformed is read as far as it goes.
    pub fn parse(line: &str) -> Vec<Self> {
        let mut challenges: Vec<Self> = Vec::new();
        for element in elements(line) {
            match (parameter(element), challenges.last_mut()) {
                (Some(parameter), Some(current)) => current.params.push(parameter),
                // A parameter without a scheme before it belongs to nothing.
                (Some(_), None) => {}
                (None, _) => {
                    let (scheme, rest) = element.split_once([' ', '\t']).unwrap_or((element, ""));
                    let rest = rest.trim();
                    let mut challenge = Self { scheme: scheme.to_owned(), ..Self::default() };
                    match parameter(rest) {
                        Some(parameter) => challenge.params.push(parameter),
                        None if rest.is_empty() => {}
                        None => challenge.token68 = Some(rest.to_owned()),
                    }
                    challenges.push(challenge);
                }
            }
        }
        challenges
    }

    /// Whether it is of a scheme.
    pub fn is(&self, scheme: &str) -> bool {
        self.scheme.eq_ignore_ascii_case(scheme)
    }

    /// The value of a parameter.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.params.iter().find(|(own, _)| own == name).map(|(_, value)| value.as_str())
    }

    /// The scopes that it names.
    pub fn scopes(&self) -> Vec<&str> {
        let mut scopes: Vec<&str> = self.get("scope").unwrap_or_default().split_ascii_whitespace().collect();
        scopes.sort_unstable();
        scopes.dedup();
        scopes
    }
}

/// What stands between the commas that are not in quotes.
fn elements(line: &str) -> Vec<&str> {
    let (mut elements, mut start) = (Vec::new(), 0);
    let (mut quoted, mut escaped) = (false, false);
    for (place, byte) in line.bytes().enumerate() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if quoted => escaped = true,
            b'"' => quoted = !quoted,
            b',' if !quoted => {
                elements.push(&line[start..place]);
                start = place + 1;
            }
            _ => {}
        }
    }
    elements.push(&line[start..]);
    elements.into_iter().map(str::trim).filter(|element| !element.is_empty()).collect()
}

/// A parameter: `name=value` or `name="value"`.
fn parameter(text: &str) -> Option<(String, String)> {
    let (name, value) = text.split_once('=')?;
    let (name, value) = (name.trim_end(), value.trim_start());
    let is_name = !name.is_empty()
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte));
    // The padding of a token68 looks like the beginning of a value.
    if !is_name || value.is_empty() || value.bytes().all(|byte| byte == b'=') {
        return None;
    }
    let value = match value.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')) {
        None => value.to_owned(),
        Some(quoted) => {
            let mut plain = String::with_capacity(quoted.len());
            let mut characters = quoted.chars();
            while let Some(character) = characters.next() {
                plain.extend(if character == '\\' { characters.next() } else { Some(character) });
            }
            plain
        }
    };
    Some((name.to_ascii_lowercase(), value))
}

#[cfg(test)]
mod tests {
    use super::Challenge;

    fn shown(line: &str) -> Vec<(String, Vec<String>)> {
        let params = |challenge: &Challenge| {
            let params = challenge.params.iter().map(|(name, value)| format!("{name}={value}"));
            params.chain(challenge.token68.iter().cloned()).collect()
        };
        Challenge::parse(line).iter().map(|challenge| (challenge.scheme.clone(), params(challenge))).collect()
    }

    #[test]
    fn challenges_are_told_apart() {
        let of = |scheme: &str, params: &[&str]| {
            (scheme.to_owned(), params.iter().map(|param| (*param).to_owned()).collect::<Vec<_>>())
        };
        assert_eq!(
            shown(r#"Bearer realm="a, b", scope="x y" , Basic realm=z"#),
            [of("Bearer", &["realm=a, b", "scope=x y"]), of("Basic", &["realm=z"])]
        );
        assert_eq!(shown("Bearer"), [of("Bearer", &[])]);
        assert_eq!(
            shown("Negotiate a87421000492aa874209af8bc028=="),
            [of("Negotiate", &["a87421000492aa874209af8bc028=="])]
        );
        assert_eq!(
            shown(r#"bearer Error = "invalid_token",error_description="say \"no\"""#),
            [of("bearer", &["error=invalid_token", r#"error_description=say "no""#])]
        );
        assert_eq!(shown(r#"Newauth, Bearer scope="""#), [of("Newauth", &[]), of("Bearer", &["scope="])]);
        for odd in ["", ",,", "=", "a=b", "\"", "Bearer \"", "Bearer a=\"b", "Bearer ="] {
            let _ = shown(odd);
        }
    }
}
