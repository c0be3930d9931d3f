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
    ($($area:literal)*) => {
        &[$(File {
            area: $area,
            text: include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/catalogue/", $area, ".toml")),
        }),*]
    };
}

/// All areas, by name. A test compares this list with the folder.
pub(super) const FILES: &[File<'static>] = embedded! {
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
};

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
