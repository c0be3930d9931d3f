//! Forms of elicitation, beyond what their types say (client/elicitation#requested-schema).

use super::question::{Question, escape, questions};
use super::rule::monitors;
use super::{Judge, Moment};
use crate::client::Wish;
use crate::protocol::Revision;
use serde_json::{Map, Value};

/// How many fields of a form are looked at.
const MOST_FIELDS: usize = 500;
/// The formats that a string in a form may have.
const FORMATS: &[&str] = &["email", "uri", "date", "date-time"];
/// The row that carries the finding where the field fits no type at all.
const PRIMITIVES: &str = "elicitation.form.flat-primitives";

monitors! {
    /// A string in a form has one of the four formats that the page names, or none; a choice has the shape that the
    /// revision knows, not the older `enumNames`; a default fits its field; `required` names fields that there are.
    /// Clients build their dialogs from it and leave out what they do not understand.
    forms_can_be_shown (WhileWeObey) decides [
        "elicitation.form.string-format", "elicitation.form.enum-form", "elicitation.form.enum-names-avoided",
        "elicitation.form.default-type", "elicitation.form.required-known",
    ];
    /// No text of a form has a URL to be clicked: links belong into URL mode, where the user sees what is opened.
    forms_have_no_links (WhileWeObey) decides ["elicitation.form.no-clickable-urls"];
}

fn forms(question: &Question<'_>) -> Option<(&'static str, Map<String, Value>)> {
    if !question.is(Wish::Form) {
        return None;
    }
    let properties = question.params.pointer("/requestedSchema/properties")?.as_object()?.clone();
    Some(("/requestedSchema/properties", properties))
}

fn forms_can_be_shown(moment: &Moment<'_>, judge: &mut Judge) {
    for question in questions(moment) {
        let Some((at, properties)) = forms(&question) else { continue };
        for (name, property) in properties.iter().take(MOST_FIELDS) {
            let place = format!("{at}/{}", escape(name));
            judge_format(moment, &question, property, &place, judge);
            judge_choice(moment, &question, property, &place, judge);
            if question.revision >= Revision::V2025_11_25 {
                judge_names(moment, &question, property, &place, &properties, judge);
            }
            judge_default(moment, &question, property, &place, judge);
        }
        judge_required(moment, &question, &properties, judge);
    }
}

fn judge_format(
    moment: &Moment<'_>,
    question: &Question<'_>,
    property: &Value,
    place: &str,
    judge: &mut Judge,
) {
    if property["type"] != "string" {
        return;
    }
    let Some(format) = property.get("format").and_then(Value::as_str) else {
        return judge.held("elicitation.form.string-format");
    };
    judge.decide("elicitation.form.string-format", FORMATS.contains(&format), || {
        question
            .breach(
                moment,
                "format",
                &format!("{place}/format"),
                "a string in a form has a format that forms do not have",
            )
            .expected(&["`email`, `uri`, `date`, `date-time` or none"])
            .actual(format!("`{}`", format.chars().take(60).collect::<String>()))
    });
}

/// The values that a field offers, and whether they stand in the way that the revision knows. `None`: it is no choice.
fn choices<'a>(property: &'a Value, revision: Revision) -> Option<(Vec<&'a Value>, bool)> {
    let newer = revision >= Revision::V2025_11_25;
    let list = |value: &'a Value, member: &str| value.get(member).and_then(Value::as_array);
    let constants = |options: &'a Vec<Value>| -> (Vec<&'a Value>, bool) {
        let good = options.iter().all(|option| option["const"].is_string() && option["title"].is_string());
        (options.iter().filter_map(|option| option.get("const")).collect(), good)
    };
    let strings = |values: &'a Vec<Value>| -> (Vec<&'a Value>, bool) {
        (values.iter().collect(), values.iter().all(Value::is_string))
    };
    if property["type"] == "array" {
        let items = property.get("items")?;
        let (values, good) = match (list(items, "enum"), list(items, "anyOf")) {
            (Some(values), _) => strings(values),
            (None, Some(options)) => constants(options),
            (None, None) => return None,
        };
        return Some((values, good && newer));
    }
    if let Some(values) = list(property, "enum") {
        let (values, good) = strings(values);
        return Some((values, good && property["type"] == "string"));
    }
    let (values, good) = constants(list(property, "oneOf")?);
    Some((values, good && newer && property["type"] == "string"))
}

fn judge_choice(
    moment: &Moment<'_>,
    question: &Question<'_>,
    property: &Value,
    place: &str,
    judge: &mut Judge,
) {
    const FORM: &str = "elicitation.form.enum-form";
    let Some((_, good)) = choices(property, question.revision) else { return };
    judge.decide(FORM, good, || {
        question
            .breach(moment, "choice", place, "a choice in a form has a shape that the revision does not know")
            // The schema allows members that it does not know, so the older type for strings fits such a choice too.
            .quality()
            .see(PRIMITIVES)
            .expected(if question.revision >= Revision::V2025_11_25 {
                &["strings in `enum`, or `const` and `title` in `oneOf`; of several, the same in `items`"]
            } else {
                &["a string with `enum`, a list of strings"]
            })
            .actual(property.to_string().chars().take(200).collect::<String>())
    });
}

