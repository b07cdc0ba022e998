//! Who is at the other end of a connection.

use std::net::SocketAddr;

/// Where a caller is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Peer {
    /// In this process, or on this machine.
    Here,
    /// Anywhere else.
    Elsewhere,
}

impl From<SocketAddr> for Peer {
    fn from(addr: SocketAddr) -> Self {
        // A socket of both families tells addresses of the old one as `::ffff:127.0.0.1`.
        if addr.ip().to_canonical().is_loopback() { Self::Here } else { Self::Elsewhere }
    }
}
