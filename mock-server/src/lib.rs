//! A mock LLM relay: what a client of an OpenAI-compatible gateway goes through, on demand and the same every time.
//!
//! - [`Profile`]: what the relay is like, read from TOML. See [`profile`] for all keys.
//! - [`MockRelay`]: a relay on a thread and a port of its own.
//! - [`MockServer`]: a relay without sockets, which serves whatever connections it is handed, also in virtual time.
//! - [`memory`]: connections in memory that can be reset.
//! - [`Ledger`]: what was planned for every attempt, and what happened.
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
pub use ledger::{Ending, Entry, FaultOutcome, Ledger, PlannedFault};
pub use profile::{FaultKind, FaultName, ListenerFault, NoFault, Outcome, Place, Profile};
pub use server::{AdminToken, MockServer, ServerLimits, Settings};
#[cfg(feature = "tls")]
pub use tls::{Tls, TlsError};
