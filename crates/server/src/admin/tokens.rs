//! The tokens over HTTP: `/v1/tokens` (CON-084).
//!
//! A token is in the answer that makes it, and nowhere else. Nobody makes or revokes a token that allows more than their own, or makes
//! one that is valid longer.

use std::collections::BTreeSet;

use fanfare_apps::{NewToken, NotAScope, OperationError, Scope};

use super::asked::{Asked, created, nothing, ok};
use super::given::Fields;
use super::problem::Problem;
use crate::http::Answer;
use crate::http::given::Given;
use crate::state::State;
use crate::token_json;

/// A page of tokens, the newest first.
///
/// # Errors
/// The query has faults, or the database is away.
pub(super) async fn list(state: &State, asked: &Asked<'_>) -> Result<Answer, Problem> {
    let mut given = Given::of(&asked.query, &["after", "limit"]);
    let before = given.after(|text| text.parse().ok());
    let limit = given.rows();
    given.end()?;
    Ok(ok(&token_json::page(&state.node.apps.tokens(before, limit).await?)))
}

/// Makes a token.
///
/// # Errors
/// The token that asks lacks one of the scopes, what is asked for has faults, or the database is away.
pub(super) async fn create(state: &State, asked: &Asked<'_>) -> Result<Answer, Problem> {
    let (new, faults) = wanted(asked)?;
    if let Some(missing) = new.scopes.difference(&asked.by.scopes).next() {
        return Err(Problem::ScopeMissing(*missing));
    }
    if !faults.is_empty() {
        return Err(Problem::Operation(OperationError::Faults(faults)));
    }
    let apps = &state.node.apps;
    let (record, token) = apps.create_token(&new).await?;
    let mut shown = token_json::one(&record);
    asked.note(apps, token_json::made(&record, asked.auditor())).await;
    shown["token"] = token.expose().into();
    Ok(created(&shown))
}

/// Revokes a token; its sessions end with it, and its live lists on this node at once. Only tokens for all apps come here, so that
/// scopes alone are compared.
///
/// # Errors
/// No valid token has the number, that token has a scope that the one that asks lacks, the query has faults, or the database is
/// away.
pub(super) async fn revoke(state: &State, asked: &Asked<'_>) -> Result<Answer, Problem> {
    asked.has_no_query()?;
    let number: i64 = asked.found.number.parse().map_err(|_| Problem::NoSuchPath)?;
    let apps = &state.node.apps;
    let scopes = apps.token(number).await?.scopes;
    if let Some(scope) = scopes.difference(&asked.by.scopes).next().filter(|_| number != asked.by.id) {
        return Err(Problem::StrongerToken { number, scope: *scope });
    }
    apps.revoke_token(number).await?;
    state.node.taps.end_of_token(number);
    asked.note(apps, token_json::revoked(number, asked.auditor())).await;
    Ok(nothing())
}

/// The token that is asked for, and the faults of the body and the query.
fn wanted(asked: &Asked<'_>) -> Result<(NewToken, Vec<String>), Problem> {
    let mut fields = Fields::read(&asked.body, asked.faults_of_query())?;
    let name = fields.text("name").unwrap_or_default();
    let named = fields.texts("scopes").unwrap_or_default();
    let apps = fields.texts("apps").map(|ids| ids.into_iter().collect());
    let seconds = fields.number("expires_in");
    let scopes: Result<BTreeSet<Scope>, NotAScope> = named.iter().map(|scope| scope.parse()).collect();
    let scopes = scopes.unwrap_or_else(|fault| {
        fields.fault(fault.to_string());
        BTreeSet::new()
    });
    let faults = fields.end(&["name", "scopes", "apps", "expires_in"]);
    Ok((NewToken { name, scopes, apps, seconds, made_by: Some(asked.by.id) }, faults))
}
