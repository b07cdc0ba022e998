//! When the client stops waiting.

mod overrides;

use std::time::Duration;

use serde::Serialize;

pub(crate) use self::overrides::Overrides;

use super::{seconds, seconds_or_null};
use crate::client::error::{Error, ErrorKind};

/// When the client stops waiting. In JSON in seconds. Each figure is a default that a single request may change:
/// [`ChatRequest::timeout`](crate::ChatRequest::timeout) and [`total_timeout`](crate::ChatRequest::total_timeout), and the same of
/// [`EmbeddingsRequest`](crate::EmbeddingsRequest::timeout) and of what [`Client::models`](crate::Client::models) gives.
///
/// | figure | runs from | to | fails with | in `resilient` |
/// |---|---|---|---|---|
/// | `total` | the call | the end of the answer | `total-timeout` | 30 s |
/// | `queue` | the attempt's begin | a place in the pool, a free connection, or a free stream of one | `queue-timeout` | 15 s |
/// | `connect` | the place in the pool | an open connection | `connect-timeout` | 5 s |
/// | `headers` | the request was sent | the response's head | `headers-timeout` | – |
/// | `first_token` | the request was sent | the first content of a stream | `first-token-timeout` | 15 s |
/// | `stall` | each byte of a stream | the next byte, comments too | `stall-timeout` | 10 s |
/// | `content_stall` | each content of a stream | the next content, or the finish reason | `content-stall-timeout` | 15 s |
/// | `read` | the request was sent, and each piece of the response | the next piece | `read-timeout` | 25 s |
///
/// `total` is one for all attempts; the others are of each attempt. `first_token`, `stall` and `content_stall` are of streams
/// alone: an answer that is not streamed is silent until it is complete, and some servers send its head long before. Content is
/// what a delta brings beyond its role: text, reasoning, tool calls; comments, role-only and empty deltas are none. When several
/// run out in the same instant, the one that stands first in this table is named. The clocks of a stream stand still while the
/// caller is not waiting for it, except the total: a slow reader is not mistaken for a silent server.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Timeouts {
    /// For a logical request: all its attempts, the waits between them, waiting for a connection, and the whole body. Counted
    /// from the call. There is always one, since every request must end; choose it from what your own caller will wait.
    #[serde(rename = "total_s", serialize_with = "seconds")]
    pub total: Duration,
    /// For a place in the pool, or a connection that is handed back; over HTTP/2 also for a connection that another request
    /// opens, or a free stream. `None`: no limit but the total. Choose it so that what is left of the total is enough for an answer: a request that queues longer only takes a place from one that could succeed.
    #[serde(rename = "queue_s", serialize_with = "seconds_or_null")]
    pub queue: Option<Duration>,
    /// For opening a connection, from the look-up of the name to the end of the TLS handshake; waiting for a place in the pool
    /// does not count, nor does waiting for what another request opens. `None`: no limit but the total. A lost SYN is sent again
    /// after 1 s and after 3 s, so that less than about 4 s makes a failure of what TCP would have mended. A connect that goes on
    /// after its request was given another connection has the same time, or a minute where there is no limit.
    #[serde(rename = "connect_s", serialize_with = "seconds_or_null")]
    pub connect: Option<Duration>,
    /// For the response's head, counted from when the request was sent. `None`: no limit but the total. Many servers send the
    /// head of a stream at once, and that of an answer that is not streamed only with the answer: for those, less than the
    /// longest answer takes cuts it.
    #[serde(rename = "headers_s", serialize_with = "seconds_or_null")]
    pub headers: Option<Duration>,
    /// For the first content of a stream, counted from when the request was sent. `None`: no limit but the total. Choose it
    /// beyond the tail of the time to the first token, and low enough that another try fits into the total: until the first
    /// content nothing was handed to the caller, and the attempt can be repeated.
    #[serde(rename = "first_token_s", serialize_with = "seconds_or_null")]
    pub first_token: Option<Duration>,
    /// For the longest silence within a stream, once its head is there; any byte ends it, also that of a comment. `None`: no
    /// limit but the total. It finds connections that died without a word: a few of the server's keep-alive intervals, or
    /// hundreds of the gaps between tokens.
    #[serde(rename = "stall_s", serialize_with = "seconds_or_null")]
    pub stall: Option<Duration>,
    /// For the longest gap between two contents of a stream, from the first one on; what comes before is `first_token`'s.
    /// `None`: no limit but the total. It finds what `stall` cannot, a server whose comments keep a dead answer alive. Models
    /// that call tools or think in silence need more than the gaps between tokens suggest.
    #[serde(rename = "content_stall_s", serialize_with = "seconds_or_null")]
    pub content_stall: Option<Duration>,
    /// For the gap between two pieces of a response, the first counted from when the request was sent. `None`: no limit but the
    /// total. A response that is not streamed is silent until it is complete: less than the longest answer takes cuts it.
    #[serde(rename = "read_s", serialize_with = "seconds_or_null")]
    pub read: Option<Duration>,
}

