//! The identity of a presence member: reading `channel_data`, writing the roster's JSON.
//!
//! Never re-serialises `user_info`, whose bytes go out unchanged.

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::app::Limits;
use crate::error::ProtocolError;
use crate::ids::UserId;
use crate::json;
use crate::json::push_string;

/// A member's id and `user_info`.
#[derive(Clone, Debug)]
pub struct Identity {
    /// A string on the wire, also for an integer in `channel_data` (WS-116).
    pub user_id: UserId,
    /// JSON, verbatim; `None` is sent as `{}` (WS-122).
    pub user_info: UserInfo,
}

/// The JSON of `user_info`, if given.
pub type UserInfo = Option<Box<RawValue>>;

#[derive(Deserialize)]
struct ChannelData<'a> {
    #[serde(borrow)]
    user_id: &'a RawValue,
    #[serde(default)]
    user_info: UserInfo,
}

impl Identity {
    /// Reads `channel_data` of a presence subscription to `channel`.
    ///
    /// # Errors
    /// `channel_data` is too large (LIM-021) or no JSON object, or its `user_id` is neither string nor
    /// integer (WS-116), or too long (LIM-022).
    pub fn parse(channel_data: &str, channel: &str, limits: &Limits) -> Result<Self, ProtocolError> {
        let limit = limits.member_bytes;
        if channel_data.len() > limit {
            return Err(ProtocolError::MemberTooBig { limit, size: channel_data.len() });
        }
        let invalid = || ProtocolError::ChannelDataInvalid(channel.to_owned());
        let parsed: ChannelData<'_> = json::object(channel_data).ok_or_else(invalid)?;
        let user_id = canonical_id(parsed.user_id.get()).ok_or_else(invalid)?;
        let length = user_id.chars().count();
        if length > limits.user_id {
            return Err(ProtocolError::UserIdTooLong { limit: limits.user_id, length });
        }
        Ok(Self { user_id: UserId::from(&*user_id), user_info: parsed.user_info })
    }
}

/// The id as a string: a JSON string's text, or a JSON integer's digits (WS-116).
fn canonical_id(json: &str) -> Option<String> {
    if json.starts_with('"') {
        return serde_json::from_str(json).ok().filter(|id: &String| !id.is_empty());
    }
    let digits = json.strip_prefix('-').unwrap_or(json);
    let is_integer = !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit());
    if json == "-0" {
        return Some("0".to_owned());
    }
    is_integer.then(|| json.to_owned())
}

/// The `data` of `subscription_succeeded` on a presence channel (WS-121), before the quoting as a string.
#[must_use]
pub fn roster<'a>(users: impl Iterator<Item = (&'a UserId, &'a UserInfo)>) -> String {
    let mut ids = Vec::new();
    let mut hash = Vec::new();
    let mut count = 0_usize;
    for (id, info) in users {
        if count > 0 {
            ids.push(b',');
            hash.push(b',');
        }
        count += 1;
        push_string(&mut ids, id.as_str());
        push_string(&mut hash, id.as_str());
        hash.push(b':');
        hash.extend_from_slice(info_json(info).as_bytes());
    }
    let ids = String::from_utf8_lossy(&ids);
    let hash = String::from_utf8_lossy(&hash);
    format!(r#"{{"presence":{{"count":{count},"ids":[{ids}],"hash":{{{hash}}}}}}}"#)
}

/// The `user_info` as sent (WS-122).
#[must_use]
pub fn info_json(info: &UserInfo) -> &str {
    info.as_ref().map_or("{}", |raw| raw.get())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id_of(channel_data: &str) -> Result<String, ProtocolError> {
        Identity::parse(channel_data, "presence-a", &Limits::default())
            .map(|identity| identity.user_id.to_string())
    }

    #[test]
    fn ws_116_user_ids_become_strings() {
        assert_eq!(id_of(r#"{"user_id":"u1"}"#), Ok("u1".into()));
        assert_eq!(id_of(r#"{"user_id":10,"user_info":{"name":"Mr. Channels"}}"#), Ok("10".into()));
        assert_eq!(id_of(r#"{"user_id":-5}"#), Ok("-5".into()));
        let wide = "123456789012345678901234567890";
        assert_eq!(id_of(&format!(r#"{{"user_id":{wide}}}"#)), Ok(wide.into()));
    }

    #[test]
    fn ws_116_other_user_ids_are_refused() {
        let invalid = Err(ProtocolError::ChannelDataInvalid("presence-a".into()));
        for data in [
            "",
            "[]",
            "1",
            "{}",
            r#"{"user_id":null}"#,
            r#"{"user_id":true}"#,
            r#"{"user_id":1.5}"#,
            r#"{"user_id":1e3}"#,
            r#"{"user_id":{}}"#,
            r#"{"user_id":""}"#,
            r#"{"user_id":1,"user_id":2}"#,
            r#"["u1"]"#,
        ] {
            assert_eq!(id_of(data), invalid, "{data}");
        }
    }

    #[test]
    fn lim_021_and_lim_022_the_member_is_bounded() {
        let data = format!(r#"{{"user_id":"u","user_info":"{}"}}"#, "x".repeat(1024));
        assert_eq!(id_of(&data), Err(ProtocolError::MemberTooBig { limit: 1024, size: data.len() }));
        let long = format!(r#"{{"user_id":"{}"}}"#, "é".repeat(129));
        assert_eq!(id_of(&long), Err(ProtocolError::UserIdTooLong { limit: 128, length: 129 }));
        assert!(id_of(&format!(r#"{{"user_id":"{}"}}"#, "é".repeat(128))).is_ok());
    }

    #[test]
    fn ws_121_and_ws_122_the_roster_has_count_ids_and_hash() {
        let limits = Limits::default();
        let ann =
            Identity::parse(r#"{"user_id":"u1","user_info":{"name": "Ann"}}"#, "c", &limits).expect("ann");
        let bob = Identity::parse(r#"{"user_id":2}"#, "c", &limits).expect("bob");
        let users = [&ann, &bob];
        assert_eq!(
            roster(users.iter().map(|identity| (&identity.user_id, &identity.user_info))),
            r#"{"presence":{"count":2,"ids":["u1","2"],"hash":{"u1":{"name": "Ann"},"2":{}}}}"#
        );
    }
}
