//! What holds at certain times: bursts and phases as they are written.

use std::ops::RangeInclusive;
use std::sync::Arc;
use std::time::Duration;

use serde::Deserialize;
use toml::Spanned;

use super::fault::{ListenerRule, RawFault, Rules};
use super::raw::share;
use super::{Burst, Keys, Phase, Window};
use crate::config::{Problem, Time};

/// Beyond it a slow phase is an outage, which is written as one.
const FACTORS: RangeInclusive<f64> = 0.0001..=10_000.0;

/// A listener that opens and closes more often would do nothing else.
const SHORTEST_OF_LISTENER: Duration = Duration::from_millis(1);

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawBurst {
    every: Spanned<Time>,
    #[serde(rename = "for")]
    length: Spanned<Time>,
    from: Option<Time>,
    share: Option<Spanned<f64>>,
    retry_after: Option<Time>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawPhase {
    from: Option<Time>,
    #[serde(rename = "for")]
    length: Option<Spanned<Time>>,
    every: Option<Spanned<Time>>,
    latency_factor: Option<Spanned<f64>>,
    fault: Option<RawFault>,
    ramp_up: Option<Spanned<Time>>,
    ramp_down: Option<Spanned<Time>>,
}

impl RawBurst {
    pub(super) fn valid(self) -> Result<Burst, Problem> {
        Ok(Burst {
            window: window("burst", self.from, Some(&self.length), Some(&self.every))?,
            share: self.share.map_or(Ok(1.0), share)?,
            retry_after: self.retry_after.map(Duration::from),
        })
    }
}

impl RawPhase {
    /// The phase, and the fault of connections that it has, which is of the phase with this `number`.
    pub(super) fn valid(
        raw: Spanned<Self>,
        number: u32,
        auth: &Keys,
        models: &[Arc<str>],
    ) -> Result<(Phase, Option<ListenerRule>), Problem> {
        if raw.get_ref().latency_factor.is_none() && raw.get_ref().fault.is_none() {
            return Err(Problem::at(&raw, "this phase changes nothing; write a latency_factor, a fault or both"));
        }
        let raw = raw.into_inner();
        let window = window("phase", raw.from, raw.length.as_ref(), raw.every.as_ref())?;
        let (ramp_up, ramp_down) = ramps(window, raw.ramp_up.as_ref(), raw.ramp_down.as_ref())?;
        let latency_factor = raw.latency_factor.map_or(Ok(1.0), latency_factor)?;
        let (fault, listener) = match raw.fault.map(|fault| fault.valid(auth, models)).transpose()? {
            None => (None, None),
            Some(Rules::OfAttempts(rule)) => (Some(rule), None),
            Some(Rules::OfConnections(rule)) => {
                raw.every.as_ref().map_or(Ok(()), |every| seldom_enough(&rule, every))?;
                (None, Some(ListenerRule { phase: Some(number), ..rule }))
            }
        };
        Ok((Phase { window, ramp_up, ramp_down, latency_factor, fault }, listener))
    }
}

fn window(
    what: &str,
    from: Option<Time>,
    length: Option<&Spanned<Time>>,
    every: Option<&Spanned<Time>>,
) -> Result<Window, Problem> {
    let time = |raw: &Spanned<Time>| raw.get_ref().0;
    match (length, every) {
        (_, Some(every)) if time(every).is_zero() => {
            return Err(Problem::at(every, format!("one {what} cannot follow the other at once; write a duration above 0")));
        }
        (None, Some(every)) => {
            return Err(Problem::at(every, format!("a {what} that lasts for ever cannot come again; write how long in `for`")));
        }
        (Some(length), Some(every)) if time(length).is_zero() || time(length) > time(every) => {
            let (length_s, every_s) = (time(length), time(every));
            let message = format!(
                "a {what} lasts {length_s:?} and the next begins {every_s:?} after it began; write at most that, and above 0"
            );
            return Err(Problem::at(length, message));
        }
        (Some(length), None) if time(length).is_zero() => {
            return Err(Problem::at(length, format!("a {what} that lasts no time changes nothing; write a duration above 0")));
        }
        _ => {}
    }
    Ok(Window { from: from.map_or(Duration::ZERO, Duration::from), length: length.map(time), every: every.map(time) })
}

fn ramps(window: Window, up: Option<&Spanned<Time>>, down: Option<&Spanned<Time>>) -> Result<(Duration, Duration), Problem> {
    let time = |raw: Option<&Spanned<Time>>| raw.map_or(Duration::ZERO, |raw| raw.get_ref().0);
    match (window.length, up, down) {
        (None, _, Some(down)) => Err(Problem::at(down, "a phase that lasts for ever has no end; write how long in `for`")),
        (Some(length), _, Some(last)) | (Some(length), Some(last), None) if time(up) + time(down) > length => {
            let message =
                format!("the ramps take {:?} and the phase lasts {length:?}; write at most that", time(up) + time(down));
            Err(Problem::at(last, message))
        }
        _ => Ok((time(up), time(down))),
    }
}

fn seldom_enough(rule: &ListenerRule, every: &Spanned<Time>) -> Result<(), Problem> {
    let time = every.get_ref().0;
    if time >= SHORTEST_OF_LISTENER {
        return Ok(());
    }
    let (fault, least) = (rule.fault, SHORTEST_OF_LISTENER);
    Err(Problem::at(every, format!("\"{fault}\" befalls connections, not every {time:?}; write at least {least:?}")))
}

fn latency_factor(raw: Spanned<f64>) -> Result<f64, Problem> {
    let factor = *raw.get_ref();
    if FACTORS.contains(&factor) {
        return Ok(factor);
    }
    Err(Problem::at(&raw, format!("{factor} is no factor; write a number from {} to {}", FACTORS.start(), FACTORS.end())))
}
