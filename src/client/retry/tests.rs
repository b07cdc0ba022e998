//! What follows a failure, and the loop played without clock or network.

use std::cell::{Cell, RefCell};
use std::sync::Arc;
use std::time::SystemTime;

use futures_util::FutureExt;
use hyper::HeaderMap;
use proptest::prelude::*;
use rand::SeedableRng;
use rand_pcg::Pcg64Mcg;
use relaybench_clock::now;

use super::*;
use crate::client::attempt::Progress;
use crate::client::budget::Budgets;
use crate::client::classify;
use crate::client::policy::{BillingRisk, Jitter, Policy, RetryBudget};
use crate::client::request::RequestId;

fn rng() -> Pcg64Mcg {
    Pcg64Mcg::seed_from_u64(1)
}

/// The official SDK's policy, without its jitter.
fn exact() -> Retry {
    Retry { jitter: Jitter::None, ..Policy::openai_sdk().retry }
}

fn budgets(policy: &Retry) -> Arc<Budgets> {
    Arc::new(Budgets::new(policy))
}

fn failed(kind: ErrorKind) -> Failure {
    Failure::new(kind, "no")
}

const FIRST: Turn = Turn { number: 1, waited: Duration::ZERO, hint_obeyed: false };

fn after(policy: &Retry, failure: &Failure) -> Result<Wait, Stop> {
    next(policy, failure, FIRST, Duration::from_secs(1000), &mut rng())
}

/// Plays tries, each of which takes so long, comes so far and fails so, until the loop gives up. Says when they began, in
/// milliseconds, and why it stopped; `None` when the script was at its end, as if the next try had succeeded.
fn play(
    policy: &Retry,
    budgets: &Arc<Budgets>,
    total_ms: u64,
    script: Vec<(u64, Progress, Failure)>,
) -> (Vec<u128>, Option<Stop>) {
    let start = now();
    let deadline = start + Duration::from_millis(total_ms);
    let clock = Cell::new(start);
    let script = RefCell::new(script.into_iter());
    let asked = budgets.ask();
    let call = |turn: Turn| {
        let mut record = Attempt::begin(turn, RequestId::numbered(1, 1), clock.get());
        let result = match script.borrow_mut().next() {
            None => Ok(()),
            Some((took_ms, progress, failure)) => {
                clock.set(clock.get() + Duration::from_millis(took_ms));
                record.progress = progress;
                record.failure = Some(failure.kind);
                Err(failure)
            }
        };
        std::future::ready(Tried { record, result })
    };
    let sleep_until = |until: Instant| {
        assert!(until < deadline, "would sleep to {:?} of {total_ms} ms", until - start);
        clock.set(until);
        std::future::ready(())
    };
    let bounds = Bounds { policy, asked: &asked, deadline };
    let mut rng = rng();
    let outcome = run(bounds, Vec::new(), &mut rng, || clock.get(), sleep_until, call);
    let Outcome { attempts, result } = outcome.now_or_never().expect("nothing waits");
    let times = attempts.iter().map(|attempt| (attempt.started - start).as_millis()).collect();
    (times, result.err().map(|(_, stop)| stop))
}

fn refused(failure: Failure) -> (u64, Progress, Failure) {
    (0, Progress::Content, failure)
}

