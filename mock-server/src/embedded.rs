//! A mock relay inside another process, on a thread and a socket of its own.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::mpsc;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use relaybench_clock::Runtime;
use tokio::sync::oneshot;

use crate::assertions::Assertions;
use crate::http::listen::{Listener, Security};
use crate::ledger::Ledger;
use crate::profile::{Outcome, Profile};
use crate::server::{MockServer, Settings};

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
    url: String,
    server: MockServer,
    /// Dropped to stop the thread at once.
    stop: Option<oneshot::Sender<Duration>>,
    thread: Option<JoinHandle<()>>,
}

/// A relay that is about to be started.
#[derive(Debug)]
#[must_use = "nothing is started yet"]
pub struct MockRelayBuilder {
    profile: Profile,
    settings: Settings,
    addr: SocketAddr,
    security: Security,
}

impl MockRelay {
    /// Starts a relay with a ledger in memory; it accepts from when this returns, or refuses, where the profile says so.
    ///
    /// # Errors
    ///
    /// When the system refuses a thread, a socket or a port.
    pub fn start(profile: Profile) -> io::Result<Self> {
        Self::builder(profile).start()
    }

    /// Starts a relay with a ledger of one's own.
    ///
    /// # Errors
    ///
    /// As [`start`](Self::start).
    pub fn start_with_ledger(profile: Profile, ledger: Ledger) -> io::Result<Self> {
        Self::builder(profile).settings(Settings { ledger, ..Settings::default() }).start()
    }

    /// A relay with a ledger in memory on a free port of the loopback interface, unless told otherwise.
    pub fn builder(profile: Profile) -> MockRelayBuilder {
        let addr = (Ipv4Addr::LOCALHOST, 0).into();
        MockRelayBuilder { profile, settings: Settings::default(), addr, security: Security::Plain }
    }

    /// Where it listens.
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// What clients take as their base URL: `http://127.0.0.1:PORT/v1`, with TLS `https://…`.
    pub fn base_url(&self) -> String {
        format!("{}/v1", self.url)
    }

    /// The record of what was planned and what happened.
    ///
    /// ```
    /// use std::io::{Read, Write};
    ///
    /// use relaybench_mock::{Ending, FaultName, FaultOutcome, MockRelay, Profile};
    ///
    /// let relay = MockRelay::start("[[fault]]\nfault = \"no-done\"".parse::<Profile>()?)?;
    /// let body = r#"{"model":"gpt-4.1","messages":[{"role":"user","content":"hi"}]}"#;
    /// let head = "POST /v1/chat/completions HTTP/1.1\r\nconnection: close\r\nauthorization: Bearer a\r\nx-client-request-id: mine";
    /// let mut connection = std::net::TcpStream::connect(relay.addr())?;
    /// write!(connection, "{head}\r\ncontent-length: {}\r\n\r\n{body}", body.len())?;
    /// connection.read_to_end(&mut Vec::new())?;
    /// drop(connection);
    /// relay.assert().attempts(1); // which waits for attempts that are about to end
    ///
    /// let entry = &relay.ledger().entries()[0];
    /// assert_eq!((entry.request_id.as_deref(), entry.status, entry.ending), (Some("mine"), Some(200), Ending::Served));
    /// // The answer was no stream, so that it had no mark of its end to lose.
    /// let fault = entry.fault.ok_or("no fault was planned")?;
    /// assert_eq!((fault.name, fault.outcome), (FaultName::NoDone, FaultOutcome::NeedsStream));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn ledger(&self) -> &Ledger {
        self.server.ledger()
    }

    /// The relay behind the socket, to hand it other connections as well.
    pub fn server(&self) -> &MockServer {
        &self.server
    }

    /// The next attempts get these outcomes, one each, in the order in which their requests are read; see
    /// [`MockServer::script`].
    pub fn script(&self, outcomes: impl IntoIterator<Item = Outcome>) {
        self.server.script(outcomes);
    }

    /// What the attempts that ended so far were, to be held against what a test expects. Those that are about to end are waited for,
    /// a second at most: a caller may have read an answer before the relay has noted that.
    pub fn assert(&self) -> Assertions {
        const STEP: Duration = Duration::from_millis(1);
        for _ in 0..1_000 {
            if self.ledger().open() == 0 {
                break;
            }
            #[expect(clippy::disallowed_methods, reason = "the relay runs in real time, on a thread of its own")]
            thread::sleep(STEP);
        }
        self.server.assert()
    }

    /// Stops in peace: accepts no more, lets what was asked be answered and streams come to their ends, and closes what is idle. What
    /// is still open after `patience` is cut off, as dropping the relay does at once.
    pub fn shutdown(mut self, patience: Duration) {
        if let Some(stop) = self.stop.take() {
            // A thread that has ended has stopped.
            let _ = stop.send(patience);
        }
        self.join();
    }

    fn join(&mut self) {
        if let Some(thread) = self.thread.take() {
            // What panicked there has been printed, and a panic in a drop would end the process.
            let _ = thread.join();
        }
    }
}

impl MockRelayBuilder {
    /// Another ledger, other limits, a token for who may control it.
    pub fn settings(self, settings: Settings) -> Self {
        Self { settings, ..self }
    }

    /// Another address to listen on; port 0 picks a free one.
    pub fn listen(self, addr: SocketAddr) -> Self {
        Self { addr, ..self }
    }

    /// HTTPS instead of HTTP.
    #[cfg(feature = "tls")]
    pub fn tls(self, tls: crate::Tls) -> Self {
        Self { security: Security::Tls(tls), ..self }
    }

    /// Starts the relay; it accepts from when this returns, or refuses, where the profile says so.
    ///
    /// # Errors
    ///
    /// When the system refuses a thread, a socket or the port.
    pub fn start(self) -> io::Result<MockRelay> {
        let (stop, stopped) = oneshot::channel();
        let (ready, readiness) = mpsc::channel();
        let thread = thread::Builder::new().name("relaybench-mock".to_owned()).spawn(move || match self.listening() {
            Err(error) => drop(ready.send(Err(error))),
            Ok((runtime, listener, server)) => {
                // A caller who is gone has dropped the sender as well, which ends the loop at once.
                drop(ready.send(Ok((listener.addr(), listener.url(), server.clone()))));
                runtime.block_on(async {
                    if let Ok(patience) = listener.accept_until(server.clone(), stopped).await {
                        tokio::select! {
                            biased;
                            () = server.drain() => {}
                            () = relaybench_clock::sleep(patience) => {}
                        }
                    }
                });
                server.stopping();
            }
        })?;
        let started = readiness.recv().unwrap_or_else(|_| Err(io::Error::other("the relay's thread ended before it listened")));
        let (addr, url, server) = started?;
        Ok(MockRelay { addr, url, server, stop: Some(stop), thread: Some(thread) })
    }

    fn listening(self) -> io::Result<(Runtime, Listener, MockServer)> {
        let runtime = Runtime::new()?;
        let server = MockServer::with_settings(self.profile, self.settings);
        let listener = {
            let _context = runtime.enter();
            Listener::bind(self.addr, self.security, &server)?
        };
        Ok((runtime, listener, server))
    }
}

impl Drop for MockRelay {
    fn drop(&mut self) {
        self.server.stopping();
        self.stop.take();
        self.join();
    }
}
