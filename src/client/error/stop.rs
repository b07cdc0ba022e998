//! Why no further attempt was made.

/// Why no further attempt was made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Stop {
    /// The policy does not retry such a failure.
    Permanent,
    /// The policy's tries are used up.
    Attempts,
    /// The wait before another try would have ended after the total timeout.
    Deadline,
    /// The server asked for a longer wait than the policy accepts.
    HintTooLong,
    /// The server said that retrying is pointless.
    ServerSaidNo,
    /// The client's retry budget is used up; see [`RetryBudget`](crate::client::RetryBudget).
    Budget,
    /// The attempt may be billed, and the policy takes no further risk of paying twice; see
    /// [`BillingRisk`](crate::client::BillingRisk).
    BillingRisk,
    /// The stream broke after its first content: the caller may have used it.
    ContentSeen,
}

impl Stop {
    /// What an error's text adds, where the failure alone would mislead.
    pub(super) fn explanation(self) -> Option<&'static str> {
        match self {
            Self::Deadline => Some("the wait before another try would pass the total timeout"),
            Self::HintTooLong => Some("the server asks for a longer wait than the policy accepts"),
            Self::ServerSaidNo => Some("the server says that retrying is pointless"),
            Self::Budget => Some("the client's retry budget is used up"),
            Self::BillingRisk => Some("it may be billed, and trying again might be billed too"),
            Self::Permanent | Self::Attempts | Self::ContentSeen => None,
        }
    }
}
