//! How rows and subjects are written in Redis: parts divided by a zero byte, which no app or channel holds.

use fanfare_protocol::channel::ChannelName;
use fanfare_protocol::ids::{AppId, UserId};

use crate::command::{HookSubject, Row};

/// `app \0 channel \0 user`; the user of a channel itself is empty.
pub fn subject(subject: &HookSubject) -> String {
    let user = subject.user.as_ref().map_or("", UserId::as_str);
    format!("{}\0{}\0{user}", subject.app, subject.channel)
}

/// The subject that was written so.
pub fn read_subject(text: &str) -> Option<HookSubject> {
    let mut parts = text.splitn(3, '\0');
    let (app, channel, user) = (parts.next()?, parts.next()?, parts.next()?);
    Some(subject_of(app, channel, user))
}

/// A subject of its parts.
pub fn subject_of(app: &str, channel: &str, user: &str) -> HookSubject {
    HookSubject {
        app: AppId::from(app),
        channel: ChannelName::trusted(channel),
        user: (!user.is_empty()).then(|| UserId::from(user)),
    }
}

/// The row of a user on a channel, or of a channel's number of subscriptions.
pub fn row(app: &AppId, channel: &ChannelName, user: Option<&UserId>) -> String {
    match user {
        Some(user) => format!("M\0{app}\0{channel}\0{user}"),
        None => format!("C\0{app}\0{channel}"),
    }
}

/// The row that is written `M \0 app \0 channel \0 user` or `C \0 app \0 channel`.
pub fn read_row(text: &str) -> Option<Row> {
    let (kind, rest) = text.split_once('\0')?;
    let (app, rest) = rest.split_once('\0')?;
    let app = AppId::from(app);
    match kind {
        "C" => Some(Row::Count { app, channel: ChannelName::trusted(rest) }),
        "M" => {
            let (channel, user) = rest.split_once('\0')?;
            Some(Row::Member { app, channel: ChannelName::trusted(channel), user: UserId::from(user) })
        }
        _ => None,
    }
}

/// The app and the channel that are written `app \0 channel`.
pub fn read_channel(text: &str) -> Option<(AppId, ChannelName)> {
    let (app, channel) = text.split_once('\0')?;
    Some((AppId::from(app), ChannelName::trusted(channel)))
}
