//! What a test expects of a relay, with failures that show what came instead.

use std::collections::BTreeSet;
use std::fmt::{self, Debug, Display, Write};

use crate::ledger::{Ending, Entry, FaultOutcome, PlannedFault};
use crate::profile::FaultName;
use crate::relay::limits::LimitName;
use crate::server::MockServer;

/// What a relay went through, to be held against what a test expects. Each expectation that is not met panics with what was
/// expected and a table of all attempts. Made by [`MockRelay::assert`](crate::MockRelay::assert) and [`MockServer::assert`].
#[derive(Debug)]
#[must_use = "nothing is expected yet"]
pub struct Assertions {
    /// In the order of arrival; connections that were refused, or left before they were accepted, are none.
    attempts: Vec<Entry>,
    connections: u64,
    queued: u64,
}

impl Assertions {
    pub(crate) fn new(server: &MockServer) -> Self {
        let mut attempts = server.ledger().entries();
        attempts.retain(|entry| !entry.fault.is_some_and(|fault| fault.name.befalls_connections()));
        Self { attempts, connections: server.ledger().connections_opened(), queued: server.queued() }
    }

    /// So many attempts came and ended.
    #[track_caller]
    pub fn attempts(&self, expected: usize) -> &Self {
        self.same("attempts", &expected, &self.attempts.len())
    }

    /// They were these many requests, told apart by `x-client-request-id`; those without are each one of their own.
    #[track_caller]
    pub fn requests(&self, expected: usize) -> &Self {
        let named: BTreeSet<_> = self.attempts.iter().filter_map(|entry| entry.request_id.as_deref()).collect();
        let nameless = self.attempts.iter().filter(|entry| entry.request_id.is_none()).count();
        self.same("requests", &expected, &(named.len() + nameless))
    }

    /// Attempts came over so many connections, refused ones and those over which nothing was asked included.
    #[track_caller]
    pub fn connections(&self, expected: u64) -> &Self {
        self.same("connections", &expected, &self.connections)
    }

    /// These statuses were planned, in the order of arrival; 0 stands for none, as with a hang.
    #[track_caller]
    pub fn statuses(&self, expected: impl IntoIterator<Item = u16>) -> &Self {
        self.each("statuses", expected, |entry| entry.status.unwrap_or(0))
    }

    /// These models were asked, in the order of arrival; an empty name stands for one that does not exist.
    #[track_caller]
    pub fn models<'a>(&'a self, expected: impl IntoIterator<Item = &'a str>) -> &'a Self {
        self.each("models", expected, |entry| entry.model.as_deref().unwrap_or_default())
    }

    /// They ended like this, in the order of arrival.
    #[track_caller]
    pub fn endings(&self, expected: impl IntoIterator<Item = Ending>) -> &Self {
        self.each("endings", expected, |entry| entry.ending)
    }

    /// These faults were played, in the order of arrival of those that they befell.
    #[track_caller]
    pub fn faults(&self, expected: impl IntoIterator<Item = FaultName>) -> &Self {
        let seen = self.planned().filter(|fault| fault.outcome == FaultOutcome::Played).map(|fault| fault.name).collect();
        self.same("faults", &expected.into_iter().collect::<Vec<_>>(), &seen)
    }

    /// These faults were planned and not played, for these reasons, in the order of arrival of those that they were to befall.
    #[track_caller]
    pub fn faults_not_played(&self, expected: impl IntoIterator<Item = (FaultName, FaultOutcome)>) -> &Self {
        let not_played = self.planned().filter(|fault| fault.outcome != FaultOutcome::Played);
        let seen = not_played.map(|fault| (fault.name, fault.outcome)).collect();
        self.same("faults not played", &expected.into_iter().collect::<Vec<_>>(), &seen)
    }

    fn planned(&self) -> impl Iterator<Item = PlannedFault> {
        self.attempts.iter().filter_map(|entry| entry.fault)
    }

    /// These limits of their callers' own refused them, in the order of arrival of those that were refused so.
    #[track_caller]
    pub fn refused_by(&self, expected: impl IntoIterator<Item = LimitName>) -> &Self {
        let seen: Vec<_> = self.attempts.iter().filter_map(|entry| entry.refused_by.as_deref()).map(|by| by.limit).collect();
        self.same("refused by", &expected.into_iter().collect(), &seen)
    }

    /// All outcomes that were scripted or queued were given.
    #[track_caller]
    pub fn script_done(&self) -> &Self {
        self.same("outcomes left in the script", &0, &self.queued)
    }

    #[track_caller]
    fn each<'a, T: Debug + PartialEq>(
        &'a self,
        what: &str,
        expected: impl IntoIterator<Item = T>,
        seen: impl Fn(&'a Entry) -> T,
    ) -> &'a Self {
        self.same(what, &expected.into_iter().collect::<Vec<_>>(), &self.attempts.iter().map(seen).collect())
    }

    #[track_caller]
    fn same<T: Debug + PartialEq>(&self, what: &str, expected: &T, seen: &T) -> &Self {
        assert!(expected == seen, "{what}: {expected:?} expected, {seen:?} seen\n{}", Table(&self.attempts));
        self
    }
}

/// Attempts as a person reads them.
struct Table<'a>(&'a [Entry]);

const HEADINGS: [&str; 10] = ["#", "conn", "request", "try", "model", "status", "fault", "refused by", "ending", "arrived"];

impl Display for Table<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let rows: Vec<_> = std::iter::once(HEADINGS.map(str::to_owned)).chain(self.0.iter().map(row)).collect();
        let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
        let widths: Vec<_> = (0..HEADINGS.len()).map(width).collect();
        for row in &rows {
            let mut line = String::new();
            for (cell, width) in row.iter().zip(&widths) {
                write!(line, "  {cell:<width$}")?;
            }
            writeln!(f, "{}", line.trim_end())?;
        }
        Ok(())
    }
}

/// A fault's name, and why it was not played if it was not.
fn as_read(fault: PlannedFault) -> String {
    match fault.outcome {
        FaultOutcome::Played => fault.name.to_string(),
        outcome => format!("{} ({})", fault.name, outcome.as_str()),
    }
}

fn row(entry: &Entry) -> [String; HEADINGS.len()] {
    let or_dash = |text: Option<String>| text.unwrap_or_else(|| "-".to_owned());
    [
        entry.sequence.to_string(),
        entry.connection.to_string(),
        or_dash(entry.request_id.as_deref().map(str::to_owned)),
        entry.attempt.to_string(),
        or_dash(entry.model.as_deref().map(str::to_owned)),
        or_dash(entry.status.map(|status| status.to_string())),
        or_dash(entry.fault.map(as_read)),
        or_dash(entry.refused_by.as_deref().map(|by| format!("{:?}", by.limit))),
        format!("{:?}", entry.ending),
        format!("{:.3}ms", entry.arrived_ns as f64 / 1e6),
    ]
}
