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
use tokio::task;
use tower_layer::Layer;
use tower_service::Service;

use crate::client::attempt::Connection;
use crate::client::connector::Identity;
use crate::client::pool::Meter;
use crate::client::transport::lanes::Lanes;
use crate::client::transport::{Known, Scope};

type BoxError = Box<dyn StdError + Send + Sync>;

/// The connections of a client, by the addresses of both ends: no two are open at once between the same. One end alone does not
/// tell them apart, since a port may be used towards several servers at once. At most [`MOST_KEPT`] are kept:
/// reqwest does not tell when one is closed, and a host may have had many addresses.
pub(super) struct Book {
    meter: Arc<Meter>,
    connections: Mutex<HashMap<Ends, Entry>>,
}

/// Far more than are open at once. Those that were opened first are forgotten first, and half of all at a time.
const MOST_KEPT: usize = 16_384;

/// Here and there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Ends {
    local: SocketAddr,
    remote: SocketAddr,
}

#[derive(Debug)]
struct Entry {
    identity: Identity,
    /// Which task drives it, once it has answered a request.
    task: Option<task::Id>,
}

impl Ends {
    fn of(extensions: &Extensions) -> Option<Self> {
        let info = extensions.get::<HttpInfo>()?;
        Some(Self { local: info.local_addr(), remote: info.remote_addr() })
    }
}

impl Book {
    pub(super) fn new(meter: Arc<Meter>) -> Arc<Self> {
        Arc::new(Self { meter, connections: Mutex::default() })
    }

    fn opened(&self, ends: Option<Ends>, is_http2: bool) -> Identity {
        let identity = Identity::new(self.meter.opened(), is_http2);
        if let Some(ends) = ends {
            let mut connections = self.connections();
            if connections.len() >= MOST_KEPT {
                let mut ids: Vec<u64> = connections.values().map(|entry| entry.identity.id()).collect();
                let (_, middle, _) = ids.select_nth_unstable(MOST_KEPT / 2);
                let middle = *middle;
                connections.retain(|_, entry| entry.identity.id() >= middle);
            }
            connections.insert(ends, Entry { identity: identity.clone(), task: None });
        }
        identity
    }

    /// The connection of a response or an error, as one more use of it.
    pub(super) fn connection_of(&self, extensions: &Extensions, scope: &Scope) -> Option<Connection> {
        self.answered(Ends::of(extensions)?, scope.carrier().0)
    }

    fn answered(&self, ends: Ends, carrier: Option<task::Id>) -> Option<Connection> {
        let mut connections = self.connections();
        let entry = connections.get_mut(&ends)?;
        entry.task = carrier.or(entry.task);
        Some(entry.identity.take())
    }

    /// The connection of a request that was sent and not answered, as one more use of it: the one that the same task drove when it
    /// answered another request, else the one that the attempt opened, if that has carried nothing yet. One that was opened for
    /// another attempt and never answered cannot be known.
    pub(super) fn connection_unanswered(&self, scope: &Scope) -> Option<Connection> {
        let (carrier, opened) = scope.carrier();
        self.unanswered(carrier?, opened)
    }

    fn unanswered(&self, carrier: task::Id, opened: Option<Identity>) -> Option<Connection> {
        let connections = self.connections();
        let answered_before = connections.values().find(|entry| entry.task == Some(carrier));
        let identity = answered_before.map(|entry| &entry.identity).or(opened.as_ref().filter(|opened| opened.is_fresh()))?;
        Some(identity.take())
    }

    fn connections(&self) -> MutexGuard<'_, HashMap<Ends, Entry>> {
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
        let scope = Scope::connecting();
        Box::pin(async move { opening.open(destination, scope).await })
    }
}

impl<C> Opening<C> {
    async fn open<D>(mut self, destination: D, scope: Scope) -> Result<C::Response, BoxError>
    where
        C: Service<D, Error = BoxError>,
        C::Response: hyper_util::client::legacy::connect::Connection,
    {
        scope.hold(scope.unless_orphaned(self.lanes.pass_gate(self.lane, &scope)).await.ok_or_else(Known::unwanted)?);
        let began = now();
        // The cap is on attempts, so that nothing is waited for any more but the connection itself.
        scope.record_dialing();
        let connect = scope.while_wanted(began, self.connector.call(destination));
        let connection = connect.await.ok_or_else(Known::unwanted)?.map_err(Known::connecting)?;
        let took = now() - began;
        let connected = connection.connected();
        let is_http2 = self.lanes.learn(connected.is_negotiated_h2())?;
        let mut extensions = Extensions::new();
        connected.get_extras(&mut extensions);
        let identity = self.book.opened(Ends::of(&extensions), is_http2);
        scope.record_connect(took, &identity);
        Ok(connection)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LOCAL: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 50_000);

    fn ends(remote_port: u16) -> Ends {
        Ends { local: LOCAL, remote: SocketAddr::new(LOCAL.ip(), remote_port) }
    }

    #[test]
    fn the_book_of_connections_is_bounded_and_forgets_the_oldest() {
        let book = Book::new(Arc::default());
        let ends = |number: u32| Ends {
            local: SocketAddr::new(std::net::Ipv4Addr::from(number).into(), 50_000),
            remote: SocketAddr::new(LOCAL.ip(), 1),
        };
        for number in 0..100_000 {
            book.opened(Some(ends(number)), false);
            assert!(book.answered(ends(number), None).is_some());
        }
        assert!(book.connections().len() <= MOST_KEPT);
        assert!(book.answered(ends(100_000 - MOST_KEPT as u32 / 2), None).is_some() && book.answered(ends(0), None).is_none());
    }

    #[test]
    fn connections_from_one_port_to_two_servers_are_two() {
        let book = Book::new(Arc::default());
        book.opened(Some(ends(1)), false);
        book.opened(Some(ends(2)), false);
        let used = |ends| book.answered(ends, None).map(|connection| (connection.id, connection.reused));
        assert_eq!([1, 2, 1].map(|port| used(ends(port))), [Some((1, false)), Some((2, false)), Some((1, true))]);
    }
}
