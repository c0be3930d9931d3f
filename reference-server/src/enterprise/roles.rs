//! The role file: which tools, resources, prompts and fields there are for whom.

use std::collections::BTreeSet;
use std::sync::Arc;

use serde::Deserialize;
use sha2::{Digest, Sha256};

use crate::enterprise::domain::Kind;
use crate::enterprise::masking::{Masking, Sight, TokenKey};
use crate::enterprise::profile::{InvalidProfile, RoleName};
use crate::enterprise::prompts::{PROMPTS, lacks};
use crate::enterprise::resources::FAMILIES;
use crate::enterprise::resources::Family;
use crate::enterprise::{tools_customers, tools_employees, tools_orders};
use crate::features::{Prompt, Tool, ToolSet};

/// The roles of the example business.
pub(super) const DEFAULT: &str = include_str!("../../fixtures/enterprise/roles.toml");
/// The largest role file, in bytes.
pub(super) const LARGEST: u64 = 1 << 20;

/// The tools of the profile, by theme, in the order in which they are listed.
pub(super) const THEMES: [(&str, &[Tool]); 3] = [
    ("customers", tools_customers::TOOLS),
    ("orders", tools_orders::TOOLS),
    ("employees", tools_employees::TOOLS),
];

/// A role: all that there is for somebody. What is not in it can not be found by it, so that what is forbidden and what
/// does not exist are the same thing.
pub(super) struct Role {
    pub name: RoleName,
    pub tools: ToolSet,
    pub families: Vec<&'static Family>,
    pub prompts: Vec<&'static Prompt>,
    pub masking: Masking,
}

/// The roles of a file.
pub(super) struct Roles {
    all: Vec<Role>,
    least: usize,
    pub tokens: Vec<StaticToken>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    least: String,
    role: Vec<RoleEntry>,
    #[serde(default)]
    token: Vec<StaticToken>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RoleEntry {
    name: String,
    #[serde(default)]
    tools: Vec<String>,
    #[serde(default)]
    resources: Vec<String>,
    #[serde(default)]
    prompts: Vec<String>,
    #[serde(default)]
    fields: std::collections::BTreeMap<String, Fields>,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Fields {
    #[serde(default)]
    show: Vec<String>,
    #[serde(default)]
    mask: Vec<String>,
    #[serde(default)]
    token: Vec<String>,
}

/// A bearer token that was agreed on beforehand, of which only the digest is known.
#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct StaticToken {
    pub principal: String,
    pub role: String,
    /// SHA-256, as 64 hexadecimal digits.
    pub sha256: String,
    /// The scopes, with spaces between them.
    #[serde(default = "basic_scope")]
    pub scopes: String,
}

/// The scopes that something here takes.
const SCOPES: [&str; 2] = ["mcp", "mcp:write"];

impl StaticToken {
    /// Refuses what can only be a mistake.
    fn check(&self) -> Result<(), InvalidProfile> {
        if self.principal.trim().is_empty() {
            return Err(invalid("a token has no `principal`"));
        }
        let of_nothing =
            Sha256::digest("").iter().fold(String::new(), |text, byte| text + &format!("{byte:02x}"));
        if self.sha256.eq_ignore_ascii_case(&of_nothing) {
            return Err(invalid(&format!("`sha256` of `{}` is that of the empty text", self.principal)));
        }
        match self.scopes.split_ascii_whitespace().find(|scope| !SCOPES.contains(scope)) {
            Some(scope) => Err(invalid(&format!(
                "the token of `{}` has the unknown scope `{scope}`; there are: {}",
                self.principal,
                SCOPES.join(", ")
            ))),
            None => Ok(()),
        }
    }
}

fn basic_scope() -> String {
    "mcp".to_owned()
}

impl Roles {
    /// Reads a role file.
    pub(super) fn read(text: &str, key: &TokenKey) -> Result<Self, InvalidProfile> {
        let file: File = toml::from_str(text).map_err(|error| invalid(error.to_string().trim_end()))?;
        let roles = file.role.iter().map(|entry| role(entry, key)).collect::<Result<Vec<_>, _>>()?;
        let names: Vec<&str> = roles.iter().map(|role| &*role.name.0).collect();
        refuse_double("role", &names)?;
        let find = |name: &str, whose: &str| {
            let place = names.iter().position(|own| *own == name);
            place.ok_or_else(|| invalid(&format!("{whose} names the unknown role `{name}`")))
        };
        let least = find(&file.least, "`least`")?;
        for token in &file.token {
            find(&token.role, &format!("the token of `{}`", token.principal))?;
            if token.sha256.len() != 64 || !token.sha256.bytes().all(|byte| byte.is_ascii_hexdigit()) {
                return Err(invalid(&format!(
                    "`sha256` of `{}` is no digest in hexadecimal",
                    token.principal
                )));
            }
            token.check()?;
        }
        let digests: Vec<String> = file.token.iter().map(|token| token.sha256.to_ascii_lowercase()).collect();
        refuse_double("the `sha256`", &digests.iter().map(String::as_str).collect::<Vec<_>>())?;
        Ok(Self { all: roles, least, tokens: file.token })
    }

