//! The resilience regression: a file a promise, a test a sentence of it.

mod client_retry;
mod support;
