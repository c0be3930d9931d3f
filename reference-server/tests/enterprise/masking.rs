//! What a role sees masked, it sees masked wherever it comes out; also where a role file is not the usual one.

use serde_json::json;

use crate::support::business::{Business, Era, question, yes};

#[tokio::test]
pub(super) async fn a_prompt_embeds_what_the_role_sees() {
    let business = Business::new().await;
    for (role, prompt, argument, id, secrets) in [
        ("support", "prepare_call", "customer", "c-1001", ["4111111111111000", "DE10370400440532013000"]),
        (
            "manager",
            "summarise_customer",
            "customer",
            "c-1002",
            ["4111111111118919", "DE17370400440532013001"],
        ),
        ("manager", "review_employee", "employee", "e-201", ["4200000", "Calm with angry callers"]),
    ] {
        let params = json!({"name": prompt, "arguments": {argument: id}});
        for era in [Era::Modern, Era::Legacy] {
            let said =
                business.ask(era, &business.token("somebody", role), "prompts/get", params.clone()).await;
            assert!(said.text.contains(id), "{}", said.text);
            for secret in secrets {
                assert!(!said.text.contains(secret), "{role}, {prompt}: {}", said.text);
            }
        }
    }
}

#[tokio::test]
async fn questions_and_results_tell_no_more_than_the_role_sees() {
    let roles = "least = 'clerk'\n[[role]]\nname = 'clerk'\n\
        tools = ['refund_order', 'delete_customer', 'order_status']\n\
        [role.fields]\norder = { show = ['status'], mask = ['amount_cents'] }\n";
    let business = Business::with_roles(roles).await;
    let clerk = business.token("ann", "clerk");
    let refund = json!({"name": "refund_order", "arguments": {"order": "o-5002", "reason": "broken"}});
    let first = business.ask(Era::Modern, &clerk, "tools/call", refund.clone()).await;
    assert!(
        first.text.contains("Refund order o-5002 (*** cents)? The reason, in the words of the caller: "),
        "{}",
        first.text
    );
    let said = business.answer(&clerk, refund, &question(&first), yes()).await;
    assert_eq!(
        said.answer["result"]["structuredContent"]["order"],
        json!({"id": "o-5002", "status": "refunded", "amount_cents": "***"})
    );
    let delete = json!({"name": "delete_customer", "arguments": {"customer": "c-1006"}});
    let second = business.ask(Era::Modern, &clerk, "tools/call", delete.clone()).await;
    assert!(
        second.text.contains("Delete customer c-1006 with all orders? This cannot be undone."),
        "{}",
        second.text
    );
    let third = business.answer(&clerk, delete, &question(&second), yes()).await;
    for (said, secrets) in [
        (&first, &["Standing", "4749", "c-1006"][..]),
        (&said, &["Standing", "4749", "c-1006"]),
        (&second, &["José", "2 orders"]),
        (&third, &["José"]),
    ] {
        for secret in secrets {
            assert!(!said.text.contains(secret), "{secret}: {}", said.text);
        }
    }
}
