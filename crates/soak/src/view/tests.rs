//! The truth to one connection, and each lie.

use super::*;

const ROOM: &str = "presence-room";

fn event(name: &str, channel: &str, data: &str) -> String {
    serde_json::json!({"event": name, "channel": channel, "data": data}).to_string()
}

fn list(users: &[&str]) -> String {
    let hash: serde_json::Map<String, Value> =
        users.iter().map(|user| ((*user).to_owned(), Value::Null)).collect();
    let data = serde_json::json!({"presence": {"ids": users, "hash": hash, "count": users.len()}});
    event("pusher_internal:subscription_succeeded", ROOM, &data.to_string())
}

fn member(change: &str, user: &str) -> String {
    event(&format!("pusher_internal:member_{change}"), ROOM, &format!("{{\"user_id\":\"{user}\"}}"))
}

fn numbered(number: u32) -> String {
    event("e", ROOM, &format!("{{\"s\":4,\"n\":{number}}}"))
}

/// What is wrong with the last of these messages.
fn fault(messages: &[String]) -> Option<String> {
    let mut view = View::of("me");
    view.asked(ROOM);
    let (last, before) = messages.split_last().unwrap();
    for message in before {
        view.hear(message).unwrap();
    }
    view.hear(last).err()
}

#[test]
fn a_list_and_alternating_changes_are_fine() {
    let all =
        [list(&["me", "ann"]), member("removed", "ann"), member("added", "ann"), numbered(1), numbered(3)];
    assert_eq!(fault(&all), None);
}

#[test]
fn each_lie_to_one_connection_is_found() {
    let known = list(&["me", "ann"]);
    for (messages, words) in [
        (vec![numbered(1)], "before the acknowledgement"),
        (vec![list(&["ann"])], "lacks the subscriber's own user"),
        (vec![list(&["me", "me"])], "disagree"),
        (vec![known.clone(), known.clone()], "a second acknowledgement"),
        (vec![known.clone(), member("added", "ann")], "who is there already"),
        (vec![known.clone(), member("removed", "bob")], "who is not there"),
        (vec![known.clone(), member("removed", "me")], "who is connected here"),
        (vec![known.clone(), member("added", "me")], "of the own user"),
        (vec![known.clone(), numbered(1), numbered(1)], "came twice"),
        (vec![known.clone(), numbered(2), numbered(1)], "came after"),
        (vec![known.clone(), event("e", "other", "{}")], "without a subscription"),
        (vec![known.clone(), event("e", ROOM, "{}")], "nobody published"),
        (vec![r#"{"event":"pusher:error","data":{"code":null}}"#.to_owned()], "unexpected"),
    ] {
        let found = fault(&messages);
        assert!(found.as_ref().is_some_and(|found| found.contains(words)), "{words}: {found:?}");
    }
}

#[test]
fn what_is_under_way_when_a_channel_is_left_is_fine_until_the_server_has_answered() {
    let mut view = View::of("me");
    view.asked(ROOM);
    view.hear(&list(&["me"])).unwrap();
    view.left(ROOM);
    assert!(!view.may_join(ROOM) && !view.is_settled());
    view.hear(&numbered(1)).unwrap();
    view.hear(r#"{"event":"pusher:pong","data":"{}"}"#).unwrap();
    assert!(view.may_join(ROOM) && view.is_settled());
    view.hear(&numbered(2)).unwrap_err();
}

#[test]
fn the_watchlist_alternates() {
    let mut view = View::of("me");
    view.watched.insert("ann".to_owned(), None);
    let online = |name: &str, user: &str| {
        let data = serde_json::json!({"events": [{"name": name, "user_ids": [user]}]}).to_string();
        serde_json::json!({"event": "pusher_internal:watchlist_events", "data": data}).to_string()
    };
    assert!(!view.is_settled());
    view.hear(&online("offline", "ann")).unwrap();
    view.hear(&online("online", "ann")).unwrap();
    assert!(view.is_settled());
    assert!(view.hear(&online("online", "ann")).unwrap_err().contains("twice"));
    view.hear(&online("online", "bob")).unwrap_err();
}

fn resumed(replayed: u64, is_complete: bool) -> String {
    event("fanfare:resumed", ROOM, &format!("{{\"replayed\":{replayed},\"complete\":{is_complete}}}"))
}

/// A second connection, which asks for what the first one missed behind event 2.
fn come_back() -> View {
    let offer = r#"{"event":"pusher_internal:resume","data":"{\"token\":\"t\"}"}"#;
    let mut first = View::of("me");
    assert!(View::is_offered(offer));
    first.hear(offer).unwrap();
    first.asked(ROOM);
    for message in [list(&["me"]), numbered(1), member("added", "ann"), numbered(2)] {
        first.hear(&message).unwrap();
    }
    let position = first.positions().remove(ROOM).unwrap();
    assert_eq!((&*position.token, position.count), ("t", 3));
    let mut second = View::of("me");
    second.hear(offer).unwrap();
    second.asked_to_resume(ROOM, position);
    second.hear(&list(&["me", "ann"])).unwrap();
    assert!(!second.is_settled());
    second
}

#[test]
fn a_channel_that_is_resumed_goes_on_where_it_was() {
    let mut view = come_back();
    let arrival = view.hear(&numbered(3)).unwrap().unwrap();
    assert_eq!(arrival.after, Some(2), "what was missed is owed");
    view.hear(&resumed(1, true)).unwrap();
    assert!(view.is_settled() && view.resumed == [true]);
    view.hear(&resumed(1, true)).unwrap_err();
}

#[test]
fn a_channel_that_is_not_resumed_begins_anew() {
    let mut view = come_back();
    view.hear(&resumed(0, false)).unwrap();
    let arrival = view.hear(&numbered(9)).unwrap().unwrap();
    assert!(arrival.after.is_none() && view.resumed == [false]);
}

#[test]
fn what_was_heard_before_is_not_replayed_and_the_number_of_what_is_replayed_is_true() {
    assert!(come_back().hear(&numbered(2)).unwrap_err().contains("came twice"));
    assert!(come_back().hear(&resumed(1, true)).unwrap_err().contains("0 messages were replayed"));
}
