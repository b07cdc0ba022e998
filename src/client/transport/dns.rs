//! Looking names up, and remembering the answer. Both transports use it.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use hyper_util::client::legacy::connect::dns::Name;
use relaybench_clock::{Instant, now};
use tokio::sync::Mutex;
use tower_service::Service;

use super::fault::Known;
use crate::client::error::ErrorKind;

/// How long a failed look-up is remembered: enough for a burst of connects to share one, short enough to recover at once.
const FAILURE_TTL: Duration = Duration::from_millis(500);

/// A resolver with a memory. Clones share it.
#[derive(Clone, Debug)]
pub(crate) struct Resolver {
    ttl: Duration,
    /// Locked during a look-up, so that a burst of connects asks once.
    known: Arc<Mutex<HashMap<String, Answer>>>,
}

#[derive(Clone, Debug)]
struct Answer {
    until: Instant,
    addresses: Result<Vec<SocketAddr>, Arc<std::io::Error>>,
}

impl Resolver {
    pub(crate) fn new(ttl: Duration) -> Self {
        Self { ttl, known: Arc::default() }
    }

    pub(crate) async fn resolve(&self, host: &str) -> Result<Vec<SocketAddr>, Known> {
        self.resolve_by(host, |host| async move { Ok(tokio::net::lookup_host((host, 0)).await?.collect()) }).await
    }

    async fn resolve_by<F>(&self, host: &str, look_up: impl FnOnce(String) -> F) -> Result<Vec<SocketAddr>, Known>
    where
        F: Future<Output = std::io::Result<Vec<SocketAddr>>>,
    {
        let mut known = self.known.lock().await;
        let addresses = match known.get(host) {
            Some(answer) if now() < answer.until => answer.addresses.clone(),
            _ => {
                let addresses = look_up(host.to_owned()).await.map_err(Arc::new);
                let ttl = if addresses.is_ok() { self.ttl } else { FAILURE_TTL };
                known.insert(host.to_owned(), Answer { until: now() + ttl, addresses: addresses.clone() });
                addresses
            }
        };
        addresses.map_err(|error| Known::new(ErrorKind::Dns, error))
    }
}

impl Service<Name> for Resolver {
    type Response = std::vec::IntoIter<SocketAddr>;
    type Error = Known;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Known>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Known>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, name: Name) -> Self::Future {
        let resolver = self.clone();
        Box::pin(async move { Ok(resolver.resolve(name.as_str()).await?.into_iter()) })
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use relaybench_clock::{run_virtual, sleep};

    use super::*;

    #[test]
    fn a_name_is_asked_for_once_while_it_is_trusted() {
        let lookups = run_virtual(async {
            let resolver = Resolver::new(Duration::from_secs(300));
            let lookups = AtomicU32::new(0);
            for wait_s in [0, 299, 1, 299] {
                sleep(Duration::from_secs(wait_s)).await;
                let answer = resolver.resolve_by("host", |_| async {
                    lookups.fetch_add(1, Ordering::Relaxed);
                    Ok(vec![SocketAddr::from(([127, 0, 0, 1], 0))])
                });
                assert_eq!(answer.await.unwrap().len(), 1);
            }
            lookups.into_inner()
        });
        assert_eq!(lookups, 2);
    }

    #[test]
    fn a_failed_look_up_is_tried_again_soon() {
        let lookups = run_virtual(async {
            let resolver = Resolver::new(Duration::from_secs(300));
            let lookups = AtomicU32::new(0);
            for wait_ms in [0, 499, 1] {
                sleep(Duration::from_millis(wait_ms)).await;
                let answer = resolver.resolve_by("host", |_| async {
                    lookups.fetch_add(1, Ordering::Relaxed);
                    Err(std::io::Error::other("no answer"))
                });
                assert_eq!(answer.await.unwrap_err().kind, ErrorKind::Dns);
            }
            lookups.into_inner()
        });
        assert_eq!(lookups, 2);
    }
}
