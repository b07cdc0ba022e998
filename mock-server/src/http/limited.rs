//! What one attempt has to do with its caller's limits.

use std::time::Duration;

use crate::draw::Draws;
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
        self.reservation = term.admit(self.caller, model, need.cost).transpose()?;
        Ok(())
    }

    /// So many tokens are sent so far.
    pub(super) fn sent(&mut self, tokens: u32) {
        self.sent_tokens = tokens.into();
    }

    /// Gives back what was not used, once.
    pub(super) fn settle(&mut self, term: &Term, service: Service) {
        let used = match service {
            Service::Begun => Cost { output: self.sent_tokens, ..self.cost },
            Service::None => Cost::default(),
        };
        if let Some(reservation) = self.reservation.take() {
            term.settle_limits(reservation, used);
        }
    }

    /// A burst or a fault turns the attempt away, for at least so long. What it is told, where the resource is limited.
    pub(super) fn used_up_by_others(&mut self, term: &Term, resource: Resource, wait: Duration) -> Option<LimitReached> {
        // A retry has to be admitted then, so that its own limits have a say.
        self.settle(term, Service::None);
        let own = self.model.map_or(Duration::ZERO, |model| term.limits_wait(self.caller, model, self.cost));
        let used_up = UsedUp { resource, cost: self.cost, wait: wait.max(own) };
        self.others = Some(used_up);
        limits::used_up_by_others(&mut self.standings(term), used_up)
    }

    /// How far the limits are used up now.
    pub(super) fn standings(&self, term: &Term) -> Vec<Standing> {
        let mut standings = self.model.map_or_else(Vec::new, |model| term.standings(self.caller, model));
        if let Some(used_up) = self.others {
            limits::used_up_by_others(&mut standings, used_up);
        }
        standings
    }
}
