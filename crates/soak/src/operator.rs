//! An operator who changes apps over `/v1`, through any node, and what every node must then know of them.
//!
//! A change is repeated until a node says yes: after any outage each change is done, and known everywhere. A node that was
//! stopped may do what it was asked long ago. So a change of an app names the state that it is of (`If-Match`), and an app whose
//! making had to be repeated is not deleted: it could be made once more.

use std::collections::{BTreeMap, VecDeque};
use std::io;

use serde_json::{Value, json};
use tokio::time::sleep;

use crate::chance::Chance;
use crate::http::{BackEnd, Operated};
use crate::signing::{APP, Signer};
use crate::world::{Pace, Shared};

/// The app that is switched on and off.
const SWITCHED: &str = "8";

/// So many made apps there are at a time; of as many deleted ones is known that they are gone.
const MADE: usize = 4;

/// The answer to a change of a state that is not the app's any more.
const CHANGED_MEANWHILE: u16 = 412;

/// The operator's token and what all nodes must know.
#[derive(Default)]
pub(crate) struct Operator {
    pub(crate) token: String,
    /// What the API answers to each app.
    known: BTreeMap<String, u16>,
    /// A change has no answer yet.
    waits: bool,
    pub(crate) changes: u64,
    pub(crate) refused: u64,
}

/// A change of one app.
struct Change {
    app: String,
    method: &'static str,
    path: String,
    body: Value,
    /// What the API answers to the app behind the change.
    then: u16,
    /// The answer to the same change when it was made before.
    again: u16,
}

fn signer(app: &str) -> Signer {
    Signer { id: app.to_owned(), key: format!("key-of-{app}"), secret: format!("a-secret-of-{app}") }
}

fn made(app: &str) -> Change {
    let Signer { id, key, secret } = signer(app);
    let body = json!({"id": id, "name": "soak", "key": key, "secret": secret});
    let (app, path) = (app.to_owned(), "/v1/apps".to_owned());
    Change { app, method: "POST", path, body, then: 200, again: 409 }
}

/// The name tells one state of the app from all others.
fn switched(is_on: bool, number: usize) -> Change {
    let (app, path) = (SWITCHED.to_owned(), format!("/v1/apps/{SWITCHED}"));
    let then = if is_on { 200 } else { 403 };
    let body = json!({ "enabled": is_on, "name": format!("state {number}") });
    Change { app, method: "PATCH", path, body, then, again: 200 }
}

fn deleted(app: &str) -> Change {
    let (app, path) = (app.to_owned(), format!("/v1/apps/{app}"));
    Change { app, method: "DELETE", path, body: Value::Null, then: 404, again: 404 }
}

/// Changes apps until everybody leaves.
pub(crate) async fn live(world: Shared, mut chance: Chance) {
    let mut number = 1000_usize;
    let mut is_on = true;
    // Apps that may be deleted, the oldest first.
    let mut made_once = VecDeque::<String>::new();
    let mut next = Some(made(SWITCHED));
    while world.borrow().pace != Pace::Leaving {
        sleep(chance.milliseconds(300, 1500)).await;
        if world.borrow().pace != Pace::Acting {
            continue;
        }
        number += 1;
        let oldest = if made_once.len() > MADE { made_once.pop_front() } else { None };
        let change = next.take().unwrap_or_else(|| match (oldest, chance.below(2)) {
            (Some(oldest), _) => deleted(&oldest),
            (None, 0) => {
                is_on = !is_on;
                switched(is_on, number)
            }
            _ => made(&number.to_string()),
        });
        world.borrow_mut().operator.begins(&change);
        let is_done_at_once = until_done(&world, &change, &mut chance).await;
        if is_done_at_once && change.method == "POST" && change.app != SWITCHED {
            made_once.push_back(change.app);
        }
        world.borrow_mut().operator.forget(number);
    }
}

impl Operator {
    fn begins(&mut self, change: &Change) {
        self.waits = true;
        self.known.remove(&change.app);
    }

