//! Who asks: the bearer token of a request (RFC 6750), checked against the database each time.
//!
//! Remembers no right token, so that one that is revoked is refused at once; repeats none.

use std::net::IpAddr;
use std::time::Duration;

use fanfare_apps::Bearer;
use hyper::HeaderMap;
use hyper::header::{AUTHORIZATION, HeaderValue};
use tokio::time::{Instant, timeout};

use super::problem::Problem;
use super::shared::Admin;

/// Longest time that a token is looked for.
const PATIENCE: Duration = Duration::from_secs(2);

/// Whose token a request has.
///
/// # Errors
/// It has none, or not a valid one; the address has shown too many wrong ones; the database, without which there
/// are no tokens, is away; or as much is under way as may be.
pub(super) async fn check(admin: &Admin, peer: IpAddr, headers: &HeaderMap) -> Result<Bearer, Problem> {
    let apps = &admin.state.apps;
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

/// What stands behind `Bearer `.
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
