//! The messages of every client, and what is refused.

use super::*;

fn subscription<'a>(
    channel: &'a str,
    auth: Option<&'a str>,
    channel_data: Option<&'a str>,
) -> Result<ClientMessage<'a>, ProtocolError> {
    Ok(ClientMessage::Subscribe(Subscribe {
        channel: channel.into(),
        auth: auth.map(Cow::from),
        channel_data: channel_data.map(Cow::from),
    }))
}

#[test]
fn ws_110_the_subscribe_forms_of_every_client_are_read() {
    let cases = [
        (
            r#"{"event":"pusher:subscribe","data":{"auth":"","channel":"news"}}"#,
            subscription("news", Some(""), None),
        ),
        (r#"{"event":"pusher:subscribe","data":{"channel":"news"}}"#, subscription("news", None, None)),
        (
            r#"{"data":{"channel":"private-a","auth":"K:S","more":[1]},"event":"pusher:subscribe","x":1}"#,
            subscription("private-a", Some("K:S"), None),
        ),
        (
            r#"{"event":"pusher:subscribe","data":{"auth":null,"channel_data":null,"channel":"a"}}"#,
            subscription("a", None, None),
        ),
        (
            r#"{"event":"pusher:subscribe","data":{"auth":"K:S","channel_data":"{\"user_id\": 1}","channel":"presence-a"}}"#,
            subscription("presence-a", Some("K:S"), Some(r#"{"user_id": 1}"#)),
        ),
        (
            r#"{"event":"pusher:subscribe","data":"{\"channel\":\"caf\\u00e9\",\"channel_data\":\"\"}"}"#,
            subscription("café", None, Some("")),
        ),
    ];
    for (text, message) in cases {
        assert_eq!(ClientMessage::parse(text), message, "{text}");
    }
}

#[test]
fn ws_113_data_that_is_no_object_is_refused() {
    for data in ["[]", "5", "true", r#""news""#, r#""[1]""#, r#"["news","",null]"#] {
        let text = format!(r#"{{"event":"pusher:subscribe","data":{data}}}"#);
        assert_eq!(ClientMessage::parse(&text), Err(ProtocolError::DataNotAHash), "{text}");
    }
}

#[test]
fn ws_131_a_missing_channel_is_named() {
    let missing = Err(ProtocolError::MissingParameter("data.channel"));
    for data in ["{}", r#"{"channel":null}"#, "null"] {
        let text = format!(r#"{{"event":"pusher:unsubscribe","data":{data}}}"#);
        assert_eq!(ClientMessage::parse(&text), missing, "{text}");
    }
    assert_eq!(ClientMessage::parse(r#"{"event":"pusher:subscribe"}"#), missing);
}

#[test]
fn ws_160_a_client_event_has_a_channel_beside_its_data() {
    let event = |data: &str| {
        let text =
            format!(r#"{{"event":"client-typing","data":{data},"channel":"private-a","user_id":"x"}}"#);
        match ClientMessage::parse(&text).map(ClientMessage::into_owned) {
            Ok(ClientMessage::ClientEvent { event, channel, data }) => {
                assert_eq!((&*event, &*channel), ("client-typing", "private-a"));
                data.into_owned()
            }
            other => panic!("{other:?}"),
        }
    };
    for (data, passed_on) in [
        (r#"{"a":1}"#, r#"{"a":1}"#),
        ("{ \"b\": 1, \"a\": \" \" }", r#"{"b":1,"a":" "}"#),
        (r#""plain \u00e9""#, "plain é"),
        (r#""{\"a\": 1}""#, r#"{"a": 1}"#),
        ("null", "null"),
        ("[ ]", "[]"),
        ("\"\"", ""),
    ] {
        assert_eq!(event(data).text(), Some(passed_on), "{data}");
    }
}

#[test]
fn a_text_that_is_signed_or_names_something_has_whole_characters() {
    let half = |name| Err(ProtocolError::HalfCharacter(name));
    for (data, fault) in [
        (r#"{"channel":"a\ud83d"}"#, half("data.channel")),
        (r#"{"channel":"presence-a","auth":"K:S","channel_data":"\ude00"}"#, half("data.channel_data")),
    ] {
        let text = format!(r#"{{"event":"pusher:subscribe","data":{data}}}"#);
        assert_eq!(ClientMessage::parse(&text), fault, "{data}");
    }
    let text = r#"{"event":"pusher:signin","data":{"auth":"K:S","user_data":"\ud83d"}}"#;
    let fault = SignInFault::HalfCharacter("data.user_data");
    assert_eq!(ClientMessage::parse(text), Err(ProtocolError::SignIn(fault)));
}

#[test]
fn ws_169_a_client_event_without_channel_or_data_is_invalid() {
    for rest in [
        r#""data":{}"#,
        r#""channel":"private-a""#,
        r#""data":{},"channel":null"#,
        r#""data":{},"channel":7"#,
    ] {
        let text = format!(r#"{{"event":"client-a",{rest}}}"#);
        assert_eq!(
            ClientMessage::parse(&text),
            Err(ProtocolError::ClientEvent(ClientEventFault::Incomplete)),
            "{text}"
        );
    }
}

#[test]
fn ws_180_a_sign_in_has_auth_and_user_data() {
    assert_eq!(
        ClientMessage::parse(
            r#"{"event":"pusher:signin","data":{"auth":"K:S","user_data":"{\"id\": \"1\"}"}}"#
        ),
        Ok(ClientMessage::SignIn { auth: "K:S".into(), user_data: r#"{"id": "1"}"#.into() })
    );
    let failed = |fault| Err(ProtocolError::SignIn(fault));
    let missing = |name| failed(SignInFault::Missing(name));
    for (data, error) in [
        (r#"{"auth":"K:S"}"#, missing("data.user_data")),
        (r#"{"user_data":"{}"}"#, missing("data.auth")),
        ("null", missing("data.user_data")),
        (r#"{"auth":"K:S","user_data":{"id":"1"}}"#, failed(SignInFault::NotAString("data.user_data"))),
        (r#"{"auth":7,"user_data":"{}"}"#, failed(SignInFault::NotAString("data.auth"))),
        ("[]", failed(SignInFault::DataNotAHash)),
    ] {
        let text = format!(r#"{{"event":"pusher:signin","data":{data}}}"#);
        assert_eq!(ClientMessage::parse(&text), error, "{text}");
    }
    assert_eq!(ClientMessage::parse(r#"{"event":"pusher:signin"}"#), missing("data.user_data"));
}

#[test]
fn a_member_of_the_wrong_type_is_named() {
    assert_eq!(
        ClientMessage::parse(r#"{"event":"pusher:subscribe","data":{"channel":7}}"#),
        Err(ProtocolError::NotAString("data.channel"))
    );
    assert_eq!(
        ClientMessage::parse(
            r#"{"event":"pusher:subscribe","data":{"channel":"presence-a","channel_data":{"user_id":7}}}"#
        ),
        Err(ProtocolError::NotAString("data.channel_data"))
    );
}

#[test]
fn ws_210_and_ws_211_what_is_no_event_is_invalid_json() {
    for text in ["", "{", "[]", "null", "1", r#""x""#, "{}", r#"{"event":1}"#, r#"{"event":null}"#, "é"] {
        assert_eq!(ClientMessage::parse(text), Err(ProtocolError::InvalidJson), "{text}");
    }
}

#[test]
fn ws_211_an_array_of_the_members_is_no_message() {
    for text in
        [r#"["pusher:ping"]"#, r#"["pusher:subscribe",{"channel":"news"}]"#, r#"["client-a",{},"private-a"]"#]
    {
        assert_eq!(ClientMessage::parse(text), Err(ProtocolError::InvalidJson), "{text}");
    }
}

#[test]
fn ws_212_events_that_are_not_for_clients_are_unsupported() {
    for event in ["hello", "pusher:nonsense", "pusher_internal:member_added", ""] {
        let text = format!(r#"{{"event":"{event}","data":{{}}}}"#);
        assert_eq!(ClientMessage::parse(&text), Err(ProtocolError::UnsupportedEvent(event.into())));
    }
}

#[test]
fn ws_042_and_ws_047_ping_and_pong_need_no_data() {
    assert_eq!(ClientMessage::parse(r#"{"event":"pusher:ping"}"#), Ok(ClientMessage::Ping));
    assert_eq!(ClientMessage::parse(r#"{"event":"pusher:ping","data":{}}"#), Ok(ClientMessage::Ping));
    assert_eq!(ClientMessage::parse(r#"{"event":"pusher:pong","data":"{}"}"#), Ok(ClientMessage::Pong));
}
