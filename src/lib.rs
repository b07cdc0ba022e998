//! Find out how an LLM relay, and your own client, behave before production tells you.
//!
//! - [`client`]: a client for OpenAI-compatible relays, with retries, timeouts and a pool that survive a bad day.
//! - [`load`]: scenarios, schedules, and the one loop that plays them.
//! - [`report`]: what came of it, as a table, JSON or CSV.
//! - [`audit`]: whether published figures can be true.
//! - [`checklist`]: whether a relay, and a policy, are ready to be moved to.
//! - [`cost`]: what a month costs, by provider.
//! - [`measuring`]: what waves and closed loops hide, shown.
//! - [`provider`]: who sells models, at which prices, within which limits; each is a mock profile too.
//! - [`target`]: the embedded mock relay, the same in virtual time, or a live one.

#[cfg(feature = "bench")]
pub mod audit;
#[cfg(feature = "bench")]
pub mod checklist;
pub mod client;
#[cfg(feature = "bench")]
pub mod cost;
#[cfg(feature = "bench")]
mod endpoint;
#[cfg(feature = "bench")]
pub mod load;
#[cfg(feature = "bench")]
pub mod measuring;
pub mod pricing;
#[cfg(feature = "bench")]
pub mod provider;
#[cfg(feature = "bench")]
pub mod report;
#[cfg(feature = "bench")]
pub mod stats;
#[cfg(feature = "bench")]
pub mod target;
#[cfg(feature = "bench")]
mod virtual_time;

pub use client::{ChatRequest, ChatResponse, ChatStream, Client, Embeddings, EmbeddingsRequest, Error, Policy};

/// The README's code, compiled with the documentation's.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
