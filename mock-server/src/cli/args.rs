//! The flags.

use std::net::{SocketAddr, ToSocketAddrs};
use std::path::PathBuf;

use clap::Args;

use crate::config::Time;
use crate::server::{AdminToken, ServerLimits};

/// What the help ends with.
pub const EXAMPLES: &str = "Examples:
  relaybench-mock                                       # instant answers on http://127.0.0.1:8080
  relaybench-mock --profile holysheep --listen 127.0.0.1:0
  relaybench-mock --show flaky > mine.toml && relaybench-mock --profile ./mine.toml --ledger ledger.jsonl
  relaybench-mock --tls --tls-ca-out ca.pem             # HTTPS and HTTP/2; clients must trust ca.pem
  curl http://127.0.0.1:8080/v1/chat/completions -H 'Authorization: Bearer any' \\
    -d '{\"model\":\"gpt-4.1\",\"messages\":[{\"role\":\"user\",\"content\":\"hi\"}]}'
  curl -X PUT http://127.0.0.1:8080/__admin/profile --data-binary @mine.toml
  curl 'http://127.0.0.1:8080/__admin/ledger?status=429&limit=10'";

/// The flags.
#[derive(Args, Clone, Debug)]
pub struct MockArgs {
    /// What the relay is like: a built-in profile, or a TOML file (with a "/" in its path, or ending in .toml). It is read again on
    /// SIGHUP
    #[arg(long, value_name = "NAME|FILE", default_value = "instant")]
    pub profile: String,
    /// Where to listen, such as 127.0.0.1:8080, localhost:8080 or `[::1]:8080`; port 0 picks a free one
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:8080", value_parser = listen)]
    pub listen: SocketAddr,
    /// Randomness other than the profile's own
    #[arg(long, value_name = "N", value_parser = seed)]
    pub seed: Option<u64>,
    /// Write a line of JSON for each attempt to this file, which is replaced
    #[arg(long, value_name = "FILE")]
    pub ledger: Option<PathBuf>,
    /// How many attempts to keep for /__admin/ledger, some 210 bytes each (at most 430); the oldest are forgotten first
    #[arg(long, value_name = "N", default_value = "100000")]
    pub ledger_keep: usize,
    /// Whoever sends this as a bearer token may control the relay, from anywhere; without it, whoever calls from this machine may
    #[arg(long, value_name = "TOKEN", value_parser = admin_token)]
    pub admin_token: Option<AdminToken>,
    /// Speak HTTPS, with a certificate for this machine that is made at the start
    #[cfg(feature = "tls")]
    #[arg(long, conflicts_with_all = ["tls_cert", "tls_key"])]
    pub tls: bool,
    /// Write the certificate that clients must trust to this file, as PEM
    #[cfg(feature = "tls")]
    #[arg(long, value_name = "FILE", requires = "tls")]
    pub tls_ca_out: Option<PathBuf>,
    /// Speak HTTPS with this certificate (a PEM file, with those that lead to its authority behind it)
    #[cfg(feature = "tls")]
    #[arg(long, value_name = "FILE", requires = "tls_key")]
    pub tls_cert: Option<PathBuf>,
    /// The key of that certificate (a PEM file)
    #[cfg(feature = "tls")]
    #[arg(long, value_name = "FILE", requires = "tls_cert")]
    pub tls_key: Option<PathBuf>,
    /// When told to stop, wait so long for what is being answered; a second Ctrl-C ends at once
    #[arg(long, value_name = "TIME", default_value = "30s", value_parser = Time::parse)]
    pub drain: Time,
    /// Serve at most so many connections at once; further ones wait until one has ended [default: the limit of open files, less 64]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub max_connections: Option<u32>,
    /// The largest head of a request, in bytes; larger ones are answered 431
    #[arg(long, value_name = "BYTES", default_value = "65536", value_parser = clap::value_parser!(u32).range(8192..))]
    pub max_head: u32,
    /// From the first byte of a head to its last; 0s: for ever
    #[arg(long, value_name = "TIME", default_value = "30s", value_parser = Time::parse)]
    pub head_timeout: Time,
    /// From there to the last byte of the body; 0s: for ever
    #[arg(long, value_name = "TIME", default_value = "2m", value_parser = Time::parse)]
    pub body_timeout: Time,
    /// How long a caller may take nothing of what is sent to it; 0s: for ever
    #[arg(long, value_name = "TIME", default_value = "5m", value_parser = Time::parse)]
    pub write_timeout: Time,
    /// Print the built-in profiles: a name, and what it is
    #[arg(long)]
    pub list_profiles: bool,
    /// Print a built-in profile as TOML, to be copied and changed
    #[arg(long, value_name = "NAME", conflicts_with = "list_profiles")]
    pub show: Option<String>,
}

impl MockArgs {
    /// The limits of the server, where so many files can be open.
    pub(super) fn limits(&self, open_files: u64) -> ServerLimits {
        /// For what is no connection: files, the runtime's own, and a margin.
        const OTHER_FILES: u64 = 64;
        let never = |time: Time| Some(time.0).filter(|time| !time.is_zero());
        let most = self.max_connections.map_or(open_files.saturating_sub(OTHER_FILES).max(1), u64::from);
        ServerLimits {
            max_connections: Some(usize::try_from(most).unwrap_or(usize::MAX)),
            head_bytes: self.max_head as usize,
            head_timeout: never(self.head_timeout),
            body_timeout: never(self.body_timeout),
            write_timeout: never(self.write_timeout),
        }
    }
}

fn listen(text: &str) -> Result<SocketAddr, String> {
    if let Ok(addr) = text.parse() {
        return Ok(addr);
    }
    let named = text.to_socket_addrs().ok().and_then(|mut addrs| addrs.next());
    named.ok_or_else(|| "this is no address with a port; write one such as 127.0.0.1:8080, [::1]:0 or localhost:8080".to_owned())
}

fn seed(text: &str) -> Result<u64, String> {
    text.parse().map_err(|_| format!("write a whole number from 0 to {}", u64::MAX))
}

fn admin_token(text: &str) -> Result<AdminToken, String> {
    AdminToken::new(text).ok_or_else(|| "an empty token would let everybody in".to_owned())
}
