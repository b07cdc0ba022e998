//! Sockets: bind, accept, hand over.

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use relaybench_clock::Instant;
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::Protocol;
#[cfg(feature = "tls")]
use crate::server::Admitted;
use crate::server::{MockServer, Peer};

/// Callers who connect at once and wait to be accepted. With 128, the usual default, a burst of 500 would lose connections and
/// see them a second later.
const BACKLOG: u32 = 4096;

/// As many callers as the system may hold for a socket, whatever it makes of [`BACKLOG`].
const MOST_HELD: u32 = 2 * BACKLOG;

/// When no file descriptor is free, one may be after this.
const ACCEPT_PAUSE: Duration = Duration::from_millis(20);

/// A socket at which callers come in, and how they are to speak.
#[derive(Debug)]
pub(crate) struct Listener {
    socket: Socket,
    addr: SocketAddr,
    security: Security,
}

#[derive(Debug)]
enum Socket {
    Open(TcpListener),
    /// The system refuses whoever comes; the address is kept by a socket that does not listen, where there is one.
    Shut(Option<TcpSocket>),
}

/// Whether connections are encrypted.
#[derive(Clone, Debug)]
pub(crate) enum Security {
    Plain,
    #[cfg(feature = "tls")]
    Tls(crate::Tls),
}

impl Listener {
    /// Takes an address, and listens there unless the server's profile refuses all from its start.
    pub(crate) fn bind(addr: SocketAddr, security: Security, server: &MockServer) -> io::Result<Self> {
        let socket = bound(addr)?;
        let mut listener = Self { addr: socket.local_addr()?, socket: Socket::Shut(Some(socket)), security };
        listener.listen_unless(server.refuses_all().0, server)?;
        Ok(listener)
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

    /// Accepts and serves until `stop` is ready, and then listens no more. While the profile refuses all, nobody listens.
    pub(crate) async fn accept_until<S: Future>(mut self, server: MockServer, stop: S) -> S::Output {
        let mut stop = pin!(stop);
        let places = server.limits().max_connections.map(|most| Arc::new(Semaphore::new(most.min(Semaphore::MAX_PERMITS))));
        loop {
            // Whatever the profile does, the rest of the runtime has its turn.
            tokio::task::yield_now().await;
            let mut swapped = pin!(server.swapped());
            let (refuses, until) = server.refuses_all();
            // Somebody else may have taken the address meanwhile, and give it back.
            let until =
                self.listen_unless(refuses, &server).map_or_else(|_| Some(relaybench_clock::now() + ACCEPT_PAUSE), |()| until);
            let mut changes = pin!(changed(until));
            loop {
                tokio::select! {
                    biased;
                    stopped = &mut stop => return stopped,
                    () = &mut swapped => break,
                    () = &mut changes => break,
                    accepted = self.socket.accept(places.as_ref()) => match accepted {
                        Ok(accepted) => self.security.hand_over(&server, accepted),
                        Err(_) => relaybench_clock::sleep(ACCEPT_PAUSE).await,
                    },
                }
            }
        }
    }

    fn listen_unless(&mut self, refuses: bool, server: &MockServer) -> io::Result<()> {
        match (&mut self.socket, refuses) {
            (Socket::Open(_), true) => {
                if let Socket::Open(listener) = std::mem::replace(&mut self.socket, Socket::Shut(None)) {
                    self.turn_away(listener, server)?;
                }
                // Closed first: an address that somebody listens on is not given again.
                self.socket = Socket::Shut(Some(bound(self.addr)?));
            }
            (Socket::Shut(None), true) => self.socket = Socket::Shut(Some(bound(self.addr)?)),
            (Socket::Shut(kept), false) => {
                let socket = kept.take().map_or_else(|| bound(self.addr), Ok)?;
                self.socket = Socket::Open(socket.listen(BACKLOG)?);
            }
            _ => {}
        }
        Ok(())
    }
}

impl Listener {
    /// Takes in those whom the system has connected already, each as a connection that the profile refuses: with the socket they would
    /// be reset as well, but nobody would know of them.
    fn turn_away(&self, listener: TcpListener, server: &MockServer) -> io::Result<()> {
        let listener = listener.into_std()?;
        for _ in 0..MOST_HELD {
            let (stream, peer) = match listener.accept() {
                Ok(accepted) => accepted,
                Err(error) if matches!(error.kind(), io::ErrorKind::ConnectionAborted | io::ErrorKind::Interrupted) => continue,
                // All are taken in, or there is no descriptor for another one.
                Err(_) => break,
            };
            stream.set_nonblocking(true)?;
            let stream = TcpStream::from_std(stream)?;
            self.security.hand_over(server, Accepted { stream, peer: peer.into(), place: None });
        }
        Ok(())
    }
}

async fn changed(until: Option<Instant>) {
    match until {
        Some(until) => relaybench_clock::sleep_until(until).await,
        None => std::future::pending().await,
    }
}

impl Socket {
    /// A caller, once there is a place for it.
    async fn accept(&self, places: Option<&Arc<Semaphore>>) -> io::Result<Accepted> {
        let Self::Open(listener) = self else { return std::future::pending().await };
        let place = match places {
            Some(places) => Arc::clone(places).acquire_owned().await.ok(),
            None => None,
        };
        let (stream, peer) = listener.accept().await?;
        // A caller who is gone already is found out when it is served.
        let _ = stream.set_nodelay(true);
        Ok(Accepted { stream, peer: peer.into(), place })
    }
}

impl Security {
    fn hand_over(&self, server: &MockServer, Accepted { stream, peer, place }: Accepted) {
        let Some(admitted) = server.admit(peer) else {
            // Without it the caller would see an end and not a reset.
            let _ = stream.set_zero_linger();
            return;
        };
        match (self, place) {
            (Self::Plain, None) => drop(tokio::spawn(admitted.serve(stream, Protocol::Sniffed))),
            (Self::Plain, Some(place)) => drop(tokio::spawn(async move {
                admitted.serve(stream, Protocol::Sniffed).await;
                drop(place);
            })),
            #[cfg(feature = "tls")]
            (Self::Tls(tls), place) => {
                let tls = tls.clone();
                drop(tokio::spawn(async move {
                    serve_tls(admitted, tls, stream).await;
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
async fn serve_tls(mut admitted: Admitted, tls: crate::Tls, mut stream: TcpStream) {
    let (told, timeout) = (admitted.served.told(), admitted.server.common.limits.head_timeout);
    // The handshake waits as well.
    if !super::connection::accepted(&mut admitted, &mut stream).await {
        return;
    }
    let shaking = async {
        let handshake = tls.acceptor().accept(stream);
        match timeout {
            None => handshake.await.ok(),
            Some(timeout) => {
                relaybench_clock::timeout_at(relaybench_clock::now() + timeout, handshake).await.ok().and_then(Result::ok)
            }
        }
    };
    let shaken = tokio::select! {
        biased;
        // Nobody was let in yet.
        () = told.wait() => None,
        shaken = shaking => shaken,
    };
    // A caller who does not trust the certificate has said so to itself.
    let Some(stream) = shaken else { return };
    let protocol = match stream.get_ref().1.alpn_protocol() {
        Some(b"h2") => Protocol::Http2,
        Some(_) => Protocol::Http1,
        None => Protocol::Sniffed,
    };
    admitted.serve(stream, protocol).await;
}
