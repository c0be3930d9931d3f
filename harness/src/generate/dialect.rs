//! JSON Schema dialects: which one a schema is written in, and whether it is valid in it.

use super::guard::measure;
use super::schema::GenerateError;
use serde_json::Value;

/// A published dialect of JSON Schema.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Dialect {
    /// Draft 4.
    Draft4,
    /// Draft 6.
    Draft6,
    /// Draft 7.
    Draft7,
    /// 2019-09.
    Draft2019,
    /// 2020-12.
    Draft2020,
}

impl Dialect {
    /// The URI that names it in `$schema`.
    pub const fn uri(self) -> &'static str {
        match self {
            Self::Draft4 => "http://json-schema.org/draft-04/schema#",
            Self::Draft6 => "http://json-schema.org/draft-06/schema#",
            Self::Draft7 => "http://json-schema.org/draft-07/schema#",
            Self::Draft2019 => "https://json-schema.org/draft/2019-09/schema",
            Self::Draft2020 => "https://json-schema.org/draft/2020-12/schema",
        }
    }

    /// The dialect that a schema declares. `Ok(None)`: it declares none.
    ///
    /// # Errors
    /// The text of `$schema`, where it names no dialect that is known here.
    pub fn declared(schema: &Value) -> Result<Option<Self>, String> {
        let Some(named) = schema.get("$schema") else { return Ok(None) };
        let text = named.as_str().map_or_else(|| named.to_string(), str::to_owned);
        let plain = |uri: &str| {
            let rest = uri.strip_prefix("https://").or_else(|| uri.strip_prefix("http://")).unwrap_or(uri);
            rest.trim_end_matches('#').trim_end_matches('/').to_owned()
        };
        let all = [Self::Draft4, Self::Draft6, Self::Draft7, Self::Draft2019, Self::Draft2020];
        let known = all.into_iter().find(|dialect| plain(dialect.uri()) == plain(&text));
        known.map(Some).ok_or_else(|| text.chars().take(200).collect())
    }

    /// What is wrong with a schema in this dialect, by the dialect's own schema; `None` if nothing.
    ///
    /// # Errors
    /// [`GenerateError::TooLarge`] when it is larger than what is looked at.
    pub fn fault(self, schema: &Value) -> Result<Option<String>, GenerateError> {
        measure(schema)?;
        let checked = match self {
            Self::Draft4 => jsonschema::draft4::meta::validate(schema),
            Self::Draft6 => jsonschema::draft6::meta::validate(schema),
            Self::Draft7 => jsonschema::draft7::meta::validate(schema),
            Self::Draft2019 => jsonschema::draft201909::meta::validate(schema),
            Self::Draft2020 => jsonschema::draft202012::meta::validate(schema),
        };
        Ok(checked.err().map(|error| {
            let text = format!("{} at `{}`", error.masked(), error.instance_path().as_str());
            text.chars().take(300).collect()
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn dialects_are_known_by_their_uri() {
        for (uri, expected) in [
            ("http://json-schema.org/draft-07/schema#", Ok(Some(Dialect::Draft7))),
            ("https://json-schema.org/draft-07/schema", Ok(Some(Dialect::Draft7))),
            ("https://json-schema.org/draft/2020-12/schema", Ok(Some(Dialect::Draft2020))),
            ("urn:mine", Err("urn:mine".to_owned())),
        ] {
            assert_eq!(Dialect::declared(&json!({"$schema": uri})), expected);
        }
        assert_eq!(Dialect::declared(&json!({"type": "object"})), Ok(None));
    }

    #[test]
    fn dialects_disagree() {
        let tuple = json!({"items": [{"type": "string"}]});
        assert_eq!(Dialect::Draft7.fault(&tuple), Ok(None));
        assert!(Dialect::Draft2020.fault(&tuple).unwrap().is_some());
        assert!(Dialect::Draft7.fault(&json!({"type": "text"})).unwrap().is_some());
        let huge = json!({"enum": vec![0; 30_000]});
        assert!(Dialect::Draft2020.fault(&huge).is_err());
    }
}
