//! Pages that lose their connections, publishers, and the hub that notices late, all at once.
//!
//! In a plain build the threads are real ones; with `--cfg shuttle` a scheduler tries many orders.

use std::sync::Arc;
#[cfg(not(shuttle))]
use std::{sync::Barrier, thread};

use fanfare_hub::AppHub;
#[cfg(shuttle)]
use fanfare_hub::ResumeMistake;
#[cfg(shuttle)]
use shuttle::{sync::Barrier, thread};

use crate::page::{Got, Page, app, hub_of, publish};

const PAGES: u64 = 2;
const PUBLISHERS: usize = 2;
const CHANNELS: [&str; 2] = ["news", "presence-room"];

/// Events of each publisher, and cuts of each page; few where many orders are tried.
const EVENTS: usize = if cfg!(shuttle) { 8 } else { 500 };
const CUTS: usize = if cfg!(shuttle) { 4 } else { 60 };

#[test]
fn res_005_at_once_each_page_gets_every_event_once_and_in_order() {
    #[cfg(not(shuttle))]
    for _ in 0..10 {
        check();
    }
    #[cfg(shuttle)]
    check_in_many_orders();
}

#[cfg(shuttle)]
fn check_in_many_orders() {
    let mut config = shuttle::Config::new();
    config.stack_size = 1 << 20;
    config.failure_persistence = shuttle::FailurePersistence::None;
    let scheduler = shuttle::scheduler::RandomScheduler::new(1000);
    shuttle::Runner::new(scheduler, config).run(check);
}

/// Most times that a mistake is looked for in many orders: the rarest one shows in every second time.
#[cfg(shuttle)]
const ATTEMPTS: usize = 30;

/// What the check is worth: a hub that makes one of these mistakes fails.
#[cfg(shuttle)]
#[test]
fn res_005_and_res_008_and_res_009_mistakes_that_are_made_on_purpose_are_found() {
    let is_missed = |mistake: &ResumeMistake| {
        let mistake = *mistake;
        let made = std::thread::spawn(move || {
            mistake.make();
            for _ in 0..ATTEMPTS {
                check_in_many_orders();
            }
        });
        made.join().is_ok()
    };
    let missed: Vec<_> = ResumeMistake::ALL.into_iter().filter(is_missed).collect();
    assert_eq!(missed, [], "these are not found");
}

fn check() {
    let (_hubs, hub) = hub_of(app());
    let mut pages: Vec<Page> = (1..=PAGES).map(|id| Page::new(&hub, id)).collect();
    for page in &mut pages {
        come(page);
        page.read(usize::MAX);
    }
    let start = Arc::new(Barrier::new(PAGES as usize + PUBLISHERS));
    let pages: Vec<Page> = thread::scope(|scope| {
        for publisher in 0..PUBLISHERS {
            let (hub, start) = (&hub, Arc::clone(&start));
            scope.spawn(move || {
                start.wait();
                for number in 0..EVENTS {
                    for name in CHANNELS {
                        publish(hub, name, &format!("{publisher} {number}"), None);
                    }
                }
            });
        }
        let cut: Vec<_> = pages
            .into_iter()
            .map(|page| {
                let (hub, start) = (&hub, Arc::clone(&start));
                scope.spawn(move || {
                    start.wait();
                    be_cut(hub, page)
                })
            })
            .collect();
        cut.into_iter().map(|page| page.join().expect("no panic")).collect()
    });
    for mut page in pages {
        drop(page.cut(0));
        come(&mut page);
        for name in CHANNELS {
            let got = page.take(name);
            judge(&page, name, &got);
        }
    }
}

fn come(page: &mut Page) {
    page.connect();
    for name in CHANNELS {
        page.subscribe(name);
    }
}

/// Loses the connection again and again; every other time the hub notices later, while the page is back.
fn be_cut(hub: &Arc<AppHub>, mut page: Page) -> Page {
    for cut in 0..CUTS {
        if cut % 3 != 0 {
            page.read(usize::MAX);
        }
        // The page's own events, which it does not get: behind the first it counts on.
        publish(hub, CHANNELS[cut % 2], &own(&page), Some(page.socket()));
        let lost = page.cut(cut % 5);
        publish(hub, CHANNELS[cut % 2], &own(&page), Some(page.socket()));
        if cut % 2 == 0 {
            drop(lost);
            come(&mut page);
        } else {
            thread::scope(|scope| {
                scope.spawn(|| drop(lost));
                come(&mut page);
            });
        }
    }
    page
}

/// The data of a page's own events.
fn own(page: &Page) -> String {
    format!("own of {}", page.id)
}

/// Each publisher's events are there, once and in order, and no resume was incomplete.
fn judge(page: &Page, name: &str, got: &[Got]) {
    let incomplete = got.iter().filter(|got| matches!(got, Got::Resumed { complete: false, .. })).count();
    assert_eq!(incomplete, 0, "page {} on {name}: {got:?}", page.id);
    // Of a client that was cut again and again before an acknowledgement, the last sixteen sockets are known.
    if CUTS <= 16 {
        assert!(!got.contains(&Got::Event(own(page))), "page {} on {name} gets its own: {got:?}", page.id);
    }
    for publisher in 0..PUBLISHERS {
        let begin = format!("{publisher} ");
        let numbers = got.iter().filter_map(|got| match got {
            Got::Event(data) => data.strip_prefix(&begin).map(|number| number.parse().expect("a number")),
            _ => None,
        });
        let numbers: Vec<usize> = numbers.collect();
        assert_eq!(numbers, (0..EVENTS).collect::<Vec<_>>(), "page {} on {name}, {publisher}", page.id);
    }
}
