//! Operations of the administration API on apps: check the token, run the operation, answer.
//!
//! A secret is in the answer of the operation that made the secret, or where the scope `secrets` allows; nowhere else.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use fanfare_apps::{Apps, AuditAction, OperationError};
use fanfare_protocol::auth::Query;
use fanfare_protocol::ids::AppId;
use hyper::Request;
use hyper::header::{CACHE_CONTROL, HeaderValue, LOCATION};
use tokio::time::timeout;

use super::as_read::{AsRead, versioned};
use super::asked::{Asked, created, nothing, ok};
use super::entered::Entered;
use super::problem::Problem;
use super::routes::{Action, Found};
use super::shared::Admin;
use super::way_in::WayIn;
use super::{
    app_list, audit, bearer, channels, cluster, connect, connections, doctor, events, given, keys, live,
    node, refusals, reload, search, session, stats, tokens, webhooks,
};
use crate::app_json::{self, Secrets};
use crate::connections::RequestBody;
use crate::http::Answer;
use crate::http::body::Arriving;
use crate::http::forwarded::client_address;
use crate::http::unbroken::unbroken;
use crate::state::State;

/// Largest body, in bytes: settings are short.
const MOST_BYTES: usize = 64 * 1024;

/// Timeout of one operation; long enough to read a page of a thousand apps.
const PATIENCE: Duration = Duration::from_secs(10);

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
    let most = match found.action {
        Action::Publish => admin.state.node.config().limits.request_bytes,
        _ => MOST_BYTES,
    };
    let arriving = Arriving::of(request, most).await?;
    let query = Query::parse(arriving.uri().query().unwrap_or_default());
    if found.action.is_about_the_session() && !admin.state.node.config().console.enabled {
        return Err(arriving.refused(Problem::NoSuchPath).await);
    }
    if found.action == Action::LogIn {
        return log_in(admin, peer, arriving).await;
    }
    let entered = match who(admin, peer, found, &query, &arriving).await {
        Ok(entered) => entered,
        Err(problem) => return Err(arriving.refused(problem).await),
    };
    let address = client_address(&admin.state, arriving.headers(), peer);
    let way_in = WayIn::of(found, arriving.headers());
    let as_read = AsRead::of(arriving.headers());
    let headers = (found.action == Action::Live).then(|| arriving.headers().clone());
    let body = if found.action.has_body() {
        let patience = admin.state.node.config().timeouts.handshake();
        arriving.read(patience).await?
    } else {
        Bytes::new()
    };
    let turn = admin.enter_to_stay()?;
    if found.action.is_about_the_session() {
        return Ok(not_kept(match found.action {
            Action::LogOut => session::log_out(admin, &entered).await?,
            _ => session::who_am_i(admin, &entered),
        }));
    }
    let patience = patience_of(&admin.state, found.action);
    if matches!(found.action, Action::ExamineApp | Action::ExamineNode) {
        let asked = Asked { found, query, body, by: entered.bearer, address, way_in, as_read };
        return doctor::answer(&admin.state, &admin.examinations, &asked).await.map(not_kept);
    }
    if let Some(headers) = headers {
        let Entered { bearer, session } = entered;
        let asked = Asked { found, query, body, by: bearer, address, way_in, as_read };
        let opened = timeout(PATIENCE, live::open(admin, &asked, session.as_ref(), &headers)).await;
        return opened.map_err(|_| Problem::TooLate)?.map(not_kept);
    }
    let (state, found, by) = (Arc::clone(&admin.state), found.clone(), entered.bearer);
    // A client that goes must not part what was done from its entry in the audit log.
    let done = unbroken(async move {
        let _turn = turn;
        let asked = Asked { found: &found, query, body, by, address, way_in, as_read };
        let answer = perform(&state, &asked).await?;
        if found.action.changes_an_app() {
            if let Some(bus) = state.node.bus() {
                bus.app_changed(&AppId::from(&*found.id));
            }
            state.node.apps.has_taken_effect(&found.id).await;
        }
        Ok(answer)
    });
    timeout(patience, done).await.map_err(|_| Problem::TooLate)?.map(not_kept)
}

/// The one request whose bearer is known from the body alone.
async fn log_in(admin: &Admin, peer: IpAddr, arriving: Arriving) -> Result<Answer, Problem> {
    let headers = arriving.headers().clone();
    let patience = admin.state.node.config().timeouts.handshake();
    let body = arriving.read(patience).await?;
    session::log_in(admin, peer, &headers, &body).await.map(not_kept)
}

/// How long an action may take: one that asks a webhook waits for the answer.
fn patience_of(state: &State, action: Action) -> Duration {
    match action {
        Action::TestWebhook | Action::RepeatDelivery => {
            PATIENCE + state.node.config().webhooks.settings().timeout
        }
        _ => PATIENCE,
    }
}

/// The answer, which nobody may keep.
pub(super) fn not_kept(mut answer: Answer) -> Answer {
    answer.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    answer
}

/// Who asks, if the token has the scope of the action.
async fn who(
    admin: &Admin,
    peer: IpAddr,
    found: &Found,
    query: &Query,
    arriving: &Arriving,
) -> Result<Entered, Problem> {
    let action = found.action;
    let entered = match bearer::check(admin, peer, arriving.method(), arriving.headers()).await {
        Err(Problem::NoDatabase) if action == Action::Nodes => return Err(Problem::NoTokensForNodes),
        entered => entered?,
    };
    if action.is_about_the_session() {
        return Ok(entered);
    }
    let by = &entered.bearer;
    // Before scopes are looked at, so that the apps of others are like those that there are not (CON-086).
    match (&by.apps, found.is_about_an_app()) {
        (Some(_), false) if !matches!(action, Action::List | Action::Search) => {
            return Err(Problem::NotForBoundTokens);
        }
        (Some(_), true) if !by.is_for(&found.id) => {
            return Err(Problem::Operation(OperationError::NoSuchApp(found.id.clone())));
        }
        _ => {}
    }
    let scope = action.scope(query.get("secrets") == Some("true"));
    if by.scopes.contains(&scope) { Ok(entered) } else { Err(Problem::ScopeMissing(scope)) }
}

