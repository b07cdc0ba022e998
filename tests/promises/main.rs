//! The resilience regression: a file a promise, a test a sentence of it.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod agreement;
mod books;
mod bursts;
mod checklist;
mod client_answers;
mod client_attempt_time;
mod client_batch;
mod client_budgets;
mod client_cancellation;
mod client_clocks;
mod client_connections;
mod client_deadline;
mod client_dialects;
mod client_failures;
mod client_http2;
mod client_limits;
mod client_lookups;
mod client_pool;
mod client_pool_sockets;
mod client_requests;
mod client_retries_in_flight;
mod client_retry;
mod client_sockets;
mod client_stale;
mod client_stream;
mod client_stream_budget;
mod client_stream_types;
mod client_timeouts;
mod client_traces;
mod client_waits;
mod command;
mod determinism;
mod faults;
mod live;
mod support;
mod tutorial;
