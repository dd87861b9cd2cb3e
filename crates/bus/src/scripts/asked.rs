//! Commands as Redis reads them.

use bytes::Bytes;
use fanfare_protocol::channel::ChannelName;
use fanfare_protocol::cluster::KeptEvent;

use super::{Speaker, names};
use crate::command::{
    Actor, BusCommand, CountRule, ENTRIES_PART, EntryId, GOINGS_PART, NodeName, Operation, Sample,
};
use crate::partition::{Partition, Topic};

/// Rows or users in one part of a scan.
const PART: &str = "500";

/// Channels in one part of a scan of totals.
const TOTALS_PART: &str = "1000";

/// How long a cache miss is told once: ten seconds (HOOK-018).
const MISS: &str = "10000";

fn text(text: impl AsRef<str>) -> Bytes {
    Bytes::copy_from_slice(text.as_ref().as_bytes())
}

fn key(speaker: &Speaker<'_>, partition: Partition, name: &str) -> Bytes {
    Bytes::from(speaker.layout.key(partition, name))
}

fn keys(speaker: &Speaker<'_>, partition: Partition, names: &[&str]) -> Vec<Bytes> {
    names.iter().map(|name| key(speaker, partition, name)).collect()
}

fn own(speaker: &Speaker<'_>, partition: Partition, node: &NodeName) -> Bytes {
    key(speaker, partition, &format!("own:{node}"))
}

/// The keys of a command that is a script; without those of `keep.lua`, see [`keep`].
#[must_use]
pub fn keys_of(command: &BusCommand, speaker: &Speaker<'_>) -> Vec<Bytes> {
    match command {
        BusCommand::Hello { partition, .. } => {
            keys(speaker, *partition, &["live", "gen", "epoch", "dead", "due", "adopted", "late"])
        }
        BusCommand::Beat { partition, samples, .. } => {
            let names = ["live", "gen", "epoch", "dead", "told", "due", "hooks", "late", "queued"];
            let mut all = keys(speaker, *partition, &names);
            all.push(own(speaker, *partition, speaker.node));
            all.extend(samples.iter().map(|sample| sampled(speaker, *partition, sample)));
            all
        }
        BusCommand::Bye { partition, node, .. } => {
            let mut keys = keys(speaker, *partition, &["live", "gen", "dead"]);
            keys.insert(2, own(speaker, *partition, node));
            keys
        }
        BusCommand::Take { partition, .. } => {
            keys(speaker, *partition, &["gen", "epoch", "hooks", "queued", "refused", "hooked"])
        }
        BusCommand::Taken { partition, .. } => keys(speaker, *partition, &["hooks", "queued"]),
        BusCommand::Told { partition, .. } => {
            keys(speaker, *partition, &["epoch", "told", "hooks", "adopted", "queued", "refused"])
        }
        BusCommand::Apply { topic, by, operations } => apply_keys(speaker, topic, by, operations),
        _ => Vec::new(),
    }
}

/// The hash in which a sample must be.
fn sampled(speaker: &Speaker<'_>, partition: Partition, sample: &Sample) -> Bytes {
    let topic = Topic { partition, app: sample.app.clone() };
    Bytes::from(match sample.user {
        Some(_) => speaker.layout.channel_key(&topic, "m", &sample.channel),
        None => speaker.layout.app_key(&topic, "totals"),
    })
}

fn apply_keys(speaker: &Speaker<'_>, topic: &Topic, by: &Actor, operations: &[Operation]) -> Vec<Bytes> {
    let (layout, partition) = (speaker.layout, topic.partition);
    let mut all = keys(speaker, partition, &["live", "gen", "epoch"]);
    let node = match by {
        Actor::Own(_) => speaker.node,
        Actor::Reaper(node) => node,
    };
    all.push(own(speaker, partition, node));
    all.push(key(speaker, partition, "dead"));
    all.extend(["seq", "totals"].map(|name| Bytes::from(layout.app_key(topic, name))));
    all.extend(keys(speaker, partition, &["told", "due", "hooks"]));
    all.push(Bytes::from(layout.app_key(topic, "counted")));
    all.extend(keys(speaker, partition, &["hooked", "late", "adopted", "queued", "refused"]));
    all.extend(
        operations.iter().map(|operation| Bytes::from(layout.channel_key(topic, "m", channel_of(operation)))),
    );
    all
}

fn channel_of(operation: &Operation) -> &ChannelName {
    match operation {
        Operation::Join { channel, .. }
        | Operation::Leave { channel, .. }
        | Operation::LeaveOld { channel, .. }
        | Operation::Count { channel, .. }
        | Operation::CountOld { channel }
        | Operation::TellCount { channel }
        | Operation::Roster { channel }
        | Operation::Reconcile { channel, .. }
        | Operation::ReconcileGone { channel, .. }
        | Operation::Adopt { channel, .. } => channel,
    }
}

