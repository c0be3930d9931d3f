//! Texts that say less.

use super::fewer::fewer;
use serde_json::Value;

/// What stands for a character that could be any.
const ANY: char = 'a';
/// Above this many characters a text is cut in runs, so that a megabyte is not asked about letter by letter.
const PARTS: usize = 512;

/// The simplest text that still fails: without the characters that are not needed, with an `a` for each that could be
/// another, and with zeros for digits that have to be some.
pub(super) async fn simpler(text: &str, mut fails: impl AsyncFnMut(&Value) -> bool) -> String {
    let mut characters: Vec<char> = text.chars().collect();
    loop {
        let before = characters.len();
        let run = before.div_ceil(PARTS).max(1);
        let pieces: Vec<&[char]> = characters.chunks(run).collect();
        let kept = fewer(pieces.len(), async |kept: &[usize]| {
            let text: String = kept.iter().flat_map(|at| pieces[*at]).collect();
            fails(&Value::from(text)).await
        })
        .await;
        let rest: Vec<char> = kept.iter().flat_map(|at| pieces[*at]).copied().collect();
        characters = rest;
        if run == 1 || characters.len() == before {
            break;
        }
    }
    // All at once, else one by one.
    let plain: String = std::iter::repeat_n(ANY, characters.len()).collect();
    let now: String = characters.iter().collect();
    if plain == now || fails(&Value::from(plain.as_str())).await {
        return plain;
    }
    if characters.len() <= PARTS {
        for at in 0..characters.len() {
            let other = std::mem::replace(&mut characters[at], ANY);
            if other != ANY && !fails(&Value::from(characters.iter().collect::<String>())).await {
                characters[at] = other;
                lower(&mut characters, at, &mut fails).await;
            }
        }
        zeros(&mut characters, &mut fails).await;
    }
    characters.into_iter().collect()
}

/// Puts a character nearer to ASCII in the place of one that is far from it: where all beyond some character fail, that one.
async fn lower(characters: &mut [char], at: usize, fails: &mut impl AsyncFnMut(&Value) -> bool) {
    let (mut good, mut bad) = (0x7F, u32::from(characters[at]));
    while bad.saturating_sub(good) > 1 {
        let middle = good + (bad - good) / 2;
        let before = characters[at];
        // What is no character fails no one.
        if let Some(other) = char::from_u32(middle) {
            characters[at] = other;
            if fails(&Value::from(characters.iter().collect::<String>())).await {
                bad = middle;
                continue;
            }
            characters[at] = before;
        }
        good = middle;
    }
}

/// Puts a `0` in the place of every digit that could be another, those next to each other first all at once.
async fn zeros(characters: &mut [char], fails: &mut impl AsyncFnMut(&Value) -> bool) {
    let mut start = 0;
    while start < characters.len() {
        let digits = characters[start..].iter().take_while(|one| one.is_ascii_digit()).count();
        let runs = [start..start + digits].into_iter().chain((start..start + digits).map(|at| at..at + 1));
        for run in runs {
            let before = characters[run.clone()].to_vec();
            if before.iter().all(|digit| *digit == '0') {
                continue;
            }
            characters[run.clone()].fill('0');
            if !fails(&Value::from(characters.iter().collect::<String>())).await {
                characters[run].copy_from_slice(&before);
            }
        }
        start += digits.max(1);
    }
}
