//! Which change of a JSON text is made, and where.

use super::dictionary::{Dictionary, Scope};
use super::json::{JsonChange, JsonMutation, Large, PROTOTYPE, Put};
use super::json_type::JsonType;
use super::mutation::{Bounds, DEEPEST, LARGEST};
use super::places::{Spot, last_name, spots};
use super::text::value_of;
use crate::generate::Choices;
use serde_json::{Value, json};

/// Numbers that readers differ about, as they are written.
const NUMBERS: [&str; 28] = [
    "0.1",
    "-0",
    "-0.0",
    "0e0",
    "1.0",
    "1e0",
    "1E2",
    "1e+2",
    "100e-2",
    "-1",
    "2147483647",
    "2147483648",
    "-2147483649",
    "4294967296",
    "9007199254740991",
    "9007199254740992",
    "9007199254740993",
    "-9007199254740993",
    "9223372036854775807",
    "9223372036854775808",
    "-9223372036854775809",
    "18446744073709551616",
    "123456789012345678901234567890",
    "1.7976931348623157e308",
    "1e309",
    "1e999",
    "-1e999",
    "1e-400",
];
/// Texts that programs trip over, as they stand between the quotes of JSON.
const TEXTS: [&str; 28] = [
    "",
    " ",
    "\\u0000",
    "\\n",
    "\\r\\n",
    "\\u001b[31m",
    "\\u007f",
    "\\ud800",
    "\\udc00",
    "\\udc00\\ud800",
    "\\ud83d\\ude00",
    "\u{1F600}",
    "\u{1F468}\u{200D}\u{1F469}\u{200D}\u{1F467}",
    "\\ufeff",
    "\u{FFFE}",
    "\u{FFFF}",
    "\u{202E}",
    "\u{2028}\u{2029}",
    "e\u{301}",
    "\u{e9}",
    "\u{130}",
    "\u{DF}",
    "a\u{300}\u{301}\u{302}\u{303}\u{304}\u{305}\u{306}\u{307}\u{308}",
    "\u{FDFA}",
    "\u{10FFFF}",
    "\\\\u0000",
    "%00",
    "../../../../etc/passwd",
];
/// Names of members that nobody asked for; those with a meaning in JSON-RPC, in schemas and in frameworks among them.
const NAMES: [&str; 12] = [
    "mcprove",
    "",
    " ",
    "_meta",
    "id",
    "result",
    "error",
    "$ref",
    "$schema",
    "@type",
    "\u{0}",
    "\u{e9}\u{301}\u{202E}",
];
const COUNTS: [usize; 14] =
    [1000, 255, 256, 257, 1024, 4095, 4096, 4097, 16_384, 65_535, 65_536, 65_537, 262_144, LARGEST];
const LEVELS: [usize; 16] = [32, 2, 33, 63, 64, 65, 100, 127, 128, 129, 255, 512, 513, 1000, 5000, DEEPEST];

/// How many kinds of changes there are beside that of a dictionary.
const KINDS: u64 = 13;

impl JsonMutation {
    /// One change, of any kind, that can be made to a JSON text. `None` where the text is none of JSON.
    pub fn draw(
        text: &str,
        bounds: Bounds,
        dictionary: &Dictionary,
        choices: &mut dyn Choices,
    ) -> Option<Self> {
        let value = value_of(text)?;
        let spots = spots(&value);
        if !dictionary.entries().is_empty()
            && choices.chance(1, 3)
            && let Some(word) = word(&spots, dictionary, choices).filter(|word| word.apply(text).is_some())
        {
            return Some(word);
        }
        let first = choices.below(KINDS);
        // The next kind where one fits nowhere, such as one that wants an object.
        (0..KINDS).find_map(|next| {
            let kind = (first + next) % KINDS;
            let fitting: Vec<&Spot> = spots.iter().filter(|spot| fits(kind, spot)).collect();
            let spot = choices.pick(&fitting)?;
            let change = change(kind, value.pointer(&spot.place)?, spot, bounds, choices)?;
            let mutation = Self { place: spot.place.clone(), change };
            mutation.apply(text).map(|_| mutation)
        })
    }
}

fn word(spots: &[Spot], dictionary: &Dictionary, choices: &mut dyn Choices) -> Option<JsonMutation> {
    let inside: Vec<&Spot> = spots.iter().filter(|spot| spot.is_inside()).collect();
    // A place that the dictionary has words of its own for, if there is one.
    let own = |spot: &&&Spot| {
        let specific = |scope: &Scope| *scope != Scope::Anywhere && scope.covers(&spot.place, spot.kind);
        dictionary.entries().iter().any(|entry| specific(&entry.scope))
    };
    let wanted: Vec<&Spot> = inside.iter().filter(own).copied().collect();
    let spot =
        if wanted.is_empty() || choices.flip() { choices.pick(&inside)? } else { choices.pick(&wanted)? };
    let written = dictionary.at(&spot.place, spot.kind, choices)?;
    Some(JsonMutation { place: spot.place.clone(), change: JsonChange::Word { written } })
}

