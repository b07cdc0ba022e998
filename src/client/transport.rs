//! What carries one request and its response: reqwest (`network`) or hyper-util's client (`hyper`).

mod body;
mod dns;
mod fault;
mod hyper;
mod lanes;
mod network;
mod scope;
mod tls;

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use ::hyper::body::{Body as _, Bytes, Incoming};
use ::hyper::header::{ACCEPT, HeaderName, HeaderValue};
use ::hyper::{HeaderMap, Method};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

pub(crate) use self::dns::Resolver;
pub(crate) use self::fault::{Fault, Known, Stage};
pub(crate) use self::hyper::HyperTransport;
pub(crate) use self::lanes::Lanes;
pub(crate) use self::network::NetworkTransport;
pub(crate) use self::scope::Scope;
pub(crate) use self::tls::{Roots, roots_of_pem};

use self::body::RequestBody;
use self::lanes::Lease;
use super::attempt::Connection;
use super::config::BaseUrl;
use super::error::Error;
use super::request::RequestId;

/// A transport, running.
pub(crate) enum Transport {
    Network(Box<NetworkTransport>),
    Hyper(Box<HyperTransport>),
}

/// One of the places below the base URL.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Endpoint<'a> {
    Chat,
    Embeddings,
    Models,
    Model(&'a ModelPath),
}

/// The path of one model.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ModelPath(String);

impl ModelPath {
    /// Of this name, in which nothing can be taken for another part of the path.
    pub(crate) fn new(model: &str) -> Self {
        const KEPT: AsciiSet = NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');
        Self(format!("{}/{}", Endpoint::MODELS_PATH, utf8_percent_encode(model, &KEPT)))
    }
}

/// The addresses of the endpoints, in the form the transport wants them.
pub(crate) struct Addresses<T> {
    chat: T,
    embeddings: T,
    models: T,
    base: BaseUrl,
    parse: fn(&BaseUrl, &str) -> Result<T, Error>,
}

impl<T: Clone> Addresses<T> {
    /// Those below the base, which `parse` joins with a path.
    pub(crate) fn new(base: &BaseUrl, parse: fn(&BaseUrl, &str) -> Result<T, Error>) -> Result<Self, Error> {
        let at = |endpoint: Endpoint<'_>| parse(base, endpoint.path());
        let (chat, embeddings) = (at(Endpoint::Chat)?, at(Endpoint::Embeddings)?);
        Ok(Self { chat, embeddings, models: at(Endpoint::Models)?, base: base.clone(), parse })
    }

    /// Fails for the name of a model that is longer than an address may be.
    pub(crate) fn of(&self, endpoint: Endpoint<'_>) -> Result<T, Error> {
        match endpoint {
            Endpoint::Chat => Ok(self.chat.clone()),
            Endpoint::Embeddings => Ok(self.embeddings.clone()),
            Endpoint::Models => Ok(self.models.clone()),
            Endpoint::Model(_) => (self.parse)(&self.base, endpoint.path()),
        }
    }
}

impl Endpoint<'_> {
    const MODELS_PATH: &'static str = "/models";

    /// Below the base URL.
    pub(crate) fn path(&self) -> &str {
        match self {
            Self::Chat => "/chat/completions",
            Self::Embeddings => "/embeddings",
            Self::Models => Self::MODELS_PATH,
            Self::Model(path) => &path.0,
        }
    }

    pub(crate) fn method(self) -> Method {
        match self {
            Self::Chat | Self::Embeddings => Method::POST,
            Self::Models | Self::Model(_) => Method::GET,
        }
    }
}

/// One attempt's request. It borrows what attempts and requests share: futures that hold it are moved about.
#[derive(Clone, Copy)]
pub(crate) struct Outgoing<'a> {
    pub(crate) endpoint: Endpoint<'a>,
    /// What all requests of the client have in common.
    pub(crate) headers: &'a HeaderMap,
    pub(crate) accept: Accept,
    pub(crate) id: &'a RequestId,
    /// From 0.
    pub(crate) retry: u32,
    pub(crate) body: &'a Bytes,
}

