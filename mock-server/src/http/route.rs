//! Where a request goes, by its method and path.

use std::borrow::Cow;

use hyper::Method;
use percent_encoding::percent_decode_str;

use super::generation::Generation;
use crate::relay::Refusal;
use crate::wire::endpoint::Endpoint;

/// Whatever may be asked for.
pub(super) enum Route<'a> {
    Generation(Generation<'a>),
    Models,
    /// The model of this name.
    Model(Cow<'a, str>),
    Health,
}

pub(super) fn route<'a>(method: &Method, path: &'a str) -> Result<Route<'a>, Refusal> {
    let (allowed, route) = find(path).ok_or(Refusal::RouteUnknown)?;
    // Whatever may be read may be asked about without its body (RFC 9110, section 9.3.2).
    let is_look = *method == Method::HEAD && allowed == Method::GET;
    match *method == allowed || is_look {
        true => Ok(route),
        false => Err(Refusal::MethodWrong { allowed: if allowed == Method::POST { "POST" } else { "GET" } }),
    }
}

fn find(path: &str) -> Option<(Method, Route<'_>)> {
    if path == "/healthz" {
        return Some((Method::GET, Route::Health));
    }
    let Within { route, deployment } = within(path)?;
    if let Some(endpoint) = endpoint(route) {
        return Some((Method::POST, Route::Generation(Generation { endpoint, deployment: deployment.map(decoded) })));
    }
    let id = route.strip_prefix("models")?;
    match id.strip_prefix('/') {
        None if id.is_empty() => Some((Method::GET, Route::Models)),
        Some(id) if !id.is_empty() => Some((Method::GET, Route::Model(decoded(id)))),
        _ => None,
    }
}

/// A name within a path, in which clients encode what has a meaning there (RFC 3986, section 2.1), such as the slash of a model's.
fn decoded(name: &str) -> Cow<'_, str> {
    if !name.contains('%') {
        return name.into();
    }
    // What is no text once it is decoded names nothing, and stays as it was sent.
    String::from_utf8(percent_decode_str(name).collect()).map_or(name.into(), Cow::Owned)
}

fn endpoint(route: &str) -> Option<Endpoint> {
    Some(match route {
        "chat/completions" => Endpoint::Chat,
        "completions" => Endpoint::Text,
        "responses" => Endpoint::Responses,
        "embeddings" => Endpoint::Embeddings,
        "messages" => Endpoint::Messages,
        _ => return None,
    })
}

/// A route behind whatever a provider's base URL has before it.
struct Within<'a> {
    route: &'a str,
    /// The model, where the base URL names it.
    deployment: Option<&'a str>,
}

/// `/v1`; Groq's and Azure's `/openai/v1`, OpenRouter's `/api/v1`, Cloudflare's `/client/v4/accounts/{account}/ai/v1`, and Azure's
/// older `/openai/deployments/{deployment}`.
fn within(path: &str) -> Option<Within<'_>> {
    if let Some(rest) = path.strip_prefix("/openai/deployments/") {
        let (deployment, route) = rest.split_once('/').filter(|(deployment, _)| !deployment.is_empty())?;
        return Some(Within { route, deployment: Some(deployment) });
    }
    let base = match path.strip_prefix("/client/v4/accounts/") {
        Some(rest) => rest.split_once('/')?.1.strip_prefix("ai")?,
        None => ["/openai", "/api"].iter().find_map(|prefix| path.strip_prefix(prefix)).unwrap_or(path),
    };
    base.strip_prefix("/v1/").map(|route| Within { route, deployment: None })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn endpoint_of(path: &str) -> Option<(Endpoint, Option<Cow<'_, str>>)> {
        match find(path) {
            Some((_, Route::Generation(Generation { endpoint, deployment }))) => Some((endpoint, deployment)),
            _ => None,
        }
    }

    #[test]
    fn a_route_is_found_behind_every_providers_base() {
        for base in ["/v1", "/openai/v1", "/api/v1", "/client/v4/accounts/0a/ai/v1"] {
            assert_eq!(endpoint_of(&format!("{base}/chat/completions")), Some((Endpoint::Chat, None)), "{base}");
            for name in ["a/b", "a%2Fb", "a%2fb"] {
                let path = format!("{base}/models/{name}");
                assert!(matches!(find(&path), Some((_, Route::Model(id))) if id == "a/b"), "{path}");
            }
        }
        assert_eq!(endpoint_of("/openai/deployments/gpt-4o/embeddings"), Some((Endpoint::Embeddings, Some("gpt-4o".into()))));
        assert_eq!(
            endpoint_of("/openai/deployments/my%20gpt%2F4/embeddings"),
            Some((Endpoint::Embeddings, Some("my gpt/4".into())))
        );
    }

    #[test]
    fn what_may_be_read_may_be_asked_about_without_its_body() {
        assert!(matches!(route(&Method::HEAD, "/healthz"), Ok(Route::Health)));
        assert!(matches!(route(&Method::HEAD, "/v1/models/a"), Ok(Route::Model(id)) if id == "a"));
        assert!(route(&Method::HEAD, "/v1/chat/completions").is_err() && route(&Method::POST, "/healthz").is_err());
    }

    #[test]
    fn nothing_is_found_elsewhere() {
        for path in [
            "/",
            "/v1",
            "/v1/",
            "/v1/models/",
            "/v1/modelsx",
            "/v2/chat/completions",
            "/openai/deployments//chat/completions",
            "/client/v4/accounts/ai/v1/chat/completions",
            "/api/openai/v1/models",
        ] {
            assert!(find(path).is_none(), "{path}");
        }
    }
}
