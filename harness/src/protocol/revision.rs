//! The published revisions of the protocol, their eras, and the transports they run on.

use std::fmt;
use std::str::FromStr;

/// A published revision of the Model Context Protocol, oldest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Revision {
    /// 2024-11-05: STDIO and HTTP+SSE.
    V2024_11_05,
    /// 2025-03-26: Streamable HTTP, batches, audio, annotations.
    V2025_03_26,
    /// 2025-06-18: structured output, elicitation, version header.
    V2025_06_18,
    /// 2025-11-25: tasks, icons, URL elicitation; the last one with a handshake.
    V2025_11_25,
    /// 2026-07-28: stateless, metadata in every request.
    V2026_07_28,
}

/// How a conversation is held: with a handshake, or with everything in each request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Era {
    /// `initialize` opens a session (up to 2025-11-25).
    Legacy,
    /// Every request carries version and capabilities in `_meta` (from 2026-07-28).
    Modern,
}

/// The transports that the revisions define.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Transport {
    /// Newline-delimited messages over a child process's standard streams.
    Stdio,
    /// Streamable HTTP, from 2025-03-26.
    Http,
    /// The HTTP+SSE transport of 2024-11-05.
    HttpSse,
}

/// A text that names no published revision.
#[derive(Debug, Clone, thiserror::Error)]
#[error(
    "`{0}` is no published revision; there are 2024-11-05, 2025-03-26, 2025-06-18, 2025-11-25 and 2026-07-28"
)]
pub struct UnknownRevision(pub String);

impl Revision {
    /// All revisions, oldest first.
    pub const ALL: [Self; 5] =
        [Self::V2024_11_05, Self::V2025_03_26, Self::V2025_06_18, Self::V2025_11_25, Self::V2026_07_28];

    /// The revisions with a handshake, oldest first.
    pub const LEGACY: [Self; 4] =
        [Self::V2024_11_05, Self::V2025_03_26, Self::V2025_06_18, Self::V2025_11_25];

    /// The date that names the revision on the wire.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::V2024_11_05 => "2024-11-05",
            Self::V2025_03_26 => "2025-03-26",
            Self::V2025_06_18 => "2025-06-18",
            Self::V2025_11_25 => "2025-11-25",
            Self::V2026_07_28 => "2026-07-28",
        }
    }

    /// The era that the revision belongs to.
    pub const fn era(self) -> Era {
        match self {
            Self::V2026_07_28 => Era::Modern,
            _ => Era::Legacy,
        }
    }

    /// Whether the revision defines JSON-RPC batches (only 2025-03-26 does).
    pub const fn has_batches(self) -> bool {
        matches!(self, Self::V2025_03_26)
    }

    /// Whether the revision defines the transport. 2024-11-05 knows HTTP+SSE, the later ones Streamable HTTP.
    pub const fn defines(self, transport: Transport) -> bool {
        match transport {
            Transport::Stdio => true,
            Transport::Http => !matches!(self, Self::V2024_11_05),
            Transport::HttpSse => matches!(self, Self::V2024_11_05),
        }
    }
}

impl FromStr for Revision {
    type Err = UnknownRevision;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::ALL
            .into_iter()
            .find(|revision| revision.as_str() == text)
            .ok_or_else(|| UnknownRevision(text.to_owned()))
    }
}

impl fmt::Display for Revision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl Transport {
    /// All transports, in the order of reports.
    pub const ALL: [Self; 3] = [Self::Stdio, Self::Http, Self::HttpSse];

    /// The name used in files and reports.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Stdio => "stdio",
            Self::Http => "http",
            Self::HttpSse => "http+sse",
        }
    }

    /// Whether messages travel over HTTP.
    pub const fn is_http(self) -> bool {
        !matches!(self, Self::Stdio)
    }
}

impl fmt::Display for Transport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

macro_rules! serde_as_text {
    ($type:ty, $parse:expr) => {
        impl serde::Serialize for $type {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(self.as_str())
            }
        }

        impl<'de> serde::Deserialize<'de> for $type {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
                let parse: fn(&str) -> Option<$type> = $parse;
                parse(&text).ok_or_else(|| serde::de::Error::custom(format!("unknown value `{text}`")))
            }
        }
    };
}

serde_as_text!(Revision, |text| text.parse().ok());
serde_as_text!(Transport, |text| Transport::ALL.into_iter().find(|t| t.as_str() == text));

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_read_back() {
        for revision in Revision::ALL {
            assert_eq!(revision.as_str().parse::<Revision>().unwrap(), revision);
        }
        assert!("2026-07-29".parse::<Revision>().is_err());
    }

    #[test]
    fn each_revision_defines_two_transports() {
        for revision in Revision::ALL {
            let defined = Transport::ALL.iter().filter(|t| revision.defines(**t)).count();
            assert_eq!(defined, 2, "{revision}");
        }
    }
}
