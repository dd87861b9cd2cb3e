//! Whom an event reaches: subscribers, who is excluded, who ends, who reads too slowly (CON-042).

use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use fanfare_hub::{AppHub, Budget, Conn, EventReach, Subscriptions, Taken};
use fanfare_protocol::app::App;
use fanfare_protocol::channel::ChannelName;
use fanfare_protocol::close::CloseReason;
use fanfare_protocol::ids::SocketId;
use fanfare_protocol::server::QuotedEvent;

const EXCLUDED: SocketId = SocketId::from_bits(1);

fn news() -> ChannelName {
    ChannelName::parse("news", 164).expect("a legal name")
}

#[test]
fn con_042_subscribers_are_told_apart_by_what_an_event_does_to_them() {
    let hub = Arc::new(AppHub::new(Arc::new(App::new("1".into(), Vec::new()))));
    assert_eq!(hub.reach(&news(), None), EventReach::default(), "no such channel");
    let join = |id| {
        let conn = Arc::new(Conn::new(SocketId::from_bits(id), Budget::of_each(1 << 20)));
        let mut subscriptions = Subscriptions::new(Arc::clone(&hub), conn);
        subscriptions.subscribe(news(), None, 0).expect("a new subscription");
        subscriptions
    };
    let crowd: Vec<Subscriptions> = (1..=4).map(join).collect();
    let all = EventReach { subscribers: 4, took: 4, excluded: 0, slow: 0 };
    assert_eq!(hub.reach(&news(), None), all);
    assert_eq!(hub.reach(&news(), Some(SocketId::from_bits(9))), all, "a stranger is not excluded");
    assert_eq!(hub.reach(&news(), Some(EXCLUDED)), EventReach { took: 3, excluded: 1, ..all });

    // The socket of the second has taken nothing of what its task took from the outbox.
    let (mut frames, cx) = (Vec::new(), Context::from_waker(Waker::noop()));
    assert_eq!(crowd[1].conn().outbox.poll_take(&cx, &mut frames, 64), Poll::Ready(Taken::Frames));
    crowd[2].conn().outbox.close(CloseReason::SlowReader);
    let reach = EventReach { subscribers: 4, took: 2, excluded: 1, slow: 1 };
    assert_eq!(hub.reach(&news(), Some(EXCLUDED)), reach);
    let event = QuotedEvent::new("e", "1");
    assert_eq!(hub.deliver(&news(), &event.on(&news()), Some(EXCLUDED)), reach.took, "as it was said");

    assert!(crowd[1].conn().outbox.poll_take(&cx, &mut frames, 64).is_ready());
    assert!(crowd[1].conn().outbox.poll_take(&cx, &mut frames, 64).is_pending(), "all is written");
    assert_eq!(hub.reach(&news(), Some(EXCLUDED)), EventReach { slow: 0, ..reach });
}
