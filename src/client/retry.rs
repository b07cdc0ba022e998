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
            // Who queues again is behind all others.
            ErrorKind::QueueTimeout => false,
            ErrorKind::Config | ErrorKind::UnknownModel | ErrorKind::TotalTimeout => false,
            ErrorKind::Dns | ErrorKind::Connect | ErrorKind::ConnectTimeout | ErrorKind::Tls => self.connect,
            ErrorKind::HeadersTimeout
            | ErrorKind::FirstTokenTimeout
            | ErrorKind::StallTimeout
            | ErrorKind::ContentStallTimeout
            | ErrorKind::ReadTimeout => self.read_timeout,
            ErrorKind::Reset | ErrorKind::Closed | ErrorKind::Truncated => self.broken,
            ErrorKind::Malformed | ErrorKind::InBand => self.malformed,
            ErrorKind::RateLimited => self.statuses.contains(&429),
            ErrorKind::InsufficientQuota => self.quota,
            ErrorKind::Status(code) => self.statuses.contains(&code) || self.server_errors && (500..600).contains(&code),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;
    use std::time::SystemTime;

    use hyper::HeaderMap;
    use proptest::prelude::*;
    use rand::SeedableRng;
    use rand_pcg::Pcg64Mcg;
    use relaybench_clock::now;

    use super::*;
    use crate::client::hint;
    use crate::client::policy::{Jitter, Policy};
    use crate::client::request::RequestId;

    fn rng() -> Pcg64Mcg {
        Pcg64Mcg::seed_from_u64(1)
    }

    /// The official SDK's policy, without its jitter.
    fn exact() -> Retry {
        Retry { jitter: Jitter::None, ..Policy::openai_sdk().retry }
    }

    fn failed(kind: ErrorKind) -> Failure {
        Failure::new(kind, "no")
    }

    fn after(policy: &Retry, failure: &Failure) -> Next {
        next(policy, failure, 1, Duration::from_secs(1000), &mut rng())
    }

    #[test]
    fn server_hints_follow_the_conformance_facts() {
        // Fri, 29 Sep 2023 16:26:37 GMT
        let wall = SystemTime::UNIX_EPOCH + Duration::from_secs(1_696_004_797);
        let own = Some(0.5);
        for (value, expected_s) in [
            ("20", Some(20.0)),
            ("0", own),
            ("-10", own),
            ("60", Some(60.0)),
            ("61", Some(61.0)),
            ("120", Some(120.0)),
            ("121", None),
            ("Fri, 29 Sep 2023 16:26:57 GMT", Some(20.0)),
            ("Fri, 29 Sep 2023 16:26:27 GMT", own),
            ("Fri, 29 Sep 2023 16:28:38 GMT", None),
            ("99999999999999999999999999999999999", own),
            ("inf", own),
            ("nan", own),
            ("Zun, 29 Sep 2023 16:26:27 GMT", own),
            ("", own),
        ] {
            let headers = HeaderMap::from_iter([("retry-after".parse().unwrap(), value.parse().unwrap())]);
            let failure = Failure { hint: hint::wait(&headers, wall), ..failed(ErrorKind::RateLimited) };
            let waited_s = match after(&exact(), &failure) {
                Next::Retry { wait, .. } => Some(wait.as_secs_f64()),
                Next::Stop(reason) => {
                    assert_eq!(reason, Stop::HintTooLong);
                    None
                }
            };
            assert_eq!(waited_s, expected_s, "{value:?}");
        }
    }

    #[test]
    fn the_servers_word_overrules_the_statuses_but_not_a_used_up_quota() {
        let told = |kind, should_retry| Failure { should_retry: Some(should_retry), ..failed(kind) };
        let resilient = Policy::resilient().retry;
        let is_retry = |next| matches!(next, Next::Retry { .. });
        assert!(is_retry(after(&resilient, &told(ErrorKind::Status(400), true))));
        assert_eq!(after(&resilient, &told(ErrorKind::Status(503), false)), Next::Stop(Stop::ServerSaidNo));
        assert_eq!(after(&resilient, &told(ErrorKind::InsufficientQuota, true)), Next::Stop(Stop::Permanent));
        let deaf = Policy::tutorial_retry().retry;
        assert_eq!(after(&deaf, &told(ErrorKind::Status(400), true)), Next::Stop(Stop::Permanent));
        assert!(is_retry(after(&deaf, &told(ErrorKind::RateLimited, false))));
    }

    #[test]
    fn what_each_preset_retries() {
        let kinds = [
            ErrorKind::Status(400),
            ErrorKind::Status(401),
            ErrorKind::Status(404),
            ErrorKind::Status(408),
            ErrorKind::RateLimited,
            ErrorKind::InsufficientQuota,
            ErrorKind::Status(500),
            ErrorKind::Status(529),
            ErrorKind::Connect,
            ErrorKind::Reset,
            ErrorKind::ReadTimeout,
            ErrorKind::TotalTimeout,
            ErrorKind::InBand,
        ];
        for (policy, expected) in [
            (Policy::resilient(), "---xx-xxxxx-x"),
            (Policy::tutorial_bench(), "-------------"),
            (Policy::tutorial_retry(), "----xx-------"),
            (Policy::openai_sdk(), "---xxxxxxxx--"),
            (Policy::none(), "-------------"),
        ] {
            let retried: String = kinds.iter().map(|kind| if policy.retry.on.covers(*kind) { 'x' } else { '-' }).collect();
            assert_eq!(retried, expected, "{}", policy.name);
        }
    }

    #[test]
    fn a_hint_that_fits_is_obeyed_although_its_jitter_does_not() {
        let failure = Failure { hint: Some(Duration::from_secs(10)), ..failed(ErrorKind::RateLimited) };
        let left = Duration::from_secs(10) + Duration::from_nanos(1);
        let next = next(&Policy::resilient().retry, &failure, 1, left, &mut rng());
        assert_eq!(next, Next::Retry { wait: Duration::from_secs(10), hint_obeyed: true });
    }

    proptest! {
        #[test]
        fn the_loop_never_sleeps_up_to_its_deadline_nor_tries_too_often(
            seed: u64,
            total_ms in 1_u64..60_000,
            took_ms in prop::collection::vec(0_u64..20_000, 10),
            hints_ms in prop::collection::vec(prop::option::of(1_u64..200_000), 10),
        ) {
            let start = now();
            let deadline = start + Duration::from_millis(total_ms);
            let clock = Cell::new(start);
            let calls = Cell::new(0_usize);
            let policy = Policy::resilient().retry;
            let call = |turn: Turn| {
                let index = calls.replace(calls.get() + 1);
                clock.set(clock.get() + Duration::from_millis(took_ms[index]));
                let failure = Failure { hint: hints_ms[index].map(Duration::from_millis), ..failed(ErrorKind::RateLimited) };
                std::future::ready(Tried::<()> { record: Attempt::begin(turn, RequestId::numbered(1, 1), clock.get()), result: Err(failure) })
            };
            let sleep_until = |until: Instant| {
                assert!(until < deadline, "would sleep to {:?} of {total_ms} ms", until - start);
                clock.set(until);
                std::future::ready(())
            };
            let mut rng = Pcg64Mcg::seed_from_u64(seed);
            let run = run(&policy, deadline, &mut rng, || clock.get(), sleep_until, call);
            let outcome = futures_util::FutureExt::now_or_never(run).expect("nothing waits");
            prop_assert!(outcome.result.is_err());
            prop_assert_eq!(outcome.attempts.len(), calls.get());
            prop_assert!(calls.get() <= policy.attempts as usize);
        }
    }
}
