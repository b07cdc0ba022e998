//! What a request asks of the relay for itself: in headers, or in the prompt for callers behind a gateway that strips them.

use std::borrow::Cow;
use std::sync::LazyLock;
use std::time::Duration;

use hyper::http::HeaderValue;
use memchr::memmem;

use super::headers::{FAULT, Headers, LATENCY};
use crate::config::{Time, nearest};
use crate::profile::{FaultKind, Latency, Profile};
use crate::relay::{Invalid, Refusal, Told};

/// How a marker in the prompt begins. None of its characters is ever escaped in JSON, so that it can be looked for in the bytes.
const MARKER: &[u8] = b"[[mock";
/// Made once, since every body is searched.
static MARKERS: LazyLock<memmem::Finder<'static>> = LazyLock::new(|| memmem::Finder::new(MARKER));
const EXAMPLE: &str = "[[mock fault=reset latency=250ms]]";

/// What the request of an attempt asks for, whatever the profile says.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Overrides {
    pub(super) fault: Option<FaultKind>,
    pub(super) latency: Option<Duration>,
}

impl Overrides {
    /// Reads `x-mock-fault` and `x-mock-latency`, and the last `[[mock fault=… latency=…]]` of the body; headers come first.
    pub(crate) fn read(headers: &Headers<'_>, body: &[u8]) -> Result<Self, Refusal> {
        // Nearly every body has none, and looking forwards is what the processor does fastest.
        let marked = match MARKERS.find(body).and_then(|_| last_marker(body)) {
            Some(rest) => marked(rest)?,
            None => Self::default(),
        };
        if let Some(name) = headers.repeated {
            return Err(invalid(name, format!("{name} is sent twice; send it once.")));
        }
        Ok(Self {
            fault: headers.fault.map(|value| fault(&lossy(value), FAULT)).transpose()?.or(marked.fault),
            latency: headers.latency.map(|value| latency(&lossy(value), LATENCY)).transpose()?.or(marked.latency),
        })
    }

    /// What the latency means: the time to the end of a whole answer, that to the first token of a stream.
    pub(super) fn told(self, profile: &Profile, is_stream: bool) -> Result<Option<Told>, Refusal> {
        match (self.latency, &profile.latency) {
            (None, _) => Ok(None),
            (Some(_), Latency::Batch) => {
                let message = "The latency of this relay is whatever its batch makes it, and cannot be told; leave it out.";
                Err(invalid(LATENCY, message.to_owned()))
            }
            (Some(latency), _) => Ok(Some(if is_stream { Told::First(latency) } else { Told::Total(latency) })),
        }
    }
}

/// The last marker, from behind its beginning. What only begins like one, such as the name of a bird, is none.
fn last_marker(body: &[u8]) -> Option<&[u8]> {
    let mut rest = memmem::rfind_iter(body, MARKER).map(|place| &body[place + MARKER.len()..]);
    rest.find(|rest| matches!(rest.first(), Some(b' ' | b']')) || SPACES.iter().any(|space| rest.starts_with(space.as_bytes())))
}

/// White space as it is escaped in JSON.
const SPACES: [&str; 3] = ["\\n", "\\r", "\\t"];

/// What a marker asks for, from behind its beginning.
fn marked(rest: &[u8]) -> Result<Overrides, Refusal> {
    let marker = memmem::find(rest, b"]]").and_then(|end| std::str::from_utf8(&rest[..end]).ok());
    let unfinished = || invalid("messages", format!("A marker in the prompt begins and does not end; write {EXAMPLE}."));
    let mut overrides = Overrides::default();
    let twice = |key: &str| invalid("messages", format!("{key} is twice in a marker. Write {EXAMPLE}."));
    let marker = SPACES.iter().fold(marker.ok_or_else(unfinished)?.to_owned(), |marker, space| marker.replace(space, " "));
    for word in marker.split_ascii_whitespace() {
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

fn lossy(value: &HeaderValue) -> Cow<'_, str> {
    String::from_utf8_lossy(value.as_bytes())
}

fn invalid(param: &str, message: String) -> Refusal {
    Refusal::Invalid(Invalid { param: Some(param.to_owned()), code: "invalid_override", message })
}
