//! What goes over the wire: one file a dialect.

pub(crate) mod content;
pub(crate) mod openai;