/// One of the [`Timeouts`] of an attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Timeout {
    /// [`Timeouts::queue`].
    Queue,
    /// [`Timeouts::connect`].
    Connect,
    /// [`Timeouts::headers`].
    Headers,
    /// [`Timeouts::first_token`].
    FirstToken,
    /// [`Timeouts::stall`].
    Stall,
    /// [`Timeouts::content_stall`].
    ContentStall,
    /// [`Timeouts::read`].
    Read,
}

impl Timeout {
    /// All of them, in the order in which they are named when several run out at once.
    pub const ALL: [Self; 7] =
        [Self::Queue, Self::Connect, Self::Headers, Self::FirstToken, Self::Stall, Self::ContentStall, Self::Read];

    /// Of which kind the error is when it runs out.
    pub fn kind(self) -> ErrorKind {
        match self {
            Self::Queue => ErrorKind::QueueTimeout,
            Self::Connect => ErrorKind::ConnectTimeout,
            Self::Headers => ErrorKind::HeadersTimeout,
            Self::FirstToken => ErrorKind::FirstTokenTimeout,
            Self::Stall => ErrorKind::StallTimeout,
            Self::ContentStall => ErrorKind::ContentStallTimeout,
            Self::Read => ErrorKind::ReadTimeout,
        }
    }
}

impl Timeouts {
    /// No limit but this one.
    pub fn only(total: Duration) -> Self {
        Self { total, queue: None, connect: None, headers: None, first_token: None, stall: None, content_stall: None, read: None }
    }

    /// The figure of this timeout; `None` is no limit but the total.
    pub fn of(&self, which: Timeout) -> Option<Duration> {
        match which {
            Timeout::Queue => self.queue,
            Timeout::Connect => self.connect,
            Timeout::Headers => self.headers,
            Timeout::FirstToken => self.first_token,
            Timeout::Stall => self.stall,
            Timeout::ContentStall => self.content_stall,
            Timeout::Read => self.read,
        }
    }

    /// Sets the figure of this timeout; `None` is no limit but the total.
    pub fn set(&mut self, which: Timeout, figure: impl Into<Option<Duration>>) {
        let place = match which {
            Timeout::Queue => &mut self.queue,
            Timeout::Connect => &mut self.connect,
            Timeout::Headers => &mut self.headers,
            Timeout::FirstToken => &mut self.first_token,
            Timeout::Stall => &mut self.stall,
            Timeout::ContentStall => &mut self.content_stall,
            Timeout::Read => &mut self.read,
        };
        *place = figure.into();
    }

    /// Refuses figures with which nothing could ever be sent, or instants could not be computed.
    pub(crate) fn check(&self) -> Result<(), Error> {
        check_one("total", self.total)?;
        for which in Timeout::ALL {
            if let Some(figure) = self.of(which) {
                check_one(which.kind().as_str().trim_end_matches("-timeout"), figure)?;
            }
        }
        Ok(())
    }
}

fn check_one(name: &str, figure: Duration) -> Result<(), Error> {
    // Beyond it instants cannot be computed.
    const LONGEST: Duration = Duration::from_secs(100 * 365 * 24 * 3600);
    match () {
        () if figure.is_zero() => Err(Error::config(format!("the {name} timeout must be above zero"))),
        () if figure > LONGEST => Err(Error::config(format!("the {name} timeout must be below a hundred years"))),
        () => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_timeout_is_set_and_read_and_refused_under_its_own_name() {
        for which in Timeout::ALL {
            let mut timeouts = Timeouts::only(Duration::from_secs(1));
            timeouts.set(which, Duration::from_secs(2));
            let set: Vec<_> = Timeout::ALL.into_iter().filter(|other| timeouts.of(*other).is_some()).collect();
            assert_eq!(set, [which]);
            timeouts.set(which, Duration::ZERO);
            let refused = timeouts.check().unwrap_err().to_string();
            let name = which.kind().as_str().replace("-timeout", " timeout");
            assert_eq!(refused, format!("the {name} must be above zero"));
        }
    }
}
