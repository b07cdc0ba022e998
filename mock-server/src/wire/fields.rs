//! Requests read field by field, for endpoints that are not asked as often as chat; and what is wrong with them, in OpenAI's words.

use serde_json::{Map, Value};

use super::prompt::Passage;
use crate::relay::{Invalid, Refusal};

/// The most choices of an answer.
pub(super) const MOST_CHOICES: u64 = 128;

/// A parameter that is a number within bounds, both included.
#[derive(Clone, Copy, Debug)]
pub(super) struct Range {
    pub(super) param: &'static str,
    pub(super) least: f64,
    pub(super) most: f64,
}

/// Those of a generation in OpenAI's API, in the order in which they are checked.
pub(super) const RANGES: [Range; 4] = [
    Range { param: "temperature", least: 0.0, most: 2.0 },
    Range { param: "top_p", least: 0.0, most: 1.0 },
    Range { param: "presence_penalty", least: -2.0, most: 2.0 },
    Range { param: "frequency_penalty", least: -2.0, most: 2.0 },
];

impl Range {
    pub(super) fn holds(self, number: f64) -> bool {
        (self.least..=self.most).contains(&number)
    }

    /// What is wrong with a value of the parameter, in OpenAI's words.
    pub(super) fn invalid(self, value: &Value) -> Option<Invalid> {
        let Self { param, least, most } = self;
        let Some(number) = value.as_f64() else {
            return if value.is_null() { None } else { Some(wrong_type(param, "a number", value)) };
        };
        let (code, wrong, right) = match number {
            number if self.holds(number) => return None,
            number if number < least => ("decimal_below_min_value", "decimal below minimum value", format!("a value >= {least}")),
            _ => ("decimal_above_max_value", "decimal above maximum value", format!("a value <= {most}")),
        };
        let message = format!("Invalid '{param}': {wrong}. Expected {right}, but got {value} instead.");
        Some(Invalid { param: Some(param.to_owned()), code, message })
    }
}

/// The object that a body holds.
#[derive(Debug)]
pub(super) struct Fields(Map<String, Value>);

impl Fields {
    pub(super) fn parse(body: &[u8]) -> Result<Self, Refusal> {
        match serde_json::from_slice(body) {
            Err(error) => Err(Refusal::Malformed { reason: error.to_string() }),
            Ok(Value::Object(fields)) => Ok(Self(fields)),
            Ok(other) => Err(Refusal::Malformed { reason: format!("the body is {}, not an object", kind(&other)) }),
        }
    }

    /// What a field holds; `null` is nothing.
    pub(super) fn value(&self, key: &str) -> Option<&Value> {
        self.0.get(key).filter(|value| !value.is_null())
    }

    /// Empty where none is named.
    pub(super) fn model(&self) -> Result<String, Invalid> {
        self.text("model").map(|model| model.unwrap_or_default().to_owned())
    }

    pub(super) fn text(&self, key: &str) -> Result<Option<&str>, Invalid> {
        match self.value(key) {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(text)),
            Some(other) => Err(wrong_type(key, "a string", other)),
        }
    }

    pub(super) fn flag(&self, key: &str) -> Result<bool, Invalid> {
        match self.value(key) {
            None => Ok(false),
            Some(Value::Bool(flag)) => Ok(*flag),
            Some(other) => Err(wrong_type(key, "a boolean", other)),
        }
    }

    /// A whole number from 1.
    pub(super) fn count(&self, key: &str) -> Result<Option<u32>, Invalid> {
        let Some(value) = self.value(key) else { return Ok(None) };
        match invalid_count(key, value) {
            Some(invalid) => Err(invalid),
            None => Ok(value.as_u64().map(|count| u32::try_from(count).unwrap_or(u32::MAX))),
        }
    }

    /// How many answers there are to be.
    pub(super) fn choices(&self) -> Result<u32, Invalid> {
        match self.value("n").and_then(invalid_choices) {
            Some(invalid) => Err(invalid),
            None => Ok(self.count("n")?.unwrap_or(1)),
        }
    }

    /// That each of these parameters is within its bounds, where it is there.
    pub(super) fn within(&self, ranges: &[Range]) -> Result<(), Invalid> {
        let wrong = |range: &Range| self.value(range.param).and_then(|value| range.invalid(value));
        ranges.iter().find_map(wrong).map_or(Ok(()), Err)
    }

    /// Whether a stream is to end with its usage.
    pub(super) fn wants_usage(&self) -> Result<bool, Invalid> {
        match self.value("stream_options") {
            None => Ok(false),
            Some(Value::Object(options)) => Self(options.clone()).flag("include_usage"),
            Some(other) => Err(wrong_type("stream_options", "an object", other)),
        }
    }
}

