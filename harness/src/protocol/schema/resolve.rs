//! From the notation to the types of one revision.

use std::collections::BTreeMap;
use std::sync::OnceLock;

use super::messages::{Methods, NotificationType, Party, RequestType};
use super::notation::{Body, Declaration, Expr, Member, Message, Model, NotationError};
use super::shape::{Field, Shape};
use crate::protocol::Revision;

/// The files, one for each area of the specification.
const FILES: [(&str, &str); 16] = [
    ("base.types", include_str!("../../../schema/base.types")),
    ("completion.types", include_str!("../../../schema/completion.types")),
    ("content.types", include_str!("../../../schema/content.types")),
    ("elicitation.types", include_str!("../../../schema/elicitation.types")),
    ("errors.types", include_str!("../../../schema/errors.types")),
    ("input_required.types", include_str!("../../../schema/input_required.types")),
    ("lifecycle.types", include_str!("../../../schema/lifecycle.types")),
    ("logging.types", include_str!("../../../schema/logging.types")),
    ("prompts.types", include_str!("../../../schema/prompts.types")),
    ("resources.types", include_str!("../../../schema/resources.types")),
    ("roots.types", include_str!("../../../schema/roots.types")),
    ("sampling.types", include_str!("../../../schema/sampling.types")),
    ("subscriptions.types", include_str!("../../../schema/subscriptions.types")),
    ("tasks.types", include_str!("../../../schema/tasks.types")),
    ("tools.types", include_str!("../../../schema/tools.types")),
    ("utilities.types", include_str!("../../../schema/utilities.types")),
];

/// How deep types may stand inside one another; more means that a type contains itself.
const MAX_DEPTH: usize = 24;

/// What is wrong with the model itself.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
enum ModelError {
    #[error(transparent)]
    Notation(#[from] NotationError),
    #[error("{0} names {1}, which does not exist in {2}")]
    Unknown(String, String, Revision),
    #[error("{0} extends {1}, which is no object in {2}")]
    NoObject(String, String, Revision),
    #[error("{0} has nothing to choose from in {1}")]
    Empty(String, Revision),
    #[error("{0} contains itself in {1}")]
    Recursive(String, Revision),
}

/// A definition of a revision.
#[derive(Debug)]
pub(super) struct Definition {
    pub(super) name: &'static str,
    pub(super) shape: Shape,
    /// Compiled when first needed.
    pub(super) validator: OnceLock<jsonschema::Validator>,
}

/// The types of a revision.
#[derive(Debug)]
pub(super) struct RevisionModel {
    pub(super) revision: Revision,
    /// Sorted by name.
    pub(super) definitions: Vec<Definition>,
    /// Definitions of error responses with a code of their own.
    pub(super) errors: Vec<(i64, usize)>,
    pub(super) client: OnceLock<Methods>,
    pub(super) server: OnceLock<Methods>,
}

impl RevisionModel {
    pub(super) fn position(&self, name: &str) -> Option<usize> {
        self.definitions.binary_search_by(|definition| definition.name.cmp(name)).ok()
    }

    /// What this side may send.
    pub(super) fn methods(&self, sender: Party) -> Methods {
        let mut methods = Methods::default();
        for (declaration, message) in messages(model(), sender, self.revision) {
            let params = self.position(&declaration.name).and_then(|at| match &self.definitions[at].shape {
                Shape::Object { members, .. } => members.iter().find(|member| member.name == "params"),
                _ => None,
            });
            let name = params.and_then(|field| match field.shape {
                Shape::Definition(at) => Some(self.definitions[at].name),
                _ => None,
            });
            let (method, definition) = (message.method.as_str(), declaration.name.as_str());
            let params_required = params.is_some_and(|field| field.required);
            if message.request {
                let alive = |list: &'static [(String, super::notation::Window)]| {
                    list.iter()
                        .filter(|(_, window)| window.contains(self.revision))
                        .map(|(name, _)| name.as_str())
                };
                if let Some(result) = alive(&message.result).next() {
                    let other_results = alive(&message.or).collect();
                    let params = name;
                    methods.requests.push(RequestType {
                        method,
                        definition,
                        params,
                        params_required,
                        result,
                        other_results,
                    });
                }
            } else {
                methods.notifications.push(NotificationType {
                    method,
                    definition,
                    params: name,
                    params_required,
                });
            }
        }
        methods
    }
}

