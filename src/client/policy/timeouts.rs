//! When the client stops waiting.

use std::time::Duration;

use serde::Serialize;

use super::{seconds, seconds_or_null};

/// When the client stops waiting. In JSON in seconds.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Timeouts {
    /// For a logical request: all its attempts, the waits between them, waiting for a connection, and the whole body. Counted
    /// from the call. There is always one, since every request must end; choose it from what your own caller will wait.
    #[serde(rename = "total_s", serialize_with = "seconds")]
    pub total: Duration,
    /// For opening a connection, from the look-up of the name to the end of the TLS handshake; waiting for a place in the pool
    /// does not count. `None`: no limit but the total. A lost SYN is sent again after 1 s and after 3 s, so that less than
    /// about 4 s makes a failure of what TCP would have mended.
    #[serde(rename = "connect_s", serialize_with = "seconds_or_null")]
    pub connect: Option<Duration>,
    /// For the gap between two pieces of a response, the first counted from when the request was sent. `None`: no limit but the
    /// total. A response that is not streamed is silent until it is complete: less than the longest answer takes cuts it.
    #[serde(rename = "read_s", serialize_with = "seconds_or_null")]
    pub read: Option<Duration>,
}

impl Timeouts {
    /// No limit but this one.
    pub fn only(total: Duration) -> Self {
        Self { total, connect: None, read: None }
    }
}
