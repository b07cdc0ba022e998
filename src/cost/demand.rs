//! What is asked for in a month.

use std::fs;

use relaybench_mock::config::{self, ConfigError, LoadError, Problem, Spanned};
use serde::{Deserialize, Serialize};

use super::measured::Measured;
use crate::pricing::raw::words;

/// What is asked for in a month.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Demand {
    /// What it is called.
    pub name: String,
    /// Tokens by model, at least one.
    pub uses: Vec<Use>,
    /// Which share (0 to 1) of the input the provider had seen before, and bills as cached.
    pub cached_share: f64,
    /// The run that it was measured by.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub measured: Option<Measured>,
}

/// Tokens of one model.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Use {
    /// Which model.
    pub model: String,
    /// Tokens of prompts.
    pub input_tokens: f64,
    /// Tokens of answers.
    pub output_tokens: f64,
    /// How many attempts ended without an answer, for each that was answered.
    pub wasted_attempts: f64,
}

impl Demand {
    /// Reads a mix of models from TOML. `origin` is the file named in errors.
    ///
    /// | key | meaning | default |
    /// |---|---|---|
    /// | `name` | what the mix is called | required |
    /// | `cached_share` | share (0 to 1) of the input that is read from the provider's cache | 0 |
    /// | `[[use]]` | `model`, and tokens a month, like `"10M"`: `input`, `output` | at least one |
    ///
    /// # Errors
    ///
    /// The first thing that is wrong, with its line.
    pub fn parse(text: &str, origin: &str) -> Result<Self, ConfigError> {
        Self::parse_named(text, origin, |model| Ok(model.to_owned()))
    }

    /// As [`parse`](Self::parse), with the names that models are known by: `name` is given each as it is written, and refuses one that
    /// nobody knows with a sentence.
    ///
    /// # Errors
    ///
    /// As for `parse`; two names of one model are refused as well.
    pub fn parse_named(text: &str, origin: &str, name: impl Fn(&str) -> Result<String, String>) -> Result<Self, ConfigError> {
        config::parse_valid(text, origin, |raw: RawDemand| raw.validate(&name))
    }

    /// As [`parse_named`](Self::parse_named), from the file at a path.
    ///
    /// # Errors
    ///
    /// When it cannot be read, and when it is wrong.
    pub fn from_file(path: &str, name: impl Fn(&str) -> Result<String, String>) -> Result<Self, LoadError> {
        let text = fs::read_to_string(path);
        let text = text.map_err(|source| LoadError::Unreadable { what: "mix of models", path: path.to_owned(), source })?;
        Ok(Self::parse_named(&text, path, name)?)
    }
}

/// A number of tokens as people write it: `1_500_000`, `1.5M`, `800k`, `2B`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Tokens(pub f64);

impl Tokens {
    /// More than anybody asks for in a month.
    const MOST: f64 = 1e15;

