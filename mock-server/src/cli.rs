//! The command: `relaybench-mock`, and `relaybench mock`, which is the same.

use std::fs::File;
use std::future::Future;
use std::io::{self, BufWriter, Write};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use relaybench_clock::Runtime;
use thiserror::Error;

use crate::config::LoadError;
use crate::http::listen;
use crate::ledger::Ledger;
use crate::profile::Profile;
use crate::server::MockServer;

/// How often the ledger's file is brought up to date.
const FLUSH_EVERY: Duration = Duration::from_secs(1);

/// What the help ends with.
pub const EXAMPLES: &str = "Examples:
  relaybench-mock                                       # instant answers on http://127.0.0.1:8080
  relaybench-mock --profile holysheep --listen 127.0.0.1:0
  relaybench-mock --show flaky > mine.toml && relaybench-mock --profile ./mine.toml --ledger ledger.jsonl
  curl http://127.0.0.1:8080/v1/chat/completions -H 'Authorization: Bearer any' \\
    -d '{\"model\":\"gpt-4.1\",\"messages\":[{\"role\":\"user\",\"content\":\"hi\"}]}'";

/// The flags.
#[derive(Args, Clone, Debug)]
pub struct MockArgs {
    /// What the relay is like: a built-in profile, or a TOML file (with a "/" in its path, or ending in .toml)
    #[arg(long, value_name = "NAME|FILE", default_value = "instant")]
    pub profile: String,
    /// Where to listen; port 0 picks a free one
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:8080")]
    pub listen: SocketAddr,
    /// Randomness other than the profile's own
    #[arg(long, value_name = "N")]
    pub seed: Option<u64>,
    /// Write a line of JSON for each attempt to this file, which is replaced
    #[arg(long, value_name = "FILE")]
    pub ledger: Option<PathBuf>,
    /// Print the built-in profiles: a name, and what it is
    #[arg(long)]
    pub list_profiles: bool,
    /// Print a built-in profile as TOML, to be copied and changed
    #[arg(long, value_name = "NAME", conflicts_with = "list_profiles")]
    pub show: Option<String>,
}

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
    /// Anything else that the system refused.
    #[error("cannot serve")]
    System(#[from] io::Error),
}

/// Does what the flags say. A relay serves until the process is told to stop (Ctrl-C, or SIGTERM).
///
/// # Errors
///
/// When the profile, the address or the ledger's file cannot be had.
pub fn run(args: &MockArgs) -> Result<(), MockError> {
    if args.list_profiles {
        return Ok(print(&listed_profiles())?);
    }
    if let Some(name) = &args.show {
        let toml = Profile::builtin_toml(name).ok_or_else(|| LoadError::unknown("profile", name, Profile::builtin_names()))?;
        return Ok(print(toml.trim_end())?);
    }
    let profile = Profile::load(&args.profile)?;
    let profile = match args.seed {
        Some(seed) => profile.with_seed(seed),
        None => profile,
    };
    let ledger = open_ledger(args)?;
    // A caller beyond the limit would not be turned away but wait unheard. Where it cannot be raised it stays as it is.
    let _ = rlimit::increase_nofile_limit(u64::MAX);
    let runtime = Runtime::new()?;
    let served = runtime.block_on(serve(profile, args, &ledger));
    // Whoever is still being served gets an entry before the last flush.
    drop(runtime);
    served?;
    ledger.flush().map_err(|source| unwritable(args, source))
}

fn listed_profiles() -> String {
    let line = |name| format!("{name:<12}{}", Profile::builtin_summary(name).unwrap_or_default());
    Profile::builtin_names().map(line).collect::<Vec<_>>().join("\n")
}

async fn serve(profile: Profile, args: &MockArgs, ledger: &Ledger) -> Result<(), MockError> {
    let unable = |source| MockError::Listen { addr: args.listen, source };
    let listener = listen::bind(args.listen).map_err(unable)?;
    let addr = listener.local_addr().map_err(unable)?;
    let server = MockServer::with_ledger(profile, ledger.clone());
    let stop = stop_signal()?;
    print(&format!("listening on http://{addr}"))?;
    tokio::select! {
        biased;
        failure = flush_each_second(args, ledger) => return Err(unwritable(args, failure)),
        () = listen::accept_until(listener, server.clone(), stop) => {}
    }
    server.stopping();
    Ok(())
}

fn open_ledger(args: &MockArgs) -> Result<Ledger, MockError> {
    let Some(path) = &args.ledger else { return Ok(Ledger::discarding()) };
    let file = File::create(path).map_err(|source| unwritable(args, source))?;
    Ok(Ledger::to_writer(BufWriter::new(file)))
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

/// Ready when the process is told to stop. The handlers are installed by this call.
#[cfg(unix)]
fn stop_signal() -> io::Result<impl Future<Output = ()>> {
    use tokio::signal::unix::{SignalKind, signal};
    let (mut interrupt, mut terminate) = (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
    Ok(async move {
        tokio::select! {
            biased;
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
    })
}

/// Ready when the process is told to stop.
#[cfg(not(unix))]
fn stop_signal() -> io::Result<impl Future<Output = ()>> {
    Ok(async {
        // Where no handler can be installed the system ends the process itself.
        if tokio::signal::ctrl_c().await.is_err() {
            std::future::pending::<()>().await;
        }
    })
}

fn print(line: &str) -> io::Result<()> {
    let mut out = io::stdout().lock();
    writeln!(out, "{line}")?;
    out.flush()
}
