//! Answers of Redis as the machine reads them.

use bytes::Bytes;
use fanfare_protocol::channel::ChannelName;
use fanfare_protocol::ids::{AppId, UserId};
use fanfare_protocol::webhook::{Kind, Kinds};

use super::{RedisValue, names};
use crate::command::{
    Applied, Beat, BusAnswer, BusCommand, EntryId, Failure, HookEntry, Operation, RefusedHooks, Roster,
    Status, TakenPage,
};
use crate::message::VERSION_DIGITS;

/// The answer to a command; what cannot be read is a failure like an error of Redis.
///
/// The answers to several commands of [`super::plain`] come as one list.
#[must_use]
pub fn answer(command: &BusCommand, value: RedisValue) -> BusAnswer {
    match value {
        RedisValue::Error(text) if text.starts_with("OOM") => BusAnswer::Failed(Failure::OutOfMemory),
        RedisValue::Error(_) => BusAnswer::Failed(Failure::Other),
        RedisValue::Text(text) if text == "FENCED" => BusAnswer::Fenced,
        value => read(command, value).unwrap_or(BusAnswer::Failed(Failure::Other)),
    }
}

fn read(command: &BusCommand, value: RedisValue) -> Option<BusAnswer> {
    Some(match command {
        BusCommand::Hello { .. } => {
            let [epoch, age] = list(value)?.try_into().ok()?;
            BusAnswer::Hello { epoch: string(epoch)?, age: number(&age)? }
        }
        BusCommand::Beat { .. } => BusAnswer::Beat(beat(value)?),
        BusCommand::Numbers { .. } => {
            let numbers = list(value)?.into_iter().map(|value| match value {
                RedisValue::Nothing => Some(0),
                value => string(value)?.parse().ok(),
            });
            BusAnswer::Numbers(numbers.collect::<Option<_>>()?)
        }
        BusCommand::Apply { operations, .. } => applied(operations, value)?,
        BusCommand::Rows { .. } => {
            let (cursor, pairs) = scanned(value)?;
            // A row that a later release has written is none of ours.
            let rows = pairs.iter().filter_map(|(row, _)| names::read_row(row)).collect();
            BusAnswer::Rows { rows, cursor }
        }
        BusCommand::RosterPart { .. } => {
            let (cursor, pairs) = scanned(value)?;
            BusAnswer::RosterPart { users: users(pairs), cursor }
        }
        BusCommand::Take { last: None, .. } => BusAnswer::Term(number(&value)?),
        BusCommand::Take { .. } => {
            let [found, more, wait, now, born, refused] = list(value)?.try_into().ok()?;
            let (entries, is_whole_page) = (entries(found)?, number(&more)? == 1);
            let refused = list(refused)?.into_iter().map(refused_hooks).collect::<Option<_>>()?;
            let (wait, now, born) = (number(&wait)?, number(&now)?, number(&born)?);
            BusAnswer::Taken(TakenPage { entries, is_whole_page, wait, now, born, refused })
        }
        BusCommand::ToldPart { .. } => {
            let (cursor, pairs) = scanned(value)?;
            let subjects = pairs.iter().filter_map(|(subject, _)| names::read_subject(subject));
            BusAnswer::ToldPart { subjects: subjects.collect(), cursor }
        }
        BusCommand::LastEntries { .. } => BusAnswer::LastEntries(entries(value)?),
        BusCommand::Told { .. } if value == RedisValue::Text(Bytes::from_static(b"LATE")) => BusAnswer::Late,
        BusCommand::Hooked { .. } => BusAnswer::Hooked(hooked(value)?),
        BusCommand::Totals { .. } => {
            let (cursor, pairs) = scanned(value)?;
            let total = |(channel, total): (String, String)| {
                Some((ChannelName::trusted(&channel), total.parse().ok()?))
            };
            BusAnswer::Totals { channels: pairs.into_iter().filter_map(total).collect(), cursor }
        }
        BusCommand::Read { .. } => BusAnswer::Read(kept(value)?),
        BusCommand::Keep { .. } if number(&value) == Some(0) => BusAnswer::NotKept,
        BusCommand::Miss { .. } => BusAnswer::Missed { is_first: value != RedisValue::Nothing },
        BusCommand::Bye { .. }
        | BusCommand::Taken { .. }
        | BusCommand::Told { .. }
        | BusCommand::Keep { .. } => BusAnswer::Done,
    })
}

fn beat(value: RedisValue) -> Option<Beat> {
    let [epoch, age, dead, owner, term, late, more] = list(value)?.try_into().ok()?;
    let mut dead: Vec<_> =
        list(dead)?.into_iter().map(|node| Some(string(node)?.into())).collect::<Option<_>>()?;
    dead.sort_unstable();
    let late = list(late)?.into_iter().filter_map(|channel| names::read_channel(&string(channel)?)).collect();
    let (owner, term) = (string(owner)?.into(), number(&term)?);
    let is_more = number(&more)? == 1;
    Some(Beat { epoch: string(epoch)?, age: number(&age)?, dead, owner, term, late, is_more })
}

fn applied(operations: &[Operation], value: RedisValue) -> Option<BusAnswer> {
    let mut parts = list(value)?.into_iter();
    let (epoch, age) = (string(parts.next()?)?, number(&parts.next()?)?);
    let results: Vec<Applied> = operations
        .iter()
        .zip(parts)
        .map(|(operation, value)| result(operation, value))
        .collect::<Option<_>>()?;
    (results.len() == operations.len()).then_some(BusAnswer::Applied { epoch, age, results })
}

