//! What a month costs, by provider: of so many tokens, or of as many requests as a run measured.
//!
//! ```
//! use relaybench::client::Catalog;
//! use relaybench::cost::{Cost, Demand};
//! use relaybench::provider::Providers;
//!
//! let demand = Demand::parse(
//!     r#"
//!     name = "assistant"
//!     [[use]]
//!     model = "gpt-4.1"
//!     input = "10M"
//!     output = "2M"
//!     "#,
//!     "assistant.toml",
//! )?;
//! let cost = Cost::of(demand, Providers::built_in().iter(), &Catalog::default());
//! assert_eq!(cost.providers[0].total_usd, Some(96.0)); // 12 million at $8
//! # Ok::<(), relaybench_mock::config::ConfigError>(())
//! ```

mod demand;
mod measured;
mod savings;
mod table;

use serde::Serialize;

use crate::client::Catalog;
use crate::pricing::Quote;
use crate::provider::Provider;

pub use demand::{Demand, Tokens, Use};
pub use measured::{Measured, MeasuredError};
pub use savings::{Saving, Savings, Side};

/// What a demand costs at each of several providers.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Cost {
    /// [`Cost::SCHEMA`].
    pub schema: &'static str,
    /// What is asked for in a month.
    pub demand: Demand,
    /// What is taken to be so.
    pub assumptions: Vec<String>,
    /// A row for each provider.
    pub providers: Vec<ProviderCost>,
}

/// What a demand costs at one provider, in a month.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ProviderCost {
    /// What commands call it.
    pub name: String,
    /// What people call it.
    pub title: String,
    /// Of all models; none where one of them cannot be had, or has no price.
    pub total_usd: Option<f64>,
    /// When every attempt is billed, also those that failed; none as for the total.
    pub most_usd: Option<f64>,
    /// A row for each model.
    pub models: Vec<ModelCost>,
}

/// What the use of one model costs at one provider, in a month.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ModelCost {
    /// Which.
    pub model: String,
    /// The cost; none where there is none, for the reason beside it.
    pub usd: Option<f64>,
    /// When every attempt is billed.
    pub most_usd: Option<f64>,
    /// The price it is calculated by.
    pub price: Option<Quote>,
    /// Whether that is the vendor's list price, for want of the provider's own.
    pub is_list_price: bool,
    /// Why there is no cost.
    pub missing: Option<Missing>,
}

/// Why the use of a model has no cost at a provider.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Missing {
    /// It cannot be asked for there.
    NotServed,
    /// It can, but nobody says at which price.
    NoPrice,
}

impl Cost {
    /// The schema of the JSON.
    pub const SCHEMA: &str = "relaybench.cost/1";

    /// What the demand costs at these providers.
    pub fn of<'a>(demand: Demand, providers: impl IntoIterator<Item = &'a Provider>, catalog: &Catalog) -> Self {
        let providers: Vec<_> = providers.into_iter().map(|provider| at(provider, &demand, catalog)).collect();
        Self { schema: Self::SCHEMA, assumptions: assumptions(&demand, &providers, catalog), demand, providers }
    }

    /// As JSON, with a newline at its end.
    pub fn to_json(&self) -> String {
        json(self)
    }

    /// As text for a terminal, ending in a newline. No line is longer than 100 columns.
    pub fn table(&self) -> String {
        table::cost(self)
    }
}

fn json(value: &impl Serialize) -> String {
    let mut json = serde_json::to_string_pretty(value).expect("it has only string keys and finite numbers");
    json.push('\n');
    json
}

fn at(provider: &Provider, demand: &Demand, catalog: &Catalog) -> ProviderCost {
    let models: Vec<ModelCost> = demand.uses.iter().map(|usage| of_model(provider, usage, demand, catalog)).collect();
    ProviderCost {
        name: provider.name.clone(),
        title: provider.title.clone(),
        // A sum over options is none as soon as one is: what cannot be had is not free.
        total_usd: models.iter().map(|model| model.usd).sum(),
        most_usd: models.iter().map(|model| model.most_usd).sum(),
        models,
    }
}

fn of_model(provider: &Provider, usage: &Use, demand: &Demand, catalog: &Catalog) -> ModelCost {
    let none = |missing| ModelCost {
        model: usage.model.clone(),
        usd: None,
        most_usd: None,
        price: None,
        is_list_price: false,
        missing: Some(missing),
    };
    let Some(offer) = provider.model(&usage.model).filter(|offer| offer.is_served) else { return none(Missing::NotServed) };
    let Some(quote) = provider.quote(&usage.model, catalog) else { return none(Missing::NoPrice) };
    let usd = usage.usd(quote, demand.cached_share);
    ModelCost {
        model: usage.model.clone(),
        usd: Some(usd),
        most_usd: Some(usd * (1.0 + usage.wasted_attempts)),
        price: Some(quote.clone()),
        is_list_price: offer.quote.is_none(),
        missing: None,
    }
}

impl Use {
    /// What this costs at a price, with such a share of the input cached.
    fn usd(&self, quote: &Quote, cached_share: f64) -> f64 {
        let price = quote.price;
        let cached = cached_share * price.cached_input_usd_per_mtok.unwrap_or(price.input_usd_per_mtok);
        let input = cached + (1.0 - cached_share) * price.input_usd_per_mtok;
        (self.input_tokens * input + self.output_tokens * price.output_usd_per_mtok) / 1e6
    }
}

fn assumptions(demand: &Demand, providers: &[ProviderCost], catalog: &Catalog) -> Vec<String> {
    let mut assumptions =
        vec!["A month of these tokens at the prices named below; no free credit, discount or minimum.".to_owned()];
    let models = || providers.iter().flat_map(|provider| &provider.models);
    if demand.cached_share > 0.0 {
        let share = (demand.cached_share * 1e11).round() / 1e9;
        let full =
            if models().any(|model| model.price.as_ref().is_some_and(|quote| quote.price.cached_input_usd_per_mtok.is_none())) {
                "; where a price tells none for cached input, all of it is paid in full"
            } else {
                ""
            };
        assumptions.push(format!("{share} % of the input is read from the provider's cache{full}."));
    } else {
        assumptions.push("No input is read from a provider's cache.".to_owned());
    }
    let compiled_in = Catalog::default();
    let list_price = |catalog: &Catalog, model: &str| catalog.model(model).and_then(|model| model.list_price.clone());
    let is_own = |model: &str| list_price(catalog, model) != list_price(&compiled_in, model);
    let mut own: Vec<&str> =
        models().filter(|model| model.is_list_price && is_own(&model.model)).map(|model| model.model.as_str()).collect();
    own.sort_unstable();
    own.dedup();
    if !own.is_empty() {
        let own = own.join(", ");
        assumptions.push(format!("The list price that was given of {own} takes the place of what is built in (marked *)."));
    }
    if models().any(|model| model.is_list_price && !is_own(&model.model)) {
        assumptions.push("Where a provider names no price of its own, the vendor's list price stands in (marked *).".to_owned());
    }
    assumptions.extend(demand.measured.iter().flat_map(Measured::assumptions));
    assumptions
}
