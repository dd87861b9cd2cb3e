//! What a node tells another one of what it has seen for a tap there: entries, and how many were left out (CON-037).
//!
//! Read with care: what is no entry is refused, and nothing read can end a line of a stream.

use std::borrow::Cow;
use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::value::RawValue;

use super::kind::{KindCounts, LiveKind};
use super::ring::LiveItem;

/// Longest entry that is taken, in bytes: texts of 500 bytes and 4 KiB of data, each byte of which may be escaped.
const LONGEST: usize = 64 * 1024;

/// What one node has seen, for another one.
#[derive(Debug)]
pub(super) enum ToldItem {
    /// An entry: its kind, and the members of its object without the number.
    Entry(LiveKind, Box<str>),
    /// Entries are missing here: how many of each kind, if that is known, and whether what is around is a sample.
    LeftOut(Option<KindCounts>, bool),
}

/// A part of what a node has seen.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Part<'a> {
    /// The node looks, and has seen this since the part before.
    Seen(#[serde(borrow)] Vec<Item<'a>>),
    /// The node looks for as many taps as it may.
    Full,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Item<'a> {
    Entry(String, #[serde(borrow)] &'a RawValue),
    LeftOut(Option<BTreeMap<String, u64>>, bool),
}

/// What a node says that has no room for one more tap.
pub(super) const FULL: &[u8] = br#""full""#;

/// What is read of a part.
#[derive(Debug)]
pub(super) enum ToldPart {
    /// What was seen.
    Seen(Vec<ToldItem>),
    /// The node has no room.
    Full,
}

/// The text of a part, made of items one by one.
#[derive(Debug)]
pub(super) struct PartText(String);

impl PartText {
    pub(super) fn new() -> Self {
        Self(r#"{"seen":["#.to_owned())
    }

    pub(super) fn bytes(&self) -> usize {
        self.0.len()
    }

    pub(super) fn add(&mut self, item: &LiveItem, with_data: bool) {
        let text = match item {
            LiveItem::Entry(entry) => {
                format!(r#"{{"entry":["{}",{}]}}"#, entry.kind.name(), entry.without_id(with_data))
            }
            LiveItem::LeftOut(left_out) => {
                let kinds = left_out.kinds.as_ref().map(KindCounts::by_name);
                format!(r#"{{"left_out":[{},{}]}}"#, serde_json::json!(kinds), left_out.is_sample)
            }
        };
        if !self.0.ends_with('[') {
            self.0.push(',');
        }
        self.0.push_str(&text);
    }

    pub(super) fn end(mut self) -> String {
        self.0.push_str("]}");
        self.0
    }
}

/// Reads a part; `None` for what is none.
pub(super) fn read(text: &[u8]) -> Option<ToldPart> {
    match serde_json::from_slice(text).ok()? {
        Part::Full => Some(ToldPart::Full),
        Part::Seen(items) => items.into_iter().map(item).collect::<Option<Vec<_>>>().map(ToldPart::Seen),
    }
}

fn item(item: Item<'_>) -> Option<ToldItem> {
    match item {
        Item::LeftOut(kinds, is_sample) => Some(ToldItem::LeftOut(kinds.and_then(counts), is_sample)),
        Item::Entry(kind, object) => match LiveKind::named(&kind) {
            Some(kind) => Some(ToldItem::Entry(kind, members(object.get())?.into())),
            // Of a later release: its kind cannot be counted here.
            None => Some(ToldItem::LeftOut(None, false)),
        },
    }
}

/// The counts; `None` if a kind is not known.
fn counts(by_name: BTreeMap<String, u64>) -> Option<KindCounts> {
    let mut counts = KindCounts::default();
    for (name, count) in by_name {
        counts.add(LiveKind::named(&name)?, count);
    }
    Some(counts)
}

/// The members of an object that has some, on one line, and none called `id`.
fn members(object: &str) -> Option<&str> {
    let members = object.strip_prefix('{')?.strip_suffix('}')?;
    let is_one_line = object.len() <= LONGEST && !object.contains(['\n', '\r']);
    let named: BTreeMap<Cow<'_, str>, &RawValue> =
        serde_json::from_str(object).ok().filter(|_| is_one_line)?;
    (!named.is_empty() && !named.contains_key("id")).then_some(members)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use serde_json::Value;

    use super::super::entry::LiveEntry;
    use super::super::fact::LiveFact;
    use super::super::ring::LeftOut;
    use super::*;

    fn seen(text: &[u8]) -> Vec<ToldItem> {
        match read(text) {
            Some(ToldPart::Seen(items)) => items,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn con_037_entries_and_what_was_left_out_are_read_as_they_were_written() {
        let mut kinds = KindCounts::default();
        kinds.add(LiveKind::Event, 214);
        let fact = LiveFact { channel: Some("a\n\"b"), ..LiveFact::of(LiveKind::Event) };
        let entry = LiveEntry::new(7, "b", &fact, false);
        let left_out = |kinds, is_sample| LiveItem::LeftOut(Arc::new(LeftOut { id: 9, kinds, is_sample }));
        let mut part = PartText::new();
        part.add(&LiveItem::Entry(Arc::new(entry)), false);
        part.add(&left_out(Some(kinds.clone()), true), false);
        part.add(&left_out(None, false), false);
        let items = seen(part.end().as_bytes());
        let [
            ToldItem::Entry(kind, members),
            ToldItem::LeftOut(counted, true),
            ToldItem::LeftOut(None, false),
        ] = &items[..]
        else {
            panic!("{items:?}");
        };
        assert_eq!((*kind, counted), (LiveKind::Event, &Some(kinds)));
        let json = LiveEntry::of_other_node(8, *kind, members.clone()).json(false);
        let json: Value = serde_json::from_str(&json).unwrap();
        assert_eq!(
            (&json["id"], &json["node"], &json["channel"]),
            (&8.into(), &"b".into(), &"a\n\"b".into())
        );
        assert!(seen(PartText::new().end().as_bytes()).is_empty());
        assert!(matches!(read(FULL), Some(ToldPart::Full)));
    }

    #[test]
    fn con_037_what_is_no_entry_is_refused_and_one_of_a_later_release_is_counted_as_left_out() {
        let entry = |object: &str| read(format!(r#"{{"seen":[{{"entry":["event",{object}]}}]}}"#).as_bytes());
        assert!(entry(r#"{"at":"now"}"#).is_some());
        let long = format!(r#"{{"at":"{}"}}"#, "x".repeat(LONGEST));
        for object in ["{}", "[]", "7", r#"{"at":1,"id":2}"#, "{\"at\":\n1}", "{\"at\":1,\r\"b\":2}", &*long]
        {
            assert!(entry(object).is_none(), "{object}");
        }
        let later = br#"{"seen":[{"entry":["later",{"at":1}]},{"left_out":[{"later":3},true]}]}"#;
        let items = seen(later);
        assert!(
            matches!(items[..], [ToldItem::LeftOut(None, false), ToldItem::LeftOut(None, true)]),
            "{items:?}"
        );
    }

    #[test]
    fn con_037_no_bytes_make_reading_panic() {
        let whole = br#"{"seen":[{"entry":["event",{"at":"x"}]},{"left_out":[{"event":3},true]}]}"#;
        for at in 0..whole.len() {
            assert!(read(&whole[..at]).is_none(), "{at} bytes");
            for byte in 0..=u8::MAX {
                let mut garbled = whole.to_vec();
                garbled[at] = byte;
                let _ = read(&garbled);
            }
        }
        assert_eq!(seen(whole).len(), 2);
    }
}
