//! Servers, clients, runs and processes for the promises.

pub(crate) mod fit;
pub(crate) mod http2_relay;
pub(crate) mod listener;
pub(crate) mod process;
pub(crate) mod raw_relay;
pub(crate) mod runs;
pub(crate) mod sockets;
pub(crate) mod streams;
pub(crate) mod tls;
