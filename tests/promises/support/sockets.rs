//! Relays on real sockets of this machine.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use relaybench::client::{Catalog, ClientBuilder, TransportKind};
use relaybench::{Client, Policy};
use tokio::net::{TcpListener, TcpStream};

use super::raw_relay::RawRelay;

pub(crate) const BOTH: [TransportKind; 2] = [TransportKind::Network, TransportKind::Hyper];

/// A client of a relay at this address.
pub(crate) fn client(address: SocketAddr, transport: TransportKind) -> ClientBuilder {
    Client::builder()
        .base_url(format!("http://{address}/v1"))
        .api_key("sk-test-secret")
        .policy(Policy::none())
        .models(Catalog::new(["gpt-4.1"]))
        .seed(1)
        .transport(transport)
}

/// Serves the script on a port of its own, until the runtime ends.
pub(crate) async fn serve(relay: &RawRelay) -> SocketAddr {
    let relay = relay.clone();
    accept(move |stream, _| {
        stream.set_nodelay(true)?;
        tokio::spawn(relay.clone().serve(stream));
        Ok(())
    })
    .await
}

/// Hands every connection, and its number from 0, to `handle`.
pub(crate) async fn accept(handle: impl Fn(TcpStream, usize) -> io::Result<()> + Send + 'static) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("a bound listener has an address");
    tokio::spawn(async move {
        let accepted = Arc::new(AtomicUsize::new(0));
        while let Ok((stream, _)) = listener.accept().await {
            let _ = handle(stream, accepted.fetch_add(1, Ordering::Relaxed));
        }
    });
    address
}
