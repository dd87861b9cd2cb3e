//! Operations of the administration API on apps: check the token, run the operation, answer.
//!
//! A secret is in the answer of the operation that made the secret, or where the scope `secrets` allows; nowhere else.

use std::net::IpAddr;
use std::time::Duration;

use bytes::Bytes;
use fanfare_apps::{Apps, Bearer, OperationError};
use fanfare_protocol::auth::Query;
use fanfare_protocol::ids::AppId;
use hyper::header::{CACHE_CONTROL, HeaderValue, LOCATION};
use hyper::{Request, StatusCode};
use serde_json::Value;
use tokio::time::timeout;

use super::problem::Problem;
use super::routes::{Action, Found};
use super::shared::Admin;
use super::{bearer, cluster, given};
use crate::app_json::{self, Secrets};
use crate::connections::RequestBody;
use crate::http::Answer;
use crate::http::answer::json;
use crate::http::body::Arriving;

/// Largest body, in bytes: settings are short.
const MOST_BYTES: usize = 64 * 1024;

/// Timeout of one operation; long enough to read a page of a thousand apps.
const PATIENCE: Duration = Duration::from_secs(10);

/// The parsed request.
struct Asked<'a> {
    found: &'a Found,
    query: Query,
    body: Bytes,
    by: Bearer,
}

/// Answers one request of the administration API. No permit of [`Admin::enter`] is held while waiting for the peer.
///
/// # Errors
/// The request is refused, in this order: announced body size, token, scope, body, content.
pub(super) async fn answer(
    admin: &Admin,
    peer: IpAddr,
    found: &Found,
    request: Request<RequestBody>,
) -> Result<Answer, Problem> {
    let arriving = Arriving::of(request, MOST_BYTES).await?;
    let query = Query::parse(arriving.uri().query().unwrap_or_default());
    let by = match who(admin, peer, found.action, &query, &arriving).await {
        Ok(by) => by,
        Err(problem) => return Err(arriving.refused(problem).await),
    };
    let body = if found.action.has_body() {
        arriving.read(admin.state.node.config.timeouts.handshake()).await?
    } else {
        Bytes::new()
    };
    let asked = Asked { found, query, body, by };
    let _turn = admin.enter()?;
    let doing = async {
        match asked.found.action {
            Action::Nodes => {
                asked.has_no_query()?;
                cluster::nodes(&admin.state).await
            }
            _ => perform(&admin.state.node.apps, &asked).await,
        }
    };
    let mut answer = timeout(PATIENCE, doing).await.map_err(|_| Problem::TooLate)??;
    if let Some(bus) = admin.state.node.bus().filter(|_| asked.found.action.changes_an_app()) {
        bus.app_changed(&AppId::from(&*asked.found.id));
    }
    answer.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    Ok(answer)
}

/// The bearer whose token has the scope of the action.
async fn who(
    admin: &Admin,
    peer: IpAddr,
    action: Action,
    query: &Query,
    arriving: &Arriving,
) -> Result<Bearer, Problem> {
    let by = match bearer::check(admin, peer, arriving.headers()).await {
        Err(Problem::NoDatabase) if action == Action::Nodes => return Err(Problem::NoTokensForNodes),
        by => by?,
    };
    let scope = action.scope(query.get("secrets") == Some("true"));
    if by.scopes.contains(&scope) { Ok(by) } else { Err(Problem::ScopeMissing(scope)) }
}

async fn perform(apps: &Apps, asked: &Asked<'_>) -> Result<Answer, Problem> {
    let Found { action, id, key } = asked.found;
    match action {
        Action::List => {
            let (after, limit) = given::page(&asked.query)?;
            Ok(ok(&app_json::page(&apps.list(after.as_deref(), limit).await?)))
        }
        Action::Show => {
            asked.has_no_query()?;
            Ok(ok(&app_json::app(&apps.show(id).await?, Secrets::Hidden)))
        }
        Action::Keys => {
            let secrets = if given::secrets(&asked.query)? { Secrets::Shown } else { Secrets::Hidden };
            let record = apps.show(id).await?;
            if secrets == Secrets::Shown {
                asked.log(id, "secrets of an app shown");
            }
            Ok(ok(&app_json::keys(&record, secrets)))
        }
        Action::Usage => {
            let hours = given::hours(&asked.query)?;
            Ok(ok(&app_json::latest_usage(apps, id, hours).await?))
        }
        Action::Create => create(apps, asked).await,
        Action::Update => {
            let update = given::update(&asked.body, asked.faults_of_query())?;
            let record = apps.update(id, &update).await?;
            asked.log(id, "app updated");
            Ok(ok(&app_json::app(&record, Secrets::Hidden)))
        }
        Action::RotateKey => rotate(apps, asked).await,
        Action::Delete => {
            asked.has_no_query()?;
            apps.delete(id).await?;
            asked.log(id, "app deleted");
            Ok(nothing())
        }
        Action::RevokeKey => {
            asked.has_no_query()?;
            apps.revoke_key(id, key).await?;
            asked.log(id, "key of an app revoked");
            Ok(nothing())
        }
        Action::Up | Action::Ready | Action::Metrics | Action::OpenApi | Action::Nodes => {
            Err(Problem::NoSuchPath)
        }
    }
}

async fn create(apps: &Apps, asked: &Asked<'_>) -> Result<Answer, Problem> {
    let new = given::new_app(&asked.body, asked.faults_of_query())?;
    let (record, _) = apps.create(new).await?;
    asked.log(&record.id, "app created");
    let mut answer = created(&app_json::app(&record, Secrets::Shown));
    let place = HeaderValue::from_str(&format!("/v1/apps/{}", record.id));
    answer.headers_mut().insert(LOCATION, place.expect("an id is ASCII"));
    Ok(answer)
}

async fn rotate(apps: &Apps, asked: &Asked<'_>) -> Result<Answer, Problem> {
    let faults = given::nothing(&asked.body, asked.faults_of_query())?;
    if !faults.is_empty() {
        return Err(Problem::Operation(OperationError::Faults(faults)));
    }
    let pair = apps.rotate_key(&asked.found.id).await?;
    asked.log(&asked.found.id, "key of an app made");
    Ok(created(&app_json::new_key(&pair)))
}

impl Asked<'_> {
    fn faults_of_query(&self) -> Vec<String> {
        given::faults_of(&self.query, &[])
    }

    fn has_no_query(&self) -> Result<(), Problem> {
        let faults = self.faults_of_query();
        if faults.is_empty() { Ok(()) } else { Err(Problem::Query(faults)) }
    }

    /// Logs who has done what; the token by its number.
    fn log(&self, app: &str, what: &str) {
        let Bearer { id, name, .. } = &self.by;
        tracing::info!(target: "fanfare::admin", app, token = id, name, "{what}");
    }
}

fn ok(value: &Value) -> Answer {
    json(StatusCode::OK, line(value))
}

fn created(value: &Value) -> Answer {
    json(StatusCode::CREATED, line(value))
}

/// The JSON with a newline, for terminals.
fn line(value: &Value) -> String {
    format!("{value}\n")
}

fn nothing() -> Answer {
    let mut answer = Answer::default();
    *answer.status_mut() = StatusCode::NO_CONTENT;
    answer
}
