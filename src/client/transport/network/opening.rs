//! What can be seen of reqwest's connections: that one was opened, how long that took, what it speaks, and its own address, by
//! which a response tells its connection.

use std::collections::HashMap;
use std::error::Error as StdError;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};

use hyper::http::Extensions;
use hyper_util::client::legacy::connect::{Connection as _, HttpInfo};
use relaybench_clock::now;
use tower_layer::Layer;
use tower_service::Service;

use crate::client::attempt::Connection;
use crate::client::connector::Identity;
use crate::client::error::ErrorKind;
use crate::client::pool::Meter;
use crate::client::transport::lanes::Lanes;
use crate::client::transport::{Known, Scope};

type BoxError = Box<dyn StdError + Send + Sync>;

/// The connections of a client, by their own address: no two are open at once under one. As many as there are ports, at most.
pub(super) struct Book {
    meter: Arc<Meter>,
    connections: Mutex<HashMap<SocketAddr, Identity>>,
}

impl Book {
    pub(super) fn new(meter: Arc<Meter>) -> Arc<Self> {
        Arc::new(Self { meter, connections: Mutex::default() })
    }

    fn opened(&self, address: Option<SocketAddr>, is_http2: bool) {
        let identity = Identity::new(self.meter.opened(), is_http2);
        if let Some(address) = address {
            self.connections().insert(address, identity);
        }
    }

    /// The connection of a response or an error, as one more use of it.
    pub(super) fn connection_of(&self, extensions: &Extensions) -> Option<Connection> {
        let address = extensions.get::<HttpInfo>()?.local_addr();
        self.connections().get(&address).map(Identity::take)
    }

    fn connections(&self) -> MutexGuard<'_, HashMap<SocketAddr, Identity>> {
        // Nothing panics while it is held.
        self.connections.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Stands around reqwest's connector in one lane.
#[derive(Clone)]
pub(super) struct Opening<C = ()> {
    lanes: Lanes,
    lane: usize,
    book: Arc<Book>,
    connector: C,
}

impl Opening {
    pub(super) fn new(lanes: Lanes, lane: usize, book: Arc<Book>) -> Self {
        Self { lanes, lane, book, connector: () }
    }
}

impl<C> Layer<C> for Opening {
    type Service = Opening<C>;

    fn layer(&self, connector: C) -> Opening<C> {
        Opening { lanes: self.lanes.clone(), lane: self.lane, book: Arc::clone(&self.book), connector }
    }
}

impl<C, D> Service<D> for Opening<C>
where
    C: Service<D, Error = BoxError> + Clone + Send + 'static,
    C::Response: hyper_util::client::legacy::connect::Connection + Send,
    C::Future: Send,
    D: Send + 'static,
{
    type Response = C::Response;
    type Error = BoxError;
    type Future = Pin<Box<dyn Future<Output = Result<C::Response, BoxError>> + Send>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.connector.poll_ready(cx)
    }

    fn call(&mut self, destination: D) -> Self::Future {
        // What was found ready is called, and a clone takes its place.
        let ready = self.connector.clone();
        let mut opening = self.clone();
        opening.connector = std::mem::replace(&mut self.connector, ready);
        let scope = Scope::current().unwrap_or_default();
        Box::pin(async move { opening.open(destination, scope).await })
    }
}

impl<C> Opening<C> {
    async fn open<D>(mut self, destination: D, scope: Scope) -> Result<C::Response, BoxError>
    where
        C: Service<D, Error = BoxError>,
        C::Response: hyper_util::client::legacy::connect::Connection,
    {
        let turn = scope.unless_orphaned(self.lanes.pass_gate(self.lane)).await;
        scope.hold(turn.ok_or_else(|| Known::new(ErrorKind::Connect, "the request got another connection"))?);
        let began = now();
        let connection = self.connector.call(destination).await?;
        scope.record_connect(now() - began);
        let connected = connection.connected();
        let is_http2 = self.lanes.learn(connected.is_negotiated_h2())?;
        let mut extensions = Extensions::new();
        connected.get_extras(&mut extensions);
        self.book.opened(extensions.get::<HttpInfo>().map(HttpInfo::local_addr), is_http2);
        Ok(connection)
    }
}
