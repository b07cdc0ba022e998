//! What the mock relay promises, a file a promise.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod command;
mod determinism;
mod distributions;
mod embedded;
mod golden;
mod ledger;
mod profiles;
mod robustness;
mod sample_files;
mod support;
mod timing;
