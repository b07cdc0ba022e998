//! Latency and capacity as they are written: what the load does decides which of the keys there may be.

use std::sync::Arc;
use std::time::Duration;

use serde::Deserialize;
use toml::Spanned;

use super::distribution::{self, Directory, RawDistribution, Unit};
use super::raw::share;
use super::{Batch, Capacity, Collapse, Curve, CurvePoint, Latency, WaitingRoom};
use crate::config::{Problem, Time, nearest};
use crate::dist::Distribution;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawLatency {
    total: Option<RawDistribution>,
    first_token: Option<RawDistribution>,
    inter_token: Option<RawDistribution>,
}

/// Keys of all models: which of them belong together depends on `model`.
#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawCapacity {
    model: Option<Spanned<String>>,
    #[serde(default)]
    point: Vec<Spanned<RawPoint>>,
    servers: Option<Spanned<u32>>,
    requests_per_second: Option<Spanned<f64>>,
    max_batch: Option<Spanned<u32>>,
    step: Option<Spanned<Time>>,
    step_per_request: Option<Spanned<Time>>,
    prefill_tokens_per_second: Option<Spanned<f64>>,
    collapse_above: Option<Spanned<u32>>,
    collapse_per_request: Option<Spanned<f64>>,
    waiting_room: Option<Spanned<u32>>,
    overflow: Option<Spanned<u16>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawPoint {
    in_flight: Spanned<u32>,
    latency: RawDistribution,
    failure_share: Option<Spanned<f64>>,
}

/// What a capacity model is called, with the keys that it takes.
const MODELS: [(&str, &[&str]); 5] = [
    ("none", &[]),
    ("curve", &["point"]),
    ("queue", &["servers", "waiting_room", "overflow"]),
    ("rate", &["requests_per_second", "waiting_room", "overflow"]),
    (
        "batch",
        &[
            "max_batch",
            "step",
            "step_per_request",
            "prefill_tokens_per_second",
            "collapse_above",
            "collapse_per_request",
            "waiting_room",
            "overflow",
        ],
    ),
];

pub(super) fn valid(
    latency: Option<Spanned<RawLatency>>,
    capacity: Option<Spanned<RawCapacity>>,
    directory: Directory<'_>,
) -> Result<(Latency, Capacity), Problem> {
    let without_load = |latency| without_load(latency, directory);
    let Some(capacity) = capacity else { return Ok((without_load(latency)?, Capacity::Unlimited)) };
    let model = model(&capacity)?;
    let raw = capacity.get_ref();
    match model {
        "curve" => {
            made_by_load(model, latency)?;
            let Some(name) = &raw.model else { return Err(Problem::at(&capacity, "the key \"model\" is missing")) };
            if raw.point.is_empty() {
                return Err(Problem::at(name, "a curve needs at least one [[capacity.point]]"));
            }
            Ok((curve(capacity.into_inner().point)?, Capacity::Unlimited))
        }
        "queue" => {
            let servers = whole(&capacity, "servers", raw.servers.as_ref())?;
            Ok((without_load(latency)?, Capacity::Queue { servers, room: waiting_room(raw)? }))
        }
        "rate" => {
            let rate = required(&capacity, "requests_per_second", raw.requests_per_second.as_ref())?;
            // Rounded up, so that the rate is never exceeded.
            let interval = Duration::from_nanos(libm::ceil(1e9 / positive(rate, "rate")?) as u64);
            Ok((without_load(latency)?, Capacity::Rate { interval, room: waiting_room(raw)? }))
        }
        "batch" => {
            made_by_load(model, latency)?;
            Ok((Latency::Batch, Capacity::Batch { batch: batch(&capacity)?, room: waiting_room(raw)? }))
        }
        _ => Ok((without_load(latency)?, Capacity::Unlimited)),
    }
}

