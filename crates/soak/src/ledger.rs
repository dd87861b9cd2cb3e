//! What was published, and which gaps in what arrives are a fault's doing (CL-001, CL-006).
//!
//! Judges only by times that the run itself has measured.

use std::collections::{BTreeMap, HashSet};
use std::time::{Duration, Instant};

use crate::view::Arrival;

/// What is accepted so long before a fault may not have left its node when the fault begins.
const BEFORE: Duration = Duration::from_secs(3);

/// How long after the end of a fault everything must be right again: the specification's word for quiet.
pub(crate) const AFTER: Duration = Duration::from_secs(10);

/// How long after the end of a fault links may still be away (CL-103), so that what is kept does not reach Redis.
const LINKS_BACK: Duration = Duration::from_secs(3);

/// Events of two streams with no more between them may change places.
const SAME_TIME: Duration = Duration::from_secs(1);

/// One event of a stream on a channel.
#[derive(Clone, Copy)]
struct Event {
    sent: Instant,
    /// Whether a node answered 200.
    accepted: bool,
    /// The client that must not get the event, on whatever connection.
    except: Option<u32>,
}

/// A client's subscription to a channel.
#[derive(Clone, Copy)]
pub(crate) struct Subscriber {
    pub(crate) client: u32,
    pub(crate) node: usize,
    pub(crate) acknowledged: Instant,
}

impl Event {
    fn is_owed_to(self, Subscriber { client, acknowledged, .. }: Subscriber) -> bool {
        self.accepted && self.sent > acknowledged && self.except != Some(client)
    }
}

/// The events of all streams, and the times of faults.
#[derive(Default)]
pub(crate) struct Ledger {
    /// Channel, then stream; an event's number is its place, from 1.
    channels: BTreeMap<String, BTreeMap<u32, Vec<Event>>>,
    streams: u32,
    faults: Vec<(Instant, Option<Instant>)>,
    pub(crate) accepted: u64,
    pub(crate) refused: u64,
    /// Events that clients of a node missed, all of them in the time of a fault: stream, channel, number, node.
    gaps: HashSet<(u32, String, usize, usize)>,
}

impl Ledger {
    /// A new publisher: one connection to one node.
    pub(crate) fn stream(&mut self) -> u32 {
        self.streams += 1;
        self.streams
    }

    /// An event is about to be sent, to all but one client; its number.
    pub(crate) fn sends(&mut self, stream: u32, channel: &str, except: Option<u32>) -> u32 {
        let events = self.channels.entry(channel.to_owned()).or_default().entry(stream).or_default();
        events.push(Event { sent: Instant::now(), accepted: false, except });
        u32::try_from(events.len()).unwrap_or(u32::MAX)
    }

    /// A node has answered the last event of the stream on the channel.
    pub(crate) fn answered(&mut self, stream: u32, channel: &str, accepted: bool) {
        let events = self.channels.get_mut(channel).and_then(|streams| streams.get_mut(&stream));
        if let Some(event) = events.and_then(|events| events.last_mut()) {
            event.accepted = accepted;
        }
        if accepted {
            self.accepted += 1;
        } else {
            self.refused += 1;
        }
    }

    pub(crate) fn fault_begins(&mut self) {
        self.faults.push((Instant::now(), None));
    }

    pub(crate) fn fault_ends(&mut self) {
        if let Some((_, end)) = self.faults.last_mut() {
            *end = Some(Instant::now());
        }
    }

    /// The machine itself stood still until now.
    pub(crate) fn stood_still(&mut self, time: Duration) {
        let now = Instant::now();
        // Before the fault that may be going on, whose end is still to be noted.
        let at = self.faults.len().saturating_sub(1);
        self.faults.insert(at, (now - time, Some(now)));
    }

    /// Whether a fault, or its end, excuses what happened then.
    pub(crate) fn is_excused(&self, then: Instant) -> bool {
        self.faults
            .iter()
            .rev()
            .any(|(begin, end)| then + BEFORE >= *begin && end.is_none_or(|end| then <= end + AFTER))
    }

    /// Whether no fault has cost events for so long.
    pub(crate) fn is_quiet_for(&self, time: Duration) -> bool {
        self.faults.iter().all(|(_, end)| end.is_some_and(|end| end.elapsed() > time))
    }