    /// Reads the written form.
    ///
    /// # Errors
    ///
    /// A sentence that names the text and what would be right.
    pub fn parse(text: &str) -> Result<Self, String> {
        let plain = text.trim().replace('_', "");
        let (digits, factor) = match plain.chars().last() {
            Some('k' | 'K') => (&plain[..plain.len() - 1], 1e3),
            Some('m' | 'M') => (&plain[..plain.len() - 1], 1e6),
            Some('b' | 'B' | 'g' | 'G') => (&plain[..plain.len() - 1], 1e9),
            _ => (plain.as_str(), 1.0),
        };
        let is_decimal = digits.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
        let tokens = digits.parse::<f64>().ok().filter(|_| is_decimal).map(|number| number * factor);
        let tokens = tokens.filter(|tokens| (0.0..=Self::MOST).contains(tokens));
        tokens
            .map(Self)
            .ok_or_else(|| format!("\"{text}\" is no number of tokens; write it like \"10M\", \"1.5M\", \"800k\" or \"200000\""))
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawDemand {
    name: Spanned<String>,
    cached_share: Option<Spanned<f64>>,
    r#use: Spanned<Vec<RawUse>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawUse {
    model: Spanned<String>,
    input: Spanned<RawTokens>,
    output: Spanned<RawTokens>,
}

#[derive(Deserialize)]
#[serde(untagged, expecting = "tokens like \"10M\" or 200000")]
enum RawTokens {
    Whole(u64),
    Fraction(f64),
    Written(String),
}

impl RawDemand {
    fn validate(self, known: impl Fn(&str) -> Result<String, String>) -> Result<Demand, Problem> {
        let name = words(&self.name)?;
        if self.r#use.get_ref().is_empty() {
            return Err(Problem::at(&self.r#use, "nothing is used; write a [[use]] for each model"));
        }
        let cached_share = self.cached_share.as_ref().map_or(Ok(0.0), |share| match *share.get_ref() {
            valid @ 0.0..=1.0 => Ok(valid),
            other => Err(Problem::at(share, format!("{other} is no share; write a number from 0 to 1"))),
        })?;
        let mut uses: Vec<Use> = Vec::new();
        for raw in self.r#use.into_inner() {
            let written = words(&raw.model)?;
            let model = known(&written).map_err(|why| Problem::at(&raw.model, why))?;
            if uses.iter().any(|known| known.model == model) {
                let is = if model == written { String::new() } else { format!(" is \"{model}\", which") };
                return Err(Problem::at(&raw.model, format!("\"{written}\"{is} is used above; write each model once")));
            }
            let (input_tokens, output_tokens) = (tokens(&raw.input)?, tokens(&raw.output)?);
            uses.push(Use { model, input_tokens, output_tokens, wasted_attempts: 0.0 });
        }
        Ok(Demand { name, uses, cached_share, measured: None })
    }
}

fn tokens(raw: &Spanned<RawTokens>) -> Result<f64, Problem> {
    match raw.get_ref() {
        RawTokens::Whole(tokens) if *tokens as f64 > Tokens::MOST => {
            Err(Problem::at(raw, format!("{tokens} is more tokens than anybody uses in a month; write at most 1e15")))
        }
        RawTokens::Whole(tokens) => Ok(*tokens as f64),
        RawTokens::Fraction(tokens) => {
            let right = "write a whole number, or a text like \"10M\", \"1.5M\" or \"800k\"";
            Err(Problem::at(raw, format!("{tokens} is no number of tokens; {right}")))
        }
        RawTokens::Written(text) => Tokens::parse(text).map(|tokens| tokens.0).map_err(|why| Problem::at(raw, why)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_are_read_as_people_write_them() {
        let read = |text| Tokens::parse(text).unwrap().0;
        assert_eq!(["10M", "1.5m", "800k", "2B", "200_000", "0"].map(read), [1e7, 1.5e6, 8e5, 2e9, 2e5, 0.0]);
        for text in ["", "M", "-1M", "1e6", "ten", "10 MB", "inf", "nan"] {
            assert!(Tokens::parse(text).unwrap_err().contains("10M"), "{text}");
        }
    }

    #[test]
    fn a_mix_that_is_wrong_is_refused_by_its_line() {
        let refusal = |text: &str| Demand::parse(text, "mix.toml").unwrap_err().to_string();
        let one = "[[use]]\nmodel = \"a\"\ninput = \"1M\"\noutput = 5\n";
        assert_eq!(
            refusal(&format!("name = \"x\"\ncached_share = 2.0\n{one}")),
            "mix.toml:2: cached_share: 2 is no share; write a number from 0 to 1"
        );
        assert!(refusal(&format!("name = \"x\"\n{one}{one}")).starts_with("mix.toml:7: use.model: \"a\" is used above"));
        let many = one.replace("= 5", "= 9_000_000_000_000_000");
        assert!(refusal(&format!("name = \"x\"\n{many}")).starts_with("mix.toml:5: use.output: 9000000000000000 is more tokens"));
        let tokens = one.replace("= 5", "= 1.5");
        assert!(refusal(&format!("name = \"x\"\n{tokens}")).starts_with("mix.toml:5: use.output: 1.5 is no number of tokens"));
        assert!(refusal(&format!("name = \" \"\n{one}")).starts_with("mix.toml:1: name: \"\" says nothing"));
        assert!(refusal("name = \"x\"\nuse = []\n").starts_with("mix.toml:2: use: nothing is used"));
        assert!(
            refusal("name = \"x\"\n[[use]]\nmodel = \"a\"\ninput = \"much\"\noutput = 5\n")
                .starts_with("mix.toml:4: use.input: \"much\"")
        );
        assert!(refusal("name = \"x\"\n[[use]]\nmodel = \"a\"\ninput = -1\noutput = 5\n").starts_with("mix.toml:4: use.input: "));
    }
}