fn result(operation: &Operation, value: RedisValue) -> Option<Applied> {
    let [status, seq, extra] = list(value)?.try_into().ok()?;
    let status = match &*string(status)? {
        "ok" => Status::Ok,
        "none" => Status::Nothing,
        "full" => Status::Full,
        "told" => Status::Told,
        _ => return None,
    };
    let (mut roster, mut total) = (None, None);
    match (operation, extra) {
        (Operation::Roster { .. }, RedisValue::List(flat)) => {
            roster = Some(Roster::Whole(users(pairs(flat)?)))
        }
        (Operation::Roster { .. }, _) => roster = Some(Roster::Large),
        (_, RedisValue::Number(number)) => total = Some(usize::try_from(number).unwrap_or(0)),
        _ => {}
    }
    Some(Applied { status, number: number(&seq)?, roster, total })
}

/// Users with their infos, from `nodes:info`.
fn users(pairs: Vec<(String, String)>) -> Vec<(UserId, String)> {
    let user = |(user, value): (String, String)| {
        let (_, info) = value.split_once(':')?;
        Some((UserId::from(&*user), info.to_owned()))
    };
    pairs.into_iter().filter_map(user).collect()
}

fn entries(value: RedisValue) -> Option<Vec<HookEntry>> {
    list(value)?.into_iter().map(entry).collect()
}

fn entry(value: RedisValue) -> Option<HookEntry> {
    let [id, fields] = list(value)?.try_into().ok()?;
    let id = string(id)?;
    let (milliseconds, number) = id.split_once('-')?;
    let id = EntryId { milliseconds: milliseconds.parse().ok()?, number: number.parse().ok()? };
    let fields = pairs(list(fields)?)?;
    let field = |name: &str| fields.iter().find(|(field, _)| field == name).map(|(_, value)| value.as_str());
    let subject = names::subject_of(field("a")?, field("c")?, field("u")?);
    Some(HookEntry { id, came: field("e")? == "+", subject })
}

fn refused_hooks(value: RedisValue) -> Option<RefusedHooks> {
    let [app, count, kinds] = list(value)?.try_into().ok()?;
    let (app, kinds) = (AppId::from(&*string(app)?), string(kinds)?);
    let has_room = (kinds != "-").then(|| kinds.chars().filter_map(kind).collect());
    Some(RefusedHooks { app, count: number(&count)?, has_room })
}

/// A kind of webhooks that are decided in Redis, by its letter there; one that a later release has written is none of ours.
const fn kind(letter: char) -> Option<Kind> {
    match letter {
        'e' => Some(Kind::ChannelExistence),
        'p' => Some(Kind::Presence),
        'u' => Some(Kind::Users),
        _ => None,
    }
}

/// The apps of `e:APP`, `p:APP` and `u:APP`, sorted.
fn hooked(value: RedisValue) -> Option<Vec<(AppId, Kinds)>> {
    let mut apps = std::collections::BTreeMap::<AppId, Kinds>::new();
    for member in list(value)? {
        let member = string(member)?;
        let Some((letters, app)) = member.split_once(':') else { continue };
        let wanted = apps.entry(AppId::from(app)).or_default();
        *wanted = wanted.and(letters.chars().filter_map(kind).collect());
    }
    Some(apps.into_iter().collect())
}

/// Version, message and life of a kept event.
fn kept(value: RedisValue) -> Option<Option<(u64, Bytes, u64)>> {
    let [message, lives] = list(value)?.try_into().ok()?;
    let (RedisValue::Text(message), RedisValue::Number(lives)) = (message, lives) else { return Some(None) };
    let digits = message.get(..VERSION_DIGITS)?;
    let version = u64::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()?;
    // Between both commands the event may have ended.
    Some(u64::try_from(lives).ok().map(|lives| (version, message.slice(VERSION_DIGITS..), lives)))
}

fn scanned(value: RedisValue) -> Option<(u64, Vec<(String, String)>)> {
    let [cursor, flat] = list(value)?.try_into().ok()?;
    Some((string(cursor)?.parse().ok()?, pairs(list(flat)?)?))
}

fn pairs(flat: Vec<RedisValue>) -> Option<Vec<(String, String)>> {
    let mut all = Vec::with_capacity(flat.len() / 2);
    let mut flat = flat.into_iter();
    while let (Some(name), Some(value)) = (flat.next(), flat.next()) {
        all.push((string(name)?, string(value)?));
    }
    Some(all)
}

fn list(value: RedisValue) -> Option<Vec<RedisValue>> {
    match value {
        RedisValue::List(list) => Some(list),
        _ => None,
    }
}

fn string(value: RedisValue) -> Option<String> {
    match value {
        RedisValue::Text(text) => Some(std::str::from_utf8(&text).ok()?.to_owned()),
        RedisValue::Number(number) => Some(number.to_string()),
        _ => None,
    }
}

fn number(value: &RedisValue) -> Option<u64> {
    match value {
        RedisValue::Number(number) => Some(u64::try_from(*number).unwrap_or(0)),
        RedisValue::Text(text) => std::str::from_utf8(text).ok()?.parse().ok(),
        _ => None,
    }
}
