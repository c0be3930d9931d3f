//! Parameters as OAuth sends them: in the query of a URL, or as a form.

use std::collections::BTreeMap;

/// Parameters, each once: one that comes twice makes all of them invalid (OAuth 2.1, section 3.1).
pub(super) struct Form(BTreeMap<String, String>);

impl Form {
    pub(super) fn read(text: &[u8]) -> Option<Self> {
        let mut form = BTreeMap::new();
        for (name, value) in form_urlencoded::parse(text) {
            if form.insert(name.into_owned(), value.into_owned()).is_some() {
                return None;
            }
        }
        Some(Self(form))
    }

    /// A parameter; empty where there is none.
    pub(super) fn get(&self, name: &str) -> &str {
        self.0.get(name).map_or("", String::as_str)
    }
}

/// A URI with parameters added to its query.
pub(super) fn with_query(uri: &str, parameters: &[(&str, &str)]) -> String {
    let mut query = form_urlencoded::Serializer::new(String::new());
    query.extend_pairs(parameters.iter().filter(|(_, value)| !value.is_empty()));
    let separator = if uri.contains('?') { '&' } else { '?' };
    format!("{uri}{separator}{}", query.finish())
}
