//! Which protocol connections speak, and what holds for HTTP/2.

use std::time::Duration;

use serde::Serialize;

use super::{seconds, seconds_or_null};

/// Which protocol connections speak.
///
/// HTTP/1.1 is the default, and preferable for most: a request has its connection to itself, so that one lost packet or one stuck
/// connection hurts one request, and a cap on connections is a cap on requests. HTTP/2 saves handshakes and sockets where
/// hundreds of requests are in flight at once.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Protocol {
    /// HTTP/1.1, whatever else the server offers.
    #[default]
    Http1,
    /// HTTP/2 if the server takes it (ALPN, RFC 7301), else HTTP/1.1. Without TLS nothing is negotiated: HTTP/1.1. The first
    /// request finds out; others wait for its handshake, in the queue, for as long as an own connect may take
    /// ([`Timeouts::connect`](super::Timeouts::connect)); then they open their own. What it found holds for as long as the client
    /// lives.
    Negotiate,
    /// HTTP/2, known beforehand: without TLS (RFC 9113 §3.3), or with TLS, where a server that does not take it is an error.
    Http2,
}

/// What holds for connections that speak HTTP/2. In JSON in seconds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Http2 {
    /// How many connections share the requests, at least 1 and no more than the pool's cap. Each request goes to the one with
    /// the fewest in flight; those not needed are not opened. Servers commonly allow 100 requests at once on a connection (RFC
    /// 9113 asks for no fewer), and the next ones wait: divide what is in flight by that.
    pub connections: usize,
    /// The silence of a connection with requests in flight after which it is pinged. `None`: never. Servers that count pings
    /// (gRPC's) may want more than 300 s.
    #[serde(rename = "ping_interval_s", serialize_with = "seconds_or_null")]
    pub ping_interval: Option<Duration>,
    /// How long an answer to a ping may take. After that the connection is closed and its requests fail: a hang is noticed within
    /// the sum of both.
    #[serde(rename = "ping_timeout_s", serialize_with = "seconds")]
    pub ping_timeout: Duration,
}

impl Default for Http2 {
    /// Two connections, so that one that hangs or drains is not all; a ping after 15 s of silence, and 10 s for its answer.
    fn default() -> Self {
        Self { connections: 2, ping_interval: Some(Duration::from_secs(15)), ping_timeout: Duration::from_secs(10) }
    }
}
