//! Refusals and standings as they are kept, in every dialect.

use super::*;

/// Asks for something, and while that is answered for more, whose answer is compared with what is kept.
#[track_caller]
fn is_golden_after(dialect: &str, name: &str, toml: &str, first: Option<&'static str>, then: &'static str) {
    let toml = format!("dialect = \"{dialect}\"\n{ANSWERS}{toml}");
    let actual = run_virtual(async move {
        let server = server(&toml);
        let mut connection = connect(&server);
        if let Some(first) = first {
            connection.write_all(&chat("x-client-request-id: first\r\n", first)).await.unwrap();
        }
        sleep(ms(1)).await;
        text(&server, &chat("x-client-request-id: then\r\n", then)).await
    });
    is_golden(dialect, name, &actual);
}

/// Of OpenAI's own example: 29,937 are used and 385 asked for, less the millisecond between the two.
const SOME: (&str, &str) = (r#","max_tokens":29924"#, r#","max_tokens":372"#);
const TOKENS: &str = "[limits]\nrequests_per_minute = 500\ntokens_per_minute = 30000";
const DAILY: &str = "[limits]\nrequests_per_day = 1\ntokens_per_minute = 600\nwindow = \"sliding\"";
const AT_ONCE: &str = "[limits]\nconcurrency = 1\nrequests_per_minute = 10";
const LEFT: &str = "[limits]\nrequests_per_minute = 60\nrequests_per_day = 1000\ntokens_per_minute = 3000";

#[test]
fn refusals_and_standings_are_as_recorded() {
    let openai = |name: &str, toml: &str, first, then| is_golden_after("openai", name, toml, first, then);
    openai("completion-limited", LEFT, None, r#","max_tokens":100"#);
    openai("stream-limited", LEFT, None, r#","max_tokens":100,"stream":true"#);
    openai("429-tokens-too-large", TOKENS, None, r#","max_tokens":40000"#);
    openai("429-requests", "[limits]\nrequests_per_minute = 1\nwindow = \"fixed\"", Some(""), "");
    openai("429-tokens-per-day", "limits.tokens_per_day = 300", Some(""), "");
    let burst = format!("{TOKENS}\n[[burst]]\nevery = \"20s\"\nfor = \"2s\"\nretry_after = \"1234567us\"");
    openai("429-burst-limited", &burst, None, "");
    let anthropic = |name: &str, toml: &str, then| is_golden_after("anthropic", name, toml, Some(SOME.0), then);
    let of_kinds = format!("{TOKENS}\ninput_tokens_per_minute = 20\noutput_tokens_per_minute = 8000");
    anthropic("429-input-tokens", &of_kinds.replace("8000", "80000"), SOME.1);
    anthropic("429-output-tokens", &of_kinds.replace(" = 8000", " = 29930").replace(" = 20\n", " = 2000\n"), SOME.1);
    is_golden_after("anthropic", "headers-of-all-tokens", &of_kinds, None, r#","max_tokens":100"#);
    let of_kinds_alone = of_kinds.replace("\ntokens_per_minute = 30000", "");
    is_golden_after("anthropic", "headers-of-kinds-of-tokens", &of_kinds_alone, None, r#","max_tokens":100"#);
}

#[test]
fn refusals_and_standings_are_as_recorded_in_every_dialect() {
    for dialect in ["openai", "azure", "anthropic", "groq", "cloudflare", "openrouter", "litellm", "one-api", "vllm"] {
        is_golden_after(dialect, "429-tokens", TOKENS, Some(SOME.0), SOME.1);
        is_golden_after(dialect, "429-requests-per-day", DAILY, Some(""), "");
        is_golden_after(dialect, "429-concurrency", AT_ONCE, Some(""), "");
    }
}
