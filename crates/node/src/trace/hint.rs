//! Why nobody got an event: the open channel with the nearest name, or the names of other events of the channel (CON-042).
//!
//! Pure functions of names; the caller brings the names and bounds their number.

use fanfare_protocol::channel::without_kind;

/// Shortest name of which one letter may be wrong: of shorter ones most differ by one.
const SHORTEST: usize = 4;

/// What a hint is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HintKind {
    /// A channel whose name has another prefix.
    Prefix,
    /// A channel whose name has other capitals.
    Case,
    /// A channel whose name has another letter, one more, or one fewer.
    Edit,
    /// Other events of the channel are called otherwise.
    EventName,
    /// Nobody is subscribed, and no open channel has such a name.
    None,
}

impl HintKind {
    /// The kind as programs read it (CON-083).
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Prefix => "prefix",
            Self::Case => "case",
            Self::Edit => "edit",
            Self::EventName => "event_name",
            Self::None => "none",
        }
    }
}

/// A sentence for people, and what it is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TraceHint {
    /// What the sentence is made of, beside the names of the channel and of the event.
    pub(super) cause: HintCause,
    /// What the hint is about.
    pub kind: HintKind,
    /// The sentence.
    pub text: String,
    /// The channel that the hint names.
    pub channel: Option<String>,
    /// Subscribers of that channel.
    pub subscribers: usize,
}

/// What a hint is made of: all of it that is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum HintCause {
    /// Nobody is subscribed, and no open channel has such a name.
    Nobody,
    /// An open channel with so many subscribers is so much alike.
    Near(Likeness, Box<str>, u32),
    /// The channel with so many subscribers had events of another name, such as this one.
    EventName(Box<str>, u32),
}

impl HintCause {
    /// The hint about a channel, and about an event on that channel.
    pub fn told(self, wanted: &str, event: &str) -> TraceHint {
        let (kind, text, channel, subscribers) = match &self {
            Self::Nobody => {
                let text =
                    format!("nobody is subscribed to {wanted}, and no open channel has a name like this");
                (HintKind::None, text, None, 0)
            }
            Self::Near(likeness, channel, subscribers) => {
                let (kind, differ) = match likeness {
                    Likeness::Kind | Likeness::RedisPrefix => (HintKind::Prefix, "their prefix"),
                    Likeness::KindAndCase => (HintKind::Prefix, "their prefix and by upper and lower case"),
                    Likeness::Case => (HintKind::Case, "upper and lower case"),
                    Likeness::Letter => (HintKind::Edit, "one letter"),
                };
                let has = match subscribers {
                    1 => "1 subscriber".to_owned(),
                    more => format!("{more} subscribers"),
                };
                let text = format!(
                    "nobody is subscribed to {wanted}, but {channel} has {has}: the names differ by {differ}"
                );
                (kind, text, Some(channel.to_string()), *subscribers)
            }
            Self::EventName(like, subscribers) => {
                let text = format!(
                    "{event} was sent to {wanted}, whose last events were called otherwise, such as {like}"
                );
                (HintKind::EventName, text, Some(wanted.to_owned()), *subscribers)
            }
        };
        TraceHint { cause: self, kind, text, channel, subscribers: subscribers as usize }
    }

    /// Bytes beside the value itself.
    pub fn heap_bytes(&self) -> usize {
        match self {
            Self::Nobody => 0,
            Self::Near(_, name, _) | Self::EventName(name, _) => name.len(),
        }
    }
}

fn small(number: usize) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}

/// The open channel with the name nearest to one that nobody is subscribed to.
#[derive(Debug)]
pub struct Nearest<'a> {
    wanted: &'a str,
    best: Option<Candidate>,
    /// Somebody is subscribed to the channel itself.
    is_open: bool,
}

#[derive(Debug)]
struct Candidate {
    likeness: Likeness,
    channel: String,
    subscribers: usize,
}

/// How alike two names are, the likeliest mistake first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Likeness {
    Kind,
    Case,
    Letter,
    RedisPrefix,
    KindAndCase,
}

impl<'a> Nearest<'a> {
    /// Nothing has been looked at yet.
    #[must_use]
    pub const fn to(wanted: &'a str) -> Self {
        Self { wanted, best: None, is_open: false }
    }

    /// Looks at an open channel. Of several that are as near the one with the most subscribers stays.
    pub fn look(&mut self, channel: &str, subscribers: usize) {
        if channel == self.wanted {
            self.is_open = true;
            return;
        }
        let Some(likeness) = likeness(self.wanted, channel) else { return };
        let is_nearer = |best: &Candidate| {
            (likeness, usize::MAX - subscribers, channel)
                < (best.likeness, usize::MAX - best.subscribers, best.channel.as_str())
        };
        if self.best.as_ref().is_none_or(is_nearer) {
            self.best = Some(Candidate { likeness, channel: channel.to_owned(), subscribers });
        }
    }

