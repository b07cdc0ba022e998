//! Who sells models: where, at which prices, within which limits, and what was published of it.
//!
//! The providers of the tutorial's comparison are compiled in, from a file each. A file of one's own changes them or adds others;
//! `docs/providers.md` has the format.
//!
//! ```
//! use relaybench::client::Catalog;
//! use relaybench::provider::Providers;
//!
//! let mut providers = Providers::built_in();
//! providers.extend_from_toml(
//!     r#"
//!     [[provider]]
//!     name = "openai"
//!     [[provider.model]]
//!     name = "gpt-4.1"
//!     price = { input_usd_per_mtok = 2.0, output_usd_per_mtok = 8.0, source = "the invoice", date = "2025-11" }
//!     "#,
//!     "providers.toml",
//!     &Catalog::default(),
//! )?;
//! let quote = providers.named("openai")?.model("gpt-4.1").and_then(|model| model.quote.as_ref());
//! assert_eq!(quote.map(|quote| quote.price.output_usd_per_mtok), Some(8.0));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod base_url;
mod model;
mod raw;
mod scenario;
pub mod table;

use std::fmt;

use relaybench_mock::config::{self, ConfigError, LoadError, is_path};
use relaybench_mock::{LimitFigures, Profile};
use serde::Serialize;

use crate::client::Catalog;
use crate::pricing::Quote;
use crate::report::figures::count;
pub use model::{Asked, Offer};
use raw::{RawFile, RawProvider};
pub use scenario::StandIn;

/// One provider.
#[derive(Clone, Debug, Serialize)]
pub struct Provider {
    /// What commands call it.
    pub name: String,
    /// What people call it.
    pub title: String,
    /// Where its live API is, like `https://host/v1`. `${NAME}` stands for an environment variable.
    pub base_url: String,
    /// The environment variable that its key is in.
    pub key_variable: String,
    /// Whose errors and headers it speaks.
    pub dialect: String,
    /// The mock profile that stands for it, by name or file.
    #[serde(rename = "profile")]
    pub profile_name: String,
    /// That profile.
    #[serde(skip)]
    pub profile: Profile,
    /// What is asked where it does not serve the model that was wanted.
    pub default_model: String,
    /// What was published of it.
    pub published: Option<Published>,
    /// What its mock limits each caller to, and who says so.
    pub limits: Option<Limits>,
    /// What it serves, or is said to charge for.
    pub models: Vec<Offer>,
}

/// What somebody published of a provider; none of it was measured here.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Published {
    /// Who published it, and where.
    pub source: String,
    /// When.
    pub date: String,
    /// Mean latency.
    pub mean_ms: Option<f64>,
    /// Requests completed in a second.
    pub throughput_rps: Option<f64>,
    /// In words: how much may be asked.
    pub limit: Option<String>,
    /// In words: how it is paid.
    pub payment: Option<String>,
    /// In words: which models there are.
    pub models: Option<String>,
    /// In words: what is free.
    pub credit: Option<String>,
    /// In words: what it suits.
    pub fit: Option<String>,
}

/// The limits of a provider's mock, with their source.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Limits {
    /// Who documented them.
    pub source: String,
    /// When.
    pub date: String,
    /// The figures: those of the mock profile.
    #[serde(flatten)]
    pub figures: Figures,
}

/// [`LimitFigures`] as people read them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct Figures(pub LimitFigures);

/// Each limit with its unit, like `12,000 tokens a minute`.
impl fmt::Display for Figures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let limits = [
            (self.0.requests_per_minute, "requests a minute"),
            (self.0.requests_per_day, "requests a day"),
            (self.0.tokens_per_minute, "tokens a minute"),
            (self.0.tokens_per_day, "tokens a day"),
            (self.0.input_tokens_per_minute, "input tokens a minute"),
            (self.0.output_tokens_per_minute, "output tokens a minute"),
            (self.0.concurrency.map(u64::from), "at once"),
        ];
        let limits = limits.iter().filter_map(|(figure, unit)| figure.map(|figure| format!("{} {unit}", count(figure))));
        f.write_str(&limits.collect::<Vec<_>>().join(", "))
    }
}

impl Provider {
    /// Reads a provider from TOML, with all of its keys at the top of the file. `origin` is the file's name in errors.
    ///
    /// # Errors
    ///
    /// The first thing that is wrong, with its line.
    pub fn parse(text: &str, origin: &str) -> Result<Self, ConfigError> {
        config::parse_valid(text, origin, |raw: RawProvider| raw.valid(None, &Catalog::default(), origin))
    }

    /// What it offers under a model's name, its own or the catalog's.
    pub fn model(&self, name: &str) -> Option<&Offer> {
        self.models.iter().find(|offer| offer.is_called(name))
    }

    /// What it takes for a model that it serves, or is said to take for one that it does not: its own price, else the vendor's list
    /// price. None, where neither is known, or where nothing of the model is known here.
    pub fn quote<'a>(&'a self, model: &str, catalog: &'a Catalog) -> Option<&'a Quote> {
        let offer = self.model(model)?;
        offer.quote.as_ref().or_else(|| catalog.model(&offer.name)?.list_price.as_ref())
    }

    /// The same with the vendors' list prices where it names none of its own.
    #[must_use]
    pub fn priced(&self, catalog: &Catalog) -> Self {
        let mut priced = self.clone();
        for offer in &mut priced.models {
            offer.quote = self.quote(&offer.name, catalog).cloned();
        }
        priced
    }

