//! Resources of the profile: documents, and records by their URI.

use serde_json::{Value, json};

use crate::enterprise::database::{Broken, Wanted};
use crate::enterprise::desk::Desk;
use crate::enterprise::domain::Kind;
use crate::enterprise::masking::Place;
use crate::faults::Duty;
use crate::features::{ListKind, page_of, resource_not_found};
use crate::legacy::Session;
use crate::message::{Object, RpcError, string};
use crate::revision::Revision;

/// The most orders of one customer that are read at once.
const MOST_ORDERS: usize = 100;

/// Resources whose URIs have one pattern; one resource where there is no variable in it.
pub(super) struct Family {
    pub pattern: &'static str,
    name: &'static str,
    title: &'static str,
    description: &'static str,
    source: Source,
}

/// Where the text comes from.
#[derive(Clone, Copy)]
enum Source {
    Document(&'static str),
    Record(Kind),
    OrdersOfCustomer,
}

const fn family(
    pattern: &'static str,
    name: &'static str,
    title: &'static str,
    description: &'static str,
    source: Source,
) -> Family {
    if let Source::Document(text) = source {
        assert!(!text.is_empty(), "an empty document is found when the program is made");
    }
    Family { pattern, name, title, description, source }
}

/// In the order in which they are listed.
pub(super) const FAMILIES: &[Family] = &[
    family(
        "policy://returns",
        "returns",
        "Returns",
        "How goods come back",
        Source::Document(include_str!("../../fixtures/enterprise/policy-returns.md")),
    ),
    family(
        "policy://privacy",
        "privacy",
        "Privacy",
        "Who sees what",
        Source::Document(include_str!("../../fixtures/enterprise/policy-privacy.md")),
    ),
    family(
        "customer://{id}",
        "customer",
        "Customer",
        "A customer, as your role sees it",
        Source::Record(Kind::Customer),
    ),
    family(
        "customer://{id}/orders",
        "orders-of-customer",
        "Orders of a customer",
        "The orders of a customer, as your role sees them",
        Source::OrdersOfCustomer,
    ),
    family("order://{id}", "order", "Order", "An order, as your role sees it", Source::Record(Kind::Order)),
    family(
        "employee://{id}",
        "employee",
        "Employee",
        "An employee, as your role sees it",
        Source::Record(Kind::Employee),
    ),
];

impl Family {
    /// The kind of the record that the variable names.
    pub(super) const fn kind(&self) -> Option<Kind> {
        match self.source {
            Source::Document(_) => None,
            Source::Record(kind) => Some(kind),
            Source::OrdersOfCustomer => Some(Kind::Customer),
        }
    }

    /// Whether its records are in the list.
    pub(super) fn lists(&self, kind: Kind) -> bool {
        matches!(self.source, Source::Record(own) if own == kind)
    }

    const fn mime_type(&self) -> &'static str {
        match self.source {
            Source::Document(_) => "text/markdown",
            _ => "application/json",
        }
    }

    /// What a URI has in the place of the variable, if it belongs here; empty where there is none. An id is letters and
    /// digits of one form, so that no URI leads anywhere else.
    pub(super) fn id_in<'u>(&self, uri: &'u str) -> Option<&'u str> {
        let Some((before, after)) = self.pattern.split_once("{id}") else {
            return (uri == self.pattern).then_some("");
        };
        let id = uri.strip_prefix(before)?.strip_suffix(after)?;
        self.kind().filter(|kind| kind.is_id(id)).map(|_| id)
    }

    fn text(&self, desk: &Desk<'_>, id: &str) -> Result<Option<String>, Broken> {
        Ok(match self.source {
            Source::Document(text) => Some(text.to_owned()),
            Source::Record(kind) => {
                desk.find(Place::Resource, kind, id)?.map(|view| view.into_value().to_string())
            }
            Source::OrdersOfCustomer => match desk.profile.database.record(Kind::Customer, id)? {
                None => None,
                Some(_) => {
                    let wanted =
                        Wanted { equal: vec![("customer", id)], limit: MOST_ORDERS, ..Wanted::default() };
                    let orders = desk.profile.database.records(Kind::Order, &wanted)?;
                    Some(desk.eyes(Place::Resource).views(&orders).to_string())
                }
            },
        })
    }

    fn definition(&self, revision: Revision) -> Value {
        let member = if self.kind().is_some() { "uriTemplate" } else { "uri" };
        let mut definition = json!({
            member: self.pattern, "name": self.name, "description": self.description, "mimeType": self.mime_type(),
        });
        if revision.has_titles() {
            definition["title"] = self.title.into();
        }
        definition
    }
}

