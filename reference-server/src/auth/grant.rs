//! On whose behalf a request is made, and what it may do.

#[cfg(feature = "enterprise")]
use std::collections::BTreeSet;
#[cfg(feature = "enterprise")]
use std::sync::Arc;

#[cfg(feature = "enterprise")]
use crate::enterprise::RoleName;

/// On whose behalf a request is made. What a client keeps with the server (sessions, request states, tasks) is its
/// principal's, whoever else learns of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) enum Principal {
    /// Nobody in particular: without authorization, all clients over HTTP are one.
    #[default]
    Anonymous,
    /// On STDIO: the user who started the server.
    LocalUser,
    /// The subject of an access token, in a role where there are roles. In another role it is somebody else.
    #[cfg(feature = "enterprise")]
    Named(Arc<str>, Option<RoleName>),
}

impl Principal {
    /// Whether it is known who it is.
    pub(crate) fn is_known(&self) -> bool {
        *self != Self::Anonymous
    }

    /// A text that no other principal has.
    pub(crate) fn key(&self) -> String {
        match self {
            Self::Anonymous => "anonymous".to_owned(),
            Self::LocalUser => "local".to_owned(),
            #[cfg(feature = "enterprise")]
            Self::Named(name, None) => format!("named {name}"),
            #[cfg(feature = "enterprise")]
            Self::Named(name, Some(role)) => format!("{} named {name}", role.as_str()),
        }
    }
}

/// What a request may do.
#[derive(Clone, Debug)]
pub(crate) struct Grant {
    pub principal: Principal,
    /// The scopes of the token; `None` where there is no authorization and everything is allowed.
    #[cfg(feature = "enterprise")]
    scopes: Option<BTreeSet<String>>,
}

impl Grant {
    /// What everybody may do where there is no authorization.
    pub(crate) const fn everything() -> Self {
        Self {
            principal: Principal::Anonymous,
            #[cfg(feature = "enterprise")]
            scopes: None,
        }
    }

    /// What the bearer of a token may do, whose scopes have spaces between them.
    #[cfg(feature = "enterprise")]
    pub(crate) fn of_token(subject: &str, scopes: &str, role: Option<RoleName>) -> Self {
        let scopes = scopes.split_ascii_whitespace().map(str::to_owned).collect();
        Self { principal: Principal::Named(subject.into(), role), scopes: Some(scopes) }
    }

    /// Whether it includes a scope.
    #[cfg(feature = "enterprise")]
    pub(crate) fn allows(&self, scope: &str) -> bool {
        self.scopes.as_ref().is_none_or(|scopes| scopes.contains(scope))
    }
}
