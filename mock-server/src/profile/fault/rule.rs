//! Whom faults befall, as profiles write it.

use std::sync::Arc;

use serde::Deserialize;
use toml::Spanned;

use super::{AnyFault, FaultKind, ListenerFault};
use crate::config::{Problem, nearest};
use crate::profile::Keys;
use crate::profile::raw::repeated;
use crate::profile::raw::share;

/// What befalls single attempts.
#[derive(Clone, Debug)]
pub(crate) struct FaultRule {
    pub(crate) kind: FaultKind,
    pub(crate) probability: f64,
    /// Only so many of those that match.
    pub(crate) first: Option<u64>,
    /// Of these callers only; none: of all.
    pub(crate) keys: Option<Box<[Box<str>]>>,
    /// For these models only; none: for all.
    pub(crate) models: Option<Box<[Arc<str>]>>,
}

/// What befalls single connections.
#[derive(Clone, Debug)]
pub(crate) struct ListenerRule {
    pub(crate) fault: ListenerFault,
    pub(crate) probability: f64,
    /// Only so many of them.
    pub(crate) first: Option<u64>,
    /// In this phase only, by its place in the profile.
    pub(crate) phase: Option<u32>,
}

/// The rules of a profile, each where it belongs.
pub(in crate::profile) enum Rules {
    OfAttempts(FaultRule),
    OfConnections(ListenerRule),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::profile) struct RawFault {
    fault: Spanned<String>,
    probability: Option<Spanned<f64>>,
    first: Option<Spanned<u64>>,
    keys: Option<Spanned<Vec<Spanned<String>>>>,
    models: Option<Spanned<Vec<Spanned<String>>>>,
}

impl RawFault {
    pub(in crate::profile) fn valid(self, auth: &Keys, models: &[Arc<str>]) -> Result<Rules, Problem> {
        let fault = AnyFault::parse(self.fault.get_ref()).map_err(|error| Problem::at(&self.fault, error.to_string()))?;
        let probability = self.probability.map_or(Ok(1.0), share)?;
        let first = self.first.map(first).transpose()?;
        match fault {
            AnyFault::OfAttempt(kind) => Ok(Rules::OfAttempts(FaultRule {
                kind,
                probability,
                first,
                keys: self.keys.map(|keys| of_keys(&keys, auth)).transpose()?,
                models: self.models.map(|named| of_models(&named, models)).transpose()?,
            })),
            AnyFault::OfListener(fault) => match self.keys.or(self.models) {
                Some(limit) => Err(Problem::at(
                    &limit,
                    format!("\"{fault}\" befalls connections, before they tell a key or a model; leave this out"),
                )),
                None => Ok(Rules::OfConnections(ListenerRule { fault, probability, first, phase: None })),
            },
        }
    }
}

fn first(first: Spanned<u64>) -> Result<u64, Problem> {
    match *first.get_ref() {
        0 => Err(Problem::at(&first, "a fault of none is no fault; write how many, from 1")),
        count => Ok(count),
    }
}

fn of_keys(named: &Spanned<Vec<Spanned<String>>>, auth: &Keys) -> Result<Box<[Box<str>]>, Problem> {
    if named.get_ref().is_empty() {
        return Err(Problem::at(named, "no key is named, so that it befalls nobody; leave this out for all"));
    }
    let one = |key: &Spanned<String>| match auth {
        Keys::Only(keys) if !keys.iter().any(|known| known == key.get_ref()) => {
            Err(Problem::at(key, "this key is not one of auth.keys, so that it befalls nobody"))
        }
        _ => Ok(key.get_ref().as_str().into()),
    };
    if let Some(again) = repeated(named.get_ref()) {
        return Err(Problem::at(again, "this key is named twice"));
    }
    named.get_ref().iter().map(one).collect()
}

fn of_models(named: &Spanned<Vec<Spanned<String>>>, models: &[Arc<str>]) -> Result<Box<[Arc<str>]>, Problem> {
    if named.get_ref().is_empty() {
        return Err(Problem::at(named, "no model is named, so that it befalls none; leave this out for all"));
    }
    let one = |name: &Spanned<String>| {
        let found = models.iter().find(|model| ***model == **name.get_ref());
        found.cloned().ok_or_else(|| {
            let hint = nearest(name.get_ref(), models.iter().map(|model| &**model));
            Problem::at(name, format!("\"{}\" is not one of the models, {hint}", name.get_ref()))
        })
    };
    if let Some(again) = repeated(named.get_ref()) {
        return Err(Problem::at(again, format!("\"{}\" is named twice", again.get_ref())));
    }
    named.get_ref().iter().map(one).collect()
}
