//! The enterprise profile: who sees what. Every role tries every tool, resource, prompt and completion, in both eras.

use std::collections::BTreeSet;

use crate::support::business::{Business, Era, ROLES, Said, seed};
use crate::support::modern;
use mcprove_reference_server::EnterpriseFiles;
use serde_json::{Value, json};

const CUSTOMERS: &[&str] = &["search_customers", "get_customer", "update_customer", "delete_customer"];
const TOOLS: [&str; 10] = [
    "search_customers",
    "get_customer",
    "update_customer",
    "delete_customer",
    "list_orders",
    "get_order",
    "order_status",
    "refund_order",
    "list_employees",
    "get_employee",
];
const PROMPTS: [&str; 4] = ["explain_returns", "prepare_call", "summarise_customer", "review_employee"];
const TEMPLATES: [&str; 4] = ["customer://{id}", "customer://{id}/orders", "order://{id}", "employee://{id}"];

/// What a role has: tools, prompts, templates and documents.
struct Has {
    tools: &'static [&'static str],
    prompts: &'static [&'static str],
    resources: &'static [&'static str],
}

fn has(role: &str) -> Has {
    match role {
        "guest" => {
            Has { tools: &["order_status"], prompts: &["explain_returns"], resources: &["policy://returns"] }
        }
        "sales" => Has {
            tools: &["search_customers", "get_customer", "list_orders", "order_status"],
            prompts: &["explain_returns", "prepare_call"],
            resources: &["policy://returns", "customer://{id}"],
        },
        "support" => Has {
            tools: &[
                "search_customers",
                "get_customer",
                "update_customer",
                "list_orders",
                "get_order",
                "order_status",
                "refund_order",
            ],
            prompts: &["explain_returns", "prepare_call", "summarise_customer"],
            resources: &[
                "policy://returns",
                "policy://privacy",
                "customer://{id}",
                "customer://{id}/orders",
                "order://{id}",
            ],
        },
        "billing" => Has {
            tools: &[
                "search_customers",
                "get_customer",
                "list_orders",
                "get_order",
                "order_status",
                "refund_order",
            ],
            prompts: &["explain_returns"],
            resources: &["policy://returns", "policy://privacy", "customer://{id}", "order://{id}"],
        },
        "people" => Has {
            tools: &["order_status", "list_employees", "get_employee"],
            prompts: &["explain_returns", "review_employee"],
            resources: &["policy://returns", "policy://privacy", "employee://{id}"],
        },
        _ => Has {
            tools: &TOOLS,
            prompts: &PROMPTS,
            resources: &[
                "policy://returns",
                "policy://privacy",
                "customer://{id}",
                "customer://{id}/orders",
                "order://{id}",
                "employee://{id}",
            ],
        },
    }
}

/// The fields that a role sees as they are, by table, besides the id.
fn shown(role: &str, table: &str) -> &'static [&'static str] {
    match (role, table) {
        ("guest" | "people", "orders") => &["status"],
        ("sales", "customers") => &["name", "status"],
        ("sales", "orders") => &["customer", "item", "status"],
        ("support", "customers") => &["name", "status", "email", "phone", "address", "notes"],
        ("billing", "customers") => &["name", "status", "credit_limit_cents"],
        ("billing", "orders") => &["customer", "item", "status", "placed", "amount_cents"],
        ("people", "employees") => &["name", "department", "email", "salary_cents", "review"],
        ("manager", "customers") => {
            &["name", "status", "email", "phone", "address", "notes", "credit_limit_cents"]
        }
        ("support" | "manager", "orders") => {
            &["customer", "item", "status", "placed", "amount_cents", "note"]
        }
        ("manager", "employees") => &["name", "department", "email"],
        _ => &[],
    }
}

/// A part of a value that stands in JSON as it is and is found nowhere else.
fn telling(value: &Value) -> Option<String> {
    let text = match value {
        // Amounts all have cents that no other number here has by chance.
        Value::Number(number) => return Some(format!(":{number}")),
        Value::String(text) => text,
        _ => return None,
    };
    let plain = |c: char| c.is_alphanumeric() || " @.-',:;+".contains(c);
    let longest = text.split(|c| !plain(c)).max_by_key(|part| part.len())?;
    (longest.len() >= 5).then(|| longest.to_owned())
}

