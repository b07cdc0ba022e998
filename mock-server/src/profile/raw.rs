//! A profile as it is written, and the checks that make it valid.

use std::sync::Arc;
use std::time::Duration;

use serde::Deserialize;
use toml::Spanned;

use super::distribution::{self, Directory, RawDistribution, Unit};
use super::{Burst, CATALOG, Curve, CurvePoint, Fault, FaultKind, Keys, Latency, Profile};
use crate::config::{Problem, Time, nearest};
use crate::dist::Distribution;

/// A megabyte: a context of 200,000 tokens fits, a caller's mistake does not fill the memory.
const BODY_LIMIT: usize = 1 << 20;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawProfile {
    name: Option<String>,
    dialect: Option<Spanned<String>>,
    seed: Option<u64>,
    models: Option<Spanned<Vec<Spanned<String>>>>,
    auth: Option<RawAuth>,
    latency: Option<Spanned<RawLatency>>,
    completion: Option<RawCompletion>,
    capacity: Option<RawCapacity>,
    limits: Option<RawLimits>,
    #[serde(default)]
    burst: Vec<Spanned<RawBurst>>,
    #[serde(default)]
    fault: Vec<Spanned<RawFault>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawAuth {
    keys: Option<Spanned<Vec<Spanned<String>>>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawLatency {
    total: Option<RawDistribution>,
    first_token: Option<RawDistribution>,
    inter_token: Option<RawDistribution>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawCompletion {
    tokens: Option<RawDistribution>,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct RawCapacity {
    model: Option<Spanned<String>>,
    #[serde(default)]
    point: Vec<Spanned<RawPoint>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawPoint {
    in_flight: Spanned<u32>,
    latency: RawDistribution,
    failure_share: Option<Spanned<f64>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawLimits {
    body_bytes: Option<usize>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawBurst {
    every: Spanned<Time>,
    #[serde(rename = "for")]
    length: Spanned<Time>,
    from: Option<Time>,
    share: Option<Spanned<f64>>,
    retry_after: Option<Time>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawFault {
    fault: Spanned<String>,
    probability: Spanned<f64>,
}

impl RawProfile {
    /// `directory` is where the files that the profile names are.
    pub(super) fn valid(self, directory: Directory<'_>) -> Result<Profile, Problem> {
        if let Some(dialect) = self.dialect.filter(|dialect| dialect.get_ref() != "openai") {
            let message = format!("\"{}\" is not spoken here; the only dialect is \"openai\"", dialect.get_ref());
            return Err(Problem::at(&dialect, message));
        }
        let tokens = self.completion.and_then(|completion| completion.tokens);
        Ok(Profile {
            name: self.name.unwrap_or_else(|| "unnamed".to_owned()),
            seed: self.seed.unwrap_or(1),
            models: models(self.models)?,
            keys: keys(self.auth)?,
            latency: latency(self.latency, self.capacity, directory)?,
            completion_tokens: match tokens {
                Some(tokens) => distribution::valid(&tokens, Unit::Tokens, directory)?,
                None => Distribution::Uniform { min: 20.0, max: 80.0 },
            },
            body_limit: self.limits.and_then(|limits| limits.body_bytes).unwrap_or(BODY_LIMIT),
            bursts: self.burst.into_iter().map(|burst| burst.into_inner().valid()).collect::<Result<_, _>>()?,
            faults: self.fault.into_iter().map(|fault| fault.into_inner().valid()).collect::<Result<_, _>>()?,
        })
    }
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

fn keys(auth: Option<RawAuth>) -> Result<Keys, Problem> {
    let Some(keys) = auth.and_then(|auth| auth.keys) else { return Ok(Keys::Any) };
    if keys.get_ref().is_empty() {
        return Err(Problem::at(&keys, "no key is named, so that nobody could call; leave the table out to accept any"));
    }
    if let Some(empty) = keys.get_ref().iter().find(|key| key.get_ref().is_empty()) {
        return Err(Problem::at(empty, "a key is empty"));
    }
    Ok(Keys::Only(keys.into_inner().into_iter().map(Spanned::into_inner).collect()))
}

fn latency(
    latency: Option<Spanned<RawLatency>>,
    capacity: Option<RawCapacity>,
    directory: Directory<'_>,
) -> Result<Latency, Problem> {
    let RawCapacity { model, point: points } = capacity.unwrap_or_default();
    match model {
        Some(model) if model.get_ref() == "curve" => match (latency, points.is_empty()) {
            (None, false) => curve(points),
            (None, true) => Err(Problem::at(&model, "a curve needs at least one [[capacity.point]]")),
            (Some(latency), _) => {
                Err(Problem::at(&latency, "with a curve the latency is that of its points; leave this table out"))
            }
        },
        Some(model) if model.get_ref() != "none" => {
            let hint = nearest(model.get_ref(), ["none", "curve"].into_iter());
            Err(Problem::at(&model, format!("\"{}\" is no capacity model, {hint}", model.get_ref())))
        }
        Some(_) | None => match points.first() {
            Some(point) => Err(Problem::at(point, "only a curve has points; write model = \"curve\" in [capacity]")),
            None => latency.map_or(Ok(Latency::Total(Distribution::Fixed(0.0))), |latency| without_load(latency, directory)),
        },
    }
}

fn without_load(latency: Spanned<RawLatency>, directory: Directory<'_>) -> Result<Latency, Problem> {
    const RIGHT: &str = "write either total, or first_token and inter_token";
    match latency.get_ref() {
        RawLatency { total: Some(total), first_token: None, inter_token: None } => {
            Ok(Latency::Total(distribution::valid(total, Unit::Time, directory)?))
        }
        RawLatency { total: None, first_token: Some(first), inter_token: Some(gap) } => Ok(Latency::Tokens {
            first: distribution::valid(first, Unit::Time, directory)?,
            gap: Arc::new(distribution::valid(gap, Unit::Time, directory)?),
        }),
        RawLatency { total: Some(_), first_token: Some(extra), .. }
        | RawLatency { total: Some(_), inter_token: Some(extra), .. } => {
            Err(Problem::at(extra, format!("the total is given as well; {RIGHT}")))
        }
        RawLatency { first_token: Some(half), .. } => Err(Problem::at(half, format!("inter_token is missing; {RIGHT}"))),
        RawLatency { inter_token: Some(half), .. } => Err(Problem::at(half, format!("first_token is missing; {RIGHT}"))),
        RawLatency { .. } => Err(Problem::at(&latency, format!("the table is empty; {RIGHT}"))),
    }
}

fn curve(raw: Vec<Spanned<RawPoint>>) -> Result<Latency, Problem> {
    let mut points: Vec<CurvePoint> = Vec::with_capacity(raw.len());
    for point in raw.into_iter().map(Spanned::into_inner) {
        let in_flight = *point.in_flight.get_ref();
        if in_flight == 0 {
            return Err(Problem::at(
                &point.in_flight,
                "0 are never in flight, since the arriving request counts; write 1 or more",
            ));
        }
        if let Some(before) = points.last().filter(|before| before.in_flight >= in_flight) {
            let message = format!("{in_flight} comes after {}; in_flight must rise from point to point", before.in_flight);
            return Err(Problem::at(&point.in_flight, message));
        }
        points.push(CurvePoint {
            in_flight,
            latency: distribution::quantiles(&point.latency, Unit::Time)?,
            failure_share: point.failure_share.map_or(Ok(0.0), share)?,
        });
    }
    Ok(Latency::Curve(Arc::new(Curve { points })))
}

impl RawBurst {
    fn valid(self) -> Result<Burst, Problem> {
        let (every, length) = (self.every.get_ref().0, self.length.get_ref().0);
        if every == Duration::ZERO {
            return Err(Problem::at(&self.every, "bursts cannot follow each other at once; write a duration above 0"));
        }
        if length == Duration::ZERO || length > every {
            let message =
                format!("a burst lasts {length:?} and the next begins {every:?} after it began; write at most that, and above 0");
            return Err(Problem::at(&self.length, message));
        }
        Ok(Burst {
            from: self.from.map_or(Duration::ZERO, Duration::from),
            every,
            length,
            share: self.share.map_or(Ok(1.0), share)?,
            retry_after: self.retry_after.map(Duration::from),
        })
    }
}

impl RawFault {
    fn valid(self) -> Result<Fault, Problem> {
        let status = |text: &str| text.parse().ok().filter(|status| (400..=599).contains(status));
        let kind = match self.fault.get_ref().split_once('=') {
            None if self.fault.get_ref() == "hang" => Some(FaultKind::Hang),
            Some(("status", text)) => status(text).map(FaultKind::Status),
            _ => None,
        };
        let Some(kind) = kind else {
            let message = format!(
                "\"{}\" is no fault that can be played; write \"hang\", or \"status=\" and a number from 400 to 599",
                self.fault.get_ref()
            );
            return Err(Problem::at(&self.fault, message));
        };
        Ok(Fault { kind, probability: share(self.probability)? })
    }
}

fn share(share: Spanned<f64>) -> Result<f64, Problem> {
    match *share.get_ref() {
        valid if (0.0..=1.0).contains(&valid) => Ok(valid),
        invalid => Err(Problem::at(&share, format!("{invalid} is no share; write a number from 0 to 1"))),
    }
}
