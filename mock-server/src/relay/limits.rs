//! Who may ask how much: rate limits by key and model, and how far they are used up.
//!
//! A machine without I/O and without a clock. An attempt is [admitted](Limiter::admit) with the most tokens that it can cost, which
//! are used up from then on, and [settled](Limiter::settle) with those that it did cost: the rest is as if it had never been used.
//! Whoever is refused has used nothing, and is told after which wait a retry is admitted, unless somebody else comes first.
//!
//! All arithmetic is on whole numbers, so that every bound and every wait is exact to the nanosecond.

mod account;
mod bucket;
mod fixed;
mod meter;
mod name;
mod sliding;
#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::time::Duration;

use self::account::Account;
pub use self::name::LimitName;
use crate::draw;
use crate::profile::{Limits, Profile};

/// What is limited over a period.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Resource {
    /// Attempts, each of which is one.
    Requests,
    /// Tokens of prompts and completions together.
    Tokens,
    /// Tokens of prompts.
    InputTokens,
    /// Tokens of completions.
    OutputTokens,
}

impl Resource {
    /// What callers read of it.
    pub(crate) const fn words(self) -> &'static str {
        match self {
            Self::Requests => "requests",
            Self::Tokens => "tokens",
            Self::InputTokens => "input tokens",
            Self::OutputTokens => "output tokens",
        }
    }
}

/// What an attempt takes of its caller's limits, besides a request.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Cost {
    /// Tokens of the prompt.
    pub input: u64,
    /// Tokens of the completion, all choices together.
    pub output: u64,
}

impl Cost {
    /// How much of a resource it is.
    pub const fn of(self, resource: Resource) -> u64 {
        match resource {
            Resource::Requests => 1,
            Resource::Tokens => self.input + self.output,
            Resource::InputTokens => self.input,
            Resource::OutputTokens => self.output,
        }
    }
}

/// How long a limit is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Period {
    /// 60 seconds.
    Minute,
    /// 24 hours.
    Day,
}

impl Period {
    /// What callers read of it.
    pub(crate) const fn word(self) -> &'static str {
        match self {
            Self::Minute => "minute",
            Self::Day => "day",
        }
    }

    /// As a duration.
    pub const fn duration(self) -> Duration {
        match self {
            Self::Minute => Duration::from_secs(60),
            Self::Day => Duration::from_secs(24 * 60 * 60),
        }
    }
}

/// All that can be limited over a period. The order is that of [`Limiter::standings`].
pub const RATES: [(Resource, Period); 6] = [
    (Resource::Requests, Period::Minute),
    (Resource::Requests, Period::Day),
    (Resource::Tokens, Period::Minute),
    (Resource::Tokens, Period::Day),
    (Resource::InputTokens, Period::Minute),
    (Resource::OutputTokens, Period::Minute),
];

/// How far one limit is used up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Standing {
    /// What is limited.
    pub resource: Resource,
    /// For how long.
    pub period: Period,
    /// How many there are in the period, at least 1.
    pub limit: u64,
    /// How many are left now, in whole ones.
    pub remaining: u64,
    /// How long it takes until all of them are there again, if nobody comes. Zero when they are.
    pub reset: Duration,
}

/// Lets a resource be used up by others for so long, as requests are where a burst turns callers away; and what whoever is turned away
/// of such a cost is told. None where it is not limited. Where tokens are limited by their kind alone, those of both kinds are used up.
pub fn used_up_by_others(standings: &mut [Standing], used_up: UsedUp) -> Option<LimitReached> {
    let UsedUp { resource, cost, wait } = used_up;
    let mut own = standings.iter_mut().filter(|standing| standing.resource == resource).take(1).peekable();
    if own.peek().is_some() || resource == Resource::Requests {
        return empty(own, cost, wait);
    }
    drop(own);
    empty(standings.iter_mut().filter(|standing| standing.resource != Resource::Requests), cost, wait)
}

