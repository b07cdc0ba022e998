//! Files that people write: TOML in, a valid type or one clear line out.
//!
//! A file is read in two steps. Serde fills a raw type whose interesting fields are [`Spanned`]; a function then makes the valid
//! type of it, and names the place of whatever it refuses with a [`Problem`]. Either way the caller gets a [`ConfigError`] that
//! says file, line, key, value and what would be right.
//!
//! ```
//! use relaybench_mock::config::{self, Problem, Spanned};
//!
//! #[derive(serde::Deserialize)]
//! #[serde(deny_unknown_fields)]
//! struct Raw {
//!     share: Spanned<f64>,
//! }
//!
//! let read = |text| {
//!     config::parse_valid(text, "x.toml", |raw: Raw| match *raw.share.as_ref() {
//!         share @ 0.0..=1.0 => Ok(share),
//!         share => Err(Problem::at(&raw.share, format!("{share} is no share; write a number from 0 to 1"))),
//!     })
//! };
//! assert_eq!(read("share = 0.5")?, 0.5);
//! assert_eq!(read("share = 2.0").unwrap_err().to_string(), "x.toml:1: share: 2 is no share; write a number from 0 to 1");
//! assert_eq!(read("shar = 2.0").unwrap_err().to_string(), "x.toml:1: shar: unknown key, did you mean \"share\"?");
//! # Ok::<(), config::ConfigError>(())
//! ```

mod locate;
mod named;
mod nearest;
mod time;

use std::fmt::{self, Write as _};
use std::ops::Range;

use serde::de::DeserializeOwned;

pub use named::{LoadError, is_path, load};
pub use nearest::nearest;
pub use time::Time;
pub use toml::Spanned;

/// Reads a type from TOML. `origin` is the file's name as the person who wrote it knows it.
///
/// # Errors
///
/// The first thing that is wrong: syntax, an unknown key, a value of the wrong type.
pub fn parse<T: DeserializeOwned>(text: &str, origin: &str) -> Result<T, ConfigError> {
    toml::from_str(text).map_err(|error| {
        let message = message(error.message());
        match error.span() {
            Some(span) => ConfigError::located(text, origin, &Problem { span, message }).with_what_would_be_right(text),
            None => ConfigError { origin: origin.to_owned(), line: None, key: None, message },
        }
    })
}

/// Reads a raw type and makes a valid one of it.
///
/// # Errors
///
/// As [`parse`], and what `valid` refuses.
pub fn parse_valid<R, T>(text: &str, origin: &str, valid: impl FnOnce(R) -> Result<T, Problem>) -> Result<T, ConfigError>
where
    R: DeserializeOwned,
{
    valid(parse(text, origin)?).map_err(|problem| ConfigError::located(text, origin, &problem))
}

/// What a file may not say, and where it says so.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    span: Range<usize>,
    message: String,
}

impl Problem {
    /// A problem with the value, table or key at `place`. The message names the value and what would be right.
    pub fn at<T>(place: &Spanned<T>, message: impl Into<String>) -> Self {
        Self { span: place.span(), message: message.into() }
    }
}

/// A file that was refused. It prints as one line: `x.toml:7: latency.total.p95: "612" has no unit; write …`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigError {
    origin: String,
    line: Option<usize>,
    key: Option<String>,
    message: String,
}

impl ConfigError {
    fn located(text: &str, origin: &str, problem: &Problem) -> Self {
        Self {
            origin: origin.to_owned(),
            line: Some(locate::line(text, problem.span.start)),
            key: locate::key(text, problem.span.start),
            message: problem.message.clone(),
        }
    }

    /// Adds how to write what is often written otherwise.
    fn with_what_would_be_right(mut self, text: &str) -> Self {
        let line = self.line.and_then(|line| text.lines().nth(line.saturating_sub(1))).unwrap_or_default();
        let has_comma = || line.as_bytes().windows(3).any(|three| matches!(three, [b'0'..=b'9', b',', b'0'..=b'9']));
        if let (true, Some(key)) = (self.message.ends_with("map, expected an array"), &self.key) {
            self.message += &format!("; write [[{key}]] for each");
        } else if self.message.starts_with("unexpected key or value") && has_comma() {
            self.message += "; write numbers without commas, like 1456 or 1_456";
        }
        self
    }

    /// The file, as it was named to [`parse`].
    pub fn origin(&self) -> &str {
        &self.origin
    }

    /// The line, counted from 1.
    pub fn line(&self) -> Option<usize> {
        self.line
    }

    /// The key with the tables it is in, like `latency.total.p95`; none where the file is not TOML.
    pub fn key(&self) -> Option<&str> {
        self.key.as_deref()
    }
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.origin)?;
        if let Some(line) = self.line {
            write!(f, ":{line}")?;
        }
        if let Some(key) = &self.key {
            write!(f, ": {}", OneLine(key))?;
        }
        write!(f, ": {}", OneLine(&self.message))
    }
}

/// A text that quotes what somebody wrote, with the line breaks and other control characters in it escaped.
struct OneLine<'a>(&'a str);

impl fmt::Display for OneLine<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.chars().try_for_each(|char| if char.is_control() { char.escape_default().fmt(f) } else { f.write_char(char) })
    }
}

impl std::error::Error for ConfigError {}