/// What kind of response is wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Accept {
    Json,
    EventStream,
}

const REQUEST_ID: HeaderName = HeaderName::from_static("x-client-request-id");
const RETRY_COUNT: HeaderName = HeaderName::from_static("x-stainless-retry-count");

/// Adds what most requests have, and room for what each has of its own: a map that is cloned whole need not grow.
pub(crate) fn with_defaults(mut headers: HeaderMap) -> HeaderMap {
    headers.insert(ACCEPT, HeaderValue::from_static("application/json"));
    headers.insert(REQUEST_ID, HeaderValue::from_static(""));
    headers.insert(RETRY_COUNT, HeaderValue::from_static("0"));
    headers
}

impl Outgoing<'_> {
    fn headers(&self) -> HeaderMap {
        let mut headers = self.headers.clone();
        headers.insert(REQUEST_ID, self.id.header());
        if self.accept == Accept::EventStream {
            headers.insert(ACCEPT, HeaderValue::from_static("text/event-stream"));
        }
        if self.retry > 0 {
            headers.insert(RETRY_COUNT, HeaderValue::from(self.retry));
        }
        headers
    }

    fn body(&self, scope: &Scope) -> RequestBody {
        RequestBody::new(self.body.clone(), scope.clone())
    }
}

/// The head of a response, and its body to come.
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) body: ReplyBody,
    pub(crate) connection: Option<Connection>,
}

impl Transport {
    /// Sends the request and waits for the response's head. `scope` learns what happens meanwhile.
    pub(crate) async fn send(&self, outgoing: Outgoing<'_>, scope: &Scope) -> Result<Reply, Fault> {
        match self {
            Self::Network(transport) => transport.send(outgoing, scope).await,
            Self::Hyper(transport) => transport.send(outgoing, scope).await,
        }
    }

    /// The connection of an attempt that ended before it was answered, as one more use of it: the one to which the request was
    /// handed, if it was.
    pub(crate) fn connection_unanswered(&self, scope: &Scope) -> Option<Connection> {
        match self {
            Self::Network(transport) => transport.connection_unanswered(scope),
            Self::Hyper(_) => scope.chosen(),
        }
    }
}

/// The body of a response, in pieces.
pub(crate) struct ReplyBody {
    pieces: Pieces,
    /// The request counts as in flight on its connection until this is dropped.
    _lease: Option<Lease>,
}

enum Pieces {
    Network(reqwest::Body),
    Hyper(Incoming),
}

impl ReplyBody {
    fn network(body: reqwest::Body, lease: Option<Lease>) -> Self {
        Self { pieces: Pieces::Network(body), _lease: lease }
    }

    fn hyper(body: Incoming, lease: Option<Lease>) -> Self {
        Self { pieces: Pieces::Hyper(body), _lease: lease }
    }

    /// The next piece; `None` when the body is complete.
    pub(crate) fn poll_piece(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, Fault>>> {
        loop {
            let frame = match &mut self.pieces {
                Pieces::Network(body) => {
                    ready!(Pin::new(body).poll_frame(cx)).map(|frame| frame.map_err(|error| Fault::new(error, Stage::Body)))
                }
                Pieces::Hyper(body) => {
                    ready!(Pin::new(body).poll_frame(cx)).map(|frame| frame.map_err(|error| Fault::new(error, Stage::Body)))
                }
            };
            match frame.transpose()?.map(::hyper::body::Frame::into_data) {
                Some(Ok(piece)) => return Poll::Ready(Some(Ok(piece))),
                // Trailers say nothing that is needed.
                Some(Err(_)) => {}
                None => return Poll::Ready(None),
            }
        }
    }

    /// Whether nothing is to come any more.
    pub(crate) fn is_complete(&self) -> bool {
        match &self.pieces {
            Pieces::Network(body) => body.is_end_stream(),
            Pieces::Hyper(body) => body.is_end_stream(),
        }
    }
}
