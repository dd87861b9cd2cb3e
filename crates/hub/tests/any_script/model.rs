//! What every connection must receive when steps run in sequence: plain tables, no lock, no hub.

use std::collections::{BTreeMap, BTreeSet};

use fanfare_hub::SubscribeError;
use serde_json::{Value, json};

use crate::script::{
    Action, Answer, CHANNELS, MOST_MEMBERS, SLOTS, Step, USERS, has_counts, is_cached, is_presence, user_data,
};

/// A slot's connection of a generation.
pub type Client = (usize, u64);

/// The app as a whole.
#[derive(Default)]
pub struct Model {
    generations: [u64; SLOTS],
    numbers: BTreeMap<(usize, usize), u64>,
    rooms: [Room; CHANNELS.len()],
    /// The user that each client is signed in as, and the users that the client watches.
    signed_in: BTreeMap<Client, (usize, BTreeSet<usize>)>,
    /// What each client has received.
    pub received: BTreeMap<Client, Vec<Value>>,
}

/// A channel, occupied or not.
#[derive(Default)]
struct Room {
    /// Subscribers; on presence channels with their users.
    members: BTreeMap<Client, usize>,
    infos: BTreeMap<usize, Value>,
    last: Option<(Value, u64)>,
}

impl Model {
    /// Applies the step at a moment.
    pub fn apply(&mut self, step: &Step, now: u64) -> Answer {
        let client = (step.slot, self.generations[step.slot]);
        match &step.action {
            Action::Join { channel, user } => Answer::Joined(self.join(client, *channel, *user, now)),
            Action::Leave { channel } => Answer::Left(self.leave(client, *channel)),
            Action::Publish { channel, except, keeps } => {
                Answer::Took(self.publish(step.slot, *channel, *except, now + keeps))
            }
            Action::SignIn { user, watchlist } => Answer::SignedIn(self.sign_in(client, *user, watchlist)),
            Action::Read => Answer::Nothing,
            Action::Close => {
                self.close(client);
                self.generations[step.slot] += 1;
                Answer::Nothing
            }
            Action::Sweep => {
                for room in &mut self.rooms {
                    if room.members.is_empty() && room.last.as_ref().is_some_and(|(_, until)| *until <= now) {
                        room.last = None;
                    }
                }
                Answer::Nothing
            }
        }
    }

    /// Closes everybody's connection.
    pub fn close_all(&mut self) {
        for slot in 0..SLOTS {
            self.close((slot, self.generations[slot]));
        }
    }

    fn join(&mut self, client: Client, at: usize, user: usize, now: u64) -> Result<(), SubscribeError> {
        let room = &mut self.rooms[at];
        if room.members.contains_key(&client) {
            return Err(SubscribeError::Existing);
        }
        let mut acknowledgement = json!({});
        if is_presence(at) {
            let is_new = !room.infos.contains_key(&user);
            if is_new && room.infos.len() >= MOST_MEMBERS {
                return Err(SubscribeError::Full);
            }
            let info = json!({ "slot": client.0 });
            room.infos.insert(user, info.clone());
            let ids: Vec<&str> = room.infos.keys().map(|user| USERS[*user]).collect();
            let hash: BTreeMap<&str, &Value> =
                room.infos.iter().map(|(user, info)| (USERS[*user], info)).collect();
            acknowledgement = json!({ "presence": { "count": ids.len(), "ids": ids, "hash": hash } });
            if is_new {
                let data = json!({ "user_id": USERS[user], "user_info": info });
                self.tell(at, "pusher_internal:member_added", &data);
            }
        }
        self.push(client, on(at, "pusher_internal:subscription_succeeded", &acknowledgement));
        if is_cached(at) {
            let last = self.rooms[at].last.take_if(|(_, until)| *until > now);
            self.push(
                client,
                last.as_ref()
                    .map_or_else(|| on(at, "pusher:cache_miss", &json!({})), |(event, _)| event.clone()),
            );
            self.rooms[at].last = last;
        }
        self.rooms[at].members.insert(client, user);
        self.tell_count(at);
        Ok(())
    }

    fn leave(&mut self, client: Client, at: usize) -> bool {
        let Some(user) = self.rooms[at].members.remove(&client) else {
            return false;
        };
        if is_presence(at) && !self.rooms[at].members.values().any(|other| *other == user) {
            self.rooms[at].infos.remove(&user);
            self.tell(at, "pusher_internal:member_removed", &json!({ "user_id": USERS[user] }));
        }
        self.tell_count(at);
        true
    }

