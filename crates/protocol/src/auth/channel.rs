//! The signature with which a client proves that it may subscribe to a channel (AUTH-020 … AUTH-026).

use super::pair::{PairFault, verify_pair};
use crate::app::App;
use crate::error::ProtocolError;
use crate::ids::SocketId;

/// Checks `auth`, which is `KEY:SIGNATURE`, for one socket and one channel.
///
/// `channel_data` is the text as decoded from the outer JSON. A given text, even an empty one, is part of the signed
/// text on any kind of channel (AUTH-021, AUTH-022, AUTH-023).
///
/// # Errors
/// `auth` is missing or empty, has no colon, names a key that is not the app's, or has a signature
/// of another socket, channel or data.
pub fn verify_channel(
    app: &App,
    socket: SocketId,
    channel: &str,
    auth: Option<&str>,
    channel_data: Option<&str>,
) -> Result<(), ProtocolError> {
    let auth = match auth {
        None | Some("") => return Err(ProtocolError::AuthMissing(channel.to_owned())),
        Some(auth) => auth,
    };
    let signed = match channel_data {
        Some(data) => format!("{socket}:{channel}:{data}"),
        None => format!("{socket}:{channel}"),
    };
    verify_pair(app, auth, signed).map_err(|fault| match fault {
        PairFault::Format => ProtocolError::AuthFormat(channel.to_owned()),
        PairFault::Key(key) => ProtocolError::AuthKey(key),
        PairFault::Signature { signed, got } => ProtocolError::AuthSignature { signed, got },
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::auth::sample::{KEY, official_app};

    fn verify(channel: &str, auth: Option<&str>, data: Option<&str>) -> Result<(), String> {
        let socket = "1234.1234".parse().expect("an id");
        verify_channel(&official_app(), socket, channel, auth, data).map_err(|error| error.to_string())
    }

    fn accepts(channel: &str, data: Option<&str>, signature: &str) {
        let auth = format!("{KEY}:{signature}");
        assert_eq!(verify(channel, Some(&auth), data), Ok(()), "{channel} {data:?}");
        let other_socket = "1234.1235".parse().expect("an id");
        verify_channel(&official_app(), other_socket, channel, Some(&auth), data)
            .expect_err("AUTH-025: a signature is bound to the socket");
        verify(&format!("{channel}x"), Some(&auth), data)
            .expect_err("AUTH-025: a signature is bound to the channel");
    }

    #[test]
    fn auth_020_worked_examples_without_channel_data() {
        accepts("private-foobar", None, "58df8b0c36d6982b82c3ecf6b4662e34fe8c25bba48f5369f135bf843651c3a4");
        accepts(
            "private-encrypted-foobar",
            None,
            "e6a18892d037c5d5e76a2265df4f086ffc38631605530dfd214aa5bff495f533",
        );
    }

    #[test]
    fn auth_021_worked_examples_with_channel_data_byte_for_byte() {
        let cases = [
            (
                "presence-foobar",
                r#"{"user_id":10,"user_info":{"name":"Mr. Channels"}}"#,
                "31935e7d86dba64c2a90aed31fdc61869f9b22ba9d8863bba239c03ca481bc80",
            ),
            (
                "presence-foobar",
                r#"{"user_id": 10, "user_info": {"name": "Mr. Channels"}}"#,
                "5b8808f3035fec2e4157c6b430a06d5b0de16d174e1a779e0e2b64d9983bde27",
            ),
            (
                "presence-foobar",
                r#"{"user_id":"u1","user_info":{"name":"Ann"}}"#,
                "3e98c5ba95bf36a9e3fa948f4f7e1bec7dbf5ec66851869579bb22ed411bfb77",
            ),
            (
                "presence-cache-foobar",
                r#"{"user_id":"u1"}"#,
                "8425122eee6e8d64dbe89f5c8e96db5bae4b12352519fad0ec7c3e3700d71c51",
            ),
        ];
        for (channel, data, signature) in cases {
            accepts(channel, Some(data), signature);
        }
    }

    #[test]
    fn auth_022_channel_data_is_signed_on_private_channels_too() {
        let app = official_app();
        let signature = app.credentials[0].secret.sign(&[br#"1234.1234:private-foobar:{"a":1}"#]);
        accepts("private-foobar", Some(r#"{"a":1}"#), &signature);
        let auth = format!("{KEY}:{signature}");
        verify("private-foobar", Some(&auth), None).expect_err("channel_data was signed but is absent");
    }

    #[test]
    fn auth_023_an_empty_channel_data_is_present() {
        let signature = "fb799eb5e55306a4911a0b1f25f875bb765b797ea357a8d311a40259e66eadcf";
        accepts("private-foobar", Some(""), signature);
        let auth = format!("{KEY}:{signature}");
        verify("private-foobar", Some(&auth), None).expect_err("absent is not empty");
    }

    #[test]
    fn auth_024_and_ws_131_the_first_fault_is_told_in_hosted_pushers_words() {
        let faults = [
            (None, "Auth info required to subscribe to private-a"),
            (Some(""), "Auth info required to subscribe to private-a"),
            (
                Some("nonsense"),
                "Auth value for subscription to private-a is invalid: should be of format 'key:signature'",
            ),
            (Some("nonsense:00"), "Invalid key in subscription auth data: 'nonsense'"),
            (Some(":00"), "Invalid key in subscription auth data: ''"),
            (
                Some("278d425bdf160c739803:00"),
                "Invalid signature: Expected HMAC SHA256 hex digest of 1234.1234:private-a, but got 00",
            ),
            (
                // Split at the first colon: the rest is the signature.
                Some("278d425bdf160c739803:00:00"),
                "Invalid signature: Expected HMAC SHA256 hex digest of 1234.1234:private-a, but got 00:00",
            ),
            (
                Some("278d425bdf160c739803:"),
                "Invalid signature: Expected HMAC SHA256 hex digest of 1234.1234:private-a, but got ",
            ),
        ];
        for (auth, text) in faults {
            assert_eq!(verify("private-a", auth, None), Err(text.to_owned()), "{auth:?}");
        }
    }

    #[test]
    fn auth_024_any_key_of_the_app_signs_but_only_with_its_own_secret() {
        let app = official_app();
        let second = &app.credentials[1];
        let text: &[&[u8]] = &[b"1234.1234:private-a"];
        let auth = format!("{}:{}", second.key, second.secret.sign(text));
        assert_eq!(verify("private-a", Some(&auth), None), Ok(()));
        let crossed = format!("{}:{}", second.key, app.credentials[0].secret.sign(text));
        verify("private-a", Some(&crossed), None).expect_err("the secret of another key");
    }

    #[test]
    fn auth_026_the_published_presence_value_is_of_mr_pusher() {
        let published = "afaed3695da2ffd16931f457e338e6c9f2921fa133ce7dac49f529792be6304c";
        accepts("presence-foobar", Some(r#"{"user_id":10,"user_info":{"name":"Mr. Pusher"}}"#), published);
        let auth = format!("{KEY}:{published}");
        verify("presence-foobar", Some(&auth), Some(r#"{"user_id":10,"user_info":{"name":"Mr. Channels"}}"#))
            .expect_err("the value does not belong to the text beside it");
    }
}
