//! The notation of `schema/*.types`: types, members and alternatives, each with the revisions in which it exists.
//!
//! A declaration starts at the margin, its body is indented, `#` starts a comment line:
//!
//! ```text
//! type NAME [WINDOW] [named WINDOW | inline] [= EXPRESSION]      an object with members, or another name
//!     extends NAME [WINDOW]                                      take over the members of another object
//!     MEMBER[?] EXPRESSION [WINDOW]                              `?`: optional
//!     | EXPRESSION [WINDOW]                                      one alternative of a union
//! request NAME METHOD [WINDOW]                                   a request: `from`, `params`, `result`, `or`
//! notification NAME METHOD [WINDOW]                              a notification: `from`, `params`
//! ```
//!
//! A window is `since R`, `until R` (both inclusive), `since R until R` or `in R`, several joined by commas; without
//! one, the thing exists in every revision. `named` says in which revisions the specification gives the type a
//! definition of its own; in the others its content stands wherever the name is used. An expression is a word
//! (`string`, `integer`, `number`, `boolean`, `null`, `any`, `object`), a constant (`"text"`, `-32600`), the name of a
//! type, `{name: T, other?: T, *: T}`, `T[]`, `T[..100]`, `T | T`, `T & T` or `(T)`. Words take a range or a format:
//! `number(0..1)`, `integer(0..)`, `string(uri)`. `requests(client)`, `notifications(server)` and `results(client)`
//! stand for the union of what that side sends.

use std::collections::BTreeMap;

use super::messages::Party;
use crate::protocol::Revision;

/// Where a file of the notation is wrong.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{file}:{line}: {message}")]
pub(super) struct NotationError {
    pub(super) file: &'static str,
    pub(super) line: usize,
    pub(super) message: String,
}

/// A set of revisions, one bit for each.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Window(u8);

impl Window {
    pub(super) const ALWAYS: Self = Self(0b1_1111);
    const NEVER: Self = Self(0);

    fn bit(revision: Revision) -> u8 {
        1 << Revision::ALL.iter().position(|known| *known == revision).unwrap_or(7)
    }

    pub(super) fn contains(self, revision: Revision) -> bool {
        self.0 & Self::bit(revision) != 0
    }

    pub(super) fn overlaps(self, other: Self) -> bool {
        self.0 & other.0 != 0
    }

    fn range(first: Option<Revision>, last: Option<Revision>) -> Self {
        let inside = |revision: &&Revision| {
            first.is_none_or(|r| **revision >= r) && last.is_none_or(|r| **revision <= r)
        };
        Self(Revision::ALL.iter().filter(inside).fold(0, |bits, revision| bits | Self::bit(*revision)))
    }
}

/// A type as written, before a revision is chosen.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Expr {
    Any,
    Null,
    Boolean,
    String { format: Option<String> },
    Integer { least: Option<i64> },
    Number { least: Option<i64>, most: Option<i64> },
    Text(String),
    Code(i64),
    Array { items: Box<Expr>, most: Option<u64> },
    Object { members: Vec<Member>, rest: Option<Box<Expr>> },
    Name(String),
    Requests(Party),
    Notifications(Party),
    Results(Party),
    Union(Vec<Expr>),
    All(Vec<Expr>),
}

/// A member of an object.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Member {
    pub(super) name: String,
    pub(super) required: bool,
    pub(super) expr: Expr,
    pub(super) window: Window,
}

/// What a declaration stands for.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Body {
    Object { extends: Vec<(String, Window)>, members: Vec<Member> },
    Union(Vec<(Expr, Window)>),
}

/// What makes a declaration a request or a notification.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Message {
    pub(super) method: String,
    pub(super) request: bool,
    pub(super) from: Vec<(Party, Window)>,
    /// The usual result type, then those that the result itself announces.
    pub(super) result: Vec<(String, Window)>,
    pub(super) or: Vec<(String, Window)>,
}

impl Message {
    pub(super) fn sent_by(&self, party: Party, revision: Revision) -> bool {
        self.from.iter().any(|(from, window)| *from == party && window.contains(revision))
    }
}

/// One declaration.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Declaration {
    pub(super) name: String,
    pub(super) exists: Window,
    pub(super) named: Window,
    pub(super) body: Body,
    pub(super) message: Option<Message>,
}

/// All declarations of all files.
#[derive(Debug, Clone, PartialEq, Default)]
pub(super) struct Model {
    pub(super) declarations: BTreeMap<String, Declaration>,
}

