//! Rate limits as they are written.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::Deserialize;
use toml::Spanned;

use super::Keys;
use super::raw::repeated;
use crate::config::{Problem, nearest};
use crate::relay::limits::RATES;

/// More than anyone uses up, and little enough to be multiplied by the nanoseconds of a day.
const MOST: u64 = 1_000_000_000_000;

/// What a completion is held to take at the least, where the caller sets no limit to it.
const ASSUMED_COMPLETION: u32 = 256;

/// How much each may ask for.
#[derive(Clone, Debug)]
pub(crate) struct Limits {
    pub(crate) window: LimitWindow,
    /// Whether every key has limits of its own, or all share them.
    pub(crate) per_key: bool,
    /// Whether every model has.
    pub(crate) per_model: bool,
    pub(crate) assumed_completion_tokens: u32,
    pub(crate) all: Caps,
    /// By the model's place in the profile.
    pub(crate) models: Vec<(usize, Caps)>,
    /// By the key's place in the profile.
    pub(crate) keys: Vec<(usize, Caps)>,
}

/// By which rule a limit over a period is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum LimitWindow {
    Bucket,
    Fixed,
    Sliding,
}

/// The figures.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Caps {
    /// In the order of [`RATES`], each from 1.
    pub(crate) rates: [Option<u64>; RATES.len()],
    pub(crate) concurrency: Option<u32>,
}

