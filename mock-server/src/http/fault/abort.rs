//! Resetting a connection.

use std::any::{Any, TypeId};

use tokio::net::TcpStream;

use crate::memory;

/// Whether connections of this type can be reset.
pub(in crate::http) fn can_abort<IO: 'static>() -> bool {
    [TypeId::of::<TcpStream>(), TypeId::of::<memory::Stream>()].contains(&TypeId::of::<IO>())
}

/// Sees to it that the other side is told of a reset, and not of an end, when the connection is dropped.
pub(super) fn abort<IO: Any>(io: &mut IO) {
    // Whoever serves a connection need not know what kind it is, so that it is asked here.
    let io: &mut dyn Any = io;
    if let Some(stream) = io.downcast_mut::<memory::Stream>() {
        stream.abort();
    } else if let Some(stream) = io.downcast_mut::<TcpStream>() {
        // It fails only on what is no socket any more.
        let _ = stream.set_zero_linger();
    }
}
