//! Whether to try again, and the loop that does.

use std::pin::pin;
use std::time::Duration;

use futures_util::future::{Either, select};
use rand::Rng;
use relaybench_clock::Instant;

use super::attempt::Attempt;
use super::backoff;
use super::budget::{Asked, Permit, Plea};
use super::error::{ErrorKind, Failure, Limit, Stop};
use super::policy::{Hints, Retry, RetryOn};

/// Which try it is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Turn {
    /// From 1.
    pub(crate) number: u32,
    /// How long was waited before it.
    pub(crate) waited: Duration,
    pub(crate) hint_obeyed: bool,
}

/// What became of one try.
pub(crate) struct Tried<T> {
    pub(crate) record: Attempt,
    pub(crate) result: Result<T, Failure>,
}

/// What became of all of them.
pub(crate) struct Outcome<T> {
    pub(crate) attempts: Vec<Attempt>,
    pub(crate) result: Result<T, (Failure, Stop)>,
}

/// What the tries of one logical request are bound by.
pub(crate) struct Bounds<'a> {
    pub(crate) policy: &'a Retry,
    pub(crate) asked: &'a Asked,
    /// Rules above all: no wait is begun that would end at it or after.
    pub(crate) deadline: Instant,
}

/// Calls until it succeeds or another try makes no sense. `earlier` are tries that were made before. A retry's permit is held until
/// its call returns.
pub(crate) async fn run<T, Calling, Sleeping>(
    bounds: Bounds<'_>,
    earlier: Vec<Attempt>,
    rng: &mut impl Rng,
    now: impl Fn() -> Instant,
    sleep_until: impl Fn(Instant) -> Sleeping,
    mut call: impl FnMut(Turn) -> Calling,
) -> Outcome<T>
where
    Calling: Future<Output = Tried<T>>,
    Sleeping: Future<Output = ()>,
{
    let Bounds { policy, asked, deadline } = bounds;
    let mut attempts = earlier;
    let mut turn = Turn::after(&attempts);
    let mut permit: Option<Permit> = None;
    loop {
        let Tried { record, result } = call(turn).await;
        drop(permit.take());
        attempts.push(record);
        let failure = match result {
            Ok(value) => return Outcome { attempts, result: Ok(value) },
            Err(failure) => failure,
        };
        let failed = now();
        let next = next(policy, &failure, turn, deadline.saturating_duration_since(failed), rng);
        let granted = next.and_then(|wait| Ok((wait, asked.retry(plea(&attempts, wait))?)));
        let begun = match granted {
            Ok((wait, mut granted)) => {
                sleep_until(failed + wait.length).await;
                enter(&mut granted, policy.cap.max(LEAST_PATIENCE), deadline, &now, &sleep_until).await.map(|()| (wait, granted))
            }
            Err(stop) => Err(stop),
        };
        let (wait, granted) = match begun {
            Ok(begun) => begun,
            Err(stop) => {
                let backoff = backoff::unjittered(policy, turn.number - 1);
                return Outcome { attempts, result: Err((Failure { backoff, ..failure }, stop)) };
            }
        };
        permit = Some(granted);
        turn = Turn { number: turn.number + 1, waited: now() - failed, hint_obeyed: wait.hint_obeyed };
    }
}

/// How long a place is waited for at least, where backoffs are shorter.
const LEAST_PATIENCE: Duration = Duration::from_secs(1);

/// Waits for the retry's place among those in flight, as long as places come free at all: when `patience` passes without one, those
/// who have them hang. And up to the deadline, since there is no use in a place that comes with it.
async fn enter<Sleeping: Future<Output = ()>>(
    permit: &mut Permit,
    patience: Duration,
    deadline: Instant,
    now: impl Fn() -> Instant,
    sleep_until: impl Fn(Instant) -> Sleeping,
) -> Result<(), Stop> {
    let freed = permit.freed();
    {
        let mut entering = pin!(permit.enter());
        loop {
            let (seen, until) = (freed(), deadline.min(now() + patience));
            match select(entering.as_mut(), pin!(async { sleep_until(until).await })).await {
                Either::Left(_) if now() < deadline => break,
                Either::Right(_) if until < deadline && freed() > seen => {}
                _ => return Err(Stop::Budget),
            }
        }
    }
    permit.begin();
    Ok(())
}

