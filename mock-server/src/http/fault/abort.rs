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
    // Whoever serves a connection need not know what kind it is, so that it is asked here.
    let io: &mut dyn Any = io;
    if let Some(stream) = io.downcast_mut::<memory::Stream>() {
        stream.abort();
        return;
    }
    #[cfg(feature = "tls")]
    if let Some(stream) = io.downcast_mut::<TlsStream<TcpStream>>() {
        let _ = stream.get_ref().0.set_zero_linger();
        return;
    }
    if let Some(stream) = io.downcast_mut::<TcpStream>() {
        // It fails only on what is no socket any more.
        let _ = stream.set_zero_linger();
    }
}