impl Model {
    /// Reads one file into the model.
    pub(super) fn read(&mut self, file: &'static str, text: &str) -> Result<(), NotationError> {
        let mut current: Option<Declaration> = None;
        for (index, line) in text.lines().enumerate() {
            let fail = |message: String| NotationError { file, line: index + 1, message };
            let trimmed = line.trim();
            if trimmed.is_empty() || trimmed.starts_with('#') {
                continue;
            }
            let mut cursor = Cursor { rest: trimmed };
            if line.starts_with(' ') {
                let declaration =
                    current.as_mut().ok_or_else(|| fail("a body without declaration".into()))?;
                body_line(&mut cursor, declaration).map_err(fail)?;
            } else {
                self.finish(current.take()).map_err(fail)?;
                current = Some(head_line(&mut cursor).map_err(fail)?);
            }
            if !cursor.skip().is_empty() {
                return Err(fail(format!("cannot read `{}`", cursor.rest)));
            }
        }
        let line = text.lines().count();
        self.finish(current).map_err(|message| NotationError { file, line, message })
    }

    fn finish(&mut self, declaration: Option<Declaration>) -> Result<(), String> {
        let Some(declaration) = declaration else { return Ok(()) };
        if declaration.message.as_ref().is_some_and(|m| m.request && m.result.is_empty()) {
            return Err(format!("{} has no result", declaration.name));
        }
        if let Body::Object { members, .. } = &declaration.body {
            for (index, member) in members.iter().enumerate() {
                let twice =
                    |other: &Member| other.name == member.name && other.window.overlaps(member.window);
                if members[..index].iter().any(twice) {
                    return Err(format!("{}.{} stands twice in one revision", declaration.name, member.name));
                }
            }
        }
        match self.declarations.insert(declaration.name.clone(), declaration) {
            Some(old) => Err(format!("{} is declared twice", old.name)),
            None => Ok(()),
        }
    }
}

fn head_line(cursor: &mut Cursor<'_>) -> Result<Declaration, String> {
    let keyword = cursor.token()?;
    let name = cursor.token()?.to_owned();
    let mut method = None;
    match keyword {
        "type" => {}
        "request" | "notification" => method = Some(cursor.token()?.to_owned()),
        other => return Err(format!("unknown declaration `{other}`")),
    }
    let exists = cursor.window()?;
    let named = match cursor.word() {
        "named" => {
            cursor.token()?;
            cursor.window()?
        }
        "inline" => {
            cursor.token()?;
            Window::NEVER
        }
        _ => exists,
    };
    let mut body = Body::Object { extends: Vec::new(), members: Vec::new() };
    if cursor.eat("=") {
        let alternatives =
            if cursor.skip().is_empty() { Vec::new() } else { vec![(cursor.union()?, Window::ALWAYS)] };
        body = Body::Union(alternatives);
    }
    let message = method.map(|method| Message {
        method,
        request: keyword == "request",
        from: Vec::new(),
        result: Vec::new(),
        or: Vec::new(),
    });
    Ok(Declaration { name, exists, named, body, message })
}

fn body_line(cursor: &mut Cursor<'_>, declaration: &mut Declaration) -> Result<(), String> {
    let (extends, members) = match &mut declaration.body {
        Body::Union(alternatives) => {
            if !cursor.eat("|") {
                return Err("expected `|`".into());
            }
            alternatives.push((cursor.union()?, cursor.window()?));
            return Ok(());
        }
        Body::Object { extends, members } => (extends, members),
    };
    let word = cursor.token()?;
    if let Some(message) = &mut declaration.message {
        match word {
            "from" => {
                message.from.push((party(cursor.token()?)?, cursor.window()?));
                return Ok(());
            }
            "result" if message.request => {
                message.result.push((cursor.token()?.to_owned(), cursor.window()?));
                return Ok(());
            }
            "or" if message.request => {
                message.or.push((cursor.token()?.to_owned(), cursor.window()?));
                return Ok(());
            }
            "params" | "params?" => {}
            other => return Err(format!("unknown line `{other}`")),
        }
    } else if word == "extends" {
        extends.push((cursor.token()?.to_owned(), cursor.window()?));
        return Ok(());
    }
    let (name, required) = optional(word);
    members.push(Member { name: name.to_owned(), required, expr: cursor.union()?, window: cursor.window()? });
    Ok(())
}

fn optional(name: &str) -> (&str, bool) {
    name.strip_suffix('?').map_or((name, true), |name| (name, false))
}

fn party(word: &str) -> Result<Party, String> {
    match word {
        "client" => Ok(Party::Client),
        "server" => Ok(Party::Server),
        other => Err(format!("unknown side `{other}`")),
    }
}

