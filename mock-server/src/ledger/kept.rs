//! The entries in memory, and those of them that somebody asks for.

use std::collections::VecDeque;
use std::hash::{BuildHasher as _, RandomState};

use serde::Serialize;

use super::{Ending, Entry, FaultOutcome};
use crate::profile::FaultName;
use crate::relay::limits::LimitName;

/// The last entries, in the order in which their attempts ended. Each has a number, which only grows: that is a place to go on
/// reading from, whatever is forgotten meanwhile.
pub(super) struct Kept {
    entries: VecDeque<Entry>,
    /// Which ledger this is.
    id: u32,
    /// How often they were taken away.
    emptied: u64,
    most: usize,
    /// The number of the first of them.
    first: u64,
}

/// Which entries are asked for; what is left out does not matter.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Query {
    pub(crate) model: Option<String>,
    pub(crate) status: Option<u16>,
    pub(crate) request_id: Option<String>,
    pub(crate) ending: Option<Ending>,
    pub(crate) connection: Option<u32>,
    pub(crate) fault: Option<FaultName>,
    pub(crate) outcome: Option<FaultOutcome>,
    pub(crate) refused_by: Option<LimitName>,
    /// The first [sequence](Entry::sequence) that matters.
    pub(crate) since: Option<u64>,
    /// Where to go on: the [`next`](Page::next) of an earlier page.
    pub(crate) cursor: u64,
    /// At most so many.
    pub(crate) limit: usize,
}

/// A page of entries.
#[derive(Debug, Serialize)]
pub(crate) struct Page {
    /// In the order in which they ended.
    pub(crate) entries: Vec<Entry>,
    /// Where the next page begins; also when nothing is there yet.
    pub(crate) next: u64,
    /// Whether there is more already.
    pub(crate) more: bool,
    /// How many that ended before are no longer kept.
    pub(crate) forgotten: u64,
    /// A number of the ledger's own, drawn when it was made: another process on the same port has another.
    pub(crate) ledger_id: u32,
    /// How often all that was kept was thrown away at once, as by a reset.
    pub(crate) emptied: u64,
}

impl Kept {
    pub(super) fn new(most: usize) -> Self {
        // Draws nothing for any answer: it only has to differ from process to process.
        let id = RandomState::new().hash_one(most) as u32;
        Self { entries: VecDeque::new(), id, emptied: 0, most, first: 0 }
    }

    pub(super) fn push(&mut self, entry: Entry) {
        if self.most == 0 {
            self.first += 1;
            return;
        }
        if self.entries.len() >= self.most {
            self.entries.pop_front();
            self.first += 1;
        }
        self.entries.push_back(entry);
    }

    pub(super) fn entries(&self) -> impl Iterator<Item = &Entry> {
        self.entries.iter()
    }

    pub(super) fn take(&mut self) -> Vec<Entry> {
        self.first += self.entries.len() as u64;
        self.emptied += 1;
        std::mem::take(&mut self.entries).into()
    }

    pub(super) fn page(&self, query: &Query) -> Page {
        let skipped = usize::try_from(query.cursor.saturating_sub(self.first)).unwrap_or(usize::MAX).min(self.entries.len());
        let next = self.first + skipped as u64;
        let mut page =
            Page { entries: Vec::new(), next, more: false, forgotten: self.first, ledger_id: self.id, emptied: self.emptied };
        for entry in self.entries.range(skipped..) {
            let matches = query.matches(entry);
            if matches && page.entries.len() == query.limit {
                page.more = true;
                break;
            }
            page.next += 1;
            page.entries.extend(matches.then(|| entry.clone()));
        }
        page
    }
}

