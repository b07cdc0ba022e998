//! Servers and clients for the promises about the client.

pub(crate) mod raw_relay;
pub(crate) mod sockets;
