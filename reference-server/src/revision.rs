//! The five revisions of the protocol and the two eras they fall into.

use std::fmt;

/// A published revision of the Model Context Protocol, oldest first in the order of the type.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Revision {
    /// 2024-11-05: HTTP+SSE, no tool annotations, no titles.
    V2024_11_05,
    /// 2025-03-26: Streamable HTTP, JSON-RPC batches, audio, tool annotations.
    V2025_03_26,
    /// 2025-06-18: titles, structured tool output, resource links, the version header.
    V2025_06_18,
    /// 2025-11-25: the last revision with a handshake.
    V2025_11_25,
    /// 2026-07-28: stateless; every request carries its own metadata.
    V2026_07_28,
}

impl Revision {
    /// Every revision, oldest first.
    pub const ALL: [Self; 5] =
        [Self::V2024_11_05, Self::V2025_03_26, Self::V2025_06_18, Self::V2025_11_25, Self::V2026_07_28];

    /// The name used on the wire, such as `2025-11-25`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::V2024_11_05 => "2024-11-05",
            Self::V2025_03_26 => "2025-03-26",
            Self::V2025_06_18 => "2025-06-18",
            Self::V2025_11_25 => "2025-11-25",
            Self::V2026_07_28 => "2026-07-28",
        }
    }

    /// The revision with exactly this name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|revision| revision.as_str() == name)
    }

    /// Whether the revision is stateless (2026-07-28 and later).
    pub const fn is_modern(self) -> bool {
        matches!(self, Self::V2026_07_28)
    }

    /// Position in [`Revision::ALL`].
    pub(crate) const fn index(self) -> usize {
        self as usize
    }

    /// Whether tasks are part of the revision itself; later they are an extension.
    pub(crate) fn has_tasks(self) -> bool {
        self == Self::V2025_11_25
    }

    /// Whether tools have `annotations`, and content may be audio.
    pub(crate) fn has_annotations(self) -> bool {
        self >= Self::V2025_03_26
    }

    /// Whether definitions have a `title`, tools an `outputSchema`, and results `structuredContent` and resource links.
    pub(crate) fn has_titles(self) -> bool {
        self >= Self::V2025_06_18
    }

    /// Whether definitions have `icons`.
    pub(crate) fn has_icons(self) -> bool {
        self >= Self::V2025_11_25
    }

    /// Whether wrong tool arguments are a tool error (`isError`) instead of a protocol error.
    pub(crate) fn reports_bad_arguments_in_result(self) -> bool {
        self >= Self::V2025_11_25
    }

    /// Whether an error for an unreadable id leaves `id` out (the schema allows no null) instead of sending null.
    pub(crate) fn omits_unreadable_id(self) -> bool {
        self >= Self::V2025_11_25
    }
}

impl fmt::Display for Revision {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::Revision;

    #[test]
    fn names_are_read_back_and_only_exactly() {
        for revision in Revision::ALL {
            assert_eq!(Revision::parse(revision.as_str()), Some(revision));
        }
        assert_eq!(Revision::parse("2025-11-25 "), None);
        assert_eq!(Revision::parse("draft"), None);
    }
}
