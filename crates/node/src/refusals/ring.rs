//! The last refusals of one app, or of no app: equal ones counted together, bounded in number and in bytes.
//!
//! A refusal is equal to another of the same kind, code, cause and text. A stranger can make up texts without end, but not
//! causes: of one cause [`MOST_OF_A_CAUSE`] texts have a row each, and further ones are counted in one of these.

use std::fmt::{Display, Write as _};
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use fanfare_protocol::close::shortened;
use fanfare_protocol::ids::SocketId;
use parking_lot::Mutex;

use super::noted::{NotedRefusal, RefusalKind};

/// Most rows of an app.
pub const MOST_REFUSALS: usize = 200;

/// Most rows of one kind, code and cause.
pub(super) const MOST_OF_A_CAUSE: usize = 4;

/// Most bytes that are kept of a text, of a channel's name, and of a string to sign.
const MOST_TEXT: usize = 300;
const MOST_CHANNEL: usize = 200;
const MOST_SIGNED: usize = 400;

/// Most bytes of an app's rows.
#[cfg(test)]
pub(super) const MOST_OF_AN_APP: usize =
    MOST_REFUSALS * (size_of::<RefusalRow>() + MOST_TEXT + MOST_CHANNEL + MOST_SIGNED + 3 * '…'.len_utf8());

/// How long the example of a row stays, in milliseconds: keeping one costs more than counting.
const EXAMPLE: u64 = 1000;

/// Equal refusals.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RefusalRow {
    /// The row's number among all of the node.
    pub number: u64,
    /// Where the refusals were made.
    pub kind: RefusalKind,
    /// The status of HTTP, the close code, or the code of the error event.
    pub code: Option<u16>,
    /// The cause in one word.
    pub cause: &'static str,
    /// The sentence that was answered; long ones are cut.
    pub text: Box<str>,
    /// Whether refusals with other texts of the same cause are counted here too; the text is that of one of the last.
    pub is_of_several: bool,
    /// How many refusals.
    pub count: u64,
    /// When the first and the last one were made, in milliseconds since 1970.
    pub first_at: u64,
    /// See `first_at`.
    pub last_at: u64,
    /// The connection of the example.
    pub socket: Option<SocketId>,
    /// The address of the example.
    pub address: Option<IpAddr>,
    /// The channel of the example; long names are cut.
    pub channel: Option<Box<str>>,
    /// What should have been signed in the example; long strings are cut.
    pub signed: Option<Box<str>>,
    hash: u64,
    /// When text and example were kept.
    shown_at: u64,
}

/// The rows.
#[derive(Debug)]
pub(super) struct Ring {
    last_at: AtomicU64,
    /// All that were made.
    made: AtomicU64,
    /// The bytes of all rings.
    in_all: Arc<AtomicUsize>,
    rows: Mutex<Vec<RefusalRow>>,
}

impl Ring {
    pub fn new(in_all: &Arc<AtomicUsize>) -> Self {
        Self {
            last_at: AtomicU64::new(0),
            made: AtomicU64::new(0),
            in_all: Arc::clone(in_all),
            rows: Mutex::default(),
        }
    }

    /// When the last refusal was made, in milliseconds since 1970.
    pub fn last_at(&self) -> u64 {
        self.last_at.load(Ordering::Relaxed)
    }

    /// The number of all refusals, also of those whose rows have gone.
    pub fn made(&self) -> u64 {
        self.made.load(Ordering::Relaxed)
    }

    /// The rows, the newest first.
    pub fn show(&self) -> Vec<RefusalRow> {
        let mut rows = self.rows.lock().clone();
        rows.sort_unstable_by_key(|row| std::cmp::Reverse((row.last_at, row.number)));
        rows
    }

