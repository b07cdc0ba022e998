//! What befalls one attempt, whoever else is there: a pure function.

use std::sync::Arc;
use std::time::Duration;

use super::pace::Pace;
use super::refusal::Refusal;
use super::window;
use crate::dist;
use crate::draw::{Draws, Purpose};
use crate::profile::{Curve, FaultKind, Latency, Profile};

/// What matters about a request.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Request {
    /// The caller's limit to the completion, in tokens.
    pub max_tokens: Option<u32>,
    /// How long the prompt is, in tokens.
    pub prompt_tokens: u32,
    /// How long the completion is, in tokens, where its text is known already; else its length is drawn.
    pub text_tokens: Option<u32>,
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
    },
    /// To be held for ever.
    Hang,
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
pub fn decide(profile: &Profile, request: Request, draws: Draws, now: Duration) -> Decision {
    let fault = match phase_fault(profile, draws, now) {
        Some(fault) => Some(fault),
        None => match turned_away(profile, draws, now) {
            Some(refusal) => return Decision::Refuse(refusal),
            None => fault(profile, draws),
        },
    };
    match fault {
        Some(FaultKind::Status(status)) => Decision::Refuse(Refusal::Injected(status)),
        Some(FaultKind::Hang) => Decision::Serve(Demand::Hang),
        None => Decision::Serve(completion(profile, request, draws, now)),
    }
}

fn phase_fault(profile: &Profile, draws: Draws, now: Duration) -> Option<FaultKind> {
    profile.phases.iter().zip(0..).find_map(|(phase, which)| {
        let fault = phase.fault?;
        let probability = fault.probability * phase.strength(now);
        (draws.uniform(Purpose::PhaseFault(which)) < probability).then_some(fault.kind)
    })
}

fn turned_away(profile: &Profile, draws: Draws, now: Duration) -> Option<Refusal> {
    profile.bursts.iter().zip(0..).find_map(|(burst, which)| {
        let remaining = burst.remaining(now)?;
        let strikes = draws.uniform(Purpose::Burst(which)) < burst.share;
        strikes.then(|| Refusal::RateLimited { retry_after: burst.retry_after.unwrap_or(remaining) })
    })
}

fn fault(profile: &Profile, draws: Draws) -> Option<FaultKind> {
    let struck = profile.faults.iter().zip(0..).find(|(fault, which)| draws.uniform(Purpose::Fault(*which)) < fault.probability);
    struck.map(|(fault, _)| fault.kind)
}

fn completion(profile: &Profile, request: Request, draws: Draws, now: Duration) -> Demand {
    let (tokens, finish) = completion_length(profile, request, draws);
    Demand::Completion { tokens, finish, delay: delay(profile, request, draws, tokens, now) }
}

/// How many tokens the completion of a request has, and why it ends there.
pub fn completion_length(profile: &Profile, request: Request, draws: Draws) -> (u32, Finish) {
    let drawn = || profile.completion.tokens.draw_count(draws.uniform(Purpose::Tokens)).max(1);
    let wanted = request.text_tokens.unwrap_or_else(drawn);
    let tokens = request.max_tokens.map_or(wanted, |max| wanted.min(max));
    (tokens, if tokens < wanted { Finish::Length } else { Finish::Stop })
}

fn delay(profile: &Profile, request: Request, draws: Draws, tokens: u32, now: Duration) -> Delay {
    let latency = || draws.uniform(Purpose::Latency);
    let factor = window::latency_factor(&profile.phases, now);
    match &profile.latency {
        Latency::Total(total) => Delay::Known(Pace::even(dist::duration(total.draw(latency()) * factor), tokens)),
        Latency::Tokens { first, gap } => {
            let first = dist::duration(first.draw(latency()) * factor);
            Delay::Known(Pace::drawn(first, gap, factor, draws.stream(Purpose::Gaps), tokens))
        }
        Latency::Curve(curve) => {
            let failure = draws.uniform(Purpose::Failure);
            Delay::OfLoad { curve: Arc::clone(curve), latency: latency(), failure, factor }
        }
        Latency::Batch => Delay::OfBatch { prompt_tokens: request.prompt_tokens },
    }
}