/// What a role may not see anywhere.
fn secrets(role: &str) -> BTreeSet<String> {
    let (mut secret, mut open) = (BTreeSet::new(), BTreeSet::new());
    // Words that are in every schema, and dates and names of goods that somebody may know.
    let common = ["status", "item", "department", "customer", "id", "placed"];
    for (table, records) in seed().as_object().unwrap() {
        for record in records.as_array().unwrap() {
            for (field, value) in record.as_object().unwrap() {
                let Some(part) = telling(value) else { continue };
                if shown(role, table).contains(&field.as_str()) || common.contains(&field.as_str()) {
                    open.insert(part);
                } else {
                    secret.insert(part);
                }
            }
        }
    }
    secret.retain(|part| !open.iter().any(|open| open.contains(part.as_str())));
    secret
}

/// Ids of what there is and of what there is not.
const IDS: [&str; 8] = ["c-1001", "c-1002", "c-1004", "c-9999", "o-5001", "o-5003", "e-201", "e-203"];

/// Everything that anybody might ask, with what has to be there for the role.
fn stimuli() -> Vec<(&'static str, Value)> {
    let mut all = Vec::new();
    for tool in TOOLS {
        let arguments: Vec<Value> = match tool {
            "search_customers" => ["a", "customer3@mail", "+44", "4111", "DE10", "Mill Lane", "DROP"]
                .iter()
                .map(|q| json!({"query": q, "limit": 50}))
                .collect(),
            "list_orders" => {
                vec![json!({"limit": 50}), json!({"customer": "c-1001"}), json!({"status": "paid"})]
            }
            "list_employees" => vec![json!({}), json!({"department": "support"})],
            "update_customer" => {
                vec![json!({"customer": "c-1001", "phone": "+44 1 234567"}), json!({"customer": "c-1"})]
            }
            _ => {
                let argument = if CUSTOMERS.contains(&tool) {
                    "customer"
                } else if tool == "get_employee" {
                    "employee"
                } else {
                    "order"
                };
                let mut arguments: Vec<_> = IDS.iter().map(|id| json!({argument: id})).collect();
                arguments.extend(IDS.iter().map(|id| json!({argument: id, "reason": "broken"})));
                arguments
            }
        };
        all.extend(
            arguments
                .into_iter()
                .map(|arguments| ("tools/call", json!({"name": tool, "arguments": arguments}))),
        );
    }
    for uri in ["policy://returns", "policy://privacy"] {
        all.push(("resources/read", json!({"uri": uri})));
    }
    for (template, id) in TEMPLATES.iter().flat_map(|template| IDS.iter().map(move |id| (template, id))) {
        all.push(("resources/read", json!({"uri": template.replace("{id}", id)})));
    }
    for prompt in PROMPTS {
        for id in IDS {
            let arguments = json!({"customer": id, "employee": id});
            all.push(("prompts/get", json!({"name": prompt, "arguments": arguments})));
        }
        for argument in ["customer", "employee", "order"] {
            let reference = json!({"type": "ref/prompt", "name": prompt});
            all.push((
                "completion/complete",
                json!({"ref": reference, "argument": {"name": argument, "value": ""}}),
            ));
        }
    }
    for template in TEMPLATES {
        let reference = json!({"type": "ref/resource", "uri": template});
        all.push(("completion/complete", json!({"ref": reference, "argument": {"name": "id", "value": ""}})));
    }
    all
}

async fn names(
    business: &Business,
    era: Era,
    token: &str,
    list: &str,
    member: &str,
    key: &str,
) -> (Vec<String>, String) {
    let (items, text) = business.list(era, token, list, member).await;
    (items.iter().map(|item| item[key].as_str().unwrap().to_owned()).collect(), text)
}