impl Turn {
    /// The one that follows these, at once.
    fn after(earlier: &[Attempt]) -> Self {
        Self { number: earlier.last().map_or(1, |last| last.number + 1), waited: Duration::ZERO, hint_obeyed: false }
    }
}

/// A wait before another try.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Wait {
    pub(crate) length: Duration,
    pub(crate) hint_obeyed: bool,
}

/// What the budgets need to know of the retry after the last of these.
fn plea(attempts: &[Attempt], wait: Wait) -> Plea {
    let is_risky = attempts.last().is_some_and(Attempt::possibly_billed);
    let count = || attempts.iter().filter(|attempt| attempt.possibly_billed()).count();
    Plea { invited: wait.hint_obeyed, risk: is_risky.then(|| u32::try_from(count()).unwrap_or(u32::MAX)) }
}

/// The wait that follows the failure of a try, with `left` until the deadline, or why there is no other.
pub(crate) fn next(policy: &Retry, failure: &Failure, turn: Turn, left: Duration, rng: &mut impl Rng) -> Result<Wait, Stop> {
    let wanted = policy.on.covers(failure);
    let told = match policy.hints {
        Hints::Ignore => None,
        Hints::Obey { .. } => failure.should_retry,
    };
    match told {
        Some(false) if wanted => return Err(Stop::ServerSaidNo),
        // What never succeeds does not, whatever a gateway in between says of its status.
        Some(true) if failure.limit.is_none_or(Limit::may_pass) => {}
        _ if wanted => {}
        _ => return Err(Stop::Permanent),
    }
    if turn.number >= policy.attempts {
        return Err(Stop::Attempts);
    }
    let hint = failure.hint.filter(|_| policy.hints_in_words || !failure.is_hint_in_words);
    match (policy.hints, hint) {
        (Hints::Obey { limit, .. }, Some(hint)) if hint > limit => Err(Stop::HintTooLong),
        (Hints::Obey { spread, .. }, Some(hint)) => within(hint, backoff::spread(hint, spread, rng), left, true),
        _ => {
            let wait = backoff::delay(policy, turn.number - 1, turn.waited, rng);
            within(wait, wait, left, false)
        }
    }
}

/// Waits `wait`, or only `least` where the deadline allows no more.
fn within(least: Duration, wait: Duration, left: Duration, hint_obeyed: bool) -> Result<Wait, Stop> {
    let length = if wait < left { wait } else { least };
    if length < left { Ok(Wait { length, hint_obeyed }) } else { Err(Stop::Deadline) }
}

impl RetryOn {
    fn covers(&self, failure: &Failure) -> bool {
        match failure.limit {
            Some(Limit::Quota) if !self.quota => return false,
            Some(Limit::TooLarge) if !self.too_large => return false,
            _ => {}
        }
        match failure.kind {
            // Who queues again is behind all others.
            ErrorKind::QueueTimeout => false,
            ErrorKind::Config | ErrorKind::UnknownModel | ErrorKind::TotalTimeout | ErrorKind::ModelMismatch => false,
            ErrorKind::Dns | ErrorKind::Connect | ErrorKind::OpenFiles | ErrorKind::ConnectTimeout | ErrorKind::Tls => {
                self.connect
            }
            ErrorKind::HeadersTimeout
            | ErrorKind::FirstTokenTimeout
            | ErrorKind::StallTimeout
            | ErrorKind::ContentStallTimeout
            | ErrorKind::ReadTimeout => self.read_timeout,
            ErrorKind::Reset | ErrorKind::Closed | ErrorKind::Truncated => self.broken,
            ErrorKind::Malformed | ErrorKind::InBand => self.malformed,
            ErrorKind::RateLimited => self.covers_status(429),
            ErrorKind::InsufficientQuota => self.quota && failure.status.is_some_and(|status| self.covers_status(status)),
            ErrorKind::TooLarge => self.too_large && failure.status.is_some_and(|status| self.covers_status(status)),
            ErrorKind::Status(status) => self.covers_status(status),
        }
    }

    fn covers_status(&self, status: u16) -> bool {
        self.statuses.contains(&status) || self.server_errors && (500..600).contains(&status)
    }
}

#[cfg(test)]
mod tests;
