//! What carries one request and its response: reqwest (`network`) or hyper-util's client (`hyper`).

mod body;
mod dns;
mod fault;
mod hyper;
mod network;
mod scope;
mod tls;

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use ::hyper::body::{Body as _, Bytes, Incoming};
use ::hyper::{HeaderMap, Method};

pub(crate) use self::dns::Resolver;
pub(crate) use self::fault::{Fault, Known, Stage};
pub(crate) use self::hyper::HyperTransport;
pub(crate) use self::network::NetworkTransport;
pub(crate) use self::scope::Scope;

use super::attempt::Connection;

/// A transport, running.
pub(crate) enum Transport {
    Network(NetworkTransport),
    Hyper(HyperTransport),
}

/// One of the places below the base URL.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Endpoint {
    Chat,
    Models,
}

/// The addresses of the endpoints, in the form the transport wants them.
pub(crate) struct Addresses<T> {
    pub(crate) chat: T,
    pub(crate) models: T,
}

impl<T> Addresses<T> {
    pub(crate) fn of(&self, endpoint: Endpoint) -> &T {
        match endpoint {
            Endpoint::Chat => &self.chat,
            Endpoint::Models => &self.models,
        }
    }
}

impl Endpoint {
    pub(crate) const CHAT_PATH: &str = "/chat/completions";
    pub(crate) const MODELS_PATH: &str = "/models";

    fn method(self) -> Method {
        match self {
            Self::Chat => Method::POST,
            Self::Models => Method::GET,
        }
    }
}

/// A request that is ready to leave.
pub(crate) struct Outgoing {
    pub(crate) endpoint: Endpoint,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
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
    pub(crate) async fn send(&self, outgoing: Outgoing, scope: &Scope) -> Result<Reply, Fault> {
        match self {
            Self::Network(transport) => transport.send(outgoing, scope).await,
            Self::Hyper(transport) => transport.send(outgoing, scope).await,
        }
    }
}

/// The body of a response, in pieces.
pub(crate) enum ReplyBody {
    Network(reqwest::Body),
    Hyper(Incoming),
}

impl ReplyBody {
    /// The next piece; `None` when the body is complete.
    pub(crate) fn poll_piece(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, Fault>>> {
        loop {
            let frame = match self {
                Self::Network(body) => {
                    ready!(Pin::new(body).poll_frame(cx)).map(|frame| frame.map_err(|error| Fault::new(error, Stage::Body)))
                }
                Self::Hyper(body) => {
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
        match self {
            Self::Network(body) => body.is_end_stream(),
            Self::Hyper(body) => body.is_end_stream(),
        }
    }
}
