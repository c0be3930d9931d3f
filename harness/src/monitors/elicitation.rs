//! Elicitation: what a user is asked for, and the pages to visit (client/elicitation).

use super::answered::answered;
use super::elicited::REQUIRED;
use super::question::{Question, questions};
use super::rule::monitors;
use super::{Breach, Judge, Moment, State};
use crate::client::Wish;
use crate::protocol::{Era, Kind, Message, Revision};
use crate::wire::is_loopback;
use serde_json::Value;
use url::Url;

monitors! {
    /// No form has a field whose name, title or description asks for a secret: a password, a key, a token, the number
    /// of a card. Such things belong on a page of the server's own (from 2025-11-25 on), where no client and no model
    /// sees them. Found by words, so it is told as a warning.
    forms_ask_for_no_secrets (WhileWeObey) decides
        ["elicitation.sensitive.not-by-form", "elicitation.sensitive.by-url"];
    /// The page that a user is asked to visit has an absolute URL, `https:` unless it is on this machine, without
    /// credentials or an e-mail address in it. From 2026-07-28 on it comes without `elicitationId`.
    pages_have_safe_urls (WhileWeObey) decides [
        "elicitation.url.valid", "elicitation.url.https", "elicitation.url.no-user-data",
        "elicitation.url.id-retired",
    ];
    /// Each page has an `elicitationId` of its own, and the notice that an interaction is over has the id of one that
    /// the same client was asked for: a client has nothing else to go by. Over STDIO there is but one client.
    pages_are_told_apart_by_their_ids (WhileWeObey) decides [
        "elicitation.url.id-unique", "elicitation.complete.id", "elicitation.complete.initiator-only",
    ] at_end ids_fit_together;
    /// The error -32042 says that pages have to be visited first, and lists them, each in URL mode with its id; it
    /// is not used for anything else, nor is another code used for this.
    pages_to_visit_first_are_listed (WhileWeObey) decides [
        "elicitation.required-error.code", "elicitation.required-error.only-then",
        "elicitation.required-error.list", "elicitation.required-error.items",
        "elicitation.required-error.client-mode",
    ] at_end the_code_was_not_misused;
    /// In 2026-07-28 a page that was agreed to is answered by `accept` without content; the retry is served, whether or
    /// not the user has been there by now.
    agreeing_to_a_page_is_enough_for_a_retry (WhileWeObey) decides ["elicitation.url.accept-is-not-completion"];
    /// After an elicitation by URL no result has what looks like somebody else's token: what the user gave on the page
    /// stays with the server. Found by the forms of well-known tokens, so it is told as a warning.
    no_token_comes_back_from_a_page (WhileWeObey) decides ["elicitation.oauth.no-transit"];
}

const BY_FORM: &str = "elicitation.sensitive.not-by-form";
const BY_URL: &str = "elicitation.sensitive.by-url";

/// Words, in lower case and one after the other, that name a secret.
const SECRETS: &[&[&str]] = &[
    &["password"],
    &["passwd"],
    &["passphrase"],
    &["passcode"],
    &["secret"],
    &["api", "key"],
    &["apikey"],
    &["private", "key"],
    &["access", "token"],
    &["auth", "token"],
    &["api", "token"],
    &["bearer", "token"],
    &["refresh", "token"],
    &["credit", "card"],
    &["card", "number"],
    &["cvv"],
    &["cvc"],
    &["ssn"],
    &["social", "security", "number"],
];

fn forms_ask_for_no_secrets(moment: &Moment<'_>, judge: &mut Judge) {
    for question in questions(moment) {
        if question.is(Wish::Url) {
            judge.held(BY_URL);
        }
        if !question.is(Wish::Form) {
            continue;
        }
        let Some(properties) =
            question.params.pointer("/requestedSchema/properties").and_then(Value::as_object)
        else {
            continue;
        };
        let found = properties.iter().take(500).find_map(|(name, property)| {
            let text = |member: &str| property.get(member).and_then(Value::as_str).unwrap_or_default();
            let texts = [name.as_str(), text("title"), text("description")];
            texts.into_iter().find_map(secret).map(|what| (name, what))
        });
        let Some((name, what)) = found else {
            judge.held(BY_FORM);
            if question.revision >= Revision::V2025_11_25 {
                judge.held(BY_URL);
            }
            continue;
        };
        let place = format!("/requestedSchema/properties/{}", super::question::escape(name));
        let seen = || {
            question
                .breach(moment, "secret", &place, "a form seems to ask for a secret")
                .quality()
                .expected(&["no field for secrets in a form"])
                .actual(format!("`{}`: {what}", name.chars().take(60).collect::<String>()))
        };
        judge.broke(BY_FORM, seen());
        judge.broke(BY_URL, seen().see(BY_FORM));
    }
}

