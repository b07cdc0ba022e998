//! The resilience regression: a file a promise, a test a sentence of it.
