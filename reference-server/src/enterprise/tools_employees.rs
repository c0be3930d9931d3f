//! Tools for employees.

use serde_json::json;

use crate::enterprise::database::Wanted;
use crate::enterprise::desk::{Desk, id_schema, limit, limit_schema, required, text};
use crate::enterprise::domain::Kind::Employee;
use crate::enterprise::tools_customers::{list_of, record_of};
use crate::features::{Level, Tool};

pub(super) const DEPARTMENTS: &[&str] = &["sales", "support", "billing", "people", "management"];

pub(super) const TOOLS: &[Tool] = &[
    Tool::later(
        "list_employees",
        "List employees",
        "Lists employees, if you like those of one department",
        |context, arguments| {
            Box::pin(async move {
                let desk = Desk::of(context);
                let mut wanted = Wanted { limit: limit(arguments), ..Wanted::default() };
                desk.by(&mut wanted, Employee, "department", text(arguments, "department"))?;
                Ok(desk.results("employees", Employee, &wanted)?)
            })
        },
    )
    .input(|| {
        json!({
            "type": "object",
            "properties": {"department": {"type": "string", "enum": DEPARTMENTS}, "limit": limit_schema()},
            "additionalProperties": false,
        })
    })
    .output(|| list_of("employees")),
    Tool::later("get_employee", "Show an employee", "Shows one employee", |context, arguments| {
        Box::pin(async move {
            let desk = Desk::of(context);
            let employee = desk.record(Employee, required(arguments, "employee"))?;
            desk.log(Level::Info, "employee shown", Employee, &employee).await;
            Ok(desk.result("employee", &employee))
        })
    })
    .input(|| {
        json!({
            "type": "object",
            "properties": {"employee": id_schema(Employee)},
            "required": ["employee"],
            "additionalProperties": false,
        })
    })
    .output(|| record_of("employee")),
];
