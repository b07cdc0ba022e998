//! What the choices of an answer say.

use super::Content;

/// One content, or several that have as many tokens each.
#[derive(Clone, Debug)]
pub(crate) struct Choices {
    first: Content,
    others: Box<[Content]>,
}

impl Choices {
    /// One at least; `content` makes that of a choice, which are numbered from 0.
    pub(crate) fn new(count: u32, mut content: impl FnMut(u32) -> Content) -> Self {
        Self { first: content(0), others: (1..count).map(content).collect() }
    }

    /// The first, which has as many tokens as all others.
    pub(crate) fn first(&self) -> &Content {
        &self.first
    }

    /// All of them, in order.
    pub(crate) fn iter_mut(&mut self) -> impl Iterator<Item = &mut Content> {
        std::iter::once(&mut self.first).chain(&mut self.others)
    }

    /// How many there are.
    pub(crate) fn count(&self) -> usize {
        1 + self.others.len()
    }

    /// About how many bytes all their tokens take.
    pub(crate) fn size(&self) -> usize {
        self.count() * self.first.size()
    }
}
