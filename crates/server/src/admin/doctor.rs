//! The doctor, run on the node for an operator: `POST /v1/apps/{id}/doctor` and `POST /v1/doctor` (CON-056, CON-057).
//!
//! Answers a line of JSON for each hop, as the hop ends. Bounded in runs at once and in the time of a run. Never asks an address
//! that neither the configuration nor the app's settings name.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use fanfare_apps::OperationError;
use fanfare_doctor::{Hop, Inside, Outcome, Plan, examine_each, line};
use fanfare_protocol::app::App;
use fanfare_protocol::channel::ChannelName;
use fanfare_protocol::ids::AppId;
use hyper::StatusCode;
use parking_lot::Mutex;
use tokio::sync::mpsc;
use tokio::time::timeout;

use super::asked::Asked;
use super::events;
use super::given;
use super::problem::Problem;
use super::routes::Action;
use crate::connections::{AnswerBody, ChunkSender};
use crate::http::Answer;
use crate::http::answer::with_type;
use crate::state::State;

/// Most runs at once on a node; one of each app.
const MOST_AT_ONCE: usize = 4;

/// Longest run: every step has a time-out of its own, and there are about a dozen.
const LONGEST: Duration = Duration::from_secs(60);

/// Most hops that wait for a peer that reads slowly: more than there are.
const MOST_HOPS: usize = 256;

/// What is being examined: an app, or the node.
#[derive(Default)]
pub(super) struct Examinations(Mutex<HashSet<Option<AppId>>>);

/// A run under way.
struct Run {
    all: Arc<Examinations>,
    of: Option<AppId>,
}

impl Examinations {
    fn begin(self: &Arc<Self>, of: Option<AppId>) -> Result<Run, Problem> {
        let mut running = self.0.lock();
        if running.len() >= MOST_AT_ONCE || !running.insert(of.clone()) {
            return Err(Problem::Examining);
        }
        Ok(Run { all: Arc::clone(self), of })
    }
}

impl Drop for Run {
    fn drop(&mut self) {
        self.all.0.lock().remove(&self.of);
    }
}

/// Begins a run, whose hops follow as lines.
///
/// # Errors
/// There is no such app, the request has faults, or as much is being examined as may be.
pub(super) async fn answer(
    state: &Arc<State>,
    all: &Arc<Examinations>,
    asked: &Asked<'_>,
) -> Result<Answer, Problem> {
    let (channel, faults) = given::channel_to_examine(&asked.body, asked.faults_of_query())?;
    let app = match asked.found.action {
        Action::ExamineApp => Some(events::app(state, asked).await?),
        _ => None,
    };
    let channel = checked(app.as_deref(), channel, faults)?;
    let run = all.begin(app.as_ref().map(|app| app.id.clone()))?;
    let config = state.node.config_kept();
    let plan = Plan::inside(Inside {
        config: &config,
        listening: state.addresses().plain,
        app: app.as_deref(),
        channel: channel.as_deref(),
        sees_node: asked.by.apps.is_none(),
        applications: state.node.outgoing.applications.clone(),
    });
    let (sender, body) = AnswerBody::stream();
    tokio::spawn(examined(plan, sender, run));
    let mut answer = with_type(StatusCode::OK, "application/x-ndjson", Bytes::new());
    *answer.body_mut() = body;
    Ok(answer)
}

/// The channel to ask the application about, if one is given.
fn checked(
    app: Option<&App>,
    channel: Option<String>,
    mut faults: Vec<String>,
) -> Result<Option<String>, Problem> {
    if let Some(channel) = &channel {
        match app {
            None => faults.push("channel: only an app's application can be asked".to_owned()),
            Some(app) if app.authorization.url.is_none() => {
                faults.push("channel: the app has no authorization.url that could be asked".to_owned());
            }
            Some(app) if ChannelName::parse(channel, app.limits.channel_name).is_err() => {
                faults.push("channel is not the name of a channel".to_owned());
            }
            Some(_) => {}
        }
    }
    if faults.is_empty() { Ok(channel) } else { Err(Problem::Operation(OperationError::Faults(faults))) }
}

/// Examines until the end, the time is over, or the peer has gone.
async fn examined(plan: Plan, sender: ChunkSender, run: Run) {
    let (hops, mut ended) = mpsc::channel::<Bytes>(MOST_HOPS);
    let examination = async move {
        // There is room: there are fewer hops.
        let mut tell = |hop: &Hop| drop(hops.try_send(Bytes::from(line(hop))));
        if timeout(LONGEST, examine_each(&plan, &mut tell)).await.is_err() {
            let what = format!("not done after {} s: what comes next was not looked at", LONGEST.as_secs());
            tell(&Hop { name: "doctor".to_owned(), outcome: Outcome::Noted(what) });
        }
    };
    let delivery = async {
        while let Some(hop) = ended.recv().await {
            if sender.send(hop).await.is_err() {
                return;
            }
        }
    };
    tokio::select! {
        ((), ()) = async { tokio::join!(examination, delivery) } => {}
        () = sender.gone() => {}
    }
    drop(run);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn con_056_an_app_is_examined_once_at_a_time_and_a_node_examines_so_many_apps() {
        let all = Arc::<Examinations>::default();
        let of = |id: usize| Some(AppId::from(&*id.to_string()));
        let mut runs: Vec<Run> = (1..MOST_AT_ONCE).filter_map(|id| all.begin(of(id)).ok()).collect();
        assert!(all.begin(of(1)).is_err(), "that app is being examined");
        runs.extend(all.begin(None).ok());
        assert_eq!(runs.len(), MOST_AT_ONCE);
        assert!(all.begin(of(99)).is_err(), "as many are under way as may be");
        runs.clear();
        assert!(all.begin(of(1)).is_ok() && all.begin(None).is_ok());
    }
}
