//! Who sends a request: the bearer of a token, by the token or by a session; and the look-up of either, with its limits.

use std::net::IpAddr;
use std::time::Duration;

use fanfare_apps::{AdminSession, Bearer, OperationError};
use tokio::time::{Instant, timeout};

use super::cookie::Cookie;
use super::problem::Problem;
use super::shared::Admin;
use super::wrong_tokens::WrongOnes;

/// Timeout of the look-up of a token, a code or a session.
pub(super) const LOOK_UP: Duration = Duration::from_secs(2);

/// Who sends a request.
pub(super) struct Entered {
    pub bearer: Bearer,
    /// The session, for a request by a cookie.
    pub session: Option<(Cookie, AdminSession)>,
}

/// What a client's token, code or session stands for; a wrong one counts, and `wrong` makes the refusal (CON-011). What is being looked
/// up counts as well, until it is found.
///
/// # Errors
/// The client has to wait after too many wrong ones; the database is away; too many requests are under way; or nothing is
/// found.
pub(super) async fn look_up<T>(
    admin: &Admin,
    client: IpAddr,
    found: impl Future<Output = Result<Option<T>, OperationError>>,
    wrong: impl FnOnce(WrongOnes) -> Problem,
) -> Result<T, Problem> {
    let place = timeout(LOOK_UP, admin.wrong_tokens.place(client, Instant::now()));
    let place = place.await.map_err(|_| Problem::Busy)?.map_err(Problem::TooManyWrongTokens)?;
    find(admin, found).await?.ok_or_else(|| wrong(place.was_wrong(Instant::now())))
}

/// What is found, however often the client was wrong: for what nobody can guess.
///
/// # Errors
/// The database is away, or too many requests are under way.
pub(super) async fn find<T>(
    admin: &Admin,
    found: impl Future<Output = Result<Option<T>, OperationError>>,
) -> Result<Option<T>, Problem> {
    if admin.state.node.apps.database_away_for().is_some() {
        return Err(Problem::DatabaseAway);
    }
    let _turn = admin.enter()?;
    Ok(timeout(LOOK_UP, found).await.map_err(|_| Problem::DatabaseAway)??)
}
