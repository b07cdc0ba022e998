//! How many connections, and for how long.

use std::time::Duration;

use serde::Serialize;

use super::{seconds, seconds_or_null};

/// How many connections the client may hold, and for how long. Over `hyper` the caps are exact, on live connections; over
/// `network` they bound the attempts in flight.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Pool {
    /// In all. `None`: no cap.
    pub max_connections: Option<usize>,
    /// For one host. A client talks to one host, so that the smaller of the two caps rules. `None`: no cap.
    pub max_per_host: Option<usize>,
    /// How long an idle connection is kept. `None`: until the server closes it. Keep it below the server's own limit, or
    /// requests are sent into connections that are just being closed.
    #[serde(rename = "idle_timeout_s", serialize_with = "seconds_or_null")]
    pub idle_timeout: Option<Duration>,
    /// How long a looked-up name is trusted; zero asks each time.
    #[serde(rename = "dns_ttl_s", serialize_with = "seconds")]
    pub dns_ttl: Duration,
}

impl Pool {
    /// The cap that rules: the smaller one, since a client has one host.
    pub(crate) fn cap(&self) -> Option<usize> {
        match (self.max_connections, self.max_per_host) {
            (Some(all), Some(host)) => Some(all.min(host)),
            (all, host) => all.or(host),
        }
    }
}

impl Default for Pool {
    /// No caps; idle connections are kept for 90 s and names for 60 s.
    fn default() -> Self {
        Self {
            max_connections: None,
            max_per_host: None,
            idle_timeout: Some(Duration::from_secs(90)),
            dns_ttl: Duration::from_secs(60),
        }
    }
}
