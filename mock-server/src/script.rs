//! Outcomes as a test writes them.

use crate::profile::{FaultKind, Outcome};

impl Outcome {
    /// What the attempt would have got without any fault.
    pub const fn ok() -> Self {
        Self::Ordinary
    }

    /// This error (400 to 599), with the dialect's body.
    ///
    /// # Panics
    ///
    /// When the status is no error's.
    #[track_caller]
    pub fn status(status: u16) -> Self {
        assert!((400..=599).contains(&status), "{status} is no error's status; write one from 400 to 599");
        Self::Fault(FaultKind::Status(status))
    }

    /// A fault as profiles write it, such as `"reset"` or `"truncate=50%"`.
    ///
    /// # Panics
    ///
    /// When there is none of that name, with the name that is likely meant. Where that is not sure beforehand, a
    /// [`FaultKind`] can be parsed.
    #[track_caller]
    pub fn fault(text: &str) -> Self {
        match text.parse::<FaultKind>() {
            Ok(fault) => Self::Fault(fault),
            Err(error) => panic!("{error}"),
        }
    }
}
