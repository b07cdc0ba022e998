//! What was planned for every attempt, and what happened: the ground truth that a run is reconciled with.

mod entry;
mod kept;
mod totals;

pub(crate) use entry::kept_id;
pub use entry::{Ending, Entry, FaultOutcome, PlannedFault, RefusedBy};
pub(crate) use kept::{Page, Query};
pub(crate) use totals::{Lateness, Totals};

use std::fmt;
use std::io::{self, Write};
use std::sync::atomic::{
    AtomicU64,
    Ordering::{Acquire, Relaxed, Release},
};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use self::kept::Kept;

/// The record of a mock relay, shared by all its clones. An attempt is written when it has ended, however it ended; its
/// [`sequence`](Entry::sequence) tells when it arrived.
#[derive(Clone)]
pub struct Ledger(Arc<Inner>);

struct Inner {
    store: Mutex<Store>,
    arrived: AtomicU64,
    ended: AtomicU64,
    connections_opened: AtomicU64,
    connections_live: AtomicU64,
    connections_live_peak: AtomicU64,
}

struct Store {
    kept: Kept,
    lines: Option<Lines>,
    totals: Totals,
}

/// Where entries are written.
struct Lines {
    writer: Box<dyn Write + Send>,
    failure: Option<io::Error>,
}

impl Ledger {
    /// Keeps all entries, some 210 bytes each, and at most 430 where callers name their requests at length.
    pub fn in_memory() -> Self {
        Self::keeping(usize::MAX)
    }

    /// Keeps the last entries, at most so many.
    pub fn keeping(most: usize) -> Self {
        let zero = || AtomicU64::new(0);
        Self(Arc::new(Inner {
            store: Mutex::new(Store { kept: Kept::new(most), lines: None, totals: Totals::default() }),
            arrived: zero(),
            ended: zero(),
            connections_opened: zero(),
            connections_live: zero(),
            connections_live_peak: zero(),
        }))
    }

    /// Writes each entry as a line of JSON, and keeps none. The writer should be buffered: [`flush`](Self::flush) is called each
    /// second.
    pub fn to_writer(writer: impl Write + Send + 'static) -> Self {
        Self::keeping(0).with_writer(writer)
    }

    /// Counts, and keeps no entries.
    pub fn discarding() -> Self {
        Self::keeping(0)
    }

    /// Writes each entry as a line of JSON as well.
    #[must_use]
    pub fn with_writer(self, writer: impl Write + Send + 'static) -> Self {
        self.store().lines = Some(Lines { writer: Box::new(writer), failure: None });
        self
    }

    /// A copy of the entries in memory, in order of arrival.
    ///
    /// ```
    /// use relaybench_mock::{Ending, MockServer, Profile};
    /// use tokio::io::{AsyncReadExt, AsyncWriteExt};
    ///
    /// relaybench_clock::run_virtual(async {
    ///     let server = MockServer::new("latency.total = { dist = \"fixed\", value = \"3s\" }".parse::<Profile>()?);
    ///     let mut connection = server.connect()?;
    ///     let body = r#"{"model":"gpt-4.1","messages":[{"role":"user","content":"hi"}]}"#;
    ///     let head = "POST /v1/chat/completions HTTP/1.1\r\nconnection: close\r\nauthorization: Bearer a";
    ///     connection.write_all(format!("{head}\r\ncontent-length: {}\r\n\r\n{body}", body.len()).as_bytes()).await?;
    ///     connection.read_to_end(&mut Vec::new()).await?;
    ///
    ///     let entry = &server.ledger().entries()[0];
    ///     assert_eq!((entry.model.as_deref(), entry.status, entry.ending), (Some("gpt-4.1"), Some(200), Ending::Served));
    ///     assert_eq!((entry.latency_ns, entry.end_written_ns), (3_000_000_000, entry.due_end_ns));
    ///     Ok::<(), Box<dyn std::error::Error + Send + Sync>>(())
    /// })?;
    /// # Ok::<(), Box<dyn std::error::Error + Send + Sync>>(())
    /// ```
    pub fn entries(&self) -> Vec<Entry> {
        in_order(self.store().kept.entries().cloned().collect())
    }

