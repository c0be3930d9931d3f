//! Types of one revision: what the notation says once the windows are applied.

/// A type in one revision.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Shape {
    Any,
    Null,
    Boolean,
    String {
        format: Option<String>,
    },
    /// A number without fraction; `1.0` is one.
    Integer {
        least: Option<i64>,
    },
    Number {
        least: Option<i64>,
        most: Option<i64>,
    },
    /// One of these strings.
    OneOf(Vec<String>),
    /// This integer.
    Code(i64),
    Array {
        items: Box<Shape>,
        most: Option<u64>,
    },
    /// Members that are not listed have the type `rest`, or any.
    Object {
        members: Vec<Field>,
        rest: Option<Box<Shape>>,
    },
    /// A definition of the revision, by index.
    Definition(usize),
    /// A type that has a name in other revisions only.
    Unnamed(String, Box<Shape>),
    Union(Vec<Shape>),
    All(Vec<Shape>),
}

/// A member of an object.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Field {
    pub(super) name: String,
    pub(super) required: bool,
    pub(super) shape: Shape,
}

impl Shape {
    /// A union without nesting, duplicates or needless wrapping. `None` if there is nothing to choose from.
    pub(super) fn union(parts: Vec<Self>) -> Option<Self> {
        let mut flat: Vec<Self> = Vec::with_capacity(parts.len());
        for part in parts {
            let inner = if let Self::Union(inner) = part { inner } else { vec![part] };
            for shape in inner {
                if !flat.contains(&shape) {
                    flat.push(shape);
                }
            }
        }
        if flat.len() > 1 && flat.iter().all(|shape| matches!(shape, Self::OneOf(_))) {
            let texts =
                flat.into_iter().flat_map(|shape| if let Self::OneOf(t) = shape { t } else { Vec::new() });
            return Some(Self::OneOf(texts.collect()));
        }
        match flat.len() {
            0 => None,
            1 => flat.pop(),
            _ => Some(Self::Union(flat)),
        }
    }

    /// Adds the definitions that stand in this type and are not in the list yet.
    pub(super) fn definitions(&self, used: &mut Vec<usize>) {
        match self {
            Self::Definition(at) if !used.contains(at) => used.push(*at),
            Self::Unnamed(_, shape) => shape.definitions(used),
            Self::Array { items, .. } => items.definitions(used),
            Self::Object { members, rest } => {
                for member in members {
                    member.shape.definitions(used);
                }
                if let Some(rest) = rest {
                    rest.definitions(used);
                }
            }
            Self::Union(parts) | Self::All(parts) => parts.iter().for_each(|part| part.definitions(used)),
            _ => {}
        }
    }
}
