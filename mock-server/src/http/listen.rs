//! Sockets: bind, accept, hand over.

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::Protocol;
use crate::server::{MockServer, Peer};

/// Callers who connect at once and wait to be accepted. With 128, the usual default, a burst of 500 would lose connections and
/// see them a second later.
const BACKLOG: u32 = 4096;

/// When no file descriptor is free, one may be after this.
const ACCEPT_PAUSE: Duration = Duration::from_millis(20);

/// A socket that listens, and how those who come are to speak.
#[derive(Debug)]
pub(crate) struct Listener {
    socket: TcpListener,
    addr: SocketAddr,
    security: Security,
}

/// Whether connections are encrypted.
#[derive(Clone, Debug)]
pub(crate) enum Security {
    Plain,
    #[cfg(feature = "tls")]
    Tls(crate::Tls),
}

impl Listener {
    pub(crate) fn bind(addr: SocketAddr, security: Security) -> io::Result<Self> {
        let socket = bound(addr)?.listen(BACKLOG)?;
        Ok(Self { addr: socket.local_addr()?, socket, security })
    }

    pub(crate) fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// Whom callers must trust, where that was made for the occasion.
    #[cfg(feature = "tls")]
    pub(crate) fn authority_pem(&self) -> Option<&str> {
        match &self.security {
            Security::Plain => None,
            Security::Tls(tls) => tls.authority_pem(),
        }
    }

    /// `http://ADDR:PORT`, or `https://…`.
    pub(crate) fn url(&self) -> String {
        let scheme = match self.security {
            Security::Plain => "http",
            #[cfg(feature = "tls")]
            Security::Tls(_) => "https",
        };
        format!("{scheme}://{}", self.addr)
    }

    /// Accepts and serves until `stop` is ready, and then listens no more.
    pub(crate) async fn accept_until<S: Future>(self, server: MockServer, stop: S) -> S::Output {
        let mut stop = pin!(stop);
        let places = server.limits().max_connections.map(|most| Arc::new(Semaphore::new(most.min(Semaphore::MAX_PERMITS))));
        loop {
            tokio::select! {
                biased;
                stopped = &mut stop => return stopped,
                accepted = self.accept(places.as_ref()) => match accepted {
                    Ok(accepted) => self.hand_over(&server, accepted),
                    Err(_) => relaybench_clock::sleep(ACCEPT_PAUSE).await,
                },
            }
        }
    }

    /// A caller, once there is a place for it.
    async fn accept(&self, places: Option<&Arc<Semaphore>>) -> io::Result<Accepted> {
        let place = match places {
            Some(places) => Arc::clone(places).acquire_owned().await.ok(),
            None => None,
        };
        let (stream, peer) = self.socket.accept().await?;
        // A caller who is gone already is found out when it is served.
        let _ = stream.set_nodelay(true);
        Ok(Accepted { stream, peer: peer.into(), place })
    }

    fn hand_over(&self, server: &MockServer, Accepted { stream, peer, place }: Accepted) {
        match &self.security {
            Security::Plain => {
                let served = server.serve(stream, peer, Protocol::Sniffed);
                match place {
                    None => drop(tokio::spawn(served)),
                    Some(place) => drop(tokio::spawn(async move {
                        served.await;
                        drop(place);
                    })),
                }
            }
            #[cfg(feature = "tls")]
            Security::Tls(tls) => {
                let served = serve_tls(server.clone(), tls.clone(), stream, peer);
                drop(tokio::spawn(async move {
                    served.await;
                    drop(place);
                }));
            }
        }
    }
}

/// A caller who was accepted.
struct Accepted {
    stream: TcpStream,
    peer: Peer,
    /// Held as long as it is served.
    place: Option<OwnedSemaphorePermit>,
}

fn bound(addr: SocketAddr) -> io::Result<TcpSocket> {
    let socket = if addr.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
    // Elsewhere it would let two relays share a port.
    #[cfg(unix)]
    socket.set_reuseaddr(true)?;
    socket.bind(addr)?;
    Ok(socket)
}

/// Shakes hands, and serves whichever protocol was agreed on.
#[cfg(feature = "tls")]
async fn serve_tls(server: MockServer, tls: crate::Tls, stream: TcpStream, peer: Peer) {
    let handshake = tls.acceptor().accept(stream);
    let shaken = match server.limits().head_timeout {
        Some(timeout) => relaybench_clock::timeout_at(relaybench_clock::now() + timeout, handshake)
            .await
            .unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into())),
        None => handshake.await,
    };
    // A caller who does not trust the certificate has said so to itself.
    let Ok(stream) = shaken else { return };
    let protocol = match stream.get_ref().1.alpn_protocol() {
        Some(b"h2") => Protocol::Http2,
        Some(_) => Protocol::Http1,
        None => Protocol::Sniffed,
    };
    server.serve(stream, peer, protocol).await;
}
