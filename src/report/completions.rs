//! How many requests succeeded within the steady window, whose ends are known only when all is over.

use std::collections::VecDeque;
use std::time::Duration;

/// More than are ever in flight: what ended longer ago than that ended before whatever is sent from now on.
const RECENT: usize = 65_536;

/// Counts the successes from the end of the ramp to the last send, in memory that does not grow with them.
///
/// Samples come about in the order in which they end. The ramp can then end no earlier than what has been seen, and the last send is no
/// earlier than all but the latest of it: only the latest ends must be known one by one. The count is exact as long as no sample comes
/// more than 65,536 successes after its place.
#[derive(Debug, Default)]
pub(super) struct Completions {
    begin_ns: u64,
    /// The latest ends, in order, none before `begin_ns`.
    recent_ns: VecDeque<u64>,
    /// How many ended before those and not before `begin_ns`.
    earlier: u64,
}

impl Completions {
    /// A request succeeded.
    pub(super) fn add(&mut self, ended: Duration) {
        let ended_ns = nanoseconds(ended);
        if ended_ns < self.begin_ns {
            return;
        }
        // Nearly all come in their order.
        if self.recent_ns.back().is_none_or(|latest_ns| *latest_ns <= ended_ns) {
            self.recent_ns.push_back(ended_ns);
        } else {
            let place = self.recent_ns.partition_point(|earlier_ns| *earlier_ns <= ended_ns);
            self.recent_ns.insert(place, ended_ns);
        }
        if self.recent_ns.len() > RECENT {
            self.recent_ns.pop_front();
            self.earlier += 1;
        }
    }

    /// The window does not begin before this. It only ever moves on.
    pub(super) fn begin_at(&mut self, begin: Duration) {
        self.begin_ns = self.begin_ns.max(nanoseconds(begin));
        let gone = self.recent_ns.partition_point(|ended_ns| *ended_ns < self.begin_ns);
        if gone > 0 {
            self.recent_ns.drain(..gone);
            self.earlier = 0;
        }
    }

    /// How many succeeded from the beginning of the window to this.
    pub(super) fn before(&self, end: Duration) -> u64 {
        let end_ns = nanoseconds(end);
        self.earlier + self.recent_ns.partition_point(|ended_ns| *ended_ns < end_ns) as u64
    }
}

fn nanoseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The ends of a closed loop of fifty, each sample up to fifty places after its turn.
    fn ends(count: u64) -> impl Iterator<Item = Duration> {
        (0..count).map(|index| Duration::from_nanos(1000 * (index / 50 * 50 + index * 37 % 50)))
    }

    #[test]
    fn the_count_is_that_of_all_ends_kept() {
        for count in [10, 1_000, 300_000] {
            let (mut completions, mut kept, mut begin) = (Completions::default(), Vec::new(), Duration::ZERO);
            for (index, ended) in (0..).zip(ends(count)) {
                completions.add(ended);
                kept.push(ended);
                if index < count / 3 && index % 7 == 0 {
                    begin = begin.max(ended);
                    completions.begin_at(begin);
                }
            }
            let last_send = Duration::from_nanos(1000 * (count - 5));
            let expected = kept.iter().filter(|ended| (begin..last_send).contains(ended)).count();
            assert_eq!(completions.before(last_send), expected as u64, "{count}");
        }
    }

    #[test]
    fn memory_does_not_grow_with_the_count() {
        let mut completions = Completions::default();
        ends(1_000_000).for_each(|ended| completions.add(ended));
        assert!(completions.recent_ns.len() == RECENT && completions.recent_ns.capacity() <= 4 * RECENT);
    }
}
