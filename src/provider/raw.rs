//! Providers as they are written, and the checks that make them valid.

use std::path::Path;

use relaybench_mock::Profile;
use relaybench_mock::config::{Problem, Spanned, is_path, nearest};
use serde::Deserialize;

use super::base_url::{filled, is_variable};
use super::{Figures, Limits, Offer, Provider, Published};
use crate::client::Catalog;
use crate::pricing::raw::{RawQuote, date, words};

/// A file that changes providers and adds others.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawFile {
    provider: Spanned<Vec<Spanned<RawProvider>>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawProvider {
    name: Spanned<String>,
    title: Option<Spanned<String>>,
    base_url: Option<Spanned<String>>,
    key_variable: Option<Spanned<String>>,
    dialect: Option<Spanned<String>>,
    profile: Option<Spanned<String>>,
    default_model: Option<Spanned<String>>,
    published: Option<RawPublished>,
    limits: Option<RawLimits>,
    #[serde(default)]
    model: Vec<RawOffer>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawPublished {
    source: Spanned<String>,
    date: Spanned<String>,
    mean_ms: Option<Spanned<f64>>,
    throughput_rps: Option<Spanned<f64>>,
    limit: Option<Spanned<String>>,
    payment: Option<Spanned<String>>,
    models: Option<Spanned<String>>,
    credit: Option<Spanned<String>>,
    fit: Option<Spanned<String>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawLimits {
    source: Spanned<String>,
    date: Spanned<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawOffer {
    name: Spanned<String>,
    own_name: Option<Spanned<String>>,
    served: Option<bool>,
    price: Option<RawQuote>,
}

impl RawFile {
    /// The known providers with what the file says of them, and those that it adds.
    pub(super) fn valid(self, known: &[Provider], catalog: &Catalog, origin: &str) -> Result<Vec<Provider>, Problem> {
        if self.provider.get_ref().is_empty() {
            return Err(Problem::at(&self.provider, "there is no provider; write [[provider]] and a name"));
        }
        let mut providers = known.to_vec();
        let mut seen: Vec<String> = Vec::new();
        for raw in self.provider.into_inner() {
            let raw = raw.into_inner();
            let name = raw.name.get_ref().clone();
            if seen.contains(&name) {
                return Err(Problem::at(
                    &raw.name,
                    format!("a second provider is called \"{name}\"; say all of it in one place"),
                ));
            }
            match providers.iter_mut().find(|provider| provider.name == name) {
                Some(provider) => *provider = raw.valid(Some(provider), catalog, origin)?,
                None => providers.push(new(raw, known, catalog, origin)?),
            }
            seen.push(name);
        }
        Ok(providers)
    }
}

/// A provider that is not known yet. Where most of what it needs is missing, a known one was probably meant.
fn new(raw: RawProvider, known: &[Provider], catalog: &Catalog, origin: &str) -> Result<Provider, Problem> {
    if raw.base_url.is_none() && raw.profile.is_none() && raw.default_model.is_none() {
        let name = name(&raw.name)?;
        let hint = nearest(&name, known.iter().map(|provider| provider.name.as_str()));
        let needs = "a new one needs base_url, key_variable, dialect, profile and default_model";
        return Err(Problem::at(&raw.name, format!("there is no provider \"{name}\" to change, {hint} ({needs})")));
    }
    raw.valid(None, catalog, origin)
}

impl RawProvider {
    /// `known`: what holds where nothing is said. `catalog`: whose aliases stand for its names. `origin`: the file, from which others are
    /// found.
    pub(super) fn valid(self, known: Option<&Provider>, catalog: &Catalog, origin: &str) -> Result<Provider, Problem> {
        let required = |raw: &Option<Spanned<String>>, key: &str, known: Option<&String>| match (raw, known) {
            (Some(raw), _) => words(raw),
            (None, Some(known)) => Ok(known.clone()),
            (None, None) => Err(Problem::at(&self.name, format!("the provider's key \"{key}\" is missing"))),
        };
        let name = name(&self.name)?;
        let base_url = required(&self.base_url, "base_url", known.map(|known| &known.base_url))?;
        self.base_url.as_ref().map_or(Ok(()), check_base_url)?;
        let key_variable = required(&self.key_variable, "key_variable", known.map(|known| &known.key_variable))?;
        self.key_variable.as_ref().map_or(Ok(()), check_variable)?;
        let dialect = required(&self.dialect, "dialect", known.map(|known| &known.dialect))?;
        self.dialect.as_ref().map_or(Ok(()), check_dialect)?;
        let profile_name = required(&self.profile, "profile", known.map(|known| &known.profile_name))?;
        let profile = match (&self.profile, known) {
            (None, Some(known)) => known.profile.clone(),
            (written, _) => profile(&profile_name, written.as_ref().unwrap_or(&self.name), origin)?,
        };
        if dialect != profile.dialect() {
            let place = self.dialect.as_ref().or(self.profile.as_ref()).unwrap_or(&self.name);
            let message =
                format!("the profile \"{profile_name}\" speaks \"{}\", and the provider \"{dialect}\"", profile.dialect());
            return Err(Problem::at(place, format!("{message}; write the same in both")));
        }
        let models = offers(&self.model, known.map_or(&[], |known| &known.models), catalog)?;
        let default_model = required(&self.default_model, "default_model", known.map(|known| &known.default_model))?;
        let default_model = offered_as(&default_model, &models, catalog).unwrap_or(default_model);
        check_default(&default_model, &models, self.default_model.as_ref().unwrap_or(&self.name))?;
        Ok(Provider {
            title: self.title.as_ref().map(words).transpose()?.or(known.map(|known| known.title.clone())).unwrap_or(name.clone()),
            published: match (self.published, known) {
                (None, Some(known)) => known.published.clone(),
                (written, _) => written.map(RawPublished::valid).transpose()?,
            },
            limits: limits(self.limits.as_ref(), known, self.profile.as_ref(), &profile, &self.name)?,
            name,
            base_url,
            key_variable,
            dialect,
            profile_name,
            profile,
            default_model,
            models,
        })
    }
}

/// What a command line calls all providers.
const ALL: &str = "all";

/// It is part of paths and of lists on the command line.
fn name(raw: &Spanned<String>) -> Result<String, Problem> {
    let name = raw.get_ref();
    let is_plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-' || c == '_';
    if name == ALL {
        return Err(Problem::at(raw, "\"all\" means all providers; write another name"));
    }
    match !name.is_empty() && name.chars().all(is_plain) {
        true => Ok(name.clone()),
        false => {
            Err(Problem::at(raw, format!("\"{name}\" is no name; write lower-case letters, digits, - and _, like \"my-relay\"")))
        }
    }
}

/// What is added to a base URL.
const ENDPOINT: &str = "/chat/completions";

fn check_base_url(raw: &Spanned<String>) -> Result<(), Problem> {
    let url = raw.get_ref();
    let is_http = url.starts_with("https://") || url.starts_with("http://");
    // What may hold a key is not repeated.
    if url.contains(['@', '?', '#']) {
        return Err(Problem::at(raw, "a base URL has no user, password, query or fragment; write it like \"https://host/v1\""));
    }
    if url.trim_end_matches('/').ends_with(ENDPOINT) {
        let right = url.trim_end_matches('/').trim_end_matches(ENDPOINT);
        return Err(Problem::at(raw, format!("\"{url}\" is the endpoint; the base URL is \"{right}\"")));
    }
    let is_filled = filled(url, |name| is_variable(name).then(String::new)).is_ok_and(|url| !url.contains(['$', '{', '}']));
    match is_http && is_filled {
        true => Ok(()),
        false => {
            Err(Problem::at(raw, format!("\"{url}\" is no base URL; write it like \"https://host/v1\", variables as ${{NAME}}")))
        }
    }
}

fn check_variable(raw: &Spanned<String>) -> Result<(), Problem> {
    match is_variable(raw.get_ref()) {
        true => Ok(()),
        // It may be the key itself.
        false => Err(Problem::at(raw, "this is no environment variable; write its name, like \"OPENAI_API_KEY\", never the key")),
    }
}

fn check_dialect(raw: &Spanned<String>) -> Result<(), Problem> {
    let dialect = raw.get_ref();
    match Profile::dialects().any(|known| known == dialect) {
        true => Ok(()),
        false => Err(Problem::at(raw, format!("\"{dialect}\" is no dialect, {}", nearest(dialect, Profile::dialects())))),
    }
}

/// A built-in profile, or a file found from the providers' own.
fn profile(name: &str, place: &Spanned<String>, origin: &str) -> Result<Profile, Problem> {
    let beside = Path::new(origin).parent().unwrap_or(Path::new(""));
    let found = if is_path(name) { beside.join(name).to_string_lossy().into_owned() } else { name.to_owned() };
    Profile::load(&found).map_err(|error| Problem::at(place, error.to_string()))
}

fn check_default(default: &str, models: &[Offer], place: &Spanned<String>) -> Result<(), Problem> {
    let served = || models.iter().filter(|offer| offer.is_served);
    if served().any(|offer| offer.is_called(default)) {
        return Ok(());
    }
    let own_name = |offer: &Offer| (offer.own_name != offer.name).then(|| offer.own_name.clone());
    let names: Vec<String> = served().flat_map(|offer| [Some(offer.name.clone()), own_name(offer)]).flatten().collect();
    let hint = nearest(default, names.iter().map(String::as_str));
    Err(Problem::at(place, format!("the default model \"{default}\" is not among those that are served, {hint}")))
}

/// The name of the offer that a name stands for: that of an offer, its own name at the provider, or an alias in the catalog.
fn offered_as(written: &str, offers: &[Offer], catalog: &Catalog) -> Option<String> {
    let named = offers.iter().find(|offer| offer.name == written);
    let called = || offers.iter().find(|offer| offer.own_name == written);
    let aliased = || catalog.model(written).and_then(|model| offers.iter().find(|offer| offer.name == model.name));
    named.or_else(called).or_else(aliased).map(|offer| offer.name.clone())
}

/// The known offers with what is said of them, and the new ones.
fn offers(raw: &[RawOffer], known: &[Offer], catalog: &Catalog) -> Result<Vec<Offer>, Problem> {
    let mut offers = known.to_vec();
    let mut seen: Vec<String> = Vec::new();
    for offer in raw {
        let written = words(&offer.name)?;
        // What the catalog calls otherwise is the same model, asked for there as it is written.
        let of_catalog = || catalog.model(&written).map(|model| model.name.clone());
        let name = offered_as(&written, known, catalog).or_else(of_catalog).unwrap_or_else(|| written.clone());
        if seen.contains(&name) {
            let is = if name == written { String::new() } else { format!(" is \"{name}\", which") };
            return Err(Problem::at(&offer.name, format!("\"{written}\"{is} is offered twice; remove one of them")));
        }
        seen.push(name.clone());
        let known = offers.iter().position(|known| known.name == name);
        let before = known.map(|place| offers[place].clone());
        let own_name = offer.own_name.as_ref().map(words).transpose()?;
        let quote = offer.price.as_ref().map(RawQuote::valid).transpose()?;
        let valid = Offer {
            own_name: own_name.or_else(|| Some(before.as_ref()?.own_name.clone())).unwrap_or(written),
            is_served: offer.served.or_else(|| Some(before.as_ref()?.is_served)).unwrap_or(true),
            quote: quote.or_else(|| before?.quote),
            name,
        };
        match known {
            Some(place) => offers[place] = valid,
            None => offers.push(valid),
        }
    }
    Ok(offers)
}

/// The profile's figures need a source, and a source needs figures.
fn limits(
    raw: Option<&RawLimits>,
    known: Option<&Provider>,
    changed: Option<&Spanned<String>>,
    profile: &Profile,
    place: &Spanned<String>,
) -> Result<Option<Limits>, Problem> {
    let figures = profile.limit_figures();
    match raw {
        Some(raw) if figures == Default::default() => {
            let message = format!("the profile \"{}\" limits nothing; remove [limits], or limit something there", profile.name());
            Err(Problem::at(&raw.source, message))
        }
        Some(raw) => Ok(Some(Limits { source: words(&raw.source)?, date: date(&raw.date)?, figures: Figures(figures) })),
        None if changed.is_none() && known.is_some() => Ok(known.and_then(|known| known.limits.clone())),
        None if figures == Default::default() => Ok(None),
        None => {
            let message =
                format!("the profile \"{}\" has limits; write [limits] with source and date, who says so", profile.name());
            Err(Problem::at(changed.unwrap_or(place), message))
        }
    }
}

impl RawPublished {
    fn valid(self) -> Result<Published, Problem> {
        let text = |raw: &Option<Spanned<String>>| raw.as_ref().map(words).transpose();
        Ok(Published {
            source: words(&self.source)?,
            date: date(&self.date)?,
            mean_ms: self.mean_ms.as_ref().map(positive).transpose()?,
            throughput_rps: self.throughput_rps.as_ref().map(positive).transpose()?,
            limit: text(&self.limit)?,
            payment: text(&self.payment)?,
            models: text(&self.models)?,
            credit: text(&self.credit)?,
            fit: text(&self.fit)?,
        })
    }
}

fn positive(raw: &Spanned<f64>) -> Result<f64, Problem> {
    match *raw.get_ref() {
        figure if figure > 0.0 && figure <= 1e9 => Ok(figure),
        figure => Err(Problem::at(raw, format!("{figure} is no figure of a provider; write a number above 0"))),
    }
}
