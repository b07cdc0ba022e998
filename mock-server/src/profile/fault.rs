//! What can befall an attempt or a connection, by the names that profiles, headers and prompts share.

mod name;
mod rule;

pub use name::{FaultName, NoFault};
pub(crate) use rule::{FaultRule, ListenerRule};
pub(super) use rule::{RawFault, Rules};

use std::fmt;
use std::num::NonZeroU32;
use std::str::FromStr;
use std::time::Duration;

use crate::config::Time;

/// What befalls an attempt. It is written as its [name](FaultName), most of those that take something with it behind a `=`:
///
/// ```
/// use relaybench_mock::{FaultKind, Place};
///
/// assert_eq!("status=503".parse(), Ok(FaultKind::Status(503)));
/// assert_eq!("truncate=3c".parse(), Ok(FaultKind::Truncate(Place::Chunk(3))));
/// assert_eq!(FaultKind::Truncate(Place::Share(50)).to_string(), "truncate=50%");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum FaultKind {
    /// `status=503`: this error (400 to 599) at once, with the dialect's body.
    Status(u16),
    /// `status=429:quota`: a 429 for this reason, in the dialect's words; where a dialect has another status for it, that.
    TooMany(TooMany),
    /// `html=502`: this error at once, with a body of HTML, as proxies send it.
    Html(u16),
    /// `hang`: no answer, ever.
    Hang,
    /// `slow-headers=2s`: the answer's head comes line by line, and takes this long.
    SlowHeaders(Duration),
    /// `stall`: the body comes as far as a place, and no further.
    Stall(Place),
    /// `drip=100`: the body comes at so many bytes a second.
    Drip(NonZeroU32),
    /// `truncate`: the connection ends (FIN) at a place in the body.
    Truncate(Place),
    /// `reset`: the connection is reset (RST) when the answer was due.
    Reset,
    /// `reset-mid-body`: the connection is reset (RST) at a place in the body.
    ResetMidBody(Place),
    /// `short-length`: `content-length` says half of what is sent.
    ShortLength,
    /// `long-length`: `content-length` says twice as much as is sent before the connection ends.
    LongLength,
    /// `malformed-json`: a body whose JSON breaks off, of the length that its head says.
    MalformedJson,
    /// `malformed-chunk`: a stream with an event whose JSON breaks off.
    MalformedChunk,
    /// `bad-chunk-size`: a stream whose transfer coding has a size that is no number.
    BadChunkSize,
    /// `error-event`: a stream that ends with the dialect's error, and without its mark of the end.
    ErrorEvent,
    /// `no-done`: a stream without its mark of the end.
    NoDone,
    /// `never-close`: a body that is complete, and never ends.
    NeverClose,
    /// `close`: the connection is closed after the answer, unannounced.
    Close,
    /// `error-in-200`: the dialect's error with status 200.
    ErrorIn200,
    /// `wrong-model`: the answer names another model than was asked.
    WrongModel,
}

/// Why an attempt gets a 429.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum TooMany {
    /// `quota`: what was paid for is used up, and no wait helps.
    Quota,
    /// `requests`: others have used up the requests, for a second or as long as the caller's limits say.
    Requests,
    /// `tokens`: the same of the tokens.
    Tokens,
    /// `slow-down`: too many came at once.
    SlowDown,
}

impl TooMany {
    const ALL: [Self; 4] = [Self::Quota, Self::Requests, Self::Tokens, Self::SlowDown];

    /// As it is written.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Quota => "quota",
            Self::Requests => "requests",
            Self::Tokens => "tokens",
            Self::SlowDown => "slow-down",
        }
    }
}

/// A place in the body of an answer: what comes before it is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Place {
    /// `120b`: after so many bytes, not counting the transfer coding's.
    Byte(u32),
    /// `3c`: after so many chunks of a stream's content.
    Chunk(u32),
    /// `50%`: after this share of the bytes, in whole percent from 0 to 99.
    Share(u8),
}

/// What befalls a connection before anything is asked over it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ListenerFault {
    /// `refuse`: it is refused.
    Refuse,
    /// `slow-accept=1s`: it is served only after this long.
    SlowAccept(Duration),
    /// `close-idle=5s`: it is closed without a word when it was idle for this long.
    CloseIdle(Duration),
}