/// The arguments of a command that is a script; without those of `keep.lua`, see [`keep`].
#[must_use]
pub fn arguments_of(command: &BusCommand, speaker: &Speaker<'_>) -> Vec<Bytes> {
    let now = || text(speaker.now.to_string());
    let node = || text(&**speaker.node);
    let milliseconds = |duration: std::time::Duration| text(duration.as_millis().to_string());
    match command {
        BusCommand::Hello { generation, .. } => vec![
            now(),
            node(),
            text(generation.to_string()),
            milliseconds(speaker.lease),
            text(speaker.data),
            text(speaker.fresh),
        ],
        BusCommand::Beat { partition, generation, samples } => {
            let mut all = vec![
                now(),
                node(),
                text(generation.to_string()),
                milliseconds(speaker.lease),
                milliseconds(speaker.settling),
                publish(speaker),
                text(speaker.layout.hooks_topic(*partition)),
                milliseconds(speaker.window),
                text(GOINGS_PART.to_string()),
            ];
            for Sample { app, channel, user } in samples {
                let field = user.as_ref().map_or(channel.as_str(), |user| user.as_str());
                all.extend([text(field), text(names::row(app, channel, user.as_ref()))]);
            }
            all
        }
        BusCommand::Bye { node, generation, .. } => {
            vec![
                text(&**node),
                text(generation.map_or_else(String::new, |generation| generation.to_string())),
            ]
        }
        BusCommand::Take { generation, last, .. } => {
            let last = text(last.map(entry).unwrap_or_default());
            vec![now(), node(), text(generation.to_string()), last, text(speaker.hook_bytes.to_string())]
        }
        BusCommand::Taken { entries, .. } => entries.iter().map(|id| text(entry(*id))).collect(),
        BusCommand::Told { term, is_first, subjects, .. } => {
            let mut all = vec![now(), text(term.to_string()), milliseconds(speaker.settling)];
            all.push(text(if *is_first { "1" } else { "0" }));
            all.extend(subjects.iter().map(|subject| Bytes::from(names::subject(subject))));
            all
        }
        BusCommand::Apply { topic, by, operations } => apply_arguments(speaker, topic, by, operations),
        _ => Vec::new(),
    }
}

fn publish(speaker: &Speaker<'_>) -> Bytes {
    Bytes::from_static(if speaker.is_sharded { b"SPUBLISH" } else { b"PUBLISH" })
}

fn apply_arguments(speaker: &Speaker<'_>, topic: &Topic, by: &Actor, operations: &[Operation]) -> Vec<Bytes> {
    let mut all = Vec::with_capacity(8 + 5 * operations.len());
    all.push(text(speaker.now.to_string()));
    match by {
        Actor::Own(generation) => all.extend([text(&**speaker.node), text(generation.to_string())]),
        Actor::Reaper(node) => all.extend([text(&**node), Bytes::from_static(b"reap")]),
    }
    all.push(publish(speaker));
    all.push(Bytes::from(speaker.layout.topic_name(topic)));
    all.push(Bytes::from(speaker.layout.hooks_topic(topic.partition)));
    let times = [speaker.delay, speaker.settling, speaker.window].map(|time| time.as_millis());
    all.push(text(format!("{}:{}:{}:{}", times[0], times[1], times[2], speaker.hook_bytes)));
    all.push(text(topic.app.as_str()));
    for operation in operations {
        let [user, info, flags] = rest_of(operation);
        all.push(Bytes::from_static(letter(operation)));
        all.extend([text(channel_of(operation).as_str()), user, info, flags]);
    }
    all
}

const fn letter(operation: &Operation) -> &'static [u8] {
    match operation {
        Operation::Join { .. } => b"J",
        Operation::Leave { .. } => b"L",
        Operation::LeaveOld { .. } => b"X",
        Operation::Count { .. } => b"C",
        Operation::CountOld { .. } => b"Y",
        Operation::TellCount { .. } => b"T",
        Operation::Roster { .. } => b"S",
        Operation::Reconcile { .. } => b"I",
        Operation::ReconcileGone { .. } => b"H",
        Operation::Adopt { .. } => b"K",
    }
}