#[test]
fn server_hints_follow_the_conformance_facts() {
    // Fri, 29 Sep 2023 16:26:37 GMT
    let wall = SystemTime::UNIX_EPOCH + Duration::from_secs(1_696_004_797);
    let seconds = |count: u64| Some(u128::from(count) * 1000);
    let own = Some(500);
    let just = |value: &'static str| vec![("retry-after", value)];
    for (headers, expected_ms) in [
        (just("20"), seconds(20)),
        (just("0"), own),
        (just("-10"), own),
        (just("60"), seconds(60)),
        (just("61"), seconds(61)),
        (just("120"), seconds(120)),
        (just("121"), None),
        (just(" 20 "), seconds(20)),
        (just("Fri, 29 Sep 2023 16:26:57 GMT"), seconds(20)),
        (just("Friday, 29-Sep-23 16:26:57 GMT"), seconds(20)),
        (just("Fri Sep 29 16:26:57 2023"), seconds(20)),
        (just("Fri, 29 Sep 2023 16:26:27 GMT"), own),
        (just("Fri, 29 Sep 2023 16:28:38 GMT"), None),
        (just("99999999999999999999999999999999999"), own),
        (just("inf"), own),
        (just("nan"), own),
        (just("Zun, 29 Sep 2023 16:26:27 GMT"), own),
        (just(""), own),
        (vec![], own),
        (vec![("retry-after", "20"), ("retry-after-ms", "644")], Some(644)),
        (vec![("retry-after", "20"), ("retry-after-ms", "soon")], seconds(20)),
        (vec![("retry-after", "20"), ("retry-after-ms", "121000")], None),
        (vec![("retry-after", "20"), ("x-should-retry", "true")], seconds(20)),
    ] {
        let given = headers.iter().map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap()));
        let failure = classify::status(429, &HeaderMap::from_iter(given), b"", wall);
        let (times, stop) = play(&exact(), &budgets(&exact()), 1_000_000, vec![refused(failure)]);
        assert_eq!(times.get(1).copied(), expected_ms, "{headers:?}");
        assert_eq!(stop, expected_ms.is_none().then_some(Stop::HintTooLong), "{headers:?}");
    }
}

#[test]
fn a_hint_gains_jitter_so_that_a_fleet_does_not_wake_together() {
    let failure = Failure { hint: Some(Duration::from_secs(20)), ..failed(ErrorKind::RateLimited) };
    let policy = Policy::resilient().retry;
    let waits: Vec<Duration> = (0..100)
        .map(|seed| next(&policy, &failure, FIRST, Duration::from_secs(1000), &mut Pcg64Mcg::seed_from_u64(seed)))
        .map(|wait| wait.unwrap().length)
        .collect();
    assert!(waits.iter().all(|wait| *wait >= Duration::from_secs(20) && *wait < Duration::from_secs(21)));
    let different: std::collections::BTreeSet<_> = waits.iter().collect();
    assert_eq!(different.len(), 100);
}

#[test]
fn a_wait_in_words_is_obeyed_where_no_header_names_one_and_the_policy_listens() {
    let words = |header: Option<&'static str>| {
        let headers = header.map(|value| ("retry-after-ms".parse().unwrap(), value.parse().unwrap()));
        let body = br#"{"error":{"message":"Please retry after 7 seconds."}}"#;
        classify::status(429, &HeaderMap::from_iter(headers), body, SystemTime::UNIX_EPOCH)
    };
    let listening = Retry { hints_in_words: true, ..exact() };
    let waited_ms = |policy: &Retry, failure| after(policy, &failure).unwrap().length.as_millis();
    assert_eq!(waited_ms(&listening, words(None)), 7000);
    assert_eq!(waited_ms(&listening, words(Some("644"))), 644);
    assert_eq!(waited_ms(&exact(), words(None)), 500);
    assert_eq!(waited_ms(&Policy::tutorial_retry().retry, words(None)), 1000);
}

#[test]
fn the_servers_word_overrules_the_statuses_but_not_what_never_succeeds() {
    let told = |kind, should_retry| Failure { should_retry: Some(should_retry), ..failed(kind) };
    let limited = |kind, limit| Failure { limit: Some(limit), ..told(kind, true) };
    let resilient = Policy::resilient().retry;
    assert!(after(&resilient, &told(ErrorKind::Status(400), true)).is_ok());
    assert_eq!(after(&resilient, &told(ErrorKind::Status(503), false)), Err(Stop::ServerSaidNo));
    for (kind, limit) in [
        (ErrorKind::InsufficientQuota, Limit::Quota),
        (ErrorKind::TooLarge, Limit::TooLarge),
        (ErrorKind::Status(500), Limit::Quota),
        (ErrorKind::InBand, Limit::TooLarge),
    ] {
        assert_eq!(after(&resilient, &limited(kind, limit)), Err(Stop::Permanent), "{kind} {limit}");
    }
    let deaf = Policy::tutorial_retry().retry;
    assert_eq!(after(&deaf, &told(ErrorKind::Status(400), true)), Err(Stop::Permanent));
    assert!(after(&deaf, &told(ErrorKind::RateLimited, false)).is_ok());
}