/// Leaves nothing of these, and tells of the first.
fn empty<'a>(standings: impl Iterator<Item = &'a mut Standing>, cost: Cost, wait: Duration) -> Option<LimitReached> {
    let emptied = standings.map(|standing| {
        standing.remaining = 0;
        standing.reset = standing.reset.max(wait);
        let Standing { resource, period, limit, .. } = *standing;
        LimitReached::Rate { resource, period, limit, used: limit, requested: cost.of(resource), wait }
    });
    emptied.reduce(|first, _| first)
}

/// That others have used up what an attempt needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UsedUp {
    /// Of what there is nothing left.
    pub resource: Resource,
    /// What the attempt needs.
    pub cost: Cost,
    /// For so long.
    pub wait: Duration,
}

/// Why an attempt is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LimitReached {
    /// There is not enough left for it now.
    Rate {
        /// What is limited.
        resource: Resource,
        /// For how long.
        period: Period,
        /// How many there are in the period.
        limit: u64,
        /// How many of them are used, begun ones included.
        used: u64,
        /// How many the attempt needs.
        requested: u64,
        /// After exactly this a retry is admitted, and not before, if nobody else comes and nobody gives anything back.
        wait: Duration,
    },
    /// It needs more than there ever is: no wait helps.
    TooLarge {
        /// What is limited.
        resource: Resource,
        /// For how long.
        period: Period,
        /// How many there are in the period.
        limit: u64,
        /// How many the attempt needs.
        requested: u64,
    },
    /// So many are being answered. Nobody knows when one of them ends.
    Concurrency {
        /// How many may be.
        limit: u32,
    },
}

/// Who asks, as far as limits tell callers apart. It does not hold the key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Caller {
    hash: u64,
    /// Where the key stands in the profile, from 0; none where any key is good.
    place: Option<usize>,
}

impl Caller {
    /// The holder of a key, which is at this place among those of the profile.
    pub fn new(key: &str, place: Option<usize>) -> Self {
        Self { hash: draw::hash(key.as_bytes()), place }
    }

    /// Where the key stands in the profile, from 1.
    pub(crate) fn number(self) -> Option<u32> {
        self.place.and_then(|place| u32::try_from(place + 1).ok())
    }
}

/// What an attempt has been given. It is held until the attempt ends, and then settled.
#[derive(Debug)]
#[must_use = "whoever was admitted must be settled"]
pub struct Reservation {
    scope: Scope,
    charge: Charge,
}

/// What was taken from an account at once.
#[derive(Clone, Copy, Debug)]
struct Charge {
    /// Rises from one to the next of an account.
    id: u64,
    at: Duration,
    cost: Cost,
}

/// Those who share limits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Scope {
    caller: u64,
    model: usize,
}

/// The limits of a profile, and how far everyone has used them up.
#[derive(Debug)]
pub struct Limiter {
    limits: Limits,
    accounts: HashMap<Scope, Account>,
    /// With so many accounts it is time to look which of them are as good as new.
    crowded: usize,
    /// When it is worth looking again, where there are as many as are kept.
    look_again: Duration,
    /// Time never goes back here, whichever of several callers comes first.
    latest: Duration,
}

/// So many accounts are kept, of at most 1.6 KB each, where any key is good: a caller can make up as many as it likes.
const MOST: usize = 10_000;
/// How often all of so many are looked through.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// Fewer accounts than this are not worth looking through.
const FEW: usize = 64;

impl Limiter {
    /// Nothing is used yet. None where the profile has no limits.
    pub fn new(profile: &Profile) -> Option<Self> {
        profile.limits.clone().map(Self::of)
    }

    fn of(limits: Limits) -> Self {
        Self { limits, accounts: HashMap::new(), crowded: FEW, look_again: Duration::ZERO, latest: Duration::ZERO }
    }