    /// Takes the entries out of memory, in order of arrival.
    pub fn drain(&self) -> Vec<Entry> {
        in_order(self.store().kept.take())
    }

    /// Those of the entries in memory that a caller asks for.
    pub(crate) fn page(&self, query: &Query) -> Page {
        self.store().kept.page(query)
    }

    /// What was counted of all attempts that ended.
    pub(crate) fn totals(&self) -> Totals {
        self.store().totals.clone()
    }

    /// How many attempts have arrived and not ended yet.
    pub fn open(&self) -> u64 {
        // Ended first: what ends in between makes the difference too large for a moment, never too small.
        let ended = self.0.ended.load(Acquire);
        self.0.arrived.load(Relaxed).saturating_sub(ended)
    }

    /// How many connections were opened so far.
    pub fn connections_opened(&self) -> u64 {
        self.0.connections_opened.load(Relaxed)
    }

    /// How many connections are open.
    pub fn connections_live(&self) -> u64 {
        self.0.connections_live.load(Relaxed)
    }

    /// How many connections were open at one time, at most.
    pub fn connections_live_peak(&self) -> u64 {
        self.0.connections_live_peak.load(Relaxed)
    }

    /// Hands what was written to the operating system.
    ///
    /// # Errors
    ///
    /// The first failure of the writer since the last call; what was written after it may be lost.
    pub fn flush(&self) -> io::Result<()> {
        match &mut self.store().lines {
            Some(Lines { writer, failure }) => failure.take().map_or_else(|| writer.flush(), Err),
            None => Ok(()),
        }
    }

    pub(crate) fn next_sequence(&self) -> u64 {
        self.0.arrived.fetch_add(1, Relaxed)
    }

    pub(crate) fn record(&self, entry: Entry) {
        let mut store = self.store();
        store.totals.count(&entry);
        if let Some(Lines { writer, failure }) = &mut store.lines {
            let written = serde_json::to_writer(&mut *writer, &entry).map_err(io::Error::from);
            if let Err(error) = written.and_then(|()| writer.write_all(b"\n")) {
                failure.get_or_insert(error);
            }
        }
        store.kept.push(entry);
        drop(store);
        self.0.ended.fetch_add(1, Release);
    }

    /// Counts what was done to a connection of which there is no entry.
    pub(crate) fn count_fault(&self, fault: PlannedFault) {
        self.store().totals.count_fault(fault);
    }

    pub(crate) fn connection_opened(&self) -> OpenConnection {
        let number = self.0.connections_opened.fetch_add(1, Relaxed);
        let live = self.0.connections_live.fetch_add(1, Relaxed) + 1;
        self.0.connections_live_peak.fetch_max(live, Relaxed);
        OpenConnection { ledger: self.clone(), number }
    }

    fn store(&self) -> MutexGuard<'_, Store> {
        // An entry is pushed whole or not at all, so that a panic elsewhere leaves nothing half done.
        self.0.store.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn in_order(mut entries: Vec<Entry>) -> Vec<Entry> {
    entries.sort_unstable_by_key(|entry| entry.sequence);
    entries
}

impl fmt::Debug for Ledger {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Ledger").field("connections_opened", &self.connections_opened()).finish_non_exhaustive()
    }
}

/// A connection counts as live until this is dropped.
#[derive(Debug)]
pub(crate) struct OpenConnection {
    ledger: Ledger,
    number: u64,
}

impl OpenConnection {
    /// Counted from 0, in the order of opening.
    pub(crate) fn number(&self) -> u32 {
        // Four billion connections later numbers repeat.
        self.number as u32
    }
}

impl Drop for OpenConnection {
    fn drop(&mut self) {
        self.ledger.0.connections_live.fetch_sub(1, Relaxed);
    }
}
