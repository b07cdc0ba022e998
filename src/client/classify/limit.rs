//! Which limit was reached: from code and type, else from words, else from headers, else from the status.
//!
//! The words are those of OpenAI, Anthropic, Azure, Groq, Cloudflare, OpenRouter, LiteLLM, one-api, new-api, DeepSeek, Moonshot,
//! Zhipu and DashScope, as their documentation and their users quote them.

use hyper::HeaderMap;

use super::told::Told;
use crate::client::error::Limit;

/// Which limit a refusal of this status speaks of; `None` when it speaks of none.
pub(super) fn of(status: u16, told: &Told, headers: &HeaderMap) -> Option<Limit> {
    let by_name = by_name(&told.code).or_else(|| by_name(&told.kind));
    let by_words = || by_words(&format!("{}\n{}", told.message, told.aside).to_lowercase());
    let said = by_name.or_else(by_words).or_else(|| by_resource(&told.kind));
    match said {
        // A fault of the request may be described with any words; only the credit is refused with such statuses too.
        Some(limit) if is_fault(status) && limit != Limit::Quota => None,
        Some(limit) => Some(limit),
        None if is_fault(status) => None,
        None => by_status(status, headers),
    }
}

fn is_fault(status: u16) -> bool {
    matches!(status, 400 | 401 | 403..=407 | 410..=412 | 414..=424)
}

/// Codes and types. They are one namespace, since relays put either into either.
fn by_name(name: &str) -> Option<Limit> {
    Some(match name {
        "insufficient_quota"
        | "credit_balance_exhausted"
        | "billing_hard_limit_reached"
        | "billing_not_active"
        | "billing_error"
        | "insufficient_credits"
        | "exceeded_current_quota_error"
        | "insufficient_user_quota"
        | "pre_consume_token_quota_failed"
        | "Arrearage"
        // Cloudflare's daily allocation; Zhipu's balance.
        | "3036"
        | "1113" => Limit::Quota,
        "request_too_large" | "tokens_limit_reached" => Limit::TooLarge,
        "slow_down"
        | "overloaded"
        | "overloaded_error"
        | "server_is_overloaded"
        | "engine_overloaded_error"
        | "capacity_exceeded"
        // Cloudflare: out of capacity.
        | "3040" => Limit::Overload,
        "concurrency_limit_exceeded"
        // Zhipu.
        | "1302" => Limit::Concurrency,
        _ => return None,
    })
}

/// In the order in which they are looked for: a message about the quota may also name requests and tokens, and one about the
/// length of a request always names both.
const WORDS: [(Limit, &[&str]); 6] = [
    (
        Limit::Quota,
        &[
            "exceeded your current quota",
            "credit balance is too low",
            "insufficient balance",
            "insufficient credits",
            "insufficient_quota",
            "requires more credits",
            "daily free allocation",
            "额度不足",
            "余额不足",
            "额度已用尽",
            "欠费",
        ],
    ),
    (Limit::TooLarge, &["request too large"]),
    (Limit::Concurrency, &["concurren", "并发"]),
    (
        Limit::Overload,
        &["overload", "at capacity", "over capacity", "out of capacity", "capacity temporarily exceeded", "too busy", "负载"],
    ),
    (Limit::Tokens, &["tokens per", "(tpm)", "(tpd)", "token rate limit", "allocated quota exceeded"]),
    (
        Limit::Requests,
        &[
            "requests per",
            "(rpm)",
            "(rpd)",
            "call rate limit",
            "requests rate limit",
            "error code: 1015",
            "error 1015",
            "请求数限制",
            "请求次数",
        ],
    ),
];

fn by_words(text: &str) -> Option<Limit> {
    let said = WORDS.iter().find(|(_, words)| words.iter().any(|word| text.contains(word))).map(|(limit, _)| *limit);
    match said {
        Some(Limit::Tokens | Limit::Requests) if asks_too_much(text) => Some(Limit::TooLarge),
        said => said,
    }
}

