//! What one attempt has to do with its caller's limits.

use std::time::Duration;

use crate::draw::Draws;
use crate::relay::completion_length;
use crate::relay::limits::{self, Caller, LimitReached, Reservation, Standing};
use crate::server::Term;
use crate::wire::endpoint::Asked;

/// What an attempt may cost.
#[derive(Clone, Copy, Debug)]
pub(super) struct Need {
    prompt_tokens: u64,
    /// At most.
    tokens: u64,
}

impl Need {
    /// As much as its caller allows. Where no limit is set, it is as much as will be needed, or what is assumed if that is more: a
    /// relay's estimate, which here is never too low, so that no answer uses more than it reserved.
    pub(super) fn of(asked: &Asked, term: &Term, draws: Draws) -> Self {
        let assumed = term.profile.limits.as_ref().map_or(0, |limits| limits.assumed_completion_tokens);
        let estimated = || completion_length(&term.profile, &asked.request, draws).0.max(assumed);
        let each = asked.max_tokens.unwrap_or_else(estimated);
        let prompt_tokens = u64::from(asked.request.prompt_tokens);
        Self { prompt_tokens, tokens: prompt_tokens + u64::from(each) * u64::from(asked.choices) }
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
    /// None until it was admitted or refused: then no limit concerns it.
    model: Option<usize>,
    reservation: Option<Reservation>,
    prompt_tokens: u64,
    sent_tokens: u64,
    /// A burst turns it away: so long the requests count as used up by others.
    burst: Option<Duration>,
}

impl Limited {
    pub(super) fn new(caller: Caller) -> Self {
        Self { caller, model: None, reservation: None, prompt_tokens: 0, sent_tokens: 0, burst: None }
    }

    /// Reserves as much as may be needed at a model, by its place in the profile.
    pub(super) fn admit(&mut self, term: &Term, model: usize, need: Need) -> Result<(), LimitReached> {
        self.model = Some(model);
        self.prompt_tokens = need.prompt_tokens;
        self.reservation = term.admit(self.caller, model, need.tokens).transpose()?;
        Ok(())
    }

    /// So many tokens are sent so far.
    pub(super) fn sent(&mut self, tokens: u32) {
        self.sent_tokens = tokens.into();
    }

    /// Gives back what was not used, once.
    pub(super) fn settle(&mut self, term: &Term, service: Service) {
        let used = match service {
            Service::Begun => self.prompt_tokens + self.sent_tokens,
            Service::None => 0,
        };
        if let Some(reservation) = self.reservation.take() {
            term.settle_limits(reservation, used);
        }
    }

    /// A burst turns the attempt away for so long. What it is told, where requests are limited.
    pub(super) fn used_up_by_others(&mut self, term: &Term, wait: Duration) -> Option<LimitReached> {
        self.burst = Some(wait);
        limits::used_up_by_others(&mut self.standings(term), wait)
    }

    /// How far the limits are used up now.
    pub(super) fn standings(&self, term: &Term) -> Vec<Standing> {
        let mut standings = self.model.map_or_else(Vec::new, |model| term.standings(self.caller, model));
        if let Some(wait) = self.burst {
            limits::used_up_by_others(&mut standings, wait);
        }
        standings
    }
}
