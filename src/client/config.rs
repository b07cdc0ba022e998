//! Where requests go and with which key: parsed once, valid afterwards.

use std::collections::HashSet;
use std::fmt;
use std::sync::Arc;

use hyper::Uri;
use hyper::header::HeaderValue;
use hyper::http::uri::Authority;

use super::error::{Error, ErrorKind};

/// The key of an endpoint. Nothing prints it.
#[derive(Clone)]
pub struct ApiKey {
    key: Box<str>,
    /// How an echo of it may be written, itself first.
    forms: Arc<[String]>,
}

impl ApiKey {
    /// The `authorization` header, marked sensitive so that no table of headers shows it.
    pub(crate) fn header(&self) -> Result<HeaderValue, Error> {
        let mut header = HeaderValue::try_from(format!("Bearer {}", self.key))
            .map_err(|_| Error::config("the API key holds characters that no HTTP header may hold, such as a line break"))?;
        header.set_sensitive(true);
        Ok(header)
    }

    /// Whether a server's text echoes the key.
    pub(crate) fn is_in(&self, text: &str) -> bool {
        // Shorter ones occur by chance, and are no secrets.
        const SHORTEST: usize = 4;
        self.key.len() >= SHORTEST && self.forms.iter().any(|form| text.contains(form))
    }

    /// `text` without the key.
    pub(crate) fn redact(&self, text: String) -> String {
        if !self.is_in(&text) {
            return text;
        }
        self.forms.iter().fold(text, |text, form| text.replace(form, "***"))
    }
}

/// The key as it is, and as JSON and URLs may write what is no letter or digit: all of it, or only what has to be.
fn forms(key: &str) -> Vec<String> {
    const HARMLESS: [&str; 3] = ["", "-_.~", "-_.~+=:,;@!*"];
    let written = |kept: &str, escape: &dyn Fn(char) -> String| -> String {
        key.chars().map(|c| if c.is_ascii_alphanumeric() || kept.contains(c) { c.to_string() } else { escape(c) }).collect()
    };
    let slash = |c| if matches!(c, '/' | '"' | '\\') { format!("\\{c}") } else { c.to_string() };
    let lower = |c| format!("\\u{:04x}", u32::from(c));
    let upper = |c| format!("\\u{:04X}", u32::from(c));
    let percent = |c: char| c.to_string().bytes().map(|byte| format!("%{byte:02X}")).collect::<String>();
    let small_percent = |c: char| c.to_string().bytes().map(|byte| format!("%{byte:02x}")).collect::<String>();
    let escapes: [&dyn Fn(char) -> String; 4] = [&lower, &upper, &percent, &small_percent];
    let escaped = escapes.iter().flat_map(|escape| HARMLESS.map(|kept| written(kept, escape)));
    let mut forms: Vec<String> = [key.to_owned(), written("", &slash)].into_iter().chain(escaped).collect();
    let mut seen = HashSet::new();
    forms.retain(|form| seen.insert(form.clone()));
    forms
}

impl fmt::Debug for ApiKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

impl<T: Into<String>> From<T> for ApiKey {
    fn from(key: T) -> Self {
        let key = key.into().into_boxed_str();
        Self { forms: forms(&key).into(), key }
    }
}

/// Where an OpenAI-compatible API begins, such as `https://host/v1`. No slash at the end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct BaseUrl {
    text: String,
    pub(crate) is_tls: bool,
    /// Without the brackets of an IPv6 address.
    pub(crate) host: String,
    /// As the `host` header has it.
    pub(crate) authority: String,
}

impl BaseUrl {
    pub(crate) fn parse(text: &str) -> Result<Self, Error> {
        // A query may hold a key.
        let shown = text.split(['?', '#']).next().unwrap_or_default();
        let wrong = |what: &str| Error::config(format!("base URL {what}; write it like https://host/v1"));
        let trimmed = text.trim().trim_end_matches('/');
        // An URL with a password in it must not be shown, so it is judged before any message quotes it.
        if trimmed.contains('@') {
            return Err(wrong("must not hold a user or password"));
        }
        if trimmed.is_empty() {
            return Err(wrong("is missing"));
        }
        if !text.contains("://") {
            return Err(wrong(&format!("{shown:?} has no scheme")));
        }
        let uri: Uri = trimmed.parse().map_err(|_| wrong(&format!("{shown:?} is not a URL")))?;
        let is_tls = match uri.scheme_str() {
            Some("https") => true,
            Some("http") => false,
            _ => return Err(wrong(&format!("{shown:?} is neither http nor https"))),
        };
        let (Some(host), Some(authority)) = (uri.host(), uri.authority()) else {
            return Err(wrong(&format!("{shown:?} has no host")));
        };
        if uri.query().is_some() || trimmed.contains('#') {
            return Err(wrong(&format!("{shown:?} must end with its path")));
        }
        if uri.path() == "/" {
            return Err(wrong(&format!("{shown:?} lacks the path of the API")));
        }
        if uri.path().ends_with("/chat/completions") {
            return Err(wrong(&format!("{shown:?} names one endpoint, not where the API begins")));
        }
        Ok(Self {
            text: trimmed.to_owned(),
            is_tls,
            host: host.trim_matches(['[', ']']).to_owned(),
            authority: authority.as_str().to_owned(),
        })
    }