    /// Counts a refusal whose text has this hash; `next` gives the number of a new row. Returns whether memory was taken.
    pub fn keep(&self, refusal: &NotedRefusal<'_>, hash: u64, now: u64, next: impl FnOnce() -> u64) -> bool {
        self.last_at.store(now, Ordering::Relaxed);
        self.made.fetch_add(refusal.count, Ordering::Relaxed);
        let mut rows = self.rows.lock();
        let Some(row) = place(&mut rows, refusal, hash) else {
            let gone = make_room(&mut rows);
            let row = RefusalRow::of(refusal, hash, now, next());
            self.in_all.fetch_add(row.cost(), Ordering::Relaxed);
            self.in_all.fetch_sub(gone, Ordering::Relaxed);
            rows.push(row);
            return true;
        };
        row.count += refusal.count;
        row.last_at = now;
        if row.shown_at.abs_diff(now) < EXAMPLE {
            return false;
        }
        let before = row.cost();
        row.show(refusal, hash, now);
        self.in_all.fetch_add(row.cost(), Ordering::Relaxed);
        self.in_all.fetch_sub(before, Ordering::Relaxed);
        true
    }
}

impl Drop for Ring {
    fn drop(&mut self) {
        let bytes: usize = self.rows.get_mut().iter().map(RefusalRow::cost).sum();
        self.in_all.fetch_sub(bytes, Ordering::Relaxed);
    }
}

/// The row that counts a refusal: that of its text, or one of its cause if that has all its rows.
fn place<'a>(
    rows: &'a mut [RefusalRow],
    refusal: &NotedRefusal<'_>,
    hash: u64,
) -> Option<&'a mut RefusalRow> {
    let (mut of_cause, mut oldest) = (0, None);
    for (at, row) in rows.iter().enumerate() {
        if !row.is_of_cause(refusal) {
            continue;
        }
        if row.hash == hash {
            return rows.get_mut(at);
        }
        of_cause += 1;
        let older = oldest.is_none_or(|(last_at, _)| row.last_at < last_at);
        if older {
            oldest = Some((row.last_at, at));
        }
    }
    let (_, at) = oldest.filter(|_| of_cause >= MOST_OF_A_CAUSE)?;
    rows.get_mut(at)
}

/// The row that came last the longest time ago goes, if there are too many; returns its bytes.
fn make_room(rows: &mut Vec<RefusalRow>) -> usize {
    let oldest = rows.iter().enumerate().min_by_key(|(_, row)| row.last_at).map(|(at, _)| at);
    match oldest {
        Some(at) if rows.len() >= MOST_REFUSALS => rows.swap_remove(at).cost(),
        _ => 0,
    }
}

impl RefusalRow {
    fn of(refusal: &NotedRefusal<'_>, hash: u64, now: u64, number: u64) -> Self {
        let mut row = Self {
            number,
            kind: refusal.kind,
            code: refusal.code,
            cause: refusal.cause,
            text: cut(refusal.text),
            is_of_several: false,
            count: refusal.count,
            first_at: now,
            last_at: now,
            socket: None,
            address: None,
            channel: None,
            signed: None,
            hash,
            shown_at: now,
        };
        row.show(refusal, hash, now);
        row
    }

    /// Takes text and example from a refusal.
    fn show(&mut self, refusal: &NotedRefusal<'_>, hash: u64, now: u64) {
        if self.hash != hash {
            self.text = cut(refusal.text);
            self.hash = hash;
            self.is_of_several = true;
        }
        let kept = |text: Option<&str>, most| text.map(|text| Box::from(&*shortened(text, most)));
        self.socket = refusal.socket;
        self.address = refusal.address;
        self.channel = kept(refusal.channel, MOST_CHANNEL);
        self.signed = kept(refusal.signed, MOST_SIGNED);
        self.shown_at = now;
    }

    fn is_of_cause(&self, refusal: &NotedRefusal<'_>) -> bool {
        self.kind == refusal.kind && self.code == refusal.code && self.cause == refusal.cause
    }

    /// When text and example were kept, in milliseconds since 1970.
    #[cfg(test)]
    pub(super) const fn shown_at(&self) -> u64 {
        self.shown_at
    }

    /// Memory of the row.
    pub(super) fn cost(&self) -> usize {
        let length = |text: &Option<Box<str>>| text.as_ref().map_or(0, |text| text.len());
        size_of::<Self>() + self.text.len() + length(&self.channel) + length(&self.signed)
    }
}

/// A sentence, cut if long.
fn cut(text: &dyn Display) -> Box<str> {
    let mut whole = String::new();
    // Writing to a String cannot fail.
    let _ = write!(whole, "{text}");
    Box::from(&*shortened(&whole, MOST_TEXT))
}
