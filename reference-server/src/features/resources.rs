//! Resources: how they are listed and read, templates, and subscriptions to changes.

use std::sync::LazyLock;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use crate::features::resource_set::{Body, CONTRACT, EMBEDDED, NOTES, Resource, TEMPLATES, Template};
use crate::features::{Icon, ListKind, apps, page, skills};
use crate::legacy::Session;
use crate::message::{INVALID_PARAMS, LEGACY_RESOURCE_NOT_FOUND, Object, RpcError, string};
use crate::revision::Revision;
use crate::server::Server;

impl Resource {
    fn read_text(&self, server: &Server) -> String {
        match self.body {
            Body::Text(text) => text.to_owned(),
            Body::Blob(_) => String::new(),
            Body::Touches => format!("Touched {} times.", server.touches()),
        }
    }

    /// The size in bytes of what is read, before any encoding.
    fn size(&self, server: &Server) -> usize {
        match self.body {
            Body::Blob(blob) => STANDARD.decode(blob).map_or(0, |bytes| bytes.len()),
            _ => self.read_text(server).len(),
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
            if let Some(date) = self.last_modified {
                definition["annotations"]["lastModified"] = date.into();
            }
        }
        if let Some(icon) = self.icon {
            icon.add_to(&mut definition, revision);
        }
        definition
    }

    fn contents(&self, server: &Server) -> Value {
        match self.body {
            Body::Blob(blob) => json!({"uri": self.uri, "mimeType": self.mime_type, "blob": blob}),
            _ => json!({"uri": self.uri, "mimeType": self.mime_type, "text": self.read_text(server)}),
        }
    }
}

impl Template {
    fn definition(&self, revision: Revision) -> Value {
        let mut definition = json!({
            "uriTemplate": self.pattern,
            "name": self.name,
            "description": self.description,
            "mimeType": self.mime_type,
        });
        if revision.has_titles() {
            definition["title"] = self.title.into();
        }
        Icon::NOTE.add_to(&mut definition, revision);
        definition
    }
}

/// `resources/list`.
pub(crate) fn list_resources(
    server: &Server,
    revision: Revision,
    params: &Object,
) -> Result<Object, RpcError> {
    let define = |resources: &[Resource]| -> Vec<Value> {
        resources.iter().map(|resource| resource.definition(server, revision)).collect()
    };
    let mut definitions = define(CONTRACT);
    if revision.is_modern() {
        definitions.extend(skills::resource_definitions());
    }
    definitions.extend(define(NOTES));
    if revision.is_modern() {
        definitions.extend(apps::resource_definitions());
    }
    page(server, ListKind::Resources, params, definitions.iter())
}

/// `resources/templates/list`.
pub(crate) fn list_templates(
    server: &Server,
    revision: Revision,
    params: &Object,
) -> Result<Object, RpcError> {
    static DEFINITIONS: LazyLock<[Vec<Value>; 5]> = LazyLock::new(|| {
        Revision::ALL.map(|revision| TEMPLATES.iter().map(|template| template.definition(revision)).collect())
    });
    page(server, ListKind::Templates, params, DEFINITIONS[revision.index()].iter())
}

/// What `uri` names, if it names anything: the object inside `contents`.
pub(crate) fn find_resource(revision: Revision, server: &Server, uri: &str) -> Option<Value> {
    let mut known = CONTRACT.iter().chain(NOTES).chain(EMBEDDED);
    if let Some(resource) = known.find(|resource| resource.uri == uri) {
        return Some(resource.contents(server));
    }
    if revision.is_modern()
        && let Some(contents) = skills::file_contents(uri).or_else(|| apps::page_contents(uri))
    {
        return Some(contents);
    }
    TEMPLATES.iter().find_map(|template| {
        let text = template.read(uri)?;
        Some(json!({"uri": uri, "mimeType": template.mime_type, "text": text}))
    })
}

pub(crate) fn resource_exists(revision: Revision, server: &Server, uri: &str) -> bool {
    find_resource(revision, server, uri).is_some()
}

