//! The command: `relaybench-mock`, and `relaybench mock`, which is the same.

mod args;
mod signals;

pub use self::args::{EXAMPLES, MockArgs};

use std::convert::Infallible;
use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use relaybench_clock::Runtime;
use thiserror::Error;

use self::signals::{Reload, Stop};
use crate::config::LoadError;
use crate::http::listen::{Listener, Security};
use crate::ledger::Ledger;
use crate::profile::Profile;
use crate::server::{MockServer, Settings};

/// How often the ledger's file is brought up to date.
const FLUSH_EVERY: Duration = Duration::from_secs(1);

/// Why the command could not do what it was told.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum MockError {
    /// The profile.
    #[error(transparent)]
    Profile(#[from] LoadError),
    /// The address.
    #[error("cannot listen on {addr}")]
    Listen {
        /// Where it should have listened.
        addr: SocketAddr,
        /// Why it cannot.
        source: io::Error,
    },
    /// The ledger's file.
    #[error("cannot write the ledger {}", path.display())]
    Ledger {
        /// The file.
        path: PathBuf,
        /// Why it cannot be written.
        source: io::Error,
    },
    /// The certificate or its key.
    #[cfg(feature = "tls")]
    #[error(transparent)]
    Tls(#[from] crate::TlsError),
    /// The file for the certificate that clients must trust.
    #[cfg(feature = "tls")]
    #[error("cannot write the certificate {}", path.display())]
    Certificate {
        /// The file.
        path: PathBuf,
        /// Why it cannot be written.
        source: io::Error,
    },
    /// Anything else that the system refused.
    #[error("cannot serve")]
    System(#[from] io::Error),
}

/// Does what the flags say. A relay serves until the process is told to stop (Ctrl-C, or SIGTERM).
///
/// # Errors
///
/// When the profile, the address, the certificate or the ledger's file cannot be had.
pub fn run(args: &MockArgs) -> Result<(), MockError> {
    if args.list_profiles {
        return Ok(print(&listed_profiles())?);
    }
    if let Some(name) = &args.show {
        let toml = Profile::builtin_toml(name).ok_or_else(|| LoadError::unknown("profile", name, Profile::builtin_names()))?;
        return Ok(print(toml.trim_end())?);
    }
    let profile = profile(args)?;
    // A caller beyond the limit would not be turned away but wait unheard. Where it cannot be raised it stays as it is.
    let open_files = rlimit::increase_nofile_limit(u64::MAX).unwrap_or(u64::MAX);
    let ledger = open_ledger(args)?;
    let settings = Settings { ledger: ledger.clone(), limits: args.limits(open_files), admin_token: args.admin_token.clone() };
    let runtime = Runtime::new()?;
    let served = runtime.block_on(serve(profile, settings, args));
    // Whoever is still being served gets an entry before the last flush.
    drop(runtime);
    served?;
    ledger.flush().map_err(|source| unwritable(args, source))
}

fn listed_profiles() -> String {
    let line = |name| format!("{name:<14}{}", Profile::builtin_summary(name).unwrap_or_default());
    Profile::builtin_names().map(line).collect::<Vec<_>>().join("\n")
}

fn profile(args: &MockArgs) -> Result<Profile, LoadError> {
    Profile::load(&args.profile).map(|profile| seeded(profile, args))
}

fn seeded(profile: Profile, args: &MockArgs) -> Profile {
    match args.seed {
        Some(seed) => profile.with_seed(seed),
        None => profile,
    }
}

async fn serve(profile: Profile, settings: Settings, args: &MockArgs) -> Result<(), MockError> {
    let unable = |source| MockError::Listen { addr: args.listen, source };
    let security = security(args)?;
    let server = MockServer::with_settings(profile, settings);
    let listener = Listener::bind(args.listen, security, &server).map_err(unable)?;
    let (mut stop, reload) = (Stop::installed()?, Reload::installed()?);
    print(&format!("listening on {}{}", listener.url(), authority(&listener, args)?))?;
    let mut unwritten = std::pin::pin!(flush_each_second(args, server.ledger()));
    tokio::select! {
        biased;
        failure = &mut unwritten => return Err(unwritable(args, failure)),
        never = reload_when_told(reload, &server, args) => match never {},
        () = listener.accept_until(server.clone(), stop.told()) => {}
    }
    tokio::select! {
        biased;
        failure = unwritten => return Err(unwritable(args, failure)),
        () = stop.told() => {}
        () = server.drain() => {}
        () = relaybench_clock::sleep(args.drain.0) => {}
    }
    server.stopping();
    Ok(())
}

#[cfg(feature = "tls")]
fn security(args: &MockArgs) -> Result<Security, MockError> {
    Ok(match (&args.tls_cert, &args.tls_key) {
        (Some(certificate), Some(key)) => Security::Tls(crate::Tls::from_files(certificate, key)?),
        _ if args.tls => Security::Tls(crate::Tls::self_signed(Some(args.listen.ip()))?),
        _ => Security::Plain,
    })
}

#[cfg(not(feature = "tls"))]
fn security(_args: &MockArgs) -> Result<Security, MockError> {
    Ok(Security::Plain)
}

/// Whom clients must trust, where that was made for the occasion.
#[cfg(feature = "tls")]
fn authority(listener: &Listener, args: &MockArgs) -> Result<String, MockError> {
    let Some(pem) = listener.authority_pem() else { return Ok(String::new()) };
    let Some(path) = &args.tls_ca_out else { return Ok(format!("\nclients must trust\n{}", pem.trim_end())) };
    match std::fs::write(path, pem) {
        Ok(()) => Ok(format!("\nclients must trust {}", path.display())),
        Err(source) => Err(MockError::Certificate { path: path.clone(), source }),
    }
}

#[cfg(not(feature = "tls"))]
fn authority(_listener: &Listener, _args: &MockArgs) -> Result<String, MockError> {
    Ok(String::new())
}

async fn reload_when_told(mut reload: Reload, server: &MockServer, args: &MockArgs) -> Infallible {
    loop {
        reload.told().await;
        // A relay goes on when nobody reads what it says.
        let _ = match Profile::load(&args.profile) {
            Ok(profile) if profile.says_nothing() => {
                warn(&format!("relaybench-mock: the profile stays as it was: {} says nothing", args.profile))
            }
            Ok(profile) => {
                let name = profile.name().to_owned();
                server.swap_profile(seeded(profile, args));
                print(&format!("the profile {name} begins"))
            }
            Err(error) => warn(&format!("relaybench-mock: the profile stays as it was: {}", chain(&error))),
        };
    }
}

fn open_ledger(args: &MockArgs) -> Result<Ledger, MockError> {
    let ledger = Ledger::keeping(args.ledger_keep);
    let Some(path) = &args.ledger else { return Ok(ledger) };
    let file = File::create(path).map_err(|source| unwritable(args, source))?;
    Ok(ledger.with_writer(BufWriter::new(file)))
}

fn unwritable(args: &MockArgs, source: io::Error) -> MockError {
    MockError::Ledger { path: args.ledger.clone().unwrap_or_default(), source }
}

/// Ends when the ledger cannot be written.
async fn flush_each_second(args: &MockArgs, ledger: &Ledger) -> io::Error {
    if args.ledger.is_none() {
        // An idle mock has nothing to wake up for.
        return std::future::pending().await;
    }
    loop {
        relaybench_clock::sleep(FLUSH_EVERY).await;
        if let Err(error) = ledger.flush() {
            return error;
        }
    }
}

/// The error with all that caused it, in one line.
pub fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text = format!("{text}: {error}");
        cause = error.source();
    }
    text
}

fn print(line: &str) -> io::Result<()> {
    let mut out = io::stdout().lock();
    writeln!(out, "{line}")?;
    out.flush()
}

fn warn(line: &str) -> io::Result<()> {
    writeln!(io::stderr().lock(), "{line}")
}
