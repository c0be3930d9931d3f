//! Values that the server hands out and gets back, so that nobody without its secret can have made them: cursors,
//! request states.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

/// What a sealed value is for; a value of one kind does not open as another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Purpose {
    Cursor = 1,
    RequestState = 2,
}

/// A secret that authenticates what is sealed with it.
pub(crate) struct Seal([u8; 32]);

fn random<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes)
        .expect("the operating system has random bytes, std's hash maps need them too");
    bytes
}

/// 128 random bits as hexadecimal digits.
pub(crate) fn random_id() -> String {
    format!("{:032x}", u128::from_be_bytes(random()))
}

/// Bytes of the authentication code.
const CODE_LENGTH: usize = 16;

impl Seal {
    pub(crate) const fn new(secret: [u8; 32]) -> Self {
        Self(secret)
    }

    pub(crate) fn random() -> Self {
        Self(random())
    }

    fn code(&self, purpose: Purpose, content: &[u8]) -> Hmac<Sha256> {
        Hmac::<Sha256>::new_from_slice(&self.0)
            .expect("HMAC takes a key of any length")
            .chain_update([purpose as u8])
            .chain_update(content)
    }

    /// The content and its authentication code, as text.
    pub(crate) fn close(&self, purpose: Purpose, content: &[u8]) -> String {
        let mut sealed = content.to_vec();
        sealed.extend(&self.code(purpose, content).finalize().into_bytes()[..CODE_LENGTH]);
        URL_SAFE_NO_PAD.encode(sealed)
    }

    /// The content of what [`Seal::close`] made for this purpose; none for anything else.
    pub(crate) fn open(&self, purpose: Purpose, sealed: &str) -> Option<Vec<u8>> {
        let mut bytes = URL_SAFE_NO_PAD.decode(sealed).ok()?;
        let code = bytes.split_off(bytes.len().checked_sub(CODE_LENGTH)?);
        self.code(purpose, &bytes).verify_truncated_left(&code).ok()?;
        Some(bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::{Purpose, Seal};

    #[test]
    fn only_what_was_sealed_here_for_this_purpose_opens() {
        let seal = Seal::random();
        let sealed = seal.close(Purpose::Cursor, b"content");
        assert_eq!(seal.open(Purpose::Cursor, &sealed).as_deref(), Some(&b"content"[..]));
        assert_eq!(seal.open(Purpose::RequestState, &sealed), None);
        assert_eq!(Seal::random().open(Purpose::Cursor, &sealed), None);
        for position in 0..sealed.len() {
            let mut forged = sealed.clone().into_bytes();
            forged[position] = if forged[position] == b'A' { b'B' } else { b'A' };
            let forged = String::from_utf8(forged).unwrap();
            assert_eq!(seal.open(Purpose::Cursor, &forged), None, "{forged}");
        }
        for shorter in 0..sealed.len() {
            assert_eq!(seal.open(Purpose::Cursor, &sealed[..shorter]), None);
        }
    }
}
