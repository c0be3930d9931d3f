//! Completion: suggestions for prompt arguments and template variables.

use serde_json::{Value, json};

use crate::features::{prompt_arguments, template_variable};
use crate::message::{Object, RpcError, optional_object, string};

/// The most values that one answer may hold.
const LIMIT: usize = 100;

const COUNTRIES: [(&str, &[&str]); 4] = [
    ("France", &["Lyon", "Paris", "Toulouse"]),
    ("Germany", &["Berlin", "Bremen", "Hamburg"]),
    ("Japan", &["Kyoto", "Osaka", "Tokyo"]),
    ("Portugal", &["Lisbon", "Porto"]),
];

/// What the blank belongs to.
#[derive(Clone, Copy)]
pub(crate) enum Reference<'a> {
    /// The prompt of this name.
    Prompt(&'a str),
    /// The resource template with this pattern.
    Template(&'a str),
}

/// A blank to be filled in.
pub(crate) struct Blank<'a> {
    pub of: Reference<'a>,
    /// The name of the argument or variable.
    pub argument: &'a str,
    /// The arguments that are known already.
    known: Option<&'a Object>,
}

/// The error for a pattern that no resource template has.
pub(crate) fn unknown_template() -> RpcError {
    RpcError::invalid_params("Invalid params: unknown resource template")
}

/// `completion/complete`.
pub(crate) fn complete(params: &Object) -> Result<Object, RpcError> {
    complete_with(params, |blank| {
        let unknown_argument = || RpcError::invalid_params("Invalid params: unknown argument");
        match blank.of {
            Reference::Prompt(prompt) => {
                if !prompt_arguments(prompt)?.any(|argument| argument == blank.argument) {
                    return Err(unknown_argument());
                }
                Ok(for_prompt(prompt, blank.argument, blank.known))
            }
            Reference::Template(pattern) => {
                let (variable, values) = template_variable(pattern).ok_or_else(unknown_template)?;
                if variable == blank.argument { Ok(values) } else { Err(unknown_argument()) }
            }
        }
    })
}

/// `completion/complete` with these candidates for a blank.
pub(crate) fn complete_with(
    params: &Object,
    candidates: impl FnOnce(&Blank<'_>) -> Result<Vec<String>, RpcError>,
) -> Result<Object, RpcError> {
    let missing = |name: &str| RpcError::invalid_params(format!("Invalid params: {name} is missing"));
    let reference = optional_object(params, "ref")?.ok_or_else(|| missing("ref"))?;
    let argument = optional_object(params, "argument")?.ok_or_else(|| missing("argument"))?;
    let name = string(argument, "name")?;
    let typed = string(argument, "value")?;
    let context = optional_object(params, "context")?;
    let known = context.map(|context| optional_object(context, "arguments")).transpose()?.flatten();
    if known.is_some_and(|arguments| arguments.values().any(|value| !value.is_string())) {
        return Err(RpcError::invalid_params("Invalid params: context.arguments must hold strings"));
    }
    let of = match string(reference, "type")? {
        "ref/prompt" => Reference::Prompt(string(reference, "name")?),
        "ref/resource" => Reference::Template(string(reference, "uri")?),
        _ => return Err(RpcError::invalid_params("Invalid params: unknown kind of ref")),
    };
    let candidates = candidates(&Blank { of, argument: name, known })?;
    let typed = typed.to_lowercase();
    let matching: Vec<String> =
        candidates.into_iter().filter(|candidate| candidate.to_lowercase().starts_with(&typed)).collect();
    let total = matching.len();
    let values: Vec<String> = matching.into_iter().take(LIMIT).collect();
    let mut result = Object::new();
    result.insert("completion".into(), json!({"values": values, "total": total, "hasMore": total > LIMIT}));
    Ok(result)
}

fn for_prompt(prompt: &str, argument: &str, known: Option<&Object>) -> Vec<String> {
    let owned = |names: &[&str]| names.iter().copied().map(str::to_owned).collect();
    match (prompt, argument) {
        ("greet", "style") => owned(&["formal", "friendly", "short"]),
        ("travel", "country") => COUNTRIES.iter().map(|(country, _)| (*country).to_owned()).collect(),
        ("travel", "city") => {
            let country = known.and_then(|known| known.get("country")).and_then(Value::as_str);
            COUNTRIES
                .iter()
                .filter(|(name, _)| country.is_none_or(|country| country == *name))
                .flat_map(|(_, cities)| cities.iter().map(|city| (*city).to_owned()))
                .collect()
        }
        ("summarise_note", "uri") | ("test_prompt_with_embedded_resource", "resourceUri") => {
            owned(&["note://settings", "note://unicode", "note://welcome"])
        }
        _ => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::complete;
    use serde_json::json;

    #[test]
    fn at_most_a_hundred_values_and_the_true_total() {
        let params = json!({"ref": {"type": "ref/resource", "uri": "note://squares/{number}"}, "argument": {"name": "number", "value": ""}});
        let result = complete(params.as_object().unwrap()).unwrap();
        assert_eq!(result["completion"]["values"].as_array().unwrap().len(), 100);
        assert_eq!(result["completion"]["total"], 1000);
        assert_eq!(result["completion"]["hasMore"], true);
    }

    #[test]
    fn arguments_already_known_narrow_the_suggestions() {
        let mut params = json!({"ref": {"type": "ref/prompt", "name": "travel"}, "argument": {"name": "city", "value": ""}});
        assert_eq!(complete(params.as_object().unwrap()).unwrap()["completion"]["total"], 11);
        params["context"] = json!({"arguments": {"country": "Japan"}});
        let result = complete(params.as_object().unwrap()).unwrap();
        assert_eq!(result["completion"]["values"], json!(["Kyoto", "Osaka", "Tokyo"]));
    }
}
