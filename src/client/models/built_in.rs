//! The models of the tutorial. They are code and not a file, so that the client alone needs no parser for them; `relaybench models
//! --format toml` writes them as a file. Prices are the vendors' own lists of 2025, before what relays make of them.

use super::KnownModel;
use crate::pricing::{Price, Quote};

pub(super) fn models() -> Vec<KnownModel> {
    vec![
        model("gpt-4.1", "GPT-4.1", OPENAI, 1_047_576, &["gpt-4.1-2025-04-14"], (2.0, 0.5, 8.0), "2025-04"),
        model("gpt-4o", "GPT-4o", OPENAI, 128_000, &["gpt-4o-2024-08-06"], (2.5, 1.25, 10.0), "2025-04"),
        model("gpt-4o-mini", "GPT-4o mini", OPENAI, 128_000, &["gpt-4o-mini-2024-07-18"], (0.15, 0.075, 0.6), "2025-04"),
        // The tutorial calls it Claude Sonnet 4.5, whose own name is claude-sonnet-4-5-20250929.
        model(
            "claude-sonnet-4-20250514",
            "Claude Sonnet 4",
            ANTHROPIC,
            200_000,
            &["claude-sonnet-4-0", "claude-sonnet-4", "claude-sonnet-4.5"],
            (3.0, 0.3, 15.0),
            "2025-05",
        ),
        model(
            "claude-3-5-sonnet-20241022",
            "Claude 3.5 Sonnet",
            ANTHROPIC,
            200_000,
            &["claude-3-5-sonnet-latest", "claude-3.5-sonnet"],
            (3.0, 0.3, 15.0),
            "2025-05",
        ),
        model("gemini-2.5-flash", "Gemini 2.5 Flash", GOOGLE, 1_048_576, &["gemini-flash-2.5"], (0.3, 0.075, 2.5), "2025-06"),
        model("deepseek-v3.2", "DeepSeek V3.2", DEEPSEEK, 128_000, &["deepseek-v3.2-exp"], (0.28, 0.028, 0.42), "2025-09"),
        model("deepseek-chat", "DeepSeek Chat", DEEPSEEK, 64_000, &["deepseek-v3"], (0.27, 0.07, 1.1), "2025-02"),
    ]
}

type Vendor = (&'static str, &'static str);

const OPENAI: Vendor = ("openai", "OpenAI's price list");
const ANTHROPIC: Vendor = ("anthropic", "Anthropic's price list");
const GOOGLE: Vendor = ("google", "Google's price list of the Gemini API");
const DEEPSEEK: Vendor = ("deepseek", "DeepSeek's price list");

/// Prices: input, cached input, output.
fn model(
    name: &str,
    label: &str,
    (vendor, source): Vendor,
    context_window: u64,
    aliases: &[&str],
    (input, cached_input, output): (f64, f64, f64),
    date: &str,
) -> KnownModel {
    KnownModel {
        name: name.to_owned(),
        label: Some(label.to_owned()),
        vendor: Some(vendor.to_owned()),
        context_window: Some(context_window),
        aliases: aliases.iter().map(|alias| (*alias).to_owned()).collect(),
        list_price: Some(Quote {
            price: Price {
                input_usd_per_mtok: input,
                cached_input_usd_per_mtok: Some(cached_input),
                output_usd_per_mtok: output,
            },
            source: source.to_owned(),
            date: date.to_owned(),
        }),
    }
}
