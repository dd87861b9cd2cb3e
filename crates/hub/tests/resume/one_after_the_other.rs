//! Any script of pages, cuts and events, in sequence: each page has exactly what it should have got.

use std::collections::{HashMap, HashSet};

use fanfare_hub::Subscriptions;
use fanfare_protocol::app::{App, Limits};
use fanfare_protocol::ids::SocketId;
use proptest::prelude::*;

use crate::page::{Got, Page, app, hub_of, publish};

const PAGES: usize = 3;
const CHANNELS: [&str; 3] = ["news", "cache-rates", "presence-room"];

#[derive(Clone, Debug)]
enum Step {
    Subscribe {
        page: usize,
        channel: usize,
    },
    Leave {
        page: usize,
        channel: usize,
    },
    /// `except` is the newest socket of a page.
    Publish {
        channel: usize,
        except: Option<usize>,
    },
    Read {
        page: usize,
    },
    /// The page gets so many frames more, and its connection is lost; the hub may notice later.
    Cut {
        page: usize,
        after: usize,
        is_noticed: bool,
    },
    Connect {
        page: usize,
    },
    /// The hub notices all that was lost.
    Notice,
    TellChanges,
}

fn step() -> impl Strategy<Value = Step> {
    let (page, channel) = (0..PAGES, 0..CHANNELS.len());
    prop_oneof![
        6 => (page.clone(), channel.clone()).prop_map(|(page, channel)| Step::Subscribe { page, channel }),
        1 => (page.clone(), channel.clone()).prop_map(|(page, channel)| Step::Leave { page, channel }),
        12 => (channel, prop::option::weighted(0.3, page.clone()))
            .prop_map(|(channel, except)| Step::Publish { channel, except }),
        2 => page.clone().prop_map(|page| Step::Read { page }),
        4 => (page.clone(), 0..12_usize, any::<bool>())
            .prop_map(|(page, after, is_noticed)| Step::Cut { page, after, is_noticed }),
        5 => page.prop_map(|page| Step::Connect { page }),
        1 => Just(Step::Notice),
        1 => Just(Step::TellChanges),
    ]
}

/// Events of one channel, in order: the socket that was left out.
type Published = Vec<Option<SocketId>>;

/// A page, and what it should get.
struct Watched {
    page: Page,
    sockets: HashSet<SocketId>,
    /// For each channel that the page wants, the number of the first event that it should get.
    wants: HashMap<usize, usize>,
}

impl Watched {
    fn connect(&mut self) {
        if self.page.subscriptions.is_some() {
            return;
        }
        self.page.connect();
        self.sockets.insert(self.page.socket());
        for channel in self.wants.keys() {
            self.page.subscribe(CHANNELS[*channel]);
        }
    }

    /// Compares what the page has got with what was published; returns how many resumes were incomplete.
    fn check(&mut self, channel: usize, published: &Published) -> usize {
        let mut incomplete = 0;
        let Some(first) = self.wants.get_mut(&channel) else { return 0 };
        let name = CHANNELS[channel];
        let mut behind_acknowledgement = usize::MAX;
        // Behind an incomplete resume, a page has to be told where to begin anew.
        let mut is_told_of_gap = false;
        let mut next = *first;
        let got = self.page.take(name);
        let owed = |from: usize| {
            (from..published.len())
                .find(|at| published[*at].is_none_or(|except| !self.sockets.contains(&except)))
        };
        for (at, one) in got.iter().enumerate() {
            match one {
                Got::Acknowledged => behind_acknowledgement = at,
                Got::Event(data) => {
                    let number: usize = data.parse().expect("a number");
                    let is_next = owed(next) == Some(number);
                    if is_next || is_told_of_gap && number > next && owed(number) == Some(number) {
                        (next, is_told_of_gap) = (number + 1, false);
                        continue;
                    }
                    // A kept event may be known, or the page's own.
                    let is_kept = name.starts_with("cache-") && at - behind_acknowledgement <= 2;
                    assert!(is_kept, "{name} {number} instead of {:?}: {got:?}", owed(next));
                }
                Got::Resumed { complete: true, .. } | Got::Other(_) => {}
                Got::Resumed { complete: false, .. } => {
                    incomplete += 1;
                    is_told_of_gap = true;
                }
            }
        }
        if !is_told_of_gap {
            assert_eq!(owed(next), None, "{name}: nothing is missing: {got:?}");
        }
        *first = published.len();
        incomplete
    }
}

fn run(steps: &[Step], app: App) -> usize {
    let (_hubs, hub) = hub_of(app);
    let mut published: Vec<Published> = vec![Vec::new(); CHANNELS.len()];
    let mut lost: Vec<Subscriptions> = Vec::new();
    let mut pages: Vec<Watched> = (0..PAGES as u64)
        .map(|id| Watched { page: Page::new(&hub, id + 1), sockets: HashSet::new(), wants: HashMap::new() })
        .collect();
    for step in steps {
        match *step {
            Step::Subscribe { page, channel } => {
                let watched = &mut pages[page];
                if watched.page.subscriptions.is_some() && !watched.wants.contains_key(&channel) {
                    watched.page.read(usize::MAX);
                    watched.page.got.remove(CHANNELS[channel]);
                    watched.page.subscribe(CHANNELS[channel]);
                    // The page has the acknowledgement, or would not know that it is subscribed.
                    watched.page.read(usize::MAX);
                    watched.wants.insert(channel, published[channel].len());
                }
            }
            Step::Leave { page, channel } => {
                let watched = &mut pages[page];
                if watched.page.subscriptions.is_some() && watched.wants.contains_key(&channel) {
                    watched.page.leave(CHANNELS[channel]);
                    watched.wants.remove(&channel);
                }
            }
            Step::Publish { channel, except } => {
                let except = except.map(|page| pages[page].page.socket());
                let number = published[channel].len();
                published[channel].push(except);
                publish(&hub, CHANNELS[channel], &number.to_string(), except);
            }
            Step::Read { page } => pages[page].page.read(usize::MAX),
            Step::Cut { page, after, is_noticed } => {
                let ended = pages[page].page.cut(after);
                if !is_noticed {
                    lost.extend(ended);
                }
            }
            Step::Connect { page } => pages[page].connect(),
            Step::Notice => lost.clear(),
            Step::TellChanges => {
                hub.tell_changes();
                hub.tell_counts();
            }
        }
    }
    let mut incomplete = 0;
    for watched in &mut pages {
        watched.connect();
    }
    for watched in &mut pages {
        for (channel, published) in published.iter().enumerate() {
            incomplete += watched.check(channel, published);
        }
    }
    incomplete
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, cases: 512, ..ProptestConfig::default() })]

    #[test]
    fn res_005_and_res_009_and_res_010_each_page_gets_every_event_once_and_in_order(
        steps in prop::collection::vec(step(), 1..150),
    ) {
        prop_assert_eq!(run(&steps, app()), 0, "no bound was met");
    }

    #[test]
    fn res_006_where_a_ring_is_short_nothing_is_lost_without_a_word(
        steps in prop::collection::vec(step(), 1..150),
        entries in 1..12_usize,
    ) {
        let limits = Limits { resume_entries: entries, ..Limits::default() };
        run(&steps, App { limits, ..app() });
    }
}
