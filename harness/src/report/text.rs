//! Text that a server may have chosen: made visible, bounded, cut to a window around the part that matters.

use std::ops::Range;
use unicode_width::UnicodeWidthChar;

/// Marks that join the character before them are shown as they are up to this number in a row.
const JOINED: u8 = 2;

/// Shows characters so that none of them acts on the reader's terminal or deceives the eye.
#[derive(Debug, Default)]
struct Shown {
    text: String,
    cols: usize,
    joined: u8,
}

impl Shown {
    fn push(&mut self, c: char) {
        let width = c.width();
        match (c, width) {
            ('\n', _) => self.escape("\\n"),
            ('\r', _) => self.escape("\\r"),
            ('\t', _) => self.escape("\\t"),
            (_, None) => self.escape(&format!("\\x{:02x}", u32::from(c))),
            _ if deceives(c) => self.escape(&format!("\\u{{{:x}}}", u32::from(c))),
            (_, Some(0)) if self.joined == JOINED || self.text.is_empty() => {
                self.escape(&format!("\\u{{{:x}}}", u32::from(c)));
            }
            (_, Some(0)) => {
                self.joined += 1;
                self.text.push(c);
            }
            (_, Some(width)) => {
                self.joined = 0;
                self.cols += width;
                self.text.push(c);
            }
        }
    }

    fn escape(&mut self, escaped: &str) {
        self.joined = 0;
        self.cols += escaped.len();
        self.text.push_str(escaped);
    }
}

/// Characters that show nothing or change how others are shown.
fn deceives(c: char) -> bool {
    matches!(c,
        '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}' | '\u{180b}'..='\u{180f}'
        | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{2800}' | '\u{3164}'
        | '\u{fe00}'..='\u{fe0f}' | '\u{feff}' | '\u{ffa0}' | '\u{fff0}'..='\u{fffb}' | '\u{1bca0}'..='\u{1bca3}'
        | '\u{1d173}'..='\u{1d17a}' | '\u{e0000}'..='\u{e0fff}')
}

/// The text in at most `cols` columns of one line; `…` stands for what was cut at the end.
pub fn visible(text: &str, cols: usize) -> String {
    let (shown, _) = take(text.chars(), cols);
    shown.text
}

/// Takes characters while they fit, leaving room for `…` when they do not; says how many columns they take.
fn take(chars: impl Iterator<Item = char>, cols: usize) -> (Shown, bool) {
    let mut shown = Shown::default();
    // Where to cut if it turns out that not all fits: the last place with a column left for `…`.
    let mut cut = (0, 0);
    // Marks take no columns, so the number of characters is bounded too.
    for (n, c) in chars.enumerate() {
        shown.push(c);
        if shown.cols > cols || n > cols.saturating_mul(1 + usize::from(JOINED)) {
            shown.text.truncate(cut.0);
            shown.cols = cut.1;
            if cols > 0 {
                shown.text.push('…');
                shown.cols += 1;
            }
            return (shown, false);
        }
        if shown.cols < cols {
            cut = (shown.text.len(), shown.cols);
        }
    }
    (shown, true)
}

/// A window on a text around its marked part.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Excerpt {
    /// What comes before the mark.
    pub(super) before: String,
    /// The marked part.
    pub(super) mark: String,
    /// What comes after it.
    pub(super) after: String,
    /// Columns of `before`.
    pub(super) before_cols: usize,
    /// Columns of `mark`.
    pub(super) mark_cols: usize,
}

/// Cuts a text to `cols` columns so that its marked bytes are in sight. Any mark is taken: one that is out of bounds
/// or splits characters is put right.
pub(super) fn excerpt(text: &str, mark: Option<[usize; 2]>, cols: usize) -> Excerpt {
    let Some(range) = mark.map(|mark| put_right(text, mark)) else {
        let (shown, _) = take(text.chars(), cols);
        return Excerpt { before_cols: shown.cols, before: shown.text, ..Excerpt::default() };
    };
    let (mark, _) = take(text[range.clone()].chars(), cols * 3 / 4);
    let rest = cols.saturating_sub(mark.cols);
    let (after, after_whole) = take(text[range.end..].chars(), rest);
    // Before the mark gets two fifths, or what the other side leaves over.
    let before_room = if after_whole { rest - after.cols } else { rest * 2 / 5 };
    let before = take_end(&text[..range.start], before_room);
    let after = take(text[range.end..].chars(), rest - before.cols).0;
    Excerpt {
        before_cols: before.cols,
        before: before.text,
        mark_cols: mark.cols,
        mark: mark.text,
        after: after.text,
    }
}

