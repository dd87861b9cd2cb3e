//! Taps: running requests of operators for what happens now in an app (CON-027 … CON-038).
//!
//! Where nobody listens, what happens pays one load of a flag, and no entry is made. A teller never waits: of the
//! locks here, none is held while an entry is written out. Each tap has its own bounds in entries, bytes and
//! entries a second; what does not fit is counted, and the reader is told where.
//!
//! In a cluster a tap is told to all nodes (`elsewhere`), each of which looks for it within the same bounds and tells what it has
//! seen (`serving`, CON-037).

mod app_taps;
mod elsewhere;
mod entry;
mod fact;
mod filter;
mod heard;
mod kind;
mod lease;
mod reader;
mod registry;
mod ring;
mod served;
mod serving;
mod tap;
mod told;
mod webhooks;

pub use self::app_taps::AppTaps;
pub use self::entry::LiveEntry;
pub use self::fact::{LiveBy, LiveFact};
pub use self::filter::{LiveFilter, NamePattern};
pub(crate) use self::heard::HeardOfTaps;
pub use self::kind::{KindCounts, LiveKind};
pub use self::lease::TapNodes;
pub use self::reader::{AWAY, TapNews, TapReader};
pub use self::registry::{MOST_OF_ONE, MOST_TAPS, TapWanted, Taps, TooManyTaps};
pub use self::ring::{LeftOut, LiveItem};
pub use self::served::MOST_SERVED;
pub use self::tap::TapHolder;
