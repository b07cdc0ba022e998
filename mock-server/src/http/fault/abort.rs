//! Resetting a connection.

use std::any::{Any, TypeId};

use tokio::net::TcpStream;
#[cfg(feature = "tls")]
use tokio_rustls::server::TlsStream;

use crate::memory;

/// Whether connections of this type can be reset.
pub(in crate::http) fn can_abort<IO: 'static>() -> bool {
    #[cfg(feature = "tls")]
    if TypeId::of::<IO>() == TypeId::of::<TlsStream<TcpStream>>() {
        return true;
    }
    [TypeId::of::<TcpStream>(), TypeId::of::<memory::Stream>()].contains(&TypeId::of::<IO>())
}

/// Sees to it that the other side is told of a reset, and not of an end, when the connection is dropped.
pub(super) fn abort<IO: Any>(io: &mut IO) {
    if let Some(stream) = tcp(io) {
        // It fails only on what is no socket any more.
        let _ = stream.set_zero_linger();
        return;
    }
    let io: &mut dyn Any = io;
    if let Some(stream) = io.downcast_mut::<memory::Stream>() {
        stream.abort();
    }
}

/// The socket of a connection over TCP, encrypted or not.
pub(in crate::http) fn tcp<IO: Any>(io: &IO) -> Option<&TcpStream> {
    // Whoever serves a connection need not know what kind it is, so that it is asked here.
    let io: &dyn Any = io;
    #[cfg(feature = "tls")]
    if let Some(stream) = io.downcast_ref::<TlsStream<TcpStream>>() {
        return Some(stream.get_ref().0);
    }
    io.downcast_ref()
}
