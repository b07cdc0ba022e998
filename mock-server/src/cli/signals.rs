//! What the system tells the process.

use std::io;

/// To stop: Ctrl-C, or SIGTERM.
pub(super) struct Stop(#[cfg(unix)] [tokio::signal::unix::Signal; 2]);

/// To read the profile again: SIGHUP.
pub(super) struct Reload(#[cfg(unix)] tokio::signal::unix::Signal);

#[cfg(unix)]
impl Stop {
    /// From now on the process no longer ends by itself.
    pub(super) fn installed() -> io::Result<Self> {
        use tokio::signal::unix::{SignalKind, signal};
        Ok(Self([signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?]))
    }

    /// Ready when the process is told, each time.
    pub(super) async fn told(&mut self) {
        let [interrupt, terminate] = &mut self.0;
        tokio::select! {
            biased;
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
    }
}

#[cfg(unix)]
impl Reload {
    /// From now on the process no longer ends by it.
    pub(super) fn installed() -> io::Result<Self> {
        use tokio::signal::unix::{SignalKind, signal};
        Ok(Self(signal(SignalKind::hangup())?))
    }

    /// Ready when the process is told, each time.
    pub(super) async fn told(&mut self) {
        self.0.recv().await;
    }
}

#[cfg(not(unix))]
impl Stop {
    pub(super) fn installed() -> io::Result<Self> {
        Ok(Self())
    }

    pub(super) async fn told(&mut self) {
        // Where no handler can be installed the system ends the process itself.
        if tokio::signal::ctrl_c().await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}

#[cfg(not(unix))]
impl Reload {
    pub(super) fn installed() -> io::Result<Self> {
        Ok(Self())
    }

    pub(super) async fn told(&mut self) {
        std::future::pending::<()>().await;
    }
}