    /// Whether a kept event of that time may not have been kept.
    fn may_be_forgotten(&self, then: Instant) -> bool {
        let has_been = |end: &Option<Instant>| end.is_none_or(|end| then <= end + LINKS_BACK);
        self.faults.iter().any(|(begin, end)| then + BEFORE >= *begin && has_been(end))
    }

    /// Checks that the event was for this client, and that nothing is missing between the event and the one before.
    ///
    /// # Errors
    /// In words: what is missing without a fault that would excuse the gap.
    pub(crate) fn arrived(&mut self, arrival: &Arrival, client: u32, node: usize) -> Result<(), String> {
        let Arrival { channel, stream, number, after, acknowledged } = arrival;
        let events = self.channels.get(channel).and_then(|streams| streams.get(stream));
        let Some(event) = events.and_then(|events| events.get((*number as usize).wrapping_sub(1))) else {
            return Err(format!("{channel}: event {stream}/{number} was never published"));
        };
        // Who subscribes later gets the kept event of a cache channel all the same (WS-173).
        if event.except == Some(client) && event.sent > *acknowledged {
            return Err(format!("{channel}: event {stream}/{number} came to the client that was excluded"));
        }
        // The first event of a cache channel may be the kept one, and everything after that one must come (CL-042).
        let subscriber = Subscriber { client, node, acknowledged: *acknowledged };
        self.missing(channel, *stream, subscriber, (after.unwrap_or(0), *number))
    }

    /// Checks that a subscriber has got every event until now; the last numbers by stream.
    ///
    /// # Errors
    /// As [`Ledger::arrived`].
    pub(crate) fn is_complete(
        &mut self,
        channel: &str,
        subscriber: Subscriber,
        last: &mut BTreeMap<u32, u32>,
    ) -> Result<(), String> {
        let Some(streams) = self.channels.get(channel) else { return Ok(()) };
        let ends: Vec<(u32, usize)> =
            streams.iter().map(|(stream, events)| (*stream, events.len())).collect();
        for (stream, end) in ends {
            let end = u32::try_from(end).unwrap_or(u32::MAX);
            let known = last.entry(stream).or_default();
            self.missing(channel, stream, subscriber, (*known, end.saturating_add(1)))?;
            *known = (*known).max(end);
        }
        Ok(())
    }

    /// How many events the clients of each node missed, added up.
    pub(crate) fn gaps(&self) -> usize {
        self.gaps.len()
    }

    /// The number of the newest accepted event of each stream on a channel.
    pub(crate) fn newest(&self, channel: &str) -> Option<(u32, u32)> {
        let streams = self.channels.get(channel)?.iter();
        let newest = streams.filter_map(|(stream, events)| {
            let at = events.iter().rposition(|event| event.accepted)?;
            Some((events[at].sent, (*stream, u32::try_from(at + 1).unwrap_or(u32::MAX))))
        });
        newest.max().map(|(_, event)| event)
    }

    /// Whether an event, or none, may be the last one of a channel: the newest; one that another stream sent just before, as
    /// streams have no common order (CL-002); or one behind which all are of the time of a fault.
    pub(crate) fn may_be_last(&self, channel: &str, last: Option<(u32, u32)>) -> bool {
        let sent = |(stream, number): (u32, u32)| {
            let events = self.channels.get(channel)?.get(&stream)?;
            Some(events.get((number as usize).wrapping_sub(1))?.sent)
        };
        let Some(newest) = self.newest(channel) else { return true };
        let last_sent = last.and_then(sent);
        let is_close = last_sent.zip(sent(newest)).is_some_and(|(one, newest)| one + SAME_TIME >= newest);
        let is_other = last.is_some_and(|(stream, _)| stream != newest.0);
        let all = self.channels.get(channel).into_iter().flat_map(BTreeMap::values).flatten();
        let mut newer = all.filter(|event| event.accepted && last_sent.is_none_or(|last| event.sent > last));
        last == Some(newest) || (is_other && is_close) || newer.all(|event| self.may_be_forgotten(event.sent))
    }

