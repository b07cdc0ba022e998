//! A mock LLM relay: what a client of an OpenAI-compatible gateway goes through, on demand and the same every time.
//!
//! - [`Profile`]: what the relay is like, read from TOML. See [`profile`] for all keys.
//! - [`MockRelay`]: a relay on a thread and a port of its own.
//! - [`MockServer`]: a relay without sockets, which serves whatever connections it is handed, also in virtual time.
//! - [`memory`]: connections in memory that can be reset.
//! - [`Ledger`]: what was planned for every attempt, and what happened.
//!
//! # In tests
//!
//! A relay can be told what the next attempts get, and asked what came. What is not as expected is shown as a table of all attempts.
//!
//! ```
//! use relaybench_mock::{MockRelay, Outcome, Profile};
//!
//! let relay = MockRelay::start(Profile::load("instant")?)?;
//! relay.script([Outcome::status(429), Outcome::fault("reset"), Outcome::ok()]);
//!
//! // Your client, with `relay.base_url()`, that tries until it is answered.
//! # use std::io::{Read, Write};
//! # let client = |url: String| -> std::io::Result<()> {
//! #     let host = url.trim_start_matches("http://").trim_end_matches("/v1").to_owned();
//! #     let body = r#"{"model":"gpt-4.1","messages":[{"role":"user","content":"hi"}]}"#;
//! #     for _ in 0..3 {
//! #         let mut connection = std::net::TcpStream::connect(&host)?;
//! #         let head = "POST /v1/chat/completions HTTP/1.1\r\nconnection: close\r\nauthorization: Bearer a\r\nx-client-request-id: 1";
//! #         write!(connection, "{head}\r\ncontent-length: {}\r\n\r\n{body}", body.len())?;
//! #         let _ = connection.read_to_end(&mut Vec::new());
//! #     }
//! #     Ok(())
//! # };
//! client(relay.base_url())?;
//!
//! relay.assert().requests(1).attempts(3).statuses([429, 200, 200]).script_done();
//!
//! // What was planned for each attempt, and what happened.
//! let entries = relay.ledger().entries();
//! assert_eq!((entries[1].attempt, entries[1].ending), (1, relaybench_mock::Ending::Broken));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! The same relay over a network in memory, in virtual time, where an hour takes milliseconds and no test depends on its machine:
//!
//! ```
//! use relaybench_mock::{MockServer, Profile};
//! use tokio::io::{AsyncReadExt, AsyncWriteExt};
//!
//! relaybench_clock::run_virtual(async {
//!     let profile = "latency.total = { dist = \"fixed\", value = \"1h\" }".parse::<Profile>()?;
//!     let server = MockServer::new(profile);
//!     let started = relaybench_clock::now();
//!
//!     let mut connection = server.connect()?;
//!     let body = r#"{"model":"gpt-4.1","messages":[{"role":"user","content":"hi"}]}"#;
//!     let head = "POST /v1/chat/completions HTTP/1.1\r\nconnection: close\r\nauthorization: Bearer a";
//!     connection.write_all(format!("{head}\r\ncontent-length: {}\r\n\r\n{body}", body.len()).as_bytes()).await?;
//!     let mut answer = String::new();
//!     connection.read_to_string(&mut answer).await?;
//!
//!     assert!(answer.starts_with("HTTP/1.1 200 OK"));
//!     assert_eq!(started.elapsed(), std::time::Duration::from_secs(3600));
//!     server.assert().attempts(1).connections(1);
//!     Ok::<(), Box<dyn std::error::Error + Send + Sync>>(())
//! })?;
//! # Ok::<(), Box<dyn std::error::Error + Send + Sync>>(())
//! ```
//!
//! # As a server
//!
//! The command `relaybench-mock` ([`cli`]) listens on a port, over HTTP or HTTPS, and speaks HTTP/1.1 and HTTP/2. A running relay is
//! controlled over HTTP:
//!
//! | route | |
//! |---|---|
//! | `GET /__admin/profile` | the profile in force, as TOML; its name is in the header `x-mock-profile` |
//! | `PUT /__admin/profile` | starts the profile in the body for whoever arrives from now on. It is text alone, and so reads no files. A wrong one, or one without any key, is answered 400 with the line that says why, and nothing changes. One that refuses all connections refuses control as well: SIGHUP brings the file back |
//! | `GET /__admin/ledger` | entries in memory, in the order in which they ended: `?model=`, `status=`, `request_id=`, `ending=`, `connection=`, `fault=`, `outcome=`, `refused_by=` (a limit, as profiles name it) and `since=` (a sequence) choose, `limit=` (100, at most 10000) and `cursor=` (the `next` of the page before) page |
//! | `POST /__admin/reset` | starts the profile in force anew, as if nobody had come yet: entries in memory, limits, queued faults and the count of equal requests are forgotten; what `/metrics` counts, and a ledger's file, go on |
//! | `GET`, `POST`, `DELETE /__admin/faults` | what the next attempts get: `{"fault": "status=429", "count": 3}` or an array of such; `"ordinary"` is no fault |
//! | `GET /metrics` | counts, as Prometheus reads them |
//! | `GET /healthz` | `ok`, to anyone |
//!
//! All but the last answer only to callers on this machine (not to pages in its browsers), unless there is an [`AdminToken`]: then to
//! whoever sends it as a bearer token, from anywhere. A proxy on this machine makes all its callers be on this machine.
//!
//! Whatever GET reads, here and under `/v1`, HEAD asks about: the same head without the body.
//!
//! Inside, [`relay`] decides in a machine without I/O, and the HTTP side plays what was decided.

mod assertions;
pub mod cli;
pub mod config;
pub mod dist;
pub mod draw;
mod embedded;
mod http;
pub mod ledger;
pub mod memory;
pub mod profile;
pub mod relay;
mod script;
mod server;
#[cfg(feature = "tls")]
mod tls;
mod tokens;
mod wire;

pub use assertions::Assertions;
pub use embedded::{MockRelay, MockRelayBuilder};
pub use ledger::{Ending, Entry, FaultOutcome, Ledger, PlannedFault, RefusedBy};
pub use profile::{FaultKind, FaultName, LimitFigures, ListenerFault, NoFault, Outcome, Place, Profile, TooMany};
pub use relay::limits::LimitName;
pub use server::{AdminToken, MockServer, ServerLimits, Settings};
#[cfg(feature = "tls")]
pub use tls::{Tls, TlsError};
