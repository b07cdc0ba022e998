//! A target that is running: what clients connect to, and the ledger where it keeps one.

use std::time::Duration;

use relaybench_clock::sleep;
use relaybench_mock::{Entry, Ledger, MockRelay, MockServer};

use crate::client::{ApiKey, Catalog, Client, Error, Policy, TransportKind, connector};
use crate::target::Live;

/// What a client needs to reach a target.
#[derive(Clone, Debug)]
pub(crate) struct Endpoint {
    base_url: String,
    key: ApiKey,
    /// None: every model is asked without a check.
    catalog: Option<Catalog>,
    reach: Reach,
    ledger: Option<Ledger>,
}

#[derive(Clone, Debug)]
enum Reach {
    Sockets(TransportKind),
    Memory(MockServer),
}

/// What a mock of ours is asked with. It takes any key, and this is no secret.
const MOCK_KEY: &str = "sk-relaybench";

impl Endpoint {
    /// A live endpoint.
    pub(crate) fn live(live: &Live, catalog: Option<Catalog>, transport: TransportKind) -> Self {
        Self { base_url: live.base_url.clone(), key: live.key.clone(), catalog, reach: Reach::Sockets(transport), ledger: None }
    }

    /// A mock relay over real sockets.
    pub(crate) fn relay(relay: &MockRelay, catalog: Option<Catalog>, transport: TransportKind) -> Self {
        Self {
            base_url: relay.base_url(),
            key: ApiKey::from(MOCK_KEY),
            catalog,
            reach: Reach::Sockets(transport),
            ledger: Some(relay.ledger().clone()),
        }
    }

    /// A mock served over connections in memory, on the runtime and the clock of whoever asks.
    pub(crate) fn in_memory(server: MockServer, catalog: Option<Catalog>) -> Self {
        let ledger = Some(server.ledger().clone());
        Self { base_url: "http://mock/v1".to_owned(), key: ApiKey::from(MOCK_KEY), catalog, reach: Reach::Memory(server), ledger }
    }

    /// A client of this endpoint with a pool of its own.
    ///
    /// # Errors
    ///
    /// When the base URL or the key is none.
    pub(crate) fn client(&self, policy: &Policy, seed: u64) -> Result<Client, Error> {
        let builder = Client::builder().base_url(&self.base_url).api_key(self.key.clone()).policy(policy.clone()).seed(seed);
        let builder = match &self.catalog {
            Some(catalog) => builder.models(catalog.clone()),
            None => builder.validate_models(false),
        };
        match &self.reach {
            Reach::Sockets(transport) => builder.transport(*transport).build(),
            Reach::Memory(server) => builder.connector(in_memory(server.clone())).build(),
        }
    }

    /// Takes what the ledger has gathered until now.
    pub(crate) fn ledger_so_far(&self) -> Vec<Entry> {
        self.ledger.as_ref().map(Ledger::drain).unwrap_or_default()
    }

    /// Takes what the ledger has gathered, once every attempt in it has ended. None where the target keeps no ledger of ours.
    pub(crate) async fn settled_ledger(&self) -> Option<Vec<Entry>> {
        /// How long the mock may take to notice that its callers are gone.
        const PATIENCE: Duration = Duration::from_secs(5);
        const STEP: Duration = Duration::from_millis(1);
        let ledger = self.ledger.as_ref()?;
        let mut waited = Duration::ZERO;
        while ledger.open() > 0 && waited < PATIENCE {
            sleep(STEP).await;
            waited += STEP;
        }
        Some(ledger.drain())
    }
}

fn in_memory(server: MockServer) -> connector::Connector {
    connector::memory(move || server.connect(), Duration::ZERO)
}
