//! A back end that publishes numbered events: one request after the other, to one node until that node fails.

use std::time::Duration;

use serde_json::json;
use tokio::time::{Instant, sleep, sleep_until};

use crate::chance::Chance;
use crate::http::BackEnd;
use crate::world::{CACHED, Pace, Shared, channels};

/// How often a resting back end looks whether it may go on.
const LOOK: Duration = Duration::from_millis(20);

/// Publishes until everybody leaves, an event each `interval`.
pub(crate) async fn live(world: Shared, number: usize, interval: Duration, mut chance: Chance) {
    // Only one publisher for each cache channel: what is kept is then its last event.
    let own: Vec<String> = match CACHED.get(number) {
        Some(cached) => vec![(*cached).to_owned()],
        None => {
            let few = 0..world.borrow().seats.len().min(5);
            let users = few.map(|seat| format!("#server-to-user-{}", world.borrow().seats[seat].user));
            let plain = channels().into_iter().filter(|channel| !CACHED.contains(&&**channel));
            plain.chain(users).collect()
        }
    };
    while world.borrow().pace != Pace::Leaving {
        let node = world.borrow().open_node(&mut chance);
        match node {
            Some(node) => to_one_node(&world, node, &own, interval, &mut chance).await,
            None => sleep(LOOK).await,
        }
    }
}

/// A stream of events, until a request fails.
async fn to_one_node(world: &Shared, node: usize, own: &[String], interval: Duration, chance: &mut Chance) {
    let place = world.borrow().nodes[node].back_ends;
    let stream = world.borrow_mut().ledger.stream();
    let mut back_end = BackEnd::of(place);
    let mut next = Instant::now() + interval.mul_f64(chance.below(100) as f64 / 100.0);
    // Another node now and then, as a balancer would choose.
    for _ in 0..chance.below(400) + 100 {
        sleep_until(next).await;
        next = (next + interval).max(Instant::now());
        while world.borrow().pace == Pace::Resting {
            sleep(LOOK).await;
        }
        if world.borrow().pace == Pace::Leaving || !world.borrow().nodes[node].is_open {
            return;
        }
        let Some(channel) = chance.pick(own) else { return };
        let (number, socket) = {
            let mut world = world.borrow_mut();
            world.publishing += 1;
            let excluded = chance.percent(10).then(|| chance.below(world.seats.len()));
            let seat = excluded.and_then(|number| world.seats.get(number)).filter(|seat| seat.view.is_some());
            let socket = seat.map(|seat| seat.socket.clone());
            // A client's number is far below the bound.
            let client = excluded.filter(|_| socket.is_some()).map(|number| number as u32);
            (world.ledger.sends(stream, channel, client), socket)
        };
        let data = json!({"s": stream, "n": number}).to_string();
        let mut body = json!({"name": "e", "channel": channel, "data": data});
        if let Some(socket) = socket {
            body["socket_id"] = socket.into();
        }
        let answer = back_end.publish("/events", &body).await;
        let mut world = world.borrow_mut();
        world.publishing -= 1;
        world.ledger.answered(stream, channel, matches!(answer, Ok(200)));
        if matches!(answer, Ok(200)) {
            world.usage.accepted(node);
        }
        let failure = match answer {
            Ok(200) => continue,
            Ok(status) => format!("answers {status} to an event"),
            Err(error) => format!("does not answer to an event: {error}"),
        };
        let now = std::time::Instant::now();
        if world.going(node).is_none() && !world.ledger.is_excused(now - Duration::from_secs(5)) {
            world.violation(format!("node {node} {failure}"));
        }
        return;
    }
}
