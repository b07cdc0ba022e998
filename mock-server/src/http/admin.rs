//! Control: what the relay is, what it did, and starting it anew. None of it is an attempt.
//!
//! | route | |
//! |---|---|
//! | `GET /__admin/profile` | the profile in force, as TOML |
//! | `PUT /__admin/profile` | starts the profile in the body; a wrong one is answered 400, and nothing changes |
//! | `GET /__admin/ledger` | entries in memory, filtered and in pages |
//! | `POST /__admin/reset` | starts the profile in force anew |
//! | `GET /__admin/faults` | what is queued for the next attempts |
//! | `POST /__admin/faults` | queues `{"fault": "status=429", "count": 3}`, or an array of such |
//! | `DELETE /__admin/faults` | empties the queue |
//! | `GET /metrics` | counts, as Prometheus reads them |

mod faults;
mod metrics;
mod query;

use std::net::IpAddr;

use bytes::Bytes;
use http_body_util::{BodyExt, LengthLimitError, Limited};
use hyper::header::{ALLOW, AUTHORIZATION, CONTENT_TYPE, HOST, HeaderName, ORIGIN, WWW_AUTHENTICATE};
use hyper::http::HeaderValue;
use hyper::http::request::Parts;
use hyper::http::uri::Authority;
use hyper::{Method, Response, StatusCode, Version};
use serde::Serialize;
use serde_json::json;

use super::Cut;
use super::body::AnswerBody;
use super::connection::{Caller, RequestBody};
use crate::profile::Profile;
use crate::server::{AdminToken, MockServer, Peer};

/// A profile may be long: tables of quantiles and samples fit.
const LONGEST_BODY: usize = 4 << 20;

/// What the profile in force calls itself.
const PROFILE_NAME: HeaderName = HeaderName::from_static("x-mock-profile");

/// How a browser says whose page asks, and what it says where none does but the relay's own.
const SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");
const OF_NO_PAGE: [HeaderValue; 2] = [HeaderValue::from_static("none"), HeaderValue::from_static("same-origin")];

const JSON: &str = "application/json";

/// Whether a path is about the relay itself.
pub(super) fn is_about(path: &str) -> bool {
    path.starts_with("/__admin/") || path == "/metrics"
}

/// The answer, unless its caller leaves before all was asked.
pub(super) async fn answer(
    server: MockServer,
    caller: &Caller,
    head: &Parts,
    body: RequestBody,
) -> Result<Response<AnswerBody>, Cut> {
    if let Err(why) = authorize(server.admin_token(), caller.peer, head) {
        return Ok(denied(why));
    }
    // What is about a body is said of it, whether it is sent or not.
    let method = if head.method == Method::HEAD { &Method::GET } else { &head.method };
    Ok(match (head.uri.path(), method) {
        ("/__admin/profile", &Method::GET) => profile(&server.profile()),
        ("/__admin/profile", &Method::PUT) => match collected(body).await? {
            Some(body) => swap(&server, body),
            None => too_large(),
        },
        ("/__admin/profile", _) => wrong_method("GET, PUT"),
        ("/__admin/ledger", &Method::GET) => ledger(&server, head.uri.query().unwrap_or_default()),
        ("/__admin/ledger", _) => wrong_method("GET"),
        ("/__admin/reset", &Method::POST) => {
            server.reset();
            said(StatusCode::OK, json!({ "profile": server.profile().name() }))
        }
        ("/__admin/faults", &Method::GET) => said(StatusCode::OK, faults::shown(&server)),
        ("/__admin/faults", &Method::POST) => match collected(body).await? {
            Some(body) => faults::queue(&server, &body)
                .map_or_else(|wrong| refused(StatusCode::BAD_REQUEST, &wrong), |queued| said(StatusCode::OK, queued)),
            None => too_large(),
        },
        ("/__admin/faults", &Method::DELETE) => {
            server.clear_queue();
            said(StatusCode::OK, json!({ "queued": server.queued() }))
        }
        ("/__admin/faults", _) => wrong_method("GET, POST, DELETE"),
        ("/__admin/reset", _) => wrong_method("POST"),
        ("/metrics", &Method::GET) => with_type(StatusCode::OK, metrics::CONTENT_TYPE, metrics::text(&server)),
        ("/metrics", _) => wrong_method("GET"),
        (path, _) => {
            let known = "/__admin/profile, /__admin/ledger, /__admin/faults and /__admin/reset";
            refused(StatusCode::NOT_FOUND, &format!("there is no {path}; there are {known}"))
        }
    })
}

/// Why a caller may not.
enum Denied {
    Elsewhere,
    WithoutToken,
}

