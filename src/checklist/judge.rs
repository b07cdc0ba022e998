//! What the answers mean: pure.

use super::policy::{self, Measured};
use super::probe::{Answer, Probed, Streamed};
use super::{Check, Checklist, is_key_refused};
use crate::client::{Catalog, Client, Error, ErrorKind, Model, Policy, StreamEnd};
use crate::target::{API_KEY, Live, Target};

const BASE_URL: &str = "base URL";
const KEY: &str = "key";
const MODEL: &str = "model";
const ANSWER: &str = "answer";
const STREAM: &str = "streaming";

const UNSENT: &str = "nothing was sent";
const ENDS: &str = "it ends where /chat/completions begins, most often in /v1";

/// All checks, in the order in which they are to be mended.
pub(super) fn all(checklist: &Checklist, probed: &Probed) -> Vec<Check> {
    let Checklist { target, model, policy, longest_answer } = checklist;
    let base = base_url(target.name(), probed);
    if base.verdict == super::Verdict::Failed {
        let skipped = [KEY, MODEL, ANSWER, STREAM].map(|subject| Check::not_checked(subject, "the base URL comes first"));
        return [base].into_iter().chain(skipped).chain(policy::all(policy, Measured::default())).collect();
    }
    let measured = Measured::of(probed.answer.as_ref().ok(), probed.stream.as_ref().ok(), *longest_answer);
    let looked_at = [base, key(probed), listed(model, probed), answered(&probed.answer), streamed(&probed.stream)];
    looked_at.into_iter().chain(policy::all(policy, measured)).collect()
}

/// The checks when no client could be made, for which nothing was sent.
pub(super) fn without_client(checklist: &Checklist, error: &Error) -> Vec<Check> {
    let builder = |live: &Live| Client::builder().base_url(&live.base_url).policy(Policy::none());
    let (base, key) = match &checklist.target {
        // The address and the policy will do: it is the key.
        Target::Live(live) if builder(live).build().is_ok() && builder(live).api_key(live.key.clone()).build().is_err() => {
            let hint = format!("set {API_KEY} to the key alone, on one line, as the relay shows it");
            (Check::not_checked(BASE_URL, UNSENT), Check::failed(KEY, error.to_string(), hint))
        }
        _ => (Check::failed(BASE_URL, error.to_string(), ENDS), Check::not_checked(KEY, UNSENT)),
    };
    let skipped = [MODEL, ANSWER, STREAM].map(|subject| Check::not_checked(subject, UNSENT));
    [base, key].into_iter().chain(skipped).chain(policy::all(&checklist.policy, Measured::default())).collect()
}

fn base_url(url: &str, probed: &Probed) -> Check {
    let models = match &probed.models {
        _ if probed.answer.as_ref().map_or_else(is_key_refused, |_| true) => {
            return Check::ok(BASE_URL, format!("{url} answers"));
        }
        Ok(models) => return Check::ok(BASE_URL, format!("{url} lists {} models", models.len())),
        Err(error) => error,
    };
    let path = "the host answers, but not as this API: the base URL ends where /chat/completions begins, most often in /v1";
    let (why, hint) = match models.kind() {
        _ if is_key_refused(models) => return Check::ok(BASE_URL, format!("{url} answers")),
        ErrorKind::RateLimited | ErrorKind::InsufficientQuota => return Check::ok(BASE_URL, format!("{url} answers")),
        ErrorKind::Status(404 | 405) => ("nothing is there", path),
        ErrorKind::Malformed | ErrorKind::Status(300..=399) => ("what is there is no such API", path),
        ErrorKind::Dns => ("no such host", "look for a typing error in the host's name"),
        _ if models.is_connect() => ("not reachable", "look at scheme, host, port, and whether a proxy or firewall is between"),
        ErrorKind::Status(400..=499) => ("the list of models is refused", "look at what its message names"),
        ErrorKind::Status(_) | ErrorKind::InBand => ("not working at present", "try again later, or ask who runs it"),
        _ => ("no answer", "look at scheme and port; else try again later"),
    };
    Check::failed(BASE_URL, format!("{url}: {why} ({models})"), hint)
}

fn key(probed: &Probed) -> Check {
    let errors = [probed.models.as_ref().err(), probed.answer.as_ref().err(), probed.stream.as_ref().err()];
    let refused = errors.into_iter().flatten().find(|error| is_key_refused(error));
    match refused.map(Error::kind) {
        Some(kind @ ErrorKind::Status(403)) => {
            Check::failed(KEY, kind.to_string(), "the key is known and may not do this: look at its rights and its group")
        }
        Some(kind) => Check::failed(
            KEY,
            format!("{kind}: refused"),
            format!("set {API_KEY} to a key of this relay, not of the official API; it is sent as Authorization: Bearer KEY"),
        ),
        None if probed.answer.is_ok() || probed.stream.is_ok() => Check::ok(KEY, "accepted"),
        None if probed.models.is_ok() => {
            Check::not_checked(KEY, "only the models were listed, which many relays do for everybody")
        }
        None => Check::not_checked(KEY, "nothing was answered"),
    }
}

fn listed(model: &str, probed: &Probed) -> Check {
    if let Ok(Answer { other_model: Some(other), .. }) = &probed.answer {
        let hint =
            "what answers is no version of what was asked: look for its exact name in the relay's list, or ask who runs it";
        return Check::failed(MODEL, format!("{model:?} was asked, and {other:?} answers"), hint);
    }
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
        _ if is_key_refused(error) => "see the key",
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