/// What the next attempt gets, whatever else its profile says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// What it would have got without any fault. Written as `ordinary`.
    Ordinary,
    /// A fault.
    Fault(FaultKind),
}

/// Whatever a name may stand for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum AnyFault {
    OfAttempt(FaultKind),
    OfListener(ListenerFault),
}

impl Outcome {
    /// The fault, if it is one.
    pub(crate) fn as_fault(self) -> Option<FaultKind> {
        match self {
            Self::Ordinary => None,
            Self::Fault(fault) => Some(fault),
        }
    }
}

impl Place {
    /// Where a fault strikes whose name says nothing else.
    pub const HALF: Self = Self::Share(50);
}

impl FaultKind {
    /// Its name, without what it takes.
    pub fn name(self) -> FaultName {
        match self {
            Self::Status(_) | Self::TooMany(_) => FaultName::Status,
            Self::Html(_) => FaultName::Html,
            Self::Hang => FaultName::Hang,
            Self::SlowHeaders(_) => FaultName::SlowHeaders,
            Self::Stall(_) => FaultName::Stall,
            Self::Drip(_) => FaultName::Drip,
            Self::Truncate(_) => FaultName::Truncate,
            Self::Reset => FaultName::Reset,
            Self::ResetMidBody(_) => FaultName::ResetMidBody,
            Self::ShortLength => FaultName::ShortLength,
            Self::LongLength => FaultName::LongLength,
            Self::MalformedJson => FaultName::MalformedJson,
            Self::MalformedChunk => FaultName::MalformedChunk,
            Self::BadChunkSize => FaultName::BadChunkSize,
            Self::ErrorEvent => FaultName::ErrorEvent,
            Self::NoDone => FaultName::NoDone,
            Self::NeverClose => FaultName::NeverClose,
            Self::Close => FaultName::Close,
            Self::ErrorIn200 => FaultName::ErrorIn200,
            Self::WrongModel => FaultName::WrongModel,
        }
    }

    /// Whether it is about bytes of HTTP/1.1, or about a connection that is the attempt's alone.
    pub(crate) fn is_of_http1(self) -> bool {
        matches!(
            self,
            Self::SlowHeaders(_)
                | Self::Truncate(_)
                | Self::Reset
                | Self::ResetMidBody(_)
                | Self::Close
                | Self::ShortLength
                | Self::LongLength
                | Self::BadChunkSize
        )
    }

    /// Whether the attempt ends only when its caller goes away, or later than its latency says.
    pub(crate) fn outlasts_latency(self) -> bool {
        matches!(self, Self::Hang | Self::Stall(_) | Self::NeverClose | Self::Drip(_) | Self::SlowHeaders(_))
    }
}

