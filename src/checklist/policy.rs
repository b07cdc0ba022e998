//! What a policy risks with a relay as it was measured: pure.

use std::time::Duration;

use super::Check;
use super::probe::{Answer, Streamed};
use crate::client::{Hints, Jitter, Policy};

/// How much longer than the expected answer a timeout must be: between models p95 is 1.5 to 4.2 times p50, and few answers are as
/// long as the longest.
const HEADROOM: f64 = 2.0;

/// A lost SYN is sent again after 1 s and then after 3 s.
const SHORTEST_CONNECT: Duration = Duration::from_secs(3);

/// When common servers (Node.js, uvicorn) close an idle connection.
const SERVERS_CLOSE: Duration = Duration::from_secs(5);

const TIMEOUTS: &str = "timeouts";
const STALLS: &str = "stalls";
const RETRIES: &str = "retries";
const BUDGETS: &str = "budgets";
const POOL: &str = "pool";

/// What the relay needs, as far as it was measured.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Measured {
    /// The length of the longest answer, in tokens, and how long it takes.
    pub(super) longest: Option<(u32, Duration)>,
    /// Until the first piece of a stream, and between its pieces.
    pub(super) pace: Option<(Duration, Duration)>,
}

impl Measured {
    /// Tokens go on coming as they came.
    pub(super) fn of(answer: Option<&Answer>, stream: Option<&Streamed>, tokens: u32) -> Self {
        let stream = stream.filter(|stream| stream.pieces > 1);
        let pace = stream.map(|stream| (stream.first, (stream.took - stream.first) / (stream.pieces - 1)));
        let by_stream = pace.map(|(first, gap)| first + gap * tokens.saturating_sub(1));
        let longest = by_stream.max(answer.map(|answer| answer.took)).map(|longest| (tokens, longest));
        Self { longest, pace }
    }
}

/// All checks of a policy.
pub(super) fn all(policy: &Policy, measured: Measured) -> [Check; 5] {
    [timeouts(policy, measured.longest), stalls(policy, measured.pace), retries(policy), budgets(policy), pool(policy)]
}

/// `longest` is an answer's length in tokens, and how long it takes.
fn timeouts(policy: &Policy, longest: Option<(u32, Duration)>) -> Check {
    let timeouts = &policy.timeouts;
    let figures = format!("total {:?}, connect {}, read {}", timeouts.total, shown(timeouts.connect), shown(timeouts.read));
    if let Some(connect) = timeouts.connect.filter(|connect| *connect < SHORTEST_CONNECT || *connect > timeouts.total) {
        let why = format!("connect timeout {connect:?} ({figures})");
        return Check::failed(TIMEOUTS, why, "3 s or more, so that a lost packet is mended, and no more than the total");
    }
    let Some((tokens, longest)) = longest else {
        return Check::not_checked(TIMEOUTS, format!("no latency was measured ({figures})"));
    };
    let needed = longest.mul_f64(HEADROOM);
    let told = format!("an answer of {tokens} tokens takes about {longest:.1?} here");
    let silence = timeouts.read.unwrap_or(timeouts.total).min(timeouts.total);
    if silence < needed {
        let which = if timeouts.total < needed { "total" } else { "read" };
        let hint = format!("{which} timeout of at least {needed:.0?}, {HEADROOM} times as long, or shorter answers, or streams");
        return Check::failed(TIMEOUTS, format!("{told}, and the client waits for {silence:?} ({figures})"), hint);
    }
    Check::ok(TIMEOUTS, format!("{told} ({figures})"))
}

