//! What a request asks of the relay for itself: in headers, or in the prompt for callers behind a gateway that strips them.

use std::borrow::Cow;
use std::time::Duration;

use hyper::HeaderMap;
use hyper::header::HeaderName;
use memchr::memmem;

use crate::config::{Time, nearest};
use crate::profile::{FaultKind, Latency, Profile};
use crate::relay::{Invalid, Refusal, Told};

const FAULT: HeaderName = HeaderName::from_static("x-mock-fault");
const LATENCY: HeaderName = HeaderName::from_static("x-mock-latency");

/// How a marker in the prompt begins. None of its characters is ever escaped in JSON, so that it can be looked for in the bytes.
const MARKER: &[u8] = b"[[mock";
const EXAMPLE: &str = "[[mock fault=reset latency=250ms]]";

/// What the request of an attempt asks for, whatever the profile says.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Overrides {
    pub(super) fault: Option<FaultKind>,
    pub(super) latency: Option<Duration>,
}

impl Overrides {
    /// Reads `x-mock-fault` and `x-mock-latency`, and the last `[[mock fault=… latency=…]]` of the body; headers come first.
    pub(crate) fn read(headers: &HeaderMap, body: &[u8]) -> Result<Self, Refusal> {
        // Nearly every body has none, and looking forwards is what the processor does fastest.
        let marked = match memmem::find(body, MARKER).and_then(|_| last_marker(body)) {
            Some(rest) => marked(rest)?,
            None => Self::default(),
        };
        Ok(Self {
            fault: header(headers, &FAULT)?.map(|text| fault(&text, FAULT.as_str())).transpose()?.or(marked.fault),
            latency: header(headers, &LATENCY)?.map(|text| latency(&text, LATENCY.as_str())).transpose()?.or(marked.latency),
        })
    }

    /// What the latency means: the time to the end of a whole answer, that to the first token of a stream.
    pub(super) fn told(self, profile: &Profile, is_stream: bool) -> Result<Option<Told>, Refusal> {
        match (self.latency, &profile.latency) {
            (None, _) => Ok(None),
            (Some(_), Latency::Batch) => {
                let message = "The latency of this relay is whatever its batch makes it, and cannot be told; leave it out.";
                Err(invalid(LATENCY.as_str(), message.to_owned()))
            }
            (Some(latency), _) => Ok(Some(if is_stream { Told::First(latency) } else { Told::Total(latency) })),
        }
    }
}

fn header<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Result<Option<Cow<'a, str>>, Refusal> {
    let Some(value) = headers.get(name) else { return Ok(None) };
    if headers.get_all(name).iter().nth(1).is_some() {
        return Err(invalid(name.as_str(), format!("{name} is sent twice; send it once.")));
    }
    Ok(Some(String::from_utf8_lossy(value.as_bytes())))
}

/// The last marker, from behind its beginning. What only begins like one, such as the name of a bird, is none.
fn last_marker(body: &[u8]) -> Option<&[u8]> {
    let mut rest = memmem::rfind_iter(body, MARKER).map(|place| &body[place + MARKER.len()..]);
    rest.find(|rest| matches!(rest.first(), Some(b' ' | b']')))
}

/// What a marker asks for, from behind its beginning.
fn marked(rest: &[u8]) -> Result<Overrides, Refusal> {
    let marker = memmem::find(rest, b"]]").and_then(|end| std::str::from_utf8(&rest[..end]).ok());
    let unfinished = || invalid("messages", format!("A marker in the prompt begins and does not end; write {EXAMPLE}."));
    let mut overrides = Overrides::default();
    let twice = |key: &str| invalid("messages", format!("{key} is twice in a marker. Write {EXAMPLE}."));
    for word in marker.ok_or_else(unfinished)?.split_ascii_whitespace() {
        match word.split_once('=') {
            Some(("fault", _)) if overrides.fault.is_some() => return Err(twice("fault")),
            Some(("latency", _)) if overrides.latency.is_some() => return Err(twice("latency")),
            Some(("fault", text)) => overrides.fault = Some(fault(text, "messages")?),
            Some(("latency", text)) => overrides.latency = Some(latency(text, "messages")?),
            _ => {
                let key = word.split('=').next().unwrap_or(word);
                let hint = nearest(key, ["fault", "latency"].into_iter());
                let stop = if hint.ends_with('?') { "" } else { "." };
                return Err(invalid("messages", format!("\"{word}\" in a marker is unknown, {hint}{stop} Write {EXAMPLE}.")));
            }
        }
    }
    if overrides == Overrides::default() {
        return Err(invalid("messages", format!("A marker in the prompt asks for nothing. Write {EXAMPLE}.")));
    }
    Ok(overrides)
}

fn fault(text: &str, param: &str) -> Result<FaultKind, Refusal> {
    text.parse().map_err(|error| invalid(param, format!("{error}")))
}

fn latency(text: &str, param: &str) -> Result<Duration, Refusal> {
    Time::parse(text).map(Duration::from).map_err(|error| invalid(param, error))
}

fn invalid(param: &str, message: String) -> Refusal {
    Refusal::Invalid(Invalid { param: Some(param.to_owned()), code: "invalid_override", message })
}
