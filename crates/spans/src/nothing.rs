//! Spans of a server that was built without the feature: nothing.

use std::marker::PhantomData;

use crate::Work;

/// A span that is not made.
#[derive(Debug)]
pub struct NoSpan;

/// A span that is not made is not entered either.
#[derive(Debug)]
pub struct NeverEntered<'a>(PhantomData<&'a ()>);

impl NoSpan {
    /// A part of what the thread does.
    #[must_use]
    pub const fn within(_: Work) -> Self {
        Self
    }

    /// What somebody else asks for, with their header `traceparent`, which is not looked for.
    #[must_use]
    pub fn of_request<'a>(_: Work, _: impl FnOnce() -> Option<&'a [u8]>) -> Self {
        Self
    }

    /// Gives the span a name.
    pub fn named(&mut self, _: impl FnOnce() -> String) {}

    /// Says something in words.
    pub fn text<T: AsRef<str>>(&mut self, _: &'static str, _: impl FnOnce() -> T) {}

    /// Says a number.
    pub fn number(&mut self, _: &'static str, _: impl FnOnce() -> u64) {}

    /// The work has failed, for this reason in a word.
    pub fn failed<T: AsRef<str>>(&mut self, _: impl FnOnce() -> T) {}

    /// Whoever asked may ask.
    pub const fn admit(&mut self) {}

    /// The header `traceparent` of a request that is a part of the span.
    #[must_use]
    pub const fn traceparent(&self) -> Option<String> {
        None
    }

    /// The work is over.
    pub const fn end(self) {}

    /// Spans that the thread makes meanwhile are parts of this one.
    #[must_use]
    pub const fn enter(&self) -> NeverEntered<'_> {
        NeverEntered(PhantomData)
    }

    /// Spans that a future makes are parts of this one.
    pub const fn around<F: Future>(&self, future: F) -> F {
        future
    }
}
