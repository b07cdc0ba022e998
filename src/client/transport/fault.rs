//! What a transport's error means.

use std::error::Error as StdError;
use std::fmt;
use std::io;
use std::iter;

use crate::client::attempt::Connection;
use crate::client::error::{Error, ErrorKind, Failure};

/// Why an exchange broke.
#[derive(Debug)]
pub(crate) struct Fault {
    pub(crate) kind: ErrorKind,
    stage: Stage,
    pub(crate) source: Box<dyn StdError + Send + Sync>,
    pub(crate) connection: Option<Connection>,
}

/// Where in the exchange it broke, which tells a response that never came from one that was cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stage {
    /// While the connection was opened.
    Connect,
    /// Before the response's head.
    Head,
    /// Within the response's body.
    Body,
}

impl Fault {
    pub(crate) fn new(source: impl Into<Box<dyn StdError + Send + Sync>>, stage: Stage) -> Self {
        let source = source.into();
        Self { kind: kind_of(&*source, stage), stage, source, connection: None }
    }

    /// There is no address to send to.
    pub(crate) fn of_address(error: Error) -> Self {
        Self::new(Known::new(ErrorKind::Config, error), Stage::Connect)
    }

    pub(crate) fn on(mut self, connection: Option<Connection>) -> Self {
        self.connection = connection;
        self
    }

    /// Whether it waited for a connection that another attempt was opening, which came to nothing. hyper-util says so to all who
    /// wait; what our own connectors say is always known.
    pub(crate) fn is_abandoned(&self) -> bool {
        self.stage == Stage::Connect && !chain(&*self.source).any(<dyn StdError>::is::<Known>)
    }

    /// The connection, if it had been used before and was closed before anything of this request left.
    pub(crate) fn stale(&self) -> Option<Connection> {
        let is_canceled = |error: &(dyn StdError + 'static)| error.downcast_ref().is_some_and(hyper::Error::is_canceled);
        self.connection.filter(|connection| connection.reused && chain(&*self.source).any(is_canceled))
    }
}

impl From<Fault> for Failure {
    fn from(fault: Fault) -> Self {
        let mut failure = Self::new(fault.kind, message(fault.kind));
        failure.source = Some(fault.source);
        failure
    }
}

fn message(kind: ErrorKind) -> &'static str {
    match kind {
        ErrorKind::Dns => "the host's name was not found",
        ErrorKind::Connect => "the connection could not be opened",
        ErrorKind::OpenFiles => "no more files may be open here, so that there is no connection",
        ErrorKind::Tls => "the TLS handshake failed",
        ErrorKind::ReadTimeout => "the server answered no ping",
        ErrorKind::Reset => "the connection was reset",
        ErrorKind::Closed => "the connection was closed before a response came",
        ErrorKind::Truncated => "the response ended before it was complete",
        ErrorKind::Malformed => "the response is not HTTP",
        _ => "the exchange failed",
    }
}

/// An error that already knows its kind, wherever in a chain of sources it stands.
#[derive(Debug)]
pub(crate) struct Known {
    pub(crate) kind: ErrorKind,
    source: Box<dyn StdError + Send + Sync>,
}

impl Known {
    pub(crate) fn new(kind: ErrorKind, source: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        Self { kind, source: source.into() }
    }

    /// A connect of an attempt that is on another connection by now.
    pub(crate) fn unwanted() -> Self {
        Self::new(ErrorKind::Connect, "the request got another connection")
    }

    /// What opening a connection failed with.
    pub(crate) fn connecting(source: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        let source = source.into();
        Self { kind: kind_of(&*source, Stage::Connect), source }
    }
}

impl fmt::Display for Known {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(message(self.kind))
    }
}

impl StdError for Known {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        Some(&*self.source)
    }
}

