//! Whether to try again, and the loop that does.

use std::time::Duration;

use rand::Rng;
use relaybench_clock::Instant;

use super::attempt::Attempt;
use super::backoff;
use super::error::{ErrorKind, Failure, Stop};
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

/// Calls until it succeeds or another try makes no sense. `deadline` rules: no wait is begun that would end at it or after.
pub(crate) async fn run<T, Calling, Sleeping>(
    policy: &Retry,
    deadline: Instant,
    rng: &mut impl Rng,
    now: impl Fn() -> Instant,
    sleep_until: impl Fn(Instant) -> Sleeping,
    mut call: impl FnMut(Turn) -> Calling,
) -> Outcome<T>
where
    Calling: Future<Output = Tried<T>>,
    Sleeping: Future<Output = ()>,
{
    let mut turn = Turn { number: 1, waited: Duration::ZERO, hint_obeyed: false };
    let mut attempts = Vec::with_capacity(1);
    loop {
        let Tried { record, result } = call(turn).await;
        attempts.push(record);
        let failure = match result {
            Ok(value) => return Outcome { attempts, result: Ok(value) },
            Err(failure) => failure,
        };
        let now = now();
        match next(policy, &failure, turn.number, deadline.saturating_duration_since(now), rng) {
            Next::Stop(reason) => return Outcome { attempts, result: Err((failure, reason)) },
            Next::Retry { wait, hint_obeyed } => {
                sleep_until(now + wait).await;
                turn = Turn { number: turn.number + 1, waited: wait, hint_obeyed };
            }
        }
    }
}

/// What follows a failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Next {
    Retry { wait: Duration, hint_obeyed: bool },
    Stop(Stop),
}

/// What follows the failure of try number `number`, with `left` until the deadline.
pub(crate) fn next(policy: &Retry, failure: &Failure, number: u32, left: Duration, rng: &mut impl Rng) -> Next {
    let wanted = policy.on.covers(failure.kind);
    let told = match policy.hints {
        Hints::Ignore => None,
        Hints::Obey { .. } => failure.should_retry,
    };
    match told {
        Some(false) if wanted => return Next::Stop(Stop::ServerSaidNo),
        // A used-up quota stays used up, whatever a gateway in between says of its status.
        Some(true) if failure.kind != ErrorKind::InsufficientQuota => {}
        _ if wanted => {}
        _ => return Next::Stop(Stop::Permanent),
    }
    if number >= policy.attempts {
        return Next::Stop(Stop::Attempts);
    }
    match (policy.hints, failure.hint) {
        (Hints::Obey { limit, .. }, Some(hint)) if hint > limit => Next::Stop(Stop::HintTooLong),
        (Hints::Obey { spread, .. }, Some(hint)) => within(hint, backoff::spread(hint, spread, rng), left, true),
        _ => {
            let wait = backoff::delay(policy, number - 1, rng);
            within(wait, wait, left, false)
        }
    }
}

/// Waits `wait`, or only `least` where the deadline allows no more.
fn within(least: Duration, wait: Duration, left: Duration, hint_obeyed: bool) -> Next {
    match () {
        () if wait < left => Next::Retry { wait, hint_obeyed },
        () if least < left => Next::Retry { wait: least, hint_obeyed },
        () => Next::Stop(Stop::Deadline),
    }
}

impl RetryOn {
    fn covers(&self, kind: ErrorKind) -> bool {
        match kind {
            ErrorKind::Config | ErrorKind::UnknownModel | ErrorKind::TotalTimeout => false,
            ErrorKind::Dns | ErrorKind::Connect | ErrorKind::ConnectTimeout | ErrorKind::Tls => self.connect,
            ErrorKind::ReadTimeout => self.read_timeout,
            ErrorKind::Reset | ErrorKind::Closed | ErrorKind::Truncated => self.broken,
            ErrorKind::Malformed | ErrorKind::InBand => self.malformed,
            ErrorKind::RateLimited => self.statuses.contains(&429),
            ErrorKind::InsufficientQuota => self.quota,
            ErrorKind::Status(code) => self.statuses.contains(&code) || self.server_errors && (500..600).contains(&code),
        }
    }
}
