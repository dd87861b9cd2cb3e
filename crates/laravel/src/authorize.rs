//! Asking an app's own application who may join a channel, and who signs in.
//!
//! Owns the request, the reading of the answer, and the words for every answer that is not a yes. Never signs, and
//! never makes a URL out of anything that a client sent.

mod answer;
mod denial;
mod request;
mod verdict;

pub use answer::ask;
pub use denial::{Denial, DenialKind};
pub use request::{AuthorizationRequest, Subject, passed_on};
pub use verdict::{Answered, Yes, judge};
