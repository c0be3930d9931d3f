//! Texts that say less.

use super::fewer::fewer;
use serde_json::Value;

/// What stands for a character that could be any.
const ANY: char = 'a';
/// Above this many characters a text is cut in runs, so that a megabyte is not asked about letter by letter.
const PARTS: usize = 512;

/// The simplest text that still fails: without the characters that are not needed, and with an `a` for each that could
/// be another.
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
            }
        }
    }
    characters.into_iter().collect()
}
