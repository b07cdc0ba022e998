//! A profile as it is written, and the checks that make it valid.

use std::sync::Arc;

use serde::Deserialize;
use toml::Spanned;

use super::azure::{self, RawAzureGaps};
use super::capacity::{self, RawCapacity, RawLatency};
use super::completion::RawCompletion;
use super::distribution::Directory;
use super::fault::{FaultRule, ListenerRule, RawFault, Rules};
use super::limits::{self, RawLimits};
use super::window::{RawBurst, RawPhase};
use super::{CATALOG, Keys, Phase, Profile};
use crate::config::{Problem, nearest};
use crate::wire::dialect::Dialect;

/// A megabyte: a context of 200,000 tokens fits, a caller's mistake does not fill the memory.
const BODY_LIMIT: usize = 1 << 20;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawProfile {
    name: Option<String>,
    dialect: Option<Spanned<String>>,
    azure: Option<Spanned<RawAzureGaps>>,
    seed: Option<u64>,
    models: Option<Spanned<Vec<Spanned<String>>>>,
    auth: Option<RawAuth>,
    latency: Option<Spanned<RawLatency>>,
    completion: Option<RawCompletion>,
    capacity: Option<Spanned<RawCapacity>>,
    limits: Option<RawLimits>,
    #[serde(default)]
    burst: Vec<Spanned<RawBurst>>,
    #[serde(default)]
    fault: Vec<Spanned<RawFault>>,
    #[serde(default)]
    phase: Vec<Spanned<RawPhase>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawAuth {
    keys: Option<Spanned<Vec<Spanned<String>>>>,
}

impl RawProfile {
    /// `directory` is where the files that the profile names are.
    pub(super) fn valid(self, directory: Directory<'_>) -> Result<Profile, Problem> {
        let (latency, capacity) = capacity::valid(self.latency, self.capacity, directory)?;
        let models = models(self.models)?;
        let keys = keys(self.auth)?;
        let Faults { faults, phases, listener } = faults(self.fault, self.phase, &keys, &models)?;
        let limits = self.limits.unwrap_or_default();
        let dialect = self.dialect.map_or(Ok(Dialect::default()), dialect)?;
        Ok(Profile {
            // Whoever read it has it.
            toml: super::source::Source::default(),
            name: self.name.unwrap_or_else(|| "unnamed".to_owned()),
            dialect,
            azure: azure::valid(self.azure, dialect)?,
            seed: self.seed.unwrap_or(1),
            completion: self.completion.unwrap_or_default().valid(&models, directory)?,
            limits: limits::valid(&limits, &models, &keys)?,
            models,
            keys,
            latency,
            capacity,
            body_limit: limits.body_bytes.map_or(Ok(BODY_LIMIT), body_limit)?,
            bursts: self.burst.into_iter().map(|burst| burst.into_inner().valid()).collect::<Result<_, _>>()?,
            faults,
            phases,
            listener,
        })
    }
}

#[derive(Default)]
struct Faults {
    faults: Vec<FaultRule>,
    phases: Vec<Phase>,
    listener: Vec<ListenerRule>,
}

fn faults(
    faults: Vec<Spanned<RawFault>>,
    phases: Vec<Spanned<RawPhase>>,
    keys: &Keys,
    models: &[Arc<str>],
) -> Result<Faults, Problem> {
    let mut valid = Faults::default();
    for fault in faults {
        match fault.into_inner().valid(keys, models)? {
            Rules::OfAttempts(rule) => valid.faults.push(rule),
            Rules::OfConnections(rule) => valid.listener.push(rule),
        }
    }
    for (phase, number) in phases.into_iter().zip(0..) {
        let (phase, listener) = RawPhase::valid(phase, number, keys, models)?;
        valid.phases.push(phase);
        valid.listener.extend(listener);
    }
    Ok(valid)
}

fn dialect(name: Spanned<String>) -> Result<Dialect, Problem> {
    let known = Dialect::NAMED.iter().find(|(known, _)| known == name.get_ref());
    known.map(|(_, dialect)| *dialect).ok_or_else(|| {
        let hint = nearest(name.get_ref(), Dialect::NAMED.iter().map(|(known, _)| *known));
        Problem::at(&name, format!("\"{}\" is no dialect, {hint}", name.get_ref()))
    })
}

fn models(models: Option<Spanned<Vec<Spanned<String>>>>) -> Result<Vec<Arc<str>>, Problem> {
    let Some(models) = models else { return Ok(CATALOG.map(Arc::from).to_vec()) };
    let names = models.get_ref();
    if names.is_empty() {
        return Err(Problem::at(&models, "no model is named; leave the key out to have the catalog"));
    }
    for (i, name) in names.iter().enumerate() {
        if name.get_ref().is_empty() {
            return Err(Problem::at(name, "a model's name is empty"));
        }
        if names[..i].iter().any(|earlier| earlier.get_ref() == name.get_ref()) {
            return Err(Problem::at(name, format!("\"{}\" is named twice", name.get_ref())));
        }
    }
    Ok(names.iter().map(|name| Arc::from(name.get_ref().as_str())).collect())
}

/// The first that is there twice.
pub(super) fn repeated(names: &[Spanned<String>]) -> Option<&Spanned<String>> {
    let is_repeated =
        |(place, name): &(usize, &Spanned<String>)| names[..*place].iter().any(|earlier| earlier.get_ref() == name.get_ref());
    names.iter().enumerate().find(is_repeated).map(|(_, name)| name)
}

fn keys(auth: Option<RawAuth>) -> Result<Keys, Problem> {
    let Some(keys) = auth.and_then(|auth| auth.keys) else { return Ok(Keys::Any) };
    if keys.get_ref().is_empty() {
        return Err(Problem::at(&keys, "no key is named, so that nobody could call; leave the table out to accept any"));
    }
    if let Some(empty) = keys.get_ref().iter().find(|key| key.get_ref().is_empty()) {
        return Err(Problem::at(empty, "a key is empty"));
    }
    if let Some(padded) = keys.get_ref().iter().find(|key| key.get_ref().trim() != key.get_ref()) {
        return Err(Problem::at(padded, "a key has blanks around it, and is sent without; leave them out"));
    }
    if let Some(again) = repeated(keys.get_ref()) {
        return Err(Problem::at(again, "this key is named twice"));
    }
    Ok(Keys::Only(keys.into_inner().into_iter().map(Spanned::into_inner).collect()))
}

fn body_limit(bytes: Spanned<usize>) -> Result<usize, Problem> {
    match *bytes.get_ref() {
        0 => Err(Problem::at(&bytes, "0 would refuse every request; write a whole number from 1")),
        limit => Ok(limit),
    }
}

pub(super) fn share(share: Spanned<f64>) -> Result<f64, Problem> {
    match *share.get_ref() {
        valid if (0.0..=1.0).contains(&valid) => Ok(valid),
        invalid => Err(Problem::at(&share, format!("{invalid} is no share; write a number from 0 to 1"))),
    }
}
