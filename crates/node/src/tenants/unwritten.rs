//! Usage that is not stored yet, by hour.
//!
//! Only the task that stores usage opens these books; counting never waits for the task.

use std::collections::VecDeque;

use fanfare_apps::{HourOfUsage, Usage};

/// Most separate hours while the database is away; later usage is booked to the last hour.
const MOST_HOURS: usize = 72;

/// The books of one app.
#[derive(Debug, Default)]
pub struct Unwritten {
    /// The counters when the books were last closed.
    counted: Usage,
    hours: VecDeque<HourOfUsage>,
    /// The hour of the last closing, and its highest peak in the books or stored.
    peak: (u64, u64),
    /// The last hour with usage.
    active: u64,
}

impl Unwritten {
    /// Books the usage since the last closing to an hour; `now` are the counters, with the peak since then.
    pub fn close(&mut self, hour: u64, now: Usage) {
        let before = std::mem::replace(&mut self.counted, now);
        let known_peak = if self.peak.0 == hour { self.peak.1 } else { 0 };
        let used = Usage {
            // A known peak needs no new row.
            peak_connections: if now.peak_connections > known_peak { now.peak_connections } else { 0 },
            backend_messages: now.backend_messages - before.backend_messages,
            client_messages: now.client_messages - before.client_messages,
            deliveries: now.deliveries - before.deliveries,
            delivered_bytes: now.delivered_bytes - before.delivered_bytes,
            webhook_deliveries: now.webhook_deliveries - before.webhook_deliveries,
            webhook_failures: now.webhook_failures - before.webhook_failures,
            webhook_events_dropped: now.webhook_events_dropped - before.webhook_events_dropped,
        };
        self.peak = (hour, known_peak.max(now.peak_connections));
        if self.active == 0 || !used.is_nothing() || now.peak_connections > 0 {
            self.active = hour;
        }
        self.add(HourOfUsage { hour, usage: used });
    }

    /// Takes the usage to store; a caller that fails to store returns it to [`Unwritten::add`].
    pub fn take(&mut self) -> Vec<HourOfUsage> {
        self.hours.drain(..).collect()
    }

    /// Adds to the usage to store.
    pub fn add(&mut self, used: HourOfUsage) {
        if used.usage.is_nothing() {
            return;
        }
        let is_full = self.hours.len() >= MOST_HOURS;
        if let Some(known) = self.hours.iter_mut().find(|known| known.hour == used.hour) {
            known.usage.add(&used.usage);
        } else if let Some(last) = self.hours.back_mut().filter(|last| is_full && last.hour < used.hour) {
            last.usage.add(&used.usage);
        } else {
            self.hours.push_back(used);
        }
    }

    /// Whether everything is stored, and the current hour and the one before had no usage.
    pub fn is_idle(&self, hour: u64) -> bool {
        self.hours.is_empty() && hour > self.active + 1
    }

    /// Whether all usage in the counters is stored.
    pub fn is_written(&self, counters: Usage) -> bool {
        self.hours.is_empty() && Usage { peak_connections: 0, ..self.counted } == counters
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counted(messages: u64, peak_connections: u64) -> Usage {
        Usage { peak_connections, backend_messages: messages, ..Usage::default() }
    }

    fn hour(hour: u64, messages: u64, peak_connections: u64) -> HourOfUsage {
        HourOfUsage { hour, usage: counted(messages, peak_connections) }
    }

    #[test]
    fn increments_are_put_to_the_hour_they_were_counted_in() {
        let mut books = Unwritten::default();
        books.close(10, counted(5, 2));
        books.close(10, counted(7, 3));
        books.close(11, counted(8, 1));
        assert_eq!(books.take(), [hour(10, 7, 3), hour(11, 1, 1)]);
        assert_eq!(books.take(), []);
    }

    #[test]
    fn a_peak_is_written_again_only_when_it_has_grown_or_the_hour_is_another() {
        let mut books = Unwritten::default();
        books.close(10, counted(0, 3));
        assert_eq!(books.take(), [hour(10, 0, 3)]);
        books.close(10, counted(0, 3));
        assert_eq!(books.take(), []);
        books.close(10, counted(0, 4));
        assert_eq!(books.take(), [hour(10, 0, 4)]);
        books.close(11, counted(0, 2));
        assert_eq!(books.take(), [hour(11, 0, 2)]);
        assert!(!books.is_idle(12), "there are connections");
    }

    #[test]
    fn what_could_not_be_stored_is_stored_the_next_time() {
        let mut books = Unwritten::default();
        books.close(10, counted(5, 3));
        let failed = books.take();
        books.close(10, counted(6, 1));
        for used in failed {
            books.add(used);
        }
        books.close(11, counted(9, 0));
        assert!(!books.is_written(counted(9, 0)));
        assert_eq!(books.take(), [hour(10, 6, 3), hour(11, 3, 0)]);
        assert!(books.is_written(counted(9, 0)) && !books.is_written(counted(10, 0)));
    }

    #[test]
    fn however_long_the_database_is_away_nothing_is_lost_and_the_books_stay_small() {
        let mut books = Unwritten::default();
        for at in 1..=1000 {
            books.close(at, counted(at, 0));
        }
        let hours = books.take();
        assert_eq!(hours.len(), MOST_HOURS);
        assert_eq!(hours.iter().map(|hour| hour.usage.backend_messages).sum::<u64>(), 1000);
    }
}
