//! Whose errors, headers and events are spoken. Nobody outside of `wire` tells one dialect from another.

use std::time::{Duration, SystemTime};

use hyper::HeaderMap;
use hyper::http::HeaderValue;

use super::identity::Identity;
use super::reply::{Reply, Subject};
use super::{anthropic, azure, cloudflare, groq, litellm, one_api, openai, openrouter, vllm};
use crate::draw::Draws;
use crate::profile::Profile;
use crate::relay::Refusal;
use crate::relay::limits::Standing;

/// A dialect, by the provider or the software that speaks it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Dialect {
    #[default]
    OpenAi,
    Azure,
    Anthropic,
    Groq,
    Cloudflare,
    OpenRouter,
    LiteLlm,
    OneApi,
    Vllm,
}

/// What an answer does not say of limits although it is known.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Gaps {
    /// What stands for when they are there again.
    pub(super) reset: Option<&'static str>,
    pub(super) retry_after: bool,
}

/// A comment that a stream sends again and again.
#[derive(Clone, Copy, Debug)]
pub(crate) struct KeepAlive {
    /// From the request to the first, and from one to the next.
    pub(crate) every: Duration,
    pub(crate) comment: &'static [u8],
}

impl Dialect {
    /// All of them, by the names that profiles use.
    pub(crate) const NAMED: [(&str, Self); 9] = [
        ("openai", Self::OpenAi),
        ("azure", Self::Azure),
        ("anthropic", Self::Anthropic),
        ("groq", Self::Groq),
        ("cloudflare", Self::Cloudflare),
        ("openrouter", Self::OpenRouter),
        ("litellm", Self::LiteLlm),
        ("one-api", Self::OneApi),
        ("vllm", Self::Vllm),
    ];

    /// What a request is called in headers and messages.
    pub(crate) fn request_id(self, identity: &Identity) -> String {
        match self {
            Self::OpenAi | Self::Groq | Self::Anthropic => identity.request_letters("req_"),
            Self::Azure | Self::LiteLlm => identity.request_uuid(),
            Self::Cloudflare | Self::Vllm => identity.request_hex(),
            Self::OpenRouter => identity.request_letters("gen-"),
            Self::OneApi => identity.request_digits(),
        }
    }

    /// The body that lists the models of a profile.
    pub(crate) fn models(self, profile: &Profile) -> Vec<u8> {
        match self {
            Self::Anthropic => anthropic::models::list(profile),
            _ => openai::models::list(profile),
        }
    }

    /// The body that tells of one model.
    pub(crate) fn model(self, id: &str) -> Vec<u8> {
        match self {
            Self::Anthropic => anthropic::models::one(id),
            _ => openai::models::one(id),
        }
    }

    /// Appends the headers of every answer, good or not, which the relay took so long for.
    pub(crate) fn write_headers(self, request_id: String, took: Duration, headers: &mut HeaderMap) {
        let request_id = HeaderValue::try_from(request_id).expect("letters, digits, hyphens and underscores");
        match self {
            Self::OpenAi => openai::write_headers(request_id, took, headers),
            Self::Azure => azure::write_headers(request_id, headers),
            Self::Anthropic => anthropic::write_headers(request_id, headers),
            Self::Groq => groq::write_headers(request_id, headers),
            Self::Cloudflare => cloudflare::write_headers(request_id, headers),
            Self::OpenRouter => openrouter::write_headers(request_id, headers),
            Self::LiteLlm => litellm::write_headers(request_id, took, headers),
            Self::OneApi => one_api::write_headers(request_id, headers),
            Self::Vllm => vllm::write_headers(request_id, headers),
        }
    }

    /// What an attempt with these draws is not told.
    pub(crate) fn gaps(self, profile: &Profile, draws: Draws) -> Gaps {
        match self {
            Self::Azure => azure::gaps(profile.azure, draws),
            _ => Gaps::default(),
        }
    }

