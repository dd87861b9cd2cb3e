//! Notices that the machine itself stood still: then nodes lose their links without a fault of theirs or of Redis.
//!
//! Only what this program has seen of itself counts, never what nodes say.

use std::time::{Duration, Instant};

use tokio::time::sleep;

use crate::world::Shared;

const TICK: Duration = Duration::from_millis(50);

/// A nap that is longer by this much excuses as a fault does: half of the time after which a link counts as lost.
const STILL: Duration = Duration::from_secs(1);

/// Watches as long as the run lasts.
pub(crate) async fn watch(world: Shared) {
    loop {
        let start = Instant::now();
        sleep(TICK).await;
        let late = start.elapsed().saturating_sub(TICK);
        if late > STILL {
            let mut world = world.borrow_mut();
            world.ledger.stood_still(late);
            world.stood_still = (Some(Instant::now()), world.stood_still.1 + late);
        }
    }
}
