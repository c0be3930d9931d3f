//! `mcprove explain`: one requirement, and how it is tested.

use super::failure::Failure;
use super::inspect::width;
use super::out;
use crate::docs::{Article, Block, Place};
use crate::protocol::catalogue::{Catalogue, Selection};
use crate::report::{visible, wrap};
use anstyle::Style;
use std::fmt::Write;

const BOLD: Style = Style::new().bold();
const DIM: Style = Style::new().dimmed();

pub(super) fn explain(id: &str) -> Result<u8, Failure> {
    let Some(requirement) = Catalogue::get().requirement(id) else {
        return Err(match Selection::parse(&[id]) {
            Ok(several) => Failure::Usage(format!(
                "`{id}` names {} requirements; list them with: mcprove list requirements '{id}'",
                several.len()
            )),
            Err(error) => Failure::usage(error),
        });
    };
    out::print(&page(&Article::of(requirement)))?;
    Ok(0)
}

/// An article, as wide as the terminal.
fn page(article: &Article) -> String {
    let mut text = String::new();
    let _ = writeln!(text, "{BOLD}{}{BOLD:#}", article.id);
    prose(&mut text, 2, article.title);
    for section in &article.sections {
        let _ = writeln!(text, "\n{DIM}{}{DIM:#}", section.title);
        for block in &section.blocks {
            match block {
                Block::Text(words) => prose(&mut text, 2, words),
                Block::Place(of) => place(&mut text, of),
                Block::Check { kind, name, text: words } => {
                    let _ = writeln!(text, "\n  {kind} {BOLD}{name}{BOLD:#}");
                    prose(&mut text, 4, words);
                }
                Block::Wire { label, text: wire } => {
                    let mut label = *label;
                    for line in wire.lines().flat_map(|line| wrap(&visible(line, 4000), width() - 13)) {
                        let _ = writeln!(text, "  {DIM}{label:<10}{DIM:#} {line}");
                        label = "";
                    }
                }
            }
        }
    }
    text
}

fn prose(text: &mut String, indent: usize, words: &str) {
    for line in wrap(words, width() - indent) {
        let _ = writeln!(text, "{:indent$}{line}", "");
    }
}

fn place(text: &mut String, place: &Place) {
    let Place { revision, level, outcome, inferred, reference, url } = place;
    let inferred = if *inferred { ", level inferred from another revision" } else { "" };
    let _ = writeln!(text, "  {BOLD}{revision}{BOLD:#}  {level:<10}  a violation is a `{outcome}`{inferred}");
    prose(text, 14, reference);
    if let Some(url) = url {
        // Never broken over lines, so that it can be opened.
        let _ = writeln!(text, "{:14}{DIM}{url}{DIM:#}", "");
    }
}