/// Who may: the holder of the token, from anywhere; where there is none, programs on this machine.
fn authorize(token: Option<&AdminToken>, peer: Peer, head: &Parts) -> Result<(), Denied> {
    let headers = &head.headers;
    let Some(token) = token else {
        // A page in a browser of this machine is from elsewhere; browsers name the page's origin when they change something.
        // Where only its address looks like this machine's, it still calls the relay by the name that it was given for it.
        let is_page = headers.contains_key(ORIGIN) || headers.get(SEC_FETCH_SITE).is_some_and(|site| !OF_NO_PAGE.contains(site));
        let is_program_here = peer == Peer::Here && !is_page && is_called_by_own_name(head);
        return if is_program_here { Ok(()) } else { Err(Denied::Elsewhere) };
    };
    let bearer = headers.get(AUTHORIZATION).and_then(|value| value.to_str().ok()).and_then(|value| value.split_once(' '));
    let is_known = bearer.is_some_and(|(scheme, sent)| scheme.eq_ignore_ascii_case("bearer") && token.is(sent.trim()));
    if is_known { Ok(()) } else { Err(Denied::WithoutToken) }
}

/// Whether a request is to this machine by a name that nobody else can give to it.
fn is_called_by_own_name(head: &Parts) -> bool {
    let named = || head.headers.get(HOST)?.to_str().ok()?.trim().parse::<Authority>().ok();
    match head.uri.authority().cloned().or_else(named) {
        Some(authority) => {
            let host = authority.host();
            let ip = host.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>();
            host.eq_ignore_ascii_case("localhost") || ip.is_ok_and(|ip| ip.is_loopback())
        }
        None => head.version == Version::HTTP_10 && !head.headers.contains_key(HOST),
    }
}

fn denied(why: Denied) -> Response<AnswerBody> {
    match why {
        Denied::Elsewhere => {
            let why = "only programs on this machine may, which call it localhost or by a loopback address; \
                       start the relay with an admin token";
            refused(StatusCode::FORBIDDEN, why)
        }
        Denied::WithoutToken => {
            let mut refused = refused(StatusCode::UNAUTHORIZED, "this needs the admin token, as a bearer token");
            refused.headers_mut().insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
            refused
        }
    }
}

fn profile(profile: &Profile) -> Response<AnswerBody> {
    let mut response = with_type(StatusCode::OK, "application/toml", profile.toml().to_owned());
    // A name may hold what no header may.
    if let Ok(name) = HeaderValue::from_str(profile.name()) {
        response.headers_mut().insert(PROFILE_NAME, name);
    }
    response
}

fn swap(server: &MockServer, body: Bytes) -> Response<AnswerBody> {
    let Ok(toml) = String::from_utf8(body.into()) else {
        return refused(StatusCode::BAD_REQUEST, "a profile is TOML, which is UTF-8");
    };
    match toml.parse::<Profile>() {
        Ok(profile) if profile.says_nothing() => {
            refused(StatusCode::BAD_REQUEST, "the body says nothing; write a profile of at least one key, such as seed = 1")
        }
        Ok(profile) => {
            let name = profile.name().to_owned();
            server.swap_profile(profile);
            said(StatusCode::OK, json!({ "profile": name }))
        }
        Err(error) => refused(StatusCode::BAD_REQUEST, &error.to_string()),
    }
}

/// All of a body, or none where it is too long.
async fn collected(body: RequestBody) -> Result<Option<Bytes>, Cut> {
    match Limited::new(body, LONGEST_BODY).collect().await {
        Ok(body) => Ok(Some(body.to_bytes())),
        Err(error) if error.is::<LengthLimitError>() => Ok(None),
        // Whoever is too slow was told so already, and whoever left reads nothing more.
        Err(_) => Err(Cut),
    }
}

fn too_large() -> Response<AnswerBody> {
    refused(StatusCode::PAYLOAD_TOO_LARGE, &format!("a body of at most {LONGEST_BODY} bytes is read"))
}

fn ledger(server: &MockServer, query: &str) -> Response<AnswerBody> {
    match query::parse(query) {
        Ok(query) => said(StatusCode::OK, server.ledger().page(&query)),
        Err(wrong) => refused(StatusCode::BAD_REQUEST, &wrong),
    }
}

fn wrong_method(allowed: &'static str) -> Response<AnswerBody> {
    let mut response = refused(StatusCode::METHOD_NOT_ALLOWED, &format!("this takes {allowed}"));
    response.headers_mut().insert(ALLOW, HeaderValue::from_static(allowed));
    response
}

fn refused(status: StatusCode, why: &str) -> Response<AnswerBody> {
    said(status, json!({ "error": why }))
}

fn said(status: StatusCode, value: impl Serialize) -> Response<AnswerBody> {
    // Names and numbers: nothing in it can fail.
    let mut json = serde_json::to_string(&value).unwrap_or_default();
    json.push('\n');
    with_type(status, JSON, json)
}

fn with_type(status: StatusCode, content_type: &'static str, body: String) -> Response<AnswerBody> {
    let mut response = Response::new(AnswerBody::unrecorded(body.into_bytes()));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    response
}
