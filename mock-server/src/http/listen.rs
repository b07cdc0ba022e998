//! Sockets: bind, accept, hand over.

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::pin::pin;
use std::time::Duration;

use tokio::net::{TcpListener, TcpSocket};

use crate::server::MockServer;

/// Callers who connect at once and wait to be accepted. With 128, the usual default, a burst of 500 would lose connections and
/// see them a second later.
const BACKLOG: u32 = 4096;

/// When no file descriptor is free, one may be after this.
const ACCEPT_PAUSE: Duration = Duration::from_millis(20);

pub(crate) fn bind(addr: SocketAddr) -> io::Result<TcpListener> {
    let socket = if addr.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
    // Elsewhere it would let two relays share a port.
    #[cfg(unix)]
    socket.set_reuseaddr(true)?;
    socket.bind(addr)?;
    socket.listen(BACKLOG)
}

/// Accepts and serves until `stop` is ready.
pub(crate) async fn accept_until<S: Future>(listener: TcpListener, server: MockServer, stop: S) -> S::Output {
    let mut stop = pin!(stop);
    loop {
        tokio::select! {
            biased;
            stopped = &mut stop => return stopped,
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => {
                    // A caller who is gone already is found out when it is served.
                    let _ = stream.set_nodelay(true);
                    tokio::spawn(server.serve_connection(stream));
                }
                Err(_) => relaybench_clock::sleep(ACCEPT_PAUSE).await,
            },
        }
    }
}