/// The variable of a listed template: its name, and values to suggest for it.
pub(crate) fn template_variable(uri_template: &str) -> Option<(&'static str, Vec<String>)> {
    let template = TEMPLATES.iter().find(|template| template.pattern == uri_template)?;
    Some((template.variable, (template.values)()))
}

/// The error for a URI that names nothing.
pub(crate) fn resource_not_found(revision: Revision, uri: &str) -> RpcError {
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
    let contents = find_resource(revision, server, uri).ok_or_else(|| resource_not_found(revision, uri))?;
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
    if !resource_exists(revision, server, uri) {
        return Err(resource_not_found(revision, uri));
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
    use super::{find_resource, list_resources, list_templates, template_variable};
    use crate::message::Object;
    use crate::revision::Revision;
    use crate::server::{Config, Server};
    use serde_json::Value;

    const MODERN: Revision = Revision::V2026_07_28;

    #[test]
    fn every_listed_resource_can_be_read_and_has_its_size() {
        let server = Server::new(Config { page_size: Some(100), ..Config::default() });
        for revision in Revision::ALL {
            let listed = list_resources(&server, revision, &Object::new()).unwrap();
            for resource in listed["resources"].as_array().unwrap() {
                let contents = find_resource(revision, &server, resource["uri"].as_str().unwrap()).unwrap();
                if let Some(text) = contents["text"].as_str() {
                    assert_eq!(resource["size"], text.len());
                }
                assert_eq!(contents["mimeType"], resource["mimeType"]);
                let date = resource["annotations"].get("lastModified");
                assert!(date.is_none() || revision >= Revision::V2025_06_18);
            }
        }
    }

    #[test]
    fn what_the_official_suite_reads_is_on_the_first_page() {
        let server = Server::new(Config::default());
        let listed = list_resources(&server, MODERN, &Object::new()).unwrap();
        let uris: Vec<_> = listed["resources"].as_array().unwrap().iter().map(|r| &r["uri"]).collect();
        for uri in ["test://static-text", "test://static-binary", "test://watched-resource"] {
            assert!(uris.contains(&&Value::from(uri)));
        }
        assert!(listed.contains_key("nextCursor"));
        let listed = list_templates(&server, MODERN, &Object::new()).unwrap();
        assert_eq!(listed["resourceTemplates"][0]["uriTemplate"], "test://template/{id}/data");
        assert!(listed.contains_key("nextCursor"));
    }

    #[test]
    fn templates_accept_only_what_they_name() {
        let server = Server::new(Config::default());
        let read = |uri: &str| find_resource(MODERN, &server, uri);
        for uri in ["note://people/ada", "note://squares/0", "note://squares/999", "test://template/x-1/data"]
        {
            assert_eq!(read(uri).unwrap()["uri"], uri);
        }
        for uri in [
            "note://people/",
            "note://people/../welcome",
            "note://squares/1000",
            "note://squares/01",
            "note://squares/+1",
            "note://squares/",
            "test://template//data",
            "test://template/a/b/data",
            "test://template/data",
            "NOTE://welcome",
            "",
        ] {
            assert!(read(uri).is_none(), "{uri}");
        }
    }

    #[test]
    fn suggested_values_lead_to_resources() {
        let server = Server::new(Config::default());
        for template in ["test://template/{id}/data", "note://people/{name}", "note://squares/{number}"] {
            let (variable, values) = template_variable(template).unwrap();
            for value in values {
                let uri = template.replace(&format!("{{{variable}}}"), &value);
                assert!(find_resource(MODERN, &server, &uri).is_some(), "{uri}");
            }
        }
    }

    #[test]
    fn skills_are_resources_of_the_stateless_revision_only() {
        let server = Server::new(Config::default());
        let uri = "skill://demo-skill/SKILL.md";
        assert!(find_resource(MODERN, &server, uri).is_some());
        assert!(find_resource(Revision::V2025_11_25, &server, uri).is_none());
    }
}
