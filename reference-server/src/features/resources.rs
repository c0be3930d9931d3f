//! Resources: a fixed set of notes, two templates, and subscriptions to changes.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use crate::features::content::PNG;
use crate::features::{ListKind, page};
use crate::legacy::Session;
use crate::message::{INVALID_PARAMS, LEGACY_RESOURCE_NOT_FOUND, Object, RpcError, string};
use crate::revision::Revision;
use crate::server::Server;

/// A resource that is always there.
struct Resource {
    uri: &'static str,
    name: &'static str,
    title: &'static str,
    description: &'static str,
    mime_type: &'static str,
    body: Body,
}

enum Body {
    Text(&'static str),
    /// Base64 of the bytes.
    Blob(&'static str),
    /// How often `touch_resource` was called.
    Touches,
}

const RESOURCES: [Resource; 8] = [
    Resource {
        uri: "note://welcome",
        name: "welcome",
        title: "Welcome",
        description: "A first text to read",
        mime_type: "text/plain",
        body: Body::Text("Welcome to the reference server."),
    },
    Resource {
        uri: "note://touches",
        name: "touches",
        title: "Touches",
        description: "A text that changes whenever touch_resource is called",
        mime_type: "text/plain",
        body: Body::Touches,
    },
    Resource {
        uri: "note://pixel",
        name: "pixel",
        title: "Pixel",
        description: "A binary resource: an image of one pixel",
        mime_type: "image/png",
        body: Body::Blob(PNG),
    },
    Resource {
        uri: "note://unicode",
        name: "unicode",
        title: "Writing systems",
        description: "Text beyond ASCII",
        mime_type: "text/plain",
        body: Body::Text("Zürich, Ελλάδα, Україна, עברית, हिन्दी, 日本語, 👩‍🚀\n"),
    },
    Resource {
        uri: "note://lines",
        name: "lines",
        title: "Lines",
        description: "Text with every kind of line end",
        mime_type: "text/plain",
        body: Body::Text("line feed\ncarriage return and line feed\r\ntab\tand \"quotes\"\n"),
    },
    Resource {
        uri: "note://settings",
        name: "settings",
        title: "Settings",
        description: "A JSON document",
        mime_type: "application/json",
        body: Body::Text("{\"theme\":\"dark\",\"retries\":3}"),
    },
    Resource {
        uri: "note://table",
        name: "table",
        title: "Table",
        description: "A small table",
        mime_type: "text/csv",
        body: Body::Text("name,age\nAda,36\nAlan,41\n"),
    },
    Resource {
        uri: "note://empty",
        name: "empty",
        title: "Empty",
        description: "A text without any characters",
        mime_type: "text/plain",
        body: Body::Text(""),
    },
];

/// People whom `note://people/{name}` knows.
pub(crate) const PEOPLE: [&str; 6] = ["ada", "alan", "barbara", "edsger", "grace", "tony"];

/// The largest number that `note://squares/{number}` knows.
pub(crate) const LARGEST_ROOT: u32 = 999;

const PEOPLE_TEMPLATE: &str = "note://people/{name}";
const SQUARES_TEMPLATE: &str = "note://squares/{number}";

impl Resource {
    fn text(&self, server: &Server) -> Option<String> {
        match self.body {
            Body::Text(text) => Some(text.to_owned()),
            Body::Blob(_) => None,
            Body::Touches => Some(format!("Touched {} times.", server.touches())),
        }
    }

    /// The size in bytes of what is read, before any encoding.
    fn size(&self, server: &Server) -> usize {
        match self.body {
            Body::Blob(blob) => STANDARD.decode(blob).map_or(0, |bytes| bytes.len()),
            _ => self.text(server).map_or(0, |text| text.len()),
        }
    }

    fn definition(&self, server: &Server, revision: Revision) -> Value {
        let mut definition = json!({
            "uri": self.uri,
            "name": self.name,
            "description": self.description,
            "mimeType": self.mime_type,
            "size": self.size(server),
            "annotations": {"audience": ["user", "assistant"], "priority": 0.5},
        });
        if revision.has_titles() {
            definition["title"] = self.title.into();
        }
        definition
    }

    fn contents(&self, server: &Server) -> Value {
        match self.body {
            Body::Blob(blob) => json!({"uri": self.uri, "mimeType": self.mime_type, "blob": blob}),
            _ => {
                json!({"uri": self.uri, "mimeType": self.mime_type, "text": self.text(server).unwrap_or_default()})
            }
        }
    }
}

/// `resources/list`.
pub(crate) fn list_resources(
    server: &Server,
    revision: Revision,
    params: &Object,
) -> Result<Object, RpcError> {
    let definitions: Vec<Value> = RESOURCES.iter().map(|r| r.definition(server, revision)).collect();
    let size = server.config().page_size;
    page(server.seal(), ListKind::Resources, size, params, "resources", definitions.iter())
}

/// `resources/templates/list`.
pub(crate) fn list_templates(
    server: &Server,
    revision: Revision,
    params: &Object,
) -> Result<Object, RpcError> {
    let mut templates = [
        json!({
            "uriTemplate": PEOPLE_TEMPLATE, "name": "people",
            "description": "A sentence about a person", "mimeType": "text/plain",
        }),
        json!({
            "uriTemplate": SQUARES_TEMPLATE, "name": "squares",
            "description": "The square of a number from 0 to 999", "mimeType": "application/json",
        }),
    ];
    if revision.has_titles() {
        templates[0]["title"] = "People".into();
        templates[1]["title"] = "Squares".into();
    }
    let size = server.config().page_size;
    page(server.seal(), ListKind::Templates, size, params, "resourceTemplates", templates.iter())
}

/// What `uri` names, if it names anything: the object inside `contents`.
fn find(server: &Server, uri: &str) -> Option<Value> {
    if let Some(resource) = RESOURCES.iter().find(|resource| resource.uri == uri) {
        return Some(resource.contents(server));
    }
    if let Some(name) = uri.strip_prefix("note://people/") {
        return PEOPLE.contains(&name).then(
            || json!({"uri": uri, "mimeType": "text/plain", "text": format!("{name} wrote programs.")}),
        );
    }
    let digits = uri.strip_prefix("note://squares/")?;
    let canonical = digits == "0" || !digits.starts_with('0');
    if !canonical || digits.len() > 3 || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let number: u32 = digits.parse().ok().filter(|number| *number <= LARGEST_ROOT)?;
    let square = json!({"number": number, "square": number * number});
    Some(json!({"uri": uri, "mimeType": "application/json", "text": square.to_string()}))
}

pub(crate) fn resource_exists(server: &Server, uri: &str) -> bool {
    find(server, uri).is_some()
}

/// The names of the variables of a template that is listed.
pub(crate) fn expand_template(uri_template: &str) -> Option<&'static str> {
    match uri_template {
        PEOPLE_TEMPLATE => Some("name"),
        SQUARES_TEMPLATE => Some("number"),
        _ => None,
    }
}

/// The error for a URI that names nothing.
fn not_found(revision: Revision, uri: &str) -> RpcError {
    let code = if revision.is_modern() { INVALID_PARAMS } else { LEGACY_RESOURCE_NOT_FOUND };
    RpcError::new(code, "Resource not found").with_data(json!({"uri": uri}))
}

/// `resources/read`.
pub(crate) fn read_resource(
    server: &Server,
    revision: Revision,
    params: &Object,
) -> Result<Object, RpcError> {
    let uri = string(params, "uri")?;
    let contents = find(server, uri).ok_or_else(|| not_found(revision, uri))?;
    let mut result = Object::new();
    result.insert("contents".into(), json!([contents]));
    Ok(result)
}

/// `resources/subscribe` of the revisions with a session.
pub(crate) fn subscribe(
    server: &Server,
    session: &Session,
    revision: Revision,
    params: &Object,
) -> Result<Object, RpcError> {
    let uri = string(params, "uri")?;
    if !resource_exists(server, uri) {
        return Err(not_found(revision, uri));
    }
    session.subscribe(uri)?;
    Ok(Object::new())
}

/// `resources/unsubscribe`; what was not subscribed to is no error.
pub(crate) fn unsubscribe(session: &Session, params: &Object) -> Result<Object, RpcError> {
    session.unsubscribe(string(params, "uri")?);
    Ok(Object::new())
}

#[cfg(test)]
mod tests {
    use super::{RESOURCES, find, list_resources};
    use crate::message::Object;
    use crate::revision::Revision;
    use crate::server::{Config, Server};

    #[test]
    fn every_listed_resource_can_be_read_and_has_its_size() {
        let server = Server::new(Config { page_size: 100, ..Config::default() });
        let listed = list_resources(&server, Revision::V2026_07_28, &Object::new()).unwrap();
        for resource in listed["resources"].as_array().unwrap() {
            let contents = find(&server, resource["uri"].as_str().unwrap()).unwrap();
            if let Some(text) = contents["text"].as_str() {
                assert_eq!(resource["size"], text.len());
            }
        }
        assert!(RESOURCES.len() > server.config().page_size.min(5));
    }

    #[test]
    fn templates_accept_only_what_they_name() {
        let server = Server::new(Config::default());
        for uri in ["note://people/ada", "note://squares/0", "note://squares/999"] {
            assert!(find(&server, uri).is_some(), "{uri}");
        }
        for uri in [
            "note://people/",
            "note://people/../welcome",
            "note://squares/1000",
            "note://squares/01",
            "note://squares/+1",
            "note://squares/",
            "NOTE://welcome",
            "",
        ] {
            assert!(find(&server, uri).is_none(), "{uri}");
        }
    }
}
