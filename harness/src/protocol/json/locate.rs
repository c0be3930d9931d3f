//! Where in a JSON text a value stands.

use super::error::Error;
use super::scan::{Container, Scalar, Visitor, scan};
use super::text::Raw;
use std::borrow::Cow;
use std::ops::Range;

/// Where in a JSON text the value at a JSON pointer (RFC 6901) stands, in bytes; of duplicate members the last one,
/// as in the value that [`parse`](super::parse) gives. `None` when there is no such value, when the pointer is
/// none, or when the text is no JSON text. Any depth is fine.
pub fn locate(text: &str, pointer: &str) -> Option<Range<usize>> {
    let mut locator = Locator { tokens: tokens(pointer)?, ..Locator::default() };
    scan(text, &mut locator).ok()?;
    locator.found
}

/// Where the elements of the array that the text is stand, in order; in one pass, however many there are. `None`
/// when the text is no JSON text or its value is no array.
pub fn elements(text: &str) -> Option<Vec<Range<usize>>> {
    let mut elements = Elements::default();
    scan(text, &mut elements).ok()?;
    elements.array.then_some(elements.found)
}

/// The reference tokens of a pointer.
fn tokens(pointer: &str) -> Option<Vec<Cow<'_, str>>> {
    if pointer.is_empty() {
        return Some(Vec::new());
    }
    pointer.strip_prefix('/')?.split('/').map(token).collect()
}

fn token(written: &str) -> Option<Cow<'_, str>> {
    let mut parts = written.split('~');
    let first = parts.next()?;
    if first.len() == written.len() {
        return Some(written.into());
    }
    let mut token = String::from(first);
    for part in parts {
        let (character, rest) = match part.as_bytes().first()? {
            b'0' => ('~', part.get(1..)?),
            b'1' => ('/', part.get(1..)?),
            _ => return None,
        };
        token.push(character);
        token.push_str(rest);
    }
    Some(token.into())
}

/// Whether a token names this element of an array: its digits without a leading zero.
fn names(token: &str, index: usize) -> bool {
    let canonical = token == "0" || !token.starts_with('0');
    canonical && token.bytes().all(|byte| byte.is_ascii_digit()) && token.parse() == Ok(index)
}

#[derive(Default)]
struct Locator<'p> {
    tokens: Vec<Cow<'p, str>>,
    /// How many containers are open.
    open: usize,
    /// Those of them that lie on the way, outermost first.
    way: Vec<Step>,
    /// Whether the member whose name was read last is the next step.
    named: bool,
    /// Where the value that the pointer names begins, while it is open.
    start: Option<usize>,
    found: Option<Range<usize>>,
}

enum Step {
    Array { next: usize },
    Object,
}

impl Locator<'_> {
    /// Takes note that a value begins; tells whether it lies on the way. Where a value on the way stands a second
    /// time (its member is a duplicate) what was found in the first one counts no more.
    fn enters(&mut self) -> bool {
        if self.open != self.way.len() {
            return false;
        }
        let on_the_way =
            match (self.way.last_mut(), self.open.checked_sub(1).and_then(|i| self.tokens.get(i))) {
                (None, _) => true,
                (Some(Step::Array { next }), Some(token)) => {
                    let index = *next;
                    *next += 1;
                    names(token, index)
                }
                (Some(Step::Object), _) => self.named,
                (Some(Step::Array { .. }), None) => false,
            };
        if on_the_way {
            self.found = None;
        }
        on_the_way
    }
}

impl Visitor for Locator<'_> {
    fn key(&mut self, key: Raw<'_>) {
        if self.open == self.way.len() {
            let token = self.open.checked_sub(1).and_then(|i| self.tokens.get(i));
            self.named = token.is_some_and(|token| *key.decode().0 == **token);
        }
    }

    fn scalar(&mut self, _: Scalar<'_>, start: usize, end: usize) {
        if self.enters() && self.open == self.tokens.len() {
            self.found = Some(start..end);
        }
    }

    fn begin(&mut self, container: Container, start: usize) -> Result<(), Error> {
        if self.enters() {
            if self.open == self.tokens.len() {
                self.start = Some(start);
            } else {
                self.way.push(match container {
                    Container::Array => Step::Array { next: 0 },
                    Container::Object => Step::Object,
                });
            }
        }
        self.open += 1;
        Ok(())
    }

    fn end(&mut self, end: usize) {
        self.open -= 1;
        self.way.truncate(self.open);
        if self.open == self.tokens.len()
            && let Some(start) = self.start.take()
        {
            self.found = Some(start..end);
        }
    }
}

#[derive(Default)]
struct Elements {
    open: usize,
    array: bool,
    start: usize,
    found: Vec<Range<usize>>,
}

impl Visitor for Elements {
    fn key(&mut self, _: Raw<'_>) {}

    fn scalar(&mut self, _: Scalar<'_>, start: usize, end: usize) {
        if self.array && self.open == 1 {
            self.found.push(start..end);
        }
    }

    fn begin(&mut self, container: Container, start: usize) -> Result<(), Error> {
        match self.open {
            0 => self.array = container == Container::Array,
            1 => self.start = start,
            _ => {}
        }
        self.open += 1;
        Ok(())
    }

    fn end(&mut self, end: usize) {
        self.open -= 1;
        if self.array && self.open == 1 {
            self.found.push(self.start..end);
        }
    }
}