    /// Events between two numbers that were sent after the acknowledgement, accepted, and did not come.
    fn missing(
        &mut self,
        channel: &str,
        stream: u32,
        subscriber: Subscriber,
        (after, before): (u32, u32),
    ) -> Result<(), String> {
        let Some(events) = self.channels.get(channel).and_then(|streams| streams.get(&stream)) else {
            return Ok(());
        };
        let between = events.iter().enumerate().take(before.saturating_sub(1) as usize).skip(after as usize);
        let missing: Vec<(usize, Instant)> = between
            .filter(|(_, event)| event.is_owed_to(subscriber))
            .map(|(at, event)| (at + 1, event.sent))
            .collect();
        if let Some((number, sent)) = missing.iter().find(|(_, sent)| !self.is_excused(*sent)) {
            let ago = sent.elapsed().as_millis();
            return Err(format!(
                "{channel}: event {stream}/{number} never came ({ago} ms old; the last was {after}, the next {before})"
            ));
        }
        let gaps = missing.iter().map(|(number, _)| (stream, channel.to_owned(), *number, subscriber.node));
        self.gaps.extend(gaps);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn arrival(number: u32, after: Option<u32>, acknowledged: Instant) -> Arrival {
        Arrival { channel: "a".to_owned(), stream: 1, number, after, acknowledged }
    }

    /// A stream of five events; the third was refused.
    fn five() -> (Ledger, Instant) {
        let mut ledger = Ledger::default();
        let before = Instant::now();
        assert_eq!(ledger.stream(), 1);
        for number in 1..=5 {
            assert_eq!(ledger.sends(1, "a", (number == 5).then_some(9)), number);
            ledger.answered(1, "a", number != 3);
        }
        (ledger, before)
    }

    #[test]
    fn a_gap_is_a_fault_unless_it_was_refused_or_older_than_the_subscription() {
        let (mut ledger, before) = five();
        ledger.arrived(&arrival(1, None, before), 8, 0).unwrap();
        ledger.arrived(&arrival(4, Some(2), before), 8, 0).unwrap();
        ledger.arrived(&arrival(3, Some(1), before), 8, 0).unwrap_err();
        ledger.arrived(&arrival(2, None, before), 8, 0).unwrap_err();
        ledger.arrived(&arrival(5, None, Instant::now()), 8, 0).unwrap();
        assert_eq!(ledger.gaps(), 0);
    }

    #[test]
    fn the_end_may_not_be_missing_either() {
        let (mut ledger, acknowledged) = five();
        let subscriber = |client| Subscriber { client, node: 0, acknowledged };
        let mut last = BTreeMap::from([(1, 4)]);
        ledger.is_complete("a", subscriber(8), &mut last).unwrap_err();
        last.insert(1, 5);
        ledger.is_complete("a", subscriber(8), &mut last).unwrap();
        assert_eq!(ledger.newest("a"), Some((1, 5)));
    }

    #[test]
    fn the_excluded_client_gets_nothing_and_misses_nothing() {
        let (mut ledger, acknowledged) = five();
        ledger.arrived(&arrival(5, Some(4), acknowledged), 8, 0).unwrap();
        let excluded = ledger.arrived(&arrival(5, Some(4), acknowledged), 9, 0).unwrap_err();
        assert!(excluded.contains("excluded"));
        let mut last = BTreeMap::from([(1, 4)]);
        ledger.is_complete("a", Subscriber { client: 9, node: 0, acknowledged }, &mut last).unwrap();
        ledger.arrived(&arrival(6, Some(5), acknowledged), 8, 0).unwrap_err();
    }

    #[test]
    fn what_is_kept_is_the_newest_unless_that_is_of_the_time_of_a_fault() {
        let (mut ledger, _) = five();
        for last in [Some((1, 4)), None] {
            assert!(!ledger.may_be_last("a", last));
        }
        assert!(ledger.may_be_last("a", Some((1, 5))));
        ledger.fault_begins();
        for last in [Some((1, 4)), None] {
            assert!(ledger.may_be_last("a", last));
        }
        ledger.fault_ends();
        let long_ago = Instant::now() - BEFORE - LINKS_BACK - Duration::from_secs(1);
        ledger.faults = vec![(long_ago, Some(long_ago))];
        assert!(!ledger.may_be_last("a", Some((1, 4))));
    }

    #[test]
    fn a_fault_excuses_gaps_of_its_time() {
        let (mut ledger, before) = five();
        ledger.fault_begins();
        ledger.fault_ends();
        ledger.arrived(&arrival(5, Some(1), before), 8, 0).unwrap();
        assert_eq!(ledger.gaps(), 2);
        assert!(!ledger.is_excused(Instant::now() + AFTER + Duration::from_secs(1)));
    }
}