#[tokio::test]
pub(super) async fn no_role_sees_more_than_is_meant_for_it() {
    let business = Business::new().await;
    for (role, era) in ROLES.iter().flat_map(|role| [Era::Modern, Era::Legacy].map(|era| (*role, era))) {
        let (token, has, secrets) = (business.token("somebody", role), has(role), secrets(role));
        assert!(secrets.len() > 30, "{role}: {}", secrets.len());
        let (tools, mut all) = names(&business, era, &token, "tools/list", "tools", "name").await;
        assert_eq!(
            tools.iter().collect::<BTreeSet<_>>(),
            has.tools.iter().map(|t| (*t).to_owned()).collect::<BTreeSet<_>>().iter().collect(),
            "{role}"
        );
        let (prompts, text) = names(&business, era, &token, "prompts/list", "prompts", "name").await;
        assert_eq!(prompts, has.prompts, "{role}");
        all.push_str(&text);
        let (templates, text) =
            names(&business, era, &token, "resources/templates/list", "resourceTemplates", "uriTemplate")
                .await;
        let expected: Vec<_> = has.resources.iter().filter(|uri| uri.contains('{')).copied().collect();
        assert_eq!(templates, expected, "{role}");
        all.push_str(&text);
        let (resources, text) = names(&business, era, &token, "resources/list", "resources", "uri").await;
        for uri in &resources {
            let scheme = uri.split_once("://").unwrap().0;
            assert!(has.resources.iter().any(|own| own.starts_with(scheme)), "{role}: {uri}");
        }
        all.push_str(&text);
        for (method, params) in stimuli() {
            // What would take the record away from those who come after.
            if params["name"] == "update_customer"
                && params["arguments"]["phone"].is_string()
                && role != "guest"
            {
                continue;
            }
            let said = business.ask(era, &token, method, params.clone()).await;
            assert!(
                said.status == 200 || said.status == 404 || said.status == 400,
                "{role} {method} {params}: {}",
                said.text
            );
            assert_ne!(said.code(), Some(-32603), "{role} {method} {params}: {}", said.text);
            let allowed = allowed(&has, method, &params);
            let served = said.answer["result"].is_object();
            assert!(allowed || !served, "{role} {method} {params}: {}", said.text);
            all.push_str(&said.text);
        }
        for secret in &secrets {
            assert!(!all.contains(secret.as_str()), "{role} in {era:?} sees {secret}");
        }
        // Those who may see something do.
        for (table, field) in [("customers", "name"), ("employees", "email"), ("customers", "email")] {
            let value = seed()[table][0][field].as_str().unwrap().to_owned();
            assert_eq!(all.contains(&value), shown(role, table).contains(&field), "{role}: {value}");
        }
    }
}

/// Whether a role has what is asked for at all.
fn allowed(has: &Has, method: &str, params: &Value) -> bool {
    let name = params["name"].as_str().unwrap_or_default();
    let is_of = |pattern: &str, uri: &str| match pattern.split_once("{id}") {
        None => pattern == uri,
        Some((before, after)) => {
            uri.starts_with(before)
                && uri.ends_with(after)
                && !uri[before.len()..uri.len() - after.len()].contains('/')
        }
    };
    match method {
        "tools/call" => has.tools.contains(&name),
        "prompts/get" => has.prompts.contains(&name),
        "resources/read" => {
            let uri = params["uri"].as_str().unwrap();
            has.resources.iter().any(|pattern| is_of(pattern, uri))
        }
        _ => {
            let reference = &params["ref"];
            let prompt = reference["name"].as_str().is_some_and(|name| has.prompts.contains(&name));
            prompt || reference["uri"].as_str().is_some_and(|uri| has.resources.contains(&uri))
        }
    }
}

