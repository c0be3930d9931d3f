//! The resources that this server offers, and its templates.

use serde_json::{Value, json};

use crate::features::Icon;
use crate::features::content::PNG;

/// A resource with a URI of its own.
pub(super) struct Resource {
    pub uri: &'static str,
    pub name: &'static str,
    pub title: &'static str,
    pub description: &'static str,
    pub mime_type: &'static str,
    pub body: Body,
    /// When it was last changed (ISO 8601); none where it changes as it is used.
    pub last_modified: Option<&'static str>,
    pub icon: Option<Icon>,
}

/// What is read.
pub(super) enum Body {
    Text(&'static str),
    /// Base64 of the bytes.
    Blob(&'static str),
    /// How often `touch_resource` was called.
    Touches,
}

impl Resource {
    const fn text(
        uri: &'static str,
        name: &'static str,
        title: &'static str,
        description: &'static str,
        text: &'static str,
    ) -> Self {
        Self {
            uri,
            name,
            title,
            description,
            mime_type: "text/plain",
            body: Body::Text(text),
            last_modified: Some("2026-07-28T00:00:00Z"),
            icon: None,
        }
    }

    const fn of_type(mut self, mime_type: &'static str) -> Self {
        self.mime_type = mime_type;
        self
    }

    /// The same with the bytes of an image in place of a text.
    const fn image(mut self, blob: &'static str) -> Self {
        self.mime_type = "image/png";
        self.body = Body::Blob(blob);
        self.icon = Some(Icon::Pixel);
        self
    }

    /// The same with a text that changes.
    const fn touches(mut self) -> Self {
        self.body = Body::Touches;
        self.last_modified = None;
        self
    }
}

/// The resources of the official conformance suite's fixture contract; listed first, because the suite does not follow
/// cursors.
pub(super) const CONTRACT: &[Resource] = &[
    Resource::text(
        "test://static-text",
        "static-text",
        "Static text",
        "A text that never changes",
        "This is the content of the static text resource.",
    ),
    Resource::text("test://static-binary", "static-binary", "Static image", "An image of one pixel", "")
        .image(PNG),
    Resource::text(
        "test://watched-resource",
        "watched-resource",
        "Watched text",
        "A text to subscribe to",
        "This text is watched.",
    ),
];

/// Our own.
pub(super) const NOTES: &[Resource] = &[
    Resource::text(
        "note://welcome",
        "welcome",
        "Welcome",
        "A first text to read",
        "Welcome to the reference server.",
    ),
    Resource::text(
        "note://touches",
        "touches",
        "Touches",
        "A text that changes whenever touch_resource is called",
        "",
    )
    .touches(),
    Resource::text("note://pixel", "pixel", "Pixel", "A binary resource: an image of one pixel", "")
        .image(PNG),
    Resource::text(
        "note://unicode",
        "unicode",
        "Writing systems",
        "Text beyond ASCII",
        "Zürich, Ελλάδα, Україна, עברית, हिन्दी, 日本語, 👩‍🚀\n",
    ),
    Resource::text(
        "note://lines",
        "lines",
        "Lines",
        "Text with every kind of line end",
        "line feed\ncarriage return and line feed\r\ntab\tand \"quotes\"\n",
    ),
    Resource::text(
        "note://settings",
        "settings",
        "Settings",
        "A JSON document",
        "{\"theme\":\"dark\",\"retries\":3}",
    )
    .of_type("application/json"),
    Resource::text("note://table", "table", "Table", "A small table", "name,age\nAda,36\nAlan,41\n")
        .of_type("text/csv"),
    Resource::text("note://empty", "empty", "Empty", "A text without any characters", ""),
];

/// What tools embed; it can be read, but is not listed.
pub(super) const EMBEDDED: &[Resource] = &[
    Resource::text(
        "test://embedded-resource",
        "embedded",
        "Embedded text",
        "What test_embedded_resource returns",
        "This is an embedded resource content.",
    ),
    Resource::text(
        "test://mixed-content-resource",
        "mixed",
        "Embedded JSON",
        "What test_multiple_content_types returns",
        "{\"test\":\"data\",\"value\":123}",
    )
    .of_type("application/json"),
];

/// A family of resources whose URIs differ in one variable at their end.
pub(super) struct Template {
    pub pattern: &'static str,
    pub name: &'static str,
    pub title: &'static str,
    pub description: &'static str,
    pub mime_type: &'static str,
    /// The name of the variable, and what comes before and after it in a URI.
    pub variable: &'static str,
    pub around: (&'static str, &'static str),
    /// The text under a value of the variable, if it names something.
    pub text: fn(&str) -> Option<String>,
    /// Values to suggest.
    pub values: fn() -> Vec<String>,
}

impl Template {
    /// The text that a URI names, if it names something in this family.
    pub(super) fn read(&self, uri: &str) -> Option<String> {
        let value = uri.strip_prefix(self.around.0)?.strip_suffix(self.around.1)?;
        (self.text)(value)
    }
}

/// People whom `note://people/{name}` knows.
const PEOPLE: [&str; 6] = ["ada", "alan", "barbara", "edsger", "grace", "tony"];

/// The largest number that `note://squares/{number}` knows.
const LARGEST_ROOT: u32 = 999;

/// The longest id of `test://template/{id}/data`.
const LONGEST_ID: usize = 64;

/// In the order in which they are listed.
pub(super) const TEMPLATES: &[Template] = &[
    Template {
        pattern: "test://template/{id}/data",
        name: "template",
        title: "Data by id",
        description: "A JSON document for any id of letters, digits, hyphens and underscores",
        mime_type: "application/json",
        variable: "id",
        around: ("test://template/", "/data"),
        text: |id| {
            let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
            let valid = (1..=LONGEST_ID).contains(&id.len()) && id.bytes().all(plain);
            valid.then(|| data(id).to_string())
        },
        values: || ["1", "2", "123"].map(str::to_owned).into(),
    },
    Template {
        pattern: "note://people/{name}",
        name: "people",
        title: "People",
        description: "A sentence about a person",
        mime_type: "text/plain",
        variable: "name",
        around: ("note://people/", ""),
        text: |name| PEOPLE.contains(&name).then(|| format!("{name} wrote programs.")),
        values: || PEOPLE.map(str::to_owned).into(),
    },
    Template {
        pattern: "note://squares/{number}",
        name: "squares",
        title: "Squares",
        description: "The square of a number from 0 to 999",
        mime_type: "application/json",
        variable: "number",
        around: ("note://squares/", ""),
        text: square,
        values: || (0..=LARGEST_ROOT).map(|number| number.to_string()).collect(),
    },
];

fn data(id: &str) -> Value {
    json!({"id": id, "templateTest": true, "data": format!("Data for ID: {id}")})
}

fn square(digits: &str) -> Option<String> {
    let canonical = digits == "0" || !digits.starts_with('0');
    if !canonical || digits.len() > 3 || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let number: u32 = digits.parse().ok().filter(|number| *number <= LARGEST_ROOT)?;
    Some(json!({"number": number, "square": number * number}).to_string())
}
