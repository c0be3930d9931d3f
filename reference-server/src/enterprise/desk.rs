//! What a handler of the profile works with: the request, the records, and the eyes of the caller's role.

use std::borrow::Cow;

use serde_json::{Value, json};

use crate::changes::Change;
use crate::context::RequestContext;
use crate::enterprise::audit;
use crate::enterprise::database::{Broken, Wanted};
use crate::enterprise::domain::Kind;
use crate::enterprise::masking::{Masking, Place, Record, Sight, View};
use crate::enterprise::profile::Enterprise;
use crate::enterprise::roles::Role;
use crate::faults::Duty;
use crate::features::{Level, Stop, ToolResult};
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
        let strangers = context.server.keeps(Duty::StrangersHaveTheLeast);
        let role = profile.known_role(context.principal());
        let role =
            role.unwrap_or_else(|| if strangers { profile.roles.least() } else { profile.roles.widest() });
        Self { context, profile, role }
    }

    /// The eyes that look at a record for a place: those of the role.
    pub(super) fn eyes(&self, place: Place) -> Cow<'a, Masking> {
        let (server, masking) = (&self.context.server, &self.role.masking);
        if !server.keeps(Duty::FieldsMasked(place)) {
            Cow::Owned(masking.opened(&[Sight::Masked, Sight::Tokenised]))
        } else if !server.keeps(Duty::StandInsShown) {
            Cow::Owned(masking.opened(&[Sight::Tokenised]))
        } else if !server.keeps(Duty::WrittenMarked) {
            Cow::Owned(masking.unmarked())
        } else {
            Cow::Borrowed(masking)
        }
    }

    /// What the role sees of a record in a place, if there is one.
    pub(super) fn find(&self, place: Place, kind: Kind, id: &str) -> Result<Option<View>, Broken> {
        Ok(self.profile.database.record(kind, id)?.map(|record| self.eyes(place).view(&record)))
    }

    /// A record for a tool, which fails where there is none.
    pub(super) fn record(&self, kind: Kind, id: &str) -> Result<Record, Stop> {
        let none = || Stop::Refused(format!("There is no {} with this id.", kind.name()));
        self.profile.database.record(kind, id)?.ok_or_else(none)
    }

    /// What the role sees of a record in the structured content of a tool.
    pub(super) fn view(&self, record: &Record) -> View {
        self.eyes(Place::Structured).view(record)
    }

    /// A tool result with a record.
    pub(super) fn result(&self, name: &str, record: &Record) -> ToolResult {
        self.seen(|eyes| json!({name: eyes.view(record).into_value()}))
    }

    /// A tool result with the records that are wanted.
    pub(super) fn results(&self, name: &str, kind: Kind, wanted: &Wanted<'_>) -> Result<ToolResult, Broken> {
        let records = self.profile.database.records(kind, wanted)?;
        Ok(self.seen(|eyes| json!({name: eyes.views(&records)})))
    }

    /// A tool result, whose text is the same as its structured content.
    fn seen(&self, look: impl Fn(&Masking) -> Value) -> ToolResult {
        let result = ToolResult::structured(look(&self.eyes(Place::Structured)));
        match self.eyes(Place::ToolText) {
            Cow::Borrowed(_) if self.context.server.keeps(Duty::FieldsMasked(Place::Structured)) => result,
            eyes => ToolResult { structured: result.structured, ..ToolResult::text(look(&eyes).to_string()) },
        }
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
        if self.context.server.keeps(Duty::ChangesAnnounced) {
            audit::announce(self.profile, self.context)
        } else {
            Ok(())
        }
    }

    /// Tells the client what has been done with a record, which is named and not told.
    pub(super) async fn log(&self, level: Level, event: &str, kind: Kind, record: &Record) {
        let view = self.eyes(Place::Log).view(record);
        let server = &self.context.server;
        let mut data = json!({"event": event, "uri": kind.uri(&view.words("id"))});
        if !(server.keeps(Duty::RecordsStayOutOfLogs) && server.keeps(Duty::FieldsMasked(Place::Log))) {
            data["record"] = view.into_value();
        }
        self.context.log(level, data).await;
    }

    /// Tells those who subscribed, and whose role sees it, that a record has changed.
    pub(super) fn changed(&self, kind: Kind, id: &str, before: &Record, after: &Record) {
        self.tell(&kind.uri(id), before, after);
    }

    /// Tells those who subscribed, and whose role sees it, that an order of a customer has changed.
    pub(super) fn orders_changed(&self, customer: &str, before: &Record, after: &Record) {
        self.tell(&format!("{}/orders", Kind::Customer.uri(customer)), before, after);
    }

    /// Tells those who subscribed, and whose role may read it, that a record is gone.
    pub(super) fn gone(&self, kind: Kind, id: &str) {
        let uri = kind.uri(id);
        let orders = (kind == Kind::Customer).then(|| format!("{uri}/orders"));
        for uri in [uri].into_iter().chain(orders) {
            self.announce_to(&uri, |role| role.families.iter().any(|family| family.id_in(&uri).is_some()));
        }
    }

    fn tell(&self, uri: &str, before: &Record, after: &Record) {
        self.announce_to(uri, |role| role.masking.view(before) != role.masking.view(after));
    }

    fn announce_to(&self, uri: &str, concerns: impl Fn(&Role) -> bool) {
        let server = &self.context.server;
        let all = !server.keeps(Duty::ChangesOfOwnView);
        let roles = self.profile.roles.iter().filter(|role| all || concerns(role));
        let roles = roles.map(|role| role.name.clone()).collect();
        server.announce(&Change::Record { uri: uri.into(), roles });
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
