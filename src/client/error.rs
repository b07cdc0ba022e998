//! What went wrong, as one opaque error, and the failure of one attempt that it is made of.

mod failure;
mod limit;
mod stop;

use std::borrow::Cow;
use std::fmt;
use std::time::Duration;

use relaybench_clock::Instant;

use super::attempt::Attempt;
use super::policy::Timeout;
use super::stream::Partial;

pub(crate) use self::failure::{Failure, is_passing};
pub use self::limit::Limit;
pub use self::stop::Stop;

type Source = Box<dyn std::error::Error + Send + Sync>;

/// Why a request failed. Its text is of its own level only: walk [`source`](std::error::Error::source) for what lies below.
pub struct Error(Box<Inner>);

#[derive(Debug)]
struct Inner {
    failure: Failure,
    attempts: Vec<Attempt>,
    stop: Option<Stop>,
    partial: Option<Partial>,
}

/// What kind of failure it was. [`as_str`](Self::as_str) names it in reports.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The client was built or called wrongly; nothing was sent.
    Config,
    /// The model is not in the catalog; nothing was sent.
    UnknownModel,
    /// The host's name was not found.
    Dns,
    /// The connection was refused, or could not be opened.
    Connect,
    /// This process, or the whole system, may have no more files open, so that no connection could be: nothing was sent, and the server
    /// has no part in it.
    OpenFiles,
    /// No place in the pool was free for too long; nothing was sent.
    QueueTimeout,
    /// Opening the connection took too long.
    ConnectTimeout,
    /// The TLS handshake failed.
    Tls,
    /// The logical request took too long, with all its attempts and waits.
    TotalTimeout,
    /// The response's head took too long.
    HeadersTimeout,
    /// The first content of a stream took too long.
    FirstTokenTimeout,
    /// Not a byte of a stream came for too long.
    StallTimeout,
    /// A stream brought bytes, and no content for too long.
    ContentStallTimeout,
    /// The server was silent for too long.
    ReadTimeout,
    /// The server reset the connection.
    Reset,
    /// The server closed the connection before it answered.
    Closed,
    /// The response ended before it was complete: its body, or the JSON in it, or a stream without proof of its end.
    Truncated,
    /// The response is not what it should be: not HTTP, not JSON, no choices, or larger than is sane.
    Malformed,
    /// A response with a status of success whose body says that it failed.
    InBand,
    /// Status 429.
    RateLimited,
    /// A refusal, mostly of status 429, 402 or 403, because the quota or the credit is used up: no retry ever succeeds.
    InsufficientQuota,
    /// Status 429 because the request alone is larger than the limit: no retry ever succeeds.
    TooLarge,
    /// The answer names another model than was asked, and the policy takes that for a failure.
    ModelMismatch,
    /// Any other status that is not a success.
    Status(u16),
}

impl ErrorKind {
    /// The name of the kind in reports, such as `read-timeout` or `status-503`. Stable.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Config => "config",
            Self::UnknownModel => "unknown-model",
            Self::Dns => "dns",
            Self::Connect => "connect",
            Self::OpenFiles => "open-files",
            Self::QueueTimeout => "queue-timeout",
            Self::ConnectTimeout => "connect-timeout",
            Self::Tls => "tls",
            Self::TotalTimeout => "total-timeout",
            Self::HeadersTimeout => "headers-timeout",
            Self::FirstTokenTimeout => "first-token-timeout",
            Self::StallTimeout => "stall-timeout",
            Self::ContentStallTimeout => "content-stall-timeout",
            Self::ReadTimeout => "read-timeout",
            Self::Reset => "reset",
            Self::Closed => "closed",
            Self::Truncated => "truncated",
            Self::Malformed => "malformed",
            Self::InBand => "in-band",
            Self::RateLimited => "rate-limited",
            Self::InsufficientQuota => "insufficient-quota",
            Self::TooLarge => "too-large",
            Self::ModelMismatch => "model-mismatch",
            Self::Status(code) => status_name(code),
        }
    }

    pub(crate) fn is_connect(self) -> bool {
        matches!(self, Self::Dns | Self::Connect | Self::ConnectTimeout | Self::Tls)
    }

    fn is_timeout(self) -> bool {
        self == Self::TotalTimeout || Timeout::ALL.into_iter().any(|timeout| timeout.kind() == self)
    }
}

impl fmt::Display for ErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// `status-100` to `status-999`, so that the names of statuses cost no allocation.
fn status_name(code: u16) -> &'static str {
    static NAMES: [[u8; 10]; 1000] = {
        let mut names = [*b"status-000"; 1000];
        let mut code = 0;
        while code < 1000 {
            names[code][7] += (code / 100) as u8;
            names[code][8] += (code / 10 % 10) as u8;
            names[code][9] += (code % 10) as u8;
            code += 1;
        }
        names
    };
    NAMES.get(usize::from(code)).and_then(|name| std::str::from_utf8(name).ok()).unwrap_or("status-other")
}

impl Error {
    pub(crate) fn new(failure: Failure, attempts: Vec<Attempt>, stop: Stop) -> Self {
        Self(Box::new(Inner { failure, attempts, stop: Some(stop), partial: None }))
    }