fn put_right(text: &str, [start, end]: [usize; 2]) -> Range<usize> {
    let start = text.floor_char_boundary(start.min(text.len()));
    let end = text.ceil_char_boundary(end.clamp(start, text.len()));
    start..end
}

/// The end of a text in at most `cols` columns; `…` stands for what was cut before it.
fn take_end(text: &str, cols: usize) -> Shown {
    let bound = cols.saturating_mul(1 + usize::from(JOINED)) + 1;
    let mut start = text.len();
    for (n, (index, _)) in text.char_indices().rev().enumerate() {
        if n > bound {
            break;
        }
        start = index;
    }
    let mut shown = Shown::default();
    // Where the text may begin: before any character that does not join the one before it.
    let mut places = Vec::new();
    for c in text[start..].chars() {
        if c.width() != Some(0) || deceives(c) {
            places.push((shown.text.len(), shown.cols));
        }
        shown.push(c);
    }
    places.push((shown.text.len(), shown.cols));
    if start == 0 && shown.cols <= cols {
        return shown;
    }
    let room = cols.saturating_sub(1);
    let at = places.into_iter().find(|(_, before)| shown.cols - before <= room);
    let Some((byte, before)) = at.filter(|_| cols > 0) else {
        return Shown::default();
    };
    Shown { text: format!("…{}", &shown.text[byte..]), cols: shown.cols - before + 1, joined: 0 }
}

/// Breaks a visible text into lines of at most `cols` columns, at spaces where possible.
pub fn wrap(text: &str, cols: usize) -> Vec<String> {
    let cols = cols.max(8);
    let mut lines = Vec::new();
    let mut line = String::new();
    let mut used = 0;
    for word in text.split(' ').filter(|word| !word.is_empty()) {
        let width = columns(word);
        if used > 0 && used + 1 + width > cols {
            lines.push(std::mem::take(&mut line));
            used = 0;
        }
        if used > 0 {
            line.push(' ');
            used += 1;
        }
        for c in word.chars() {
            let width = c.width().unwrap_or(0);
            if used + width > cols {
                lines.push(std::mem::take(&mut line));
                used = 0;
            }
            line.push(c);
            used += width;
        }
    }
    if !line.is_empty() || lines.is_empty() {
        lines.push(line);
    }
    lines
}

/// The columns of a visible text.
pub(super) fn columns(text: &str) -> usize {
    text.chars().map(|c| c.width().unwrap_or(0)).sum()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn nothing_acts_on_the_terminal() {
        assert_eq!(
            visible("a\u{1b}[31mb\r\n\t\u{7f}\u{9b}c\u{202e}d", 80),
            "a\\x1b[31mb\\r\\n\\t\\x7f\\x9bc\\u{202e}d"
        );
        assert_eq!(visible("e\u{301}\u{301}\u{301}", 80), "e\u{301}\u{301}\\u{301}");
    }

    #[test]
    fn long_text_is_cut() {
        assert_eq!(visible("abcdef", 6), "abcdef");
        assert_eq!(visible("abcdefg", 6), "abcde…");
        assert_eq!(visible("日本語日本語", 6), "日本…");
        assert_eq!(visible("abc", 0), "");
    }

    #[test]
    fn the_mark_stays_in_sight() {
        let text = format!("{}BAD{}", "x".repeat(500), "y".repeat(500));
        let cut = excerpt(&text, Some([500, 503]), 40);
        assert_eq!(cut.mark, "BAD");
        assert!(cut.before.starts_with("…x") && cut.after.ends_with("y…"));
        assert_eq!(cut.before_cols + cut.mark_cols + columns(&cut.after), 40);
        let cut = excerpt("short BAD", Some([6, 9]), 40);
        assert_eq!((cut.before.as_str(), cut.mark.as_str(), cut.after.as_str()), ("short ", "BAD", ""));
    }

    proptest! {
        #[test]
        fn any_text_with_any_mark_fits(text in "\\PC{0,60}|[\\x00-\\x{ff}]{0,60}|.{0,200}", start in 0usize..300, end in 0usize..300, cols in 0usize..90) {
            let cut = excerpt(&text, Some([start, end]), cols);
            let whole = format!("{}{}{}", cut.before, cut.mark, cut.after);
            prop_assert!(columns(&whole) <= cols);
            prop_assert_eq!(columns(&cut.before), cut.before_cols);
            prop_assert_eq!(columns(&cut.mark), cut.mark_cols);
            prop_assert!(whole.chars().all(|c| !c.is_control() && !deceives(c)));
            let plain = visible(&text, cols);
            prop_assert!(columns(&plain) <= cols);
            for line in wrap(&plain, cols) {
                prop_assert!(columns(&line) <= cols.max(8));
            }
        }
    }
}