/// `Limit 30000, Used 0, Requested 40000`: more than there will ever be.
fn asks_too_much(text: &str) -> bool {
    let figure = |name: &str| -> Option<u64> {
        let rest = &text[text.rfind(name)? + name.len()..];
        rest[..rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len())].parse().ok()
    };
    matches!((figure("limit "), figure("requested ")), (Some(limit), Some(requested)) if requested > limit)
}

/// OpenAI's type is the limited resource, also where the request is too large.
fn by_resource(kind: &str) -> Option<Limit> {
    match kind {
        "requests" => Some(Limit::Requests),
        "tokens" => Some(Limit::Tokens),
        _ => None,
    }
}

fn by_status(status: u16, headers: &HeaderMap) -> Option<Limit> {
    match status {
        402 => Some(Limit::Quota),
        413 => Some(Limit::TooLarge),
        429 => Some(by_headers(headers).unwrap_or(Limit::Unknown)),
        498 | 529 => Some(Limit::Overload),
        _ => None,
    }
}

/// The one resource of which nothing remains.
fn by_headers(headers: &HeaderMap) -> Option<Limit> {
    const REQUESTS: [(&str, &str); 2] = [
        ("x-ratelimit-limit-requests", "x-ratelimit-remaining-requests"),
        ("anthropic-ratelimit-requests-limit", "anthropic-ratelimit-requests-remaining"),
    ];
    const TOKENS: [(&str, &str); 4] = [
        ("x-ratelimit-limit-tokens", "x-ratelimit-remaining-tokens"),
        ("anthropic-ratelimit-tokens-limit", "anthropic-ratelimit-tokens-remaining"),
        ("anthropic-ratelimit-input-tokens-limit", "anthropic-ratelimit-input-tokens-remaining"),
        ("anthropic-ratelimit-output-tokens-limit", "anthropic-ratelimit-output-tokens-remaining"),
    ];
    let figure = |name: &str| headers.get(name)?.to_str().ok()?.trim().parse::<i64>().ok();
    // Azure sends a zero, or less, where it does not know: what has no limit is not used up.
    let is_empty =
        |(limit, remaining): &(&str, &str)| figure(limit).is_some_and(|limit| limit > 0) && figure(remaining) == Some(0);
    match (REQUESTS.iter().any(is_empty), TOKENS.iter().any(is_empty)) {
        (true, false) => Some(Limit::Requests),
        (false, true) => Some(Limit::Tokens),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_tell_where_words_do_not() {
        let of = |pairs: &[(&'static str, &'static str)]| {
            let headers = pairs.iter().map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap())).collect();
            of(429, &Told::default(), &headers)
        };
        let (limit, remaining) = (("x-ratelimit-limit-requests", "500"), ("x-ratelimit-remaining-requests", "0"));
        let some_tokens = [("x-ratelimit-limit-tokens", "30000"), ("x-ratelimit-remaining-tokens", "120")];
        assert_eq!(of(&[limit, remaining, some_tokens[0], some_tokens[1]]), Some(Limit::Requests));
        assert_eq!(
            of(&[("anthropic-ratelimit-output-tokens-limit", "8000"), ("anthropic-ratelimit-output-tokens-remaining", "0")]),
            Some(Limit::Tokens)
        );
        assert_eq!(of(&[some_tokens[0], some_tokens[1]]), Some(Limit::Unknown));
        // Azure, which does not know.
        assert_eq!(of(&[("x-ratelimit-limit-requests", "-1"), remaining]), Some(Limit::Unknown));
        assert_eq!(of(&[remaining]), Some(Limit::Unknown));
    }

    #[test]
    fn a_request_larger_than_the_limit_is_known_by_its_figures() {
        let told = |message: &str| Told { message: message.to_owned(), ..Told::default() };
        let text = |requested: u32| {
            told(&format!(
                "Rate limit reached for gpt-4.1 on tokens per min (TPM): Limit 30000, Used 29937, Requested {requested}."
            ))
        };
        assert_eq!(of(429, &text(385), &HeaderMap::new()), Some(Limit::Tokens));
        assert_eq!(of(429, &text(30_001), &HeaderMap::new()), Some(Limit::TooLarge));
    }
}
