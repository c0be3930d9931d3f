//! The records in SQLite. Every value that comes from outside is a parameter; what stands in the text of a statement are
//! names of our own tables and columns.

use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use rusqlite::types::{ToSqlOutput, Value as Sql};
use rusqlite::{
    Connection, OptionalExtension, ToSql, Transaction, TransactionBehavior, ffi, params_from_iter,
};
use serde_json::Value;

use crate::enterprise::domain::{Field, Form, Kind};
use crate::enterprise::masking::{Record, TokenKey};
use crate::features::Stop;
use crate::message::{INTERNAL_ERROR, RpcError};
use crate::server::lock;

/// What a new database is filled with.
const SEED: &str = include_str!("../../fixtures/enterprise/records.json");
/// How long the server waits for another process when it begins.
const PATIENCE: Duration = Duration::from_secs(2);
/// How long a statement does later, when everybody waits with it.
const BRIEF: Duration = Duration::from_millis(20);
/// The most ids that are looked at for one list or completion.
const MOST_IDS: i64 = 10_000;

/// The database failed. Why is for nobody outside to know.
#[derive(Debug)]
pub(super) struct Broken;

impl From<rusqlite::Error> for Broken {
    fn from(_: rusqlite::Error) -> Self {
        Self
    }
}

impl From<Broken> for RpcError {
    fn from(_: Broken) -> Self {
        Self::new(INTERNAL_ERROR, "The database failed")
    }
}

impl From<Broken> for Stop {
    fn from(broken: Broken) -> Self {
        Self::Error(broken.into())
    }
}

/// The database.
pub(super) struct Database(Mutex<Connection>);

/// Which records are wanted, in the order of their ids.
#[derive(Default)]
pub(super) struct Wanted<'a> {
    /// These fields are equal to these texts.
    pub equal: Vec<(&'static str, &'a str)>,
    /// One of these fields contains this text, in whatever case.
    pub containing: Option<(Vec<&'static str>, &'a str)>,
    /// Whether that text stands in the statement itself: never, but for a fault. No statement that has it changes anything.
    pub spliced: bool,
    /// Only what comes after this id.
    pub after: Option<&'a str>,
    pub limit: usize,
}

impl Database {
    /// Opens a file, or makes a database in memory. An empty one is filled.
    pub(super) fn open(path: Option<&Path>) -> rusqlite::Result<Self> {
        let mut connection = match path {
            Some(path) => Connection::open(path)?,
            None => Connection::open_in_memory()?,
        };
        connection.busy_timeout(PATIENCE)?;
        connection.pragma_update(None, "foreign_keys", true)?;
        // What is deleted is overwritten too.
        connection.pragma_update(None, "secure_delete", true)?;
        let version = |connection: &Connection| -> rusqlite::Result<i64> {
            connection.pragma_query_value(None, "user_version", |row| row.get(0))
        };
        if version(&connection)? == 0 {
            // Another server may be about to do the same.
            let filling = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
            if version(&filling)? == 0 {
                let tables: i64 =
                    filling.query_row("SELECT count(*) FROM sqlite_master", [], |row| row.get(0))?;
                if tables > 0 {
                    return Err(foreign());
                }
                fill(&filling)?;
                filling.pragma_update(None, "user_version", 1)?;
            }
            filling.commit()?;
        }
        connection.busy_timeout(BRIEF)?;
        Ok(Self(Mutex::new(connection)))
    }

    /// The key for stand-ins, which was made with the database.
    pub(super) fn token_key(&self) -> rusqlite::Result<TokenKey> {
        let key =
            lock(&self.0).query_row("SELECT key FROM token_key", [], |row| row.get::<_, [u8; 32]>(0))?;
        Ok(TokenKey(Arc::new(key)))
    }

    pub(super) fn record(&self, kind: Kind, id: &str) -> Result<Option<Record>, Broken> {
        let wanted = Wanted { equal: vec![("id", id)], limit: 1, ..Wanted::default() };
        Ok(self.records(kind, &wanted)?.pop())
    }

    pub(super) fn records(&self, kind: Kind, wanted: &Wanted<'_>) -> Result<Vec<Record>, Broken> {
        let (condition, parameters) = condition(wanted);
        let columns: Vec<&str> = kind.fields().iter().map(|field| field.name).collect();
        let text = format!(
            "SELECT {} FROM {} WHERE {condition} ORDER BY id LIMIT ?",
            columns.join(", "),
            kind.table()
        );
        let connection = lock(&self.0);
        let mut statement = connection.prepare(&text)?;
        let limit = Sql::from(i64::try_from(wanted.limit).unwrap_or(i64::MAX));
        let parameters = parameters.into_iter().map(|text| Sql::from(text.to_owned())).chain([limit]);
        let rows = statement.query_map(params_from_iter(parameters), |row| Record::read(kind, row))?;
        Ok(rows.collect::<rusqlite::Result<_>>()?)
    }

    /// The ids of a kind, in their order.
    pub(super) fn ids(&self, kind: Kind) -> Result<Vec<String>, Broken> {
        let connection = lock(&self.0);
        let text = format!("SELECT id FROM {} ORDER BY id LIMIT ?1", kind.table());
        let mut statement = connection.prepare(&text)?;
        let ids = statement.query_map([MOST_IDS], |row| row.get(0))?;
        Ok(ids.collect::<rusqlite::Result<_>>()?)
    }

    /// How many orders a customer has.
    pub(super) fn count_orders(&self, customer: &str) -> Result<i64, Broken> {
        let text = "SELECT count(*) FROM orders WHERE customer = ?1";
        Ok(lock(&self.0).query_row(text, [customer], |row| row.get(0))?)
    }