async fn perform(state: &State, asked: &Asked<'_>) -> Result<Answer, Problem> {
    match asked.found.action {
        Action::Nodes => {
            asked.has_no_query()?;
            cluster::nodes(state).await
        }
        Action::List => app_list::page(state, asked).await,
        Action::Keys => keys::list(state, asked).await,
        Action::Connect => connect::lines(state, asked).await,
        Action::Node => node::node(state, asked),
        Action::Reload => reload::reload(state, asked).await,
        Action::Stats => stats::stats(state, asked).await,
        Action::Tokens => tokens::list(state, asked).await,
        Action::CreateToken => tokens::create(state, asked).await,
        Action::RevokeToken => tokens::revoke(state, asked).await,
        Action::Publish => events::publish(state, asked).await,
        Action::Traces => events::traces(state, asked).await,
        Action::Audit => audit::page(&state.node.apps, asked).await,
        Action::TestWebhook => webhooks::test(state, asked).await,
        Action::RepeatDelivery => webhooks::again(state, asked).await,
        Action::Deliveries => webhooks::deliveries(state, asked).await,
        Action::Channels => channels::list(state, asked).await,
        Action::Channel => channels::one(state, asked).await,
        Action::Members => channels::members(state, asked).await,
        Action::Subscribers => channels::subscribers(state, asked).await,
        Action::Connections => connections::list(state, asked).await,
        Action::Connection => connections::one(state, asked).await,
        Action::CloseConnection => connections::close(state, asked).await,
        Action::Users => connections::users(state, asked).await,
        Action::TerminateUser => connections::terminate(state, asked).await,
        Action::Refusals => refusals::of_app(state, asked).await,
        Action::RefusalsOfNoApp => refusals::of_no_app(state, asked).await,
        Action::Search => search::find(state, asked).await,
        _ => change_or_show(state, asked).await,
    }
}

/// The operations on apps themselves.
async fn change_or_show(state: &State, asked: &Asked<'_>) -> Result<Answer, Problem> {
    let apps = &state.node.apps;
    let Found { action, id, key, .. } = asked.found;
    match action {
        Action::Show => {
            asked.has_no_query()?;
            let app = apps.show(id).await?;
            let config = state.node.config();
            let place = asked.place_of(&config, id);
            Ok(versioned(ok(&app_json::app(&app, place, Secrets::Hidden)), &app))
        }
        Action::Usage => {
            let hours = given::hours(&asked.query)?;
            Ok(ok(&app_json::latest_usage(apps, id, hours).await?))
        }
        Action::Create => create(apps, asked).await,
        Action::Update => update(apps, asked).await,
        Action::RotateKey => rotate(apps, asked).await,
        Action::Delete => {
            asked.has_no_query()?;
            if !asked.as_read.is_any() && !asked.as_read.fits(&apps.show(id).await?) {
                return Err(Problem::Operation(OperationError::NotAsRead(id.clone())));
            }
            apps.delete(id).await?;
            asked.note(apps, asked.entry(id, AuditAction::AppDelete)).await;
            Ok(nothing())
        }
        Action::RevokeKey => {
            asked.has_no_query()?;
            apps.revoke_key(id, key).await?;
            let entry = asked.entry(id, AuditAction::KeyRevoke).with("key", key.as_str().into());
            asked.note(apps, entry).await;
            Ok(nothing())
        }
        _ => Err(Problem::NoSuchPath),
    }
}

async fn create(apps: &Apps, asked: &Asked<'_>) -> Result<Answer, Problem> {
    let new = given::new_app(&asked.body, asked.faults_of_query())?;
    let (record, _) = apps.create(new).await?;
    let entry = asked.entry(&record.id, AuditAction::AppCreate).with("name", record.name.as_str().into());
    asked.note(apps, entry).await;
    apps.has_taken_effect(&record.id).await;
    let mut answer = created(&app_json::app(&record, None, Secrets::Shown));
    let place = HeaderValue::from_str(&format!("/v1/apps/{}", record.id));
    answer.headers_mut().insert(LOCATION, place.expect("an id is ASCII"));
    Ok(versioned(answer, &record))
}

async fn update(apps: &Apps, asked: &Asked<'_>) -> Result<Answer, Problem> {
    let id = &asked.found.id;
    let update = given::update(&asked.body, asked.faults_of_query())?;
    let changed = apps.update_as_read(id, &update, |app| asked.as_read.fits(app)).await?;
    let [before, after] =
        [&changed.before, &changed.after].map(|app| app_json::app(app, None, Secrets::Hidden));
    if before != after {
        let entry = asked.entry(id, AuditAction::AppUpdate).with_changes(&before, &after);
        asked.note(apps, entry).await;
    }
    Ok(versioned(ok(&after), &changed.after))
}

async fn rotate(apps: &Apps, asked: &Asked<'_>) -> Result<Answer, Problem> {
    let faults = given::nothing(&asked.body, asked.faults_of_query())?;
    if !faults.is_empty() {
        return Err(Problem::Operation(OperationError::Faults(faults)));
    }
    let pair = apps.rotate_key(&asked.found.id).await?;
    let entry = asked.entry(&asked.found.id, AuditAction::KeyCreate).with("key", pair.key.as_str().into());
    asked.note(apps, entry).await;
    Ok(created(&app_json::new_key(&pair)))
}
