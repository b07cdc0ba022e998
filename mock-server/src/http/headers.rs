//! What of a request's headers concerns the relay.

use hyper::HeaderMap;
use hyper::http::HeaderValue;

/// The header that asks for a fault.
pub(super) const FAULT: &str = "x-mock-fault";
/// The header that tells a latency.
pub(super) const LATENCY: &str = "x-mock-latency";

/// The headers of a request that the relay knows; of one that comes several times, the first.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Headers<'a> {
    /// What the caller calls the request.
    pub(super) request_id: Option<&'a str>,
    /// Which try of it this is, from 0.
    pub(super) retry_count: Option<u32>,
    /// The caller's key.
    pub(super) key: Option<&'a str>,
    pub(super) fault: Option<&'a HeaderValue>,
    pub(super) latency: Option<&'a HeaderValue>,
    /// Of these two that which was sent twice.
    pub(super) repeated: Option<&'static str>,
}

impl<'a> Headers<'a> {
    /// Reads all in one pass: to look each up would mean to hash its name, for every request.
    pub(super) fn read(headers: &'a HeaderMap) -> Self {
        let [mut request_id, mut retry_count, mut fault, mut latency] = [None; 4];
        let mut repeated = None;
        let [mut authorization, mut x_api_key, mut api_key] = [None; 3];
        for (name, value) in headers {
            let found = match name.as_str() {
                "authorization" => &mut authorization,
                "x-client-request-id" => &mut request_id,
                "x-stainless-retry-count" => &mut retry_count,
                "x-api-key" => &mut x_api_key,
                "api-key" => &mut api_key,
                FAULT if fault.is_some() => {
                    repeated = Some(FAULT);
                    continue;
                }
                LATENCY if latency.is_some() => {
                    repeated = Some(LATENCY);
                    continue;
                }
                FAULT => &mut fault,
                LATENCY => &mut latency,
                _ => continue,
            };
            found.get_or_insert(value);
        }
        Self {
            request_id: request_id.and_then(text),
            retry_count: retry_count.and_then(text).and_then(|count| count.trim().parse().ok()),
            key: key(authorization, [x_api_key, api_key]),
            fault,
            latency,
            repeated,
        }
    }
}

/// The caller's key: a bearer token, or what Anthropic's clients and Azure's send instead.
fn key<'a>(authorization: Option<&'a HeaderValue>, others: [Option<&'a HeaderValue>; 2]) -> Option<&'a str> {
    const SCHEME: &str = "bearer ";
    let authorization = authorization.and_then(text).and_then(|value| value.split_at_checked(SCHEME.len()));
    let bearer = authorization.and_then(|(scheme, token)| scheme.eq_ignore_ascii_case(SCHEME).then_some(token));
    bearer.or_else(|| others.into_iter().flatten().find_map(text)).map(str::trim).filter(|key| !key.is_empty())
}

fn text(value: &HeaderValue) -> Option<&str> {
    value.to_str().ok()
}

#[cfg(test)]
mod tests {
    use hyper::http::HeaderName;

    use super::*;

    fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in pairs {
            headers.append(HeaderName::from_static(name), HeaderValue::from_static(value));
        }
        headers
    }

    fn key_of(pairs: &[(&'static str, &'static str)]) -> Option<String> {
        Headers::read(&headers(pairs)).key.map(str::to_owned)
    }

    #[test]
    fn a_bearer_token_comes_before_the_keys_of_other_clients() {
        let [bearer, anthropic, azure] = [("authorization", "BEARER  sk-1 "), ("x-api-key", "sk-2"), ("api-key", "sk-3")];
        assert_eq!(key_of(&[azure, anthropic, bearer]).as_deref(), Some("sk-1"));
        assert_eq!(key_of(&[azure, anthropic]).as_deref(), Some("sk-2"));
        assert_eq!(key_of(&[("authorization", "Basic sk-1"), azure]).as_deref(), Some("sk-3"));
        assert_eq!(key_of(&[("authorization", "Bearer  "), azure]), None);
        assert_eq!(key_of(&[("authorization", "Bearer")]), None);
    }

    #[test]
    fn of_several_headers_of_one_name_the_first_holds() {
        let headers = headers(&[("x-stainless-retry-count", "1"), ("x-mock-fault", "reset"), ("x-stainless-retry-count", "2")]);
        let read = Headers::read(&headers);
        assert_eq!((read.retry_count, read.fault.map(HeaderValue::as_bytes)), (Some(1), Some(b"reset".as_slice())));
    }
}
