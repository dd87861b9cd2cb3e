//! `fanfare channels`, `fanfare connections` and `fanfare users`: asks a running server what is open, signed like a back end
//! (CON-025).

mod told;

use std::time::Duration;

use fanfare_config::Config;
use hyper::Method;
use serde_json::Value;

use crate::command_line::{
    ChannelsCommand, CloseOptions, ConnectionsAction, ConnectionsCommand, ConnectionsOptions, PageOptions,
    ServerPlace, TerminateOptions, UsersAction, UsersCommand, UsersOptions,
};
use crate::signed_request::{AppAtServer, SignedRequestError, in_url};

/// How long the answer is waited for.
const PATIENCE: Duration = Duration::from_secs(10);

/// Shows channels; returns the text to print.
///
/// # Errors
/// There is no such app, or the server does not answer, or has refused.
pub async fn channels(config: &Config, asked: &ChannelsCommand) -> Result<String, SignedRequestError> {
    let ChannelsCommand { app, prefix, kind, order, page, place } = asked;
    let filters = [
        ("prefix", prefix.clone()),
        ("kind", kind.map(|kind| kind.name().to_owned())),
        ("order", Some(order.name().to_owned())),
    ];
    let answer = list(config, (Some(app), place), "channels", &filters, page).await?;
    Ok(shown(&answer, page, told::channels))
}

/// Shows connections, or closes one; returns the text to print.
///
/// # Errors
/// There is no such app, or the server does not answer, or has refused.
pub async fn connections(config: &Config, asked: &ConnectionsCommand) -> Result<String, SignedRequestError> {
    if let Some(ConnectionsAction::Close(asked)) = &asked.action {
        let CloseOptions { app, socket, code, place } = asked;
        let server = AppAtServer::find(config, Some(app), place.url.as_ref()).await?;
        let path = format!("/open/connections/{}/close", in_url(socket));
        server.ask_with((Method::POST, &path), &[("code", code)], None, PATIENCE).await?;
        return Ok(told::closed(socket, code));
    }
    let ConnectionsOptions { app, channel, user, address, page, place } = &asked.list;
    let filters = [
        ("channel", channel.clone()),
        ("user", user.clone()),
        ("address", address.map(|address| address.to_string())),
    ];
    let answer = list(config, (app.as_ref(), place), "connections", &filters, page).await?;
    Ok(shown(&answer, page, told::connections))
}

/// Shows users who are signed in, or closes the connections of one; returns the text to print.
///
/// # Errors
/// There is no such app, or the server does not answer, or has refused.
pub async fn users(config: &Config, asked: &UsersCommand) -> Result<String, SignedRequestError> {
    if let Some(UsersAction::Terminate(asked)) = &asked.action {
        let TerminateOptions { app, user, place } = asked;
        let server = AppAtServer::find(config, Some(app), place.url.as_ref()).await?;
        let path = format!("/open/users/{}/terminate", in_url(user));
        let answer = server.ask((Method::POST, &path), None, PATIENCE).await?;
        return Ok(told::terminated(user, &answer));
    }
    let UsersOptions { app, prefix, page, place } = &asked.list;
    let answer = list(config, (app.as_ref(), place), "users", &[("prefix", prefix.clone())], page).await?;
    Ok(shown(&answer, page, told::users))
}

/// A page of a list.
async fn list(
    config: &Config,
    (app, place): (Option<&String>, &ServerPlace),
    name: &str,
    filters: &[(&str, Option<String>)],
    page: &PageOptions,
) -> Result<Value, SignedRequestError> {
    let server = AppAtServer::find(config, app.map(String::as_str), place.url.as_ref()).await?;
    let limit = page.limit.to_string();
    let given = filters.iter().filter_map(|(name, value)| Some((*name, value.as_deref()?)));
    let after = page.after.as_deref().map(|after| ("after", after));
    let parameters: Vec<(&str, &str)> = given.chain(after).chain([("limit", &*limit)]).collect();
    server.ask_with((Method::GET, &format!("/open/{name}")), &parameters, None, PATIENCE).await
}

fn shown(answer: &Value, page: &PageOptions, table: fn(&Value) -> String) -> String {
    if page.json { format!("{answer:#}\n") } else { table(answer) }
}
