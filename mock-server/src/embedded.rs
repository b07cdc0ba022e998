//! A mock relay inside another process, on a thread and a socket of its own.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::mpsc;
use std::thread::{self, JoinHandle};

use relaybench_clock::Runtime;
use tokio::net::TcpListener;
use tokio::sync::oneshot;

use crate::http::listen;
use crate::ledger::Ledger;
use crate::profile::Profile;
use crate::server::MockServer;

/// A mock relay that listens on a free port of the loopback interface. It has a thread and a runtime of its own, so that it does
/// not share its caller's; dropping it closes its connections and ends both.
///
/// ```
/// use relaybench_mock::{MockRelay, Profile};
///
/// let relay = MockRelay::start(Profile::load("instant")?)?;
/// assert_eq!(relay.base_url(), format!("http://{}/v1", relay.addr()));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct MockRelay {
    addr: SocketAddr,
    server: MockServer,
    /// Dropped to stop the thread.
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl MockRelay {
    /// Starts a relay with a ledger in memory; it accepts from when this returns.
    ///
    /// # Errors
    ///
    /// When the system refuses a thread, a socket or a port.
    pub fn start(profile: Profile) -> io::Result<Self> {
        Self::start_with_ledger(profile, Ledger::in_memory())
    }

    /// Starts a relay with a ledger of one's own.
    ///
    /// # Errors
    ///
    /// As [`start`](Self::start).
    pub fn start_with_ledger(profile: Profile, ledger: Ledger) -> io::Result<Self> {
        let (stop, stopped) = oneshot::channel();
        let (ready, readiness) = mpsc::channel();
        let thread = thread::Builder::new().name("relaybench-mock".to_owned()).spawn(move || {
            let started = start(profile, ledger);
            match started {
                Err(error) => drop(ready.send(Err(error))),
                Ok((runtime, listener, addr, server)) => {
                    // A caller who is gone has dropped the sender as well, which ends the loop at once.
                    drop(ready.send(Ok((addr, server.clone()))));
                    let _ = runtime.block_on(listen::accept_until(listener, server, stopped));
                }
            }
        })?;
        let started = readiness.recv().unwrap_or_else(|_| Err(io::Error::other("the relay's thread ended before it listened")));
        let (addr, server) = started?;
        Ok(Self { addr, server, stop: Some(stop), thread: Some(thread) })
    }

    /// Where it listens.
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// What clients take as their base URL: `http://127.0.0.1:PORT/v1`.
    pub fn base_url(&self) -> String {
        format!("http://{}/v1", self.addr)
    }

    /// The record of what was planned and what happened.
    pub fn ledger(&self) -> &Ledger {
        self.server.ledger()
    }

    /// The relay behind the socket, to hand it other connections as well.
    pub fn server(&self) -> &MockServer {
        &self.server
    }
}

fn start(profile: Profile, ledger: Ledger) -> io::Result<(Runtime, TcpListener, SocketAddr, MockServer)> {
    let runtime = Runtime::new()?;
    let listener = {
        let _context = runtime.enter();
        listen::bind((Ipv4Addr::LOCALHOST, 0).into())?
    };
    let addr = listener.local_addr()?;
    Ok((runtime, listener, addr, MockServer::with_ledger(profile, ledger)))
}

impl Drop for MockRelay {
    fn drop(&mut self) {
        self.server.stopping();
        self.stop.take();
        if let Some(thread) = self.thread.take() {
            // What panicked there has been printed, and a panic in a drop would end the process.
            let _ = thread.join();
        }
    }
}
