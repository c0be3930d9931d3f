//! Tools for customers.

use serde_json::{Value, json};

use crate::changes::Change;
use crate::enterprise::approval::approved;
use crate::enterprise::database::Wanted;
use crate::enterprise::desk::{Desk, id_schema, limit, limit_schema, required, text};
use crate::enterprise::domain::Kind::{Customer, Order};
use crate::enterprise::plain_text::PLAIN_ADDRESS;
use crate::faults::Duty;
use crate::features::{Level, Stop, Tool, ToolResult};

pub(super) const STATUSES: &[&str] = &["active", "suspended", "closed"];

pub(super) const TOOLS: &[Tool] = &[
    Tool::later(
        "search_customers",
        "Search customers",
        "Finds customers by a part of their name or of whatever else your role sees of them",
        |context, arguments| {
            Box::pin(async move {
                let desk = Desk::of(context);
                let fields = ["name", "status", "email", "phone", "address"];
                let shown = fields.into_iter().filter(|field| desk.role.masking.shows(Customer, field));
                let wanted = Wanted {
                    containing: Some((shown.collect(), required(arguments, "query"))),
                    spliced: !context.server.keeps(Duty::QueryParameterised),
                    limit: limit(arguments),
                    ..Wanted::default()
                };
                Ok(desk.results("customers", Customer, &wanted)?)
            })
        },
    )
    .input(|| {
        json!({
            "type": "object",
            "properties": {
                "query": {"type": "string", "minLength": 1, "maxLength": 100, "description": "What to look for"},
                "limit": limit_schema(),
            },
            "required": ["query"],
            "additionalProperties": false,
        })
    })
    .output(|| list_of("customers")),
    Tool::later("get_customer", "Show a customer", "Shows one customer", |context, arguments| {
        Box::pin(async move {
            let desk = Desk::of(context);
            let customer = desk.record(Customer, required(arguments, "customer"))?;
            desk.log(Level::Info, "customer shown", Customer, &customer).await;
            Ok(desk.result("customer", &customer))
        })
    })
    .input(one)
    .output(|| record_of("customer")),
    Tool::later(
        "update_customer",
        "Change a customer",
        "Changes the status, the e-mail address or the telephone number of a customer",
        |context, arguments| {
            Box::pin(async move {
                let desk = Desk::of(context);
                let id = required(arguments, "customer");
                let changes: Vec<_> = ["status", "email", "phone"]
                    .into_iter()
                    .filter_map(|field| Some((field, text(arguments, field)?)))
                    .collect();
                let before = desk.record(Customer, id)?;
                desk.announce()?;
                desk.profile.database.update(Customer, id, &changes)?;
                let customer = desk.record(Customer, id)?;
                desk.changed(Customer, id, &before, &customer);
                desk.log(Level::Notice, "customer changed", Customer, &customer).await;
                Ok(desk.result("customer", &customer))
            })
        },
    )
    .input(|| {
        json!({
            "type": "object",
            "properties": {
                "customer": id_schema(Customer),
                "status": {"type": "string", "enum": STATUSES},
                "email": {"type": "string", "format": "email", "pattern": PLAIN_ADDRESS, "maxLength": 100},
                "phone": {"type": "string", "pattern": r"^\+[0-9 ]{6,20}$"},
            },
            "required": ["customer"],
            "minProperties": 2,
            "additionalProperties": false,
        })
    })
    .output(|| record_of("customer"))
    .changing()
    .scopes("mcp mcp:write"),
    Tool::later(
        "delete_customer",
        "Delete a customer",
        "Deletes a customer with all orders, once the user has agreed",
        |context, arguments| {
            Box::pin(async move {
                let desk = Desk::of(context);
                let id = required(arguments, "customer");
                let question = question(&desk, id)?;
                approved(desk.profile, context, &question).await?;
                // Between question and answer much may have happened.
                if self::question(&desk, id)? != question && context.server.keeps(Duty::MatterUnchanged) {
                    return Err(Stop::Refused("The customer has changed meanwhile; nothing was done.".to_owned()));
                }
                let customer = desk.record(Customer, id)?;
                desk.announce()?;
                let gone = || Stop::Refused("The customer is gone already; nothing was done.".to_owned());
                let orders = desk.profile.database.delete_customer(id)?.ok_or_else(gone)?;
                desk.gone(Customer, id);
                orders.iter().for_each(|order| desk.gone(Order, order));
                context.server.announce(&Change::Records(Customer));
                if !orders.is_empty() {
                    context.server.announce(&Change::Records(Order));
                }
                desk.log(Level::Warning, "customer deleted", Customer, &customer).await;
                Ok(ToolResult::structured(json!({"deleted": id})))
            })
        },
    )
    .input(|| {
        // Without an example, which somebody might follow.
        json!({
            "type": "object",
            "properties": {"customer": {"type": "string", "pattern": Customer.id_pattern()}},
            "required": ["customer"],
            "additionalProperties": false,
        })
    })
    .output(|| {
        json!({"type": "object", "properties": {"deleted": id_schema(Customer)}, "required": ["deleted"]})
    })
    .destroying()
    .scopes("mcp mcp:write"),
];

/// What the user is asked before a customer is deleted, with what the role sees of it.
fn question(desk: &Desk<'_>, id: &str) -> Result<String, Stop> {
    let customer = desk.view(&desk.record(Customer, id)?);
    let named = |name: String| if name.is_empty() { name } else { format!(" {name}") };
    // How many orders a customer has tells whose they are.
    let orders = if desk.role.masking.shows(Order, "customer") {
        format!("{} orders", desk.profile.database.count_orders(id)?)
    } else {
        "all orders".to_owned()
    };
    Ok(format!("Delete customer {id}{} with {orders}? This cannot be undone.", named(customer.words("name"))))
}

fn one() -> Value {
    json!({
        "type": "object",
        "properties": {"customer": id_schema(Customer)},
        "required": ["customer"],
        "additionalProperties": false,
    })
}

/// The schema of a result with records. Which fields they have is a matter of the role.
pub(super) fn list_of(name: &str) -> Value {
    json!({
        "type": "object",
        "properties": {name: {"type": "array", "items": {"type": "object"}}},
        "required": [name],
    })
}

/// The schema of a result with one record.
pub(super) fn record_of(name: &str) -> Value {
    json!({"type": "object", "properties": {name: {"type": "object"}}, "required": [name]})
}
