//! Completion in the profile: ids of records, for those whose role has the prompt or the template.

use crate::enterprise::desk::Desk;
use crate::enterprise::domain::Kind;
use crate::enterprise::masking::Place;
use crate::enterprise::prompts;
use crate::faults::Duty;
use crate::features::{Blank, Reference, complete_with, unknown_prompt, unknown_template};
use crate::message::{Object, RpcError};

/// `completion/complete`.
pub(super) fn complete(desk: &Desk<'_>) -> Result<Object, RpcError> {
    complete_with(&desk.context.request.params, |blank| {
        let kind = kind(desk, blank)?;
        let ids = desk.profile.database.ids(kind)?;
        if desk.context.server.keeps(Duty::FieldsMasked(Place::Completion)) {
            return Ok(ids);
        }
        let views = ids.into_iter().filter_map(|id| desk.find(Place::Completion, kind, &id).ok()?);
        // Each begins with its id.
        Ok(views
            .map(|view| kind.fields().iter().map(|field| view.words(field.name) + " ").collect())
            .collect())
    })
}

/// The kind of record whose ids are looked for.
fn kind(desk: &Desk<'_>, blank: &Blank<'_>) -> Result<Kind, RpcError> {
    let unknown_argument = || RpcError::invalid_params("Invalid params: unknown argument");
    match blank.of {
        Reference::Prompt(name) => {
            let prompt = prompts::find(desk, name).ok_or_else(unknown_prompt)?;
            let argument = prompt.arguments.iter().find(|argument| argument.name == blank.argument);
            // All arguments are named after the record whose id they are.
            let kind =
                argument.and_then(|argument| Kind::ALL.into_iter().find(|kind| kind.name() == argument.name));
            kind.ok_or_else(unknown_argument)
        }
        Reference::Template(pattern) => {
            let family = desk.role.families.iter().find(|family| family.pattern == pattern);
            let kind = family.and_then(|family| family.kind()).ok_or_else(unknown_template)?;
            if blank.argument == "id" { Ok(kind) } else { Err(unknown_argument()) }
        }
    }
}
