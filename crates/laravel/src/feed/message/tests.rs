//! Messages of Laravel and others, and their broadcasts.

use super::*;

fn parse(message: &str) -> Result<(String, String, Option<String>), NotABroadcast> {
    Broadcast::parse(message.as_bytes()).map(|Broadcast { event, data, except }| {
        (event.into_owned(), data.text().expect("a text").to_owned(), except.map(|id| id.to_string()))
    })
}

fn data_of(message: &str) -> String {
    parse(message).expect(message).1
}

#[test]
fn what_each_laravel_publishes_becomes_what_clients_expect() {
    let table = [
        // 5.1 and 5.2.
        (
            r#"{"event":"App\\Events\\Message","data":{"text":"x"}}"#,
            r"App\Events\Message",
            r#"{"text":"x"}"#,
            None,
        ),
        // 5.3: outside only.
        (r#"{"event":"e","data":{"text":"x"},"socket":"123.456"}"#, "e", r#"{"text":"x"}"#, Some("123.456")),
        // 5.4 and later: in both places.
        (
            r#"{"event":"App\\Events\\Message","data":{"text":"x","socket":null},"socket":null}"#,
            r"App\Events\Message",
            r#"{"text":"x"}"#,
            None,
        ),
        (
            r#"{"event":"message.named","data":{"text":"x\/\u00fc\u2603","nested":{"a":[1,2.5,null,true]},"socket":"123.456"},"socket":"123.456"}"#,
            "message.named",
            r#"{"text":"x\/\u00fc\u2603","nested":{"a":[1,2.5,null,true]}}"#,
            Some("123.456"),
        ),
        (
            r#"{"event":"Illuminate\\Notifications\\Events\\BroadcastNotificationCreated","data":{"text":"hello","id":"9b1c","type":"App\\Notifications\\Ping","socket":null},"socket":null}"#,
            r"Illuminate\Notifications\Events\BroadcastNotificationCreated",
            r#"{"text":"hello","id":"9b1c","type":"App\\Notifications\\Ping"}"#,
            None,
        ),
        // A model's event.
        (
            r#"{"event":"PostUpdated","data":{"model":{"id":5},"connection":null,"queue":null,"afterCommit":false,"socket":"1.2"},"socket":"1.2"}"#,
            "PostUpdated",
            r#"{"model":{"id":5},"connection":null,"queue":null,"afterCommit":false}"#,
            Some("1.2"),
        ),
        // No public property.
        (r#"{"event":"e","data":{"socket":null},"socket":null}"#, "e", "[]", None),
        (r#"{"event":"e","data":[],"socket":null}"#, "e", "[]", None),
    ];
    for (message, event, data, except) in table {
        assert_eq!(parse(message), Ok((event.into(), data.into(), except.map(str::to_owned))), "{message}");
    }
}

#[test]
fn the_inner_socket_is_taken_out_wherever_it_stands_and_all_else_stays_as_it_is() {
    for (data, rest) in [
        (r#"{"socket":"1.2","a":1}"#, r#"{"a":1}"#),
        (r#"{ "socket" : "1.2" , "a" : 1 }"#, r#"{ "a" : 1 }"#),
        (r#"{ "a" : 1 , "socket" : "1.2" }"#, r#"{ "a" : 1 }"#),
        (r#"{"a":1,"socket":"1.2","b":"socket"}"#, r#"{"a":1,"b":"socket"}"#),
        (r#"{"a":"}\",","socket":"1.2","b":1.0,"c":1e400}"#, r#"{"a":"}\",","b":1.0,"c":1e400}"#),
        (r#"{"\u0073ocket":"1\u002e2","a":1}"#, r#"{"a":1}"#),
        (r#"{"a":{"socket":"1.2"},"socket":"1.2"}"#, r#"{"a":{"socket":"1.2"}}"#),
    ] {
        assert_eq!(data_of(&format!(r#"{{"event":"e","data":{data},"socket":"1.2"}}"#)), rest, "{data}");
    }
}

#[test]
fn a_socket_that_is_the_applications_own_stays() {
    for message in [
        r#"{"event":"e","data":{"socket":"AM4","a":1},"socket":"1.2"}"#,
        r#"{"event":"e","data":{"socket":"AM4","a":1},"socket":null}"#,
        r#"{"event":"e","data":{"socket":"AM4","a":1}}"#,
    ] {
        assert_eq!(data_of(message), r#"{"socket":"AM4","a":1}"#, "{message}");
    }
    let none_outside = r#"{"event":"e","data":{"socket":null,"a":1}}"#;
    assert_eq!(data_of(none_outside), r#"{"socket":null,"a":1}"#);
}

#[test]
fn data_of_any_kind_becomes_a_text() {
    for (data, text) in [
        (r#""plain \"text\" caf\u00e9""#, "plain \"text\" café"),
        ("7", "7"),
        ("1.0", "1.0"),
        ("null", "null"),
        ("true", "true"),
        (r#"[1, {"a" : 2}]"#, r#"[1, {"a" : 2}]"#),
        ("{}", "{}"),
    ] {
        assert_eq!(data_of(&format!(r#"{{"event":"e","data":{data},"socket":null}}"#)), text, "{data}");
    }
    assert_eq!(data_of(r#"{"event":"e"}"#), "null", "nothing is null, as with laravel-echo-server");
}

#[test]
fn only_what_can_be_a_socket_id_excludes() {
    let long = format!("\"{}\"", "1".repeat(5000));
    for socket in
        ["null", "\"undefined\"", "\"\"", "\"1.2.3\"", "\"01.2\"", "7", "1.2", "{}", "[\"1.2\"]", &long]
    {
        let message = format!(r#"{{"event":"e","data":1,"socket":{socket}}}"#);
        assert_eq!(parse(&message), Ok(("e".into(), "1".into(), None)), "{socket}");
    }
}

#[test]
fn what_is_no_event_is_not_taken_for_one() {
    use NotABroadcast::{NoEvent, NotAnObject, Reserved};
    for (message, why) in [
        ("", NotAnObject),
        ("hello", NotAnObject),
        ("7", NotAnObject),
        ("null", NotAnObject),
        ("\"text\"", NotAnObject),
        (r#"["event"]"#, NotAnObject),
        (r#"{"event":"e""#, NotAnObject),
        (r#"{"event":"e"} {}"#, NotAnObject),
        (r#"{"event":"e","event":"f"}"#, NotAnObject),
        ("{}", NoEvent),
        (r#"{"data":1}"#, NoEvent),
        (r#"{"event":null}"#, NoEvent),
        (r#"{"event":7}"#, NoEvent),
        (r#"{"event":{"name":"e"}}"#, NoEvent),
        (r#"{"event":"pusher:error","data":{}}"#, Reserved),
        (r#"{"event":"pusher_internal:member_added"}"#, Reserved),
        (r#"{"event":"\u0070usher:error"}"#, Reserved),
    ] {
        assert_eq!(parse(message), Err(why), "{message}");
    }
    assert_eq!(Broadcast::parse(b"{\"event\":\"\xff\"}"), Err(NotAnObject));
    assert_eq!(Broadcast::parse(b"O:8:\"stdClass\":0:{}"), Err(NotAnObject), "what PHP serializes");
}

#[test]
fn a_message_that_is_nested_deeply_costs_no_stack() {
    let deep = format!("{}{}", "[".repeat(500_000), "]".repeat(500_000));
    assert!(data_of(&format!(r#"{{"event":"e","data":{deep},"socket":null}}"#)) == deep);
    let inside = format!(r#"{{"a":{deep},"socket":null}}"#);
    let outside = format!(r#"{{"event":"e","data":{inside},"socket":null}}"#);
    assert!(data_of(&outside) == format!(r#"{{"a":{deep}}}"#));
}

#[test]
fn a_text_that_is_cut_within_a_character_is_kept_as_it_came() {
    for data in [r#""cut \ud83d""#, r#"{"a":"cut \ud83d"}"#] {
        let message = format!(r#"{{"event":"e","data":{data},"socket":null}}"#);
        let broadcast = Broadcast::parse(message.as_bytes()).expect("a broadcast");
        assert_eq!(Some(broadcast.data), Data::of_value(data));
    }
}
