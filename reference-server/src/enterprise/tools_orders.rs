//! Tools for orders.

use serde_json::{Value, json};

use crate::enterprise::approval::approved;
use crate::enterprise::database::Wanted;
use crate::enterprise::desk::{Desk, id_schema, limit, limit_schema, required, text};
use crate::enterprise::domain::Kind::{Customer, Order};
use crate::enterprise::plain_text::quoted;
use crate::enterprise::tools_customers::{list_of, record_of};
use crate::faults::Duty;
use crate::features::{Level, Stop, Tool, ToolResult};

pub(super) const STATUSES: &[&str] = &["paid", "shipped", "delivered", "refunded"];

pub(super) const TOOLS: &[Tool] = &[
    Tool::later(
        "list_orders",
        "List orders",
        "Lists orders, if you like those of one customer or of one status; goes on after an order",
        |context, arguments| {
            Box::pin(async move {
                let desk = Desk::of(context);
                let mut wanted =
                    Wanted { after: text(arguments, "after"), limit: limit(arguments), ..Wanted::default() };
                for field in ["customer", "status"] {
                    desk.by(&mut wanted, Order, field, text(arguments, field))?;
                }
                Ok(desk.results("orders", Order, &wanted)?)
            })
        },
    )
    .input(|| {
        json!({
            "type": "object",
            "properties": {
                "customer": id_schema(Customer),
                "status": {"type": "string", "enum": STATUSES},
                "after": id_schema(Order),
                "limit": limit_schema(),
            },
            "additionalProperties": false,
        })
    })
    .output(|| list_of("orders")),
    Tool::later("get_order", "Show an order", "Shows one order", |context, arguments| {
        Box::pin(async move {
            let desk = Desk::of(context);
            let order = desk.record(Order, required(arguments, "order"))?;
            desk.log(Level::Info, "order shown", Order, &order).await;
            Ok(desk.result("order", &order))
        })
    })
    .input(one)
    .output(|| record_of("order")),
    Tool::later("order_status", "Status of an order", "Says how far an order has come", |context, arguments| {
        Box::pin(async move {
            let desk = Desk::of(context);
            let order = desk.view(&desk.record(Order, required(arguments, "order"))?);
            Ok(ToolResult::structured(json!({"status": order.words("status")})))
        })
    })
    .input(one)
    .output(|| {
        json!({"type": "object", "properties": {"status": {"type": "string"}}, "required": ["status"]})
    }),
    Tool::later(
        "refund_order",
        "Refund an order",
        "Pays the price of an order back, once the user has agreed",
        |context, arguments| {
            Box::pin(async move {
                let desk = Desk::of(context);
                let id = required(arguments, "order");
                let reason = required(arguments, "reason");
                let question = question(&desk, id, reason)?;
                approved(desk.profile, context, &question).await?;
                // Between question and answer much may have happened.
                let changed = || Stop::Refused("The order has changed meanwhile; nothing was done.".to_owned());
                if self::question(&desk, id, reason)? != question && context.server.keeps(Duty::MatterUnchanged) {
                    return Err(changed());
                }
                let before = desk.record(Order, id)?;
                desk.announce()?;
                let customer = desk.profile.database.refund(id)?.ok_or_else(changed)?;
                let order = desk.record(Order, id)?;
                desk.changed(Order, id, &before, &order);
                desk.orders_changed(&customer, &before, &order);
                desk.log(Level::Warning, "order refunded", Order, &order).await;
                Ok(desk.result("order", &order))
            })
        },
    )
    .input(|| {
        json!({
            "type": "object",
            "properties": {
                "order": id_schema(Order),
                "reason": {"type": "string", "minLength": 1, "maxLength": 200, "description": "Why; the user is told"},
            },
            "required": ["order", "reason"],
            "additionalProperties": false,
        })
    })
    .output(|| record_of("order"))
    .destroying()
    .scopes("mcp mcp:write"),
];

/// What the user is asked before an order is refunded, with what the role sees of it.
fn question(desk: &Desk<'_>, id: &str, reason: &str) -> Result<String, Stop> {
    let order = desk.view(&desk.record(Order, id)?);
    // A role without this tool's `status` of order is refused when the role file is read.
    if desk.profile.database.is_refunded(id)? {
        return Err(Stop::Refused("This order has been refunded already.".to_owned()));
    }
    let seen = |field: &str, before: &str, after: &str| match order.words(field) {
        words if words.is_empty() => words,
        words => format!("{before}{words}{after}"),
    };
    let matter = [seen("item", "", ""), seen("amount_cents", "", " cents")];
    let matter = matter.into_iter().filter(|words| !words.is_empty()).collect::<Vec<_>>().join(", ");
    let matter = if matter.is_empty() { matter } else { format!(" ({matter})") };
    let customer = seen("customer", " of customer ", "");
    Ok(format!(
        "Refund order {id}{matter}{customer}? The reason, in the words of the caller: {}",
        quoted(reason)
    ))
}

fn one() -> Value {
    json!({
        "type": "object",
        "properties": {"order": id_schema(Order)},
        "required": ["order"],
        "additionalProperties": false,
    })
}
