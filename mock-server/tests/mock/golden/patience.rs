//! OpenRouter's comments before the first token.

use relaybench_clock::run_virtual;

use super::matches_golden_of;
use crate::support::{chat, exchange, ms, server};

const SLOW: &str = "dialect = \"openrouter\"\ncompletion.tokens = { dist = \"fixed\", value = 2 }\n\
                    latency = { first_token = { dist = \"fixed\", value = \"1200ms\" }, inter_token = { dist = \"fixed\", value = \"900ms\" } }\n";

const FAILING: &str = "dialect = \"openrouter\"\n[capacity]\nmodel = \"curve\"\n\
                       [[capacity.point]]\nin_flight = 1\nlatency = { p50 = \"700ms\" }\nfailure_share = 1.0\n";

#[test]
fn a_slow_stream_and_a_late_failure_are_as_recorded() {
    matches_golden_of("openrouter", "stream-slow", SLOW, chat("", r#","stream":true"#));
    matches_golden_of("openrouter", "stream-failed-late", FAILING, chat("", r#","stream":true"#));
    // An answer in one piece is silent.
    matches_golden_of("openrouter", "failed-late", FAILING, chat("", ""));
}

#[test]
fn a_comment_comes_every_half_second_until_the_first_token_which_is_not_late() {
    run_virtual(async {
        let start = relaybench_clock::now();
        let parts = exchange(&server(SLOW), &chat("", r#","stream":true"#)).await;
        let at =
            |text: &str| -> Vec<_> { parts.iter().filter(|part| part.text.contains(text)).map(|part| part.at - start).collect() };
        assert_eq!(at("HTTP/1.1 200"), [ms(500)]);
        assert_eq!(at(": OPENROUTER PROCESSING"), [ms(500), ms(1000)]);
        assert_eq!(at("\"content\":\""), [ms(1200), ms(2100)]);
    });
}