#[tokio::test]
pub(super) async fn streams_end_with_the_token_that_opened_them() {
    let business = Business::new().await;
    // It is taken for 5 seconds after its end, of which more than 3 are over.
    let token = business.mint(&json!({"sub": "sue", "roles": ["support"], "scope": "mcp", "exp": -4}));
    let lasting = business.token("sue", "support");
    let session = business.session(&lasting).await;
    let listen = modern(1, "subscriptions/listen", json!({"notifications": {"resourcesListChanged": true}}));
    let mut stream = business.http.modern(&listen, &[("Authorization", &token)]).await;
    assert_eq!(stream.event().await.unwrap().json()["method"], "notifications/subscriptions/acknowledged");
    let headers = |token| [("Authorization", token), ("Accept", "text/event-stream")];
    let general = [&headers(&*token)[..], &[("Mcp-Session-Id", &*session)]].concat();
    let general = business.http.send("GET", "/mcp", &general, b"").await;
    let oldest = business.http.send("GET", "/sse", &headers(&token), b"").await;
    let mut other = business.http.modern(&listen, &[("Authorization", &lasting)]).await;
    assert_eq!((general.status, oldest.status), (200, 200));
    assert_eq!(other.event().await.unwrap().json()["method"], "notifications/subscriptions/acknowledged");
    // The subscription with its result, the others as they do.
    let result = stream.event().await.unwrap().json();
    assert_eq!((&result["id"], &result["result"]["resultType"]), (&json!(1), &json!("complete")), "{result}");
    assert_eq!(stream.event().await, None);
    general.body().await;
    oldest.body().await;
    other.hears_nothing().await;
    let refused = business.http.modern(&listen, &[("Authorization", &token)]).await;
    assert_eq!(refused.status, 401);
}

/// What was said, with the name of what was asked for taken out.
fn without(said: &Said, name: &str) -> (u16, String) {
    (said.status, said.answer.to_string().replace(name, "IT"))
}

#[tokio::test]
pub(super) async fn what_is_not_for_a_role_looks_like_what_does_not_exist() {
    let business = Business::new().await;
    for (role, era) in ROLES.iter().flat_map(|role| [Era::Modern, Era::Legacy].map(|era| (*role, era))) {
        // Without the scope for changes, too: it must not be asked for what is not there.
        for scope in ["mcp", "mcp mcp:write"] {
            let token = business.mint(&json!({"sub": "somebody", "roles": role, "scope": scope}));
            let has = has(role);
            let unknown = business
                .ask(era, &token, "tools/call", json!({"name": "no_such_thing", "arguments": {}}))
                .await;
            for tool in TOOLS.iter().filter(|tool| !has.tools.contains(tool)) {
                let params = json!({"name": tool, "arguments": {}});
                let said = business.ask(era, &token, "tools/call", params).await;
                assert_eq!(without(&said, tool), without(&unknown, "no_such_thing"), "{role}: {tool}");
            }
            let unknown = business.ask(era, &token, "prompts/get", json!({"name": "no_such_thing"})).await;
            let complete = |name: &str| json!({"ref": {"type": "ref/prompt", "name": name}, "argument": {"name": "customer", "value": ""}});
            let nothing = business.ask(era, &token, "completion/complete", complete("no_such_thing")).await;
            for prompt in PROMPTS.iter().filter(|prompt| !has.prompts.contains(prompt)) {
                let said = business.ask(era, &token, "prompts/get", json!({"name": prompt})).await;
                assert_eq!(without(&said, prompt), without(&unknown, "no_such_thing"), "{role}: {prompt}");
                let said = business.ask(era, &token, "completion/complete", complete(prompt)).await;
                assert_eq!(without(&said, prompt), without(&nothing, "no_such_thing"), "{role}: {prompt}");
            }
            let unknown = business.ask(era, &token, "resources/read", json!({"uri": "thing://x"})).await;
            let complete = |uri: &str| json!({"ref": {"type": "ref/resource", "uri": uri}, "argument": {"name": "id", "value": ""}});
            let nothing = business.ask(era, &token, "completion/complete", complete("thing://{x}")).await;
            for template in TEMPLATES.iter().filter(|template| !has.resources.contains(template)) {
                let id = match &template[..1] {
                    "c" => "c-1001",
                    "o" => "o-5001",
                    _ => "e-201",
                };
                let uri = template.replace("{id}", id);
                let said = business.ask(era, &token, "resources/read", json!({"uri": uri})).await;
                assert_eq!(without(&said, &uri), without(&unknown, "thing://x"), "{role}: {uri}");
                let said = business.ask(era, &token, "completion/complete", complete(template)).await;
                assert_eq!(without(&said, template), without(&nothing, "thing://{x}"), "{role}: {template}");
                if era == Era::Legacy {
                    let mine = business.ask(era, &token, "resources/subscribe", json!({"uri": uri})).await;
                    let none =
                        business.ask(era, &token, "resources/subscribe", json!({"uri": "thing://x"})).await;
                    assert_eq!(without(&mine, &uri), without(&none, "thing://x"), "{role}: {uri}");
                }
            }
        }
    }
}

