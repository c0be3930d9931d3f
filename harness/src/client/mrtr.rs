//! Demands for input (2026-07-28, basic/patterns/mrtr): what a client sends when a result says `input_required`.

use super::answers::Answering;
use super::wish::Wish;
use serde_json::{Map, Value};

/// How many inputs one demand may name; the rest is left out.
const MOST_INPUTS: usize = 50;

/// Whether a result demands input.
pub fn demands_input(result: &Value) -> bool {
    result["resultType"] == "input_required"
}

/// Whether a result that demands input asks the client for something, instead of only telling it to come again.
pub fn asks(result: &Value) -> bool {
    result.get("inputRequests").and_then(Value::as_object).is_some_and(|requests| !requests.is_empty())
}

/// What the inputs that a result demands ask for.
pub fn wishes(result: &Value) -> Vec<Wish> {
    let requests = result.get("inputRequests").and_then(Value::as_object);
    let wish = |request: &Value| Wish::of(request.get("method")?.as_str()?, request.get("params"));
    requests.into_iter().flatten().filter_map(|(_, request)| wish(request)).collect()
}

/// The parameters of the retry: those of the request with an answer to each input, and the state echoed as it came.
pub fn retry(params: &Value, result: &Value) -> Value {
    retry_answering(params, result, &mut Answering::Willing)
}

/// The same with answers of another kind; what is answered by an error, or not at all, is left out.
pub fn retry_answering(params: &Value, result: &Value, answering: &mut Answering) -> Value {
    let mut params = params.as_object().cloned().unwrap_or_default();
    // Both belong to one round only.
    params.remove("inputResponses");
    params.remove("requestState");
    if let Some(requests) = result.get("inputRequests").and_then(Value::as_object) {
        let mut responses = Map::new();
        for (key, request) in requests.iter().take(MOST_INPUTS) {
            let method = request.get("method").and_then(Value::as_str).unwrap_or_default();
            if let Some(Ok(answer)) = answering.answer(method, request.get("params")) {
                responses.insert(key.clone(), answer);
            }
        }
        params.insert("inputResponses".to_owned(), Value::Object(responses));
    }
    if let Some(state) = result.get("requestState") {
        params.insert("requestState".to_owned(), state.clone());
    }
    Value::Object(params)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_retry_answers_each_input_and_echoes_the_state() {
        let params = json!({"name": "t", "inputResponses": {"old": {}}, "requestState": "old"});
        let result = json!({"resultType": "input_required", "requestState": "s\u{0}1", "inputRequests": {
            "who": {"method": "elicitation/create", "params": {"message": "?", "requestedSchema": {
                "type": "object", "properties": {"name": {"type": "string"}}}}},
            "where": {"method": "roots/list"},
        }});
        assert!(demands_input(&result));
        let again = retry(&params, &result);
        assert_eq!(again["name"], "t");
        assert_eq!(again["requestState"], "s\u{0}1");
        assert_eq!(again["inputResponses"]["who"]["action"], "accept");
        assert!(again["inputResponses"]["where"]["roots"].is_array());
        assert!(again["inputResponses"].get("old").is_none());
        let only_later = retry(&params, &json!({"resultType": "input_required"}));
        assert_eq!(only_later, json!({"name": "t"}));
    }
}
