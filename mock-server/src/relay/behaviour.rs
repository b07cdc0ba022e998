//! What befalls one attempt, whoever else is there: a pure function.

use std::sync::Arc;
use std::time::Duration;

use super::faults::{self, Tally};
use super::limits::Resource;
use super::pace::{Pace, Told};
use super::refusal::Refusal;
use super::window;
use crate::dist;
use crate::draw::{Draws, Purpose};
use crate::profile::{Curve, FaultKind, Latency, Outcome, Profile};

/// What matters about a request.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Request<'a> {
    /// The caller's key; empty where none is needed.
    pub key: &'a str,
    /// The model that is asked.
    pub model: &'a str,
    /// The caller's limit to the completion, in tokens.
    pub max_tokens: Option<u32>,
    /// How long the prompt is, in tokens.
    pub prompt_tokens: u32,
    /// How long the completion is, in tokens, where its text is known already; else its length is drawn.
    pub text_tokens: Option<u32>,
    /// What it gets, whatever the profile says of faults and bursts.
    pub order: Option<Outcome>,
    /// How long its answer takes, instead of what it would draw.
    pub told: Option<Told>,
}

/// What an attempt gets.
#[derive(Clone, Debug)]
pub struct Decided {
    /// Turned away, or served.
    pub decision: Decision,
    /// The fault that befalls it. Those that turn away, and a hang, are in the decision already; the others befall its answer.
    pub fault: Option<FaultKind>,
    /// The fault that would have befallen it, had a burst not turned it away.
    pub missed: Option<FaultKind>,
}

/// The first step: turned away at once, or served with a demand.
#[derive(Clone, Debug)]
pub enum Decision {
    /// Answered at once; it never counts as in flight.
    Refuse(Refusal),
    /// To be taken to [`Relay::arrive`](super::Relay::arrive).
    Serve(Demand),
}

/// What an attempt asks of the relay.
#[derive(Clone, Debug)]
pub enum Demand {
    /// A completion.
    Completion {
        /// How long it is: 0 only where its text is empty, or its first character alone is beyond the caller's limit.
        tokens: u32,
        /// Why it ends there.
        finish: Finish,
        /// How long it takes.
        delay: Delay,
        /// How long it holds its place.
        stay: Stay,
    },
    /// To be held for ever.
    Hang,
}

/// How long an attempt holds its place.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Stay {
    /// As long as its latency, however late its caller reads.
    #[default]
    Latency,
    /// Until its answer has ended or its caller has gone: a fault makes it last longer.
    Longer,
}

/// How long an answer takes.
#[derive(Clone, Debug)]
pub enum Delay {
    /// As long as was drawn.
    Known(Pace),
    /// As long as the load makes it: two uniform numbers that the curve gives a meaning.
    OfLoad {
        /// What the load does.
        curve: Arc<Curve>,
        /// Which quantile of the latency.
        latency: f64,
        /// It fails when this is below the failure share.
        failure: f64,
        /// What the latency is multiplied by.
        factor: f64,
        /// Instead of the latency.
        told: Option<Told>,
    },
    /// As long as the batch makes it.
    OfBatch {
        /// What has to be read before the first token.
        prompt_tokens: u32,
    },
}

/// Why a completion ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Finish {
    /// It is complete.
    Stop,
    /// The caller's limit cut it.
    Length,
}

/// Decides what an attempt gets that arrives `now`, after the profile's start.
pub fn decide(profile: &Profile, request: &Request<'_>, draws: Draws, now: Duration, tally: &Tally) -> Decided {
    let fault = match request.order {
        Some(order) => order.as_fault(),
        None => match faults::in_phases(profile, request, draws, now, tally) {
            Some(fault) => Some(fault),
            None => match turned_away(profile, draws, now) {
                Some(refusal) => {
                    let missed = faults::missed_always(profile, request, draws, tally);
                    return Decided { decision: Decision::Refuse(refusal), fault: None, missed };
                }
                None => faults::always(profile, request, draws, tally),
            },
        },
    };
    let decision = match (fault.and_then(Refusal::of_fault), fault) {
        (Some(refusal), _) => Decision::Refuse(refusal),
        (None, Some(FaultKind::Hang)) => Decision::Serve(Demand::Hang),
        (None, _) => Decision::Serve(completion(profile, request, draws, now, fault)),
    };
    Decided { decision, fault, missed: None }
}

/// Which fault befalls an attempt that arrives `now`, where there are no bursts.
pub fn fault(profile: &Profile, request: &Request<'_>, draws: Draws, now: Duration, tally: &Tally) -> Option<FaultKind> {
    match request.order {
        Some(order) => order.as_fault(),
        None => faults::in_phases(profile, request, draws, now, tally).or_else(|| faults::always(profile, request, draws, tally)),
    }
}

fn turned_away(profile: &Profile, draws: Draws, now: Duration) -> Option<Refusal> {
    profile.bursts.iter().zip(0..).find_map(|(burst, which)| {
        let remaining = burst.remaining(now)?;
        let strikes = draws.uniform(Purpose::Burst(which)) < burst.share;
        let retry_after = burst.retry_after.unwrap_or(remaining);
        strikes.then_some(Refusal::RateLimited { resource: Resource::Requests, retry_after })
    })
}

fn completion(profile: &Profile, request: &Request<'_>, draws: Draws, now: Duration, fault: Option<FaultKind>) -> Demand {
    let (tokens, finish) = completion_length(profile, request, draws);
    let stay = if fault.is_some_and(FaultKind::outlasts_latency) { Stay::Longer } else { Stay::Latency };
    Demand::Completion { tokens, finish, delay: delay(profile, request, draws, tokens, now), stay }
}

/// How many tokens the completion of a request has, and why it ends there.
pub fn completion_length(profile: &Profile, request: &Request<'_>, draws: Draws) -> (u32, Finish) {
    let drawn = || profile.completion.tokens.draw_count(draws.uniform(Purpose::Tokens)).max(1);
    let wanted = request.text_tokens.unwrap_or_else(drawn);
    let tokens = request.max_tokens.map_or(wanted, |max| wanted.min(max));
    (tokens, if tokens < wanted { Finish::Length } else { Finish::Stop })
}

fn delay(profile: &Profile, request: &Request<'_>, draws: Draws, tokens: u32, now: Duration) -> Delay {
    let latency = || draws.uniform(Purpose::Latency);
    let factor = window::latency_factor(&profile.phases, now);
    match &profile.latency {
        Latency::Total(total) => {
            let total = dist::duration(total.draw(latency()) * factor);
            Delay::Known(request.told.map_or_else(|| Pace::even(total, tokens), |told| Pace::told(told, total, tokens)))
        }
        Latency::Tokens { first, gap } => {
            let first = match request.told {
                None => dist::duration(first.draw(latency()) * factor),
                Some(Told::First(first)) => first,
                Some(Told::Total(total)) => return Delay::Known(Pace::even(total, tokens)),
            };
            Delay::Known(Pace::drawn(first, gap, factor, draws.stream(Purpose::Gaps), tokens))
        }
        Latency::Curve(curve) => {
            let failure = draws.uniform(Purpose::Failure);
            Delay::OfLoad { curve: Arc::clone(curve), latency: latency(), failure, factor, told: request.told }
        }
        Latency::Batch => Delay::OfBatch { prompt_tokens: request.prompt_tokens },
    }
}