    /// The address of an endpoint below the base, such as `/chat/completions`.
    pub(crate) fn join(&self, endpoint: &str) -> Result<Uri, Error> {
        format!("{}{endpoint}", self.text)
            .parse()
            .map_err(|source| Error::of(ErrorKind::Config, format!("base URL {:?} is not a URL", self.text)).with_source(source))
    }

    /// The port, which the scheme has when the URL has none.
    pub(crate) fn port(&self) -> u16 {
        let written = self.authority.parse().ok().and_then(|authority: Authority| authority.port_u16());
        written.unwrap_or(if self.is_tls { 443 } else { 80 })
    }

    /// Whether the host is this machine: no proxy stands between.
    pub(crate) fn is_loopback(&self) -> bool {
        self.host == "localhost" || self.host.parse().is_ok_and(|ip: std::net::IpAddr| ip.is_loopback())
    }
}

impl fmt::Display for BaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_trailing_slash_is_tolerated() {
        let base = BaseUrl::parse("https://relay.example/v1/").unwrap();
        assert_eq!(base.join("/models").unwrap(), "https://relay.example/v1/models");
    }

    #[test]
    fn a_wrong_base_url_is_told_what_would_be_right() {
        for (text, why) in [
            ("api.example/v1", "has no scheme"),
            ("localhost:8080/v1", "has no scheme"),
            ("http://a b/v1", "is not a URL"),
            ("ftp://host/v1", "is neither http nor https"),
            ("https://host", "lacks the path of the API"),
            ("https://host/v1/chat/completions", "names one endpoint"),
            ("https://host/v1?key=1", "must end with its path"),
            ("", "is missing"),
        ] {
            let message = BaseUrl::parse(text).unwrap_err().to_string();
            assert!(message.contains(why), "{text:?}: {message}");
            assert!(message.ends_with("write it like https://host/v1"), "{text:?}: {message}");
        }
    }

    #[test]
    fn a_password_or_a_query_in_the_base_url_is_refused_and_not_shown() {
        for text in ["https://me:secret@host/v1", "https://host/v1?key=secret", "host/v1?key=secret", "https://host/v1#secret"] {
            let message = BaseUrl::parse(text).unwrap_err().to_string();
            assert!(!message.contains("secret"), "{message}");
        }
    }

    #[test]
    fn loopback_hosts_are_known() {
        for (text, expected) in [
            ("http://127.0.0.1:1/v1", true),
            ("http://[::1]:1/v1", true),
            ("http://localhost/v1", true),
            ("http://10.0.0.1/v1", false),
        ] {
            assert_eq!(BaseUrl::parse(text).unwrap().is_loopback(), expected, "{text}");
        }
    }

    #[test]
    fn debug_does_not_show_the_key() {
        assert_eq!(format!("{:?}", ApiKey::from("sk-secret")), "***");
    }

    #[test]
    fn a_key_is_found_however_json_or_a_url_writes_it() {
        let key = ApiKey::from("sk-a/b+c");
        for echo in [
            "sk-a/b+c",
            r"sk-a\/b+c",
            r"sk-a\u002fb\u002bc",
            r"sk-a\u002fb+c",
            r"sk-a\u002Fb\u002Bc",
            r"sk\u002da\u002fb\u002bc",
            "sk-a%2Fb%2Bc",
            "sk-a%2fb%2bc",
            "sk%2Da%2Fb%2Bc",
        ] {
            assert_eq!(key.redact(format!("key {echo}!")), "key ***!", "{echo}");
        }
        assert_eq!(key.redact("sk-a/b".to_owned()), "sk-a/b");
    }
}
