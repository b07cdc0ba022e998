//! Whoever listens to the client's spans: keeps all of them, with every field as text.

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::sync::{Arc, Mutex};

use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Metadata, Subscriber};

/// A span or an event, as it was at its end.
#[derive(Clone, Debug, Default)]
pub(crate) struct Told {
    pub(crate) name: &'static str,
    pub(crate) parent: Option<u64>,
    pub(crate) fields: BTreeMap<&'static str, String>,
    pub(crate) is_closed: bool,
}

impl Told {
    pub(crate) fn field(&self, name: &str) -> Option<&str> {
        self.fields.get(name).map(String::as_str)
    }
}

/// Clones share what was told. Spans are numbered from 1 in the order they began.
#[derive(Clone, Debug, Default)]
pub(crate) struct Listener(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    spans: Vec<Told>,
    references: Vec<usize>,
    events: Vec<Told>,
}

impl Listener {
    pub(crate) fn spans(&self) -> Vec<Told> {
        self.0.lock().unwrap().spans.clone()
    }

    /// All that was told, as one text.
    pub(crate) fn text(&self) -> String {
        let state = self.0.lock().unwrap();
        format!("{:?} {:?}", state.spans, state.events)
    }
}

impl Subscriber for Listener {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.target().starts_with("relaybench")
    }

    fn new_span(&self, span: &Attributes<'_>) -> Id {
        let mut told = Told { name: span.metadata().name(), parent: span.parent().map(Id::into_u64), ..Told::default() };
        span.record(&mut told);
        let mut state = self.0.lock().unwrap();
        state.spans.push(told);
        state.references.push(1);
        Id::from_u64(state.spans.len() as u64)
    }

    fn record(&self, span: &Id, values: &Record<'_>) {
        values.record(&mut self.0.lock().unwrap().spans[span.into_u64() as usize - 1]);
    }

    fn event(&self, event: &Event<'_>) {
        let mut told = Told { name: event.metadata().name(), parent: event.parent().map(Id::into_u64), ..Told::default() };
        event.record(&mut told);
        self.0.lock().unwrap().events.push(told);
    }

    fn clone_span(&self, id: &Id) -> Id {
        self.0.lock().unwrap().references[id.into_u64() as usize - 1] += 1;
        id.clone()
    }

    fn try_close(&self, id: Id) -> bool {
        let mut state = self.0.lock().unwrap();
        let index = id.into_u64() as usize - 1;
        state.references[index] -= 1;
        state.spans[index].is_closed = state.references[index] == 0;
        state.spans[index].is_closed
    }

    fn record_follows_from(&self, _: &Id, _: &Id) {}
    fn enter(&self, _: &Id) {}
    fn exit(&self, _: &Id) {}
}

impl Visit for Told {
    fn record_str(&mut self, field: &Field, value: &str) {
        self.fields.insert(field.name(), value.to_owned());
    }

    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        self.fields.insert(field.name(), format!("{value:?}"));
    }
}