/// The first error of the chain that tells its kind.
fn kind_of(error: &(dyn StdError + 'static), stage: Stage) -> ErrorKind {
    chain(error).find_map(|error| kind_of_one(error, stage)).unwrap_or(match stage {
        Stage::Connect => ErrorKind::Connect,
        Stage::Head => ErrorKind::Closed,
        Stage::Body => ErrorKind::Truncated,
    })
}

/// An error and all below it.
fn chain<'a>(error: &'a (dyn StdError + 'static)) -> impl Iterator<Item = &'a (dyn StdError + 'static)> {
    iter::successors(Some(error), |error| below(*error))
}

/// The source of an error. An I/O error that wraps another skips it as a source, so it is asked for what it wraps.
fn below<'a>(error: &'a (dyn StdError + 'static)) -> Option<&'a (dyn StdError + 'static)> {
    let wrapped = error.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
    wrapped.map(|wrapped| wrapped as _).or_else(|| error.source())
}

fn kind_of_one(error: &(dyn StdError + 'static), stage: Stage) -> Option<ErrorKind> {
    if let Some(known) = error.downcast_ref::<Known>() {
        return Some(known.kind);
    }
    // Once the connection is open TLS may fail as well; but then the request has left, and the stage tells what broke.
    if error.is::<rustls::Error>() && stage == Stage::Connect {
        return Some(ErrorKind::Tls);
    }
    if let Some(error) = error.downcast_ref::<hyper::Error>() {
        return match () {
            () if error.is_parse() => Some(ErrorKind::Malformed),
            // hyper times nothing here but the answers to its pings.
            () if error.is_timeout() => Some(ErrorKind::ReadTimeout),
            () => None,
        };
    }
    let error = error.downcast_ref::<io::Error>()?;
    if stage == Stage::Connect && error.raw_os_error().is_some_and(is_for_want_of_files) {
        return Some(ErrorKind::OpenFiles);
    }
    match error.kind() {
        io::ErrorKind::ConnectionReset | io::ErrorKind::ConnectionAborted | io::ErrorKind::BrokenPipe
            if stage != Stage::Connect =>
        {
            Some(ErrorKind::Reset)
        }
        // So hyper calls a chunk whose size is no number.
        io::ErrorKind::InvalidInput if stage == Stage::Body => Some(ErrorKind::Malformed),
        _ => None,
    }
}

/// `EMFILE` or `ENFILE`, and `WSAEMFILE`: std has no kind for them.
fn is_for_want_of_files(code: i32) -> bool {
    if cfg!(windows) { code == 10024 } else { matches!(code, 23 | 24) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reset_is_told_from_an_end() {
        let reset = || io::Error::from(io::ErrorKind::ConnectionReset);
        let end = || io::Error::from(io::ErrorKind::UnexpectedEof);
        for (error, stage, expected) in [
            (reset(), Stage::Connect, ErrorKind::Connect),
            (reset(), Stage::Head, ErrorKind::Reset),
            (reset(), Stage::Body, ErrorKind::Reset),
            (end(), Stage::Head, ErrorKind::Closed),
            (end(), Stage::Body, ErrorKind::Truncated),
        ] {
            assert_eq!(kind_of(&error, stage), expected, "{error:?} {stage:?}");
        }
    }

    #[test]
    #[cfg(unix)]
    fn a_connection_for_which_there_is_no_file_is_no_failure_of_the_server() {
        let full = || io::Error::from_raw_os_error(24);
        assert_eq!(kind_of(&full(), Stage::Connect), ErrorKind::OpenFiles);
        assert_eq!(kind_of(&io::Error::other(full()), Stage::Connect), ErrorKind::OpenFiles);
        assert_eq!(kind_of(&full(), Stage::Head), ErrorKind::Closed);
    }

    #[test]
    fn what_an_io_error_wraps_is_seen() {
        let wrapped = io::Error::other(rustls::Error::DecryptError);
        assert_eq!(kind_of(&wrapped, Stage::Connect), ErrorKind::Tls);
        // By then the request has left.
        assert_eq!(kind_of(&wrapped, Stage::Head), ErrorKind::Closed);
        assert_eq!(kind_of(&wrapped, Stage::Body), ErrorKind::Truncated);
        let wrapped = io::Error::other(Known::new(ErrorKind::Dns, "no such host"));
        assert_eq!(kind_of(&wrapped, Stage::Connect), ErrorKind::Dns);
    }
}