#[test]
fn what_each_preset_retries() {
    let status = |status, kind, limit| Failure { status: Some(status), limit, ..failed(kind) };
    let failures = [
        status(400, ErrorKind::Status(400), None),
        status(401, ErrorKind::Status(401), None),
        status(404, ErrorKind::Status(404), None),
        status(408, ErrorKind::Status(408), None),
        status(429, ErrorKind::RateLimited, Some(Limit::Tokens)),
        status(429, ErrorKind::InsufficientQuota, Some(Limit::Quota)),
        status(402, ErrorKind::InsufficientQuota, Some(Limit::Quota)),
        status(429, ErrorKind::TooLarge, Some(Limit::TooLarge)),
        status(498, ErrorKind::Status(498), Some(Limit::Overload)),
        status(500, ErrorKind::Status(500), None),
        status(529, ErrorKind::Status(529), Some(Limit::Overload)),
        failed(ErrorKind::Connect),
        failed(ErrorKind::Reset),
        failed(ErrorKind::ReadTimeout),
        failed(ErrorKind::TotalTimeout),
        failed(ErrorKind::InBand),
        failed(ErrorKind::ModelMismatch),
    ];
    for (policy, expected) in [
        (Policy::resilient(), "---xx---xxxxxx-x-"),
        (Policy::tutorial_bench(), "-----------------"),
        (Policy::tutorial_retry(), "----xx-x---------"),
        (Policy::openai_sdk(), "---xxx-x-xxxxx---"),
        (Policy::none(), "-----------------"),
    ] {
        let retried: String = failures.iter().map(|failure| if policy.retry.on.covers(failure) { 'x' } else { '-' }).collect();
        assert_eq!(retried, expected, "{}", policy.name);
    }
}

#[test]
fn a_hint_that_fits_is_obeyed_although_its_jitter_does_not() {
    let failure = Failure { hint: Some(Duration::from_secs(10)), ..failed(ErrorKind::RateLimited) };
    let left = Duration::from_secs(10) + Duration::from_nanos(1);
    let next = next(&Policy::resilient().retry, &failure, FIRST, left, &mut rng());
    assert_eq!(next, Ok(Wait { length: Duration::from_secs(10), hint_obeyed: true }));
}

#[test]
fn what_may_be_billed_is_repeated_once_and_what_may_not_as_often_as_the_tries_allow() {
    let policy = Policy::resilient().retry;
    for (kind, progress, tries, stop) in [
        (ErrorKind::Connect, Progress::NeverSent, 4, Stop::Attempts),
        (ErrorKind::ReadTimeout, Progress::NeverSent, 4, Stop::Attempts),
        (ErrorKind::RateLimited, Progress::Content, 4, Stop::Attempts),
        (ErrorKind::Status(500), Progress::Content, 4, Stop::Attempts),
        (ErrorKind::InBand, Progress::Content, 4, Stop::Attempts),
        (ErrorKind::Status(504), Progress::Content, 2, Stop::BillingRisk),
        (ErrorKind::ReadTimeout, Progress::NoResponse, 2, Stop::BillingRisk),
        (ErrorKind::Reset, Progress::NoResponse, 2, Stop::BillingRisk),
        (ErrorKind::Closed, Progress::NoResponse, 2, Stop::BillingRisk),
        (ErrorKind::Truncated, Progress::Content, 2, Stop::BillingRisk),
        (ErrorKind::Malformed, Progress::Content, 2, Stop::BillingRisk),
    ] {
        let script = || (0..9).map(|_| (10, progress, failed(kind))).collect();
        let (times, stopped) = play(&policy, &budgets(&policy), 1_000_000, script());
        assert_eq!((times.len(), stopped), (tries, Some(stop)), "{kind}");
        let reckless = Retry { billing_risk: None, ..policy.clone() };
        assert_eq!(play(&reckless, &budgets(&reckless), 1_000_000, script()).0.len(), 4, "{kind}");
    }
}

