//! Catalogs as files.

use std::collections::HashSet;
use std::fs;

use relaybench_mock::config::{self, ConfigError, LoadError, Problem, Spanned};
use serde::{Deserialize, Serialize};

use super::{Catalog, KnownModel};
use crate::pricing::raw::{RawQuote, words};
use crate::provider::Providers;

impl Catalog {
    /// The models of a TOML file, and no others. `origin` is the file's name in errors.
    ///
    /// | key of `[[model]]` | meaning | default |
    /// |---|---|---|
    /// | `name` | as it is asked for | required |
    /// | `label` | as people call it | none |
    /// | `vendor` | who made it | none |
    /// | `context_window` | the most tokens of prompt and completion together: a whole number from 1 | unknown |
    /// | `aliases` | other names that it may be asked by | none |
    /// | `list_price` | what its vendor takes: `input_usd_per_mtok`, `cached_input_usd_per_mtok` (may be left out), `output_usd_per_mtok`, `source`, `date` | unknown |
    ///
    /// ```
    /// use relaybench::client::Catalog;
    ///
    /// let mut catalog = Catalog::default();
    /// catalog.extend_from(Catalog::from_toml(
    ///     r#"
    ///     [[model]]
    ///     name = "my-model"
    ///     aliases = ["mine"]
    ///     list_price = { input_usd_per_mtok = 0.5, output_usd_per_mtok = 1.5, source = "the contract", date = "2025-11" }
    ///     "#,
    ///     "models.toml",
    /// )?);
    /// assert_eq!(catalog.resolve("mine")?, "my-model");
    ///
    /// let refusal = Catalog::from_toml("[[model]]\nname = \"a\"\n[[model]]\nname = \"a\"\n", "models.toml").unwrap_err();
    /// assert_eq!(refusal.to_string(), "models.toml:4: model.name: a second model is called \"a\"; give it another name");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    ///
    /// The first thing that is wrong, with its line: an unknown key, a name or alias that means two models, a negative price, a price
    /// without source and date.
    pub fn from_toml(text: &str, origin: &str) -> Result<Self, ConfigError> {
        config::parse_valid(text, origin, |raw: RawCatalog| raw.valid(&Self(Vec::new()), &[]))
    }

    /// As [`from_toml`](Self::from_toml), from the file at a path.
    ///
    /// # Errors
    ///
    /// When it cannot be read, and when it is wrong.
    pub fn from_file(path: &str) -> Result<Self, LoadError> {
        let text = fs::read_to_string(path);
        let text = text.map_err(|source| LoadError::Unreadable { what: "catalog", path: path.to_owned(), source })?;
        Ok(Self::from_toml(&text, path)?)
    }

    /// Adds the models of a TOML file, as [`extend_from`](Self::extend_from) does, and gives those alone.
    ///
    /// # Errors
    ///
    /// As for [`from_file`](Self::from_file), and a name or an alias that means another model that is known, of the catalog or of a
    /// provider that is compiled in. Nothing was changed then.
    pub fn extend_from_file(&mut self, path: &str) -> Result<Self, LoadError> {
        let text = fs::read_to_string(path);
        let text = text.map_err(|source| LoadError::Unreadable { what: "catalog", path: path.to_owned(), source })?;
        let own: Self = config::parse_valid(&text, path, |raw: RawCatalog| raw.valid(self, &provided()))?;
        self.extend_from(own.clone());
        Ok(own)
    }

    /// The catalog as such a file.
    pub fn to_toml(&self) -> String {
        #[derive(Serialize)]
        struct Written<'a> {
            model: Vec<&'a KnownModel>,
        }
        toml::to_string(&Written { model: self.models().collect() }).expect("names, numbers and tables of them are TOML")
    }
}