    fn publish(&mut self, slot: usize, at: usize, except: Option<Client>, until: u64) -> usize {
        let number = self.numbers.entry((slot, at)).or_default();
        let event = on(at, "e", &json!(format!("{slot}:{number}")));
        *number += 1;
        if is_cached(at) {
            self.rooms[at].last = Some((event.clone(), until));
        }
        let meant: Vec<Client> =
            self.rooms[at].members.keys().copied().filter(|client| Some(*client) != except).collect();
        for client in &meant {
            self.push(*client, event.clone());
        }
        meant.len()
    }

    fn sign_in(&mut self, client: Client, user: usize, watchlist: &[usize]) -> bool {
        match self.signed_in.get(&client) {
            Some((before, _)) if *before != user => return false,
            Some(_) => {}
            None => {
                if !self.is_online(user) {
                    self.tell_watchers(user, "online");
                }
            }
        }
        let success = json!({ "user_data": user_data(user, watchlist) });
        self.push(client, json!({ "event": "pusher:signin_success", "data": success }));
        let watched: BTreeSet<usize> = watchlist.iter().copied().collect();
        self.signed_in.insert(client, (user, watched.clone()));
        let (online, offline): (Vec<usize>, Vec<usize>) =
            watched.iter().partition(|user| self.is_online(**user));
        if !watched.is_empty() {
            self.push(client, watchlist_events(&[("online", online), ("offline", offline)]));
        }
        true
    }

    fn close(&mut self, client: Client) {
        for at in 0..CHANNELS.len() {
            self.leave(client, at);
        }
        if let Some((user, _)) = self.signed_in.remove(&client)
            && !self.is_online(user)
        {
            self.tell_watchers(user, "offline");
        }
    }

    fn is_online(&self, user: usize) -> bool {
        self.signed_in.values().any(|(signed_in, _)| *signed_in == user)
    }

    fn tell_watchers(&mut self, user: usize, what: &str) {
        let watchers: Vec<Client> = self
            .signed_in
            .iter()
            .filter(|(_, (_, watched))| watched.contains(&user))
            .map(|(client, _)| *client)
            .collect();
        for client in watchers {
            self.push(client, watchlist_events(&[(what, vec![user])]));
        }
    }

    fn tell_count(&mut self, at: usize) {
        if has_counts(at) {
            let count = self.rooms[at].members.len();
            self.tell(at, "pusher_internal:subscription_count", &json!({ "subscription_count": count }));
        }
    }

    fn tell(&mut self, at: usize, event: &str, data: &Value) {
        for client in self.rooms[at].members.keys() {
            self.received.entry(*client).or_default().push(on(at, event, data));
        }
    }

    fn push(&mut self, client: Client, frame: Value) {
        self.received.entry(client).or_default().push(frame);
    }

    /// Number of subscriptions.
    pub fn subscriptions(&self, at: usize) -> usize {
        self.rooms[at].members.len()
    }

    /// Users on a presence channel.
    pub fn members(&self, at: usize) -> BTreeSet<&'static str> {
        self.rooms[at].infos.keys().map(|user| USERS[*user]).collect()
    }

    /// The channel's cached event, expired or not.
    pub fn kept(&self, at: usize) -> Option<(&Value, u64)> {
        self.rooms[at].last.as_ref().map(|(event, until)| (event, *until))
    }

    /// Number of users signed in.
    pub fn users_online(&self) -> usize {
        (0..USERS.len()).filter(|user| self.is_online(*user)).count()
    }
}

fn on(at: usize, event: &str, data: &Value) -> Value {
    json!({ "event": event, "data": data, "channel": CHANNELS[at] })
}

fn watchlist_events(told: &[(&str, Vec<usize>)]) -> Value {
    let events: Vec<Value> = told
        .iter()
        .filter(|(_, users)| !users.is_empty())
        .map(|(name, users)| {
            let ids: Vec<&str> = users.iter().map(|user| USERS[*user]).collect();
            json!({ "name": name, "user_ids": ids })
        })
        .collect();
    json!({ "event": "pusher_internal:watchlist_events", "data": { "events": events } })
}