impl Caps {
    /// These, where the others say nothing.
    pub(crate) fn overridden_by(self, own: &Self) -> Self {
        Self {
            rates: std::array::from_fn(|rate| own.rates[rate].or(self.rates[rate])),
            concurrency: own.concurrency.or(self.concurrency),
        }
    }
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawLimits {
    pub(super) body_bytes: Option<Spanned<usize>>,
    requests_per_minute: Option<Spanned<u64>>,
    requests_per_day: Option<Spanned<u64>>,
    tokens_per_minute: Option<Spanned<u64>>,
    tokens_per_day: Option<Spanned<u64>>,
    input_tokens_per_minute: Option<Spanned<u64>>,
    output_tokens_per_minute: Option<Spanned<u64>>,
    concurrency: Option<Spanned<u32>>,
    window: Option<Spanned<String>>,
    per: Option<Spanned<Vec<Spanned<String>>>>,
    assumed_completion_tokens: Option<Spanned<u32>>,
    #[serde(default)]
    models: BTreeMap<Spanned<String>, Spanned<RawCaps>>,
    #[serde(default)]
    key: Vec<Spanned<RawKey>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawCaps {
    requests_per_minute: Option<Spanned<u64>>,
    requests_per_day: Option<Spanned<u64>>,
    tokens_per_minute: Option<Spanned<u64>>,
    tokens_per_day: Option<Spanned<u64>>,
    input_tokens_per_minute: Option<Spanned<u64>>,
    output_tokens_per_minute: Option<Spanned<u64>>,
    concurrency: Option<Spanned<u32>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawKey {
    place: Spanned<usize>,
    requests_per_minute: Option<Spanned<u64>>,
    requests_per_day: Option<Spanned<u64>>,
    tokens_per_minute: Option<Spanned<u64>>,
    tokens_per_day: Option<Spanned<u64>>,
    input_tokens_per_minute: Option<Spanned<u64>>,
    output_tokens_per_minute: Option<Spanned<u64>>,
    concurrency: Option<Spanned<u32>>,
}

/// The figures of a table, which may have other keys as well.
macro_rules! caps {
    ($raw:expr) => {
        Caps {
            rates: [
                figure(&$raw.requests_per_minute)?,
                figure(&$raw.requests_per_day)?,
                figure(&$raw.tokens_per_minute)?,
                figure(&$raw.tokens_per_day)?,
                figure(&$raw.input_tokens_per_minute)?,
                figure(&$raw.output_tokens_per_minute)?,
            ],
            concurrency: $raw.concurrency.as_ref().map(whole).transpose()?,
        }
    };
}

/// None where nothing is limited. `models` and `keys` are those of the profile.
pub(super) fn valid(raw: &RawLimits, models: &[Arc<str>], keys: &Keys) -> Result<Option<Limits>, Problem> {
    let all = caps!(raw);
    let limits = Limits {
        window: raw.window.as_ref().map_or(Ok(LimitWindow::Bucket), window)?,
        per_key: has("key", raw.per.as_ref())?,
        per_model: has("model", raw.per.as_ref())?,
        assumed_completion_tokens: raw.assumed_completion_tokens.as_ref().map_or(ASSUMED_COMPLETION, |tokens| *tokens.get_ref()),
        all,
        models: of_models(raw, models)?,
        keys: of_keys(raw, keys)?,
    };
    if let Some(per) = raw.per.as_ref() {
        let shared =
            |what: &str| format!("all {what}s share their limits, and some have limits of their own; name \"{what}\" too");
        if !limits.per_key && !limits.keys.is_empty() {
            return Err(Problem::at(per, shared("key")));
        }
        if !limits.per_model && !limits.models.is_empty() {
            return Err(Problem::at(per, shared("model")));
        }
    }
    if limits.all != Caps::default() || !limits.models.is_empty() || !limits.keys.is_empty() {
        return Ok(Some(limits));
    }
    const NOTHING: &str = "nothing is limited; write requests_per_minute, tokens_per_minute or another limit";
    let useless = [
        raw.window.as_ref().map(|window| Problem::at(window, NOTHING)),
        raw.per.as_ref().map(|per| Problem::at(per, NOTHING)),
        raw.assumed_completion_tokens.as_ref().map(|tokens| Problem::at(tokens, NOTHING)),
    ];
    useless.into_iter().flatten().next().map_or(Ok(None), Err)
}

fn of_models(raw: &RawLimits, models: &[Arc<str>]) -> Result<Vec<(usize, Caps)>, Problem> {
    let mut found = Vec::new();
    for (name, own) in &raw.models {
        let Some(place) = models.iter().position(|model| **model == **name.get_ref()) else {
            let hint = nearest(name.get_ref(), models.iter().map(|model| &**model));
            return Err(Problem::at(name, format!("the profile has no model \"{}\", {hint}", name.get_ref())));
        };
        found.push((place, not_empty(own, caps!(own.get_ref()))?));
    }
    Ok(found)
}

fn of_keys(raw: &RawLimits, keys: &Keys) -> Result<Vec<(usize, Caps)>, Problem> {
    let mut found: Vec<(usize, Caps)> = Vec::new();
    for own in &raw.key {
        let place = &own.get_ref().place;
        let known = match keys {
            Keys::Any => return Err(Problem::at(place, "any key is accepted, so that none has a place; name them in auth.keys")),
            Keys::Only(keys) => keys.len(),
        };
        let Some(index) = place.get_ref().checked_sub(1).filter(|index| *index < known) else {
            let message = format!("{} is no place in auth.keys; write a whole number from 1 to {known}", place.get_ref());
            return Err(Problem::at(place, message));
        };
        if found.iter().any(|(earlier, _)| *earlier == index) {
            return Err(Problem::at(place, format!("the key at place {} has limits already", place.get_ref())));
        }
        found.push((index, not_empty(own, caps!(own.get_ref()))?));
    }
    Ok(found)
}

fn not_empty<T>(table: &Spanned<T>, caps: Caps) -> Result<Caps, Problem> {
    const EMPTY: &str = "nothing is limited here; write requests_per_minute, tokens_per_minute or another limit";
    if caps == Caps::default() { Err(Problem::at(table, EMPTY)) } else { Ok(caps) }
}

fn figure(raw: &Option<Spanned<u64>>) -> Result<Option<u64>, Problem> {
    match raw {
        Some(number) if *number.get_ref() > MOST => {
            Err(Problem::at(number, format!("{} is beyond any limit; write at most {MOST}", number.get_ref())))
        }
        number => number.as_ref().map(whole).transpose(),
    }
}

fn whole<T: Copy + Default + PartialEq>(raw: &Spanned<T>) -> Result<T, Problem> {
    if *raw.get_ref() == T::default() {
        return Err(Problem::at(raw, "0 would refuse every request; write a whole number from 1"));
    }
    Ok(*raw.get_ref())
}

fn window(raw: &Spanned<String>) -> Result<LimitWindow, Problem> {
    match raw.get_ref().as_str() {
        "bucket" => Ok(LimitWindow::Bucket),
        "fixed" => Ok(LimitWindow::Fixed),
        "sliding" => Ok(LimitWindow::Sliding),
        other => {
            let hint = nearest(other, ["bucket", "fixed", "sliding"].into_iter());
            Err(Problem::at(raw, format!("\"{other}\" is no window, {hint}")))
        }
    }
}

/// Whether each of these has limits of its own; without a list, each has.
fn has(what: &str, per: Option<&Spanned<Vec<Spanned<String>>>>) -> Result<bool, Problem> {
    const KNOWN: [&str; 2] = ["key", "model"];
    let Some(per) = per else { return Ok(true) };
    if let Some(other) = per.get_ref().iter().find(|name| !KNOWN.contains(&name.get_ref().as_str())) {
        let hint = nearest(other.get_ref(), KNOWN.into_iter());
        return Err(Problem::at(other, format!("nothing is limited for each \"{}\", {hint}", other.get_ref())));
    }
    if let Some(again) = repeated(per.get_ref()) {
        return Err(Problem::at(again, format!("\"{}\" is named twice", again.get_ref())));
    }
    Ok(per.get_ref().iter().any(|name| name.get_ref() == what))
}
