//! Faults of sampling.

use serde_json::{Value, json};

use crate::faults::Duty;
use crate::faults::edit::{items, put};
use crate::faults::fault::{Fault, LEGACY, MODERN, SINCE_2025_11, STDIO, fault};
use crate::faults::hook::Hook::{Input, Intercept, Neglect, Question, Request};
use crate::faults::hook::Input::{Changed, Drop, Pass};
use crate::faults::hook::Instead;
use crate::features::Capability;
use crate::message::{INVALID_PARAMS, Object};

/// The method of every question to the model.
const ASK: &str = "sampling/createMessage";

pub(super) const FAULTS: &[Fault] = &[
    fault(
        "sampling.capability.required/undeclared",
        "The model is asked of clients that do not declare sampling.",
        &[Neglect(Duty::AsksWhatIsDeclared(Capability::Sampling))],
    )
    .also_seen(&["capabilities.client.only-declared-used", "mrtr.result.respects-capabilities"])
    .over(STDIO),
    fault(
        "sampling.tools.capability/undeclared",
        "The model is asked with tools of clients that do not declare them.",
        &[Neglect(Duty::AsksWhatIsDeclared(Capability::SamplingTools))],
    )
    .also_seen(&[
        "capabilities.client.only-declared-used",
        "mrtr.result.respects-capabilities",
        "sampling.capability.required",
    ])
    .within(SINCE_2025_11)
    .over(STDIO),
    fault(
        "sampling.request.required-fields/no-limit",
        "The model is asked without maxTokens.",
        &[Question(ASK, |_, params| drop(params.remove("maxTokens")))],
    )
    .over(STDIO),
    fault(
        "sampling.request.optional-types/text",
        "The temperature is a text.",
        &[Question(ASK, |_, params| put(params, &["temperature"], "warm"))],
    )
    .over(STDIO),
    fault(
        "sampling.message.shape/system",
        "Messages for the model come from the system.",
        &[Question(ASK, |_, params| items(params, "messages").for_each(|message| put(message, &["role"], "system")))],
    )
    .also_seen(&["sampling.tool-result.roles"])
    .over(STDIO),
    fault(
        "sampling.message.base64/not-base64",
        "The data of an image for the model is not base64.",
        &[Question(ASK, |_, params| {
            items(params, "messages").take(1).for_each(|message| {
                put(message, &["content"], json!({"type": "image", "data": "?!", "mimeType": "image/png"}));
            });
        })],
    )
    .over(STDIO),
    fault(
        "sampling.preferences.range/too-high",
        "Speed has the priority 5.",
        &[Question(ASK, |_, params| put(params, &["modelPreferences"], json!({"speedPriority": 5})))],
    )
    .over(STDIO),
    fault(
        "sampling.include-context.value/everything",
        "The context to include is one that there is not.",
        &[Question(ASK, |_, params| put(params, &["includeContext"], "everything"))],
    )
    .over(STDIO),
    fault(
        "sampling.include-context.avoided/all",
        "The context of all servers is to be included.",
        &[Question(ASK, |_, params| put(params, &["includeContext"], "allServers"))],
    )
    .breaking(&["sampling.include-context.capability"])
    .within(SINCE_2025_11)
    .over(STDIO),
    fault(
        "sampling.tools.shape/no-schema",
        "Tools for the model have no inputSchema.",
        &[Question(ASK, |_, params| items(params, "tools").for_each(|tool| drop(tool.remove("inputSchema"))))],
    )
    .within(SINCE_2025_11)
    .over(STDIO),
    fault(
        "sampling.tool-result.alone/with-text",
        "A text goes with the results of tools.",
        &[Question(ASK, |_, params| {
            results(params, |blocks| blocks.push(json!({"type": "text", "text": "Here they are."})));
        })],
    )
    .within(SINCE_2025_11)
    .over(STDIO),
    fault(
        "sampling.tool-result.balance/left-out",
        "The results of tools are left out.",
        &[Question(ASK, |_, params| results(params, Vec::clear))],
    )
    .within(SINCE_2025_11)
    .over(STDIO),
    fault(
        "sampling.tool-result.ids/made-up",
        "The result of a tool names a use that the server made up.",
        &[Question(ASK, |_, params| {
            results(params, |blocks| blocks.iter_mut().for_each(|block| block["toolUseId"] = "made-up".into()));
        })],
    )
    .also_seen(&["sampling.tool-result.balance"])
    .within(SINCE_2025_11)
    .over(STDIO),
    fault(
        "sampling.tool-result.roles/assistant",
        "The results of tools come from the assistant.",
        &[Question(ASK, |_, params| {
            items(params, "messages").skip(2).for_each(|message| put(message, &["role"], "assistant"));
        })],
    )
    .also_seen(&["sampling.tool-result.balance"])
    .within(SINCE_2025_11)
    .over(STDIO),
    fault(
        "sampling.tool-result.structured/text",
        "The result of a tool is not what its outputSchema says.",
        &[Question(ASK, |_, params| {
            let schema = json!({"type": "object", "properties": {"degrees": {"type": "number"}}, "required": ["degrees"]});
            items(params, "tools").for_each(|tool| put(tool, &["outputSchema"], schema.clone()));
            results(params, |blocks| {
                blocks.iter_mut().for_each(|block| block["structuredContent"] = json!({"degrees": "warm"}));
            });
        })],
    )
    .within(SINCE_2025_11)
    .over(STDIO),
    fault(
        "sampling.tool-loop.limit/endless",
        "The model may use tools for ever.",
        &[Neglect(Duty::ToolLoopEnds)],
    )
    .within(SINCE_2025_11)
    .over(STDIO),
    fault(
        "sampling.result.validated/hangs",
        "A call whose model gives no message never ends.",
        &[
            Input(|_, bytes| {
                let message: Value = serde_json::from_slice(bytes).unwrap_or_default();
                if message["result"] == json!({}) { Drop } else { Pass }
            }),
            Intercept(|asked| {
                let responses = asked.params.get("inputResponses")?.as_object()?;
                responses.values().any(|answer| *answer == json!({})).then_some(Instead::Never)
            }),
        ],
    )
    .also_seen(&["cancellation.sent.in-progress"])
    .over(STDIO),
    fault(
        "sampling.result.rejection-handled/ignored",
        "A call waits on when the user does not let the model answer.",
        &[Input(|_, bytes| {
            let message: Value = serde_json::from_slice(bytes).unwrap_or_default();
            if message["error"]["code"] == -1 { Drop } else { Pass }
        })],
    )
    .also_seen(&["cancellation.sent.in-progress"])
    .within(LEGACY)
    .over(STDIO),
    fault(
        "sampling.result.any-stop-reason/known-only",
        "What the model says is refused where it stopped for a reason that the server does not know.",
        &[
            Input(|_, bytes| {
                let mut message: Value = serde_json::from_slice(bytes).unwrap_or_default();
                if !is_odd(&message["result"]) {
                    return Pass;
                }
                message["result"] = json!({});
                Changed(message.to_string().into_bytes())
            }),
            Intercept(|asked| {
                let responses = asked.params.get("inputResponses")?.as_object()?;
                let odd = responses.values().any(is_odd);
                odd.then(|| Instead::error(INVALID_PARAMS, "Invalid params: unknown stopReason"))
            }),
        ],
    )
    .over(STDIO),
    fault(
        "sampling.not-retained/kept",
        "What the model said for one request goes with the messages of the next.",
        &[
            Request(|memory, request| {
                let responses = request.params.get("inputResponses").and_then(Value::as_object);
                let said = responses.into_iter().flat_map(Object::values).find(|answer| answer["content"]["type"] == "text");
                if let Some(said) = said {
                    memory.keep(json!({"role": "assistant", "content": said["content"]}));
                }
            }),
            Question(ASK, |memory, params| {
                let messages = params.get_mut("messages").and_then(Value::as_array_mut);
                if let Some((messages, said)) = messages.zip(memory.kept()) {
                    messages.insert(0, said);
                }
            }),
        ],
    )
    .within(MODERN)
    .over(STDIO),
];

fn is_odd(answer: &Value) -> bool {
    let reasons = ["endTurn", "stopSequence", "maxTokens", "toolUse"];
    answer["stopReason"].as_str().is_some_and(|reason| !reasons.contains(&reason))
}

/// Changes the results of tools in the messages for the model.
fn results(params: &mut Object, change: fn(&mut Vec<Value>)) {
    for message in items(params, "messages") {
        let blocks = message.get_mut("content").and_then(Value::as_array_mut);
        if let Some(blocks) =
            blocks.filter(|blocks| blocks.iter().any(|block| block["type"] == "tool_result"))
        {
            change(blocks);
        }
    }
}