    /// Whether the answer says that the change is done; that a repeated change was done before is as good.
    fn hears(&mut self, change: &Change, status: u16, is_repeat: bool) -> bool {
        let is_done = matches!(status, 200..=299) || (is_repeat && status == change.again);
        if is_done {
            self.changes += 1;
            self.waits = false;
            self.known.insert(change.app.clone(), change.then);
        } else {
            self.refused += 1;
        }
        is_done
    }

    /// Deleted apps of long ago are asked for no more.
    fn forget(&mut self, newest: usize) {
        let is_old =
            |app: &String| app.parse().is_ok_and(|app: usize| app > 1000 && app + 10 * MADE < newest);
        self.known.retain(|app, _| !is_old(app));
    }
}

/// Whether the first try was answered with yes.
async fn until_done(world: &Shared, change: &Change, chance: &mut Chance) -> bool {
    let mut is_repeat = false;
    while world.borrow().pace != Pace::Leaving {
        let node = world.borrow().open_node(chance);
        let Some(node) = node else {
            sleep(chance.milliseconds(20, 50)).await;
            continue;
        };
        let was_disturbed = world.borrow().is_disturbed();
        let (place, token) = (world.borrow().nodes[node].operators, world.borrow().operator.token.clone());
        let answer = asked(&mut BackEnd::of(place), &token, change).await;
        let was_disturbed = was_disturbed || world.borrow().is_disturbed();
        let status = answer.as_ref().map_or(0, |answer| answer.status);
        if world.borrow_mut().operator.hears(change, status, is_repeat) {
            return !is_repeat;
        }
        is_repeat = true;
        let is_going = world.borrow().going(node).is_some();
        // An earlier try of the same change was done meanwhile.
        if !was_disturbed && !is_going && status != CHANGED_MEANWHILE {
            let (method, path) = (change.method, &change.path);
            world.borrow_mut().violation(format!("node {node} answers {answer:?} to {method} {path}"));
        }
        sleep(chance.milliseconds(100, 500)).await;
    }
    false
}

/// Asks for a change; of a state that is read first, if the app is there already.
async fn asked(operators: &mut BackEnd, token: &str, change: &Change) -> io::Result<Operated> {
    let Change { method, path, body, .. } = change;
    if *method != "PATCH" {
        return operators.operate((token, None), method, path, body).await;
    }
    let now = operators.operate((token, None), "GET", path, &Value::Null).await?;
    if now.status != 200 || now.json["name"] == body["name"] {
        return Ok(now);
    }
    operators.operate((token, now.tag.as_deref()), method, path, body).await
}

/// Checks that a node knows every change, and counts what there is.
///
/// # Errors
/// In words: the app, the answer, and what is true.
pub(crate) async fn check(world: &Shared, node: usize) -> Result<(), String> {
    let (token, known) = {
        let world = world.borrow();
        if world.operator.token.is_empty() {
            return Ok(());
        }
        if world.operator.waits {
            return Err("a change of an app has no answer".to_owned());
        }
        (world.operator.token.clone(), world.operator.known.clone())
    };
    let mut back_end = BackEnd::of(world.borrow().nodes[node].back_ends);
    for (app, wanted) in known {
        let answer = back_end.status(&signer(&app), "/channels").await;
        if !answer.as_ref().is_ok_and(|status| *status == wanted) {
            return Err(format!("node {node} answers {answer:?} to app {app}, and {wanted} would be true"));
        }
    }
    let mut operators = BackEnd::of(world.borrow().nodes[node].operators);
    let stats =
        operators.operate((&token, None), "GET", &format!("/v1/apps/{APP}/stats"), &Value::Null).await;
    let Ok(Operated { status: 200, json: stats, .. }) = stats else {
        return Err(format!("node {node} answers {stats:?} to its stats"));
    };
    let open = world.borrow().open_connections();
    match stats["connections"].as_u64() {
        Some(count) if count == open as u64 => Ok(()),
        count => Err(format!("node {node} counts {count:?} connections, and {open} are open")),
    }
}
