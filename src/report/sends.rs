//! How much of what a schedule asked for was sent by the schedule's end.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::time::Duration;

use super::verdict::LATE;

/// Counts the sends that were made by the last intended instant and a millisecond, which is known only when all is over. What is sent
/// later than the latest intended instant so far must be kept: in a run that keeps up that is nothing, else as much as it is behind.
#[derive(Debug, Default)]
pub(super) struct Sends {
    asked: u64,
    last_intended: Duration,
    later: BinaryHeap<Reverse<Duration>>,
    never: u64,
}

impl Sends {
    /// A request was meant to be sent at an instant, and was sent at another.
    pub(super) fn add(&mut self, intended: Duration, sent: Duration) {
        self.asked += 1;
        self.last_intended = self.last_intended.max(intended);
        self.later.push(Reverse(sent));
        let end = self.last_intended + LATE;
        while self.later.peek().is_some_and(|Reverse(sent)| *sent <= end) {
            self.later.pop();
        }
    }

    /// So many requests were meant to be sent, and were not.
    pub(super) fn add_unsent(&mut self, count: u64) {
        self.asked += count;
        self.never += count;
    }

    /// The share that was sent in time; none where nothing had a time.
    pub(super) fn share_in_time(&self) -> Option<f64> {
        (self.asked > 0).then(|| 1.0 - (self.later.len() as u64 + self.never) as f64 / self.asked as f64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    /// A thousand sends, one each millisecond, each so much later than meant.
    fn late_by(late: Duration) -> Sends {
        let mut sends = Sends::default();
        (0..1000).for_each(|index| sends.add(MS * index, MS * index + late));
        sends
    }

    #[test]
    fn what_is_sent_by_the_schedule_s_end_is_in_time() {
        assert_eq!(Sends::default().share_in_time(), None);
        assert_eq!(late_by(MS).share_in_time(), Some(1.0));
        // Those meant for the last 20 ms were sent after them, but for the millisecond that is granted.
        assert_eq!(late_by(MS * 21).share_in_time(), Some(0.98));
        assert_eq!(late_by(MS * 5000).share_in_time(), Some(0.0));
    }

    #[test]
    fn what_was_never_sent_is_not_in_time() {
        let mut sends = late_by(Duration::ZERO);
        (0..1000).for_each(|_| sends.add_unsent(1));
        assert_eq!(sends.share_in_time(), Some(0.5));
    }

    #[test]
    fn a_run_that_keeps_up_keeps_nothing() {
        assert!(late_by(MS / 2).later.is_empty());
    }
}
