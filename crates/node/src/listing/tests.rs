//! Lists of more rows than are counted.

use std::sync::Arc;

use fanfare_apps::Apps;
use fanfare_config::Config;
use fanfare_hub::{Budget, Conn, Subscriptions};
use fanfare_protocol::app::App;
use fanfare_protocol::server;
use fanfare_protocol::user::UserData;
use prometheus_client::registry::Registry;

use super::*;
use crate::node::NodeBounds;
use crate::tasks::Tasks;

async fn node() -> Node {
    let config = Config::default();
    let apps = Apps::open(Vec::new(), None, config.kept()).await.expect("there is no database");
    Node::new(config, apps, Tasks::default(), NodeBounds::default(), Registry::default())
}

#[tokio::test]
async fn con_022_more_than_a_hundred_thousand_is_said_of_users_instead_of_a_count() {
    let (node, id) = (node().await, AppId::from("1"));
    let hub = node.hubs.open(&Arc::new(App::new(id.clone(), Vec::new())));
    let budget = Budget::of_each(1 << 20);
    let come = |number: usize| {
        let bits = u64::try_from(number).expect("few");
        let conn = Arc::new(Conn::new(SocketId::from_bits(bits), Arc::clone(&budget)));
        let mut subscriptions = Subscriptions::new(Arc::clone(&hub), conn);
        let channel = ChannelName::parse(&format!("own{number}"), 164).expect("a name");
        subscriptions.subscribe(channel, None, 0).expect("new");
        let user = UserData {
            id: UserId::from(&*format!("u{number:06}")),
            user_info: None,
            watchlist: Vec::new(),
            watchlist_cut_from: None,
        };
        subscriptions.sign_in(user, &server::pong(), bits);
        subscriptions
    };
    let mut crowd: Vec<Subscriptions> = (0..MOST_COUNTED).map(come).collect();
    let users = async |prefix: &str| {
        let page = everywhere::users(&node, &id, (prefix, None), 50).await;
        (page.rows.len(), page.more, page.total, page.more_than)
    };
    assert_eq!(users("").await, (50, true, Some(MOST_COUNTED), None));
    crowd.push(come(MOST_COUNTED));
    assert_eq!(users("").await, (50, true, None, Some(MOST_COUNTED)));
    assert_eq!(users("u00000").await, (10, false, Some(10), None));

    // Lengths of tables, and what is read for the page anyway, are told whatever they are.
    let all = MOST_COUNTED + 1;
    let totals = AppTotals { connections: all, channels: all, subscriptions: all, users: all };
    assert_eq!(super::totals(&node, &id).await, totals);
    let order = ChannelOrder::Subscribers(None);
    let wanted = ChannelsWanted { prefix: "own", kind: None, order, limit: 50 };
    assert_eq!(everywhere::channels(&node, &id, &wanted).await.total, Some(all));
}
