//! What all parts of an answer have in common, in every dialect.

use std::sync::Arc;
use std::time::Duration;

use super::identity::Identity;
use crate::relay::Finish;

/// An answer, but for what it says.
#[derive(Clone, Debug)]
pub(crate) struct Answer {
    pub(crate) identity: Identity,
    /// When it was begun, since 1970.
    pub(crate) created: Duration,
    /// As the profile spells it.
    pub(crate) model: Arc<str>,
    pub(crate) usage: Usage,
    pub(crate) finish: Finish,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Usage {
    pub(crate) prompt_tokens: u32,
    /// Of all choices together.
    pub(crate) completion_tokens: u32,
}
