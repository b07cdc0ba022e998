//! Which fault befalls an attempt or a connection. Pure, but for the [`Tally`] of those that came before.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use super::behaviour::Request;
use crate::draw::{self, Draws, Purpose};
use crate::profile::{FaultKind, FaultRule, ListenerFault, ListenerRule, Profile};

/// How many attempts or connections each rule of a profile matched so far, for those that befall only the first.
#[derive(Debug)]
pub struct Tally {
    faults: Box<[AtomicU64]>,
    phases: Box<[AtomicU64]>,
    listener: Box<[AtomicU64]>,
}

impl Tally {
    /// Nobody came yet.
    pub fn new(profile: &Profile) -> Self {
        let zeros = |rules: usize| (0..rules).map(|_| AtomicU64::new(0)).collect();
        Self { faults: zeros(profile.faults.len()), phases: zeros(profile.phases.len()), listener: zeros(profile.listener.len()) }
    }
}

/// Whether one more is among the first so many: takes a turn, or only looks.
type Turn = fn(first: Option<u64>, seen: &AtomicU64) -> bool;

fn take_turn(first: Option<u64>, seen: &AtomicU64) -> bool {
    first.is_none_or(|first| seen.fetch_add(1, Relaxed) < first)
}

fn is_next_turn(first: Option<u64>, seen: &AtomicU64) -> bool {
    first.is_none_or(|first| seen.load(Relaxed) < first)
}

pub(super) fn in_phases(
    profile: &Profile,
    request: &Request<'_>,
    draws: Draws,
    now: Duration,
    tally: &Tally,
) -> Option<FaultKind> {
    of_phases(profile, request, draws, now, tally, take_turn)
}

fn of_phases(
    profile: &Profile,
    request: &Request<'_>,
    draws: Draws,
    now: Duration,
    tally: &Tally,
    turn: Turn,
) -> Option<FaultKind> {
    profile.phases.iter().zip(&tally.phases).zip(0..).find_map(|((phase, seen), which)| {
        let rule = phase.fault.as_ref().filter(|rule| rule.is_about(request))?;
        let strength = phase.strength(now);
        let strikes = strength > 0.0 && turn(rule.first, seen);
        (strikes && draws.uniform(Purpose::PhaseFault(which)) < rule.probability * strength).then_some(rule.kind)
    })
}

pub(super) fn always(profile: &Profile, request: &Request<'_>, draws: Draws, tally: &Tally) -> Option<FaultKind> {
    of_all_times(profile, request, draws, tally, take_turn)
}

/// Which fault of the profile's own would have befallen an attempt that is refused before they have their say. It takes no turn from those that befall only the first.
pub fn missed(profile: &Profile, request: &Request<'_>, draws: Draws, now: Duration, tally: &Tally) -> Option<FaultKind> {
    let in_phases = of_phases(profile, request, draws, now, tally, is_next_turn);
    in_phases.or_else(|| of_all_times(profile, request, draws, tally, is_next_turn))
}

/// The same, where no phase has one.
pub(super) fn missed_always(profile: &Profile, request: &Request<'_>, draws: Draws, tally: &Tally) -> Option<FaultKind> {
    of_all_times(profile, request, draws, tally, is_next_turn)
}

fn of_all_times(profile: &Profile, request: &Request<'_>, draws: Draws, tally: &Tally, turn: Turn) -> Option<FaultKind> {
    profile.faults.iter().zip(&tally.faults).zip(0..).find_map(|((rule, seen), which)| {
        let strikes = rule.is_about(request) && turn(rule.first, seen);
        (strikes && draws.uniform(Purpose::Fault(which)) < rule.probability).then_some(rule.kind)
    })
}

impl FaultRule {
    fn is_about(&self, request: &Request<'_>) -> bool {
        let is_caller = self.keys.as_deref().is_none_or(|keys| keys.iter().any(|key| **key == *request.key));
        is_caller && self.models.as_deref().is_none_or(|models| models.iter().any(|model| **model == *request.model))
    }
}

/// What befalls one connection.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Welcome {
    /// It is refused, and nothing else matters.
    pub is_refused: bool,
    /// How long it takes until it is served.
    pub served_after: Duration,
    /// How long it may be idle before it is closed without a word; none: for ever.
    pub closes_idle_after: Option<Duration>,
}

/// Decides what befalls the connection with this `number`, counted from 0, that is opened `now`, after the profile's start. Its
/// draws are those of its number; of several rules for the same fault the first that strikes holds.
pub fn welcome(profile: &Profile, number: u64, now: Duration, tally: &Tally) -> Welcome {
    let draws = Draws::new(profile.seed, draw::hash(b"connection"), number);
    let is_refusal = |rule: &ListenerRule| rule.fault == ListenerFault::Refuse;
    let strikes = |rule: &ListenerRule, seen: &AtomicU64, which: u32| {
        let phase = rule.phase.and_then(|phase| profile.phases.get(phase as usize));
        let strength = phase.map_or(1.0, |phase| phase.strength(now));
        let has_turn = strength > 0.0 && take_turn(rule.first, seen);
        has_turn && draws.uniform(Purpose::ListenerFault(which)) < rule.probability * strength
    };
    let rules = || profile.listener.iter().zip(&tally.listener).zip(0..);
    let mut welcome = Welcome::default();
    for ((rule, seen), which) in rules().filter(|((rule, _), _)| is_refusal(rule)) {
        welcome.is_refused |= strikes(rule, seen, which);
    }
    // What is refused takes no turn of the others.
    if welcome.is_refused {
        return welcome;
    }
    for ((rule, seen), which) in rules().filter(|((rule, _), _)| !is_refusal(rule)) {
        if !strikes(rule, seen, which) {
            continue;
        }
        match rule.fault {
            ListenerFault::SlowAccept(time) if welcome.served_after.is_zero() => welcome.served_after = time,
            ListenerFault::CloseIdle(time) => welcome.closes_idle_after = welcome.closes_idle_after.or(Some(time)),
            ListenerFault::SlowAccept(_) | ListenerFault::Refuse => {}
        }
    }
    welcome
}

/// Whether every connection is refused at an instant after the profile's start, and when that may change next.
pub(crate) fn refuses_all(profile: &Profile, now: Duration) -> (bool, Option<Duration>) {
    let refusing = |rule: &&ListenerRule| rule.fault == ListenerFault::Refuse && rule.probability >= 1.0 && rule.first.is_none();
    let (mut refuses, mut next) = (false, None);
    for rule in profile.listener.iter().filter(refusing) {
        match rule.phase.and_then(|phase| profile.phases.get(phase as usize)) {
            None => refuses = true,
            Some(phase) => {
                refuses |= phase.strength(now) >= 1.0;
                next = [next, phase.next_change(now)].into_iter().flatten().min();
            }
        }
    }
    (refuses, next)
}