#[tokio::test]
pub(super) async fn a_token_without_a_known_role_gets_the_least() {
    let business = Business::new().await;
    for roles in
        [json!(null), json!([]), json!(["root"]), json!("Manager"), json!(["guest", "manager"]), json!("")]
    {
        let token = business.mint(&json!({"sub": "somebody", "roles": roles}));
        let (tools, _) = names(&business, Era::Modern, &token, "tools/list", "tools", "name").await;
        assert_eq!(tools, ["order_status"], "{roles}");
    }
    let token = business.mint(&json!({"sub": "somebody", "roles": ["root", "people", "manager"]}));
    let (tools, _) = names(&business, Era::Modern, &token, "tools/list", "tools", "name").await;
    assert_eq!(tools.len(), 3, "the first that is known counts");
}

#[tokio::test]
pub(super) async fn cursors_sessions_and_answers_belong_to_one_principal_in_one_role() {
    let business = Business::new().await;
    let (ann, ben) = (business.token("ann", "manager"), business.token("ben", "manager"));
    let ann_in_sales = business.token("ann", "sales");
    for era in [Era::Modern, Era::Legacy] {
        let page = business.ask(era, &ann, "resources/list", json!({})).await;
        let cursor = json!({"cursor": page.answer["result"]["nextCursor"]});
        assert_eq!(business.ask(era, &ann, "resources/list", cursor.clone()).await.code(), None);
        for other in [&ben, &ann_in_sales] {
            let said = business.ask(era, other, "resources/list", cursor.clone()).await;
            assert_eq!(said.code(), Some(-32602), "{}", said.text);
        }
        if era == Era::Modern {
            assert_eq!(page.answer["result"]["cacheScope"], "private");
            let read = business.ask(era, &ann, "resources/read", json!({"uri": "customer://c-1001"})).await;
            assert_eq!(
                (&read.answer["result"]["cacheScope"], &read.answer["result"]["ttlMs"]),
                (&json!("private"), &json!(0))
            );
        }
    }
    let session = business.session(&ann).await;
    for other in [&ben, &ann_in_sales] {
        let headers = [("Authorization", other.as_str()), ("Mcp-Session-Id", session.as_str())];
        let response =
            business.http.post(&headers, &crate::support::request(1, "tools/list", json!({}))).await;
        assert_eq!(response.status, 404);
    }
}

#[tokio::test]
pub(super) async fn what_changes_is_told_to_those_whose_it_is() {
    let business = Business::new().await;
    let filter = json!({"notifications": {
        "resourcesListChanged": true, "toolsListChanged": true,
        "resourceSubscriptions": ["customer://c-1003", "customer://c-9999", "order://o-5001", "thing://x"],
    }});
    let mut streams = Vec::new();
    for role in ["guest", "sales", "support"] {
        let token = business.token("listener", role);
        let body = modern(role, "subscriptions/listen", filter.clone());
        let mut stream = business.http.modern(&body, &[("Authorization", &token)]).await;
        let acknowledged = stream.event().await.unwrap().json();
        let expected = match role {
            "guest" => json!(null),
            // What may be read is listened to, whether it is there or not.
            "sales" => json!(["customer://c-1003", "customer://c-9999"]),
            _ => json!(["customer://c-1003", "customer://c-9999", "order://o-5001"]),
        };
        let notifications = &acknowledged["params"]["notifications"];
        assert_eq!(notifications["resourceSubscriptions"], expected, "{role}");
        assert_eq!(notifications["toolsListChanged"], json!(null));
        streams.push((role, stream));
    }
    let manager = business.token("boss", "manager");
    let said =
        business.call(&manager, "update_customer", json!({"customer": "c-1003", "status": "closed"})).await;
    assert!(!said.is_error(), "{}", said.text);
    for (role, stream) in &mut streams {
        if *role == "guest" {
            stream.hears_nothing().await;
        } else {
            assert_eq!(stream.event().await.unwrap().json()["params"]["uri"], "customer://c-1003");
        }
    }
}

