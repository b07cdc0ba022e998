//! What the answers mean: pure.

use std::time::Duration;

use super::probe::{Answer, Probed, Streamed};
use super::{Check, Checklist, is_refused};
use crate::client::{Catalog, Error, ErrorKind, Hints, Jitter, Model, Policy, StreamEnd};
use crate::target::API_KEY;

/// How much longer than the expected answer a timeout must be: between models p95 is 1.5 to 4.2 times p50, and few answers are as
/// long as the longest.
const HEADROOM: f64 = 2.0;

/// A lost SYN is sent again after 1 s and then after 3 s.
const SHORTEST_CONNECT: Duration = Duration::from_secs(3);

const BASE_URL: &str = "base URL";
const KEY: &str = "key";
const MODEL: &str = "model";
const ANSWER: &str = "answer";
const STREAM: &str = "streaming";
const TIMEOUTS: &str = "timeouts";
const RETRIES: &str = "retries";

/// All checks, in the order in which they are to be mended.
pub(super) fn all(checklist: &Checklist, probed: &Probed) -> Vec<Check> {
    let Checklist { target, model, policy, longest_answer } = checklist;
    let base = base_url(target.name(), probed);
    if base.verdict == super::Verdict::Failed {
        let skipped = [KEY, MODEL, ANSWER, STREAM].map(|subject| Check::not_checked(subject, "the base URL comes first"));
        return [base].into_iter().chain(skipped).chain([timeouts(policy, None), retries(policy)]).collect();
    }
    let longest = expected(probed.answer.as_ref().ok(), probed.stream.as_ref().ok(), *longest_answer);
    vec![
        base,
        key(probed),
        listed(model, probed),
        answered(&probed.answer),
        streamed(&probed.stream),
        timeouts(policy, longest.map(|longest| (*longest_answer, longest))),
        retries(policy),
    ]
}

/// The checks when no client could be made.
pub(super) fn without_client(checklist: &Checklist, error: &Error) -> Vec<Check> {
    let base = Check::failed(BASE_URL, error.to_string(), "it ends where /chat/completions begins, most often in /v1");
    let skipped = [KEY, MODEL, ANSWER, STREAM].map(|subject| Check::not_checked(subject, "the base URL comes first"));
    let policy = &checklist.policy;
    [base].into_iter().chain(skipped).chain([timeouts(policy, None), retries(policy)]).collect()
}

fn base_url(url: &str, probed: &Probed) -> Check {
    let models = match &probed.models {
        _ if probed.answer.is_ok() => return Check::ok(BASE_URL, format!("{url} answers")),
        Ok(models) => return Check::ok(BASE_URL, format!("{url} lists {} models", models.len())),
        Err(error) => error,
    };
    let path = "the host answers, but not as this API: the base URL ends where /chat/completions begins, most often in /v1";
    let (why, hint) = match models.kind() {
        kind if is_refused(kind) => return Check::ok(BASE_URL, format!("{url} answers")),
        ErrorKind::RateLimited | ErrorKind::InsufficientQuota => return Check::ok(BASE_URL, format!("{url} answers")),
        ErrorKind::Status(404 | 405) => ("nothing is there", path),
        ErrorKind::Malformed | ErrorKind::Status(300..=399) => ("what is there is no such API", path),
        ErrorKind::Dns => ("no such host", "look for a typing error in the host's name"),
        _ if models.is_connect() => ("not reachable", "look at scheme, host, port, and whether a proxy or firewall is between"),
        ErrorKind::Status(_) | ErrorKind::InBand => ("not working at present", "try again later, or ask who runs it"),
        _ => ("no answer", "look at scheme and port; else try again later"),
    };
    Check::failed(BASE_URL, format!("{url}: {why} ({models})"), hint)
}

