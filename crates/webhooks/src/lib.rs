//! Sends webhooks to apps' back ends about their channels (HOOK-001 … HOOK-026).
//!
//! Owns which events are sent: delays and cancels them, keeps joins and leaves alternating, signs, retries,
//! gives up. Every URL has a queue and a task of its own, so that no URL waits for another. Knows no hub and no
//! connection: callers pass in transitions, and never wait.

mod again;
mod app_hooks;
mod attempt;
mod backlog;
mod decided;
mod delivery;
mod endpoint;
mod history;
mod misses;
mod news;
mod queue;
mod request;
mod retry;
mod settings;
mod shared;
mod tracker;
mod trial;
mod turns;
mod webhooks;

pub use self::again::{NotRepeated, Repeated};
pub use self::backlog::{Backlog, Keeping, KeptRequest};
pub use self::decided::{Decided, SentAgain};
pub use self::delivery::{Delivery, DeliveryCause, RequestId};
pub use self::history::{MOST_DELIVERIES, UrlHistory};
pub use self::news::News;
pub use self::request::SignedTest;
pub use self::retry::Retried;
pub use self::settings::{AttemptsHeard, Losses, Lost, Settings, Spawn, Tally};
pub use self::trial::{NotTested, Tested, TestedUrl};
pub use self::webhooks::Webhooks;
