//! The generated pages of `docs/requirements/`: one for each area, and an index.

use super::article::{Article, Block, Place};
use super::coverage::{Coverage, coverage_groups};
use crate::protocol::catalogue::{Catalogue, REQUIREMENT_SET, Requirement};
use std::fmt::Write as _;

const GENERATED: &str = "<!-- Generated from harness/catalogue by .ci/docs; do not edit. -->";

/// The page of an area.
pub fn area_page(area: &str) -> String {
    let rows: Vec<&'static Requirement> = Catalogue::get().iter().filter(|row| row.area == area).collect();
    let mut text = format!("{GENERATED}\n\n# {area}\n\n");
    for row in &rows {
        let coverage = Coverage::of(row).as_str();
        let _ =
            writeln!(text, "* [`{}`](#{}): {} ({coverage})", row.id, anchor(&row.id), escaped(&row.title));
    }
    for row in rows {
        article(&mut text, &Article::of(row));
    }
    text
}

/// The index of the pages.
pub fn index_page() -> String {
    let rows: Vec<&Requirement> = Catalogue::get().iter().collect();
    let mut text = format!(
        "{GENERATED}\n\n# Requirements\n\nThe {} requirements of {REQUIREMENT_SET}, by area: what each says, why it \
         matters, how it is tested, and how a server that breaks it is mended. `mcprove explain ID` prints the same.\n\n\
         | area | requirements | decided | conditional | not observable | no check |\n|---|---:|---:|---:|---:|---:|\n",
        rows.len()
    );
    for group in coverage_groups(&rows).into_iter().filter(|group| group.by == "area") {
        let (name, counts) = (group.name, group.counts);
        let _ = writeln!(
            text,
            "| [{name}]({name}.md) | {} | {} | {} | {} | {} |",
            counts.requirements, counts.decided, counts.conditional, counts.not_observable, counts.no_check
        );
    }
    text
}

fn article(text: &mut String, article: &Article) {
    let _ = writeln!(text, "\n## {}\n\n{}", article.id, escaped(article.title));
    for section in &article.sections {
        let _ = writeln!(text, "\n**{}**\n", section.title);
        let places: Vec<&Place> = section
            .blocks
            .iter()
            .filter_map(|block| match block {
                Block::Place(place) => Some(place),
                _ => None,
            })
            .collect();
        if !places.is_empty() {
            table(text, &places);
        }
        let others = section.blocks.iter().filter(|block| !matches!(block, Block::Place(_)));
        for (n, block) in others.enumerate() {
            if n > 0 || !places.is_empty() {
                text.push('\n');
            }
            match block {
                Block::Text(prose) => {
                    let _ = writeln!(text, "{}", escaped(prose));
                }
                Block::Check { kind, name, text: prose } => {
                    let _ = writeln!(text, "* {kind} `{name}`: {}", escaped(prose));
                }
                Block::Wire { label, text: wire } => {
                    // A fence longer than any in the text.
                    let fence = "`".repeat(3.max(longest_run(wire) + 1));
                    let _ = writeln!(text, "{label}:\n\n{fence}text\n{wire}\n{fence}");
                }
                Block::Place(_) => {}
            }
        }
    }
}

fn table(text: &mut String, places: &[&Place]) {
    let _ = writeln!(text, "| revision | level | a violation is | place |\n|---|---|---|---|");
    for place in places {
        let inferred = if place.inferred { ", the level inferred from another revision" } else { "" };
        let reference = escaped(&place.reference).replace('|', "\\|");
        let place_text = match &place.url {
            Some(url) => format!("[{reference}]({url})"),
            None => reference,
        };
        let _ = writeln!(
            text,
            "| {} | {} | `{}`{inferred} | {place_text} |",
            place.revision, place.level, place.outcome
        );
    }
}

/// The anchor that a heading gets.
fn anchor(heading: &str) -> String {
    heading.chars().filter(|c| c.is_alphanumeric() || matches!(c, '-' | '_')).collect()
}

fn longest_run(text: &str) -> usize {
    text.split(|c| c != '`').map(str::len).max().unwrap_or(0)
}

/// Prose as Markdown shows it: outside of code, nothing is a tag or an emphasis.
fn escaped(prose: &str) -> String {
    let mut text = String::with_capacity(prose.len());
    let mut code = false;
    for c in prose.chars() {
        if c == '`' {
            code = !code;
        } else if !code && matches!(c, '<' | '*' | '_' | '[') {
            text.push('\\');
        }
        text.push(if c == '\n' { ' ' } else { c });
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prose_stays_prose() {
        assert_eq!(escaped("`a*b` and *c* <d> e_f"), "`a*b` and \\*c\\* \\<d> e\\_f");
        assert_eq!(anchor("base.error.same-id"), "baseerrorsame-id");
        assert_eq!(longest_run("a``b```c"), 3);
    }
}
