//! The heap that ended subscriptions take whose clients may come back, beside what is counted for them (RES-012). A program
//! of its own, so that nothing else allocates meanwhile.

use std::alloc::System;
use std::sync::Arc;

use fanfare_hub::{Budget, Conn, Hubs, Subscriptions};
use fanfare_protocol::app::App;
use fanfare_protocol::channel::ChannelName;
use fanfare_protocol::ids::SocketId;
use fanfare_protocol::resume::ResumeToken;
use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

const CONNECTIONS: u64 = 500;
const CHANNELS: usize = 20;

/// Clients that count subscribe to channels of these names, and go; the heap that is kept of each subscription, and the bytes
/// that are counted.
fn kept_and_counted(name: impl Fn(u64, usize) -> String) -> (usize, usize) {
    let hubs = Hubs::default();
    let hub = hubs.open(&Arc::new(App { resume_seconds: 60, ..App::new("1".into(), Vec::new()) }));
    let region = Region::new(ALLOCATOR);
    for number in 0..CONNECTIONS {
        let conn = Arc::new(Conn::new(SocketId::from_bits(number), Budget::of_each(1 << 20)));
        let mut subscriptions = Subscriptions::new(Arc::clone(&hub), conn);
        subscriptions.offer_resume(ResumeToken::from_bits(number.into()));
        subscriptions.resume([].into_iter(), CHANNELS);
        for at in 0..CHANNELS {
            let channel = ChannelName::parse(&name(number, at), 164).expect("a legal name");
            subscriptions.subscribe(channel, None, 0).expect("a first subscription");
        }
    }
    let change = region.change();
    let kept = change.bytes_allocated + change.bytes_reallocated.max(0) as usize - change.bytes_deallocated;
    let each = CONNECTIONS as usize * CHANNELS;
    (kept / each, hubs.kept_for_resuming().0 / each)
}

#[test]
fn res_012_what_is_counted_for_an_ended_subscription_is_about_what_it_takes() {
    let shared = kept_and_counted(|_, at| format!("shared-{at}"));
    let own = kept_and_counted(|number, at| format!("own-{number}-{at}"));
    let long = kept_and_counted(|number, at| format!("own-{number}-{at}-{}", "x".repeat(140)));
    for (what, (kept, counted)) in [("shared", shared), ("own", own), ("long", long)] {
        assert!(counted * 5 >= kept * 4, "{what}: {counted} of {kept} bytes are counted");
        assert!(counted <= kept * 2, "{what}: {counted} bytes are counted for {kept}");
    }
}