impl Query {
    fn matches(&self, entry: &Entry) -> bool {
        fn is<T: PartialEq + ?Sized>(asked: Option<&T>, found: Option<&T>) -> bool {
            asked.is_none() || asked == found
        }
        is(self.model.as_deref(), entry.model.as_deref())
            && is(self.status.as_ref(), entry.status.as_ref())
            && is(self.request_id.as_deref(), entry.request_id.as_deref())
            && is(self.ending.as_ref(), Some(&entry.ending))
            && is(self.connection.as_ref(), Some(&entry.connection))
            && is(self.fault.as_ref(), entry.fault.as_ref().map(|fault| &fault.name))
            && is(self.outcome.as_ref(), entry.fault.as_ref().map(|fault| &fault.outcome))
            && is(self.refused_by.as_ref(), entry.refused_by.as_ref().map(|refused| &refused.limit))
            && self.since.is_none_or(|since| entry.sequence >= since)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ledger::PlannedFault;

    fn kept(most: usize, sequences: impl IntoIterator<Item = u64>) -> Kept {
        let mut kept = Kept::new(most);
        sequences.into_iter().for_each(|sequence| kept.push(Entry { sequence, ..Entry::default() }));
        kept
    }

    fn sequences(page: &Page) -> Vec<u64> {
        page.entries.iter().map(|entry| entry.sequence).collect()
    }

    #[test]
    fn the_oldest_are_forgotten_first() {
        let page = kept(3, 0..10).page(&Query { limit: 100, ..Query::default() });
        assert_eq!((sequences(&page), page.next, page.more, page.forgotten), (vec![7, 8, 9], 10, false, 7));
        assert_eq!(kept(0, 0..10).page(&Query::default()).forgotten, 10);
    }

    #[test]
    fn pages_go_on_where_the_one_before_ended_and_miss_nothing_that_ends_later() {
        let mut kept = kept(100, [3, 1, 4, 0]);
        let mut query = Query { limit: 3, since: Some(1), ..Query::default() };
        let page = kept.page(&query);
        assert_eq!((sequences(&page), page.next, page.more), (vec![3, 1, 4], 4, false));
        kept.push(Entry { sequence: 2, ..Entry::default() });
        query.cursor = page.next;
        assert_eq!(sequences(&kept.page(&query)), [2]);
        assert_eq!(kept.page(&Query { limit: 2, ..Query::default() }).next, 2);
        assert!(kept.page(&Query { limit: 2, ..Query::default() }).more);
    }

    #[test]
    fn faults_choose_by_name_and_by_what_came_of_them() {
        let mut kept = Kept::new(100);
        let planned = [
            Some((FaultName::Reset, FaultOutcome::Played)),
            Some((FaultName::Reset, FaultOutcome::NeedsHttp1)),
            Some((FaultName::Hang, FaultOutcome::Played)),
            None,
        ];
        for (sequence, planned) in (0..).zip(planned) {
            let fault = planned.map(|(name, outcome)| PlannedFault { name, outcome });
            kept.push(Entry { sequence, fault, ..Entry::default() });
        }
        let all = Query { limit: 9, ..Query::default() };
        let resets = Query { fault: Some(FaultName::Reset), ..all.clone() };
        assert_eq!(sequences(&kept.page(&resets)), [0, 1]);
        assert_eq!(sequences(&kept.page(&Query { outcome: Some(FaultOutcome::Played), ..resets })), [0]);
        assert_eq!(sequences(&kept.page(&Query { outcome: Some(FaultOutcome::Played), ..all })), [0, 2]);
    }

    #[test]
    fn a_cursor_of_what_is_forgotten_goes_on_with_what_is_kept() {
        let mut kept = kept(100, 0..5);
        assert_eq!(kept.page(&Query::default()).emptied, 0);
        assert_eq!(kept.take().len(), 5);
        assert_eq!(kept.page(&Query::default()).emptied, 1);
        kept.push(Entry { sequence: 5, ..Entry::default() });
        for cursor in [0, 3, 5] {
            assert_eq!(sequences(&kept.page(&Query { cursor, limit: 9, ..Query::default() })), [5]);
        }
        let beyond = kept.page(&Query { cursor: 1_000, limit: 9, ..Query::default() });
        assert_eq!((sequences(&beyond), beyond.next), (vec![], 6));
    }
}
