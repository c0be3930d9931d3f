//! Which known names are near to one that is not known.

/// Texts longer than this are not compared.
const MAX_LENGTH: usize = 128;

/// The names nearest to `text`, at most `count`, best first; none that differs in more than a third of its letters.
pub(super) fn nearest<'a>(text: &str, names: impl Iterator<Item = &'a str>, count: usize) -> Vec<&'a str> {
    if text.len() > MAX_LENGTH {
        return Vec::new();
    }
    let limit = (text.chars().count() / 3).max(1);
    let mut found: Vec<(usize, &str)> = names
        .filter_map(|name| {
            let distance = if name.split('.').any(|part| part == text) { 1 } else { distance(text, name) };
            (distance <= limit).then_some((distance, name))
        })
        .collect();
    found.sort_unstable();
    found.dedup();
    found.into_iter().take(count).map(|(_, name)| name).collect()
}

/// The Levenshtein distance: how many letters are to be put in, taken out or replaced.
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, y) in b.iter().enumerate() {
            let replaced = diagonal + usize::from(x != *y);
            diagonal = row[j + 1];
            row[j + 1] = replaced.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distances() {
        for (a, b, expected) in [("", "", 0), ("", "abc", 3), ("kitten", "sitting", 3), ("ab", "ba", 2)] {
            assert_eq!(distance(a, b), expected, "{a} {b}");
            assert_eq!(distance(b, a), expected, "{b} {a}");
        }
    }

    #[test]
    fn the_nearest_comes_first() {
        let names = ["ping.answered", "ping.periodic", "tools.list.answered"];
        assert_eq!(nearest("ping.answred", names.into_iter(), 3), ["ping.answered"]);
        assert!(nearest("zzz", names.into_iter(), 3).is_empty());
        assert!(nearest(&"p".repeat(1000), names.into_iter(), 3).is_empty());
    }
}
