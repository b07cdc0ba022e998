//! Azure OpenAI: the gateway's own refusals have a code and a message; the models behind it speak OpenAI's dialect.

use std::time::Duration;

use hyper::HeaderMap;
use hyper::http::HeaderValue;
use serde::Serialize;

use super::Enveloped;
use super::dialect::Gaps;
use super::limits::{REQUESTS, TOKENS, scarcest, write};
use super::openai::error::WireError;
use super::reply::{Reply, Subject, seconds};
use crate::draw::{Draws, Purpose};
use crate::profile::AzureGaps;
use crate::relay::limits::{LimitReached, Resource, Standing};
use crate::relay::{INJECTED_WAIT, Refusal};

/// The version that is named to callers who name none.
const API_VERSION: &str = "2024-10-21";

pub(super) fn write_headers(request_id: HeaderValue, headers: &mut HeaderMap) {
    headers.insert("apim-request-id", request_id.clone());
    headers.insert("x-request-id", request_id);
    headers.insert("x-ms-region", HeaderValue::from_static("East US"));
}

/// What an attempt with these draws is not told, where answers have gaps.
pub(super) fn gaps(gaps: AzureGaps, draws: Draws) -> Gaps {
    let strikes =
        |share: f64, purpose| if share > 0.0 { Some(draws.uniform(purpose)).filter(|drawn| *drawn < share) } else { None };
    let reset = strikes(gaps.vague_resets, Purpose::VagueReset);
    Gaps {
        reset: reset.map(|drawn| if 2.0 * drawn < gaps.vague_resets { "-1" } else { "0" }),
        retry_after: strikes(gaps.missing_retry_after, Purpose::MissingRetryAfter).is_some(),
    }
}

/// Resets are whole seconds, or anything.
pub(super) fn write_limits(standings: &[Standing], gaps: Gaps, headers: &mut HeaderMap) {
    for (resource, names) in [(Resource::Requests, REQUESTS), (Resource::Tokens, TOKENS)] {
        if let Some(standing) = scarcest(standings, resource) {
            write(standing, names, |reset| gaps.reset.map_or_else(|| seconds(reset).to_string(), str::to_owned), headers);
        }
    }
}

pub(super) fn error(refusal: Refusal, subject: Subject<'_>) -> Reply {
    match refusal {
        Refusal::KeyMissing => {
            #[derive(Serialize)]
            #[serde(rename_all = "camelCase")]
            struct Unauthorized {
                status_code: u16,
                message: &'static str,
            }
            let message = "Unauthorized. Access token is missing, invalid, audience is incorrect \
                           (https://cognitiveservices.azure.com), or have expired.";
            Reply::json(401, &Unauthorized { status_code: 401, message })
        }
        Refusal::KeyWrong { .. } | Refusal::Injected(401) => refused(
            401,
            "401",
            "Access denied due to invalid subscription key or wrong API endpoint. Make sure to provide a valid key for an active \
             subscription and use a correct regional API endpoint for your resource.",
        ),
        Refusal::Injected(403) => refused(403, "403", "Access denied due to Virtual Network/Firewall rules."),
        Refusal::RouteUnknown => refused(404, "404", "Resource not found"),
        Refusal::ModelUnknown { .. } | Refusal::Injected(404) => refused(
            404,
            "DeploymentNotFound",
            "The API deployment for this resource does not exist. If you created the deployment within the last 5 minutes, please \
             wait a moment and try again.",
        ),
        Refusal::Injected(408) => refused(408, "Timeout", "The operation was timeout."),
        Refusal::RateLimited { resource, retry_after: wait }
        | Refusal::LimitReached(LimitReached::Rate { resource, wait, .. }) => {
            rate_limited(subject, if resource == Resource::Requests { "call rate limit" } else { "token rate limit" }, Some(wait))
        }
        Refusal::Injected(429) => rate_limited(subject, "call rate limit", Some(INJECTED_WAIT)),
        Refusal::LimitReached(LimitReached::Concurrency { .. }) => rate_limited(subject, "call rate limit", None),
        Refusal::TooManyInFlight => refused(
            429,
            "NoCapacity",
            "The system is currently experiencing high demand and cannot process your request. Your request exceeds the maximum \
             usage size allowed during peak load.",
        ),
        // What the gateway has no words for comes from the model behind it.
        other => {
            let error = WireError::new(other, subject);
            let (wait, allow) = (error.retry_after, error.allow);
            Reply::from(error).retry_after_and_ms(wait).allow(allow)
        }
    }
}

/// `limit` is the limit's name within the sentence.
fn rate_limited(subject: Subject<'_>, limit: &str, wait: Option<Duration>) -> Reply {
    let after = wait.map_or(String::new(), |wait| format!(" Please retry after {} seconds.", seconds(wait)));
    let message = format!(
        "Requests to the {} Operation under Azure OpenAI API version {} have exceeded {limit} of your \
         current OpenAI S0 pricing tier.{after} Please go here: https://aka.ms/oai/quotaincrease if you would like to further \
         increase the default rate limit.",
        operation(subject.path),
        api_version(subject.query)
    );
    refused(429, "429", &message).retry_after_and_ms(wait)
}

/// The version that a caller names, as it names it.
fn api_version(query: Option<&str>) -> &str {
    let named = query.unwrap_or_default().split('&').find_map(|pair| pair.strip_prefix("api-version="));
    named.filter(|version| !version.is_empty()).unwrap_or(API_VERSION)
}

/// What the endpoint of a path is called. Of the chat's alone the name is known from messages; the others are formed like it.
fn operation(path: &str) -> &'static str {
    const NAMED: [(&str, &str); 4] = [
        ("/embeddings", "Embeddings_Create"),
        ("/responses", "Responses_Create"),
        ("/chat/completions", "ChatCompletions_Create"),
        ("/completions", "Completions_Create"),
    ];
    NAMED.iter().find(|(end, _)| path.ends_with(end)).map_or("ChatCompletions_Create", |(_, name)| name)
}

fn refused(status: u16, code: &str, message: &str) -> Reply {
    #[derive(Serialize)]
    struct Error<'a> {
        code: &'a str,
        message: &'a str,
    }
    Reply::json(status, &Enveloped { error: Error { code, message } })
}
