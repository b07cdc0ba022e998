//! Which models there are, so that a misspelt name fails before it is sent.

mod built_in;
#[cfg(feature = "bench")]
mod file;

use serde::Serialize;

use super::error::{Error, ErrorKind};
use crate::pricing::Quote;

/// How alike (0 to 1) a known name must be to be suggested; below, names share little but hyphens and digits.
const ALIKE: f64 = 0.7;

/// The models that may be asked. The default are the tutorial's eight.
#[derive(Clone, Debug, PartialEq)]
pub struct Catalog(Vec<KnownModel>);

/// What is known of a model. Only its name must be.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct KnownModel {
    /// As it is asked for.
    pub name: String,
    /// As people call it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub label: Option<String>,
    /// Who made it: `openai`, `anthropic`, `google`, `deepseek`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub vendor: Option<String>,
    /// The most tokens of prompt and completion together.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub context_window: Option<u64>,
    /// Other names that it may be asked by; what is sent is the name.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub aliases: Vec<String>,
    /// What its vendor takes for it by its own list.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub list_price: Option<Quote>,
}

impl KnownModel {
    /// A model of which only the name is known.
    pub fn new(name: impl Into<String>) -> Self {
        Self { name: name.into(), label: None, vendor: None, context_window: None, aliases: Vec::new(), list_price: None }
    }

    fn is_called(&self, name: &str) -> bool {
        self.name == name || self.aliases.iter().any(|alias| alias == name)
    }
}

impl Catalog {
    /// These names, of which nothing else is known.
    pub fn new<T: Into<String>>(names: impl IntoIterator<Item = T>) -> Self {
        Self(names.into_iter().map(KnownModel::new).collect())
    }

    /// The names, in the order they were given.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(|model| model.name.as_str())
    }

    /// The models, in the order they were given.
    pub fn models(&self) -> impl Iterator<Item = &KnownModel> {
        self.0.iter()
    }

    /// The model of this name or alias.
    pub fn model(&self, name: &str) -> Option<&KnownModel> {
        self.0.iter().find(|model| model.is_called(name))
    }

    /// The name under which a model is asked, given that or one of its aliases.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::UnknownModel`], with the nearest name where one is near.
    pub fn resolve(&self, model: &str) -> Result<&str, Error> {
        self.model(model).map(|known| known.name.as_str()).ok_or_else(|| self.unknown(model))
    }

    /// Adds the models of another catalog. One that has a known one's name takes its place, and names and aliases of those that come
    /// are no longer aliases of those that were there.
    pub fn extend_from(&mut self, other: Self) {
        for model in other.0 {
            self.0.iter_mut().for_each(|known| known.aliases.retain(|alias| !model.is_called(alias)));
            match self.0.iter_mut().find(|known| known.name == model.name) {
                Some(known) => *known = model,
                None => self.0.push(model),
            }
        }
    }

    /// These names alone, with what is known of them. None of them stands for another model any more.
    #[cfg(feature = "bench")]
    pub(crate) fn narrowed_to<'a>(&self, names: impl Iterator<Item = &'a str> + Clone) -> Self {
        let known = names.clone().map(|name| {
            let mut model = self.0.iter().find(|model| model.name == name).cloned().unwrap_or_else(|| KnownModel::new(name));
            model.aliases.retain(|alias| !names.clone().any(|name| name == alias));
            model
        });
        Self(known.collect())
    }

    fn unknown(&self, model: &str) -> Error {
        let hint = match self.nearest(model) {
            Some(name) => format!("; did you mean {name:?}?"),
            None => String::new(),
        };
        let known = self.names().collect::<Vec<_>>().join(", ");
        Error::of(ErrorKind::UnknownModel, format!("unknown model {model:?}{hint} (known: {known})"))
    }

    /// The name to which, or to an alias of which, the fewest changes of a letter lead, if these are few for its length. Of several
    /// the first in the catalog. Upper and lower case are the same.
    pub(crate) fn nearest(&self, model: &str) -> Option<&str> {
        let asked = model.to_lowercase();
        let called =
            |model: &KnownModel| model.aliases.iter().chain([&model.name]).map(|name| name.to_lowercase()).collect::<Vec<_>>();
        let calls = self.0.iter().flat_map(|model| called(model).into_iter().map(|call| (call, model.name.as_str())));
        let near = calls.filter(|(call, _)| strsim::normalized_damerau_levenshtein(call, &asked) >= ALIKE);
        near.min_by_key(|(call, _)| strsim::damerau_levenshtein(call, &asked)).map(|(_, name)| name)
    }
}

/// The models of the tutorial's relay.
impl Default for Catalog {
    fn default() -> Self {
        Self(built_in::models())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_misspelt_model_is_answered_with_the_nearest_name() {
        let catalog = Catalog::new(["gpt-4.1", "gpt-4o"]);
        assert_eq!(
            catalog.resolve("gpt-4.l").unwrap_err().to_string(),
            "unknown model \"gpt-4.l\"; did you mean \"gpt-4.1\"? (known: gpt-4.1, gpt-4o)"
        );
        assert!(!catalog.resolve("llama").unwrap_err().to_string().contains("did you mean"));
        assert_eq!(catalog.resolve("gpt-4o").unwrap(), "gpt-4o");
    }

    #[test]
    fn the_catalog_has_the_tutorials_eight_models_and_knows_all_of_each() {
        let catalog = Catalog::default();
        assert_eq!(catalog.names().count(), 8);
        for model in catalog.models() {
            assert!(model.label.is_some() && model.vendor.is_some() && model.context_window.is_some(), "{model:?}");
            assert!(model.list_price.is_some() && !model.aliases.is_empty(), "{model:?}");
        }
    }

    #[test]
    fn no_name_or_alias_means_two_models() {
        let catalog = Catalog::default();
        let calls: Vec<&str> =
            catalog.models().flat_map(|model| model.aliases.iter().chain([&model.name])).map(String::as_str).collect();
        for call in &calls {
            assert_eq!(calls.iter().filter(|other| *other == call).count(), 1, "{call}");
        }
    }

    #[test]
    fn an_alias_stands_for_the_name_and_one_misspelt_leads_to_it() {
        let catalog = Catalog::default();
        assert_eq!(catalog.resolve("claude-sonnet-4.5").unwrap(), "claude-sonnet-4-20250514");
        assert_eq!(catalog.nearest("claude-sonet-4.5"), Some("claude-sonnet-4-20250514"));
        assert_eq!(catalog.nearest("GPT-4.1"), Some("gpt-4.1"));
    }

    #[test]
    fn what_is_added_under_a_known_name_takes_its_place() {
        let mut catalog = Catalog::default();
        let mine = KnownModel { aliases: vec!["deepseek-v3".to_owned()], ..KnownModel::new("my-model") };
        catalog.extend_from(Catalog(vec![KnownModel::new("gpt-4o"), mine]));
        assert_eq!(catalog.names().count(), 9);
        assert_eq!(catalog.model("gpt-4o"), Some(&KnownModel::new("gpt-4o")));
        assert_eq!(catalog.resolve("deepseek-v3").unwrap(), "my-model");
    }
}
