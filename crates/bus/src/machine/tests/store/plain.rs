//! Commands that are no scripts, and `keep.lua`.

use super::{Memory, Published, rows};
use crate::command::{BusAnswer, BusCommand, ENTRIES_PART};
use crate::partition::Topic;

impl Memory {
    pub(super) fn plain(&mut self, now: u64, command: &BusCommand) -> BusAnswer {
        let parts = &mut self.parts;
        macro_rules! data {
            ($partition:expr) => {
                parts.entry($partition).or_default()
            };
        }
        match command {
            BusCommand::Numbers { topics } => {
                let number = |topic: &Topic| data!(topic.partition).numbers.get(&topic.app).copied();
                BusAnswer::Numbers(topics.iter().map(number).map(Option::unwrap_or_default).collect())
            }
            BusCommand::Rows { partition, node, cursor } => {
                let own = data!(*partition).own.get(node).cloned().unwrap_or_default();
                BusAnswer::Rows { rows: rows(own.into_keys(), *cursor as usize), cursor: 0 }
            }
            BusCommand::RosterPart { topic, channel, cursor } => {
                let roster =
                    data!(topic.partition).rosters.get(&(topic.app.clone(), channel.clone())).cloned();
                let roster = roster.unwrap_or_default();
                let from = *cursor as usize;
                let part = roster.iter().skip(from).take(500);
                let users = part.map(|(user, (_, info))| (user.clone(), info.clone())).collect();
                let next = if from + 500 < roster.len() { from + 500 } else { 0 };
                BusAnswer::RosterPart { users, cursor: next as u64 }
            }
            BusCommand::ToldPart { partition, .. } => {
                let subjects = data!(*partition).told.iter().cloned().collect();
                BusAnswer::ToldPart { subjects, cursor: 0 }
            }
            BusCommand::LastEntries { partition, before } => {
                let hooks = data!(*partition).hooks.values().rev();
                let earlier = hooks.filter(|entry| before.is_none_or(|before| entry.id < before));
                BusAnswer::LastEntries(earlier.take(ENTRIES_PART).cloned().collect())
            }
            BusCommand::Taken { partition, entries } => {
                data!(*partition).hooks.retain(|id, _| !entries.contains(id));
                BusAnswer::Done
            }
            BusCommand::Hooked { partition } => {
                let hooked = &data!(*partition).hooked;
                BusAnswer::Hooked(hooked.iter().map(|(app, kinds)| (app.clone(), *kinds)).collect())
            }
            BusCommand::Totals { topic, .. } => {
                let all = data!(topic.partition).totals.iter().filter(|((app, _), _)| *app == topic.app);
                BusAnswer::Totals { channels: all.map(|((_, c), n)| (c.clone(), *n)).collect(), cursor: 0 }
            }
            command => self.kept(now, command),
        }
    }

    /// What concerns cache channels.
    fn kept(&mut self, now: u64, command: &BusCommand) -> BusAnswer {
        let published = &mut self.published;
        let parts = &mut self.parts;
        macro_rules! data {
            ($partition:expr) => {
                parts.entry($partition).or_default()
            };
        }
        match command {
            BusCommand::Keep { topic, event } => {
                let data = data!(topic.partition);
                let version = data.versions.entry(topic.app.clone()).or_default();
                *version += 1;
                let (version, message) = (*version, event.frame.bytes().clone());
                let key = (topic.app.clone(), event.channel.clone());
                data.missed.remove(&key);
                data.kept.insert(key, (version, message.clone(), now + event.lives.as_millis() as u64));
                published.push(Published::Kept(topic.clone(), version, event.channel.clone(), message));
                BusAnswer::Done
            }
            BusCommand::Read { topic, channel } => {
                let kept = data!(topic.partition).kept.get(&(topic.app.clone(), channel.clone()));
                let alive = kept.filter(|(_, _, until)| *until > now);
                BusAnswer::Read(
                    alive.map(|(version, message, until)| (*version, message.clone(), until - now)),
                )
            }
            BusCommand::Miss { topic, channel } => {
                let missed = &mut data!(topic.partition).missed;
                let key = (topic.app.clone(), channel.clone());
                let is_first = missed.get(&key).is_none_or(|until| *until <= now);
                if is_first {
                    missed.insert(key, now + 10_000);
                }
                BusAnswer::Missed { is_first }
            }
            _ => unreachable!("a script"),
        }
    }
}
