//! Content blocks, written in the form of a revision.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use crate::revision::Revision;

/// A picture of one pixel.
pub(crate) const PNG: &str =
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mP8z8DwHwAFBQIAX8jx0gAAAABJRU5ErkJggg==";

/// One block of content.
pub(crate) enum Content {
    Text(String),
    /// Text with `annotations`: meant for the user, of this priority.
    NoteToUser(String, f64),
    Image,
    Audio,
    /// An embedded resource, with the contents object of `resources/read`.
    Embedded(Value),
    /// A link to a resource: its URI, name, title and media type.
    Link {
        uri: String,
        name: &'static str,
        title: &'static str,
        mime_type: &'static str,
    },
}

impl Content {
    pub(crate) fn to_value(&self, revision: Revision) -> Value {
        match self {
            Self::Text(text) => json!({"type": "text", "text": text}),
            Self::NoteToUser(text, priority) => json!({
                "type": "text", "text": text, "annotations": {"audience": ["user"], "priority": priority},
            }),
            Self::Image => json!({"type": "image", "data": PNG, "mimeType": "image/png"}),
            Self::Audio if revision >= Revision::V2025_03_26 => {
                json!({"type": "audio", "data": STANDARD.encode(tone()), "mimeType": "audio/wav"})
            }
            Self::Audio => json!({"type": "text", "text": "A short tone."}),
            Self::Embedded(contents) => json!({"type": "resource", "resource": contents}),
            Self::Link { uri, name, title, mime_type } if revision.has_titles() => json!({
                "type": "resource_link", "uri": uri, "name": name, "title": title, "mimeType": mime_type,
            }),
            Self::Link { uri, title, .. } => {
                json!({"type": "text", "text": format!("{title}: {uri}")})
            }
        }
    }
}

/// A tone of a hundredth of a second, as a WAV file: mono, 8000 samples a second, 8 bits each.
fn tone() -> Vec<u8> {
    const SAMPLES: u32 = 80;
    let mut file = b"RIFF".to_vec();
    file.extend((36 + SAMPLES).to_le_bytes());
    file.extend(b"WAVEfmt ");
    file.extend(16_u32.to_le_bytes());
    file.extend(1_u16.to_le_bytes());
    file.extend(1_u16.to_le_bytes());
    file.extend(8000_u32.to_le_bytes());
    file.extend(8000_u32.to_le_bytes());
    file.extend(1_u16.to_le_bytes());
    file.extend(8_u16.to_le_bytes());
    file.extend(b"data");
    file.extend(SAMPLES.to_le_bytes());
    file.extend((0..SAMPLES).map(|n| if n / 10 % 2 == 0 { 0xa0_u8 } else { 0x60 }));
    file
}
