//! A client: connects to any node, signs in or not, joins and leaves, and comes back when a connection is lost.
//!
//! Every message goes to the client's `View`, which judges; this file only acts.

use std::io;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::time::{Instant, sleep, sleep_until};

use crate::chance::Chance;
use crate::signing::{channel_auth, user_auth};
use crate::view::{SignIn, View};
use crate::websocket::{Message, Reader, Writer, connect};
use crate::world::{Going, Pace, Shared, World, channels};

/// Of so many clients one counts what it gets, and resumes on its next connection where the app allows that.
const COUNTS: usize = 3;

/// So long after the last fault that costs events, nodes may still say that something may be missing: events are kept for a
/// minute, and connections may be lost for two and a half before anybody notices.
const DOUBTFUL: Duration = Duration::from_secs(5 * 60);

/// How often a resting client looks whether it may act again.
const LOOK: Duration = Duration::from_millis(50);

/// How a connection ended.
enum Ending {
    /// The client left.
    Own,
    /// The server said goodbye.
    Closed(Option<u16>),
    Lost(io::Error),
}

/// What a client does next.
enum Act {
    Say(String),
    Close,
    /// The connection ends without a word.
    Vanish,
    Nothing,
}

/// One connection.
struct Talk<'a> {
    world: &'a Shared,
    number: usize,
    socket: String,
    /// The stream of this connection's client events.
    stream: u32,
}

/// Lives until everybody leaves.
pub(crate) async fn live(world: Shared, number: usize, mut chance: Chance) {
    sleep(chance.milliseconds(0, 2000)).await;
    while world.borrow().pace != Pace::Leaving {
        let node = world.borrow().open_node(&mut chance);
        let Some(node) = node else {
            sleep(LOOK).await;
            continue;
        };
        let ending = connection(&world, number, node, &mut chance).await;
        judge(&mut world.borrow_mut(), number, node, &ending);
        let is_resting = world.borrow().pace == Pace::Resting;
        sleep(chance.milliseconds(50, if is_resting { 200 } else { 1500 })).await;
    }
}

/// A connection may end by the client's own wish, by a back end's, or because its node was killed or shut down.
fn judge(world: &mut World, number: usize, node: usize, ending: &Ending) {
    let view = world.seats[number].view.take();
    let was_open = view.is_some();
    if let Some(view) = view.filter(|_| number.is_multiple_of(COUNTS)) {
        world.seats[number].positions = view.positions();
    }
    let how = match ending {
        Ending::Own => return,
        Ending::Closed(code) => format!("was closed with {code:?}"),
        Ending::Lost(error) => format!("was lost: {error}"),
    };
    world.seats[number].node = node;
    // A node that is stopped takes connections and does not answer, until the end of the fault.
    let handshake = matches!(ending, Ending::Lost(error) if error.kind() == io::ErrorKind::TimedOut);
    let user = &world.seats[number].user;
    let is_terminated = matches!(ending, Ending::Closed(Some(4009))) && world.may_be_terminated(user);
    let goes_well = match world.going(node) {
        None => false,
        Some(Going::Killed) => true,
        // Before its first message a client may find a closed door.
        Some(Going::Asked) => !was_open || matches!(ending, Ending::Closed(Some(4200))),
    };
    let is_excused = goes_well
        || is_terminated
        || (handshake && world.ledger.is_excused(std::time::Instant::now() - Duration::from_secs(5)));
    if !is_excused && world.pace != Pace::Leaving {
        let name = world.name_of(number);
        world.violation(format!("{name}: the connection {how}"));
    }
}

async fn connection(world: &Shared, number: usize, node: usize, chance: &mut Chance) -> Ending {
    let place = world.borrow().nodes[node].clients;
    let (mut reader, mut writer) = match connect(place).await {
        Ok(ends) => ends,
        Err(error) => return Ending::Lost(error),
    };
    let socket = match tokio::time::timeout(Duration::from_secs(5), reader.next()).await {
        Ok(Ok(Message::Text(text))) => socket_id(&text),
        Ok(Ok(Message::Close(code))) => return Ending::Closed(code),
        Ok(Ok(_)) => None,
        Ok(Err(error)) => return Ending::Lost(error),
        Err(_) => return Ending::Lost(io::ErrorKind::TimedOut.into()),
    };
    let Some(socket) = socket else { return Ending::Lost(io::Error::other("no connection_established")) };
    let stream = {
        let mut world = world.borrow_mut();
        world.tally.connections += 1;
        let view = View::of(&world.seats[number].user);
        let seat = &mut world.seats[number];
        (seat.node, seat.view, seat.socket) = (node, Some(view), socket.clone());
        let stream = world.ledger.stream();
        world.seats[number].connection = stream;
        stream
    };
    let talk = Talk { world, number, socket, stream };
    match talk.go_on(&mut reader, &mut writer, chance).await {
        Ok(ending) => ending,
        Err(error) => Ending::Lost(error),
    }
}

