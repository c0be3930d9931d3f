//! What a client says that it can do: its capabilities, declared at the handshake or in every stateless request.

use serde_json::{Value, json};

use crate::message::{MISSING_CLIENT_CAPABILITY, Object, RpcError};
use crate::revision::Revision;

/// What a client declared of that on which something here depends. The rest, which may be of any size, is not kept.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct ClientCapabilities {
    /// One bit for each path of `PATHS` at which there is an object.
    declared: u8,
}

/// Where the capabilities stand that matter here.
const PATHS: [&[&str]; 7] = [
    &["roots"],
    &["sampling"],
    &["sampling", "tools"],
    &["elicitation"],
    &["elicitation", "form"],
    &["elicitation", "url"],
    &["extensions", TASKS],
];

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
    /// What is known of this declaration.
    pub(crate) fn read(declaration: &Object) -> Self {
        let is_declared = |path: &[&str]| {
            let mut value = None;
            for name in path {
                value = value.map_or_else(|| declaration.get(*name), |value: &Value| value.get(name));
                if value.is_none() {
                    return false;
                }
            }
            value.is_some_and(Value::is_object)
        };
        let bits = PATHS.iter().enumerate().map(|(bit, path)| u8::from(is_declared(path)) << bit);
        Self { declared: bits.fold(0, |all, bit| all | bit) }
    }

    /// Refuses declarations of the wrong types.
    pub(crate) fn check(declaration: &Object, revision: Revision) -> Result<(), RpcError> {
        const KNOWN: [&str; 6] = ["roots", "sampling", "elicitation", "tasks", "experimental", "extensions"];
        for (name, capability) in declaration.iter().filter(|(name, _)| KNOWN.contains(&name.as_str())) {
            let modes: &[&str] = match name.as_str() {
                "sampling" if revision >= Revision::V2025_11_25 => &["context", "tools"],
                "elicitation" if revision >= Revision::V2025_11_25 => &["form", "url"],
                _ => &[],
            };
            let parts = modes.iter().filter_map(|mode| Some((*mode, capability.get(mode)?)));
            if let Some((name, _)) =
                parts.chain([(name.as_str(), capability)]).find(|(_, part)| !part.is_object())
            {
                return Err(RpcError::invalid_params(format!("Invalid params: {name} must be an object")));
            }
        }
        Ok(())
    }

    fn declares(self, path: &[&str]) -> bool {
        PATHS.iter().position(|known| *known == path).is_some_and(|bit| self.declared & (1 << bit) != 0)
    }

    /// Whether the capability is declared; a capability that `revision` does not know cannot be.
    pub(crate) fn has(self, capability: Capability, revision: Revision) -> bool {
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
        ClientCapabilities::read(declared.as_object().unwrap()).has(capability, revision)
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
        let known = json!({
            "roots": {}, "sampling": {"tools": {}}, "elicitation": {"form": {}, "url": {}},
            "extensions": {"io.modelcontextprotocol/tasks": {}},
        });
        let read = |declared: &serde_json::Value| ClientCapabilities::read(declared.as_object().unwrap());
        assert_eq!(read(&all), read(&known));
        assert_eq!(read(&all).declared.count_ones(), 7);
        assert_eq!(
            read(&json!({"tools": {}, "roots": 1, "experimental": {"sampling": {}}})),
            ClientCapabilities::default()
        );
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
