//! Authentication: the bearer token of a request (RFC 6750), or else the cookie of a session, checked against the database each time.
//!
//! Never caches a valid token, so that a revoked token is refused at once; never repeats a token.

use std::net::IpAddr;

use hyper::Method;
use hyper::header::{AUTHORIZATION, HeaderMap, HeaderValue};

use super::entered::{Entered, look_up};
use super::problem::Problem;
use super::session;
use super::shared::Admin;
use crate::http::forwarded::client_address;

/// The bearer that a request's token belongs to, or else its session.
///
/// # Errors
/// No token and no session, or no valid one; too many wrong tokens from this address; the database, which holds the
/// tokens, is away; or too many requests are under way.
pub(super) async fn check(
    admin: &Admin,
    peer: IpAddr,
    method: &Method,
    headers: &HeaderMap,
) -> Result<Entered, Problem> {
    let apps = &admin.state.node.apps;
    if !apps.has_database() {
        return Err(Problem::NoDatabase);
    }
    let Some(header) = headers.get(AUTHORIZATION) else {
        return session::of_cookie(admin, peer, method, headers).await?.ok_or(Problem::NoToken);
    };
    let client = client_address(&admin.state, headers, peer);
    let found = async {
        match token_in(header) {
            Some(token) => apps.bearer_of(token).await,
            None => Ok(None),
        }
    };
    let bearer = look_up(admin, client, found, Problem::WrongToken).await?;
    Ok(Entered { bearer, session: None })
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
