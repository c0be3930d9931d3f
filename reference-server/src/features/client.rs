//! What a client says that it can do: its capabilities, declared at the handshake or in every stateless request.

use serde_json::{Value, json};

use crate::message::{MISSING_CLIENT_CAPABILITY, Object, RpcError};
use crate::revision::Revision;

/// The capabilities that a client declared, as it wrote them.
#[derive(Clone, Debug, Default)]
pub(crate) struct ClientCapabilities(Object);

/// Something that a client has to be able to do before it may be asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Capability {
    Roots,
    Sampling,
    /// Sampling in which the model may call tools.
    SamplingTools,
    ElicitationForm,
    ElicitationUrl,
    /// The extension for tasks.
    Tasks,
}

/// The extension for tasks.
pub(crate) const TASKS: &str = "io.modelcontextprotocol/tasks";

impl ClientCapabilities {
    pub(crate) fn new(declared: Object) -> Self {
        Self(declared)
    }

    fn declares(&self, path: &[&str]) -> bool {
        let (first, rest) = path.split_first().map_or(("", path), |(first, rest)| (*first, rest));
        let declared = self.0.get(first);
        rest.iter().fold(declared, |value, name| value?.get(name)).is_some_and(Value::is_object)
    }

    /// The same without what nothing here depends on, which may be of any size.
    pub(crate) fn known(&self) -> Self {
        const PATHS: [&[&str]; 7] = [
            &["roots"],
            &["sampling"],
            &["sampling", "tools"],
            &["elicitation"],
            &["elicitation", "form"],
            &["elicitation", "url"],
            &["extensions", TASKS],
        ];
        let mut known = Object::new();
        for path in PATHS.into_iter().filter(|path| self.declares(path)) {
            let mut place = &mut known;
            for name in path {
                let member = place.entry(*name).or_insert_with(|| Object::new().into());
                let Value::Object(inner) = member else { break };
                place = inner;
            }
        }
        Self(known)
    }

    /// Whether the capability is declared; a capability that `revision` does not know cannot be.
    pub(crate) fn has(&self, capability: Capability, revision: Revision) -> bool {
        if revision < capability.since() {
            return false;
        }
        match capability {
            Capability::Roots => self.declares(&["roots"]),
            Capability::Sampling => self.declares(&["sampling"]),
            Capability::SamplingTools => self.declares(&["sampling", "tools"]),
            Capability::Tasks => self.declares(&["extensions", TASKS]),
            Capability::ElicitationUrl => self.declares(&["elicitation", "url"]),
            // An empty object means forms, and so does what older clients say: any object.
            Capability::ElicitationForm => {
                self.declares(&["elicitation"])
                    && (!self.declares(&["elicitation", "url"]) || self.declares(&["elicitation", "form"]))
            }
        }
    }
}

impl Capability {
    fn since(self) -> Revision {
        match self {
            Self::Roots | Self::Sampling => Revision::V2024_11_05,
            Self::ElicitationForm => Revision::V2025_06_18,
            Self::SamplingTools | Self::ElicitationUrl => Revision::V2025_11_25,
            Self::Tasks => Revision::V2026_07_28,
        }
    }

    /// The capability in the shape of a client's declaration.
    pub(crate) fn declaration(self) -> Value {
        match self {
            Self::Roots => json!({"roots": {}}),
            Self::Sampling => json!({"sampling": {}}),
            Self::SamplingTools => json!({"sampling": {"tools": {}}}),
            Self::ElicitationForm => json!({"elicitation": {"form": {}}}),
            Self::ElicitationUrl => json!({"elicitation": {"url": {}}}),
            Self::Tasks => json!({"extensions": {TASKS: {}}}),
        }
    }

    /// The error for a stateless request that needs the capability and does not declare it.
    pub(crate) fn missing(self) -> RpcError {
        RpcError::new(MISSING_CLIENT_CAPABILITY, "Missing required client capability")
            .with_data(json!({"requiredCapabilities": self.declaration()}))
    }
}

#[cfg(test)]
mod tests {
    use super::{Capability, ClientCapabilities};
    use crate::revision::Revision;
    use serde_json::json;

    fn has(declared: serde_json::Value, capability: Capability, revision: Revision) -> bool {
        ClientCapabilities::new(declared.as_object().unwrap().clone()).has(capability, revision)
    }

    #[test]
    fn an_empty_elicitation_object_means_forms_only() {
        let newest = Revision::V2026_07_28;
        assert!(has(json!({"elicitation": {}}), Capability::ElicitationForm, newest));
        assert!(!has(json!({"elicitation": {}}), Capability::ElicitationUrl, newest));
        assert!(!has(json!({"elicitation": {"url": {}}}), Capability::ElicitationForm, newest));
        assert!(has(json!({"elicitation": {"url": {}}}), Capability::ElicitationUrl, newest));
        assert!(has(json!({"elicitation": {"url": {}, "form": {}}}), Capability::ElicitationForm, newest));
    }

    #[test]
    fn what_is_known_is_all_that_counts() {
        let all = json!({
            "roots": {"listChanged": true}, "sampling": {"tools": {}}, "elicitation": {"url": {}, "form": {}},
            "extensions": {"io.modelcontextprotocol/tasks": {"x": 1}, "example.other/x": {}}, "experimental": {"y": {}},
        });
        let all = ClientCapabilities::new(all.as_object().unwrap().clone());
        let known = json!({
            "roots": {}, "sampling": {"tools": {}}, "elicitation": {"form": {}, "url": {}},
            "extensions": {"io.modelcontextprotocol/tasks": {}},
        });
        assert_eq!(serde_json::Value::Object(all.known().0), known);
        assert_eq!(ClientCapabilities::default().known().0.len(), 0);
    }

    #[test]
    fn a_revision_knows_only_its_own_capabilities() {
        assert!(!has(json!({"elicitation": {}}), Capability::ElicitationForm, Revision::V2025_03_26));
        assert!(!has(json!({"elicitation": {"url": {}}}), Capability::ElicitationUrl, Revision::V2025_06_18));
        assert!(has(json!({"roots": {}}), Capability::Roots, Revision::V2024_11_05));
        assert!(!has(json!({"roots": true}), Capability::Roots, Revision::V2024_11_05));
        assert!(!has(json!({}), Capability::Sampling, Revision::V2024_11_05));
    }
}