/// The secret that a text names.
fn secret(text: &str) -> Option<String> {
    let words = words(text);
    let named = SECRETS.iter().find(|secret| words.windows(secret.len()).any(|window| window == **secret))?;
    Some(named.join(" "))
}

/// The words of a text in lower case; `camelCase` and `snake_case` fall apart.
fn words(text: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    let mut lower = false;
    for c in text.chars().take(2000) {
        if !c.is_alphanumeric() || (c.is_uppercase() && lower) {
            words.push(String::new());
        }
        lower = c.is_lowercase();
        if let Some(word) = words.last_mut().filter(|_| c.is_alphanumeric()) {
            word.extend(c.to_lowercase());
        }
    }
    words.retain(|word| !word.is_empty());
    words
}

const RETIRED: &str = "elicitation.url.id-retired";

fn pages_have_safe_urls(moment: &Moment<'_>, judge: &mut Judge) {
    for question in questions(moment) {
        if question.is(Wish::Url) {
            judge_page(moment, &question, judge);
        }
    }
    let Some(heard) = &moment.message else { return };
    let modern = moment.state.era() == Some(Era::Modern);
    if modern && heard.message.method() == Some("notifications/elicitation/complete") {
        judge.broke(
            RETIRED,
            Breach::new("notification", "`notifications/elicitation/complete` was sent, which is no more")
                .expected(&["no such notification"])
                .actual("it was sent")
                .at(moment.record)
                .pointer("/method"),
        );
    }
    // The pages that an error lists.
    for (at, page) in required(moment, heard.message).unwrap_or_default().iter().enumerate() {
        judge_url(moment, page.get("url"), &format!("/error/data/elicitations/{at}/url"), judge);
    }
}

fn judge_page(moment: &Moment<'_>, question: &Question<'_>, judge: &mut Judge) {
    let params = question.params;
    judge_url(moment, params.get("url"), &format!("{}/params/url", question.at), judge);
    if question.revision.era() == Era::Modern {
        judge.decide(RETIRED, params.get("elicitationId").is_none(), || {
            question
                .breach(moment, "member", "/elicitationId", "a page has an `elicitationId`, which is no more")
                .quality()
                .expected(&["no such member"])
                .actual("it is there")
        });
    }
}

fn judge_url(moment: &Moment<'_>, url: Option<&Value>, at: &str, judge: &mut Judge) {
    const VALID: &str = "elicitation.url.valid";
    // That it is a string is judged with the schema.
    let Some(text) = url.and_then(Value::as_str) else { return };
    let seen = |class: &str, message: &str, actual: String| {
        Breach::new(class, message).actual(actual).at(moment.record).pointer(at)
    };
    let parsed = match Url::parse(text) {
        Ok(parsed) => parsed,
        Err(error) => {
            let message = "the URL of a page to visit is none";
            let seen = seen("no-url", message, format!("{error}: `{}`", short(text)));
            return judge.broke(VALID, seen.expected(&["an absolute URL"]));
        }
    };
    judge.held(VALID);
    let safe = parsed.scheme() == "https" || (parsed.scheme() == "http" && is_loopback(&parsed));
    judge.decide("elicitation.url.https", safe, || {
        seen("scheme", "the page to visit is not reached by `https:`", format!("`{}:`", parsed.scheme()))
            .expected(&["an `https:` URL"])
    });
    let personal = if !parsed.username().is_empty() || parsed.password().is_some() {
        Some("it has a user name or password before the host")
    } else if parsed.query_pairs().any(|(_, value)| is_email(&value)) {
        Some("a parameter is an e-mail address")
    } else {
        None
    };
    judge.decide("elicitation.url.no-user-data", personal.is_none(), || {
        seen("personal", "the URL of a page has what looks like data about the user", String::new())
            .quality()
            .expected(&["no credentials and no personal data in the URL"])
            .actual(personal.unwrap_or_default())
    });
}

