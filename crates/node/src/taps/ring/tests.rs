//! The ring of a tap, filled.

use fanfare_protocol::channel::ChannelName;
use fanfare_protocol::data::Data;
use fanfare_protocol::frame::Frame;
use fanfare_protocol::server::QuotedEvent;

use super::super::fact::LiveFact;
use super::*;

const SECOND: u64 = 1_000_000_000;

/// A ring, and the number of the next entry.
struct Filled(LiveRing, u64);

impl Filled {
    fn new() -> Self {
        Self(LiveRing::after(0), 1)
    }

    fn offer(&mut self, now: u64, frame: Option<&Frame>) {
        let fact = LiveFact { frame, ..LiveFact::of(LiveKind::Event) };
        let id = self.1;
        self.0.offer(LiveKind::Event, (now, id), || Arc::new(LiveEntry::new(id, "a", &fact, true)));
        self.1 += 1;
    }

    /// The numbers of the entries taken, and of those said to be left out: at a full ring, and by a sample.
    fn take(&mut self, most: usize) -> (Vec<u64>, [u64; 2]) {
        let (mut entries, mut left_out) = (Vec::new(), [0; 2]);
        for item in self.0.take(most) {
            match item {
                LiveItem::Entry(entry) => entries.push(entry.id),
                LiveItem::LeftOut(gap) => {
                    left_out[usize::from(gap.is_sample)] += gap.kinds.as_ref().map_or(0, KindCounts::total);
                }
            }
        }
        (entries, left_out)
    }
}

fn frame(bytes: usize) -> Frame {
    let data = format!("\"{}\"", "x".repeat(bytes));
    QuotedEvent::new("e", Data::of_json(&data).unwrap()).on(&ChannelName::trusted("news"))
}

#[test]
fn con_031_a_full_ring_counts_what_does_not_fit_at_its_place_and_admits_again_when_half_was_read() {
    let mut ring = Filled::new();
    for at in 0..3000 {
        // Slow enough for every entry.
        ring.offer(at * SECOND, None);
    }
    assert!(ring.0.items.len() <= MOST_ENTRIES + 1);
    let (first, _) = ring.take(400);
    assert_eq!(first, (1..=400).collect::<Vec<_>>());
    ring.offer(3000 * SECOND, None);
    let (rest, left_out) = ring.take(usize::MAX);
    assert_eq!(rest, (401..=1000).collect::<Vec<_>>(), "not yet half");
    assert_eq!(left_out, [2001, 0]);
    ring.offer(3001 * SECOND, None);
    assert_eq!(ring.take(usize::MAX), (vec![3002], [0, 0]));
}

#[test]
fn con_031_bytes_of_messages_that_are_kept_count_and_are_bounded() {
    let mut ring = Filled::new();
    let frame = frame(10_000);
    for at in 0..500 {
        ring.offer(at * SECOND, Some(&frame));
    }
    assert!(ring.0.bytes <= MOST_BYTES + 1024, "{}", ring.0.bytes);
    let (entries, left_out) = ring.take(usize::MAX);
    assert!((90..105).contains(&entries.len()), "{}", entries.len());
    assert_eq!(entries.len() as u64 + left_out[0], 500);
}

#[test]
fn con_031_of_a_flood_a_sample_is_admitted_spread_over_time_with_true_counts() {
    let mut ring = Filled::new();
    let (mut entries, mut left_out) = (Vec::new(), [0; 2]);
    let mut add = |(ids, counts): (Vec<u64>, [u64; 2])| {
        entries.extend(ids);
        left_out = [left_out[0] + counts[0], left_out[1] + counts[1]];
    };
    for at in 0..100_000u64 {
        // Fifty thousand a second, for two seconds; the reader gets fifty every tenth of a second.
        ring.offer(at * SECOND / 50_000, None);
        if at % 5000 == 4999 {
            add(ring.take(50));
        }
    }
    add(ring.take(usize::MAX));
    assert_eq!((entries.len() as u64 + left_out[0] + left_out[1], left_out[0]), (100_000, 0));
    let late: Vec<_> = entries.iter().filter(|id| **id > 50_000).collect();
    assert!(late.len() > 300, "{}", late.len());
    let widest = late.windows(2).map(|two| two[1] - two[0]).max().unwrap();
    assert!(widest < 5000, "{widest}");
}

#[test]
fn con_033_what_was_read_stays_for_a_reader_that_comes_back_until_newer_entries_need_the_room() {
    let mut ring = Filled::new();
    for at in 0..10 {
        ring.offer(at * SECOND, None);
    }
    ring.take(usize::MAX);
    assert!(ring.0.has_all_after(4));
    let ids: Vec<u64> = ring.0.copy_after(4).take(usize::MAX).iter().map(LiveItem::id).collect();
    assert_eq!(ids, [5, 6, 7, 8, 9, 10]);
    for at in 10..MOST_ENTRIES as u64 + 5 {
        ring.offer(at * SECOND, None);
        ring.take(usize::MAX);
    }
    assert!(ring.0.has_all_after(5) && !ring.0.has_all_after(4));
    assert!(ring.0.items.len() <= MOST_ENTRIES);
}

#[test]
fn con_033_what_a_sample_left_out_is_told_again_to_a_reader_that_was_cut_off_before_the_count() {
    let mut ring = Filled::new();
    for _ in 0..700 {
        ring.offer(0, None);
    }
    let taken = ring.0.take(usize::MAX);
    let left_out = |items: &[LiveItem]| match items.last() {
        Some(LiveItem::LeftOut(gap)) => (gap.id, gap.kinds.as_ref().map(KindCounts::total)),
        other => panic!("no count: {other:?}"),
    };
    let last = taken[taken.len() - 2].id();
    let (id, count) = left_out(&taken);
    assert!(id > last && count == Some(700 - last), "{id} {count:?}");
    assert_eq!(left_out(&ring.0.copy_after(last).take(usize::MAX)), (id, count));
    assert!(ring.0.copy_after(id).take(usize::MAX).is_empty(), "once it has come");
    assert!(ring.0.take(usize::MAX).is_empty());
}

#[test]
fn con_037_what_other_nodes_leave_out_keeps_its_place_and_a_full_ring_grows_no_further() {
    let mut ring = Filled::new();
    let mut kinds = KindCounts::default();
    kinds.add(LiveKind::Closed, 3);
    ring.offer(0, None);
    for (kinds, is_sample) in [(Some(&kinds), true), (Some(&kinds), true), (None, false), (None, false)] {
        ring.0.leave_out_there(kinds.cloned(), is_sample, 7);
    }
    ring.offer(SECOND, None);
    let told: Vec<Option<u64>> = ring
        .0
        .take(usize::MAX)
        .iter()
        .map(|item| match item {
            LiveItem::Entry(_) => Some(0),
            LiveItem::LeftOut(left_out) => left_out.kinds.as_ref().map(KindCounts::total),
        })
        .collect();
    assert_eq!(told, [Some(0), Some(6), None, Some(0)]);

    let mut ring = Filled::new();
    for at in 0..3000 {
        let kinds = (at % 3 > 0).then(|| kinds.clone());
        ring.0.leave_out_there(kinds, at % 2 == 0, at);
        ring.offer(at * SECOND, None);
    }
    assert!(ring.0.items.len() <= MOST_ENTRIES + 2, "{}", ring.0.items.len());
}
