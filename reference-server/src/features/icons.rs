//! Icons, which definitions may have from 2025-11-25 on.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use crate::features::content::PNG;
use crate::revision::Revision;

/// A small picture of something; always a `data:` URI, so that showing it asks no other server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Icon {
    /// The PNG picture of one pixel, the format that every client can show.
    Pixel,
    /// The body of a drawing on a square of 16 units, in SVG.
    Drawing(&'static str),
}

impl Icon {
    /// The mark of this server.
    pub(crate) const SERVER: Self =
        Self::Drawing("<path d='M2 8l4 4 8-9' fill='none' stroke='#26a' stroke-width='2'/>");
    pub(crate) const IMAGE: Self = Self::Drawing("<path d='M1 13l4-6 3 4 3-5 4 7z' fill='#26a'/>");
    pub(crate) const SOUND: Self = Self::Drawing("<path d='M2 6h3l4-4v12l-4-4H2z' fill='#26a'/>");
    pub(crate) const NOTE: Self =
        Self::Drawing("<path d='M3 1h10v14H3zM5 5h6M5 8h6' stroke='#26a' fill='none'/>");

    /// `icons` of whatever shows this icon.
    pub(crate) fn to_value(self) -> Value {
        match self {
            Self::Pixel => json!([{
                "src": format!("data:image/png;base64,{PNG}"), "mimeType": "image/png", "sizes": ["1x1"],
            }]),
            Self::Drawing(body) => {
                let svg = format!("<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 16 16'>{body}</svg>");
                json!([{
                    "src": format!("data:image/svg+xml;base64,{}", STANDARD.encode(svg)),
                    "mimeType": "image/svg+xml",
                    "sizes": ["any"],
                }])
            }
        }
    }

    /// Adds `icons` to a definition where the revision has them.
    pub(crate) fn add_to(self, definition: &mut Value, revision: Revision) {
        if revision.has_icons() {
            definition["icons"] = self.to_value();
        }
    }
}