    pub(super) fn least(&self) -> &Role {
        &self.all[self.least]
    }

    /// The role with the most tools.
    pub(super) fn widest(&self) -> &Role {
        self.all.iter().max_by_key(|role| role.tools.len()).unwrap_or_else(|| self.least())
    }

    pub(super) fn find(&self, name: &str) -> Option<&Role> {
        self.all.iter().find(|role| &*role.name.0 == name)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Role> {
        self.all.iter()
    }

    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        self.all.iter().map(|role| &*role.name.0)
    }
}

fn invalid(what: &str) -> InvalidProfile {
    InvalidProfile::new(format!("the role file cannot be used: {what}"))
}

fn refuse_double(what: &str, names: &[&str]) -> Result<(), InvalidProfile> {
    let mut seen = BTreeSet::new();
    match names.iter().find(|name| !seen.insert(**name)) {
        Some(name) => Err(invalid(&format!("{what} `{name}` stands twice"))),
        None => Ok(()),
    }
}

/// The things that an entry names, in the order of all.
fn named<'a, T>(
    whose: &str,
    what: &str,
    wanted: &[String],
    all: impl Iterator<Item = (&'static str, T)> + 'a,
) -> Result<Vec<T>, InvalidProfile> {
    let wanted: Vec<&str> = wanted.iter().map(String::as_str).collect();
    refuse_double(&format!("role `{whose}`: {what}"), &wanted)?;
    let (mut found, mut known) = (Vec::new(), Vec::new());
    for (name, thing) in all {
        known.push(name);
        if wanted.contains(&name) {
            found.push(thing);
        }
    }
    match wanted.iter().find(|name| !known.contains(name)) {
        Some(name) => Err(invalid(&format!(
            "role `{whose}` names the unknown {what} `{name}`; there are: {}",
            known.join(", ")
        ))),
        None => Ok(found),
    }
}

fn role(entry: &RoleEntry, key: &TokenKey) -> Result<Role, InvalidProfile> {
    let name = entry.name.as_str();
    if name.is_empty()
        || name.len() > 64
        || !name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
    {
        return Err(invalid("the name of a role has 1 to 64 letters, digits, hyphens and underscores"));
    }
    let all =
        THEMES.iter().flat_map(|(theme, tools)| tools.iter().map(move |tool| (tool.name, (*theme, tool))));
    let tools = named(name, "tool", &entry.tools, all)?;
    let families = FAMILIES.iter().map(|family| (family.pattern, family));
    let prompts = PROMPTS.iter().map(|prompt| (prompt.name, prompt));
    let masking = Masking::new(sights(entry)?, key.clone());
    let orders = "customer://{id}/orders";
    if entry.resources.iter().any(|uri| uri == orders) && !masking.shows(Kind::Order, "customer") {
        return Err(invalid(&format!(
            "role `{name}` has `{orders}`, which tells whose an order is, and is not shown `customer` of order"
        )));
    }
    let refunds = tools.iter().any(|(_, tool)| tool.name == "refund_order");
    if refunds && !masking.shows(Kind::Order, "status") {
        return Err(invalid(&format!(
            "role `{name}` has `refund_order`, which tells what has been refunded, and is not shown `status` of order"
        )));
    }
    let families = named(name, "resource", &entry.resources, families)?;
    let prompts = named(name, "prompt", &entry.prompts, prompts)?;
    let resources: Vec<&str> = families.iter().map(|family| family.pattern).collect();
    for prompt in &prompts {
        if let Some(lacks) = lacks(prompt, &resources, |kind| masking.sees(kind)) {
            return Err(invalid(&format!("role `{name}` has the prompt `{}`, which {lacks}", prompt.name)));
        }
    }
    Ok(Role { name: RoleName(Arc::from(name)), tools: ToolSet::of(tools), families, prompts, masking })
}

fn sights(entry: &RoleEntry) -> Result<Vec<(Kind, &'static str, Sight)>, InvalidProfile> {
    let mut sights: Vec<(Kind, &'static str, Sight)> = Vec::new();
    for (kind_name, fields) in &entry.fields {
        let kind = Kind::ALL.into_iter().find(|kind| kind.name() == kind_name);
        let kind = kind.ok_or_else(|| {
            invalid(&format!("role `{}` has fields of the unknown record `{kind_name}`", entry.name))
        })?;
        let ways =
            [(&fields.show, Sight::Shown), (&fields.mask, Sight::Masked), (&fields.token, Sight::Tokenised)];
        for (names, sight) in ways {
            let all =
                kind.fields().iter().filter(|field| field.name != "id").map(|field| (field.name, field.name));
            for field in named(&entry.name, &format!("field of {kind_name}"), names, all)? {
                if sights.iter().any(|(of, name, _)| *of == kind && *name == field) {
                    return Err(invalid(&format!(
                        "role `{}` says in two ways how it sees `{field}` of {kind_name}",
                        entry.name
                    )));
                }
                sights.push((kind, field, sight));
            }
        }
    }
    Ok(sights)
}

#[cfg(test)]
mod tests {
    use super::{DEFAULT, Roles};
    use crate::enterprise::masking::TokenKey;
    use std::sync::Arc;

    fn read(text: &str) -> Result<Roles, String> {
        Roles::read(text, &TokenKey(Arc::new([0; 32]))).map_err(|error| error.to_string())
    }

    #[test]
    fn the_roles_of_the_example_are_read() {
        let roles = read(DEFAULT).unwrap_or_else(|error| panic!("{error}"));
        let names: Vec<_> = roles.names().collect();
        assert_eq!(names, ["guest", "sales", "support", "billing", "people", "manager"]);
        assert_eq!(&*roles.least().name.0, "guest");
        assert_eq!(
            roles.find("manager").unwrap().tools.definitions(crate::revision::Revision::V2025_11_25).count(),
            10
        );
    }

    const ROLE: &str = "least = 'a'\n[[role]]\nname = 'a'\n";

    /// A role file with a token.
    fn token(principal: &str, sha256: &str, scopes: &str) -> String {
        format!(
            "{ROLE}[[token]]\nprincipal = '{principal}'\nrole = 'a'\nsha256 = '{sha256}'\nscopes = '{scopes}'\n"
        )
    }

    #[test]
    fn a_token_that_makes_sense_is_read() {
        assert_eq!(
            read(&token("x", &"0".repeat(64), "mcp mcp:write"))
                .unwrap_or_else(|error| panic!("{error}"))
                .tokens
                .len(),
            1
        );
    }

    #[test]
    fn what_makes_no_sense_is_told() {
        for (text, told) in [
            ("", "least"),
            ("least = 'a'\nrole = []", "unknown role `a`"),
            ("least = 'a'\n[[role]]\nname = 'a'\n[[role]]\nname = 'a'", "stands twice"),
            ("least = 'a'\n[[role]]\nname = 'a'\ntool = []", "unknown field `tool`"),
            ("least = 'a'\n[[role]]\nname = 'a b'", "letters"),
            ("least = 'a'\n[[role]]\nname = 'a'\ntools = ['get_cutsomer']", "unknown tool `get_cutsomer`"),
            ("least = 'a'\n[[role]]\nname = 'a'\nresources = ['order://']", "unknown resource `order://`"),
            ("least = 'a'\n[[role]]\nname = 'a'\nprompts = ['x', 'x']", "stands twice"),
            ("least = 'a'\n[[role]]\nname = 'a'\n[role.fields]\nbill = {}", "unknown record `bill`"),
            (
                "least = 'a'\n[[role]]\nname = 'a'\n[role.fields]\norder = {show = ['id']}",
                "unknown field of order `id`",
            ),
            (
                "least = 'a'\n[[role]]\nname = 'a'\nresources = ['customer://{id}/orders']",
                "whose an order is",
            ),
            (
                "least = 'a'\n[[role]]\nname = 'a'\ntools = ['refund_order']\n[role.fields]\norder = {mask = ['status']}",
                "what has been refunded",
            ),
            (
                "least = 'a'\n[[role]]\nname = 'a'\n[role.fields]\norder = {show = ['card'], token = ['card']}",
                "two ways",
            ),
            (
                "least = 'a'\n[[role]]\nname = 'a'\nprompts = ['explain_returns']\nresources = ['policy://privacy']",
                "`explain_returns`, which begins with `policy://returns`",
            ),
            (
                "least = 'a'\n[[role]]\nname = 'a'\nprompts = ['prepare_call']\n[role.fields]\norder = {show = ['item']}",
                "`prepare_call`, which embeds a customer, of which the role sees no field",
            ),
            (
                "least = 'a'\n[[role]]\nname = 'a'\n[[token]]\nprincipal = 'x'\nrole = 'b'\nsha256 = '00'",
                "unknown role `b`",
            ),
            (
                "least = 'a'\n[[role]]\nname = 'a'\n[[token]]\nprincipal = 'x'\nrole = 'a'\nsha256 = '0g'",
                "digest",
            ),
            (&*token("x", &"0".repeat(64), "mcp admin"), "unknown scope `admin`"),
            (&*token(" ", &"0".repeat(64), "mcp"), "no `principal`"),
            (
                &*token("x", "E3B0C44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855", "mcp"),
                "empty text",
            ),
            (
                &*(token("x", &"a0".repeat(32), "mcp") + &token("y", &"A0".repeat(32), "mcp")[ROLE.len()..]),
                "stands twice",
            ),
        ] {
            let error = read(text).err().unwrap_or_else(|| panic!("{text} was read"));
            assert!(error.contains(told), "{text}: {error}");
        }
    }
}