/// User, info and flags.
fn rest_of(operation: &Operation) -> [Bytes; 3] {
    let none = Bytes::new;
    match operation {
        Operation::Join { user, info, most, hooked, .. } => {
            let flags = format!("{}{}", most.unwrap_or(0), if *hooked { "p" } else { "" });
            [text(user.as_str()), text(info), text(flags)]
        }
        Operation::Leave { user, .. } | Operation::LeaveOld { user, .. } => {
            [text(user.as_str()), none(), none()]
        }
        Operation::Count { count, told, hooked, members_hooked, .. } => {
            let flags = [rule(*told), if *hooked { "e" } else { "" }, if *members_hooked { "p" } else { "" }];
            [text(count.to_string()), none(), text(flags.concat())]
        }
        Operation::Reconcile { existence, presence, .. } | Operation::Adopt { existence, presence, .. } => {
            let flags = format!("{}{}", if *existence { "e" } else { "" }, if *presence { "p" } else { "" });
            [none(), none(), text(flags)]
        }
        Operation::ReconcileGone { user, .. } => {
            [user.as_ref().map_or_else(none, |user| text(user.as_str())), none(), none()]
        }
        Operation::CountOld { .. } | Operation::TellCount { .. } | Operation::Roster { .. } => {
            [none(), none(), none()]
        }
    }
}

const fn rule(rule: CountRule) -> &'static str {
    match rule {
        CountRule::Off => "o",
        CountRule::Crowds => "c",
        CountRule::Always => "a",
        CountRule::AsStored => "s",
    }
}

fn entry(id: EntryId) -> String {
    format!("{}-{}", id.milliseconds, id.number)
}

/// The keys and arguments of `keep.lua`, for an event in the form that nodes read.
#[must_use]
pub fn keep(
    topic: &Topic,
    event: &KeptEvent,
    message: &Bytes,
    speaker: &Speaker<'_>,
) -> (Vec<Bytes>, Vec<Bytes>) {
    let layout = speaker.layout;
    let keys = vec![
        Bytes::from(layout.channel_key(topic, "cache", &event.channel)),
        Bytes::from(layout.channel_key(topic, "miss", &event.channel)),
        Bytes::from(layout.app_key(topic, "ver")),
        Bytes::from(layout.app_key(topic, "kept")),
        Bytes::from(layout.app_key(topic, "sizes")),
    ];
    // Redis refuses a time to live of nothing.
    let lives = event.lives.as_millis().max(1).to_string();
    // Channels are spread evenly, so a partition has its part of the bound.
    let most = (event.most_bytes / usize::from(layout.partitions())).to_string();
    let topic = Bytes::from(layout.topic_name(topic));
    (keys, vec![publish(speaker), topic, message.clone(), text(lives), text(most)])
}

/// The commands of Redis's own that a command is made of, each with its arguments; none for a script.
///
/// Several are sent one behind the other, and answered as one list.
#[must_use]
pub fn plain(command: &BusCommand, speaker: &Speaker<'_>) -> Vec<Vec<Bytes>> {
    let layout = speaker.layout;
    let scan = |key: Bytes, cursor: &u64, part: &str| {
        vec![text("HSCAN"), key, text(cursor.to_string()), text("COUNT"), text(part)]
    };
    match command {
        BusCommand::Numbers { topics } => {
            let mut all = vec![text("MGET")];
            all.extend(topics.iter().map(|topic| Bytes::from(layout.app_key(topic, "seq"))));
            vec![all]
        }
        BusCommand::Rows { partition, node, cursor } => {
            vec![scan(own(speaker, *partition, node), cursor, PART)]
        }
        BusCommand::RosterPart { topic, channel, cursor } => {
            vec![scan(Bytes::from(layout.channel_key(topic, "m", channel)), cursor, PART)]
        }
        BusCommand::ToldPart { partition, cursor } => {
            vec![scan(key(speaker, *partition, "told"), cursor, PART)]
        }
        BusCommand::LastEntries { partition, before } => {
            let from = before.map_or_else(|| text("+"), |id| text(format!("({}", entry(id))));
            let count = text(ENTRIES_PART.to_string());
            let hooks = key(speaker, *partition, "hooks");
            vec![vec![text("XREVRANGE"), hooks, from, text("-"), text("COUNT"), count]]
        }
        BusCommand::Hooked { partition } => vec![vec![text("SMEMBERS"), key(speaker, *partition, "hooked")]],
        BusCommand::Totals { topic, cursor } => {
            vec![scan(Bytes::from(layout.app_key(topic, "totals")), cursor, TOTALS_PART)]
        }
        BusCommand::Read { topic, channel } => {
            let key = Bytes::from(layout.channel_key(topic, "cache", channel));
            vec![vec![text("GET"), key.clone()], vec![text("PTTL"), key]]
        }
        BusCommand::Miss { topic, channel } => {
            let key = Bytes::from(layout.channel_key(topic, "miss", channel));
            vec![vec![text("SET"), key, text("1"), text("NX"), text("PX"), text(MISS)]]
        }
        _ => Vec::new(),
    }
}
