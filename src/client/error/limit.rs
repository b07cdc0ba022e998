//! Which limit a server says was reached.

use std::fmt;

/// Which limit a server says was reached, in whichever words: most servers say 429 to all of them, but they do not pass alike.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Limit {
    /// Requests in a span of time.
    Requests,
    /// Tokens in a span of time.
    Tokens,
    /// The quota or the credit: used up until somebody pays, or until another day.
    Quota,
    /// The request alone is more than the limit allows: it never passes.
    TooLarge,
    /// None of the caller's: the server has more to do than it can.
    Overload,
    /// Requests at once.
    Concurrency,
    /// The server does not say which.
    Unknown,
}

impl Limit {
    /// Its name in reports. Stable.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Requests => "requests",
            Self::Tokens => "tokens",
            Self::Quota => "quota",
            Self::TooLarge => "too-large",
            Self::Overload => "overload",
            Self::Concurrency => "concurrency",
            Self::Unknown => "unknown",
        }
    }

    /// Whether waiting helps.
    pub(crate) fn may_pass(self) -> bool {
        !matches!(self, Self::Quota | Self::TooLarge)
    }
}

impl fmt::Display for Limit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
