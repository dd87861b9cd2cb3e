//! The order in which the subscribers of a channel are handed an event.

use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};

use fanfare_hub::{AppHub, Budget, Conn, Subscriptions, Taken};
use fanfare_protocol::app::App;
use fanfare_protocol::channel::ChannelName;
use fanfare_protocol::ids::SocketId;
use fanfare_protocol::server::QuotedEvent;
use parking_lot::Mutex;

/// Records that a connection's task was woken.
struct Woken {
    id: u64,
    all: Arc<Mutex<Vec<u64>>>,
}

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.all.lock().push(self.id);
    }
}

/// Iteration through memory in the order of allocation is much cheaper than in any other order, and the budget of a
/// lone delivery depends on that.
#[test]
fn subscribers_are_handed_an_event_in_the_order_in_which_they_came() {
    let hub = Arc::new(AppHub::new(Arc::new(App::new("1".into(), Vec::new()))));
    let news = ChannelName::parse("news", 164).expect("a legal name");
    let woken = Arc::new(Mutex::new(Vec::new()));
    let came: Vec<u64> = (0_u64..1000).map(|n| n.wrapping_mul(0x9e37_79b9_7f4a_7c15)).collect();
    let all: Vec<Subscriptions> = came
        .iter()
        .map(|&id| {
            let conn = Arc::new(Conn::new(SocketId::from_bits(id), Budget::of_each(1 << 20)));
            let mut subscriptions = Subscriptions::new(Arc::clone(&hub), conn);
            subscriptions.subscribe(news.clone(), None, 0).expect("subscribed");
            let waker = Waker::from(Arc::new(Woken { id, all: Arc::clone(&woken) }));
            let cx = Context::from_waker(&waker);
            let outbox = &subscriptions.conn().outbox;
            while let Poll::Ready(Taken::Frames) = outbox.poll_take(&cx, &mut Vec::new(), 64) {}
            subscriptions
        })
        .collect();
    hub.deliver(&news, &QuotedEvent::new("e", "1").on(&news), None);
    assert_eq!(*woken.lock(), came);
    drop(all);
}
