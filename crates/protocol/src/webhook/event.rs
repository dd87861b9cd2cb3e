//! The events of webhooks as JSON, and the body of a request (HOOK-001, HOOK-010 … HOOK-016).

use super::kinds::Kind;
use super::names::EventNames;
use super::transition::{SentEvent, Transition};
use crate::channel::{ChannelKind, ChannelName};
use crate::ids::UserId;
use crate::json::push_string;

/// Bytes of an event's JSON besides names and data, and of a body besides its events.
const AROUND: usize = 96;

/// One event of a webhook, as JSON.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WebhookEvent {
    /// The event's kind.
    pub kind: Kind,
    /// The event's channel (HOOK-007); of `user_online` and `user_offline` the user's hidden one, which is not in the JSON.
    pub channel: ChannelName,
    /// The event's name.
    pub name: EventNames,
    /// The event as a JSON object.
    pub json: String,
}

impl WebhookEvent {
    /// The event of a transition; `None` for a transition that only ends a silence, and for users' own channels
    /// (HOOK-019).
    #[must_use]
    pub fn of(transition: &Transition) -> Option<Self> {
        let plain = |name, channel| Self::written(name, channel, |_| {});
        let member = |name, channel, user: &UserId| {
            Self::written(name, channel, |json| push_member(json, "user_id", user.as_str()))
        };
        let kind = transition.kind();
        let (came, went) = match kind {
            Kind::Users => ("user_online", "user_offline"),
            _ => ("member_added", "member_removed"),
        };
        let (name, channel, json) = match transition {
            Transition::Occupied(channel) => plain("channel_occupied", channel),
            Transition::Vacated(channel) => plain("channel_vacated", channel),
            Transition::Joined(channel, user) => member(came, channel, user),
            Transition::Left(channel, user) => member(went, channel, user),
            Transition::Missed(channel) => plain("cache_miss", channel),
            Transition::Filled(_) => return None,
            Transition::Counted(channel, count) => {
                let write = |json: &mut Vec<u8>| {
                    json.extend_from_slice(format!(r#","subscription_count":{count}"#).as_bytes());
                };
                Self::written("subscription_count", channel, write)
            }
            Transition::Sent(event) => Self::written("client_event", &event.channel, |json| event.push(json)),
        };
        (channel.is_shown() || kind == Kind::Users).then_some(Self { kind, channel, name, json })
    }

    fn written(
        name: &str,
        channel: &ChannelName,
        more: impl FnOnce(&mut Vec<u8>),
    ) -> (EventNames, ChannelName, String) {
        let mut json = Vec::with_capacity(AROUND + channel.as_str().len());
        json.extend_from_slice(br#"{"name":"#);
        push_string(&mut json, name);
        if channel.is_shown() {
            push_member(&mut json, "channel", channel.as_str());
        }
        more(&mut json);
        json.push(b'}');
        (EventNames::of(name), channel.clone(), String::from_utf8(json).expect("it is written in UTF-8"))
    }

    /// Whether the event's body is opaque, so that the event never shares a request with others (HOOK-026).
    #[must_use]
    pub fn is_encrypted(&self) -> bool {
        self.channel.kind() == ChannelKind::Encrypted
    }
}

impl SentEvent {
    fn push(&self, json: &mut Vec<u8>) {
        push_member(json, "event", &self.name);
        json.extend_from_slice(br#","data":"#);
        self.data.push_whole(json);
        push_member(json, "socket_id", &self.sender.to_string());
        if let Some(user) = &self.user {
            push_member(json, "user_id", user.as_str());
        }
    }
}

/// Appends a member; every id is a string (HOOK-006).
fn push_member(json: &mut Vec<u8>, name: &str, text: &str) {
    json.push(b',');
    push_string(json, name);
    json.push(b':');
    push_string(json, text);
}

/// The body of a request: its time, in milliseconds since 1970, and its events in order.
#[must_use]
pub fn body<'a>(time_ms: u64, events: impl IntoIterator<Item = &'a str>) -> String {
    let mut body = format!(r#"{{"time_ms":{time_ms},"events":["#);
    for (at, event) in events.into_iter().enumerate() {
        if at > 0 {
            body.push(',');
        }
        body.push_str(event);
    }
    body.push_str("]}");
    body
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::auth::Secret;

    fn channel(name: &str) -> ChannelName {
        ChannelName::parse(name, 164).expect("a legal name")
    }

    fn json(transition: &Transition) -> String {
        WebhookEvent::of(transition).expect("it is told").json
    }

    #[test]
    fn hook_010_to_hook_016_each_event_has_its_members_in_order_and_all_ids_are_strings() {
        let user = || UserId::from("10");
        let cases = [
            (Transition::Occupied(channel("a")), r#"{"name":"channel_occupied","channel":"a"}"#),
            (Transition::Vacated(channel("a")), r#"{"name":"channel_vacated","channel":"a"}"#),
            (Transition::Missed(channel("cache-a")), r#"{"name":"cache_miss","channel":"cache-a"}"#),
            (
                Transition::Joined(channel("presence-a"), user()),
                r#"{"name":"member_added","channel":"presence-a","user_id":"10"}"#,
            ),
            (
                Transition::Left(channel("presence-a"), user()),
                r#"{"name":"member_removed","channel":"presence-a","user_id":"10"}"#,
            ),
            (
                Transition::Counted(channel("a"), 3),
                r#"{"name":"subscription_count","channel":"a","subscription_count":3}"#,
            ),
            (
                Transition::Joined(ChannelName::online(&user()), user()),
                r#"{"name":"user_online","user_id":"10"}"#,
            ),
            (
                Transition::Left(ChannelName::online(&user()), user()),
                r#"{"name":"user_offline","user_id":"10"}"#,
            ),
        ];
        for (transition, wanted) in cases {
            assert_eq!(json(&transition), wanted);
        }
    }

    #[test]
    fn con_054_every_event_has_a_name_of_the_list() {
        let user = UserId::from("10");
        for transition in [
            Transition::Occupied(channel("a")),
            Transition::Left(channel("presence-a"), user.clone()),
            Transition::Joined(ChannelName::online(&user), user),
            Transition::Missed(channel("cache-a")),
            Transition::Counted(channel("a"), 3),
        ] {
            let event = WebhookEvent::of(&transition).expect("it is told");
            let name = event.name.iter().next().expect("a name");
            assert!(event.json.starts_with(&format!(r#"{{"name":"{name}""#)), "{}", event.json);
        }
    }

    #[test]
    fn hook_019_nothing_is_told_of_users_own_channels() {
        assert_eq!(WebhookEvent::of(&Transition::Occupied(channel("#server-to-user-1"))), None);
    }

    #[test]
    fn auth_050_the_worked_bodies_have_the_worked_signatures() {
        let secret = Secret::new("7ad3773142a6692b25b8");
        let occupied = json(&Transition::Occupied(channel("private-foobar")));
        let body_of_one = body(1_700_000_000_000, [&*occupied]);
        assert_eq!(
            secret.sign(&[body_of_one.as_bytes()]),
            "c9e4a34dfe004d6c993f44d9adcbdc04819c201203a4043bb5bc3120ab5321ea",
            "{body_of_one}"
        );
        let presence = channel("presence-foobar");
        let added = json(&Transition::Joined(presence.clone(), UserId::from("u1")));
        let sent = json(&Transition::Sent(Box::new(SentEvent {
            channel: presence,
            name: "client-hi".to_owned(),
            data: r#"{"a":1}"#.into(),
            sender: "1234.1234".parse().expect("an id"),
            user: Some(UserId::from("u1")),
        })));
        let body_of_two = body(1_700_000_000_500, [&*added, &*sent]);
        assert_eq!(
            secret.sign(&[body_of_two.as_bytes()]),
            "396e79aa42bcc82ca3bb71c8b30957d4714979c50c9edad1f6e0fa593af1548e",
            "{body_of_two}"
        );
    }
}