fn key(probed: &Probed) -> Check {
    let errors = [probed.models.as_ref().err(), probed.answer.as_ref().err(), probed.stream.as_ref().err()];
    let refused = errors.into_iter().flatten().find(|error| is_refused(error.kind()));
    match refused.map(Error::kind) {
        Some(kind @ ErrorKind::Status(403)) => {
            Check::failed(KEY, kind.to_string(), "the key is known and may not do this: look at its rights and its group")
        }
        Some(kind) => Check::failed(
            KEY,
            format!("{kind}: refused"),
            format!("set {API_KEY} to a key of this relay, not of the official API; it is sent as Authorization: Bearer KEY"),
        ),
        None if probed.models.is_ok() || probed.answer.is_ok() => Check::ok(KEY, "accepted"),
        None => Check::not_checked(KEY, "nothing was answered"),
    }
}

fn listed(model: &str, probed: &Probed) -> Check {
    let answers = probed.answer.as_ref().ok().map(|answer| match answer.model.as_deref() {
        Some(name) if name != model => format!("answers as {name:?}"),
        _ => "answers".to_owned(),
    });
    match (&probed.models, answers) {
        (Ok(models), Some(answers)) if is_listed(model, models) => Check::ok(MODEL, format!("{model:?} is listed and {answers}")),
        (Ok(models), None) if is_listed(model, models) => Check::ok(MODEL, format!("{model:?} is listed")),
        (_, Some(answers)) => Check::ok(MODEL, format!("{model:?} is not listed, but {answers}")),
        (Ok(models), None) => {
            let catalog = Catalog::new(models.iter().map(|known| known.id.as_str()));
            let hint = match catalog.nearest(model) {
                Some(near) => format!("did you mean {near:?}?"),
                None => format!("it has {}", some(&catalog)),
            };
            Check::failed(MODEL, format!("{model:?} is not among the {} models", models.len()), hint)
        }
        (Err(error), None) => Check::not_checked(MODEL, format!("no list of models ({})", error.kind())),
    }
}

fn is_listed(model: &str, models: &[Model]) -> bool {
    models.iter().any(|known| known.id == model)
}

/// As many names as fit into a line.
fn some(catalog: &Catalog) -> String {
    const SHOWN: usize = 8;
    let shown: Vec<&str> = catalog.names().take(SHOWN).collect();
    let more = if catalog.names().count() > SHOWN { ", …" } else { "" };
    shown.join(", ") + more
}

fn answered(answer: &Result<Answer, Error>) -> Check {
    match answer {
        Ok(Answer { took, tokens: Some(tokens), .. }) => Check::ok(ANSWER, format!("complete after {took:.0?}, {tokens} tokens")),
        Ok(Answer { took, .. }) => Check::ok(ANSWER, format!("complete after {took:.0?}; the relay counts no tokens")),
        Err(error) => Check::failed(ANSWER, error.to_string(), remedy(error)),
    }
}

fn streamed(stream: &Result<Streamed, Error>) -> Check {
    match stream {
        Ok(Streamed { pieces: 0, .. }) => {
            Check::failed(STREAM, "it ended without a piece of text", "the relay may not stream: ask for whole answers")
        }
        Ok(Streamed { first, took, pieces, end }) => {
            let proof = match end {
                Some(StreamEnd::Done) => "[DONE]",
                Some(StreamEnd::DoneUnterminated) => "[DONE] without its empty line, which is tolerated",
                _ => "a finish reason, without [DONE]",
            };
            Check::ok(
                STREAM,
                format!("{pieces} pieces, the first after {first:.0?}, the last after {took:.0?}; ended by {proof}"),
            )
        }
        Err(error) => Check::failed(STREAM, error.to_string(), remedy(error)),
    }
}

fn remedy(error: &Error) -> &'static str {
    match error.kind() {
        kind if is_refused(kind) => "see the key",
        ErrorKind::Status(404) => "see the model",
        ErrorKind::RateLimited => {
            "the relay works; it limits how often it is asked: try again, and retry with a policy that waits"
        }
        ErrorKind::InsufficientQuota => "the quota or the credit is used up: retrying never helps",
        ErrorKind::Truncated => "what came was cut: without proof of the end it must not count as an answer",
        ErrorKind::Status(400 | 422) => "the relay does not take this request: look at what its message names",
        _ if error.is_timeout() => "see the timeouts; if they are long enough the relay hangs",
        _ => "if it passes when tried again, retries are for it; else ask who runs the relay",
    }
}

