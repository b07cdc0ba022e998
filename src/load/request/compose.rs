//! From a stage's request to the bodies that are sent.

use std::sync::Arc;

use super::{Prompt, RequestSpec, words};
use crate::client::{self, ChatRequest, Client, Message, PreparedRequest};
use crate::load::draw::{Key, Purpose};
use crate::load::kind::Load;
use crate::load::trace::TraceArrival;
use crate::pricing::Price;

/// What was said so far, by role.
pub(in crate::load) type Conversation = Vec<(String, String)>;

/// Makes the request of each index.
#[derive(Debug)]
pub(in crate::load) struct Composer {
    client: Client,
    spec: RequestSpec,
    key: Key,
    /// Where all requests are the same.
    prepared: Option<PreparedRequest>,
    /// The lengths of a trace.
    lengths: Option<Arc<Vec<TraceArrival>>>,
}

impl Composer {
    /// Checks all models, and prepares what needs to be prepared only once.
    pub(in crate::load) fn new(client: Client, spec: &RequestSpec, load: &Load, key: Key) -> Result<Self, client::Error> {
        for model in spec.models.names() {
            client.prepare(&ChatRequest::new(model).user(""))?;
        }
        let lengths = match load {
            Load::Trace(trace) if trace.lengths => Some(Arc::clone(&trace.arrivals)),
            _ => None,
        };
        let mut composer = Self { client, spec: spec.clone(), key, prepared: None, lengths };
        if composer.is_the_same_for_all(load) {
            composer.prepared = Some(composer.client.prepare(&composer.request(0, 0, &Conversation::new()).0)?);
        }
        Ok(composer)
    }

    fn is_the_same_for_all(&self, load: &Load) -> bool {
        let RequestSpec { models, prompt, max_tokens, .. } = &self.spec;
        !matches!(load, Load::Sessions(_))
            && self.lengths.is_none()
            && !models.are_several()
            && matches!((prompt, max_tokens), (Prompt::Text(_), super::Length::Fixed(_)))
    }

    pub(in crate::load) fn is_streamed(&self) -> bool {
        self.spec.stream
    }

    /// The model that a request asks.
    pub(in crate::load) fn model(&self, index: u64) -> &Arc<str> {
        self.spec.models.of(self.key, index)
    }

    /// What that model costs.
    pub(in crate::load) fn price(&self, index: u64) -> Option<Price> {
        self.spec.prices.of(self.model(index))
    }

    /// Whether requests ask several models.
    pub(in crate::load) fn has_several_models(&self) -> bool {
        self.spec.models.are_several()
    }

    /// The request of an index.
    pub(in crate::load) fn single(&self, index: u64) -> PreparedRequest {
        match &self.prepared {
            Some(prepared) => prepared.clone(),
            None => self.prepare(&self.request(index, 0, &Conversation::new()).0),
        }
    }

    /// The request of a turn, which says all that was said before; and what has been said with it.
    pub(in crate::load) fn turn(&self, place: (u64, u32), index: u64, said: Conversation) -> (PreparedRequest, Conversation) {
        let (session, turn) = place;
        let draws_by = if matches!(&self.spec.prompt, Prompt::File(file) if file.has_conversations()) { session } else { index };
        let (request, conversation) = self.request_of(index, draws_by, turn, &said);
        (self.prepare(&request), conversation)
    }

    fn prepare(&self, request: &ChatRequest) -> PreparedRequest {
        // The models were checked, and prompts hold no field that a request sets itself.
        self.client.prepare(request).expect("a composed request is complete")
    }

    fn request(&self, index: u64, turn: u32, said: &Conversation) -> (ChatRequest, Conversation) {
        self.request_of(index, index, turn, said)
    }

    /// `draws_by` says which prompt of a file it is.
    fn request_of(&self, index: u64, draws_by: u64, turn: u32, said: &Conversation) -> (ChatRequest, Conversation) {
        let mut conversation = said.clone();
        let mut request = ChatRequest::new(&**self.model(index));
        let (mut max_tokens, mut temperature) = (self.spec.max_tokens.of(self.key, index), self.spec.temperature);
        let user = match (self.length(index), &self.spec.prompt) {
            (Some(length), _) => {
                max_tokens = length.completion_tokens;
                self.words(length.prompt_tokens, index)
            }
            (None, Prompt::Text(text)) => text.to_string(),
            (None, Prompt::Synthetic(distribution)) => {
                self.words(distribution.draw_count(self.key.uniform(Purpose::PromptTokens, index)), index)
            }
            (None, Prompt::File(file)) => {
                let entry = file.of(self.key, draws_by);
                if conversation.is_empty() {
                    conversation.clone_from(&entry.before);
                }
                max_tokens = entry.max_tokens.unwrap_or(max_tokens);
                temperature = entry.temperature.unwrap_or(temperature);
                request = entry.fields.iter().fold(request, |request, (name, value)| request.extra(name, value.clone()));
                entry.turns[turn as usize % entry.turns.len()].clone()
            }
        };
        conversation.push(("user".to_owned(), user));
        let messages = conversation.iter().map(|(role, text)| Message::new(role.as_str(), text.as_str()));
        let request = messages.fold(request, ChatRequest::message);
        (request.max_tokens(max_tokens).temperature(temperature).include_usage(), conversation)
    }

    /// How long the trace has it, where its lengths are replayed.
    pub(in crate::load) fn length(&self, index: u64) -> Option<&TraceArrival> {
        self.lengths.as_ref()?.get(index as usize)
    }

    fn words(&self, tokens: u32, index: u64) -> String {
        words::text(tokens, &mut self.key.stream(Purpose::Words, index))
    }
}
