//! A back end that has all connections of a user closed now and then, through any node (API-060, CL-052).

use std::time::{Duration, Instant};

use serde_json::json;
use tokio::time::sleep;

use crate::chance::Chance;
use crate::http::BackEnd;
use crate::view::SignIn;
use crate::world::{Pace, Shared};

/// How long after the answer a connection of the user may still be open.
const PATIENCE: Duration = Duration::from_secs(2);

/// Lives until everybody leaves.
pub(crate) async fn live(world: Shared, mut chance: Chance) {
    while world.borrow().pace != Pace::Leaving {
        sleep(chance.milliseconds(2000, 4000)).await;
        if world.borrow().pace != Pace::Acting {
            continue;
        }
        let node = world.borrow().open_node(&mut chance);
        let user = chance.pick(&world.borrow().seats).map(|seat| seat.user.clone());
        let (Some(node), Some(user)) = (node, user) else { continue };
        terminate(&world, node, &user).await;
    }
}

async fn terminate(world: &Shared, node: usize, user: &str) {
    let (place, known) = {
        let mut world = world.borrow_mut();
        world.terminated.insert(user.to_owned(), Instant::now());
        (world.nodes[node].back_ends, signed_in(&world.seats, user))
    };
    let was_disturbed = world.borrow().is_disturbed();
    let answer =
        BackEnd::of(place).publish(&format!("/users/{user}/terminate_connections"), &json!({})).await;
    sleep(PATIENCE).await;
    let mut world = world.borrow_mut();
    world.tally.terminations += 1;
    if was_disturbed || world.is_disturbed() {
        return;
    }
    if !matches!(answer, Ok(200)) {
        return world.violation(format!("node {node} answers {answer:?} when {user} is to be closed"));
    }
    let left: Vec<(usize, u32)> =
        signed_in(&world.seats, user).into_iter().filter(|seat| known.contains(seat)).collect();
    if let Some((seat, _)) = left.first() {
        let name = world.name_of(*seat);
        world.violation(format!(
            "{name} is still connected {PATIENCE:?} after node {node} was told to close {user}"
        ));
    }
}

/// Seats and connections that are signed in as a user.
fn signed_in(seats: &[crate::world::Seat], user: &str) -> Vec<(usize, u32)> {
    let is_in = |seat: &crate::world::Seat| {
        seat.user == user && seat.view.as_ref().is_some_and(|view| view.sign_in == SignIn::Done)
    };
    seats.iter().enumerate().filter(|(_, seat)| is_in(seat)).map(|(at, seat)| (at, seat.connection)).collect()
}
