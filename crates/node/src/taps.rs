//! Taps: running requests of operators for what happens now in an app (CON-027 … CON-038).
//!
//! Where nobody listens, what happens pays one load of a flag, and no entry is made. A teller never waits: of the
//! locks here, none is held while an entry is written out. Each tap has its own bounds in entries, bytes and
//! entries a second; what does not fit is counted, and the reader is told where.

mod app_taps;
mod entry;
mod fact;
mod filter;
mod kind;
mod reader;
mod registry;
mod ring;
mod tap;
mod webhooks;

pub use self::app_taps::AppTaps;
pub use self::entry::LiveEntry;
pub use self::fact::{LiveBy, LiveFact};
pub use self::filter::{LiveFilter, NamePattern};
pub use self::kind::{KindCounts, LiveKind};
pub use self::reader::{AWAY, TapReader};
pub use self::registry::{MOST_OF_ONE, MOST_TAPS, TapWanted, Taps, TooManyTaps};
pub use self::ring::{LeftOut, LiveItem};
pub use self::tap::TapHolder;
