//! The prices that hold for a run.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use serde::{Deserialize, Serialize};

use super::Price;
use crate::client::Catalog;
use crate::provider::{Provider, Providers};

/// Prices by model.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Prices(BTreeMap<String, Price>);

static BUILT_IN: LazyLock<Prices> = LazyLock::new(|| Prices::of_all(&Providers::built_in(), &Catalog::default()));

impl Price {
    /// The price of a model, as far as one is compiled in: [`Prices::built_in`].
    pub fn of(model: &str) -> Option<Self> {
        BUILT_IN.of(model)
    }

    /// The dearest price that is compiled in, to bound what a model without a known price may cost.
    pub fn dearest() -> Self {
        BUILT_IN.dearest()
    }
}

impl Prices {
    /// What the relay of the tutorial takes; for models that it names no price for, what another provider takes; for those that none
    /// does, the vendor's list price.
    pub fn built_in() -> &'static Self {
        &BUILT_IN
    }

    /// What the first of these providers that names a price takes, and else the catalog's list price.
    pub fn of_all(providers: &Providers, catalog: &Catalog) -> Self {
        let mut prices = Self::listed(catalog);
        let quoted = providers.iter().rev().flat_map(|provider| provider.models.iter().filter(|model| model.is_served));
        prices.0.extend(quoted.filter_map(|model| Some((model.name.clone(), model.quote.as_ref()?.price))));
        prices
    }

    /// What one provider takes, by its own names too, and else the catalog's list price of what it serves.
    pub fn at(provider: &Provider, catalog: &Catalog) -> Self {
        let priced = provider.models.iter().filter(|model| model.is_served).filter_map(|model| {
            let price = provider.quote(&model.name, catalog)?.price;
            Some([(model.name.clone(), price), (model.own_name.clone(), price)])
        });
        Self(priced.flatten().collect())
    }

    fn listed(catalog: &Catalog) -> Self {
        let listed = catalog.models().filter_map(|model| Some((model.name.clone(), model.list_price.as_ref()?.price)));
        Self(listed.collect())
    }

    /// The price of a model.
    pub fn of(&self, model: &str) -> Option<Price> {
        self.0.get(model).copied()
    }

    /// Those of these models alone.
    pub fn only<'a>(&self, models: impl IntoIterator<Item = &'a str>) -> Self {
        Self(models.into_iter().filter_map(|model| Some((model.to_owned(), self.of(model)?))).collect())
    }

    /// The dearest of each direction.
    pub fn dearest(&self) -> Price {
        self.0.values().copied().fold(Price::flat(0.0), Price::or_dearer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn costs_equal_the_calculation_by_hand() {
        let price = Price::of("gpt-4.1").unwrap();
        assert_eq!(price.cost_usd(0, 10_000_000), 80.0);
        assert_eq!(price.cost_usd(1_000_000, 1_000_000), 16.0);
        assert_eq!(Price::of("gpt-5"), None);
    }

    #[test]
    fn an_unknown_model_is_bounded_by_the_dearest() {
        assert_eq!(Price::dearest(), Price::flat(15.0));
    }

    #[test]
    fn the_relay_s_price_comes_first_then_the_vendor_s_and_every_model_has_one() {
        assert_eq!(Price::of("deepseek-v3.2"), Some(Price::flat(0.42)));
        assert_eq!(Price::of("gpt-4o").unwrap().cost_usd(1_000_000, 1_000_000), 12.5);
        assert!(Catalog::default().names().all(|name| Price::of(name).is_some()));
    }

    #[test]
    fn a_provider_s_own_price_holds_for_what_it_serves_alone() {
        let providers = Providers::built_in();
        let prices = |name| Prices::at(providers.named(name).unwrap(), &Catalog::default());
        assert_eq!(prices("openai").of("gpt-4.1"), Some(Price::flat(15.0)));
        assert_eq!(prices("holysheep").of("gpt-4.1"), Some(Price::flat(8.0)));
        assert_eq!(prices("openai").of("gemini-2.5-flash"), None, "OpenAI does not serve it");
        assert_eq!(prices("groq").of("gpt-4.1"), None);
    }
}
