//! What came of an audit.

use std::fmt;

use serde::Serialize;

use super::rule::Rule;

/// Whether a claim agrees with arithmetic and with the claims beside it, in ascending order of what it means.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// It can be so: the true figure, rounded or truncated, may be the printed one.
    Consistent,
    /// What it would be checked against is not told.
    CannotTell,
    /// It may be so, but stands on too little.
    Weak,
    /// It cannot be so.
    Inconsistent,
}

/// What one rule says of the claims that it looks at.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// Which rule.
    pub rule: Rule,
    /// The worst of the lines.
    pub verdict: Verdict,
    /// A line for each claim.
    pub lines: Vec<Line>,
}

/// One claim, with the calculation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Line {
    /// What it is about, such as `50 in flight`.
    pub about: String,
    /// What came of it.
    pub verdict: Verdict,
    /// The calculation in one line.
    pub why: String,
}

impl Finding {
    /// None where nothing was claimed.
    pub(super) fn of(rule: Rule, lines: impl IntoIterator<Item = Line>) -> Option<Self> {
        let lines: Vec<Line> = lines.into_iter().collect();
        let verdict = lines.iter().map(|line| line.verdict).max()?;
        Some(Self { rule, verdict, lines })
    }
}

impl Line {
    pub(super) fn new(about: impl Into<String>, verdict: Verdict, why: impl Into<String>) -> Self {
        Self { about: about.into(), verdict, why: why.into() }
    }

    pub(super) fn cannot_tell(about: impl Into<String>, why: impl Into<String>) -> Self {
        Self::new(about, Verdict::CannotTell, why)
    }

    /// Inconsistent where the condition says so, else consistent.
    pub(super) fn inconsistent_if(is_so: bool, about: impl Into<String>, why: impl Into<String>) -> Self {
        Self::new(about, if is_so { Verdict::Inconsistent } else { Verdict::Consistent }, why)
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Consistent => "consistent",
            Self::CannotTell => "cannot tell",
            Self::Weak => "weak",
            Self::Inconsistent => "INCONSISTENT",
        })
    }
}
