//! Authentication: the bearer token of a request (RFC 6750), checked against the database each time.
//!
//! Never caches a valid token, so that a revoked token is refused at once; never repeats a token.

use std::net::IpAddr;
use std::time::Duration;

use fanfare_apps::Bearer;
use hyper::HeaderMap;
use hyper::header::{AUTHORIZATION, HeaderValue};
use tokio::time::{Instant, timeout};

use super::problem::Problem;
use super::shared::Admin;

/// Timeout of a token's look-up.
const PATIENCE: Duration = Duration::from_secs(2);

/// The bearer that a request's token belongs to.
///
/// # Errors
/// No token, or no valid one; too many wrong tokens from this address; the database, which holds the
/// tokens, is away; or too many requests are under way.
pub(super) async fn check(admin: &Admin, peer: IpAddr, headers: &HeaderMap) -> Result<Bearer, Problem> {
    let apps = &admin.state.node.apps;
    if !apps.has_database() {
        return Err(Problem::NoDatabase);
    }
    let header = headers.get(AUTHORIZATION).ok_or(Problem::NoToken)?;
    if let Some(wait) = admin.wrong_tokens.wait_of(peer, Instant::now()) {
        return Err(Problem::TooManyWrongTokens(wait));
    }
    let bearer = match token_in(header) {
        Some(_) if apps.database_away_for().is_some() => return Err(Problem::DatabaseAway),
        Some(token) => {
            let _turn = admin.enter()?;
            timeout(PATIENCE, apps.bearer_of(token)).await.map_err(|_| Problem::DatabaseAway)??
        }
        None => None,
    };
    bearer.ok_or_else(|| {
        admin.wrong_tokens.count(peer, Instant::now());
        Problem::WrongToken
    })
}

/// The text behind `Bearer `.
fn token_in(header: &HeaderValue) -> Option<&str> {
    let (scheme, token) = header.to_str().ok()?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_scheme_bearer_holds_a_token() {
        let token = |text: &'static str| token_in(&HeaderValue::from_static(text)).map(str::to_owned);
        assert_eq!(token("Bearer fanfare_1").as_deref(), Some("fanfare_1"));
        assert_eq!(token("bearer  fanfare_1").as_deref(), Some("fanfare_1"));
        for text in ["fanfare_1", "Basic fanfare_1", "Bearerfanfare_1", ""] {
            assert_eq!(token(text), None, "{text}");
        }
    }
}
