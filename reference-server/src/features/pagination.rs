//! Pagination: opaque cursors that only the holder of a secret can make, and the cutting of lists into pages.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::message::{Object, RpcError};
use crate::server::Server;

/// The list that a cursor belongs to; a cursor of one list is invalid for another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ListKind {
    Tools = 1,
    Resources = 2,
    Templates = 3,
    Prompts = 4,
    Skills = 5,
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
        }
    }

    /// Items on a page unless the configuration says otherwise. Tools and prompts come at once, for clients that do not
    /// follow cursors; resources and templates show how pages work.
    const fn page_size(self) -> usize {
        match self {
            Self::Tools | Self::Prompts | Self::Skills => 100,
            Self::Resources => 5,
            Self::Templates => 1,
        }
    }
}

/// The secret that makes cursors unforgeable.
pub(crate) struct CursorKey([u8; 32]);

/// Bytes of the authentication code in a cursor.
const CODE_LENGTH: usize = 16;

impl CursorKey {
    pub(crate) const fn new(secret: [u8; 32]) -> Self {
        Self(secret)
    }

    pub(crate) fn random() -> Self {
        let mut key = [0; 32];
        getrandom::fill(&mut key)
            .expect("the operating system has random bytes, std's hash maps need them too");
        Self(key)
    }

    /// HMAC-SHA256 over what the cursor says.
    fn code(&self, message: &[u8]) -> [u8; 32] {
        let pad = |byte: u8| {
            let mut block = [byte; 64];
            for (cell, key) in block.iter_mut().zip(self.0) {
                *cell ^= key;
            }
            block
        };
        let inner = Sha256::new().chain_update(pad(0x36)).chain_update(message).finalize();
        Sha256::new().chain_update(pad(0x5c)).chain_update(inner).finalize().into()
    }

    fn issue(&self, kind: ListKind, offset: u32) -> String {
        let mut cursor = vec![kind as u8];
        cursor.extend(offset.to_be_bytes());
        let code = self.code(&cursor);
        cursor.extend(&code[..CODE_LENGTH]);
        URL_SAFE_NO_PAD.encode(cursor)
    }

    fn open(&self, kind: ListKind, cursor: &str) -> Option<u32> {
        let bytes = URL_SAFE_NO_PAD.decode(cursor).ok()?;
        let (message, code) = bytes.split_at_checked(5)?;
        let expected = self.code(message);
        // Every byte is compared, so that the time taken says nothing about the place of the difference.
        let differences = code.iter().zip(&expected[..CODE_LENGTH]).fold(0, |sum, (a, b)| sum | (a ^ b));
        if code.len() != CODE_LENGTH || differences != 0 || message[0] != kind as u8 {
            return None;
        }
        Some(u32::from_be_bytes(message[1..].try_into().ok()?))
    }
}

/// The page of a list that `params.cursor` names, with `nextCursor` if more follows.
pub(crate) fn page<'a>(
    server: &Server,
    kind: ListKind,
    params: &Object,
    items: impl Iterator<Item = &'a Value>,
) -> Result<Object, RpcError> {
    let (key, member) = (server.cursor_key(), kind.member());
    let page_size = server.config().page_size.unwrap_or(kind.page_size());
    let start = match params.get("cursor") {
        None => Some(0),
        Some(Value::String(cursor)) => key.open(kind, cursor),
        Some(_) => None,
    };
    let start = start.ok_or_else(|| RpcError::invalid_params("Invalid params: unknown cursor"))? as usize;
    let mut rest = items.skip(start);
    let items: Vec<Value> = rest.by_ref().take(page_size).cloned().collect();
    let mut result = Object::new();
    if rest.next().is_some() {
        let next = u32::try_from(start + items.len())
            .map_err(|_| RpcError::invalid_params("Invalid params: the list is too long"))?;
        result.insert(member.into(), items.into());
        result.insert("nextCursor".into(), key.issue(kind, next).into());
    } else {
        result.insert(member.into(), items.into());
    }
    Ok(result)
}

#[cfg(test)]
mod tests {
    use super::{CursorKey, ListKind, page};
    use crate::message::Object;
    use crate::server::{Config, Server};
    use serde_json::Value;

    #[test]
    fn only_the_cursor_of_this_process_and_list_opens() {
        let key = CursorKey::random();
        let cursor = key.issue(ListKind::Tools, 7);
        assert_eq!(key.open(ListKind::Tools, &cursor), Some(7));
        assert_eq!(key.open(ListKind::Prompts, &cursor), None);
        assert_eq!(CursorKey::random().open(ListKind::Tools, &cursor), None);
        for position in 0..cursor.len() {
            let mut forged = cursor.clone().into_bytes();
            forged[position] = if forged[position] == b'A' { b'B' } else { b'A' };
            let forged = String::from_utf8(forged).unwrap();
            assert_eq!(key.open(ListKind::Tools, &forged), None, "{forged}");
        }
        assert_eq!(key.open(ListKind::Tools, &cursor[..cursor.len() - 1]), None);
        assert_eq!(key.open(ListKind::Tools, ""), None);
    }

    #[test]
    fn the_code_is_hmac_sha256() {
        // RFC 4231, test case 2, with its key padded by zeros as HMAC does.
        let mut key = [0; 32];
        key[..4].copy_from_slice(b"Jefe");
        let code = CursorKey(key).code(b"what do ya want for nothing?");
        assert_eq!(code[..4], [0x5b, 0xdc, 0xc1, 0x46]);
        assert_eq!(code[28..], [0x64, 0xec, 0x38, 0x43]);
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