/// Serde's messages in this project's words. What is not known to need it stays as it is.
fn message(original: &str) -> String {
    // Serde quotes names, and nothing else, in backquotes: the one that was read first, then those that it knows.
    let names: Vec<&str> = original.split('`').skip(1).step_by(2).collect();
    match names.split_first() {
        Some((unknown, known)) if original.starts_with("unknown field") => {
            format!("unknown key, {}", nearest(unknown, known.iter().copied()))
        }
        Some((unknown, known)) if original.starts_with("unknown variant") => {
            format!("\"{unknown}\" is not known, {}", nearest(unknown, known.iter().copied()))
        }
        Some((missing, _)) if original.starts_with("missing field") => format!("the key \"{missing}\" is missing"),
        _ => in_plain_words(original).replace('\n', "; "),
    }
}

/// Serde ends what it refuses with the Rust type that it expected.
pub(crate) fn in_plain_words(original: &str) -> String {
    let Some((found, expected)) = original.rsplit_once(", expected ") else { return original.to_owned() };
    let plain = match expected {
        "u16" => "a whole number from 0 to 65535",
        "u32" => "a whole number from 0 to 4294967295",
        // Whether 0 is one is said where it is not.
        "u8" | "u64" | "usize" => "a whole number that is not negative",
        "f32" | "f64" => "a number",
        "a sequence" => "an array",
        "a map" => "a table",
        _ if expected.starts_with("struct ") => "a table",
        other => other,
    };
    format!("{found}, expected {plain}")
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    #[expect(dead_code, reason = "only read by serde")]
    struct Raw {
        count: Option<u32>,
        wait: Option<Time>,
        latency: Option<RawLatency>,
        #[serde(default)]
        burst: Vec<RawBurst>,
    }

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    #[expect(dead_code, reason = "only read by serde")]
    struct RawLatency {
        total: Option<RawBurst>,
    }

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    #[expect(dead_code, reason = "only read by serde")]
    struct RawBurst {
        every: Spanned<Time>,
        share: Option<f64>,
    }

    fn refusal(text: &str) -> String {
        parse::<Raw>(text, "x.toml").unwrap_err().to_string()
    }

    #[test]
    fn a_nested_key_is_named_with_its_tables() {
        assert_eq!(
            refusal("\n[latency.total]\nevery = \"612\"\n"),
            "x.toml:3: latency.total.every: \"612\" has no unit; write a duration such as \"250ms\" or \"1.5s\""
        );
        assert_eq!(
            refusal("[latency]\ntotal = { every = 612 }\n"),
            "x.toml:2: latency.total.every: 612 has no unit; write a duration such as \"250ms\" or \"1.5s\""
        );
    }

    #[test]
    fn what_is_often_written_otherwise_is_answered_with_how_it_is_written() {
        assert_eq!(
            refusal("[burst]\nevery = \"1s\"\n"),
            "x.toml:1: burst: invalid type: map, expected an array; write [[burst]] for each"
        );
        let comma = refusal("count = 1,456\n");
        assert!(
            comma.starts_with("x.toml:1: ") && comma.ends_with("write numbers without commas, like 1456 or 1_456"),
            "{comma}"
        );
    }

    #[test]
    fn a_key_of_a_later_table_in_an_array_has_its_own_line() {
        let text = "[[burst]]\nevery = \"1s\"\nshare = 0.1\n\n[[burst]]\nevery = \"2s\"\nshare = true\n";
        assert_eq!(refusal(text), "x.toml:7: burst.share: invalid type: boolean `true`, expected a number");
        let text = "[[burst]]\nevery = \"1s\"\n[[burst]]\nevry = \"2s\"\n";
        assert_eq!(refusal(text), "x.toml:4: burst.evry: unknown key, did you mean \"every\"?");
    }

    #[test]
    fn a_missing_key_is_named_where_its_table_begins() {
        assert_eq!(refusal("count = 1\n[[burst]]\nshare = 0.5\n"), "x.toml:2: burst: the key \"every\" is missing");
    }

    #[test]
    fn an_unknown_key_that_resembles_none_lists_what_is_known() {
        assert_eq!(refusal("[zzzzzz]\n"), "x.toml:1: zzzzzz: unknown key, known here: count, wait, latency, burst");
    }

    #[test]
    fn what_is_not_toml_is_refused_by_its_line() {
        let error = parse::<Raw>("count = 1\nwait = = 2\n", "x.toml").unwrap_err();
        assert_eq!((error.line(), error.key()), (Some(2), None));
        assert!(!error.to_string().contains('\n'));
    }

    #[test]
    fn line_breaks_in_what_is_refused_do_not_break_the_line() {
        let quoting = |raw: Raw| Err::<(), _>(Problem::at(&raw.burst[0].every, "\"1\n2\" is wrong"));
        let error = parse_valid("[[burst]]\nevery = \"1s\"", "x.toml", quoting).unwrap_err();
        assert_eq!(error.to_string(), "x.toml:2: burst.every: \"1\\n2\" is wrong");
        assert_eq!(refusal("\"a\\tb\" = 1"), "x.toml:1: a\\tb: unknown key, known here: count, wait, latency, burst");
    }

    #[test]
    fn the_same_key_in_another_table_is_not_mistaken() {
        let text = "[[burst]]\nevery = \"1s\"\n[latency.total]\nevery = \"-1s\"\n";
        assert_eq!(
            refusal(text),
            "x.toml:4: latency.total.every: \"-1s\" is negative; write a duration such as \"250ms\" or \"1.5s\""
        );
    }
}
