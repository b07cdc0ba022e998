//! Whether published claims agree with arithmetic, and with each other.
//!
//! A printed figure is consistent when the true one, rounded or truncated to its own digits, gives it. Every rule is a pure function of
//! the claims, and none calls a table inconsistent that some system could have given; what merely would be a great accident is not called
//! so either, except where the chance is below one in a million.
//!
//! ```
//! use relaybench::audit::{Claims, Rule, Verdict, audit};
//!
//! let claims = Claims::parse(
//!     r#"
//!     name = "a table"
//!     [load]
//!     method = "closed"
//!     [[load.row]]
//!     concurrency = 50
//!     mean_ms = 423
//!     throughput_rps = 890
//!     success_percent = 99.8
//!     "#,
//!     "table.toml",
//! )?;
//! let audit = audit(&claims);
//! assert_eq!(audit.verdict(Rule::LittlesLaw), Some(Verdict::Inconsistent));
//! assert_eq!(audit.findings[0].lines[0].why, "890 req/s need 376 in flight; 50 / 0.423 s = 118 req/s at most");
//! # Ok::<(), relaybench_mock::config::ConfigError>(())
//! ```

mod claims;
mod connections;
mod figure;
mod finding;
mod headline;
mod limits;
mod little;
mod order;
mod others;
mod prices;
mod rule;
mod samples;
mod savings;
mod spread;
mod success;
mod table;
mod waves;

use serde::Serialize;

pub use claims::{
    AvailabilityOf, Claims, Headline, LoadClaims, Method, PriceClaim, Protocol, ProviderClaim, Row, SavingClaim, SuccessClaim,
    ThroughputCounts, ThroughputOver,
};
pub use figure::Figure;
pub use finding::{Finding, Line, Verdict};
pub use rule::Rule;
pub use table::table;

/// What came of an audit.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Audit {
    /// [`Audit::SCHEMA`].
    pub schema: &'static str,
    /// What the claims are called.
    pub name: String,
    /// Who published them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub source: Option<String>,
    /// The worst of the findings'; none where nothing is claimed.
    pub verdict: Option<Verdict>,
    /// One for each rule that found a claim to look at.
    pub findings: Vec<Finding>,
}

/// Holds the claims to every rule.
pub fn audit(claims: &Claims) -> Audit {
    let findings: Vec<Finding> = Rule::ALL.iter().filter_map(|rule| rule.check(claims)).collect();
    let verdict = findings.iter().map(|finding| finding.verdict).max();
    Audit { schema: Audit::SCHEMA, name: claims.name.clone(), source: claims.source.clone(), verdict, findings }
}

impl Audit {
    /// The schema of the JSON.
    pub const SCHEMA: &str = "relaybench.audit/1";

    /// What a rule says; none where it found nothing to look at.
    pub fn verdict(&self, rule: Rule) -> Option<Verdict> {
        self.findings.iter().find(|finding| finding.rule == rule).map(|finding| finding.verdict)
    }

    /// The findings with this verdict.
    pub fn with(&self, verdict: Verdict) -> impl Iterator<Item = &Finding> {
        self.findings.iter().filter(move |finding| finding.verdict == verdict)
    }

    /// As JSON, with a newline at its end.
    pub fn to_json(&self) -> String {
        let mut json = serde_json::to_string_pretty(self).expect("an audit has only string keys");
        json.push('\n');
        json
    }
}
