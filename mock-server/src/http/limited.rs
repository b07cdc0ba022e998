//! What one attempt has to do with its caller's limits.

use std::time::Duration;

use crate::draw::Draws;
use crate::ledger::RefusedBy;
use crate::relay::completion_length;
use crate::relay::limits::{self, Caller, Cost, LimitReached, Reservation, Resource, Standing, UsedUp};
use crate::server::Term;
use crate::wire::endpoint::Asked;

/// What an attempt may cost.
#[derive(Clone, Copy, Debug)]
pub(super) struct Need {
    /// At most.
    cost: Cost,
}

impl Need {
    /// As much as its caller allows. Where no limit is set, it is as much as will be needed, or what is assumed if that is more: a
    /// relay's estimate, which here is never too low, so that no answer uses more than it reserved.
    pub(super) fn of(asked: &Asked, term: &Term, draws: Draws) -> Self {
        let assumed = term.profile.limits.as_ref().map_or(0, |limits| limits.assumed_completion_tokens);
        let estimated = || completion_length(&term.profile, &asked.request, draws).0.max(assumed);
        let each = asked.max_tokens.unwrap_or_else(estimated);
        let output = u64::from(each) * u64::from(asked.choices);
        Self { cost: Cost { input: asked.request.prompt_tokens.into(), output } }
    }
}

/// Whether an attempt was served.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Service {
    /// Its prompt was read, and some of its answer may have been sent.
    Begun,
    /// It was refused, failed, or never had its turn.
    None,
}

/// A caller's limits, and what an attempt has of them. It must be settled before it is dropped.
#[derive(Debug)]
pub(crate) struct Limited {
    caller: Caller,
    /// By its place in the profile. None as long as nobody knows which: then no limit concerns it.
    model: Option<usize>,
    reservation: Option<Reservation>,
    /// At most, with its answer.
    cost: Cost,
    sent_tokens: u64,
    /// It is turned away, whatever is left of its limits, since others have used them up.
    others: Option<UsedUp>,
}

impl Limited {
    pub(super) fn new(term: &Term, caller: Caller) -> Self {
        // Where all models share their limits, any of them stands for all.
        let is_shared = term.profile.limits.as_ref().is_some_and(|limits| !limits.per_model);
        let model = is_shared.then_some(0);
        Self { caller, model, reservation: None, cost: Cost::default(), sent_tokens: 0, others: None }
    }

    /// The attempt is about the model of this name, if there is one.
    pub(super) fn concerns(&mut self, term: &Term, model: &str) {
        self.model = term.profile.models.iter().position(|known| **known == *model).or(self.model);
    }

    /// Reserves as much as may be needed.
    pub(super) fn admit(&mut self, term: &Term, need: Need) -> Result<(), LimitReached> {
        self.cost = need.cost;
        let Some(model) = self.model else { return Ok(()) };
        let admitted = term.limited(|limiter, now| limiter.admit(self.caller, model, need.cost, now));
        self.reservation = admitted.transpose()?;
        Ok(())
    }

    /// So many tokens are sent so far.
    pub(super) fn sent(&mut self, tokens: u32) {
        self.sent_tokens = tokens.into();
    }

    /// Whose limit it is that was reached.
    pub(super) fn refused_by(&self, term: &Term, reached: &LimitReached) -> Box<RefusedBy> {
        let limits = term.profile.limits.as_ref();
        let key = self.caller.number().filter(|_| limits.is_some_and(|limits| limits.per_key));
        let model = self.model.filter(|_| limits.is_some_and(|limits| limits.per_model));
        let model = model.and_then(|model| term.profile.models.get(model)).cloned();
        Box::new(RefusedBy { limit: reached.name(), key, model })
    }

    /// Gives back what was not used, once.
    pub(super) fn settle(&mut self, term: &Term, service: Service) {
        if let Some((reservation, used)) = self.due_back(service) {
            term.limited(|limiter, now| limiter.settle(reservation, used, now));
        }
    }

    /// What is to be settled, and what was used of it.
    fn due_back(&mut self, service: Service) -> Option<(Reservation, Cost)> {
        let used = match service {
            Service::Begun => Cost { output: self.sent_tokens, ..self.cost },
            Service::None => Cost::default(),
        };
        self.reservation.take().map(|reservation| (reservation, used))
    }

    /// A burst or a fault turns the attempt away, for at least so long. What it is told, where the resource is limited.
    pub(super) fn used_up_by_others(&mut self, term: &Term, resource: Resource, wait: Duration) -> Option<LimitReached> {
        // A retry has to be admitted then, so that its own limits have a say.
        self.settle(term, Service::None);
        let (caller, cost, model) = (self.caller, self.cost, self.model?);
        let asked = term.limited(|limiter, now| (limiter.wait(caller, model, cost, now), limiter.standings(caller, model, now)));
        let (own, mut standings) = asked?;
        let used_up = UsedUp { resource, cost, wait: wait.max(own) };
        self.others = Some(used_up);
        limits::used_up_by_others(&mut standings, used_up)
    }

    /// How far the limits are used up now.
    pub(super) fn standings(&self, term: &Term) -> Vec<Standing> {
        self.model.map_or_else(Vec::new, |model| {
            let standings = term.limited(|limiter, now| limiter.standings(self.caller, model, now));
            self.as_told(standings)
        })
    }

    /// The same, after what was not used is given back.
    pub(super) fn settled_standings(&mut self, term: &Term, service: Service) -> Vec<Standing> {
        let (back, caller) = (self.due_back(service), self.caller);
        let Some(model) = self.model else { return Vec::new() };
        let standings = term.limited(|limiter, now| {
            if let Some((reservation, used)) = back {
                limiter.settle(reservation, used, now);
            }
            limiter.standings(caller, model, now)
        });
        self.as_told(standings)
    }

    fn as_told(&self, standings: Option<Vec<Standing>>) -> Vec<Standing> {
        let mut standings = standings.unwrap_or_default();
        if let Some(used_up) = self.others {
            limits::used_up_by_others(&mut standings, used_up);
        }
        standings
    }
}
