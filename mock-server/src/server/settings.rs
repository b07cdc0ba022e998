//! What a server is started with, besides its profile.

use std::fmt;
use std::hint::black_box;

use super::ServerLimits;
use crate::ledger::Ledger;

/// Settings of a server.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Settings {
    /// Where attempts are recorded. Default: in memory.
    pub ledger: Ledger,
    /// What callers may do to the server. Default: [`ServerLimits::default`].
    pub limits: ServerLimits,
    /// Who may control the relay. Default: none, and whoever calls from this machine may.
    pub admin_token: Option<AdminToken>,
}

impl Default for Settings {
    fn default() -> Self {
        Self { ledger: Ledger::in_memory(), limits: ServerLimits::default(), admin_token: None }
    }
}

/// What whoever controls the relay must know. It is never printed.
#[derive(Clone, PartialEq, Eq)]
pub struct AdminToken(Box<str>);

impl AdminToken {
    /// A token of at least one character; what is around it is no part of it.
    pub fn new(token: &str) -> Option<Self> {
        Some(token.trim()).filter(|token| !token.is_empty()).map(|token| Self(token.into()))
    }

    /// Whether somebody knows it, in a time that tells nothing of how much of it they know.
    pub(crate) fn is(&self, other: &str) -> bool {
        let (ours, theirs) = (self.0.as_bytes(), other.as_bytes());
        let differences = ours.iter().zip(theirs).fold(0, |differences, (a, b)| black_box(differences | (a ^ b)));
        ours.len() == theirs.len() && differences == 0
    }
}

impl fmt::Debug for AdminToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("AdminToken(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_the_same_only_as_itself_and_is_never_printed() {
        let token = AdminToken::new(" secret\n").unwrap();
        assert!(token.is("secret"));
        assert!(["", "secre", "secret1", "Secret", " secret"].iter().all(|other| !token.is(other)));
        assert!(!format!("{token:?}").contains("secret"));
        assert_eq!(AdminToken::new(" \t"), None);
    }
}
