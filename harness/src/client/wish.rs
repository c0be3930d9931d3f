//! What a server can ask its client for, in a request of its own or in a demand for input.

use serde_json::Value;

/// What a server can ask its client for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Wish {
    /// A form to be filled in by the user.
    Form,
    /// A page to be visited by the user.
    Url,
    /// A message of the model.
    Sampling,
    /// A message of the model, which may use tools on the way.
    SamplingTools,
    /// The folders in which the user works.
    Roots,
}

impl Wish {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::Form, Self::Url, Self::Sampling, Self::SamplingTools, Self::Roots];

    /// What a request asks for, if it is one of the three that servers have for it.
    pub fn of(method: &str, params: Option<&Value>) -> Option<Self> {
        let member = |name: &str| params.and_then(|params| params.get(name));
        match method {
            "elicitation/create" if member("mode").and_then(Value::as_str) == Some("url") => Some(Self::Url),
            "elicitation/create" => Some(Self::Form),
            "sampling/createMessage" if member("tools").or(member("toolChoice")).is_some() => {
                Some(Self::SamplingTools)
            }
            "sampling/createMessage" => Some(Self::Sampling),
            "roots/list" => Some(Self::Roots),
            _ => None,
        }
    }

    /// The capability under which a client declares it.
    pub const fn capability(self) -> &'static str {
        match self {
            Self::Form | Self::Url => "elicitation",
            Self::Sampling | Self::SamplingTools => "sampling",
            Self::Roots => "roots",
        }
    }

    /// Whether a client with these capabilities declared its kind at all, whatever the mode.
    pub fn is_known_to(self, capabilities: &Value) -> bool {
        capabilities.get(self.capability()).is_some_and(|value| !value.is_null())
    }

    /// Whether a client with these capabilities may be asked for it (2025-11-25, client/elicitation#capabilities and
    /// client/sampling#capabilities): an empty `elicitation` means forms.
    pub fn is_declared_by(self, capabilities: &Value) -> bool {
        let has = |path: &str| capabilities.pointer(path).is_some_and(|value| !value.is_null());
        match self {
            Self::Form => {
                has("/elicitation/form") || (self.is_known_to(capabilities) && !has("/elicitation/url"))
            }
            Self::Url => has("/elicitation/url"),
            Self::Sampling | Self::Roots => self.is_known_to(capabilities),
            Self::SamplingTools => has("/sampling/tools"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_request_is_known_by_its_method_and_mode() {
        let of = |method: &str, params: Value| Wish::of(method, Some(&params));
        assert_eq!(of("elicitation/create", json!({})), Some(Wish::Form));
        assert_eq!(of("elicitation/create", json!({"mode": "url"})), Some(Wish::Url));
        assert_eq!(of("sampling/createMessage", json!({})), Some(Wish::Sampling));
        assert_eq!(of("sampling/createMessage", json!({"tools": []})), Some(Wish::SamplingTools));
        assert_eq!(Wish::of("roots/list", None), Some(Wish::Roots));
        assert_eq!(Wish::of("ping", None), None);
    }

    #[test]
    fn an_empty_elicitation_means_forms() {
        let empty = json!({"elicitation": {}, "sampling": {}});
        assert!(Wish::Form.is_declared_by(&empty) && !Wish::Url.is_declared_by(&empty));
        assert!(Wish::Sampling.is_declared_by(&empty) && !Wish::SamplingTools.is_declared_by(&empty));
        let url = json!({"elicitation": {"url": {}}});
        assert!(Wish::Url.is_declared_by(&url) && !Wish::Form.is_declared_by(&url));
        assert!(!Wish::Roots.is_declared_by(&url) && Wish::Form.is_known_to(&url));
    }
}