/// Whether a choice has its titles in the older way. A form that has both ways knows the newer one.
fn judge_names(
    moment: &Moment<'_>,
    question: &Question<'_>,
    property: &Value,
    place: &str,
    properties: &Map<String, Value>,
    judge: &mut Judge,
) {
    const ID: &str = "elicitation.form.enum-names-avoided";
    if choices(property, question.revision).is_none() {
        return;
    }
    let titled = |field: &Value| field.get("oneOf").is_some() || field.pointer("/items/anyOf").is_some();
    let old = property.get("enumNames").is_some() && !properties.values().any(titled);
    judge.decide(ID, !old, || {
        question
            .breach(moment, "enum-names", &format!("{place}/enumNames"), "a choice uses `enumNames`")
            .quality()
            .expected(&["`oneOf` with `const` and `title`"])
            .actual("`enumNames`")
    });
}

fn judge_default(
    moment: &Moment<'_>,
    question: &Question<'_>,
    property: &Value,
    place: &str,
    judge: &mut Judge,
) {
    const ID: &str = "elicitation.form.default-type";
    let Some(default) = property.get("default") else { return };
    let kind = property["type"].as_str().unwrap_or_default();
    // In 2025-06-18 only booleans have a default; others are members that the schema does not speak of.
    if question.revision < Revision::V2025_11_25 && kind != "boolean" {
        return;
    }
    let fits = match kind {
        "string" => default.is_string(),
        "number" => default.is_number(),
        "integer" => default.as_f64().is_some_and(|number| number.fract() == 0.0),
        "boolean" => default.is_boolean(),
        "array" => default.as_array().is_some_and(|list| list.iter().all(Value::is_string)),
        _ => return,
    };
    let within = fits && is_within(property, default, question.revision);
    judge.decide(ID, within, || {
        let seen = question
            .breach(
                moment,
                if fits { "value" } else { "type" },
                &format!("{place}/default"),
                "the default of a field does not fit the field",
            )
            .expected(&["a value that the field allows"])
            .see(PRIMITIVES)
            .actual(default.to_string().chars().take(100).collect::<String>());
        // The schema gives its type only.
        if fits { seen.quality() } else { seen }
    });
}

/// Whether a default of the right type is one of the choices, and within the bounds.
fn is_within(property: &Value, default: &Value, revision: Revision) -> bool {
    let bound = |member: &str| property.get(member).and_then(Value::as_f64);
    let between = |number: f64, least: &str, most: &str| {
        bound(least).is_none_or(|least| number >= least) && bound(most).is_none_or(|most| number <= most)
    };
    let length = |count: usize| u32::try_from(count).map_or(f64::MAX, f64::from);
    let offered = choices(property, revision).map(|(values, _)| values);
    let is_offered = |value: &Value| offered.as_ref().is_none_or(|values| values.contains(&value));
    match default {
        Value::String(text) => {
            is_offered(default) && between(length(text.chars().count()), "minLength", "maxLength")
        }
        Value::Array(list) => {
            list.iter().all(is_offered) && between(length(list.len()), "minItems", "maxItems")
        }
        Value::Number(number) => between(number.as_f64().unwrap_or_default(), "minimum", "maximum"),
        _ => true,
    }
}

fn judge_required(
    moment: &Moment<'_>,
    question: &Question<'_>,
    properties: &Map<String, Value>,
    judge: &mut Judge,
) {
    let Some(required) = question.params.pointer("/requestedSchema/required").and_then(Value::as_array)
    else {
        return;
    };
    let strange = required
        .iter()
        .filter_map(Value::as_str)
        .take(MOST_FIELDS)
        .find(|name| !properties.contains_key(*name));
    judge.decide("elicitation.form.required-known", strange.is_none(), || {
        question
            .breach(
                moment,
                "unknown",
                "/requestedSchema/required",
                "a form requires a field that it does not have",
            )
            .quality()
            .expected(&["names of properties only"])
            .actual(format!("`{}`", strange.unwrap_or_default().chars().take(60).collect::<String>()))
    });
}

fn forms_have_no_links(moment: &Moment<'_>, judge: &mut Judge) {
    const ID: &str = "elicitation.form.no-clickable-urls";
    for question in questions(moment) {
        if !question.is(Wish::Form) || question.revision < Revision::V2025_11_25 {
            continue;
        }
        let text =
            |value: &Value, member: &str| value.get(member).and_then(Value::as_str).is_some_and(has_link);
        let mut place = text(question.params, "message").then(|| "/message".to_owned());
        let properties = forms(&question).map(|(_, properties)| properties).unwrap_or_default();
        for (name, property) in properties.iter().take(MOST_FIELDS) {
            let member = ["title", "description"].into_iter().find(|member| text(property, member));
            place = place
                .or(member.map(|member| format!("/requestedSchema/properties/{}/{member}", escape(name))));
        }
        judge.decide(ID, place.is_none(), || {
            question
                .breach(moment, "link", &place.unwrap_or_default(), "a form has a URL in its texts")
                .quality()
                .expected(&["no URL to be clicked in a form; URL mode for pages"])
                .actual("a URL")
        });
    }
}

/// Whether a text has a URL in it that a program would make clickable; one on example hosts is an example.
fn has_link(text: &str) -> bool {
    ["https://", "http://"].iter().any(|scheme| {
        text.match_indices(scheme).any(|(at, _)| {
            let rest = &text[at + scheme.len()..];
            let host: String =
                rest.chars().take_while(|c| !matches!(c, '/' | ':' | ' ' | ')' | '`' | '"')).collect();
            let example = ["example", "example.com", "example.org", "example.net"];
            !host.is_empty() && !example.iter().any(|own| host == *own || host.ends_with(&format!(".{own}")))
        })
    })
}