/// The model, which takes all keys that are given.
fn model(capacity: &Spanned<RawCapacity>) -> Result<&'static str, Problem> {
    let raw = capacity.get_ref();
    let written = raw.model.as_ref().map_or("none", |model| model.get_ref().as_str());
    let Some((name, keys)) = MODELS.into_iter().find(|(name, _)| *name == written) else {
        let hint = nearest(written, MODELS.into_iter().map(|(name, _)| name));
        let message = format!("\"{written}\" is no capacity model, {hint}");
        return Err(raw.model.as_ref().map_or_else(|| Problem::at(capacity, &*message), |model| Problem::at(model, &*message)));
    };
    let wrong = |key: &str| -> Option<String> {
        let takes = |model: &&(&str, &[&str])| model.1.contains(&key);
        let right: Vec<String> = MODELS.iter().filter(takes).map(|(name, _)| format!("\"{name}\"")).collect();
        (!keys.contains(&key)).then(|| format!("only model = {} has this key, and the model is \"{name}\"", right.join(" or ")))
    };
    macro_rules! refuse_others {
        ($($key:ident),*) => {$(
            if let (Some(given), Some(message)) = (&raw.$key, wrong(stringify!($key))) {
                return Err(Problem::at(given, message));
            }
        )*};
    }
    if let (Some(point), Some(message)) = (raw.point.first(), wrong("point")) {
        return Err(Problem::at(point, message));
    }
    refuse_others!(servers, requests_per_second, max_batch, step, step_per_request, prefill_tokens_per_second);
    refuse_others!(collapse_above, collapse_per_request, waiting_room, overflow);
    Ok(name)
}

fn made_by_load(model: &str, latency: Option<Spanned<RawLatency>>) -> Result<(), Problem> {
    let source = if model == "curve" { "its points" } else { "its steps" };
    match latency {
        None => Ok(()),
        Some(latency) => {
            Err(Problem::at(&latency, format!("with a {model} the latency is that of {source}; leave this table out")))
        }
    }
}

fn without_load(latency: Option<Spanned<RawLatency>>, directory: Directory<'_>) -> Result<Latency, Problem> {
    const RIGHT: &str = "write either total, or first_token and inter_token";
    let Some(latency) = latency else { return Ok(Latency::Total(Distribution::Fixed(0.0))) };
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

fn batch(capacity: &Spanned<RawCapacity>) -> Result<Batch, Problem> {
    let raw = capacity.get_ref();
    let step = required(capacity, "step", raw.step.as_ref())?;
    if step.get_ref().0.is_zero() {
        return Err(Problem::at(step, "a step takes time; write a duration above 0"));
    }
    Ok(Batch {
        max: whole(capacity, "max_batch", raw.max_batch.as_ref())?,
        step: step.get_ref().0,
        step_per_request: raw.step_per_request.as_ref().map_or(Duration::ZERO, |time| time.get_ref().0),
        prefill_per_token_ns: match &raw.prefill_tokens_per_second {
            Some(rate) => 1e9 / positive(rate, "rate")?,
            None => 0.0,
        },
        collapse: collapse(raw)?,
    })
}

fn collapse(raw: &RawCapacity) -> Result<Option<Collapse>, Problem> {
    match (&raw.collapse_above, &raw.collapse_per_request) {
        (None, None) => Ok(None),
        (Some(above), Some(share)) => Ok(Some(Collapse { above: *above.get_ref(), share: positive(share, "share of a step")? })),
        (Some(half), None) => Err(Problem::at(half, "collapse_per_request is missing; write both or neither")),
        (None, Some(half)) => Err(Problem::at(half, "collapse_above is missing; write both or neither")),
    }
}

fn waiting_room(raw: &RawCapacity) -> Result<WaitingRoom, Problem> {
    let overflow = match &raw.overflow {
        None => 429,
        Some(status) if [429, 503].contains(status.get_ref()) => *status.get_ref(),
        Some(status) => {
            return Err(Problem::at(status, format!("{} is not what a full relay answers; write 429 or 503", status.get_ref())));
        }
    };
    Ok(WaitingRoom { places: raw.waiting_room.as_ref().map(|places| *places.get_ref()), overflow })
}

fn required<'a, T>(capacity: &Spanned<RawCapacity>, key: &str, value: Option<&'a Spanned<T>>) -> Result<&'a Spanned<T>, Problem> {
    value.ok_or_else(|| Problem::at(capacity, format!("the key \"{key}\" is missing")))
}

fn whole(capacity: &Spanned<RawCapacity>, key: &str, value: Option<&Spanned<u32>>) -> Result<u32, Problem> {
    match required(capacity, key, value)? {
        zero if *zero.get_ref() == 0 => Err(Problem::at(zero, "0 would never serve anyone; write a whole number from 1")),
        number => Ok(*number.get_ref()),
    }
}

/// A number that can be divided by, and whose inverse in seconds is a duration.
fn positive(value: &Spanned<f64>, what: &str) -> Result<f64, Problem> {
    match *value.get_ref() {
        number if (1e-6..=1e9).contains(&number) => Ok(number),
        number => Err(Problem::at(value, format!("{number} is no {what}; write a number above 0 (0.000001 to 1000000000)"))),
    }
}
