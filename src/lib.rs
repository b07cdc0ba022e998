//! Find out how an LLM relay, and your own client, behave before production tells you.

pub mod client;

pub use client::{ChatRequest, ChatResponse, ChatStream, Client, Error, Policy};
