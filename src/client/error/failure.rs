//! How one attempt failed.

use std::borrow::Cow;
use std::time::Duration;

use super::{ErrorKind, Limit, Source};

/// How one attempt failed.
#[derive(Debug)]
pub(crate) struct Failure {
    pub(crate) kind: ErrorKind,
    pub(crate) message: Cow<'static, str>,
    pub(crate) status: Option<u16>,
    pub(crate) body: Option<String>,
    pub(crate) source: Option<Source>,
    /// Some of an answer came with it, which may be billed.
    pub(crate) has_content: bool,
    /// The status that the error's code stands for, where it was told in a response of status 200.
    pub(crate) in_band_status: Option<u16>,
    /// Which limit the server says was reached.
    pub(crate) limit: Option<Limit>,
    /// The wait the server asked for.
    pub(crate) hint: Option<Duration>,
    /// Whether no header named it, and only the error's message did.
    pub(crate) is_hint_in_words: bool,
    /// What `x-should-retry` said.
    pub(crate) should_retry: Option<bool>,
    /// What the policy would have waited, had there been another try.
    pub(crate) backoff: Duration,
}

impl Failure {
    pub(crate) fn new(kind: ErrorKind, message: impl Into<Cow<'static, str>>) -> Self {
        Self {
            kind,
            message: message.into(),
            status: None,
            body: None,
            source: None,
            has_content: false,
            in_band_status: None,
            limit: None,
            hint: None,
            is_hint_in_words: false,
            should_retry: None,
            backoff: Duration::ZERO,
        }
    }

    /// Whether a later try of the same request may succeed, whoever decides on it.
    pub(crate) fn may_pass(&self) -> bool {
        if self.limit.is_some_and(|limit| !limit.may_pass()) {
            return false;
        }
        self.should_retry.unwrap_or(match self.kind {
            ErrorKind::Config | ErrorKind::UnknownModel | ErrorKind::ModelMismatch => false,
            ErrorKind::InsufficientQuota | ErrorKind::TooLarge => false,
            ErrorKind::Status(status) => is_passing(status) || self.limit.is_some(),
            _ => true,
        })
    }
}

/// Whether a status tells of a state of the server's that passes, and not of a fault in the request.
pub(crate) fn is_passing(status: u16) -> bool {
    /// Groq's "capacity exceeded".
    const CAPACITY_EXCEEDED: u16 = 498;
    matches!(status, 408 | 409 | 425 | 429 | CAPACITY_EXCEEDED | 500..=599)
}
