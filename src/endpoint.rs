//! A target that is running: what clients connect to, and the ledger where it keeps one.

mod elsewhere;

use std::time::Duration;

use relaybench_clock::{now, sleep};
use relaybench_mock::{Entry, Ledger, MockRelay, MockServer};

use crate::client::{ApiKey, Catalog, Client, Error, Policy, TransportKind, connector};
use crate::load::{LedgerLost, is_refused_connection};
use crate::target::Live;
use elsewhere::LedgerElsewhere;

/// What a client needs to reach a target.
#[derive(Clone, Debug)]
pub(crate) struct Endpoint {
    base_url: String,
    key: ApiKey,
    /// None: every model is asked without a check.
    catalog: Option<Catalog>,
    reach: Reach,
    books: Books,
}

/// Where the target keeps its ledger.
#[derive(Clone, Debug)]
enum Books {
    /// Nowhere that we know.
    None,
    Here(Ledger),
    Elsewhere(LedgerElsewhere),
}

/// The end of a stage as the ledger has it.
#[derive(Debug)]
pub(crate) struct Settled {
    /// What was not told before.
    pub(crate) entries: Vec<Entry>,
    /// Why that is not all.
    pub(crate) lost: Option<LedgerLost>,
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
        Self {
            base_url: live.base_url.clone(),
            key: live.key.clone(),
            catalog,
            reach: Reach::Sockets(transport),
            books: Books::None,
        }
    }

    /// A mock relay over real sockets.
    pub(crate) fn relay(relay: &MockRelay, catalog: Option<Catalog>, transport: TransportKind) -> Self {
        Self {
            base_url: relay.base_url(),
            key: ApiKey::from(MOCK_KEY),
            catalog,
            reach: Reach::Sockets(transport),
            books: Books::Here(relay.ledger().clone()),
        }
    }

    /// A mock served over connections in memory, on the runtime and the clock of whoever asks.
    pub(crate) fn in_memory(server: MockServer, catalog: Option<Catalog>) -> Self {
        let books = Books::Here(server.ledger().clone());
        Self { base_url: "http://mock/v1".to_owned(), key: ApiKey::from(MOCK_KEY), catalog, reach: Reach::Memory(server), books }
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

    /// With the ledger of the mock of ours that answers there, if one on this machine does.
    pub(crate) async fn with_ledger(self) -> Self {
        let books = match LedgerElsewhere::at(&self.base_url).await {
            Some(ledger) => Books::Elsewhere(ledger),
            None => self.books,
        };
        Self { books, ..self }
    }

    /// Before a stage: what others asked of the same mock until now is not its.
    pub(crate) async fn begin_stage(&self) {
        if let Books::Elsewhere(ledger) = &self.books {
            // A mock that is gone shows when it is asked for answers.
            let _ = ledger.skip().await;
        }
    }

    /// Takes what the ledger has gathered until now, where that costs nobody anything: a mock in another process is read when the stage is
    /// over, since making pages would delay its answers.
    pub(crate) fn ledger_so_far(&self) -> Vec<Entry> {
        match &self.books {
            Books::Here(ledger) => ledger.drain(),
            Books::None | Books::Elsewhere(_) => Vec::new(),
        }
    }

    /// Takes what the ledger has gathered, once every attempt in it has ended; of another process, once so many of the stage have, whose
    /// ids begin with `prefix`. None where the target keeps no ledger of ours.
    pub(crate) async fn settled_ledger(&self, prefix: &str, expected: usize) -> Option<Settled> {
        /// How long the mock may take to notice that its callers are gone.
        const PATIENCE: Duration = Duration::from_secs(5);
        const STEP: Duration = Duration::from_millis(1);
        let deadline = now() + PATIENCE;
        match &self.books {
            Books::None => None,
            Books::Here(ledger) => {
                let mut entries = Vec::new();
                loop {
                    // What has not ended is open; who was not let in yet is neither, and is there when it is noticed to be gone.
                    let is_over = ledger.open() == 0;
                    entries.extend(ledger.drain());
                    if (is_over && entries.len() >= expected) || now() >= deadline {
                        return Some(Settled { entries, lost: None });
                    }
                    sleep(STEP).await;
                }
            }
            Books::Elsewhere(ledger) => {
                let mut entries = Vec::new();
                loop {
                    let Ok(read) = ledger.read().await else {
                        return Some(Settled { entries, lost: Some(LedgerLost::Unread) });
                    };
                    let lost = match read.forgotten {
                        _ if read.is_anew => Some(LedgerLost::Reset),
                        0 => None,
                        forgotten => Some(LedgerLost::Forgotten(forgotten)),
                    };
                    // Whoever else asks the same mock is no business of the run.
                    entries.extend(read.entries.into_iter().filter(|entry| is_of(prefix, entry)));
                    if entries.len() >= expected || lost.is_some() || now() >= deadline {
                        return Some(Settled { entries, lost });
                    }
                    sleep(STEP * 50).await;
                }
            }
        }
    }
}

/// Whether an entry is of a stage: by its id, or since it has none as a connection that was refused.
fn is_of(prefix: &str, entry: &Entry) -> bool {
    entry.request_id.as_deref().map_or_else(|| is_refused_connection(entry), |id| id.starts_with(prefix))
}

fn in_memory(server: MockServer) -> connector::Connector {
    connector::memory(move || server.connect(), Duration::ZERO)
}
