//! Profiles by name, and from files.

use super::Profile;
use crate::config::{self, LoadError};

/// The profiles that are compiled in, with their TOML.
const BUILTIN: [(&str, &str); 11] = [
    ("instant", include_str!("../../../fixtures/profiles/instant.toml")),
    ("holysheep", include_str!("../../../fixtures/profiles/holysheep.toml")),
    ("steady", include_str!("../../../fixtures/profiles/steady.toml")),
    ("heavy-tail", include_str!("../../../fixtures/profiles/heavy-tail.toml")),
    ("saturating", include_str!("../../../fixtures/profiles/saturating.toml")),
    ("flaky", include_str!("../../../fixtures/profiles/flaky.toml")),
    ("outage", include_str!("../../../fixtures/profiles/outage.toml")),
    ("rate-limited", include_str!("../../../fixtures/profiles/rate-limited.toml")),
    ("openai", include_str!("../../../fixtures/profiles/openai.toml")),
    ("cloudflare", include_str!("../../../fixtures/profiles/cloudflare.toml")),
    ("groq", include_str!("../../../fixtures/profiles/groq.toml")),
];

impl Profile {
    /// A built-in profile by its name, or the file at a path: whatever contains a `/` or ends in `.toml`.
    ///
    /// # Errors
    ///
    /// When there is none, when the file cannot be read, and when it is wrong.
    pub fn load(name_or_path: &str) -> Result<Self, LoadError> {
        config::load("profile", name_or_path, &BUILTIN, Self::parse)
    }

    /// The names of the profiles that are compiled in.
    pub fn builtin_names() -> impl ExactSizeIterator<Item = &'static str> + Clone {
        BUILTIN.iter().map(|(name, _)| *name)
    }

    /// What a built-in profile is, in a sentence: the first of the comment that it begins with.
    pub fn builtin_summary(name: &str) -> Option<String> {
        let comment = Self::builtin_toml(name)?.lines().map_while(|line| line.strip_prefix("# "));
        let text = comment.collect::<Vec<_>>().join(" ");
        let end = text.find(". ").map_or(text.len(), |end| end + 1);
        Some(text[..end].to_owned())
    }

    /// A built-in profile as it is written, to be copied and changed.
    pub fn builtin_toml(name: &str) -> Option<&'static str> {
        BUILTIN.iter().find(|(known, _)| *known == name).map(|(_, toml)| *toml)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::profile::{Curve, Latency};

    fn curve(profile: &Profile) -> &Curve {
        match &profile.latency {
            Latency::Curve(curve) => curve,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn every_builtin_profile_is_valid_and_is_called_as_it_is_found() {
        for name in Profile::builtin_names() {
            assert_eq!(Profile::load(name).unwrap().name(), name);
        }
    }

    #[test]
    fn holysheep_has_the_published_figures_at_every_published_level() {
        let published = [
            (50, 423e6, 612e6, 789e6, 0.998),
            (100, 612e6, 845e6, 1102e6, 0.996),
            (200, 847e6, 1234e6, 1567e6, 0.993),
            (500, 1456e6, 2123e6, 2789e6, 0.987),
        ];
        let profile = Profile::load("holysheep").unwrap();
        for (point, (in_flight, mean, p95, p99, success)) in curve(&profile).points.iter().zip(published) {
            assert_eq!(point.in_flight, in_flight);
            assert_eq!((point.latency.quantile(0.95), point.latency.quantile(0.99)), (p95, p99));
            assert!((point.latency.mean() / mean - 1.0).abs() < 0.003, "{in_flight}: {}", point.latency.mean());
            assert!((1.0 - point.failure_share - success).abs() < 1e-12);
        }
        assert_eq!(curve(&profile).points.len(), published.len());
    }

    #[test]
    fn an_unknown_name_is_answered_with_the_nearest() {
        let refusal = |name| Profile::load(name).unwrap_err().to_string();
        assert!(refusal("hollysheep").contains("did you mean \"holysheep\"?"));
        assert!(
            refusal("zzz").contains(
                "known here: instant, holysheep, steady, heavy-tail, saturating, flaky, outage, rate-limited, openai, cloudflare, groq;"
            )
        );
        assert!(refusal("./missing.toml").starts_with("cannot read the profile ./missing.toml"));
    }
}