    pub(crate) fn with_partial(mut self, partial: Partial) -> Self {
        self.0.partial = Some(partial);
        self
    }

    pub(crate) fn of(kind: ErrorKind, message: impl Into<Cow<'static, str>>) -> Self {
        Failure::new(kind, message).into()
    }

    pub(crate) fn config(message: impl Into<Cow<'static, str>>) -> Self {
        Self::of(ErrorKind::Config, message)
    }

    pub(crate) fn with_source(mut self, source: impl Into<Source>) -> Self {
        self.0.failure.source = Some(source.into());
        self
    }

    /// What kind of failure it was; of the last attempt, when there were several.
    pub fn kind(&self) -> ErrorKind {
        self.0.failure.kind
    }

    /// The status of the response, if there was one.
    pub fn status(&self) -> Option<u16> {
        self.0.failure.status
    }

    /// The beginning of the response's body, if there was one: at most 4 KiB, the key blotted out.
    pub fn body(&self) -> Option<&str> {
        self.0.failure.body.as_deref()
    }

    /// Every attempt that was made, the first one first.
    pub fn attempts(&self) -> &[Attempt] {
        &self.0.attempts
    }

    /// The attempts, when the error is no longer needed.
    pub fn into_attempts(self) -> Vec<Attempt> {
        self.0.attempts
    }

    /// Why no further attempt was made; `None` when nothing was to be sent at all.
    pub fn stop(&self) -> Option<Stop> {
        self.0.stop
    }

    /// What had arrived of a streamed answer that broke after its first content.
    pub fn partial(&self) -> Option<&Partial> {
        self.0.partial.as_ref()
    }

    /// How long the server asked to wait, counted from the end of the last attempt: in a header, or else in the error's words.
    pub fn retry_after(&self) -> Option<Duration> {
        self.0.failure.hint
    }

    /// The wait after which another try makes sense, counted from the end of the last attempt: what the server asked for, or else
    /// the policy's next backoff, without jitter. `None`: another try makes no sense, whether or not this policy allows one.
    pub fn retry_wait(&self) -> Option<Duration> {
        let failure = &self.0.failure;
        failure.may_pass().then(|| self.retry_after().unwrap_or(failure.backoff))
    }

    /// The instant from which on another try makes sense; see [`retry_wait`](Self::retry_wait). `None` also when nothing was tried.
    pub fn retry_at(&self) -> Option<Instant> {
        // A server may name a wait beyond all time.
        self.attempts().last()?.ended.checked_add(self.retry_wait()?)
    }

    /// Which limit the server says was reached, of its status, headers and body; `None` when it speaks of none.
    pub fn limit(&self) -> Option<Limit> {
        self.0.failure.limit
    }

    /// Whether an attempt may appear on the bill although it failed: it was sent and no refusal came back, or the answer broke
    /// off. Asking again may then cost the same again.
    pub fn possibly_billed(&self) -> bool {
        self.attempts().iter().any(Attempt::possibly_billed)
    }

    /// Whether a timeout struck, whichever.
    pub fn is_timeout(&self) -> bool {
        self.kind().is_timeout()
    }

    /// Whether there was no connection, so that the request never left.
    pub fn is_connect(&self) -> bool {
        self.kind().is_connect()
    }

    /// Whether the server said 429 and waiting may help.
    pub fn is_rate_limited(&self) -> bool {
        self.kind() == ErrorKind::RateLimited
    }

    /// Whether the quota or the credit is used up.
    pub fn is_quota(&self) -> bool {
        self.kind() == ErrorKind::InsufficientQuota || self.limit() == Some(Limit::Quota)
    }

    /// Whether the key or its rights were refused (401, 403).
    pub fn is_auth(&self) -> bool {
        matches!(self.kind(), ErrorKind::Status(401 | 403))
    }

    /// Whether the caller is at fault, and nothing was sent.
    pub fn is_config(&self) -> bool {
        matches!(self.kind(), ErrorKind::Config | ErrorKind::UnknownModel)
    }
}

impl From<Failure> for Error {
    fn from(failure: Failure) -> Self {
        Self(Box::new(Inner { failure, attempts: Vec::new(), stop: None, partial: None }))
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Inner { failure, attempts, stop, partial } = &*self.0;
        let mut debug = f.debug_struct("Error");
        debug.field("failure", failure).field("stop", stop).field("attempts", attempts).field("partial", partial).finish()
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Inner { failure, attempts, stop, .. } = &*self.0;
        f.write_str(&failure.message)?;
        if attempts.len() > 1 {
            write!(f, " (attempt {})", attempts.len())?;
        }
        match stop.and_then(Stop::explanation) {
            Some(explanation) => write!(f, "; {explanation}"),
            None => Ok(()),
        }
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.0.failure.source.as_deref().map(|source| source as _)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statuses_have_names() {
        assert_eq!(ErrorKind::Status(503).as_str(), "status-503");
        assert_eq!(ErrorKind::Status(418).as_str(), "status-418");
        assert_eq!(ErrorKind::Status(65_535).as_str(), "status-other");
    }

    #[test]
    fn an_error_is_one_word_wide() {
        assert_eq!(size_of::<Error>(), size_of::<usize>());
    }
}