/// A record as a resource in a list.
fn listed(kind: Kind, id: &str, revision: Revision) -> Value {
    let mut definition = json!({"uri": kind.uri(id), "name": id, "mimeType": "application/json"});
    if revision.has_titles() {
        definition["title"] = format!("The {} {id}", kind.name()).into();
    }
    definition
}

impl Desk<'_> {
    /// The object inside `contents` that a URI names for the role.
    pub(super) fn read(&self, uri: &str) -> Result<Option<Value>, Broken> {
        let others = if self.context.server.keeps(Duty::RoleChecked) { &[][..] } else { FAMILIES };
        if let Some(elsewhere) = climbed(uri).filter(|_| !self.context.server.keeps(Duty::UrisDoNotClimb)) {
            return self.read_any(&elsewhere, FAMILIES.iter());
        }
        self.read_any(uri, self.role.families.iter().copied().chain(others))
    }

    fn read_any(
        &self,
        uri: &str,
        mut families: impl Iterator<Item = &'static Family>,
    ) -> Result<Option<Value>, Broken> {
        let found = families.find_map(|family| Some((family, family.id_in(uri)?)));
        let Some((family, id)) = found else { return Ok(None) };
        let text = family.text(self, id)?;
        Ok(text.map(|text| json!({"uri": uri, "mimeType": family.mime_type(), "text": text})))
    }
}

/// Where a URI leads that is taken for a path, as a broken server takes it: `a://1/../../b/2` to `b://2`.
fn climbed(uri: &str) -> Option<String> {
    let (_, below) = uri.split_once("/../../")?;
    let (scheme, id) = below.split_once('/')?;
    Some(format!("{scheme}://{id}"))
}

/// `resources/list`.
pub(super) fn list(desk: &Desk<'_>) -> Result<Object, RpcError> {
    let revision = desk.context.revision;
    let mut all: Vec<(Option<Kind>, String)> = Vec::new();
    for family in &desk.role.families {
        match family.source {
            Source::Document(_) => all.push((None, family.pattern.to_owned())),
            Source::Record(kind) => {
                all.extend(desk.profile.database.ids(kind)?.into_iter().map(|id| (Some(kind), id)));
            }
            Source::OrdersOfCustomer => {}
        }
    }
    let define = |(kind, id): (Option<Kind>, String)| match kind {
        Some(kind) => listed(kind, &id, revision),
        None => FAMILIES
            .iter()
            .find(|family| family.pattern == id)
            .map_or(Value::Null, |family| family.definition(revision)),
    };
    let (owner, params) = (desk.context.principal().key(), &desk.context.request.params);
    page_of(&desk.context.server, &owner, ListKind::Resources, params, all.into_iter(), define)
}

/// `resources/templates/list`.
pub(super) fn list_templates(desk: &Desk<'_>) -> Result<Object, RpcError> {
    let (context, revision) = (desk.context, desk.context.revision);
    let templates = desk.role.families.iter().filter(|family| family.kind().is_some());
    let (owner, params) = (context.principal().key(), &context.request.params);
    page_of(&context.server, &owner, ListKind::Templates, params, templates, |family| {
        family.definition(revision)
    })
}

/// `resources/read`.
pub(super) fn read(desk: &Desk<'_>) -> Result<Object, RpcError> {
    let uri = string(&desk.context.request.params, "uri")?;
    let contents = desk.read(uri)?.ok_or_else(|| resource_not_found(desk.context.revision, uri))?;
    let mut result = Object::new();
    result.insert("contents".into(), json!([contents]));
    Ok(result)
}

/// `resources/subscribe` of the revisions with a session.
pub(super) fn subscribe(desk: &Desk<'_>, session: &Session) -> Result<Object, RpcError> {
    let uri = string(&desk.context.request.params, "uri")?;
    if desk.read(uri)?.is_none() && desk.context.server.keeps(Duty::SubscriptionsOfOwnView) {
        return Err(resource_not_found(desk.context.revision, uri));
    }
    session.subscribe(uri)?;
    Ok(Object::new())
}
