//! The signed answer of an authorization endpoint to a client (AUTH-020, AUTH-030).

use super::Credential;
use crate::ids::SocketId;
use crate::json::push_string;

/// The answer that lets a client join a channel, in JSON; `channel_data` is signed and answered as a string.
#[must_use]
pub fn channel_answer(
    credential: &Credential,
    socket: SocketId,
    channel: &str,
    channel_data: Option<&str>,
) -> String {
    let signed = format!("{socket}:{channel}");
    match channel_data {
        Some(data) => {
            let signature = credential.secret.sign(&[signed.as_bytes(), b":", data.as_bytes()]);
            answer(credential, &signature, Some(("channel_data", data)))
        }
        None => answer(credential, &credential.secret.sign(&[signed.as_bytes()]), None),
    }
}

/// The answer that signs a client in, in JSON.
#[must_use]
pub fn user_answer(credential: &Credential, socket: SocketId, user_data: &str) -> String {
    let signed = format!("{socket}::user::");
    let signature = credential.secret.sign(&[signed.as_bytes(), user_data.as_bytes()]);
    answer(credential, &signature, Some(("user_data", user_data)))
}

fn answer(credential: &Credential, signature: &str, data: Option<(&str, &str)>) -> String {
    let mut json = format!(r#"{{"auth":"{}:{signature}""#, credential.key).into_bytes();
    if let Some((name, data)) = data {
        json.extend_from_slice(format!(r#","{name}":"#).as_bytes());
        push_string(&mut json, data);
    }
    json.push(b'}');
    String::from_utf8(json).expect("all of it was text")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::auth::sample::official_app;

    fn socket() -> SocketId {
        "1234.1234".parse().expect("an id")
    }

    #[test]
    fn auth_020_the_worked_examples_are_answered() {
        let pair = &official_app().credentials[0];
        assert_eq!(
            channel_answer(pair, socket(), "private-foobar", None),
            r#"{"auth":"278d425bdf160c739803:58df8b0c36d6982b82c3ecf6b4662e34fe8c25bba48f5369f135bf843651c3a4"}"#
        );
        assert_eq!(
            channel_answer(
                pair,
                socket(),
                "presence-foobar",
                Some(r#"{"user_id":"u1","user_info":{"name":"Ann"}}"#)
            ),
            r#"{"auth":"278d425bdf160c739803:3e98c5ba95bf36a9e3fa948f4f7e1bec7dbf5ec66851869579bb22ed411bfb77","channel_data":"{\"user_id\":\"u1\",\"user_info\":{\"name\":\"Ann\"}}"}"#
        );
    }

    #[test]
    fn auth_030_the_worked_example_is_answered() {
        assert_eq!(
            user_answer(&official_app().credentials[0], socket(), r#"{"id":"12345"}"#),
            r#"{"auth":"278d425bdf160c739803:4708d583dada6a56435fb8bc611c77c359a31eebde13337c16ab43aa6de336ba","user_data":"{\"id\":\"12345\"}"}"#
        );
    }
}
