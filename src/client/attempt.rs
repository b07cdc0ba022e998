//! The record of one attempt, kept on success and on failure.

use std::time::Duration;

use relaybench_clock::Instant;

use super::error::{ErrorKind, Limit};
use super::request::RequestId;

/// One HTTP exchange, as the client saw it.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Attempt {
    /// From 1.
    pub number: u32,
    /// What the client calls the request, the same for all its attempts.
    pub request_id: RequestId,
    /// How long the client waited before it, after the one before had failed.
    pub waited: Duration,
    /// Whether that wait was what the server had asked for.
    pub hint_obeyed: bool,
    /// When it began, before it queued for a connection.
    pub started: Instant,
    /// When the whole response was there, or the failure.
    pub ended: Instant,
    /// How long it queued for a place in the pool, for the connection that another gave back or was opening, or for a free stream.
    pub queued: Duration,
    /// How long its connection took to open, if it opened one and the transport tells.
    pub connect: Option<Duration>,
    /// When the request was handed to a connection, if it was.
    pub sent: Option<Instant>,
    /// When the response's head was there.
    pub head: Option<Instant>,
    /// When the first content of a stream was there: text, reasoning, or a tool call.
    pub first_token: Option<Instant>,
    /// When its last content was there, so far.
    pub last_token: Option<Instant>,
    /// The response's status, if there was one.
    pub status: Option<u16>,
    /// How far it came.
    pub progress: Progress,
    /// How it failed, if it did.
    pub failure: Option<ErrorKind>,
    /// The status that an error in the body named as its code, where the response's own said that all was well.
    pub in_band_status: Option<u16>,
    /// Which limit the server said was reached, if it did.
    pub limit: Option<Limit>,
    /// The model that the answer names, if it is another than was asked.
    pub other_model: Option<Box<str>>,
    /// What the server calls it: its `x-request-id` (or `request-id`), at most 128 bytes.
    pub server_request_id: Option<Box<str>>,
    /// On which connection, if it was handed to one, answered or not. Over `network` it is not known of a request that was never
    /// answered on a connection which another attempt had opened and nobody had been answered on yet.
    pub connection: Option<Connection>,
    /// The connection on which it was tried first, when the server had just closed that one: nothing of the request had left, so
    /// that it was sent on another at once, once, and no retry of the policy was used up. Over `network` reqwest does that by
    /// itself, and does not tell.
    pub stale: Option<Connection>,
}

impl Attempt {
    /// Whether the request may have reached the server: what a ledger on the other side can know of.
    pub fn left_the_client(&self) -> bool {
        self.progress > Progress::NeverSent
    }

    /// Whether it may appear on the bill. A request that never left does not, nor one that was refused. But a gateway that gave
    /// up waiting (504, 524) or whose connection broke under it (520) does not know what became of the request, and neither does a
    /// client to which that happens; it says so in a status or, once it has said 200, in the error's code.
    ///
    /// A 502 counts as a refusal: it is what gateways say first of all when the server behind them is down or turns them away, and
    /// what that server then bills is an answer that nobody got. Where a relay's 502s do appear on the bill, take 502 out of the
    /// statuses that are retried.
    pub fn possibly_billed(&self) -> bool {
        let refused = match self.failure {
            Some(ErrorKind::Status(status)) => !is_in_doubt(status),
            Some(ErrorKind::RateLimited | ErrorKind::InsufficientQuota | ErrorKind::TooLarge) => true,
            Some(ErrorKind::InBand) => self.first_token.is_none() && !self.in_band_status.is_some_and(is_in_doubt),
            _ => false,
        };
        self.left_the_client() && !refused
    }
}

/// Whether a gateway that says this has passed the request on, and does not know what became of it: 504, and of Cloudflare's own
/// 524 (no answer in time) and 520 (an empty or broken one). Where it could not pass it on, these are 521 to 523, 525 and 526.
fn is_in_doubt(status: u16) -> bool {
    matches!(status, 504 | 520 | 524)
}

/// How far an attempt came.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Progress {
    /// No byte of it left the client.
    NeverSent,
    /// It was sent, and nothing came back. The server may have done the work, and may bill it.
    NoResponse,
    /// The response's head came.
    Headers,
    /// Some of the response's body came.
    Content,
}

impl Progress {
    /// Its name in reports. Stable.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::NeverSent => "never-sent",
            Self::NoResponse => "no-response",
            Self::Headers => "headers",
            Self::Content => "content",
        }
    }
}

/// The connection an attempt used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Connection {
    /// Counted from 1 in the order the client opened them.
    pub id: u64,
    /// Whether an earlier attempt had used it.
    pub reused: bool,
    /// Whether it speaks HTTP/2, else HTTP/1.1.
    pub is_http2: bool,
}