fn socket_id(text: &str) -> Option<String> {
    let message: Value = serde_json::from_str(text).ok()?;
    let data: Value = serde_json::from_str(message["data"].as_str()?).ok()?;
    data["socket_id"].as_str().map(str::to_owned)
}

/// A subscription, signed as the channel demands.
fn subscription(socket: &str, channel: &str, user: &str) -> Value {
    let mut data = json!({"channel": channel});
    if channel.starts_with("presence-") {
        let member = json!({"user_id": user, "user_info": {"name": user}}).to_string();
        data["auth"] = channel_auth(socket, channel, Some(&member)).into();
        data["channel_data"] = member.into();
    } else if channel.starts_with("private-") {
        data["auth"] = channel_auth(socket, channel, None).into();
    }
    json!({"event": "pusher:subscribe", "data": data})
}

impl Talk<'_> {
    async fn go_on(
        &self,
        reader: &mut Reader,
        writer: &mut Writer,
        chance: &mut Chance,
    ) -> io::Result<Ending> {
        if chance.percent(50) {
            let text = self.sign_in(chance);
            writer.text(&text).await?;
        }
        let mut next = Instant::now() + chance.milliseconds(0, 500);
        loop {
            tokio::select! {
                biased;
                message = reader.next() => match message? {
                    Message::Text(text) => {
                        self.hear(&text);
                        if self.number.is_multiple_of(COUNTS) && View::is_offered(&text) {
                            for text in self.resume() {
                                writer.text(&text).await?;
                            }
                        }
                    }
                    Message::Ping(payload) => writer.pong(&payload).await?,
                    Message::Close(code) => return Ok(Ending::Closed(code)),
                    Message::Other => {}
                },
                () = sleep_until(next) => {
                    let pace = self.world.borrow().pace;
                    next = Instant::now() + LOOK;
                    let act = match pace {
                        Pace::Acting => self.act(chance),
                        Pace::Resting => Act::Nothing,
                        Pace::Leaving => Act::Close,
                    };
                    match act {
                        Act::Say(text) => {
                            next = Instant::now() + chance.milliseconds(200, 3000);
                            writer.text(&text).await?;
                            if text.contains("pusher:unsubscribe") {
                                writer.text(r#"{"event":"pusher:ping","data":{}}"#).await?;
                            }
                        }
                        Act::Close => {
                            writer.close().await?;
                            return Ok(Ending::Own);
                        }
                        Act::Vanish => return Ok(Ending::Own),
                        Act::Nothing => {}
                    }
                }
            }
        }
    }

    fn hear(&self, text: &str) {
        let mut world = self.world.borrow_mut();
        let seat = &mut world.seats[self.number];
        let (node, Some(view)) = (seat.node, &mut seat.view) else { return };
        let judged = view.hear(text);
        let resumed = std::mem::take(&mut view.resumed);
        let judged = match judged {
            Ok(None) => Ok(()),
            Ok(Some(arrival)) => {
                world.tally.deliveries += 1;
                world.ledger.arrived(&arrival, self.number as u32, node)
            }
            Err(why) => Err(why),
        };
        if let Err(why) = judged {
            let name = world.name_of(self.number);
            world.violation(format!("{name}: {why}"));
        }
        for is_complete in resumed {
            world.tally.resumed += 1;
            world.tally.incomplete += u64::from(!is_complete);
            if !is_complete && world.ledger.is_quiet_for(DOUBTFUL) && world.nodes_last() {
                let name = world.name_of(self.number);
                world.violation(format!("{name}: resumed incompletely, and nothing has happened: {text}"));
            }
        }
    }

    /// Says that this client counts, where the channels of its last connection were, and subscribes to these again.
    fn resume(&self) -> Vec<String> {
        let mut world = self.world.borrow_mut();
        let user = world.seats[self.number].user.clone();
        let positions = std::mem::take(&mut world.seats[self.number].positions);
        let Some(view) = &mut world.seats[self.number].view else { return Vec::new() };
        let mut say = vec![json!({"event": "fanfare:resume", "data": {}})];
        let told =
            positions.iter().map(|(name, position)| (name.clone(), json!([position.token, position.count])));
        let told: serde_json::Map<String, Value> = told.collect();
        if !told.is_empty() {
            say.push(json!({"event": "fanfare:resume", "data": told}));
        }
        let joins = positions.len() as u64;
        for (name, position) in positions {
            view.asked_to_resume(&name, position);
            say.push(subscription(&self.socket, &name, &user));
        }
        world.tally.joins += joins;
        say.into_iter().map(|message| message.to_string()).collect()
    }

    fn sign_in(&self, chance: &mut Chance) -> String {
        let mut world = self.world.borrow_mut();
        let watched: Vec<String> =
            (0..3).filter_map(|_| chance.pick(&world.seats).map(|seat| seat.user.clone())).collect();
        let user = world.seats[self.number].user.clone();
        let data = json!({"id": user, "watchlist": watched}).to_string();
        if let Some(view) = &mut world.seats[self.number].view {
            view.sign_in = SignIn::Asked;
            view.watched = watched.into_iter().map(|user| (user, None)).collect();
        }
        let auth = user_auth(&self.socket, &data);
        json!({"event": "pusher:signin", "data": {"auth": auth, "user_data": data}}).to_string()
    }

    fn act(&self, chance: &mut Chance) -> Act {
        match chance.below(100) {
            0..45 => self.join(chance),
            45..75 => self.leave(chance),
            75..90 => self.client_event(chance),
            90..97 => Act::Close,
            _ => Act::Vanish,
        }
    }

    fn join(&self, chance: &mut Chance) -> Act {
        let mut world = self.world.borrow_mut();
        let user = world.seats[self.number].user.clone();
        let Some(view) = &mut world.seats[self.number].view else { return Act::Nothing };
        let mut known = channels();
        if view.sign_in == SignIn::Done {
            known.push(format!("#server-to-user-{user}"));
        }
        // Presence is what is hardest to keep right, so it is joined most.
        let channel = if chance.percent(40) { known.get(chance.below(6)) } else { chance.pick(&known) };
        let Some(channel) = channel.filter(|channel| view.may_join(channel)) else { return Act::Nothing };
        view.asked(channel);
        world.tally.joins += 1;
        Act::Say(subscription(&self.socket, channel, &user).to_string())
    }

    fn leave(&self, chance: &mut Chance) -> Act {
        let mut world = self.world.borrow_mut();
        let Some(view) = &mut world.seats[self.number].view else { return Act::Nothing };
        let joined = view.channels().filter(|(_, channel)| channel.acknowledged.is_some());
        let joined: Vec<String> = joined.map(|(name, _)| name.to_owned()).collect();
        let Some(channel) = chance.pick(&joined) else { return Act::Nothing };
        view.left(channel);
        world.tally.leaves += 1;
        Act::Say(json!({"event": "pusher:unsubscribe", "data": {"channel": channel}}).to_string())
    }

    /// Client events go to others in the order in which they were sent; nobody answers, so none can be missing.
    fn client_event(&self, chance: &mut Chance) -> Act {
        let mut world = self.world.borrow_mut();
        let Some(view) = &world.seats[self.number].view else { return Act::Nothing };
        let joined = view.channels().filter(|(name, channel)| {
            channel.acknowledged.is_some()
                && (name.starts_with("presence-") || name.starts_with("private-desk"))
        });
        let joined: Vec<String> = joined.map(|(name, _)| name.to_owned()).collect();
        let Some(channel) = chance.pick(&joined) else { return Act::Nothing };
        let number = world.ledger.sends(self.stream, channel, Some(self.number as u32));
        world.tally.client_events += 1;
        let data = json!({"s": self.stream, "n": number}).to_string();
        Act::Say(json!({"event": "client-e", "channel": channel, "data": data}).to_string())
    }
}
