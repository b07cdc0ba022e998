//! What a server lets its callers do to it.

use std::time::Duration;

/// Limits of the server itself, whatever profile is in force; a profile has those of the relay that it plays.
///
/// The clocks run only while something is missing: a connection between two requests may rest as long as its caller likes.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ServerLimits {
    /// How many connections a listener serves at once; further ones wait in the system's queue until one has ended. Default: no
    /// limit; the command has the limit of open files, less 64.
    pub max_connections: Option<usize>,
    /// How large the head of a request may be, in bytes, else it is answered 431; at least 8 KiB are let pass. Default: 64 KiB.
    pub head_bytes: usize,
    /// From the first byte of a head to its last, else it is answered 408 and the connection closed. Over TLS the handshake may
    /// take as long, from the connection's first instant. Default: 30 s.
    pub head_timeout: Option<Duration>,
    /// From the end of a head to the last byte of the body, else it is answered 408 and the connection closed; the ledger then says
    /// that the caller left. Default: 2 min.
    pub body_timeout: Option<Duration>,
    /// How long a caller may take nothing of what is sent to it before the connection is closed. What the system buffers counts as
    /// taken. Default: 5 min.
    pub write_timeout: Option<Duration>,
}

impl Default for ServerLimits {
    fn default() -> Self {
        Self {
            max_connections: None,
            head_bytes: 64 * 1024,
            head_timeout: Some(Duration::from_secs(30)),
            body_timeout: Some(Duration::from_secs(120)),
            write_timeout: Some(Duration::from_secs(300)),
        }
    }
}

impl ServerLimits {
    /// The defaults without clocks: for callers that are trusted, such as a test's own, which may wait for hours of virtual time.
    pub fn patient() -> Self {
        Self { head_timeout: None, body_timeout: None, write_timeout: None, ..Self::default() }
    }
}