impl AnyFault {
    /// Reads a fault as it is written.
    pub(crate) fn parse(text: &str) -> Result<Self, NoFault> {
        let (word, given) = match text.split_once('=') {
            Some((word, given)) => (word.trim(), Some(given.trim())),
            None => (text.trim(), None),
        };
        let name = FaultName::find(word)?;
        let wrong = || NoFault::takes(text, name);
        let nothing = |kind| given.map_or(Ok(Self::OfAttempt(kind)), |_| Err(wrong()));
        let status = || given.and_then(status).ok_or_else(wrong);
        let time =
            || given.and_then(|text| Time::parse(text).ok()).map(Duration::from).filter(|t| !t.is_zero()).ok_or_else(wrong);
        let place = || given.map_or(Ok(Place::HALF), |text| place(text).ok_or_else(wrong));
        match name {
            FaultName::Status => given.and_then(status_or_reason).map(Self::OfAttempt).ok_or_else(wrong),
            FaultName::Html => Ok(Self::OfAttempt(FaultKind::Html(status()?))),
            FaultName::Hang => nothing(FaultKind::Hang),
            FaultName::SlowHeaders => Ok(Self::OfAttempt(FaultKind::SlowHeaders(time()?))),
            FaultName::Stall => Ok(Self::OfAttempt(FaultKind::Stall(place()?))),
            FaultName::Drip => {
                let rate = given.and_then(|text| text.parse().ok()).ok_or_else(wrong)?;
                Ok(Self::OfAttempt(FaultKind::Drip(rate)))
            }
            FaultName::Truncate => Ok(Self::OfAttempt(FaultKind::Truncate(place()?))),
            FaultName::Reset => nothing(FaultKind::Reset),
            FaultName::ResetMidBody => Ok(Self::OfAttempt(FaultKind::ResetMidBody(place()?))),
            FaultName::ShortLength => nothing(FaultKind::ShortLength),
            FaultName::LongLength => nothing(FaultKind::LongLength),
            FaultName::MalformedJson => nothing(FaultKind::MalformedJson),
            FaultName::MalformedChunk => nothing(FaultKind::MalformedChunk),
            FaultName::BadChunkSize => nothing(FaultKind::BadChunkSize),
            FaultName::ErrorEvent => nothing(FaultKind::ErrorEvent),
            FaultName::NoDone => nothing(FaultKind::NoDone),
            FaultName::NeverClose => nothing(FaultKind::NeverClose),
            FaultName::Close => nothing(FaultKind::Close),
            FaultName::ErrorIn200 => nothing(FaultKind::ErrorIn200),
            FaultName::WrongModel => nothing(FaultKind::WrongModel),
            FaultName::Refuse => given.map_or(Ok(Self::OfListener(ListenerFault::Refuse)), |_| Err(wrong())),
            FaultName::SlowAccept => Ok(Self::OfListener(ListenerFault::SlowAccept(time()?))),
            FaultName::CloseIdle => Ok(Self::OfListener(ListenerFault::CloseIdle(time()?))),
        }
    }
}

fn status(text: &str) -> Option<u16> {
    text.parse().ok().filter(|status| (400..=599).contains(status))
}

fn status_or_reason(text: &str) -> Option<FaultKind> {
    match text.split_once(':') {
        None => status(text).map(FaultKind::Status),
        Some(("429", reason)) => TooMany::ALL.into_iter().find(|known| known.as_str() == reason).map(FaultKind::TooMany),
        Some(_) => None,
    }
}

fn place(text: &str) -> Option<Place> {
    let number = |suffix| text.strip_suffix(suffix).filter(|digits| digits.bytes().all(|byte| byte.is_ascii_digit()));
    if let Some(bytes) = number('b') {
        return bytes.parse().ok().map(Place::Byte);
    }
    if let Some(chunks) = number('c') {
        return chunks.parse().ok().map(Place::Chunk);
    }
    number('%')?.parse().ok().filter(|share| *share < 100).map(Place::Share)
}

impl FromStr for FaultKind {
    type Err = NoFault;

    fn from_str(text: &str) -> Result<Self, NoFault> {
        match AnyFault::parse(text)? {
            AnyFault::OfAttempt(kind) => Ok(kind),
            AnyFault::OfListener(_) => Err(NoFault::of_listener(text)),
        }
    }
}

impl FromStr for Outcome {
    type Err = NoFault;

    fn from_str(text: &str) -> Result<Self, NoFault> {
        match text {
            "ordinary" => Ok(Self::Ordinary),
            fault => fault.parse().map(Self::Fault),
        }
    }
}

impl From<FaultKind> for Outcome {
    fn from(fault: FaultKind) -> Self {
        Self::Fault(fault)
    }
}

impl fmt::Display for FaultKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = self.name();
        match self {
            Self::Status(status) | Self::Html(status) => write!(f, "{name}={status}"),
            Self::TooMany(reason) => write!(f, "{name}=429:{}", reason.as_str()),
            Self::SlowHeaders(time) => write!(f, "{name}={time:?}"),
            Self::Drip(rate) => write!(f, "{name}={rate}"),
            Self::Stall(place) | Self::Truncate(place) | Self::ResetMidBody(place) => write!(f, "{name}={place}"),
            _ => write!(f, "{name}"),
        }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Byte(bytes) => write!(f, "{bytes}b"),
            Self::Chunk(chunks) => write!(f, "{chunks}c"),
            Self::Share(percent) => write!(f, "{percent}%"),
        }
    }
}

