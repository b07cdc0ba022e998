//! Which clocks of an attempt run, since when, and which has run out: decided from instants alone.

use std::time::Duration;

use relaybench_clock::Instant;

use super::Deadline;
use crate::client::error::{ErrorKind, Failure};
use crate::client::policy::{Timeout, Timeouts};

/// What is known of one attempt's course.
#[derive(Debug)]
pub(super) struct Clocks {
    timeouts: Timeouts,
    deadline: Instant,
    started: Instant,
    is_streamed: bool,
    head: Option<Instant>,
    /// When the server last said something.
    heard: Option<Instant>,
    /// When it last said something that counts.
    content: Option<Instant>,
    is_finished: bool,
}

/// What happened where the attempt cannot see it: it is looked at, and not told.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Sight {
    /// When a place in the pool was had, and a connection began to be opened.
    pub(super) dialing: Option<Instant>,
    /// When the request was handed to a connection.
    pub(super) sent: Option<Instant>,
}

/// What a look at the clocks shows.
#[derive(Debug)]
pub(super) enum Look {
    Expired(Failure),
    /// None has run out, and none will before this instant.
    Again(Instant),
}

/// Whether a clock runs.
enum Hand {
    Since(Instant),
    /// It may begin at any moment, unseen.
    Ahead,
    /// It does not, and whoever starts it tells.
    Still,
}

impl Clocks {
    pub(super) fn new(started: Instant, deadline: Deadline<'_>, is_streamed: bool) -> Self {
        Self {
            timeouts: deadline.timeouts.clone(),
            deadline: deadline.at,
            started,
            is_streamed,
            head: None,
            heard: None,
            content: None,
            is_finished: false,
        }
    }

    pub(super) fn head(&mut self, at: Instant) {
        self.head = Some(at);
        self.heard = Some(at);
    }

    pub(super) fn heard(&mut self, at: Instant) {
        self.heard = Some(at);
    }

    /// What was heard last was content.
    pub(super) fn content(&mut self) -> Option<Instant> {
        self.content = self.heard;
        self.content
    }

    pub(super) fn finished(&mut self) {
        self.is_finished = true;
    }

    /// Nobody waited for that long, so that it does not count as silence.
    pub(super) fn stood_still(&mut self, away: Duration) {
        for moment in [&mut self.heard, &mut self.content].into_iter().flatten() {
            *moment += away;
        }
    }

    pub(super) fn check_total(&self, now: Instant) -> Result<(), Failure> {
        if now < self.deadline {
            return Ok(());
        }
        Err(timed_out(ErrorKind::TotalTimeout, TOTAL, self.timeouts.total))
    }

    /// When this clock runs out, should it have begun now.
    pub(super) fn due_if_begun(&self, which: Timeout, now: Instant) -> Option<Instant> {
        self.timeouts.of(which).map(|figure| now + figure)
    }

    /// The clock that ran out first, or when to look again.
    pub(super) fn look(&self, now: Instant, sight: Sight) -> Look {
        let (mut nearest, mut first) = (self.deadline, None);
        for which in Timeout::ALL {
            let Some(figure) = self.timeouts.of(which) else { continue };
            let (at, runs) = match self.hand(which, sight) {
                Hand::Since(since) => (since + figure, true),
                // Looked at again after a whole figure, which is no later than it can run out.
                Hand::Ahead => (now + figure, false),
                Hand::Still => continue,
            };
            if at < nearest {
                (nearest, first) = (at, runs.then_some((which, figure)));
            }
        }
        if nearest > now {
            return Look::Again(nearest);
        }
        Look::Expired(match first {
            Some((which, figure)) => timed_out(which.kind(), what(which), figure),
            None => timed_out(ErrorKind::TotalTimeout, TOTAL, self.timeouts.total),
        })
    }

    fn hand(&self, which: Timeout, Sight { dialing, sent }: Sight) -> Hand {
        let ahead_or = |since: Option<Instant>| since.map_or(Hand::Ahead, Hand::Since);
        let still_or = |since: Option<Instant>| since.map_or(Hand::Still, Hand::Since);
        match which {
            Timeout::Queue if dialing.or(sent).or(self.head).is_some() => Hand::Still,
            Timeout::Queue => Hand::Since(self.started),
            Timeout::Connect if sent.or(self.head).is_some() => Hand::Still,
            Timeout::Connect => ahead_or(dialing),
            Timeout::Headers if self.head.is_some() => Hand::Still,
            Timeout::Headers => ahead_or(sent),
            Timeout::FirstToken | Timeout::Stall | Timeout::ContentStall if !self.is_streamed => Hand::Still,
            Timeout::FirstToken if self.content.is_some() || self.is_finished => Hand::Still,
            Timeout::FirstToken => ahead_or(sent),
            Timeout::Stall => still_or(self.heard),
            Timeout::ContentStall if self.is_finished => Hand::Still,
            Timeout::ContentStall => still_or(self.content),
            Timeout::Read => ahead_or(self.heard.or(sent)),
        }
    }
}

const TOTAL: &str = "no complete response within the total timeout of";

fn what(which: Timeout) -> &'static str {
    match which {
        Timeout::Queue => "no place in the pool within the queue timeout of",
        Timeout::Connect => "the connection was not open within the connect timeout of",
        Timeout::Headers => "no head of a response within the headers timeout of",
        Timeout::FirstToken => "no token within the first-token timeout of",
        Timeout::Stall => "the stream was silent for the stall timeout of",
        Timeout::ContentStall => "the stream brought no content for the content-stall timeout of",
        Timeout::Read => "the server was silent for the read timeout of",
    }
}

fn timed_out(kind: ErrorKind, what: &str, figure: Duration) -> Failure {
    Failure::new(kind, format!("{what} {figure:?}"))
}