    /// The hint, once every open channel was looked at; `None` if somebody is subscribed to the channel after all.
    #[must_use]
    pub fn hint(self) -> Option<TraceHint> {
        if self.is_open {
            return None;
        }
        let cause = match self.best {
            None => HintCause::Nobody,
            Some(Candidate { likeness, channel, subscribers }) => {
                HintCause::Near(likeness, channel.into(), small(subscribers))
            }
        };
        // The event's name says nothing about the channel's.
        Some(cause.told(self.wanted, ""))
    }
}

fn likeness(wanted: &str, open: &str) -> Option<Likeness> {
    let (bare, open_bare) = (without_kind(wanted), without_kind(open));
    if bare == open_bare {
        Some(Likeness::Kind)
    } else if wanted.eq_ignore_ascii_case(open) {
        Some(Likeness::Case)
    } else if differ_by_a_letter(wanted.as_bytes(), open.as_bytes()) {
        Some(Likeness::Letter)
    } else if has_redis_prefix(wanted, open) || has_redis_prefix(open, wanted) {
        Some(Likeness::RedisPrefix)
    } else if bare.eq_ignore_ascii_case(open_bare) {
        Some(Likeness::KindAndCase)
    } else {
        None
    }
}

/// Whether `longer` is `name` behind a prefix as Laravel gives to names in Redis. A name whose kind can be seen may be behind
/// any prefix.
fn has_redis_prefix(longer: &str, name: &str) -> bool {
    let Some(prefix) = longer.strip_suffix(name) else { return false };
    let has_kind = without_kind(name) != name;
    ["database_", "database-"].iter().any(|end| prefix.ends_with(end))
        || has_kind && (prefix.ends_with('_') || prefix.ends_with('-'))
}

/// Whether one letter is another, one too many, one too few, or two are swapped. Digits are left alone: names with other
/// digits are other things' names.
fn differ_by_a_letter(one: &[u8], other: &[u8]) -> bool {
    let (longer, shorter) = if one.len() >= other.len() { (one, other) } else { (other, one) };
    if longer.len() < SHORTEST || longer.len() - shorter.len() > 1 {
        return false;
    }
    let Some(at) = longer.iter().zip(shorter).position(|(a, b)| a != b) else {
        // The longer name has one more at its end.
        return longer.len() > shorter.len() && longer.last().is_some_and(|last| !last.is_ascii_digit());
    };
    let is_digit = |name: &[u8], at: usize| name.get(at).is_some_and(u8::is_ascii_digit);
    if longer.len() > shorter.len() {
        return tail(longer, at + 1) == tail(shorter, at) && !is_digit(longer, at);
    }
    let is_replaced =
        tail(longer, at + 1) == tail(shorter, at + 1) && !(is_digit(longer, at) && is_digit(shorter, at));
    let is_swapped = longer.get(at) == shorter.get(at + 1)
        && longer.get(at + 1) == shorter.get(at)
        && tail(longer, at + 2) == tail(shorter, at + 2)
        && !(is_digit(longer, at) && is_digit(longer, at + 1));
    is_replaced || is_swapped
}

fn tail(name: &[u8], from: usize) -> &[u8] {
    name.get(from..).unwrap_or_default()
}

/// The hint about an event's name; `others` are the names of the channel's last events, the newest first.
#[must_use]
pub fn about_event<'a>(
    channel: &str,
    subscribers: usize,
    event: &str,
    others: impl Iterator<Item = &'a str> + Clone,
) -> Option<TraceHint> {
    if others.clone().any(|other| other == event) {
        return None;
    }
    let mut newest = others.clone();
    let first = newest.next()?;
    let words = words_of(event);
    let same = others.clone().find(|other| words_of(other) == words);
    // A client that listens to `.x` hears nothing of `App\Events\X`, nor the other way round.
    let are_otherwise = |other: &str| other.contains('\\') != event.contains('\\');
    let like = same.or_else(|| others.clone().all(are_otherwise).then_some(first))?;
    Some(HintCause::EventName(like.into(), small(subscribers)).told(channel, event))
}

/// The letters and digits of an event's name behind its namespace.
fn words_of(event: &str) -> String {
    let name = event.rsplit('\\').next().unwrap_or(event);
    name.chars().filter(|letter| letter.is_alphanumeric()).flat_map(char::to_lowercase).collect()
}

#[cfg(test)]
mod tests;