    /// Admits an attempt of a caller at a model (by its place in the profile, from 0) that costs a request and at most so many
    /// tokens of either kind.
    ///
    /// # Errors
    ///
    /// Why not, and until when. Of several reasons the one that lasts longest. Nothing is used then.
    pub fn admit(&mut self, caller: Caller, model: usize, cost: Cost, now: Duration) -> Result<Reservation, LimitReached> {
        let now = self.not_before(now);
        let scope = self.scope(caller, model, now);
        let charge = self.account(scope, caller, model).admit(cost, now)?;
        Ok(Reservation { scope, charge })
    }

    /// Gives back what an attempt has not used, and its place among those that are being answered. Using more than was reserved is
    /// not possible: it counts as all of it.
    pub fn settle(&mut self, reservation: Reservation, used: Cost, now: Duration) {
        let now = self.not_before(now);
        // It is there: an account with reservations is never dropped.
        if let Some(account) = self.accounts.get_mut(&reservation.scope) {
            account.settle(reservation.charge, used, now);
        }
    }

    /// How long it takes until an attempt of such a cost would be admitted, if nobody else comes. Zero where no wait is needed, or
    /// none helps.
    pub fn wait(&mut self, caller: Caller, model: usize, cost: Cost, now: Duration) -> Duration {
        let now = self.not_before(now);
        let scope = self.scope(caller, model, now);
        self.account(scope, caller, model).wait(cost, now)
    }

    /// How far each limit of a caller at a model is used up now, in the order of [`RATES`].
    pub fn standings(&mut self, caller: Caller, model: usize, now: Duration) -> Vec<Standing> {
        let now = self.not_before(now);
        let scope = self.scope(caller, model, now);
        self.account(scope, caller, model).standings(now)
    }

    /// How many accounts are kept: of those who have used something that is not there again yet, and a few others.
    pub fn accounts(&self) -> usize {
        self.accounts.len()
    }

    /// With whom a caller shares its limits at a model. Newcomers share one account when there are [as many](MOST) as are kept, and none
    /// is as good as new; those whose keys the profile names have their own.
    fn scope(&mut self, caller: Caller, model: usize, now: Duration) -> Scope {
        let scope = self.limits.scope(caller, model);
        if self.accounts.len() < self.crowded || self.accounts.contains_key(&scope) {
            return scope;
        }
        if now >= self.look_again || self.accounts.len() < MOST {
            self.accounts.retain(|_, account| !account.is_untouched(now));
            // Twice as many as are needed: looking through them costs each newcomer the same, however many there are.
            self.crowded = (2 * self.accounts.len()).clamp(FEW, MOST);
            self.look_again = now + LOOK_EVERY;
        }
        let is_full = self.accounts.len() >= MOST && caller.place.is_none();
        if is_full { Scope { caller: 0, ..scope } } else { scope }
    }

    fn account(&mut self, scope: Scope, caller: Caller, model: usize) -> &mut Account {
        let Self { limits, accounts, .. } = self;
        accounts.entry(scope).or_insert_with(|| Account::new(limits.window, &limits.caps(caller, model)))
    }

    fn not_before(&mut self, now: Duration) -> Duration {
        self.latest = self.latest.max(now);
        self.latest
    }
}

impl Limits {
    fn scope(&self, caller: Caller, model: usize) -> Scope {
        Scope { caller: if self.per_key { caller.hash } else { 0 }, model: if self.per_model { model } else { 0 } }
    }

    /// What holds for a caller at a model: the key's own figures, else the model's own, else those of all.
    fn caps(&self, caller: Caller, model: usize) -> crate::profile::Caps {
        let of_model = self.models.iter().find(|(place, _)| *place == model).map(|(_, caps)| caps);
        let of_key = self.keys.iter().find(|(place, _)| Some(*place) == caller.place).map(|(_, caps)| caps);
        [of_model, of_key].into_iter().flatten().fold(self.all, |caps, own| caps.overridden_by(own))
    }
}
