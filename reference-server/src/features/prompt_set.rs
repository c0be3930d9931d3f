//! The prompts that this server offers.

use serde_json::json;

use crate::features::elicitation::{Elicited, form};
use crate::features::prompts::{Argument, Fill, Message, Prompt};
use crate::features::{Content, Icon, find_resource};
use crate::message::RpcError;
use crate::revision::Revision;

fn user(text: impl Into<String>) -> Message {
    ("user", Content::Text(text.into()))
}

const fn required(name: &'static str, title: &'static str, description: &'static str) -> Argument {
    Argument { name, title, description, required: true }
}

const fn optional(name: &'static str, title: &'static str, description: &'static str) -> Argument {
    Argument { name, title, description, required: false }
}

/// Whether a text begins with the scheme of a URI and holds no character that a URI cannot have (RFC 3986).
fn is_absolute(uri: &str) -> bool {
    let Some((scheme, rest)) = uri.split_once(':') else {
        return false;
    };
    let in_scheme = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'-' | b'.');
    let in_uri = |byte: u8| {
        byte.is_ascii_graphic()
            && !matches!(byte, b'"' | b'<' | b'>' | b'\\' | b'^' | b'`' | b'{' | b'|' | b'}')
    };
    // What follows a `%`.
    let is_byte = |text: &str| text.bytes().take(2).filter(u8::is_ascii_hexdigit).count() == 2;
    scheme.starts_with(|first: char| first.is_ascii_alphabetic())
        && scheme.bytes().all(in_scheme)
        && !rest.is_empty()
        && rest.bytes().all(in_uri)
        && rest.split('%').skip(1).all(is_byte)
}