#[tokio::test]
pub(super) async fn many_principals_are_served_and_none_is_remembered() {
    // `MCPROVE_PRINCIPALS=10000` takes some ten seconds.
    let many = std::env::var("MCPROVE_PRINCIPALS").map_or(500, |many| many.parse().unwrap());
    let business = Business::new().await;
    let before = business.http.server.bytes_held();
    for number in 0..many {
        let token = business.token(&format!("person-{number}"), ROLES[number % ROLES.len()]);
        let said = business.call(&token, "order_status", json!({"order": "o-5001"})).await;
        assert_eq!(said.answer["result"]["structuredContent"]["status"], "paid");
    }
    assert_eq!(business.http.server.bytes_held(), before);
}

#[tokio::test]
pub(super) async fn role_files_and_tokens_that_were_agreed_on() {
    use mcprove_reference_server::{Authorization, Config, Enterprise, Tokens};
    let path = std::env::temp_dir().join(format!("mcprove-roles-{}.toml", std::process::id()));
    let files = EnterpriseFiles { roles: Some(path.clone()), ..EnterpriseFiles::default() };
    std::fs::write(&path, "least = 'x'\n[[role]]\nname = 'y'\n").unwrap();
    let error = Enterprise::open(&files).unwrap_err().to_string();
    assert!(error.contains("unknown role `x`"), "{error}");
    let unknown = EnterpriseFiles { local_role: Some("root".to_owned()), ..EnterpriseFiles::default() };
    assert!(Enterprise::open(&unknown).unwrap_err().to_string().contains("no role `root`"));
    let missing = EnterpriseFiles { roles: Some("/nowhere/at/all".into()), ..EnterpriseFiles::default() };
    assert!(Enterprise::open(&missing).unwrap_err().to_string().contains("/nowhere/at/all"));

    // SHA-256 of `the-token`.
    let digest = "c2a73fcf61dfbdcadc79a10ba330b2ef5eb66fc0a6735ed69b796bb3c97b97ae";
    let text = format!(
        "least = 'none'\n[[role]]\nname = 'none'\n[[role]]\nname = 'clerk'\ntools = ['list_orders']\n\
         [role.fields]\norder = {{ mask = ['status'] }}\n\
         [[token]]\nprincipal = 'robot'\nrole = 'clerk'\nsha256 = '{digest}'\n"
    );
    std::fs::write(&path, text).unwrap();
    let profile = Enterprise::open(&files).unwrap();
    let tokens = profile.fixed_tokens();
    assert_eq!(tokens.len(), 1);
    let authorization = Authorization {
        resource: "http://127.0.0.1/mcp".to_owned(),
        authorization_servers: Vec::new(),
        tokens: Tokens::Fixed(tokens),
    };
    let config = Config {
        authorization: Some(authorization.into()),
        enterprise: Some(profile.into()),
        ..Config::default()
    };
    let http = crate::support::Http::open(config).await;
    let ask = |params: Value| modern(1, "tools/call", json!({"name": "list_orders", "arguments": params}));
    let bearer = [("Authorization", "Bearer the-token")];
    let said = http.modern(&ask(json!({"limit": 1})), &bearer).await.json().await;
    assert_eq!(said["result"]["structuredContent"]["orders"], json!([{"id": "o-5001", "status": "***"}]));
    // What is masked cannot be searched for either.
    let said = http.modern(&ask(json!({"status": "paid"})), &bearer).await.json().await;
    assert_eq!(said["result"]["isError"], true);
    for (headers, status) in [
        (&[("Authorization", "Bearer other")][..], 401),
        (&[("X-API-Key", "the-token")], 200),
        (&[("X-API-Key", "other")], 401),
        (&[("X-API-Key", "the-token"), ("X-API-Key", "the-token")], 400),
        (&[("X-API-Key", "the-token"), ("Authorization", "Bearer the-token")], 400),
        (&[], 401),
    ] {
        assert_eq!(http.modern(&ask(json!({})), headers).await.status, status, "{headers:?}");
    }
    std::fs::remove_file(path).unwrap();
}
