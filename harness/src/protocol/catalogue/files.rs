//! The catalogue's files, embedded in the program.

/// An embedded file of the catalogue.
#[derive(Debug, Clone, Copy)]
pub(super) struct File<'a> {
    /// The area: the file's name without `.toml`.
    pub(super) area: &'a str,
    /// The file's text.
    pub(super) text: &'a str,
}

macro_rules! embedded {
    (@folder $folder:literal $($area:literal)*) => {
        &[$(File {
            area: $area,
            text: include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/catalogue/", $folder, $area, ".toml")),
        }),*]
    };
    ($($area:literal)*) => {
        /// All areas, by name. A test compares this list with the folder.
        pub(super) const FILES: &[File<'static>] = embedded! { @folder "" $($area)* };

        /// Why the requirements of each area matter, and how servers are mended.
        pub(super) const ADVICE: &[File<'static>] = embedded! { @folder "advice/" $($area)* };

        /// What was seen on the wire when the requirements of each area were kept and broken.
        pub(super) const EXAMPLES: &[File<'static>] = embedded! { @folder "examples/" $($area)* };
    };
}

embedded! {
    "auth"
    "base"
    "caching"
    "cancellation"
    "capabilities"
    "compat"
    "completion"
    "content"
    "discover"
    "elicitation"
    "extension-apps"
    "extension-tasks"
    "http"
    "http-headers"
    "http-legacy-sse"
    "http-session"
    "identity"
    "json-schema"
    "lifecycle"
    "logging"
    "meta"
    "mrtr"
    "pagination"
    "ping"
    "progress"
    "prompts"
    "property"
    "resources"
    "robustness"
    "roots"
    "sampling"
    "schema"
    "security"
    "stdio"
    "subscriptions"
    "tasks"
    "tools"
    "versioning"
}

/// Why some requirements that are decided are broken by no fault of the reference server.
pub(super) const NO_FAULT: &str = include_str!("../../../catalogue/policy/no-fault.toml");

/// The published sets, the oldest first: the files of `catalogue/sets/`, each with its date.
pub(super) const SETS: &[File<'static>] = &[
    File { area: "2026-11-22", text: include_str!("../../../catalogue/sets/2026-11-22.toml") },
    File { area: "2026-11-23", text: include_str!("../../../catalogue/sets/2026-11-23.toml") },
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_file_of_the_folder_is_embedded() {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/catalogue");
        let mut names: Vec<String> = std::fs::read_dir(folder)
            .unwrap()
            .filter_map(|entry| entry.unwrap().file_name().to_str()?.strip_suffix(".toml").map(str::to_owned))
            .collect();
        names.sort();
        let embedded: Vec<&str> = FILES.iter().map(|file| file.area).collect();
        assert_eq!(embedded, names);
    }
}