    /// Appends the headers that say how far limits are used up, of which there is at least one.
    /// `wall` is the time of day.
    pub(crate) fn write_limits(self, standings: &[Standing], wall: SystemTime, gaps: Gaps, headers: &mut HeaderMap) {
        match self {
            // What hands on answers hands on these.
            Self::OpenAi | Self::LiteLlm | Self::OneApi => openai::limits::write_headers(standings, headers),
            Self::Azure => azure::write_limits(standings, gaps, headers),
            Self::Anthropic => anthropic::write_limits(standings, wall, headers),
            Self::Groq => groq::write_limits(standings, headers),
            Self::OpenRouter => openrouter::write_limits(standings, wall, headers),
            Self::Cloudflare | Self::Vllm => {}
        }
    }

    /// What a caller reads who is refused, or for whom something failed.
    pub(crate) fn error(self, refusal: Refusal, subject: Subject<'_>) -> Reply {
        if let Refusal::InjectedHtml(status) = refusal {
            return self.page(status);
        }
        match self {
            Self::OpenAi => openai::error::reply(refusal, subject),
            Self::Azure => azure::error(refusal, subject),
            Self::Anthropic => anthropic::error(refusal, subject),
            Self::Groq => groq::error(refusal, subject),
            Self::Cloudflare => cloudflare::error(refusal, subject),
            Self::OpenRouter => openrouter::error(refusal, subject),
            Self::LiteLlm => litellm::error(refusal, subject),
            Self::OneApi => one_api::error(refusal, subject),
            Self::Vllm => vllm::error(refusal, subject),
        }
    }

    /// What a stream says that breaks off. What Cloudflare's says is not documented: as that endpoint is one of OpenAI's form, it says
    /// what OpenAI's clients take for an error, and they would take its own for nothing at all.
    pub(crate) fn stream_error(self, refusal: Refusal, subject: Subject<'_>) -> Reply {
        match self {
            Self::Cloudflare => openai::error::reply(refusal, subject),
            _ => self.error(refusal, subject),
        }
    }

    /// The page of the proxy in front, which stands for an error of this status.
    fn page(self, status: u16) -> Reply {
        match self {
            Self::OpenAi | Self::Anthropic | Self::Groq | Self::Cloudflare | Self::OpenRouter => {
                Reply::page(status, "cloudflare")
            }
            Self::Azure => Reply::page(status, "Microsoft-Azure-Application-Gateway/v2"),
            Self::LiteLlm | Self::OneApi | Self::Vllm => Reply::page(status, "nginx"),
        }
    }

    /// Whether an error in mid-stream is a chunk like the others, with the error beside its choices.
    pub(super) fn tells_errors_in_chunks(self) -> bool {
        self == Self::OpenRouter
    }

    /// Whether the event that tells of an error in mid-stream has a name.
    pub(super) fn names_error_events(self) -> bool {
        self == Self::Anthropic
    }

    /// Whether the mark of a stream's end comes behind an error in mid-stream as well.
    pub(super) fn marks_the_end_behind_errors(self) -> bool {
        self == Self::Vllm
    }

    /// What a stream says as long as its first token is not due.
    pub(crate) fn keep_alive(self) -> Option<KeepAlive> {
        match self {
            Self::OpenRouter => Some(openrouter::KEEP_ALIVE),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_status_that_is_injected_is_the_status_in_every_dialect() {
        let subject = Subject { method: "POST", path: "/v1/chat/completions", query: None, model: "gpt-4.1", request_id: "a" };
        for (name, dialect) in Dialect::NAMED {
            for status in 400..600 {
                for refusal in [Refusal::Injected(status), Refusal::InjectedHtml(status)] {
                    assert_eq!(dialect.error(refusal.clone(), subject).status, status, "{name}: {refusal:?}");
                }
            }
        }
    }

    #[test]
    fn a_stream_that_breaks_off_says_so_under_the_key_that_clients_look_for() {
        let subject = Subject { method: "POST", path: "/v1/chat/completions", query: None, model: "gpt-4.1", request_id: "a" };
        for (name, dialect) in Dialect::NAMED {
            let body: serde_json::Value =
                serde_json::from_slice(&dialect.stream_error(Refusal::Injected(500), subject).body).unwrap();
            // vLLM's clients look at the object's name.
            assert!(body["error"].is_object() || body["object"] == "error", "{name}: {body}");
        }
    }
}