/// The unread rest of a line.
struct Cursor<'a> {
    rest: &'a str,
}

impl<'a> Cursor<'a> {
    fn skip(&mut self) -> &'a str {
        self.rest = self.rest.trim_start();
        self.rest
    }

    fn eat(&mut self, symbol: &str) -> bool {
        match self.skip().strip_prefix(symbol) {
            Some(rest) => {
                self.rest = rest;
                true
            }
            None => false,
        }
    }

    fn expect(&mut self, symbol: &str) -> Result<(), String> {
        if self.eat(symbol) { Ok(()) } else { Err(format!("expected `{symbol}` before `{}`", self.rest)) }
    }

    fn take(&mut self, inside: impl Fn(char) -> bool) -> &'a str {
        let text = self.skip();
        let (taken, rest) = text.split_at(text.find(|c| !inside(c)).unwrap_or(text.len()));
        self.rest = rest;
        taken
    }

    /// The next run of characters up to white space.
    fn token(&mut self) -> Result<&'a str, String> {
        let token = self.take(|c| !c.is_whitespace());
        if token.is_empty() { Err("the line ends too early".into()) } else { Ok(token) }
    }

    /// The next word, left where it is.
    fn word(&mut self) -> &'a str {
        let text = self.skip();
        &text[..text.find(|c: char| !c.is_alphanumeric()).unwrap_or(text.len())]
    }

    fn window(&mut self) -> Result<Window, String> {
        let mut window = Window::NEVER;
        let mut found = false;
        loop {
            let (mut first, mut last) = (None, None);
            match self.word() {
                "since" => {
                    self.token()?;
                    first = Some(self.revision()?);
                    if self.word() == "until" {
                        self.token()?;
                        last = Some(self.revision()?);
                    }
                }
                "until" => {
                    self.token()?;
                    last = Some(self.revision()?);
                }
                "in" => {
                    self.token()?;
                    first = Some(self.revision()?);
                    last = first;
                }
                _ if found => return Err("expected a window after the comma".into()),
                _ => return Ok(Window::ALWAYS),
            }
            window.0 |= Window::range(first, last).0;
            found = true;
            if !self.eat(",") {
                return Ok(window);
            }
        }
    }

    fn revision(&mut self) -> Result<Revision, String> {
        let text = self.take(|c| c.is_ascii_digit() || c == '-');
        let known = Revision::ALL.into_iter().find(|revision| revision.as_str() == text);
        known.ok_or_else(|| format!("unknown revision `{text}`"))
    }

    fn union(&mut self) -> Result<Expr, String> {
        let mut alternatives = vec![self.all()?];
        while self.eat("|") {
            alternatives.push(self.all()?);
        }
        Ok(if alternatives.len() == 1 { alternatives.remove(0) } else { Expr::Union(alternatives) })
    }

    fn all(&mut self) -> Result<Expr, String> {
        let mut parts = vec![self.array()?];
        while self.eat("&") {
            parts.push(self.array()?);
        }
        Ok(if parts.len() == 1 { parts.remove(0) } else { Expr::All(parts) })
    }

    fn array(&mut self) -> Result<Expr, String> {
        let mut expr = self.primary()?;
        while self.eat("[") {
            let mut most = None;
            if self.eat("..") {
                let digits = self.take(|c| c.is_ascii_digit());
                most = Some(digits.parse().map_err(|_| format!("expected a length before `{}`", self.rest))?);
            }
            self.expect("]")?;
            expr = Expr::Array { items: Box::new(expr), most };
        }
        Ok(expr)
    }

    fn primary(&mut self) -> Result<Expr, String> {
        let text = self.skip();
        match text.chars().next() {
            Some('(') => {
                self.expect("(")?;
                let expr = self.union()?;
                self.expect(")")?;
                Ok(expr)
            }
            Some('{') => self.object(),
            Some('"') => {
                self.expect("\"")?;
                let end = self.rest.find('"').ok_or("a text without end")?;
                let text = self.rest[..end].to_owned();
                self.rest = &self.rest[end + 1..];
                Ok(Expr::Text(text))
            }
            Some(c) if c == '-' || c.is_ascii_digit() => {
                let digits = self.take(|c| c == '-' || c.is_ascii_digit());
                digits.parse().map(Expr::Code).map_err(|_| format!("not a number: `{digits}`"))
            }
            _ => self.named(),
        }
    }

    fn named(&mut self) -> Result<Expr, String> {
        let word = self.word();
        self.rest = &self.rest[word.len()..];
        Ok(match word {
            "any" => Expr::Any,
            "null" => Expr::Null,
            "boolean" => Expr::Boolean,
            "object" => Expr::Object { members: Vec::new(), rest: None },
            "string" => Expr::String { format: self.argument()?.map(str::to_owned) },
            "integer" => Expr::Integer { least: self.bounds()?.0 },
            "number" => {
                let (least, most) = self.bounds()?;
                Expr::Number { least, most }
            }
            "requests" | "notifications" | "results" => {
                let side = party(self.argument()?.ok_or("expected a side")?)?;
                match word {
                    "requests" => Expr::Requests(side),
                    "notifications" => Expr::Notifications(side),
                    _ => Expr::Results(side),
                }
            }
            name if name.starts_with(|c: char| c.is_ascii_uppercase()) => Expr::Name(name.to_owned()),
            _ => return Err(format!("expected a type before `{}{}`", word, self.rest)),
        })
    }

    /// What stands in parentheses right behind a word.
    fn argument(&mut self) -> Result<Option<&'a str>, String> {
        let Some(rest) = self.rest.strip_prefix('(') else { return Ok(None) };
        let end = rest.find(')').ok_or("expected `)`")?;
        self.rest = &rest[end + 1..];
        Ok(Some(&rest[..end]))
    }

    fn bounds(&mut self) -> Result<(Option<i64>, Option<i64>), String> {
        let Some(text) = self.argument()? else { return Ok((None, None)) };
        let (least, most) = text.split_once("..").ok_or("expected `..`")?;
        let bound = |text: &str| match text {
            "" => Ok(None),
            digits => digits.parse().map(Some).map_err(|_| format!("not a bound: `{digits}`")),
        };
        Ok((bound(least)?, bound(most)?))
    }

    fn object(&mut self) -> Result<Expr, String> {
        self.expect("{")?;
        let (mut members, mut rest) = (Vec::new(), None);
        while !self.eat("}") {
            let key = self.take(|c| !c.is_whitespace() && c != ':');
            self.expect(":")?;
            let expr = self.union()?;
            if key == "*" {
                rest = Some(Box::new(expr));
            } else {
                let (name, required) = optional(key);
                members.push(Member { name: name.to_owned(), required, expr, window: Window::ALWAYS });
            }
            if !self.eat(",") {
                self.expect("}")?;
                break;
            }
        }
        Ok(Expr::Object { members, rest })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Model, NotationError> {
        let mut model = Model::default();
        model.read("test", text).map(|()| model)
    }

    #[test]
    fn windows_are_inclusive_and_add_up() {
        let model = read("type A\n    a any until 2025-03-26, since 2026-07-28\n    b? any since 2025-03-26 until 2025-06-18\n    c any in 2025-11-25\n").unwrap();
        let Body::Object { members, .. } = &model.declarations["A"].body else { panic!() };
        let windows: Vec<_> = members.iter().map(|m| m.window.0).collect();
        assert_eq!(windows, [0b1_0011, 0b0_0110, 0b0_1000]);
        assert_eq!(members.iter().map(|m| m.required).collect::<Vec<_>>(), [true, false, true]);
    }

    #[test]
    fn expressions_bind_as_written() {
        let model =
            read("type A = (B | \"x\")[..3] | {a: number(0..1), $b?: string(uri), *: C & D}\n").unwrap();
        let Body::Union(alternatives) = &model.declarations["A"].body else { panic!() };
        let Expr::Union(parts) = &alternatives[0].0 else { panic!() };
        assert!(
            matches!(&parts[0], Expr::Array { most: Some(3), items } if matches!(**items, Expr::Union(_)))
        );
        let Expr::Object { members, rest: Some(rest) } = &parts[1] else { panic!() };
        assert_eq!(members[0].expr, Expr::Number { least: Some(0), most: Some(1) });
        assert_eq!((members[1].name.as_str(), members[1].required), ("$b", false));
        assert!(matches!(**rest, Expr::All(_)));
    }

    #[test]
    fn mistakes_name_the_line() {
        for (text, line) in [
            ("    a any\n", 1),
            ("type A\n    a\n", 2),
            ("type A\n    a any since 2025-01-01\n", 2),
            ("type A\n    a any\n    a any since 2026-07-28\n\ntype B = any\n", 5),
            ("type A = any\ntype A = any\n", 2),
            ("type A\n    a wrong\n", 2),
            ("request R x/y\n    params any\n", 2),
            ("type A = any any\n", 1),
        ] {
            assert_eq!(read(text).unwrap_err().line, line, "{text}");
        }
    }
}