/// What a stream that dies costs. `pace` is a stream's first piece, and the gap between two.
fn stalls(policy: &Policy, pace: Option<(Duration, Duration)>) -> Check {
    let timeouts = &policy.timeouts;
    let (total, first) = (timeouts.total, timeouts.first_token);
    let figures =
        format!("first token {}, stall {}, content stall {}", shown(first), shown(timeouts.stall), shown(timeouts.content_stall));
    // Any byte ends a silence of either kind.
    let silence = timeouts.stall.or(timeouts.read);
    let missing = [
        (first.is_none(), format!("a stream that never begins, but sends comments, is waited for until the total, {total:?}")),
        (silence.is_none(), format!("a stream that falls silent is noticed at the total, {total:?}")),
        (timeouts.content_stall.is_none(), format!("comments keep a dead stream alive until the total, {total:?}")),
    ];
    let missing = told(missing);
    if !missing.is_empty() {
        let hint = "a first-token, stall and content-stall timeout; --policy resilient has 15 s, 10 s and 15 s";
        return Check::failed(STALLS, format!("{}: {missing} ({figures})", policy.name), hint);
    }
    let Some((begins, gap)) = pace else {
        return Check::not_checked(STALLS, format!("no pace was measured ({figures})"));
    };
    let paced = format!("the first piece comes after {begins:.1?} here, the next ones {gap:.1?} apart");
    let least = |needed: Duration, figure: Option<Duration>| figure.is_some_and(|figure| figure < needed.mul_f64(HEADROOM));
    let tight = [
        (least(begins, first), format!("first-token timeout of at least {:.1?}", begins.mul_f64(HEADROOM))),
        (least(gap, silence), format!("stall timeout of at least {:.1?}", gap.mul_f64(HEADROOM))),
        (least(gap, timeouts.content_stall), format!("content-stall timeout of at least {:.1?}", gap.mul_f64(HEADROOM))),
    ];
    let tight = told(tight);
    match tight.is_empty() {
        true => Check::ok(STALLS, format!("{paced} ({figures})")),
        false => Check::failed(STALLS, format!("{paced}, and good streams are cut ({figures})"), tight),
    }
}

fn retries(policy: &Policy) -> Check {
    let retry = &policy.retry;
    let waits: f64 = (0..retry.attempts.saturating_sub(1).min(64))
        .map(|n| (retry.base.as_secs_f64() * retry.factor.powi(n as i32)).min(retry.cap.as_secs_f64()))
        .sum();
    let is_429 = retry.on.statuses.contains(&429);
    let faults = told([
        (retry.attempts < 2, "nothing is retried"),
        (retry.attempts > 1 && !is_429, "429 is not retried"),
        (
            retry.attempts > 1 && retry.jitter == Jitter::None,
            "waits without jitter: clients that failed together come back together",
        ),
        (retry.attempts > 1 && retry.hints == Hints::Ignore, "Retry-After is ignored"),
        (retry.attempts > 1 && retry.on.quota, "a used-up quota is retried, which never succeeds"),
        (waits > policy.timeouts.total.as_secs_f64(), "the waits alone are longer than the total timeout"),
    ]);
    match faults.is_empty() {
        true => {
            Check::ok(RETRIES, format!("{}: {} tries, waits with jitter, the server's word obeyed", policy.name, retry.attempts))
        }
        false => {
            let hint = match retry.attempts {
                0 | 1 => "--policy resilient tries again what may pass, within budgets",
                _ => "--policy resilient has none of this",
            };
            Check::failed(RETRIES, format!("{}: {faults}", policy.name), hint)
        }
    }
}

/// What retries may cost when everything fails, in load and in money.
fn budgets(policy: &Policy) -> Check {
    let retry = &policy.retry;
    let tries = retry.attempts;
    if tries < 2 {
        return Check::ok(BUDGETS, format!("{}: nothing is retried, so that nothing is added", policy.name));
    }
    let repeats_billed = retry.on.broken || retry.on.read_timeout || retry.on.malformed;
    let faults = told([
        (
            retry.budget.is_none(),
            format!("no retry budget: when everything fails the relay, which needs rest, gets {tries} times the load"),
        ),
        (
            retry.billing_risk.is_none() && repeats_billed,
            format!("no billing risk set: an answer that is lost on its way is asked for again, and may be billed {tries} times"),
        ),
    ]);
    if !faults.is_empty() {
        let hint = "a retry budget and a billing risk, as --policy resilient has";
        return Check::failed(BUDGETS, format!("{}: {faults}", policy.name), hint);
    }
    let load = retry.budget.map_or(String::new(), |budget| {
        format!("retries add {:.0} % of load at most, after the first {:.0}", budget.deposit * 100.0, budget.start)
    });
    let money = retry.billing_risk.map_or("nothing that may be billed is repeated".to_owned(), |risk| {
        format!("{:.0} % of requests may be billed twice, after the first {:.0}", risk.share * 100.0, risk.start)
    });
    Check::ok(BUDGETS, format!("{}: {load}; {money}", policy.name))
}