/// How long the longest answer takes: tokens go on coming as they came.
fn expected(answer: Option<&Answer>, stream: Option<&Streamed>, tokens: u32) -> Option<Duration> {
    let by_stream = stream.filter(|stream| stream.pieces > 1).map(|stream| {
        let gap = (stream.took - stream.first) / (stream.pieces - 1);
        stream.first + gap * tokens.saturating_sub(1)
    });
    by_stream.max(answer.map(|answer| answer.took))
}

/// `longest` is an answer's length in tokens, and how long it takes.
fn timeouts(policy: &Policy, longest: Option<(u32, Duration)>) -> Check {
    let timeouts = &policy.timeouts;
    let shown = |timeout: Option<Duration>| timeout.map_or("none".to_owned(), |timeout| format!("{timeout:?}"));
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

fn retries(policy: &Policy) -> Check {
    let retry = &policy.retry;
    let waits: f64 = (0..retry.attempts.saturating_sub(1).min(64))
        .map(|n| (retry.base.as_secs_f64() * retry.factor.powi(n as i32)).min(retry.cap.as_secs_f64()))
        .sum();
    let is_429 = retry.on.statuses.contains(&429);
    let faults = [
        (retry.attempts < 2, "nothing is retried"),
        (retry.attempts > 1 && !is_429, "429 is not retried"),
        (
            retry.attempts > 1 && retry.jitter == Jitter::None,
            "waits without jitter: clients that failed together come back together",
        ),
        (retry.attempts > 1 && retry.hints == Hints::Ignore, "Retry-After is ignored"),
        (retry.attempts > 1 && retry.on.quota, "a used-up quota is retried, which never succeeds"),
        (waits > policy.timeouts.total.as_secs_f64(), "the waits alone are longer than the total timeout"),
    ];
    let faults: Vec<&str> = faults.into_iter().filter(|(is_fault, _)| *is_fault).map(|(_, what)| what).collect();
    match faults.is_empty() {
        true => {
            Check::ok(RETRIES, format!("{}: {} tries, waits with jitter, the server's word obeyed", policy.name, retry.attempts))
        }
        false => Check::failed(RETRIES, format!("{}: {}", policy.name, faults.join("; ")), "--policy resilient has none of this"),
    }
}

#[cfg(test)]
mod tests {
    use super::super::Verdict;
    use super::*;

    #[test]
    fn each_preset_is_told_what_it_lacks() {
        for (name, says) in [
            ("resilient", None),
            ("tutorial-bench", Some("nothing is retried")),
            ("tutorial-retry", Some("without jitter: clients that failed together come back together; Retry-After is ignored")),
            ("openai-sdk", Some("a used-up quota is retried")),
            ("none", Some("nothing is retried")),
        ] {
            let check = retries(&Policy::named(name).unwrap());
            match says {
                None => assert_eq!(check.verdict, Verdict::Ok, "{check:?}"),
                Some(says) => assert!(check.verdict == Verdict::Failed && check.why.contains(says), "{check:?}"),
            }
        }
    }

    #[test]
    fn waits_that_fit_into_no_total_are_told() {
        let mut policy = Policy::resilient();
        policy.retry.base = Duration::from_secs(8);
        policy.retry.attempts = 6;
        assert!(retries(&policy).why.contains("longer than the total"), "{:?}", retries(&policy));
    }

    #[test]
    fn a_long_answer_takes_as_long_as_its_tokens_come() {
        let seconds = Duration::from_secs_f64;
        let stream = Streamed { first: seconds(0.5), took: seconds(1.4), pieces: 10, end: None };
        assert_eq!(expected(None, Some(&stream), 101), Some(seconds(10.5)));
        let answer = Answer { took: seconds(1.0), tokens: None, model: None };
        assert_eq!(expected(Some(&answer), None, 101), Some(seconds(1.0)));
        assert_eq!(expected(None, None, 101), None);
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
