//! The names of faults.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::config::nearest;

/// The name of a fault, without what it takes: stable, also in the ledger.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
#[expect(missing_docs, reason = "FaultKind and ListenerFault say what they are")]
pub enum FaultName {
    Status,
    Html,
    Hang,
    SlowHeaders,
    Stall,
    Drip,
    Truncate,
    Reset,
    ResetMidBody,
    ShortLength,
    LongLength,
    MalformedJson,
    MalformedChunk,
    BadChunkSize,
    ErrorEvent,
    NoDone,
    NeverClose,
    Close,
    #[serde(rename = "error-in-200")]
    ErrorIn200,
    WrongModel,
    Refuse,
    SlowAccept,
    CloseIdle,
}

/// What is written behind a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Takes {
    Nothing,
    Status,
    Time,
    Rate,
    Place,
}

impl FaultName {
    /// All of them, in the order in which they are documented.
    pub const ALL: [Self; 23] = [
        Self::Status,
        Self::Html,
        Self::Hang,
        Self::SlowHeaders,
        Self::Stall,
        Self::Drip,
        Self::Truncate,
        Self::Reset,
        Self::ResetMidBody,
        Self::ShortLength,
        Self::LongLength,
        Self::MalformedJson,
        Self::MalformedChunk,
        Self::BadChunkSize,
        Self::ErrorEvent,
        Self::NoDone,
        Self::NeverClose,
        Self::Close,
        Self::ErrorIn200,
        Self::WrongModel,
        Self::Refuse,
        Self::SlowAccept,
        Self::CloseIdle,
    ];

    /// Whether it befalls connections, before anything is asked over them: an entry of it is no attempt.
    pub fn befalls_connections(self) -> bool {
        matches!(self, Self::Refuse | Self::SlowAccept | Self::CloseIdle)
    }

    /// As it is written.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Status => "status",
            Self::Html => "html",
            Self::Hang => "hang",
            Self::SlowHeaders => "slow-headers",
            Self::Stall => "stall",
            Self::Drip => "drip",
            Self::Truncate => "truncate",
            Self::Reset => "reset",
            Self::ResetMidBody => "reset-mid-body",
            Self::ShortLength => "short-length",
            Self::LongLength => "long-length",
            Self::MalformedJson => "malformed-json",
            Self::MalformedChunk => "malformed-chunk",
            Self::BadChunkSize => "bad-chunk-size",
            Self::ErrorEvent => "error-event",
            Self::NoDone => "no-done",
            Self::NeverClose => "never-close",
            Self::Close => "close",
            Self::ErrorIn200 => "error-in-200",
            Self::WrongModel => "wrong-model",
            Self::Refuse => "refuse",
            Self::SlowAccept => "slow-accept",
            Self::CloseIdle => "close-idle",
        }
    }

    pub(super) fn find(word: &str) -> Result<Self, NoFault> {
        let names = Self::ALL.iter().map(|name| name.as_str());
        let found = Self::ALL.into_iter().find(|name| name.as_str() == word);
        found.ok_or_else(|| NoFault(format!("\"{word}\" is no fault, {}", nearest(word, names))))
    }

    pub(super) fn takes(self) -> Takes {
        match self {
            Self::Status | Self::Html => Takes::Status,
            Self::SlowHeaders | Self::SlowAccept | Self::CloseIdle => Takes::Time,
            Self::Drip => Takes::Rate,
            Self::Stall | Self::Truncate | Self::ResetMidBody => Takes::Place,
            _ => Takes::Nothing,
        }
    }

    /// One that is right.
    pub(super) fn example(self) -> String {
        match (self, self.takes()) {
            (_, Takes::Nothing) => self.to_string(),
            (Self::Html, _) => "html=502".to_owned(),
            (_, Takes::Status) => format!("{self}=503"),
            (Self::CloseIdle, _) => "close-idle=5s".to_owned(),
            (Self::SlowAccept, _) => "slow-accept=1s".to_owned(),
            (_, Takes::Time) => format!("{self}=2s"),
            (_, Takes::Rate) => format!("{self}=100"),
            (_, Takes::Place) => format!("{self}=50%"),
        }
    }
}

impl fmt::Display for FaultName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Why a text is no fault, and what would be right: one sentence.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NoFault(String);

impl NoFault {
    pub(super) fn takes(text: &str, name: FaultName) -> Self {
        let takes = match name.takes() {
            Takes::Nothing => "nothing",
            Takes::Status if name == FaultName::Html => "an error's status, 400 to 599",
            Takes::Status => {
                "an error's status, 400 to 599, and behind a 429 its reason (:quota, :requests, :tokens, :slow-down)"
            }
            Takes::Time => "a duration above 0, of a century at most",
            Takes::Rate => "bytes a second, from 1",
            Takes::Place => "nothing, or a place in the body (bytes \"120b\", chunks \"3c\", up to \"99%\")",
        };
        Self(format!("\"{text}\" is not how it is written; {name} takes {takes}: \"{}\"", name.example()))
    }

    pub(super) fn of_listener(text: &str) -> Self {
        Self(format!(
            "\"{text}\" befalls connections, before there is an attempt; write it in a profile's [[fault]] or [[phase]]"
        ))
    }
}

impl fmt::Display for NoFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for NoFault {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_the_same_in_json() {
        for name in FaultName::ALL {
            assert_eq!(serde_json::to_string(&name).unwrap(), format!("\"{name}\""));
        }
    }
}
