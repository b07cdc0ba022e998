//! What completions say, how long they are and how their tokens are counted.

use std::fmt;
use std::sync::Arc;

use serde::de::{self, Deserialize, Deserializer, MapAccess, Visitor, value::MapAccessDeserializer};
use toml::Spanned;

use super::distribution::{self, Directory, RawDistribution, Unit};
use crate::config::{Problem, nearest};
use crate::dist::Distribution;
use crate::tokens::{Counter, Encoding, Text};

/// The valid table.
#[derive(Clone, Debug)]
pub(crate) struct Completion {
    /// How long completions are, where their text does not say.
    pub(crate) tokens: Distribution,
    /// How long the chunks of streams are.
    pub(crate) chunk_tokens: Arc<Distribution>,
    pub(crate) source: Source,
    counting: Counting,
}

/// Where the text of a completion comes from.
#[derive(Clone, Debug)]
pub(crate) enum Source {
    /// Sentences, as many as are needed.
    Seeded,
    /// The prompt.
    Echo,
    /// The profile.
    Given(Given),
}

/// A text of the profile, as each of its models counts it.
#[derive(Clone, Debug)]
pub(crate) struct Given(Vec<(Counter, Arc<Text>)>);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Counting {
    Approximate,
    Exact,
}

impl Completion {
    /// How the tokens of a model are counted.
    pub(crate) fn counter(&self, model: &str) -> Counter {
        self.counting.counter(model)
    }
}

impl Counting {
    fn counter(self, model: &str) -> Counter {
        match self {
            Self::Approximate => Counter::Approximate,
            // A build without encodings has refused to be exact.
            Self::Exact => Encoding::of_model(model).map_or(Counter::Approximate, Counter::Exact),
        }
    }
}

impl Given {
    fn new(text: &str, counters: impl Iterator<Item = Counter>) -> Self {
        let mut given = Self(Vec::new());
        for counter in counters {
            if given.in_tokens(counter).is_none() {
                given.0.push((counter, Arc::new(Text::new(text.to_owned(), counter))));
            }
        }
        given
    }

    /// The text in the tokens of a counter; none if no model of the profile is counted by it.
    pub(crate) fn in_tokens(&self, counter: Counter) -> Option<Arc<Text>> {
        self.0.iter().find(|(known, _)| *known == counter).map(|(_, text)| Arc::clone(text))
    }
}

#[derive(Default, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawCompletion {
    tokens: Option<RawDistribution>,
    chunk_tokens: Option<RawDistribution>,
    content: Option<Spanned<RawContent>>,
    counting: Option<Spanned<String>>,
}

enum RawContent {
    Name(String),
    Text(String),
}

impl RawCompletion {
    /// Loads what is needed to count the tokens of these models, so that no request has to. `directory` is where the files that
    /// distributions name are.
    pub(super) fn valid(self, models: &[Arc<str>], directory: Directory<'_>) -> Result<Completion, Problem> {
        let counting = self.counting.map_or(Ok(Counting::Approximate), counting)?;
        let source = match self.content {
            None => Source::Seeded,
            Some(content) => source(&content, models.iter().map(|model| counting.counter(model)))?,
        };
        let tokens = match (self.tokens, &source) {
            (None, _) => Distribution::Uniform { min: 20.0, max: 80.0 },
            (Some(tokens), Source::Seeded) => distribution::valid(&tokens, Unit::TOKENS, directory)?,
            (Some(tokens), Source::Echo) => {
                return Err(Problem::at(&tokens, "an echo is as long as what it repeats; leave this key out"));
            }
            (Some(tokens), Source::Given(_)) => {
                return Err(Problem::at(&tokens, "a text that is given has a length of its own; leave this key out"));
            }
        };
        let chunk_tokens = match self.chunk_tokens {
            None => Distribution::Fixed(1.0),
            Some(tokens) => distribution::valid(&tokens, Unit::TOKENS, directory)?,
        };
        Ok(Completion { tokens, chunk_tokens: Arc::new(chunk_tokens), source, counting })
    }
}

fn counting(raw: Spanned<String>) -> Result<Counting, Problem> {
    match raw.get_ref().as_str() {
        "approximate" => Ok(Counting::Approximate),
        "exact" if Encoding::of_model("").is_some() => Ok(Counting::Exact),
        "exact" => Err(Problem::at(
            &raw,
            "\"exact\" needs the vocabularies, which this program was built without; \
             build it with --features exact-tokens, or write \"approximate\"",
        )),
        other => {
            let hint = nearest(other, ["approximate", "exact"].into_iter());
            Err(Problem::at(&raw, format!("\"{other}\" is no way of counting, {hint}")))
        }
    }
}

fn source(raw: &Spanned<RawContent>, counters: impl Iterator<Item = Counter>) -> Result<Source, Problem> {
    match raw.get_ref() {
        RawContent::Text(text) => Ok(Source::Given(Given::new(text, counters))),
        RawContent::Name(name) => match name.as_str() {
            "seeded" => Ok(Source::Seeded),
            "echo" => Ok(Source::Echo),
            other => {
                let hint = nearest(other, ["seeded", "echo"].into_iter());
                Err(Problem::at(raw, format!("\"{other}\" is no content, {hint}; for a text write {{ text = \"…\" }}")))
            }
        },
    }
}

impl<'de> Deserialize<'de> for RawContent {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ContentVisitor)
    }
}

struct ContentVisitor;

impl<'de> Visitor<'de> for ContentVisitor {
    type Value = RawContent;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("\"seeded\", \"echo\" or a table with a text")
    }

    fn visit_str<E: de::Error>(self, name: &str) -> Result<RawContent, E> {
        Ok(RawContent::Name(name.to_owned()))
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<RawContent, A::Error> {
        #[derive(serde::Deserialize)]
        #[serde(deny_unknown_fields)]
        struct Table {
            text: String,
        }
        Table::deserialize(MapAccessDeserializer::new(map)).map(|table| RawContent::Text(table.text))
    }
}
