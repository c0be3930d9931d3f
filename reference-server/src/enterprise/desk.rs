//! What a handler of the profile works with: the request, the records, and the eyes of the caller's role.

use serde_json::{Value, json};

use crate::changes::Change;
use crate::context::RequestContext;
use crate::enterprise::audit;
use crate::enterprise::database::{Broken, Wanted};
use crate::enterprise::domain::Kind;
use crate::enterprise::masking::View;
use crate::enterprise::profile::Enterprise;
use crate::enterprise::roles::Role;
use crate::faults::Duty;
use crate::features::{Level, Stop};
use crate::message::{Object, RpcError};

/// One request at work.
pub(super) struct Desk<'a> {
    pub context: &'a RequestContext,
    pub profile: &'a Enterprise,
    pub role: &'a Role,
}

impl<'a> Desk<'a> {
    pub(super) fn of(context: &'a RequestContext) -> Self {
        let profile = context.server.enterprise().expect("only the profile lists what comes here");
        Self { context, profile, role: profile.role(context.principal()) }
    }

    /// What the role sees of a record, if there is one.
    pub(super) fn find(&self, kind: Kind, id: &str) -> Result<Option<View>, Broken> {
        Ok(self.profile.database.record(kind, id)?.map(|record| self.role.masking.view(&record)))
    }

    /// The same for a tool, which fails where there is none.
    pub(super) fn view(&self, kind: Kind, id: &str) -> Result<View, Stop> {
        let none = || Stop::Refused(format!("There is no {} with this id.", kind.name()));
        self.find(kind, id)?.ok_or_else(none)
    }

    /// What the role sees of several records.
    pub(super) fn views(&self, kind: Kind, wanted: &Wanted<'_>) -> Result<Vec<Value>, Broken> {
        let records = self.profile.database.records(kind, wanted)?;
        Ok(records.iter().map(|record| self.role.masking.view(record).into_value()).collect())
    }

    /// Says that records are wanted with this text in a field. A role that does not see the field may not: to find a
    /// record by a value is to know it.
    pub(super) fn by(
        &self,
        wanted: &mut Wanted<'a>,
        kind: Kind,
        field: &'static str,
        text: Option<&'a str>,
    ) -> Result<(), Stop> {
        let Some(text) = text else { return Ok(()) };
        if !self.role.masking.shows(kind, field) {
            return Err(Stop::Refused(format!("Nothing can be found by {field} here.")));
        }
        wanted.equal.push((field, text));
        Ok(())
    }

    /// Says in the audit log that something is about to be changed; without that it must not be.
    pub(super) fn announce(&self) -> Result<(), RpcError> {
        audit::announce(self.profile, self.context)
    }

    /// Tells the client what has been done with a record, which is named and not told.
    pub(super) async fn log(&self, level: Level, event: &str, kind: Kind, record: &View) {
        let mut data = json!({"event": event, "uri": kind.uri(&record.words("id"))});
        if !self.context.server.keeps(Duty::RecordsStayOutOfLogs) {
            data["record"] = record.clone().into_value();
        }
        self.context.log(level, data).await;
    }

    /// Tells those who subscribed that a record has changed.
    pub(super) fn changed(&self, kind: Kind, id: &str) {
        self.context.server.announce(&Change::Resource(kind.uri(id).into()));
    }

    /// Tells those who subscribed that the orders of a customer have changed.
    pub(super) fn orders_changed(&self, customer: &str) {
        let uri = format!("{}/orders", Kind::Customer.uri(customer));
        self.context.server.announce(&Change::Resource(uri.into()));
    }
}

/// A text among the arguments of a tool, which have been checked.
pub(super) fn text<'a>(arguments: &'a Object, name: &str) -> Option<&'a str> {
    arguments.get(name).and_then(Value::as_str)
}

/// The same for one that is required.
pub(super) fn required<'a>(arguments: &'a Object, name: &str) -> &'a str {
    text(arguments, name).unwrap_or_default()
}

/// The most records that one call lists.
const MOST: u8 = 50;

/// How many records are wanted.
pub(super) fn limit(arguments: &Object) -> usize {
    const USUAL: u8 = 10;
    let wanted = arguments.get("limit").and_then(Value::as_f64).unwrap_or(f64::from(USUAL));
    // A number with a point is a whole one too, to the schema.
    (1..=MOST).find(|limit| f64::from(*limit) >= wanted).unwrap_or(MOST).into()
}

/// The schema of `limit`.
pub(super) fn limit_schema() -> Value {
    json!({"type": "integer", "minimum": 1, "maximum": MOST, "description": "How many at most; 10 if not given"})
}

/// The schema of an id.
pub(super) fn id_schema(kind: Kind) -> Value {
    json!({
        "type": "string",
        "pattern": kind.id_pattern(),
        "description": format!("The id of the {}", kind.name()),
        "examples": [kind.example()],
    })
}
