//! How many connections, for how long, and which protocol they speak.

use std::time::Duration;

use serde::Serialize;

use super::http2::{Http2, Protocol};
use super::{seconds, seconds_or_null};

/// How many connections the client may hold, for how long, and what they speak. In JSON in seconds.
///
/// Over `hyper` the caps are exact, on live connections; over `network` they bound the attempts in flight. Those who find no
/// place wait in the order in which they came; [`Client::pool`](crate::Client::pool) tells how long.
///
/// What keeping connections gains: a closed loop whose answers take R and whose connections take C to open does (R + C) / R times
/// the work when it keeps them. At C = 50 ms, a TCP and TLS handshake over 25 ms of distance, that is 12 % at R = 423 ms, and the
/// 40 % that is often claimed needs answers within 125 ms.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Pool {
    /// In all. `None`: no cap. Choose it from what the server allows, and below the open files that the process may have; an
    /// endpoint that answers λ requests a second after R each keeps λ · R connections busy (Little's law).
    pub max_connections: Option<usize>,
    /// For one host. A client talks to one host, so that the smaller of the two caps rules. `None`: no cap.
    pub max_per_host: Option<usize>,
    /// How long an idle connection is kept; zero uses none twice. `None`: until the server closes it. Keep it below the server's
    /// own limit, or requests are sent into connections that are just being closed: common servers close after 5 s (Node.js,
    /// uvicorn), 60 s (AWS's balancers) or 75 s (nginx).
    #[serde(rename = "idle_timeout_s", serialize_with = "seconds_or_null")]
    pub idle_timeout: Option<Duration>,
    /// The age from which on a connection is given no further request. `None`: no limit. What it carries then is finished. It lets
    /// a client see that names point elsewhere and that balancers have new servers behind them; minutes do, and each costs one
    /// handshake. Over `hyper` each connection has an age of its own, counted from when it was open (one of HTTP/2 whose first
    /// answer comes later than that is shared until then). Over `network` all connections are replaced together, so long after
    /// the first request over them was begun: none is older.
    #[serde(rename = "max_age_s", serialize_with = "seconds_or_null")]
    pub max_age: Option<Duration>,
    /// How long a looked-up name is trusted; zero asks each time.
    #[serde(rename = "dns_ttl_s", serialize_with = "seconds")]
    pub dns_ttl: Duration,
    /// The silence after which TCP itself asks whether the other side is there, and the gap between its three questions: a peer
    /// that vanished is noticed after four times as long, and network devices that forget silent connections (after 350 s on
    /// AWS, 240 s on Azure) keep those that wait for a long answer. `None`: never. Whole seconds.
    #[serde(rename = "tcp_keepalive_s", serialize_with = "seconds_or_null")]
    pub tcp_keepalive: Option<Duration>,
    /// Which protocol connections speak.
    pub protocol: Protocol,
    /// What holds for connections that speak HTTP/2.
    pub http2: Http2,
}

impl Pool {
    /// The cap that rules: the smaller one, since a client has one host.
    pub(crate) fn cap(&self) -> Option<usize> {
        match (self.max_connections, self.max_per_host) {
            (Some(all), Some(host)) => Some(all.min(host)),
            (all, host) => all.or(host),
        }
    }

    /// Whether a connection is used for more than one request.
    pub(crate) fn keeps_connections(&self) -> bool {
        self.idle_timeout.is_none_or(|timeout| !timeout.is_zero())
    }
}

impl Default for Pool {
    /// HTTP/1.1, no caps and no age; idle connections are kept for 90 s, names for 60 s, and TCP asks after 15 s.
    fn default() -> Self {
        Self {
            max_connections: None,
            max_per_host: None,
            idle_timeout: Some(Duration::from_secs(90)),
            max_age: None,
            dns_ttl: Duration::from_secs(60),
            tcp_keepalive: Some(Duration::from_secs(15)),
            protocol: Protocol::default(),
            http2: Http2::default(),
        }
    }
}