/// The names of all definitions of a revision, sorted.
pub fn definitions(revision: Revision) -> impl Iterator<Item = &'static str> {
    revision_model(revision).definitions.iter().map(|definition| definition.name)
}

/// The model of one revision, made when first needed.
pub(super) fn revision_model(revision: Revision) -> &'static RevisionModel {
    static MODELS: [OnceLock<RevisionModel>; 5] = [const { OnceLock::new() }; 5];
    MODELS[revision as usize].get_or_init(|| {
        resolve(model(), revision).expect("the embedded types resolve in every revision: a unit test does it")
    })
}

fn model() -> &'static Model {
    static MODEL: OnceLock<Model> = OnceLock::new();
    MODEL.get_or_init(|| load().expect("the embedded files are well-formed: a unit test reads them"))
}

fn load() -> Result<Model, ModelError> {
    let mut model = Model::default();
    for (file, text) in FILES {
        model.read(file, text)?;
    }
    Ok(model)
}

fn messages(
    model: &Model,
    sender: Party,
    revision: Revision,
) -> impl Iterator<Item = (&Declaration, &Message)> {
    model.declarations.values().filter(move |d| d.exists.contains(revision)).filter_map(move |declaration| {
        let message = declaration.message.as_ref()?;
        message.sent_by(sender, revision).then_some((declaration, message))
    })
}

fn resolve(model: &'static Model, revision: Revision) -> Result<RevisionModel, ModelError> {
    let is_named = |d: &&Declaration| d.exists.contains(revision) && d.named.contains(revision);
    let names: BTreeMap<&str, usize> = model
        .declarations
        .values()
        .filter(is_named)
        .enumerate()
        .map(|(at, d)| (d.name.as_str(), at))
        .collect();
    let resolver = Resolver { model, revision, names };
    let mut definitions = Vec::with_capacity(resolver.names.len());
    for declaration in model.declarations.values().filter(is_named) {
        let shape = resolver.declaration(declaration, 0)?;
        definitions.push(Definition { name: &declaration.name, shape, validator: OnceLock::new() });
    }
    let mut state = vec![Visit::Not; definitions.len()];
    for (at, definition) in definitions.iter().enumerate() {
        if !is_finite(at, &definitions, &mut state) {
            return Err(ModelError::Recursive(definition.name.into(), revision));
        }
    }
    let errors =
        definitions.iter().enumerate().filter_map(|(at, d)| Some((error_code(&d.shape)?, at))).collect();
    let (client, server) = (OnceLock::new(), OnceLock::new());
    Ok(RevisionModel { revision, definitions, errors, client, server })
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Visit {
    Not,
    Open,
    Done,
}

/// Types never contain themselves, so values are walked no deeper than their types.
fn is_finite(at: usize, definitions: &[Definition], state: &mut [Visit]) -> bool {
    match state[at] {
        Visit::Done => return true,
        Visit::Open => return false,
        Visit::Not => state[at] = Visit::Open,
    }
    let mut used = Vec::new();
    definitions[at].shape.definitions(&mut used);
    let finite = used.into_iter().all(|used| is_finite(used, definitions, state));
    state[at] = Visit::Done;
    finite
}

/// The code that a whole error response is for.
fn error_code(shape: &Shape) -> Option<i64> {
    let member = |shape: &Shape, name: &str| match shape {
        Shape::Object { members, .. } => members.iter().find(|m| m.name == name).map(|m| m.shape.clone()),
        _ => None,
    };
    let Some(Shape::All(parts)) = member(shape, "error") else { return None };
    parts.iter().find_map(|part| match member(part, "code") {
        Some(Shape::Code(code)) => Some(code),
        _ => None,
    })
}

struct Resolver<'a> {
    model: &'a Model,
    revision: Revision,
    names: BTreeMap<&'a str, usize>,
}