fn is_email(text: &str) -> bool {
    text.split_once('@').is_some_and(|(name, host)| {
        !name.is_empty()
            && !name.contains(|c: char| c.is_whitespace() || c == '/')
            && host.contains('.')
            && host.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '-'))
    })
}

/// Over HTTP a notice can overtake the request that it belongs to, so this is looked at when all is over.
fn pages_are_told_apart_by_their_ids(_: &Moment<'_>, _: &mut Judge) {}

fn ids_fit_together(state: &State, judge: &mut Judge) {
    const UNIQUE: &str = "elicitation.url.id-unique";
    const COMPLETE: &str = "elicitation.complete.id";
    if state.rules() != Some(Revision::V2025_11_25) {
        return;
    }
    let elicited = &state.elicited;
    for again in &elicited.again {
        let message = if again.after_completion {
            "an `elicitationId` came again after its interaction was over"
        } else {
            "an `elicitationId` came again with another URL"
        };
        let mut seen = Breach::new("again", message)
            .expected(&["an id of its own for each interaction"])
            .actual(format!("`{}`", short(&again.id)));
        seen.event = Some(again.seq);
        // The same interaction may have moved to another address.
        judge.broke(UNIQUE, if again.after_completion { seen } else { seen.quality() });
    }
    if elicited.count() > 1 {
        judge.held(UNIQUE);
    }
    for (id, seq) in &elicited.completed {
        let known = id.as_ref().is_some_and(|id| elicited.knows(id) || elicited.overflows());
        judge.decide(COMPLETE, known, || {
            let actual = id.as_ref().map_or("no id".to_owned(), |id| format!("`{}`", short(id)));
            let mut seen =
                Breach::new("unknown-id", "an interaction that nobody asked for is said to be over")
                    .expected(&["the `elicitationId` of an earlier request or error"])
                    .actual(actual);
            seen.event = Some(*seq);
            seen
        });
        if known && !state.transport().is_http() {
            judge.held("elicitation.complete.initiator-only");
        }
    }
}

const CODE: &str = "elicitation.required-error.code";
const ONLY_THEN: &str = "elicitation.required-error.only-then";

/// The entries that an error lists as pages to visit first, where it has such a list.
fn required<'a>(moment: &Moment<'_>, message: &'a Message) -> Option<&'a [Value]> {
    moment.state.rules().filter(|revision| *revision == Revision::V2025_11_25)?;
    message.error()?.pointer("/data/elicitations")?.as_array().map(Vec::as_slice)
}

fn pages_to_visit_first_are_listed(moment: &Moment<'_>, judge: &mut Judge) {
    const LIST: &str = "elicitation.required-error.list";
    let Some(heard) = &moment.message else { return };
    if moment.state.rules() != Some(Revision::V2025_11_25) || *heard.message.kind() != Kind::Error {
        return;
    }
    let is_code = heard.message.error_code() == Some(REQUIRED);
    let list = required(moment, heard.message).filter(|list| !list.is_empty());
    let seen = |class: &str, message: &str, actual: String| {
        Breach::new(class, message).actual(actual).at(moment.record)
    };
    let Some(list) = list else {
        if is_code {
            let why = "error -32042 lists no page that has to be visited first";
            let seen = || {
                seen("no-list", why, "no such list".to_owned())
                    .expected(&["`data.elicitations`, an array that is not empty"])
                    .pointer("/error")
            };
            judge.broke(LIST, seen());
            judge.broke(ONLY_THEN, seen().see(LIST));
        }
        return;
    };
    let pages = list.iter().filter(|page| page["mode"] == "url").count();
    judge.decide(CODE, is_code || pages == 0, || {
        let code = heard.message.error_code().map_or("no code".to_owned(), |code| code.to_string());
        seen("other-code", "an error lists pages to visit first, but has another code", code)
            .expected(&["-32042"])
            .pointer("/error/code")
    });
    if !is_code {
        return;
    }
    judge.held(LIST);
    judge.decide(ONLY_THEN, pages > 0, || {
        seen(
            "no-page",
            "error -32042 was sent where no page has to be visited",
            "no entry in URL mode".into(),
        )
        .expected(&["another code, or an entry in URL mode"])
        .see("elicitation.required-error.items")
        .pointer("/error/data/elicitations")
    });
    for (at, page) in list.iter().enumerate() {
        let good = page["mode"] == "url" && page["elicitationId"].is_string();
        judge.decide("elicitation.required-error.items", good, || {
            let lacks = if page["mode"] == "url" { "no `elicitationId`" } else { "another mode than `url`" };
            seen("item", "an entry of error -32042 is no page with an id", lacks.to_owned())
                .expected(&["`mode: \"url\"` and a string `elicitationId`"])
                .pointer(format!("/error/data/elicitations/{at}"))
        });
    }
    let declared = super::capabilities::declared_at_initialize(moment.state);
    if let Some(declared) = declared {
        judge.decide("elicitation.required-error.client-mode", Wish::Url.is_declared_by(declared), || {
            seen("undeclared", "error -32042 was sent to a client that knows no pages", "it was sent".into())
                .expected(&["another error, or a result with `isError`"])
                .pointer("/error/code")
        });
    }
}

/// Where the code never came, it was not misused.
fn the_code_was_not_misused(state: &State, judge: &mut Judge) {
    if state.rules() == Some(Revision::V2025_11_25) && state.capabilities.is_some() {
        judge.held(ONLY_THEN);
    }
}

fn agreeing_to_a_page_is_enough_for_a_retry(moment: &Moment<'_>, judge: &mut Judge) {
    const ID: &str = "elicitation.url.accept-is-not-completion";
    let Some(heard) = &moment.message else { return };
    let Some(asked) = heard.answers.filter(|asked| asked.responses == 0 && asked.meta_version().is_some())
    else {
        return;
    };
    let responses = asked.message.params().and_then(|params| params.get("inputResponses")?.as_object());
    // Content goes with every form.
    let agreed = |response: &Value| response["action"] == "accept" && response.get("content").is_none();
    if !responses.is_some_and(|responses| responses.values().any(agreed)) {
        return;
    }
    judge.decide(ID, heard.message.result().is_some(), || {
        Breach::new("refused", "a retry in which a page was agreed to, without content, was refused")
            .expected(&["a result: complete, or with another demand for input"])
            .actual(format!("error {}", heard.message.error_code().unwrap_or_default()))
            .at(moment.record)
            .pointer("/error")
            .sent(asked.seq)
    });
}

fn no_token_comes_back_from_a_page(moment: &Moment<'_>, judge: &mut Judge) {
    const ID: &str = "elicitation.oauth.no-transit";
    let Some(answer) = answered(moment).and_then(|answer| answer.to("tools/call")) else { return };
    let after_page = if answer.revision.era() == Era::Modern {
        let responses =
            answer.asked.message.params().and_then(|params| params.get("inputResponses")?.as_object());
        let agreed = |response: &Value| response["action"] == "accept" && response.get("content").is_none();
        responses.is_some_and(|responses| responses.values().any(agreed))
    } else {
        moment.state.elicited.count() > 0
    };
    if !after_page || !answer.is_complete() {
        return;
    }
    let text = answer.result.to_string();
    // A token may stand at the end of a sentence.
    let words = text
        .split(|c: char| !c.is_ascii_alphanumeric() && !matches!(c, '_' | '-' | '.'))
        .map(|word| word.trim_matches('.'));
    let token = words.into_iter().find(is_token);
    judge.decide(ID, token.is_none(), || {
        let shown: String = token.unwrap_or_default().chars().take(6).collect();
        Breach::new("token", "after an elicitation by URL a result has what looks like a token")
            .quality()
            .expected(&["no third party's credentials in a result"])
            .actual(format!("`{shown}…`"))
            .at(moment.record)
            .pointer("/result")
            .sent(answer.asked.seq)
    });
}

/// Whether a word has the form of a well-known kind of token.
fn is_token(word: &&str) -> bool {
    let long = |prefix: &str, least: usize| {
        word.strip_prefix(prefix).is_some_and(|rest| {
            rest.len() >= least && rest.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
        })
    };
    let jwt = word.starts_with("eyJ") && word.len() > 60 && word.matches('.').count() == 2;
    let slack = ["xoxb-", "xoxp-", "xoxa-"].iter().any(|prefix| word.starts_with(prefix)) && word.len() > 30;
    jwt || slack
        || long("ghp_", 36)
        || long("gho_", 36)
        || long("github_pat_", 40)
        || long("AKIA", 16)
        || long("ya29.", 40)
}

fn short(text: &str) -> String {
    text.chars().take(100).collect()
}
