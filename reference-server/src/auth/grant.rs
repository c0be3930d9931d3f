//! On whose behalf a request is made, what it may do, and for how long.

#[cfg(feature = "enterprise")]
use std::collections::BTreeSet;
#[cfg(feature = "enterprise")]
use std::sync::Arc;

use tokio::time::Instant;

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

    /// A text that no other principal has: the name of a role has no slash in it, and is never empty.
    pub(crate) fn key(&self) -> String {
        match self {
            Self::Anonymous => "anonymous".to_owned(),
            Self::LocalUser => "local".to_owned(),
            #[cfg(feature = "enterprise")]
            Self::Named(name, role) => format!("{}/{name}", role.as_ref().map_or("", RoleName::as_str)),
        }
    }
}

/// How long a grant is good for. A stream that was opened with it ends with it.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Term(Option<Instant>);

impl Term {
    /// So long from now; what no clock can tell is for ever.
    #[cfg(feature = "enterprise")]
    pub(crate) fn lasting(time: std::time::Duration) -> Self {
        Self(Instant::now().checked_add(time))
    }

    /// Waits for the end; for ever where there is none.
    pub(crate) async fn over(self) {
        match self.0 {
            Some(end) => tokio::time::sleep_until(end).await,
            None => std::future::pending().await,
        }
    }
}

/// What a request may do.
#[derive(Clone, Debug)]
pub(crate) struct Grant {
    pub principal: Principal,
    pub term: Term,
    /// The scopes of the token; `None` where there is no authorization and everything is allowed.
    #[cfg(feature = "enterprise")]
    scopes: Option<BTreeSet<String>>,
}

impl Grant {
    /// What everybody may do where there is no authorization.
    pub(crate) const fn everything() -> Self {
        Self {
            principal: Principal::Anonymous,
            term: Term(None),
            #[cfg(feature = "enterprise")]
            scopes: None,
        }
    }

    /// What the bearer of a token may do, whose scopes have spaces between them.
    #[cfg(feature = "enterprise")]
    pub(crate) fn of_token(subject: &str, scopes: &str, role: Option<RoleName>) -> Self {
        let scopes = scopes.split_ascii_whitespace().map(str::to_owned).collect();
        Self {
            principal: Principal::Named(subject.into(), role),
            term: Term::default(),
            scopes: Some(scopes),
        }
    }

    /// The same for a while.
    #[cfg(feature = "enterprise")]
    pub(crate) fn with_term(self, term: Term) -> Self {
        Self { term, ..self }
    }

    /// Whether it includes a scope.
    #[cfg(feature = "enterprise")]
    pub(crate) fn allows(&self, scope: &str) -> bool {
        self.scopes.as_ref().is_none_or(|scopes| scopes.contains(scope))
    }
}

#[cfg(all(test, feature = "enterprise"))]
mod tests {
    use super::Principal;
    use crate::enterprise::RoleName;

    #[test]
    fn no_two_principals_have_one_key() {
        let named =
            |name: &str, role: Option<&str>| Principal::Named(name.into(), role.map(RoleName::new)).key();
        let keys = [
            Principal::Anonymous.key(),
            Principal::LocalUser.key(),
            named("anonymous", None),
            named("sue", None),
            named("sue", Some("named")),
            named("named sue", None),
            named("named sue", Some("named")),
            named("named/sue", None),
            named("/sue", None),
            named("", None),
        ];
        let mut apart = keys.to_vec();
        apart.sort();
        apart.dedup();
        assert_eq!(apart.len(), keys.len(), "{keys:?}");
    }
}