impl Resolver<'_> {
    fn declaration(&self, declaration: &Declaration, depth: usize) -> Result<Shape, ModelError> {
        match &declaration.body {
            Body::Object { .. } => {
                Ok(Shape::Object { members: self.members(declaration, depth)?, rest: None })
            }
            Body::Union(parts) => {
                let alive = parts.iter().filter(|(_, window)| window.contains(self.revision));
                let shapes = alive.map(|(expr, _)| self.expr(expr, &declaration.name, depth));
                Shape::union(shapes.collect::<Result<_, _>>()?)
                    .ok_or_else(|| ModelError::Empty(declaration.name.clone(), self.revision))
            }
        }
    }

    /// The members of an object: those it extends first, each later one in the place of an earlier one.
    fn members(&self, declaration: &Declaration, depth: usize) -> Result<Vec<Field>, ModelError> {
        let owner = &declaration.name;
        if depth > MAX_DEPTH {
            return Err(ModelError::Recursive(owner.clone(), self.revision));
        }
        let Body::Object { extends, members } = &declaration.body else { return Ok(Vec::new()) };
        let mut fields: Vec<Field> = Vec::new();
        let mut put = |field: Field| match fields.iter_mut().find(|old| old.name == field.name) {
            Some(old) => *old = field,
            None => fields.push(field),
        };
        for (name, _) in extends.iter().filter(|(_, window)| window.contains(self.revision)) {
            let parent = self.existing(name, owner)?;
            if matches!(parent.body, Body::Union(_)) {
                return Err(ModelError::NoObject(owner.clone(), name.clone(), self.revision));
            }
            self.members(parent, depth + 1)?.into_iter().for_each(&mut put);
        }
        if let Some(message) = &declaration.message {
            self.envelope(message, owner, depth)?.into_iter().for_each(&mut put);
        }
        for member in members.iter().filter(|member| member.window.contains(self.revision)) {
            put(self.field(member, owner, depth)?);
        }
        Ok(fields)
    }

    /// The method, and from 2025-11-25 the JSON-RPC members of what travels as a message of its own.
    fn envelope(&self, message: &Message, owner: &str, depth: usize) -> Result<Vec<Field>, ModelError> {
        let field = |name: &str, shape| Field { name: name.into(), required: true, shape };
        let mut fields = Vec::new();
        let travels = [Party::Client, Party::Server].iter().any(|side| message.sent_by(*side, self.revision));
        if travels && self.revision >= Revision::V2025_11_25 {
            fields.push(field("jsonrpc", Shape::OneOf(vec!["2.0".into()])));
            if message.request {
                fields.push(field("id", self.expr(&Expr::Name("RequestId".into()), owner, depth)?));
            }
        }
        fields.push(field("method", Shape::OneOf(vec![message.method.clone()])));
        Ok(fields)
    }

    fn field(&self, member: &Member, owner: &str, depth: usize) -> Result<Field, ModelError> {
        let shape = self.expr(&member.expr, owner, depth)?;
        Ok(Field { name: member.name.clone(), required: member.required, shape })
    }

    fn existing(&self, name: &str, owner: &str) -> Result<&Declaration, ModelError> {
        let declaration = self.model.declarations.get(name).filter(|d| d.exists.contains(self.revision));
        declaration.ok_or_else(|| ModelError::Unknown(owner.into(), name.into(), self.revision))
    }

    fn expr(&self, expr: &Expr, owner: &str, depth: usize) -> Result<Shape, ModelError> {
        if depth > MAX_DEPTH {
            return Err(ModelError::Recursive(owner.into(), self.revision));
        }
        let inner = |expr: &Expr| self.expr(expr, owner, depth + 1);
        let every = |parts: &[Expr]| parts.iter().map(inner).collect::<Result<Vec<_>, _>>();
        Ok(match expr {
            Expr::Any => Shape::Any,
            Expr::Null => Shape::Null,
            Expr::Boolean => Shape::Boolean,
            Expr::String { format } => Shape::String { format: format.clone() },
            Expr::Integer { least } => Shape::Integer { least: *least },
            Expr::Number { least, most } => Shape::Number { least: *least, most: *most },
            Expr::Text(text) => Shape::OneOf(vec![text.clone()]),
            Expr::Code(code) => Shape::Code(*code),
            Expr::Array { items, most } => Shape::Array { items: Box::new(inner(items)?), most: *most },
            Expr::Object { members, rest } => Shape::Object {
                members: members
                    .iter()
                    .map(|member| self.field(member, owner, depth + 1))
                    .collect::<Result<_, _>>()?,
                rest: rest.as_ref().map(|rest| inner(rest).map(Box::new)).transpose()?,
            },
            Expr::Name(name) => {
                if let Some(at) = self.names.get(name.as_str()) {
                    return Ok(Shape::Definition(*at));
                }
                let declaration = self.existing(name, owner)?;
                let shape = self.declaration(declaration, depth + 1)?;
                let named_elsewhere = Revision::ALL.iter().any(|r| declaration.named.contains(*r));
                if named_elsewhere { Shape::Unnamed(name.clone(), Box::new(shape)) } else { shape }
            }
            Expr::Requests(side) => self.sent(*side, true, owner, depth)?,
            Expr::Notifications(side) => self.sent(*side, false, owner, depth)?,
            Expr::Results(side) => {
                let answered = messages(self.model, side.peer(), self.revision).filter(|(_, m)| m.request);
                let names = answered
                    .flat_map(|(_, m)| m.result.iter().chain(&m.or))
                    .filter(|(_, window)| window.contains(self.revision))
                    .map(|(name, _)| inner(&Expr::Name(name.clone())));
                Shape::Union(names.collect::<Result<_, _>>()?)
            }
            Expr::Union(parts) => {
                Shape::union(every(parts)?).ok_or_else(|| ModelError::Empty(owner.into(), self.revision))?
            }
            Expr::All(parts) => Shape::All(every(parts)?),
        })
    }

    fn sent(&self, side: Party, requests: bool, owner: &str, depth: usize) -> Result<Shape, ModelError> {
        let sent =
            messages(self.model, side, self.revision).filter(|(_, message)| message.request == requests);
        let shapes =
            sent.map(|(declaration, _)| self.expr(&Expr::Name(declaration.name.clone()), owner, depth + 1));
        Ok(Shape::Union(shapes.collect::<Result<_, _>>()?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_embedded_files_are_well_formed_and_resolve() {
        load().unwrap();
        for revision in Revision::ALL {
            let model = resolve(model(), revision).unwrap();
            assert!(model.definitions.is_sorted_by_key(|d| d.name));
        }
    }

    #[test]
    fn a_type_that_contains_itself_is_refused() {
        for text in ["type A\n    a? A\n", "type A inline\n    a? A\ntype B = A\n", "type A\n    extends A\n"]
        {
            let mut model = Model::default();
            model.read("test", text).unwrap();
            let error = resolve(Box::leak(Box::new(model)), Revision::V2025_06_18).unwrap_err();
            assert!(matches!(error, ModelError::Recursive(..)), "{text}: {error}");
        }
    }

    #[test]
    fn a_name_must_exist_in_the_revision_that_uses_it() {
        let mut model = Model::default();
        model.read("test", "type A since 2025-11-25 = any\ntype B\n    a A\n").unwrap();
        let model = Box::leak(Box::new(model));
        assert!(matches!(resolve(model, Revision::V2025_06_18).unwrap_err(), ModelError::Unknown(..)));
        resolve(model, Revision::V2025_11_25).unwrap();
    }
}