/// What is kept open.
fn pool(policy: &Policy) -> Check {
    let pool = &policy.pool;
    let cap = pool.cap().map_or("no cap".to_owned(), |cap| format!("{cap} connections"));
    let figures = format!("{cap}, kept {} when idle", shown(pool.idle_timeout));
    let too_long = pool.keeps_connections() && pool.idle_timeout.is_none_or(|idle| idle >= SERVERS_CLOSE);
    let faults = told([
        (!pool.keeps_connections(), "each request opens a connection, a TCP and a TLS handshake, before it is sent"),
        (too_long, "common servers close idle connections after 5 s, and requests are sent into closing ones"),
        (pool.cap().is_none(), "a burst opens a connection each, until there are no open files left"),
    ]);
    match faults.is_empty() {
        true => Check::ok(POOL, format!("{}: {figures}", policy.name)),
        false => {
            let hint = "a cap, and an idle timeout below the server's; --policy resilient has 512 and 4 s";
            Check::failed(POOL, format!("{}: {faults} ({figures})", policy.name), hint)
        }
    }
}

fn shown(timeout: Option<Duration>) -> String {
    timeout.map_or("none".to_owned(), |timeout| format!("{timeout:?}"))
}

/// Those that are so, in one line.
fn told<T: AsRef<str>, const N: usize>(faults: [(bool, T); N]) -> String {
    let faults: Vec<_> = faults.into_iter().filter(|(is_so, _)| *is_so).map(|(_, what)| what.as_ref().to_owned()).collect();
    faults.join("; ")
}

#[cfg(test)]
mod tests {
    use super::super::Verdict;
    use super::*;

    /// What one check says of a preset; `None` is that all is well.
    fn assert_told(check: fn(&Policy) -> Check, expected: [(&str, Option<&str>); 6]) {
        assert!(Policy::names().eq(expected.map(|(name, _)| name)), "a preset was not looked at");
        for (name, says) in expected {
            let check = check(&Policy::named(name).unwrap());
            match says {
                None => assert_eq!(check.verdict, Verdict::Ok, "{check:?}"),
                Some(says) => assert!(check.verdict == Verdict::Failed && check.why.contains(says), "{check:?}"),
            }
        }
    }

    #[test]
    fn each_preset_is_told_what_its_retries_lack() {
        let tutorial = "without jitter: clients that failed together come back together; Retry-After is ignored";
        assert_told(
            retries,
            [
                ("resilient", None),
                ("tutorial-bench", Some("nothing is retried")),
                ("tutorial-pool", Some("nothing is retried")),
                ("tutorial-retry", Some(tutorial)),
                ("openai-sdk", Some("a used-up quota is retried")),
                ("none", Some("nothing is retried")),
            ],
        );
    }

    #[test]
    fn each_preset_is_told_what_its_retries_may_cost() {
        assert_told(
            budgets,
            [
                ("resilient", None),
                ("tutorial-bench", None),
                ("tutorial-pool", None),
                ("tutorial-retry", Some("no retry budget: when everything fails the relay, which needs rest, gets 5 times")),
                ("openai-sdk", Some("gets 3 times the load; no billing risk set: an answer that is lost on its way")),
                ("none", None),
            ],
        );
        // Refusals are all that the tutorial retries, and they are not billed.
        assert!(!budgets(&Policy::tutorial_retry()).why.contains("billing"));
    }