    /// Puts texts into fields of a record; whether there is one.
    pub(super) fn update(
        &self,
        kind: Kind,
        id: &str,
        changes: &[(&'static str, &str)],
    ) -> Result<bool, Broken> {
        let columns: Vec<String> = changes.iter().map(|(field, _)| format!("{field} = ?")).collect();
        let text = format!("UPDATE {} SET {} WHERE id = ?", kind.table(), columns.join(", "));
        let values = changes.iter().map(|(_, value)| *value).chain([id]);
        Ok(lock(&self.0).execute(&text, params_from_iter(values))? == 1)
    }

    pub(super) fn is_refunded(&self, order: &str) -> Result<bool, Broken> {
        let text = "SELECT count(*) FROM orders WHERE id = ?1 AND status = 'refunded'";
        Ok(lock(&self.0).query_row(text, [order], |row| row.get::<_, i64>(0))? > 0)
    }

    /// Refunds an order; the id of its customer, if there was anything to refund.
    pub(super) fn refund(&self, order: &str) -> Result<Option<String>, Broken> {
        let text =
            "UPDATE orders SET status = 'refunded' WHERE id = ?1 AND status <> 'refunded' RETURNING customer";
        Ok(lock(&self.0).query_row(text, [order], |row| row.get(0)).optional()?)
    }

    /// Deletes a customer with all orders; the ids of the orders, if there was such a customer.
    pub(super) fn delete_customer(&self, customer: &str) -> Result<Option<Vec<String>>, Broken> {
        let mut connection = lock(&self.0);
        let deleting = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let mut ids = deleting.prepare("SELECT id FROM orders WHERE customer = ?1 ORDER BY id")?;
        let orders = ids.query_map([customer], |row| row.get(0))?.collect::<rusqlite::Result<_>>()?;
        drop(ids);
        let deleted = deleting.execute("DELETE FROM customers WHERE id = ?1", [customer])? == 1;
        deleting.commit()?;
        Ok(deleted.then_some(orders))
    }
}

/// A database that somebody else has put something into.
fn foreign() -> rusqlite::Error {
    let text =
        "it is the database of something else: it has tables that are not of this profile; name a new file";
    rusqlite::Error::SqliteFailure(ffi::Error::new(ffi::SQLITE_MISMATCH), Some(text.to_owned()))
}

/// A condition and its parameters. The names are those of fields; every value is a parameter.
fn condition<'a>(wanted: &Wanted<'a>) -> (String, Vec<&'a str>) {
    let (mut parts, mut parameters) = (vec!["1".to_owned()], Vec::new());
    for (field, value) in &wanted.equal {
        parts.push(format!("{field} = ?"));
        parameters.push(*value);
    }
    if let Some((fields, text)) = &wanted.containing {
        let mark = if wanted.spliced { format!("'{text}'") } else { "?".to_owned() };
        let contains: Vec<_> =
            fields.iter().map(|field| format!("instr(lower({field}), lower({mark})) > 0")).collect();
        parts.push(format!("({})", if contains.is_empty() { "0".to_owned() } else { contains.join(" OR ") }));
        parameters.extend(fields.iter().filter(|_| !wanted.spliced).map(|_| *text));
    }
    if let Some(after) = wanted.after {
        parts.push("id > ?".to_owned());
        parameters.push(after);
    }
    (parts.join(" AND "), parameters)
}

/// Makes the tables and fills them.
fn fill(filling: &Transaction<'_>) -> rusqlite::Result<()> {
    for kind in Kind::ALL {
        let columns: Vec<String> = kind.fields().iter().map(|field| column(kind, field)).collect();
        filling.execute(&format!("CREATE TABLE {} ({}) STRICT", kind.table(), columns.join(", ")), [])?;
    }
    filling.execute("CREATE INDEX orders_of_customers ON orders (customer)", [])?;
    filling.execute("CREATE TABLE token_key (key BLOB NOT NULL) STRICT", [])?;
    filling.execute("INSERT INTO token_key VALUES (randomblob(32))", [])?;
    let seed: Value = serde_json::from_str(SEED).expect("the file never changes, and tests read it");
    for kind in Kind::ALL {
        let marks = vec!["?"; kind.fields().len()].join(", ");
        let mut statement = filling.prepare(&format!("INSERT INTO {} VALUES ({marks})", kind.table()))?;
        for record in seed[kind.table()].as_array().into_iter().flatten() {
            let values = kind.fields().iter().map(|field| Cell(&record[field.name]));
            statement.execute(params_from_iter(values))?;
        }
    }
    Ok(())
}

fn column(kind: Kind, field: &Field) -> String {
    let name = field.name;
    match (kind, field.form) {
        (_, Form::Id) if name == "id" => "id TEXT PRIMARY KEY NOT NULL".to_owned(),
        (Kind::Order, Form::Id) => {
            format!("{name} TEXT NOT NULL REFERENCES customers (id) ON DELETE CASCADE")
        }
        (_, Form::Cents) => format!("{name} INTEGER NOT NULL"),
        _ => format!("{name} TEXT NOT NULL"),
    }
}

/// A value of the seed as a parameter.
struct Cell<'a>(&'a Value);

impl ToSql for Cell<'_> {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(match self.0 {
            Value::Number(number) => ToSqlOutput::Owned(Sql::from(number.as_i64())),
            Value::String(text) => text.as_str().into(),
            _ => ToSqlOutput::Owned(Sql::Null),
        })
    }
}
