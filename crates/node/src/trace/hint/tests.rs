//! Names as people mistake them, and the hints that follow.

use super::*;

/// The kind of the hint, and the channel that the hint names.
fn hinted(wanted: &str, open: &[(&str, usize)]) -> Option<(HintKind, Option<String>)> {
    let mut nearest = Nearest::to(wanted);
    for (channel, subscribers) in open {
        nearest.look(channel, *subscribers);
    }
    nearest.hint().map(|hint| (hint.kind, hint.channel))
}

#[track_caller]
fn expect(wanted: &str, open: &[(&str, usize)], kind: HintKind, channel: &str) {
    assert_eq!(hinted(wanted, open), Some((kind, Some(channel.to_owned()))), "{wanted} among {open:?}");
}

#[test]
fn con_042_the_nearest_open_channel_is_named_with_what_differs() {
    expect("orders", &[("private-orders", 3)], HintKind::Prefix, "private-orders");
    expect("private-orders", &[("orders", 1)], HintKind::Prefix, "orders");
    expect("private-room", &[("presence-room", 1)], HintKind::Prefix, "presence-room");
    expect("private-a", &[("private-encrypted-a", 1)], HintKind::Prefix, "private-encrypted-a");
    expect("news", &[("cache-news", 1)], HintKind::Prefix, "cache-news");
    let prefixed = "laravel_database_private-orders";
    expect(prefixed, &[("private-orders", 1)], HintKind::Prefix, "private-orders");
    expect("shop-private-orders", &[("private-orders", 1)], HintKind::Prefix, "private-orders");
    expect("laravel_database_news", &[("news", 1)], HintKind::Prefix, "news");
    expect("Orders", &[("orders", 1)], HintKind::Case, "orders");
    expect("Orders", &[("private-orders", 1)], HintKind::Prefix, "private-orders");
    for wanted in ["order", "oders", "ordrs", "orderss", "xorders", "orxders", "oxders", "roders"] {
        expect(wanted, &[("orders", 1)], HintKind::Edit, "orders");
    }
    let hint = {
        let mut nearest = Nearest::to("orders");
        nearest.look("private-orders", 3);
        nearest.hint().unwrap()
    };
    assert_eq!(
        hint.text,
        "nobody is subscribed to orders, but private-orders has 3 subscribers: the names differ by their prefix"
    );
}

#[test]
fn con_042_of_several_the_likeliest_mistake_counts_then_the_most_subscribers() {
    let open = [("order", 900), ("Orders", 9), ("private-orders", 1), ("presence-orders", 2), ("other", 5)];
    expect("orders", &open, HintKind::Prefix, "presence-orders");
    expect("orders", &open[..2], HintKind::Case, "Orders");
    expect("orders", &open[..1], HintKind::Edit, "order");
}

#[test]
fn con_042_names_of_other_things_are_no_hint() {
    for (wanted, open) in [
        ("orders.7", "orders.8"),
        ("orders.7", "orders.17"),
        ("orders.1", "orders.12"),
        ("orders.12", "orders.21"),
        ("a", "b"),
        ("abc", "abd"),
        ("my-news", "news"),
        ("orders", "invoices"),
    ] {
        assert_eq!(hinted(wanted, &[(open, 1)]), Some((HintKind::None, None)), "{wanted} and {open}");
    }
    assert_eq!(hinted("a", &[]), Some((HintKind::None, None)));
    assert_eq!(hinted("orders", &[("Orders", 1), ("orders", 1)]), None, "somebody is subscribed");
}

#[test]
fn con_042_an_event_that_is_called_unlike_the_others_of_its_channel_is_named() {
    let like =
        |event, others: &[&str]| about_event("news", 2, event, others.iter().copied()).map(|hint| hint.text);
    let sent = r"App\Events\OrderShipped";
    for other in [".order.shipped", "order.shipped", "OrderShipped", "order-shipped", r"App\OrderShipped"] {
        let text = like(sent, &["x", other]).unwrap_or_else(|| panic!("{other}"));
        assert_eq!(
            text,
            format!("{sent} was sent to news, whose last events were called otherwise, such as {other}")
        );
    }
    assert!(like(sent, &["paid", "sent"]).unwrap().ends_with("such as paid"));
    assert!(like("OrderShipped", &[r"App\Events\Paid"]).is_some());
    assert_eq!(like(sent, &[]), None);
    assert_eq!(like(sent, &["order.shipped", sent]), None, "it was sent before");
    assert_eq!(like(sent, &[r"App\Events\Paid"]), None);
    assert_eq!(like("paid", &["shipped"]), None);
}

#[test]
fn con_042_one_letter_is_found_wherever_it_is() {
    let name = "shipments";
    for at in 0..name.len() {
        let (before, after) = name.split_at(at);
        let (longer, replaced) = (format!("{before}x{after}"), format!("{before}x{}", &after[1..]));
        for other in [&longer, &replaced] {
            assert!(differ_by_a_letter(name.as_bytes(), other.as_bytes()), "{other}");
            assert!(differ_by_a_letter(other.as_bytes(), name.as_bytes()), "{other}");
        }
        assert!(!differ_by_a_letter(longer.as_bytes(), format!("{replaced}yy").as_bytes()));
    }
    assert!(!differ_by_a_letter(name.as_bytes(), name.as_bytes()));
}
