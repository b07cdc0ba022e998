//! A scenario as it is played at a provider.

use super::Provider;
use crate::client::Catalog;
use crate::load::Scenario;
use crate::pricing::Prices;

/// A model that a provider does not serve, and what it was asked instead.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StandIn {
    /// What the scenario wants.
    pub wanted: String,
    /// What is asked.
    pub asked: String,
}

impl Provider {
    /// The scenario with this provider's own model names and prices, and against its mock profile. What was published for a stage
    /// stays only where it was published of this profile. Models are wanted by the catalog's names.
    pub fn play(&self, scenario: &Scenario, catalog: &Catalog) -> (Scenario, Vec<StandIn>) {
        let mut played = scenario.clone();
        let wanted = &scenario.request.models;
        played.request.models = wanted.renamed(|model| &self.asked_for(model).offer.own_name);
        played.request.prices = Prices::at(self, catalog);
        if scenario.profile != self.profile_name {
            played.stages.iter_mut().for_each(|stage| stage.published = None);
        }
        played.profile.clone_from(&self.profile_name);
        let stand_ins = wanted.names().map(|model| (model, self.asked_for(model))).filter(|(_, asked)| !asked.is_wanted);
        let stand_ins = stand_ins.map(|(model, asked)| StandIn { wanted: model.to_owned(), asked: asked.offer.own_name.clone() });
        (played, stand_ins.collect())
    }

    /// The models that can be asked there, by its own names, with what the catalog knows of them.
    pub fn catalog(&self, known: &Catalog) -> Catalog {
        known.narrowed_to(self.models.iter().filter(|offer| offer.is_served).map(|offer| offer.own_name.as_str()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pricing::Price;
    use crate::provider::Providers;

    #[test]
    fn a_scenario_asks_each_for_what_it_serves_at_its_own_price_and_keeps_what_was_published_of_it_alone() {
        let (providers, catalog) = (Providers::built_in(), Catalog::default());
        let tutorial = Scenario::load("tutorial").unwrap();
        let play = |name| providers.named(name).unwrap().play(&tutorial, &catalog);
        let (holysheep, stand_ins) = play("holysheep");
        assert!(
            stand_ins.is_empty() && holysheep.stages == tutorial.stages && holysheep.request.models == tutorial.request.models
        );
        let (openai, stand_ins) = play("openai");
        assert!(stand_ins.is_empty() && openai.stages.iter().all(|stage| stage.published.is_none()));
        assert_eq!(openai.request.prices.of("gpt-4.1"), Some(Price::flat(15.0)));
        let (groq, stand_ins) = play("groq");
        assert_eq!(groq.request.models.first(), "llama-3.3-70b-versatile");
        let asked = "llama-3.3-70b-versatile".to_owned();
        assert_eq!((groq.profile.as_str(), stand_ins), ("groq", vec![StandIn { wanted: "gpt-4.1".to_owned(), asked }]));
    }
}
