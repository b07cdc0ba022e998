//! How often a request came before, for callers who do not say which attempt it is.

use std::collections::HashMap;
use std::mem;

/// Requests that are remembered at least; twice as many at most, in some 4 MB. One that was not seen for that long counts from 0.
const REMEMBERED: usize = 65_536;

/// Counts requests by their hash, in bounded memory.
#[derive(Debug, Default)]
pub struct Occurrences {
    recent: HashMap<u64, u64>,
    older: HashMap<u64, u64>,
}

impl Occurrences {
    /// How many requests of this hash came before this one.
    pub fn next(&mut self, request: u64) -> u64 {
        let recent = self.recent.get(&request);
        let count = recent.or_else(|| self.older.get(&request)).copied().unwrap_or(0);
        if recent.is_none() && self.recent.len() >= REMEMBERED {
            self.older = mem::take(&mut self.recent);
        }
        self.recent.insert(request, count + 1);
        count
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn identical_requests_are_numbered_in_order() {
        let mut occurrences = Occurrences::default();
        assert_eq!([5, 5, 6, 5].map(|request| occurrences.next(request)), [0, 1, 0, 2]);
    }

    #[test]
    fn memory_is_bounded_and_recent_requests_are_not_forgotten() {
        let mut occurrences = Occurrences::default();
        for request in 0..10 * REMEMBERED as u64 {
            occurrences.next(request);
            assert_eq!(occurrences.next(u64::MAX), request);
        }
        assert!(occurrences.recent.len() + occurrences.older.len() <= 2 * REMEMBERED);
    }
}