impl fmt::Display for ListenerFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Refuse => write!(f, "{}", FaultName::Refuse),
            Self::SlowAccept(time) => write!(f, "{}={time:?}", FaultName::SlowAccept),
            Self::CloseIdle(time) => write!(f, "{}={time:?}", FaultName::CloseIdle),
        }
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ordinary => f.write_str("ordinary"),
            Self::Fault(fault) => write!(f, "{fault}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::name::Takes;
    use super::*;

    #[test]
    fn every_name_is_read_with_what_it_takes_and_written_as_it_was_read() {
        for name in FaultName::ALL {
            let text = name.example();
            let written = match AnyFault::parse(&text).unwrap() {
                AnyFault::OfAttempt(fault) => {
                    assert_eq!(fault.name(), name);
                    assert_eq!(text.parse(), Ok(Outcome::Fault(fault)));
                    fault.to_string()
                }
                AnyFault::OfListener(fault) => {
                    assert!(text.parse::<FaultKind>().is_err());
                    fault.to_string()
                }
            };
            assert_eq!(AnyFault::parse(&written), AnyFault::parse(&text));
            assert!(name.takes() == Takes::Place || written == text, "{written} {text}");
        }
        assert_eq!("ordinary".parse(), Ok(Outcome::Ordinary));
        for reason in TooMany::ALL {
            let text = FaultKind::TooMany(reason).to_string();
            assert_eq!((text.parse(), text), (Ok(FaultKind::TooMany(reason)), format!("status=429:{}", reason.as_str())));
        }
        for wrong in ["status=503:quota", "html=429:quota", "status=429:", "status=429: quota"] {
            assert!(wrong.parse::<FaultKind>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn what_is_wrong_is_said_with_what_would_be_right() {
        for (text, message) in [
            ("resett", "\"resett\" is no fault, did you mean \"reset\"?"),
            (
                "status=200",
                "\"status=200\" is not how it is written; status takes an error's status, 400 to 599, and behind a 429 its reason \
                 (:quota, :requests, :tokens, :slow-down): \"status=503\"",
            ),
            (
                "status=429:quotas",
                "\"status=429:quotas\" is not how it is written; status takes an error's status, 400 to 599, and behind a 429 its \
                 reason (:quota, :requests, :tokens, :slow-down): \"status=503\"",
            ),
            (
                "slow-headers=99999999h",
                "\"slow-headers=99999999h\" is not how it is written; slow-headers takes a duration above 0, of a century at most: \
                 \"slow-headers=2s\"",
            ),
            ("html", "\"html\" is not how it is written; html takes an error's status, 400 to 599: \"html=502\""),
            (
                "slow-headers=2",
                "\"slow-headers=2\" is not how it is written; slow-headers takes a duration above 0, of a century at most: \"slow-headers=2s\"",
            ),
            (
                "slow-headers=0s",
                "\"slow-headers=0s\" is not how it is written; slow-headers takes a duration above 0, of a century at most: \"slow-headers=2s\"",
            ),
            ("drip=0", "\"drip=0\" is not how it is written; drip takes bytes a second, from 1: \"drip=100\""),
            (
                "truncate=100%",
                "\"truncate=100%\" is not how it is written; truncate takes nothing, or a place in the body \
                 (bytes \"120b\", chunks \"3c\", up to \"99%\"): \"truncate=50%\"",
            ),
            (
                "stall=+3c",
                "\"stall=+3c\" is not how it is written; stall takes nothing, or a place in the body \
                 (bytes \"120b\", chunks \"3c\", up to \"99%\"): \"stall=50%\"",
            ),
            ("reset=1", "\"reset=1\" is not how it is written; reset takes nothing: \"reset\""),
            (
                "refuse",
                "\"refuse\" befalls connections, before there is an attempt; write it in a profile's [[fault]] or [[phase]]",
            ),
        ] {
            assert_eq!(text.parse::<FaultKind>().unwrap_err().to_string(), message);
        }
        assert!("zzz".parse::<FaultKind>().unwrap_err().to_string().contains("known here: status, html, hang, "));
    }
}
