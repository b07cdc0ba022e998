//! What the mock relay promises, a file a promise.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod admin;
mod api;
mod capacity;
mod command;
mod content;
mod determinism;
mod distributions;
mod embedded;
#[cfg(feature = "exact-tokens")]
mod exact;
mod faults;
mod golden;
mod ledger;
mod limits;
mod listener;
mod looks;
mod phases;
mod profiles;
mod protocols;
mod queueing;
mod robustness;
mod sample_files;
mod support;
mod timing;
#[cfg(feature = "tls")]
mod tls;
