//! The skills extension: folders of instructions for a model, read as resources. Stateless revisions only.

use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::features::{ListKind, page};
use crate::message::{Object, RpcError, string};
use crate::server::Server;

/// The name of the extension among the capabilities.
pub(crate) const SKILLS: &str = "io.modelcontextprotocol/skills";

/// A skill: a folder with `SKILL.md` and what that refers to.
struct Skill {
    /// The folder, without a slash at its end; its last part is the name.
    folder: &'static str,
    name: &'static str,
    description: &'static str,
    /// `SKILL.md` after its front matter.
    body: &'static str,
    references: &'static [Reference],
}

/// A further file of a skill, in the folder `references`.
struct Reference {
    file: &'static str,
    description: &'static str,
    text: &'static str,
}

const ALL: [Skill; 1] = [Skill {
    folder: "skill://demo-skill",
    name: "demo-skill",
    description: "Reads and summarises the notes of this server",
    body: "# Notes\n\n1. List the resources whose URIs begin with `note://`.\n2. Read those that fit the question.\n3. Answer in two sentences; `references/REF.md` says what the notes hold.\n",
    references: &[Reference {
        file: "REF.md",
        description: "What the notes hold",
        text: "# The notes\n\n`note://settings` is JSON, `note://table` a table, all others are plain text.\n",
    }],
}];

const MARKDOWN: &str = "text/markdown";

impl Skill {
    fn main_uri(&self) -> String {
        format!("{}/SKILL.md", self.folder)
    }

    fn references_uri(&self) -> String {
        format!("{}/references", self.folder)
    }

    fn main_text(&self) -> String {
        format!("---\nname: {}\ndescription: {}\n---\n\n{}", self.name, self.description, self.body)
    }

    /// The URI and the text of every file.
    fn files(&self) -> Vec<(String, String)> {
        let mut files = vec![(self.main_uri(), self.main_text())];
        for reference in self.references {
            files.push((format!("{}/{}", self.references_uri(), reference.file), reference.text.to_owned()));
        }
        files
    }

    /// What `skills/list` shows: the front matter, and every file with its digest and its size in bytes.
    fn entry(&self) -> Value {
        let files: Vec<Value> = self
            .files()
            .iter()
            .map(|(uri, text)| json!({"uri": uri, "digest": digest(text), "size": text.len()}))
            .collect();
        json!({
            "uri": self.main_uri(),
            "frontmatter": {"name": self.name, "description": self.description},
            "resources": files,
        })
    }

    /// `SKILL.md` as `resources/list` shows it.
    fn definition(&self) -> Value {
        json!({
            "uri": self.main_uri(),
            "name": self.name,
            "description": self.description,
            "mimeType": MARKDOWN,
            "size": self.main_text().len(),
        })
    }
}

/// `sha256:` and 64 hexadecimal digits.
fn digest(text: &str) -> String {
    let hash = Sha256::digest(text);
    hash.iter().fold("sha256:".to_owned(), |text, byte| text + &format!("{byte:02x}"))
}

/// What `resources/list` shows of the skills.
pub(super) fn resource_definitions() -> impl Iterator<Item = Value> {
    ALL.iter().map(Skill::definition)
}

/// The contents of a file of a skill.
pub(super) fn file_contents(uri: &str) -> Option<Value> {
    let skill = ALL.iter().find(|skill| uri.starts_with(skill.folder))?;
    let (uri, text) = skill.files().into_iter().find(|(file, _)| file == uri)?;
    Some(json!({"uri": uri, "mimeType": MARKDOWN, "text": text}))
}

/// `skills/list`.
pub(crate) fn list_skills(server: &Server, params: &Object) -> Result<Object, RpcError> {
    let entries: Vec<Value> = ALL.iter().map(Skill::entry).collect();
    page(server, ListKind::Skills, params, entries.iter())
}

/// `skills/get`.
pub(crate) fn get_skill(params: &Object) -> Result<Object, RpcError> {
    let uri = string(params, "uri")?;
    let skill = ALL.iter().find(|skill| skill.main_uri() == uri).ok_or_else(|| {
        RpcError::invalid_params("Invalid params: unknown skill").with_data(json!({"uri": uri}))
    })?;
    let mut result = Object::new();
    result.insert("skill".into(), skill.entry());
    Ok(result)
}

/// `resources/directory/read`: what lies directly in a folder.
pub(crate) fn read_directory(params: &Object) -> Result<Object, RpcError> {
    let uri = string(params, "uri")?;
    let resources: Vec<Value> = ALL
        .iter()
        .find_map(|skill| {
            if uri == skill.folder {
                let folder = json!({
                    "uri": skill.references_uri(), "name": "references", "mimeType": "inode/directory",
                });
                return Some(vec![skill.definition(), folder]);
            }
            let reference = |reference: &Reference| {
                json!({
                    "uri": format!("{uri}/{}", reference.file),
                    "name": reference.file,
                    "description": reference.description,
                    "mimeType": MARKDOWN,
                    "size": reference.text.len(),
                })
            };
            (uri == skill.references_uri()).then(|| skill.references.iter().map(reference).collect())
        })
        .ok_or_else(|| {
            RpcError::invalid_params("Invalid params: no such directory").with_data(json!({"uri": uri}))
        })?;
    let mut result = Object::new();
    result.insert("resources".into(), resources.into());
    Ok(result)
}

#[cfg(test)]
mod tests {
    use super::{ALL, digest, file_contents, get_skill, read_directory};
    use serde_json::{Value, json};

    fn uri(uri: &str) -> serde_json::Map<String, Value> {
        json!({"uri": uri}).as_object().unwrap().clone()
    }

    #[test]
    fn digests_are_those_of_what_is_read() {
        assert_eq!(digest("abc"), "sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
        for skill in &ALL {
            assert!(skill.folder.ends_with(skill.name));
            let result = get_skill(&uri(&skill.main_uri())).unwrap();
            let files = result["skill"]["resources"].as_array().unwrap();
            assert_eq!(files.len(), 1 + skill.references.len());
            for file in files {
                let contents = file_contents(file["uri"].as_str().unwrap()).unwrap();
                let text = contents["text"].as_str().unwrap();
                assert_eq!(file["digest"], digest(text));
                assert_eq!(file["size"], text.len());
            }
            assert!(skill.main_text().starts_with("---\nname: "));
        }
    }

    #[test]
    fn directories_can_be_walked_to_every_file() {
        let mut open = vec!["skill://demo-skill".to_owned()];
        let mut files = Vec::new();
        while let Some(folder) = open.pop() {
            let result = read_directory(&uri(&folder)).unwrap();
            for resource in result["resources"].as_array().unwrap() {
                let found = resource["uri"].as_str().unwrap().to_owned();
                if resource["mimeType"] == "inode/directory" { open.push(found) } else { files.push(found) }
            }
        }
        let known: Vec<String> = ALL[0].files().into_iter().map(|(uri, _)| uri).collect();
        assert_eq!(files, known);
    }

    #[test]
    fn what_is_no_skill_and_no_directory_is_refused() {
        for wrong in
            ["skill://demo-skill/SKILL.md", "skill://demo-skill/", "skill://other", "note://welcome", ""]
        {
            assert_eq!(read_directory(&uri(wrong)).unwrap_err().code, -32602, "{wrong}");
        }
        for wrong in ["skill://demo-skill", "skill://mcp-conformance-nonexistent/SKILL.md"] {
            assert_eq!(get_skill(&uri(wrong)).unwrap_err().code, -32602, "{wrong}");
        }
        assert!(file_contents("skill://demo-skill-2/SKILL.md").is_none());
    }
}
