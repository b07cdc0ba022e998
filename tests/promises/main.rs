//! The resilience regression: a file a promise, a test a sentence of it.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod agreement;
mod books;
mod bursts;
mod checklist;
mod client_answers;
mod client_batch;
mod client_budgets;
mod client_cancellation;
mod client_clocks;
mod client_deadline;
mod client_failures;
mod client_http2;
mod client_pool;
mod client_pool_sockets;
mod client_requests;
mod client_retry;
mod client_sockets;
mod client_stream;
mod client_timeouts;
mod client_traces;
mod command;
mod determinism;
mod live;
mod load_cap;
mod load_command;
mod load_omission;
mod load_requests;
mod load_sessions;
mod load_shapes;
mod load_sockets;
mod load_theory;
mod load_traces;
mod outputs;
mod outputs_exports;
mod support;
mod tutorial;
mod verdict_ledger;
mod verdict_reasons;
mod verdict_rebuild;
mod verdict_slo;
