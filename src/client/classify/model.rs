//! Whether an answer comes from the model that was asked.

/// Whether two names may be of one model: an alias and the dated version it stands for, with or without the provider's name.
///
/// `gpt-4.1` and `gpt-4.1-2025-04-14` are one, and so are `claude-3-5-sonnet-latest` and `claude-3-5-sonnet-20241022`; `gpt-4o`
/// and `gpt-4o-mini` are two.
pub(super) fn is_same(asked: &str, answered: &str) -> bool {
    let (asked, answered) = (asked.to_ascii_lowercase(), answered.to_ascii_lowercase());
    let (asked, answered) = (bare(&asked), bare(&answered));
    is_version_of(answered, asked) || is_version_of(asked, answered)
}

/// Without the provider before it (`openai/`, `models/`) and the variant of the service behind it (`:free`).
fn bare(name: &str) -> &str {
    let name = name.rsplit('/').next().unwrap_or(name);
    let name = name.split(':').next().unwrap_or(name);
    name.strip_suffix("-latest").unwrap_or(name)
}

fn is_version_of(name: &str, alias: &str) -> bool {
    match name.strip_prefix(alias) {
        Some("") => true,
        Some(rest) => rest.strip_prefix(['-', '@']).is_some_and(is_version),
        None => false,
    }
}

/// A date as providers write it (`2025-04-14`, `20250414`, `250414`, `0414`) or a number of three digits (`002`). Fewer digits
/// are part of a model's name.
fn is_version(text: &str) -> bool {
    let digits = text.bytes().filter(u8::is_ascii_digit).count();
    text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'-') && matches!(digits, 3 | 4 | 6 | 8)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_alias_and_its_version_are_one_model() {
        for (asked, answered) in [
            ("gpt-4.1", "gpt-4.1"),
            ("gpt-4.1", "gpt-4.1-2025-04-14"),
            ("gpt-4.1-2025-04-14", "gpt-4.1"),
            ("gpt-4", "gpt-4-0613"),
            ("openai/gpt-4o", "gpt-4o-2024-08-06"),
            ("deepseek/deepseek-chat:free", "deepseek/deepseek-chat"),
            ("claude-3-5-sonnet-latest", "claude-3-5-sonnet-20241022"),
            ("claude-sonnet-4", "claude-sonnet-4@20250514"),
            ("gemini-2.5-flash", "models/gemini-2.5-flash-002"),
            ("DeepSeek-V3.2", "deepseek-v3.2"),
        ] {
            assert!(is_same(asked, answered), "{asked} {answered}");
        }
    }

    #[test]
    fn another_model_is_another_one_however_alike_its_name() {
        for (asked, answered) in [
            ("gpt-4o", "gpt-4o-mini"),
            ("gpt-4o-mini", "gpt-4o"),
            ("gpt-4.1", "gpt-4"),
            ("gpt-4", "gpt-4.1"),
            ("gpt-4", "gpt-4-32k"),
            ("claude-3", "claude-3-5"),
            ("gpt-4.1", "deepseek-chat"),
            ("gpt-4.1", "gpt-4.1-"),
            ("gpt-4.1", ""),
        ] {
            assert!(!is_same(asked, answered), "{asked} {answered}");
        }
    }
}
