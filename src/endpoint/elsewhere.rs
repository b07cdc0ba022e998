//! The ledger of a mock relay in another process of this machine, read over its control routes.

use std::io;
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Empty};
use hyper::client::conn::http1;
use hyper::header::HOST;
use hyper::{Request, StatusCode, Uri};
use hyper_util::rt::TokioIo;
use relaybench_clock::{now, timeout_at};
use relaybench_mock::Entry;
use serde::Deserialize;
use tokio::net::TcpStream;

/// A relay on this machine answers at once, if it is one of ours.
const PATIENCE: Duration = Duration::from_secs(2);

/// Entries asked for at a time, some 500 bytes each.
const PAGE: u32 = 1000;

/// A ledger that is read from where it was read last.
#[derive(Clone, Debug)]
pub(super) struct LedgerElsewhere {
    authority: String,
    cursor: Arc<AtomicU64>,
    /// Which ledger it was by then.
    id: Arc<AtomicU64>,
    /// How often it had been emptied by then.
    emptied: Arc<AtomicU64>,
}

/// What was read.
#[derive(Debug, Default)]
pub(super) struct Read {
    pub(super) entries: Vec<Entry>,
    /// So many were no longer kept when they were asked for.
    pub(super) forgotten: u64,
    /// Whether the mock was started anew, and its ledger with it.
    pub(super) is_anew: bool,
}

#[derive(Debug, Deserialize)]
struct Page {
    entries: Vec<Entry>,
    next: u64,
    more: bool,
    forgotten: u64,
    #[serde(default)]
    ledger_id: u64,
    #[serde(default)]
    emptied: u64,
}

impl LedgerElsewhere {
    /// The ledger of whatever answers at a base URL, if it is a mock of ours that lets programs on this machine read it. Nobody else is
    /// asked, and no key is sent.
    pub(super) async fn at(base_url: &str) -> Option<Self> {
        let uri: Uri = base_url.parse().ok()?;
        let host = uri.host()?.trim_matches(['[', ']']);
        let is_here = host == "localhost" || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback());
        if uri.scheme_str() != Some("http") || !is_here {
            return None;
        }
        let ledger =
            Self { authority: uri.authority()?.to_string(), cursor: Arc::default(), id: Arc::default(), emptied: Arc::default() };
        ledger.skip().await.ok().map(|()| ledger)
    }

    /// Passes over all that has ended until now.
    pub(super) async fn skip(&self) -> io::Result<()> {
        let page = self.page(&format!("since={}&limit=1", u64::MAX)).await?;
        self.cursor.store(page.next, Relaxed);
        self.id.store(page.ledger_id, Relaxed);
        self.emptied.store(page.emptied, Relaxed);
        Ok(())
    }

    /// Reads what has ended since.
    pub(super) async fn read(&self) -> io::Result<Read> {
        let mut read = Read::default();
        loop {
            let cursor = self.cursor.load(Relaxed);
            let page = self.page(&format!("cursor={cursor}&limit={PAGE}")).await?;
            self.cursor.store(page.next, Relaxed);
            let is_another = page.ledger_id != self.id.swap(page.ledger_id, Relaxed);
            read.is_anew |= page.emptied != self.emptied.swap(page.emptied, Relaxed) || is_another;
            read.forgotten += page.forgotten.saturating_sub(cursor);
            read.entries.extend(page.entries);
            if !page.more {
                return Ok(read);
            }
        }
    }

    async fn page(&self, query: &str) -> io::Result<Page> {
        timeout_at(now() + PATIENCE, self.ask(query)).await.map_err(|_| io::ErrorKind::TimedOut)?
    }

    async fn ask(&self, query: &str) -> io::Result<Page> {
        let stream = TcpStream::connect(self.address()).await?;
        let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.map_err(io::Error::other)?;
        let request = Request::get(format!("/__admin/ledger?{query}")).header(HOST, &self.authority);
        let request = request.body(Empty::<Bytes>::new()).map_err(io::Error::other)?;
        let exchange = async {
            let response = sender.send_request(request).await.map_err(io::Error::other)?;
            if response.status() != StatusCode::OK {
                return Err(io::Error::other(response.status().to_string()));
            }
            let body = response.into_body().collect().await.map_err(io::Error::other)?;
            drop(sender);
            Ok(serde_json::from_slice(&body.to_bytes())?)
        };
        // The connection ends with its sender.
        let (page, _) = tokio::join!(exchange, connection);
        page
    }

    /// With the port that a URL without one means.
    fn address(&self) -> String {
        let has_port = self.authority.rsplit_once(':').is_some_and(|(_, port)| port.parse::<u16>().is_ok());
        if has_port { self.authority.clone() } else { format!("{}:80", self.authority) }
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Read as _, Write as _};
    use std::net::TcpListener;
    use std::thread;

    use relaybench_clock::Runtime;

    use super::*;

    fn at(base_url: &str) -> Option<LedgerElsewhere> {
        Runtime::new().unwrap().block_on(LedgerElsewhere::at(base_url))
    }

    #[test]
    fn who_is_not_on_this_machine_is_not_asked() {
        // Nothing of these can be looked up or connected to: an answer of any kind would take its time.
        for elsewhere in ["https://127.0.0.1/v1", "http://relay.example/v1", "http://192.0.2.1/v1", "no url"] {
            assert!(at(elsewhere).is_none(), "{elsewhere}");
        }
    }

    #[test]
    fn another_relay_on_this_machine_is_asked_once_and_gets_no_key() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let base_url = format!("http://{}/v1", listener.local_addr().unwrap());
        let asked = thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let (mut asked, mut piece) = (String::new(), [0; 1024]);
            while !asked.ends_with("\r\n\r\n") {
                let length = stream.read(&mut piece).unwrap();
                asked += std::str::from_utf8(&piece[..length]).unwrap();
            }
            stream.write_all(b"HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n").unwrap();
            asked
        });
        assert!(at(&base_url).is_none());
        let asked = asked.join().unwrap();
        assert!(asked.starts_with("GET /__admin/ledger?") && !asked.to_lowercase().contains("authorization"), "{asked}");
    }
}
