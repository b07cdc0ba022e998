//! What is known of providers and models: what is compiled in, and what files of one's own say.

use clap::Args;
use relaybench::client::Catalog;
use relaybench::pricing::Prices;
use relaybench::provider::Providers;

const PROVIDERS_FILE: &str = "RELAYBENCH_PROVIDERS_FILE";
const MODELS_FILE: &str = "RELAYBENCH_MODELS_FILE";

#[derive(Debug, Args)]
pub(crate) struct KnownArgs {
    /// A TOML file that changes providers (their prices, say) or adds others; it wins over what is built in
    /// [env: RELAYBENCH_PROVIDERS_FILE]
    #[arg(long, value_name = "FILE")]
    providers: Option<String>,
    /// A TOML file of models that are added to the catalog, or take a model's place in it; their prices win over what is built in
    /// [env: RELAYBENCH_MODELS_FILE]
    #[arg(long, value_name = "FILE")]
    models: Option<String>,
}

/// Providers and models.
#[derive(Debug)]
pub(crate) struct Known {
    pub(crate) providers: Providers,
    pub(crate) catalog: Catalog,
}

impl KnownArgs {
    #[expect(clippy::print_stderr, reason = "stdout is for the result")]
    pub(crate) fn load(&self) -> anyhow::Result<Known> {
        let named = |flag: &Option<String>, variable: &str| {
            let set = || std::env::var(variable).ok().filter(|path| !path.trim().is_empty());
            flag.clone().or_else(set)
        };
        let mut known = Known { providers: Providers::built_in(), catalog: Catalog::default() };
        if let Some(path) = named(&self.models, MODELS_FILE) {
            let own = known.catalog.extend_from_file(&path)?;
            known.providers.forget_prices_of(&own);
        }
        if let Some(path) = named(&self.providers, PROVIDERS_FILE) {
            let notes = known.providers.extend_from_file(&path, &known.catalog)?;
            notes.iter().for_each(|note| eprintln!("note: {note}"));
        }
        Ok(known)
    }
}

impl Known {
    /// The catalog with what providers have of their own.
    pub(crate) fn all_models(&self) -> Catalog {
        let mut all = self.catalog.clone();
        let own = self.providers.iter().flat_map(|provider| &provider.models).map(|offer| offer.name.as_str());
        all.extend_from(Catalog::new(own.filter(|name| self.catalog.model(name).is_none())));
        all
    }

    pub(crate) fn prices(&self) -> Prices {
        Prices::of_all(&self.providers, &self.catalog)
    }
}