/// In the order in which they are listed: the fixture contract of the official conformance suite, then our own.
pub(super) const PROMPTS: &[Prompt] = &[
    Prompt {
        name: "test_simple_prompt",
        title: "Simple prompt of the contract",
        description: "One message, no arguments",
        arguments: &[],
        since: Revision::V2024_11_05,
        icon: None,
        fill: Fill::Now(|_| Ok(vec![user("This is a simple prompt for testing.")])),
    },
    Prompt {
        name: "test_prompt_with_arguments",
        title: "Prompt with arguments",
        description: "Repeats its two arguments",
        arguments: &[
            required("arg1", "First", "The first argument"),
            required("arg2", "Second", "The second argument"),
        ],
        since: Revision::V2024_11_05,
        icon: None,
        fill: Fill::Now(|filling| {
            let (first, second) = (filling.required("arg1"), filling.required("arg2"));
            Ok(vec![user(format!("Prompt with arguments: arg1='{first}', arg2='{second}'"))])
        }),
    },
    Prompt {
        name: "test_prompt_with_embedded_resource",
        title: "Prompt with a resource",
        description: "Embeds a text under the URI that it is given",
        arguments: &[required("resourceUri", "URI", "The URI of the embedded text")],
        since: Revision::V2024_11_05,
        icon: None,
        fill: Fill::Now(|filling| {
            let uri = filling.required("resourceUri");
            if !is_absolute(uri) {
                return Err(RpcError::invalid_params("Invalid params: resourceUri must be a URI"));
            }
            let resource = json!({
                "uri": uri,
                "mimeType": "text/plain",
                "text": "Embedded resource content for testing.",
            });
            Ok(vec![
                ("user", Content::Embedded(resource)),
                user("Please process the embedded resource above."),
            ])
        }),
    },
    Prompt {
        name: "test_prompt_with_image",
        title: "Prompt with an image",
        description: "Shows an image and asks for an analysis",
        arguments: &[],
        since: Revision::V2024_11_05,
        icon: Some(Icon::Pixel),
        fill: Fill::Now(|_| Ok(vec![("user", Content::Image), user("Please analyze the image above.")])),
    },
    Prompt {
        name: "test_input_required_result_prompt",
        title: "Prompt that asks",
        description: "Asks the user for a context before it is made",
        arguments: &[],
        since: Revision::V2026_07_28,
        icon: None,
        fill: Fill::Later(|filling| {
            Box::pin(async move {
                let fields = json!({"context": {"type": "string"}});
                let message = "What context should the prompt use?";
                let question = form(filling.context.revision, message, fields, &["context"]);
                let answer = Elicited::read(&filling.context.ask("user_context", question).await?);
                Ok(vec![user(format!("Use this context: {}", answer.text("context").unwrap_or("none")))])
            })
        }),
    },
    Prompt {
        name: "simple",
        title: "Simple prompt",
        description: "One message, no arguments",
        arguments: &[],
        since: Revision::V2024_11_05,
        icon: None,
        fill: Fill::Now(|_| Ok(vec![user("Say hello.")])),
    },
    Prompt {
        name: "greet",
        title: "Greeting",
        description: "Greets somebody in a style",
        arguments: &[
            required("name", "Name", "Whom to greet"),
            optional("style", "Style", "How to greet: formal, friendly or short"),
        ],
        since: Revision::V2024_11_05,
        icon: None,
        fill: Fill::Now(|filling| {
            let style = filling.argument("style").unwrap_or("friendly");
            Ok(vec![user(format!("Greet {} in a {style} style.", filling.required("name")))])
        }),
    },
    Prompt {
        name: "travel",
        title: "Travel advice",
        description: "Asks for advice on a city",
        arguments: &[required("country", "Country", "The country"), required("city", "City", "A city in it")],
        since: Revision::V2024_11_05,
        icon: None,
        fill: Fill::Now(|filling| {
            let (city, country) = (filling.required("city"), filling.required("country"));
            Ok(vec![user(format!("What should I see in {city}, {country}?"))])
        }),
    },
    Prompt {
        name: "summarise_note",
        title: "Summarise a note",
        description: "Embeds a resource and asks for a summary",
        arguments: &[required("uri", "URI", "URI of a resource of this server")],
        since: Revision::V2024_11_05,
        icon: Some(Icon::NOTE),
        fill: Fill::Now(|filling| {
            let contents =
                find_resource(filling.context.revision, &filling.context.server, filling.required("uri"))
                    .ok_or_else(|| RpcError::invalid_params("Invalid params: uri names no resource"))?;
            Ok(vec![("user", Content::Embedded(contents)), user("Summarise the note above.")])
        }),
    },
    Prompt {
        name: "describe_image",
        title: "Describe an image",
        description: "Shows an image and asks what is on it",
        arguments: &[],
        since: Revision::V2024_11_05,
        icon: Some(Icon::IMAGE),
        fill: Fill::Now(|_| Ok(vec![("user", Content::Image), user("What is on this image?")])),
    },
    Prompt {
        name: "conversation",
        title: "Conversation",
        description: "Several messages of both roles",
        arguments: &[optional("topic", "Topic", "What it is about")],
        since: Revision::V2024_11_05,
        icon: None,
        fill: Fill::Now(|filling| {
            let topic = filling.argument("topic").unwrap_or("the weather");
            Ok(vec![
                user(format!("Let us talk about {topic}.")),
                ("assistant", Content::Text("Gladly. Where shall we begin?".to_owned())),
                user("At the beginning."),
            ])
        }),
    },
];

#[cfg(test)]
mod tests {
    use super::is_absolute;

    #[test]
    fn a_uri_has_a_scheme_and_no_spaces() {
        for good in ["test://example-resource", "urn:isbn:1", "a+b.c-1:x", "a:%20b"] {
            assert!(is_absolute(good), "{good}");
        }
        for bad in
            ["mcprove", "", ":x", "1a:x", "a b:c", "a:", "note://two words", "note://é", "a:%2", "a:%zz"]
        {
            assert!(!is_absolute(bad), "{bad}");
        }
    }
}
