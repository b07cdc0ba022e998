//! Where a request goes, by its method and path.

use hyper::Method;

use super::generation::Generation;
use crate::relay::Refusal;
use crate::wire::endpoint::Endpoint;

/// Whatever may be asked for.
#[derive(Clone, Copy)]
pub(super) enum Route<'a> {
    Generation(Generation<'a>),
    Models,
    /// The model of this name.
    Model(&'a str),
    Health,
}

pub(super) fn route<'a>(method: &Method, path: &'a str) -> Result<Route<'a>, Refusal> {
    let (allowed, route) = find(path).ok_or(Refusal::RouteUnknown)?;
    // Whoever looks after servers often wants no body.
    let is_look = *method == Method::HEAD && matches!(route, Route::Health);
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
        return Some((Method::POST, Route::Generation(Generation { endpoint, deployment })));
    }
    let id = route.strip_prefix("models")?;
    match id.strip_prefix('/') {
        None if id.is_empty() => Some((Method::GET, Route::Models)),
        Some(id) if !id.is_empty() => Some((Method::GET, Route::Model(id))),
        _ => None,
    }
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

    fn endpoint_of(path: &str) -> Option<(Endpoint, Option<&str>)> {
        match find(path) {
            Some((_, Route::Generation(Generation { endpoint, deployment }))) => Some((endpoint, deployment)),
            _ => None,
        }
    }

    #[test]
    fn a_route_is_found_behind_every_providers_base() {
        for base in ["/v1", "/openai/v1", "/api/v1", "/client/v4/accounts/0a/ai/v1"] {
            assert_eq!(endpoint_of(&format!("{base}/chat/completions")), Some((Endpoint::Chat, None)), "{base}");
            assert!(matches!(find(&format!("{base}/models/a/b")), Some((_, Route::Model("a/b")))), "{base}");
        }
        assert_eq!(endpoint_of("/openai/deployments/gpt-4o/embeddings"), Some((Endpoint::Embeddings, Some("gpt-4o"))));
    }

    #[test]
    fn health_may_be_asked_without_a_body() {
        assert!(matches!(route(&Method::HEAD, "/healthz"), Ok(Route::Health)));
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