/// All text of a content: a string, or an array of parts of which some have a text.
pub(super) fn texts(place: &str, content: &Value) -> Result<String, Invalid> {
    match content {
        Value::String(text) => Ok(text.clone()),
        Value::Array(parts) => {
            let text = |(i, part): (usize, &Value)| match part.get("text") {
                Some(Value::String(text)) => Ok(text.clone()),
                None | Some(Value::Null) if part.is_object() => Ok(String::new()),
                None => Err(wrong_type(&format!("{place}[{i}]"), "an object", part)),
                Some(other) => Err(wrong_type(&format!("{place}[{i}].text"), "a string", other)),
            };
            parts.iter().enumerate().map(text).collect()
        }
        other => Err(wrong_type(place, "a string or an array of parts", other)),
    }
}

/// One text or several, each as a string or as tokens: at least one, and none empty.
pub(super) fn passages(key: &str, value: &Value) -> Result<Vec<Passage>, Invalid> {
    let expected = "a string, an array of strings, or one or several arrays of tokens";
    let tokens = |tokens: &[Value]| -> Option<Passage> {
        let token = |token: &Value| token.as_u64().and_then(|token| u32::try_from(token).ok());
        tokens.iter().map(token).collect::<Option<_>>().map(Passage::Tokens)
    };
    let passage = |value: &Value| match value {
        Value::String(text) if text.is_empty() => Err(empty_array(key, "character")),
        Value::Array(array) if array.is_empty() => Err(empty_array(key, "token")),
        Value::String(text) => Ok(Passage::Text(text.clone())),
        Value::Array(array) => tokens(array).ok_or_else(|| wrong_type(key, expected, value)),
        other => Err(wrong_type(key, expected, other)),
    };
    match value {
        Value::Array(array) if array.is_empty() => Err(empty_array(key, "text")),
        Value::Array(array) if !array[0].is_number() => array.iter().map(passage).collect(),
        one => passage(one).map(|passage| vec![passage]),
    }
}

impl Invalid {
    pub(super) fn missing(param: &str) -> Self {
        let message = format!("Missing required parameter: '{param}'.");
        Self { param: Some(param.to_owned()), code: "missing_required_parameter", message }
    }

    pub(super) fn above_maximum(param: &str, expected: &str, actual: usize) -> Self {
        let message = format!("Invalid '{param}': expected {expected}, but got {actual}.");
        Self { param: Some(param.to_owned()), code: "integer_above_max_value", message }
    }

    pub(super) fn unknown_value(param: &str, value: &str, expected: &str) -> Self {
        let message = format!("Invalid value for '{param}': expected {expected}, but got '{value}'.");
        Self { param: Some(param.to_owned()), code: "invalid_value", message }
    }
}

impl From<Invalid> for Refusal {
    fn from(invalid: Invalid) -> Self {
        Self::Invalid(invalid)
    }
}

pub(super) fn wrong_type(param: &str, expected: &str, value: &Value) -> Invalid {
    let message = format!("Invalid type for '{param}': expected {expected}, but got {}.", kind(value));
    Invalid { param: Some(param.to_owned()), code: "invalid_type", message }
}

/// An array, or a text, without anything in it.
pub(super) fn empty_array(param: &str, of: &str) -> Invalid {
    let message = format!("Invalid '{param}': empty array. Expected an array with at least one {of}.");
    Invalid { param: Some(param.to_owned()), code: "empty_array", message }
}

/// What is wrong with a value that should be a whole number from 1.
pub(super) fn invalid_count(param: &str, value: &Value) -> Option<Invalid> {
    match value {
        Value::Null => None,
        value if value.is_i64() || value.is_u64() => (value.as_u64().unwrap_or(0) == 0).then(|| Invalid {
            param: Some(param.to_owned()),
            code: "integer_below_min_value",
            message: format!("Invalid '{param}': expected an integer of at least 1, but got {value}."),
        }),
        other => Some(wrong_type(param, "an integer", other)),
    }
}

/// What is wrong with a number of choices.
pub(super) fn invalid_choices(value: &Value) -> Option<Invalid> {
    let most = || format!("an integer of at most {MOST_CHOICES}");
    invalid_count("n", value).or_else(|| {
        let above = value.as_u64().filter(|count| *count > MOST_CHOICES)?;
        Some(Invalid::above_maximum("n", &most(), above as usize))
    })
}

pub(super) fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(number) if number.is_f64() => "a decimal",
        Value::Number(_) => "an integer",
        Value::String(_) => "a string",
        Value::Array(_) => "an array",
        Value::Object(_) => "an object",
    }
}