#[test]
fn an_empty_budget_ends_a_request_at_once() {
    let budget = RetryBudget { start: 1.0, ..RetryBudget::default() };
    let policy = Retry { jitter: Jitter::None, budget: Some(budget), ..Policy::resilient().retry };
    let script = (0..3).map(|_| refused(failed(ErrorKind::Status(503)))).collect();
    let (times, stop) = play(&policy, &budgets(&policy), 1_000_000, script);
    assert_eq!((times, stop), (vec![0, 500], Some(Stop::Budget)));
}

#[test]
fn a_stop_that_was_sure_beforehand_takes_nothing_from_the_budgets() {
    let policy = Policy::resilient().retry;
    let budgets = budgets(&policy);
    let before = budgets.books();
    let hint = |seconds| Failure { hint: Some(Duration::from_secs(seconds)), ..failed(ErrorKind::RateLimited) };
    for (failure, stop) in
        [(failed(ErrorKind::Status(400)), Stop::Permanent), (hint(121), Stop::HintTooLong), (hint(31), Stop::Deadline)]
    {
        assert_eq!(play(&policy, &budgets, 30_000, vec![refused(failure)]).1, Some(stop));
    }
    assert_eq!(budgets.books(), before);
}

#[test]
fn a_request_that_is_dropped_while_it_waits_gives_everything_back() {
    let policy = Retry { billing_risk: Some(BillingRisk { share: 0.0, ..BillingRisk::default() }), ..Policy::resilient().retry };
    let budgets = budgets(&policy);
    let before = budgets.books();
    {
        let asked = budgets.ask();
        let bounds = Bounds { policy: &policy, asked: &asked, deadline: now() + Duration::from_secs(1000) };
        let call = |turn: Turn| {
            let mut record = Attempt::begin(turn, RequestId::numbered(1, 1), now());
            (record.progress, record.failure) = (Progress::NoResponse, Some(ErrorKind::Reset));
            std::future::ready(Tried::<()> { record, result: Err(failed(ErrorKind::Reset)) })
        };
        let (start, mut rng) = (now(), rng());
        let mut waiting = std::pin::pin!(run(bounds, Vec::new(), &mut rng, || start, |_| std::future::pending(), call));
        assert!(waiting.as_mut().now_or_never().is_none());
        assert_ne!(budgets.books(), before);
    }
    assert_eq!(budgets.books(), before);
}

fn any_failure() -> impl Strategy<Value = (u64, Progress, Failure)> {
    let kinds = prop::sample::select(vec![
        ErrorKind::RateLimited,
        ErrorKind::Status(503),
        ErrorKind::Connect,
        ErrorKind::Reset,
        ErrorKind::ReadTimeout,
        ErrorKind::Malformed,
    ]);
    let progress = prop::sample::select(vec![Progress::NeverSent, Progress::NoResponse, Progress::Content]);
    (0_u64..20_000, progress, kinds, prop::option::of(1_u64..200_000)).prop_map(|(took_ms, progress, kind, hint_ms)| {
        (took_ms, progress, Failure { hint: hint_ms.map(Duration::from_millis), ..failed(kind) })
    })
}

proptest! {
    #[test]
    fn the_loop_never_sleeps_up_to_its_deadline_nor_tries_too_often(
        total_ms in 1_u64..100_000,
        attempts in 1_u32..8,
        jitter in prop::sample::select(vec![Jitter::None, Jitter::Full, Jitter::Equal, Jitter::Quarter, Jitter::Decorrelated]),
        is_bounded: bool,
        script in prop::collection::vec(any_failure(), 10),
    ) {
        let mut policy = Retry { attempts, jitter, ..Policy::resilient().retry };
        if !is_bounded {
            (policy.budget, policy.billing_risk) = (None, None);
        }
        let (times, stop) = play(&policy, &budgets(&policy), total_ms, script);
        prop_assert!(stop.is_some());
        prop_assert!(times.len() <= attempts as usize);
    }
}