/// Where a kind of change can be made.
fn fits(kind: u64, spot: &Spot) -> bool {
    match kind {
        0 => spot.is_inside(),
        1 => spot.kind != JsonType::Null,
        3 | 5 | 8 => spot.kind == JsonType::Object,
        4 => spot.is_member && last_name(&spot.place).chars().any(char::is_alphabetic),
        6 => !matches!(spot.kind, JsonType::Array | JsonType::Object),
        7 | 9 => spot.kind == JsonType::String,
        10 => spot.is_member,
        _ => true,
    }
}

/// A change of a kind; the plainest kinds come first.
fn change(
    kind: u64,
    here: &Value,
    spot: &Spot,
    bounds: Bounds,
    choices: &mut dyn Choices,
) -> Option<JsonChange> {
    let owned = |text: Option<&&str>| text.map_or_else(String::new, |text| (*text).to_owned());
    Some(match kind {
        0 => JsonChange::MissingMember,
        1 => JsonChange::NullValue,
        2 => JsonChange::WrongType { value: of_another_type(here, choices)? },
        3 => JsonChange::ExtraMember {
            name: owned(choices.pick(&NAMES)),
            value: choices.pick(&[json!(1), json!("mcprove"), json!({}), Value::Null])?.clone(),
        },
        4 => JsonChange::OtherCase { name: otherwise(&last_name(&spot.place), choices) },
        5 => JsonChange::ArrayForObject { pairs: choices.flip() },
        6 => JsonChange::OddNumber { written: owned(choices.pick(&NUMBERS)) },
        7 => JsonChange::OddText {
            written: owned(choices.pick(&TEXTS)),
            put: *choices.pick(&[Put::Instead, Put::Before, Put::After])?,
        },
        8 => JsonChange::PrototypeMember {
            name: owned(choices.pick(&PROTOTYPE)),
            value: choices.pick(&[json!({"mcprove": true}), json!("mcprove"), Value::Null])?.clone(),
        },
        9 => JsonChange::PrototypeName { name: owned(choices.pick(&PROTOTYPE)) },
        10 => {
            let value = if choices.flip() { here.clone() } else { of_another_type(here, choices)? };
            JsonChange::DuplicateMember { value, first: choices.flip() }
        }
        11 => {
            let mut kinds = vec![Large::Text, Large::Digits, Large::Array, Large::Object];
            if spot.kind == JsonType::Object {
                kinds.push(Large::Name);
            }
            let what = *choices.pick(&kinds)?;
            // An object takes ten bytes for each.
            let most = bounds.bytes.min(LARGEST) / if what == Large::Object { 10 } else { 2 };
            JsonChange::Large { what, count: (*choices.pick(&COUNTS)?).min(most).max(1) }
        }
        _ => {
            let levels = (*choices.pick(&LEVELS)?).min(bounds.depth.min(DEEPEST));
            let objects = choices.flip();
            let each = if objects { 6 } else { 2 };
            JsonChange::Deep { levels: levels.min(bounds.bytes / each).max(1), objects }
        }
    })
}

/// A value of another type: the same in other clothes, or something plain.
fn of_another_type(here: &Value, choices: &mut dyn Choices) -> Option<Value> {
    let plain = here.as_str().map_or_else(|| here.to_string(), str::to_owned);
    let unquoted = value_of(&plain).unwrap_or_default();
    let mut others = vec![
        json!(""),
        json!(0),
        json!(true),
        json!([]),
        json!({}),
        json!(plain),
        json!([here]),
        json!({ "value": here }),
        unquoted,
        json!(0.5),
        json!(false),
    ];
    let kind = JsonType::of(here);
    others.retain(|other| !other.is_null() && !kind.is_like(JsonType::of(other)));
    choices.pick(&others).cloned()
}

/// A name with other letters in upper case, or with its words joined otherwise.
fn otherwise(name: &str, choices: &mut dyn Choices) -> String {
    let snake = || {
        let letters = name.chars().enumerate().flat_map(|(at, c)| {
            let cut = (at > 0 && c.is_uppercase()).then_some('_');
            cut.into_iter().chain(c.to_lowercase())
        });
        letters.collect::<String>()
    };
    let flipped = |c: char| {
        if c.is_uppercase() { c.to_lowercase().collect::<String>() } else { c.to_uppercase().collect() }
    };
    let first = || {
        let at = name.find(char::is_alphabetic).unwrap_or(0);
        let c: String = name[at..].chars().take(1).collect();
        let changed: String = c.chars().map(flipped).collect();
        format!("{}{changed}{}", &name[..at], &name[at + c.len()..])
    };
    let names = [first(), name.to_uppercase(), name.to_lowercase(), snake()];
    let others: Vec<&String> = names.iter().filter(|other| *other != name).collect();
    choices.pick(&others).map_or_else(|| name.to_uppercase(), |name| (*name).clone())
}