    /// What is asked of it where a model is wanted: that one, under its own name, or else the default.
    pub fn asked_for(&self, model: &str) -> Asked<'_> {
        match self.model(model).filter(|offer| offer.is_served) {
            Some(offer) => Asked { offer, is_wanted: true },
            None => Asked { offer: self.default_offer(), is_wanted: false },
        }
    }

    /// Its base URL with what the environment has for the variables in it.
    ///
    /// # Errors
    ///
    /// The name of the first variable that is not set.
    pub fn base_url_with(&self, variable: impl Fn(&str) -> Option<String>) -> Result<String, String> {
        base_url::filled(&self.base_url, variable)
    }

    fn default_offer(&self) -> &Offer {
        self.model(&self.default_model).expect("the default is checked to be among the models")
    }
}

/// Providers by name, in the order in which they are compared.
#[derive(Clone, Debug)]
pub struct Providers(Vec<Provider>);

/// The providers compiled in: name and text.
const BUILT_IN: [(&str, &str); 4] = [
    ("holysheep", include_str!("../fixtures/providers/holysheep.toml")),
    ("openai", include_str!("../fixtures/providers/openai.toml")),
    ("cloudflare", include_str!("../fixtures/providers/cloudflare.toml")),
    ("groq", include_str!("../fixtures/providers/groq.toml")),
];

impl Providers {
    /// Those of the tutorial's comparison, in its order.
    pub fn built_in() -> Self {
        let provider = |(name, text): &(&str, &str)| {
            Provider::parse(text, &format!("{name}.toml")).expect("a test reads every file that is compiled in")
        };
        Self(BUILT_IN.iter().map(provider).collect())
    }

    /// The names of the providers that are compiled in.
    pub fn built_in_names() -> impl ExactSizeIterator<Item = &'static str> + Clone {
        BUILT_IN.iter().map(|(name, _)| *name)
    }

    /// Adds the providers of a TOML file, each a `[[provider]]`. One that has a known one's name changes of it what it says. Models may
    /// be called by the catalog's aliases. What comes back are notes, a line each, on what was probably not meant.
    ///
    /// # Errors
    ///
    /// The first thing that is wrong, with its line. Nothing was changed then.
    pub fn extend_from_toml(&mut self, text: &str, origin: &str, catalog: &Catalog) -> Result<Vec<String>, ConfigError> {
        let extended = config::parse_valid(text, origin, |raw: RawFile| raw.valid(&self.0, catalog, origin))?;
        let before = std::mem::replace(&mut self.0, extended);
        let notes = before.iter().zip(&self.0).flat_map(|(before, after)| near_misses(before, after, catalog));
        Ok(notes.map(|note| format!("{origin}: {note}")).collect())
    }

    /// Models that a catalog of one's own has a price for cost that, whatever was known before: the providers' own prices of them are
    /// forgotten. A list price that is compiled in changes nothing when it is said again, with its source and date.
    pub fn forget_prices_of(&mut self, catalog: &Catalog) {
        let compiled_in = Catalog::default();
        let list_price = |catalog: &Catalog, name: &str| catalog.model(name).and_then(|model| model.list_price.clone());
        let is_priced = |name: &str| {
            let own = list_price(catalog, name);
            own.is_some() && own != list_price(&compiled_in, name)
        };
        let offers = self.0.iter_mut().flat_map(|provider| &mut provider.models);
        offers.filter(|offer| is_priced(&offer.name)).for_each(|offer| offer.quote = None);
    }

    /// As [`extend_from_toml`](Self::extend_from_toml), from the file at a path.
    ///
    /// # Errors
    ///
    /// When it cannot be read, and when it is wrong.
    pub fn extend_from_file(&mut self, path: &str, catalog: &Catalog) -> Result<Vec<String>, LoadError> {
        let text = std::fs::read_to_string(path);
        let text = text.map_err(|source| LoadError::Unreadable { what: "providers", path: path.to_owned(), source })?;
        Ok(self.extend_from_toml(&text, path, catalog)?)
    }

    /// All of them.
    pub fn iter(&self) -> std::slice::Iter<'_, Provider> {
        self.0.iter()
    }

    /// The provider of this name.
    ///
    /// # Errors
    ///
    /// [`UnknownProvider`], with the nearest name.
    pub fn named(&self, name: &str) -> Result<&Provider, UnknownProvider> {
        self.iter().find(|provider| provider.name == name).ok_or_else(|| UnknownProvider {
            name: name.to_owned(),
            hint: config::nearest(name, self.iter().map(|provider| provider.name.as_str())),
        })
    }
}

/// Models that were added to a provider, nobody knows, and are called nearly as one that it had.
fn near_misses(before: &Provider, after: &Provider, catalog: &Catalog) -> Vec<String> {
    let had = Catalog::new(before.models.iter().map(|offer| offer.name.as_str()));
    let is_new = |offer: &&Offer| had.model(&offer.name).is_none() && catalog.model(&offer.name).is_none();
    let note = |offer: &Offer| {
        let (name, near, provider) = (&offer.name, had.nearest(&offer.name)?, &before.name);
        let is_changed = before.model(near) != after.model(near);
        let how = if is_changed { "changed as well" } else { "unchanged" };
        Some(format!("\"{name}\" was added to the models of {provider}; did you mean \"{near}\", which is {how}?"))
    };
    after.models.iter().filter(is_new).filter_map(note).collect()
}

/// There is no provider of this name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnknownProvider {
    name: String,
    hint: String,
}

impl fmt::Display for UnknownProvider {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let file = if is_path(&self.name) { "; a file of providers is named by --providers" } else { "" };
        write!(f, "there is no provider \"{}\", {}{file}", self.name, self.hint)
    }
}

impl std::error::Error for UnknownProvider {}

#[cfg(test)]
mod tests;
