//! Pagination: opaque, sealed cursors, and the cutting of lists into pages.

use serde_json::Value;
#[cfg(feature = "enterprise")]
use sha2::{Digest, Sha256};

#[cfg(feature = "enterprise")]
use crate::faults::Duty;
use crate::message::{Object, RpcError};
use crate::seal::{Purpose, Seal};
use crate::server::Server;

/// The list that a cursor belongs to; a cursor of one list is invalid for another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ListKind {
    Tools = 1,
    Resources = 2,
    Templates = 3,
    Prompts = 4,
    Skills = 5,
    Tasks = 6,
}

impl ListKind {
    /// The member of the result that holds the items.
    const fn member(self) -> &'static str {
        match self {
            Self::Tools => "tools",
            Self::Resources => "resources",
            Self::Templates => "resourceTemplates",
            Self::Prompts => "prompts",
            Self::Skills => "skills",
            Self::Tasks => "tasks",
        }
    }

    /// Items on a page unless the configuration says otherwise. Tools and prompts come at once, for clients that do not
    /// follow cursors; the others show how pages work.
    const fn page_size(self) -> usize {
        match self {
            Self::Tools | Self::Prompts | Self::Skills => 100,
            Self::Resources | Self::Tasks => 5,
            Self::Templates => 1,
        }
    }
}

/// Bytes of the digest by which a cursor names its owner.
#[cfg(feature = "enterprise")]
const OWNER: usize = 8;

/// A cursor: the list and the offset, sealed.
fn issue(seal: &Seal, kind: ListKind, offset: u32) -> String {
    seal.close(Purpose::Cursor, &content(kind, offset))
}

fn content(kind: ListKind, offset: u32) -> Vec<u8> {
    let mut cursor = vec![kind as u8];
    cursor.extend(offset.to_be_bytes());
    cursor
}

fn open(seal: &Seal, kind: ListKind, cursor: &str) -> Option<u32> {
    read(kind, &seal.open(Purpose::Cursor, cursor)?)
}

fn read(kind: ListKind, content: &[u8]) -> Option<u32> {
    let (kind_byte, offset) = content.split_first()?;
    (*kind_byte == kind as u8).then(|| offset.try_into().ok().map(u32::from_be_bytes))?
}

/// Where the page begins that `params.cursor` names.
fn start(seal: &Seal, kind: ListKind, params: &Object) -> Result<u32, RpcError> {
    let start = match params.get("cursor") {
        None => Some(0),
        Some(Value::String(cursor)) => open(seal, kind, cursor),
        Some(_) => None,
    };
    start.ok_or_else(|| RpcError::invalid_params("Invalid params: unknown cursor"))
}

/// A page of a list whose items come and go: each has a number, in growing order, and a cursor names the next one.
pub(crate) fn page_from(
    server: &Server,
    kind: ListKind,
    params: &Object,
    items: impl Iterator<Item = (u32, Value)>,
) -> Result<Object, RpcError> {
    let page_size = server.config().page_size.unwrap_or(kind.page_size());
    let start = start(server.seal(), kind, params)?;
    let mut rest = items.skip_while(|(number, _)| *number < start);
    let items: Vec<Value> = rest.by_ref().take(page_size).map(|(_, item)| item).collect();
    let mut result = Object::new();
    result.insert(kind.member().into(), items.into());
    if let Some((next, _)) = rest.next() {
        result.insert("nextCursor".into(), issue(server.seal(), kind, next).into());
    }
    Ok(result)
}

/// The page of a list that `params.cursor` names, with `nextCursor` if more follows.
pub(crate) fn page<'a>(
    server: &Server,
    kind: ListKind,
    params: &Object,
    items: impl Iterator<Item = &'a Value>,
) -> Result<Object, RpcError> {
    let (seal, member) = (server.seal(), kind.member());
    let page_size = server.config().page_size.unwrap_or(kind.page_size());
    let start = start(seal, kind, params)? as usize;
    let mut rest = items.skip(start);
    let items: Vec<Value> = rest.by_ref().take(page_size).cloned().collect();
    let mut result = Object::new();
    if rest.next().is_some() {
        let next = u32::try_from(start + items.len())
            .map_err(|_| RpcError::invalid_params("Invalid params: the list is too long"))?;
        result.insert(member.into(), items.into());
        result.insert("nextCursor".into(), issue(seal, kind, next).into());
    } else {
        result.insert(member.into(), items.into());
    }
    Ok(result)
}

/// The same for a list that is its owner's: to anybody else its cursors are unknown. Only the items of the page are made.
#[cfg(feature = "enterprise")]
pub(crate) fn page_of<T>(
    server: &Server,
    owner: &str,
    kind: ListKind,
    params: &Object,
    items: impl Iterator<Item = T>,
    make: impl FnMut(T) -> Value,
) -> Result<Object, RpcError> {
    let seal = server.seal();
    let mark = Sha256::digest(if server.keeps(Duty::CursorBound) { owner } else { "" });
    let unknown = || RpcError::invalid_params("Invalid params: unknown cursor");
    let start = match params.get("cursor") {
        None => 0,
        Some(Value::String(cursor)) => {
            let bytes = seal.open(Purpose::Cursor, cursor).ok_or_else(unknown)?;
            let bytes = bytes.strip_suffix(&mark[..OWNER]).ok_or_else(unknown)?;
            read(kind, bytes).ok_or_else(unknown)?
        }
        Some(_) => return Err(unknown()),
    };
    let page_size = server.config().page_size.unwrap_or(kind.page_size());
    let mut rest = items.skip(start as usize);
    let items: Vec<Value> = rest.by_ref().take(page_size).map(make).collect();
    let next = u32::try_from(items.len()).ok().and_then(|length| start.checked_add(length));
    let mut result = Object::new();
    result.insert(kind.member().into(), items.into());
    if let (Some(_), Some(next)) = (rest.next(), next) {
        let cursor = [content(kind, next).as_slice(), &mark[..OWNER]].concat();
        result.insert("nextCursor".into(), seal.close(Purpose::Cursor, &cursor).into());
    }
    Ok(result)
}

#[cfg(test)]
mod tests {
    use super::{ListKind, issue, open, page};
    use crate::message::Object;
    use crate::seal::Seal;
    use crate::server::{Config, Server};
    use serde_json::Value;

    #[test]
    fn a_cursor_belongs_to_one_list() {
        let seal = Seal::random();
        let cursor = issue(&seal, ListKind::Tools, 7);
        assert_eq!(open(&seal, ListKind::Tools, &cursor), Some(7));
        assert_eq!(open(&seal, ListKind::Prompts, &cursor), None);
        assert_eq!(open(&Seal::random(), ListKind::Tools, &cursor), None);
    }

    #[test]
    fn pages_cover_the_list_once() {
        let server = Server::new(Config { page_size: Some(5), ..Config::default() });
        let all: Vec<Value> = (0..12).map(Value::from).collect();
        let mut seen = Vec::new();
        let mut params = Object::new();
        loop {
            let mut result = page(&server, ListKind::Tools, &params, all.iter()).unwrap();
            let Some(Value::Array(items)) = result.remove("tools") else { panic!() };
            seen.extend(items);
            let Some(next) = result.remove("nextCursor") else {
                break;
            };
            params.insert("cursor".into(), next);
        }
        assert_eq!(seen, all);
    }
}
