//! A row for each dialect and failure.

use std::time::Duration;

use super::*;

/// Dialect and failure, status, body, kind, limit, and whether another try may succeed.
type Row = (&'static str, u16, &'static str, ErrorKind, Option<Limit>, bool);

const REFUSALS: &[Row] = &[
    (
        "openai: requests",
        429,
        r#"{"error":{"message":"Rate limit reached for gpt-4.1 on requests per min (RPM): Limit 500, Used 500, Requested 1. Please try again in 120ms.","type":"requests","param":null,"code":"rate_limit_exceeded"}}"#,
        ErrorKind::RateLimited,
        Some(Limit::Requests),
        true,
    ),
    (
        "openai: tokens",
        429,
        r#"{"error":{"message":"Rate limit reached for gpt-4.1 on tokens per min (TPM): Limit 30000, Used 29937, Requested 385. Please try again in 644ms.","type":"tokens","param":null,"code":"rate_limit_exceeded"}}"#,
        ErrorKind::RateLimited,
        Some(Limit::Tokens),
        true,
    ),
    (
        "openai: a type alone",
        429,
        r#"{"error":{"message":"no","type":"requests","param":null,"code":"rate_limit_exceeded"}}"#,
        ErrorKind::RateLimited,
        Some(Limit::Requests),
        true,
    ),
    (
        "openai: too large",
        429,
        r#"{"error":{"message":"Request too large for gpt-4.1 on tokens per min (TPM): Limit 30000, Requested 40000. The input or output tokens must be reduced in order to run successfully.","type":"tokens","param":null,"code":"rate_limit_exceeded"}}"#,
        ErrorKind::TooLarge,
        Some(Limit::TooLarge),
        false,
    ),
    (
        "openai: quota",
        429,
        r#"{"error":{"message":"You exceeded your current quota, please check your plan and billing details.","type":"insufficient_quota","param":null,"code":"insufficient_quota"}}"#,
        ErrorKind::InsufficientQuota,
        Some(Limit::Quota),
        false,
    ),
    (
        "openai: credit",
        429,
        r#"{"error":{"message":"no","type":"billing","code":"credit_balance_exhausted"}}"#,
        ErrorKind::InsufficientQuota,
        Some(Limit::Quota),
        false,
    ),
    (
        "openai: ramped too fast",
        429,
        r#"{"error":{"message":"Slow down","type":"rate_limit_error","code":"slow_down"}}"#,
        ErrorKind::RateLimited,
        Some(Limit::Overload),
        true,
    ),
    (
        "openai: overload",
        503,
        r#"{"error":{"message":"The engine is currently overloaded, please try again later","type":"service_unavailable_error","param":null,"code":"server_is_overloaded"}}"#,
        ErrorKind::Status(503),
        Some(Limit::Overload),
        true,
    ),
    (
        "openai: server error",
        500,
        r#"{"error":{"message":"The server had an error processing your request.","type":"server_error","param":null,"code":null}}"#,
        ErrorKind::Status(500),
        None,
        true,
    ),
    (
        "openai: key",
        401,
        r#"{"error":{"message":"Incorrect API key provided: sk-***.","type":"invalid_request_error","param":null,"code":"invalid_api_key"}}"#,
        ErrorKind::Status(401),
        None,
        false,
    ),
    (
        "openai: unknown model",
        404,
        r#"{"error":{"message":"The model `x` does not exist or you do not have access to it.","type":"invalid_request_error","param":null,"code":"model_not_found"}}"#,
        ErrorKind::Status(404),
        None,
        false,
    ),
    (
        "openai: a faulty request that speaks of limits",
        400,
        r#"{"error":{"message":"This model supports at most 128000 tokens per request; too many concurrent tools overload it.","type":"invalid_request_error","param":"messages","code":"context_length_exceeded"}}"#,
        ErrorKind::Status(400),
        None,
        false,
    ),
    (
        "anthropic: overload",
        529,
        r#"{"type":"error","error":{"type":"overloaded_error","message":"Overloaded"},"request_id":"req_1"}"#,
        ErrorKind::Status(529),
        Some(Limit::Overload),
        true,
    ),
    (
        "anthropic: input tokens",
        429,
        r#"{"type":"error","error":{"type":"rate_limit_error","message":"This request would exceed your organization's rate limit of 40,000 input tokens per minute."}}"#,
        ErrorKind::RateLimited,
        Some(Limit::Tokens),
        true,
    ),
    (
        "anthropic: concurrency",
        429,
        r#"{"type":"error","error":{"type":"rate_limit_error","message":"Number of concurrent connections has exceeded your rate limit."}}"#,
        ErrorKind::RateLimited,
        Some(Limit::Concurrency),
        true,
    ),
    (
        "anthropic: credit",
        400,
        r#"{"type":"error","error":{"type":"invalid_request_error","message":"Your credit balance is too low to access the Anthropic API."}}"#,
        ErrorKind::InsufficientQuota,
        Some(Limit::Quota),
        false,
    ),
    (
        "anthropic: too large",
        413,
        r#"{"type":"error","error":{"type":"request_too_large","message":"Request exceeds the maximum size"}}"#,
        ErrorKind::Status(413),
        Some(Limit::TooLarge),
        false,
    ),
    (
        "azure: calls",
        429,
        r#"{"error":{"code":"429","message":"Requests to the ChatCompletions_Create Operation under Azure OpenAI API version 2024-10-21 have exceeded call rate limit of your current OpenAI S0 pricing tier. Please retry after 7 seconds."}}"#,
        ErrorKind::RateLimited,
        Some(Limit::Requests),
        true,
    ),
    (
        "azure: tokens",
        429,
        r#"{"error":{"code":"429","message":"Requests to the ChatCompletions_Create Operation under Azure OpenAI API version 2024-10-21 have exceeded token rate limit of your current OpenAI S0 pricing tier. Please retry after 7 seconds."}}"#,
        ErrorKind::RateLimited,
        Some(Limit::Tokens),
        true,
    ),
    (
        "groq: tokens",
        429,
        r#"{"error":{"message":"Rate limit reached for model `m` in organization `o` service tier `on_demand` on tokens per minute (TPM): Limit 6000, Used 5900, Requested 385. Please try again in 2.85s.","type":"tokens","code":"rate_limit_exceeded"}}"#,
        ErrorKind::RateLimited,
        Some(Limit::Tokens),
        true,
    ),
    (
        "groq: requests of a day",
        429,
        r#"{"error":{"message":"Rate limit reached for model `m` on requests per day (RPD): Limit 1000, Used 1000, Requested 1. Please try again in 1m26.4s.","type":"requests","code":"rate_limit_exceeded"}}"#,
        ErrorKind::RateLimited,
        Some(Limit::Requests),
        true,
    ),
    (
        "groq: capacity",
        498,
        r#"{"error":{"message":"Flex tier capacity exceeded","type":"capacity_exceeded","code":"capacity_exceeded"}}"#,
        ErrorKind::Status(498),
        Some(Limit::Overload),
        true,
    ),
    (
        "cloudflare: daily quota",
        429,
        r#"{"errors":[{"message":"AiError: you have used up your daily free allocation of 10,000 neurons","code":3036}],"success":false,"result":{},"messages":[]}"#,
        ErrorKind::InsufficientQuota,
        Some(Limit::Quota),
        false,
    ),
    (
        "cloudflare: capacity",
        429,
        r#"{"errors":[{"message":"AiError: Capacity temporarily exceeded, please try again.","code":3040}],"success":false}"#,
        ErrorKind::RateLimited,
        Some(Limit::Overload),
        true,
    ),
    (
        "cloudflare: timeout",
        408,
        r#"{"errors":[{"message":"AiError: timeout","code":3007}],"success":false}"#,
        ErrorKind::Status(408),
        None,
        true,
    ),
    (
        "cloudflare: unknown model",
        400,
        r#"{"errors":[{"message":"AiError: No such model","code":5007}],"success":false}"#,
        ErrorKind::Status(400),
        None,
        false,
    ),
    ("cloudflare: a text", 429, "error code: 1015", ErrorKind::RateLimited, Some(Limit::Requests), true),
    ("cloudflare: the origin is slow", 524, "error code: 524", ErrorKind::Status(524), None, true),
    (
        "openrouter: credit",
        402,
        r#"{"error":{"code":402,"message":"Insufficient credits. Add more using https://openrouter.ai/credits"},"user_id":"u"}"#,
        ErrorKind::InsufficientQuota,
        Some(Limit::Quota),
        false,
    ),
    (
        "openrouter: the provider's words",
        429,
        r#"{"error":{"code":429,"message":"Provider returned error","metadata":{"raw":"Rate limit reached on tokens per min (TPM): Limit 30000, Used 30000, Requested 385.","provider_name":"P"}}}"#,
        ErrorKind::RateLimited,
        Some(Limit::Tokens),
        true,
    ),
    (
        "openrouter: no provider",
        502,
        r#"{"error":{"code":502,"message":"Provider returned error"}}"#,
        ErrorKind::Status(502),
        None,
        true,
    ),
    (
        "litellm: tokens",
        429,
        r#"{"error":{"message":"litellm.RateLimitError: RateLimitError: OpenAIException - Rate limit reached for gpt-4.1 on tokens per min (TPM): Limit 30000, Used 29937, Requested 385.","type":"throttling_error","param":null,"code":"429"}}"#,
        ErrorKind::RateLimited,
        Some(Limit::Tokens),
        true,
    ),
    (
        "litellm: quota behind a server error",
        500,
        r#"{"error":{"message":"litellm.APIError: OpenAIException - You exceeded your current quota","type":null,"code":"500"}}"#,
        ErrorKind::Status(500),
        Some(Limit::Quota),
        false,
    ),
    (
        "litellm: nothing told",
        429,
        r#"{"error":{"message":"litellm.RateLimitError: no","type":"throttling_error","param":null,"code":"429"}}"#,
        ErrorKind::RateLimited,
        Some(Limit::Unknown),
        true,
    ),
    (
        "one-api: no channel",
        503,
        r#"{"error":{"message":"当前分组 default 下对于模型 gpt-4.1 无可用渠道 (request id: 2026)","type":"one_api_error"}}"#,
        ErrorKind::Status(503),
        None,
        true,
    ),
    (
        "one-api: saturated",
        429,
        r#"{"error":{"message":"当前分组上游负载已饱和，请稍后再试 (request id: 2026)","type":"one_api_error","param":"","code":"429"}}"#,
        ErrorKind::RateLimited,
        Some(Limit::Overload),
        true,
    ),
    (
        "one-api: quota",
        403,
        r#"{"error":{"message":"用户额度不足 (request id: 2026)","type":"one_api_error","code":"insufficient_user_quota"}}"#,
        ErrorKind::InsufficientQuota,
        Some(Limit::Quota),
        false,
    ),
    (
        "new-api: the key's quota",
        401,
        r#"{"error":{"message":"该令牌额度已用尽 !token.UnlimitedQuota && token.RemainQuota = 0","type":"new_api_error"}}"#,
        ErrorKind::InsufficientQuota,
        Some(Limit::Quota),
        false,
    ),
    (
        "new-api: requests",
        429,
        r#"{"error":{"message":"您已达到请求数限制：1分钟内最多请求60次","type":"new_api_error"}}"#,
        ErrorKind::RateLimited,
        Some(Limit::Requests),
        true,
    ),
    (
        "one-api: the upstream's answer is no JSON",
        502,
        r#"{"error":{"message":"bad response status code 502","type":"upstream_error","param":"502","code":"bad_response_status_code"}}"#,
        ErrorKind::Status(502),
        None,
        true,
    ),
    (
        "moonshot: concurrency",
        429,
        r#"{"error":{"message":"Your account reached max organization concurrency: 1, please try again after 1 seconds","type":"rate_limit_reached_error"}}"#,
        ErrorKind::RateLimited,
        Some(Limit::Concurrency),
        true,
    ),
    (
        "zhipu: concurrency",
        429,
        r#"{"error":{"code":"1302","message":"您当前使用该API的并发数过高"}}"#,
        ErrorKind::RateLimited,
        Some(Limit::Concurrency),
        true,
    ),
    (
        "deepseek: balance",
        402,
        r#"{"error":{"message":"Insufficient Balance","type":"unknown_error","param":null,"code":"invalid_request_error"}}"#,
        ErrorKind::InsufficientQuota,
        Some(Limit::Quota),
        false,
    ),
    (
        "gemini: a list",
        429,
        r#"[{"error":{"code":429,"message":"Resource has been exhausted (e.g. check quota).","status":"RESOURCE_EXHAUSTED"}}]"#,
        ErrorKind::RateLimited,
        Some(Limit::Unknown),
        true,
    ),
    ("fastapi", 429, r#"{"detail":"too many concurrent requests"}"#, ErrorKind::RateLimited, Some(Limit::Concurrency), true),
    (
        "nginx: a page",
        429,
        "<html>\r\n<head><title>429 Too Many Requests</title></head></html>",
        ErrorKind::RateLimited,
        Some(Limit::Unknown),
        true,
    ),
    ("nginx: bad gateway", 502, "<html><h1>502 Bad Gateway</h1></html>", ErrorKind::Status(502), None, true),
    ("nothing", 429, "", ErrorKind::RateLimited, Some(Limit::Unknown), true),
    ("nothing at all", 503, "", ErrorKind::Status(503), None, true),
    ("broken JSON", 500, r#"{"error":{"mess"#, ErrorKind::Status(500), None, true),
];

#[test]
fn each_refusal_of_each_dialect_is_recognised() {
    for (what, code, body, kind, limit, may_pass) in REFUSALS {
        let failure = status(*code, &HeaderMap::new(), body.as_bytes(), SystemTime::UNIX_EPOCH);
        assert_eq!((failure.kind, failure.limit, failure.may_pass()), (*kind, *limit, *may_pass), "{what}");
        assert_eq!(failure.status, Some(*code), "{what}");
    }
}

#[test]
fn an_error_in_a_200_is_recognised_in_each_dialect() {
    for (what, body, limit, may_pass) in [
        (
            "openrouter: limit",
            r#"{"error":{"code":429,"message":"Rate limit exceeded: requests per day"}}"#,
            Some(Limit::Requests),
            true,
        ),
        ("openrouter: provider", r#"{"error":{"code":502,"message":"Provider disconnected"},"choices":[]}"#, None, true),
        ("openrouter: credit", r#"{"error":{"code":402,"message":"no"}}"#, Some(Limit::Quota), false),
        ("openrouter: a fault", r#"{"error":{"code":400,"message":"no"}}"#, None, false),
        ("openai: quota", r#"{"error":{"message":"no","type":"insufficient_quota","code":null}}"#, Some(Limit::Quota), false),
        ("openai: a fault", r#"{"error":{"message":"no","type":"invalid_request_error"}}"#, None, false),
        (
            "anthropic",
            r#"{"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}"#,
            Some(Limit::Overload),
            true,
        ),
        ("vllm", r#"{"object":"error","message":"no","type":"InternalServerError","code":500}"#, None, true),
        ("vllm: a fault", r#"{"object":"error","message":"no","type":"NotFoundError","code":404}"#, None, false),
        ("one-api", r#"{"error":{"message":"当前分组上游负载已饱和","type":"one_api_error"}}"#, Some(Limit::Overload), true),
        ("one-api: quota", r#"{"success":false,"message":"用户额度不足"}"#, Some(Limit::Quota), false),
        ("cloudflare", r#"{"errors":[{"code":3040,"message":"no"}],"success":false}"#, Some(Limit::Overload), true),
    ] {
        let failure = completion(&Bytes::from_static(body.as_bytes())).unwrap_err();
        assert_eq!((failure.kind, failure.limit, failure.may_pass()), (ErrorKind::InBand, limit, may_pass), "{what}");
    }
}

#[test]
fn a_wait_that_only_the_message_names_is_read_but_not_from_a_fault_of_the_request() {
    let body = br#"{"error":{"message":"Please retry after 7 seconds."}}"#;
    let hint = |code| status(code, &HeaderMap::new(), body, SystemTime::UNIX_EPOCH).hint;
    assert_eq!(hint(429), Some(Duration::from_secs(7)));
    assert_eq!(hint(400), None);
    assert_eq!(in_band(body).hint, Some(Duration::from_secs(7)));
}
