//! Any text as `channel_data` or `user_data`: the identity read is the JSON's, within the limits.
//!
//! Owns an independent parser for WS-116 and WS-181; knows nothing of signatures.

use fanfare_protocol::app::Limits;
use fanfare_protocol::ids::UserId;
use fanfare_protocol::presence::{Identity, UserInfo, info_json, roster};
use fanfare_protocol::user::UserData;
use serde_json::Value;
use serde_json::value::RawValue;

use crate::members::{Members, text_of};

/// Reads the text both ways, and compares each result with an independent parser's.
pub fn identity(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let limits = Limits { member_bytes: 200, user_id: 20, watchlist: 3, ..Limits::default() };

    let member = Identity::parse(&text, "presence-a", &limits).ok();
    let named = member.as_ref().map(|member| (member.user_id.to_string(), json_of(&member.user_info)));
    assert_eq!(named, expected_member(&text, &limits), "channel_data {text}");
    if let Some(member) = member {
        is_listed(&member);
    }

    let user = UserData::parse(&text, &limits).ok();
    let named = user.as_ref().map(|user| (user.id.to_string(), json_of(&user.user_info)));
    let watched = user.map(|user| (user.watchlist, user.watchlist_cut_from));
    let expected = expected_user(&text, &limits);
    assert_eq!(named, expected.as_ref().map(|(named, _)| named.clone()), "user_data {text}");
    assert_eq!(watched, expected.map(|(_, list)| cut(&list, limits.watchlist)), "user_data {text}");
}

/// An id, and the JSON of its `user_info`.
type Named = (String, Option<String>);

fn json_of(info: &UserInfo) -> Option<String> {
    info.as_ref().map(|json| json.get().to_owned())
}

fn expected_member(text: &str, limits: &Limits) -> Option<Named> {
    let members = Members::of(text).filter(|_| text.len() <= limits.member_bytes)?;
    let id = members.only("user_id").ok()??;
    let id = match text_of(id) {
        Some(id) => id,
        None if id == "-0" => "0".to_owned(),
        // JSON has no leading zeros or plus signs, so digits alone are an integer.
        None if id.trim_start_matches('-').bytes().all(|byte| byte.is_ascii_digit()) => id.to_owned(),
        None => return None,
    };
    let is_allowed = (1..=limits.user_id).contains(&id.chars().count());
    let info = info_of(&members)?;
    is_allowed.then_some((id, info))
}

fn expected_user(text: &str, limits: &Limits) -> Option<(Named, Vec<String>)> {
    let members = Members::of(text)?;
    let id = text_of(members.only("id").ok()??)?;
    let legal = |character: char| character.is_ascii_alphanumeric() || "_-=@,.;".contains(character);
    let is_allowed = (1..=limits.user_id).contains(&id.len()) && id.chars().all(legal);
    let info = info_of(&members)?;
    let list = match members.only("watchlist").ok()? {
        None | Some("null") => Vec::new(),
        Some(json) => serde_json::from_str(json).ok()?,
    };
    is_allowed.then_some(((id, info), list))
}

/// `Some(None)` for an absent member, `None` for a repeated one.
fn info_of(members: &Members) -> Option<Option<String>> {
    let info = members.only("user_info").ok()?;
    Some(info.filter(|json| *json != "null").map(str::to_owned))
}

/// The first ids of a list, each once, and the list's length if that is more than allowed.
fn cut(list: &[String], most: usize) -> (Vec<UserId>, Option<usize>) {
    let mut kept: Vec<String> = list.iter().take(most).cloned().collect();
    kept.sort();
    kept.dedup();
    let kept = kept.iter().map(|id| UserId::from(id.as_str())).collect();
    (kept, (list.len() > most).then_some(list.len()))
}

/// Panics unless a roster of the member alone names it, with its `user_info` byte for byte.
fn is_listed(member: &Identity) {
    let users = [member];
    let roster = roster(users.iter().map(|one| (&one.user_id, &one.user_info)));
    let outer = Members::of(&roster).expect("a roster is JSON");
    let presence = outer.only("presence").ok().flatten().and_then(Members::of).expect("of one member");
    let only = |name: &str| presence.only(name).ok().flatten().expect("which has this");
    assert_eq!(only("count"), "1");
    let ids: Value = serde_json::from_str(only("ids")).expect("a list");
    assert_eq!(ids, serde_json::json!([member.user_id.as_str()]));
    let hash = Members::of(only("hash")).expect("an object");
    let info = hash.only(member.user_id.as_str()).ok().flatten();
    assert_eq!(info, Some(info_json(&member.user_info)));
    let _: &RawValue = serde_json::from_str(info_json(&member.user_info)).expect("JSON as it came");
}