    #[test]
    fn each_preset_is_told_what_a_stream_that_dies_costs() {
        let no_silence = Some("falls silent is noticed at the total, 30s");
        assert_told(
            |policy| stalls(policy, Some((Duration::from_millis(500), Duration::from_millis(13)))),
            [
                ("resilient", None),
                ("tutorial-bench", no_silence),
                ("tutorial-pool", no_silence),
                ("tutorial-retry", Some("comments keep a dead stream alive until the total, 30s")),
                ("openai-sdk", Some("never begins, but sends comments, is waited for until the total, 2040s")),
                ("none", Some("falls silent is noticed at the total, 600s")),
            ],
        );
        // Its read timeout is one of silence.
        assert!(!stalls(&Policy::tutorial_retry(), None).why.contains("falls silent"));
        assert_eq!(stalls(&Policy::resilient(), None).verdict, Verdict::NotChecked);
    }

    #[test]
    fn clocks_that_would_cut_good_streams_are_told() {
        let judged =
            |first_s, gap_s| stalls(&Policy::resilient(), Some((Duration::from_secs(first_s), Duration::from_secs(gap_s))));
        assert_eq!(judged(7, 4).verdict, Verdict::Ok);
        assert_eq!(judged(8, 4).hint.unwrap(), "first-token timeout of at least 16.0s");
        assert_eq!(judged(7, 6).hint.unwrap(), "stall timeout of at least 12.0s");
        assert!(judged(7, 8).hint.unwrap().ends_with("content-stall timeout of at least 16.0s"));
    }

    #[test]
    fn each_preset_is_told_what_its_pool_risks() {
        let idle = Some("common servers close idle connections after 5 s");
        assert_told(
            pool,
            [
                ("resilient", None),
                ("tutorial-bench", idle),
                ("tutorial-pool", idle),
                ("tutorial-retry", idle),
                ("openai-sdk", idle),
                ("none", Some("until there are no open files left")),
            ],
        );
        let mut fresh = Policy::resilient();
        fresh.pool.idle_timeout = Some(Duration::ZERO);
        assert!(pool(&fresh).why.contains("each request opens a connection"));
    }

    #[test]
    fn waits_that_fit_into_no_total_are_told() {
        let mut policy = Policy::resilient();
        policy.retry.base = Duration::from_secs(8);
        policy.retry.attempts = 6;
        assert!(retries(&policy).why.contains("longer than the total"), "{:?}", retries(&policy));
    }

    #[test]
    fn who_retries_nothing_is_told_of_what_is_missing() {
        assert!(retries(&Policy::none()).hint.unwrap().contains("tries again"));
        assert_eq!(retries(&Policy::openai_sdk()).hint.unwrap(), "--policy resilient has none of this");
    }

    #[test]
    fn a_long_answer_takes_as_long_as_its_tokens_come() {
        let seconds = Duration::from_secs_f64;
        let stream = Streamed { first: seconds(0.5), took: seconds(1.4), pieces: 10, end: None };
        let longest = |answer, stream| Measured::of(answer, stream, 101).longest;
        assert_eq!(longest(None, Some(&stream)), Some((101, seconds(10.5))));
        let answer = Answer { took: seconds(1.0), tokens: None, model: None, other_model: None };
        assert_eq!(longest(Some(&answer), None), Some((101, seconds(1.0))));
        assert_eq!(longest(None, None), None);
    }

    #[test]
    fn timeouts_are_judged_by_how_long_an_answer_takes() {
        let judged =
            |name: &str, longest_s: f64| timeouts(&Policy::named(name).unwrap(), Some((500, Duration::from_secs_f64(longest_s))));
        assert_eq!(judged("tutorial-retry", 12.0).verdict, Verdict::Ok);
        let read = judged("tutorial-retry", 14.0);
        assert!(read.verdict == Verdict::Failed && read.hint.unwrap().starts_with("read timeout of at least 28s"));
        assert!(judged("tutorial-bench", 16.0).hint.unwrap().starts_with("total timeout of at least 32s"));
        let mut hasty = Policy::resilient();
        hasty.timeouts.connect = Some(Duration::from_millis(500));
        assert!(timeouts(&hasty, None).why.contains("connect timeout 500ms"));
    }
}