/// What the providers that are compiled in call their models, and the name of each.
fn provided() -> Vec<(String, String)> {
    let providers = Providers::built_in();
    let offers = providers.iter().flat_map(|provider| &provider.models);
    offers.flat_map(|offer| [(offer.name.clone(), offer.name.clone()), (offer.own_name.clone(), offer.name.clone())]).collect()
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawCatalog {
    model: Spanned<Vec<RawModel>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawModel {
    name: Spanned<String>,
    label: Option<Spanned<String>>,
    vendor: Option<Spanned<String>>,
    context_window: Option<Spanned<u64>>,
    #[serde(default)]
    aliases: Vec<Spanned<String>>,
    list_price: Option<RawQuote>,
}

impl RawCatalog {
    /// `known`: other models, whose names and aliases are taken, unless one of this file takes their place. `provided`: what providers
    /// call models, and their names.
    fn valid(self, known: &Catalog, provided: &[(String, String)]) -> Result<Catalog, Problem> {
        if self.model.get_ref().is_empty() {
            return Err(Problem::at(&self.model, "there is no model; write [[model]] and a name"));
        }
        let mut calls = HashSet::new();
        for call in self.model.get_ref().iter().flat_map(|model| model.aliases.iter().chain([&model.name])) {
            words(call)?;
        }
        // Names come first: of a name and an alias that are the same, the alias is wrong.
        for model in self.model.get_ref() {
            if !calls.insert(model.name.get_ref().as_str()) {
                let message = format!("a second model is called \"{}\"; give it another name", model.name.get_ref());
                return Err(Problem::at(&model.name, message));
            }
        }
        for alias in self.model.get_ref().iter().flat_map(|model| &model.aliases) {
            let is_known = known.names().any(|name| name == alias.get_ref());
            if !calls.insert(alias.get_ref().as_str()) || is_known {
                return Err(Problem::at(
                    alias,
                    format!("\"{}\" means a model already; remove it here or there", alias.get_ref()),
                ));
            }
        }
        let is_here = |name: &str| self.model.get_ref().iter().any(|model| model.name.get_ref() == name);
        for model in self.model.get_ref() {
            let name = model.name.get_ref();
            for call in model.aliases.iter().chain([&model.name]) {
                let of_catalog = known.model(call.get_ref()).map(|known| &known.name).filter(|known| !is_here(known));
                let of_provider = provided.iter().find(|(provided, of)| provided == call.get_ref() && of != name);
                if let Some(other) = of_catalog.or(of_provider.map(|(_, of)| of)) {
                    let message = format!("\"{}\" means the model \"{other}\" already; write another name", call.get_ref());
                    return Err(Problem::at(call, message));
                }
            }
        }
        self.model.get_ref().iter().map(RawModel::valid).collect::<Result<_, _>>().map(Catalog)
    }
}

impl RawModel {
    fn valid(&self) -> Result<KnownModel, Problem> {
        if let Some(none) = self.context_window.as_ref().filter(|window| *window.get_ref() == 0) {
            return Err(Problem::at(
                none,
                "0 tokens hold nothing; write a whole number from 1, or leave it out where it is unknown",
            ));
        }
        Ok(KnownModel {
            name: self.name.get_ref().clone(),
            label: self.label.as_ref().map(words).transpose()?,
            vendor: self.vendor.as_ref().map(words).transpose()?,
            context_window: self.context_window.as_ref().map(|window| *window.get_ref()),
            aliases: self.aliases.iter().map(|alias| alias.get_ref().clone()).collect(),
            list_price: self.list_price.as_ref().map(RawQuote::valid).transpose()?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_alias_that_is_another_models_name_is_refused_with_its_line_and_changes_nothing() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("models.toml");
        fs::write(&path, "[[model]]\nname = \"mine\"\naliases = [\"m\", \"gpt-4o\"]\n").unwrap();
        let mut catalog = Catalog::default();
        let refusal = catalog.extend_from_file(path.to_str().unwrap()).unwrap_err().to_string();
        assert!(
            refusal.ends_with("models.toml:3: model.aliases: \"gpt-4o\" means a model already; remove it here or there"),
            "{refusal}"
        );
        assert_eq!(catalog, Catalog::default());
    }

    #[test]
    fn what_means_another_model_is_refused_with_its_line_unless_that_is_told_anew() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("models.toml");
        let path = path.to_str().unwrap();
        let extended = |toml: &str| {
            fs::write(path, toml).unwrap();
            Catalog::default().extend_from_file(path).map_err(|error| error.to_string())
        };
        for (toml, line, call) in [
            ("[[model]]\nname = \"mine\"\naliases = [\"claude-sonnet-4.5\"]\n", 3, "claude-sonnet-4.5"),
            ("[[model]]\nname = \"claude-sonnet-4.5\"\n", 2, "claude-sonnet-4.5"),
            ("[[model]]\nname = \"mine\"\naliases = [\"llama-3.3-70b-versatile\"]\n", 3, "llama-3.3-70b-versatile"),
        ] {
            let refusal = extended(toml).unwrap_err();
            assert!(
                refusal.contains(&format!("models.toml:{line}: ")) && refusal.contains(&format!("\"{call}\" means")),
                "{refusal}"
            );
        }
        let anew =
            "[[model]]\nname = \"claude-sonnet-4-20250514\"\n[[model]]\nname = \"mine\"\naliases = [\"claude-sonnet-4.5\"]\n";
        assert!(extended(anew).is_ok());
        assert!(extended("[[model]]\nname = \"llama-3.3-70b-versatile\"\n").is_ok(), "a provider's model may be told of");
        assert!(extended(&Catalog::default().to_toml()).is_ok(), "what was written may be read");
    }
}
