//! The identity of a signed-in user: reading `user_data` of `pusher:signin` (WS-180 … WS-183).
//!
//! Knows nothing of signatures; never re-serialises `user_info`.

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::app::Limits;
use crate::channel::is_legal_name;
use crate::error::{ProtocolError, SignInFault};
use crate::ids::UserId;
use crate::json;
use crate::presence::{Identity, UserInfo};

/// The data of a user's sign-in.
#[derive(Clone, Debug)]
pub struct UserData {
    /// The user's id, as in `#server-to-user-ID`.
    pub id: UserId,
    /// JSON, verbatim.
    pub user_info: UserInfo,
    /// Users whose online status the user watches: distinct ids, no more than allowed.
    pub watchlist: Vec<UserId>,
    /// The length of a watchlist that is longer than allowed (WS-196).
    pub watchlist_cut_from: Option<usize>,
}

/// Whether a user is online: signed in on a connection that is open.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct OnlineUser {
    /// Connections that are signed in as the user; none for a user who is offline.
    pub connections: usize,
    /// When the first of them signed in since the user was offline last, in seconds since 1970; unknown of a user whose
    /// node has not said so.
    pub since: Option<u64>,
}

#[derive(Deserialize)]
struct Fields<'a> {
    #[serde(borrow)]
    id: &'a RawValue,
    #[serde(default)]
    user_info: UserInfo,
    #[serde(borrow, default)]
    watchlist: Option<&'a RawValue>,
}

impl UserData {
    /// Reads `user_data`, after the check of its signature.
    ///
    /// # Errors
    /// `user_data` is no JSON object; its `id` is no string, empty, too long, or has illegal characters
    /// (WS-181, LIM-005); or its `watchlist` is no array of strings.
    pub fn parse(user_data: &str, limits: &Limits) -> Result<Self, SignInFault> {
        let fields: Fields<'_> = json::object(user_data).ok_or(SignInFault::NoId)?;
        let id = json::string(fields.id.get()).filter(|id| !id.is_empty()).ok_or(SignInFault::NoId)?;
        let length = id.chars().count();
        if length > limits.user_id {
            return Err(SignInFault::IdTooLong { limit: limits.user_id, length });
        }
        if !is_legal_name(&id) {
            return Err(SignInFault::IdCharacters(id.into_owned()));
        }
        let watched = watchlist(fields.watchlist)?;
        let watchlist_cut_from = (watched.len() > limits.watchlist).then_some(watched.len());
        let mut watchlist: Vec<UserId> =
            watched.iter().take(limits.watchlist).map(|id| UserId::from(&**id)).collect();
        watchlist.sort_unstable();
        watchlist.dedup();
        Ok(Self { id: UserId::from(&*id), user_info: fields.user_info, watchlist, watchlist_cut_from })
    }
}

/// The identity of a signed-in user on a presence channel that the user joins without `channel_data` (WS-115).
///
/// # Errors
/// The user's `user_info` is larger than a member's data may be (LIM-021).
pub fn identity(id: &UserId, user_info: &UserInfo, limits: &Limits) -> Result<Identity, ProtocolError> {
    let limit = limits.member_bytes;
    match user_info.as_ref().map_or(0, |info| info.get().len()) {
        size if size > limit => Err(ProtocolError::MemberTooBig { limit, size }),
        _ => Ok(Identity { user_id: id.clone(), user_info: user_info.clone() }),
    }
}

fn watchlist(raw: Option<&RawValue>) -> Result<Vec<String>, SignInFault> {
    match raw.map(RawValue::get) {
        None | Some("null") => Ok(Vec::new()),
        Some(json) => serde_json::from_str(json).map_err(|_| SignInFault::Watchlist),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(user_data: &str) -> Result<UserData, SignInFault> {
        UserData::parse(user_data, &Limits::default())
    }

    #[test]
    fn ws_181_the_id_is_a_string_and_the_rest_is_optional() {
        let user = parse(r#"{"id":"12345"}"#).expect("the least there may be");
        assert_eq!((user.id.as_str(), user.user_info.is_none(), user.watchlist.len()), ("12345", true, 0));
        let user =
            parse(r#"{"id":"u","user_info":[ 1.0 ],"watchlist":["b","a","b"],"more":{}}"#).expect("all");
        assert_eq!(user.user_info.expect("some").get(), "[ 1.0 ]");
        assert_eq!(user.watchlist, ["a".into(), "b".into()]);
        for data in ["", "[]", "7", "{}", r#"{"id":7}"#, r#"{"id":""}"#, r#"{"id":null}"#, r#"["u"]"#] {
            assert_eq!(parse(data).err(), Some(SignInFault::NoId), "{data}");
        }
    }

    #[test]
    fn ws_181_a_watchlist_is_an_array_of_strings() {
        for watchlist in ["{}", "\"a\"", "[1]", "[null]"] {
            let data = format!(r#"{{"id":"u","watchlist":{watchlist}}}"#);
            assert_eq!(parse(&data).err(), Some(SignInFault::Watchlist), "{data}");
        }
        assert!(parse(r#"{"id":"u","watchlist":null}"#).is_ok());
    }

    #[test]
    fn lim_005_an_id_has_the_characters_of_a_channel_name() {
        assert!(parse(r#"{"id":"A-z_0=9@,.;"}"#).is_ok());
        for id in ["a b", "a+b", "é", "a#b"] {
            let fault = parse(&format!(r#"{{"id":"{id}"}}"#)).err();
            assert_eq!(fault, Some(SignInFault::IdCharacters(id.to_owned())));
        }
        let fault = parse(&format!(r#"{{"id":"{}"}}"#, "x".repeat(129))).err();
        assert_eq!(fault, Some(SignInFault::IdTooLong { limit: 128, length: 129 }));
    }

    #[test]
    fn lim_023_the_first_hundred_of_a_watchlist_are_kept() {
        let list = |length: usize| {
            let ids: Vec<String> = (0..length).map(|number| format!("\"u{number:03}\"")).collect();
            parse(&format!(r#"{{"id":"u","watchlist":[{}]}}"#, ids.join(","))).expect("a watchlist")
        };
        assert_eq!(list(100).watchlist_cut_from, None);
        let cut = list(101);
        assert_eq!((cut.watchlist.len(), cut.watchlist_cut_from), (100, Some(101)));
        assert_eq!(cut.watchlist.last().map(UserId::as_str), Some("u099"));
    }

    #[test]
    fn ws_115_a_signed_in_user_is_a_member_within_the_limit() {
        let info = |length: usize| serde_json::value::to_raw_value(&"x".repeat(length)).ok();
        let id = UserId::from("u");
        assert!(identity(&id, &info(1022), &Limits::default()).is_ok());
        let fault = identity(&id, &info(1023), &Limits::default()).err();
        assert_eq!(fault, Some(ProtocolError::MemberTooBig { limit: 1024, size: 1025 }));
    }
}
