//! Why an attempt gets an error. What it then reads is the dialect's affair.

use std::time::Duration;

use super::limits::{LimitReached, Resource};
use crate::profile::{FaultKind, TooMany};

/// How long whoever gets an injected 429 is told to stay away, at least: the limits of its own may say longer.
pub const INJECTED_WAIT: Duration = Duration::from_secs(1);

/// Why an attempt gets an error. No variant holds a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// There is no bearer token.
    KeyMissing,
    /// The bearer token is not one of the profile's.
    KeyWrong {
        /// As much of it as may be shown.
        masked: String,
    },
    /// The route does not exist.
    RouteUnknown,
    /// The route exists, for another method.
    MethodWrong {
        /// The method that it takes.
        allowed: &'static str,
    },
    /// The body is longer than the profile allows.
    BodyTooLarge {
        /// What it allows, in bytes.
        limit: usize,
    },
    /// The body is not JSON.
    Malformed {
        /// What is wrong with it, and where.
        reason: String,
    },
    /// A parameter is missing or wrong.
    Invalid(Invalid),
    /// The profile has no such model.
    ModelUnknown {
        /// What was asked for.
        model: String,
    },
    /// Turned away for now.
    RateLimited {
        /// Of what there was too much.
        resource: Resource,
        /// How long to stay away.
        retry_after: Duration,
    },
    /// Turned away by a limit of the caller's own.
    LimitReached(LimitReached),
    /// What was paid for is used up: no wait helps.
    QuotaUsedUp,
    /// Turned away because too many are being served or wait.
    TooManyInFlight,
    /// A failure under load.
    Overloaded,
    /// A status that a fault injects.
    Injected(u16),
    /// The same, as a proxy in front of the relay would answer: with a body of HTML.
    InjectedHtml(u16),
}

impl Refusal {
    /// What a fault makes of an attempt, if that is a refusal.
    pub fn of_fault(fault: FaultKind) -> Option<Self> {
        let limited = |resource| Self::RateLimited { resource, retry_after: INJECTED_WAIT };
        match fault {
            FaultKind::Status(status) => Some(Self::Injected(status)),
            FaultKind::TooMany(TooMany::Requests) => Some(limited(Resource::Requests)),
            FaultKind::TooMany(TooMany::Tokens) => Some(limited(Resource::Tokens)),
            FaultKind::TooMany(TooMany::Quota) => Some(Self::QuotaUsedUp),
            FaultKind::TooMany(TooMany::SlowDown) => Some(Self::TooManyInFlight),
            FaultKind::Html(status) => Some(Self::InjectedHtml(status)),
            _ => None,
        }
    }
}

/// A parameter that is missing or wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Invalid {
    /// Which one, where that can be told.
    pub param: Option<String>,
    /// What kind of mistake it is, as a word.
    pub code: &'static str,
    /// What is wrong, and what would be right.
    pub message: String,
}
